#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

// A client whose transport takes nothing more: its messages wait in its session, within the queue's
// bounds, and nobody else notices.

namespace fleetarium::test {
namespace {

std::uint64_t dropped(broker_bench& bench, broker::drop_reason why) {
    return bench.core().metrics().dropped[static_cast<std::size_t>(why)];
}

struct slow_subscriber {
    explicit slow_subscriber(const broker::broker_options& options = {}) : bench(options) {
        bench.subscribe(slow, "t", qos::exactly_once);
        bench.subscribe(quick, "t", qos::exactly_once);
        bench.core().handle_congested(slow.id(), bench.now());
    }
    void drain() {
        bench.core().handle_drained(slow.id(), bench.now());
        bench.drain();
    }

    broker_bench bench;
    peer& slow = bench.connected({.client_id = "slow", .clean_start = false, .session_expiry = 60});
    peer& quick = bench.connected({.client_id = "quick"});
    peer& publisher = bench.connected({.client_id = "p"});
};

TEST_CASE("messages for a congested client wait and come in order once it has drained",
          "[congestion]") {
    slow_subscriber given;
    given.bench.publish(given.publisher, "t", "a");
    given.bench.publish(given.publisher, "t", "b", qos::at_least_once, 1);
    given.bench.publish(given.publisher, "t", "c");
    CHECK(given.slow.waiting() == 0);
    CHECK(given.quick.waiting() == 3);

    given.drain();
    CHECK(given.slow.take_publish() == "t=a");
    CHECK(given.slow.take_publish() == "t=b q1");
    CHECK(given.slow.take_publish() == "t=c");
    given.bench.publish(given.publisher, "t", "d");
    CHECK(given.slow.take_publish() == "t=d");
}

TEST_CASE("what a congested client's queue does not hold is dropped and counted",
          "[congestion][threat/slow_reader]") {
    broker::broker_options options;
    options.queue_messages_max = 2;
    slow_subscriber given(options);
    for (const char* each : {"a", "b", "c"}) {
        given.bench.publish(given.publisher, "t", each);
    }
    CHECK(dropped(given.bench, broker::drop_reason::queue_full) == 1);
    CHECK(given.quick.waiting() == 3);

    given.drain();
    CHECK(given.slow.take_publish() == "t=a");
    CHECK(given.slow.take_publish() == "t=b");
    CHECK(given.slow.waiting() == 0);
}

TEST_CASE("QoS 0 that waited for a congested client does not outlive its connection",
          "[congestion]") {
    slow_subscriber given;
    given.bench.publish(given.publisher, "t", "a");
    given.bench.publish(given.publisher, "t", "b", qos::at_least_once, 1);
    given.slow.cut();
    CHECK(dropped(given.bench, broker::drop_reason::offline) == 1);

    peer& back =
        given.bench.connected({.client_id = "slow", .clean_start = false, .session_expiry = 60});
    CHECK(back.take_publish() == "t=b q1");
    CHECK(back.waiting() == 0);
    given.bench.publish(given.publisher, "t", "c");
    CHECK(back.take_publish() == "t=c");
}

TEST_CASE("a connection may have a smaller Maximum Packet Size than the broker", "[congestion]") {
    broker_bench bench;
    const auto id = bench.core().handle_open({.maximum_packet_size = 100}, bench.now());
    bench.core().handle_bytes(id, from_hex("10 0F 00 04 4D 51 54 54 05 02 00 00 00 00 02 68 69"),
                              bench.now());
    const auto out = bench.core().poll_output();
    REQUIRE(out);
    const std::string connack = to_hex(to_bytes(out->bytes));
    INFO(connack);
    CHECK(connack.find("27 00 00 00 64") != std::string::npos);
}

TEST_CASE("a user name that the transport vouches for stands against that of CONNECT",
          "[congestion][threat/certificates]") {
    broker_bench bench;
    peer& device = bench.open();
    bench.core().vouch_for_user(device.id(), "device-7");
    connect request;
    request.client_id = "c";
    request.user_name = "root";
    device.send(request);
    CHECK(bench.core().describe_client(device.id()).user_name == "device-7");
    CHECK(bench.core().describe_client(device.id()).vouched);
}

}  // namespace
}  // namespace fleetarium::test
