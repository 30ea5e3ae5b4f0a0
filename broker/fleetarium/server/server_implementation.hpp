#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/net/byte_stream.hpp>
#include <fleetarium/net/listener.hpp>
#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/server/connection_limiter.hpp>
#include <fleetarium/server/http_server.hpp>
#include <fleetarium/server/password_turns.hpp>
#include <fleetarium/server/persistence.hpp>
#include <fleetarium/server/prometheus.hpp>
#include <fleetarium/server/refusal_log.hpp>
#include <fleetarium/server/server.hpp>
#include <fleetarium/server/server_gate.hpp>
#include <fleetarium/server/server_log.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace fleetarium::broker {

/// The inside of a server.
///
/// Each io_thread owns streams and runs their events. The core belongs to whoever holds
/// `core_mutex`: a turn hands in what one read brought; when the events that were ready are
/// handled, `flush` polls the core once for all of them and writes each receiver's bytes with one
/// call. Outputs for another thread's connections go through that thread's mailbox. All polling
/// and mailing happens under the mutex, and a thread takes its mail before it polls, so a
/// connection's bytes keep their order.
class server::implementation {
public:
    implementation(server_options with, broker_hooks* embedder);
    ~implementation();
    implementation(const implementation&) = delete;
    implementation& operator=(const implementation&) = delete;

    // server.cpp: life
    void start();
    void stop();
    std::vector<std::string> reload();
    std::unique_ptr<net::byte_stream> open_pipe(const boost::asio::any_io_executor& executor);

    const server_options& options() const { return options_; }
    /// False while a session file is still to be read.
    bool knows_its_sessions() const {
        const std::lock_guard turn(core_mutex_);
        return options_.persistence.file.empty() || persistence_;
    }
    std::vector<net::url> listening() const;
    std::string http_listening() const;

    /// Calls `use(core, now)` in a turn of its own; what comes of it goes out.
    template <class Use>
    auto with_core(Use&& use) {
        const std::lock_guard turn(core_mutex_);
        auto out = use(core_, net::real_now());
        if (has_work() && !threads_.empty()) {
            wake(*threads_.front());
        }
        return out;
    }
    template <class Look>
    decltype(auto) look_at_core(Look&& look) const {
        const std::lock_guard turn(core_mutex_);
        return look(std::as_const(core_));
    }
    /// With the core's turn; empty for a connection that is gone.
    std::string address_of(connection_id id) const;

private:
    class connection;
    struct mail {
        connection* to = nullptr;
        wire_buffer bytes;
        bool close = false;
        bool client_left = false;
        bool congests = false;  // the core was told that it is more than a socket takes
    };

    struct io_thread {
        explicit io_thread(implementation& with) : owner(with) {}

        implementation& owner;
        // One thread runs it, but others post to it.
        boost::asio::io_context context{1};
        boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
            context.get_executor()};
        std::thread thread;
        bool flush_promised = false;     // of this thread alone
        std::vector<mail> taken;         // of this thread alone: what flush writes
        std::vector<mail> mailbox;       // with core_mutex_ held
        bool woken = false;              // with core_mutex_ held: a flush for the mailbox is posted
        bool has_unread = false;         // with core_mutex_ held: `unread` waits for a commit
        connection* first = nullptr;     // its connections, of this thread alone
        std::deque<connection*> unread;  // of this thread alone: those that wait for the disk
        std::atomic<std::size_t> connection_count{0};
    };

    struct listening_socket {
        const listener_options* options = nullptr;
        std::unique_ptr<net::listener> socket;
        std::atomic<std::size_t> connection_count{0};
        std::optional<connection_limiter> limiter;
    };

    // server_bounds.cpp: who is let in, and what waits
    bool admit_connection(connection& arriving, connection_manner& manner);
    void dismiss(connection& gone);
    void note_backlog(connection& of);
    server_counters counters() const;
    std::vector<metric_family> metrics_of_bounds() const;
    void wait_for_refusals();

    // server_connection.cpp: the way of bytes
    io_thread& pick_thread();
    void adopt(io_thread& thread, std::unique_ptr<net::byte_stream> stream,
               listening_socket* came_by);
    void take_bytes(connection& from, bytes_view bytes);
    void begin(connection& from);
    void hand_in(connection& from, bytes_view bytes);
    void read_again_if_room();
    void read_again(io_thread& thread);
    void hold_connect(connection& from, bytes_view bytes);
    bool is_short_of_memory();
    void refuse_as_busy(connection& from);
    void admit(connection& from, bool password_is_right);
    /// In the core's turn: whether a flush would do something.
    bool has_work() const {
        return core_.has_output() || (persistence_ && persistence_->has_changes());
    }
    void flush_soon(io_thread& thread);
    void wake(io_thread& thread);
    void collect(io_thread& thread);
    void flush(io_thread& thread);
    void write(mail& out);
    void go_on_after(connection& written);
    void note_drained(connection& of);
    void forget(connection& gone, boost::system::error_code why);
    void arm_timer();
    void wait_for_timer();

    // server.cpp
    void open_listeners();
    void open_http();
    void open_persistence();
    void note_bound();
    void wait_for_http_poll();
    void run(io_thread& thread);
    bool wait_until_gone(duration limit);
    void cut_off(bool also_writing);
    void release();
    io_thread& thread_of(const boost::asio::io_context& context);

    server_options options_;
    server_log log_;
    server_gate gate_;
    mutable std::mutex core_mutex_;
    broker_core core_;
    std::vector<connection*> connections_;  // by connection_id; with core_mutex_ held
    std::size_t connections_open_ = 0;      // with core_mutex_ held
    std::condition_variable connection_gone_;

    std::mutex life_mutex_;  // start, stop and reload exclude one another
    bool started_ = false;
    std::atomic<bool> stopping_{false};
    std::vector<std::unique_ptr<io_thread>> threads_;
    std::vector<std::unique_ptr<listening_socket>> listeners_;
    std::unique_ptr<http_server> http_;
    mutable std::mutex bound_mutex_;  // the innermost: anybody may ask for these, hooks too
    std::vector<net::url> bound_;     // of listeners_, with bound_mutex_ held
    std::string http_bound_;          // of http_, with bound_mutex_ held
    std::atomic<std::size_t> next_thread_{0};
    std::optional<boost::asio::thread_pool> password_threads_;
    std::optional<boost::asio::steady_timer> timer_;       // of the first thread
    instant timer_due_ = never;                            // with core_mutex_ held
    std::optional<boost::asio::steady_timer> http_timer_;  // of the first thread

    struct {
        std::atomic<std::uint64_t> rate_refused{0};
        std::atomic<std::uint64_t> address_rate_refused{0};
        std::atomic<std::uint64_t> address_connections_refused{0};
        std::atomic<std::uint64_t> closed_unanswered{0};
        std::atomic<std::uint64_t> password_checks_refused{0};
    } counted_;
    std::atomic<std::size_t> refusals_open_{0};   // connections that wait to be told no
    std::atomic<std::size_t> output_waiting_{0};  // bytes in the streams' backlogs
    std::atomic<std::size_t> connects_held_{0};   // bytes in candidates
    password_turns password_turns_;
    log_limiter strangers_;                                   // with core_mutex_ held
    refusal_log refusal_log_;                                 // of the first thread
    std::optional<boost::asio::steady_timer> refusal_timer_;  // of the first thread
    std::unique_ptr<persistence> persistence_;  // from the first start on, set in the core's turn
};

}  // namespace fleetarium::broker
