#include <fleetarium/session/message.hpp>

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/core/limits.hpp>

#include <support/hex.hpp>

#include <catch2/catch.hpp>

#include <chrono>
#include <string>

using namespace fleetarium;
using namespace fleetarium::test;
using namespace std::chrono_literals;

namespace {

std::string wire(const publish& in) {
    wire_buffer out;
    REQUIRE(encode(in, protocol_version::v5, out));
    return to_hex(to_bytes(out));
}

}  // namespace

TEST_CASE("a message gives back the PUBLISH that it was made of", "[message]") {
    const user_property pairs[] = {{"k", "1"}, {"k", "2"}};
    const bytes correlation = from_hex("00 FF");
    publish in;
    in.topic = "a/b";
    in.payload = as_bytes_view("hi");
    in.qos = qos::exactly_once;
    in.retain = true;
    in.packet_id = 7;
    in.payload_format_indicator = std::uint8_t{1};
    in.content_type = "text";
    in.response_topic = "r";
    in.correlation_data = correlation;
    in.user_properties = user_properties(pairs);
    const message_ptr made = message::make(in, {{42, instant{5s}}, 99, instant{} + 70s});
    CHECK(made->topic() == "a/b");
    CHECK(as_text(made->payload()) == "hi");
    CHECK(made->qos() == qos::exactly_once);
    CHECK(made->retain());
    CHECK(made->identity().number == 42);
    CHECK(made->publisher() == 99);

    publish out = made->to_publish(instant{} + 10s);
    CHECK(out.message_expiry_interval == 60u);
    out.packet_id = in.packet_id;
    in.message_expiry_interval = 60;
    CHECK(wire(out) == wire(in));
}

TEST_CASE("time waited counts in whole seconds, and never below zero", "[message]") {
    publish in;
    in.topic = "a";
    const message_ptr made = message::make(in, {{}, 0, instant{} + 10s});
    CHECK(made->remaining_expiry(instant{}) == 10u);
    CHECK(made->remaining_expiry(instant{} + 999ms) == 10u);
    CHECK(made->remaining_expiry(instant{} + 1s) == 9u);
    CHECK(made->remaining_expiry(instant{} + 9'999ms) == 1u);
    CHECK_FALSE(made->expired(instant{} + 9'999ms));
    CHECK(made->remaining_expiry(instant{} + 10s) == 0u);
    CHECK(made->expired(instant{} + 10s));
    CHECK(made->remaining_expiry(instant{} + 20s) == 0u);
    const message_ptr lasting = message::make(in, {{}, 0, never});
    CHECK_FALSE(lasting->remaining_expiry(instant{} + 10s));
    CHECK_FALSE(lasting->expired(instant{} + 1'000h));
}

TEST_CASE("a large payload is held once, a small one in the message's own block", "[message]") {
    publish in;
    in.topic = "a";
    const std::string small(limits::shared_payload_size_min - 1, 'x');
    in.payload = as_bytes_view(small);
    const message_ptr with_small = message::make(in, {});
    CHECK(with_small->shared_payload() == nullptr);
    CHECK(as_text(with_small->payload()) == small);

    const std::string large(limits::shared_payload_size_min, 'x');
    in.payload = as_bytes_view(large);
    const message_ptr with_large = message::make(in, {});
    REQUIRE(with_large->shared_payload() != nullptr);
    CHECK(as_text(with_large->payload()) == large);
    CHECK(with_large->memory_bytes() >= large.size());
    const std::uint32_t identifiers[] = {1, 300};
    const message_ptr copy = with_large->with_subscription_identifiers(identifiers);
    CHECK(copy->payload().data() == with_large->payload().data());
}

TEST_CASE("a copy with subscription identifiers has them behind the other properties",
          "[message]") {
    publish in;
    in.topic = "a";
    in.payload = as_bytes_view("p");
    in.content_type = "t";
    const message_ptr plain = message::make(in, {{3, instant{}}, 4, instant{} + 5s});
    const std::uint32_t identifiers[] = {1, 300, 268'435'455};
    const message_ptr copy = plain->with_subscription_identifiers(identifiers);
    CHECK(to_hex(copy->properties()) == "03 00 01 74 0B 01 0B AC 02 0B FF FF FF 7F");
    CHECK(copy->topic() == "a");
    CHECK(as_text(copy->payload()) == "p");
    CHECK(copy->identity().number == 3);
    CHECK(copy->publisher() == 4);
    CHECK(copy->expires_at() == instant{} + 5s);
    CHECK(to_hex(plain->properties()) == "03 00 01 74");
}

TEST_CASE("pointers share a message and the last one frees it", "[message]") {
    publish in;
    in.topic = "a";
    message_ptr first = message::make(in, {});
    message_ptr second = first;
    CHECK(second == first);
    first = {};
    CHECK_FALSE(first);
    REQUIRE(second);
    CHECK(second->topic() == "a");
    message_ptr third = std::move(second);
    CHECK_FALSE(second);
    second = third;
    third = message_ptr();
    CHECK(second->topic() == "a");
}
