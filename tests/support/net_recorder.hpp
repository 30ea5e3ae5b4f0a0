#pragma once

#include "support/net_thread.hpp"

#include <fleetarium/net/byte_stream.hpp>

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace fleetarium::test {

/// Notes the events of a stream for whoever waits for them, on any thread.
class net_recorder final : public net::byte_stream::events {
public:
    /// Called first, on the stream's thread. Set before `start`.
    std::function<void(bytes_view)> when_bytes{};
    std::function<void()> when_drained{};
    std::function<void(boost::system::error_code)> when_closed{};

    /// While one lives a member of a stream is being called: no event may be told.
    class member_call {
    public:
        member_call() { ++depth(); }
        ~member_call() { --depth(); }
        member_call(const member_call&) = delete;
        member_call& operator=(const member_call&) = delete;
    };

    template <class Predicate>
    bool wait_until(Predicate done) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, patience, [&] { return done(*this); });
    }
    bool wait_for_bytes(std::size_t count) {
        return wait_until([&](const net_recorder& at) { return at.bytes_.size() >= count; });
    }
    bool wait_for_drained() {
        return wait_until([](const net_recorder& at) { return at.drained_ != 0; });
    }
    bool wait_for_closed() {
        return wait_until([](const net_recorder& at) { return at.closed_.has_value(); });
    }

    // For predicates of wait_until, and when the stream's thread is at rest.
    const std::string& bytes() const { return bytes_; }
    std::size_t drained() const { return drained_; }
    const std::optional<boost::system::error_code>& closed() const { return closed_; }
    /// Events told from inside a member, or after the last one.
    std::size_t out_of_place() const { return out_of_place_; }

    boost::system::error_code why_closed() {
        const std::lock_guard lock(mutex_);
        return closed_.value();
    }
    std::string all_bytes() {
        const std::lock_guard lock(mutex_);
        return bytes_;
    }
    std::size_t drained_count() {
        const std::lock_guard lock(mutex_);
        return drained_;
    }
    std::size_t out_of_place_count() {
        const std::lock_guard lock(mutex_);
        return out_of_place_;
    }

private:
    static int& depth() {
        thread_local int calls = 0;
        return calls;
    }

    void note(const std::function<void()>& change) {
        const std::lock_guard lock(mutex_);
        out_of_place_ += depth() != 0 || closed_.has_value() ? 1 : 0;
        change();
        changed_.notify_all();
    }

    void on_bytes(bytes_view bytes) override {
        if (when_bytes) {
            when_bytes(bytes);
        }
        note([&] { bytes_ += as_text(bytes); });
    }
    void on_drained() override {
        if (when_drained) {
            when_drained();
        }
        note([&] { ++drained_; });
    }
    void on_closed(boost::system::error_code why) override {
        if (when_closed) {
            when_closed(why);
        }
        note([&] { closed_ = why; });
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::string bytes_;
    std::size_t drained_ = 0;
    std::optional<boost::system::error_code> closed_;
    std::size_t out_of_place_ = 0;
};

}  // namespace fleetarium::test
