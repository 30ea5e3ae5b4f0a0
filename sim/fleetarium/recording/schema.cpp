#include <fleetarium/recording/schema.hpp>

#include <array>

namespace fleetarium::recording {

namespace {

constexpr std::array<std::string_view, recorded_state_count> state_names{
    "queued", "in_flight", "delivered", "sent", "rejected", "dropped", "lost"};

constexpr std::string_view tables = R"(
-- Instants are nanoseconds since the beginning of the run, `epoch` of runs says when that was.

-- What was recorded: one row.
CREATE TABLE runs(
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,            -- virtual, paced, broker, or subscriber: see below
    fleetarium TEXT NOT NULL,      -- version of the program
    scenario TEXT,                 -- JSON, as it was run
    scenario_file TEXT,            -- where it came from
    seed INTEGER,
    began TEXT NOT NULL,           -- wall clock, ISO 8601, UTC
    epoch INTEGER NOT NULL,        -- instant 0 as nanoseconds since 1970
    ended_at INTEGER,              -- instant; NULL: the recording was cut short
    ended_within INTEGER NOT NULL DEFAULT 0,  -- 1: events of that instant were left out
    events INTEGER,
    trace_hash TEXT,               -- of the whole run; NULL: not known
    forgotten_until INTEGER NOT NULL DEFAULT 0,  -- messages before were given up for space
    report TEXT,                   -- JSON
    source TEXT);                  -- of a subscriber: the broker's URL, without a password

-- A recording of kind subscriber has what one subscriber got. Who published a message, when, and
-- to whom else it went it cannot know: messages.publisher, published and deliveries are NULL, and
-- there are no clients, connections, deliveries or gauges. messages.at is when it arrived.

CREATE TABLE brokers(id INTEGER PRIMARY KEY, name TEXT NOT NULL);

CREATE TABLE clients(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,            -- "sensors[17]"
    client_id TEXT NOT NULL,
    tells INTEGER NOT NULL DEFAULT 0);  -- 1: when it has received, and when it is told complete

CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL);

-- Connections that a broker accepted or refused.
CREATE TABLE connections(
    id INTEGER PRIMARY KEY,
    broker INTEGER NOT NULL,
    client INTEGER,
    at INTEGER NOT NULL,           -- accepted or refused
    accepted INTEGER NOT NULL,     -- 0: refused
    session_present INTEGER NOT NULL,
    ended INTEGER,                 -- NULL: still open, or not known
    code INTEGER,                  -- reason code of its end, or of the refusal
    lost INTEGER,                  -- 1: the network closed it
    violation INTEGER,             -- not 0: a rule of the protocol was broken
    version INTEGER);              -- 4: MQTT 3.1.1, 5: MQTT 5.0; NULL: not known

CREATE TABLE subscriptions(
    id INTEGER PRIMARY KEY,
    broker INTEGER NOT NULL,
    client INTEGER,                -- NULL: the recorder itself
    at INTEGER NOT NULL,
    filter TEXT NOT NULL,
    code INTEGER NOT NULL,         -- of SUBACK or UNSUBACK
    ends INTEGER NOT NULL);        -- 1: unsubscribed

-- Messages in the order in which brokers took them on, copies of resent ones included.
CREATE TABLE messages(
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,           -- when the broker had it; never falls from row to row
    published INTEGER,             -- when its publisher made it; NULL: not known
    broker INTEGER NOT NULL,
    publisher INTEGER,             -- NULL: the broker itself, or not known
    topic INTEGER NOT NULL,
    qos INTEGER NOT NULL,
    retain INTEGER NOT NULL,
    copy INTEGER NOT NULL,         -- 1: the broker had taken it on before
    number INTEGER NOT NULL,       -- the same for all copies; 0: refused
    deliveries INTEGER,            -- made when it was routed; NULL: not known
    reason INTEGER NOT NULL,       -- in drop_reasons: why nobody got it
    payload BLOB,
    properties TEXT,               -- JSON; NULL: it has none
    will INTEGER NOT NULL DEFAULT 0);  -- 1: the broker published it, for its publisher

-- QoS 1 and 2: when their publishers were told that they are complete.
CREATE TABLE acknowledgements(message INTEGER PRIMARY KEY, at INTEGER NOT NULL);

-- Deliveries of a message to sessions; written when they end.
CREATE TABLE deliveries(
    id INTEGER PRIMARY KEY,        -- message << 20 | number among its deliveries
    message INTEGER GENERATED ALWAYS AS (id >> 20) VIRTUAL,
    receiver INTEGER,
    qos INTEGER NOT NULL,
    state INTEGER NOT NULL,        -- in delivery_states
    reason INTEGER NOT NULL,       -- in drop_reasons
    made INTEGER NOT NULL,         -- queued, or sent at once
    sent INTEGER,                  -- the first time
    received INTEGER,              -- the first time; NULL: not, or by one who does not tell
    ended INTEGER,
    resent INTEGER NOT NULL,       -- times
    copies INTEGER NOT NULL,       -- times that it was received once more
    code INTEGER NOT NULL DEFAULT 0);  -- of the acknowledgement that ended it

-- What was sent once more, with DUP: a delivery by the broker, or a QoS 2 message by its publisher.
-- QoS 1 messages that came once more are in `messages`, as copies.
CREATE TABLE resends(
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    message INTEGER NOT NULL,
    delivery INTEGER);             -- NULL: by its publisher

CREATE TABLE delivery_states(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE drop_reasons(id INTEGER PRIMARY KEY, name TEXT NOT NULL);

CREATE TABLE faults(
    id INTEGER PRIMARY KEY,
    fault INTEGER NOT NULL,        -- of the scenario, counted from 0
    at INTEGER NOT NULL,
    ends INTEGER NOT NULL);        -- 1: it ends here; of one that happens at once the only row

-- What happened in each second in which something did.
CREATE TABLE metrics(
    second INTEGER NOT NULL,       -- of the run: [second, second + 1)
    qos INTEGER NOT NULL,          -- of messages, or of deliveries
    published INTEGER NOT NULL,
    delivered INTEGER,             -- NULL: not known
    dropped INTEGER,
    latency_p50 INTEGER,           -- nanoseconds, published to received
    latency_p99 INTEGER,
    PRIMARY KEY(second, qos)) WITHOUT ROWID;

-- How things stood at the end of each such second.
CREATE TABLE gauges(
    second INTEGER PRIMARY KEY,
    connected INTEGER NOT NULL,
    under_way INTEGER NOT NULL);   -- deliveries queued or in flight

-- The trace hash on the way, after all events up to an instant. In recordings of virtual runs.
CREATE TABLE checkpoints(
    at INTEGER PRIMARY KEY,
    events INTEGER NOT NULL,       -- so far
    trace_hash TEXT NOT NULL);

-- Files that the scenario reads besides its own, by the names that it has for them.
CREATE TABLE inputs(name TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE violations(
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    invariant TEXT NOT NULL,
    what TEXT NOT NULL);

-- Times in which a subscriber was not connected, and messages were missed.
CREATE TABLE gaps(
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,           -- the connection was found broken
    ended INTEGER,                 -- NULL: not before the recording did
    session_present INTEGER,       -- 1: what the broker had kept with QoS 1 and 2 came then
    reason TEXT NOT NULL);

-- What somebody did to the run by hand: a replay does it again.
CREATE TABLE interventions(
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,           -- behind all events of that instant so far
    what TEXT NOT NULL,            -- fault, heal, publish or disconnect
    json TEXT NOT NULL);

CREATE TABLE annotations(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, text TEXT NOT NULL);
)";

constexpr std::string_view views = R"(
-- Messages as people read them.
CREATE VIEW message_log AS
SELECT m.id, m.at / 1e9 AS at_s, c.name AS publisher, t.name AS topic, m.qos, m.retain,
       m.deliveries, r.name AS reason, m.payload, m.properties
FROM messages m JOIN topics t ON t.id = m.topic JOIN drop_reasons r ON r.id = m.reason
LEFT JOIN clients c ON c.id = m.publisher;

-- Deliveries as people read them.
CREATE VIEW delivery_log AS
SELECT d.message, c.name AS receiver, t.name AS topic, d.qos, s.name AS state, r.name AS reason,
       m.published / 1e9 AS published_s, d.sent / 1e9 AS sent_s, d.received / 1e9 AS received_s,
       d.ended / 1e9 AS ended_s, d.resent, d.copies
FROM deliveries d JOIN messages m ON m.id = d.id >> 20 JOIN topics t ON t.id = m.topic
JOIN delivery_states s ON s.id = d.state JOIN drop_reasons r ON r.id = d.reason
LEFT JOIN clients c ON c.id = d.receiver;

-- How many messages does each topic have, and how large are they?
CREATE VIEW messages_per_topic AS
SELECT t.name AS topic, count(*) AS messages, sum(m.deliveries) AS deliveries,
       sum(length(m.payload)) AS payload_bytes
FROM messages m JOIN topics t ON t.id = m.topic WHERE NOT m.copy
GROUP BY m.topic ORDER BY messages DESC, topic;

-- How long do messages take from publisher to receiver? Retained ones sent later are left out.
CREATE VIEW latency_per_qos AS
WITH each_one AS (
    SELECT d.qos, d.received - m.published AS latency,
           percent_rank() OVER (PARTITION BY d.qos ORDER BY d.received - m.published) AS rank
    FROM deliveries d JOIN messages m ON m.id = d.id >> 20
    WHERE d.received IS NOT NULL AND d.made = m.at)
SELECT qos, count(*) AS deliveries, min(latency) / 1e6 AS min_ms,
       max(CASE WHEN rank <= 0.5 THEN latency END) / 1e6 AS p50_ms,
       max(CASE WHEN rank <= 0.9 THEN latency END) / 1e6 AS p90_ms,
       max(CASE WHEN rank <= 0.99 THEN latency END) / 1e6 AS p99_ms,
       max(latency) / 1e6 AS max_ms
FROM each_one GROUP BY qos;

-- What was not delivered, and why?
CREATE VIEW drops_per_reason AS
SELECT what, reason, sum(times) AS times FROM (
    SELECT 'message' AS what, r.name AS reason, count(*) AS times
    FROM messages m JOIN drop_reasons r ON r.id = m.reason WHERE m.reason != 0 GROUP BY r.name
    UNION ALL
    SELECT 'delivery', CASE WHEN s.name = 'dropped' THEN r.name ELSE s.name END, count(*)
    FROM deliveries d JOIN delivery_states s ON s.id = d.state
    JOIN drop_reasons r ON r.id = d.reason
    WHERE s.name IN ('dropped', 'lost', 'rejected') GROUP BY 2)
GROUP BY what, reason ORDER BY what, times DESC;

-- The journey of one message: SELECT * FROM journeys WHERE message = 17 ORDER BY at.
CREATE VIEW journeys AS
SELECT m.id AS message, m.published AS at, 'published' AS step, c.name AS client
FROM messages m LEFT JOIN clients c ON c.id = m.publisher WHERE m.published IS NOT NULL
UNION ALL SELECT m.id, m.at,
       CASE (SELECT kind FROM runs) WHEN 'subscriber' THEN 'received from'
       ELSE 'at the broker' END, b.name
FROM messages m JOIN brokers b ON b.id = m.broker
UNION ALL SELECT a.message, a.at, 'acknowledged to its publisher', c.name
FROM acknowledgements a JOIN messages m ON m.id = a.message
LEFT JOIN clients c ON c.id = m.publisher
UNION ALL SELECT m.id, d.sent, 'sent', c.name
FROM messages m JOIN deliveries d ON d.id BETWEEN m.id << 20 AND (m.id << 20) + 1048575
LEFT JOIN clients c ON c.id = d.receiver WHERE d.sent IS NOT NULL
UNION ALL SELECT m.id, d.received, 'received', c.name
FROM messages m JOIN deliveries d ON d.id BETWEEN m.id << 20 AND (m.id << 20) + 1048575
LEFT JOIN clients c ON c.id = d.receiver WHERE d.received IS NOT NULL
UNION ALL SELECT m.id, coalesce(d.ended, d.made),
       s.name || CASE WHEN d.reason = 0 THEN '' ELSE ': ' || r.name END, c.name
FROM messages m JOIN deliveries d ON d.id BETWEEN m.id << 20 AND (m.id << 20) + 1048575
JOIN delivery_states s ON s.id = d.state JOIN drop_reasons r ON r.id = d.reason
LEFT JOIN clients c ON c.id = d.receiver;
)";

std::string names() {
    std::string out;
    for (std::size_t i = 0; i < recorded_state_count; ++i) {
        out += "INSERT INTO delivery_states VALUES(" + std::to_string(i) + ", '" +
               std::string(state_names[i]) + "');\n";
    }
    for (std::size_t i = 0; i < broker::drop_reason_count; ++i) {
        out += "INSERT INTO drop_reasons VALUES(" + std::to_string(i) + ", '" +
               std::string(name_of(static_cast<broker::drop_reason>(i))) + "');\n";
    }
    return out;
}

}  // namespace

std::string_view name_of(recorded_state state) {
    return state_names[static_cast<std::size_t>(state)];
}

std::string trace_hash_text(std::uint64_t hash) {
    std::string digits(16, '0');
    for (std::size_t i = digits.size(); i-- != 0; hash >>= 4) {
        digits[i] = "0123456789abcdef"[hash & 15];
    }
    return digits;
}

std::string recording_schema() {
    return "PRAGMA application_id = " + std::to_string(recording_application_id) +
           ";\nPRAGMA user_version = " + std::to_string(recording_version) + ";\n" +
           std::string(tables) + std::string(views) + names();
}

}  // namespace fleetarium::recording
