#include <fleetarium/storage/session_schema.hpp>

#include <fleetarium/storage/session_file.hpp>

#include <string>

namespace fleetarium::storage {

namespace {

constexpr std::int64_t application_id = 0x466C7453;  // "FltS"

// Instants are nanoseconds since 1970; NULL is never.
constexpr const char* tables = R"(
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL,
    expiry_interval INTEGER NOT NULL,  -- seconds
    connected INTEGER NOT NULL,        -- when this was written
    expires_at INTEGER,                -- of one that is not connected
    will_topic TEXT,                   -- NULL: no will
    will_properties BLOB,
    will_payload BLOB,
    will_qos INTEGER,
    will_retain INTEGER,
    will_delay_interval INTEGER,       -- seconds
    will_message_expiry_interval INTEGER,
    will_due INTEGER,                  -- NULL: not before the connection ends
    owner INTEGER NOT NULL DEFAULT 0   -- hash of the user name that it belongs to, 0: nobody's yet
) STRICT;
CREATE TABLE subscriptions (
    id INTEGER PRIMARY KEY,            -- in the order subscribed
    session INTEGER NOT NULL,
    filter TEXT NOT NULL,              -- as subscribed: with $share/NAME/ if shared
    options INTEGER NOT NULL,          -- the byte of SUBSCRIBE
    identifier INTEGER NOT NULL,       -- 0: none
    UNIQUE (session, filter)
) STRICT;
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    topic TEXT NOT NULL,
    properties BLOB NOT NULL,          -- encoded, those that a server forwards
    payload BLOB NOT NULL,
    qos INTEGER NOT NULL,
    retain INTEGER NOT NULL,
    publisher INTEGER NOT NULL,        -- hash of its client id
    number INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE TABLE deliveries (
    session INTEGER NOT NULL,
    sequence INTEGER NOT NULL,         -- its place in the session's queue
    message INTEGER NOT NULL,
    packet_id INTEGER NOT NULL,        -- 0: never sent
    state INTEGER NOT NULL,            -- 0 pending, 1 PUBACK awaited, 2 PUBREC, 3 PUBCOMP
    qos INTEGER NOT NULL,
    retain INTEGER NOT NULL,
    shared INTEGER NOT NULL,
    identifier INTEGER NOT NULL,
    group_place INTEGER NOT NULL,      -- of a shared one, among the session's groups that match
    PRIMARY KEY (session, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE identifiers (             -- of QoS 2 messages received and not released
    session INTEGER NOT NULL,
    packet_id INTEGER NOT NULL,
    PRIMARY KEY (session, packet_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE retained (message INTEGER PRIMARY KEY) STRICT;
)";

}  // namespace

void make_schema(database& file) {
    file.execute("BEGIN IMMEDIATE");
    file.execute(tables);
    file.execute("PRAGMA application_id = " + std::to_string(application_id));
    file.execute("PRAGMA user_version = " + std::to_string(session_file_version));
    file.execute("COMMIT");
    file.execute("PRAGMA journal_mode = WAL");
}

void check_schema(database& file) {
    if (file.integer("PRAGMA application_id") != application_id) {
        throw session_file_error(
            file.path() + ": is a SQLite database, but no session file; name another FILE", false);
    }
    const std::int64_t version = file.integer("PRAGMA user_version").value_or(0);
    if (version < 1 || version > session_file_version) {
        throw session_file_error(file.path() +
                                     ": was written by another version of Fleetarium (schema " +
                                     std::to_string(version) + ", known are 1 to " +
                                     std::to_string(session_file_version) + ")",
                                 false);
    }
}

}  // namespace fleetarium::storage
