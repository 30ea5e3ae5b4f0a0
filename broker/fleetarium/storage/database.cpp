#include <fleetarium/storage/database.hpp>

#include <sqlite3.h>

#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace fleetarium::storage {
namespace {

/// SQLite takes `:memory:` and `file:...` for something else than a file of that name.
std::string file_name(const std::string& path) {
    return path.starts_with(':') || path.starts_with("file:") ? "./" + path : path;
}

}  // namespace

database::database(const std::string& path, mode how, const std::string& vfs) : path_(path) {
    const int flags = how == mode::read    ? SQLITE_OPEN_READONLY
                      : how == mode::write ? SQLITE_OPEN_READWRITE
                                           : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (how == mode::create && vfs.empty()) {
        // What devices say is for nobody else to read. SQLite gives its other files the same mode.
        const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (made >= 0) {
            ::close(made);
        }
    }
    // One thread at a time uses a connection: no mutex of SQLite's is needed.
    const std::string name = vfs.empty() ? file_name(path) : path;
    if (sqlite3_open_v2(name.c_str(), &handle_, flags | SQLITE_OPEN_NOMUTEX,
                        vfs.empty() ? nullptr : vfs.c_str()) != SQLITE_OK) {
        const std::string why = path + ": " + sqlite3_errmsg(handle_);
        const int code = sqlite3_extended_errcode(handle_);
        sqlite3_close(std::exchange(handle_, nullptr));
        throw database_error(why, code);
    }
    sqlite3_busy_timeout(handle_, 5'000);
}

database::~database() { sqlite3_close_v2(handle_); }

void database::fail(std::string_view doing) const {
    std::string why = sqlite3_errmsg(handle_);
    const int code = sqlite3_extended_errcode(handle_);
    const int system = sqlite3_system_errno(handle_);
    if ((code & 0xFF) == SQLITE_IOERR && system != 0) {
        why += ": " + std::generic_category().message(system);
    }
    // Whatever was being done when the disk had no more room.
    const bool full = (code & 0xFF) == SQLITE_FULL || code == SQLITE_IOERR_WRITE;
    why = path_ + ": " + std::string(full ? "cannot be written" : doing) + ": " + why;
    translate(database_error(why, code));
    throw database_error(why, code);
}

void database::translate(const database_error&) const {}

void database::execute(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        fail("cannot be used");
    }
}

statement database::prepare(std::string_view sql) { return {*this, sql}; }

std::optional<std::int64_t> database::integer(std::string_view sql) {
    statement query(*this, sql);
    return query.step() && !query.is_null(0) ? std::optional(query.integer(0)) : std::nullopt;
}

std::string database::text(std::string_view sql) {
    statement query(*this, sql);
    return query.step() ? std::string(query.text(0)) : std::string();
}

std::int64_t database::last_row() const { return sqlite3_last_insert_rowid(handle_); }

statement::statement(database& on, std::string_view sql) : on_(&on) {
    if (sqlite3_prepare_v3(on.handle(), sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &handle_, nullptr) != SQLITE_OK) {
        on.fail("cannot be used");
    }
}

statement::~statement() { sqlite3_finalize(handle_); }

statement::statement(statement&& other) noexcept
    : on_(other.on_), handle_(std::exchange(other.handle_, nullptr)) {}

statement& statement::operator=(statement&& other) noexcept {
    std::swap(on_, other.on_);
    std::swap(handle_, other.handle_);
    return *this;
}

statement& statement::bind(int which, std::int64_t value) {
    sqlite3_bind_int64(handle_, which, value);
    return *this;
}

statement& statement::bind(int which, double value) {
    sqlite3_bind_double(handle_, which, value);
    return *this;
}

statement& statement::bind(int which, std::string_view text) {
    // A null pointer would be NULL.
    sqlite3_bind_text64(handle_, which, text.data() == nullptr ? "" : text.data(), text.size(),
                        SQLITE_STATIC, SQLITE_UTF8);
    return *this;
}

statement& statement::bind(int which, bytes_view blob) {
    if (blob.empty()) {
        sqlite3_bind_zeroblob(handle_, which, 0);
    } else {
        sqlite3_bind_blob64(handle_, which, blob.data(), blob.size(), SQLITE_STATIC);
    }
    return *this;
}

statement& statement::bind_null(int which) {
    sqlite3_bind_null(handle_, which);
    return *this;
}

statement& statement::bind_pointer(int which, void* to, const char* type) {
    sqlite3_bind_pointer(handle_, which, to, type, nullptr);
    return *this;
}

void statement::run() {
    const int result = sqlite3_step(handle_);
    if (result != SQLITE_DONE && result != SQLITE_ROW) {
        sqlite3_reset(handle_);
        on_->fail("cannot be written");
    }
    sqlite3_reset(handle_);
}

bool statement::step() {
    const int result = sqlite3_step(handle_);
    if (result == SQLITE_ROW) {
        return true;
    }
    sqlite3_reset(handle_);
    if (result != SQLITE_DONE) {
        on_->fail("cannot be read");
    }
    return false;
}

void statement::reset() { sqlite3_reset(handle_); }

bool statement::is_null(int column) const {
    return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

std::int64_t statement::integer(int column) const { return sqlite3_column_int64(handle_, column); }

double statement::real(int column) const { return sqlite3_column_double(handle_, column); }

std::string_view statement::text(int column) const {
    const auto* const begin = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
    return begin == nullptr
               ? std::string_view()
               : std::string_view(begin,
                                  static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

bytes_view statement::blob(int column) const {
    const auto* const begin =
        static_cast<const std::uint8_t*>(sqlite3_column_blob(handle_, column));
    return begin == nullptr
               ? bytes_view()
               : bytes_view(begin, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column)));
}

int statement::columns() const { return sqlite3_column_count(handle_); }

std::string_view statement::name(int column) const { return sqlite3_column_name(handle_, column); }

}  // namespace fleetarium::storage
