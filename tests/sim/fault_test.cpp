#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>

// What goes wrong, and that everything else goes on as the standard says.

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

distribution seconds_of(double value) { return distribution::constant(value * 1e9); }

/// Sensors that publish once a second at QoS `level`, and a probe that hears them.
struct plant {
    explicit plant(enum qos level = qos::at_least_once, std::uint32_t count = 10,
                   std::uint64_t seed = 1)
        : w({.seed = seed}), b(w.add_broker()), probe(w.add_client("probe")) {
        w.add_network({.name = "lan",
                       .up = {.latency = distribution::constant(5e6)},
                       .down = {.latency = distribution::constant(5e6)}});
        fleet_spec spec{.name = "sensors", .count = count};
        spec.keep_alive = 10s;
        spec.clean_start = false;
        spec.session_expiry = for_ever;
        spec.publications.push_back({.topic = "sensors/{index}",
                                     .period = seconds_of(1),
                                     .phase = 500ms,
                                     .qos = level,
                                     .payload = "{seq}"});
        spec.subscriptions.push_back({.filter = "orders/{index}", .qos = level});
        sensors = &w.add_fleet(spec);
        probe.connect(b);
        probe.subscribe("sensors/#", level);
    }

    std::size_t heard() { return probe.take_messages().size(); }
    fleet_report fleet_now() const { return w.report().fleets.at(0); }

    world w;
    virtual_broker& b;
    client& probe;
    fleet* sensors;
};

flow_counts all_flows(const world& of) {
    const run_report report = of.report();
    return sum_flows(report, report.selections.front(), {});
}

}  // namespace

TEST_CASE("links that are cut are made anew, and QoS 1 and 2 lose nothing by it", "[fault]") {
    const auto level = GENERATE(qos::at_least_once, qos::exactly_once);
    plant p(level);
    p.w.add_fault({.kind = fault_kind::cut, .at = 3s, .every = seconds_of(5), .until = 50s});
    p.w.run_for(60s);
    const fleet_report after = p.fleet_now();
    CHECK(after.links_cut >= 90);
    CHECK(after.connected == 10);
    const flow_counts flows = all_flows(p.w);
    CHECK(flows.due >= 590);
    CHECK(flows.delivered + flows.under_way() == flows.due);
    CHECK(flows.under_way() <= 10);
    if (level == qos::exactly_once) {
        CHECK(flows.duplicates == 0);
    }
}

TEST_CASE("a share of the devices is drawn anew each time", "[fault]") {
    plant p(qos::at_most_once, 200);
    p.w.add_fault(
        {.kind = fault_kind::cut, .at = 10s, .every = seconds_of(10), .count = 4, .share = 0.25});
    p.w.run_for(60s);
    const fault_report hit = p.w.report().faults.at(0);
    CHECK(hit.begun == 4);
    CHECK(hit.devices > 4 * 30);
    CHECK(hit.devices < 4 * 70);
    CHECK(p.fleet_now().links_cut == hit.devices);
}

TEST_CASE("through a partition nothing arrives, and all of it arrives when it heals", "[fault]") {
    plant p;
    p.w.run_for(10s);
    CHECK(p.heard() == 100);
    {
        const auto partition = p.w.begin_fault({.kind = fault_kind::partition, .fleet = "sensors"});
        p.w.run_for(5s);
        CHECK(p.heard() <= 10);  // what the broker had before
    }
    p.w.run_for(1s);
    CHECK(p.heard() >= 50);
    CHECK(p.fleet_now().connected == 10);
    CHECK(p.fleet_now().connects_accepted == 10);
}

TEST_CASE("a partition longer than the keep alive costs the connection, on both sides",
          "[fault][v5/MQTT-3.1.2-22]") {
    plant p;
    p.w.run_for(10s);
    CHECK(p.w.find_broker("broker")->core().connected_count() == 11);
    auto partition = p.w.begin_fault({.kind = fault_kind::partition, .fleet = "sensors"});
    p.w.run_for(60s);
    CHECK(p.b.core().connected_count() == 1);
    CHECK(p.sensors->connected() == 0);
    partition.heal();
    p.w.run_for(30s);
    CHECK(p.sensors->connected() == 10);
    const flow_counts flows = all_flows(p.w);
    CHECK(flows.delivered + flows.under_way() == flows.due);
    CHECK(flows.due >= 950);
}

TEST_CASE("a partition in one direction lets the other pass", "[fault]") {
    plant p(qos::at_most_once);
    p.w.run_for(10s);
    p.heard();
    const auto down = p.w.begin_fault(
        {.kind = fault_kind::partition, .fleet = "sensors", .direction = link_direction::down});
    p.w.run_for(5s);
    CHECK(p.heard() == 50);
    p.probe.publish("orders/3", "stop", qos::at_most_once);
    p.w.run_for(1s);
    CHECK(all_flows(p.w).under_way() == 1);
}

TEST_CASE("a link that only the device knows to be gone is taken over by its next",
          "[fault][v5/MQTT-3.1.4-3]") {
    plant p;
    p.w.run_for(10s);
    p.w.add_fault({.kind = fault_kind::half_open, .at = 11s});
    p.w.run_for(20s);
    CHECK(p.sensors->connected() == 10);
    CHECK(p.fleet_now().links_cut == 10);
    CHECK(p.fleet_now().connects_accepted == 20);
    CHECK(p.b.core().session_count() == 11);
}

TEST_CASE("a link that only the broker knows to be gone shows by a reset when the device speaks",
          "[fault]") {
    plant p;
    p.w.run_for(10s);
    p.w.add_fault({.kind = fault_kind::half_open, .at = 11s, .knows = link_side::broker});
    p.w.run_for(1100ms);
    CHECK(p.b.core().connected_count() == 1);
    CHECK(p.sensors->connected() == 10);  // so they believe
    p.w.run_for(10s);
    CHECK(p.b.core().connected_count() == 11);
    const flow_counts flows = all_flows(p.w);
    CHECK(flows.delivered + flows.under_way() == flows.due);
}

TEST_CASE("latency, bandwidth and splits make links worse while they last, and not after",
          "[fault]") {
    fault_spec worse{.fleet = "sensors"};
    SECTION("latency") {
        worse.kind = fault_kind::latency;
        worse.added_latency = distribution::constant(300e6);
    }
    SECTION("bandwidth") {
        worse.kind = fault_kind::bandwidth;
        worse.bytes_per_second = 50;
    }
    SECTION("split") {
        worse.kind = fault_kind::split;
        worse.probability = 1;
    }
    plant p(qos::at_most_once);
    p.w.run_for(10s);
    const auto before = all_flows(p.w).latency.max();
    CHECK(before <= 11ms);
    const std::uint64_t events = p.w.events_handled();
    p.w.run_for(10s);
    const std::uint64_t usual = p.w.events_handled() - events;
    {
        const auto fault = p.w.begin_fault(worse);
        p.w.run_for(10s);
    }
    if (worse.kind == fault_kind::split) {
        CHECK(p.w.events_handled() - events - usual > usual + 90);
    } else {
        CHECK(all_flows(p.w).latency.max() > 200ms);
    }
    p.w.run_for(1s);
    p.heard();
    p.w.run_for(10s);
    CHECK(p.heard() == 100);
    CHECK(all_flows(p.w).delivered == 410);
}

TEST_CASE("a link can break within any packet, at any byte, either way", "[fault]") {
    const auto level = GENERATE(qos::at_least_once, qos::exactly_once);
    const auto packet = GENERATE(packet_type::publish, packet_type::puback, packet_type::pubrec,
                                 packet_type::pubrel, packet_type::pubcomp, packet_type::connect,
                                 packet_type::connack, packet_type::subscribe, packet_type::suback);
    const auto byte = GENERATE(0u, 1u, 3u, 1000u);
    CAPTURE(name_of(packet), byte);
    plant p(level, 3);
    p.w.add_fault({.kind = fault_kind::cut_in_packet,
                   .lasts = seconds_of(30),
                   .fleet = "sensors",
                   .packet = packet,
                   .packet_number = 1,
                   .byte = byte});
    for (int i = 0; i < 40; ++i) {
        p.w.run_for(1s);
        p.probe.publish("orders/" + std::to_string(i % 3), "go", level);
    }
    p.w.run_for(20s);
    const flow_counts flows = all_flows(p.w);
    CHECK(p.sensors->connected() == 3);
    CHECK(flows.delivered + flows.under_way() == flows.due);
    if (level == qos::exactly_once) {
        CHECK(flows.duplicates == 0);
    }
    const bool occurs =
        level == qos::at_least_once ? packet <= packet_type::puback : packet != packet_type::puback;
    if (occurs || packet >= packet_type::subscribe) {
        CHECK(p.fleet_now().connects_accepted + p.fleet_now().connect_attempts > 6);
    }
}

TEST_CASE("a slow reader costs others nothing, and gets what its queue held", "[fault]") {
    plant p;
    p.w.run_for(5s);
    auto slow =
        p.w.begin_fault({.kind = fault_kind::slow_reader, .fleet = "sensors", .last_device = 0});
    p.w.run_for(0s);
    for (int i = 0; i < 50; ++i) {
        p.probe.publish("orders/0", "order", qos::at_least_once);
        p.probe.publish("orders/1", "order", qos::at_least_once);
    }
    p.w.run_for(3s);
    const run_report during = p.w.report();
    CHECK(sum_flows(during, during.selections.front(), {.receiver = 0}).delivered == 50);
    slow.heal();
    p.w.run_for(2s);
    const run_report after = p.w.report();
    CHECK(sum_flows(after, after.selections.front(), {.receiver = 0}).delivered == 100);
    CHECK(after.fleets.at(0).connects_accepted == 10);
}

TEST_CASE("a device without power publishes nothing, forgets, and begins anew", "[fault]") {
    plant p;
    p.w.add_fault(
        {.kind = fault_kind::power_loss, .at = 10s, .lasts = seconds_of(20), .fleet = "sensors"});
    p.w.run_for(20s);
    CHECK(p.sensors->connected() == 0);
    p.heard();
    p.w.run_for(9s);
    CHECK(p.heard() == 0);
    // Nobody has said farewell: the broker finds out by itself.
    CHECK(p.b.core().connected_count() == 1);
    p.w.run_for(20s);
    CHECK(p.sensors->connected() == 10);
    CHECK(p.heard() >= 180);
    CHECK(p.fleet_now().sessions_resumed == 0);
}

TEST_CASE("random bytes end a connection and harm nobody else", "[fault]") {
    plant p;
    p.w.add_fault({.kind = fault_kind::hostile_bytes,
                   .at = 5s,
                   .every = seconds_of(3),
                   .count = 20,
                   .fleet = "sensors",
                   .last_device = 4,
                   .size = 200});
    p.w.run_for(90s);
    // Others look like the beginning of a large packet, until the device misses an answer.
    CHECK(p.b.core().metrics().protocol_violations >= 20);
    CHECK(p.fleet_now().connected == 10);
    CHECK(p.fleet_now().connects_accepted >= 40);
    CHECK(p.probe.is_connected());
}

TEST_CASE("a broker that stops says so, is away, and has everything when it is back",
          "[fault][v5/MQTT-4.13.1-1]") {
    plant p;
    p.probe.on_note({});
    p.w.add_fault({.kind = fault_kind::broker_stop, .at = 10s, .lasts = seconds_of(5)});
    p.w.run_for(12s);
    CHECK(p.b.core().connected_count() == 0);
    CHECK(p.fleet_now().broker_disconnects.at(reason_code::server_shutting_down) == 10);
    CHECK(p.b.core().session_count() == 10);  // the probe's ended with its connection
    p.w.run_for(8s);
    CHECK(p.fleet_now().connected == 10);
    CHECK(p.fleet_now().sessions_resumed == 10);
}

TEST_CASE("a broker that crashes keeps what storage has kept", "[fault]") {
    const bool keeps = GENERATE(true, false);
    plant p;
    p.w.run_for(5s);
    p.probe.publish("last", "value", qos::at_least_once, true);
    p.w.add_fault({.kind = fault_kind::broker_crash,
                   .at = 10s,
                   .lasts = seconds_of(5),
                   .keeps_sessions = keeps});
    p.w.run_for(7s);
    CHECK(p.b.core().connection_count() == 0);
    CHECK(p.b.core().session_count() == (keeps ? 10 : 0));
    CHECK(p.b.core().retained().size() == (keeps ? 1 : 0));
    CHECK(p.b.core().subscription_count() == (keeps ? 10 : 0));
    p.w.run_for(10s);
    CHECK(p.fleet_now().connected == 10);
    CHECK(p.fleet_now().sessions_resumed == (keeps ? 10 : 0));
    CHECK(p.b.core().subscription_count() == 10);
    CHECK(p.fleet_now().connect_attempts > 20);  // some knocked while nobody was there
}

TEST_CASE("faults are part of the history: the same seed gives the same", "[fault][determinism]") {
    const auto run = [](std::uint64_t seed, bool also_other) {
        plant p(qos::at_least_once, 50, seed);
        p.w.add_fault({.name = "rain",
                       .kind = fault_kind::cut,
                       .every = distribution::exponential(4e9),
                       .share = 0.1});
        p.w.add_fault({.kind = fault_kind::latency,
                       .at = 5s,
                       .lasts = distribution::uniform(1e9, 9e9),
                       .every = seconds_of(10),
                       .added_latency = distribution::exponential(2e8)});
        if (also_other) {
            p.w.add_fault({.kind = fault_kind::split,
                           .lasts = seconds_of(1),
                           .share = 0,
                           .probability = 0.5});
        }
        p.w.run_for(2min);
        return std::pair(p.w.trace_hash(), p.sensors->trace_hash());
    };
    CHECK(run(1, false) == run(1, false));
    CHECK(run(1, false).first != run(2, false).first);
    // A fault more that hits nobody changes nothing at the devices.
    CHECK(run(1, false).second == run(1, true).second);
}

TEST_CASE("a fault that cannot be is refused", "[fault]") {
    world w;
    w.add_broker();
    w.add_fleet({.name = "doors"});
    CHECK_THROWS_AS(w.add_fault({.kind = fault_kind::partition}), std::invalid_argument);
    CHECK_THROWS_AS(w.add_fault({.fleet = "dors"}), std::invalid_argument);
    CHECK_THROWS_AS(w.add_fault({.broker = "cloud"}), std::invalid_argument);
    CHECK_THROWS_AS(w.add_fault({.share = 1.5}), std::invalid_argument);
    CHECK_THROWS_AS(w.begin_fault({.kind = fault_kind::latency}), std::invalid_argument);
    CHECK_THROWS_AS(w.begin_fault({.kind = fault_kind::split}), std::invalid_argument);
    CHECK_THROWS_AS(w.begin_fault({.kind = fault_kind::bandwidth}), std::invalid_argument);
}

TEST_CASE("a guard ends its fault once, wherever it is moved", "[fault]") {
    plant p(qos::at_most_once);
    p.w.run_for(5s);
    p.heard();
    auto first = p.w.begin_fault({.kind = fault_kind::partition, .fleet = "sensors"});
    {
        const fault_guard second = std::move(first);
        first.heal();
        p.w.run_for(2s);
        CHECK(p.heard() == 0);
    }
    p.w.run_for(1s);
    CHECK(p.heard() >= 20);
}
