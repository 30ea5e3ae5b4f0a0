#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/recording/database.hpp>
#include <fleetarium/recording/recording_difference.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

/// What `recording_difference` reads: tables of two recordings as both have them, their rows in
/// order, and values with names where the file has numbers of other rows.
namespace fleetarium::recording {

/// What a column holds.
enum class column_kind : std::uint8_t {
    number,
    instant,
    text,
    bytes,
    // The number of a row in the table of these names
    broker,
    client,
    topic,
    reason,
    state,
};
inline constexpr std::size_t column_kind_count = 9;

struct recorded_column {
    std::string name{};
    column_kind kind = column_kind::number;
    int when = -1;  ///< among the columns: the instant at which its value became known
};

/// Whether a table's key begins with a message's, or its rows have it beside.
enum class message_key : std::uint8_t { none, message, delivery, beside };

/// The columns of a table that two recordings share.
struct recorded_table {
    recorded_table(const std::string& table, database& first, database& second);

    /// Whether it is a table of things that happen.
    bool has_rows_in_time() const { return !key.empty() && start >= 0; }
    /// Nanoseconds for what `start` holds.
    std::int64_t instant_of(std::int64_t started) const;

    std::string name;
    std::string key{};  ///< SQL; rises from row to row
    std::vector<recorded_column> columns{};
    int start = -1;            ///< among the columns: its instant
    int end = -1;              ///< when the row is written
    bool by_second = false;    ///< instants are seconds: what is in a row is known at their end
    bool only_common = false;  ///< a row that one recording lacks is no difference
    bool only_at_end = false;  ///< written when the run has ended
    message_key by_message = message_key::none;
};

/// `name` as an identifier in SQL.
std::string sql_name(std::string_view name);

/// The rows of a table in the order of its key. Must not outlive table and database.
class row_cursor {
public:
    static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

    /// At the first row whose key is not below.
    row_cursor(const recorded_table& table, database& on, std::int64_t first_key);

    bool has_row() const { return has_row_; }
    void next() { has_row_ = rows_.step(); }
    std::int64_t key() const { return rows_.integer(0); }
    std::int64_t start() const { return value_of(table_.start); }
    std::int64_t end() const { return value_of(table_.end); }  ///< never: not yet
    /// When the value of a column became known; never: not yet.
    std::int64_t instant_of(const recorded_column& column) const;

    const database& on() const { return on_; }
    bool is_null(std::size_t column) const { return rows_.is_null(static_cast<int>(column) + 1); }
    std::int64_t integer(std::size_t column) const {
        return rows_.integer(static_cast<int>(column) + 1);
    }
    bytes_view bytes(std::size_t column) const { return rows_.blob(static_cast<int>(column) + 1); }

private:
    std::int64_t value_of(int column) const;

    const recorded_table& table_;
    const database& on_;
    statement rows_;
    bool has_row_ = false;
};

/// The names that numbers of other rows stand for, in two recordings.
class name_pair {
public:
    name_pair(database& first, database& second);

    /// Whether a column says the same in both rows.
    bool are_equal(const recorded_table& table, std::size_t column, const row_cursor& first,
                   const row_cursor& second);

    /// A value of one of them. `other` is what it is shown beside, if anything: of long bytes one
    /// sees the part that differs.
    compared_value show(const recorded_table& table, std::size_t column, const row_cursor& row,
                        const row_cursor* other);

private:
    struct names {
        statement of_first;
        statement of_second;
        std::int64_t same_until = 0;  ///< numbers below have the same names in both
    };
    std::string name_of(statement& in, std::int64_t row) const;

    const database* first_;
    std::array<names, column_kind_count> names_;
};

}  // namespace fleetarium::recording
