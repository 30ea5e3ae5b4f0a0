#pragma once

#include <fleetarium/client/environment.hpp>
#include <fleetarium/core/random.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// An environment for clients in virtual time: streams are memory, and time passes when the test
// says so. Faults at will.
namespace fleetarium::test {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;

class memory_stream;
class virtual_network;

/// Whoever answers at a host of a virtual network.
class memory_server {
public:
    virtual ~memory_server() = default;
    virtual void accept(std::unique_ptr<net::byte_stream> stream) = 0;
};

/// How a host answers those who connect.
enum class host_mood { accepts, refuses, is_silent };

/// One direction of a link: bytes on their way to `reader`.
struct memory_pipe {
    memory_stream* reader = nullptr;
    memory_stream* writer = nullptr;
    std::vector<std::uint8_t> bytes{};
    bool scheduled = false;
    bool writer_wants_drained = false;
    bool ends = false;  // when the bytes are read
    boost::system::error_code end{};
};

struct memory_link {
    explicit memory_link(virtual_network& in) : network(&in) {}
    virtual_network* network;
    memory_pipe pipes[2];
    bool is_open = true;
    bool silent = false;   // what is written is lost
    bool stalled = false;  // what is written stays where it is
};

class virtual_network final : public environment {
public:
    boost::asio::io_context& context() { return *context_; }
    boost::asio::any_io_executor executor() override { return context_->get_executor(); }
    instant now() const override { return now_; }
    std::unique_ptr<timer> make_timer() override;
    std::unique_ptr<net::connect_attempt> connect(const net::url& to, const net::tls_context& tls,
                                                  net::connect_handler done) override;
    std::uint64_t next_seed() override {
        return random_at(make_random_key(7, 0, "seeds"), seeds_++);
    }

    // The world outside

    void serve(const std::string& host, memory_server& by) { servers_[host] = &by; }
    void set_mood(const std::string& host, host_mood mood) { moods_[host] = mood; }
    /// Time of each attempt, with the host.
    const std::vector<std::pair<instant, std::string>>& attempts() const { return attempts_; }

    /// All connections break; both ends learn of it.
    void cut();
    /// Nothing of what is written from now on arrives; nobody learns of it.
    void fall_silent();
    /// The transport takes no more, or goes on.
    void stall(bool on);
    /// Streams to servers that are open.
    std::size_t open_links() const;

    // Time

    /// Runs what can run now, timers that are due among it.
    void settle() {
        do {
            run_ready();
        } while (step(now_));
    }
    /// Passes time, stopping at each timer on the way.
    void advance(duration by) {
        const instant end = now_ + by;
        while (step(end)) {
        }
        now_ = end;
        settle();
    }
    /// Passes time until `done`; false if that does not come within `most`.
    template <class Done>
    bool run_until(Done&& done, duration most = std::chrono::hours{24}) {
        const instant end = now_ + most;
        settle();
        while (!done()) {
            if (!step(end)) {
                return false;
            }
            settle();
        }
        return true;
    }
    /// Runs a coroutine to its end, and throws what it throws.
    void run(boost::asio::awaitable<void> body, duration most = std::chrono::hours{24}) {
        bool ended = false;
        std::exception_ptr thrown;
        boost::asio::co_spawn(*context_, std::move(body), [&](std::exception_ptr why) {
            ended = true;
            thrown = why;
        });
        if (!run_until([&] { return ended; }, most)) {
            throw std::runtime_error("the coroutine has not ended in time");
        }
        if (thrown) {
            std::rethrow_exception(thrown);
        }
    }
    /// Destroys the execution context, with all that waits in it.
    void destroy_context() { context_.reset(); }

private:
    class timer_entry;
    class attempt;
    friend class memory_stream;

    void run_ready() {
        context_->restart();
        for (int count = 0; context_->poll_one() > 0; ++count) {
            if (count > 50'000'000) {
                throw std::runtime_error("the network does not come to rest");
            }
        }
    }

    bool step(instant end) {
        run_ready();
        if (timers_.empty() || timers_.begin()->first.first > end) {
            return false;
        }
        const auto first = timers_.begin();
        now_ = std::max(now_, first->first.first);
        auto fired = std::move(first->second);
        timers_.erase(first);
        boost::asio::post(*context_, std::move(fired));
        run_ready();
        return true;
    }

    template <class Function>
    void post(Function function) {
        if (context_) {
            boost::asio::post(*context_, std::move(function));
        }
    }

    std::unique_ptr<boost::asio::io_context> context_ = std::make_unique<boost::asio::io_context>();
    instant now_{};
    std::uint64_t seeds_ = 0;
    std::uint64_t timers_started_ = 0;
    std::map<std::pair<instant, std::uint64_t>, std::function<void()>> timers_;
    std::map<std::string, memory_server*> servers_;
    std::map<std::string, host_mood> moods_;
    std::vector<std::pair<instant, std::string>> attempts_;
    std::vector<std::weak_ptr<memory_link>> links_;
};

/// One end of a link.
class memory_stream final : public net::byte_stream {
public:
    memory_stream(std::shared_ptr<memory_link> link, int side)
        : link_(std::move(link)), side_(side) {
        incoming().reader = this;
        outgoing().writer = this;
    }
    ~memory_stream() override {
        abort();
        incoming().reader = nullptr;
        outgoing().writer = nullptr;
    }

    void start(events& to) override {
        to_ = &to;
        schedule(1 - side_);
    }
    void write(wire_buffer raw) override {
        if (!link_->is_open || closing_) {
            return;
        }
        if (!link_->silent) {
            raw.for_each_part([&](bytes_view part) {
                outgoing().bytes.insert(outgoing().bytes.end(), part.begin(), part.end());
            });
        }
        if (backlog() > 0) {
            outgoing().writer_wants_drained = true;
        }
        schedule(side_);
    }
    std::size_t backlog() const override {
        constexpr std::size_t buffers = 4096;  // of a slow reader
        const memory_pipe& out = link_->pipes[side_];
        const bool flows = !link_->stalled && (out.reader == nullptr || !out.reader->paused_);
        return flows || out.bytes.size() <= buffers ? 0 : out.bytes.size() - buffers;
    }
    void pause_reading() override { paused_ = true; }
    void resume_reading() override {
        paused_ = false;
        schedule(1 - side_);
    }
    void close() override {
        if (closing_ || !link_->is_open) {
            return;
        }
        closing_ = true;
        if (link_->silent) {
            return;  // the farewell is not answered
        }
        outgoing().ends = true;
        schedule(side_);
    }
    void abort() noexcept override {
        to_ = nullptr;
        if (link_->is_open) {
            link_->is_open = false;
            if (!link_->silent) {
                outgoing().ends = true;
                outgoing().end = boost::asio::error::connection_reset;
                outgoing().bytes.clear();
                schedule(side_);
            }
        }
    }
    net::peer_facts peer() const override { return {"memory", {}}; }

    /// The link breaks.
    void break_off() {
        link_->network->post([link = link_, side = side_] {
            if (memory_stream* const live = link->pipes[1 - side].reader) {
                live->tell_closed(boost::asio::error::connection_reset);
            }
        });
    }
    void go_on() { schedule(side_); }

private:
    memory_pipe& incoming() { return link_->pipes[1 - side_]; }
    memory_pipe& outgoing() { return link_->pipes[side_]; }

    void schedule(int side) {
        memory_pipe& pipe = link_->pipes[side];
        if (!pipe.scheduled) {
            pipe.scheduled = true;
            link_->network->post([link = link_, side] { carry(*link, side); });
        }
    }
    static void carry(memory_link& link, int side) {
        memory_pipe& pipe = link.pipes[side];
        pipe.scheduled = false;
        memory_stream* const reader = pipe.reader;
        if (reader == nullptr || reader->to_ == nullptr || reader->paused_ || link.stalled) {
            return;
        }
        if (!pipe.bytes.empty()) {
            const auto arrived = std::exchange(pipe.bytes, {});
            reader->to_->on_bytes(arrived);
        }
        if (std::exchange(pipe.writer_wants_drained, false) && pipe.writer != nullptr &&
            pipe.writer->to_ != nullptr && pipe.bytes.empty()) {
            pipe.writer->to_->on_drained();
        }
        if (pipe.ends && pipe.bytes.empty()) {
            link.is_open = false;
            if (memory_stream* const other = pipe.writer) {
                other->tell_closed({});
            }
            if (memory_stream* const live = pipe.reader) {
                live->tell_closed(pipe.end);
            }
        }
    }
    void tell_closed(boost::system::error_code why) {
        link_->is_open = false;
        if (events* const told = std::exchange(to_, nullptr)) {
            told->on_closed(why);
        }
    }

    std::shared_ptr<memory_link> link_;
    int side_;
    events* to_ = nullptr;
    bool paused_ = false;
    bool closing_ = false;
};

class virtual_network::timer_entry final : public environment::timer {
public:
    explicit timer_entry(virtual_network& in) : in_(in) {}
    ~timer_entry() override { cancel(); }
    void start(instant due, std::function<void()> fired) override {
        cancel();
        if (due != never) {
            key_ = {due, ++in_.timers_started_};
            in_.timers_.emplace(key_, std::move(fired));
        } else {
            kept_ = std::move(fired);
        }
    }
    void cancel() noexcept override {
        in_.timers_.erase(key_);
        kept_ = nullptr;
    }

private:
    virtual_network& in_;
    std::pair<instant, std::uint64_t> key_{};
    std::function<void()> kept_;  // of a deadline that never comes
};

inline std::unique_ptr<environment::timer> virtual_network::make_timer() {
    return std::make_unique<timer_entry>(*this);
}

class virtual_network::attempt final : public net::connect_attempt {
public:
    ~attempt() override { cancel(); }
    void cancel() noexcept override { *wanted = false; }
    std::shared_ptr<bool> wanted = std::make_shared<bool>(true);
};

inline std::unique_ptr<net::connect_attempt> virtual_network::connect(const net::url& to,
                                                                      const net::tls_context&,
                                                                      net::connect_handler done) {
    auto made = std::make_unique<attempt>();
    attempts_.emplace_back(now_, to.host);
    const auto mood = moods_[to.host];
    memory_server* const by = servers_.contains(to.host) ? servers_[to.host] : nullptr;
    if (mood == host_mood::is_silent) {
        return made;
    }
    boost::asio::post(*context_, [this, by, mood, wanted = made->wanted, done = std::move(done)] {
        if (!*wanted) {
            return;
        }
        if (by == nullptr || mood == host_mood::refuses) {
            done(by == nullptr ? boost::system::error_code(boost::asio::error::host_not_found)
                               : boost::asio::error::connection_refused,
                 nullptr);
            return;
        }
        const auto link = std::make_shared<memory_link>(*this);
        links_.push_back(link);
        by->accept(std::make_unique<memory_stream>(link, 1));
        done({}, std::make_unique<memory_stream>(link, 0));
    });
    return made;
}

inline void virtual_network::cut() {
    for (const auto& weak : links_) {
        if (const auto link = weak.lock(); link && link->is_open) {
            link->is_open = false;
            for (memory_pipe& pipe : link->pipes) {
                pipe.bytes.clear();
                if (pipe.reader != nullptr) {
                    pipe.reader->break_off();
                }
            }
        }
    }
    settle();
}

inline void virtual_network::fall_silent() {
    for (const auto& weak : links_) {
        if (const auto link = weak.lock()) {
            link->silent = true;
        }
    }
}

inline void virtual_network::stall(bool on) {
    for (const auto& weak : links_) {
        if (const auto link = weak.lock()) {
            link->stalled = on;
            for (memory_pipe& pipe : link->pipes) {
                if (!on && pipe.writer != nullptr) {
                    pipe.writer->go_on();
                }
            }
        }
    }
}

inline std::size_t virtual_network::open_links() const {
    return static_cast<std::size_t>(std::ranges::count_if(links_, [](const auto& weak) {
        const auto link = weak.lock();
        return link && link->is_open;
    }));
}

}  // namespace fleetarium::test
