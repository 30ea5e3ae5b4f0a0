// WebSockets of the HTTP server on loopback, with Beast's own client.

#include <fleetarium/server/http_server.hpp>

#include <support/net_thread.hpp>
#include <support/websocket_frames.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <catch2/catch.hpp>

#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;
using namespace std::chrono_literals;
namespace websocket = boost::beast::websocket;
namespace http = boost::beast::http;
using tcp = boost::asio::ip::tcp;

namespace {

/// A server with a WebSocket at /feed/{name} that echoes, and does what it is told: "close",
/// "fail", "large".
class served {
public:
    explicit served(http_options options = {}, const websocket_limits& limits = {}) {
        options.log = [this](std::string_view line) { log_ += std::string(line) + '\n'; };
        std::vector<http_route> routes;
        routes.push_back({"GET", "/hello", "greets", [](const http_request&) {
                              return http_response{200, "text/plain", "hello", {}};
                          }});
        websocket_route feed;
        feed.path = "/feed/{name}";
        feed.subprotocols = {"echo"};
        feed.limits = limits;
        feed.opened = [this](const std::shared_ptr<websocket_peer>& peer) { greet(peer); };
        thread_.call([&] {
            server_ = std::make_unique<http_server>(thread_.context(), options, std::move(routes),
                                                    std::vector{std::move(feed)});
        });
    }
    ~served() {
        thread_.call([&] {
            server_.reset();
            peers.clear();
        });
    }

    template <class Function>
    auto call(Function what) {
        return thread_.call(std::move(what));
    }
    std::uint16_t port() const {
        const std::string& at = server_->listening();
        return static_cast<std::uint16_t>(std::stoi(at.substr(at.rfind(':') + 1)));
    }
    std::size_t connection_count() {
        return call([&] { return server_->connection_count(); });
    }
    std::string log() {
        return call([&] { return log_; });
    }
    void stop() {
        call([&] { server_->stop(); });
    }
    /// What has happened to WebSockets, a line each, once there are so many; else it fails.
    std::string told(std::size_t lines) {
        std::string text;
        const instant deadline = net::real_now() + test::patience;
        do {
            text = call([&] { return told_; });
            REQUIRE(net::real_now() < deadline);
        } while (static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) < lines);
        return text;
    }

    std::vector<std::shared_ptr<websocket_peer>> peers;  // on the server's thread

private:
    void greet(const std::shared_ptr<websocket_peer>& peer) {
        const std::string name(peer->request().parameter("name"));
        if (name == "broken") {
            throw std::runtime_error("the cellar is under water");
        }
        told_ += "opened " + name + '\n';
        websocket_handlers handlers;
        handlers.message = [this, peer](const websocket_message& message) {
            handle(*peer, message);
        };
        handlers.drained = [this] { told_ += "drained\n"; };
        handlers.closed = [this](std::uint16_t code, const std::string& reason) {
            told_ += "closed " + std::to_string(code) + ' ' + reason + '\n';
        };
        peer->handle(std::move(handlers));
        peers.push_back(peer);
        CHECK(peer->address().starts_with("127.0.0.1:"));
        peer->send_text("hello " + name);
    }

    void handle(websocket_peer& peer, const websocket_message& message) {
        if (message.payload == "close") {
            peer.close(4000, "as you wish");
            peer.send_text("in vain");
        } else if (message.payload == "fail") {
            throw std::runtime_error("the attic is on fire");
        } else if (message.payload == "large") {
            CHECK(peer.send_binary(std::string(std::size_t{12} << 20, 'x')));
            CHECK(peer.bytes_unsent() > std::size_t{1} << 20);
        } else if (message.kind == websocket_kind::text) {
            peer.send_text(message.payload);
        } else {
            peer.send_binary(message.payload);
        }
    }

    test::net_thread thread_;
    std::string log_;
    std::string told_;
    std::unique_ptr<http_server> server_;
};

/// A client that blocks, but not for ever.
class viewer {
public:
    explicit viewer(std::uint16_t port, const std::string& path = "/feed/a",
                    std::vector<std::pair<std::string, std::string>> headers =
                        {{"Sec-WebSocket-Protocol", "echo"}})
        : stream_(context_) {
        stream_.next_layer().connect({boost::asio::ip::address_v4::loopback(), port});
        const timeval limit{60, 0};
        ::setsockopt(socket().native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        stream_.set_option(
            websocket::stream_base::decorator([headers](websocket::request_type& request) {
                for (const auto& [name, value] : headers) {
                    request.set(name, value);
                }
            }));
        stream_.read_message_max(std::size_t{1} << 30);
        stream_.handshake(answer_, "localhost", path, refusal_);
    }

    tcp::socket& socket() { return stream_.next_layer(); }
    unsigned status() const { return answer_.result_int(); }
    std::string subprotocol() const {
        return std::string(answer_[http::field::sec_websocket_protocol]);
    }

    void say(const std::string& text) {
        boost::system::error_code ignored;  // the server may close at any time
        stream_.text(true);
        stream_.write(boost::asio::buffer(text), ignored);
    }
    void say_binary(const std::string& bytes) {
        stream_.binary(true);
        stream_.write(boost::asio::buffer(bytes));
    }
    /// The next message; empty at the end.
    std::string next() {
        boost::beast::flat_buffer buffer;
        stream_.read(buffer, end_);
        const auto bytes = buffer.cdata();
        return end_ ? std::string()
                    : std::string(static_cast<const char*>(bytes.data()), bytes.size());
    }
    /// The code that the server closes with; 1006: with none.
    unsigned end() {
        while (!end_) {
            next();
        }
        return stream_.reason() ? stream_.reason().code : 1006U;
    }
    std::string end_reason() const { return std::string(stream_.reason().reason.c_str()); }
    bool got_text() const { return stream_.got_text(); }
    void close(unsigned code) {
        boost::system::error_code ignored;
        stream_.close({static_cast<websocket::close_code>(code), "enough"}, ignored);
    }

private:
    boost::asio::io_context context_;
    websocket::stream<tcp::socket, false> stream_;
    websocket::response_type answer_;
    boost::system::error_code refusal_;
    boost::system::error_code end_;
};

}  // namespace

TEST_CASE("a WebSocket carries messages both ways", "[websocket]") {
    served server;
    viewer client(server.port(), "/feed/north%20hall");
    CHECK(client.status() == 101);
    CHECK(client.subprotocol() == "echo");
    CHECK(client.next() == "hello north hall");
    client.say("café");
    CHECK(client.next() == "café");
    CHECK(client.got_text());
    client.say_binary(std::string(60'000, '\xff'));
    CHECK(client.next() == std::string(60'000, '\xff'));
    CHECK_FALSE(client.got_text());
    client.close(1000);
    CHECK(server.told(2) == "opened north hall\nclosed 1000 enough\n");
    // A peer that is held is of no use, and does no harm.
    CHECK_FALSE(server.call([&] {
        websocket_peer& peer = *server.peers.at(0);
        peer.close(1000, "");
        peer.handle({});
        return peer.is_open() || peer.bytes_unsent() != 0 || peer.send_text("in vain");
    }));
}

TEST_CASE("the server ends a WebSocket with a code and a reason", "[websocket]") {
    served server;
    viewer client(server.port());
    client.say("close");
    CHECK(client.next() == "hello a");
    CHECK(client.end() == 4000);
    CHECK(client.end_reason() == "as you wish");
    CHECK(server.told(2) == "opened a\nclosed 4000 as you wish\n");
}

TEST_CASE("a code that cannot be sent is refused", "[websocket]") {
    served server;
    viewer client(server.port());
    CHECK(client.next() == "hello a");
    for (const int code : {0, 999, 1004, 1005, 1006, 1015, 2999, 5000}) {
        CAPTURE(code);
        CHECK_THROWS_AS(
            server.call([&] { server.peers.at(0)->close(static_cast<std::uint16_t>(code), ""); }),
            std::invalid_argument);
    }
    client.say("still here");
    CHECK(client.next() == "still here");
}

TEST_CASE("a handler that fails ends its own WebSocket only", "[websocket]") {
    served server;
    viewer other(server.port());
    viewer client(server.port());
    client.say("fail");
    CHECK(client.end() == 1011);
    CHECK(viewer(server.port(), "/feed/broken").end() == 1011);
    CHECK(server.log().find("a WebSocket of /feed/a failed: the attic is on fire") !=
          std::string::npos);
    CHECK(server.log().find("/feed/broken failed: the cellar is under water") != std::string::npos);
    other.say("still here");
    CHECK(other.next() == "hello a");
    CHECK(other.next() == "still here");
}

TEST_CASE("a viewer that just goes is told as 1006", "[websocket]") {
    served server;
    {
        viewer client(server.port());
        CHECK(client.next() == "hello a");
        client.socket().close();
    }
    CHECK(server.told(2) == "opened a\nclosed 1006 \n");
    CHECK(server.connection_count() == 0);
}

TEST_CASE("what a slow viewer does not take is counted, and told when it is gone", "[websocket]") {
    served server;
    viewer client(server.port());
    CHECK(client.next() == "hello a");
    client.say("large");
    CHECK(client.next().size() == std::size_t{12} << 20);
    CHECK(server.told(2) == "opened a\ndrained\n");
    CHECK(server.call([&] { return server.peers.at(0)->bytes_unsent(); }) == 0);
}

TEST_CASE("what the operating system holds for a viewer is not confirmed", "[websocket]") {
    served server;
    viewer client(server.port());
    CHECK(client.next() == "hello a");
    const std::string message(1000, 'x');
    const auto unconfirmed = [&] {
        return server.call([&] { return server.peers.at(0)->bytes_unconfirmed(); });
    };
    const auto unsent = [&] {
        return server.call([&] { return server.peers.at(0)->bytes_unsent(); });
    };
    server.call([&] {
        for (int i = 0; i < 500; ++i) {
            server.peers.at(0)->send_text(message);
        }
    });
    CHECK(unsent() == 0);
    CHECK(unconfirmed() >= 500'000);
    for (int i = 0; i < 500; ++i) {
        CHECK(client.next() == message);
    }
    // A ping tells of all that stands before it; what came behind the last one has one more.
    client.say("the last");
    CHECK(client.next() == "the last");
    std::thread answering([&] { client.end(); });
    const instant deadline = net::real_now() + test::patience;
    while (unconfirmed() != 0 && net::real_now() < deadline) {
        std::this_thread::yield();
    }
    CHECK(unconfirmed() == 0);
    server.call([&] { server.peers.at(0)->close(1000, ""); });
    answering.join();
}

TEST_CASE("beyond its bound a slow viewer is let go with 1013", "[websocket]") {
    websocket_limits limits;
    limits.unsent_bytes_max = std::size_t{8} << 20;
    served server({}, limits);
    viewer client(server.port());
    const bool ended = server.call([&] {
        websocket_peer& peer = *server.peers.at(0);
        for (int i = 0; i < 100; ++i) {
            if (!peer.send_text(std::string(std::size_t{1} << 20, 'x'))) {
                return !peer.is_open() && peer.bytes_unsent() <= limits.unsent_bytes_max + 200;
            }
        }
        return false;
    });
    CHECK(ended);
    CHECK(client.end() == 1013);
}

TEST_CASE("a message too big and one that is no UTF-8 end with their codes", "[websocket]") {
    served server;
    viewer big(server.port());
    big.say(std::string(65'537, 'x'));
    CHECK(big.end() == 1009);
    viewer broken(server.port());
    broken.say("\xff");
    CHECK(broken.end() == 1007);
}

TEST_CASE("viewers that answer pings stay, those that do not are closed", "[websocket]") {
    http_options options;  // the patience with requests ends long before the deaf is closed
    options.request_timeout = 300ms;
    options.idle_timeout = 300ms;
    websocket_limits limits;
    limits.ping_interval = 200ms;
    served server(options, limits);
    viewer deaf(server.port(), "/feed/deaf");  // it answers while it reads only
    viewer reader(server.port(), "/feed/reader");
    CHECK(reader.next() == "hello reader");
    std::thread waiting([&] {
        const instant deadline = net::real_now() + test::patience;
        while (server.log().find("does not answer pings, closed") == std::string::npos &&
               net::real_now() < deadline) {
            std::this_thread::yield();
        }
        server.call([&] { server.peers.at(1)->send_text("still here"); });
    });
    CHECK(reader.next() == "still here");
    waiting.join();
    CHECK(deaf.end() == 1008);
    CHECK(deaf.end_reason() == "the peer does not answer pings");
}

TEST_CASE("a viewer that takes nothing of what waits for it is closed", "[websocket]") {
    websocket_limits limits;
    limits.ping_interval = 30ms;
    served server({}, limits);
    viewer deaf(server.port());
    server.told(1);
    server.call([&] {
        server.peers.at(0)->send_binary(std::string(std::size_t{15} << 20, 'x'));
        CHECK(server.peers.at(0)->bytes_unsent() != 0);
    });
    const instant deadline = net::real_now() + test::patience;
    while (server.call([&] { return server.peers.at(0)->is_open(); })) {
        REQUIRE(net::real_now() < deadline);
    }
    CHECK(server.log().find("takes nothing of what is sent, closed") != std::string::npos);
}

TEST_CASE("a WebSocket counts as a connection, and never makes way for another", "[websocket]") {
    http_options options;
    options.connections_max = 2;
    served server(options);
    viewer first(server.port());
    viewer second(server.port());
    CHECK(first.next() == "hello a");
    CHECK(second.next() == "hello a");
    CHECK(viewer(server.port()).status() == 503);
    for (viewer* const each : {&first, &second}) {
        each->say("still here");
        CHECK(each->next() == "still here");
    }
}

TEST_CASE("a WebSocket is refused as any request is", "[websocket]") {
    served server;
    CHECK(viewer(server.port(), "/feed").status() == 404);
    CHECK(viewer(server.port(), "/hello").status() == 200);
    CHECK(viewer(server.port(), "/feed/a", {{"Origin", "https://evil.example"}}).status() == 403);
    CHECK(viewer(server.port(), "/feed/a", {{"Sec-WebSocket-Protocol", "mqtt"}}).status() == 400);
    CHECK(viewer(server.port(), "/feed/a", {}).status() == 101);

    http_options options;
    options.token = "secret";
    served guarded(options);
    CHECK(viewer(guarded.port()).status() == 401);
    viewer page(guarded.port(), "/feed/a", {{"Sec-WebSocket-Protocol", "echo, bearer.c2VjcmV0"}});
    CHECK(page.subprotocol() == "echo");
    CHECK(page.next() == "hello a");
    CHECK(guarded.log().find("secret") == std::string::npos);
}

TEST_CASE("a frame that comes with the request is read", "[websocket]") {
    served server;
    boost::asio::io_context context;
    tcp::socket socket(context);
    socket.connect({boost::asio::ip::address_v4::loopback(), server.port()});
    std::string bytes = test::upgrade_request("/feed/a", "echo");
    bytes.replace(bytes.find("broker.example"), 14, "localhost");
    bytes = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n" + bytes +
            test::client_frame(test::opcode::text, "early");
    boost::asio::write(socket, boost::asio::buffer(bytes));
    std::string answers;
    while (answers.find("early") == std::string::npos) {
        char some[1000];
        answers.append(some, socket.read_some(boost::asio::buffer(some)));
    }
    CHECK(answers.find("\r\n\r\nhelloHTTP/1.1 101 ") != std::string::npos);
    const auto frames = test::parse_frames(answers.substr(answers.rfind("\r\n\r\n") + 4));
    REQUIRE(frames.size() == 3);
    CHECK(frames[0].payload == "hello a");
    CHECK(frames[1].op == test::opcode::ping);
    CHECK(frames[2].payload == "early");
}

TEST_CASE("stopping tells viewers that the server goes, and calls no handler", "[websocket]") {
    served server;
    viewer client(server.port());
    CHECK(client.next() == "hello a");
    server.stop();
    CHECK(client.end() == 1001);
    CHECK(server.told(1) == "opened a\n");
    CHECK_FALSE(server.call([&] { return server.peers.at(0)->is_open(); }));
}
