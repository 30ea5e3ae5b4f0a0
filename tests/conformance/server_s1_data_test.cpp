#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

// Section 1.5: strings and integers, as the broker reads and forwards them.

namespace fleetarium::test {
namespace {

bytes publish_to(protocol_version version, const bytes& topic) {
    bytes body{0, static_cast<std::uint8_t>(topic.size())};
    body.insert(body.end(), topic.begin(), topic.end());
    if (version == protocol_version::v5) {
        body.push_back(0);
    }
    body.push_back('x');
    bytes out{0x30, static_cast<std::uint8_t>(body.size())};
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

TEST_CASE("a topic that is not well-formed UTF-8 ends the connection and reaches nobody",
          "[v5/MQTT-1.5.4-1][v3/MQTT-1.5.3-1]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    const auto topic = GENERATE("61 ED A0 80", "C0 AF", "F5 80 80 80", "E0 80 80", "61 C3", "80");
    CAPTURE(topic);
    broker_bench bench;
    peer& watcher = bench.connected({.client_id = "w"});
    bench.subscribe(watcher, "#", qos::at_most_once);
    peer& sender = bench.connected({.client_id = "s", .version = version});
    sender.send_bytes(publish_to(version, from_hex(topic)));
    CHECK(sender.ended_with(reason_code::malformed_packet));
    CHECK(watcher.waiting() == 0);
    CHECK(watcher.is_served());
}

TEST_CASE("a filter that holds U+0000 ends the connection without SUBACK",
          "[v5/MQTT-1.5.4-2][v3/MQTT-1.5.3-2]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex(version == protocol_version::v5 ? "82 09 00 01 00 00 03 61 00 62 00"
                                                    : "82 08 00 01 00 03 61 00 62 00");
    CHECK(sender.ended_with(reason_code::malformed_packet));
    CHECK(bench.core().subscription_count() == 0);
}

TEST_CASE("U+FEFF is a character like any other in topics and filters",
          "[v5/MQTT-1.5.4-3][v3/MQTT-1.5.3-3]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    broker_bench bench;
    peer& with = bench.connected({.client_id = "with", .version = version});
    peer& without = bench.connected({.client_id = "without", .version = version});
    bench.subscribe(with,
                    "\xEF\xBB\xBF"
                    "a",
                    qos::at_most_once);
    bench.subscribe(without, "a", qos::at_most_once);
    peer& sender = bench.connected({.client_id = "s", .version = version});
    sender.send_bytes(publish_to(version, from_hex("EF BB BF 61")));
    CHECK(with.take_publish() ==
          "\xEF\xBB\xBF"
          "a=x");
    CHECK(without.waiting() == 0);
}

TEST_CASE("a Remaining Length in more bytes than it needs is malformed", "[v5/MQTT-1.5.5-1]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    const auto ping = GENERATE("C0 80 00", "C0 80 80 00", "C0 80 80 80 00", "C0 FF FF FF FF 7F");
    CAPTURE(ping);
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex(ping);
    CHECK(sender.ended_with(reason_code::malformed_packet));
}

TEST_CASE("the broker writes lengths in the fewest bytes", "[v5/MQTT-1.5.5-1]") {
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s"});
    bench.subscribe(subscriber, "a", qos::at_most_once);
    peer& sender = bench.connected({.client_id = "p"});
    // Topic, property length and payload make the Remaining Length.
    const auto [length, header] = GENERATE(table<std::size_t, std::string>({
        {127, "30 7F"},
        {128, "30 80 01"},
        {16'383, "30 FF 7F"},
        {16'384, "30 80 80 01"},
        {2'097'151, "30 FF FF 7F"},
        {2'097'152, "30 80 80 80 01"},
    }));
    bench.publish(sender, "a", std::string(length - 4, 'x'));
    CHECK(subscriber.take_hex().substr(0, header.size() + 6) == header + " 00 01");
}

TEST_CASE("both halves of a User Property are UTF-8", "[v5/MQTT-1.5.7-1]") {
    const auto properties = GENERATE("26 00 01 FF 00 01 61", "26 00 01 61 00 01 FF",
                                     "26 00 01 00 00 01 61", "26 00 01 61 00 02 C0 AF");
    CAPTURE(properties);
    broker_bench bench;
    peer& sender = bench.connected();
    const bytes block = from_hex(properties);
    bytes out{0x30, static_cast<std::uint8_t>(4 + block.size()), 0, 1,
              'a',  static_cast<std::uint8_t>(block.size())};
    out.insert(out.end(), block.begin(), block.end());
    sender.send_bytes(out);
    CHECK(sender.ended_with(reason_code::malformed_packet));
}

}  // namespace
}  // namespace fleetarium::test
