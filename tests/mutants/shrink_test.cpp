#include <fleetarium/config/document.hpp>
#include <fleetarium/core/limits.hpp>
#include <fleetarium/core/mutant.hpp>
#include <fleetarium/explore/explorer.hpp>
#include <fleetarium/explore/shrinker.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <support/case_share.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <optional>
#include <string>
#include <variant>
#include <vector>

// What is left of a run that breaks a rule is small enough to be read: a few devices, a few faults.

namespace fleetarium::sim {
namespace {

const std::string lab_file =
    std::string(FLEETARIUM_SOURCE_DIR) + "/tests/mutants/protocol_lab.json";

constexpr std::uint64_t devices_max = 5;
constexpr std::uint64_t faults_max = 10;
constexpr double seconds_max = 60;

double clock_seconds() {
    const auto now = std::chrono::steady_clock::now();  // tidy: allow(clock) how long a hunt takes
    return std::chrono::duration<double>(now.time_since_epoch()).count();
}

struct outcome {
    std::optional<finding> found{};
    double seconds_to_find = 0;
    shrunk small{};
    double seconds_to_shrink = 0;

    bool is_small() const {
        return found && small.devices <= devices_max && small.faults <= faults_max;
    }
};

/// Hunts a mutant on one core, and makes the first run that breaks a rule small.
outcome hunt(const mutant_description& one, double seconds_to_shrink_max) {
    const auto text =
        config::read_text_file(lab_file, limits::scenario_size_max, "a scenario file");
    const std::string& lab = std::get<std::string>(text);
    const auto read = parse_scenario(lab, lab_file);
    const trial_options judge{.expectations = false};
    outcome out;
    switch_on(one.which);
    double begin = clock_seconds();
    exploration hunted =
        explore(std::get<scenario>(read), {.seeds = 600, .jobs = 1, .judge = judge});
    out.seconds_to_find = clock_seconds() - begin;
    if (!hunted.findings.empty()) {
        out.found = std::move(hunted.findings.front());
        begin = clock_seconds();
        const auto may_go_on = [&] { return clock_seconds() - begin < seconds_to_shrink_max; };
        out.small = shrink(document_of(lab, {}, *out.found), out.found->failures.front(),
                           {.file_name = lab_file, .judge = judge, .may_go_on = may_go_on});
        out.seconds_to_shrink = clock_seconds() - begin;
    }
    switch_on(mutant::none);
    return out;
}

void print_row(const mutant_description& one, const outcome& of) {
    const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    if (!of.found) {
        std::printf("| %s | not found | | %.1f | | | |\n", one.name.data(), of.seconds_to_find);
    } else {
        std::printf("| %s | %s | %llu | %.1f | %llu | %llu | %.1f |\n", one.name.data(),
                    of.found->failures.front().rule.c_str(), number(of.found->seed),
                    of.seconds_to_find, number(of.small.devices), number(of.small.faults),
                    of.seconds_to_shrink);
    }
    std::fflush(stdout);
}

}  // namespace

TEST_CASE("what is left of a mutant's run is small, whatever kept it large", "[oracle]") {
    const mutant which = GENERATE(
        take(test::share_of(5U),
             values<mutant>({
                 mutant::expiry_not_counted_down,     // another device fails first
                 mutant::packet_id_reused_in_flight,  // takes many messages: fewer must hurry
                 mutant::shared_sent_to_two_members,  // takes two devices of a fleet
                 mutant::client_does_not_answer_repeated_qos2,  // takes one fault of many
                 mutant::client_forgets_received_ids,  // takes a fault in the midst of an exchange
             })));
    const mutant_description& one = mutants[static_cast<std::size_t>(which) - 1];
    const outcome of = hunt(one, 1e6);
    INFO(one.name << ": " << of.small.devices << " devices, " << of.small.faults << " faults\n"
                  << config::json_pretty(of.small.document));
    CHECK(of.is_small());
    CHECK(is_convicted_by(one, of.small.why.rule));
}

TEST_CASE("each mutant is found in a minute, and of nine in ten little is left",
          "[.oracle_nightly][mutant_table]") {
    std::printf(
        "| mutant | invariant | seeds | s to find, on one core | devices | fault events | "
        "s to shrink |\n|---|---|---|---|---|---|---|\n");
    std::size_t small = 0;
    std::vector<double> seconds;
    for (const mutant_description& one : mutants) {
        const outcome of = hunt(one, seconds_max);
        print_row(one, of);
        INFO(one.name);
        CHECK(of.found.has_value());
        CHECK((of.found && is_convicted_by(one, of.found->failures.front().rule)));
        CHECK(of.seconds_to_find < seconds_max);
        small += of.is_small() ? 1 : 0;
        seconds.push_back(of.seconds_to_find);
    }
    std::sort(seconds.begin(), seconds.end());
    const double median = seconds[seconds.size() / 2];
    std::printf(
        "\n%zu of %zu have at most %d devices and %d fault events left; median time to "
        "find: %.2f s\n",
        small, std::size(mutants), static_cast<int>(devices_max), static_cast<int>(faults_max),
        median);
    CHECK(small * 10 >= std::size(mutants) * 9);
    CHECK(median < 5);
}

}  // namespace fleetarium::sim
