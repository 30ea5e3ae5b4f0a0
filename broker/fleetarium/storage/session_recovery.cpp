// What can be saved of a damaged session file.

#include <fleetarium/storage/database.hpp>
#include <fleetarium/storage/message_row.hpp>
#include <fleetarium/storage/session_file.hpp>
#include <fleetarium/storage/session_schema.hpp>

#include <fleetarium/codec/topic.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace fleetarium::storage {

namespace {

struct table {
    std::string_view name;
    std::string_view key;    // what its rows stand in the order of, an integer
    std::string_view owner;  // the column before it in the primary key, a session; or empty
    std::string_view columns;
    std::string_view types;  // of the columns: i integer, t text, b blob
};

constexpr table tables[] = {
    {"sessions", "id", "",
     "id, client_id, expiry_interval, connected, expires_at, will_topic, will_properties, "
     "will_payload, will_qos, will_retain, will_delay_interval, will_message_expiry_interval, "
     "will_due, owner",
     "itiiitbbiiiiii"},
    {"messages", "id", "",
     "id, topic, properties, payload, qos, retain, publisher, number, published_at, expires_at",
     "itbbiiiiii"},
    {"subscriptions", "id", "", "id, session, filter, options, identifier", "iitii"},
    {"deliveries", "sequence", "session",
     "sequence, session, message, packet_id, state, qos, retain, shared, identifier, group_place",
     "iiiiiiiiii"},
    {"identifiers", "packet_id", "session", "packet_id, session", "ii"},
    {"retained", "message", "", "message", "i"},
};

/// Copies a table row by row. Where a page cannot be read, the lowest key behind it that can be is
/// looked for, so that a bad page costs its own rows.
class table_salvage {
public:
    /// Sessions are salvaged before what they own.
    table_salvage(database& from, database& to, const table& what, std::size_t& unreadable)
        : to_(to), what_(what), unreadable_(unreadable) {
        const std::string key(what.key);
        const std::string columns(what.columns);
        const std::string name(what.name);
        std::string marks;
        for (std::size_t i = 0; i < what.types.size(); ++i) {
            marks += i == 0 ? "?" : ", ?";
        }
        put_ = to.prepare("INSERT OR IGNORE INTO " + name + " (" + columns + ") VALUES (" + marks +
                          ")");
        const std::string which =
            " FROM " + name + " WHERE " +
            (what.owner.empty() ? "" : std::string(what.owner) + " = ?2 AND ") + key + " >= ?1";
        rows_ = from.prepare("SELECT " + columns + which + " ORDER BY " + key);
        row_ = from.prepare("SELECT " + columns + which + " ORDER BY " + key + " LIMIT 1");
        highest_ = from.prepare("SELECT max(" + key + ")" + which);
    }

    void run() {
        if (what_.owner.empty()) {
            copy();
            return;
        }
        statement owners = to_.prepare("SELECT id FROM sessions ORDER BY id");
        while (owners.step()) {
            owner_ = owners.integer(0);
            copy();
        }
    }

private:
    /// All rows, or all of an owner.
    void copy() {
        std::int64_t next = 0;
        while (!copy_forward(next)) {
            ++unreadable_;
            const auto behind = readable_behind(next);
            if (!behind) {
                return;
            }
            next = *behind;
        }
    }

    /// Copies what has its key from `next` on. Whether that was all; else `next` is the first key
    /// that was not reached.
    bool copy_forward(std::int64_t& next) {
        try {
            begin(rows_, next);
            while (rows_.step()) {
                const std::int64_t key = rows_.integer(0);
                put(rows_);
                if (key == last) {
                    return true;
                }
                next = std::max(next, key + 1);
            }
            return true;
        } catch (const database_error& error) {
            check_damage(error);
            return false;
        }
    }

    /// Of the keys behind `failing`, which cannot be read from, the lowest that can be; none if
    /// none is found. Steps double, so that it takes few of them wherever the keys begin; where no
    /// step hits on what can be read, there are more between, up to a bound: below a root that is
    /// bad nothing is found for any owner.
    std::optional<std::int64_t> readable_behind(std::int64_t failing) {
        const int steps_between_max = what_.owner.empty() ? 4096 : 64;
        const std::int64_t end = highest_key().value_or(last);
        for (int between = 1; between <= steps_between_max; between *= 64) {
            std::int64_t bad = failing;
            for (std::int64_t reach = 1;
                 bad<end; reach = reach>(end - failing) / 2 ? end - failing : reach * 2) {
                const std::int64_t begin = failing + reach / 2;
                const std::int64_t step = std::max<std::int64_t>((reach - reach / 2) / between, 1);
                for (std::int64_t key = begin; key < failing + reach;) {
                    if (between > 1 && fine_steps_left_-- <= 0) {
                        return std::nullopt;
                    }
                    key = key > failing + reach - step ? failing + reach : key + step;
                    if (is_readable(key)) {
                        return lowest_readable(bad, key);
                    }
                    bad = key;
                }
            }
        }
        return std::nullopt;
    }

    std::int64_t lowest_readable(std::int64_t bad, std::int64_t readable) {
        while (readable - bad > 1) {
            const std::int64_t middle = bad + (readable - bad) / 2;
            (is_readable(middle) ? readable : bad) = middle;
        }
        return readable;
    }

    /// Whether a row, or that there is none, can be read from this key on.
    bool is_readable(std::int64_t key) {
        try {
            begin(row_, key);
            row_.step();
            return true;
        } catch (const database_error& error) {
            check_damage(error);
            return false;
        }
    }

    std::optional<std::int64_t> highest_key() {
        try {
            begin(highest_, 0);
            return highest_.step() && !highest_.is_null(0) ? std::optional(highest_.integer(0))
                                                           : std::nullopt;
        } catch (const database_error& error) {
            check_damage(error);
            return std::nullopt;
        }
    }

    void begin(statement& of, std::int64_t key) const {
        of.reset();
        of.bind(1, key);
        if (!what_.owner.empty()) {
            of.bind(2, owner_);
        }
    }

    /// Of an error that is being handled: goes on with it, unless it tells of damage.
    static void check_damage(const database_error& error) {
        if (error.primary_code() != SQLITE_CORRUPT && error.primary_code() != SQLITE_IOERR) {
            throw;
        }
    }

    void put(const statement& row) {
        for (std::size_t i = 0; i < what_.types.size(); ++i) {
            const int column = static_cast<int>(i);
            if (row.is_null(column)) {
                put_.bind_null(column + 1);
            } else if (what_.types[i] == 't') {
                put_.bind(column + 1, row.text(column));
            } else if (what_.types[i] == 'b') {
                put_.bind(column + 1, row.blob(column));
            } else {
                put_.bind(column + 1, row.integer(column));
            }
        }
        try {
            put_.run();
        } catch (const database_error& error) {
            put_.reset();
            if (error.primary_code() != SQLITE_CONSTRAINT) {
                throw;
            }
            ++unreadable_;  // not of the type that its column has
        }
    }

    static constexpr std::int64_t last = std::numeric_limits<std::int64_t>::max();

    database& to_;
    const table& what_;
    std::size_t& unreadable_;
    statement put_;
    statement rows_;
    statement row_;
    statement highest_;
    std::int64_t owner_ = 0;
    std::int64_t fine_steps_left_ = 1 << 16;  // of the whole table: a second of them, or less
};

constexpr const char* drop_unheld_messages =
    "DELETE FROM messages WHERE id NOT IN (SELECT message FROM deliveries UNION "
    "SELECT message FROM retained)";

/// Deletes rows that no broker could go on from; returns how many.
std::size_t drop_contradictions(database& in) {
    const char* const rules[] = {
        "DELETE FROM sessions WHERE client_id = '' OR expiry_interval NOT BETWEEN 1 AND 4294967295 "
        "OR id NOT BETWEEN 1 AND 1 << 62",
        "DELETE FROM sessions WHERE id NOT IN (SELECT max(id) FROM sessions GROUP BY client_id)",
        "UPDATE sessions SET will_topic = NULL WHERE will_topic IS NOT NULL AND (will_qos NOT "
        "BETWEEN 0 AND 2 OR will_delay_interval NOT BETWEEN 0 AND 4294967295 OR "
        "will_message_expiry_interval NOT BETWEEN 0 AND 4294967295)",
        "DELETE FROM messages WHERE topic = '' OR qos NOT BETWEEN 0 AND 2 OR "
        "id NOT BETWEEN 1 AND 1 << 62",
        "DELETE FROM subscriptions WHERE session NOT IN (SELECT id FROM sessions) OR "
        "options NOT BETWEEN 0 AND 47 OR options & 3 = 3 OR identifier NOT BETWEEN 0 AND 268435455",
        "DELETE FROM identifiers WHERE session NOT IN (SELECT id FROM sessions) OR "
        "packet_id NOT BETWEEN 1 AND 65535",
        "DELETE FROM deliveries WHERE session NOT IN (SELECT id FROM sessions) OR "
        "message NOT IN (SELECT id FROM messages) OR qos NOT BETWEEN 1 AND 2 OR "
        "packet_id NOT BETWEEN 0 AND 65535 OR state NOT BETWEEN 0 AND 3 OR "
        "(packet_id = 0) <> (state = 0) OR (state = 3 AND qos <> 2)",
        "DELETE FROM retained WHERE message NOT IN (SELECT id FROM messages)",
        "DELETE FROM retained WHERE message NOT IN (SELECT max(retained.message) FROM retained "
        "JOIN messages ON messages.id = retained.message GROUP BY messages.topic)",
    };
    std::size_t out = 0;
    for (const char* const rule : rules) {
        in.execute(rule);
        out += static_cast<std::size_t>(sqlite3_changes(in.handle()));
    }
    return out;
}

/// What is in flight comes before what was never sent, each under a packet identifier of its own,
/// and the places in a queue have no gaps; returns how many deliveries could not stay.
std::size_t renumber_deliveries(database& in) {
    const std::int64_t before = in.integer("SELECT count(*) FROM deliveries").value_or(0);
    in.execute(
        "CREATE TEMP TABLE sound AS SELECT * FROM deliveries WHERE (session, sequence) IN ("
        "SELECT session, sequence FROM (SELECT session, sequence, packet_id, "
        "max(packet_id = 0) OVER (PARTITION BY session ORDER BY sequence) AS behind_pending, "
        "row_number() OVER (PARTITION BY session, packet_id ORDER BY sequence) AS repeats "
        "FROM deliveries) WHERE packet_id = 0 OR (behind_pending = 0 AND repeats = 1));"
        "DELETE FROM deliveries;"
        "INSERT INTO deliveries SELECT session, row_number() OVER (PARTITION BY session ORDER BY "
        "sequence) - 1, message, packet_id, state, qos, retain, shared, identifier, group_place "
        "FROM sound;"
        "DROP TABLE sound");
    return static_cast<std::size_t>(before -
                                    in.integer("SELECT count(*) FROM deliveries").value_or(0));
}

/// The ids of rows, (id, topic, properties, payload, QoS, RETAIN), that hold no message.
std::vector<std::int64_t> without_message(database& in, const std::string& select) {
    std::vector<std::int64_t> out;
    statement rows = in.prepare(select);
    while (rows.step()) {
        if (!message_of_row(rows, 1)) {
            out.push_back(rows.integer(0));
        }
    }
    return out;
}

/// Messages and wills that no client could read.
std::size_t drop_invalid_messages(database& in) {
    const auto messages =
        without_message(in, "SELECT id, topic, properties, payload, qos, retain FROM messages");
    statement drop_message = in.prepare("DELETE FROM messages WHERE id = ?");
    for (const std::int64_t each : messages) {
        drop_message.bind(1, each).run();
    }
    const auto wills = without_message(
        in,
        "SELECT id, will_topic, will_properties, will_payload, will_qos, will_retain "
        "FROM sessions WHERE will_topic IS NOT NULL");
    statement drop_will = in.prepare("UPDATE sessions SET will_topic = NULL WHERE id = ?");
    for (const std::int64_t each : wills) {
        drop_will.bind(1, each).run();
    }
    return messages.size() + wills.size();
}

/// Topics and filters that SQL cannot judge.
std::size_t drop_invalid_names(database& in) {
    std::vector<std::int64_t> topics;
    statement messages =
        in.prepare("SELECT id, topic FROM messages WHERE id IN (SELECT message FROM retained)");
    while (messages.step()) {
        const std::string_view topic = messages.text(1);
        if (!is_valid_topic_name(topic) || topic_level_count(topic) > limits::topic_levels_max) {
            topics.push_back(messages.integer(0));
        }
    }
    statement drop_topic = in.prepare("DELETE FROM retained WHERE message = ?");
    for (const std::int64_t each : topics) {
        drop_topic.bind(1, each).run();
    }
    std::vector<std::pair<std::int64_t, std::string>> filters;
    statement subscriptions = in.prepare("SELECT session, filter FROM subscriptions");
    while (subscriptions.step()) {
        if (!broker::broker_core::is_storable_filter(subscriptions.text(1))) {
            filters.emplace_back(subscriptions.integer(0), subscriptions.text(1));
        }
    }
    statement drop_filter =
        in.prepare("DELETE FROM subscriptions WHERE session = ? AND filter = ?");
    for (const auto& [session, filter] : filters) {
        drop_filter.bind(1, session).bind(2, std::string_view(filter)).run();
    }
    return topics.size() + filters.size();
}

std::size_t count(database& in, std::string_view table) {
    return static_cast<std::size_t>(
        in.integer("SELECT count(*) FROM " + std::string(table)).value_or(0));
}

void check(bool done, const std::string& path, const char* what) {
    if (!done) {
        throw session_file_error(
            path + ": cannot be " + what + ": " + std::generic_category().message(errno), false);
    }
}

/// Puts a file in the place of another, which gets a second name first: at no moment is there none.
void replace(const std::string& path, const std::string& by, const std::string& second_name) {
    check(::link(path.c_str(), second_name.c_str()) == 0, second_name, "made");
    const std::string log = path + "-wal";
    check(::rename(log.c_str(), (second_name + "-wal").c_str()) == 0 || errno == ENOENT, log,
          "renamed");
    check(::rename(by.c_str(), path.c_str()) == 0, by, "renamed");
    const std::string folder = std::filesystem::absolute(path).parent_path().string();
    const int opened = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check(opened >= 0 && ::fsync(opened) == 0, folder, "synced");
    ::close(opened);
}

}  // namespace

recovered_session_file recover_session_file(const std::string& path) try {
    if (!std::filesystem::exists(path)) {
        throw session_file_error(path + ": there is no such file", false);
    }
    recovered_session_file out;
    out.damaged_path = path + ".damaged";
    if (std::filesystem::exists(out.damaged_path)) {
        throw session_file_error(
            out.damaged_path + ": is there already, from an earlier recovery; move it away first",
            false);
    }
    const std::string made = path + ".recovered";
    for (const char* const suffix : {"", "-wal", "-shm"}) {
        std::filesystem::remove(made + suffix);
    }
    {
        database from(path, database::mode::write);
        from.execute("PRAGMA locking_mode = EXCLUSIVE");
        check_schema(from);
        session_file fresh({.path = made});
    }
    {
        database from(path, database::mode::write);
        database to(made, database::mode::write);
        to.execute("BEGIN");
        for (const table& each : tables) {
            table_salvage(from, to, each, out.unreadable_rows).run();
        }
        out.unreadable_rows += drop_invalid_messages(to);
        out.unreadable_rows += drop_invalid_names(to);
        out.unreadable_rows += drop_contradictions(to);
        out.unreadable_rows += renumber_deliveries(to);
        to.execute(drop_unheld_messages);
        to.execute("COMMIT");
        out.saved = {count(to, "sessions"), count(to, "subscriptions"), count(to, "messages"),
                     count(to, "deliveries"), count(to, "retained")};
    }
    // The file is good only if a broker can go on from it.
    {
        session_file proof({.path = made});
        broker::broker_core core(broker::broker_options{});
        change_journal journal;
        proof.load(core, journal);
    }
    {
        // All of it in one file: a log beside it would have another name. It stays a file with a
        // log, as a session file has to be: see make_database.
        database closed(made, database::mode::write);
        if (closed.integer("PRAGMA wal_checkpoint(TRUNCATE)") != 0) {
            throw session_file_error(made + ": another process uses it", false);
        }
    }
    replace(path, made, out.damaged_path);
    return out;
} catch (const database_error& error) {
    if (error.primary_code() == SQLITE_BUSY || error.primary_code() == SQLITE_LOCKED) {
        throw session_file_error(path + ": another process uses it", false);
    }
    throw session_file_error(std::string(error.what()) + "; nothing can be saved of it", true);
}

}  // namespace fleetarium::storage
