// A ledger in whole worlds: whatever goes wrong in the network, nobody who keeps the rules is
// accused; and the run is the same with and without it.

#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <fleetarium/core/random.hpp>

#include <support/case_share.hpp>

#include <catch2/catch.hpp>

#include <string>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

std::string first_of(const world& judged) {
    const auto found = judged.violations();
    return found.empty() ? std::string() : to_string(found.front());
}

/// A small world in which everything that can be drawn is drawn.
class drawn_scenario {
public:
    explicit drawn_scenario(std::uint64_t seed) : draws_(random_key{combine(seed, 0x1ed6e5)}) {
        made.name = "drawn";
        made.seed = seed;
        made.duration = 5min;
        broker_spec broker;
        broker.options.receive_maximum = one_of<std::uint16_t>({1, 3, 1024});
        broker.options.inflight_messages_max = one_of<std::uint16_t>({2, 20, 65'535});
        broker.options.queue_messages_max = one_of<std::uint32_t>({5, 1000});
        broker.options.queue_policy =
            flip() ? broker::queue_policy::drop_new : broker::queue_policy::drop_oldest;
        broker.options.queue_qos_0_offline = flip();
        broker.options.maximum_qos = flip(0.2) ? qos::at_least_once : qos::exactly_once;
        broker.options.overlapping_subscriptions =
            flip() ? broker::overlapping_subscriptions::single_copy
                   : broker::overlapping_subscriptions::copy_per_subscription;
        broker.options.sys_interval = flip(0.3) ? duration(20s) : duration{};
        broker.options.session_expiry_maximum = flip(0.2) ? 30 : broker::session_expiry_never;
        made.brokers.push_back(broker);
        network_spec radio{.name = "radio",
                           .up = {.latency = distribution::uniform(1e6, 200e6)},
                           .down = {.latency = distribution::uniform(1e6, 200e6)}};
        radio.split_probability = flip() ? 0.3 : 0;
        if (flip(0.3)) {
            radio.mtu = 64;
        }
        made.networks.push_back(radio);
        add_sensors();
        add_listeners();
        add_workers();
        add_faults();
    }

    scenario made;

private:
    bool flip(double chance = 0.5) { return draws_.bernoulli(chance); }
    template <class T>
    T one_of(std::initializer_list<T> all) {
        return *(all.begin() + draws_.below(all.size()));
    }
    qos any_qos() { return one_of({qos::at_most_once, qos::at_least_once, qos::exactly_once}); }

    void draw_manners(fleet_spec& of) {
        of.version = flip(0.3) ? protocol_version::v3_1_1 : protocol_version::v5;
        of.clean_start = flip(0.3);
        of.ramp_up = 5s;
        of.reconnect_delay = distribution::uniform(0.1e9, 3e9);
        if (of.version == protocol_version::v5) {
            of.session_expiry = one_of<duration>({0s, 5s, 600s});
            if (flip(0.4)) {
                of.receive_maximum = one_of<std::uint16_t>({1, 2, 10});
            }
            if (flip(0.3)) {
                of.topic_alias_maximum = 3;
            }
        }
        if (flip(0.7)) {
            of.online = coverage_spec{
                .up = distribution::exponential(30e9),
                .down = distribution::exponential(8e9),
                .manner = flip(0.7) ? offline_manner::cut : offline_manner::disconnect};
        }
        if (flip(0.6)) {
            of.will = will_spec{.topic = "{fleet}/{index}/gone",
                                .payload = "x",
                                .qos = any_qos(),
                                .retain = flip()};
            of.will->qos = std::min(of.will->qos, made.brokers[0].options.maximum_qos);
            if (of.version == protocol_version::v5) {
                of.will->delay = one_of<duration>({0s, 3s, 60s});
            }
        }
    }

    void add_sensors() {
        fleet_spec sensors{.name = "sensors", .count = 8, .network = "radio"};
        draw_manners(sensors);
        for (int i = 0; i < 3; ++i) {
            publication_spec p{.topic = "sensors/{index}/" + std::string(1, char('a' + i)),
                               .period = distribution::exponential(2e9),
                               .qos = any_qos(),
                               .retain = flip(0.3),
                               .payload = flip(0.1) ? "" : "{seq}"};
            if (sensors.version == protocol_version::v5 && flip(0.3)) {
                p.message_expiry = one_of<duration>({1s, 20s});
            }
            sensors.publications.push_back(p);
        }
        sensors.subscriptions.push_back({.filter = "sensors/{index}/a",
                                         .qos = any_qos(),
                                         .no_local = sensors.version == protocol_version::v5});
        made.fleets.push_back(sensors);
    }

    void add_listeners() {
        fleet_spec listeners{.name = "listeners", .count = 3, .network = "radio"};
        draw_manners(listeners);
        const bool v5 = listeners.version == protocol_version::v5;
        for (const char* const filter : {"sensors/#", "+/{index}/a", "#", "sensors/+/gone"}) {
            if (flip(0.6)) {
                listeners.subscriptions.push_back(
                    {.filter = filter,
                     .qos = any_qos(),
                     .retain_as_published = v5 && flip(),
                     .retain_handling =
                         v5 ? one_of({retain_handling::send, retain_handling::send_if_new,
                                      retain_handling::do_not_send})
                            : retain_handling::send});
            }
        }
        made.fleets.push_back(listeners);
    }

    void add_workers() {
        fleet_spec workers{.name = "workers", .count = 4, .network = "radio"};
        draw_manners(workers);
        workers.subscriptions.push_back({.filter = "$share/w/sensors/+/b", .qos = any_qos()});
        if (flip()) {
            workers.subscriptions.push_back({.filter = "$share/w/sensors/#", .qos = any_qos()});
        }
        if (flip()) {
            workers.subscriptions.push_back({.filter = "sensors/+/b", .qos = any_qos()});
        }
        workers.replies.push_back({.on = "sensors/+/b",
                                   .to = "answers/{index}",
                                   .delay = distribution::exponential(1e9),
                                   .qos = any_qos(),
                                   .payload = "{request}"});
        made.fleets.push_back(workers);
    }

    void add_faults() {
        for (std::size_t i = 0; i < fault_kind_count; ++i) {
            const auto kind = static_cast<fault_kind>(i);
            if (!flip(0.3)) {
                continue;
            }
            fault_spec one{.kind = kind, .at = 10s, .every = distribution::exponential(25e9)};
            one.share = hits_broker(kind) ? 1 : 0.5;
            if (lasts(kind)) {
                one.lasts = distribution::uniform(0.1e9, 6e9);
            }
            switch (kind) {
                case fault_kind::latency: one.added_latency = distribution::uniform(0, 1e9); break;
                case fault_kind::bandwidth: one.bytes_per_second = 200; break;
                case fault_kind::split: one.probability = 0.7; break;
                case fault_kind::cut_in_packet:
                    one.packet =
                        one_of({packet_type::publish, packet_type::puback, packet_type::pubrec,
                                packet_type::pubrel, packet_type::pubcomp, packet_type::connack});
                    one.byte = one_of<std::uint32_t>({0, 1, 3});
                    break;
                case fault_kind::half_open:
                    one.knows = flip() ? link_side::device : link_side::broker;
                    break;
                case fault_kind::broker_crash: one.keeps_sessions = flip(); break;
                case fault_kind::take_over: one.clean_start = flip(); break;
                case fault_kind::clock_skew:
                    one.rate = one_of({0.3, 0.9, 1.1, 1.6, 5.0});
                    one.offset = one_of<duration>({-1h, 0s, 3s});
                    break;
                default: break;
            }
            made.faults.push_back(one);
        }
    }

    random_stream draws_;
};

}  // namespace

TEST_CASE("in worlds with everything drawn, faults too, nobody is accused", "[ledger]") {
    std::uint64_t receptions = 0;
    for (std::uint64_t seed = 1; seed <= test::share_of(150U); ++seed) {
        world w = world::from(drawn_scenario(seed).made);
        w.run_for(5min);
        INFO("seed " << seed);
        CHECK(first_of(w) == "");
        receptions += w.report().ledger.receptions;
    }
    CHECK(receptions > test::share_of(100'000U));
}

namespace {

/// How often brokers with storage died in such worlds. Turns are long, so that many of the crashes
/// find one under way.
std::uint64_t crashes_in_worlds(std::uint64_t first_seed, std::uint64_t last_seed) {
    std::uint64_t crashes = 0;
    for (std::uint64_t seed = first_seed; seed <= last_seed; ++seed) {
        scenario drawn = drawn_scenario(seed).made;
        random_stream draws(seed, 0, "storage");
        storage_spec& storage = drawn.brokers[0].storage.emplace();
        storage.commit_time = distribution::exponential(100e6);
        storage.tears_sectors = draws.bernoulli(0.5);
        storage.sector_size = draws.bernoulli(0.5) ? 512 : 4096;
        std::erase_if(drawn.faults,
                      [](const fault_spec& each) { return each.kind == fault_kind::broker_crash; });
        for (const bool power_cut : {true, false}) {
            drawn.faults.push_back({.kind = fault_kind::broker_crash,
                                    .at = 5s,
                                    .lasts = distribution::uniform(0.01e9, 3e9),
                                    .every = distribution::exponential(15e9),
                                    .power_cut = power_cut});
        }
        world w = world::from(drawn);
        w.run_for(5min);
        INFO("seed " << seed);
        CHECK(first_of(w) == "");
        const run_report report = w.report();
        crashes += report.brokers.at(0).storage.value().crashes;
    }
    return crashes;
}

}  // namespace

TEST_CASE("in such worlds a broker with storage dies again and again, and nobody is accused",
          "[ledger][storage]") {
    CHECK(crashes_in_worlds(1, test::share_of(25U)) > test::share_of(500U));
}

TEST_CASE("a broker with storage dies 30,000 times, and nobody is accused",
          "[ledger][storage][.nightly]") {
    CHECK(crashes_in_worlds(1, 1000) > 30'000);
}

TEST_CASE("nobody is accused in worlds that were rare to meet", "[ledger]") {
    // Ends in the midst of a clean start, one of two copies dropped, a session that left a retained
    // message behind.
    for (const std::uint64_t seed : {342U, 821U, 833U, 940U, 1004U, 1799U}) {
        world w = world::from(drawn_scenario(seed).made);
        w.run_for(5min);
        INFO("seed " << seed);
        CHECK(first_of(w) == "");
    }
}

TEST_CASE("the ledger changes no trace", "[ledger][determinism]") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        scenario described = drawn_scenario(seed).made;
        world with = world::from(described);
        described.ledger = false;
        world without = world::from(described);
        with.run_for(5min);
        without.run_for(5min);
        CHECK(with.trace_hash() == without.trace_hash());
        CHECK(with.report().ledger.enabled);
        CHECK(!without.report().ledger.enabled);
        CHECK(without.violations().empty());
    }
}

TEST_CASE("nobody is accused in the scenarios that come with the program", "[ledger]") {
    for (const char* const name : {"smart_building", "fleet_of_trucks", "utility_meters"}) {
        for (std::uint64_t seed = 1; seed <= test::share_of(3U); ++seed) {
            const std::string file =
                FLEETARIUM_SOURCE_DIR "/scenarios/" + std::string(name) + ".json";
            const std::vector<std::string> overrides{"/seed=" + std::to_string(seed)};
            auto loaded = load_scenario(file, overrides);
            REQUIRE(std::holds_alternative<scenario>(loaded));
            world w = world::from(std::get<scenario>(loaded));
            w.run_for(20min);
            INFO(name << ", seed " << seed);
            CHECK(first_of(w) == "");
            CHECK(w.report().ledger.messages > 1000);
        }
    }
}

TEST_CASE("nobody is accused among clients written by hand", "[ledger]") {
    world w;
    auto& b = w.add_broker();
    auto& one = w.add_client("one");
    auto& two = w.add_client("two");
    connect keep;
    keep.client_id = "two";
    keep.clean_start = false;
    keep.session_expiry_interval = 60;
    one.connect(b);
    two.connect(b, keep);
    two.subscribe("a/#", qos::exactly_once);
    two.subscribe("+/b", qos::at_least_once);
    for (int round = 0; round < 10; ++round) {
        for (const auto level : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
            one.publish("a/b", "x", level);
        }
        w.settle();
        two.cut();
        one.publish("a/c", "y", qos::exactly_once, true);
        w.settle();
        two.reconnect();
        two.publish("a/c", "", qos::at_least_once, true);
        if (round % 3 == 2) {
            two.unsubscribe("+/b");
            two.subscribe("+/b", qos::at_most_once);
        }
        w.run_for(1s);
    }
    CHECK(first_of(w) == "");
    CHECK(w.report().ledger.receptions > 40);
}
