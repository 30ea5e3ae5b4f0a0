#pragma once

#include "load_ledger.hpp"
#include "load_plan.hpp"

#include <optional>
#include <string>
#include <vector>

namespace fleetarium::cli::bench {

/// What one broker has come to under one load.
struct broker_figures {
    std::vector<double> values;      ///< a round each
    std::vector<double> wall_rates;  ///< a round each; none where that says nothing
    std::uint64_t checked = 0;       ///< deliveries that were looked at, in all rounds
    load::violations found;
    std::string problem;  ///< why it could not be carried out; empty if it was
};

enum class better : std::uint8_t { higher, lower };
enum class unit : std::uint8_t { per_second, bytes, microseconds };
enum class summary : std::uint8_t { median, best };

enum class verdict : std::uint8_t {
    reached,  ///< the aim, or its multiple of mosquitto
    floor,    ///< not that, but the least that is asked
    missed,
    invalid,  ///< a message was lost, reordered or duplicated: there is no figure
    not_carried_out,
    not_asked,  ///< ours was not measured
};

/// One line of the table.
struct against_row {
    std::string name;
    std::string what;
    enum unit unit = unit::per_second;
    enum better better = better::higher;
    enum summary summary = summary::median;
    load::goal asked;
    bool against_mosquitto = false;  ///< multiples are of that
    std::optional<broker_figures> ours;
    broker_figures theirs;

    double figure(const broker_figures& of) const;
    /// How many times as good ours is; 0 without.
    double ratio() const;
    enum verdict verdict() const;
};

/// The middle one, or the mean of the two in the middle. There is at least one.
double median_of(std::vector<double> values);

// bench_against_output.cpp

void print_heading(const std::string& theirs);
void print_row(const against_row& row);

/// Writes all rows, with every round, as JSON. Throws load_error if the file cannot be written.
void write_json(const std::string& path, const std::string& theirs,
                const std::vector<against_row>& rows);

}  // namespace fleetarium::cli::bench
