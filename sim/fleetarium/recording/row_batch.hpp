#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/recording/database.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::recording {

/// Rows that wait in memory until one statement puts all of them into their table, in the order of
/// their keys: SQLite reads them as a virtual table. That saves what a statement costs, and the way
/// down the tree for each row: several times the speed of a statement a row.
///
///     row_batch messages(to, "messages", "INSERT INTO messages", {integer, text, blob});
///     messages.add(17).add_text("a").add_blob(payload).end_row();
///     messages.write();
///
/// What has not been written is not in the table. The database must outlive it. Thread rule: that
/// of the database.
class row_batch {
public:
    enum class column : std::uint8_t { integer, text, blob };

    /// In place of an integer: NULL.
    static constexpr std::int64_t null = std::numeric_limits<std::int64_t>::min();

    /// For rows of these columns, the first of which is the table's integer key. `insert` is SQL up
    /// to the rows: "INSERT INTO messages". Of two rows with one key, the one added first is put
    /// in first. Throws recording_error.
    row_batch(database& to, std::string_view table, std::string_view insert,
              std::vector<column> columns);
    ~row_batch();
    row_batch(const row_batch&) = delete;
    row_batch& operator=(const row_batch&) = delete;

    // A row, value by value.
    row_batch& add(std::int64_t value) {
        *next_++ = value;
        return *this;
    }
    row_batch& add_null() { return add(null); }
    row_batch& add_text(std::string_view text) { return add_blob(as_bytes_view(text)); }
    row_batch& add_blob(bytes_view blob);

    /// When all its values are there. Writes if there is enough; throws recording_error.
    void end_row();

    /// Throws recording_error.
    void write();

private:
    struct source;  // the virtual table

    static constexpr std::size_t rows_max = 4096;
    static constexpr std::size_t bytes_max = std::size_t{1} << 20;

    database& to_;
    std::string name_;  // of the virtual table
    std::vector<column> columns_;
    std::unique_ptr<std::int64_t[]> values_;  // of blobs and texts: where in bytes_, and how many
    std::int64_t* next_;
    std::int64_t* row_;  // that is being made
    std::vector<std::uint8_t> bytes_;
    std::vector<std::uint32_t> order_;  // of the rows by key; empty: as they are
    bool in_order_ = true;
    statement insert_;
};

}  // namespace fleetarium::recording
