#include <support/broker_bench.hpp>
#include <support/scripted_hooks.hpp>

#include <catch2/catch.hpp>

// Retained messages in the broker: how they expire, and what happens at their bounds.

namespace fleetarium::test {
namespace {

using broker::drop_reason;

void retain(peer& by, std::string_view topic, std::string_view payload,
            std::optional<std::uint32_t> expiry = {}) {
    publish message;
    message.topic = topic;
    message.payload = as_bytes_view(payload);
    message.retain = true;
    message.message_expiry_interval = expiry;
    by.send(message);
}

std::uint64_t dropped(broker_bench& bench, drop_reason why) {
    return bench.core().metrics().dropped[static_cast<std::size_t>(why)];
}

TEST_CASE("retained messages are deleted one by one as they expire", "[retained]") {
    scripted_hooks hooks;
    broker_bench bench({}, &hooks);
    peer& publisher = bench.connected();
    retain(publisher, "late", "x", 7200);
    retain(publisher, "soon", "x", 10);
    retain(publisher, "never", "x");
    retain(publisher, "middle", "x", 20);
    CHECK(bench.core().retained().size() == 4);
    bench.advance(10s - 1ms);
    CHECK(bench.core().retained().size() == 4);
    bench.advance(1ms);
    CHECK(bench.core().retained().size() == 3);
    bench.advance(10s);
    CHECK(bench.core().retained().size() == 2);
    bench.advance(2h);
    CHECK(bench.core().retained().size() == 1);
    CHECK(bench.core().retained().find("never") != nullptr);

    std::vector<std::pair<std::string, instant>> removed;
    for (const auto& event : hooks.all(broker::broker_event::kind::retained_removed)) {
        CHECK(event.why == drop_reason::expired);
        removed.emplace_back(event.topic, event.at);
    }
    const instant begin{};
    CHECK(removed == std::vector<std::pair<std::string, instant>>{
                         {"soon", begin + 10s}, {"middle", begin + 20s}, {"late", begin + 2h}});
}

TEST_CASE("a retained message that is replaced takes its expiry with it", "[retained]") {
    broker_bench bench;
    peer& publisher = bench.connected();
    retain(publisher, "t", "brief", 10);
    retain(publisher, "t", "for ever");
    bench.advance(1h);
    CHECK(bench.core().retained().size() == 1);
    retain(publisher, "t", "long", 100);
    retain(publisher, "t", "brief", 10);
    bench.advance(10s);
    CHECK(bench.core().retained().empty());
    retain(publisher, "t", "brief", 10);
    retain(publisher, "t", "");
    CHECK(bench.core().retained().empty());
    bench.advance(1h);
}

TEST_CASE("replacing a retained message that expires late holds no memory of the older ones",
          "[retained]") {
    broker_bench bench;
    peer& publisher = bench.connected();
    const std::string payload(500, 'x');
    retain(publisher, "t", payload, 86'400);
    const std::size_t before = bench.core().memory_bytes();
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        retain(publisher, "t", payload, 86'400 - i);
    }
    CHECK(bench.core().memory_bytes() <= before + 1024);
    CHECK(bench.core().retained().size() == 1);
}

TEST_CASE("above retained_messages_max a new topic is not stored, an old one is replaced",
          "[retained]") {
    broker::broker_options options;
    options.retained_messages_max = 2;
    broker_bench bench(options);
    peer& publisher = bench.connected();
    retain(publisher, "a", "1");
    retain(publisher, "b", "1");
    CHECK(dropped(bench, drop_reason::retained_full) == 0);
    retain(publisher, "c", "1");
    CHECK(dropped(bench, drop_reason::retained_full) == 1);
    retain(publisher, "b", "2");
    CHECK(dropped(bench, drop_reason::retained_full) == 1);
    retain(publisher, "a", "");
    retain(publisher, "c", "2");
    bench.subscribe(publisher, "#", qos::at_most_once);
    CHECK(publisher.take_publish() == "b=2 retain");
    CHECK(publisher.take_publish() == "c=2 retain");
    CHECK(publisher.waiting() == 0);
}

TEST_CASE(
    "at retained_bytes_max a message is replaced by one of its size, and goes for one too large",
    "[retained]") {
    broker::broker_options options;
    {
        broker_bench measuring;
        retain(measuring.connected(), "t", std::string(500, 'x'));
        options.retained_bytes_max = measuring.core().retained().message_bytes();
    }
    broker_bench bench(options);
    peer& publisher = bench.connected();
    retain(publisher, "t", std::string(500, 'x'));
    retain(publisher, "t", std::string(500, 'y'));
    CHECK(bench.core().retained().size() == 1);
    CHECK(dropped(bench, drop_reason::retained_full) == 0);
    retain(publisher, "u", "x");
    CHECK(dropped(bench, drop_reason::retained_full) == 1);

    bench.subscribe(publisher, "t", qos::at_most_once);
    CHECK(publisher.take_publish() == "t=" + std::string(500, 'y') + " retain");
    retain(publisher, "t", std::string(600, 'z'));
    CHECK(publisher.take_publish() == "t=" + std::string(600, 'z'));  // delivered all the same
    CHECK(dropped(bench, drop_reason::retained_full) == 2);
    // Nobody is told the older message any more.
    peer& late = bench.connected({.client_id = "late"});
    bench.subscribe(late, "t", qos::at_most_once);
    CHECK(late.waiting() == 0);
}

}  // namespace
}  // namespace fleetarium::test
