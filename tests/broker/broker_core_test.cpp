#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

using namespace fleetarium;
using namespace fleetarium::test;

TEST_CASE("a message reaches a subscriber at each QoS", "[broker]") {
    broker_bench bench;
    peer& publisher = bench.connected({.client_id = "p"});
    peer& subscriber = bench.connected({.client_id = "s"});
    bench.subscribe(subscriber, "a/#", qos::exactly_once);

    bench.publish(publisher, "a/b", "hi");
    CHECK(subscriber.take_hex() == "30 08 00 03 61 2F 62 00 68 69");

    bench.publish(publisher, "a/b", "hi", qos::at_least_once, 7);
    CHECK(publisher.take_hex() == "40 02 00 07");
    CHECK(subscriber.take_hex() == "32 0A 00 03 61 2F 62 00 01 00 68 69");
    subscriber.send_hex("40 02 00 01");

    bench.publish(publisher, "a/b", "hi", qos::exactly_once, 8);
    CHECK(publisher.take_hex() == "50 02 00 08");
    CHECK(subscriber.take_hex() == "34 0A 00 03 61 2F 62 00 02 00 68 69");
    publisher.send_hex("62 02 00 08");
    CHECK(publisher.take_hex() == "70 02 00 08");
    subscriber.send_hex("50 02 00 02");
    CHECK(subscriber.take_hex() == "62 02 00 02");
    subscriber.send_hex("70 02 00 02");
    CHECK(subscriber.waiting() == 0);
    CHECK(bench.core().deliveries_waiting() == 0);
    CHECK(bench.core().metrics().acknowledged[1] == 1);
    CHECK(bench.core().metrics().acknowledged[2] == 1);
}

TEST_CASE(
    "what a member of two shared subscriptions leaves behind goes to another member of the "
    "one that it came by",
    "[broker][shared_groups]") {
    broker_bench bench;
    auto& leaves = bench.connected({.client_id = "leaves", .session_expiry = 100});
    auto& other = bench.connected({.client_id = "other"});
    auto& stays = bench.connected({.client_id = "stays"});
    bench.subscribe(other, "$share/g/a", qos::at_least_once);
    bench.subscribe(leaves, "$share/g/a", qos::at_least_once);
    bench.subscribe(leaves, "$share/h/+", qos::at_least_once);
    auto& sender = bench.connected({.client_id = "sender"});
    bench.publish(sender, "a", "1", qos::at_least_once, 1);
    CHECK(other.take_publish() == "a=1 q1");   // g, whose turn it was
    CHECK(leaves.take_publish() == "a=1 q1");  // h, of which it is the only member

    bench.subscribe(stays, "$share/h/+", qos::at_least_once);
    leaves.cut();
    bench.connected({.client_id = "leaves"});  // a clean start: the session before has ended
    CHECK(stays.take_publish() == "a=1 q1");
    CHECK(other.take_publish() == "");
}

TEST_CASE("a session that ends gives its memory back", "[broker]") {
    broker_bench bench;
    for (int i = 0; i < 3; ++i) {
        peer& one = bench.connected({.client_id = "c" + std::to_string(i)});
        bench.subscribe(one, "t/" + std::to_string(i), qos::at_least_once);
        one.cut();
    }
    CHECK(bench.core().session_count() == 0);
    CHECK(bench.core().connection_count() == 0);
    CHECK(bench.core().subscription_count() == 0);
}
