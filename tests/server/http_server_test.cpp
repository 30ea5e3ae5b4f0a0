#include <fleetarium/server/http_server.hpp>

#include <support/hex.hpp>
#include <support/net_thread.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>

#include <sys/socket.h>
#include <sys/time.h>

#include <atomic>
#include <optional>

using namespace fleetarium;
using namespace fleetarium::broker;
using namespace std::chrono_literals;
namespace ip = boost::asio::ip;

namespace {

/// A server on a thread of its own.
class served {
public:
    explicit served(http_options options = {}) {
        options.log = [this](std::string_view line) { log_ += std::string(line) + '\n'; };
        std::vector<http_route> routes;
        routes.push_back({"GET", "/hello", "greets", [this](const http_request&) {
                              ++calls;
                              return http_response{200, "text/plain", "hello"};
                          }});
        routes.push_back(
            {"GET", "/large", "is large", [](const http_request&) {
                 return http_response{200, "text/plain", std::string(std::size_t{20} << 20, 'x')};
             }});
        thread_.call([&] {
            server_ = std::make_unique<http_server>(thread_.context(), options, std::move(routes));
        });
    }
    ~served() { stop(); }

    void stop() {
        thread_.call([&] { server_.reset(); });
    }
    void stop_but_keep() {
        thread_.call([&] { server_->stop(); });
    }

    const std::string& listening() const { return server_->listening(); }
    std::uint16_t port() const {
        return static_cast<std::uint16_t>(
            std::stoi(listening().substr(listening().rfind(':') + 1)));
    }
    std::size_t connection_count() {
        return thread_.call([&] { return server_->connection_count(); });
    }
    std::string log() {
        return thread_.call([&] { return log_; });
    }

    std::atomic<int> calls = 0;

private:
    test::net_thread thread_;
    std::string log_;
    std::unique_ptr<http_server> server_;
};

/// A client that blocks, but not for ever.
class visitor {
public:
    explicit visitor(std::uint16_t port) : socket_(context_) {
        socket_.connect({ip::address_v4::loopback(), port});
        const timeval limit{60, 0};
        ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }

    visitor& send(std::string_view text) {
        while (!text.empty()) {
            const auto count =
                ::send(socket_.native_handle(), text.data(), text.size(), MSG_NOSIGNAL);
            if (count <= 0) {
                break;  // the server may close at any time
            }
            text.remove_prefix(static_cast<std::size_t>(count));
        }
        return *this;
    }

    visitor& get(std::string_view path) {
        return send("GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }

    /// The next answer, with its body; throws if the connection ends before.
    std::string answer() {
        std::size_t head = std::string::npos;
        while ((head = received_.find("\r\n\r\n")) == std::string::npos) {
            require_more();
        }
        const std::size_t length = received_.find("Content-Length: ");
        const std::size_t size = head + 4 + std::stoul(received_.substr(length + 16));
        while (received_.size() < size) {
            require_more();
        }
        const std::string out = received_.substr(0, size);
        received_.erase(0, size);
        return out;
    }

    /// All that comes until the server closes; throws if that takes too long.
    std::string rest() {
        while (read_some()) {
        }
        return std::exchange(received_, {});
    }

private:
    void require_more() {
        if (!read_some()) {
            throw std::runtime_error("the connection ended after: " + received_);
        }
    }

    bool read_some() {
        char bytes[4096];
        const auto count = ::recv(socket_.native_handle(), bytes, sizeof bytes, 0);
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            throw std::runtime_error("nothing comes any more after: " + received_);
        }
        received_.append(bytes, count > 0 ? static_cast<std::size_t>(count) : 0);
        return count > 0;
    }

    boost::asio::io_context context_;
    ip::tcp::socket socket_;
    std::string received_;
};

bool begins(const std::string& answer, std::string_view status) {
    return answer.starts_with("HTTP/1.1 " + std::string(status));
}

/// The message of the exception that a server on this address throws; empty if it starts.
std::string refusal(const std::string& address, const std::string& token = {}) {
    boost::asio::io_context context;
    http_options options;
    options.address = address;
    options.token = token;
    try {
        const http_server server(context, options, {});
        return {};
    } catch (const std::runtime_error& error) {
        return error.what();
    }
}

}  // namespace

TEST_CASE("the server answers on a port of its own, and keeps the connection", "[http]") {
    served server;
    CHECK(server.listening() == "127.0.0.1:" + std::to_string(server.port()));
    CHECK(server.port() != 0);
    visitor first(server.port());
    visitor second(server.port());
    for (int i = 0; i < 3; ++i) {
        const std::string answer = first.get("/hello").answer();
        CHECK(begins(answer, "200 OK"));
        CHECK(answer.ends_with("\r\n\r\nhello"));
        CHECK(begins(second.get("/nothing").answer(), "404 Not Found"));
    }
    CHECK(server.calls == 3);
    CHECK(server.connection_count() == 2);
    first.send("GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    CHECK(begins(first.rest(), "200 OK"));
}

TEST_CASE("an answer of any size arrives whole, and requests sent ahead are answered in order",
          "[http]") {
    served server;
    visitor client(server.port());
    client.get("/large").get("/hello").get("/large").get("/hello");
    for (int i = 0; i < 2; ++i) {
        const std::string large = client.answer();
        CHECK(large.size() > std::size_t{20} << 20);
        CHECK(large.find_last_not_of('x') == large.find("\r\n\r\n") + 3);
        CHECK(client.answer().ends_with("hello"));
    }
}

TEST_CASE("an address that others can reach needs a token", "[http][threat/token]") {
    CHECK(refusal("0.0.0.0:0") ==
          "HTTP address \"0.0.0.0:0\": others can reach this address, so it needs a token that "
          "they have to know: set one, or listen on 127.0.0.1");
    CHECK(refusal("[::]:0").find("needs a token") != std::string::npos);
    CHECK(refusal("0.0.0.0:0", "secret").empty());

    http_options options;
    options.address = "0.0.0.0:0";
    options.token = "secret";
    served server(options);
    visitor client(server.port());
    CHECK(begins(client.get("/hello").answer(), "401 Unauthorized"));
    client.send(
        "GET /hello HTTP/1.1\r\nHost: broker.example\r\n"
        "Authorization: Bearer secret\r\n\r\n");
    CHECK(begins(client.answer(), "200 OK"));
}

TEST_CASE("the address is 127.0.0.1 unless it says otherwise", "[http]") {
    CHECK(refusal("127.0.0.1:0").empty());
    CHECK(refusal("localhost:0").empty());
    CHECK(refusal(":0").empty());
    CHECK(refusal("0").empty());
}

TEST_CASE("an address that is none is refused with a sentence", "[http]") {
    CHECK(refusal("127.0.0.1:65536")
              .find("\"65536\" is no port from 0 to 65535; expected "
                    "HOST:PORT such as 127.0.0.1:9090") != std::string::npos);
    CHECK(refusal("127.0.0.1:").find("\"\" is no port") != std::string::npos);
    CHECK(refusal("localhost").find("\"localhost\" is no port") != std::string::npos);
    CHECK(refusal("::1:0").find("an IPv6 address stands in brackets") != std::string::npos);
    CHECK(refusal("no such host:0").find("no address is known for the name") != std::string::npos);
    // TEST-NET-1 is no address of any machine.
    CHECK_FALSE(refusal("192.0.2.1:0", "secret").empty());
}

TEST_CASE("a port in use is refused with a sentence", "[http]") {
    served server;
    const std::string sentence = refusal(server.listening());
    INFO(sentence);
    CHECK(sentence.find("HTTP address \"" + server.listening() + "\"") == 0);
    CHECK(sentence.find("the address is in use") != std::string::npos);
    CHECK(sentence.find("choose another port") != std::string::npos);
    CHECK(sentence.find("mqtt://") == std::string::npos);
}

TEST_CASE("an MQTT client on the HTTP port gets a sentence and the end", "[http]") {
    served server;
    visitor client(server.port());
    const auto bytes = test::from_hex("10 0C 00 04 4D 51 54 54 04 02 00 3C 00 00");
    client.send({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    const std::string answer = client.rest();
    CHECK(begins(answer, "400 Bad Request"));
    CHECK(answer.find("what came is an MQTT CONNECT") != std::string::npos);
    CHECK(server.log().find("127.0.0.1:") == 0);
    CHECK(server.log().find("MQTT CONNECT") != std::string::npos);
    CHECK(begins(visitor(server.port()).get("/hello").answer(), "200 OK"));
}

TEST_CASE("an answer reaches a client that still sends", "[http]") {
    served server;
    visitor client(server.port());
    client.send("POST /hello HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n");
    client.send(std::string(300'000, 'x'));
    CHECK(begins(client.rest(), "405 Method Not Allowed"));
}

TEST_CASE("a request that does not come to its end is given up", "[http]") {
    http_options options;
    options.request_timeout = 50ms;
    served server(options);
    visitor silent(server.port());
    visitor slow(server.port());
    slow.send("GET /hello HTTP/1.1\r\nHo");
    CHECK(begins(slow.rest(), "408 Request Timeout"));
    CHECK(silent.rest().empty());
}

TEST_CASE("bytes that come one by one do not lengthen a request's time",
          "[http][threat/slow_http]") {
    http_options options;
    options.request_timeout = 100ms;
    options.limits.header_bytes_max = std::uint32_t{1} << 30;
    served server(options);
    visitor slow(server.port());
    std::atomic<bool> over = false;
    std::thread dribble([&] {
        while (!over) {
            slow.send("x");
            std::this_thread::yield();
        }
    });
    const std::string answer = slow.rest();
    over = true;
    dribble.join();
    CHECK(begins(answer, "408 Request Timeout"));
}

TEST_CASE("a connection at rest is closed after a while", "[http]") {
    http_options options;
    options.idle_timeout = 50ms;
    served server(options);
    visitor client(server.port());
    CHECK(begins(client.get("/hello").answer(), "200 OK"));
    CHECK(client.rest().empty());
}

TEST_CASE("a client that does not take its answer is cut off", "[http][threat/slow_http]") {
    http_options options;
    options.request_timeout = 50ms;
    options.answer_bytes_per_second_min = std::size_t{1} << 30;
    served server(options);
    visitor client(server.port());
    client.get("/large");
    const instant deadline = net::real_now() + test::patience;
    while (server.connection_count() != 0 || server.log().empty()) {
        REQUIRE(net::real_now() < deadline);
    }
    CHECK(server.log().find("takes its answer too slowly, cut off") != std::string::npos);
}

TEST_CASE("above the limit those at rest make way, and others are told to come later", "[http]") {
    http_options options;
    options.connections_max = 2;
    served server(options);
    visitor first(server.port());
    CHECK(begins(first.get("/hello").answer(), "200 OK"));
    visitor second(server.port());
    CHECK(begins(second.get("/hello").answer(), "200 OK"));
    visitor third(server.port());
    CHECK(begins(third.get("/hello").answer(), "200 OK"));
    CHECK(first.rest().empty());  // it was idle for longest

    // Both begin a request with what they send behind the one that is answered.
    const std::string one_and_a_half = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hel";
    CHECK(begins(second.send(one_and_a_half).answer(), "200 OK"));
    CHECK(begins(third.send(one_and_a_half).answer(), "200 OK"));
    visitor fourth(server.port());
    CHECK(begins(fourth.rest(), "503 Service Unavailable"));
    CHECK(begins(second.send("lo HTTP/1.1\r\nHost: localhost\r\n\r\n").answer(), "200 OK"));
}

TEST_CASE("stopping ends every connection and calls no handler any more", "[http]") {
    served server;
    visitor client(server.port());
    CHECK(begins(client.get("/hello").answer(), "200 OK"));
    visitor half(server.port());
    half.send("GET /hello HTTP/1.1\r\n");
    server.stop_but_keep();
    CHECK(client.rest().empty());
    CHECK(half.rest().empty());
    CHECK(server.calls == 1);
    server.stop_but_keep();
    server.stop();
}
