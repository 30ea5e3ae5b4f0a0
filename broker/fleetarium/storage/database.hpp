#pragma once

#include <fleetarium/core/bytes.hpp>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace fleetarium::storage {

class statement;

/// A database cannot be opened, read or written; what() is a sentence that names the file.
class database_error : public std::runtime_error {
public:
    database_error(const std::string& what, int code) : std::runtime_error(what), code_(code) {}

    /// SQLite's extended result code, for example SQLITE_IOERR_FSYNC; its low 8 bits are the
    /// primary one, for example SQLITE_FULL.
    int code() const { return code_; }
    int primary_code() const { return code_ & 0xFF; }

private:
    int code_;
};

/// A SQLite file. Members throw database_error, unless a derived class throws another. Thread
/// rule: one thread at a time.
class database {
public:
    enum class mode : std::uint8_t { read, write, create };

    /// `path` is that of a file, whatever it looks like: not of a database in memory, and no URI.
    /// With the name of an sqlite3_vfs the file is in that file system; empty: the machine's own.
    database(const std::string& path, mode how, const std::string& vfs = {});
    virtual ~database();
    database(const database&) = delete;
    database& operator=(const database&) = delete;

    void execute(const std::string& sql);
    statement prepare(std::string_view sql);
    /// The first column of the first row; none without a row, or if it is NULL.
    std::optional<std::int64_t> integer(std::string_view sql);
    std::string text(std::string_view sql);

    std::int64_t last_row() const;
    const std::string& path() const { return path_; }
    sqlite3* handle() const { return handle_; }

    /// Throws with SQLite's reason for a code that is an error.
    [[noreturn]] void fail(std::string_view doing) const;

protected:
    /// Comes before `error` is thrown: a derived class may throw in its place what its users catch.
    virtual void translate(const database_error& error) const;

private:
    std::string path_;
    sqlite3* handle_ = nullptr;
};

/// A prepared statement; must not outlive its database.
class statement {
public:
    statement() = default;
    statement(database& on, std::string_view sql);
    ~statement();
    statement(statement&& other) noexcept;
    statement& operator=(statement&& other) noexcept;

    // Parameters count from 1, and are NULL until bound. Views must live until the next `run`,
    // `step` that ends, or `reset`.
    statement& bind(int which, std::int64_t value);
    statement& bind(int which, double value);
    statement& bind(int which, std::string_view text);
    statement& bind(int which, bytes_view blob);
    statement& bind_null(int which);
    /// For functions that know the type, a text that lives for ever.
    statement& bind_pointer(int which, void* to, const char* type);

    /// Runs it to its end, and makes it ready for the next time. Bound values stay.
    void run();
    /// To the next row; false: there is none, and the statement is ready for the next time.
    bool step();
    void reset();

    // Columns count from 0.
    bool is_null(int column) const;
    std::int64_t integer(int column) const;
    double real(int column) const;
    std::string_view text(int column) const;
    bytes_view blob(int column) const;
    int columns() const;
    std::string_view name(int column) const;

private:
    database* on_ = nullptr;
    sqlite3_stmt* handle_ = nullptr;
};

}  // namespace fleetarium::storage
