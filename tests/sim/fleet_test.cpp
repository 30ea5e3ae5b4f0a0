#include <fleetarium/sim/world.hpp>

#include <support/case_share.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <set>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

distribution always(duration value) {
    return distribution::constant(static_cast<double>(value.count()));
}

network_spec network_of(std::string name, duration latency) {
    return {.name = std::move(name), .up = {.latency = always(latency)},
            .down = {.latency = always(latency)}};
}

publisher_counts all_published(const run_report& report) {
    return sum_publishers(report, report.selections[0], {});
}

flow_counts all_delivered(const run_report& report) {
    return sum_flows(report, report.selections[0], {});
}

/// A probe that sees everything, connected and subscribed.
client& add_probe(world& w, virtual_broker& b, std::string_view filter = "#") {
    auto& probe = w.add_client("probe");
    probe.connect(b);
    probe.subscribe(filter, qos::exactly_once);
    REQUIRE(w.settle());
    return probe;
}

}  // namespace

TEST_CASE("devices connect evenly over the ramp-up", "[fleet]") {
    world w;
    w.add_broker();
    auto& f = w.add_fleet({.name = "f", .count = 100, .start = 10s, .ramp_up = 100s});
    w.run_until(instant{10s - 1ns});
    CHECK(f.connected() == 0);
    w.run_until(instant{60s - 1ns});
    CHECK(f.connected() == 50);
    w.run_until(instant{110s});
    CHECK(f.connected() == 100);
    CHECK(w.report().fleets[0].connects_accepted == 100);
    CHECK(f.device(7).client_id == "f-7");
    CHECK(f.device(7).connected);
    CHECK_THROWS_AS(f.device(100), std::out_of_range);
}

TEST_CASE("messages fall due at start + phase + k periods", "[fleet]") {
    world w;
    auto& b = w.add_broker();
    auto& probe = add_probe(w, b);
    fleet_spec spec{.name = "f", .count = 2};
    publication_spec tick{.topic = "t/{index}", .period = always(10s), .phase = 3s, .start = 60s,
                          .payload = "{seq}"};
    SECTION("without an end") {}
    SECTION("until") { tick.until = 83s; }
    SECTION("count") { tick.count = 2; }
    spec.publications.push_back(tick);
    w.add_fleet(spec);
    w.run_until(instant{100s});
    const std::size_t each = tick.until || tick.count ? 2 : 4;
    REQUIRE(probe.messages().size() == 2 * each);
    for (std::size_t i = 0; i < probe.messages().size(); ++i) {
        const auto k = static_cast<std::int64_t>(i / 2);
        CHECK(probe.messages()[i].received_at == instant{63s + k * 10s});
        CHECK(probe.messages()[i].payload == std::to_string(k + 1));
    }
}

TEST_CASE("jitter delays each message for itself; a phase of none spreads the fleet", "[fleet]") {
    world w;
    auto& b = w.add_broker();
    auto& probe = add_probe(w, b);
    fleet_spec spec{.name = "f", .count = 50};
    spec.publications.push_back(
        {.topic = "t/{index}", .period = always(60s), .jitter = 5s, .phase = 0s, .start = 60s});
    spec.publications.push_back({.topic = "u/{index}", .period = always(60s), .start = 60s,
                                 .count = 1});
    w.add_fleet(spec);
    w.run_until(instant{1000s});
    std::set<duration> offsets;
    std::set<instant> phases;
    for (const received_message& each : probe.messages()) {
        if (each.topic.starts_with("t/")) {
            const duration offset = each.received_at.time_since_epoch() % 60s;
            CHECK(offset <= 5s);
            offsets.insert(offset);
        } else {
            CHECK(each.received_at >= instant{60s});
            CHECK(each.received_at < instant{120s});
            phases.insert(each.received_at);
        }
    }
    CHECK(offsets.size() > 700);
    CHECK(phases.size() == 50);
}

TEST_CASE("offline devices lose QoS 0 and keep QoS 1 and 2 until they connect", "[fleet]") {
    world w;
    auto& b = w.add_broker();
    auto& probe = add_probe(w, b);
    const auto level = GENERATE(qos::at_most_once, qos::at_least_once, qos::exactly_once);
    fleet_spec spec{.name = "f", .count = 3, .start = 100s};
    spec.publications.push_back({.topic = "t", .period = always(10s), .phase = 5s, .count = 12,
                                 .qos = level});
    w.add_fleet(spec);
    w.run_until(instant{99s});
    CHECK(probe.messages().empty());
    CHECK(w.find_fleet("f")->device(0).waiting == (level == qos::at_most_once ? 0 : 10));
    w.run_until(instant{200s});
    const auto counts = all_published(w.report());
    CHECK(counts.published == 36);
    if (level == qos::at_most_once) {
        CHECK(counts.lost_offline == 30);
        CHECK(probe.messages().size() == 6);
    } else {
        CHECK(counts.lost_offline == 0);
        CHECK(counts.acknowledged == 36);
        CHECK(probe.messages().size() == 36);
    }
}

TEST_CASE("coverage comes and goes; wills follow a cut and not a goodbye", "[fleet]") {
    world w;
    auto& b = w.add_broker();
    auto& probe = add_probe(w, b, "wills/#");
    const auto manner = GENERATE(offline_manner::cut, offline_manner::disconnect);
    fleet_spec spec{.name = "f", .count = 10};
    spec.will = will_spec{.topic = "wills/{index}", .payload = "{client_id}"};
    spec.online = coverage_spec{.up = always(60s), .down = always(30s), .manner = manner};
    auto& f = w.add_fleet(spec);
    w.run_until(instant{59s});
    CHECK(f.connected() == 10);
    w.run_until(instant{61s});
    CHECK(f.connected() == 0);
    CHECK(b.core().connected_count() == 1);
    CHECK_FALSE(f.device(3).in_coverage);
    CHECK(probe.messages().size() == (manner == offline_manner::cut ? 10 : 0));
    w.run_until(instant{91s});
    CHECK(f.connected() == 10);
    const fleet_report counts = w.report().fleets[0];
    CHECK(counts.connects_accepted == 20);
    CHECK(counts.links_cut == (manner == offline_manner::cut ? 10 : 0));
    CHECK(counts.disconnects == (manner == offline_manner::cut ? 0 : 10));
    if (manner == offline_manner::cut) {
        CHECK(probe.messages()[3].payload == "f-3");
        const run_report report = w.report();
        const auto wills = std::find_if(
            report.sources.begin(), report.sources.end(),
            [](const source_report& each) { return each.what == source_report::kind::will; });
        REQUIRE(wills != report.sources.end());
        CHECK(wills->fleet == 0);
    }
}

TEST_CASE("every message is accounted for, however often links break", "[fleet]") {
    world w({.seed = GENERATE(range(std::uint64_t{1}, 1 + test::share_of(std::uint64_t{5})))});
    w.add_network({.name = "patchy",
                   .up = {.latency = distribution::lognormal(200e6, 0.8), .bandwidth = 20'000},
                   .down = {.latency = distribution::lognormal(200e6, 0.8)},
                   .mtu = 40,
                   .split_probability = 0.3});
    w.add_broker();
    fleet_spec trucks{.name = "trucks", .count = 40, .ramp_up = 10s};
    trucks.clean_start = false;
    trucks.session_expiry = for_ever;
    trucks.reconnect_delay = distribution::uniform(0.1e9, 3e9);
    trucks.online = coverage_spec{.up = distribution::exponential(20e9),
                                  .down = distribution::exponential(5e9)};
    for (const auto level : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        publication_spec each{.topic = "trucks/{index}/" + std::to_string(static_cast<int>(level)),
                              .period = distribution::exponential(1e9), .qos = level,
                              .payload = "{filler:50}"};
        each.start = 10s;  // by then all receivers have subscribed
        each.until = 500s;
        trucks.publications.push_back(each);
    }
    w.add_fleet(trucks);
    fleet_spec centre{.name = "centre", .count = 2};
    centre.subscriptions.push_back({.filter = "trucks/+/+", .qos = qos::exactly_once});
    centre.clean_start = false;
    centre.session_expiry = for_ever;
    centre.online = coverage_spec{.up = always(60s), .down = always(7s)};
    w.add_fleet(centre);
    w.run_until(instant{2000s});
    w.settle(100s);
    const run_report report = w.report();
    REQUIRE(report.fleets[0].links_cut > 100);
    CHECK(report.fleets[0].violations.empty());
    CHECK(report.brokers[0].metrics.protocol_violations == 0);

    for (const publisher_counts& each : report.selections[0].publishers) {
        INFO(report.sources[each.source].topic);
        CHECK(each.published == each.lost_offline + each.lost_on_link + each.received);
        CHECK(each.queue_full + each.rejected + each.expired + each.session_ended == 0);
        CHECK(each.deliveries == 2 * each.received);
    }
    std::map<qos, flow_counts> by_qos;
    for (const auto level : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        by_qos[level] = sum_flows(report, report.selections[0], {.qos = level});
        CHECK(by_qos[level].under_way() == 0);
        CHECK(by_qos[level].due == by_qos[level].delivered + by_qos[level].lost_on_link +
                                       by_qos[level].dropped_total());
    }
    // Only QoS 0 may be lost; QoS 1 may come twice; QoS 2 comes once.
    CHECK(by_qos[qos::at_most_once].lost_on_link > 0);
    CHECK(by_qos[qos::at_most_once].duplicates == 0);
    CHECK(by_qos[qos::at_least_once].delivered == by_qos[qos::at_least_once].due);
    CHECK(by_qos[qos::at_least_once].duplicates > 0);
    CHECK(by_qos[qos::exactly_once].delivered == by_qos[qos::exactly_once].due);
    CHECK(by_qos[qos::exactly_once].duplicates == 0);
}

TEST_CASE("requests are answered, and the time until the reply is measured", "[fleet]") {
    world w;
    w.add_network(network_of("n", 100ms));
    w.add_broker();
    fleet_spec doors{.name = "doors", .count = 10};
    doors.subscriptions.push_back({.filter = "doors/{index}/command"});
    doors.replies.push_back({.on = "doors/{index}/command", .delay = always(1s),
                             .payload = "done: {request}"});
    fleet_spec office{.name = "office"};
    office.subscriptions.push_back({.filter = "office/replies"});
    office.publications.push_back({.to = target_spec{.fleet = "doors",
                                                     .topic = "doors/{index}/command"},
                                   .period = always(10s),
                                   .phase = 0s,
                                   .start = 10s,
                                   .count = 30,
                                   .qos = qos::at_least_once,
                                   .payload = "open",
                                   .response_topic = "office/replies",
                                   .reply_timeout = 2s});
    SECTION("in time") {
        w.add_fleet(office);  // the target may come later
        w.add_fleet(doors);
        w.run_until(instant{1000s});
        const auto counts = all_published(w.report());
        CHECK(counts.requests == 30);
        CHECK(counts.replies_in_time == 30);
        CHECK(counts.replies_missing == 0);
        CHECK(counts.reply_latency.min() == 1400ms);
        CHECK(counts.reply_latency.max() == 1400ms);
        CHECK(w.report().fleets[0].name == "office");
    }
    SECTION("too late") {
        doors.replies[0].delay = always(3s);
        w.add_fleet(doors);
        w.add_fleet(office);
        w.run_until(instant{1000s});
        const auto counts = all_published(w.report());
        CHECK(counts.requests == 30);
        CHECK(counts.replies_in_time == 0);
        CHECK(counts.replies_missing == 30);
    }
    SECTION("a request still open is neither") {
        w.add_fleet(doors);
        w.add_fleet(office);
        w.run_until(instant{10s + 500ms});
        const auto counts = all_published(w.report());
        CHECK(counts.requests == 1);
        CHECK(counts.replies_in_time == 0);
        CHECK(counts.replies_missing == 0);
    }
}

TEST_CASE("messages to a fleet go to its devices in turn or at random", "[fleet]") {
    world w;
    auto& b = w.add_broker();
    auto& probe = add_probe(w, b);
    w.add_fleet({.name = "targets", .count = 5});
    const auto how = GENERATE(pick::in_turn, pick::random);
    fleet_spec spec{.name = "source"};
    spec.publications.push_back({.to = target_spec{.fleet = "targets", .topic = "{client_id}/x",
                                                   .pick = how},
                                 .period = always(1s), .count = 500});
    w.add_fleet(spec);
    w.run_until(instant{600s});
    std::map<std::string, int> seen;
    for (const received_message& each : probe.messages()) {
        ++seen[each.topic];
    }
    REQUIRE(seen.size() == 5);
    CHECK(seen.count("targets-4/x") == 1);
    for (const auto& [topic, times] : seen) {
        if (how == pick::in_turn) {
            CHECK(times == 100);
        } else {
            CHECK(times > 60);
            CHECK(times < 140);
        }
    }
}

TEST_CASE("a fleet's specification reaches the wire", "[fleet]") {
    world w;
    broker_spec spec;
    spec.users = {{"user-1", "pass-1"}};
    spec.allow_anonymous = false;
    spec.options.server_keep_alive = 7;
    auto& b = w.add_broker(spec);
    fleet_spec f{.name = "f", .count = 3, .client_id = "device-{index:03}", .clean_start = false};
    f.version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    f.session_expiry = 100s;
    f.user_name = "user-{index}";
    f.password = "pass-{index}";
    f.reconnect_delay = always(60s);
    w.add_fleet(f);
    w.run_until(instant{30s});
    const fleet_report counts = w.report().fleets[0];
    CHECK(counts.connects_accepted == 1);
    CHECK(counts.connects_refused.at(reason_code::bad_user_name_or_password) == 2);
    CHECK(b.core().find_session("device-001").has_value());
    w.run_until(instant{130s});
    CHECK(w.report().fleets[0].connect_attempts == 7);
}

TEST_CASE("subscriptions are made again only where the broker has lost them", "[fleet]") {
    world w;
    auto& b = w.add_broker();
    fleet_spec f{.name = "f", .count = 4};
    f.clean_start = GENERATE(true, false);
    f.session_expiry = for_ever;
    f.subscriptions.push_back({.filter = "a/{index}", .identifier = 5});
    f.subscriptions.push_back({.filter = "b/{index}"});
    f.online = coverage_spec{.up = always(10s), .down = always(5s)};
    w.add_fleet(f);
    w.run_until(instant{26s});
    const fleet_report counts = w.report().fleets[0];
    CHECK(counts.connects_accepted == 8);
    CHECK(counts.sessions_resumed == (f.clean_start ? 0 : 4));
    CHECK(counts.subscriptions_granted == (f.clean_start ? 16 : 8));
    CHECK(b.core().subscription_count() == 8);
}

TEST_CASE("what an expectation narrows by topic is counted apart", "[fleet]") {
    world w;
    w.add_broker();
    w.expect({.metric = metric::delivery_ratio, .topic = "building/3/#"});
    w.expect({.metric = metric::latency, .topic = "building/+/smoke"});
    w.expect({.metric = metric::latency, .topic = "nothing"});
    fleet_spec f{.name = "f", .count = 10};
    f.publications.push_back({.topic = "building/{index}/heat", .period = always(10s),
                              .start = 5s, .count = 5});
    f.publications.push_back({.topic = "building/{index}/smoke", .period = always(10s),
                              .start = 5s, .count = 3});
    w.add_fleet(f);
    fleet_spec centre{.name = "centre"};
    centre.subscriptions.push_back({.filter = "#"});
    w.add_fleet(centre);
    w.run_until(instant{300s});
    const run_report report = w.report();
    REQUIRE(report.selections.size() == 4);
    const selection_report* const third = report.find_selection("building/3/#");
    const selection_report* const smoke = report.find_selection("building/+/smoke");
    const selection_report* const nothing = report.find_selection("nothing");
    REQUIRE(third != nullptr);
    REQUIRE(smoke != nullptr);
    REQUIRE(nothing != nullptr);
    CHECK(sum_flows(report, report.selections[0], {}).delivered == 80);
    CHECK(sum_flows(report, *third, {}).delivered == 8);
    CHECK(sum_publishers(report, *third, {}).published == 8);
    CHECK(sum_flows(report, *smoke, {}).delivered == 30);
    CHECK(sum_flows(report, *smoke, {.fleet = report.fleet_index("centre")}).delivered == 0);
    CHECK(nothing->flows.empty());
    CHECK(report.find_selection("other") == nullptr);
    CHECK_THROWS(w.expect({.topic = "late"}));
}

TEST_CASE("a retained message reaches late subscribers without a latency", "[fleet]") {
    world w;
    w.add_broker();
    fleet_spec f{.name = "f"};
    f.publications.push_back({.topic = "state", .period = always(3600s), .phase = 1s, .count = 1,
                              .retain = true, .payload = "on"});
    w.add_fleet(f);
    fleet_spec late{.name = "late", .start = 600s};
    late.subscriptions.push_back({.filter = "state"});
    w.add_fleet(late);
    w.run_until(instant{700s});
    const auto flows = all_delivered(w.report());
    CHECK(flows.due == 1);
    CHECK(flows.delivered == 1);
    CHECK(flows.latency.empty());
    CHECK(w.report().brokers[0].retained == 1);
}

TEST_CASE("two devices with one client id take the session from one another for ever",
          "[fleet]") {
    world w;
    auto& b = w.add_broker();
    auto& f = w.add_fleet({.name = "f", .count = 2, .client_id = "same",
                           .reconnect_delay = distribution::constant(10e6)});
    w.run_until(instant{10s});
    CHECK(f.connected() <= 1);
    CHECK(b.metrics().sessions_taken_over > 100);
    CHECK(w.report().fleets[0].broker_disconnects.at(reason_code::session_taken_over) > 100);
}

TEST_CASE("a device pings when it has nothing to say", "[fleet]") {
    world w;
    auto& b = w.add_broker();
    auto& f = w.add_fleet({.name = "f", .count = 5, .keep_alive = 10s});
    w.run_until(instant{1h});
    CHECK(f.connected() == 5);
    CHECK(w.report().fleets[0].connect_attempts == 5);
    CHECK(b.metrics().bytes_received >= 5 * 2 * 359);
}

TEST_CASE("a subscription with an end is ended then, or as soon as its device is back", "[fleet]") {
    world w;
    auto& b = w.add_broker();
    const bool away = GENERATE(false, true);
    fleet_spec listeners{.name = "listeners", .count = 2, .clean_start = false};
    listeners.session_expiry = 100s;
    listeners.reconnect_delay = always(20s);
    listeners.subscriptions = {{.filter = "short", .until = 10s}, {.filter = "long"}};
    w.add_fleet(listeners);
    auto& speaker = w.add_client("speaker");
    speaker.connect(b);
    const auto deliveries = [&] {
        speaker.publish("short", "x", qos::at_most_once);
        speaker.publish("long", "x", qos::at_most_once);
        w.run_for(1s);
        return all_delivered(w.report()).delivered;
    };
    w.run_until(instant{5s});
    CHECK(deliveries() == 4);
    if (away) {
        w.add_fault({.kind = fault_kind::cut, .at = 8s, .fleet = "listeners"});
    }
    w.run_until(instant{40s});
    CHECK(deliveries() == 6);
    CHECK(w.report().brokers[0].subscriptions == 2);
    CHECK(w.violations().empty());
}

TEST_CASE("a device holds no more messages than its bound", "[fleet]") {
    world w;
    w.add_broker();
    fleet_spec meters{.name = "meters", .queue_messages_max = 3, .start = 1min};
    meters.publications = {
        {.topic = "m", .period = always(1s), .phase = 500ms, .count = 10,
         .qos = qos::at_least_once}};
    w.add_fleet(meters);
    w.run_until(instant{2min});
    CHECK(all_published(w.report()).acknowledged == 3);
    CHECK(all_published(w.report()).queue_full == 7);
    CHECK(w.violations().empty());
}
