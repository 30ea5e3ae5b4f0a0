#include <fleetarium/net/socket_stream.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/net/socket_poller.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>

#include <netinet/in.h>

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace fleetarium::net {

namespace {

// A peer that floods has the thread for this many full reads, then others have theirs.
constexpr int reads_per_turn_max = 2;

// More parts than this go out with several system calls.
constexpr std::size_t parts_per_write_max = 256;

#ifdef MSG_NOSIGNAL
constexpr int send_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
#else
constexpr int send_flags = MSG_DONTWAIT;  // with SO_NOSIGPIPE
#endif

/// The address of an IP socket's peer, packed; an IPv4 address as IPv6 has it. Zero: none.
class packed_address {
public:
    explicit packed_address(const boost::asio::generic::stream_protocol::endpoint& from) {
        if (from.data()->sa_family == AF_INET) {
            sockaddr_in address{};
            std::memcpy(&address, from.data(), std::min(from.size(), sizeof address));
            bytes_[10] = bytes_[11] = 0xff;
            std::memcpy(&bytes_[12], &address.sin_addr, 4);
            port_ = ntohs(address.sin_port);
        } else if (from.data()->sa_family == AF_INET6) {
            sockaddr_in6 address{};
            std::memcpy(&address, from.data(), std::min(from.size(), sizeof address));
            std::memcpy(bytes_.data(), &address.sin6_addr, 16);
            port_ = ntohs(address.sin6_port);
        }
    }

    std::string to_string() const {
        namespace ip = boost::asio::ip;
        const ip::address_v6 address(bytes_);
        if (address.is_unspecified()) {
            return "unix";
        }
        // A socket that listens on all addresses sees IPv4 peers mapped.
        const std::string text = address.is_v4_mapped()
                                     ? ip::make_address_v4(ip::v4_mapped, address).to_string()
                                     : "[" + address.to_string() + "]";
        return text + ":" + std::to_string(port_);
    }

private:
    boost::asio::ip::address_v6::bytes_type bytes_{};
    std::uint16_t port_ = 0;
};

boost::system::error_code system_error(int number) {
    return {number, boost::system::system_category()};
}

bool is_would_block(int number) { return number == EAGAIN || number == EWOULDBLOCK; }

/// What is kept and what is watched follow from a few facts: kept bytes want writability, and
/// are there after a short write only; reading wants readability, unless it is paused or at its
/// end. A pause is made known to the poller when bytes arrive in it, so that a short one is free.
class socket_stream final : public byte_stream, private socket_poller::entry {
public:
    socket_stream(boost::asio::io_context& context, socket_handle connected,
                  const boost::asio::generic::stream_protocol::endpoint& peer)
        : entry(std::move(connected)), poller_(socket_poller::of(context)), peer_(peer) {
#ifdef SO_NOSIGPIPE
        const int on = 1;
        ::setsockopt(socket(), SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    }
    ~socket_stream() override { release(); }

    void start(events& to) override {
        FLEETARIUM_ASSERT(to_ == nullptr);
        if (!has_socket()) {
            return;
        }
        to_ = &to;
        if (failure_ != 0) {
            poller_.tell_soon(*this);
        } else {
            watch();
        }
    }

    void write(wire_buffer bytes) override {
        if (!has_socket() || closing_ || failure_ != 0) {
            return;
        }
        if (!kept_.empty()) {
            kept_bytes_ += bytes.size();
            kept_.append(std::move(bytes));
            return;
        }
        send(bytes);
        if (!bytes.empty()) {
            kept_bytes_ = bytes.size() - sent_of_kept_;
            kept_ = std::move(bytes);
            watch();
        }
    }

    std::size_t backlog() const override { return kept_bytes_; }

    void pause_reading() override { paused_ = true; }

    void resume_reading() override {
        if (std::exchange(paused_, false)) {
            watch();
        }
    }

    void close() override {
        if (!has_socket() || closing_) {
            return;
        }
        closing_ = true;
        if (failure_ != 0) {
            return;  // which is about to be told
        }
        if (kept_.empty() && to_ != nullptr && has_peer_ended()) {
            poller_.tell_soon(*this);  // nobody is there for a farewell
            return;
        }
        poller_.limit_closing(*this);
        if (kept_.empty()) {
            ::shutdown(socket(), SHUT_WR);
        }
        watch();
    }

    void hang_up() override {
        if (!has_socket() || closing_) {
            return;
        }
        if (to_ == nullptr || failure_ != 0 || !kept_.empty()) {
            close();
            return;
        }
        closing_ = true;
        poller_.tell_soon(*this);
    }

    void abort() noexcept override {
        to_ = nullptr;
        release();
    }

    peer_facts peer() const override { return {.address = peer_.to_string()}; }

private:
    void on_ready(socket_poller::readiness what, std::span<std::uint8_t> scratch) override {
        socket_poller& poller = poller_;
        if ((what & socket_poller::writable) != 0 && !kept_.empty()) {
            write_kept();
            if (!poller.is_telling(this)) {
                return;
            }
        }
        if ((what & socket_poller::readable) != 0) {
            read(scratch);
        } else if ((what & socket_poller::broken) != 0) {
            handle_broken(scratch);
        }
    }

    /// A failed write is told after what the peer had sent before.
    void on_due(std::span<std::uint8_t> scratch) override {
        if (to_ == nullptr) {
            return;  // told after `start`
        }
        if (paused_ || closing_) {
            finish(system_error(failure_));
        } else {
            read(scratch);
        }
    }

    /// Whether the peer has closed; what it sent before is not wanted any more.
    bool has_peer_ended() const {
        std::array<std::uint8_t, 512> unwanted;
        ssize_t count = 0;
        for (int round = 0; round < reads_per_turn_max; ++round) {
            count = ::recv(socket(), unwanted.data(), unwanted.size(), MSG_DONTWAIT);
            if (count <= 0) {
                return count == 0 || !(is_would_block(errno) || errno == EINTR);
            }
        }
        return false;
    }

    void on_close_timeout() override { finish(boost::asio::error::timed_out); }

    void read(std::span<std::uint8_t> scratch) {
        socket_poller& poller = poller_;
        for (int round = 0; round < reads_per_turn_max; ++round) {
            if (paused_ && !closing_) {
                watch();
                return;
            }
            const ssize_t count = ::recv(socket(), scratch.data(), scratch.size(), MSG_DONTWAIT);
            if (count <= 0) {
                handle_no_bytes(count == 0 ? 0 : errno);
                return;
            }
            const auto size = static_cast<std::size_t>(count);
            if (!closing_) {
                to_->on_bytes(scratch.first(size));
                if (!poller.is_telling(this)) {
                    return;
                }
            }
            if (size < scratch.size() && failure_ == 0) {
                return;  // most likely there is no more; else it is told in the next turn
            }
        }
        if (failure_ != 0) {
            poller.tell_soon(*this);
        }
    }

    /// `number` is the error of a read, 0 at the peer's end.
    void handle_no_bytes(int number) {
        if (number == EINTR) {
            return;
        }
        if (is_would_block(number)) {
            if (failure_ != 0) {
                finish(system_error(failure_));
            }
            return;
        }
        if (failure_ != 0) {
            finish(system_error(failure_));
        } else if (number != 0) {
            finish(system_error(number));
        } else if (!closing_) {
            finish(boost::asio::error::eof);
        } else if (kept_.empty()) {
            finish({});
        } else {
            peer_ended_ = true;  // it may still read the rest
            watch();
        }
    }

    /// Told only while nothing is read: with bytes to read the end comes after them.
    void handle_broken(std::span<std::uint8_t> scratch) {
        if (!kept_.empty()) {
            write_kept();
        }
        if (!poller_.is_telling(this) || failure_ != 0) {
            return;
        }
        if (!paused_ || closing_) {
            read(scratch);
            return;
        }
        int number = 0;
        socklen_t size = sizeof number;
        ::getsockopt(socket(), SOL_SOCKET, SO_ERROR, &number, &size);
        if (number != 0) {
            finish(system_error(number));
        } else {
            // A Unix socket whose peer has closed: what it sent waits for `resume_reading`.
            poller_.unwatch(*this);
        }
    }

    /// Writes what the socket takes, leaves the rest in `bytes` from sent_of_kept_ on, and returns
    /// how many bytes it took.
    std::size_t send(wire_buffer& bytes) {
        std::size_t total = 0;
        while (!bytes.empty()) {
            const attempt tried = send_front(bytes);
            if (tried.sent < 0) {
                if (errno == EINTR) {
                    continue;
                }
                if (!is_would_block(errno)) {
                    fail(errno);
                    bytes.clear();
                }
                return total;
            }
            const auto sent = static_cast<std::size_t>(tried.sent);
            total += sent;
            sent_of_kept_ = static_cast<std::uint32_t>(bytes.drop_front(sent_of_kept_ + sent));
            if (sent < tried.wish) {
                return total;
            }
        }
        return total;
    }

    struct attempt {
        ssize_t sent;  // -1: errno says why nothing
        std::size_t wish;
    };

    /// One system call.
    attempt send_front(const wire_buffer& bytes) const {
        if (const bytes_view all = bytes.contiguous(); !all.empty()) {
            const bytes_view rest = all.subspan(sent_of_kept_);
            return {::send(socket(), rest.data(), rest.size(), send_flags), rest.size()};
        }
        std::array<iovec, parts_per_write_max> parts;
        std::size_t count = 0;
        std::size_t wish = 0;
        std::size_t skipped = sent_of_kept_;
        bytes.visit_parts_while([&](bytes_view part) {
            if (skipped >= part.size()) {
                skipped -= part.size();
                return true;
            }
            part = part.subspan(std::exchange(skipped, 0));
            parts[count].iov_base = const_cast<std::uint8_t*>(part.data());
            parts[count].iov_len = part.size();
            wish += part.size();
            return ++count != parts.size();
        });
        msghdr message{};
        message.msg_iov = parts.data();
        message.msg_iovlen = count;
        return {::sendmsg(socket(), &message, send_flags), wish};
    }

    void write_kept() {
        kept_bytes_ -= send(kept_);
        if (failure_ != 0 || !kept_.empty()) {
            return;
        }
        if (!closing_) {
            watch();
            to_->on_drained();
            return;
        }
        ::shutdown(socket(), SHUT_WR);
        if (peer_ended_) {
            finish({});
        } else {
            watch();
        }
    }

    void watch() {
        if (to_ == nullptr && !closing_) {
            return;  // `start` does
        }
        const bool reads = (!paused_ || closing_) && !peer_ended_;
        const auto wanted = static_cast<socket_poller::readiness>(
            (reads ? socket_poller::readable : 0) | (kept_.empty() ? 0 : socket_poller::writable));
        if (const auto wrong = poller_.watch(*this, wanted)) {
            fail(wrong.value());
        }
    }

    /// The stream is at its end by an error that no read told.
    void fail(int number) {
        failure_ = static_cast<std::uint16_t>(number);
        kept_.clear();
        kept_bytes_ = 0;
        poller_.tell_soon(*this);
    }

    void finish(boost::system::error_code why) {
        events* const to = std::exchange(to_, nullptr);
        release();
        if (to != nullptr) {
            to->on_closed(why);  // which may destroy this
        }
    }

    void release() noexcept {
        if (has_socket()) {
            poller_.remove(*this);
            close_socket();
            kept_.clear();
            kept_bytes_ = 0;
        }
    }

    bool paused_ = false;
    bool closing_ = false;
    bool peer_ended_ = false;  // while closing, before all is written
    socket_poller& poller_;
    events* to_ = nullptr;
    wire_buffer kept_;
    std::size_t kept_bytes_ = 0;
    std::uint32_t sent_of_kept_ = 0;  // at its front, of its first chunk
    std::uint16_t failure_ = 0;       // an errno
    packed_address peer_;
};

// An idle connection has this, a socket of the operating system, and nothing else.
static_assert(sizeof(socket_stream) <= 88);

}  // namespace

std::unique_ptr<byte_stream> make_socket_stream(stream_socket connected) {
    boost::system::error_code ignored;
    const auto peer = connected.remote_endpoint(ignored);  // none if it is gone already
    auto& context = connected.get_executor().context();
    return make_socket_stream(context, socket_handle(connected.release()), peer);
}

std::unique_ptr<byte_stream> make_socket_stream(
    boost::asio::io_context& context, socket_handle connected,
    const boost::asio::generic::stream_protocol::endpoint& peer) {
    return std::make_unique<socket_stream>(context, std::move(connected), peer);
}

}  // namespace fleetarium::net
