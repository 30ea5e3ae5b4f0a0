#include "small_run.hpp"

#include <fleetarium/dashboard/funnel_model.hpp>
#include <fleetarium/dashboard/latency_model.hpp>
#include <fleetarium/dashboard/overlay_model.hpp>
#include <fleetarium/dashboard/overview_model.hpp>
#include <fleetarium/dashboard/playback_model.hpp>
#include <fleetarium/feed/latency_buckets.hpp>
#include <fleetarium/sim/fault.hpp>
#include <fleetarium/sim/report.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <numeric>

using namespace fleetarium;
using namespace fleetarium::dashboard;

namespace {

sim::flow_counts flows_of(const sim::run_report& report, enum qos qos) {
    sim::flow_query which;
    which.qos = qos;
    return sim::sum_flows(report, report.selections.front(), which);
}

const funnel_step_row& row(const std::vector<funnel_step_row>& rows, funnel_step step) {
    const auto found = std::find_if(rows.begin(), rows.end(),
                                    [&](const funnel_step_row& each) { return each.step == step; });
    REQUIRE(found != rows.end());
    return *found;
}

double sum_of_rates(const std::vector<double>& times, const std::vector<double>& rates) {
    double out = 0;
    for (std::size_t i = 1; i < times.size(); ++i) {
        out += rates[i] * (times[i] - times[i - 1]);
    }
    return out;
}

}  // namespace

TEST_CASE("the funnel of each QoS says what the report says", "[views]") {
    test::small_run run;
    run.run_until(60);
    const feed::totals now = run.source().totals({});
    const sim::run_report report = run.world().report();
    for (std::uint8_t level = 0; level < 3; ++level) {
        const sim::flow_counts flows = flows_of(report, static_cast<enum qos>(level));
        const std::vector<funnel_step_row> rows = funnel_of(now, level);
        INFO("QoS " << int{level});
        CHECK(row(rows, funnel_step::deliveries).count == flows.due);
        CHECK(row(rows, funnel_step::delivered).count == flows.delivered);
        CHECK(row(rows, funnel_step::sent).losses.front().count == flows.dropped_total());
        CHECK(flows.due > 0);
    }
    const std::vector<funnel_step_row> publishers = publisher_funnel(now);
    const sim::publisher_counts sums = sim::sum_publishers(report, report.selections.front(), {});
    CHECK(publishers[0].count == sums.published);
    CHECK(publishers[1].losses[0].count == sums.lost_offline);
    CHECK(sums.lost_offline > 0);
}

TEST_CASE("losses are told by reason, the most first", "[views]") {
    test::small_run run;
    run.run_until(60);
    const feed::description about = run.source().describe({});
    const std::vector<lost_part> losses = losses_of(run.source().totals({}), about.drop_reasons);
    REQUIRE(!losses.empty());
    CHECK(losses.front().reason == "queue_full");
    for (std::size_t i = 1; i < losses.size(); ++i) {
        CHECK(losses[i - 1].count >= losses[i].count);
    }
}

TEST_CASE("rates over time add up to what was counted", "[views]") {
    test::small_run run;
    run.run_until(60);
    const feed::history_answer history = run.source().history({});
    const feed::totals now = run.source().totals({});
    const overview_series series = series_of(history, run.source().describe({}).drop_reasons);
    REQUIRE(series.times.size() == history.points.size());
    CHECK(std::isnan(series.in[0].front()));
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(sum_of_rates(series.times, series.in[i]) ==
              Approx(static_cast<double>(now.qos[i].published)));
        CHECK(sum_of_rates(series.times, series.out[i]) ==
              Approx(static_cast<double>(now.qos[i].delivered)));
    }
    REQUIRE(!series.drops.empty());
    CHECK(series.drops.front().name == "queue_full");
    CHECK(series.connected.back() == 42);
}

TEST_CASE("rates come from the difference of two totals, whatever lies between", "[views]") {
    feed::totals before;
    before.at = 10;
    before.qos[1].published = 100;
    before.qos[1].resent = 1;
    before.latency = {0, 5};
    feed::totals now = before;
    now.at = 14;
    now.qos[1].published = 140;
    now.qos[1].resent = 9;
    now.qos[0].lost = 4;
    now.latency = {0, 5, 100};
    const totals_rates rates = rates_between(before, now);
    CHECK(rates.in[1] == 10);
    CHECK(rates.in_all() == 10);
    CHECK(rates.resends == 2);
    CHECK(rates.drops == 1);
    CHECK(rates.p50 == Approx(static_cast<double>(feed::latency_buckets::bound(2)) * 1e-9));
    // Of one instant twice nothing is known, and a count that fell began anew.
    CHECK_FALSE(rates_between(now, now).is_known());
    CHECK(std::isnan(rates_between(now, now).p50));
    CHECK(rates_between(now, before).seconds == 0);
}

TEST_CASE("latencies of everything are those of the totals, and the heat map's sum", "[views]") {
    test::small_run run;
    run.run_until(60);
    const feed::history_answer history = run.source().history({});
    const feed::totals now = run.source().totals({});
    const latency_summary all = summary_of(history, 0, 60);
    CHECK(all.count == std::accumulate(now.latency.begin(), now.latency.end(), std::uint64_t{0}));
    CHECK(all.p99 == feed::latency_buckets::percentile(now.latency, 99));
    CHECK(all.p50 <= all.p90);
    CHECK(all.p999 <= all.most);
    const latency_summary half = summary_of(history, 0, 30);
    const latency_summary rest = summary_of(history, 30, 60);
    CHECK(half.count + rest.count == all.count);
    const latency_heat heat = heat_of(history);
    CHECK(std::accumulate(heat.counts.begin(), heat.counts.end(), 0.0) ==
          static_cast<double>(all.count));
    CHECK(heat.counts.size() == (heat.times.size() - 1) * (heat.bounds.size() - 1));
    const latency_summary then = summary_at(history, 30.2);
    CHECK(then.from == Approx(30));
    CHECK(then.until == Approx(30.5));
    CHECK(heat_of({}).is_empty());
    CHECK(summary_of({}, 0, 1).count == 0);
}

TEST_CASE("faults lie over charts, and go on as long as time does", "[views]") {
    test::small_run run;
    run.run_until(35);
    const overlay_rows rows = overlay_of(run.source().timeline({}), run.now());
    REQUIRE(rows.bands.size() == 2);
    CHECK(rows.bands[0].label == "desk hangs");
    CHECK(rows.bands[0].from == 20);
    CHECK(rows.bands[0].goes_on);
    CHECK(rows.bands[0].until == 35);
    const std::vector<fault_lane> lanes = lanes_of(run.source().timeline({}));
    REQUIRE(lanes.size() == 2);
    CHECK(lanes[1].name == "cuts: meters, 30 % of them");
    feed::timeline_answer many;
    for (std::size_t i = 0; i < 2 * fault_lanes_max; ++i) {
        feed::fault_row& made = many.faults.emplace_back();
        made.kind = "cut";
        made.where = std::to_string(i);
    }
    CHECK(lanes_of(many).size() == fault_lanes_max);
    CHECK(lanes_of(many).back().name == "others");
    CHECK(lanes_of(many).back().faults.size() == fault_lanes_max + 1);
}

TEST_CASE("a fault by hand is written as scenarios have it", "[views]") {
    fault_form form;
    form.fleet = "meters";
    form.share = 0.25;
    CHECK(fault_json(form, {"partition", true, false}) ==
          R"({"kind":"partition","fleet":"meters","share":0.25,"for":"10s"})");
    CHECK(fault_json(form, {"cut", false, false}) ==
          R"({"kind":"cut","fleet":"meters","share":0.25})");
    form.until_healed = true;
    form.broker = "cloud";
    CHECK(fault_json(form, {"broker_stop", true, true}) ==
          R"({"kind":"broker_stop","broker":"cloud"})");
    form.power_cut = true;
    CHECK(fault_json(form, {"broker_crash", true, true}) ==
          R"({"kind":"broker_crash","broker":"cloud","power_cut":true})");
    form.amount = "2kbit/s";
    CHECK(fault_json(form, {"bandwidth", true, false}) ==
          R"({"kind":"bandwidth","fleet":"meters","share":0.25,"bandwidth":"2kbit/s"})");
    form.amount = "often";
    CHECK_THROWS_WITH(fault_json(form, {"split", true, false}),
                      "share of chunks that are cut: found \"often\", expected a number");
}

TEST_CASE("a run takes each fault that the form writes, lasting or until healed", "[views]") {
    test::small_run run;
    run.run_until(2);
    const std::vector<feed::fault_kind_info> kinds = run.source().describe({}).fault_kinds;
    REQUIRE(kinds.size() == sim::fault_kind_count);
    for (const feed::fault_kind_info& kind : kinds) {
        for (const bool until_healed : {false, true}) {
            fault_form form;
            form.kind = kind.name;
            form.until_healed = until_healed;
            form.amount = amount_of(kind.name).usual;
            if (!kind.hits_broker) {
                form.fleet = "meters";
                form.share = 0.5;
            }
            CAPTURE(fault_json(form, kind));
            CHECK_NOTHROW(run.source().fault({fault_json(form, kind)}));
        }
        run.run_until(run.now() + 1);
    }
    fault_form form;
    form.power_cut = true;
    CHECK_THROWS_WITH(run.source().fault({fault_json(form, {"broker_crash", true, true})}),
                      Catch::Contains("storage"));
}

TEST_CASE("what is played stops at the end, or begins again in a loop", "[views]") {
    view_state state;
    const time_extent all{0, 100};
    toggle_play(state, all);
    CHECK(state.playing);
    CHECK(state.at == 0);
    state.play_speed = 10;
    advance(state, all, 2);
    CHECK(state.at == 20);
    advance(state, all, 9);
    CHECK(state.at == 100);
    CHECK_FALSE(state.playing);
    state.looping = true;
    state.loop = {40, 60};
    toggle_play(state, all);
    CHECK(state.at == 40);
    advance(state, all, 1.5);
    CHECK(state.at == 55);
    advance(state, all, 1);
    CHECK(state.at == 40);
    CHECK(state.playing);
}

TEST_CASE("the end of what is live is the present, which goes on", "[views]") {
    view_state state;
    seek(state, {0, 50}, 20, true);
    CHECK(state.at == 20);
    seek(state, {0, 50}, 50, true);
    CHECK_FALSE(state.at.has_value());
    seek(state, {0, 50}, 70, false);
    CHECK(state.at == 50);
    seek(state, {5, 50}, -3, false);
    CHECK(state.at == 5);
}

TEST_CASE("speeds are steps of a ladder, filters are said in words", "[views]") {
    CHECK(next_speed(1, 1) == 2);
    CHECK(next_speed(1, -1) == 0.5);
    CHECK(next_speed(3.7, 1) == 5);
    CHECK(next_speed(0.1, -1) == 0.1);
    CHECK(next_speed(1e6, 1) == 10'000);
    CHECK(speed_words(0.5) == "0.5x");
    CHECK(speed_words(5000) == "5,000x");
    view_state state;
    CHECK(filter_words(state).empty());
    state.qos = 1;
    state.reason = "queue_full";
    state.topic_filter = "site/#";
    CHECK(filter_words(state) == "QoS 1, topic site/#, lost: queue_full");
    CHECK(state.has_filter());
}
