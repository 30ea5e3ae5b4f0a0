#include <fleetarium/net/connector.hpp>

#include <fleetarium/net/listener.hpp>
#include <fleetarium/net/socket_connector.hpp>
#include <fleetarium/net/test_certificates.hpp>

#include "support/net_pair.hpp"
#include "support/net_peer.hpp"
#include "support/net_recorder.hpp"
#include "support/net_thread.hpp"
#include "support/temporary_folder.hpp"

#include <boost/asio/error.hpp>
#include <catch2/catch.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::test;

namespace {

namespace asio = boost::asio;
namespace error = boost::asio::error;
using asio::ip::tcp;

/// An attempt, and what its handler was told.
struct client {
    client(asio::io_context& context, const net::url& to, const net::tls_context& tls = {}) {
        attempt = net::connect_stream(
            context, to, tls,
            [this](boost::system::error_code error, std::unique_ptr<net::byte_stream> connected) {
                ++calls;
                called_inside |= connecting;
                why = error;
                stream = std::move(connected);
            });
        connecting = false;
    }

    bool connecting = true;
    bool called_inside = false;
    int calls = 0;
    boost::system::error_code why;
    net_recorder events;
    std::unique_ptr<net::byte_stream> stream;
    std::unique_ptr<net::connect_attempt> attempt;
};

/// Listens in the same io_context, and echoes.
struct echo_server {
    echo_server(asio::io_context& context, const net::url& at, const net::tls_context& tls = {})
        : listening(net::make_listener(context, at, tls)) {
        listening->start([&context]() -> asio::io_context& { return context; },
                         [this](std::unique_ptr<net::byte_stream> accepted, asio::io_context&) {
                             stream = std::move(accepted);
                             events.when_bytes = [this](bytes_view bytes) {
                                 stream->write(buffer_of(as_text(bytes)));
                             };
                             stream->start(events);
                         });
    }

    net_recorder events;
    std::unique_ptr<net::byte_stream> stream;
    std::unique_ptr<net::listener> listening;
};

/// Why nothing is connected to at `to`.
boost::system::error_code why_not(const net::url& to) {
    asio::io_context context(1);
    client attempt(context, to);
    context.run();
    CHECK(attempt.calls == 1);
    CHECK_FALSE(attempt.called_inside);
    CHECK(attempt.stream == nullptr);
    return attempt.why;
}

/// A port on which connections that nobody accepts have filled the queue: who comes next waits.
class unanswered_port {
public:
    unanswered_port() {
        const tcp::endpoint any(asio::ip::address_v4::loopback(), 0);
        REQUIRE(::bind(listening_.get(), any.data(), static_cast<socklen_t>(any.size())) == 0);
        REQUIRE(::listen(listening_.get(), 0) == 0);
        auto size = static_cast<socklen_t>(endpoint_.capacity());
        ::getsockname(listening_.get(), endpoint_.data(), &size);
        for (int i = 0; i < 8; ++i) {
            waiting_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            ::connect(waiting_.back().get(), endpoint_.data(), size);
        }
    }

    const tcp::endpoint& endpoint() const { return endpoint_; }
    net::url at() const { return {net::scheme::mqtt, "127.0.0.1", endpoint_.port(), ""}; }

private:
    net::socket_handle listening_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    std::vector<net::socket_handle> waiting_;
    tcp::endpoint endpoint_;
};

/// A port on which nobody listens: it was free a moment ago.
tcp::endpoint closed_port() {
    asio::io_context context;
    return tcp::acceptor(context, {asio::ip::address_v4::loopback(), 0}).local_endpoint();
}

}  // namespace

TEST_CASE("a stream is opened to each scheme, and bytes go both ways", "[connector]") {
    const temporary_folder folder;
    std::string at =
        GENERATE("mqtt://127.0.0.1:0", "mqtt://localhost:0", "mqtt://:0", "mqtts://localhost:0",
                 "ws://127.0.0.1:0/mqtt", "wss://127.0.0.1:0/deep/path", "unix://");
    if (at == "unix://") {
        at += folder.path() + "/broker.sock";
    }
    CAPTURE(at);
    static const net::test_certificate_authority authority(7);
    static const net::tls_context server_side(net::tls_role::server, authority.server_tls());
    static const net::tls_context client_side(net::tls_role::client, authority.anonymous_tls());
    asio::io_context context(1);
    echo_server server(context, url_of(at), server_side);
    client one(context, server.listening->bound(), client_side);
    REQUIRE(run_until(context, [&] { return one.calls == 1; }));
    CHECK_FALSE(one.called_inside);
    REQUIRE_FALSE(one.why);
    one.stream->start(one.events);
    one.stream->write(buffer_of("hello"));
    REQUIRE(run_until(
        context, [&] { return one.events.bytes() == "hello" || one.events.closed().has_value(); }));
    CHECK(one.events.bytes() == "hello");
    const std::string peer = one.stream->peer().address;
    if (server.listening->bound().port == 0) {
        CHECK(peer == "unix");
    } else {
        CHECK_THAT(peer, Catch::EndsWith(":" + std::to_string(server.listening->bound().port)));
    }
}

TEST_CASE("a websocket of another path is not opened", "[connector]") {
    asio::io_context context(1);
    echo_server server(context, url_of("ws://127.0.0.1:0/mqtt"));
    net::url elsewhere = server.listening->bound();
    elsewhere.path = "/other";
    client one(context, elsewhere);
    REQUIRE(run_until(context, [&] { return one.calls == 1; }));
    REQUIRE(one.stream != nullptr);  // handshakes go on inside the stream
    one.stream->start(one.events);
    REQUIRE(run_until(context, [&] { return one.events.closed().has_value(); }));
    CHECK(one.events.closed()->failed());
}

TEST_CASE("why nothing could be connected to is told", "[connector]") {
    const temporary_folder folder;
    net::url closed = url_of("mqtt://127.0.0.1:1");
    closed.port = closed_port().port();
    CHECK(why_not(closed) == error::connection_refused);
    closed.host = "localhost";
    CHECK(why_not(closed) == error::connection_refused);
    const auto unknown = why_not(url_of("mqtt://no-such-host.invalid:1883"));
    CHECK((unknown == error::host_not_found || unknown == error::host_not_found_try_again));
    CHECK(why_not(url_of("unix://" + folder.path() + "/none.sock")) ==
          boost::system::errc::no_such_file_or_directory);
    CHECK(why_not(url_of("unix:///" + std::string(200, 'x'))) == error::name_too_long);
    CHECK(why_not(url_of("mqtts://127.0.0.1:1")) == error::invalid_argument);
}

TEST_CASE("an attempt that is cancelled or destroyed calls nobody, and run returns",
          "[connector]") {
    const unanswered_port unanswered;
    const temporary_folder folder;
    const bool destroys = GENERATE(false, true);
    const bool runs_before = GENERATE(false, true);
    net::url to = GENERATE_REF(unanswered.at(), url_of("mqtt://localhost:1"),
                               url_of("unix://" + folder.path() + "/none.sock"),
                               url_of("mqtts://127.0.0.1:1"));
    asio::io_context context(1);
    client one(context, to);
    if (runs_before && to.port == unanswered.at().port) {
        context.poll();  // under way; nobody answers
    }
    if (destroys) {
        one.attempt.reset();
    } else {
        one.attempt->cancel();
        one.attempt->cancel();
    }
    context.restart();
    context.run();
    CHECK(one.calls == 0);
}

TEST_CASE("an attempt may be destroyed from inside its handler", "[connector]") {
    asio::io_context context(1);
    echo_server server(context, url_of("mqtt://127.0.0.1:0"));
    std::unique_ptr<net::connect_attempt> attempt;
    std::unique_ptr<net::byte_stream> stream;
    const bool is_refused = GENERATE(false, true);
    const net::url to = is_refused ? url_of("mqtts://127.0.0.1:1") : server.listening->bound();
    int calls = 0;
    attempt = net::connect_stream(
        context, to, {}, [&](boost::system::error_code, std::unique_ptr<net::byte_stream> made) {
            ++calls;
            stream = std::move(made);
            attempt.reset();
        });
    REQUIRE(run_until(context, [&] { return attempt == nullptr; }));
    CHECK(calls == 1);
}

TEST_CASE("addresses are tried in turn, and one that does not answer is not waited for long",
          "[connector]") {
    asio::io_context context(1);
    if (GENERATE(false, true)) {
        asio::use_service<net::portable_poller>(context);
    }
    const unanswered_port unanswered;
    echo_server server(context, url_of("mqtt://127.0.0.1:0"));
    const tcp::endpoint good(asio::ip::address_v4::loopback(), server.listening->bound().port);
    net::socket_connector connector(context);
    std::optional<boost::system::error_code> why;
    net::socket_connector::endpoint peer;
    const instant before = net::real_now();
    connector.start({closed_port(), unanswered.endpoint(), closed_port(), good},
                    [&](boost::system::error_code told, net::socket_handle socket,
                        const net::socket_connector::endpoint& connected) {
                        why = told;
                        peer = connected;
                        CHECK(socket);
                    });
    REQUIRE(run_until(context, [&] { return why.has_value(); }));
    CHECK_FALSE(*why);
    CHECK(peer == net::socket_connector::endpoint(good));
    CHECK(net::real_now() - before >= net::address_timeout);
}

TEST_CASE("of several addresses that all fail the last error is told", "[connector]") {
    asio::io_context context(1);
    net::socket_connector connector(context);
    std::optional<boost::system::error_code> why;
    connector.start({tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0), closed_port()},
                    [&](boost::system::error_code told, net::socket_handle socket,
                        const net::socket_connector::endpoint&) {
                        why = told;
                        CHECK_FALSE(socket);
                    });
    CHECK_FALSE(why.has_value());
    context.run();
    CHECK(why.value() == error::connection_refused);
}

TEST_CASE("a crowd on a Unix socket waits until its queue has room", "[connector]") {
    const temporary_folder folder;
    const net::url at = url_of("unix://" + folder.path() + "/busy.sock");
    asio::io_context context(1);
    const auto endpoint = endpoint_of(at);
    const net::socket_handle listening(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(listening.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0);
    REQUIRE(::listen(listening.get(), 0) == 0);
    std::vector<std::unique_ptr<client>> crowd;
    for (int i = 0; i < 20; ++i) {
        crowd.push_back(std::make_unique<client>(context, at));
    }
    const auto connected = [&] {
        std::size_t count = 0;
        for (const auto& each : crowd) {
            CHECK_FALSE(each->why);
            count += each->stream != nullptr ? 1 : 0;
        }
        return count;
    };
    REQUIRE(run_until(context, [&] { return connected() >= 1; }));
    CHECK(connected() < crowd.size());
    std::vector<net::socket_handle> accepted;
    net_thread accepting;
    asio::post(accepting.context(), [&] {
        for (std::size_t i = 0; i < crowd.size(); ++i) {
            accepted.emplace_back(::accept(listening.get(), nullptr, nullptr));
        }
    });
    REQUIRE(run_until(context, [&] { return connected() == crowd.size(); }));
    accepting.call([] {});
}
