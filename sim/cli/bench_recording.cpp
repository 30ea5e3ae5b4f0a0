#include "bench.hpp"
#include "temporary_recording.hpp"

#include <fleetarium/recording/message_journal.hpp>
#include <fleetarium/recording/recorded_rows.hpp>
#include <fleetarium/recording/recording_pcapng.hpp>
#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/recording/row_batch.hpp>
#include <fleetarium/recording/world_recorder.hpp>
#include <fleetarium/sim/world.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

namespace fleetarium::cli::bench {

namespace {

using namespace std::chrono_literals;
using recording::database;
using recording::statement;
using recording::traffic_note;
using note_kind = traffic_note::kind;

constexpr std::string_view topic = "plant/hall/7/line/3/celsius";
constexpr std::string_view payload = R"({"c": 21.5, "n": 123456})";
constexpr std::int64_t message_gap = 10'000;  // nanoseconds

double wall_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

/// An empty recording, as recording_writer makes it.
void make(database& in) {
    in.execute(
        "PRAGMA page_size = 16384; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; "
        "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4096");
    in.execute("BEGIN;" + recording::recording_schema() +
               "INSERT INTO runs(kind, fleetarium, began, epoch) VALUES('virtual', '', '', 0);"
               "COMMIT; BEGIN");
}

/// What a world tells of messages from one client to another, with all that comes of each.
void tell_traffic(recording::message_journal& to, database& in, std::uint8_t qos,
                  std::uint64_t messages) {
    const std::string text = std::string(topic) + std::string(payload);
    traffic_note note;
    note.what = note_kind::broker;
    to.take(note, "broker");
    for (std::uint32_t client = 0; client < 2; ++client) {
        traffic_note who;
        who.what = note_kind::client;
        who.client = client;
        who.tells = true;
        who.topic_size = 6;
        to.take(who, client == 0 ? "sensorsensors[0]" : "panel0panel[0]");
        who.what = note_kind::connected;
        who.session = client;
        who.extra = 5;
        to.take(who, {});
    }
    for (std::uint64_t number = 1; number <= messages; ++number) {
        traffic_note base;
        base.at = static_cast<std::int64_t>(number) * message_gap;
        base.number = number;
        base.qos = qos;
        traffic_note message = base;
        message.what = note_kind::message;
        message.extra = base.at;
        message.client = 0;
        message.topic_size = static_cast<std::uint16_t>(topic.size());
        message.size = static_cast<std::uint32_t>(text.size());
        to.take(message, text);
        traffic_note delivery = base;
        delivery.client = 1;
        delivery.session = 1;
        delivery.what = note_kind::sent;
        to.take(delivery, {});
        traffic_note routed = base;
        routed.what = note_kind::routed;
        routed.extra = 1;
        to.take(routed, {});
        delivery.what = note_kind::received;
        to.take(delivery, {});
        if (qos != 0) {
            delivery.what = note_kind::acknowledged;
            to.take(delivery, {});
            delivery.what = note_kind::complete;
            delivery.client = 0;
            to.take(delivery, {});
        }
        if (number % 65'536 == 0) {
            to.write_rows();
            in.execute("COMMIT; BEGIN");
        }
    }
    to.finish(static_cast<std::int64_t>(messages) * message_gap);
    in.execute("COMMIT");
}

double record_traffic(const std::string& path, std::uint8_t qos, std::uint64_t messages) {
    return time_of([&] {
        database in(path, database::mode::create);
        make(in);
        recording::message_journal journal(in, recording::viewpoint::broker);
        tell_traffic(journal, in, qos, messages);
    });
}

/// The same rows, as fast as SQLite takes them: thousands by one statement, ready in memory.
double insert_rows(const std::string& path, std::uint8_t qos, std::uint64_t messages) {
    return time_of([&] {
        database in(path, database::mode::create);
        make(in);
        using recording::row_batch;
        std::vector columns(15, row_batch::column::integer);
        columns[12] = row_batch::column::blob;
        columns[13] = row_batch::column::text;
        row_batch message(in, "messages", "INSERT INTO messages", columns);
        row_batch delivery(in, "deliveries",
                           "INSERT INTO deliveries(id, receiver, qos, state, reason, made, sent, "
                           "received, ended, resent, copies, code)",
                           std::vector(12, row_batch::column::integer));
        row_batch acknowledgement(in, "acknowledgements", "INSERT INTO acknowledgements",
                                  std::vector(2, row_batch::column::integer));
        const auto commit = [&](const char* sql) {
            message.write();
            delivery.write();
            acknowledgement.write();
            in.execute(sql);
        };
        for (std::uint64_t number = 1; number <= messages; ++number) {
            const auto id = static_cast<std::int64_t>(number);
            const std::int64_t at = id * message_gap;
            message.add(id).add(at).add(at).add(0).add(1).add(1).add(qos).add(0).add(0).add(id);
            message.add(1).add(0).add_text(payload).add_null().add(0).end_row();
            delivery.add(id << recording::deliveries_per_message_bits).add(2).add(qos).add(2);
            delivery.add(0).add(at).add(at).add(at).add(at).add(0).add(0).add(0).end_row();
            if (qos != 0) {
                acknowledgement.add(id).add(at).end_row();
            }
            if (number % 65'536 == 0) {
                commit("COMMIT; BEGIN");
            }
        }
        commit("COMMIT");
    });
}

/// Both, and the export of what was recorded beside reading it.
void measure_rates(std::uint8_t qos, std::uint64_t messages, std::vector<figure>& out) {
    const temporary_recording recorded("bench-recorded");
    const temporary_recording inserted("bench-inserted");
    const auto count = static_cast<double>(messages);
    const double rate = count / record_traffic(recorded.path(), qos, messages);
    const double limit = count / insert_rows(inserted.path(), qos, messages);
    out.push_back({fmt::format("recording messages, QoS {}, a delivery each", qos), rate_text(rate),
                   "SQLite's inserts of the rows: " + rate_text(limit), rate / limit, "500,000",
                   rate >= 500'000});

    recording::recording_reader from(recorded.path());
    std::ofstream nowhere("/dev/null", std::ios::binary);
    std::uint64_t written = 0;
    // Once before, so that both find the file in memory.
    std::uint64_t rows = 0;
    const auto read_rows = [&] {
        recording::message_rows all(from.tables(), 0, recording::message_id_max);
        recording::delivery_rows deliveries(from.tables(), 0, recording::message_id_max);
        recording::message_row message;
        recording::delivery_row delivery;
        while (all.next(message)) {
            rows += deliveries.next(delivery);
        }
    };
    read_rows();
    const double reading = time_of(read_rows);
    const double exporting = time_of([&] {
        written = recording::export_pcapng(from, recording::export_selection{}, nowhere).published;
    });
    const double exported = count / exporting;
    out.push_back({fmt::format("export to pcapng, QoS {}, to and from the broker", qos),
                   rate_text(exported), "SQLite reading the rows: " + rate_text(count / reading),
                   reading / exporting, "1,000,000",
                   exported >= 1e6 && written == messages && rows == 2 * messages});
}

sim::scenario plant(std::uint64_t messages) {
    sim::scenario out;
    sim::network_spec lan;
    lan.name = "lan";
    lan.up.latency = distribution::constant(2e6);
    lan.down.latency = lan.up.latency;
    out.networks.push_back(lan);
    sim::fleet_spec sensors{.name = "sensors", .count = 1'000, .ramp_up = 1s};
    sensors.publications.push_back({.topic = "plant/{index}/celsius",
                                    .period = distribution::constant(1e9),
                                    .qos = qos::at_least_once,
                                    .payload = R"({"c": {random:18.0..24.0}, "n": {seq}})"});
    out.fleets.push_back(sensors);
    sim::fleet_spec panel{.name = "panel"};
    panel.subscriptions.push_back({.filter = "plant/#", .qos = qos::at_least_once});
    out.fleets.push_back(panel);
    out.duration = std::chrono::seconds{std::max<std::uint64_t>(messages / 1'000, 2)};
    return out;
}

double run_plant(const sim::scenario& what, const std::string& record_to) {
    sim::world w = sim::world::from(what);
    const double begin = wall_seconds();
    if (record_to.empty()) {
        w.run_until(instant{what.duration});
    } else {
        recording::world_recorder recorder(w, {.path = record_to});
        w.run_until(instant{what.duration});
        recorder.finish(w.report());
    }
    return wall_seconds() - begin;
}

figure measure_cost(std::uint64_t messages) {
    const sim::scenario what = plant(messages);
    double with = 1e9;
    double without = 1e9;
    for (int round = 0; round < 3; ++round) {
        // In turns, and the best of each: neighbours on the machine take time from both.
        const temporary_recording file("bench-run");
        without = std::min(without, run_plant(what, {}));
        with = std::min(with, run_plant(what, file.path()));
    }
    const double cost = (with / without - 1) * 100;
    return {fmt::format("a recorded run, QoS 1, {:.1f} M messages, wall time",
                        static_cast<double>(messages) / 1e6),
            fmt::format("{:.0f} % more time", cost),
            fmt::format("not recorded: {}", rate_text(static_cast<double>(messages) / without)),
            without / with,
            "30 %",
            cost <= 30};
}

/// Drops what the system keeps of a file in memory, as far as it lets go of it.
void forget_pages(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        ::fdatasync(file);
        ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
        ::close(file);
    }
}

figure measure_jumps(std::uint64_t messages) {
    const temporary_recording file("bench-jumps");
    {
        database in(file.path(), database::mode::create);
        make(in);
        statement message(in,
                          "INSERT INTO messages VALUES"
                          "(?1, ?2, ?2, 0, 1, 1, 0, 0, 0, ?1, 1, 0, ?3, NULL, 0)");
        for (std::uint64_t number = 1; number <= messages; ++number) {
            message.bind(1, static_cast<std::int64_t>(number))
                .bind(2, static_cast<std::int64_t>(number) * message_gap)
                .bind(3, as_bytes_view(payload))
                .run();
        }
        in.execute("COMMIT; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE");
    }
    double worst = 0;
    double warm = 0;
    constexpr unsigned jumps = 50;
    std::uint64_t right = 0;
    for (unsigned jump = 0; jump < jumps; ++jump) {
        const std::uint64_t wanted = 1 + (jump * std::uint64_t{2'654'435'761}) % messages;
        const auto look = [&] {
            const double begin = wall_seconds();
            recording::recording_reader opened(file.path());
            const std::int64_t found = recording::first_message_from(
                opened.tables(), static_cast<std::int64_t>(wanted) * message_gap);
            recording::message_rows rows(opened.tables(), found, found);
            recording::message_row row;
            right += rows.next(row) && row.id == static_cast<std::int64_t>(wanted);
            return wall_seconds() - begin;
        };
        forget_pages(file.path());
        worst = std::max(worst, look());
        warm += look();
    }
    std::error_code ignored;
    const auto size =
        static_cast<double>(std::filesystem::file_size(file.path(), ignored)) / 1048576.0;
    return {fmt::format("open {:.1f} M messages ({:.0f} MiB), jump, not in memory; worst",
                        static_cast<double>(messages) / 1e6, size),
            fmt::format("{:.2f} ms", worst * 1e3),
            fmt::format("in memory, mean: {:.2f} ms", warm / jumps * 1e3),
            warm / jumps / worst,
            "200 ms",
            worst < 0.2 && right == 2 * jumps};
}

}  // namespace

std::vector<figure> measure_recording(const scale& size) {
    std::vector<figure> out;
    const std::uint64_t messages = std::max<std::uint64_t>(size.of(2'000'000), 1'000);
    measure_rates(0, messages, out);
    measure_rates(1, messages, out);
    out.push_back(measure_cost(std::max<std::uint64_t>(size.of(1'000'000), 2'000)));
    out.push_back(measure_jumps(std::max<std::uint64_t>(size.of(10'000'000), 1'000)));
    return out;
}

}  // namespace fleetarium::cli::bench
