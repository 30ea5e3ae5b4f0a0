#pragma once

#include <fleetarium/sim/disk_contents.hpp>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

namespace fleetarium::sim {

/// A disk in memory that SQLite uses, and that fails when and as it is told to.
///
/// It is an sqlite3_vfs of its own name: `storage::database(path, mode, disk.vfs_name())` opens a
/// file on it. All that changes it (a file's creation, a write, a truncation, a sync of a file or
/// of the directory, a deletion, a renaming) is an operation; they count from 1, and the same use
/// makes the same ones. A process that dies is one whose next operation fails, with all that come
/// after:
///
///     disk.crash_after(17);
///     ... use it until it throws database_error, and close all databases ...
///     disk.power_cut(random);     // or process_kill
///     ... open it again: what was acknowledged must be there ...
///
/// It promises no more than it does (no atomic writes, no safe append, and a write may harm its
/// neighbours in the same sector), so SQLite takes all its precautions. There is no
/// shared memory: a database in WAL mode needs `PRAGMA locking_mode=EXCLUSIVE` first. It has no
/// clock: SQLite's time stands still at 2000-01-01. SQLite draws the salts of its logs from a
/// generator of the process, so these bytes, and no others, differ from run to run; nothing that
/// happens depends on them. A file can be renamed by storage::rename_call.
///
/// Only files that a directory holds are there after a crash. Databases must be closed before the
/// disk goes. Thread rule: one thread at a time, databases included.
class simulated_disk {
public:
    static constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

    struct options {
        std::uint64_t seed = 1;
        /// Sector size (a power of two from 512 to 65536) and what a power cut does to a sector.
        disk_contents::medium medium = {};
        bool lies_about_sync = false;  ///< syncs succeed and do nothing
        /// It says, as SQLite's own systems do, that a write harms no byte beside it, whether or
        /// not the medium keeps that.
        bool claims_powersafe_overwrite = false;
        std::uint64_t bytes_max = no_limit;  ///< of all files; more is SQLITE_FULL
        // Probabilities of an I/O error, each from 0 to 1. What fails does nothing, and can be
        // tried again.
        double read_errors = 0;
        double write_errors = 0;
        double sync_errors = 0;
    };

    simulated_disk();
    explicit simulated_disk(const options& how);
    ~simulated_disk();
    simulated_disk(const simulated_disk&) = delete;
    simulated_disk& operator=(const simulated_disk&) = delete;

    /// Unlike that of any other disk of this process.
    const std::string& vfs_name() const;

    /// May be changed at any time, the sector size only while no database is open.
    options& how();

    /// How many operations were carried out.
    std::uint64_t operations() const;

    /// Once `operation` operations were carried out, the next one is left half done, and it, all
    /// after it and all reads fail. With operations(): from now on.
    void crash_after(std::uint64_t operation);
    bool has_crashed() const;

    // Both begin a life of the disk after a crash, or after the last close; all databases are
    // closed. No crash is planned then.

    /// What has been synced survives. Of the rest any part does, in any order: sectors and names
    /// each as they were at some time since the last sync.
    void power_cut(random_stream& random);
    /// As by SIGKILL: the system lives, so all writes that were carried out are there, and the one
    /// that the crash interrupted is up to some sector. None of it is safer from a later power cut.
    void process_kill(random_stream& random);

    /// What is on it, without what a crash left half done; putting it back (all databases closed)
    /// makes the disk hold that again.
    const disk_contents& contents() const;
    void restore(const disk_contents& contents);

private:
    struct implementation;
    std::unique_ptr<implementation> implementation_;
};

}  // namespace fleetarium::sim
