#include <fleetarium/codec/topic.hpp>

#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

// Section 4: sessions, QoS exchanges, order, topics and shared subscriptions at the broker.

namespace fleetarium::test {
namespace {

constexpr std::array<std::uint16_t, 3> shuffled_ids{3, 1, 2};

const auto both_versions = [] { return GENERATE(protocol_version::v3_1_1, protocol_version::v5); };

subscription_options at(enum qos level) {
    return {level, false, false, retain_handling::send};
}

/// A client whose session outlives its connection by a minute, in either version.
connect_with resumable(std::string client_id, protocol_version version) {
    connect_with out;
    out.client_id = std::move(client_id);
    out.version = version;
    out.clean_start = false;
    if (version == protocol_version::v5) {
        out.session_expiry = 60;
    }
    return out;
}

std::uint64_t dropped(broker_bench& bench, broker::drop_reason why) {
    return bench.core().metrics().dropped[static_cast<std::size_t>(why)];
}

// 4.1 and 4.4: session state

TEST_CASE("session state lives at least as long as the connection",
          "[v5/MQTT-4.1.0-1][v3/MQTT-4.1.0-2]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    bench.subscribe(subscriber, "t", qos::exactly_once);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "1", qos::exactly_once, 1);
    CHECK(subscriber.take_publish() == "t=1 q2");
    bench.advance(72h);
    subscriber.send_hex("50 02 00 01");
    CHECK(subscriber.take_hex() == "62 02 00 01");
    bench.publish(publisher, "t", "2");
    CHECK(subscriber.take_publish() == "t=2");
}

TEST_CASE("a session goes on where it stopped", "[v3/MQTT-4.1.0-1]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& before = bench.connected(resumable("s", version));
    bench.subscribe(before, "t", qos::exactly_once);
    bench.publish(bench.connected({.client_id = "p"}), "t", "x", qos::exactly_once, 1);
    CHECK(before.take_publish() == "t=x q2");
    bench.publish(before, "u", "mine", qos::exactly_once, 40);
    CHECK(before.take_as<pubrec>().packet_id == 40);
    before.cut();

    peer& after = bench.connected(resumable("s", version));
    CHECK(after.take_publish() == "t=x q2 dup");
    after.send_hex("50 02 00 01");
    CHECK(after.take_hex() == "62 02 00 01");
    after.send_hex("62 02 00 28");
    CHECK(after.take_hex() == "70 02 00 28");
}

TEST_CASE("a session is deleted when its expiry interval is over", "[v5/MQTT-4.1.0-2]") {
    broker_bench bench;
    connect_with how = resumable("s", protocol_version::v5);
    how.session_expiry = 1;
    bench.connected(how).cut();
    bench.advance(2s);
    CHECK(bench.core().session_count() == 0);
    CHECK_FALSE(bench.connect(how).take_as<connack>().session_present);
}

TEST_CASE("what is not acknowledged is resent with its old id after a resume, and at no other time",
          "[v5/MQTT-4.4.0-1][v3/MQTT-4.4.0-1]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& before = bench.connected(resumable("s", version));
    bench.subscribe(before, "t", qos::exactly_once);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "one", qos::at_least_once, 1);
    bench.publish(publisher, "t", "two", qos::exactly_once, 2);
    CHECK(before.take_as<publish>().packet_id == 1);
    CHECK(before.take_as<publish>().packet_id == 2);
    before.send_hex("50 02 00 02");
    CHECK(before.take_hex() == "62 02 00 02");

    bench.advance(60s);
    CHECK(before.waiting() == 0);
    before.cut();
    peer& after = bench.connected(resumable("s", version));
    const auto again = after.take_as<publish>();
    CHECK(again.packet_id == 1);
    CHECK(again.dup);
    CHECK(after.take_hex() == "62 02 00 02");
    CHECK(after.waiting() == 0);
}

TEST_CASE("an acknowledgement with a failure is an acknowledgement", "[v5/MQTT-4.4.0-2]") {
    broker_bench bench;
    peer& before = bench.connected(resumable("s", protocol_version::v5));
    bench.subscribe(before, "t", qos::exactly_once);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "x", qos::at_least_once, 1);
    bench.publish(publisher, "t", "y", qos::exactly_once, 2);
    before.discard();
    before.send_hex("40 03 00 01 87");
    before.send_hex("50 03 00 02 87");
    CHECK(before.waiting() == 0);  // no PUBREL
    before.cut();
    CHECK(bench.connected(resumable("s", protocol_version::v5)).waiting() == 0);
}

// 4.3: the exchanges

TEST_CASE("a QoS 0 message is sent once, with QoS 0 and DUP 0",
          "[v5/MQTT-4.3.1-1][v3/MQTT-4.3.1-1][v5/MQTT-2.2.1-2][v3/MQTT-2.3.1-5]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    bench.subscribe(subscriber, "a", qos::exactly_once);
    bench.publish(bench.connected({.client_id = "p"}), "a", "x");
    CHECK(subscriber.take_hex() ==
          (version == protocol_version::v5 ? "30 05 00 01 61 00 78" : "30 04 00 01 61 78"));
    CHECK(subscriber.waiting() == 0);
}

TEST_CASE("the broker as sender of QoS 1: fresh ids, DUP 0, unacknowledged until PUBACK",
          "[v5/MQTT-4.3.2-1][v5/MQTT-4.3.2-2][v5/MQTT-4.3.2-3][v3/MQTT-4.3.2-1]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& before = bench.connected(resumable("s", version));
    bench.subscribe(before, "t", qos::at_least_once);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "1", qos::at_least_once, 1);
    bench.publish(publisher, "t", "2", qos::at_least_once, 2);
    const auto first = before.take_as<publish>();
    CHECK(first.packet_id == 1);
    CHECK(first.qos == qos::at_least_once);
    CHECK_FALSE(first.dup);
    CHECK(before.take_as<publish>().packet_id == 2);
    before.send_hex("40 02 00 01");
    before.cut();
    peer& after = bench.connected(resumable("s", version));
    CHECK(after.take_publish() == "t=2 q1 dup");
    CHECK(after.waiting() == 0);
}

TEST_CASE("the broker as receiver of QoS 1: after PUBACK the id stands for a new message",
          "[v5/MQTT-4.3.2-4][v5/MQTT-4.3.2-5][v3/MQTT-4.3.2-2][v5/MQTT-2.2.1-5][v3/MQTT-2.3.1-6]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& watcher = bench.connected({.client_id = "w"});
    bench.subscribe(watcher, "t", qos::at_most_once);
    peer& sender = bench.connected({.client_id = "s", .version = version});
    publish message;
    message.topic = "t";
    message.qos = qos::at_least_once;
    message.packet_id = 9;
    sender.send(message);
    CHECK(sender.take_as<puback>().packet_id == 9);
    message.dup = true;
    sender.send(message);
    CHECK(sender.take_as<puback>().packet_id == 9);
    CHECK(watcher.waiting() == 2);
}

TEST_CASE("the broker as sender of QoS 2: PUBLISH until PUBREC, PUBREL until PUBCOMP, no way back",
          "[v5/MQTT-4.3.3-1][v5/MQTT-4.3.3-2][v5/MQTT-4.3.3-3][v5/MQTT-4.3.3-4]"
          "[v5/MQTT-4.3.3-5][v5/MQTT-4.3.3-6][v3/MQTT-4.3.3-1]") {
    const auto version = both_versions();
    broker_bench bench;
    peer* subscriber = &bench.connected(resumable("s", version));
    bench.subscribe(*subscriber, "t", qos::exactly_once);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "x", qos::exactly_once, 1);
    bench.publish(publisher, "t", "y", qos::exactly_once, 2);
    CHECK(subscriber->take_publish() == "t=x q2");
    CHECK(subscriber->take_as<publish>().packet_id == 2);

    subscriber->cut();
    subscriber = &bench.connected(resumable("s", version));
    CHECK(subscriber->take_publish() == "t=x q2 dup");
    CHECK(subscriber->take_publish() == "t=y q2 dup");
    subscriber->send_hex("50 02 00 01");
    CHECK(subscriber->take_hex() == "62 02 00 01");

    subscriber->cut();
    subscriber = &bench.connected(resumable("s", version));
    CHECK(subscriber->take_hex() == "62 02 00 01");
    CHECK(subscriber->take_publish() == "t=y q2 dup");
    subscriber->send_hex("70 02 00 01");
    subscriber->send_hex("50 02 00 02");
    CHECK(subscriber->take_hex() == "62 02 00 02");
    subscriber->send_hex("70 02 00 02");

    subscriber->cut();
    CHECK(bench.connected(resumable("s", version)).waiting() == 0);
}

TEST_CASE("expiry does not cut an exchange short that has begun", "[v5/MQTT-4.3.3-7]") {
    broker_bench bench;
    peer& before = bench.connected(resumable("s", protocol_version::v5));
    bench.subscribe(before, "t", qos::exactly_once);
    publish message;
    message.topic = "t";
    message.qos = qos::exactly_once;
    message.packet_id = 1;
    message.message_expiry_interval = 1;
    bench.connected({.client_id = "p"}).send(message);
    CHECK(before.take_publish() == "t= q2");
    before.cut();
    bench.advance(2s);
    CHECK(bench.connected(resumable("s", protocol_version::v5)).take_publish() == "t= q2 dup");
}

TEST_CASE("the broker as receiver of QoS 2: one delivery however often the PUBLISH comes",
          "[v5/MQTT-4.3.3-8][v5/MQTT-4.3.3-10][v5/MQTT-4.3.3-11][v5/MQTT-4.3.3-12]"
          "[v3/MQTT-4.3.3-2]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& watcher = bench.connected({.client_id = "w"});
    bench.subscribe(watcher, "t", qos::at_most_once);
    peer& sender = bench.connected({.client_id = "s", .version = version});
    for (int exchange = 0; exchange < 2; ++exchange) {
        publish message;
        message.topic = "t";
        message.qos = qos::exactly_once;
        message.packet_id = 5;
        sender.send(message);
        CHECK(sender.take_as<pubrec>().packet_id == 5);
        message.dup = true;
        sender.send(message);
        CHECK(sender.take_as<pubrec>().packet_id == 5);
        CHECK(watcher.take_publish() == "t=");
        CHECK(watcher.waiting() == 0);
        sender.send_hex("62 02 00 05");
        CHECK(sender.take_as<pubcomp>().code == reason_code::success);
        sender.send_hex("62 02 00 05");
        CHECK(sender.take_as<pubcomp>().packet_id == 5);
    }
}

TEST_CASE("the receiver completes the exchange though the message has expired",
          "[v5/MQTT-4.3.3-13]") {
    broker_bench bench;
    peer& sender = bench.connected();
    publish message;
    message.topic = "t";
    message.qos = qos::exactly_once;
    message.packet_id = 5;
    message.message_expiry_interval = 1;
    sender.send(message);
    CHECK(sender.take_as<pubrec>().packet_id == 5);
    bench.advance(2s);
    sender.send_hex("62 02 00 05");
    CHECK(sender.take_hex() == "70 02 00 05");
}

// 4.5 and 4.6: who gets a message, and in which order

TEST_CASE("a message taken on reaches every matching session, present or not",
          "[v5/MQTT-4.5.0-1][v3/MQTT-4.5.0-1][v3/MQTT-3.1.2-5]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& online = bench.connected({.client_id = "on", .version = version});
    bench.subscribe(online, "t", qos::exactly_once);
    peer& offline = bench.connected(resumable("off", version));
    bench.subscribe(offline, "t", qos::exactly_once);
    offline.cut();
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "1", qos::at_least_once, 1);
    bench.publish(publisher, "t", "2", qos::exactly_once, 2);
    CHECK(online.take_publish() == "t=1 q1");
    CHECK(online.take_publish() == "t=2 q2");
    peer& back = bench.connected(resumable("off", version));
    CHECK(back.take_publish() == "t=1 q1");
    CHECK(back.take_publish() == "t=2 q2");
}

TEST_CASE("messages of one publisher keep their order, resends included",
          "[v5/MQTT-4.6.0-5][v5/MQTT-4.6.0-6][v3/MQTT-4.6.0-5][v3/MQTT-4.6.0-6]"
          "[v3/MQTT-4.6.0-1]") {
    const auto version = both_versions();
    const auto level = GENERATE(qos::at_least_once, qos::exactly_once);
    broker_bench bench;
    connect_with how = resumable("s", version);
    peer* subscriber = &bench.connected(how);
    bench.subscribe(*subscriber, "t", level);
    peer& publisher = bench.connected({.client_id = "p"});
    int next = 1;
    const auto expect_up_to = [&](int last) {
        while (next <= last) {
            const auto got = subscriber->take_as<publish>();
            REQUIRE(std::string(as_text(got.payload)) == std::to_string(next));
            ++next;
        }
    };
    for (int i = 1; i <= 1000; ++i) {
        bench.publish(publisher, "t", std::to_string(i), level,
                      static_cast<std::uint16_t>(1 + i % 500));
        publisher.send_hex(
            level == qos::exactly_once
                ? to_hex(bytes{0x62, 2, static_cast<std::uint8_t>((1 + i % 500) >> 8),
                               static_cast<std::uint8_t>(1 + i % 500)})
                : "C0 00");
        publisher.discard();
        if (i == 400) {
            expect_up_to(400);
            subscriber->cut();
            subscriber = &bench.connected(how);
            next = 1;  // all of them are resent, in their first order
        }
    }
    expect_up_to(1000);
    CHECK(subscriber->waiting() == 0);
}

TEST_CASE("acknowledgements go out in the order of what they acknowledge",
          "[v3/MQTT-4.6.0-2][v3/MQTT-4.6.0-3][v3/MQTT-4.6.0-4]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& sender = bench.connected({.client_id = "s", .version = version});
    for (const std::uint16_t id : shuffled_ids) {
        bench.publish(sender, "t", "x", qos::at_least_once, id);
    }
    for (const std::uint16_t id : shuffled_ids) {
        CHECK(sender.take_as<puback>().packet_id == id);
    }
    for (const std::uint16_t id : shuffled_ids) {
        bench.publish(sender, "t", "x", qos::exactly_once, id);
    }
    for (const std::uint16_t id : shuffled_ids) {
        CHECK(sender.take_as<pubrec>().packet_id == id);
    }
    peer& subscriber = bench.connected({.client_id = "r", .version = version});
    bench.subscribe(subscriber, "u", qos::exactly_once);
    bench.publish(sender, "u", "1", qos::exactly_once, 11);
    bench.publish(sender, "u", "2", qos::exactly_once, 12);
    subscriber.discard();
    subscriber.send_hex("50 02 00 02 50 02 00 01");
    CHECK(subscriber.take_as<pubrel>().packet_id == 2);
    CHECK(subscriber.take_as<pubrel>().packet_id == 1);
}

// 4.7: topics

TEST_CASE("wildcards that are not alone on their level make a filter invalid",
          "[v5/MQTT-4.7.1-1][v5/MQTT-4.7.1-2][v3/MQTT-4.7.1-2][v3/MQTT-4.7.1-3]") {
    const auto version = both_versions();
    const auto [filter, valid] = GENERATE(table<std::string, bool>(
        {{"#", true}, {"a/#", true}, {"+", true}, {"a/+/c", true}, {"+/#", true}, {"a#", false},
         {"a/#/b", false}, {"##", false}, {"#/a", false}, {"a+", false}, {"+a/b", false},
         {"a/b+/c", false}}));
    CAPTURE(filter);
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    const subscription_request one{filter, at(qos::at_most_once)};
    subscribe request;
    request.packet_id = 1;
    request.requests = subscription_requests({&one, 1});
    sender.send(request);
    const auto answer = sender.take_as<suback>();
    REQUIRE(answer.codes.size() == 1);
    const auto refusal = version == protocol_version::v5 ? reason_code::topic_filter_invalid
                                                         : reason_code::unspecified_error;
    CHECK(answer.codes[0] == (valid ? reason_code::granted_qos_0 : refusal));
}

TEST_CASE("a filter that begins with a wildcard matches no topic that begins with $",
          "[v5/MQTT-4.7.2-1][v3/MQTT-4.7.2-1]") {
    const auto version = both_versions();
    broker::broker_options options;
    options.sys_interval = 10s;
    broker_bench bench(options);
    peer& wide = bench.connected({.client_id = "wide", .version = version});
    bench.subscribe(wide, "#", qos::at_most_once);
    bench.subscribe(wide, "+/broker/#", qos::at_most_once);
    peer& exact = bench.connected({.client_id = "exact", .version = version});
    bench.subscribe(exact, "$SYS/#", qos::at_most_once);
    exact.discard();
    bench.advance(10s);
    bench.publish(exact, "$other/broker/x", "1");
    CHECK(wide.waiting() == 0);
    CHECK(exact.waiting() > 0);
}

TEST_CASE("topic names and filters have at least one character",
          "[v5/MQTT-4.7.3-1][v3/MQTT-4.7.3-1]") {
    const auto version = both_versions();
    const bool v5 = version == protocol_version::v5;
    broker_bench bench;
    peer& publisher = bench.connected({.client_id = "p", .version = version});
    publisher.send_hex(v5 ? "30 03 00 00 00" : "30 02 00 00");
    CHECK(publisher.ended_with(reason_code::protocol_error));
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    subscriber.send_hex(v5 ? "82 06 00 01 00 00 00 00" : "82 05 00 01 00 00 00");
    CHECK(is_failure(subscriber.take_as<suback>().codes[0]));
}

TEST_CASE("U+0000 in a topic name or filter ends the connection",
          "[v5/MQTT-4.7.3-2][v3/MQTT-4.7.3-2]") {
    const auto version = both_versions();
    const bool v5 = version == protocol_version::v5;
    const auto packet =
        GENERATE_COPY(as<std::string>{}, v5 ? "30 05 00 02 61 00 00" : "30 04 00 02 61 00",
                      v5 ? "82 09 00 01 00 00 03 61 00 62 00" : "82 08 00 01 00 03 61 00 62 00");
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_hex(packet);
    CHECK(sender.ended_with(reason_code::malformed_packet));
}

TEST_CASE("a topic of 65,535 bytes is a topic", "[v5/MQTT-4.7.3-3][v3/MQTT-4.7.3-3]") {
    const auto version = both_versions();
    broker_bench bench;
    const std::string longest(65'535, 'x');
    peer& client = bench.connected({.version = version});
    bench.subscribe(client, longest, qos::at_most_once);
    bench.publish(client, longest, "y");
    CHECK(client.take_publish() == longest + "=y");
}

TEST_CASE("topics are compared byte by byte", "[v5/MQTT-4.7.3-4][v3/MQTT-4.7.3-4]") {
    const auto version = both_versions();
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .version = version});
    bench.subscribe(subscriber, "\xC3\xA9", qos::at_most_once);
    bench.subscribe(subscriber, "abc", qos::at_most_once);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "e\xCC\x81", "x");
    bench.publish(publisher, "ABC", "x");
    CHECK(subscriber.waiting() == 0);
    bench.publish(publisher, "\xC3\xA9", "x");
    CHECK(subscriber.waiting() == 1);
}

TEST_CASE("a topic with more levels than the broker stores is refused, and only that", "[topic]") {
    broker_bench bench;
    std::string deep = "a";
    while (topic_level_count(deep) <= limits::topic_levels_max) {
        deep += "/a";
    }
    peer& client = bench.connected();
    bench.publish(client, deep, "x", qos::at_least_once, 1);
    CHECK(client.take_as<puback>().code == reason_code::topic_name_invalid);
    const subscription_request one{deep, at(qos::at_most_once)};
    subscribe request;
    request.packet_id = 2;
    request.requests = subscription_requests({&one, 1});
    client.send(request);
    CHECK(client.take_as<suback>().codes[0] == reason_code::topic_filter_invalid);
    CHECK(dropped(bench, broker::drop_reason::topic_name_invalid) == 1);
    const std::string deepest = deep.substr(2);
    bench.subscribe(client, deepest, qos::at_most_once);
    bench.publish(client, deepest, "x");
    CHECK(client.take_publish() == deepest + "=x");
}

TEST_CASE("clients cannot publish for the server", "[topic]") {
    broker_bench bench;
    peer& watcher = bench.connected({.client_id = "w"});
    bench.subscribe(watcher, "$SYS/#", qos::at_most_once);
    peer& client = bench.connected({.client_id = "c"});
    bench.publish(client, "$SYS/broker/uptime", "x", qos::at_least_once, 1);
    CHECK(client.take_as<puback>().code == reason_code::not_authorized);
    bench.publish(client, "$share/g/a", "x", qos::at_least_once, 2);
    CHECK(client.take_as<puback>().code == reason_code::topic_name_invalid);
    CHECK(watcher.waiting() == 0);
}

// 4.8: shared subscriptions

TEST_CASE("a shared filter has a share name and a filter",
          "[v5/MQTT-4.8.2-1][v5/MQTT-4.8.2-2]") {
    const auto [filter, valid] = GENERATE(table<std::string, bool>(
        {{"$share/g/a", true}, {"$share/g/a/#", true}, {"$share/g//", true}, {"$share//a", false},
         {"$share/g", false}, {"$share/g/", false}, {"$share/g+/a", false}, {"$share/#/a", false},
         {"$share/g/a#", false}}));
    CAPTURE(filter);
    broker_bench bench;
    peer& sender = bench.connected();
    const subscription_request one{filter, at(qos::at_most_once)};
    subscribe request;
    request.packet_id = 1;
    request.requests = subscription_requests({&one, 1});
    sender.send(request);
    CHECK(sender.take_as<suback>().codes[0] ==
          (valid ? reason_code::granted_qos_0 : reason_code::topic_filter_invalid));
}

TEST_CASE("each message goes to one member of a group, in turn, at the QoS granted to it",
          "[v5/MQTT-4.8.2-3]") {
    const auto version = both_versions();  // 3.1.1 as an extension
    broker_bench bench;
    peer& zero = bench.connected({.client_id = "0", .version = version});
    peer& one = bench.connected({.client_id = "1", .version = version});
    bench.subscribe(zero, "$share/g/t", qos::at_most_once);
    bench.subscribe(one, "$share/g/t", qos::at_least_once);
    peer& plain = bench.connected({.client_id = "2", .version = version});
    bench.subscribe(plain, "t", qos::at_most_once);
    peer& publisher = bench.connected({.client_id = "p"});
    for (std::uint16_t i = 1; i <= 4; ++i) {
        bench.publish(publisher, "t", std::to_string(i), qos::at_least_once, i);
    }
    CHECK(zero.take_publish() == "t=1");
    CHECK(one.take_publish() == "t=2 q1");
    CHECK(zero.take_publish() == "t=3");
    CHECK(one.take_publish() == "t=4 q1");
    CHECK(zero.waiting() + one.waiting() == 0);
    CHECK(plain.waiting() == 4);
}

TEST_CASE("groups of different names or filters each get their copy", "[shared]") {
    broker_bench bench;
    peer& member = bench.connected({.client_id = "m"});
    for (const auto filter : {"$share/g/t", "$share/h/t", "$share/g/+"}) {
        bench.subscribe(member, filter, qos::at_most_once);
    }
    bench.publish(bench.connected({.client_id = "p"}), "t", "x");
    CHECK(member.waiting() == 3);
}

TEST_CASE("a shared subscription gets no retained messages at SUBSCRIBE", "[shared]") {
    broker_bench bench;
    bench.publish(bench.connected({.client_id = "p"}), "t", "x", qos::at_most_once, 0, true);
    peer& member = bench.connected({.client_id = "m"});
    bench.subscribe(member, "$share/g/t", qos::at_most_once);
    CHECK(member.waiting() == 0);
}

TEST_CASE("members that are connected are preferred", "[shared]") {
    broker_bench bench;
    peer& away = bench.connected(resumable("away", protocol_version::v5));
    bench.subscribe(away, "$share/g/t", qos::at_least_once);
    away.cut();
    peer& here = bench.connected({.client_id = "here"});
    bench.subscribe(here, "$share/g/t", qos::at_least_once);
    peer& publisher = bench.connected({.client_id = "p"});
    for (std::uint16_t i = 1; i <= 3; ++i) {
        bench.publish(publisher, "t", "x", qos::at_least_once, i);
    }
    CHECK(here.waiting() == 3);
    here.cut();  // its session ends: what it has not acknowledged goes to the member left
    CHECK(bench.core().find_session("away")->queued == 3);
}

TEST_CASE("a QoS 2 delivery cut midway is completed with the same member",
          "[v5/MQTT-4.8.2-4][v5/MQTT-4.8.2-5]") {
    broker_bench bench;
    peer& chosen = bench.connected(resumable("chosen", protocol_version::v5));
    bench.subscribe(chosen, "$share/g/t", qos::exactly_once);
    peer& other = bench.connected({.client_id = "other"});
    bench.subscribe(other, "$share/g/t", qos::exactly_once);
    bench.publish(bench.connected({.client_id = "p"}), "t", "x", qos::exactly_once, 1);
    CHECK(chosen.take_as<publish>().packet_id == 1);
    chosen.cut();
    SECTION("it comes back") {
        peer& back = bench.connected(resumable("chosen", protocol_version::v5));
        const auto again = back.take_as<publish>();
        CHECK(again.packet_id == 1);
        CHECK(again.dup);
    }
    SECTION("its session ends first") {
        bench.advance(61s);
        CHECK_FALSE(bench.core().find_session("chosen"));
    }
    CHECK(other.waiting() == 0);
}

TEST_CASE("a member that refuses a message ends its delivery", "[v5/MQTT-4.8.2-6]") {
    const auto [level, refusal] = GENERATE(
        table<qos, std::string>({{qos::at_least_once, "40 03 00 01 80"},
                                 {qos::exactly_once, "50 03 00 01 80"}}));
    broker_bench bench;
    peer& chosen = bench.connected({.client_id = "chosen"});
    bench.subscribe(chosen, "$share/g/t", qos::exactly_once);
    peer& other = bench.connected({.client_id = "other"});
    bench.subscribe(other, "$share/g/t", qos::exactly_once);
    bench.publish(bench.connected({.client_id = "p"}), "t", "x", level, 1);
    CHECK(chosen.take_as<publish>().packet_id == 1);
    chosen.send_hex(refusal);
    CHECK(chosen.waiting() == 0);
    CHECK(other.waiting() == 0);
    CHECK(bench.core().deliveries_waiting() == 0);
}

// Bounds of queues

TEST_CASE("a queue at its bound drops by its policy, and says so", "[queue]") {
    const auto policy = GENERATE(broker::queue_policy::drop_new, broker::queue_policy::drop_oldest);
    const auto by_bytes = GENERATE(false, true);
    broker::broker_options options;
    options.queue_policy = policy;
    options.queue_messages_max = by_bytes ? 1000 : 3;
    publish sample;
    sample.topic = "t";
    sample.payload = as_bytes_view("1");
    options.queue_bytes_max =
        by_bytes ? 3 * message::make(sample, {})->memory_bytes() : options.queue_bytes_max;
    broker_bench bench(options);
    peer& before = bench.connected(resumable("s", protocol_version::v5));
    bench.subscribe(before, "t", qos::at_least_once);
    before.cut();
    peer& publisher = bench.connected({.client_id = "p"});
    for (std::uint16_t i = 1; i <= 5; ++i) {
        bench.publish(publisher, "t", std::to_string(i), qos::at_least_once, i);
    }
    CHECK(dropped(bench, broker::drop_reason::queue_full) == 2);
    peer& after = bench.connected(resumable("s", protocol_version::v5));
    const int first = policy == broker::queue_policy::drop_new ? 1 : 3;
    for (int i = first; i < first + 3; ++i) {
        CHECK(after.take_publish() == "t=" + std::to_string(i) + " q1");
    }
    CHECK(after.waiting() == 0);
}

TEST_CASE("QoS 0 for an absent session is dropped, or kept on request", "[queue]") {
    const auto kept = GENERATE(false, true);
    broker::broker_options options;
    options.queue_qos_0_offline = kept;
    broker_bench bench(options);
    peer& before = bench.connected(resumable("s", protocol_version::v5));
    bench.subscribe(before, "t", qos::at_least_once);
    before.cut();
    bench.publish(bench.connected({.client_id = "p"}), "t", "x");
    CHECK(dropped(bench, broker::drop_reason::offline) == (kept ? 0 : 1));
    CHECK(bench.connected(resumable("s", protocol_version::v5)).take_publish() ==
          (kept ? "t=x" : ""));
}

TEST_CASE("the in-flight window of the broker bounds 3.1.1 clients too", "[queue]") {
    broker::broker_options options;
    options.inflight_messages_max = 2;
    broker_bench bench(options);
    peer& subscriber = bench.connected({.client_id = "s", .version = protocol_version::v3_1_1});
    bench.subscribe(subscriber, "t", qos::at_least_once);
    peer& publisher = bench.connected({.client_id = "p"});
    for (std::uint16_t i = 1; i <= 3; ++i) {
        bench.publish(publisher, "t", "x", qos::at_least_once, i);
    }
    CHECK(subscriber.waiting() == 2);
    subscriber.send_hex("40 02 00 01");
    CHECK(subscriber.waiting() == 3);
}

TEST_CASE("given a client that never sends PUBCOMP, when it connects again and again, then no more "
          "messages are in flight to it than the window has room for",
          "[queue][threat/memory]") {
    const auto version = both_versions();
    broker::broker_options options;
    options.inflight_messages_max = 2;
    broker_bench bench(options);
    peer* subscriber = &bench.connected(resumable("s", version));
    bench.subscribe(*subscriber, "t", qos::exactly_once);
    peer& publisher = bench.connected({.client_id = "p"});
    for (std::uint16_t i = 1; i <= 4; ++i) {
        bench.publish(publisher, "t", std::to_string(i), qos::exactly_once, i);
    }
    CHECK(subscriber->take_publish() == "t=1 q2");
    subscriber->send_hex("50 02 00 01");  // PUBREC of the first
    for (int i = 0; i < 3; ++i) {
        subscriber->cut();
        subscriber = &bench.connected(resumable("s", version));
        CHECK(subscriber->take_as<pubrel>().packet_id == 1);
        CHECK(subscriber->take_as<publish>().packet_id == 2);
        CHECK(subscriber->waiting() == 0);
        CHECK(bench.core().find_session("s")->in_flight == 2);
    }
    subscriber->send_hex("70 02 00 01");  // PUBCOMP makes room
    CHECK(subscriber->take_publish() == "t=3 q2");
    CHECK(subscriber->waiting() == 0);
}

TEST_CASE("a transient fault ends the connection it came on, and no other", "[v3/MQTT-4.8.0-2]") {
    broker::broker_options options;
    options.maximum_packet_size = 100;
    broker_bench bench(options);
    peer& other = bench.connected({.client_id = "o", .version = protocol_version::v3_1_1});
    peer& sender = bench.connected({.client_id = "s", .version = protocol_version::v3_1_1});
    bench.publish(sender, "t", std::string(200, 'x'));
    CHECK(sender.closed_silently());
    CHECK(other.is_served());
}

TEST_CASE("the retained store at its bound keeps what it has, and says so", "[retain]") {
    broker::broker_options options;
    options.retained_messages_max = 1;
    broker_bench bench(options);
    peer& publisher = bench.connected();
    bench.publish(publisher, "a", "1", qos::at_most_once, 0, true);
    bench.publish(publisher, "b", "2", qos::at_most_once, 0, true);
    bench.publish(publisher, "a", "3", qos::at_most_once, 0, true);
    CHECK(bench.core().retained().size() == 1);
    CHECK(dropped(bench, broker::drop_reason::retained_full) == 1);
    CHECK(as_text((*bench.core().retained().find("a"))->payload()) == "3");
}

}  // namespace
}  // namespace fleetarium::test
