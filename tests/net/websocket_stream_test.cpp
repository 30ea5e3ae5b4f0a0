#include <fleetarium/core/random.hpp>
#include <fleetarium/net/test_certificates.hpp>
#include <fleetarium/net/tls_stream.hpp>
#include <fleetarium/net/websocket_stream.hpp>

#include <support/memory_carrier.hpp>
#include <support/net_thread.hpp>
#include <support/websocket_frames.hpp>
#include <support/websocket_pair.hpp>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::net;
using namespace fleetarium::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using side = carrier_pair::side;

namespace {

std::string long_text(std::size_t size) {
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    }
    return text;
}

}  // namespace

TEST_CASE("a WebSocket carries bytes both ways, however the carrier splits them", "[websocket]") {
    const std::size_t piece = GENERATE(1U, 2U, 3U, 5U, 7U, 100U, 1536U, 4096U, 1U << 20);
    CAPTURE(piece);
    websocket_pair pair;
    pair.start();
    pair.deliver(piece);
    const std::string text = long_text(piece < 100 ? 5'000 : 150'000);
    pair.client->write(wire_of("hello, server"));
    pair.server->write(wire_of(text));
    pair.deliver(piece);
    CHECK(pair.at_server.received == "hello, server");
    CHECK((pair.at_client.received == text));
    pair.client->write(wire_of(text));
    pair.server->write(wire_of("bye"));
    pair.deliver(piece);
    CHECK((pair.at_server.received == "hello, server" + text));
    CHECK((pair.at_client.received == text + "bye"));
    CHECK(pair.at_client.closed + pair.at_server.closed == 0);
}

TEST_CASE("the server selects the subprotocol mqtt and says so",
          "[websocket][v5/MQTT-6.0.0-4][v3/MQTT-6.0.0-4]") {
    const std::string protocols =
        GENERATE("mqtt", "mqttv3.1, mqtt", "mqtt,other", "other\r\nSec-WebSocket-Protocol: mqtt");
    lone_server server;
    const std::string answer = server.ask(upgrade_request("/mqtt", protocols));
    CHECK_THAT(answer, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
    CHECK_THAT(answer, Contains("\r\nSec-WebSocket-Protocol: mqtt\r\n"));
    CHECK_THAT(answer, Contains(std::string("\r\nSec-WebSocket-Accept: ") + example_accept));
    CHECK(server.events.closed == 0);
}

TEST_CASE("the client offers the subprotocol mqtt, and takes no server that chose another",
          "[websocket][v5/MQTT-6.0.0-3][v3/MQTT-6.0.0-3]") {
    lone_client client;
    CHECK_THAT(client.request, StartsWith("GET /mqtt HTTP/1.1\r\n"));
    CHECK_THAT(client.request, Contains("\r\nSec-WebSocket-Protocol: mqtt\r\n"));
    CHECK_THAT(client.request, Contains("\r\nHost: broker.example:8080\r\n"));
    SECTION("mqtt") {
        client.stream->write(wire_of("hello"));
        const auto frames = parse_frames(client.tell(client.answer()));
        REQUIRE(frames.size() == 1);
        CHECK(frames[0].payload == "hello");
        CHECK(client.events.closed == 0);
    }
    SECTION("another, or none") {
        const std::string other = GENERATE("", "mqttv3.1", "MQTT");
        client.stream->write(wire_of("hello"));
        CHECK(client.tell(client.answer(other)).empty());
        client.finish();
        CHECK(client.events.closed == 1);
        CHECK(client.events.why == websocket_error::subprotocol_not_taken);
    }
}

TEST_CASE("bytes travel in binary frames, and any other data frame closes the connection",
          "[websocket][v5/MQTT-6.0.0-1][v3/MQTT-6.0.0-1]") {
    SECTION("the server's") {
        lone_server server;
        server.upgrade();
        server.stream->write(wire_of("hello"));
        const auto frames = parse_frames(server.carriers.take_sent(side::server));
        REQUIRE(frames.size() == 1);
        CHECK(frames[0].op == opcode::binary);
        CHECK(frames[0].fin);
        CHECK_FALSE(frames[0].masked);
        CHECK(frames[0].payload == "hello");
    }
    SECTION("the client's") {
        lone_client client;
        client.tell(client.answer());
        client.stream->write(wire_of("hello"));
        const auto frames = parse_frames(client.carriers.take_sent(side::client));
        REQUIRE(frames.size() == 1);
        CHECK(frames[0].op == opcode::binary);
        CHECK(frames[0].masked);
        CHECK(frames[0].payload == "hello");
    }
    SECTION("text to the server") {
        const std::string text = GENERATE("", "t", "text");
        lone_server server;
        server.upgrade();
        const auto frames =
            server.say(client_frame(opcode::binary, "before") + client_frame(opcode::text, text) +
                       client_frame(opcode::binary, "after"));
        CHECK(server.events.received == "before");
        REQUIRE(frames.size() == 1);
        CHECK(frames[0].op == opcode::close);
        CHECK(close_code(frames[0]) == 1003);
        server.finish();
        CHECK(server.events.closed == 1);
        CHECK(server.events.why == websocket_error::text_frame);
    }
    SECTION("text to the client") {
        lone_client client;
        client.tell(client.answer());
        const auto frames = parse_frames(client.tell(server_frame(opcode::text, "text")));
        CHECK(client.events.received.empty());
        REQUIRE(frames.size() == 1);
        CHECK(close_code(frames[0]) == 1003);
        client.finish();
        CHECK(client.events.why == websocket_error::text_frame);
    }
}

TEST_CASE("packets are split and joined over frames in any way",
          "[websocket][v5/MQTT-6.0.0-2][v3/MQTT-6.0.0-2]") {
    // CONNECT and five PINGREQs; what is told is the stream of bytes, whatever the frames.
    const std::string packets = std::string("\x10\x0c\0\4MQTT\4\2\0\0\0\0", 14) +
                                std::string("\xc0\0\xc0\0\xc0\0\xc0\0\xc0\0", 10);
    SECTION("all in one frame") {
        lone_server server;
        server.upgrade();
        server.ask(client_frame(opcode::binary, packets));
        CHECK(server.events.received == packets);
    }
    SECTION("in three messages, cut anywhere") {
        for (std::size_t first = 0; first < packets.size(); ++first) {
            lone_server server;
            server.upgrade();
            const std::size_t second = first + (packets.size() - first) / 2;
            server.ask(client_frame(opcode::binary, packets.substr(0, first)));
            server.ask(client_frame(opcode::binary, packets.substr(first, second - first)));
            server.ask(client_frame(opcode::binary, packets.substr(second)));
            CHECK(server.events.received == packets);
        }
    }
    SECTION("in a fragmented message with pings between") {
        lone_server server;
        server.upgrade();
        std::string bytes = client_frame(opcode::binary, packets.substr(0, 1), false);
        for (std::size_t at = 1; at < packets.size(); ++at) {
            bytes += client_frame(opcode::ping, "p") +
                     client_frame(opcode::continuation, packets.substr(at, 1), false);
        }
        bytes += client_frame(opcode::continuation, "", true);
        const auto frames = server.say(bytes + client_frame(opcode::binary, "next"));
        CHECK(server.events.received == packets + "next");
        CHECK(server.events.chunks == 1);  // told at once, whatever the frames
        REQUIRE(frames.size() == packets.size() - 1);
        CHECK(frames[0].op == opcode::pong);
        CHECK(frames[0].payload == "p");
    }
    SECTION("by a server, to our client") {
        lone_client client;
        client.tell(client.answer());
        client.tell(server_frame(opcode::binary, packets.substr(0, 3), false) +
                    server_frame(opcode::continuation, packets.substr(3, 10), false) +
                    server_frame(opcode::continuation, packets.substr(13)));
        client.tell(server_frame(opcode::binary, packets));
        CHECK(client.events.received == packets + packets);
    }
}

TEST_CASE("each packet is a message of its own, whatever the parts of the buffer, in one write",
          "[websocket]") {
    const side from = GENERATE(side::client, side::server);
    // Parts of one byte cut every header; larger ones have several packets in a part.
    const std::size_t part_size = GENERATE(1u, 2u, 3u, 7u, 64u, 5000u, 1u << 20);
    websocket_pair pair;
    pair.connect();
    std::vector<std::string> packets{std::string("\xD0\0", 2), "\x40\2\1\2"};
    for (const std::size_t size : {1u, 127u, 128u, 16'383u, 16'384u, 30'000u}) {
        std::string packet = "\x30";
        std::size_t left = size;
        do {
            packet += static_cast<char>((left & 0x7F) | (left > 0x7F ? 0x80 : 0));
            left >>= 7;
        } while (left != 0);
        packets.push_back(packet + long_text(size));
    }
    packets.push_back(
        "\x30\x05"
        "cut");  // not whole
    std::string all;
    for (const std::string& packet : packets) {
        all += packet;
    }
    wire_buffer parts;
    for (std::size_t at = 0; at < all.size(); at += part_size) {
        parts.append_shared(shared_bytes(as_bytes_view(all.substr(at, part_size))));
    }
    const std::size_t writes = pair.carriers.writes(from);
    (from == side::client ? pair.client : pair.server)->write(std::move(parts));
    std::vector<std::string> got;
    for (const auto& frame : parse_frames(pair.carriers.sent(from))) {
        got.push_back(frame.payload);
    }
    CHECK((got == packets));
    CHECK(pair.carriers.writes(from) == writes + 1);
}

TEST_CASE("what is written before the WebSocket handshake is kept and goes out after it",
          "[websocket]") {
    websocket_pair pair;
    pair.client->write(wire_of("first "));
    pair.start();
    pair.client->write(wire_of("second"));
    const std::string welcome = long_text(200'000);
    pair.server->write(wire_of(welcome));
    CHECK(pair.server->backlog() == welcome.size());
    pair.deliver();
    CHECK(pair.at_server.received == "first second");
    CHECK((pair.at_client.received == welcome));
    CHECK(pair.server->backlog() == 0);
    CHECK(pair.at_client.drained == 1);
    CHECK(pair.at_server.drained == 1);
}

TEST_CASE("frames that come with the request for a WebSocket are not lost", "[websocket]") {
    lone_server server;
    const std::string bytes = upgrade_request() + client_frame(opcode::binary, "eager");
    SECTION("at once") {
        server.ask(bytes);
        CHECK(server.events.received == "eager");
    }
    SECTION("byte for byte") {
        for (const char byte : bytes) {
            server.ask(std::string(1, byte));
        }
        CHECK(server.events.received == "eager");
    }
}

TEST_CASE("the carrier's backlog is the WebSocket's, and its end is told", "[websocket]") {
    websocket_pair pair;
    pair.connect();
    pair.carriers.limit(side::server, 1000);
    pair.server->write(wire_of(long_text(5000)));
    CHECK(pair.server->backlog() > 4000);
    CHECK(pair.at_server.drained == 0);
    pair.deliver(500);
    CHECK(pair.server->backlog() == 0);
    CHECK(pair.at_server.drained == 1);
}

TEST_CASE("a paused WebSocket tells nothing until it is resumed, and then all", "[websocket]") {
    lone_server server;
    server.upgrade();
    // One chunk of the carrier with more in it than is told at once.
    const std::string text = long_text(1'000'000);
    std::string chunk;
    for (std::size_t at = 0; at < text.size(); at += 100'000) {
        chunk += client_frame(opcode::binary, text.substr(at, 100'000));
    }
    int pauses = 0;
    server.events.when_bytes = [&] {
        ++pauses;
        server.stream->pause_reading();
    };
    server.ask(chunk);
    REQUIRE(server.events.chunks == 1);
    server.ask(client_frame(opcode::binary, "more"));  // what the carrier had already
    server.finish();
    CHECK(server.events.chunks == 1);
    while (server.events.received.size() < text.size() + 4) {
        const int before = pauses;
        CHECK(server.carriers.paused(side::server));
        server.stream->resume_reading();
        CHECK(pauses == before);  // never from inside a call
        server.finish();
        REQUIRE(pauses == before + 1);
    }
    CHECK((server.events.received == text + "more"));
    server.stream->resume_reading();
    server.finish();
    CHECK_FALSE(server.carriers.paused(side::server));
}

TEST_CASE("a stream that goes while something is posted for it is not missed", "[websocket]") {
    lone_server server;
    server.upgrade();
    server.events.when_bytes = [&] { server.stream->pause_reading(); };
    server.ask(client_frame(opcode::binary, long_text(500'000)));
    server.stream->resume_reading();
    SECTION("aborted") {
        server.stream->abort();
        server.finish();
        CHECK(server.events.chunks == 1);
    }
    SECTION("destroyed") {
        server.stream->abort();
        server.stream.reset();
        server.finish();
        CHECK(server.events.chunks == 1);
    }
}

TEST_CASE("closing a WebSocket sends what was written and a close frame, then ends the carrier",
          "[websocket]") {
    const bool by_client = GENERATE(true, false);
    websocket_pair pair;
    pair.connect();
    auto& closer = by_client ? pair.client : pair.server;
    auto& closer_events = by_client ? pair.at_client : pair.at_server;
    auto& peer_events = by_client ? pair.at_server : pair.at_client;
    const side from = by_client ? side::client : side::server;
    closer->write(wire_of("last words"));
    closer->close();
    closer->write(wire_of("too late"));
    const auto frames = parse_frames(pair.carriers.sent(from));
    REQUIRE(frames.size() == 2);
    CHECK(frames[1].op == opcode::close);
    CHECK(close_code(frames[1]) == 1000);
    CHECK(closer_events.closed == 0);  // never from inside a call
    pair.deliver();
    CHECK(peer_events.received == "last words");
    CHECK(peer_events.closed == 1);
    CHECK(peer_events.why == boost::asio::error::eof);
    CHECK(closer_events.closed == 1);
    CHECK_FALSE(closer_events.why);
}

TEST_CASE("what was written before the handshake goes out before the WebSocket closes",
          "[websocket]") {
    websocket_pair pair;
    auto& closer = GENERATE(true, false) ? pair.client : pair.server;
    auto& closer_events = &closer == &pair.client ? pair.at_client : pair.at_server;
    auto& peer_events = &closer == &pair.client ? pair.at_server : pair.at_client;
    pair.start();
    closer->write(wire_of("last words"));
    closer->pause_reading();
    closer->close();
    closer->write(wire_of("too late"));
    (&closer == &pair.client ? pair.server : pair.client)->write(wire_of("not wanted any more"));
    pair.deliver();
    CHECK(peer_events.received == "last words");
    CHECK(peer_events.why == boost::asio::error::eof);
    CHECK(closer_events.closed == 1);
    CHECK_FALSE(closer_events.why);
    CHECK(closer_events.received.empty());
}

TEST_CASE("a peer that does not finish the handshake does not hold up the end of a WebSocket",
          "[websocket]") {
    websocket_pair pair;
    pair.client->start(pair.at_client);
    pair.client->write(wire_of("last words"));
    pair.client->close();
    CHECK(run_until(pair.context, [&] { return pair.at_client.closed != 0; }));
    CHECK(pair.at_client.why == boost::asio::error::timed_out);
}

TEST_CASE("a WebSocket that is paused in its handshake tells nothing until it is resumed",
          "[websocket]") {
    lone_server server;
    server.stream->pause_reading();
    CHECK(server.ask(upgrade_request() + client_frame(opcode::binary, "eager")).empty());
    server.finish();
    CHECK(server.events.chunks == 0);
    server.stream->resume_reading();
    server.finish();
    CHECK(server.events.received == "eager");
    CHECK_FALSE(server.carriers.paused(side::server));
}

TEST_CASE("a peer's close frame is answered and ends the stream", "[websocket]") {
    lone_server server;
    server.upgrade();
    const int code = GENERATE(0, 1000, 1001, 4000);
    const auto frames = server.say(client_frame(opcode::binary, "last words") +
                                   client_frame(opcode::close, code ? close_payload(code) : "") +
                                   client_frame(opcode::binary, "too late"));
    CHECK(server.events.received == "last words");
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].op == opcode::close);
    CHECK(close_code(frames[0]) == (code != 0 ? code : 1000));
    server.finish();
    CHECK(server.events.closed == 1);
    CHECK(server.events.why == boost::asio::error::eof);
}

TEST_CASE("a carrier that ends without a close frame ends the stream as it ended", "[websocket]") {
    lone_server server;
    server.upgrade();
    server.carriers.cut(side::server, boost::asio::error::connection_reset);
    CHECK(server.events.why == boost::asio::error::connection_reset);
}

TEST_CASE("a WebSocket may be closed, aborted or destroyed from inside its events", "[websocket]") {
    lone_server server;
    server.upgrade();
    const std::string request = client_frame(opcode::binary, "request");
    SECTION("closed") {
        server.events.when_bytes = [&] {
            server.stream->write(wire_of("answer"));
            server.stream->close();
        };
        const auto frames = server.say(request + request);
        REQUIRE(frames.size() == 2);
        CHECK(frames[0].payload == "answer");
        CHECK(frames[1].op == opcode::close);
        server.finish();
        CHECK(server.events.closed == 1);
    }
    SECTION("aborted") {
        server.events.when_bytes = [&] { server.stream->abort(); };
        server.ask(request);
        server.finish();
        CHECK(server.events.chunks == 1);
        CHECK(server.events.closed == 0);
    }
    SECTION("destroyed at the end") {
        server.events.when_closed = [&] { server.stream.reset(); };
        server.ask(request + client_frame(opcode::close, ""));
        server.finish();
        CHECK(server.stream == nullptr);
    }
}

TEST_CASE("WebSocket goes over TLS", "[websocket][tls]") {
    const test_certificate_authority authority(7);
    const tls_context server_context(
        tls_role::server,
        authority.server_tls(test_certificate_authority::client_certificates::required));
    const tls_context client_context(tls_role::client, authority.device_tls("lamp-7"));
    boost::asio::io_context context(1);
    carrier_pair carriers;
    told_events at_client;
    told_events at_server;
    auto client = make_websocket_client_stream(
        make_tls_client_stream(carriers.make(side::client), context.get_executor(), client_context,
                               "localhost"),
        context.get_executor(), "localhost", "/mqtt");
    auto server = make_websocket_server_stream(
        make_tls_server_stream(carriers.make(side::server), context.get_executor(), server_context),
        context.get_executor(), "/mqtt");
    server->start(at_server);
    client->start(at_client);
    const std::string text = long_text(300'000);
    client->write(wire_of("hello"));
    server->write(wire_of(text));
    carriers.deliver(GENERATE(100U, 1001U, 1U << 20));
    CHECK(at_server.received == "hello");
    CHECK((at_client.received == text));
    CHECK(server->peer().certificate_subject == "lamp-7");
    server->close();
    carriers.deliver();
    CHECK(at_client.closed == 1);
    CHECK(at_client.why == boost::asio::error::eof);
}
