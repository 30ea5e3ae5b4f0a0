#include "difference_output.hpp"

#include <fleetarium/sim/report_text.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <tuple>

namespace fleetarium::cli {

namespace {

nlohmann::ordered_json to_json(const recording::compared_value& of) {
    if (of.is_null) {
        return nullptr;
    }
    return of.integer ? nlohmann::ordered_json(*of.integer) : nlohmann::ordered_json(of.text);
}

}  // namespace

std::string instant_text(std::int64_t nanoseconds) {
    std::string out =
        fmt::format("{}.{:09}", nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000);
    const std::size_t least = out.size() - 6;
    out.erase(std::max(out.find_last_not_of('0') + 1, least));
    return out + " s";
}

void print_row_difference(const recording::row_difference& what, const compared_names& names) {
    const char* const lone = !what.in_first    ? names.second.c_str()
                             : !what.in_second ? names.first.c_str()
                                               : nullptr;
    fmt::print("first difference at {}: {}, row {}{}\n", instant_text(what.at), what.table,
               what.row, lone != nullptr ? fmt::format(", only {}", lone) : std::string());
    std::size_t name_width = 0;
    std::size_t width = names.first.size();
    for (const auto& each : what.columns) {
        name_width = std::max(name_width, each.name.size());
        width = std::max(width, each.first.text.size());
    }
    fmt::print("      {:<{}}  {:<{}}  {}\n", "", name_width, names.first, width, names.second);
    for (const auto& each : what.columns) {
        fmt::print("    {} {:<{}}  {:<{}}  {}\n", each.differs ? '*' : ' ', each.name, name_width,
                   what.in_first ? each.first.text : "", width,
                   what.in_second ? each.second.text : "");
    }
}

void print_counts(const recording::recording_difference& of, const compared_names& names) {
    for (const auto& each : of.counts) {
        fmt::print("  {}: {} {}, {} {}\n", each.table,
                   sim::with_thousands(static_cast<std::uint64_t>(each.first)), names.first,
                   sim::with_thousands(static_cast<std::uint64_t>(each.second)), names.second);
    }
}

void add_difference(nlohmann::ordered_json& to, const recording::recording_difference& of,
                    const compared_names& names) {
    nlohmann::ordered_json& row = to["first_difference"];
    if (of.row) {
        row = {{"at_seconds", static_cast<double>(of.row->at) / 1e9},
               {"table", of.row->table},
               {"row", of.row->row}};
        row["columns"] = nlohmann::ordered_json::array();
        for (const auto& each : of.row->columns) {
            if (each.differs) {
                row["columns"].push_back(each.name);
            }
        }
        for (const auto& [name, has, member] :
             {std::tuple(names.first, of.row->in_first, &recording::compared_column::first),
              std::tuple(names.second, of.row->in_second, &recording::compared_column::second)}) {
            nlohmann::ordered_json& values = row[name];
            if (has) {
                for (const auto& each : of.row->columns) {
                    values[each.name] = to_json(each.*member);
                }
            }
        }
    }
    nlohmann::ordered_json& counts = to["rows_that_differ_in_number"];
    counts = nlohmann::ordered_json::object();
    for (const auto& each : of.counts) {
        counts[each.table] = {{names.first, each.first}, {names.second, each.second}};
    }
}

}  // namespace fleetarium::cli
