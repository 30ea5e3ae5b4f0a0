#include <catch2/catch.hpp>

#include "bench_against_rows.hpp"

// How figures of both brokers become a verdict.

namespace fleetarium::cli::bench {
namespace {

against_row row_of(double ours, double theirs, load::goal asked, enum better better) {
    against_row row;
    row.better = better;
    row.asked = asked;
    row.against_mosquitto = true;
    row.ours = broker_figures{{ours}, {}, 100, {}, {}};
    row.theirs = broker_figures{{theirs}, {}, 100, {}, {}};
    return row;
}

constexpr load::goal pairs_goal{3e6, 30, 0};
constexpr load::goal memory_goal{1'500, 0, 1'763};

TEST_CASE("an aim is reached by its figure or by its multiple of mosquitto") {
    CHECK(row_of(3.1e6, 120e3, pairs_goal, better::higher).verdict() == verdict::reached);
    CHECK(row_of(2.4e6, 80e3, pairs_goal, better::higher).verdict() == verdict::reached);
}

TEST_CASE("half of the multiple is the floor, and less is missed") {
    CHECK(row_of(1.5e6, 100e3, pairs_goal, better::higher).verdict() == verdict::floor);
    CHECK(row_of(1.49e6, 100e3, pairs_goal, better::higher).verdict() == verdict::missed);
}

TEST_CASE("multiples are of mosquitto and say nothing of another broker") {
    against_row row = row_of(1.5e6, 1.4e6, pairs_goal, better::higher);
    row.against_mosquitto = false;
    CHECK(row.verdict() == verdict::floor);
    row.theirs.values = {1.6e6};
    CHECK(row.verdict() == verdict::missed);
}

TEST_CASE("of memory and latency less is better") {
    CHECK(row_of(1'400, 1'763, memory_goal, better::lower).verdict() == verdict::reached);
    CHECK(row_of(1'700, 1'763, memory_goal, better::lower).verdict() == verdict::floor);
    CHECK(row_of(1'700, 1'600, memory_goal, better::lower).verdict() == verdict::missed);
    CHECK(row_of(1'800, 1'900, memory_goal, better::lower).verdict() == verdict::missed);
    CHECK(row_of(40, 45, {}, better::lower).verdict() == verdict::reached);
    CHECK(row_of(50, 45, {}, better::lower).verdict() == verdict::missed);
    CHECK(row_of(50, 100, {}, better::lower).ratio() == Approx(2));
}

TEST_CASE("no figure stands for a run that lost, reordered or duplicated a message") {
    for (const bool by_ours : {true, false}) {
        against_row row = row_of(9e6, 100e3, pairs_goal, better::higher);
        (by_ours ? *row.ours : row.theirs).found.reordered = 1;
        CHECK(row.verdict() == verdict::invalid);
    }
}

TEST_CASE("a run that broke off has no verdict") {
    against_row row = row_of(9e6, 100e3, pairs_goal, better::higher);
    row.theirs.problem = "the broker closed a connection";
    CHECK(row.verdict() == verdict::not_carried_out);
    row.ours.reset();
    row.theirs.problem.clear();
    CHECK(row.verdict() == verdict::not_asked);
}

TEST_CASE("the figure is the median of the rounds, or the best of them where that is asked") {
    against_row row = row_of(0, 0, {}, better::lower);
    row.theirs.values = {90, 400, 80};
    CHECK(row.figure(row.theirs) == 90);
    row.theirs.values = {90, 400, 80, 100};
    CHECK(row.figure(row.theirs) == 95);
    row.summary = summary::best;
    CHECK(row.figure(row.theirs) == 80);
    row.better = better::higher;
    CHECK(row.figure(row.theirs) == 400);
}

}  // namespace
}  // namespace fleetarium::cli::bench
