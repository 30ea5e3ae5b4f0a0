#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/recording/recording_error.hpp>
#include <fleetarium/recording/schema.hpp>
#include <fleetarium/recording/traffic_note.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace fleetarium::recording {

struct recording_options {
    std::string path{};
    /// What `runs` says; JSON texts.
    std::string kind = "virtual";
    std::string scenario{};
    std::string scenario_file{};  ///< paths in the scenario are relative to it
    std::map<std::string, std::string, std::less<>> inputs{};  ///< files that it reads, by name
    std::optional<std::uint64_t> seed{};
    std::string began{};     ///< wall clock, ISO 8601
    std::int64_t epoch = 0;  ///< nanoseconds since 1970 of instant 0
    std::string program_version{};
    viewpoint from = viewpoint::broker;
    std::string source{};  ///< of a subscriber: the broker's URL

    /// Bytes that the file may have: older messages are given up for newer ones. None: no limit.
    /// At least `file_size_min`.
    std::optional<std::uint64_t> file_size_max{};
    /// Only so much of the newest is kept. None: all.
    std::optional<duration> last{};

    static constexpr std::uint64_t file_size_min = std::uint64_t{4} << 20;
};

/// What is known of a run when it has ended.
struct run_facts {
    instant ended_at{};
    bool ended_within = false;  ///< in the middle of the events of that instant
    std::optional<std::uint64_t> events{};  ///< none: not known
    std::string trace_hash{};
    std::string report{};  ///< JSON
};

/// Writes a recording on a thread of its own.
///
/// Notes are handed over in blocks; at most `blocks_max`, or `waiting_bytes_max` where payloads are
/// large, wait, then `add` waits: a run cannot be faster than what writes it down. Whatever was
/// committed survives the death of the process: blocks are as soon as the thread has caught up, or
/// every 16 of them.
/// Thread rule: one thread at a time calls the members.
class recording_writer {
public:
    static constexpr std::size_t block_size = std::size_t{1} << 20;
    static constexpr std::size_t blocks_max = 16;
    static constexpr std::size_t waiting_bytes_max = std::size_t{64} << 20;

    /// Makes the file. Throws recording_error if it exists or cannot be made.
    explicit recording_writer(const recording_options& options);
    /// What was added is written; nothing is said of errors.
    ~recording_writer();
    recording_writer(const recording_writer&) = delete;
    recording_writer& operator=(const recording_writer&) = delete;

    /// Adds a note with room for its text; returns where the text of note.size bytes goes.
    char* add(const traffic_note& note);
    void add(const traffic_note& note, std::string_view text);

    /// Hands over what was added, so that it is committed soon. For slow runs: others fill blocks.
    void flush();

    /// As `flush`, and waits until all of it is committed, or cannot be.
    void sync();

    /// What went wrong, as a sentence; empty: nothing. After it, nothing more is written; what was
    /// committed before is kept.
    std::string error() const;

    struct sums {
        std::uint64_t messages = 0;
        std::uint64_t deliveries = 0;
        std::uint64_t file_bytes = 0;
    };

    /// Writes all that is left and closes the file, which is then one file without a journal
    /// beside it. Throws recording_error with what went wrong, now or before.
    sums finish(const run_facts& facts);

private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

}  // namespace fleetarium::recording
