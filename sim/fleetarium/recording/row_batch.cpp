#include <fleetarium/recording/row_batch.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <numeric>

namespace fleetarium::recording {

/// Rows of a batch as SQLite sees them: a table without rowid, index or constraint, which is read
/// from its first row to its last.
struct row_batch::source {
    struct table {
        sqlite3_vtab base{};
        row_batch* rows = nullptr;
    };
    struct cursor {
        sqlite3_vtab_cursor base{};
        std::size_t at = 0;
        std::size_t count = 0;
        const std::int64_t* row = nullptr;
    };

    static row_batch& rows_of(cursor& of) { return *reinterpret_cast<table*>(of.base.pVtab)->rows; }

    static void show(cursor& of) {
        if (of.at < of.count) {
            const row_batch& rows = rows_of(of);
            const std::size_t which = rows.order_.empty() ? of.at : rows.order_[of.at];
            of.row = rows.values_.get() + which * rows.columns_.size();
        }
    }

    static int connect(sqlite3* in, void* rows, int, const char* const*, sqlite3_vtab** out,
                       char**) {
        auto* const of = static_cast<row_batch*>(rows);
        std::string columns = "CREATE TABLE x(";
        for (std::size_t i = 0; i < of->columns_.size(); ++i) {
            columns += (i == 0 ? "c" : ", c") + std::to_string(i);
        }
        const int result = sqlite3_declare_vtab(in, (columns + ")").c_str());
        if (result == SQLITE_OK) {
            *out = &(new table{{}, of})->base;
        }
        return result;
    }

    static int disconnect(sqlite3_vtab* which) {
        delete reinterpret_cast<table*>(which);
        return SQLITE_OK;
    }

    static int plan(sqlite3_vtab*, sqlite3_index_info* to) {
        to->estimatedCost = static_cast<double>(rows_max);
        to->estimatedRows = static_cast<sqlite3_int64>(rows_max);
        return SQLITE_OK;
    }

    static int open(sqlite3_vtab*, sqlite3_vtab_cursor** out) {
        *out = &(new cursor)->base;
        return SQLITE_OK;
    }

    static int close(sqlite3_vtab_cursor* which) {
        delete reinterpret_cast<cursor*>(which);
        return SQLITE_OK;
    }

    static int begin(sqlite3_vtab_cursor* which, int, const char*, int, sqlite3_value**) {
        auto& from = *reinterpret_cast<cursor*>(which);
        const row_batch& rows = rows_of(from);
        from.at = 0;
        from.count =
            static_cast<std::size_t>(rows.row_ - rows.values_.get()) / rows.columns_.size();
        show(from);
        return SQLITE_OK;
    }

    static int next(sqlite3_vtab_cursor* which) {
        auto& from = *reinterpret_cast<cursor*>(which);
        ++from.at;
        show(from);
        return SQLITE_OK;
    }

    static int at_end(sqlite3_vtab_cursor* which) {
        const auto& from = *reinterpret_cast<cursor*>(which);
        return from.at >= from.count ? 1 : 0;
    }

    static int value(sqlite3_vtab_cursor* which, sqlite3_context* to, int number) {
        auto& from = *reinterpret_cast<cursor*>(which);
        const std::int64_t value = from.row[number];
        if (value == null) {
            return SQLITE_OK;
        }
        const row_batch& rows = rows_of(from);
        const column kind = rows.columns_[static_cast<std::size_t>(number)];
        if (kind == column::integer) {
            sqlite3_result_int64(to, value);
            return SQLITE_OK;
        }
        const auto* const begin = rows.bytes_.data() + (value >> 32);
        const auto size = static_cast<sqlite3_uint64>(value & 0xFFFF'FFFF);
        if (kind == column::blob) {
            sqlite3_result_blob64(to, begin, size, SQLITE_STATIC);
        } else {
            sqlite3_result_text64(to, reinterpret_cast<const char*>(begin), size, SQLITE_STATIC,
                                  SQLITE_UTF8);
        }
        return SQLITE_OK;
    }

    static int row_number(sqlite3_vtab_cursor* which, sqlite3_int64* out) {
        *out = static_cast<sqlite3_int64>(reinterpret_cast<const cursor*>(which)->at);
        return SQLITE_OK;
    }

    static sqlite3_module module() {
        // Without xCreate it is there by its module's name, and CREATE VIRTUAL TABLE cannot make
        // one: nothing of it gets into the file.
        sqlite3_module out{};
        out.xConnect = connect;
        out.xDisconnect = disconnect;
        out.xBestIndex = plan;
        out.xOpen = open;
        out.xClose = close;
        out.xFilter = begin;
        out.xNext = next;
        out.xEof = at_end;
        out.xColumn = value;
        out.xRowid = row_number;
        return out;
    }
};

row_batch::row_batch(database& to, std::string_view table, std::string_view insert,
                     std::vector<column> columns)
    : to_(to),
      name_("waiting_" + std::string(table)),
      columns_(std::move(columns)),
      values_(std::make_unique_for_overwrite<std::int64_t[]>(rows_max * columns_.size())),
      next_(values_.get()),
      row_(next_) {
    static const sqlite3_module module = source::module();
    bytes_.reserve(1);  // what is empty has a place too, or it would be NULL
    if (sqlite3_create_module_v2(to.handle(), name_.c_str(), &module, this, nullptr) != SQLITE_OK) {
        to.fail("cannot be used");
    }
    insert_ = statement(to, std::string(insert) + " SELECT * FROM " + name_);
}

row_batch::~row_batch() {
    insert_ = {};
    sqlite3_create_module_v2(to_.handle(), name_.c_str(), nullptr, nullptr, nullptr);
}

row_batch& row_batch::add_blob(bytes_view blob) {
    *next_++ =
        static_cast<std::int64_t>(bytes_.size()) << 32 | static_cast<std::int64_t>(blob.size());
    bytes_.insert(bytes_.end(), blob.begin(), blob.end());
    return *this;
}

void row_batch::end_row() {
    const auto width = static_cast<std::ptrdiff_t>(columns_.size());
    in_order_ = in_order_ && (row_ == values_.get() || row_[-width] <= row_[0]);
    row_ += width;
    if (row_ == values_.get() + static_cast<std::ptrdiff_t>(rows_max) * width ||
        bytes_.size() >= bytes_max) {
        write();
    }
}

void row_batch::write() {
    const std::size_t width = columns_.size();
    const auto count =
        static_cast<std::uint32_t>(static_cast<std::size_t>(row_ - values_.get()) / width);
    if (count == 0) {
        return;
    }
    if (!in_order_) {
        order_.resize(count);
        std::iota(order_.begin(), order_.end(), 0U);
        // Rows of one key in the order in which they came.
        std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
            const std::int64_t first = values_[a * width];
            const std::int64_t second = values_[b * width];
            return first != second ? first < second : a < b;
        });
    }
    insert_.run();
    next_ = row_ = values_.get();
    bytes_.clear();
    order_.clear();
    in_order_ = true;
}

}  // namespace fleetarium::recording
