#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/recording/database.hpp>
#include <fleetarium/recording/schema.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fleetarium::recording {

/// The first message that a broker had at or after an instant, in nanoseconds; one more than the
/// newest where there is none. Messages are in the order of time: logarithmic, without an index.
std::int64_t first_message_from(database& in, std::int64_t instant);

/// What there is to say of a recording at a glance.
struct recording_summary {
    std::string kind{};
    std::string program_version{};
    std::string began{};  ///< wall clock
    std::optional<std::uint64_t> seed{};
    std::optional<duration> ran_for{};  ///< none: it was cut short
    std::string trace_hash{};
    duration forgotten_until{};  ///< what was before was given up for space
    std::string scenario_name{};
    std::string source{};  ///< of a subscriber's: the broker's URL
    viewpoint from = viewpoint::broker;
    std::vector<std::string> filters{};  ///< that a subscriber had
    std::int64_t gaps = 0;
    duration gap_time{};  ///< of gaps that ended
    std::int64_t brokers = 0;
    std::int64_t clients = 0;
    std::int64_t topics = 0;
    std::int64_t connections = 0;
    std::int64_t faults = 0;
    std::int64_t violations = 0;
    std::int64_t messages = 0;
    std::int64_t deliveries = 0;
    std::vector<std::pair<std::string, std::int64_t>> by_state{};  ///< deliveries
};

/// A recording to be read. Thread rule: one thread at a time.
class recording_reader {
public:
    /// Throws recording_error: there is no such file, it is no recording, of a newer version, or
    /// cut short. Takes what was committed of one that is being written, or whose writer died.
    explicit recording_reader(const std::string& path);

    database& tables() { return *database_; }

    /// Linear in deliveries.
    recording_summary summary();

private:
    std::unique_ptr<database> database_;
};

}  // namespace fleetarium::recording
