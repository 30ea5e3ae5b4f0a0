#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

#include <map>

// What the broker tells about itself below $SYS/.

namespace fleetarium::test {
namespace {

/// Takes every value that waits, by topic.
std::map<std::string, std::string> values_of(peer& watcher) {
    std::map<std::string, std::string> out;
    while (watcher.waiting() > 0) {
        const auto in = watcher.take_as<publish>();
        out[std::string(in.topic)] = std::string(as_text(in.payload));
    }
    return out;
}

broker::broker_options every_10_seconds() {
    broker::broker_options options;
    options.sys_interval = 10s;
    return options;
}

TEST_CASE("without an interval there are no $SYS topics", "[sys]") {
    broker_bench bench;
    bench.advance(1h);
    CHECK(bench.core().retained().empty());
    CHECK(bench.core().poll_timeout() == never);
}

TEST_CASE("$SYS topics are retained and renewed at each interval", "[sys]") {
    broker_bench bench(every_10_seconds());
    peer& watcher = bench.connected({.client_id = "w"});
    bench.advance(0s);
    bench.subscribe(watcher, "$SYS/#", qos::at_most_once);
    auto values = values_of(watcher);
    CHECK(values.size() == 14);
    CHECK(values["$SYS/broker/uptime"] == "0");
    CHECK(values["$SYS/broker/clients/connected"] == "1");

    bench.connected({.client_id = "away", .session_expiry = 60}).cut();
    bench.open().send_hex("C0 00");
    bench.publish(watcher, "nobody/listens", "x");
    bench.publish(watcher, "kept", "x", qos::at_most_once, 0, true);
    watcher.discard();
    const auto& metrics = bench.core().metrics();
    const auto received = metrics.bytes_received;
    const auto sent = metrics.bytes_sent;
    bench.advance(10s);
    values = values_of(watcher);
    CHECK(values["$SYS/broker/uptime"] == "10");
    CHECK(values["$SYS/broker/clients/connected"] == "1");
    CHECK(values["$SYS/broker/clients/total"] == "2");
    CHECK(values["$SYS/broker/subscriptions/count"] == "1");
    CHECK(values["$SYS/broker/retained/count"] == "15");
    CHECK(values["$SYS/broker/bytes/received"] == std::to_string(received));
    CHECK(values["$SYS/broker/bytes/sent"] == std::to_string(sent));
    CHECK(values["$SYS/broker/publish/messages/received"] == "2");
    CHECK(values["$SYS/broker/publish/messages/dropped"] == "0");
    CHECK(values["$SYS/broker/messages/stored"] == "0");
    CHECK(values["$SYS/broker/connections/opened"] == "3");
    CHECK(values["$SYS/broker/connections/refused"] == "1");
    CHECK(values["$SYS/broker/protocol_violations"] == "1");
    CHECK(values.size() == 14);
}

TEST_CASE("$SYS topics are retained only where retained messages are available", "[sys]") {
    auto options = every_10_seconds();
    options.retain_available = false;
    broker_bench bench(options);
    peer& watcher = bench.connected();
    bench.advance(0s);
    CHECK(bench.core().retained().empty());
    bench.subscribe(watcher, "$SYS/#", qos::at_most_once);
    CHECK(watcher.waiting() == 0);
    bench.advance(10s);
    CHECK(values_of(watcher).size() == 14);
}

TEST_CASE("$SYS topics are not for wildcards at the start, nor for clients to publish to",
          "[sys]") {
    broker_bench bench(every_10_seconds());
    peer& one = bench.connected();
    bench.subscribe(one, "#", qos::at_most_once);
    bench.advance(1min);
    CHECK(one.waiting() == 0);
    bench.publish(one, "$SYS/broker/uptime", "0", qos::at_least_once, 1);
    CHECK(one.take_hex() == "40 03 00 01 87");
}

}  // namespace
}  // namespace fleetarium::test
