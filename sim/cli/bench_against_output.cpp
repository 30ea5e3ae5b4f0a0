#include "bench_against_rows.hpp"

#include "bench.hpp"
#include "load_wire.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <fstream>
#include <string_view>

namespace fleetarium::cli::bench {

namespace {

std::string text_of(double value, enum unit unit) {
    switch (unit) {
        case unit::per_second: return rate_text(value);
        case unit::bytes: return fmt::format("{:.0f} B", value);
        case unit::microseconds: return fmt::format("{:.0f} us", value);
    }
    return {};
}

std::string_view text_of(enum verdict verdict) {
    switch (verdict) {
        case verdict::reached: return "reached";
        case verdict::floor: return "floor";
        case verdict::missed: return "MISSED";
        case verdict::invalid: return "INVALID";
        case verdict::not_carried_out: return "NOT CARRIED OUT";
        case verdict::not_asked: return "";
    }
    return {};
}

std::string asked_text(const against_row& row) {
    const load::goal& asked = row.asked;
    if (asked.aim == 0) {
        return "not behind";
    }
    std::string out = text_of(asked.aim, row.unit);
    if (asked.multiple != 0 && row.against_mosquitto) {
        out += fmt::format(" or {:g} times", asked.multiple);
    }
    return out;
}

std::string wall_text(const broker_figures& of) {
    return of.wall_rates.empty() ? "" : rate_text(median_of(of.wall_rates));
}

void print_problems(std::string_view who, const broker_figures& of) {
    if (!of.problem.empty()) {
        fmt::print("    {}: {}\n", who, of.problem);
    }
    if (!of.found.none()) {
        fmt::print("    {}: {}, of {} deliveries\n", who, load::to_string(of.found), of.checked);
    }
}

nlohmann::ordered_json json_of(const against_row& row, const broker_figures& of) {
    nlohmann::ordered_json out;
    out["figure"] = row.figure(of);
    out["rounds"] = of.values;
    if (!of.wall_rates.empty()) {
        out["wall_per_second"] = of.wall_rates;
    }
    out["checked"] = of.checked;
    out["lost"] = of.found.lost;
    out["reordered"] = of.found.reordered;
    out["duplicated"] = of.found.duplicated;
    out["misdelivered"] = of.found.misdelivered;
    out["misacknowledged"] = of.found.misacknowledged;
    out["stalled"] = of.found.stalled;
    if (!of.problem.empty()) {
        out["problem"] = of.problem;
    }
    return out;
}

}  // namespace

void print_heading(const std::string& theirs) {
    fmt::print("{:<13} {:<58} {:>10} {:>10} {:>10} {:>10} {:>7}  {}\n", "load", "", "ours", "wall",
               theirs.substr(0, 10), "wall", "ratio", "asked");
}

void print_row(const against_row& row) {
    const std::string ours = row.ours ? text_of(row.figure(*row.ours), row.unit) : "";
    const std::string ratio = row.ours ? fmt::format("{:.2f}", row.ratio()) : "";
    fmt::print("{:<13} {:<58} {:>10} {:>10} {:>10} {:>10} {:>7}  {}{}{}\n", row.name, row.what,
               ours, row.ours ? wall_text(*row.ours) : "",
               text_of(row.figure(row.theirs), row.unit), wall_text(row.theirs), ratio,
               asked_text(row), row.ours ? ": " : "", text_of(row.verdict()));
    if (row.ours) {
        print_problems("ours", *row.ours);
    }
    print_problems("theirs", row.theirs);
    std::fflush(stdout);
}

void write_json(const std::string& path, const std::string& theirs,
                const std::vector<against_row>& rows) {
    nlohmann::ordered_json out;
    out["against"] = theirs;
    out["loads"] = nlohmann::ordered_json::array();
    for (const against_row& row : rows) {
        nlohmann::ordered_json one;
        one["name"] = row.name;
        one["what"] = row.what;
        one["unit"] = row.unit == unit::per_second ? "1/s" : row.unit == unit::bytes ? "B" : "us";
        one["better"] = row.better == better::higher ? "higher" : "lower";
        one["summary"] = row.summary == summary::median ? "median" : "best";
        if (row.ours) {
            one["ours"] = json_of(row, *row.ours);
        }
        one["theirs"] = json_of(row, row.theirs);
        if (row.ours) {
            one["ratio"] = row.ratio();
            one["verdict"] = std::string(text_of(row.verdict()));
        }
        if (row.asked.aim != 0) {
            one["aim"] = row.asked.aim;
        }
        if (row.asked.multiple != 0) {
            one["aim_times_mosquitto"] = row.asked.multiple;
        }
        out["loads"].push_back(std::move(one));
    }
    std::ofstream file(path);
    file << out.dump(2) << '\n';
    if (!file.flush()) {
        throw load::load_error(fmt::format("{} could not be written", path));
    }
}

}  // namespace fleetarium::cli::bench
