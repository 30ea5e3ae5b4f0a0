// What a connection costs while nothing happens on it: most of them, most of the time.

#include <fleetarium/net/test_certificates.hpp>
#include <fleetarium/net/websocket_stream.hpp>

#include <support/memory_carrier.hpp>
#include <support/tls_pair.hpp>
#include <support/websocket_frames.hpp>

#include <malloc.h>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <memory>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::net;
using namespace fleetarium::test;
using client_certificates = test_certificate_authority::client_certificates;

namespace {

constexpr std::size_t streams = 200;

std::size_t bytes_in_use() {
    const auto facts = ::mallinfo2();
    return facts.uordblks + facts.hblkhd;
}

bool cannot_be_counted() {
    if (bytes_in_use() != 0) {
        return false;
    }
    WARN("this test was skipped: a sanitizer has replaced malloc");
    return true;
}

/// What one of them frees when all are destroyed.
template <class Destroy>
std::size_t bytes_each(Destroy destroy) {
    const std::size_t before = bytes_in_use();
    destroy();
    return (before - bytes_in_use()) / streams;
}

}  // namespace

TEST_CASE("an idle TLS stream costs what OpenSSL keeps, and no buffers", "[tls][memory]") {
    if (cannot_be_counted()) {
        return;
    }
    const bool with_client_certificate = GENERATE(false, true);
    const test_certificate_authority authority(7);
    const tls_contexts contexts(
        authority.server_tls(with_client_certificate ? client_certificates::required
                                                     : client_certificates::ignored),
        authority.device_tls("lamp-7"), tls_version::v1_3);
    std::vector<tls_pair> pairs;
    for (std::size_t i = 0; i < streams; ++i) {
        tls_pair& pair = pairs.emplace_back(contexts, "localhost");
        pair.connect();
        pair.client->write(wire_of("hello"));
        pair.server->write(wire_of("hello"));
        pair.deliver();
        REQUIRE(pair.at_server.received == "hello");
    }
    const std::size_t each = bytes_each([&] {
        for (tls_pair& pair : pairs) {
            pair.server.reset();
        }
    });
    // 14 and 24 KiB with OpenSSL 3.0; a buffer of a record each way would be 34 KiB more.
    CAPTURE(each);
    CHECK(each < (with_client_certificate ? 30'000 : 18'000));
}

TEST_CASE("an idle WebSocket costs little more than Beast's buffer of a frame's start",
          "[websocket][memory]") {
    if (cannot_be_counted()) {
        return;
    }
    boost::asio::io_context context(1);
    struct pair {
        carrier_pair carriers;
        told_events at_client;
        told_events at_server;
        std::unique_ptr<byte_stream> client;
        std::unique_ptr<byte_stream> server;
    };
    std::vector<std::unique_ptr<pair>> pairs;
    for (std::size_t i = 0; i < streams; ++i) {
        auto made = std::make_unique<pair>();
        made->client = make_websocket_client_stream(made->carriers.make(carrier_pair::side::client),
                                                    context.get_executor(), "localhost", "/mqtt");
        made->server = make_websocket_server_stream(made->carriers.make(carrier_pair::side::server),
                                                    context.get_executor(), "/mqtt");
        made->server->start(made->at_server);
        made->client->start(made->at_client);
        made->client->write(wire_of("hello"));
        made->server->write(wire_of("hello"));
        made->carriers.deliver();
        REQUIRE(made->at_server.received == "hello");
        pairs.push_back(std::move(made));
    }
    const std::size_t of_server = bytes_each([&] {
        for (const auto& one : pairs) {
            one->server.reset();
        }
    });
    const std::size_t of_client = bytes_each([&] {
        for (const auto& one : pairs) {
            one->client.reset();
        }
    });
    CAPTURE(of_server, of_client);
    CHECK(of_server < 3'400);
    CHECK(of_client < 4'500);
}
