// Frames that no client of ours sends.

#include <fleetarium/net/websocket_stream.hpp>

#include <support/memory_carrier.hpp>
#include <support/websocket_frames.hpp>
#include <support/websocket_pair.hpp>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::net;
using namespace fleetarium::test;
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

TEST_CASE("a frame's size costs no memory: its bytes are told as they come", "[websocket]") {
    lone_server server;
    server.upgrade();
    const std::uint64_t size = std::uint64_t{1} << 40;
    server.ask(frame_header(opcode::binary, size, masking::masked) + std::string(mask_key, 4));
    const std::string text = long_text(100'000);
    server.ask(masked(text));
    CHECK((server.events.received == text));
    CHECK(server.events.closed == 0);
}

TEST_CASE("pings are answered with their payload", "[websocket]") {
    lone_server server;
    server.upgrade();
    const auto frames =
        server.say(client_frame(opcode::ping, "") + client_frame(opcode::ping, long_text(125)) +
                   client_frame(opcode::pong, "unasked"));
    REQUIRE(frames.size() == 2);
    CHECK(frames[0].op == opcode::pong);
    CHECK(frames[1].payload == long_text(125));
    CHECK(server.events.closed == 0);
}

TEST_CASE("whoever pings for ever and reads nothing costs a bounded backlog", "[websocket]") {
    lone_server server;
    server.upgrade();
    server.carriers.limit(side::server, 100);
    std::string pings;
    for (int i = 0; i < 100; ++i) {
        pings += client_frame(opcode::ping, long_text(125));
    }
    for (int i = 0; i < 1000 && !server.carriers.closing(side::server); ++i) {
        server.carriers.inject(side::server, pings);
    }
    CHECK(server.carriers.closing(side::server));
    CHECK(server.carriers.sent(side::server).size() < 100'000);
    const auto frames = parse_frames(server.carriers.sent(side::server));
    CHECK(close_code(frames.back()) == 1008);
    server.finish();
    CHECK(server.events.why == websocket_error::too_many_pings);
}

TEST_CASE("faults of framing end the stream with the code that RFC 6455 has", "[websocket]") {
    struct fault {
        const char* name;
        std::string bytes;
        int code;
    };
    const std::string half = client_frame(opcode::binary, "half", false);
    std::string reserved = client_frame(opcode::binary, "x");
    reserved[0] = static_cast<char>(reserved[0] | 0x40);
    const std::vector<fault> faults = {
        {"unmasked", server_frame(opcode::binary, "x"), 1002},
        {"a reserved bit", reserved, 1002},
        {"an opcode that is not", client_frame(static_cast<opcode>(3), "x"), 1002},
        {"a continuation of nothing", client_frame(opcode::continuation, "x"), 1002},
        {"a message in a message", half + client_frame(opcode::binary, "x"), 1002},
        {"a fragmented ping", client_frame(opcode::ping, "x", false), 1002},
        {"a ping too long", client_frame(opcode::ping, std::string(126, 'x')), 1002},
        {"a close code that is not", client_frame(opcode::close, close_payload(1005)), 1002},
        {"text", client_frame(opcode::text, "\xff\xff"), 0},  // 1003 or 1007: either is right
    };
    for (const fault& one : faults) {
        CAPTURE(one.name);
        lone_server server;
        server.upgrade();
        const auto frames = server.say(one.bytes);
        REQUIRE_FALSE(frames.empty());
        CHECK(frames.back().op == opcode::close);
        if (one.code != 0) {
            CHECK(close_code(frames.back()) == one.code);
        }
        server.finish();
        CHECK(server.events.closed == 1);
        CHECK(server.events.why);
        CHECK(server.events.why.message().size() > 10);
    }
}
