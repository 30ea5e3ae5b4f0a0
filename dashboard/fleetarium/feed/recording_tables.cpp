#include <fleetarium/feed/recording_tables.hpp>

#include <fleetarium/recording/recorded_rows.hpp>
#include <fleetarium/recording/schema.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <limits>
#include <string_view>

namespace fleetarium::feed::recorded {

namespace {

using recording::recording_error;
using recording::statement;

constexpr unsigned delivery_bits = recording::deliveries_per_message_bits;

/// Rows are numbered from 1 without a gap: nothing else fits into a list, and nothing else is
/// written.
void require_next(const database& in, std::string_view table, std::int64_t id, std::size_t known) {
    if (id != static_cast<std::int64_t>(known) + 1) {
        throw recording_error(in.path() + ": is damaged: row " + std::to_string(id) + " of " +
                              std::string(table) + " follows row " + std::to_string(known));
    }
}

template <class T>
T checked(const database& in, std::string_view what, std::int64_t value) {
    if (value < 0 || static_cast<std::uint64_t>(value) > std::numeric_limits<T>::max()) {
        throw recording_error(in.path() + ": is damaged: " + std::string(what) + " is " +
                              std::to_string(value));
    }
    return static_cast<T>(value);
}

std::int64_t instant_or_none(const statement& row, int column) {
    return row.is_null(column) ? no_instant : row.integer(column);
}

std::vector<remark> read_remarks(database& in, std::string_view sql) {
    std::vector<remark> out;
    statement rows(in, sql);
    while (rows.step()) {
        out.push_back({rows.integer(0), instant_or_none(rows, 1), std::string(rows.text(2)),
                       std::string(rows.text(3))});
    }
    return out;
}

}  // namespace

run read_run(database& in) {
    run out;
    statement row(in,
                  "SELECT kind, fleetarium, scenario, source, report, seed, epoch, ended_at, "
                  "forgotten_until, events FROM runs");
    if (!row.step()) {
        throw recording_error(in.path() + ": is damaged: it has no row in runs");
    }
    out.kind = row.text(0);
    out.program_version = row.text(1);
    out.scenario = row.text(2);
    out.source = row.text(3);
    out.report = row.text(4);
    if (!row.is_null(5)) {
        out.seed = row.integer(5);
    }
    out.epoch = row.integer(6);
    if (!row.is_null(7)) {
        out.ended_at = row.integer(7);
    }
    out.forgotten_until = row.integer(8);
    out.events = static_cast<std::uint64_t>(row.integer(9));
    return out;
}

std::vector<std::string> read_brokers(database& in) {
    std::vector<std::string> out;
    statement rows(in, "SELECT id, name FROM brokers ORDER BY id");
    while (rows.step()) {
        const auto id = checked<std::uint16_t>(in, "id of a broker", rows.integer(0));
        out.resize(std::max<std::size_t>(out.size(), id + std::size_t{1}));
        out[id] = rows.text(1);
    }
    return out;
}

void read_clients(database& in, std::vector<client>& into) {
    statement rows(in, "SELECT id, name, client_id, tells FROM clients WHERE id > ?1 ORDER BY id");
    rows.bind(1, static_cast<std::int64_t>(into.size()));
    while (rows.step()) {
        require_next(in, "clients", rows.integer(0), into.size());
        into.push_back(
            {std::string(rows.text(1)), std::string(rows.text(2)), rows.integer(3) != 0});
    }
}

void read_topics(database& in, std::vector<std::string>& into) {
    statement rows(in, "SELECT id, name FROM topics WHERE id > ?1 ORDER BY id");
    rows.bind(1, static_cast<std::int64_t>(into.size()));
    while (rows.step()) {
        require_next(in, "topics", rows.integer(0), into.size());
        into.emplace_back(rows.text(1));
    }
}

void read_tells(database& in, std::vector<bool>& into) {
    statement rows(in, "SELECT id, tells FROM clients WHERE id > ?1 ORDER BY id");
    rows.bind(1, static_cast<std::int64_t>(into.size()));
    while (rows.step()) {
        require_next(in, "clients", rows.integer(0), into.size());
        into.push_back(rows.integer(1) != 0);
    }
}

void read_connections(database& in, std::vector<connection>& into) {
    statement rows(in,
                   "SELECT id, broker, client, at, accepted, session_present, ended, code, lost, "
                   "violation, version FROM connections WHERE id > ?1 ORDER BY id");
    rows.bind(1, static_cast<std::int64_t>(into.size()));
    while (rows.step()) {
        require_next(in, "connections", rows.integer(0), into.size());
        connection made;
        made.broker = checked<std::uint16_t>(in, "broker of a connection", rows.integer(1));
        made.client = checked<std::uint32_t>(in, "client of a connection", rows.integer(2));
        made.at = rows.integer(3);
        made.accepted = rows.integer(4) != 0;
        made.session_present = rows.integer(5) != 0;
        made.ended = instant_or_none(rows, 6);
        made.code = checked<std::uint8_t>(in, "code of a connection", rows.integer(7));
        made.lost = rows.integer(8) != 0;
        made.violation = rows.integer(9) != 0;
        made.version = checked<std::uint8_t>(in, "version of a connection", rows.integer(10));
        into.push_back(made);
    }
}

void read_connection_ends(database& in, std::vector<connection>& into) {
    statement rows(in,
                   "SELECT id, ended, code, lost, violation FROM connections "
                   "WHERE id <= ?1 AND ended IS NOT NULL ORDER BY id");
    rows.bind(1, static_cast<std::int64_t>(into.size()));
    while (rows.step()) {
        const std::int64_t id = rows.integer(0);
        if (id < 1) {
            continue;
        }
        connection& of = into[static_cast<std::size_t>(id) - 1];
        of.ended = rows.integer(1);
        of.code = checked<std::uint8_t>(in, "code of a connection", rows.integer(2));
        of.lost = rows.integer(3) != 0;
        of.violation = rows.integer(4) != 0;
    }
}

void read_subscriptions(database& in, subscriptions& into) {
    boost::unordered_flat_map<std::string, std::uint32_t> known;
    for (std::size_t i = 0; i < into.filters.size(); ++i) {
        known.emplace(into.filters[i], static_cast<std::uint32_t>(i));
    }
    statement rows(in,
                   "SELECT id, client, at, filter, code, ends FROM subscriptions WHERE id > ?1 "
                   "ORDER BY id");
    rows.bind(1, static_cast<std::int64_t>(into.rows.size()));
    while (rows.step()) {
        require_next(in, "subscriptions", rows.integer(0), into.rows.size());
        subscription made;
        made.client = checked<std::uint32_t>(in, "client of a subscription", rows.integer(1));
        made.at = rows.integer(2);
        const auto [place, added] = known.try_emplace(
            std::string(rows.text(3)), static_cast<std::uint32_t>(into.filters.size()));
        if (added) {
            into.filters.push_back(place->first);
        }
        made.filter = place->second;
        made.code = checked<std::uint8_t>(in, "code of a subscription", rows.integer(4));
        made.ends = rows.integer(5) != 0;
        into.rows.push_back(made);
    }
}

std::vector<fault> read_faults(database& in) {
    std::vector<fault> out;
    statement rows(in, "SELECT at, fault, ends FROM faults ORDER BY id");
    while (rows.step()) {
        out.push_back({rows.integer(0),
                       checked<std::uint32_t>(in, "number of a fault", rows.integer(1)),
                       rows.integer(2) != 0});
    }
    return out;
}

std::vector<remark> read_violations(database& in) {
    return read_remarks(in, "SELECT at, NULL, invariant, what FROM violations ORDER BY at, id");
}

std::vector<remark> read_annotations(database& in) {
    return read_remarks(in, "SELECT at, NULL, '', text FROM annotations ORDER BY at, id");
}

std::vector<remark> read_gaps(database& in) {
    return read_remarks(in, "SELECT at, ended, '', reason FROM gaps ORDER BY at, id");
}

std::vector<remark> read_interventions(database& in) {
    if (!in.integer("SELECT 1 FROM sqlite_master WHERE name = 'interventions'")) {
        return {};
    }
    return read_remarks(in, "SELECT at, NULL, what, json FROM interventions ORDER BY id");
}

std::vector<checkpoint> read_checkpoints(database& in) {
    std::vector<checkpoint> out;
    statement rows(in, "SELECT at, events FROM checkpoints ORDER BY at");
    while (rows.step()) {
        out.push_back({rows.integer(0), static_cast<std::uint64_t>(rows.integer(1))});
    }
    return out;
}

std::int64_t change_count(database& in) { return in.integer("PRAGMA data_version").value_or(0); }

std::int64_t newest_instant(database& in) {
    std::int64_t out = 0;
    for (const char* table :
         {"messages", "connections", "subscriptions", "faults", "gaps", "annotations"}) {
        out = std::max(
            out, in.integer("SELECT at FROM " + std::string(table) + " ORDER BY id DESC LIMIT 1")
                     .value_or(0));
    }
    return out;
}

std::int64_t first_message(database& in) {
    return in.integer("SELECT min(id) FROM messages").value_or(0);
}

std::int64_t last_message(database& in) {
    return in.integer("SELECT max(id) FROM messages").value_or(0);
}

std::int64_t next_message(database& in, std::int64_t from) {
    return in
        .integer("SELECT id FROM messages WHERE id >= " + std::to_string(from) +
                 " ORDER BY id LIMIT 1")
        .value_or(0);
}

void for_each_resend(database& in, std::int64_t above,
                     const std::function<bool(const resend&)>& visit) {
    statement rows(in, "SELECT id, at, message, delivery FROM resends WHERE id > ?1 ORDER BY id");
    rows.bind(1, above);
    while (rows.step()) {
        if (!visit({rows.integer(0), rows.integer(1), rows.integer(2), rows.integer(3)})) {
            return;
        }
    }
}

std::int64_t resends_before(database& in, std::int64_t instant) {
    std::int64_t begin = in.integer("SELECT min(id) FROM resends").value_or(1);
    std::int64_t end = in.integer("SELECT max(id) FROM resends").value_or(0) + 1;
    statement probe(in, "SELECT id, at FROM resends WHERE id >= ?1 ORDER BY id LIMIT 1");
    while (begin < end) {
        const std::int64_t middle = begin + (end - begin) / 2;
        probe.bind(1, middle);
        if (!probe.step()) {
            break;
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
    return begin - 1;
}

std::int64_t message_number(database& in, std::int64_t message) {
    statement row(in, "SELECT number FROM messages WHERE id = ?1");
    row.bind(1, message);
    return row.step() ? row.integer(0) : 0;
}

std::vector<std::int64_t> copies_of(database& in, std::int64_t number, std::int64_t first,
                                    std::int64_t last) {
    std::vector<std::int64_t> out;
    statement rows(in,
                   "SELECT id FROM messages WHERE id BETWEEN ?1 AND ?2 AND copy AND number = ?3 "
                   "ORDER BY id");
    rows.bind(1, first).bind(2, last).bind(3, number);
    while (rows.step()) {
        out.push_back(rows.integer(0));
    }
    return out;
}

std::int64_t newest_of_topic(database& in, std::int64_t topic, std::int64_t first,
                             std::int64_t last) {
    statement row(in,
                  "SELECT id FROM messages WHERE id BETWEEN ?1 AND ?2 AND topic = ?3 AND NOT copy "
                  "AND number != 0 ORDER BY id DESC LIMIT 1");
    row.bind(1, first).bind(2, last).bind(3, topic);
    return row.step() ? row.integer(0) : 0;
}

std::vector<published_message> published_by(database& in, std::int64_t client, std::int64_t first,
                                            std::int64_t last) {
    std::vector<published_message> out;
    statement rows(in,
                   "SELECT m.id, m.at, a.at FROM messages m LEFT JOIN acknowledgements a "
                   "ON a.message = m.id WHERE m.id BETWEEN ?1 AND ?2 AND m.publisher = ?3 "
                   "ORDER BY m.id");
    rows.bind(1, first).bind(2, last).bind(3, client);
    while (rows.step()) {
        out.push_back({rows.integer(0), rows.integer(1), instant_or_none(rows, 2)});
    }
    return out;
}

std::vector<received_delivery> delivered_to(database& in, std::int64_t client, std::int64_t first,
                                            std::int64_t last) {
    std::vector<received_delivery> out;
    statement rows(in,
                   "SELECT id, made, sent, received, ended, resent, qos, state, reason "
                   "FROM deliveries WHERE id BETWEEN ?1 AND ?2 AND receiver = ?3 ORDER BY id");
    rows.bind(1, first << delivery_bits).bind(2, recording::last_delivery(last)).bind(3, client);
    while (rows.step()) {
        received_delivery each;
        each.message = rows.integer(0) >> delivery_bits;
        each.made = rows.integer(1);
        each.sent = instant_or_none(rows, 2);
        each.received = instant_or_none(rows, 3);
        each.ended = instant_or_none(rows, 4);
        each.resent = checked<std::uint32_t>(in, "resent of a delivery", rows.integer(5));
        each.qos = checked<std::uint8_t>(in, "qos of a delivery", rows.integer(6));
        each.state = checked<std::uint8_t>(in, "state of a delivery", rows.integer(7));
        each.reason = checked<std::uint8_t>(in, "reason of a delivery", rows.integer(8));
        out.push_back(each);
    }
    return out;
}

}  // namespace fleetarium::feed::recorded
