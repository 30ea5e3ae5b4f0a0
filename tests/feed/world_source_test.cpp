#include <feed/feed_stage.hpp>

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/sim/report.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>

using namespace fleetarium;
using namespace fleetarium::feed;
using namespace std::chrono_literals;

namespace {

/// Sums over all QoS.
template <class Member>
std::uint64_t sum(const totals& of, Member member) {
    return of.qos[0].*member + of.qos[1].*member + of.qos[2].*member;
}

/// All that totals say, held against what the world counts for its report, and against the state
/// of its brokers. `before`: what was counted before the source was there.
void check_totals(watched_world& in, const sim::run_report& before) {
    const totals found = in.source.totals({});
    const sim::run_report truth = in.world.report();
    const auto publishers = sim::sum_publishers(truth, truth.selections[0], {});
    const auto earlier = sim::sum_publishers(before, before.selections[0], {});
    CHECK(sum(found, &qos_totals::published) == publishers.received - earlier.received);
    CHECK(sum(found, &qos_totals::copies) == publishers.received_again);
    CHECK(sum(found, &qos_totals::routed) == publishers.routed - earlier.routed);
    CHECK(sum(found, &qos_totals::completed) == publishers.acknowledged);
    CHECK(found.published_by_devices == publishers.published);
    CHECK(found.losses.offline == publishers.lost_offline);
    CHECK(found.losses.queue_full == publishers.queue_full);
    CHECK(found.losses.lost_on_link == publishers.lost_on_link);
    CHECK(found.losses.session_ended == publishers.session_ended);
    CHECK(found.events == truth.events);

    std::uint64_t latencies = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        INFO("QoS " << i);
        const auto flows =
            sim::sum_flows(truth, truth.selections[0], {.qos = static_cast<enum qos>(i)});
        CHECK(found.qos[i].delivered == flows.delivered);
        CHECK(found.qos[i].lost == flows.lost_on_link);
        CHECK(found.qos[i].deliveries >= flows.due);  // those of copies are made, too
        latencies += flows.latency.count();
        std::uint64_t sent = 0;
        std::uint64_t resent = 0;
        std::uint64_t acknowledged = 0;
        for (const sim::broker_report& each : truth.brokers) {
            sent += each.metrics.publish_sent[i];
            resent += each.metrics.publish_resent[i];
            acknowledged += each.metrics.acknowledged[i];
        }
        CHECK(found.qos[i].sent == sent);
        CHECK(found.qos[i].resent <= resent);  // there PUBRELs count, too
        CHECK(found.qos[i].acknowledged == acknowledged);
    }
    CHECK(std::accumulate(found.latency.begin(), found.latency.end(), std::uint64_t{0}) ==
          latencies);
    for (std::size_t why = 0; why < broker::drop_reason_count; ++why) {
        INFO(name_of(static_cast<broker::drop_reason>(why)));
        std::uint64_t dropped = 0;
        for (std::size_t i = 0; i < truth.brokers.size(); ++i) {
            dropped +=
                truth.brokers[i].metrics.dropped[why] - before.brokers[i].metrics.dropped[why];
        }
        CHECK(found.dropped[why] == dropped);
    }

    std::uint64_t queued = 0;
    std::uint64_t in_flight = 0;
    std::uint32_t connected = 0;
    std::uint64_t retained = 0;
    in.world.for_each_broker([&](sim::virtual_broker& each) {
        each.core().for_each_session([&](const broker::session_info& one) {
            queued += one.queued;
            in_flight += one.in_flight;
        });
        connected += static_cast<std::uint32_t>(each.core().connected_count());
        retained += each.core().retained().size();
    });
    CHECK(found.queued == queued);
    CHECK(found.in_flight == in_flight);
    CHECK(found.connected == connected);
    CHECK(found.connects - found.disconnects == connected);
    CHECK(found.retained == retained);

    // Devices see the same as the whole.
    std::uint64_t backlog = 0;
    std::uint64_t received = 0;
    std::uint64_t published = 0;
    std::uint32_t states = 0;
    devices_question all{.limit = 1'000};
    do {
        const devices_answer some = in.source.devices(all);
        for (const device_row& each : some.rows) {
            backlog += each.backlog;
            received += each.received;
            published += each.published;
            states += each.state == device_state::connected;
        }
        all.offset += all.limit;
        if (all.offset >= some.all) {
            break;
        }
    } while (true);
    CHECK(backlog == queued);
    CHECK(received == sum(found, &qos_totals::delivered));
    CHECK(published <= sum(found, &qos_totals::published));  // wills are nobody's
    CHECK(published + 1'000 > sum(found, &qos_totals::published));
    if (found.faults_active == 0) {
        CHECK(states == connected);
    }
}

}  // namespace

TEST_CASE("totals are those of the run's report and of its brokers, at any instant",
          "[feed][world_source]") {
    const auto [name, overrides, length] =
        GENERATE(table<std::string, std::vector<std::string>, duration>({
            {"tests/mutants/protocol_lab.json", {}, 10min},
            {"tests/mutants/protocol_lab.json",
             {"brokers.broker.queue_policy=drop_oldest", "seed=5"},
             10min},
            {"scenarios/power_cut.json", {}, 30min},
            {"scenarios/worker_crash.json", {}, 20min},
            {"scenarios/broker_restart.json", {"fleets.tills.count=100"}, 1h},
            {"scenarios/broker_restart.json",
             {"fleets.tills.count=100", "faults.crash.keeps_sessions=false"},
             1h},
            {"scenarios/broker_power_cut.json", {"fleets.kiosks.count=50"}, 1h},
            {"scenarios/slow_dashboard.json", {}, 10min},
        }));
    // Few messages are followed one by one where there are many in a moment; all are counted.
    const bool is_busy = GENERATE(false, true);
    INFO(name << (overrides.empty() ? "" : " " + overrides.front()) << (is_busy ? ", busy" : ""));
    // given
    const sim::scenario described = load_file(name, overrides);
    const sim::run_report before = sim::world::from(described).report();
    watched_world in(described);
    const duration end = std::min(length, described.duration);
    in.speed = is_busy ? 1e6 : 1;
    bool was_thinned = false;
    // when, then: at instants that share nothing with any period
    for (const double share : {0.07, 0.313, 0.667, 0.68, 0.691, 0.843, 1.0}) {
        const auto until =
            duration{static_cast<duration::rep>(static_cast<double>(end.count()) * share)};
        in.run_until(until);
        was_thinned = was_thinned || in.source.messages({}).one_in > 1;
        INFO("at " << std::chrono::duration<double>(until).count() << " s");
        check_totals(in, before);
    }
    CHECK(was_thinned == is_busy);
}

TEST_CASE("published and completed messages are told apart by QoS", "[feed][world_source]") {
    watched_world in(parse_text(sensors_text));
    in.run_until(60s);
    const totals found = in.source.totals({});
    const sim::run_report truth = in.world.report();
    // The panel gets each of them once.
    const auto due = [&](enum qos qos) {
        return sim::sum_flows(truth, truth.selections[0], {.qos = qos}).due;
    };
    CHECK(due(qos::at_most_once) > 580);
    CHECK(due(qos::exactly_once) > 290);
    CHECK(found.qos[0].published == due(qos::at_most_once));
    CHECK(found.qos[1].published == 0);
    CHECK(found.qos[2].published == due(qos::exactly_once));
    CHECK(found.qos[0].completed == 0);
    CHECK(found.qos[2].completed ==
          sim::sum_publishers(truth, truth.selections[0], {}).acknowledged);
    CHECK(found.payload_bytes_in > 0);
    CHECK(found.payload_bytes_out == found.payload_bytes_in);
    CHECK(found.at == 60);
}

TEST_CASE("a topic's counts, its newest message and its place in the tree are the truth",
          "[feed][world_source]") {
    watched_world in(parse_text(sensors_text));
    in.run_until(60s);
    const totals all = in.source.totals({});
    topics_question asked;
    const topics_answer roots = in.source.topics(asked);
    REQUIRE(roots.rows.size() == 1);
    CHECK(roots.rows[0].name == "s");
    CHECK(roots.rows[0].children == 10);
    CHECK_FALSE(roots.rows[0].is_topic);
    CHECK(roots.rows[0].messages == all.qos[0].published + all.qos[2].published);
    CHECK(roots.rows[0].bytes == all.payload_bytes_in);
    CHECK(roots.topics == 20);
    CHECK(roots.messages_beyond == 0);
    asked.parent = "s/3";
    const topics_answer below = in.source.topics(asked);
    REQUIRE(below.rows.size() == 1);
    CHECK(below.rows[0].name == "s/3/sure");
    CHECK(below.rows[0].level == "sure");
    CHECK(below.rows[0].messages ==
          in.source.messages({.filter = "s/3/sure", .limit = 1'000}).rows.size());
    CHECK(below.rows[0].last_qos == 2);
    CHECK(below.rows[0].last_publisher == "sensors[3]");
    CHECK(below.rows[0].payload_encoding == "text");
    CHECK(below.rows[0].payload_size == below.rows[0].payload.size());
    asked = {.search = "s/+/sure"};
    CHECK(in.source.topics(asked).all == 10);
    asked = {.order = topic_order::recent};
    CHECK(in.source.topics(asked).rows.at(0).name == "s");
}

TEST_CASE("of a past instant a live run shows no topics: it says where they are kept",
          "[feed][world_source]") {
    watched_world in(parse_text(sensors_text));
    in.run_until(10s);
    CHECK_THROWS_WITH(in.source.topics({.at = 5.0}), Catch::Contains("--record"));
    CHECK_NOTHROW(in.source.topics({.at = 10.0}));
}

TEST_CASE("a device's page has its session, and each packet once", "[feed][world_source]") {
    watched_world in(parse_text(sensors_text));
    in.run_until(5s);
    const device_answer before = in.source.device({.name = "panel[0]", .events = 2'000});
    CHECK(before.device.state == device_state::connected);
    CHECK(before.fleet == "panel");
    CHECK(before.broker == "cloud");
    CHECK(before.network == "the first");
    CHECK(before.protocol == 5);
    REQUIRE(before.subscriptions.size() == 1);
    CHECK(before.subscriptions[0].filter == "s/#");
    CHECK(before.subscriptions[0].qos == 2);
    // Others are looked at in between; what is known of the first stays as it is.
    in.run_until(7s);
    in.source.device({.name = "sensors[1]"});
    in.run_until(9500ms);
    const device_answer page = in.source.device({.name = "panel[0]", .events = 2'000});
    CHECK(page.events_complete);
    const auto count = [&](const std::string& what) {
        return std::count_if(page.events.begin(), page.events.end(),
                             [&](const event_row& each) { return each.what == what; });
    };
    CHECK(count("connected") == 1);
    CHECK(count("subscribed") == 1);
    const totals all = in.source.totals({});
    CHECK(page.device.received == all.qos[0].delivered + all.qos[2].delivered);
    CHECK(count("received") == static_cast<std::ptrdiff_t>(page.device.received));
    CHECK(count("sent") == static_cast<std::ptrdiff_t>(all.qos[0].sent + all.qos[2].sent));
    CHECK(count("acknowledged") == static_cast<std::ptrdiff_t>(all.qos[2].acknowledged));
    CHECK(std::is_sorted(page.events.begin(), page.events.end(),
                         [](const event_row& a, const event_row& b) { return a.at < b.at; }));
    CHECK(in.source.device({.name = page.device.client_id}).device.name == "panel[0]");
    CHECK_THROWS_WITH(in.source.device({.name = "nobody"}), Catch::Contains("nobody"));
}

TEST_CASE("more than four devices may be looked at: nothing comes twice", "[feed][world_source]") {
    watched_world in(parse_text(sensors_text));
    in.run_until(3s);
    for (const int round : {0, 1, 2}) {
        for (int i = 0; i < 7; ++i) {
            in.source.device({.name = "sensors[" + std::to_string(i) + "]"});
        }
        in.run_until(std::chrono::seconds{4 + round});
    }
    in.run_until(10500ms);
    for (int i = 0; i < 7; ++i) {
        const device_answer page =
            in.source.device({.name = "sensors[" + std::to_string(i) + "]", .events = 2'000});
        const auto count = [&](const std::string& what) {
            return std::count_if(page.events.begin(), page.events.end(),
                                 [&](const event_row& each) { return each.what == what; });
        };
        CHECK(count("connected") == 1);
        CHECK(page.device.published > 10);
        CHECK(count("published") == static_cast<std::ptrdiff_t>(page.device.published));
    }
}

TEST_CASE("messages are filtered by each of their sides", "[feed][world_source]") {
    watched_world in(parse_text(sensors_text));
    in.run_until(9900ms);
    const auto count = [&](messages_question asked) {
        asked.limit = 1'000;
        return in.source.messages(asked).rows.size();
    };
    const totals found = in.source.totals({});
    const std::size_t all = found.qos[0].published + found.qos[2].published;
    CHECK(all > 120);
    CHECK(count({}) == all);
    CHECK(count({.filter = "s/#"}) == all);
    CHECK(count({.filter = "s/+/sure"}) == found.qos[2].published);
    CHECK(count({.qos = std::uint8_t{2}}) == found.qos[2].published);
    CHECK(count({.client = "panel[0]"}) == all);
    CHECK(count({.client = "sensors[4]"}) ==
          in.source.device({.name = "sensors[4]"}).device.published);
    CHECK(count({.client = "sensors[4]"}) == count({.filter = "s/4/#"}));
    CHECK(count({.at = 5.0}) + count({.from = 5.0}) == all);
    CHECK(count({.at = 5.0, .from = 2.0}) < count({.at = 5.0}));
    CHECK(count({.state = message_state::complete}) + count({.state = message_state::under_way}) ==
          all);
    CHECK(count({.state = message_state::dropped}) == 0);
    const messages_answer newest = in.source.messages({.limit = 1});
    REQUIRE(newest.rows.size() == 1);
    CHECK(newest.one_in == 1);
    const messages_answer next = in.source.messages({.before = newest.rows[0].message, .limit = 1});
    REQUIRE(next.rows.size() == 1);
    CHECK(next.rows[0].message < newest.rows[0].message);
    CHECK_THROWS_WITH(in.source.messages({.filter = "a/#/b"}), Catch::Contains("no topic filter"));
    CHECK_THROWS_WITH(in.source.messages({.client = "nobody"}), Catch::Contains("nobody"));
    CHECK_THROWS_WITH(in.source.messages({.limit = 0}), Catch::Contains("1 to 1,000"));
}

TEST_CASE("a message tells its journey", "[feed][world_source]") {
    watched_world in(parse_text(sensors_text));
    in.run_until(9900ms);
    const messages_answer found =
        in.source.messages({.filter = "s/+/sure", .client = "sensors[2]", .limit = 2});
    REQUIRE(found.rows.size() == 2);
    const message_answer told = in.source.message({found.rows[0].message});
    CHECK(told.message.topic == "s/2/sure");
    CHECK(told.message.publisher == "sensors[2]");
    CHECK(told.message.state == message_state::complete);
    REQUIRE(told.deliveries.size() == 1);
    CHECK(told.deliveries[0].receiver == "panel[0]");
    CHECK(told.deliveries[0].state == "delivered");
    REQUIRE(told.payload_before);
    CHECK(told.payload_before->text != told.payload.text);
    REQUIRE(told.published);
    CHECK(told.message.at == Approx(*told.published + 0.010));
    CHECK(*told.deliveries[0].received == Approx(*told.published + 0.020));
    CHECK(*told.deliveries[0].ended == Approx(*told.published + 0.050));
    CHECK(told.steps.size() == 8);
    CHECK_THROWS_WITH(in.source.message({1'000'000}), Catch::Contains("1000000"));
}

TEST_CASE("a history is thinned out evenly, and its ends are those of the run",
          "[feed][world_source]") {
    sim::scenario described = parse_text(sensors_text);
    described.duration = 3h;
    watched_world in(described);
    in.run_until(10'000s);
    const history_answer all = in.source.history({.points = 4'000});
    CHECK(all.points.size() >= live_source::points_max / 2 - 1);
    CHECK(all.points.size() <= live_source::points_max);
    CHECK(all.points.front().at <= 10);
    CHECK(all.points.back().at == 10'000);
    double widest = 0;
    for (std::size_t i = 1; i < all.points.size(); ++i) {
        REQUIRE(all.points[i].at > all.points[i - 1].at);
        widest = std::max(widest, all.points[i].at - all.points[i - 1].at);
        CHECK(all.points[i].qos[0].published >= all.points[i - 1].qos[0].published);
    }
    CHECK(widest <= 20);
    CHECK(in.source.history({.points = 50}).points.size() == 50);
    const history_answer part = in.source.history({.from = 1'000, .until = 1'100});
    CHECK(part.points.front().at <= 1'000);
    CHECK(part.points.back().at >= 1'100);
    // Any instant is shown by what stood last before it.
    const totals then = in.source.totals({.at = 5'000.0});
    CHECK(then.at <= 5'000);
    CHECK(then.at >= 4'980);
    CHECK_THROWS_WITH(in.source.history({.points = 1}), Catch::Contains("2 to 4,000"));
}

TEST_CASE("the fleet map shows who was connected at any instant", "[feed][world_source]") {
    sim::scenario described = parse_text(sensors_text);
    sim::fault_spec outage{.name = "outage", .kind = sim::fault_kind::power_loss, .at = 20s};
    outage.lasts = distribution::constant(10e9);
    outage.fleet = "sensors";
    described.faults.push_back(outage);
    watched_world in(described);
    const auto shown = [&](std::optional<seconds> at) {
        const fleet_answer map = in.source.fleet({.at = at, .group = "sensors"});
        REQUIRE(map.groups.size() == 1);
        REQUIRE(map.groups[0].cells.size() == 10);
        return map.groups[0];
    };
    in.run_until(25s);
    CHECK(shown({}).faulted == 10);
    CHECK((shown({}).cells[0] & 7U) == static_cast<unsigned>(device_state::faulted));
    CHECK(in.source.devices({.fleet = "sensors", .state = device_state::faulted}).all == 10);
    CHECK(in.source.devices({.fleet = "sensors", .state = device_state::connected}).all == 0);
    in.run_until(50s);
    CHECK(shown({}).connected == 10);
    CHECK(shown(0.0).connected == 0);
    CHECK((shown(0.0).cells[0] & 7U) == static_cast<unsigned>(device_state::unseen));
    CHECK(shown(15.0).connected == 10);
    CHECK(shown(50.0).connected == 10);
    CHECK(in.source.cell({.group = "sensors", .place = 3}).name == "sensors[3]");
    const timeline_answer over = in.source.timeline({});
    REQUIRE(over.faults.size() == 1);
    CHECK(over.faults[0].from == 20);
    CHECK(over.faults[0].until.value_or(0) == 30);
    CHECK_FALSE(over.faults[0].by_hand);
    CHECK(in.source.timeline({.at = 19.0}).faults.empty());
}

TEST_CASE("a run is the same whether somebody looks or not", "[feed][world_source]") {
    const sim::scenario described = load_file("tests/mutants/protocol_lab.json");
    sim::world alone = sim::world::from(described);
    alone.run_until(instant{10min});
    watched_world in(described);
    for (int i = 1; i <= 60; ++i) {
        in.run_until(i * 10s);
        in.source.totals({});
        in.source.topics({});
        in.source.fleet({});
        in.source.device({.name = "sensors[" + std::to_string(i % 10) + "]"});
        in.source.messages({});
        in.source.log({});
    }
    CHECK(in.world.report().trace_hash == alone.report().trace_hash);
}

TEST_CASE("past states of the fleet map are those that the brokers knew then",
          "[feed][world_source]") {
    const sim::scenario described = load_file("tests/mutants/protocol_lab.json");
    watched_world in(described);
    std::vector<std::pair<double, std::vector<std::uint8_t>>> seen;
    const auto states = [&](std::optional<seconds> at) {
        std::vector<std::uint8_t> out;
        for (const fleet_group& each : in.source.fleet({.at = at}).groups) {
            for (const std::uint8_t cell : each.cells) {
                out.push_back(cell & 7U);
            }
        }
        return out;
    };
    for (int i = 1; i <= 40; ++i) {
        in.run_until(i * 14s + 300ms);
        seen.emplace_back(in.source.totals({}).at, states({}));
    }
    in.run_until(10min);
    for (const auto& [at, known] : seen) {
        INFO(at);
        CHECK(states(at) == known);
    }
}

TEST_CASE("past states reach back a bounded number of changes, more of a larger fleet",
          "[feed][world_source]") {
    // Every ten seconds each device loses its connection and gets another.
    const auto [devices, kept] = GENERATE(table<int, double>({{500, 100'000}, {2'000, 200'000}}));
    const double reach = kept / (devices * 2 / 10.0);  // seconds
    sim::scenario described = parse_text(R"({
        "name": "unsteady", "seed": 7, "duration": "1h",
        "networks": [{"name": "lan", "latency": "10ms"}], "brokers": [{"name": "cloud"}],
        "fleets": [{"name": "devices", "count": )" +
                                         std::to_string(devices) + "}]}");
    sim::fault_spec outage{.name = "outage", .kind = sim::fault_kind::power_loss, .at = 5s};
    outage.lasts = distribution::constant(1e9);
    outage.every = distribution::constant(10e9);
    described.faults.push_back(outage);
    watched_world in(described);
    const auto oldest = [&] { return in.source.fleet({.at = 1.0, .group = "devices"}).at; };
    in.run_until(100s);
    CHECK(oldest() == 1.0);
    in.run_until(std::chrono::seconds{static_cast<int>(reach) + 200});
    CHECK(oldest() == Approx(200).margin(11));
}

TEST_CASE("a device whose client id another one takes over is faulted, then back",
          "[feed][world_source]") {
    watched_world in(parse_text(R"({"name": "t", "seed": 1, "duration": "1m",
        "networks": [{"name": "lan", "latency": "10ms"}], "brokers": [{"name": "cloud"}],
        "fleets": [{"name": "a", "count": 2, "reconnect_delay": "5s"}],
        "faults": [{"kind": "take_over", "fleet": "a", "at": "10s", "for": "3s"}]})"));
    in.run_until(11s);
    CHECK(in.source.devices({.fleet = "a", .state = device_state::faulted}).all == 2);
    CHECK(in.source.totals({}).connected == 2);  // the others
    in.run_until(31s);
    CHECK(in.source.devices({.fleet = "a", .state = device_state::connected}).all == 2);
    CHECK(in.source.totals({}).connected == 2);
}

TEST_CASE("what is done by hand shows in answers, and a run that is over takes nothing",
          "[feed][world_source]") {
    std::vector<std::string> recorded;
    run_controls controls;
    controls.by_hand = [&](std::string_view what, const std::string&) {
        recorded.emplace_back(what);
    };
    watched_world in(parse_text(sensors_text), controls);
    in.run_until(10s);
    const command_answer begun = in.source.fault(
        {R"({"kind": "partition", "fleet": "sensors", "first_device": 2, "last_device": 4})"});
    REQUIRE(begun.fault);
    CHECK(begun.at == 10);
    in.run_until(12s);
    CHECK(in.source.totals({}).faults_active == 1);
    timeline_answer over = in.source.timeline({});
    REQUIRE(over.faults.size() == 1);
    CHECK(over.faults[0].by_hand);
    CHECK_FALSE(over.faults[0].until);
    CHECK(in.source.devices({.state = device_state::faulted}).all == 3);
    in.source.heal({*begun.fault});
    in.run_until(13s);
    over = in.source.timeline({});
    CHECK(over.faults[0].until == 12);
    CHECK(in.source.totals({}).faults_active == 0);
    in.source.publish({.topic = "s/by-hand", .payload = "x", .qos = 1});
    in.run_until(14s);
    const messages_answer found = in.source.messages({.filter = "s/by-hand"});
    REQUIRE(found.rows.size() == 1);
    CHECK(found.rows[0].delivered == 1);
    in.source.disconnect({"panel[0]"});
    CHECK(in.source.device({.name = "panel[0]"}).device.state == device_state::offline);
    in.source.annotate({"look here"});
    CHECK(in.source.timeline({}).marks.back().text == "look here");
    CHECK(recorded == std::vector<std::string>{"fault", "heal", "publish", "disconnect"});

    CHECK_THROWS_WITH(in.source.fault({R"({"kind": "partitoin"})"}), Catch::Contains("partition"));
    CHECK_THROWS_WITH(in.source.fault({"no JSON"}), !Catch::Equals(""));
    CHECK_THROWS_AS(in.source.fault({R"({"kind": "cut", "fleet": "nobody"})"}), feed_error);
    CHECK_THROWS_AS(in.source.fault({R"({"kind": "cut", "at": "3s"})"}), feed_error);
    CHECK_THROWS_AS(in.source.heal({*begun.fault}), feed_error);
    CHECK_THROWS_AS(in.source.publish({.topic = "a/#"}), feed_error);
    CHECK_THROWS_AS(in.source.publish({.topic = "a", .qos = 3}), feed_error);
    CHECK_THROWS_AS(in.source.disconnect({"nobody"}), feed_error);
    CHECK_THROWS_AS(in.source.pause({true}), feed_error);
    CHECK_THROWS_AS(in.source.annotate({""}), feed_error);
    CHECK(recorded.size() == 4);

    in.source.note_end();
    CHECK_THROWS_WITH(in.source.publish({.topic = "s/late"}), Catch::Contains("over"));
    CHECK_THROWS_WITH(in.source.annotate({"late"}), Catch::Contains("over"));
    CHECK(recorded.size() == 4);
    CHECK(in.source.totals({}).ended);
}
