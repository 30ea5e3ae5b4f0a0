#pragma once

#include <fleetarium/net/byte_stream.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace fleetarium::test {

/// Two carriers that are each other's peer, moved by hand: `deliver` takes what one end wrote to
/// the other in pieces of any size, so a test decides where bytes are split. The carriers may die
/// before this does.
class carrier_pair {
    struct end;

public:
    class carrier final : public net::byte_stream {
    public:
        explicit carrier(std::shared_ptr<end> state) : state_(std::move(state)) {}
        ~carrier() override { abort(); }

        void start(events& to) override { state_->to = &to; }
        void write(wire_buffer written) override {
            if (state_->closing) {
                return;
            }
            state_->writes += 1;
            written.for_each_part([this](bytes_view part) { state_->sent += as_text(part); });
        }
        std::size_t backlog() const override {
            return state_->sent.size() > state_->room ? state_->sent.size() - state_->room : 0;
        }
        void pause_reading() override { state_->paused = true; }
        void resume_reading() override { state_->paused = false; }
        void close() override { state_->closing = true; }
        void abort() noexcept override {
            state_->to = nullptr;
            state_->closing = true;
        }
        net::peer_facts peer() const override {
            net::peer_facts facts;
            facts.address = "memory";
            return facts;
        }

    private:
        std::shared_ptr<end> state_;
    };

    enum class side : std::uint8_t { client, server };

    std::unique_ptr<net::byte_stream> make(side of) { return std::make_unique<carrier>(at(of)); }

    /// Bytes that an end takes before it has a backlog.
    void limit(side of, std::size_t room) { at(of)->room = room; }
    bool paused(side of) const { return ends_[index(of)]->paused; }
    /// What an end has written and the other has not had yet.
    const std::string& sent(side of) const { return ends_[index(of)]->sent; }
    std::string take_sent(side of) { return std::exchange(at(of)->sent, {}); }
    std::size_t writes(side of) const { return ends_[index(of)]->writes; }
    bool closing(side of) const { return ends_[index(of)]->closing; }

    /// Bytes from nowhere, for `to`.
    void inject(side to, const std::string& said) {
        // A copy at its exact size, so that a sanitizer sees who reads beyond.
        const std::vector<std::uint8_t> exact(said.begin(), said.end());
        if (auto* const told = at(to)->to) {
            told->on_bytes(exact);
        }
    }
    /// The connection breaks, as `of` sees it.
    void cut(side of, boost::system::error_code why) {
        at(of)->closing = true;
        if (auto* const told = std::exchange(at(of)->to, nullptr)) {
            told->on_closed(why);
        }
    }

    /// Takes bytes both ways, in pieces of `piece_max`, until nothing moves; then closes are told.
    void deliver(std::size_t piece_max = std::size_t{1} << 20) {
        for (bool moved = true; moved;) {
            moved = deliver_one(side::client, side::server, piece_max);
            moved = deliver_one(side::server, side::client, piece_max) || moved;
            if (!moved) {
                moved = tell_close(side::client, side::server) ||
                        tell_close(side::server, side::client);
            }
        }
    }

    /// One piece from one end to the other.
    bool deliver_one(side from, side to, std::size_t piece_max) {
        const std::shared_ptr<end> sender = at(from);
        if (sender->sent.empty() || at(to)->paused) {
            return false;
        }
        const bool had_backlog = sender->sent.size() > sender->room;
        const std::string piece = sender->sent.substr(0, piece_max);
        sender->sent.erase(0, piece.size());
        inject(to, piece);
        if (had_backlog && sender->sent.size() <= sender->room && sender->to != nullptr) {
            sender->to->on_drained();
        }
        return true;
    }

private:
    struct end {
        net::byte_stream::events* to = nullptr;
        std::string sent;
        std::size_t room = static_cast<std::size_t>(-1);
        std::size_t writes = 0;
        bool paused = false;
        bool closing = false;
        bool told = false;
    };

    static std::size_t index(side of) { return of == side::client ? 0 : 1; }
    const std::shared_ptr<end>& at(side of) { return ends_[index(of)]; }

    bool tell_close(side closed, side peer) {
        const std::shared_ptr<end> closing = at(closed);
        if (!closing->closing || closing->told || !closing->sent.empty()) {
            return false;
        }
        closing->told = true;
        cut(closed, {});
        if (!at(peer)->told) {
            at(peer)->told = true;
            cut(peer, boost::asio::error::eof);
        }
        return true;
    }

    std::shared_ptr<end> ends_[2] = {std::make_shared<end>(), std::make_shared<end>()};
};

/// Keeps what a stream told.
struct told_events final : net::byte_stream::events {
    void on_bytes(bytes_view arrived) override {
        received += as_text(arrived);
        chunks += 1;
        if (when_bytes) {
            when_bytes();
        }
    }
    void on_drained() override { drained += 1; }
    void on_closed(boost::system::error_code told) override {
        closed += 1;
        why = told;
        if (when_closed) {
            when_closed();
        }
    }

    std::string received;
    int chunks = 0;
    int drained = 0;
    int closed = 0;
    boost::system::error_code why;
    std::function<void()> when_bytes;
    std::function<void()> when_closed;
};

inline wire_buffer wire_of(std::string_view text) {
    wire_buffer made;
    made.append(as_bytes_view(text));
    return made;
}

}  // namespace fleetarium::test
