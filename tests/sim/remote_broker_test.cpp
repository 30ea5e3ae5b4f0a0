#include <fleetarium/core/limits.hpp>
#include <fleetarium/sim/delivery_matcher.hpp>
#include <fleetarium/sim/expectations.hpp>
#include <fleetarium/sim/report_json.hpp>
#include <fleetarium/sim/report_text.hpp>
#include <fleetarium/sim/world.hpp>

#include <support/shunt.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using fleetarium::test::shunt;
using namespace std::chrono_literals;

namespace {

publication_spec every(duration period, std::string topic, std::string payload) {
    publication_spec made{.topic = std::move(topic),
                          .period = distribution::constant(static_cast<double>(period.count())),
                          .phase = period};
    made.qos = qos::at_least_once;
    made.payload = std::move(payload);
    return made;
}

/// Ten sensors that publish, one display that sees all, at a remote broker.
struct remote_world {
    explicit remote_world(network_spec by = {}, std::string payload = "{seq}",
                          duration period = 10s)
        : carrier(w) {
        w.add_network(by);
        far = &w.add_remote_broker("cloud", carrier);
        carrier.behind = &w.add_broker({.name = "behind"});
        fleet_spec sensors{.name = "sensors", .count = 10};
        sensors.publications.push_back(every(period, "s/{index}", std::move(payload)));
        sensors.clean_start = false;
        sensors.session_expiry = 3600s;
        w.add_fleet(sensors);
        fleet_spec display{.name = "display"};
        display.subscriptions.push_back({.filter = "s/#", .qos = qos::at_least_once});
        w.add_fleet(display);
    }
    flow_counts deliveries() const {
        const run_report report = w.report();
        return sum_flows(
            report, report.selections[0],
            {.fleet = report.fleet_index("sensors"), .receiver = report.fleet_index("display")});
    }
    publisher_counts published() const {
        const run_report report = w.report();
        return sum_publishers(report, report.selections[0],
                              {.fleet = report.fleet_index("sensors")});
    }

    world w;
    shunt carrier;
    remote_broker* far;
};

}  // namespace

TEST_CASE("devices use a broker that is outside of their world as any other") {
    remote_world all;
    all.w.run_for(65s);
    CHECK(all.w.find_fleet("sensors")->connected() == 10);
    CHECK(all.far->open_links() == 11);
    CHECK(all.published().published == 60);
    CHECK(all.published().acknowledged == 60);
    CHECK(all.deliveries().delivered == 60);
    CHECK(all.deliveries().duplicates == 0);
    CHECK(all.carrier.owners.front() == "sensors0");
    CHECK(all.carrier.owners.back() == "display0");
    CHECK(all.carrier.behind->core().connected_count() == 11);
}

TEST_CASE("the network's manners hold on the way to a broker outside, and latency is measured") {
    const auto each = distribution::constant(25e6);
    remote_world all({.name = "radio", .up = {.latency = each}, .down = {.latency = each}});
    all.w.run_for(65s);
    const flow_counts seen = all.deliveries();
    CHECK(seen.delivered == 60);
    CHECK(seen.latency.count() == 60);
    CHECK(seen.latency.min() >= 49ms);
    CHECK(seen.latency.max() <= 51ms);
}

TEST_CASE("equal messages are told apart by their order") {
    const auto each = distribution::constant(4e9);
    remote_world all({.name = "slow", .up = {.latency = each}, .down = {.latency = each}}, "on",
                     3s);  // three are always under way
    all.w.run_for(100s);
    const flow_counts seen = all.deliveries();
    CHECK(seen.delivered > 200);
    CHECK(seen.duplicates == 0);
    CHECK(seen.latency.min() >= 7900ms);
    CHECK(seen.latency.max() <= 8100ms);
}

TEST_CASE("equal messages that nobody could deliver to a device make no later one look old") {
    remote_world all({}, "on");
    all.w.run_for(65s);
    fleet_spec late{.name = "late", .version = protocol_version::v3_1_1};
    late.subscriptions.push_back({.filter = "s/+", .qos = qos::at_most_once});
    all.w.add_fleet(late);
    all.w.run_for(60s);
    const run_report report = all.w.report();
    const flow_counts seen =
        sum_flows(report, report.selections[0], {.receiver = report.fleet_index("late")});
    CHECK(seen.delivered == 60);
    CHECK(seen.latency.max() < 1ms);
}

TEST_CASE("a broker outside that refuses a link is tried again") {
    remote_world all;
    virtual_broker* const there = std::exchange(all.carrier.behind, nullptr);
    all.w.run_for(10500ms);
    CHECK(all.w.report().fleets[0].connect_attempts == 11 * 10);
    CHECK(all.w.find_fleet("sensors")->connected() == 0);
    all.carrier.behind = there;
    all.w.run_for(10s);
    CHECK(all.w.find_fleet("sensors")->connected() == 10);
}

TEST_CASE("links to a broker outside that break are opened anew, and nothing is counted twice") {
    remote_world all;
    all.w.run_for(65s);
    all.carrier.cut_all();
    all.w.run_for(60s);
    CHECK(all.w.report().fleets[0].sessions_resumed == 10);
    CHECK(all.w.find_fleet("display")->connected() == 1);
    CHECK(all.deliveries().delivered == 120);
    CHECK(all.deliveries().duplicates == 0);
    CHECK(all.far->open_links() == 11);
}

TEST_CASE("a device that vanishes breaks its link to a broker outside") {
    world w;
    shunt carrier(w);
    w.add_remote_broker("cloud", carrier);
    carrier.behind = &w.add_broker({.name = "behind"});
    fleet_spec rover{.name = "rover", .count = 5};
    rover.online =
        coverage_spec{.up = distribution::constant(5e9), .down = distribution::constant(5e9)};
    w.add_fleet(rover);
    w.run_for(6s);
    CHECK(carrier.broken == 5);
    CHECK(carrier.behind->core().connection_count() == 0);
    w.run_for(5s);
    CHECK(carrier.behind->core().connection_count() == 5);
}

TEST_CASE("messages of strangers are the broker's, and retained ones have no latency") {
    remote_world all;
    all.w.run_for(1s);
    all.carrier.behind->publish("s/stranger", "hello");
    all.w.run_for(1s);
    const run_report report = all.w.report();
    const auto& flows = report.selections[0].flows;
    const auto found = std::find_if(flows.begin(), flows.end(), [&](const flow_counts& each) {
        return report.sources[each.source].name == "cloud";
    });
    REQUIRE(found != flows.end());
    CHECK(report.sources[found->source].what == source_report::kind::broker);
    CHECK(found->delivered == 1);
    CHECK(found->latency.empty());
}

TEST_CASE(
    "what only a broker outside could know is neither met nor failed, and the report says so") {
    remote_world all;
    all.w.run_for(65s);
    const run_report report = all.w.report();
    const std::vector<expectation_spec> expected{
        {.metric = metric::delivery_ratio, .min = 1},
        {.metric = metric::drops, .max = 0},
        {.metric = metric::messages_delivered, .receiver = "display", .min = 60}};
    const auto results = evaluate(expected, report);
    CHECK_FALSE(results[0].observable);
    CHECK_FALSE(results[1].observable);
    CHECK(results[2].observable);
    CHECK(results[2].met);
    CHECK(all_met(results));
    const std::string text = report_text(report, results, {}, false);
    CHECK_THAT(text, Catch::Contains("skip  delivery_ratio: only the broker outside could know"));
    CHECK_THAT(text, Catch::Contains("what a broker outside drops, only that broker knows"));
    CHECK_THAT(text, Catch::Contains("of this run only"));
    CHECK_THAT(report_json(report, results, {}), Catch::Contains("\"met\": null"));

    const std::vector<expectation_spec> too_much{
        {.metric = metric::messages_delivered, .receiver = "display", .min = 61}};
    CHECK_FALSE(all_met(evaluate(too_much, report)));
}

TEST_CASE("the report says how well the wall clock was kept up with, and who came from outside") {
    world w;
    w.add_broker();
    w.run_for(1s);
    const run_report report = w.report();
    const auto text = [&](const run_timing& timing) {
        return report_text(report, {}, timing, false);
    };
    using Catch::Contains;
    const run_timing fast{.wall_seconds = 0.5};
    CHECK_THAT(text(fast), Contains("2 times real time") && !Contains("pace"));
    const run_timing paced{.wall_seconds = 1, .pace = 10, .behind_max_seconds = 0.002};
    CHECK_THAT(text(paced), Contains("x10, kept: no event more than 2 ms late") &&
                                !Contains("times real time") && !Contains("this run only"));
    const run_timing late{.wall_seconds = 9,
                          .pace = 1,
                          .behind_max_seconds = 3,
                          .behind_total_seconds = 5,
                          .real_clients = 2,
                          .real_clients_closed = 1};
    CHECK_THAT(text(late), Contains("not kept at x1: too late for 5 s, by up to 3 s") &&
                               Contains("2 connections, 1 closed for slow reading") &&
                               Contains("this run only"));
    CHECK_THAT(report_json(report, {}, late),
               Contains("\"behind_max\": 3.0") && Contains("\"real_clients\": 2"));
}

TEST_CASE("a matcher of deliveries gives each receiver each message once") {
    sim::detail::delivery_matcher matcher;
    const auto number = [](const auto& found) { return found ? found->identity.number : 0; };
    const bytes_view on = as_bytes_view("on");
    CHECK_FALSE(matcher.find(1, "t", on, instant{}));
    matcher.note_published("t", on, {11, instant{1s}});
    matcher.note_published("t", as_bytes_view("off"), {12, instant{2s}});
    matcher.note_published("t", on, {13, instant{3s}});
    CHECK(number(matcher.find(1, "t", on, instant{})) == 11);
    CHECK(number(matcher.find(2, "t", on, instant{})) == 11);
    CHECK(number(matcher.find(1, "t", on, instant{})) == 13);
    CHECK_FALSE(matcher.find(2, "t", on, instant{})->copy);
    const auto once_more = matcher.find(1, "t", on, instant{});
    CHECK(number(once_more) == 13);
    CHECK(once_more->copy);
    CHECK(number(matcher.find(1, "t", as_bytes_view("off"), instant{})) == 12);
    CHECK_FALSE(matcher.find(1, "u", on, instant{}));

    CHECK(number(matcher.find(3, "t", on, instant{2s})) == 13);  // its session began at 2 s
    CHECK(number(matcher.find(4, "t", on, instant{5s})) == 13);  // rather too old than unknown
    CHECK(number(matcher.find_retained("t", on)) == 13);
    CHECK_FALSE(matcher.find_retained("t", as_bytes_view("?")));
}

TEST_CASE("a matcher of deliveries forgets the oldest messages, not the order of the others") {
    sim::detail::delivery_matcher matcher;
    const bytes_view same = as_bytes_view("same");
    for (std::uint64_t i = 1; i <= limits::matched_messages_max + 10; ++i) {
        matcher.note_published("t", i <= 20 ? same : as_bytes_view(std::to_string(i)),
                               {i, instant{duration{static_cast<std::int64_t>(i)}}});
    }
    CHECK(matcher.find(1, "t", same, instant{})->identity.number == 11);
    CHECK(matcher.find(1, "t", same, instant{})->identity.number == 12);
    CHECK_FALSE(matcher.find(1, "t", as_bytes_view("30"), instant{})->copy);
    for (int i = 0; i < 10; ++i) {
        matcher.note_published("u", as_bytes_view(std::to_string(i)), {1, instant{}});
    }
    CHECK_FALSE(matcher.find(1, "t", same, instant{}));
}
