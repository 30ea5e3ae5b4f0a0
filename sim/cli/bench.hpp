#pragma once

#include <fleetarium/codec/packets.hpp>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

namespace fleetarium::cli::bench {

/// One figure of the suite beside what it is to be compared with, both measured in this run.
struct figure {
    std::string name;      ///< what was measured
    std::string value;     ///< with its unit
    std::string limit;     ///< what it is compared with, and that one's value
    double ratio = 0;      ///< share of the limit that is reached; 1 is the limit itself
    std::string goal;      ///< what the project asks for; empty if nothing
    bool reached = true;   ///< the goal
};

/// How much of the suite to run: 1 is all of it, 0.1 a tenth of the messages and devices.
struct scale {
    double factor = 1;
    std::uint64_t of(std::uint64_t whole) const {
        const auto scaled = static_cast<std::uint64_t>(static_cast<double>(whole) * factor);
        return scaled == 0 ? 1 : scaled;
    }
};

/// Processor time of this thread, in seconds: what neighbours on the machine take is not in it.
inline double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Seconds of processor time that `work()` takes.
template <class Work>
double time_of(Work&& work) {
    const double start = thread_seconds();
    work();
    return thread_seconds() - start;
}

/// Resident memory of the process, in bytes.
std::uint64_t resident_bytes();

/// "3.42 M/s".
std::string rate_text(double per_second);

/// Messages a second in a world of devices that talk to each other at random over links of 5 ms,
/// with virtual clock, trace hash and accounts.
double talking_fleet_rate(std::uint32_t devices, enum qos qos, std::uint64_t messages);

// The parts of the suite, each in a source of its own.
std::vector<figure> measure_messages(const scale& size);   // bench_messages.cpp
std::vector<figure> measure_fleet_day(const scale& size);  // bench_fleets.cpp
std::vector<figure> measure_memory(const scale& size);     // bench_fleets.cpp
std::vector<figure> measure_flat_cost(const scale& size);  // bench_fleets.cpp
std::vector<figure> measure_matching(const scale& size);   // bench_matching.cpp
std::vector<figure> measure_embedding(const scale& size);  // bench_embedding.cpp
std::vector<figure> measure_exploring(const scale& size);  // bench_explore.cpp
std::vector<figure> measure_recording(const scale& size);  // bench_recording.cpp
std::vector<figure> measure_replay(const scale& size);     // bench_replay.cpp
std::vector<figure> measure_feed(const scale& size);       // bench_feed.cpp
std::vector<figure> measure_persistence(const scale& size);  // bench_persistence.cpp

}  // namespace fleetarium::cli::bench
