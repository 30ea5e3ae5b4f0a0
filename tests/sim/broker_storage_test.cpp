#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <support/case_share.hpp>

#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// A broker of the world with a session file on a simulated disk, which dies and goes on.

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

distribution seconds_of(double value) { return distribution::constant(value * 1e9); }

storage_spec long_turns() {
    storage_spec out;
    out.commit_time = distribution::exponential(30e6);
    return out;
}

/// Sensors that publish at QoS 1 and 2, and a back end that hears them, through a broker that dies
/// every few seconds.
struct plant {
    explicit plant(const storage_spec& storage, bool power_cut, std::uint64_t seed = 1)
        : w({.seed = seed}), b(w.add_broker({.name = "cloud", .storage = storage})) {
        w.add_network({.name = "lan",
                       .up = {.latency = distribution::uniform(1e6, 20e6)},
                       .down = {.latency = distribution::uniform(1e6, 20e6)}});
        fleet_spec sensors{.name = "sensors", .count = 6};
        sensors.clean_start = false;
        sensors.session_expiry = for_ever;
        sensors.reconnect_delay = distribution::uniform(0.05e9, 0.5e9);
        for (const qos level : {qos::at_least_once, qos::exactly_once}) {
            sensors.publications.push_back(
                {.topic = "sensors/{index}/" + std::to_string(static_cast<int>(level)),
                 .period = distribution::exponential(0.2e9),
                 .qos = level,
                 .retain = level == qos::exactly_once,
                 .payload = "{seq}"});
        }
        w.add_fleet(sensors);
        fleet_spec back_end{.name = "back end"};
        back_end.clean_start = false;
        back_end.session_expiry = for_ever;
        back_end.reconnect_delay = distribution::uniform(0.05e9, 0.5e9);
        back_end.subscriptions.push_back({.filter = "sensors/#", .qos = qos::exactly_once});
        w.add_fleet(back_end);
        fault_spec crash{.kind = fault_kind::broker_crash,
                         .at = 2s,
                         .lasts = distribution::uniform(0.001e9, 1e9),
                         .every = distribution::exponential(2e9)};
        crash.power_cut = power_cut;
        w.add_fault(crash);
    }

    world w;
    virtual_broker& b;
};

std::string first_of(const world& judged) {
    const auto found = judged.violations();
    return found.empty() ? std::string() : to_string(found.front());
}

/// A broker with storage and two clients that it knows for an hour.
struct office {
    explicit office(duration commit_time = 0s)
        : b(w.add_broker({.name = "cloud", .storage = storage(commit_time)})),
          one(w.add_client("one")),
          two(w.add_client("two")) {
        connect(one);
        connect(two);
    }

    static storage_spec storage(duration commit_time) {
        storage_spec out;
        out.commit_time = distribution::constant(static_cast<double>(commit_time.count()));
        return out;
    }

    void connect(client& who, std::uint32_t expiry = 3600) {
        fleetarium::connect asked;
        asked.version = protocol_version::v5;
        asked.client_id = who.id();
        asked.clean_start = false;
        asked.session_expiry_interval = expiry;
        REQUIRE(who.connect(b, asked));
        w.settle();
    }

    fault_guard crash(bool power_cut = true) {
        fault_spec what{.kind = fault_kind::broker_crash};
        what.power_cut = power_cut;
        return w.begin_fault(what);
    }

    world w;
    virtual_broker& b;
    client& one;
    client& two;
};

}  // namespace

TEST_CASE("whenever a broker's machine loses power, nothing that was acknowledged is lost",
          "[storage][fault][v5/MQTT-4.1.0-1][v5/MQTT-4.3.2-2][v5/MQTT-4.3.3-8]") {
    const bool power_cut = GENERATE(true, false);
    storage_report deaths;
    std::uint64_t receptions = 0;
    for (std::uint64_t seed = 1; seed <= test::share_of(20U); ++seed) {
        storage_spec storage = long_turns();
        storage.tears_sectors = seed % 2 == 0;
        storage.sector_size = seed % 3 == 0 ? 512 : 4096;
        plant p(storage, power_cut, seed);
        p.w.run_for(60s);
        INFO("seed " << seed);
        CHECK(first_of(p.w) == "");
        const run_report report = p.w.report();
        const storage_report& counted = report.brokers.at(0).storage.value();
        deaths.crashes += counted.crashes;
        deaths.behind_commit += counted.behind_commit;
        deaths.torn += counted.torn;
        receptions += report.ledger.receptions;
    }
    CHECK(deaths.crashes > test::share_of(300U));
    CHECK(deaths.behind_commit > test::share_of(30U));
    CHECK(deaths.torn > test::share_of(30U));
    CHECK(receptions > test::share_of(20'000U));
}

TEST_CASE("the ledger finds what a disk has lost that only says it has synced",
          "[storage][fault][ledger]") {
    std::size_t convicted = 0;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        storage_spec storage = long_turns();
        storage.lies_about_sync = true;
        plant p(storage, true, seed);
        p.w.run_for(60s);
        convicted += !p.w.violations().empty();
    }
    CHECK(convicted == 5);
}

TEST_CASE("without a sync a process that dies loses nothing, and a power cut does",
          "[storage][fault][ledger]") {
    const auto sync = GENERATE(storage::sync_mode::normal, storage::sync_mode::off);
    std::size_t by_process = 0;
    std::size_t by_power_cut = 0;
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        storage_spec storage = long_turns();
        storage.sync = sync;
        plant killed(storage, false, seed);
        killed.w.run_for(30s);
        by_process += killed.w.violations().size();
        plant cut(storage, true, seed);
        cut.w.run_for(60s);
        by_power_cut += !cut.w.violations().empty();
    }
    CHECK(by_process == 0);
    CHECK(by_power_cut == 5);
}

TEST_CASE("a run with crashes of storage repeats with its seed", "[storage][determinism]") {
    const auto run = [](std::uint64_t seed) {
        storage_spec storage = long_turns();
        storage.tears_sectors = true;
        plant p(storage, true, seed);
        p.w.run_for(30s);
        return std::pair(p.w.trace_hash(), p.w.events_handled());
    };
    CHECK(run(3) == run(3));
    CHECK(run(3) != run(4));
}

TEST_CASE("an answer leaves when what it promises is durable", "[storage]") {
    office here(100ms);
    const instant began = here.w.now();
    REQUIRE(here.one.publish("a", "1", qos::at_least_once));
    here.w.run_for(99ms);
    CHECK(here.one.count_notes(client_note::kind::acknowledged) == 0);
    here.w.run_for(1ms);
    CHECK(here.one.count_notes(client_note::kind::acknowledged) == 1);
    CHECK(here.w.now() - began == 100ms);
}

TEST_CASE("turns that take time cut nobody off who spoke in time, and others as they should",
          "[storage][v5/MQTT-3.1.2-22]") {
    storage_spec storage;
    storage.commit_time = distribution::exponential(100e6);
    world w;
    w.add_broker({.name = "cloud", .storage = storage});
    fleet_spec sensors{.name = "sensors", .count = 20};
    sensors.keep_alive = 1s;
    sensors.reconnect_delay = seconds_of(1);
    w.add_fleet(sensors);
    w.run_for(60s);
    CHECK(w.report().brokers.at(0).metrics.keep_alive_timeouts == 0);
    w.add_fault({.kind = fault_kind::partition, .at = 60s, .lasts = seconds_of(10)});
    w.add_fault({.kind = fault_kind::power_loss, .at = 90s, .lasts = seconds_of(10)});
    w.run_for(60s);
    CHECK(w.report().brokers.at(0).metrics.keep_alive_timeouts == 2 * 20);
    CHECK(first_of(w) == "");
}

TEST_CASE("sessions that a disk brings back are nobody's, and the run goes on",
          "[storage][fault]") {
    // Their ends were lost with the rest of what was not synced.
    std::size_t accused = 0;
    for (std::uint64_t seed = 1; seed <= test::share_of(10U); ++seed) {
        storage_spec storage = long_turns();
        storage.lies_about_sync = true;
        storage.tears_sectors = true;
        world w({.seed = seed});
        w.add_broker({.name = "cloud", .storage = storage});
        fleet_spec brief{.name = "brief", .count = 30};
        brief.clean_start = false;
        brief.session_expiry = 2s;
        brief.will = will_spec{.topic = "gone/{index}", .payload = "x", .qos = qos::at_least_once};
        brief.online = coverage_spec{.up = distribution::exponential(3e9),
                                     .down = distribution::exponential(3e9),
                                     .manner = offline_manner::cut};
        brief.subscriptions.push_back({.filter = "gone/#", .qos = qos::at_least_once});
        w.add_fleet(brief);
        fault_spec crash{.kind = fault_kind::broker_crash,
                         .at = 2s,
                         .lasts = distribution::uniform(0.01e9, 4e9),
                         .every = distribution::exponential(5e9)};
        crash.power_cut = true;
        w.add_fault(crash);
        w.run_for(2min);
        accused += !w.violations().empty();
    }
    CHECK(accused > 0);
}

TEST_CASE("a client may retain what it likes, on any topic, and crashes are survived",
          "[storage][fault]") {
    office here(50ms);
    REQUIRE(here.one.publish("$torn", "mine", qos::at_least_once, true));
    here.w.settle();
    REQUIRE(here.one.publish("a", "1", qos::at_least_once));
    here.w.run_for(1ms);
    { const fault_guard down = here.crash(); }
    here.w.run_for(1s);
    CHECK((*here.b.core().retained().find("$torn"))->payload().size() == 4);
    CHECK(first_of(here.w) == "");
}

TEST_CASE("a session without an expiry interval ends with the broker's process, another goes on",
          "[storage][fault][v5/MQTT-4.1.0-1]") {
    office here;
    client& brief = here.w.add_client("brief");
    here.connect(brief, 0);
    REQUIRE(brief.subscribe("news/#", qos::at_least_once));
    REQUIRE(here.one.subscribe("news/#", qos::at_least_once));
    here.w.settle();
    {
        const fault_guard down = here.crash();
        here.w.run_for(1s);
        CHECK(here.b.publish("news/1", "x").error() == error::not_connected);
        CHECK(here.b.core().session_count() == 2);
        CHECK_FALSE(here.one.has_link());
    }
    here.w.run_for(1s);
    here.connect(brief, 0);
    here.connect(here.one);
    CHECK_FALSE(brief.last_connack()->session_present);
    CHECK(here.one.last_connack()->session_present);
    REQUIRE(here.b.publish("news/2", "y", qos::at_least_once));
    here.w.settle();
    CHECK(brief.messages().empty());
    REQUIRE(here.one.messages().size() == 1);
    CHECK(here.one.messages()[0].payload == "y");
    CHECK(first_of(here.w) == "");
}

TEST_CASE("the will of a client that the broker died under is published when the broker is back",
          "[storage][fault][will][v5/MQTT-3.1.2-8]") {
    office here;
    client& dying = here.w.add_client("dying");
    fleetarium::connect asked;
    asked.version = protocol_version::v5;
    asked.client_id = "dying";
    asked.session_expiry_interval = 3600;
    asked.will.emplace();
    asked.will->topic = "gone";
    asked.will->payload = as_bytes_view("dying");
    asked.will->qos = qos::at_least_once;
    asked.will->delay_interval = 5;
    REQUIRE(dying.connect(here.b, asked));
    REQUIRE(here.one.subscribe("gone", qos::at_least_once));
    here.w.settle();
    {
        const fault_guard down = here.crash();
        here.w.run_for(60s);
    }
    here.w.run_for(1s);
    here.connect(here.one);
    here.w.run_for(3s);
    CHECK(here.one.messages().empty());
    here.w.run_for(2s);
    REQUIRE(here.one.messages().size() == 1);
    CHECK(first_of(here.w) == "");
}

TEST_CASE("counters of a broker go on over the ends of its processes", "[storage]") {
    office here;
    REQUIRE(here.one.publish("a", "1", qos::at_least_once));
    here.w.settle();
    {
        const fault_guard down = here.crash(false);
        here.w.run_for(1s);
        CHECK(here.b.metrics().publish_received[1] == 1);
    }
    here.w.run_for(1s);
    here.connect(here.one);
    REQUIRE(here.one.publish("a", "2", qos::at_least_once));
    here.w.settle();
    CHECK(here.b.metrics().publish_received[1] == 2);
    CHECK(here.b.core().metrics().publish_received[1] == 1);
    CHECK(here.w.report().brokers.at(0).metrics.connections_accepted == 3);
}

TEST_CASE("a broker that is told to stop has stored everything", "[storage][fault]") {
    office here(20ms);
    REQUIRE(here.two.subscribe("a", qos::at_least_once));
    here.w.settle();
    here.two.close();
    here.w.settle();
    REQUIRE(here.one.publish("a", "1", qos::at_least_once));
    here.w.run_for(1ms);  // the turn is under way
    {
        const fault_guard stopped = here.w.begin_fault({.kind = fault_kind::broker_stop});
        here.w.run_for(1s);
        CHECK(here.one.count_notes(client_note::kind::acknowledged) == 1);
    }
    here.w.run_for(1s);
    here.connect(here.two);
    here.w.run_for(1s);
    REQUIRE(here.two.messages().size() == 1);
    CHECK(first_of(here.w) == "");
}

TEST_CASE("what storage keeps cannot be said by a fault, nor a power cut harm what is not there",
          "[storage][fault]") {
    office here;
    fault_spec said{.kind = fault_kind::broker_crash, .lasts = seconds_of(1)};
    said.keeps_sessions = false;
    CHECK_THROWS_AS(here.w.add_fault(said), std::invalid_argument);
    world without;
    without.add_broker();
    fault_spec cut{.kind = fault_kind::broker_crash, .lasts = seconds_of(1)};
    cut.power_cut = true;
    CHECK_THROWS_AS(without.add_fault(cut), std::invalid_argument);
}

TEST_CASE("storage is read from a scenario, and its mistakes are named", "[storage][scenario]") {
    const auto read = [](const std::string& storage, const std::string& fault) {
        return parse_scenario(
            R"({"name": "s", "duration": "1m", "brokers": [{"name": "cloud", "storage": )" +
                storage + R"(}], "fleets": [], "faults": [)" + fault + "]}",
            "s.json");
    };
    const auto good = read(
        R"({"sync": "normal", "commit_time": "5ms", "sector_size": 512, "tears_sectors": true,
            "lies_about_sync": true})",
        R"({"kind": "broker_crash", "for": "1s", "power_cut": true})");
    REQUIRE(std::holds_alternative<scenario>(good));
    const storage_spec& storage = std::get<scenario>(good).brokers.at(0).storage.value();
    CHECK(storage.sync == storage::sync_mode::normal);
    CHECK(storage.commit_time.mean() == 5e6);
    CHECK(storage.sector_size == 512);
    CHECK(storage.tears_sectors);
    CHECK(storage.lies_about_sync);
    CHECK(std::get<scenario>(good).faults.at(0).power_cut == true);

    const auto problems_of = [&](const std::string& with, const std::string& fault) {
        const auto bad = read(with, fault);
        const auto* const problems = std::get_if<std::vector<config::problem>>(&bad);
        return problems == nullptr ? "" : config::to_string(*problems);
    };
    CHECK_THAT(
        problems_of(R"({"sector_size": 1000})", ""),
        Catch::Contains("/brokers/0/storage/sector_size") && Catch::Contains("a power of two"));
    CHECK_THAT(problems_of(R"({"sync": "ful"})", ""), Catch::Contains("did you mean \"full\""));
    CHECK_THAT(
        problems_of("{}", R"({"kind": "broker_crash", "for": "1s", "keeps_sessions": true})"),
        Catch::Contains("/faults/0/keeps_sessions") && Catch::Contains("with storage"));
}
