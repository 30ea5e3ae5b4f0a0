#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

// Sections 3.8 to 3.11: SUBSCRIBE and UNSUBSCRIBE at the broker.

namespace fleetarium::test {
namespace {

const auto both_versions = [] { return GENERATE(protocol_version::v3_1_1, protocol_version::v5); };

subscription_options at(enum qos level) { return {level, false, false, retain_handling::send}; }

/// Sends one SUBSCRIBE with several filters, all at QoS 1, and returns the codes of SUBACK.
std::vector<int> subscribe_to(peer& by, const std::vector<std::string_view>& filters,
                              std::uint16_t packet_id = 10) {
    std::vector<subscription_request> list;
    for (const auto filter : filters) {
        list.push_back({filter, at(qos::at_least_once)});
    }
    subscribe request;
    request.packet_id = packet_id;
    request.requests = subscription_requests(list);
    by.send(request);
    const auto answer = by.take_as<suback>();
    CHECK(answer.packet_id == packet_id);
    std::vector<int> codes;
    for (const reason_code code : answer.codes) {
        codes.push_back(static_cast<int>(code));
    }
    return codes;
}

std::vector<int> unsubscribe_from(peer& by, const std::vector<std::string_view>& filters,
                                  std::uint16_t packet_id = 11) {
    unsubscribe request;
    request.packet_id = packet_id;
    request.filters = topic_filters(filters);
    by.send(request);
    const auto answer = by.take_as<unsuback>();
    CHECK(answer.packet_id == packet_id);
    std::vector<int> codes;
    for (const reason_code code : answer.codes) {
        codes.push_back(static_cast<int>(code));
    }
    return codes;
}

class forbidding_hooks : public broker::broker_hooks {
public:
    bool authorize_subscribe(const broker::client_info&, std::string_view filter,
                             const subscription_options&) override {
        return filter != "forbidden";
    }
};

TEST_CASE("SUBSCRIBE has to have the flags 2", "[v5/MQTT-3.8.1-1][v3/MQTT-3.8.1-1]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex(version == protocol_version::v5 ? "80 07 00 01 00 00 01 61 00"
                                                    : "80 06 00 01 00 01 61 00");
    CHECK(sender.ended_with(reason_code::malformed_packet));
}

TEST_CASE("topic filters are UTF-8",
          "[v5/MQTT-3.8.3-1][v3/MQTT-3.8.3-1][v5/MQTT-3.10.3-1][v3/MQTT-3.10.3-1]") {
    const auto version = both_versions();
    const bool v5 = version == protocol_version::v5;
    const auto packet = GENERATE_COPY(as<std::string>{},
                                      v5 ? "82 07 00 01 00 00 01 FF 00" : "82 06 00 01 00 01 FF 00",
                                      v5 ? "A2 06 00 01 00 00 01 FF" : "A2 05 00 01 00 01 FF");
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex(packet);
    CHECK(sender.ended_with(reason_code::malformed_packet));
}

TEST_CASE("SUBSCRIBE and UNSUBSCRIBE have at least one filter",
          "[v5/MQTT-3.8.3-2][v3/MQTT-3.8.3-3][v5/MQTT-3.10.3-2][v3/MQTT-3.10.3-2]") {
    const auto version = both_versions();
    const bool v5 = version == protocol_version::v5;
    const auto packet = GENERATE_COPY(as<std::string>{}, v5 ? "82 03 00 01 00" : "82 02 00 01",
                                      v5 ? "A2 03 00 01 00" : "A2 02 00 01");
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex(packet);
    CHECK(sender.ended_with(reason_code::protocol_error));
}

TEST_CASE("No Local keeps a client's own messages from it", "[v5/MQTT-3.8.3-3]") {
    broker_bench bench;
    peer& client = bench.connected({.client_id = "c"});
    bench.subscribe(client, "t", {qos::at_most_once, true, false, retain_handling::send});
    peer& other = bench.connected({.client_id = "o"});
    bench.publish(client, "t", "own");
    bench.publish(other, "t", "foreign");
    CHECK(client.take_publish() == "t=foreign");
    CHECK(client.waiting() == 0);

    SECTION("it takes only its own subscription out of the match") {
        bench.subscribe(client, "+", at(qos::at_most_once));
        bench.publish(client, "t", "own");
        CHECK(client.take_publish() == "t=own");
        CHECK(client.waiting() == 0);
    }
    SECTION("the client's own retained message is kept from it too") {
        bench.publish(client, "u", "own", qos::at_most_once, 0, true);
        bench.subscribe(client, "u", {qos::at_most_once, true, false, retain_handling::send});
        CHECK(client.waiting() == 0);
    }
}

TEST_CASE("No Local on a shared subscription is a protocol error", "[v5/MQTT-3.8.3-4]") {
    broker_bench bench;
    peer& sender = bench.connected();
    sender.send_hex("82 10 00 01 00 00 0A 24 73 68 61 72 65 2F 67 2F 61 04");
    CHECK(sender.ended_with(reason_code::protocol_error));
}

TEST_CASE("reserved bits of the subscription options are malformed", "[v5/MQTT-3.8.3-5]") {
    const auto packet = GENERATE("82 07 00 01 00 00 01 61 40", "82 07 00 01 00 00 01 61 80");
    broker_bench bench;
    peer& sender = bench.connected();
    sender.send_hex(packet);
    CHECK(sender.ended_with(reason_code::malformed_packet));
}

TEST_CASE("in 3.1.1 the options are a QoS of 0 to 2 and nothing else", "[v3/MQTT-3.8.3-4]") {
    const auto packet =
        GENERATE("82 06 00 01 00 01 61 03", "82 06 00 01 00 01 61 04", "82 06 00 01 00 01 61 80");
    broker_bench bench;
    peer& sender = bench.connected({.version = protocol_version::v3_1_1});
    sender.send_hex(packet);
    CHECK(sender.closed_silently());
}

TEST_CASE("SUBSCRIBE is answered by SUBACK with its packet id",
          "[v5/MQTT-3.8.4-1][v5/MQTT-3.8.4-2][v3/MQTT-3.8.4-1][v3/MQTT-3.8.4-2]"
          "[v5/MQTT-2.2.1-6][v3/MQTT-2.3.1-7]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    CHECK(subscribe_to(sender, {"a"}, 0x00FE) == std::vector<int>{1});
}

TEST_CASE(
    "several filters in one SUBSCRIBE act like several, and one SUBACK has their codes in order",
    "[v5/MQTT-3.8.4-5][v5/MQTT-3.8.4-6][v5/MQTT-3.8.4-7][v5/MQTT-3.9.3-1]"
    "[v3/MQTT-3.8.4-4][v3/MQTT-3.8.4-5][v3/MQTT-3.9.3-1]") {
    const auto version = both_versions();
    const int refused = version == protocol_version::v5 ? 0x87 : 0x80;
    forbidding_hooks hooks;
    broker_bench bench({}, &hooks);
    peer& sender = bench.connected({.client_id = "s", .version = version});
    CHECK(subscribe_to(sender, {"a", "forbidden", "b"}) == std::vector<int>{1, refused, 1});
    CHECK(sender.waiting() == 0);
    peer& publisher = bench.connected({.client_id = "p"});
    for (const auto topic : {"a", "forbidden", "b"}) {
        bench.publish(publisher, topic, "x");
    }
    CHECK(sender.take_publish() == "a=x");
    CHECK(sender.take_publish() == "b=x");
    CHECK(sender.waiting() == 0);
}

TEST_CASE("the granted QoS is the one asked for", "[v5/MQTT-3.8.4-7][v3/MQTT-3.8.4-5]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex(version == protocol_version::v5
                        ? "82 0F 00 01 00 00 01 61 00 00 01 62 01 00 01 63 02"
                        : "82 0E 00 01 00 01 61 00 00 01 62 01 00 01 63 02");
    const auto answer = sender.take_as<suback>();
    REQUIRE(answer.codes.size() == 3);
    CHECK(answer.codes[0] == reason_code::granted_qos_0);
    CHECK(answer.codes[1] == reason_code::granted_qos_1);
    CHECK(answer.codes[2] == reason_code::granted_qos_2);
}

TEST_CASE("the same filter again replaces the subscription, and nothing is lost or doubled",
          "[v5/MQTT-3.8.4-3][v5/MQTT-3.8.4-4][v3/MQTT-3.8.4-3]") {
    const auto version = both_versions();
    const bool v5 = version == protocol_version::v5;
    broker_bench bench;
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "a", "kept", qos::at_least_once, 1, true);
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    const auto subscribe = [&](enum qos level, std::uint32_t id) {
        const subscription_request one{"a", at(level)};
        fleetarium::subscribe request;
        request.packet_id = static_cast<std::uint16_t>(id);
        request.requests = subscription_requests({&one, 1});
        if (v5) {
            request.subscription_identifier = id;
        }
        subscriber.send(request);
    };
    subscribe(qos::at_most_once, 1);
    subscriber.take_as<suback>();
    CHECK(subscriber.take_publish() == "a=kept retain");
    bench.publish(publisher, "a", "1");
    subscribe(qos::at_least_once, 2);
    bench.publish(publisher, "a", "2", qos::at_least_once, 3);
    CHECK(subscriber.take_publish() == "a=1");
    subscriber.take_as<suback>();
    CHECK(subscriber.take_publish() == "a=kept q1 retain");
    const auto got = subscriber.take_as<publish>();
    CHECK(as_text(got.payload) == "2");
    CHECK(got.qos == qos::at_least_once);
    if (v5) {
        std::vector<std::uint32_t> seen;
        got.subscription_identifiers.for_each([&](std::uint32_t each) { seen.push_back(each); });
        CHECK(seen == std::vector<std::uint32_t>{2});
    }
    CHECK(subscriber.waiting() == 0);
}

TEST_CASE("a message is delivered at the lower of its QoS and the one granted",
          "[v5/MQTT-3.8.4-8][v3/MQTT-3.8.4-6]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    bench.subscribe(subscriber, "t", qos::at_least_once);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "2", qos::exactly_once, 1);
    bench.publish(publisher, "t", "1", qos::at_least_once, 2);
    bench.publish(publisher, "t", "0");
    CHECK(subscriber.take_publish() == "t=2 q1");
    CHECK(subscriber.take_publish() == "t=1 q1");
    CHECK(subscriber.take_publish() == "t=0");
}

TEST_CASE("a broker without wildcard subscriptions refuses each filter with a wildcard",
          "[v3/MQTT-3.8.3-2]") {
    const auto filter = GENERATE("a/#", "+/b", "#", "+");
    broker::broker_options options;
    options.wildcard_subscription_available = false;
    broker_bench bench(options);
    peer& sender = bench.connected({.version = protocol_version::v3_1_1});
    CHECK(subscribe_to(sender, {filter, "plain"}) == std::vector<int>{0x80, 1});
}

TEST_CASE("in 5.0, using what CONNACK says is not there ends the connection", "[subscribe]") {
    broker::broker_options options;
    options.wildcard_subscription_available = false;
    options.shared_subscription_available = false;
    options.subscription_identifier_available = false;
    broker_bench bench(options);
    peer& sender = bench.connect();
    const auto answer = sender.take_as<connack>();
    CHECK(answer.wildcard_subscription_available == false);
    CHECK(answer.shared_subscription_available == false);
    CHECK(answer.subscription_identifier_available == false);
    SECTION("wildcard") {
        sender.send_hex("82 07 00 01 00 00 01 23 00");
        CHECK(sender.ended_with(reason_code::wildcard_subscriptions_not_supported));
    }
    SECTION("shared") {
        sender.send_hex("82 10 00 01 00 00 0A 24 73 68 61 72 65 2F 67 2F 61 00");
        CHECK(sender.ended_with(reason_code::shared_subscriptions_not_supported));
    }
    SECTION("identifier") {
        sender.send_hex("82 09 00 01 02 0B 01 00 01 61 00");
        CHECK(sender.ended_with(reason_code::subscription_identifiers_not_supported));
    }
}

TEST_CASE("the codes of SUBACK and UNSUBACK are those that they may hold",
          "[v5/MQTT-3.9.3-2][v5/MQTT-3.11.3-2][v3/MQTT-3.9.3-2]") {
    const auto version = both_versions();
    const bool v5 = version == protocol_version::v5;
    forbidding_hooks hooks;
    broker::broker_options options;
    options.subscriptions_per_session_max = 1;
    broker_bench bench(options, &hooks);
    peer& sender = bench.connected({.version = version});
    const std::vector<int> codes =
        subscribe_to(sender, {"a#", "forbidden", "a", "one/too/many", "a", "$share/g"});
    CHECK(codes == (v5 ? std::vector<int>{0x8F, 0x87, 1, 0x97, 1, 0x8F}
                       : std::vector<int>{0x80, 0x80, 1, 0x80, 1, 0x80}));
    if (v5) {
        CHECK(unsubscribe_from(sender, {"a", "a", "a#"}) == std::vector<int>{0, 0x11, 0x8F});
    }
}

TEST_CASE("SUBACK and UNSUBACK stay within the client's maximum packet size",
          "[v5/MQTT-3.9.2-1][v5/MQTT-3.9.2-2][v5/MQTT-3.11.2-1][v5/MQTT-3.11.2-2]") {
    forbidding_hooks hooks;
    broker_bench bench({}, &hooks);
    peer& sender = bench.connected({.maximum_packet_size = 24});
    sender.send_hex("82 0F 00 01 00 00 09 66 6F 72 62 69 64 64 65 6E 00");
    const auto refused = sender.take();
    REQUIRE(refused);
    CHECK(refused->raw.size() <= 24);
    CHECK(refused->hex() == "90 04 00 01 00 87");
    sender.send_hex("A2 06 00 02 00 00 01 61");
    CHECK(sender.take_hex() == "B0 04 00 02 00 11");
}

TEST_CASE("UNSUBSCRIBE has to have the flags 2", "[v5/MQTT-3.10.1-1][v3/MQTT-3.10.1-1]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex(version == protocol_version::v5 ? "A0 06 00 01 00 00 01 61"
                                                    : "A0 05 00 01 00 01 61");
    CHECK(sender.ended_with(reason_code::malformed_packet));
}

TEST_CASE("UNSUBSCRIBE takes away exactly the filter it names",
          "[v5/MQTT-3.10.4-1][v3/MQTT-3.10.4-1][v5/MQTT-3.10.4-5][v3/MQTT-3.10.4-5]"
          "[v5/MQTT-3.10.4-4][v3/MQTT-3.10.4-4]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    bench.subscribe(subscriber, "a/#", qos::at_most_once);
    const auto codes = unsubscribe_from(subscriber, {"a/b"}, 11);
    CHECK(codes == (version == protocol_version::v5 ? std::vector<int>{0x11} : std::vector<int>{}));
    bench.publish(bench.connected({.client_id = "p"}), "a/b", "x");
    CHECK(subscriber.take_publish() == "a/b=x");
}

TEST_CASE("UNSUBACK in 3.1.1 is its packet id and nothing else", "[v3/MQTT-3.10.4-4]") {
    broker_bench bench;
    peer& sender = bench.connected({.version = protocol_version::v3_1_1});
    sender.send_hex("A2 05 00 0B 00 01 61");
    CHECK(sender.take_hex() == "B0 02 00 0B");
}

TEST_CASE("after UNSUBSCRIBE no new messages come", "[v5/MQTT-3.10.4-2][v3/MQTT-3.10.4-2]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    bench.subscribe(subscriber, "t", qos::at_least_once);
    unsubscribe_from(subscriber, {"t"});
    bench.publish(bench.connected({.client_id = "p"}), "t", "x", qos::at_least_once, 1);
    CHECK(subscriber.waiting() == 0);
    CHECK(bench.core().deliveries_waiting() == 0);
}

TEST_CASE("deliveries begun go on to their end after UNSUBSCRIBE",
          "[v5/MQTT-3.10.4-3][v3/MQTT-3.10.4-3]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    bench.subscribe(subscriber, "t", qos::exactly_once);
    bench.publish(bench.connected({.client_id = "p"}), "t", "x", qos::exactly_once, 1);
    CHECK(subscriber.take_publish() == "t=x q2");
    unsubscribe_from(subscriber, {"t"});
    subscriber.send_hex("50 02 00 01");
    CHECK(subscriber.take_hex() == "62 02 00 01");
    subscriber.send_hex("70 02 00 01");
    CHECK(bench.core().deliveries_waiting() == 0);
}

TEST_CASE("several filters in one UNSUBSCRIBE act one by one, with one UNSUBACK in their order",
          "[v5/MQTT-3.10.4-6][v3/MQTT-3.10.4-6][v5/MQTT-3.11.3-1]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    subscribe_to(subscriber, {"a", "b"});
    const auto codes = unsubscribe_from(subscriber, {"a", "unknown", "b"});
    CHECK(codes ==
          (version == protocol_version::v5 ? std::vector<int>{0, 0x11, 0} : std::vector<int>{}));
    CHECK(subscriber.waiting() == 0);
    CHECK(bench.core().subscription_count() == 0);
}

}  // namespace
}  // namespace fleetarium::test
