#include "bench.hpp"
#include "temporary_recording.hpp"

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/codec/codec.hpp>
#include <fleetarium/storage/change_journal.hpp>
#include <fleetarium/storage/database.hpp>
#include <fleetarium/storage/session_file.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetarium::cli::bench {

namespace {

using storage::database;
using storage::statement;
using storage::sync_mode;

constexpr std::string_view topic = "plant/hall/7/line/3/celsius";
constexpr std::string_view payload = R"({"c": 21.5, "n": 123456})";

double wall_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

template <class Packet>
std::vector<std::uint8_t> bytes_of(const Packet& packet) {
    wire_buffer out;
    if constexpr (std::is_same_v<Packet, connect>) {
        encode(packet, out);
    } else {
        encode(packet, protocol_version::v5, out);
    }
    std::vector<std::uint8_t> bytes;
    out.for_each_part(
        [&](bytes_view part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
    return bytes;
}

/// A broker core with a session file; peers are bytes.
class durable_core {
public:
    durable_core(const std::string& path, sync_mode sync) : file_({path, sync, {}, {}}) {
        contents = file_.load(core, journal_);
        core.keep_journal(&journal_);
        core.go_on({});
        commit();
    }

    broker::connection_id join(std::string_view client_id, std::string_view filter) {
        const broker::connection_id made = core.handle_open({});
        connect request;
        request.client_id = client_id;
        request.session_expiry_interval = 3600;
        core.handle_bytes(made, bytes_of(request), {});
        if (!filter.empty()) {
            const subscription_request one{
                filter, {qos::at_least_once, false, false, retain_handling::send}};
            subscribe wanted;
            wanted.packet_id = 1;
            wanted.requests = subscription_requests({&one, 1});
            core.handle_bytes(made, bytes_of(wanted), {});
        }
        return made;
    }

    /// Writes what has changed, and lets go what waited for it; returns how many packets came out
    /// for a connection.
    void commit() {
        while (journal_.has_changes()) {
            spent_ = journal_.take(std::move(spent_));
            file_.write(spent_);
            core.handle_durable(spent_.position);
        }
        while (core.poll_output()) {
        }
    }

    broker::broker_core core{[] {
        broker::broker_options out;
        out.queue_messages_max = 1'000'000;
        out.receive_maximum = 65'535;
        return out;
    }()};
    storage::session_file_contents contents;

private:
    storage::change_journal journal_;
    storage::session_file file_;
    storage::session_changes spent_;
};

/// Messages of QoS 1 from one client to another, each acknowledged by both, with so many between
/// two commits.
void exchange(durable_core& in, std::uint64_t messages, std::uint64_t group) {
    const broker::connection_id subscriber = in.join("panel", "plant/#");
    const broker::connection_id publisher = in.join("sensor", {});
    in.commit();
    publish message;
    message.topic = topic;
    message.payload = as_bytes_view(payload);
    message.qos = qos::at_least_once;
    std::uint16_t sent = 0;
    std::uint16_t acknowledged = 0;
    for (std::uint64_t done = 0; done < messages; done += group) {
        for (std::uint64_t i = 0; i < group; ++i) {
            message.packet_id = sent = sent == 65'535 ? std::uint16_t{1} : sent + std::uint16_t{1};
            in.core.handle_bytes(publisher, bytes_of(message), {});
        }
        in.commit();
        for (std::uint64_t i = 0; i < group; ++i) {
            puback answer;
            answer.packet_id = acknowledged =
                acknowledged == 65'535 ? std::uint16_t{1} : acknowledged + std::uint16_t{1};
            in.core.handle_bytes(subscriber, bytes_of(answer), {});
        }
    }
    in.commit();
}

/// What SQLite alone takes for the rows of `exchange`.
double time_of_rows(std::uint64_t messages, std::uint64_t group) {
    const temporary_recording path("bench-rows");
    { storage::session_file made({path.path(), sync_mode::off, {}, {}}); }
    database file(path.path(), database::mode::write);
    file.execute(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; "
        "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -32768");
    statement put(file, "INSERT INTO messages VALUES (?1, ?2, x'', ?3, 1, 0, 7, ?1, 0, NULL)");
    statement queue(file, "INSERT INTO deliveries VALUES (1, ?1, ?1, 5, 1, 1, 0, 0, 0, 0)");
    statement done(file, "DELETE FROM deliveries WHERE session = 1 AND sequence = ?1");
    statement drop(file, "DELETE FROM messages WHERE id = ?1");
    return time_of([&] {
        for (std::uint64_t first = 0; first < messages; first += group) {
            file.execute("BEGIN");
            for (std::uint64_t i = 0; i < group; ++i) {
                const auto id = static_cast<std::int64_t>(first + i + 1);
                put.bind(1, id).bind(2, topic).bind(3, as_bytes_view(payload)).run();
                queue.bind(1, id).run();
                if (first != 0) {
                    done.bind(1, id - static_cast<std::int64_t>(group)).run();
                    drop.bind(1, id - static_cast<std::int64_t>(group)).run();
                }
            }
            file.execute("COMMIT");
        }
    });
}

figure measure_rows(std::uint64_t messages) {
    constexpr std::uint64_t group = 500;
    const temporary_recording path("bench-persist");
    double spent = 0;
    {
        durable_core in(path.path(), sync_mode::off);
        spent = time_of([&] { exchange(in, messages, group); });
    }
    const double rows = time_of_rows(messages, group);
    const double rate = static_cast<double>(messages) / spent;
    return {fmt::format("{:.1f} M durable messages of QoS 1, end to end",
                        static_cast<double>(messages) / 1e6),
            rate_text(rate),
            fmt::format("SQLite alone: {}", rate_text(static_cast<double>(messages) / rows)),
            rows / spent,
            "",
            true};
}

/// Groups of a size, each synced, beside as many syncs of one message: what a group spares.
figure measure_groups(std::uint64_t messages) {
    constexpr std::uint64_t group = 500;
    const auto rate_of = [](std::uint64_t count, std::uint64_t size) {
        const temporary_recording path("bench-sync");
        durable_core in(path.path(), sync_mode::full);
        const double begin = wall_seconds();
        exchange(in, count, size);
        return static_cast<double>(count) / (wall_seconds() - begin);
    };
    const double alone = rate_of(std::max<std::uint64_t>(messages / group, 1), 1);
    const double together = rate_of(messages, group);
    return {"durable messages of QoS 1, each on the disk, wall time",
            rate_text(together),
            fmt::format("a sync for each: {}", rate_text(alone)),
            together / alone,
            "",
            true};
}

figure measure_start(std::uint64_t retained, std::uint64_t sessions) {
    const temporary_recording path("bench-start");
    {
        durable_core in(path.path(), sync_mode::off);
        const broker::connection_id publisher = in.join("publisher", {});
        for (std::uint64_t i = 0; i < sessions; ++i) {
            const std::string name = "device-" + std::to_string(i);
            in.core.handle_closed(in.join(name, "command/" + name + "/#"), {});
            if (i % 10'000 == 0) {
                in.commit();
            }
        }
        for (std::uint64_t i = 0; i < retained; ++i) {
            const std::string name = fmt::format("site/{}/device-{}/state", i % 1000, i);
            publish message;
            message.topic = name;
            message.payload = as_bytes_view(payload);
            message.qos = qos::at_most_once;
            message.retain = true;
            in.core.handle_bytes(publisher, bytes_of(message), {});
            if (i % 10'000 == 0) {
                in.commit();
            }
        }
        in.commit();
    }
    double alone = 0;
    {
        database file(path.path(), database::mode::read);
        const double begin = wall_seconds();
        statement rows(file, "SELECT * FROM messages");
        std::size_t bytes = 0;
        while (rows.step()) {
            bytes += rows.text(1).size() + rows.blob(3).size();
        }
        statement others(file,
                         "SELECT * FROM sessions JOIN subscriptions ON session = sessions.id");
        while (others.step()) {
            bytes += others.text(1).size();
        }
        alone = bytes == 0 ? 0 : wall_seconds() - begin;
    }
    const double begin = wall_seconds();
    const durable_core in(path.path(), sync_mode::off);
    const double spent = wall_seconds() - begin;
    const bool whole = in.contents.retained == retained && in.contents.sessions == sessions + 1 &&
                       in.contents.subscriptions == sessions;
    return {fmt::format("start with {:.1f} M retained, {} k sessions",
                        static_cast<double>(retained) / 1e6, sessions / 1000),
            fmt::format("{:.2f} s", spent),
            fmt::format("SQLite reads the rows: {:.2f} s", alone),
            alone / spent,
            "10 s",
            spent < 10 && whole};
}

}  // namespace

std::vector<figure> measure_persistence(const scale& size) {
    return {measure_rows(std::max<std::uint64_t>(size.of(500'000), 1'000)),
            measure_groups(std::max<std::uint64_t>(size.of(100'000), 1'000)),
            measure_start(size.of(1'000'000), std::max<std::uint64_t>(size.of(100'000), 1'000))};
}

}  // namespace fleetarium::cli::bench
