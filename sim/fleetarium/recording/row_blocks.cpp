#include <fleetarium/recording/row_blocks.hpp>

#include <sqlite3.h>

#include <new>
#include <string>
#include <utility>

namespace fleetarium::recording {

namespace {

/// Tells SQLite's type check whose pointers these are.
constexpr const char* pointer_type = "fleetarium_row_blocks";
constexpr const char* function_name = "fleetarium_take_row";

bool is_null_value(sqlite3_value* value) { return sqlite3_value_type(value) == SQLITE_NULL; }

}  // namespace

void row_blocks::prepare(sqlite3* connection) {
    // Nothing in a file can call it: SQLITE_DIRECTONLY, and no SQL text makes such a pointer.
    sqlite3_create_function_v2(connection, function_name, -1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                               nullptr, take, nullptr, nullptr, nullptr);
}

row_blocks::row_blocks(database& in, std::string_view table, std::string_view key,
                       std::vector<column> columns)
    : in_(in),
      key_(std::string(table) + "." + std::string(key)),
      columns_(std::move(columns)),
      values_(rows_max * columns_.size()) {
    const std::string by(key);
    std::string sql = "SELECT 1 FROM " + std::string(table) + " WHERE " + by +
                      " BETWEEN ?1 AND ?2 AND " + function_name + "(?3, " + by;
    for (const column& each : columns_) {
        sql += ", " + std::string(each.name);
    }
    query_ = statement(in, sql + ") ORDER BY " + by);
    query_.bind_pointer(3, this, pointer_type);
}

void row_blocks::select(std::int64_t first, std::int64_t last) {
    query_.reset();
    query_.bind(1, first).bind(2, last);
    row_ = end_ = nullptr;
    before_ = first;
    is_first_ = is_in_order_ = true;
    is_at_end_ = false;
}

bool row_blocks::next() {
    if (row_ != end_ && (row_ += columns_.size()) != end_) {
        return true;
    }
    row_ = end_ = nullptr;
    if (is_at_end_) {
        return false;
    }
    next_value_ = values_.data();
    bytes_.clear();
    is_at_end_ = !query_.step();
    row_ = values_.data();
    end_ = next_value_;
    if (!is_in_order_) {
        throw recording_error(in_.path() + ": is damaged: " + key_ + " " + std::to_string(before_) +
                              " is not in its order");
    }
    return row_ != end_;
}

bytes_view row_blocks::bytes(std::size_t place) const {
    const std::int64_t value = row_[place];
    return value == null
               ? bytes_view()
               : bytes_view(bytes_).subspan(static_cast<std::size_t>(value >> 32),
                                            static_cast<std::size_t>(value & 0xFFFF'FFFF));
}

void row_blocks::take(sqlite3_context* context, int count, sqlite3_value** values) {
    auto* const to = count == 0
                         ? nullptr
                         : static_cast<row_blocks*>(sqlite3_value_pointer(values[0], pointer_type));
    if (to == nullptr || to->columns_.size() + 2 != static_cast<std::size_t>(count)) {
        sqlite3_result_error(context, "is only for programs", -1);
        return;
    }
    const std::int64_t key = sqlite3_value_int64(*++values);
    to->is_in_order_ = to->is_first_ ? key >= to->before_ : key > to->before_;
    to->is_first_ = false;
    to->before_ = key;
    if (!to->is_in_order_) {
        sqlite3_result_int(context, 1);
        return;
    }
    std::int64_t* out = to->next_value_;
    for (const column& each : to->columns_) {
        sqlite3_value* const value = *++values;
        if (each.holds == kind::integer) {
            const std::int64_t number = sqlite3_value_int64(value);
            *out++ = number == 0 && is_null_value(value) ? null : number;
        } else if (is_null_value(value)) {
            *out++ = null;
        } else {
            // Of text, too: sqlite3_value_text would make a copy that ends with 0.
            const auto* const begin = static_cast<const std::uint8_t*>(sqlite3_value_blob(value));
            const auto size = static_cast<std::size_t>(sqlite3_value_bytes(value));
            *out++ = static_cast<std::int64_t>(to->bytes_.size()) << 32 |
                     static_cast<std::int64_t>(size);
            try {
                to->bytes_.insert(to->bytes_.end(), begin, begin + size);
            } catch (const std::bad_alloc&) {
                sqlite3_result_error_nomem(context);
                return;
            }
        }
    }
    to->next_value_ = out;
    const bool is_full =
        out == to->values_.data() + to->values_.size() || to->bytes_.size() >= bytes_max;
    sqlite3_result_int(context, is_full ? 1 : 0);
}

}  // namespace fleetarium::recording
