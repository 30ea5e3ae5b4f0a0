#include <support/broker_bench.hpp>
#include <support/scripted_hooks.hpp>

#include <catch2/catch.hpp>

#include <set>

// The memory ceiling: that the account is right, and what is shed in which order near it.

namespace fleetarium::test {
namespace {

using broker::drop_reason;
using broker::memory_ceiling;
using broker::shedding;

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

constexpr std::size_t ceiling = std::size_t{1} << 20;
const std::string kilobyte(1000, 'x');

broker::broker_options with_ceiling() {
    broker::broker_options options;
    options.memory_max = ceiling;
    options.queue_messages_max = 1'000'000;
    return options;
}

connect_with resumable(std::string client_id, protocol_version version = v5) {
    connect_with how{.client_id = std::move(client_id), .version = version, .clean_start = false};
    how.session_expiry = version == v5 ? std::optional(3600u) : std::nullopt;
    return how;
}

std::uint64_t shed(broker_bench& bench, shedding step) {
    return bench.core().metrics().shed[index_of(step)];
}

std::uint64_t dropped(broker_bench& bench) {
    return bench.core().metrics().dropped[static_cast<std::size_t>(drop_reason::memory_ceiling)];
}

/// A client that takes one message and never acknowledges it, while others wait: its queue cannot
/// be shed, since it is connected.
peer& slow_reader(broker_bench& bench, const std::string& topic) {
    connect_with how = resumable("slow");
    how.receive_maximum = 1;
    peer& made = bench.connected(how);
    bench.subscribe(made, topic, qos::at_least_once);
    return made;
}

/// Publishes until a step has begun, and not a message further.
void fill_to(broker_bench& bench, peer& publisher, std::string_view topic, shedding step) {
    std::uint16_t id = 0;
    while (!bench.core().memory().sheds(step)) {
        REQUIRE(id < 3000);
        bench.publish(publisher, topic, kilobyte, qos::at_least_once, ++id);
        publisher.discard();
    }
    CHECK(bench.core().memory().step() == step);
}

/// What the account should have, by a walk through everything.
std::size_t messages_by_walk(const broker::broker_core& core) {
    std::set<const message*> seen;
    std::size_t total = 0;
    const auto add = [&](const message_ptr& each) {
        if (seen.insert(&*each).second) {
            total += each->memory_bytes();
        }
    };
    core.retained().for_each(add);
    const auto& sessions = core.sessions();
    for (broker::session_index i = 0; i < sessions.slots().end(); ++i) {
        if (sessions.contains(i)) {
            sessions[i].state.outbound.for_each([&](const delivery& one) { add(one.message); });
            if (sessions[i].will) {
                add(sessions[i].will->message);
            }
        }
    }
    return total;
}

TEST_CASE("each step of shedding begins and ends at its share of the ceiling", "[memory]") {
    for (const std::size_t whole : {std::size_t{1000}, std::size_t{1'000'000'007}}) {
        memory_ceiling tested(whole);
        std::size_t percent = 80;
        for (const shedding step : {shedding::connections, shedding::growth, shedding::qos_0,
                                    shedding::queues, shedding::publishers}) {
            CAPTURE(whole, name_of(step));
            const std::size_t begin = whole / 100 * percent + whole % 100 * percent / 100;
            CHECK(memory_ceiling::begin_of(step, whole) == begin);
            tested.set_outside(begin - 1);
            tested.update();
            CHECK(static_cast<int>(tested.step()) == static_cast<int>(step) - 1);
            tested.set_outside(begin);
            tested.update();
            CHECK(tested.step() == step);
            // It is left a twentieth below, so that it does not come and go with each message.
            const std::size_t end = memory_ceiling::end_of(step, whole);
            CHECK(end + whole / 20 <= begin + 1);
            tested.set_outside(end);
            tested.update();
            CHECK(tested.step() == step);
            tested.set_outside(end - 1);
            tested.update();
            CHECK(tested.step() < step);
            percent += 5;
        }
    }
}

TEST_CASE("without a ceiling nothing is counted and nothing shed", "[memory]") {
    memory_ceiling none(0);
    CHECK(none.messages() == nullptr);
    none.set_outside(std::size_t{1} << 60);
    none.update();
    CHECK(none.step() == shedding::none);

    broker_bench bench;
    peer& reader = slow_reader(bench, "t");
    peer& publisher = bench.connected({.client_id = "p"});
    for (std::uint16_t id = 1; id <= 500; ++id) {
        bench.publish(publisher, "t", kilobyte, qos::at_least_once, id);
    }
    CHECK(reader.waiting() == 1);
    CHECK(bench.core().memory().used() == 0);
    CHECK(dropped(bench) == 0);
}

TEST_CASE("a message is on the account once, from when it is kept until nobody holds it",
          "[memory]") {
    broker::broker_options options = with_ceiling();
    options.memory_max = std::size_t{1} << 30;
    options.overlapping_subscriptions = broker::overlapping_subscriptions::single_copy;
    broker_bench bench(options);
    const auto account = [&] {
        // Its messages are all that changes here, but for what queues and tables take.
        return messages_by_walk(bench.core());
    };
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "warm/up", "x", qos::at_least_once, 1, true);
    const std::size_t before = bench.core().memory().used();
    REQUIRE(before >= account());

    fleetarium::will last;
    last.topic = "wills/a";
    last.payload = as_bytes_view(kilobyte);
    for (const char* id : {"a", "b", "c"}) {
        connect_with how = resumable(id);
        how.receive_maximum = 2;
        how.will = last;
        peer& each = bench.connected(how);
        bench.subscribe(each, "t/+", {qos::exactly_once, false, false, {}}, 7);
        bench.subscribe(each, "t/#", {qos::at_least_once, false, false, {}}, 8);
        if (*id == 'c') {
            each.cut();  // its will goes out, its queue waits
        }
    }
    const std::size_t idle = bench.core().memory().used();
    for (std::uint16_t i = 1; i <= 40; ++i) {
        bench.publish(publisher, "t/" + std::to_string(i % 7), std::string(i * 100u, 'y'),
                      static_cast<enum qos>(i % 3), i, i % 4 == 0);
        if (i % 3 == 2) {
            publisher.send(pubrel{.packet_id = i});
        }
    }
    publisher.discard();
    const std::size_t held = account();
    CHECK(held > 40 * 1000);
    // Queues and the tables of what is retained are there beside the messages.
    CHECK(bench.core().memory().used() >= before + held);
    CHECK(bench.core().memory().used() - idle < held + 64 * 1024);

    // Everything ends: nothing is left but tables, which keep their places.
    for (const char* id : {"a", "b", "c"}) {
        connect_with how{.client_id = id};
        bench.connected(how).send(disconnect{});
    }
    for (int i = 0; i < 7; ++i) {
        bench.publish(publisher, "t/" + std::to_string(i), "", qos::at_most_once, 0, true);
    }
    CHECK(bench.core().session_count() == 1);
    CHECK(messages_by_walk(bench.core()) < 200);
    CHECK(bench.core().memory().used() < before + 64 * 1024);
}

TEST_CASE("a packet that comes in parts is on the account", "[memory]") {
    broker_bench bench(with_ceiling());
    peer& one = bench.connected();
    const std::size_t before = bench.core().memory().used();
    bytes part = from_hex("30 E0 A7 12");  // a PUBLISH of 300,000 bytes
    part.resize(200'000);
    one.send_bytes(part);
    CHECK(bench.core().memory().used() >= before + 200'000);
    CHECK(bench.core().memory().used() < before + 400'000);
    one.cut();
    CHECK(bench.core().memory().used() < before + 1000);
}

TEST_CASE("topic aliases are on the account", "[memory]") {
    broker_bench bench(with_ceiling());
    peer& one = bench.connected();
    const std::size_t before = bench.core().memory().used();
    for (std::uint16_t alias = 1; alias <= 10; ++alias) {
        fleetarium::publish message;
        const std::string topic(10'000 + alias, 't');
        message.topic = topic;
        message.topic_alias = alias;
        one.send(message);
    }
    CHECK(bench.core().memory().used() >= before + 100'000);
    one.cut();
    CHECK(bench.core().memory().used() < before + 1000);
}

TEST_CASE("what waits in transports counts", "[memory]") {
    broker_bench bench(with_ceiling());
    bench.core().note_transport_bytes(ceiling);
    CHECK(bench.connect().refused_with(reason_code::server_busy));
    bench.core().note_transport_bytes(0);
    bench.connected();
}

TEST_CASE("from 80 % of the memory on clients are refused, and let in again below 75 %",
          "[memory][threat/memory]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench(with_ceiling());
    peer& reader = slow_reader(bench, "t");
    peer& publisher = bench.connected({.client_id = "p"});
    bench.connected(resumable("known", version)).cut();
    fill_to(bench, publisher, "t", shedding::connections);
    const auto busy = version == v5 ? reason_code::server_busy : reason_code::server_unavailable;
    CHECK(bench.connect({.client_id = "new", .version = version}).refused_with(busy));
    CHECK(bench.connect(resumable("known", version)).refused_with(busy));
    CHECK(shed(bench, shedding::connections) == 2);
    // Those who are there are served as ever.
    bench.subscribe(publisher, "more", qos::at_most_once);
    bench.publish(publisher, "more", "x", qos::at_most_once, 0, true);
    CHECK(publisher.take_publish() == "more=x");
    // The reader ends its session.
    reader.send(disconnect{.session_expiry_interval = 0});
    bench.connected({.client_id = "new", .version = version});
}

TEST_CASE("from 85 % of the memory on nothing more is subscribed to or retained",
          "[memory][threat/memory]") {
    broker_bench bench(with_ceiling());
    slow_reader(bench, "t");
    peer& publisher = bench.connected({.client_id = "p"});
    bench.subscribe(publisher, "old", qos::at_least_once);
    bench.publish(publisher, "old", "1", qos::at_most_once, 0, true);
    fill_to(bench, publisher, "t", shedding::growth);
    publisher.discard();

    const auto subscribe = [&](std::string_view filter) {
        const subscription_request one{filter, {}};
        fleetarium::subscribe request;
        request.packet_id = 99;
        request.requests = subscription_requests({&one, 1});
        publisher.send(request);
        for (;;) {  // behind it come retained messages
            if (publisher.take()->type == packet_type::suback) {
                const reason_code code = publisher.current_as<suback>().codes[0];
                publisher.discard();
                return code;
            }
        }
    };
    CHECK(subscribe("new") == reason_code::quota_exceeded);
    CHECK(subscribe("old") == reason_code::success);  // it was there
    CHECK(shed(bench, shedding::growth) == 1);
    CHECK(bench.core().metrics().subscriptions_refused == 1);

    bench.publish(publisher, "fresh", "1", qos::at_most_once, 0, true);
    CHECK(bench.core().retained().find("fresh") == nullptr);
    CHECK(shed(bench, shedding::growth) == 2);
    CHECK(dropped(bench) == 1);
    bench.publish(publisher, "old", "2", qos::at_most_once, 0,
                  true);  // takes the older one's place
    CHECK(as_text((*bench.core().retained().find("old"))->payload()) == "2");
    CHECK(publisher.take_publish() == "old=2");
}

TEST_CASE("from 90 % of the memory on QoS 0 does not wait for slow clients, who get what they can",
          "[memory][threat/memory]") {
    broker_bench bench(with_ceiling());
    slow_reader(bench, "t");
    peer& congested = bench.connected({.client_id = "congested"});
    bench.subscribe(congested, "news", qos::at_most_once);
    peer& fast = bench.connected({.client_id = "fast"});
    bench.subscribe(fast, "news", qos::at_most_once);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.core().handle_congested(congested.id(), bench.now());
    bench.publish(publisher, "news", "1");
    fill_to(bench, publisher, "t", shedding::qos_0);
    bench.publish(publisher, "news", "2");
    CHECK(shed(bench, shedding::qos_0) == 1);
    CHECK(dropped(bench) == 1);
    CHECK(fast.take_publish() == "news=1");
    CHECK(fast.take_publish() == "news=2");
    bench.core().handle_drained(congested.id(), bench.now());
    bench.drain();
    CHECK(congested.take_publish() == "news=1");
    CHECK(congested.waiting() == 0);
}

TEST_CASE("from 95 % of the memory on the largest queues of absent clients lose their oldest",
          "[memory][threat/memory]") {
    broker_bench bench(with_ceiling());
    peer& publisher = bench.connected({.client_id = "p"});
    for (const char* id : {"small", "large"}) {
        peer& each = bench.connected(resumable(id));
        bench.subscribe(each, id, qos::at_least_once);
        each.cut();
    }
    std::uint16_t id = 0;
    for (int i = 0; i < 100; ++i) {
        bench.publish(publisher, "small", kilobyte, qos::at_least_once, ++id);
    }
    std::uint64_t sent = 0;
    while (shed(bench, shedding::queues) == 0) {
        REQUIRE(sent < 3000);
        bench.publish(publisher, "large", std::to_string(sent++) + kilobyte, qos::at_least_once,
                      ++id);
    }
    const auto lost = shed(bench, shedding::queues);
    CHECK(dropped(bench) == lost);
    // A twentieth of the ceiling is freed at once, and the publisher was refused nothing.
    CHECK(bench.core().memory().used() < memory_ceiling::end_of(shedding::queues, ceiling));
    CHECK(bench.core().memory().used() > ceiling / 100 * 88);
    CHECK(shed(bench, shedding::publishers) == 0);
    while (publisher.waiting() != 0) {
        REQUIRE_FALSE(is_failure(publisher.take_as<puback>().code));
    }
    CHECK(bench.core().find_session("small")->queued == 100);
    CHECK(bench.core().find_session("large")->queued == sent - lost);
    const auto index = bench.core().find_session("large")->index;
    std::string first;
    bench.core().sessions()[index].state.outbound.for_each([&](const delivery& one) {
        first = first.empty() ? std::string(as_text(one.message->payload())) : first;
    });
    CHECK(first == std::to_string(lost) + kilobyte);

    // However much comes, the ceiling holds.
    for (int i = 0; i < 3000; ++i) {
        bench.publish(publisher, "large", kilobyte, qos::at_least_once, ++id == 0 ? ++id : id);
        publisher.discard();
        REQUIRE(bench.core().memory().used() <= ceiling);
    }
}

TEST_CASE("at 100 % of the memory PUBLISH is refused, by whatever its version has for that",
          "[memory][threat/memory]") {
    scripted_hooks hooks;
    broker_bench bench(with_ceiling(), &hooks);
    peer& reader = slow_reader(bench, "t");
    peer& other = bench.connected({.client_id = "old", .version = v3});
    peer& publisher = bench.connected({.client_id = "p"});
    bench.subscribe(other, "news", qos::at_most_once);
    bench.publish(publisher, "news", "1");
    CHECK(other.take_publish() == "news=1");
    fill_to(bench, publisher, "t", shedding::publishers);
    CHECK(bench.core().memory().used() >= ceiling);
    CHECK(bench.core().memory().used() < ceiling + 2000);  // the last one
    const auto received = bench.core().metrics().publish_received;

    bench.publish(publisher, "t", "x", qos::at_least_once, 1);
    CHECK(publisher.take_as<puback>().code == reason_code::quota_exceeded);
    bench.publish(publisher, "t", "x", qos::exactly_once, 2);
    CHECK(publisher.take_as<pubrec>().code == reason_code::quota_exceeded);
    bench.publish(publisher, "news", "2");
    CHECK(publisher.waiting() == 0);
    CHECK(other.waiting() == 0);
    bench.publish(other, "t", "x", qos::exactly_once, 3);
    CHECK(other.closed_silently());  // unacknowledged: it comes again
    CHECK(bench.core().metrics().publish_received == received);
    CHECK(shed(bench, shedding::publishers) == 4);
    CHECK(dropped(bench) == 4);
    for (const auto& event : hooks.all(broker::broker_event::kind::dropped)) {
        CHECK(event.why == drop_reason::memory_ceiling);
    }

    // As the reader takes what waits for it the broker takes on again.
    bench.advance(2s);
    while (bench.core().memory().step() != shedding::none) {
        REQUIRE(reader.waiting() != 0);
        const auto next = reader.take_as<fleetarium::publish>().packet_id;
        reader.send(puback{.packet_id = next});
    }
    publisher.discard();
    bench.publish(publisher, "t", "x", qos::at_least_once, 4);
    CHECK(publisher.take_as<puback>().code == reason_code::success);
}

TEST_CASE("at 100 % of the memory whoever is in the middle of a large packet is cut off",
          "[memory][threat/memory]") {
    broker_bench bench(with_ceiling());
    std::vector<peer*> senders;
    for (int i = 0; i < 12; ++i) {
        senders.push_back(&bench.connected({.client_id = std::to_string(i)}));
    }
    bytes part = from_hex("30 E0 A7 12");  // a PUBLISH of 300,000 bytes
    part.resize(100'000);
    for (peer* each : senders) {
        each->send_bytes(part);
        CHECK(bench.core().memory().used() < ceiling + part.size() * 2);
    }
    const auto gone = std::count_if(senders.begin(), senders.end(),
                                    [](const peer* each) { return each->closed(); });
    CHECK(gone > 0);
    CHECK(shed(bench, shedding::publishers) == static_cast<std::uint64_t>(gone));
    CHECK(senders.back()->ended_with(reason_code::quota_exceeded));
    CHECK(senders.front()->is_served() == false);  // still within its packet
    CHECK_FALSE(senders.front()->closed());
}

TEST_CASE("above the memory ceiling no part of a CONNECT is kept, however many begin one",
          "[memory][threat/memory]") {
    broker_bench bench(with_ceiling());
    std::size_t most = 0;
    for (int i = 0; i < 200; ++i) {
        peer& each = bench.open();
        each.send_hex("10 FF FF 2F").send_bytes(bytes(30'000, 'x'));
        most = std::max(most, bench.core().memory().used());
    }
    CHECK(most > ceiling - 70'000);
    CHECK(most < ceiling + 70'000);
    CHECK(shed(bench, shedding::publishers) > 100);
}

TEST_CASE("far above the memory ceiling parts of small packets are not kept either",
          "[memory][threat/memory]") {
    broker_bench bench(with_ceiling());
    std::vector<peer*> crowd;
    for (int i = 0; i < 200; ++i) {
        crowd.push_back(&bench.connected({.client_id = std::to_string(i)}));
    }
    std::size_t most = 0;
    for (peer* const each : crowd) {
        each->send_hex("30 FF FF 2F").send_bytes(bytes(20'000, 'x'));
        most = std::max(most, bench.core().memory().used());
    }
    CHECK(most >= ceiling + ceiling / 20);
    CHECK(most < ceiling + ceiling / 10 + 70'000);
}

TEST_CASE("where no queue can be shed, queues are looked through once a second", "[memory]") {
    broker_bench bench(with_ceiling());
    slow_reader(bench, "t");
    peer& publisher = bench.connected({.client_id = "p"});
    fill_to(bench, publisher, "t", shedding::queues);
    peer& absent = bench.connect(resumable("late"));
    CHECK(absent.closed());
    CHECK(shed(bench, shedding::queues) == 0);
}

}  // namespace
}  // namespace fleetarium::test
