#pragma once

#include "support/net_recorder.hpp"
#include "support/net_thread.hpp"

#include <fleetarium/net/pipe.hpp>
#include <fleetarium/net/portable_poller.hpp>
#include <fleetarium/net/socket_stream.hpp>
#include <fleetarium/net/test_certificates.hpp>
#include <fleetarium/net/tls_stream.hpp>
#include <fleetarium/net/websocket_stream.hpp>

#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace fleetarium::test {

/// What carries the bytes between two ends. `one_at_a_time` is the poller for systems without
/// epoll; TLS and WebSocket are on top of TCP.
enum class carrier { tcp, unix_socket, tcp_one_at_a_time, pipe, tls, websocket, websocket_tls };

inline std::string name_of(carrier each) {
    switch (each) {
        case carrier::tcp: return "TCP";
        case carrier::unix_socket: return "Unix socket";
        case carrier::tcp_one_at_a_time: return "TCP, watched one at a time";
        case carrier::pipe: return "pipe";
        case carrier::tls: return "TLS";
        case carrier::websocket: return "WebSocket";
        case carrier::websocket_tls: return "WebSocket on TLS";
    }
    return {};
}

/// Two sockets that are connected with each other.
inline std::pair<net::socket_handle, net::socket_handle> connected_sockets(carrier over) {
    const auto check = [](int result) {
        if (result < 0) {
            throw std::system_error(errno, std::generic_category(), "connected_sockets");
        }
        return result;
    };
    if (over == carrier::unix_socket) {
        int both[2]{};
        check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both));
        return {net::socket_handle(both[0]), net::socket_handle(both[1])};
    }
    net::socket_handle listening(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    check(::bind(listening.get(), generic, size));
    check(::listen(listening.get(), 1));
    check(::getsockname(listening.get(), generic, &size));
    net::socket_handle first(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    check(::connect(first.get(), generic, size));
    net::socket_handle second(check(::accept(listening.get(), nullptr, nullptr)));
    return {std::move(first), std::move(second)};
}

inline std::unique_ptr<net::byte_stream> stream_of(boost::asio::io_context& context,
                                                   net::socket_handle socket) {
    return net::make_socket_stream(context, std::move(socket), {});
}

/// TLS and WebSocket around the streams of a client and its server, as the carrier has them.
inline void wrap(carrier over, std::unique_ptr<net::byte_stream>& client,
                 const boost::asio::any_io_executor& of_client,
                 std::unique_ptr<net::byte_stream>& server,
                 const boost::asio::any_io_executor& of_server) {
    if (over == carrier::tls || over == carrier::websocket_tls) {
        static const net::test_certificate_authority authority(7);
        static const net::tls_context client_side(net::tls_role::client, authority.anonymous_tls());
        static const net::tls_context server_side(net::tls_role::server, authority.server_tls());
        client =
            net::make_tls_client_stream(std::move(client), of_client, client_side, "localhost");
        server = net::make_tls_server_stream(std::move(server), of_server, server_side);
    }
    if (over == carrier::websocket || over == carrier::websocket_tls) {
        client =
            net::make_websocket_client_stream(std::move(client), of_client, "localhost", "/mqtt");
        server = net::make_websocket_server_stream(std::move(server), of_server, "/mqtt");
    }
}

inline wire_buffer buffer_of(std::string_view text) {
    wire_buffer made;
    made.append(as_bytes_view(text));
    return made;
}

/// One end of a connection, on a thread of its own; calls of its members go there.
class net_end {
public:
    ~net_end() { destroy(); }

    boost::asio::io_context& context() { return thread_.context(); }
    net_recorder& events() { return events_; }

    void adopt(std::unique_ptr<net::byte_stream> stream) { stream_ = std::move(stream); }

    /// Gives the stream away, to be destroyed on the end's thread.
    std::unique_ptr<net::byte_stream> take() {
        return thread_.call([this] { return std::move(stream_); });
    }

    /// Runs `what(stream)` on the end's thread, as one call of a member.
    template <class Function>
    auto call(Function what) {
        return thread_.call([this, &what] {
            const net_recorder::member_call guard;
            return what(*stream_);
        });
    }

    void start() {
        call([&](net::byte_stream& stream) { stream.start(events_); });
    }
    void write(std::string_view text) {
        call([&](net::byte_stream& stream) { stream.write(buffer_of(text)); });
    }
    std::size_t backlog() {
        return call([](net::byte_stream& stream) { return stream.backlog(); });
    }
    void pause() {
        call([](net::byte_stream& stream) { stream.pause_reading(); });
    }
    void resume() {
        call([](net::byte_stream& stream) { stream.resume_reading(); });
    }
    void close() {
        call([](net::byte_stream& stream) { stream.close(); });
    }
    void abort() {
        call([](net::byte_stream& stream) { stream.abort(); });
    }
    void destroy() {
        thread_.call([this] {
            const net_recorder::member_call guard;
            stream_.reset();
        });
    }
    /// Returns when the thread has done all that was posted to it before.
    void settle() {
        thread_.call([] {});
    }

private:
    net_thread thread_;
    net_recorder events_;
    std::unique_ptr<net::byte_stream> stream_;
};

/// Two ends that are connected, not yet started.
struct net_pair {
    explicit net_pair(carrier over) {
        if (over == carrier::tcp_one_at_a_time) {
            boost::asio::use_service<net::portable_poller>(first.context());
            boost::asio::use_service<net::portable_poller>(second.context());
        }
        if (over == carrier::pipe) {
            auto ends =
                net::make_pipe(first.context().get_executor(), second.context().get_executor());
            first.adopt(std::move(ends.first));
            second.adopt(std::move(ends.second));
            return;
        }
        auto [one, other] = connected_sockets(over);
        auto client = stream_of(first.context(), std::move(one));
        auto server = stream_of(second.context(), std::move(other));
        wrap(over, client, first.context().get_executor(), server, second.context().get_executor());
        first.adopt(std::move(client));
        second.adopt(std::move(server));
    }

    void start() {
        first.start();
        second.start();
    }

    net_end first;
    net_end second;
};

}  // namespace fleetarium::test
