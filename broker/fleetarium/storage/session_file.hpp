#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/storage/change_journal.hpp>
#include <fleetarium/storage/session_changes.hpp>
#include <fleetarium/storage/sync_mode.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

namespace fleetarium::storage {

struct session_file_options {
    std::string path{};
    sync_mode sync = sync_mode::full;
    /// What is added to an instant of the broker's clock to get nanoseconds since 1970.
    duration clock_offset{};
    std::string vfs{};  ///< name of an sqlite3_vfs; empty: the machine's file system
};

/// The file cannot be used; what() is a sentence that names it and says what to do.
class session_file_error : public std::runtime_error {
public:
    session_file_error(const std::string& what, bool is_damaged)
        : std::runtime_error(what), is_damaged_(is_damaged) {}
    /// Whether recover_session_file may help.
    bool is_damaged() const { return is_damaged_; }

private:
    bool is_damaged_;
};

/// How much there was in a file.
struct session_file_contents {
    std::size_t sessions = 0;
    std::size_t subscriptions = 0;
    std::size_t messages = 0;    ///< each once, however many sessions wait for it
    std::size_t deliveries = 0;  ///< of QoS 1 and 2, in queues or in flight
    std::size_t retained = 0;
};

/// The durable sessions and retained messages of a broker in a SQLite file, of which this process
/// is the only user while it is open.
///
/// Schema: broker/persistence.md. Thread rule: one thread at a time.
class session_file {
public:
    /// Opens the file, or makes it, for its owner alone. Throws session_file_error: it is in use,
    /// no session file, of a newer version, damaged, or cannot be written.
    explicit session_file(const session_file_options& options);
    ~session_file();
    session_file(const session_file&) = delete;
    session_file& operator=(const session_file&) = delete;

    /// Puts what the file has into a core just made, and tells the journal of it. Throws
    /// session_file_error where rows contradict one another. Linear in the file.
    session_file_contents load(broker::broker_core& into, change_journal& journal);

    /// Writes changes in one transaction; when it returns they are as durable as the options say.
    /// Throws session_file_error, and the file is as before: the same changes may be tried again.
    void write(const session_changes& changes);

    /// From the next write on, instead of that of the options.
    void set_clock_offset(duration offset);

    /// Bytes of the file and of its write-ahead log.
    std::uint64_t file_bytes() const;

private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

/// Saves what can be read of a damaged session file: it is kept as `path`.damaged, and a sound file
/// takes its place. Rows that contradict others are left out. Throws session_file_error if nothing
/// can be done.
struct recovered_session_file {
    session_file_contents saved{};
    std::size_t unreadable_rows = 0;  ///< that were seen, and left out
    std::string damaged_path{};
};
recovered_session_file recover_session_file(const std::string& path);

/// Version of the schema that this library writes; it reads all versions up to it.
inline constexpr int session_file_version = 1;

}  // namespace fleetarium::storage
