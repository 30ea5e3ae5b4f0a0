#include "bench.hpp"
#include "temporary_recording.hpp"

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/recording/memory_replay.hpp>
#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/recording/recording_writer.hpp>
#include <fleetarium/recording/traffic_source.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace fleetarium::cli::bench {

namespace {

using recording::traffic_note;

constexpr std::uint32_t publishers = 1000;
constexpr int rounds = 3;

/// Messages of 64 bytes from many publishers, each with its topic, in all QoS.
void record(const std::string& path, std::uint64_t messages) {
    recording::recording_writer writer({.path = path});
    traffic_note note;
    note.what = traffic_note::kind::broker;
    writer.add(note, "broker");
    for (std::uint32_t i = 0; i < publishers; ++i) {
        const std::string id = fmt::format("device-{:07}", i);
        note = {};
        note.what = traffic_note::kind::client;
        note.client = i;
        note.topic_size = static_cast<std::uint16_t>(id.size());
        writer.add(note, id + id);
    }
    const std::string payload(64, 'x');
    for (std::uint64_t i = 0; i < messages; ++i) {
        const auto client = static_cast<std::uint32_t>(i % publishers);
        const std::string topic = fmt::format("devices/{:07}/state", client);
        note = {};
        note.what = traffic_note::kind::message;
        note.at = note.extra = static_cast<std::int64_t>(i) * 1000;
        note.number = i + 1;
        note.client = client;
        note.qos = static_cast<std::uint8_t>(i % 3);
        note.topic_size = static_cast<std::uint16_t>(topic.size());
        writer.add(note, topic + payload);
        note.what = traffic_note::kind::routed;
        note.extra = 0;
        writer.add(note, {});
    }
    writer.finish({.ended_at = instant{duration(note.at)}});
}

/// SQLite alone: each row's columns that a replay needs.
std::uint64_t read_rows(recording::database& in) {
    recording::statement rows(in,
                              "SELECT id, at, publisher, topic, qos, retain, copy, payload, "
                              "properties FROM messages ORDER BY id");
    std::uint64_t sum = 0;
    while (rows.step()) {
        for (const int column : {0, 1, 2, 3, 4, 5, 6}) {
            sum += static_cast<std::uint64_t>(rows.integer(column));
        }
        sum += rows.blob(7).size() + (rows.is_null(8) ? 0 : rows.text(8).size());
    }
    return sum;
}

}  // namespace

/// A recording's messages into a broker core, beside SQLite's read of the same rows. The best of
/// several rounds each, in turns: the first one also fills caches.
std::vector<figure> measure_replay(const scale& size) {
    constexpr double required = 500e3;
    const std::uint64_t messages = size.of(1'000'000);
    const temporary_recording file("bench-replay");
    record(file.path(), messages);
    recording::recording_reader reader(file.path());
    double reading = 0;
    double replaying = 0;
    std::uint64_t sum = 0;
    for (int round = 0; round < rounds; ++round) {
        const double read = time_of([&] { sum += read_rows(reader.tables()); });
        broker::broker_core core{broker::broker_options{}};
        recording::core_sink sink(core);
        std::uint64_t published = 0;
        const double replayed = time_of([&] {
            recording::traffic_source source(reader.tables(), {});
            published = recording::replay_into(sink, source, {},
                                               recording::replay_schedule::as_fast_as_possible)
                            .published;
        });
        if (published != messages) {
            return {{"replay into memory", fmt::format("{} of {} messages", published, messages),
                     "", 0, "all", false}};
        }
        reading = round == 0 ? read : std::min(reading, read);
        replaying = round == 0 ? replayed : std::min(replaying, replayed);
    }
    asm volatile("" : : "r"(sum));  // keeps the loops
    const double rate = static_cast<double>(messages) / replaying;
    return {{fmt::format("replay into memory, {} messages", messages), rate_text(rate),
             fmt::format("SQLite's read: {}", rate_text(static_cast<double>(messages) / reading)),
             reading / replaying, "500 k/s", rate >= required}};
}

}  // namespace fleetarium::cli::bench
