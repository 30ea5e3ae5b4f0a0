#pragma once

#include <fleetarium/recording/recording_difference.hpp>

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace fleetarium::cli {

/// The two recordings, as the heads of columns call them.
struct compared_names {
    std::string first;
    std::string second;
};

/// "12.003 s".
std::string instant_text(std::int64_t nanoseconds);

/// The first row that differs side by side, for people; a line for each column.
void print_row_difference(const recording::row_difference& what, const compared_names& names);

/// Tables with different numbers of rows, for people.
void print_counts(const recording::recording_difference& of, const compared_names& names);

/// Both for machines: "first_difference" is null where there is none.
void add_difference(nlohmann::ordered_json& to, const recording::recording_difference& of,
                    const compared_names& names);

}  // namespace fleetarium::cli
