#include <fleetarium/storage/session_file.hpp>

#include <fleetarium/storage/database.hpp>
#include <fleetarium/storage/directory_sync.hpp>
#include <fleetarium/storage/message_row.hpp>
#include <fleetarium/storage/new_database.hpp>
#include <fleetarium/storage/session_schema.hpp>

#include <boost/unordered/unordered_map.hpp>

#include <sqlite3.h>

#include <optional>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace fleetarium::storage {

namespace {

using kind = session_change::kind;

constexpr std::string_view advice =
    "; `fleetarium broker --persist FILE --recover` saves what can "
    "be read of it";

[[noreturn]] void rethrow(const database_error& error, const std::string& path) {
    switch (error.primary_code()) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED: throw session_file_error(path + ": another process uses it", false);
        case SQLITE_NOTADB:
            throw session_file_error(path + ": is not a session file: it is no SQLite database",
                                     false);
        case SQLITE_CORRUPT:
            throw session_file_error(std::string(error.what()) + std::string(advice), true);
        default: throw session_file_error(error.what(), false);
    }
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
    throw session_file_error(path + ": is damaged: " + why + std::string(advice), true);
}

database open_database(const session_file_options& options) {
    if (options.path.empty()) {
        throw session_file_error("'" + options.path + "': is not the name of a file", false);
    }
    make_database(options.path, options.vfs, make_schema);
    return {options.path, database::mode::write, options.vfs};
}

/// Numbers of rows and places in queues count up from here and there; none can be counted behind
/// the last one there is.
constexpr std::int64_t number_max = std::int64_t{1} << 62;

constexpr std::int64_t subscription_identifier_max = 268'435'455;

bool is_between(std::int64_t value, std::int64_t least, std::int64_t most) {
    return value >= least && value <= most;
}

/// Taken back unless it was committed.
class transaction {
public:
    explicit transaction(database& in) : in_(in) { in.execute("BEGIN IMMEDIATE"); }
    ~transaction() {
        if (sqlite3_get_autocommit(in_.handle()) == 0) {
            sqlite3_exec(in_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
        }
    }
    transaction(const transaction&) = delete;
    transaction& operator=(const transaction&) = delete;

private:
    database& in_;
};

std::uint64_t size_of(const std::string& path) {
    struct stat known {};
    return ::stat(path.c_str(), &known) == 0 ? static_cast<std::uint64_t>(known.st_size) : 0;
}

}  // namespace

struct session_file::implementation {
    explicit implementation(const session_file_options& with)
        : options(with), file(open_database(with)) {
        file.execute("PRAGMA locking_mode = EXCLUSIVE");
        // Before anything is written: what is no session file stays as it is.
        check_schema(file);
        // Somebody may have taken its write-ahead log away. The rollback journal of this very step,
        // if its end is not synced, could come back after a power cut, and take a newer file back.
        file.execute("PRAGMA synchronous = EXTRA");
        file.execute("PRAGMA journal_mode = WAL");
        const char* const levels[] = {"FULL", "NORMAL", "OFF"};
        file.execute(std::string("PRAGMA synchronous = ") +
                     levels[static_cast<std::size_t>(options.sync)]);
        // The log that a crash left may end inside a sector. On disks where a write may harm its
        // sector (not every disk is powersafe), to go on writing there would risk what was
        // committed; so it goes to the database, and the log begins anew.
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)");
        sync_directory_of(options.path, options.vfs);
        file.execute("PRAGMA wal_autocheckpoint = 4000");
        file.execute("PRAGMA cache_size = -32768");
        put_session = file.prepare(
            "INSERT OR REPLACE INTO sessions (id, client_id, expiry_interval, connected, "
            "expires_at, will_topic, will_properties, will_payload, will_qos, will_retain, "
            "will_delay_interval, will_message_expiry_interval, will_due, owner) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        for (const char* const table : {"sessions WHERE id", "subscriptions WHERE session",
                                        "deliveries WHERE session", "identifiers WHERE session"}) {
            erase_session.push_back(file.prepare(std::string("DELETE FROM ") + table + " = ?"));
        }
        put_subscription = file.prepare(
            "INSERT INTO subscriptions (session, filter, options, identifier) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (session, filter) DO UPDATE SET options = excluded.options, "
            "identifier = excluded.identifier");
        erase_subscription =
            file.prepare("DELETE FROM subscriptions WHERE session = ? AND filter = ?");
        put_message = file.prepare(
            "INSERT INTO messages (id, topic, properties, payload, qos, retain, publisher, number, "
            "published_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        erase_message = file.prepare("DELETE FROM messages WHERE id = ?");
        put_delivery = file.prepare(
            "INSERT INTO deliveries (session, sequence, message, packet_id, state, qos, retain, "
            "shared, identifier, group_place) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        set_delivery = file.prepare(
            "UPDATE deliveries SET packet_id = ?, state = ? WHERE session = ? AND sequence = ?");
        erase_delivery = file.prepare("DELETE FROM deliveries WHERE session = ? AND sequence = ?");
        put_identifier =
            file.prepare("INSERT OR REPLACE INTO identifiers (session, packet_id) VALUES (?, ?)");
        erase_identifier =
            file.prepare("DELETE FROM identifiers WHERE session = ? AND packet_id = ?");
        put_retained = file.prepare("INSERT INTO retained (message) VALUES (?)");
        erase_retained = file.prepare("DELETE FROM retained WHERE message = ?");
    }

    // Instants

    std::int64_t to_file(instant at) const {
        return (at.time_since_epoch() + options.clock_offset).count();
    }
    instant from_file(std::int64_t nanoseconds) const {
        std::int64_t since_start = 0;
        if (__builtin_sub_overflow(nanoseconds, options.clock_offset.count(), &since_start)) {
            return nanoseconds > 0 ? never : instant(duration::min());
        }
        return instant(duration(since_start));
    }
    void bind_instant(statement& to, int which, instant at) const {
        if (at == never) {
            to.bind_null(which);
        } else {
            to.bind(which, to_file(at));
        }
    }
    instant instant_of(const statement& row, int column) const {
        return row.is_null(column) ? never : from_file(row.integer(column));
    }

    // Writing

    void write_message(const session_changes& all, const session_change& change) {
        const message_row& row = all.messages[change.text];
        const std::uint8_t* const topic = all.bytes.data() + row.begin;
        const std::uint8_t* const properties = topic + row.topic_size;
        put_message.bind(1, change.message)
            .bind(2, as_text({topic, row.topic_size}))
            .bind(3, bytes_view{properties, row.properties_size})
            .bind(4, bytes_view{properties + row.properties_size, row.payload_size})
            .bind(5, static_cast<std::int64_t>(row.qos))
            .bind(6, static_cast<std::int64_t>(row.retain))
            .bind(7, static_cast<std::int64_t>(row.publisher))
            .bind(8, static_cast<std::int64_t>(row.number))
            .bind(9, to_file(row.published_at));
        bind_instant(put_message, 10, row.expires_at);
        put_message.run();
    }

    void write_session(const session_changes& all, const session_change& change) {
        const session_row& row = all.sessions[change.text];
        put_session.bind(1, change.session)
            .bind(2, std::string_view(row.client_id))
            .bind(3, static_cast<std::int64_t>(row.expiry_interval))
            .bind(4, static_cast<std::int64_t>(row.connected));
        bind_instant(put_session, 5, row.expires_at);
        for (int which = 6; which <= 13; ++which) {
            put_session.bind_null(which);
        }
        if (row.will) {
            const message_row& will = row.will->message;
            const std::uint8_t* const topic = all.bytes.data() + will.begin;
            const std::uint8_t* const properties = topic + will.topic_size;
            put_session.bind(6, as_text({topic, will.topic_size}))
                .bind(7, bytes_view{properties, will.properties_size})
                .bind(8, bytes_view{properties + will.properties_size, will.payload_size})
                .bind(9, static_cast<std::int64_t>(will.qos))
                .bind(10, static_cast<std::int64_t>(will.retain))
                .bind(11, static_cast<std::int64_t>(row.will->delay_interval));
            if (row.will->message_expiry_interval) {
                put_session.bind(12, std::int64_t{*row.will->message_expiry_interval});
            }
            bind_instant(put_session, 13, row.will->due);
        }
        put_session.bind(14, static_cast<std::int64_t>(row.owner)).run();
    }

    void write(const session_changes& all, const session_change& change) {
        const auto filter = [&] {
            return as_text({all.bytes.data() + change.text, change.text_size});
        };
        switch (change.what) {
            case kind::nothing: return;
            case kind::put_session: write_session(all, change); return;
            case kind::erase_session:
                for (statement& each : erase_session) {
                    each.bind(1, change.session).run();
                }
                return;
            case kind::put_subscription:
                put_subscription.bind(1, change.session)
                    .bind(2, filter())
                    .bind(3, std::int64_t{change.options})
                    .bind(4, std::int64_t{change.identifier})
                    .run();
                return;
            case kind::erase_subscription:
                erase_subscription.bind(1, change.session).bind(2, filter()).run();
                return;
            case kind::put_message: write_message(all, change); return;
            case kind::erase_message: erase_message.bind(1, change.message).run(); return;
            case kind::put_delivery:
                put_delivery.bind(1, change.session)
                    .bind(2, change.sequence)
                    .bind(3, change.message)
                    .bind(4, std::int64_t{change.packet_id})
                    .bind(5, static_cast<std::int64_t>(change.state))
                    .bind(6, static_cast<std::int64_t>(change.qos))
                    .bind(7, static_cast<std::int64_t>(change.retain))
                    .bind(8, static_cast<std::int64_t>(change.shared))
                    .bind(9, std::int64_t{change.identifier})
                    .bind(10, std::int64_t{change.group_place})
                    .run();
                return;
            case kind::set_delivery:
                set_delivery.bind(1, std::int64_t{change.packet_id})
                    .bind(2, static_cast<std::int64_t>(change.state))
                    .bind(3, change.session)
                    .bind(4, change.sequence)
                    .run();
                return;
            case kind::erase_delivery:
                erase_delivery.bind(1, change.session).bind(2, change.sequence).run();
                return;
            case kind::put_identifier:
                put_identifier.bind(1, change.session)
                    .bind(2, std::int64_t{change.packet_id})
                    .run();
                return;
            case kind::erase_identifier:
                erase_identifier.bind(1, change.session)
                    .bind(2, std::int64_t{change.packet_id})
                    .run();
                return;
            case kind::put_retained: put_retained.bind(1, change.message).run(); return;
            case kind::erase_retained: erase_retained.bind(1, change.message).run(); return;
        }
    }

    // Reading

    using message_table = boost::unordered_map<std::int64_t, message_ptr>;
    struct loaded_session {
        broker::session_index index = broker::no_session;
        std::string client_id;
    };

    message_table load_messages(change_journal& journal, memory_account* account) {
        message_table out;
        statement rows = file.prepare(
            "SELECT id, topic, properties, payload, qos, retain, publisher, number, published_at, "
            "expires_at FROM messages ORDER BY id");
        while (rows.step()) {
            const auto parts = message_of_row(rows, 1);
            if (!parts || !is_between(rows.integer(0), 1, number_max)) {
                refuse(options.path, "message " + std::to_string(rows.integer(0)) +
                                         " has no valid number, topic, QoS or properties");
            }
            message_origin origin;
            origin.publisher = static_cast<std::uint64_t>(rows.integer(6));
            origin.identity = {static_cast<std::uint64_t>(rows.integer(7)),
                               from_file(rows.integer(8))};
            origin.expires_at = instant_of(rows, 9);
            const message_ptr made = message::restore(*parts, origin, account);
            journal.know_message(made, rows.integer(0));
            out.emplace(rows.integer(0), made);
        }
        return out;
    }

    std::unique_ptr<broker::stored_will> will_of(const statement& row,
                                                 memory_account* account) const {
        if (row.is_null(5)) {
            return nullptr;
        }
        const auto parts = message_of_row(row, 5);
        constexpr std::int64_t seconds_max = 0xFFFF'FFFF;
        if (!parts || !is_between(row.integer(10), 0, seconds_max) ||
            !is_between(row.integer(11), 0, seconds_max)) {
            refuse(options.path, "the will of '" + std::string(row.text(1)) +
                                     "' has no valid topic, QoS, times or properties");
        }
        auto out = std::make_unique<broker::stored_will>();
        out->message = message::restore(
            *parts, {{}, broker::session_registry::hash_of(row.text(1)), never}, account);
        out->delay_interval = static_cast<std::uint32_t>(row.integer(10));
        if (!row.is_null(11)) {
            out->message_expiry_interval = static_cast<std::uint32_t>(row.integer(11));
        }
        out->due = instant_of(row, 12);
        return out;
    }

    boost::unordered_map<std::int64_t, loaded_session> load_sessions(broker::broker_core& into,
                                                                     change_journal& journal) {
        boost::unordered_map<std::int64_t, loaded_session> out;
        statement rows = file.prepare(
            "SELECT id, client_id, expiry_interval, connected, expires_at, will_topic, "
            "will_properties, will_payload, will_qos, will_retain, will_delay_interval, "
            "will_message_expiry_interval, will_due, owner FROM sessions ORDER BY id");
        while (rows.step()) {
            broker::restored_session kept;
            kept.client_id = rows.text(1);
            kept.expiry_interval = static_cast<std::uint32_t>(rows.integer(2));
            kept.was_connected = rows.integer(3) != 0;
            kept.expires_at = instant_of(rows, 4);
            kept.owner_hash = static_cast<std::uint64_t>(rows.integer(13));
            kept.will = will_of(rows, into.message_account());
            const bool is_possible = is_between(rows.integer(0), 1, number_max) &&
                                     is_between(rows.integer(2), 1, 0xFFFF'FFFF);
            const broker::session_index index =
                is_possible ? into.restore_session(std::move(kept)) : broker::no_session;
            if (index == broker::no_session) {
                refuse(options.path, "the session of '" + std::string(rows.text(1)) +
                                         "' is there twice, or has no valid number, expiry "
                                         "interval or will");
            }
            journal.know_session(index, rows.integer(0));
            out.emplace(rows.integer(0), loaded_session{index, std::string(rows.text(1))});
        }
        return out;
    }

    static std::optional<subscription_options> options_of(std::int64_t encoded) {
        if (encoded < 0 || encoded > 0x2F || (encoded & 3) == 3) {
            return std::nullopt;
        }
        subscription_options out;
        out.qos = static_cast<enum qos>(encoded & 3);
        out.no_local = (encoded & 4) != 0;
        out.retain_as_published = (encoded & 8) != 0;
        out.retain_handling = static_cast<enum retain_handling>(encoded >> 4);
        return out;
    }

    session_file_options options;
    database file;
    statement put_session;
    std::vector<statement> erase_session;
    statement put_subscription;
    statement erase_subscription;
    statement put_message;
    statement erase_message;
    statement put_delivery;
    statement set_delivery;
    statement erase_delivery;
    statement put_identifier;
    statement erase_identifier;
    statement put_retained;
    statement erase_retained;
};

session_file::session_file(const session_file_options& options) {
    try {
        implementation_ = std::make_unique<implementation>(options);
    } catch (const database_error& error) {
        rethrow(error, options.path);
    }
}

session_file::~session_file() = default;

// NOLINTNEXTLINE(readability-function-size): one table after the other
session_file_contents session_file::load(broker::broker_core& into, change_journal& journal) try {
    implementation& in = *implementation_;
    const std::string& path = in.options.path;
    if (const std::string found = in.file.text("PRAGMA quick_check(1)"); found != "ok") {
        refuse(path, found);
    }
    session_file_contents out;
    const auto messages = in.load_messages(journal, into.message_account());
    const auto sessions = in.load_sessions(into, journal);
    out.messages = messages.size();
    out.sessions = sessions.size();
    const auto owner_of = [&](const statement& row, std::string_view what) {
        const auto found = sessions.find(row.integer(0));
        if (found == sessions.end()) {
            refuse(path, std::string(what) +
                             " of a session that is not there: " + std::to_string(row.integer(0)));
        }
        return found->second;
    };
    const auto message_of = [&](std::int64_t id) {
        const auto found = messages.find(id);
        if (found == messages.end()) {
            refuse(path, "message " + std::to_string(id) + " is not there");
        }
        return found->second;
    };

    statement subscriptions = in.file.prepare(
        "SELECT session, filter, options, identifier FROM subscriptions ORDER BY id");
    while (subscriptions.step()) {
        const auto owner = owner_of(subscriptions, "a subscription");
        const auto options = implementation::options_of(subscriptions.integer(2));
        if (!options || !is_between(subscriptions.integer(3), 0, subscription_identifier_max) ||
            !into.restore_subscription(owner.index, subscriptions.text(1),
                                       static_cast<std::uint32_t>(subscriptions.integer(3)),
                                       *options)) {
            refuse(path, "'" + owner.client_id + "' is subscribed to '" +
                             std::string(subscriptions.text(1)) + "', which nobody can be");
        }
        ++out.subscriptions;
    }
    statement deliveries = in.file.prepare(
        "SELECT session, sequence, message, packet_id, state, qos, retain, shared, identifier, "
        "group_place FROM deliveries ORDER BY session, sequence");
    broker::session_index last_owner = broker::no_session;
    std::int64_t last_pending = -1;
    while (deliveries.step()) {
        const auto owner = owner_of(deliveries, "a delivery");
        delivery kept;
        kept.message = message_of(deliveries.integer(2));
        kept.packet_id = static_cast<std::uint16_t>(deliveries.integer(3));
        kept.state = static_cast<delivery_state>(deliveries.integer(4));
        kept.qos = static_cast<enum qos>(deliveries.integer(5) & 3);
        kept.retain = deliveries.integer(6) != 0;
        kept.shared = deliveries.integer(7) != 0;
        kept.subscription_identifier = static_cast<std::uint32_t>(deliveries.integer(8));
        kept.group_place = deliveries.integer(9) & delivery::group_place_max;
        const bool is_possible = is_between(deliveries.integer(1), 0, number_max) &&
                                 is_between(deliveries.integer(3), 0, 0xFFFF) &&
                                 is_between(deliveries.integer(4), 0, 3) &&
                                 is_between(deliveries.integer(5), 1, 2);
        // Those that were never sent follow one another without a gap.
        const bool follows = owner.index != last_owner || last_pending < 0 ||
                             deliveries.integer(1) == last_pending + 1;
        last_owner = owner.index;
        last_pending = kept.packet_id == 0 ? deliveries.integer(1) : -1;
        if (!is_possible || !follows || !into.restore_delivery(owner.index, kept)) {
            refuse(path, "delivery " + std::to_string(deliveries.integer(1)) + " to '" +
                             owner.client_id + "' cannot stand where it stands");
        }
        journal.know_delivery(owner.index, deliveries.integer(1), kept);
        ++out.deliveries;
    }
    statement identifiers =
        in.file.prepare("SELECT session, packet_id FROM identifiers ORDER BY session, packet_id");
    while (identifiers.step()) {
        const auto owner = owner_of(identifiers, "a packet identifier");
        if (!is_between(identifiers.integer(1), 1, 0xFFFF) ||
            !into.restore_identifier(owner.index,
                                     static_cast<std::uint16_t>(identifiers.integer(1)))) {
            refuse(path, "a packet identifier of '" + owner.client_id + "' is not valid");
        }
    }
    statement retained = in.file.prepare("SELECT message FROM retained ORDER BY message");
    while (retained.step()) {
        const message_ptr kept = message_of(retained.integer(0));
        if (!into.restore_retained(kept)) {
            refuse(path, "a second message is retained for '" + std::string(kept->topic()) + "'");
        }
        journal.know_retained(kept);
        ++out.retained;
    }
    if (const std::size_t lost = journal.unreferenced_messages(); lost != 0) {
        refuse(path, std::to_string(lost) + " messages wait for nobody");
    }
    return out;
} catch (const database_error& error) {
    rethrow(error, implementation_->options.path);
}

void session_file::write(const session_changes& changes) try {
    implementation& in = *implementation_;
    const transaction whole(in.file);
    for (const session_change& each : changes.changes) {
        in.write(changes, each);
    }
    in.file.execute("COMMIT");
} catch (const database_error& error) {
    rethrow(error, implementation_->options.path);
}

void session_file::set_clock_offset(duration offset) {
    implementation_->options.clock_offset = offset;
}

std::uint64_t session_file::file_bytes() const {
    const std::string& path = implementation_->options.path;
    return size_of(path) + size_of(path + "-wal");
}

}  // namespace fleetarium::storage
