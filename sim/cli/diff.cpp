#include "commands.hpp"
#include "difference_output.hpp"

#include <fleetarium/recording/recording_difference.hpp>
#include <fleetarium/recording/recording_reader.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace fleetarium::cli {

namespace {

const compared_names two_files{"A", "B"};

struct diff_options {
    std::string first;
    std::string second;
    bool json = false;
};

/// Something that the two say of their runs.
struct fact {
    std::string name;
    std::string first;
    std::string second;
    bool decides = true;  ///< false: two recordings of the same run may differ in it
};

/// The values of a scenario in which two differ, by their JSON pointers.
void compare_scenarios(const std::string& first, const std::string& second,
                       std::vector<fact>& facts) {
    const auto parse = [](const std::string& text) {
        return nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    };
    const nlohmann::json a = parse(first);
    const nlohmann::json b = parse(second);
    if (a.is_discarded() || b.is_discarded()) {
        if (first != second) {
            facts.push_back(
                {"scenario", first.empty() ? "-" : "another", second.empty() ? "-" : "another"});
        }
        return;
    }
    for (const nlohmann::json& step : nlohmann::json::diff(a, b)) {
        const nlohmann::json::json_pointer at(step["path"].get<std::string>());
        const bool in_first = step["op"] != "add" && a.contains(at);
        facts.push_back({"scenario " + at.to_string(), in_first ? a[at].dump() : "-",
                         step["op"] == "remove" ? "-" : step["value"].dump()});
    }
}

std::vector<fact> compare_runs(recording::database& first, recording::database& second) {
    std::vector<fact> facts;
    const auto compare = [&](const char* name, const std::string& query, bool decides) {
        const std::string a = first.text(query);
        const std::string b = second.text(query);
        if (a != b) {
            facts.push_back({name, a.empty() ? "-" : a, b.empty() ? "-" : b, decides});
        }
    };
    compare("fleetarium", "SELECT fleetarium FROM runs", false);
    compare("kind", "SELECT kind FROM runs", false);
    compare("seed", "SELECT seed FROM runs", true);
    // Of one that was cut short nobody knows how it would have ended.
    const bool are_whole = first.integer("SELECT ended_at FROM runs").has_value() &&
                           second.integer("SELECT ended_at FROM runs").has_value();
    compare("ended_at", "SELECT ended_at FROM runs", are_whole);
    compare("events", "SELECT events FROM runs", are_whole);
    compare("trace_hash", "SELECT trace_hash FROM runs", are_whole);
    compare("forgotten_until", "SELECT forgotten_until FROM runs", false);
    const std::string scenario = "SELECT scenario FROM runs";
    compare_scenarios(first.text(scenario), second.text(scenario), facts);
    compare("inputs", "SELECT group_concat(name, ', ') FROM inputs", true);
    recording::statement inputs(first, "SELECT name, bytes FROM inputs ORDER BY name");
    recording::statement others(second, "SELECT bytes FROM inputs WHERE name = ?1");
    while (inputs.step()) {
        others.bind(1, inputs.text(0));
        if (others.step()) {
            const bytes_view a = inputs.blob(1);
            const bytes_view b = others.blob(0);
            if (!std::equal(a.begin(), a.end(), b.begin(), b.end())) {
                facts.push_back({"input " + std::string(inputs.text(0)),
                                 fmt::format("{} bytes", a.size()),
                                 fmt::format("{} bytes, others", b.size())});
            }
            others.reset();
        }
    }
    return facts;
}

void print(const diff_options& options, const std::vector<fact>& facts,
           const recording::recording_difference& rows, bool are_equal) {
    fmt::print("A {}\nB {}\n{}\n", options.first, options.second,
               are_equal ? "equal in all that both have" : "they differ");
    for (const fact& each : facts) {
        fmt::print("  {}: {} | {}\n", each.name, each.first, each.second);
    }
    if (rows.row) {
        print_row_difference(*rows.row, two_files);
    } else if (!are_equal) {
        fmt::print("  no row that both have differs\n");
    }
    print_counts(rows, two_files);
}

nlohmann::ordered_json to_json(const std::vector<fact>& facts,
                               const recording::recording_difference& rows, bool are_equal) {
    nlohmann::ordered_json out{{"result", are_equal ? "equal" : "differs"}};
    out["runs"] = nlohmann::ordered_json::array();
    for (const fact& each : facts) {
        out["runs"].push_back({{"what", each.name}, {"A", each.first}, {"B", each.second}});
    }
    add_difference(out, rows, two_files);
    return out;
}

int diff(const diff_options& options) {
    try {
        recording::recording_reader first(options.first);
        recording::recording_reader second(options.second);
        const std::vector<fact> facts = compare_runs(first.tables(), second.tables());
        const auto rows = recording::compare_rows(first.tables(), second.tables());
        const bool are_equal =
            !rows.row &&
            std::none_of(facts.begin(), facts.end(), [](const fact& each) { return each.decides; });
        if (options.json) {
            std::cout << to_json(facts, rows, are_equal).dump(2) << '\n';
        } else {
            print(options, facts, rows, are_equal);
        }
        return are_equal ? exit_success : exit_expectation_failed;
    } catch (const recording::recording_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_bad_input;
    }
}

}  // namespace

void add_diff(CLI::App& app, int& exit_status) {
    auto options = std::make_shared<diff_options>();
    CLI::App* const command =
        app.add_subcommand("diff", "Show where two recordings part; exit 1 if they do");
    command->add_option("first", options->first, "A recording")->required()->type_name("A");
    command->add_option("second", options->second, "Another one")->required()->type_name("B");
    command->add_flag("--json", options->json, "The result as JSON");
    command->callback([options, &exit_status] { exit_status = diff(*options); });
}

}  // namespace fleetarium::cli
