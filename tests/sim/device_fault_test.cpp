#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

// Faults at devices themselves: their client ids, their clocks, and which devices are hit.

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

distribution seconds_of(double value) { return distribution::constant(value * 1e9); }

/// Five meters with a will, that hear orders and come back ten seconds after they lost a link.
struct meters {
    explicit meters(protocol_version version = protocol_version::v5, duration will_delay = {},
                    double back_after = 10)
        : w({.seed = 1}), b(w.add_broker()), probe(w.add_client("probe")) {
        w.add_network({.name = "lan",
                       .up = {.latency = distribution::constant(5e6)},
                       .down = {.latency = distribution::constant(5e6)}});
        fleet_spec spec{.name = "meters", .count = 5, .network = "lan"};
        spec.version = version;
        spec.keep_alive = 30s;
        spec.clean_start = false;
        if (version == protocol_version::v5) {
            spec.session_expiry = for_ever;
        }
        spec.reconnect_delay = seconds_of(back_after);
        spec.will = will_spec{.topic = "gone/{index}", .payload = "x", .delay = will_delay};
        spec.subscriptions.push_back({.filter = "orders/{index}", .qos = qos::exactly_once});
        fleet_of = &w.add_fleet(spec);
        probe.connect(b);
        probe.subscribe("gone/#", qos::at_least_once);
    }

    fault_spec take_over(std::optional<bool> clean_start = {}) const {
        return {.kind = fault_kind::take_over,
                .at = 10s,
                .fleet = "meters",
                .clean_start = clean_start};
    }
    fleet_report now() const { return w.report().fleets.at(0); }
    std::vector<std::string> accused() const {
        std::vector<std::string> out;
        for (const ledger_violation& each : w.report().ledger.violations) {
            out.push_back(to_string(each));
        }
        return out;
    }

    world w;
    virtual_broker& b;
    client& probe;
    fleet* fleet_of;
};

using texts = std::vector<std::string>;

/// Sensors that say once a second what time it is, and who listens.
struct clocks {
    explicit clocks(duration keep_alive = 1min, bool says_something = true)
        : w({.seed = 1}), b(w.add_broker()), probe(w.add_client("probe")) {
        fleet_spec spec{.name = "sensors", .count = 4};
        spec.keep_alive = keep_alive;
        if (says_something) {
            spec.publications.push_back({.topic = "time/{index}",
                                         .period = seconds_of(1),
                                         .phase = 500ms,
                                         .qos = qos::at_least_once,
                                         .payload = "{time:s}"});
        }
        w.add_fleet(spec);
        probe.connect(b);
        probe.subscribe("time/0", qos::at_least_once);
    }

    fault_spec skew(std::optional<double> rate, std::optional<duration> offset = {}) const {
        return {.kind = fault_kind::clock_skew, .fleet = "sensors", .rate = rate, .offset = offset};
    }
    std::size_t heard() { return probe.take_messages().size(); }
    /// What the last message says, against the world's clock.
    std::int64_t seconds_ahead() {
        const auto messages = probe.take_messages();
        REQUIRE(!messages.empty());
        return std::stoll(messages.back().payload) -
               messages.back().received_at.time_since_epoch() / 1s;
    }
    std::size_t accusations() const { return w.report().ledger.violations.size(); }

    world w;
    virtual_broker& b;
    client& probe;
};

}  // namespace

// Another client with the same client id

TEST_CASE("who takes a client id over ends the session, and goes when the device is back",
          "[fault][v5/MQTT-3.1.4-3][v5/MQTT-3.1.2-4][v3/MQTT-3.1.4-2]") {
    const auto version = GENERATE(protocol_version::v5, protocol_version::v3_1_1);
    meters m(version);
    auto rivals = m.take_over();
    rivals.lasts = seconds_of(3600);
    m.w.add_fault(rivals);
    m.w.run_for(15s);
    CHECK(m.fleet_of->connected() == 0);
    CHECK(m.b.core().connected_count() == 6);  // the rivals, and the probe
    CHECK(m.b.core().subscription_count() == 1);
    CHECK(m.probe.take_messages().size() == 5);  // their wills
    if (version == protocol_version::v5) {
        CHECK(m.now().broker_disconnects.at(reason_code::session_taken_over) == 5);
    }
    m.w.run_for(10s);
    CHECK(m.fleet_of->connected() == 5);
    CHECK(m.b.core().connected_count() == 6);
    CHECK(m.now().sessions_resumed == 0);
    CHECK(m.b.core().subscription_count() == 6);
    CHECK(m.w.report().faults.at(0).devices == 5);
    CHECK(m.accused() == texts{});
}

TEST_CASE("who takes a client id over without a clean start leaves the session as it is",
          "[fault][v5/MQTT-3.2.2-4]") {
    const auto version = GENERATE(protocol_version::v5, protocol_version::v3_1_1);
    meters m(version);
    m.w.add_fault(m.take_over(false));
    m.w.run_for(15s);
    CHECK(m.fleet_of->connected() == 0);
    CHECK(m.b.core().connected_count() == 1);  // it knows nothing of the session, and went
    CHECK(m.b.core().session_count() == 6);
    CHECK(m.b.core().subscription_count() == 6);
    m.probe.publish("orders/3", "on", qos::exactly_once);
    m.w.run_for(10s);
    CHECK(m.fleet_of->connected() == 5);
    CHECK(m.now().sessions_resumed == 5);
    const run_report after = m.w.report();
    CHECK(sum_flows(after, after.selections.front(), {.receiver = 0}).delivered == 1);
    CHECK(m.accused() == texts{});
}

TEST_CASE("a delayed will is due when the session was taken over, and not when it was resumed",
          "[fault][v5/MQTT-3.1.3-9]") {
    const bool clean = GENERATE(true, false);
    meters m(protocol_version::v5, 60s);
    m.w.add_fault(m.take_over(clean));
    m.w.run_for(15s);
    CHECK(m.probe.take_messages().size() == (clean ? 5 : 0));
    m.w.run_for(2min);
    CHECK(m.probe.take_messages().empty());
    CHECK(m.accused() == texts{});
}

TEST_CASE("a guard keeps a client id taken until it heals", "[fault]") {
    meters m(protocol_version::v5, {}, 3600);
    m.w.run_for(10s);
    auto rivals = m.w.begin_fault(m.take_over());
    m.w.run_for(10min);
    CHECK(m.fleet_of->connected() == 0);
    CHECK(m.b.core().connected_count() == 6);
    CHECK(m.b.core().metrics().keep_alive_timeouts == 0);
    rivals.heal();
    m.w.run_for(1s);
    CHECK(m.b.core().connected_count() == 1);
    CHECK(m.b.core().session_count() == 1);
    CHECK(m.accused() == texts{});
}

TEST_CASE("two that fight for a client id do so for ever, and lose nothing that is acknowledged",
          "[fault]") {
    meters m(protocol_version::v5, {}, 0.5);
    auto rivals = m.take_over(false);
    rivals.every = seconds_of(3);
    m.w.add_fault(rivals);
    m.w.run_for(1s);  // now they have subscribed
    for (int i = 0; i < 100; ++i) {
        m.probe.publish("orders/" + std::to_string(i % 5), "on", qos::exactly_once);
        m.w.run_for(1s);
    }
    m.w.run_for(10s);
    CHECK(m.now().sessions_resumed >= 150);
    const run_report after = m.w.report();
    const flow_counts flows = sum_flows(after, after.selections.front(), {.receiver = 0});
    CHECK(flows.due == 100);
    CHECK(flows.delivered + flows.under_way() == 100);
    CHECK(flows.duplicates == 0);
    CHECK(m.accused() == texts{});
}

// Clocks

TEST_CASE("a clock that goes fast or slow takes schedules with it, and nothing else", "[fault]") {
    const double rate = GENERATE(0.5, 1.0, 2.0, 10.0);
    clocks c;
    c.w.run_for(10s);
    c.heard();
    const auto skewed = c.w.begin_fault(c.skew(rate));
    c.w.run_for(100s);
    const auto said = static_cast<double>(c.heard());
    CHECK(std::abs(said - 100 * rate) <= 2);
    // What others measure is by their own clocks.
    const run_report report = c.w.report();
    CHECK(sum_flows(report, report.selections.front(), {}).latency.max() <= 1ms);
    CHECK(c.accusations() == 0);
}

TEST_CASE("what a clock has gained shows in what the device says, until it is set right",
          "[fault]") {
    clocks c;
    c.w.run_for(10s);
    {
        const auto skewed = c.w.begin_fault(c.skew(1.5));
        c.w.run_for(100s);
        CHECK(std::abs(c.seconds_ahead() - 50) <= 1);
    }
    c.w.run_for(10s);
    CHECK(std::abs(c.seconds_ahead()) <= 1);
    CHECK(c.accusations() == 0);
}

TEST_CASE("a clock that is off shows another time, and keeps its pace", "[fault]") {
    const duration off = GENERATE(duration{1h}, duration{-1h});
    clocks c;
    c.w.run_for(10s);
    c.heard();
    {
        const auto skewed = c.w.begin_fault(c.skew({}, off));
        c.w.run_for(10s);
        CHECK(std::abs(c.seconds_ahead() - off / 1s) <= 1);
        c.w.run_for(10s);
        CHECK(c.heard() == 10);
    }
    c.w.run_for(10s);
    CHECK(c.seconds_ahead() == 0);
}

TEST_CASE("skews of one device add up, and end one by one", "[fault]") {
    clocks c;
    const auto fast = c.w.begin_fault(c.skew(4.0));
    {
        const auto slow = c.w.begin_fault(c.skew(0.5));
        c.w.run_for(50s);
        CHECK(c.heard() >= 98);
        CHECK(c.heard() == 0);
    }
    c.w.run_for(50s);
    CHECK(c.heard() >= 198);
}

TEST_CASE(
    "a slow clock lets the keep alive pass, for which the broker is right and nobody to blame",
    "[fault][v5/MQTT-3.1.2-22]") {
    clocks c(30s, false);
    auto slow = c.w.begin_fault(c.skew(0.5));
    c.w.run_for(10min);
    CHECK(c.b.core().metrics().keep_alive_timeouts >= 4 * 8);
    CHECK(c.accusations() == 0);
    slow.heal();
    c.w.run_for(2min);
    const std::uint64_t before = c.b.core().metrics().keep_alive_timeouts;
    c.w.run_for(10min);
    CHECK(c.b.core().metrics().keep_alive_timeouts == before);
    CHECK(c.accusations() == 0);
}

TEST_CASE("a fast clock pings more often, and loses no connection", "[fault]") {
    clocks c(30s, false);
    const auto fast = c.w.begin_fault(c.skew(3.0));
    c.w.run_for(10min);
    CHECK(c.b.core().metrics().keep_alive_timeouts == 0);
    CHECK(c.w.report().fleets.at(0).connects_accepted == 4);
    CHECK(c.accusations() == 0);
}

TEST_CASE("a clock that goes wrong again and again is the same history each time",
          "[fault][determinism]") {
    const auto run = [](bool elsewhere) {
        clocks c;
        auto wrong = c.skew(1.37);
        wrong.lasts = distribution::uniform(1e9, 9e9);
        wrong.every = seconds_of(7);
        wrong.share = 0.5;
        if (elsewhere) {
            wrong.rate = 1.0;
            wrong.offset = 3s;
        }
        c.w.add_fault(wrong);
        c.w.run_for(5min);
        CHECK(c.accusations() == 0);
        return c.w.trace_hash();
    };
    CHECK(run(false) == run(false));
    CHECK(run(false) != run(true));
}

// Cohorts

TEST_CASE("a fault hits the cohort that it names", "[fault][behaviour]") {
    const auto read = parse_scenario(R"({"name": "s", "duration": "1m",
        "fleets": [{"name": "meters", "count": 30, "behaviour": {
            "cohorts": [{"name": "v1", "first_device": 0, "last_device": 11},
                        {"name": "v2", "share": 1}],
            "states": {"on": {"final": true}}}}],
        "faults": [{"kind": "cut", "at": "10s", "fleet": "meters", "cohort": "v1"},
                   {"kind": "power_loss", "at": "20s", "for": "5s", "fleet": "meters",
                    "cohort": "v2"}]})",
                                     "s.json");
    const auto* const problems = std::get_if<std::vector<problem>>(&read);
    REQUIRE((problems == nullptr ? std::string() : to_string(*problems)).empty());
    world w = world::from(std::get<scenario>(read));
    w.run_for(15s);
    CHECK(w.report().faults.at(0).devices == 12);
    CHECK(w.report().fleets.at(0).links_cut == 12);
    w.run_for(7s);
    CHECK(w.report().faults.at(1).devices == 18);
    CHECK(w.report().fleets.at(0).connected == 12);
}

// All kinds

TEST_CASE("each kind comes by time, by rule and by hand, from JSON and C++", "[fault]") {
    const auto which = GENERATE(range(std::size_t{0}, fault_kind_count));
    const auto kind = static_cast<fault_kind>(which);
    CAPTURE(name_of(kind));
    const std::string more = kind == fault_kind::latency      ? R"(, "latency": "1s")"
                             : kind == fault_kind::bandwidth  ? R"(, "bandwidth": "1kB/s")"
                             : kind == fault_kind::split      ? R"(, "probability": 0.5)"
                             : kind == fault_kind::clock_skew ? R"(, "rate": 1.1)"
                                                              : "";
    const std::string length =
        lasts(kind) ? R"(, "for": {"uniform": {"min": "1s", "max": "4s"}})" : "";
    const std::string place = hits_broker(kind) ? "" : R"(, "fleet": "doors", "share": 0.5)";
    const auto read = parse_scenario(R"({"name": "s", "duration": "2m", "fleets": [
            {"name": "doors", "count": 8, "keep_alive": "20s", "clean_start": false,
             "session_expiry": "1h",
             "publications": [
                 {"topic": "d/{index}", "period": "2s", "qos": 1, "payload": "{seq}"}]},
            {"name": "hall", "subscriptions": [{"filter": "d/#", "qos": 1}]}],
        "faults": [{"kind": ")" + std::string(name_of(kind)) +
                                         R"(", "at": "20s", "every": "10s",
                    "count": 4)" + length +
                                         place + more + "}]}",
                                     "s.json");
    const auto* const problems = std::get_if<std::vector<problem>>(&read);
    REQUIRE((problems == nullptr ? std::string() : to_string(*problems)).empty());
    const auto& what = std::get<scenario>(read);
    const auto run = [&](std::vector<fault_spec> faults, const fault_spec* by_hand) {
        scenario changed = what;
        changed.faults = std::move(faults);
        world w = world::from(changed);
        w.run_for(40s);
        if (by_hand != nullptr) {
            const auto guard = w.begin_fault(*by_hand);
            w.run_for(10s);
        }
        w.run_until(instant{2min});
        const run_report report = w.report();
        CHECK(report.ledger.violations.empty());
        CHECK(report.fleets.at(0).connected == 8);  // it is over
        if (!report.faults.empty()) {
            CHECK(report.faults.at(0).kind == kind);
            CHECK(report.faults.at(0).begun == (by_hand != nullptr ? 1u : 4u));
            CHECK((report.faults.at(0).devices != 0) == !hits_broker(kind));
        }
        return report.trace_hash;
    };
    const std::uint64_t quiet = run({}, nullptr);
    fault_spec made = what.faults.at(0);
    CHECK(run(what.faults, nullptr) != quiet);
    CHECK(run(what.faults, nullptr) == run({made}, nullptr));
    made.count.reset();
    made.every.reset();
    made.share = 1;
    CHECK(run({}, &made) != quiet);
}

TEST_CASE("a rival, a clock or a cohort that cannot be is refused", "[fault]") {
    world w;
    w.add_broker();
    w.add_fleet({.name = "doors"});
    const auto refused = [&](const fault_spec& what) {
        CHECK_THROWS_AS(w.begin_fault(what), std::invalid_argument);
    };
    refused({.kind = fault_kind::clock_skew});
    refused({.kind = fault_kind::clock_skew, .rate = 0.0});
    refused({.kind = fault_kind::clock_skew, .rate = 1'001.0});
    refused({.kind = fault_kind::clock_skew, .offset = clock_offset_max + 1s});
    refused({.kind = fault_kind::take_over, .fleet = "doors", .cohort = "v2"});
    refused({.kind = fault_kind::take_over, .cohort = "v2"});
}
