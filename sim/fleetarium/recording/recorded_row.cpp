#include <fleetarium/recording/recorded_row.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace fleetarium::recording {

namespace {

constexpr std::int64_t nanoseconds_a_second = 1'000'000'000;
constexpr std::size_t bytes_shown = 48;

/// Columns that mean more than their type says, wherever they are.
struct known_column {
    std::string_view table;  // empty: any
    std::string_view name;
    column_kind kind;
    std::string_view when;  // empty: the row's beginning
};
constexpr std::array known_columns{
    known_column{"", "at", column_kind::instant, ""},
    known_column{"", "broker", column_kind::broker, ""},
    known_column{"", "client", column_kind::client, ""},
    known_column{"connections", "ended", column_kind::instant, "ended"},
    known_column{"connections", "code", column_kind::number, "ended"},
    known_column{"connections", "lost", column_kind::number, "ended"},
    known_column{"connections", "violation", column_kind::number, "ended"},
    known_column{"gaps", "ended", column_kind::instant, "ended"},
    known_column{"gaps", "session_present", column_kind::number, "ended"},
    known_column{"messages", "published", column_kind::instant, ""},
    known_column{"messages", "publisher", column_kind::client, ""},
    known_column{"messages", "topic", column_kind::topic, ""},
    known_column{"messages", "reason", column_kind::reason, ""},
    known_column{"deliveries", "receiver", column_kind::client, ""},
    known_column{"deliveries", "state", column_kind::state, "ended"},
    known_column{"deliveries", "reason", column_kind::reason, "ended"},
    known_column{"deliveries", "code", column_kind::number, "ended"},
    known_column{"deliveries", "made", column_kind::instant, ""},
    known_column{"deliveries", "sent", column_kind::instant, "sent"},
    known_column{"deliveries", "resent", column_kind::number, "ended"},
    known_column{"deliveries", "received", column_kind::instant, "received"},
    known_column{"deliveries", "copies", column_kind::number, "ended"},
    known_column{"deliveries", "ended", column_kind::instant, "ended"},
};

const known_column* find_known(std::string_view table, std::string_view column) {
    const auto found = std::find_if(known_columns.begin(), known_columns.end(), [&](auto& each) {
        return each.name == column && (each.table.empty() || each.table == table);
    });
    return found == known_columns.end() ? nullptr : &*found;
}

column_kind kind_of_type(std::string_view type) {
    return type == "TEXT"   ? column_kind::text
           : type == "BLOB" ? column_kind::bytes
                            : column_kind::number;
}

int find_column(const recorded_table& in, std::string_view name) {
    for (std::size_t i = 0; i < in.columns.size(); ++i) {
        if (in.columns[i].name == name) {
            return static_cast<int>(i);
        }
    }
    return -1;
}

std::string seconds_text(std::int64_t nanoseconds) {
    const std::int64_t whole = nanoseconds / nanoseconds_a_second;
    std::string part = std::to_string(nanoseconds % nanoseconds_a_second + nanoseconds_a_second);
    part.erase(0, 1);
    while (part.size() > 3 && part.back() == '0') {
        part.pop_back();
    }
    return std::to_string(whole) + "." + part + " s";
}

/// As text in quotes if it is some, else in hexadecimal digits; the part that matters.
std::string bytes_text(bytes_view all, bytes_view other) {
    std::size_t begin = 0;
    if (all.size() > bytes_shown) {
        const auto parted =
            std::mismatch(all.begin(), all.end(), other.begin(), other.end()).first - all.begin();
        const auto at = other.empty() ? std::size_t{0} : static_cast<std::size_t>(parted);
        begin = std::min(at - std::min<std::size_t>(at, 16), all.size() - bytes_shown);
    }
    const bytes_view shown = all.subspan(begin, std::min(bytes_shown, all.size() - begin));
    const bool is_text = std::all_of(shown.begin(), shown.end(),
                                     [](std::uint8_t each) { return each >= 0x20 && each < 0x7f; });
    std::string out;
    for (const std::uint8_t each : shown) {
        if (is_text) {
            out += static_cast<char>(each);
        } else {
            out += "0123456789abcdef"[each >> 4];
            out += "0123456789abcdef"[each & 15];
        }
    }
    out = (is_text ? "\"" : "0x") + out + (is_text ? "\"" : "");
    if (shown.size() != all.size()) {
        out += " (bytes " + std::to_string(begin) + " to " + std::to_string(begin + shown.size()) +
               " of " + std::to_string(all.size()) + ")";
    }
    return out;
}

/// The queries for names; empty: the kind has none.
std::string_view names_query(column_kind kind) {
    switch (kind) {
        case column_kind::broker: return "SELECT id, name FROM brokers";
        case column_kind::client:
            return "SELECT id, iif(name = client_id, name, name || ' (' || client_id || ')') "
                   "FROM clients";
        case column_kind::topic: return "SELECT id, name FROM topics";
        case column_kind::reason: return "SELECT id, name FROM drop_reasons";
        case column_kind::state: return "SELECT id, name FROM delivery_states";
        default: return {};
    }
}

}  // namespace

recorded_table::recorded_table(const std::string& table, database& first, database& second)
    : name(table) {
    statement mine(first, "SELECT name, type, pk FROM pragma_table_info(?1)");
    statement theirs(second, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2");
    mine.bind(1, table);
    std::vector<std::string> known_at;
    while (mine.step()) {
        const std::string column(mine.text(0));
        if (mine.integer(2) == 1) {
            key = sql_name(column);
        }
        theirs.bind(1, table).bind(2, column);
        if (theirs.step()) {
            const known_column* const known = find_known(table, column);
            columns.push_back(
                {column, known != nullptr ? known->kind : kind_of_type(mine.text(1))});
            known_at.emplace_back(known != nullptr ? known->when : "");
            theirs.reset();
        }
    }
    by_second = table == "metrics" || table == "gauges";
    only_common = table == "checkpoints";
    only_at_end = table == "violations";
    by_message = table == "messages" || table == "acknowledgements" ? message_key::message
                 : table == "deliveries"                            ? message_key::delivery
                 : table == "resends"                               ? message_key::beside
                                                                    : message_key::none;
    if (table == "metrics") {
        key = "second * 4 + qos";
    }
    start = find_column(*this, by_second ? "second" : table == "deliveries" ? "made" : "at");
    // A connection is written when it begins, a delivery when it ends.
    end = table == "deliveries" ? find_column(*this, "ended") : start;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        columns[i].when = known_at[i].empty() ? start : find_column(*this, known_at[i]);
    }
}

std::int64_t recorded_table::instant_of(std::int64_t started) const {
    return by_second && started < row_cursor::never / nanoseconds_a_second
               ? (started + 1) * nanoseconds_a_second - 1
               : started;
}

std::string sql_name(std::string_view name) {
    std::string out = "\"";
    for (const char each : name) {
        out += each;
        if (each == '"') {
            out += '"';
        }
    }
    return out + '"';
}

row_cursor::row_cursor(const recorded_table& table, database& on, std::int64_t first_key)
    : table_(table), on_(on) {
    std::string sql = "SELECT " + table.key;
    for (const recorded_column& each : table.columns) {
        sql += ", " + sql_name(each.name);
    }
    sql += " FROM " + sql_name(table.name);
    if (table.by_message != message_key::none) {
        sql += " WHERE " + (table.by_message == message_key::beside ? "message" : table.key) +
               " >= " + std::to_string(first_key);
    }
    sql += table.name == "metrics" ? " ORDER BY second, qos" : " ORDER BY " + table.key;
    rows_ = statement(on, sql);
    next();
}

std::int64_t row_cursor::value_of(int column) const {
    return column < 0 || rows_.is_null(column + 1) ? never : rows_.integer(column + 1);
}

std::int64_t row_cursor::instant_of(const recorded_column& column) const {
    return table_.instant_of(value_of(column.when));
}

name_pair::name_pair(database& first, database& second) : first_(&first) {
    for (std::size_t i = 0; i < column_kind_count; ++i) {
        const std::string all(names_query(static_cast<column_kind>(i)));
        if (all.empty()) {
            continue;
        }
        names& made = names_[i];
        made.of_first = statement(first, all + " WHERE id = ?1");
        made.of_second = statement(second, all + " WHERE id = ?1");
        statement a(first, all + " ORDER BY id");
        statement b(second, all + " ORDER BY id");
        while (true) {
            const bool has_a = a.step();
            const bool has_b = b.step();
            if (!has_a && !has_b) {
                made.same_until = row_cursor::never;
                break;
            }
            const std::int64_t id_a = has_a ? a.integer(0) : row_cursor::never;
            const std::int64_t id_b = has_b ? b.integer(0) : row_cursor::never;
            if (id_a != id_b || a.text(1) != b.text(1)) {
                made.same_until = std::min(id_a, id_b);
                break;
            }
        }
    }
}

bool name_pair::are_equal(const recorded_table& table, std::size_t column, const row_cursor& first,
                          const row_cursor& second) {
    if (first.is_null(column) || second.is_null(column)) {
        return first.is_null(column) && second.is_null(column);
    }
    const column_kind kind = table.columns[column].kind;
    if (kind == column_kind::text || kind == column_kind::bytes) {
        const bytes_view a = first.bytes(column);
        const bytes_view b = second.bytes(column);
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    }
    const std::int64_t a = first.integer(column);
    const std::int64_t b = second.integer(column);
    if (kind == column_kind::number || kind == column_kind::instant) {
        return a == b;
    }
    names& in = names_[static_cast<std::size_t>(kind)];
    if (a < in.same_until && b < in.same_until) {
        return a == b;
    }
    return name_of(in.of_first, a) == name_of(in.of_second, b);
}

std::string name_pair::name_of(statement& in, std::int64_t row) const {
    in.bind(1, row);
    std::string out = "row " + std::to_string(row);
    if (in.step()) {
        out = in.text(1);
        in.reset();
    }
    return out;
}

compared_value name_pair::show(const recorded_table& table, std::size_t column,
                               const row_cursor& row, const row_cursor* other) {
    if (row.is_null(column)) {
        return {.text = "-"};
    }
    const column_kind kind = table.columns[column].kind;
    if (kind == column_kind::text || kind == column_kind::bytes) {
        const bytes_view beside = other == nullptr ? bytes_view() : other->bytes(column);
        return {.text = bytes_text(row.bytes(column), beside), .is_null = false};
    }
    const std::int64_t value = row.integer(column);
    if (kind == column_kind::number) {
        return {.text = std::to_string(value), .integer = value, .is_null = false};
    }
    if (kind == column_kind::instant) {
        return {.text = seconds_text(value), .integer = value, .is_null = false};
    }
    names& in = names_[static_cast<std::size_t>(kind)];
    return {.text = name_of(&row.on() == first_ ? in.of_first : in.of_second, value),
            .is_null = false};
}

}  // namespace fleetarium::recording
