// openssl and curl, which know TLS and HTTP from other hands, judge our servers on real sockets.

#include <fleetarium/net/listener.hpp>
#include <fleetarium/net/test_certificates.hpp>

#include <support/net_thread.hpp>
#include <support/temporary_folder.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdio>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <utility>

using namespace fleetarium;
using namespace fleetarium::net;
using namespace fleetarium::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using client_certificates = test_certificate_authority::client_certificates;

namespace {

struct process_result {
    int status = -1;
    std::string output;
};

process_result run(const std::string& command) {
    process_result result;
    std::FILE* const pipe = popen(("timeout 60 " + command).c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::array<char, 4096> part{};
    while (const std::size_t size = std::fread(part.data(), 1, part.size(), pipe)) {
        result.output.append(part.data(), size);
    }
    result.status = pclose(pipe);
    return result;
}

bool is_missing(const std::string& program) {
    if (run(program + " >/dev/null 2>&1").status == 0) {
        return false;
    }
    WARN("this test was skipped: " + program + " does not run");
    return true;
}

/// Answers the first bytes of each connection with the name in its certificate and the bytes, and
/// closes.
class echo_server {
public:
    echo_server(const std::string& at, const tls_options& tls) {
        tls_context context;
        if (!tls.certificate.empty()) {
            context = tls_context(tls_role::server, tls);
        }
        thread_.call([&] {
            listener_ = make_listener(thread_.context(), parse_url(at).value, context);
            listener_->start([this]() -> boost::asio::io_context& { return thread_.context(); },
                             [this](std::unique_ptr<byte_stream> stream, boost::asio::io_context&) {
                                 connections_.emplace_back(*this, std::move(stream)).start();
                             });
        });
    }
    ~echo_server() {
        thread_.call([this] {
            listener_.reset();
            connections_.clear();
        });
    }
    echo_server(const echo_server&) = delete;
    echo_server& operator=(const echo_server&) = delete;

    std::string port() const { return std::to_string(listener_->bound().port); }

    /// Why the connections ended, one behind the other; at least one, and all that are open.
    std::string ends() {
        const instant deadline = real_now() + patience;
        while (!thread_.call([this] { return connections_.empty() && !ends_.empty(); })) {
            REQUIRE(real_now() < deadline);
            std::this_thread::yield();
        }
        return thread_.call([this] { return std::exchange(ends_, {}); });
    }

private:
    class connection final : public byte_stream::events {
    public:
        connection(echo_server& owner, std::unique_ptr<byte_stream> stream)
            : owner_(owner), stream_(std::move(stream)) {}
        void start() { stream_->start(*this); }

        void on_bytes(bytes_view bytes) override {
            wire_buffer answer;
            answer.append(as_bytes_view(stream_->peer().certificate_subject + ":"));
            answer.append(bytes);
            stream_->write(std::move(answer));
            stream_->close();
        }
        void on_drained() override {}
        void on_closed(boost::system::error_code why) override {
            owner_.ends_ += (why ? why.message() : std::string("in order")) + '\n';
            owner_.connections_.remove_if([this](const connection& one) { return &one == this; });
        }

    private:
        echo_server& owner_;
        std::unique_ptr<byte_stream> stream_;
    };

    net_thread thread_;
    std::unique_ptr<listener> listener_;
    std::list<connection> connections_;
    std::string ends_;
};

}  // namespace

TEST_CASE("openssl s_client speaks TLS 1.2 and 1.3 with our server", "[net][tls]") {
    if (is_missing("openssl version")) {
        return;
    }
    const temporary_folder folder;
    const test_certificate_authority authority(7);
    write_certificate(authority.certificate(), folder.path() + "/ca.pem");
    write_files(authority.device("lamp-7"), folder.path() + "/lamp-7");
    echo_server server("mqtts://127.0.0.1:0", authority.server_tls(client_certificates::required));
    const std::string client =
        "sh -c \"printf hello | openssl s_client -connect 127.0.0.1:" + server.port() +
        " -CAfile " + folder.path() +
        "/ca.pem -verify_return_error -verify_hostname localhost -quiet ";
    const std::string device =
        "-cert " + folder.path() + "/lamp-7.pem -key " + folder.path() + "/lamp-7.key ";
    for (const std::string version : {"-tls1_2", "-tls1_3"}) {
        CAPTURE(version);
        CHECK(run(client + device + version + " 2>/dev/null\"").output == "lamp-7:hello");
        CHECK(server.ends() == "in order\n");
        CHECK(run(client + version + " 2>/dev/null\"").output.empty());
        CHECK(server.ends() == "the client shows no certificate, and one is required\n");
    }
    CHECK_FALSE(run(client + device + "-tls1_1 -cipher DEFAULT@SECLEVEL=0 2>/dev/null\"").status ==
                0);
    CHECK(server.ends() == "the peer offers no TLS version that is allowed here\n");
}

TEST_CASE("curl learns what our ports are for", "[net][tls][websocket]") {
    if (is_missing("curl --version")) {
        return;
    }
    const temporary_folder folder;
    const test_certificate_authority authority(7);
    write_certificate(authority.certificate(), folder.path() + "/ca.pem");
    echo_server ws("ws://127.0.0.1:0/mqtt", {});
    echo_server wss("wss://127.0.0.1:0/mqtt", authority.server_tls());
    const std::string curl = "curl -s -i --max-time 30 --cacert " + folder.path() + "/ca.pem ";
    const std::string upgrade =
        "-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' "
        "-H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' --http1.1 ";

    CHECK_THAT(run(curl + "http://127.0.0.1:" + ws.port() + "/").output,
               StartsWith("HTTP/1.1 404 Not Found\r\n") &&
                   Contains("This is MQTT over WebSocket at the path /mqtt"));
    CHECK_THAT(ws.ends(), Contains("asked for another path"));
    CHECK_THAT(
        run(curl + "https://localhost:" + wss.port() + "/mqtt").output,
        StartsWith("HTTP/1.1 426 Upgrade Required\r\n") && Contains("connect with an MQTT client"));
    CHECK_THAT(wss.ends(), Contains("asks for no WebSocket"));
    CHECK_THAT(run(curl + upgrade + "https://localhost:" + wss.port() + "/mqtt").output,
               StartsWith("HTTP/1.1 400 Bad Request\r\n") && Contains("subprotocol \"mqtt\""));
    CHECK_THAT(run(curl + "http://127.0.0.1:" + wss.port() + "/").output,
               Contains("This port speaks TLS: use https."));
}
