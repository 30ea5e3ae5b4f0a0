#include <support/packet_text.hpp>
#include <support/wire.hpp>

#include <catch2/catch.hpp>

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

/// Packet identifier 10 and, in 5.0, no properties.
std::string head(protocol_version version) {
    return std::string("000A") + (version == v5 ? "00" : "");
}

TEST_CASE("SUBSCRIBE has at least one filter",
          "[subscribe][v5/MQTT-3.8.3-2][v3/MQTT-3.8.3-3]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_body(0x82, head(version), version) == violation::no_topic_filter);
    CHECK(broken_by_body(0x82, head(version) + "00016100", version) == violation::none);
}

TEST_CASE("UNSUBSCRIBE has at least one filter",
          "[unsubscribe][v5/MQTT-3.10.3-2][v3/MQTT-3.10.3-2]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_body(0xA2, head(version), version) == violation::no_topic_filter);
    CHECK(broken_by_body(0xA2, head(version) + "000161", version) == violation::none);
}

TEST_CASE("the filters of SUBSCRIBE are UTF-8", "[subscribe][v5/MQTT-3.8.3-1][v3/MQTT-3.8.3-1]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_body(0x82, head(version) + "0001FF00", version) ==
          violation::string_not_utf8);
    CHECK(broken_by_body(0x82, head(version) + "00016100 0001FF00", version) ==
          violation::string_not_utf8);
    CHECK(broken_by_body(0x82, head(version) + "0003610062 00", version) ==
          violation::string_has_null);
}

TEST_CASE("the filters of UNSUBSCRIBE are UTF-8",
          "[unsubscribe][v5/MQTT-3.10.3-1][v3/MQTT-3.10.3-1]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_body(0xA2, head(version) + "0001FF", version) == violation::string_not_utf8);
    CHECK(broken_by_body(0xA2, head(version) + "000161 0001FF", version) ==
          violation::string_not_utf8);
    CHECK(broken_by_body(0xA2, head(version) + "0003610062", version) ==
          violation::string_has_null);
}

TEST_CASE("a filter whose syntax is wrong is left to SUBACK and UNSUBACK", "[subscribe]") {
    const auto version = GENERATE(v3, v5);
    for (const auto* const filter :
         {"0002 6123", "0005 612F232F62", "0000", "0009 247368617265 2F2F61"}) {
        CHECK(broken_by_body(0x82, head(version) + filter + "00", version) == violation::none);
        CHECK(broken_by_body(0xA2, head(version) + filter, version) == violation::none);
    }
}

TEST_CASE("the subscription options of 5.0 are QoS, No Local, Retain As Published and Retain "
          "Handling",
          "[subscribe][v5/MQTT-3.8.3-5]") {
    for (unsigned bits = 0; bits < 256; ++bits) {
        const auto byte = static_cast<std::uint8_t>(bits);
        const std::string hex = hex_digits({&byte, 1});
        CAPTURE(hex);
        violation expected = violation::none;
        if (bits >= 0x40) {
            expected = violation::subscription_options_reserved;
        } else if ((bits & 3U) == 3) {
            expected = violation::subscription_qos_invalid;
        } else if (bits >= 0x30) {
            expected = violation::retain_handling_invalid;
        }
        CHECK(broken_by_body(0x82, head(v5) + "000161" + hex, v5) == expected);
        // No matter which of the filters has them.
        CHECK(broken_by_body(0x82, head(v5) + "00016200 000161" + hex, v5) == expected);
        if (expected != violation::none) {
            continue;
        }
        const byte_vector wire = with_fixed_header(0x82, from_hex(head(v5) + "000161" + hex));
        subscribe out;
        REQUIRE(decode(frame_of(wire), v5, out) == violation::none);
        out.requests.for_each([bits](const subscription_request& request) {
            CHECK(static_cast<unsigned>(request.options.qos) == (bits & 3U));
            CHECK(request.options.no_local == ((bits & 4U) != 0));
            CHECK(request.options.retain_as_published == ((bits & 8U) != 0));
            CHECK(static_cast<unsigned>(request.options.retain_handling) == bits >> 4);
        });
        CHECK(encoded(out, v5) == wire);
    }
}

TEST_CASE("the subscription options of 3.1.1 are QoS only", "[subscribe][v3/MQTT-3.8.3-4]") {
    for (unsigned bits = 0; bits < 256; ++bits) {
        const auto byte = static_cast<std::uint8_t>(bits);
        const std::string hex = hex_digits({&byte, 1});
        CAPTURE(hex);
        violation expected = violation::none;
        if (bits >= 4) {
            expected = violation::subscription_options_reserved;
        } else if (bits == 3) {
            expected = violation::subscription_qos_invalid;
        }
        CHECK(broken_by_body(0x82, head(v3) + "000161" + hex, v3) == expected);
    }
    const std::vector<subscription_request> requests{
        {"a", {qos::at_least_once, true, true, retain_handling::do_not_send}}};
    CHECK(encoded_hex(subscribe{.packet_id = 10, .requests = subscription_requests(requests)},
                      v3) == "8206000A00016101");
}

TEST_CASE("No Local on a shared subscription is refused", "[subscribe][v5/MQTT-3.8.3-4]") {
    const std::string shared = "000A 2473686172652F672F61";  // $share/g/a
    CHECK(broken_by_body(0x82, head(v5) + shared + "04", v5) ==
          violation::no_local_on_shared_subscription);
    CHECK(broken_by_body(0x82, head(v5) + shared + "00", v5) == violation::none);
    CHECK(broken_by_body(0x82, head(v5) + "0001 61 04", v5) == violation::none);
}

TEST_CASE("SUBSCRIBE and UNSUBSCRIBE cut short anywhere are refused", "[subscribe]") {
    const auto version = GENERATE(v3, v5);
    const byte_vector whole_subscribe = from_hex(head(version) + "000161 01");
    for (std::size_t size = 0; size < whole_subscribe.size(); ++size) {
        const byte_vector part(whole_subscribe.begin(),
                               whole_subscribe.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK(broken_by(with_fixed_header(0x82, part), version) ==
              (size == head(version).size() / 2 ? violation::no_topic_filter
                                                : violation::packet_truncated));
    }
    const byte_vector whole_unsubscribe = from_hex(head(version) + "000161");
    for (std::size_t size = 0; size < whole_unsubscribe.size(); ++size) {
        const byte_vector part(whole_unsubscribe.begin(),
                               whole_unsubscribe.begin() + static_cast<std::ptrdiff_t>(size));
        CHECK(broken_by(with_fixed_header(0xA2, part), version) ==
              (size == head(version).size() / 2 ? violation::no_topic_filter
                                                : violation::packet_truncated));
    }
}

TEST_CASE("filters come out in the order in which they were given", "[subscribe]") {
    const auto version = GENERATE(v3, v5);
    const std::vector<subscription_request> requests{
        {"a/#", {qos::exactly_once}}, {"", {}}, {"b", {qos::at_least_once}}};
    const byte_vector wire =
        encoded(subscribe{.packet_id = 7, .requests = subscription_requests(requests)}, version);
    subscribe out;
    REQUIRE(decode(frame_of(wire), version, out) == violation::none);
    CHECK(packet_text::of(out) ==
          "SUBSCRIBE packet_id=7 filter=\"a/#\" qos=2 retain_handling=0 filter=\"\" qos=0 "
          "retain_handling=0 filter=\"b\" qos=1 retain_handling=0");
    const std::vector<std::string_view> filters{"x", "", "y/+"};
    const byte_vector other =
        encoded(unsubscribe{.packet_id = 8, .filters = topic_filters(filters)}, version);
    unsubscribe out_too;
    REQUIRE(decode(frame_of(other), version, out_too) == violation::none);
    CHECK(packet_text::of(out_too) ==
          "UNSUBSCRIBE packet_id=8 filter=\"x\" filter=\"\" filter=\"y/+\"");
}

TEST_CASE("SUBACK has at least one code", "[suback]") {
    const auto version = GENERATE(v3, v5);
    CHECK(broken_by_body(0x90, head(version), version) == violation::packet_truncated);
}

TEST_CASE("UNSUBACK has codes in 5.0 and none in 3.1.1", "[unsuback]") {
    CHECK(broken_by_body(0xB0, head(v5), v5) == violation::packet_truncated);
    CHECK(broken_by_body(0xB0, head(v5) + "00 11", v5) == violation::none);
    CHECK(broken_by_body(0xB0, head(v3), v3) == violation::none);
    CHECK(broken_by_body(0xB0, head(v3) + "00", v3) == violation::bytes_left_over);
    const std::vector<reason_code> codes{reason_code::no_subscription_existed};
    CHECK(encoded_hex(unsuback{.packet_id = 10, .codes = codes}, v3) == "B002000A");
}

TEST_CASE("every failure in a SUBACK of 3.1.1 is 80", "[suback]") {
    const std::vector<reason_code> codes{reason_code::granted_qos_2, reason_code::not_authorized,
                                         reason_code::topic_filter_invalid,
                                         reason_code::granted_qos_0};
    CHECK(encoded_hex(suback{.packet_id = 10, .codes = codes}, v3) == "9006000A02808000");
    CHECK(encoded_hex(suback{.packet_id = 10, .codes = codes}, v5) == "9007000A0002878F00");
}

template <class Packet>
void check_diagnostics(const std::string& type) {
    const std::vector<user_property> pairs{{"k", "v"}};
    const std::vector<reason_code> codes{reason_code::not_authorized, reason_code::success};
    const Packet in{.packet_id = 10,
                    .reason_string = "why",
                    .user_properties = user_properties(pairs),
                    .codes = codes};
    const std::string pair = "2600016B000176";
    CHECK(encoded_hex(in, v5, 20) == type + "12" "000A" "0D" "1F0003776879" + pair + "8700");
    CHECK(encoded_hex(in, v5, 19) == type + "0C" "000A" "07" + pair + "8700");
    CHECK(encoded_hex(in, v5, 14) == type + "0C" "000A" "07" + pair + "8700");
    CHECK(encoded_hex(in, v5, 13) == type + "05" "000A" "00" "8700");
    CHECK(encoded_hex(in, v5, 7) == type + "05" "000A" "00" "8700");
    wire_buffer out;
    CHECK_FALSE(encode(in, v5, out, 6));
    CHECK(out.empty());
}

TEST_CASE("Reason String and then User Properties are left out of a SUBACK that is too large",
          "[suback][v5/MQTT-3.9.2-1][v5/MQTT-3.9.2-2]") {
    check_diagnostics<suback>("90");
}

TEST_CASE("Reason String and then User Properties are left out of an UNSUBACK that is too large",
          "[unsuback][v5/MQTT-3.11.2-1][v5/MQTT-3.11.2-2]") {
    check_diagnostics<unsuback>("B0");
}

}  // namespace
}  // namespace fleetarium::test
