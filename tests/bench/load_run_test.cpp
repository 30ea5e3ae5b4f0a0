#include <catch2/catch.hpp>

#include "load_run.hpp"

#include <bench/faulty_broker.hpp>

#include <memory>
#include <unistd.h>

// The load against a real broker core on a port, right and with one fault.

namespace fleetarium::cli::load {
namespace {

using test::broker_fault;
using test::faulty_broker;

manner short_run(protocol_version version = protocol_version::v3_1_1) {
    manner how;
    how.version = version;
    how.warm_up_seconds = 0.02;
    how.seconds = 0.1;
    how.patience_seconds = 0.3;
    return how;
}

process_watch this_process() { return process_watch({getpid()}); }

outcome run(const traffic& load, broker_fault fault,
            protocol_version version = protocol_version::v3_1_1) {
    const faulty_broker broker(fault);
    // Under sanitizers and neighbours a broker that is right may take its time.
    manner how = short_run(version);
    how.patience_seconds = fault == broker_fault::none ? 30 : 0.3;
    return run_messages(load, resolve(broker.address()), this_process(), how);
}

TEST_CASE("a broker that does all right is found right under every shape of load") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    const auto load =
        GENERATE(pairs(5, qos::at_most_once, 64, 50), pairs(5, qos::at_least_once, 16, 50),
                 pairs(5, qos::exactly_once, 1'024, 50), pairs(20, qos::at_most_once, 64, 1),
                 fan_out(20, qos::at_most_once, 5), fan_out(20, qos::exactly_once, 1),
                 fan_in(20, qos::at_least_once, 5), wildcards(1), wildcards(10));
    const outcome done = run(load, broker_fault::none, version);
    CHECK(to_string(done.found).empty());
    CHECK(done.count > 100);
    CHECK(done.checked >= done.count);
    CHECK(done.cpu_seconds > 0);
    CHECK(done.wall_seconds >= 0.1);
}

TEST_CASE("a message that a broker loses is found, though nothing comes in its place") {
    const auto level = GENERATE(qos::at_most_once, qos::at_least_once, qos::exactly_once);
    const outcome done = run(pairs(2, level, 64, 20), broker_fault::loses);
    CHECK(done.found.lost == 1);
    CHECK(done.found.stalled);
}

TEST_CASE("two messages that a broker swaps are found") {
    const outcome done = run(pairs(1, qos::at_most_once, 64, 20), broker_fault::swaps);
    CHECK(to_string(done.found) == "1 reordered");
}

TEST_CASE("a message that a broker repeats is found") {
    const outcome done = run(pairs(2, qos::at_most_once, 64, 20), broker_fault::repeats);
    CHECK(to_string(done.found) == "1 duplicated");
}

TEST_CASE("a message that a broker alters is found, and missed where it was owed") {
    const outcome done = run(pairs(2, qos::at_most_once, 64, 20), broker_fault::alters);
    CHECK(done.found.misdelivered == 1);
    CHECK(done.found.lost == 1);
}

TEST_CASE("a message that goes to a stranger besides is found") {
    // The last to connect is the second subscriber; the message is the first publisher's or, with
    // equal right, the second's: then it is one too many.
    const outcome done = run(pairs(2, qos::at_most_once, 64, 20), broker_fault::misdirects);
    CHECK(done.found.misdelivered + done.found.duplicated == 1);
    CHECK(done.found.lost == 0);
}

TEST_CASE("an acknowledgement of nothing is found") {
    const outcome done = run(pairs(1, qos::at_least_once, 64, 20), broker_fault::acks_twice);
    CHECK(done.found.misacknowledged != 0);
}

TEST_CASE("a broker that cuts a connection ends the load with a word on whose it was") {
    CHECK_THROWS_WITH(run(pairs(1, qos::at_most_once, 64, 20), broker_fault::cuts),
                      Catch::Contains("closed the connection of subscriber load-00001"));
}

TEST_CASE("at a fixed rate as many messages are sent as were due, and each one is timed") {
    traffic load = pairs(10, qos::at_most_once, 64, 0);
    load.rate = 2'000;
    const faulty_broker broker(broker_fault::none);
    manner how = short_run();
    how.seconds = 0.5;
    how.patience_seconds = 30;
    const outcome done = run_messages(load, resolve(broker.address()), this_process(), how);
    CHECK(to_string(done.found).empty());
    // All that was due has been sent, however late; what was under way at either end counts once.
    CHECK(done.checked >= 1'000);
    CHECK(done.latencies_ns.size() >= 900);
    for (const std::int64_t latency : done.latencies_ns) {
        REQUIRE(latency > 0);
    }
}

TEST_CASE("visits are counted when the broker has accepted, and ended, each of them") {
    const faulty_broker broker(broker_fault::none);
    manner how = short_run();
    how.patience_seconds = 30;
    const outcome done = run_visits(10, resolve(broker.address()), this_process(), how);
    CHECK(done.count > 10);
    CHECK(done.cpu_seconds > 0);
}

TEST_CASE("of a storm whole waves are counted") {
    const faulty_broker broker(broker_fault::none);
    manner how = short_run();
    how.patience_seconds = 30;
    const outcome done = run_storm(100, resolve(broker.address()), this_process(), how);
    CHECK(done.count >= 100);
    CHECK(done.count % 100 == 0);
    CHECK(done.cpu_seconds > 0);
    CHECK(done.wall_seconds >= how.seconds);
}

TEST_CASE("what a broker holds for an idle connection is measured") {
    constexpr std::size_t held = 200'000;
    const faulty_broker broker(broker_fault::none, held);
    manner how = short_run();
    how.patience_seconds = 30;
    const double each = run_idle(300, resolve(broker.address()), this_process(), how);
    // This process holds both ends, and may have memory left from before.
    CHECK(each > 0.8 * held);
    CHECK(each < 1.5 * held);
}

TEST_CASE("where nobody listens the load says so") {
    const endpoint nobody = resolve("127.0.0.1:" + std::to_string(free_port()));
    CHECK_THROWS_WITH(
        run_messages(pairs(1, qos::at_most_once, 64, 1), nobody, this_process(), short_run()),
        Catch::Contains("no connection to 127.0.0.1:"));
}

TEST_CASE("a topic that nobody subscribes to is a mistake of the load") {
    traffic load = pairs(1, qos::at_most_once, 64, 1);
    load.filters = {{"another/topic"}};
    const faulty_broker broker(broker_fault::none);
    CHECK_THROWS_WITH(run_messages(load, resolve(broker.address()), this_process(), short_run()),
                      Catch::Contains("nobody subscribes to pairs/0000/state"));
}

}  // namespace
}  // namespace fleetarium::cli::load
