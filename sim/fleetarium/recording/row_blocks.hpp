#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/recording/database.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3_context;
struct sqlite3_value;

namespace fleetarium::recording {

/// Rows of a table by a range of its integer key, which SQLite hands over hundreds at a time: a
/// function in the query's WHERE takes each row with all its values, and is true when there are
/// enough. That is much cheaper than to be asked for row after row, value after value.
///
///     row_blocks topics(in, "topics", "id", {{"id", integer}, {"name", bytes}});
///     topics.select(1, 100);
///     while (topics.next()) { topics.integer(0); topics.bytes(1); }
///
/// The database must outlive it. Thread rule: that of the database.
class row_blocks {
public:
    enum class kind : std::uint8_t { integer, bytes };
    struct column {
        std::string_view name;
        kind holds;
    };

    /// Throws recording_error, as `select` and `next` do.
    row_blocks(database& in, std::string_view table, std::string_view key,
               std::vector<column> columns);
    row_blocks(const row_blocks&) = delete;
    row_blocks& operator=(const row_blocks&) = delete;

    /// Begins with the rows whose keys are in [first, last], in the order of keys.
    void select(std::int64_t first, std::int64_t last);
    /// To the next row; false: there is none. The keys ascend, also in a file whose tree is damaged
    /// in such a way that SQLite does not notice: there it throws.
    bool next();

    // Of the row, by the place of the column. Views are valid until `next` or `select`.
    bool is_null(std::size_t place) const { return row_[place] == null; }
    /// 0 for NULL.
    std::int64_t integer(std::size_t place) const { return row_[place] == null ? 0 : row_[place]; }
    /// Empty for NULL.
    bytes_view bytes(std::size_t place) const;

    /// Makes the function that takes rows known to a connection.
    static void prepare(sqlite3* connection);

private:
    static constexpr std::int64_t null = std::numeric_limits<std::int64_t>::min();
    static constexpr std::size_t rows_max = 256;
    static constexpr std::size_t bytes_max = std::size_t{256} << 10;

    static void take(sqlite3_context* context, int count, sqlite3_value** values);

    database& in_;
    std::string key_;  // table.column
    std::vector<column> columns_;
    statement query_;
    std::vector<std::int64_t> values_;  // of bytes: where in bytes_, and how many
    std::vector<std::uint8_t> bytes_;
    std::int64_t* next_value_ = nullptr;
    const std::int64_t* row_ = nullptr;
    const std::int64_t* end_ = nullptr;
    std::int64_t before_ = 0;  // the key of the row before, of the first one the least that may be
    bool is_first_ = true;
    bool is_in_order_ = true;
    bool is_at_end_ = true;  // the query has no more
};

}  // namespace fleetarium::recording
