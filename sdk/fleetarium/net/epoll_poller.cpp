#include <fleetarium/net/epoll_poller.hpp>

#ifdef FLEETARIUM_HAS_EPOLL

#include <boost/asio/error.hpp>

#include <array>
#include <cerrno>
#include <utility>

namespace fleetarium::net {

namespace {

// A turn is this long at most before timers and posted work have theirs.
constexpr std::size_t turn_events_max = 256;

std::uint32_t to_epoll(socket_poller::readiness wanted) {
    return ((wanted & socket_poller::readable) != 0 ? std::uint32_t{EPOLLIN} : 0U) |
           ((wanted & socket_poller::writable) != 0 ? std::uint32_t{EPOLLOUT} : 0U);
}

socket_poller::readiness from_epoll(std::uint32_t events) {
    return static_cast<socket_poller::readiness>(
        ((events & EPOLLIN) != 0 ? socket_poller::readable : 0) |
        ((events & EPOLLOUT) != 0 ? socket_poller::writable : 0) |
        ((events & (EPOLLERR | EPOLLHUP)) != 0 ? socket_poller::broken : 0));
}

boost::system::error_code last_error() { return {errno, boost::system::system_category()}; }

int make_epoll_set() {
    const int made = ::epoll_create1(EPOLL_CLOEXEC);
    if (made < 0) {
        throw boost::system::system_error(last_error(), "epoll_create1");
    }
    return made;
}

}  // namespace

boost::asio::execution_context::id epoll_poller::id;

epoll_poller::epoll_poller(boost::asio::io_context& context)
    : socket_poller(context), set_(context, make_epoll_set()) {}

boost::system::error_code epoll_poller::start_watching(entry& each, readiness wanted) {
    epoll_event event{};
    event.events = to_epoll(wanted);
    event.data.ptr = &each;
    if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, each.socket(), &event) != 0) {
        return last_error();
    }
    wait();
    return {};
}

boost::system::error_code epoll_poller::change_watching(entry& each, readiness wanted) {
    epoll_event event{};
    event.events = to_epoll(wanted);
    event.data.ptr = &each;
    if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_MOD, each.socket(), &event) != 0) {
        return last_error();
    }
    return {};
}

void epoll_poller::stop_watching(entry& each) noexcept {
    // Closing the socket is not enough: a child process between fork and exec may hold it open.
    epoll_event ignored{};
    ::epoll_ctl(set_.native_handle(), EPOLL_CTL_DEL, each.socket(), &ignored);
}

void epoll_poller::drop_found(entry& each) noexcept {
    for (epoll_event& event : found_) {
        if (event.data.ptr == &each) {
            event.data.ptr = nullptr;
        }
    }
}

void epoll_poller::rest() noexcept {
    if (std::exchange(waits_, false)) {
        boost::system::error_code ignored;
        set_.cancel(ignored);
    }
}

void epoll_poller::shutdown() noexcept {
    socket_poller::shutdown();
    boost::system::error_code ignored;
    set_.close(ignored);
}

void epoll_poller::wait() {
    if (waits_ || in_turn_) {
        return;
    }
    waits_ = true;
    set_.async_wait(wait_descriptor::wait_read, [this](boost::system::error_code cancelled) {
        if (!cancelled) {
            waits_ = false;
            run_turn();
        }
    });
}

/// The events of one turn; what an exception of an event leaves untold is found again.
class epoll_poller::batch {
public:
    explicit batch(epoll_poller& poller) : poller_(poller) {
        poller_.in_turn_ = true;
        const int count = ::epoll_wait(poller_.set_.native_handle(), events_.data(),
                                       static_cast<int>(events_.size()), 0);
        poller_.found_ = {events_.data(), count > 0 ? static_cast<std::size_t>(count) : 0U};
    }
    ~batch() {
        poller_.found_ = {};
        poller_.in_turn_ = false;
        poller_.post_turn_end();
        if (poller_.watched_count() != 0) {
            poller_.wait();
        }
    }
    batch(const batch&) = delete;
    batch& operator=(const batch&) = delete;

private:
    epoll_poller& poller_;
    std::array<epoll_event, turn_events_max> events_;
};

void epoll_poller::run_turn() {
    const batch turn(*this);
    const scratch_lease scratch;
    while (!found_.empty()) {
        const epoll_event event = found_.front();
        found_ = found_.subspan(1);
        if (event.data.ptr != nullptr) {
            tell_ready(*static_cast<entry*>(event.data.ptr), from_epoll(event.events),
                       scratch.memory());
        }
    }
    run_turn_end();
}

}  // namespace fleetarium::net

#endif
