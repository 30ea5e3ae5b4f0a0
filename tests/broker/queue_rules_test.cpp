#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

// How messages wait in sessions and leave them: accounts of queues, order, and what happens to the
// deliveries of a session that ends.

namespace fleetarium::test {
namespace {

connect_with resumable(std::string client_id) {
    return {.client_id = std::move(client_id), .clean_start = false, .session_expiry = 60};
}

std::uint64_t dropped(broker_bench& bench, broker::drop_reason why) {
    return bench.core().metrics().dropped[static_cast<std::size_t>(why)];
}

TEST_CASE("a resend that no longer fits the client leaves the account of its queue in order",
          "[queue]") {
    broker_bench bench;
    peer& before = bench.connected(resumable("s"));
    bench.subscribe(before, "t", qos::at_least_once);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", std::string(100, 'x'), qos::at_least_once, 1);
    CHECK(before.waiting() == 1);
    before.cut();

    connect_with smaller = resumable("s");
    smaller.maximum_packet_size = 50;
    peer& after = bench.connected(smaller);
    CHECK(after.waiting() == 0);
    CHECK(dropped(bench, broker::drop_reason::packet_too_large) == 1);
    after.cut();

    bench.publish(publisher, "t", "small", qos::at_least_once, 2);
    CHECK(dropped(bench, broker::drop_reason::queue_full) == 0);
    CHECK(bench.connected(smaller).take_publish() == "t=small q1");
}

TEST_CASE("QoS 0 that waits in a queue is not overtaken by QoS 0 that comes later", "[queue]") {
    broker::broker_options options;
    options.queue_qos_0_offline = true;
    broker_bench bench(options);
    peer& before = bench.connected(resumable("s"));
    bench.subscribe(before, "t", qos::at_least_once);
    before.cut();
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "1", qos::at_least_once, 1);
    bench.publish(publisher, "t", "2", qos::at_least_once, 2);
    bench.publish(publisher, "t", "a");
    connect_with narrow = resumable("s");
    narrow.receive_maximum = 1;
    peer& after = bench.connected(narrow);
    bench.publish(publisher, "t", "b");
    CHECK(after.take_publish() == "t=1 q1");
    CHECK(after.waiting() == 0);
    after.send_hex("40 02 00 01");
    CHECK(after.take_publish() == "t=2 q1");
    CHECK(after.take_publish() == "t=a");
    CHECK(after.take_publish() == "t=b");
}

TEST_CASE("a message larger than a whole queue does not empty it", "[queue]") {
    publish sample;
    sample.topic = "t";
    sample.payload = as_bytes_view("1");
    broker::broker_options options;
    options.queue_policy = broker::queue_policy::drop_oldest;
    options.queue_bytes_max = 3 * message::make(sample, {})->memory_bytes();
    broker_bench bench(options);
    peer& before = bench.connected(resumable("s"));
    bench.subscribe(before, "t", qos::at_least_once);
    before.cut();
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "kept", qos::at_least_once, 1);
    bench.publish(publisher, "t", std::string(1000, 'x'), qos::at_least_once, 2);
    CHECK(dropped(bench, broker::drop_reason::queue_full) == 1);
    CHECK(bench.connected(resumable("s")).take_publish() == "t=kept q1");
}

TEST_CASE("each group of a member that is gone hands its message to its own other member",
          "[shared]") {
    broker_bench bench;
    peer& ending = bench.connected({.client_id = "a"});
    bench.subscribe(ending, "$share/g1/t", qos::at_least_once);
    bench.subscribe(ending, "$share/g2/t", qos::at_least_once);
    bench.publish(bench.connected({.client_id = "p"}), "t", "x", qos::at_least_once, 1);
    CHECK(ending.waiting() == 2);
    peer& first = bench.connected({.client_id = "b"});
    bench.subscribe(first, "$share/g1/t", qos::at_least_once);
    peer& second = bench.connected({.client_id = "c"});
    bench.subscribe(second, "$share/g2/t", qos::at_least_once);
    ending.cut();
    CHECK(first.take_publish() == "t=x q1");
    CHECK(first.waiting() == 0);
    CHECK(second.take_publish() == "t=x q1");
    CHECK(second.waiting() == 0);
    CHECK(dropped(bench, broker::drop_reason::session_ended) == 2);
}

}  // namespace
}  // namespace fleetarium::test
