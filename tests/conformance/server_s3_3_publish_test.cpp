#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

// Sections 3.3 to 3.7: PUBLISH and its acknowledgements at the broker, with retained messages.

namespace fleetarium::test {
namespace {

const auto both_versions = [] { return GENERATE(protocol_version::v3_1_1, protocol_version::v5); };

subscription_options at(enum qos level) { return {level, false, false, retain_handling::send}; }

TEST_CASE("the incoming DUP bit is not passed on", "[v5/MQTT-3.3.1-3][v3/MQTT-3.3.1-3]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    bench.subscribe(subscriber, "t", qos::at_least_once);
    peer& publisher = bench.connected({.client_id = "p", .version = version});
    publish message;
    message.topic = "t";
    message.qos = qos::at_least_once;
    message.packet_id = 5;
    message.dup = true;
    publisher.send(message);
    CHECK(subscriber.take_publish() == "t= q1");
}

TEST_CASE("a QoS 3 PUBLISH ends the connection", "[v5/MQTT-3.3.1-4][v3/MQTT-3.3.1-4]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex(version == protocol_version::v5 ? "36 06 00 01 61 00 01 00"
                                                    : "36 05 00 01 61 00 01");
    CHECK(sender.ended_with(reason_code::malformed_packet));
}

TEST_CASE("a QoS 0 PUBLISH with DUP ends the connection", "[v5/MQTT-3.3.1-2][v3/MQTT-3.3.1-2]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex(version == protocol_version::v5 ? "38 04 00 01 61 00" : "38 03 00 01 61");
    CHECK(sender.ended_with(reason_code::malformed_packet));
}

TEST_CASE("DUP is 1 on what the broker sends again", "[v5/MQTT-3.3.1-1][v3/MQTT-3.3.1-1]") {
    const auto version = both_versions();
    const auto level = GENERATE(qos::at_least_once, qos::exactly_once);
    broker_bench bench;
    const connect_with resumable{.client_id = "s",
                                 .version = version,
                                 .clean_start = false,
                                 .session_expiry = version == protocol_version::v5
                                                       ? std::optional<std::uint32_t>(60)
                                                       : std::nullopt};
    peer& before = bench.connected(resumable);
    bench.subscribe(before, "t", level);
    bench.publish(bench.connected({.client_id = "p"}), "t", "x", level, 1);
    CHECK(before.take_as<publish>().dup == false);
    before.cut();
    CHECK(bench.connected(resumable).take_as<publish>().dup == true);
}

TEST_CASE("a retained message reaches later subscribers with RETAIN 1",
          "[v5/MQTT-3.3.1-5][v3/MQTT-3.3.1-5][v3/MQTT-3.3.1-6][v3/MQTT-3.3.1-8]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& publisher = bench.connected({.client_id = "p", .version = version});
    bench.publish(publisher, "a/1", "old", qos::at_least_once, 1, true);
    bench.publish(publisher, "a/1", "new", qos::at_least_once, 2, true);
    bench.publish(publisher, "a/2", "two", qos::at_most_once, 0, true);
    peer& late = bench.connected({.client_id = "late", .version = version});
    bench.subscribe(late, "a/+", qos::exactly_once);
    CHECK(late.take_publish() == "a/1=new q1 retain");
    CHECK(late.take_publish() == "a/2=two retain");
    CHECK(late.waiting() == 0);
}

TEST_CASE("a QoS 0 retained message takes the place of the older one", "[v3/MQTT-3.3.1-7]") {
    broker_bench bench;
    peer& publisher = bench.connected({.client_id = "p", .version = protocol_version::v3_1_1});
    bench.publish(publisher, "a", "old", qos::at_least_once, 1, true);
    bench.publish(publisher, "a", "new", qos::at_most_once, 0, true);
    peer& late = bench.connected({.client_id = "late", .version = protocol_version::v3_1_1});
    bench.subscribe(late, "a", qos::at_least_once);
    CHECK(late.take_publish() == "a=new retain");
    CHECK(late.waiting() == 0);
}

TEST_CASE("RETAIN is 0 on what an established subscription gets",
          "[v5/MQTT-3.3.1-12][v3/MQTT-3.3.1-9]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    bench.subscribe(subscriber, "a", qos::at_most_once);
    bench.publish(bench.connected({.client_id = "p"}), "a", "x", qos::at_most_once, 0, true);
    CHECK(subscriber.take_publish() == "a=x");
}

TEST_CASE("an empty retained message clears the topic and is forwarded as any other",
          "[v5/MQTT-3.3.1-6][v3/MQTT-3.3.1-10]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& online = bench.connected({.client_id = "o", .version = version});
    bench.subscribe(online, "a", qos::at_most_once);
    peer& publisher = bench.connected({.client_id = "p", .version = version});
    bench.publish(publisher, "a", "x", qos::at_most_once, 0, true);
    CHECK(online.take_publish() == "a=x");
    bench.publish(publisher, "a", "", qos::at_most_once, 0, true);
    CHECK(online.take_publish() == "a=");
    peer& late = bench.connected({.client_id = "late", .version = version});
    bench.subscribe(late, "a", qos::at_most_once);
    CHECK(late.waiting() == 0);
    CHECK(bench.core().retained().empty());
}

TEST_CASE("an empty retained message is never stored", "[v5/MQTT-3.3.1-7][v3/MQTT-3.3.1-11]") {
    const auto version = both_versions();
    broker_bench bench;
    bench.publish(bench.connected({.version = version}), "fresh", "", qos::at_most_once, 0, true);
    CHECK(bench.core().retained().empty());
    peer& late = bench.connected({.client_id = "late", .version = version});
    bench.subscribe(late, "fresh", qos::at_most_once);
    CHECK(late.waiting() == 0);
}

TEST_CASE("a message without RETAIN leaves the retained one as it is",
          "[v5/MQTT-3.3.1-8][v3/MQTT-3.3.1-12]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& publisher = bench.connected({.client_id = "p", .version = version});
    bench.publish(publisher, "t", "a", qos::at_most_once, 0, true);
    bench.publish(publisher, "t", "b");
    bench.publish(publisher, "u", "c");
    peer& late = bench.connected({.client_id = "late", .version = version});
    bench.subscribe(late, "#", qos::at_most_once);
    CHECK(late.take_publish() == "t=a retain");
    CHECK(late.waiting() == 0);
}

TEST_CASE("Retain Handling says when retained messages are sent",
          "[v5/MQTT-3.3.1-9][v5/MQTT-3.3.1-10][v5/MQTT-3.3.1-11]") {
    broker_bench bench;
    bench.publish(bench.connected({.client_id = "p"}), "t", "kept", qos::at_most_once, 0, true);
    peer& subscriber = bench.connected({.client_id = "s"});
    const auto subscribe = [&](retain_handling how) {
        bench.subscribe(subscriber, "t", {qos::at_most_once, false, false, how});
        return subscriber.take_publish();
    };
    SECTION("0: at each SUBSCRIBE") {
        CHECK(subscribe(retain_handling::send) == "t=kept retain");
        CHECK(subscribe(retain_handling::send) == "t=kept retain");
    }
    SECTION("1: if the subscription did not exist") {
        CHECK(subscribe(retain_handling::send_if_new) == "t=kept retain");
        CHECK(subscribe(retain_handling::send_if_new).empty());
    }
    SECTION("2: never") {
        CHECK(subscribe(retain_handling::do_not_send).empty());
        CHECK(subscribe(retain_handling::do_not_send).empty());
    }
}

TEST_CASE("Retain As Published keeps the publisher's RETAIN", "[v5/MQTT-3.3.1-13]") {
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s"});
    bench.subscribe(subscriber, "t", {qos::at_most_once, false, true, retain_handling::send});
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "1", qos::at_most_once, 0, true);
    bench.publish(publisher, "t", "0", qos::at_most_once, 0, false);
    CHECK(subscriber.take_publish() == "t=1 retain");
    CHECK(subscriber.take_publish() == "t=0");
}

TEST_CASE("a topic name that is not UTF-8 ends the connection",
          "[v5/MQTT-3.3.2-1][v3/MQTT-3.3.2-1]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex(version == protocol_version::v5 ? "30 05 00 02 C3 28 00" : "30 04 00 02 C3 28");
    CHECK(sender.ended_with(reason_code::malformed_packet));
}

TEST_CASE("a topic name with a wildcard is refused and not forwarded",
          "[v5/MQTT-3.3.2-2][v3/MQTT-3.3.2-2][v5/MQTT-4.7.0-1][v3/MQTT-4.7.1-1]") {
    const auto version = both_versions();
    const bool v5 = version == protocol_version::v5;
    const auto packet =
        GENERATE_COPY(as<std::string>{}, v5 ? "30 06 00 03 61 2F 2B 00" : "30 05 00 03 61 2F 2B",
                      v5 ? "30 06 00 03 61 2F 23 00" : "30 05 00 03 61 2F 23");
    broker_bench bench;
    peer& watcher = bench.connected({.client_id = "w"});
    bench.subscribe(watcher, "#", qos::at_most_once);
    peer& sender = bench.connected({.client_id = "s", .version = version});
    sender.send_hex(packet);
    CHECK(sender.ended_with(reason_code::topic_name_invalid));
    CHECK(watcher.waiting() == 0);
}

TEST_CASE("what a client gets matches a filter of that client",
          "[v5/MQTT-3.3.2-3][v3/MQTT-3.3.2-3]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    bench.subscribe(subscriber, "a/+", qos::at_most_once);
    peer& publisher = bench.connected({.client_id = "p", .version = version});
    bench.publish(publisher, "a/b", "1");
    bench.publish(publisher, "c", "2");
    CHECK(subscriber.take_publish() == "a/b=1");
    CHECK(subscriber.waiting() == 0);
}

TEST_CASE("what the standard has forwarded unchanged is forwarded unchanged",
          "[v5/MQTT-3.3.2-4][v5/MQTT-3.3.2-15][v5/MQTT-3.3.2-16][v5/MQTT-3.3.2-17]"
          "[v5/MQTT-3.3.2-18][v5/MQTT-3.3.2-20]") {
    const auto level = GENERATE(qos::at_most_once, qos::at_least_once, qos::exactly_once);
    broker_bench bench;
    peer& first = bench.connected({.client_id = "1"});
    peer& second = bench.connected({.client_id = "2"});
    bench.subscribe(first, "t", level);
    bench.subscribe(second, "+", level);
    peer& publisher = bench.connected({.client_id = "p"});
    const std::vector<user_property> pairs{{"a", "1"}, {"b", "2"}, {"a", "1"}};
    const bytes correlation{0x00, 0xFF};
    publish sent;
    sent.topic = "t";
    sent.qos = level;
    sent.packet_id = level == qos::at_most_once ? 0 : 9;
    sent.payload_format_indicator = 1;
    sent.content_type = "text/plain";
    sent.response_topic = "r/1";
    sent.correlation_data = bytes_view(correlation);
    sent.user_properties = user_properties(pairs);
    publisher.send(sent);
    for (peer* const subscriber : {&first, &second}) {
        const auto got = subscriber->take_as<publish>();
        CHECK(got.payload_format_indicator == 1);
        CHECK(got.content_type == "text/plain");
        CHECK(got.response_topic == "r/1");
        REQUIRE(got.correlation_data);
        CHECK(to_hex(*got.correlation_data) == "00 FF");
        std::vector<user_property> seen;
        got.user_properties.for_each([&](const user_property& pair) { seen.push_back(pair); });
        CHECK(seen == pairs);
    }
}

TEST_CASE("a message that expired before it was sent is deleted; else the time waited is taken off",
          "[v5/MQTT-3.3.2-5][v5/MQTT-3.3.2-6]") {
    broker_bench bench;
    const connect_with resumable{.client_id = "s", .clean_start = false, .session_expiry = 600};
    peer& before = bench.connected(resumable);
    bench.subscribe(before, "t", qos::at_least_once);
    before.cut();
    peer& publisher = bench.connected({.client_id = "p"});
    const auto publish_for = [&](std::uint32_t seconds, std::string_view payload) {
        publish message;
        message.topic = "t";
        message.payload = as_bytes_view(payload);
        message.qos = qos::at_least_once;
        message.packet_id = 1;
        message.message_expiry_interval = seconds;
        publisher.send(message);
    };
    publish_for(1, "short");
    publish_for(10, "long");
    bench.advance(3s);
    peer& after = bench.connected(resumable);
    const auto got = after.take_as<publish>();
    CHECK(as_text(got.payload) == "long");
    CHECK(got.message_expiry_interval == 7u);
    CHECK(after.waiting() == 0);
    using broker::drop_reason;
    CHECK(bench.core().metrics().dropped[static_cast<std::size_t>(drop_reason::expired)] == 1);
}

TEST_CASE("a message that a retained topic outlived is not sent, and the one left says how long",
          "[v5/MQTT-3.3.2-5][v5/MQTT-3.3.2-6]") {
    broker_bench bench;
    publish message;
    message.topic = "t";
    message.retain = true;
    message.payload = as_bytes_view("x");
    message.message_expiry_interval = 10;
    bench.connected({.client_id = "p"}).send(message);
    bench.advance(4s);
    peer& in_time = bench.connected({.client_id = "in time"});
    bench.subscribe(in_time, "t", qos::at_most_once);
    CHECK(in_time.take_as<publish>().message_expiry_interval == 6u);
    bench.advance(6s);
    CHECK(bench.core().retained().empty());
    peer& late = bench.connected({.client_id = "late"});
    bench.subscribe(late, "t", qos::at_most_once);
    CHECK(late.waiting() == 0);
}

TEST_CASE("topic aliases die with their connection", "[v5/MQTT-3.3.2-7]") {
    broker_bench bench;
    peer& before = bench.connected({.client_id = "p"});
    before.send_hex("30 08 00 01 61 03 23 00 01 78");
    before.cut();
    peer& after = bench.connected({.client_id = "p"});
    after.send_hex("30 07 00 00 03 23 00 01 78");
    CHECK(after.ended_with(reason_code::protocol_error));
}

TEST_CASE("topic alias 0, and one above the announced maximum, are refused",
          "[v5/MQTT-3.3.2-8][v5/MQTT-3.3.2-9]") {
    const auto packet = GENERATE("30 07 00 01 61 03 23 00 00", "30 07 00 01 61 03 23 00 06");
    broker::broker_options options;
    options.topic_alias_maximum = 5;
    broker_bench bench(options);
    peer& sender = bench.connected();
    sender.send_hex(packet);
    CHECK(sender.ended_with(reason_code::topic_alias_invalid));
}

TEST_CASE("each alias up to the announced maximum is accepted", "[v5/MQTT-3.3.2-12]") {
    broker::broker_options options;
    options.topic_alias_maximum = 5;
    broker_bench bench(options);
    peer& watcher = bench.connected({.client_id = "w"});
    bench.subscribe(watcher, "#", qos::at_most_once);
    peer& sender = bench.connected({.client_id = "s"});
    for (std::uint16_t alias = 1; alias <= 5; ++alias) {
        const std::string topic = "topic/" + std::to_string(alias);
        publish message;
        message.topic = topic;
        message.topic_alias = alias;
        sender.send(message);
        CHECK(watcher.take_publish() == topic + "=");
        message.topic = {};
        sender.send(message);
        CHECK(watcher.take_publish() == topic + "=");
    }
}

TEST_CASE("aliases towards a client stay within its maximum",
          "[v5/MQTT-3.1.2-26][v5/MQTT-3.3.2-11]") {
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .topic_alias_maximum = 2});
    bench.subscribe(subscriber, "#", qos::at_most_once);
    peer& publisher = bench.connected({.client_id = "p"});
    std::array<std::string, 3> meaning;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 5; ++i) {
            const std::string topic = "topic/" + std::to_string(i);
            bench.publish(publisher, topic, "x");
            const auto got = subscriber.take_as<publish>();
            REQUIRE(got.topic_alias);
            REQUIRE((*got.topic_alias == 1 || *got.topic_alias == 2));
            if (!got.topic.empty()) {
                meaning[*got.topic_alias] = got.topic;
            }
            CHECK(meaning[*got.topic_alias] == topic);
        }
    }
    bench.publish(publisher, "topic/0", "x");
    bench.publish(publisher, "topic/0", "x");
    subscriber.take();
    CHECK(subscriber.take_as<publish>().topic.empty());
}

TEST_CASE("a client that allows no aliases gets none", "[v5/MQTT-3.1.2-27]") {
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s"});
    bench.subscribe(subscriber, "#", qos::at_most_once);
    peer& publisher = bench.connected({.client_id = "p"});
    for (int i = 0; i < 3; ++i) {
        bench.publish(publisher, "a/long/topic", "x");
        CHECK_FALSE(subscriber.take_as<publish>().topic_alias);
    }
}

TEST_CASE("Response Topic and Content Type are checked as strings",
          "[v5/MQTT-3.3.2-13][v5/MQTT-3.3.2-19]") {
    const auto packet = GENERATE("30 08 00 01 61 04 08 00 01 FF", "30 08 00 01 61 04 03 00 01 C0");
    broker_bench bench;
    peer& sender = bench.connected();
    sender.send_hex(packet);
    CHECK(sender.ended_with(reason_code::malformed_packet));
}

TEST_CASE("a response topic with a wildcard is refused and not forwarded", "[v5/MQTT-3.3.2-14]") {
    broker_bench bench;
    peer& watcher = bench.connected({.client_id = "w"});
    bench.subscribe(watcher, "#", qos::at_most_once);
    peer& sender = bench.connected({.client_id = "s"});
    sender.send_hex("30 0A 00 01 61 06 08 00 03 61 2F 23");
    CHECK(sender.ended_with(reason_code::protocol_error));
    CHECK(watcher.waiting() == 0);
}

TEST_CASE("a PUBLISH is answered by its QoS", "[v5/MQTT-3.3.4-1][v3/MQTT-3.3.4-1]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& watcher = bench.connected({.client_id = "w"});
    bench.subscribe(watcher, "t", qos::at_most_once);
    peer& sender = bench.connected({.client_id = "s", .version = version});
    bench.publish(sender, "t", "0");
    CHECK(sender.waiting() == 0);
    bench.publish(sender, "t", "1", qos::at_least_once, 0x1234);
    CHECK(sender.take_hex() == "40 02 12 34");
    bench.publish(sender, "t", "2", qos::exactly_once, 0x1235);
    CHECK(sender.take_hex() == "50 02 12 35");
}

TEST_CASE("overlapping subscriptions get one copy at the highest QoS, with all identifiers",
          "[v5/MQTT-3.3.4-2][v3/MQTT-3.3.5-1][v5/MQTT-3.3.4-3][v5/MQTT-3.3.4-4]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    const bool v5 = version == protocol_version::v5;
    const auto id = [&](std::uint32_t value) {
        return v5 ? std::optional<std::uint32_t>(value) : std::nullopt;
    };
    bench.subscribe(subscriber, "a/#", at(qos::at_most_once), id(1));
    bench.subscribe(subscriber, "a/b", at(qos::exactly_once), id(2));
    bench.subscribe(subscriber, "+/b", at(qos::at_least_once), id(1));
    bench.publish(bench.connected({.client_id = "p"}), "a/b", "x", qos::exactly_once, 1);
    const auto got = subscriber.take_as<publish>();
    CHECK(got.qos == qos::exactly_once);
    if (v5) {
        std::vector<std::uint32_t> seen;
        got.subscription_identifiers.for_each([&](std::uint32_t each) { seen.push_back(each); });
        std::sort(seen.begin(), seen.end());
        CHECK(seen == std::vector<std::uint32_t>{1, 1, 2});
    }
    CHECK(subscriber.waiting() == 0);
}

TEST_CASE("several identifiers go with QoS 0 and with retained RETAIN flags alike",
          "[v5/MQTT-3.3.4-4]") {
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s"});
    bench.subscribe(subscriber, "a/#", at(qos::at_most_once), 1);
    bench.subscribe(subscriber, "a/b", {qos::at_most_once, false, true, retain_handling::send}, 2);
    bench.publish(bench.connected({.client_id = "p"}), "a/b", "x", qos::at_most_once, 0, true);
    const auto got = subscriber.take_as<publish>();
    CHECK(got.retain);  // one of the subscriptions wants it kept
    std::vector<std::uint32_t> seen;
    got.subscription_identifiers.for_each([&](std::uint32_t each) { seen.push_back(each); });
    CHECK(seen.size() == 2);
}

TEST_CASE("on request each subscription gets its own copy with its own identifier and QoS",
          "[v5/MQTT-3.3.4-5]") {
    broker::broker_options options;
    options.overlapping_subscriptions = broker::overlapping_subscriptions::copy_per_subscription;
    broker_bench bench(options);
    peer& subscriber = bench.connected({.client_id = "s"});
    bench.subscribe(subscriber, "a/b", at(qos::at_least_once), 2);
    bench.subscribe(subscriber, "a/#", at(qos::at_most_once), 1);
    bench.publish(bench.connected({.client_id = "p"}), "a/b", "x", qos::exactly_once, 1);
    const auto take = [&] {
        const auto got = subscriber.take_as<publish>();
        std::uint32_t id = 0;
        got.subscription_identifiers.for_each([&](std::uint32_t each) { id = each; });
        return std::make_pair(id, got.qos);
    };
    CHECK(take() == std::make_pair(2u, qos::at_least_once));
    CHECK(take() == std::make_pair(1u, qos::at_most_once));
    CHECK(subscriber.waiting() == 0);
}

TEST_CASE("a client may not send a subscription identifier", "[v5/MQTT-3.3.4-6]") {
    broker_bench bench;
    peer& watcher = bench.connected({.client_id = "w"});
    bench.subscribe(watcher, "#", qos::at_most_once);
    peer& sender = bench.connected({.client_id = "s"});
    sender.send_hex("30 06 00 01 61 02 0B 01");
    CHECK(sender.ended_with(reason_code::protocol_error));
    CHECK(watcher.waiting() == 0);
}

TEST_CASE("a client that opens more PUBLISHes than the receive maximum is disconnected",
          "[v5/MQTT-3.3.4-7]") {
    broker::broker_options options;
    options.receive_maximum = 2;
    broker_bench bench(options);
    peer& sender = bench.connected();
    for (std::uint16_t id = 1; id <= 2; ++id) {
        bench.publish(sender, "t", "x", qos::exactly_once, id);
        CHECK(sender.take_as<pubrec>().packet_id == id);
    }
    SECTION("one more is too many") {
        bench.publish(sender, "t", "x", qos::exactly_once, 3);
        CHECK(sender.ended_with(reason_code::receive_maximum_exceeded));
    }
    SECTION("a completed one makes room") {
        sender.send_hex("62 02 00 01");
        CHECK(sender.take_as<pubcomp>().packet_id == 1);
        bench.publish(sender, "t", "x", qos::exactly_once, 3);
        CHECK(sender.take_as<pubrec>().packet_id == 3);
    }
}

TEST_CASE("the broker keeps within the client's receive maximum, and only PUBLISH waits for it",
          "[v5/MQTT-3.3.4-9][v5/MQTT-3.3.4-10][v5/MQTT-4.9.0-1][v5/MQTT-4.9.0-2]"
          "[v5/MQTT-4.9.0-3]") {
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .receive_maximum = 2});
    bench.subscribe(subscriber, "t", qos::exactly_once);
    peer& publisher = bench.connected({.client_id = "p"});
    for (std::uint16_t i = 1; i <= 4; ++i) {
        bench.publish(publisher, "t", std::to_string(i), qos::at_least_once, i);
    }
    CHECK(subscriber.take_publish() == "t=1 q1");
    CHECK(subscriber.take_publish() == "t=2 q1");
    CHECK(subscriber.waiting() == 0);

    CHECK(subscriber.is_served());
    bench.subscribe(subscriber, "u", qos::at_most_once);
    bench.publish(publisher, "u", "q0");
    CHECK(subscriber.take_publish() == "u=q0");
    bench.publish(subscriber, "v", "x", qos::at_least_once, 9);
    CHECK(subscriber.take_as<puback>().packet_id == 9);

    subscriber.send_hex("40 02 00 02");
    CHECK(subscriber.take_publish() == "t=3 q1");
    CHECK(subscriber.waiting() == 0);
    subscriber.send_hex("40 02 00 01");
    CHECK(subscriber.take_publish() == "t=4 q1");
}

class denying_hooks : public broker::broker_hooks {
public:
    bool authorize_publish(const broker::client_info&, const publish& message) override {
        return message.topic != "forbidden";
    }
    bool authorize_subscribe(const broker::client_info&, std::string_view filter,
                             const subscription_options&) override {
        return filter != "forbidden";
    }
};

TEST_CASE("a PUBLISH that is not authorised is acknowledged and not forwarded",
          "[v3/MQTT-3.3.5-2]") {
    denying_hooks hooks;
    broker_bench bench({}, &hooks);
    peer& watcher = bench.connected({.client_id = "w"});
    bench.subscribe(watcher, "#", qos::exactly_once);
    peer& sender = bench.connected({.client_id = "s", .version = protocol_version::v3_1_1});
    bench.publish(sender, "forbidden", "x", qos::at_least_once, 7);
    CHECK(sender.take_hex() == "40 02 00 07");
    bench.publish(sender, "forbidden", "x", qos::exactly_once, 8);
    CHECK(sender.take_hex() == "50 02 00 08");
    sender.send_hex("62 02 00 08");
    CHECK(sender.take_hex() == "70 02 00 08");
    CHECK(watcher.waiting() == 0);
}

TEST_CASE("in 5.0 the acknowledgement tells that the client is not authorised",
          "[v5/MQTT-4.3.3-9]") {
    denying_hooks hooks;
    broker_bench bench({}, &hooks);
    peer& watcher = bench.connected({.client_id = "w"});
    bench.subscribe(watcher, "#", qos::exactly_once);
    peer& sender = bench.connected({.client_id = "s"});
    bench.publish(sender, "forbidden", "x", qos::exactly_once, 9);
    CHECK(sender.take_as<pubrec>().code == reason_code::not_authorized);
    // The id is free again: the next PUBLISH under it is a new message.
    bench.publish(sender, "allowed", "y", qos::exactly_once, 9);
    CHECK(sender.take_as<pubrec>().code == reason_code::success);
    CHECK(watcher.take_publish() == "allowed=y q2");
}

TEST_CASE("codes that an acknowledgement cannot hold end the connection",
          "[v5/MQTT-3.4.2-1][v5/MQTT-3.5.2-1][v5/MQTT-3.6.2-1][v5/MQTT-3.7.2-1]") {
    const auto packet =
        GENERATE("40 03 00 01 92", "50 03 00 01 92", "62 03 00 01 80", "70 03 00 01 80");
    broker_bench bench;
    peer& sender = bench.connected();
    sender.send_hex(packet);
    CHECK(sender.ended_with(reason_code::protocol_error));
}

TEST_CASE("PUBREL has to have the flags 2", "[v5/MQTT-3.6.1-1][v3/MQTT-3.6.1-1]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex("60 02 00 01");
    CHECK(sender.ended_with(reason_code::malformed_packet));
}

TEST_CASE("PUBREL of an unknown id is answered with packet identifier not found",
          "[v5/MQTT-3.7.2-1]") {
    broker_bench bench;
    peer& sender = bench.connected();
    sender.send_hex("62 02 00 05");
    CHECK(sender.take_hex() == "70 03 00 05 92");
}

}  // namespace
}  // namespace fleetarium::test
