#include "load_hub.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <netdb.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>

namespace fleetarium::cli::load {

namespace {

constexpr std::size_t read_size = 256 * 1024;
constexpr int connect_timeout_s = 10;

[[noreturn]] void fail(const std::string& what) {
    throw load_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

}  // namespace

std::uint16_t endpoint::port() const {
    // The port stands at the same place in both families.
    const auto* const v4 = reinterpret_cast<const sockaddr_in*>(&address);
    return ntohs(v4->sin_port);
}

endpoint resolve(const std::string& host_and_port) {
    const std::size_t colon = host_and_port.rfind(':');
    if (colon == std::string::npos || colon == 0 || colon + 1 == host_and_port.size()) {
        throw bad_request(fmt::format("'{}' is not HOST:PORT; write, for example, 127.0.0.1:1883",
                                      host_and_port));
    }
    std::string host = host_and_port.substr(0, colon);
    const std::string port = host_and_port.substr(colon + 1);
    if (host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (const int code = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); code != 0) {
        throw bad_request(
            fmt::format("no address for '{}': {}", host_and_port, gai_strerror(code)));
    }
    endpoint out;
    out.text = host_and_port;
    out.size = found->ai_addrlen;
    std::memcpy(&out.address, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (out.port() == 0) {
        throw bad_request(
            fmt::format("'{}' has port 0; name the port the broker listens on", host_and_port));
    }
    return out;
}

std::int64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

hub::hub(endpoint to) : to_(std::move(to)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) {
        fail("epoll_create1");
    }
    scratch_.resize(read_size);
}

hub::~hub() {
    for (peer_index each = 0; each < peers_.size(); ++each) {
        close(each);
    }
    ::close(epoll_);
}

void hub::open(peer_index index) {
    if (index >= peers_.size()) {
        peers_.resize(std::size_t{index} + 1);
    }
    link& made = peers_[index];
    const int fd = socket(to_.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail("socket");
    }
    made.fd = fd;
    ++open_count_;
    const timeval limit{connect_timeout_s, 0};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to_.address), to_.size) != 0) {
        fail(fmt::format("no connection to {}", to_.text));
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = index;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
        fail("epoll_ctl");
    }
}

void hub::close(peer_index index) {
    if (!is_open(index)) {
        return;
    }
    link& gone = peers_[index];
    const linger at_once{1, 0};
    setsockopt(gone.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    ::close(gone.fd);
    gone.fd = -1;
    gone.watched_for_writing = false;
    gone.out.reset();
    gone.rest.clear();
    --open_count_;
}

void hub::watch(peer_index which, bool for_writing) {
    link& watched = peers_[which];
    if (watched.watched_for_writing == for_writing) {
        return;
    }
    watched.watched_for_writing = for_writing;
    epoll_event event{};
    event.events = for_writing ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.u32 = which;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, watched.fd, &event);
}

void hub::flush(peer_index index) {
    link& to = peers_[index];
    while (to.fd >= 0 && !to.out.empty()) {
        const ssize_t sent = send(to.fd, to.out.data(), to.out.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            // A broken connection is noticed by the read that follows.
            watch(index, errno == EAGAIN);
            return;
        }
        to.out.consume(static_cast<std::size_t>(sent));
    }
    if (to.fd >= 0) {
        watch(index, false);
    }
}

void hub::read(peer_index from, hub_handler& handler) {
    const std::size_t kept = peers_[from].rest.size();
    if (scratch_.size() < kept + read_size) {
        scratch_.resize(kept + read_size);
    }
    if (kept != 0) {
        std::memcpy(scratch_.data(), peers_[from].rest.data(), kept);
    }
    const ssize_t got = recv(peers_[from].fd, scratch_.data() + kept, read_size, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got <= 0) {
        close(from);
        handler.handle_closed(from);
        return;
    }
    const std::size_t size = kept + static_cast<std::size_t>(got);
    const std::size_t taken = handler.handle_bytes(from, scratch_.data(), size);
    if (is_open(from)) {
        if (taken != size || kept != 0) {
            peers_[from].rest.assign(scratch_.begin() + static_cast<std::ptrdiff_t>(taken),
                                     scratch_.begin() + static_cast<std::ptrdiff_t>(size));
        }
        flush(from);
    }
}

bool hub::poll(int timeout_ms, hub_handler& handler) {
    std::array<epoll_event, 512> events;
    const int count =
        epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_ms);
    if (count < 0 && errno != EINTR) {
        fail("epoll_wait");
    }
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        const peer_index which = event.data.u32;
        if ((event.events & EPOLLOUT) != 0 && is_open(which)) {
            flush(which);
        }
        if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && is_open(which)) {
            read(which, handler);
        }
    }
    return count > 0;
}

void raise_open_files_limit(std::size_t wanted) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted) {
        throw load_error(fmt::format(
            "{} open files are needed and {} are allowed; raise the limit (ulimit -Hn) or ask for "
            "less with --scale",
            wanted, limit.rlim_cur));
    }
}

}  // namespace fleetarium::cli::load
