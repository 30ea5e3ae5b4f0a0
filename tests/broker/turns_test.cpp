#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

// What one client makes the broker do at a time is bounded, and nothing of it is lost.

namespace fleetarium::test {
namespace {

constexpr std::size_t bound = 2048;
constexpr std::size_t packet = 120;  // bytes of the largest PUBLISH here

broker::broker_options in_turns(std::size_t bytes = bound) {
    broker::broker_options options;
    options.output_bytes_per_turn_max = bytes;
    return options;
}

bytes subscribe_to(const std::vector<std::string>& filters, enum qos granted) {
    std::vector<subscription_request> requests;
    for (const std::string& each : filters) {
        requests.push_back({each, {granted, false, false, retain_handling::send}});
    }
    subscribe request;
    request.packet_id = 1;
    request.requests = subscription_requests(requests);
    wire_buffer out;
    encode(request, protocol_version::v5, out);
    return to_bytes(out);
}

/// A broker with retained messages t/0 and so on, and one who subscribes, turn by turn.
struct crowded_store {
    explicit crowded_store(int messages, const broker::broker_options& options = in_turns(),
                           enum qos published = qos::at_most_once)
        : bench(options) {
        for (int i = 0; i < messages; ++i) {
            const auto id = static_cast<std::uint16_t>(published == qos::at_most_once ? 0 : i + 1);
            bench.publish(publisher, "t/" + std::to_string(i), "old", published, id, true);
        }
    }

    /// One turn of the subscriber: the bytes that came out of it.
    std::size_t take_output() {
        std::size_t size = 0;
        const std::uint64_t before = bench.core().metrics().bytes_sent;
        bench.drain();
        size = bench.core().metrics().bytes_sent - before;
        most = std::max(most, size);
        ++turns;
        return size;
    }
    void send(const bytes& in) {
        bench.core().handle_bytes(subscriber.id(), in, bench.now());
        take_output();
    }
    void run_out() {
        for (;;) {
            const instant next = bench.core().poll_timeout();
            if (next == never || next > bench.now() + 1s) {
                return;
            }
            bench.core().handle_timeout(next);
            take_output();
        }
    }
    /// All that came, as texts.
    std::vector<std::string> received() {
        std::vector<std::string> out;
        for (; subscriber.waiting() != 0;) {
            const auto next = subscriber.take();
            if (next->type == packet_type::publish) {
                const auto in = subscriber.current_as<publish>();
                out.push_back(std::string(in.topic) + "=" + std::string(as_text(in.payload)) +
                              (in.retain ? " retain" : ""));
            }
        }
        return out;
    }

    broker_bench bench;
    peer& publisher = bench.connected({.client_id = "p"});
    peer& subscriber =
        bench.connected({.client_id = "s", .clean_start = false, .session_expiry = 600});
    std::size_t most = 0;
    int turns = 0;
};

std::size_t count(const std::vector<std::string>& among, std::string_view text) {
    return static_cast<std::size_t>(std::count(among.begin(), among.end(), text));
}

TEST_CASE("what SUBSCRIBE asks for goes out in turns, and all of it",
          "[turns][threat/amplification][v5/MQTT-3.8.4-5]") {
    const auto granted = GENERATE(qos::at_most_once, qos::at_least_once);
    crowded_store given(500, in_turns(), granted);
    given.send(subscribe_to({"#", "t/#", "t/+", "+/+", "+/#", "t/7"}, granted));
    given.run_out();
    CHECK(given.most < bound + packet + 20);  // SUBACK
    CHECK(given.turns > 6);
    const auto received = given.received();
    CHECK(received.size() == 5 * 500 + 1);
    CHECK(count(received, "t/499=old retain") == 5);
    CHECK(count(received, "t/7=old retain") == 6);
}

TEST_CASE("a filter that is asked for again while it waits comes once more, not a thousand times",
          "[turns][threat/amplification]") {
    crowded_store given(500);
    given.send(subscribe_to(std::vector<std::string>(1000, "#"), qos::at_most_once));
    given.run_out();
    CHECK(given.most < bound + packet + 1100);
    CHECK(given.received().size() == 2 * 500);
}

TEST_CASE("retained messages without end are sent some thousands in one turn",
          "[turns][threat/amplification]") {
    crowded_store given(10'000, in_turns(100'000'000));
    given.send(subscribe_to({"#"}, qos::at_most_once));
    const std::size_t at_once = given.received().size();
    CHECK(at_once > 1000);
    CHECK(at_once < 5000);
    given.run_out();
    CHECK(given.turns <= 5);
    CHECK(at_once + given.received().size() == 10'000);
}

TEST_CASE("without a bound all that is retained goes out at once", "[turns]") {
    crowded_store given(10'000, in_turns(0));
    given.send(subscribe_to({"#", "t/+"}, qos::at_most_once));
    CHECK(given.received().size() == 20'000);
}

TEST_CASE("what is retained while others wait comes once, and nothing older after it",
          "[turns][v5/MQTT-4.6.0-6]") {
    crowded_store given(500);
    given.send(subscribe_to({"#", "t/#"}, qos::at_most_once));
    given.bench.publish(given.publisher, "t/490", "new", qos::at_most_once, 0, true);
    given.bench.publish(given.publisher, "t/500", "added", qos::at_most_once, 0, true);
    given.bench.publish(given.publisher, "t/491", "", qos::at_most_once, 0, true);  // removed
    given.run_out();
    const auto received = given.received();
    CHECK(count(received, "t/489=old retain") == 2);
    CHECK(count(received, "t/490=new") == 1);
    CHECK(count(received, "t/490=new retain") == 0);
    CHECK(count(received, "t/490=old retain") == 0);
    CHECK(count(received, "t/500=added") == 1);
    CHECK(count(received, "t/500=added retain") == 0);
    CHECK(count(received, "t/491=old retain") == 0);

    // when it subscribes again, then as of now
    given.send(subscribe_to({"t/500"}, qos::at_most_once));
    CHECK(given.received() == std::vector<std::string>{"t/500=added retain"});
}

TEST_CASE("a filter that waits comes as of its last SUBSCRIBE", "[turns][v5/MQTT-3.8.4-4]") {
    crowded_store given(500);
    given.send(subscribe_to({"#", "t/#"}, qos::at_most_once));
    given.bench.publish(given.publisher, "t/499", "new", qos::at_most_once, 0, true);
    given.send(subscribe_to({"t/#"}, qos::at_most_once));
    given.run_out();
    const auto received = given.received();
    CHECK(count(received, "t/499=new") == 1);
    CHECK(count(received, "t/499=new retain") == 1);
    CHECK(count(received, "t/499=old retain") == 0);
}

TEST_CASE("UNSUBSCRIBE ends what was still to come of its filter", "[turns][v5/MQTT-3.10.4-2]") {
    crowded_store given(500);
    given.send(subscribe_to({"#", "t/#", "t/3"}, qos::at_most_once));
    const std::size_t before = given.received().size();
    CHECK(before < 150);
    const auto ended =
        GENERATE(as<std::vector<std::string>>(), std::vector<std::string>{"#"},
                 std::vector<std::string>{"t/#"}, std::vector<std::string>{"#", "t/#", "t/3"});
    const std::vector<std::string_view> filters(ended.begin(), ended.end());
    unsubscribe request;
    request.packet_id = 2;
    request.filters = topic_filters(filters);
    given.subscriber.send(request);
    given.run_out();
    const auto received = given.received();
    CHECK(count(received, "t/3=old retain") == (ended.size() == 3 ? 0u
                                                : ended[0] == "#" ? 2u
                                                                  : 1u));
    CHECK(count(received, "t/499=old retain") == (ended.size() == 3 ? 0u : 1u));
}

TEST_CASE("filters that match nothing are looked for in turns, too",
          "[turns][threat/amplification]") {
    crowded_store given(500);
    std::vector<std::string> filters;
    for (int i = 0; i < 1000; ++i) {
        filters.push_back("+/none/" + std::to_string(i));
    }
    filters.push_back("t/499");
    given.send(subscribe_to(filters, qos::at_most_once));
    given.run_out();
    CHECK(given.turns > 10);
    CHECK(given.received() == std::vector<std::string>{"t/499=old retain"});
}

TEST_CASE("literal filters do not wait for many turns", "[turns]") {
    crowded_store given(2000, in_turns(1'000'000));
    std::vector<std::string> filters;
    for (int i = 0; i < 2000; ++i) {
        filters.push_back("t/" + std::to_string(i));
    }
    given.send(subscribe_to(filters, qos::at_most_once));
    CHECK(given.received().size() == 2000);
}

TEST_CASE("retained messages wait for acknowledgements instead of being dropped",
          "[turns][v5/MQTT-4.9.0-2]") {
    broker::broker_options options = in_turns();
    options.queue_messages_max = 5;
    crowded_store given(300, options, qos::at_least_once);
    peer& narrow = given.bench.connected({.client_id = "narrow", .receive_maximum = 3});
    given.bench.core().handle_bytes(narrow.id(), subscribe_to({"t/#", "t/7"}, qos::at_least_once),
                                    given.bench.now());
    given.bench.drain();
    CHECK(narrow.take_as<suback>().codes.size() == 2);
    std::size_t received = 0;
    while (narrow.waiting() != 0) {
        CHECK(narrow.waiting() <= 3);
        const auto in = narrow.take_as<publish>();
        ++received;
        narrow.send(puback{in.packet_id});
        given.run_out();
    }
    CHECK(received == 301);
    CHECK(given.bench.core()
              .metrics()
              .dropped[static_cast<std::size_t>(broker::drop_reason::queue_full)] == 0);
}

TEST_CASE("what was found for one who has gone waits in the session's queue, within its bounds",
          "[turns]") {
    broker::broker_options options = in_turns();
    options.queue_messages_max = GENERATE(as<std::uint32_t>(), 1000, 50);
    crowded_store given(500, options, qos::at_least_once);
    given.send(subscribe_to({"t/#"}, qos::at_least_once));
    const auto before = given.received();
    CHECK(before.size() < 150);
    given.subscriber.cut();
    given.run_out();
    peer& back =
        given.bench.connected({.client_id = "s", .clean_start = false, .session_expiry = 600});
    given.bench.advance(1s);
    std::set<std::string> topics;
    for (const std::string& each : before) {
        topics.insert(each.substr(0, each.find('=')));
    }
    while (const auto next = back.take()) {
        if (next->type == packet_type::publish) {
            topics.insert(std::string(back.current_as<publish>().topic));
        }
    }
    const std::size_t rest = 500 - before.size();
    const std::size_t dropped = given.bench.core().metrics().dropped[static_cast<std::size_t>(
        broker::drop_reason::queue_full)];
    CHECK(dropped == (options.queue_messages_max == 50 ? rest - 50 : 0));
    CHECK(topics.size() == 500 - dropped);
}

TEST_CASE("who leaves before anything was looked for leaves nothing behind", "[turns]") {
    crowded_store given(500, in_turns(), qos::at_least_once);
    peer& narrow = given.bench.connected(
        {.client_id = "n", .clean_start = false, .session_expiry = 600, .receive_maximum = 1});
    given.bench.subscribe(narrow, "news", qos::at_least_once);
    given.bench.publish(given.publisher, "news", "1", qos::at_least_once, 1);
    given.bench.publish(given.publisher, "news", "2", qos::at_least_once, 2);
    given.bench.core().handle_bytes(narrow.id(), subscribe_to({"t/#"}, qos::at_least_once),
                                    given.bench.now());
    given.bench.drain();
    SECTION("by a cut") { narrow.cut(); }
    SECTION("taken over") {
        given.bench.connect({.client_id = "n", .clean_start = false, .session_expiry = 600});
    }
    SECTION("at the end of the session") { given.bench.connect({.client_id = "n"}); }
    SECTION("at the end of the broker") { given.bench.core().shut_down(given.bench.now()); }
    given.run_out();
    CHECK(narrow.waiting() >= 2);
}

TEST_CASE("who asks again and again keeps nobody from its turns", "[turns][threat/amplification]") {
    crowded_store given(2000, in_turns(100'000'000));
    peer& greedy = given.bench.connected({.client_id = "a"});
    std::vector<std::string> filters;
    for (int i = 0; i < 3000; ++i) {
        filters.push_back("+/none/" + std::to_string(i));
    }
    const bytes again = subscribe_to(filters, qos::at_most_once);
    const auto ask = [&] {
        given.bench.core().handle_bytes(greedy.id(), again, given.bench.now());
        given.bench.drain();
        greedy.discard();
    };
    ask();
    given.send(subscribe_to({"#", "t/#", "+/+", "t/+"}, qos::at_most_once));
    for (int i = 0; i < 20; ++i) {
        given.bench.skip(1ms);
        given.bench.core().handle_timeout(given.bench.now());
        given.bench.drain();
        ask();
    }
    CHECK(given.received().size() == 4 * 2000);
}

TEST_CASE("a new session gets nothing that its client's last one waited for", "[turns]") {
    crowded_store given(500, in_turns(), qos::at_least_once);
    given.send(subscribe_to({"t/#", "#"}, qos::at_least_once));
    peer& other = given.bench.connected({.client_id = "s"});
    given.bench.advance(1s);
    CHECK(given.subscriber.closed());
    CHECK(other.waiting() == 0);
}

TEST_CASE("many who wait for their turns take them one after the other, and all get everything",
          "[turns][threat/amplification]") {
    crowded_store given(3000, in_turns(100'000'000));
    std::vector<peer*> crowd;
    for (int i = 0; i < 10; ++i) {
        crowd.push_back(&given.bench.connected({.client_id = "c" + std::to_string(i)}));
    }
    for (peer* const each : crowd) {
        given.bench.core().handle_bytes(each->id(), subscribe_to({"#", "t/#"}, qos::at_most_once),
                                        given.bench.now());
    }
    given.take_output();
    given.most = 0;
    given.run_out();
    CHECK(given.most < 5000 * packet);
    for (peer* const each : crowd) {
        CHECK(each->waiting() == 1 + 2 * 3000);
    }
}

TEST_CASE("while a driver cannot keep up, CONNECT is refused as busy", "[turns]") {
    broker_bench bench;
    bench.core().refuse_connects(true);
    CHECK(bench.connect({.client_id = "a"}).refused_with(reason_code::server_busy));
    bench.core().refuse_connects(false);
    bench.connected({.client_id = "a"});
}

TEST_CASE("what is published to one client beyond its turn waits in its queue, in order",
          "[turns][threat/amplification][v5/MQTT-4.6.0-6]") {
    crowded_store given(0);
    given.bench.subscribe(given.subscriber, "news", qos::at_least_once);
    bytes in;
    for (int i = 0; i < 200; ++i) {
        publish message;
        message.topic = "news";
        const std::string payload = std::to_string(i) + std::string(90, '.');
        message.payload = as_bytes_view(payload);
        message.qos = i % 3 == 0 ? qos::at_least_once : qos::at_most_once;
        message.packet_id =
            message.qos == qos::at_most_once ? 0 : static_cast<std::uint16_t>(i + 1);
        wire_buffer out;
        encode(message, protocol_version::v5, out);
        const bytes raw = to_bytes(out);
        in.insert(in.end(), raw.begin(), raw.end());
    }
    given.bench.core().handle_bytes(given.publisher.id(), in, given.bench.now());
    given.take_output();
    const std::size_t acknowledgements = 67 * 4;
    CHECK(given.most < bound + packet + acknowledgements);
    given.run_out();
    CHECK(given.most < bound + packet + acknowledgements);
    const auto received = given.received();
    REQUIRE(received.size() == 200);
    for (int i = 0; i < 200; ++i) {
        CHECK(received[static_cast<std::size_t>(i)].starts_with("news=" + std::to_string(i) + "."));
    }
    CHECK(given.bench.core()
              .metrics()
              .dropped[static_cast<std::size_t>(broker::drop_reason::queue_full)] == 0);
}

TEST_CASE("subscription identifiers count for a turn", "[turns][threat/amplification]") {
    crowded_store given(0);
    const std::vector<std::string> filters{"a/b/c", "+/b/c", "a/+/c", "a/b/+", "#", "a/#", "a/b/#"};
    for (std::size_t i = 0; i < filters.size(); ++i) {
        given.bench.subscribe(given.subscriber, filters[i], {},
                              static_cast<std::uint32_t>(200'000'000 + i));
    }
    for (int i = 0; i < 1000; ++i) {  // one read
        publish message;
        message.topic = "a/b/c";
        wire_buffer out;
        encode(message, protocol_version::v5, out);
        given.bench.core().handle_bytes(given.publisher.id(), to_bytes(out), given.bench.now());
    }
    const std::size_t each = 2 + 2 + 5 + 1 + 7 * 5;
    CHECK(given.take_output() < bound + bound / 2 + each);
}

TEST_CASE("whose bytes are not read is not taken for silent until they are",
          "[turns][v5/MQTT-3.1.2-22]") {
    broker_bench bench;
    peer& client = bench.connected({.client_id = "s", .keep_alive = 10});
    peer& late = bench.open();
    for (const peer* const each : {&client, &late}) {
        bench.core().handle_reading(each->id(), false, bench.now());
    }
    bench.advance(1h);
    CHECK_FALSE(client.closed());
    CHECK_FALSE(late.closed());
    for (const peer* const each : {&client, &late}) {
        bench.core().handle_reading(each->id(), true, bench.now());
    }
    bench.advance(9s);
    CHECK_FALSE(late.closed());
    bench.advance(5s);
    CHECK_FALSE(client.closed());
    bench.advance(3s);
    CHECK(client.closed());
    CHECK(late.closed());
}

TEST_CASE("a congested client takes its turns when it has drained", "[turns][congestion]") {
    crowded_store given(500);
    given.send(subscribe_to({"#"}, qos::at_most_once));
    given.bench.core().handle_congested(given.subscriber.id(), given.bench.now());
    const std::size_t before = given.received().size();
    given.run_out();
    CHECK(given.received().empty());
    given.bench.core().handle_drained(given.subscriber.id(), given.bench.now());
    given.take_output();
    given.run_out();
    CHECK(before + given.received().size() == 500);
    CHECK(given.most < bound + packet + 20);
}

}  // namespace
}  // namespace fleetarium::test
