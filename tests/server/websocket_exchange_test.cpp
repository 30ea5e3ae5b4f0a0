#include <fleetarium/core/random.hpp>
#include <fleetarium/server/websocket_exchange.hpp>

#include <support/websocket_frames.hpp>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;
using namespace fleetarium::test;

namespace {

/// The server's side of a WebSocket, open.
struct lone_exchange {
    explicit lone_exchange(const websocket_limits& limits = {},
                           const std::string& subprotocol = "fleetarium.feed.v1")
        : exchange(context, "dGhlIHNhbXBsZSBub25jZQ==", subprotocol, limits), answer(take()) {}

    std::string take() {
        std::string out;
        exchange.poll_transmit().for_each_part([&](bytes_view part) { out += as_text(part); });
        return out;
    }
    std::vector<websocket_frame> say(const std::string& bytes) {
        exchange.handle_bytes(as_bytes_view(bytes));
        return parse_frames(take());
    }

    boost::asio::io_context context{1};
    websocket_exchange exchange;
    std::string answer;
};

}  // namespace

TEST_CASE("a WebSocket is granted as RFC 6455 has it", "[websocket]") {
    const lone_exchange open;
    CHECK(open.answer.starts_with("HTTP/1.1 101 "));
    CHECK(open.answer.ends_with("\r\n\r\n"));
    CHECK(open.answer.find(std::string("Sec-WebSocket-Accept: ") + example_accept) !=
          std::string::npos);
    CHECK(open.answer.find("Sec-WebSocket-Protocol: fleetarium.feed.v1\r\n") != std::string::npos);
    CHECK(open.answer.find("Extensions") == std::string::npos);
    CHECK(lone_exchange({}, "").answer.find("Sec-WebSocket-Protocol") == std::string::npos);
}

TEST_CASE("messages come whole, however their bytes come", "[websocket]") {
    const std::string bytes =
        client_frame(opcode::text, "caf\xc3", false) + client_frame(opcode::ping, "between") +
        client_frame(opcode::continuation, "\xa9") +
        client_frame(opcode::binary, std::string("\0\xff", 2)) + client_frame(opcode::text, "");
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
        lone_exchange open;
        std::string pongs;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            open.exchange.handle_bytes(
                as_bytes_view(bytes).subspan(at, std::min(piece, bytes.size() - at)));
            pongs += open.take();
        }
        const auto text = open.exchange.poll_message();
        REQUIRE(text);
        CHECK(text->kind == websocket_kind::text);
        CHECK(text->payload == "café");
        const auto binary = open.exchange.poll_message();
        REQUIRE(binary);
        CHECK(binary->kind == websocket_kind::binary);
        CHECK(binary->payload == std::string("\0\xff", 2));
        REQUIRE(open.exchange.poll_message());
        CHECK_FALSE(open.exchange.poll_message());
        CHECK(parse_frames(pongs).at(0).op == opcode::pong);
        CHECK(parse_frames(pongs).at(0).payload == "between");
    }
}

TEST_CASE("each message that is sent is one frame", "[websocket]") {
    lone_exchange open;
    open.exchange.send(websocket_kind::text, "{}");
    open.exchange.send(websocket_kind::binary, std::string(100'000, 'x'));
    open.exchange.send(websocket_kind::text, "");
    open.exchange.send_ping("7");
    const auto frames = parse_frames(open.take());
    REQUIRE(frames.size() == 4);
    CHECK((frames[0].op == opcode::text && frames[0].fin && !frames[0].masked));
    CHECK(frames[0].payload == "{}");
    CHECK((frames[1].op == opcode::binary && frames[1].payload.size() == 100'000));
    CHECK((frames[2].op == opcode::text && frames[2].payload.empty()));
    CHECK((frames[3].op == opcode::ping && frames[3].payload == "7"));
    CHECK_FALSE(open.exchange.poll_pong());
    open.say(client_frame(opcode::pong, "6") + client_frame(opcode::pong, "7"));
    CHECK(open.exchange.poll_pong() == "7");
    CHECK_FALSE(open.exchange.poll_pong());
}

TEST_CASE("a peer that says farewell is answered, and its code told", "[websocket]") {
    lone_exchange open;
    const auto frames = open.say(client_frame(opcode::text, "last") +
                                 client_frame(opcode::close, close_payload(4001) + "enough") +
                                 client_frame(opcode::text, "too late"));
    REQUIRE(frames.size() == 1);
    CHECK(close_code(frames[0]) == 4001);
    CHECK(open.exchange.is_over());
    CHECK(open.exchange.close_code() == 4001);
    CHECK(open.exchange.close_reason() == "enough");
    CHECK(open.exchange.poll_message()->payload == "last");
    CHECK_FALSE(open.exchange.poll_message());
    open.exchange.send(websocket_kind::text, "in vain");
    CHECK(open.take().empty());

    lone_exchange other;
    other.say(client_frame(opcode::close, ""));
    CHECK(other.exchange.close_code() == websocket_code::none);
}

TEST_CASE("a farewell has its code and as much of the reason as fits", "[websocket]") {
    lone_exchange open;
    open.exchange.close(1013, std::string(122, 'x') + "é");
    open.exchange.close(1000, "again");
    const auto frames = parse_frames(open.take());
    REQUIRE(frames.size() == 1);
    CHECK(close_code(frames[0]) == 1013);
    CHECK(frames[0].payload.substr(2) == std::string(122, 'x'));
    CHECK(open.exchange.is_over());
    CHECK(open.exchange.close_code() == 1013);
    CHECK(open.say(client_frame(opcode::ping, "x")).empty());
}

TEST_CASE("a peer that breaks a rule is told the code that RFC 6455 has for it", "[websocket]") {
    struct fault {
        const char* name;
        std::string bytes;
        int code;
    };
    std::string reserved = client_frame(opcode::binary, "x");
    reserved[0] = static_cast<char>(reserved[0] | 0x40);
    const std::vector<fault> faults = {
        {"unmasked", server_frame(opcode::text, "x"), 1002},
        {"a reserved bit, as of compression", reserved, 1002},
        {"an opcode that is not", client_frame(static_cast<opcode>(3), "x"), 1002},
        {"a continuation of nothing", client_frame(opcode::continuation, "x"), 1002},
        {"a message in a message",
         client_frame(opcode::text, "half", false) + client_frame(opcode::text, "x"), 1002},
        {"a ping in parts", client_frame(opcode::ping, "x", false), 1002},
        {"a ping too long", client_frame(opcode::ping, std::string(126, 'x')), 1002},
        {"a close code that is not", client_frame(opcode::close, close_payload(1005)), 1002},
        {"half a close code", client_frame(opcode::close, "x"), 1002},
        {"text that is no UTF-8", client_frame(opcode::text, "\xff"), 1007},
        {"half a character", client_frame(opcode::text, "\xc3"), 1007},
        {"a surrogate", client_frame(opcode::text, "\xed\xa0\x80"), 1007},
        {"a message too big", client_frame(opcode::text, std::string(1001, 'x')), 1009},
        {"a message that says it is too big",
         frame_header(opcode::binary, std::uint64_t{1} << 62, masking::masked) +
             std::string(mask_key, 4),
         1009},
        {"parts that are too big together",
         client_frame(opcode::text, std::string(600, 'x'), false) +
             client_frame(opcode::continuation, std::string(600, 'x')),
         1009},
    };
    websocket_limits limits;
    limits.message_bytes_max = 1000;
    for (const fault& one : faults) {
        CAPTURE(one.name);
        lone_exchange open(limits);
        const auto frames = open.say(one.bytes);
        REQUIRE(frames.size() == 1);
        CHECK(frames[0].op == opcode::close);
        CHECK(close_code(frames[0]) == one.code);
        CHECK(open.exchange.is_over());
        CHECK(open.exchange.close_code() == one.code);
        CHECK_FALSE(open.exchange.poll_message());
    }
    lone_exchange open(limits);
    open.say(client_frame(opcode::text, std::string(1000, 'x')));
    CHECK(open.exchange.poll_message()->payload.size() == 1000);
}

TEST_CASE("whatever frames come, the answer is frames and the memory bounded",
          "[websocket][threat/hostile_bytes]") {
    websocket_limits limits;
    limits.message_bytes_max = 200;
    random_stream draws(42, 0, "frames");
    std::size_t messages = 0;
    std::size_t ended = 0;
    for (int round = 0; round < 5'000; ++round) {
        lone_exchange open(limits);
        for (int i = 0; i < 20 && !open.exchange.is_over(); ++i) {
            constexpr opcode codes[] = {opcode::continuation, opcode::text, opcode::binary,
                                        opcode::text,         opcode::ping, opcode::pong,
                                        opcode::close};
            std::string frame =
                client_frame(codes[draws.below(std::size(codes))],
                             std::string(draws.below(130), 'a'), draws.below(4) != 0);
            if (draws.below(20) == 0) {
                frame[draws.below(frame.size())] = static_cast<char>(draws.below(256));
            }
            open.exchange.handle_bytes(as_bytes_view(frame));
            const std::string answer = open.take();
            std::size_t size = 0;
            for (const websocket_frame& each : parse_frames(answer)) {
                REQUIRE_FALSE(each.masked);
                size += each.payload.size() + 2;
            }
            REQUIRE(size == answer.size());
            while (const auto message = open.exchange.poll_message()) {
                REQUIRE(message->payload.size() <= limits.message_bytes_max);
                ++messages;
            }
        }
        ended += open.exchange.is_over() ? 1 : 0;
    }
    CHECK(messages > 2'000);
    CHECK(ended > 4'000);
}
