#include <fleetarium/recording/recording_reader.hpp>

#include <fleetarium/recording/recorded_rows.hpp>
#include <fleetarium/recording/schema.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <filesystem>
#include <fstream>

namespace fleetarium::recording {

namespace {

/// SQLite opens what is there: a file cut short would show itself in the middle of a query only.
void require_whole(const std::string& path) {
    std::error_code failed;
    const std::uintmax_t size = std::filesystem::file_size(path, failed);
    if (failed) {
        throw recording_error(path + ": " + failed.message());
    }
    std::array<unsigned char, 100> header{};
    std::ifstream in(path, std::ios::binary);
    in.read(reinterpret_cast<char*>(header.data()), header.size());
    if (in.gcount() != header.size()) {
        throw recording_error(path + ": is not a recording: it has " + std::to_string(size) +
                              " bytes, a recording at least 100");
    }
    const auto number = [&](std::size_t at, std::size_t bytes) {
        std::uintmax_t out = 0;
        for (std::size_t i = 0; i < bytes; ++i) {
            out = out << 8 | header[at + i];
        }
        return out;
    };
    if (std::string(header.begin(), header.begin() + 15) != "SQLite format 3") {
        throw recording_error(path +
                              ": is not a recording: it does not begin with "
                              "\"SQLite format 3\"");
    }
    // Section 1.3.7 of SQLite's file format: valid if the two counters are equal.
    const std::uintmax_t page = number(16, 2) == 1 ? 65'536 : number(16, 2);
    if (number(24, 4) == number(92, 4) && size < number(28, 4) * page &&
        !std::filesystem::exists(path + "-wal", failed)) {
        throw recording_error(path + ": is cut short: it has " + std::to_string(size) +
                              " bytes, expected " + std::to_string(number(28, 4) * page) +
                              "; `sqlite3 FILE .recover` shows what can be saved");
    }
}

}  // namespace

std::int64_t first_message_from(database& in, std::int64_t instant) {
    std::int64_t begin = in.integer("SELECT min(id) FROM messages").value_or(1);
    const std::int64_t last = in.integer("SELECT max(id) FROM messages").value_or(0);
    if (begin < 0 || last > message_id_max) {
        throw recording_error(in.path() + ": is damaged: messages have numbers from " +
                              std::to_string(begin) + " to " + std::to_string(last));
    }
    std::int64_t end = last + 1;
    statement probe(in, "SELECT id, at FROM messages WHERE id >= ?1 ORDER BY id LIMIT 1");
    while (begin < end) {
        const std::int64_t middle = begin + (end - begin) / 2;
        probe.bind(1, middle);
        if (!probe.step()) {
            return end;
        }
        const std::int64_t id = probe.integer(0);
        const std::int64_t at = probe.integer(1);
        probe.reset();
        if (at < instant) {
            begin = id + 1;
        } else {
            end = middle;
        }
    }
    return begin;
}

recording_reader::recording_reader(const std::string& path) {
    require_whole(path);
    database_ = std::make_unique<database>(path, database::mode::read);
    if (database_->integer("PRAGMA application_id") != recording_application_id) {
        throw recording_error(path + ": is a SQLite file, but not a recording");
    }
    const std::int64_t version = database_->integer("PRAGMA user_version").value_or(0);
    if (version > recording_version) {
        throw recording_error(path + ": has version " + std::to_string(version) +
                              " of the format; this program knows versions up to " +
                              std::to_string(recording_version));
    }
}

recording_summary recording_reader::summary() {
    recording_summary out;
    {
        statement run(*database_,
                      "SELECT kind, fleetarium, began, seed, ended_at, trace_hash, "
                      "forgotten_until, scenario, source FROM runs");
        if (run.step()) {
            out.kind = run.text(0);
            out.program_version = run.text(1);
            out.began = run.text(2);
            if (!run.is_null(3)) {
                out.seed = static_cast<std::uint64_t>(run.integer(3));
            }
            if (!run.is_null(4)) {
                out.ran_for = duration(run.integer(4));
            }
            out.trace_hash = run.text(5);
            out.forgotten_until = duration(run.integer(6));
            out.source = run.text(8);
            out.from = out.kind == "subscriber" ? viewpoint::subscriber : viewpoint::broker;
            const auto scenario =
                nlohmann::json::parse(run.text(7), nullptr, /*allow_exceptions=*/false);
            out.scenario_name = scenario.is_object() ? scenario.value("name", "") : "";
        }
    }
    const auto count = [this](const char* table) {
        return database_->integer("SELECT count(*) FROM " + std::string(table)).value_or(0);
    };
    out.brokers = count("brokers");
    out.clients = count("clients");
    out.topics = count("topics");
    out.connections = count("connections");
    out.faults = count("faults");
    out.violations = count("violations");
    out.messages = count("messages");
    if (out.from == viewpoint::subscriber) {
        out.gaps = count("gaps");
        out.gap_time = duration(database_->integer("SELECT sum(ended - at) FROM gaps").value_or(0));
        statement filters(*database_, "SELECT DISTINCT filter FROM subscriptions ORDER BY filter");
        while (filters.step()) {
            out.filters.emplace_back(filters.text(0));
        }
    }
    statement states(*database_,
                     "SELECT s.name, count(*) FROM deliveries d "
                     "JOIN delivery_states s ON s.id = d.state GROUP BY d.state ORDER BY d.state");
    while (states.step()) {
        out.by_state.emplace_back(states.text(0), states.integer(1));
        out.deliveries += states.integer(1);
    }
    return out;
}

}  // namespace fleetarium::recording
