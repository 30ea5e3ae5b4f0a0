#pragma once

#include <fleetarium/net/socket_handle.hpp>

#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace fleetarium::net {

/// Watches the sockets of one io_context and tells who is ready, in batches.
///
/// An object of Asio's per socket costs some hundred bytes, and each wait of it a system call.
/// Here a socket costs a few bytes in its `entry`, and one wait of Asio's serves all sockets of
/// the context: `epoll_poller`. Where there is no epoll, each socket has an object of Asio's after
/// all: `portable_poller`.
///
/// Readiness is a level: what is ready and wanted is told again in each turn until it is dealt
/// with or no longer wanted. While an entry is watched the io_context's `run` does not return.
/// While there is traffic, and until nothing of it is left in the block pool's depot, that one ages
/// by a period each second; when no entry is watched any more, the thread's free blocks go.
/// Thread rule: the one thread that runs the io_context.
class socket_poller : public boost::asio::execution_context::service {
public:
    /// What an entry wants to know, and what it is told.
    using readiness = std::uint8_t;
    static constexpr readiness readable = 1;
    static constexpr readiness writable = 2;
    /// Told unasked for: both directions are at their end, or the socket has an error.
    static constexpr readiness broken = 4;

    /// Whose socket is watched.
    class entry {
    public:
        entry(const entry&) = delete;
        entry& operator=(const entry&) = delete;

    protected:
        /// Owns the socket. `remove` comes before its end.
        explicit entry(socket_handle socket) noexcept : socket_(std::move(socket)) {}
        ~entry() = default;

        int socket() const noexcept { return socket_.get(); }
        bool has_socket() const noexcept { return static_cast<bool>(socket_); }
        void close_socket() noexcept { socket_ = socket_handle(); }
        /// Another one instead, for an entry that is not watched.
        void replace_socket(socket_handle socket) noexcept { socket_ = std::move(socket); }
        socket_handle take_socket() noexcept { return std::move(socket_); }

    private:
        friend class socket_poller;
        friend class epoll_poller;
        friend class portable_poller;

        /// `scratch` is memory to read into, all of which may be overwritten; it is valid during
        /// the call. The entry may be removed or destroyed from inside, and so may any other.
        virtual void on_ready(readiness what, std::span<std::uint8_t> scratch) = 0;
        /// As `tell_soon` promised.
        virtual void on_due(std::span<std::uint8_t> scratch) = 0;
        /// `limit_closing` was called close_timeout ago.
        virtual void on_close_timeout() = 0;

        static constexpr std::uint32_t no_slot = 0xffff'ffff;

        socket_handle socket_;
        std::uint32_t closing_slot_ = no_slot;
        readiness wanted_ = 0;
        bool watched_ = false;
        bool due_ = false;
    };

    /// The poller of this context, made when it is first asked for.
    static socket_poller& of(boost::asio::io_context& context);

    boost::asio::io_context& context() noexcept { return context_; }

    /// From now on `wanted` is told, instead of what was wanted before. Errors: those of the
    /// operating system, such as its limit of watched sockets; then nothing is told.
    boost::system::error_code watch(entry& each, readiness wanted);

    /// Tells nothing of the socket, not even that it is broken, until `watch`.
    void unwatch(entry& each) noexcept;

    /// Forgets the entry: nothing is told it any more. Before its socket is closed.
    void remove(entry& each) noexcept;

    /// Calls on_due in a turn of its own.
    void tell_soon(entry& each);

    /// Calls once what the sockets found ready in this turn have been told, or soon, where no turn
    /// is under way. Once for each call; in their order.
    void call_at_turn_end(std::function<void()> call);

    /// Calls on_close_timeout after close_timeout, or up to a second later, unless the entry is
    /// removed before.
    void limit_closing(entry& each);

    /// Whether this is the entry that is being told something, and it was not removed meanwhile.
    /// Compares addresses only: `each` may be destroyed.
    bool is_telling(const entry* each) const noexcept {
        return telling_ != nullptr && telling_->who == each;
    }

protected:
    explicit socket_poller(boost::asio::io_context& context);

    /// Memory to read into: the thread's, or, where that is in use since an event runs the
    /// thread's handlers itself, some of its own.
    class scratch_lease {
    public:
        scratch_lease();
        ~scratch_lease();
        scratch_lease(const scratch_lease&) = delete;
        scratch_lease& operator=(const scratch_lease&) = delete;
        std::span<std::uint8_t> memory() const noexcept;

    private:
        std::unique_ptr<std::uint8_t[]> memory_;
    };

    /// The calls that the turn's end was promised; what they promise on is called too.
    void run_turn_end();
    /// For a turn that an exception ended.
    void post_turn_end();
    bool in_turn_ = false;  // `run_turn_end` comes

    void tell_ready(entry& each, readiness what, std::span<std::uint8_t> scratch);

    void shutdown() noexcept override;
    std::size_t watched_count() const noexcept { return watched_count_; }

private:
    /// Notes who is being told something, while that lasts; events may throw, and may run further
    /// events.
    struct telling_guard {
        telling_guard(socket_poller& teller, entry& each) noexcept
            : who(&each), poller(teller), outer(std::exchange(teller.telling_, this)) {}
        ~telling_guard() { poller.telling_ = outer; }
        telling_guard(const telling_guard&) = delete;
        telling_guard& operator=(const telling_guard&) = delete;

        entry* who;  // null once it is removed
        socket_poller& poller;
        telling_guard* outer;
    };
    struct closing_entry {
        entry* who;
        std::uint64_t due_tick;
    };

    virtual boost::system::error_code start_watching(entry& each, readiness wanted) = 0;
    virtual boost::system::error_code change_watching(entry& each, readiness wanted) = 0;
    virtual void stop_watching(entry& each) noexcept = 0;
    /// Forgets events that are found and not yet told.
    virtual void drop_found(entry& each) noexcept = 0;
    /// No socket is watched any more: nothing may keep the io_context running.
    virtual void rest() noexcept = 0;

    void run_due();
    void post_due();
    void start_tick();
    void run_tick();
    void leave_closing(entry& each) noexcept;

    boost::asio::io_context& context_;
    telling_guard* telling_ = nullptr;
    std::size_t watched_count_ = 0;
    std::vector<entry*> due_;
    std::vector<std::function<void()>> at_turn_end_;
    std::vector<closing_entry> closing_;
    boost::asio::steady_timer timer_;
    std::uint64_t tick_ = 0;
    bool due_is_posted_ = false;
    bool timer_runs_ = false;
    bool shut_down_ = false;
};

}  // namespace fleetarium::net
