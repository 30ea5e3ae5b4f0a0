#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <string_view>
#include <vector>

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

TEST_CASE("behind the groups of others, however many, what a member leaves behind goes on as well",
          "[broker][shared_groups]") {
    broker_bench bench;
    auto& crowd = bench.connected({.client_id = "crowd"});
    for (int i = 0; i < 200; ++i) {
        bench.subscribe(crowd, "$share/c" + std::to_string(i) + "/a", qos::at_most_once);
    }
    auto& leaves = bench.connected({.client_id = "leaves", .session_expiry = 100});
    bench.subscribe(leaves, "$share/g/a", qos::at_least_once);
    auto& sender = bench.connected({.client_id = "sender"});
    for (std::uint16_t i = 1; i <= 3; ++i) {
        bench.publish(sender, "a", std::to_string(i), qos::at_least_once, i);
    }
    CHECK(leaves.waiting() == 3);

    auto& stays = bench.connected({.client_id = "stays"});
    bench.subscribe(stays, "$share/g/a", qos::at_least_once);
    leaves.cut();
    bench.connected({.client_id = "leaves"});
    CHECK(stays.take_publish() == "a=1 q1");
    CHECK(stays.take_publish() == "a=2 q1");
    CHECK(stays.take_publish() == "a=3 q1");
    CHECK(stays.waiting() == 0);
}

TEST_CASE("of the filters that one UNSUBSCRIBE names, those and no others are gone",
          "[broker][v5/MQTT-3.10.4-1]") {
    const int count = GENERATE(2, 40);
    broker_bench bench;
    auto& client = bench.connected({.client_id = "c", .session_expiry = 100});
    for (int i = 0; i < 50; ++i) {
        bench.subscribe(client, "t/" + std::to_string(i));
    }
    std::vector<std::string> names{"never/had"};
    for (int i = 0; i < count; ++i) {
        names.push_back("t/" + std::to_string(49 - i));
    }
    names.push_back("t/49");  // a second time
    const std::vector<std::string_view> filters(names.begin(), names.end());
    unsubscribe request;
    request.packet_id = 9;
    request.filters = topic_filters({filters.data(), filters.size()});
    client.send(request);
    const auto answer = client.take_as<unsuback>();
    REQUIRE(answer.codes.size() == names.size());
    CHECK(answer.codes[0] == reason_code::no_subscription_existed);
    CHECK(answer.codes[1] == reason_code::success);
    CHECK(answer.codes[names.size() - 1] == reason_code::no_subscription_existed);

    auto& sender = bench.connected({.client_id = "sender"});
    for (int i = 0; i < 50; ++i) {
        bench.publish(sender, "t/" + std::to_string(i), "x");
        CHECK(client.take_publish() == (i < 50 - count ? "t/" + std::to_string(i) + "=x" : ""));
    }
    // The session's own list knows it, too: what is left ends with the session.
    client.cut();
    bench.connected({.client_id = "c"});
    CHECK(bench.core().subscriptions().subscription_count() == 0);
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
