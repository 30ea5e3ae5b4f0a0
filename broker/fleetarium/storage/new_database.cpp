#include <fleetarium/storage/new_database.hpp>

#include <fleetarium/storage/rename_call.hpp>

#include <sqlite3.h>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>

namespace fleetarium::storage {

namespace {

[[noreturn]] void fail(const std::string& path, const std::string& why) {
    throw database_error(path + ": cannot be made: " + why, SQLITE_CANTOPEN);
}
[[noreturn]] void fail(const std::string& path, int system_error) {
    fail(path, std::generic_category().message(system_error));
}

/// The folder of a file that is made, while nobody else makes one in it. A lock of the file itself
/// would be one of a file that loses its name.
class locked_folder {
public:
    locked_folder(const std::string& file, const std::string& given)
        : given_(given),
          handle_(::open(std::filesystem::path(file).parent_path().c_str(),
                         O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
        if (handle_ < 0) {
            fail(given_, errno);
        }
        // As long as SQLite waits for a lock.
        constexpr int turns = 100;
        constexpr int turn_ms = 50;
        for (int i = 0; ::flock(handle_, LOCK_EX | LOCK_NB) != 0; ++i) {
            const int why = errno;
            if (i == turns || (why != EWOULDBLOCK && why != EINTR)) {
                ::close(handle_);
                fail(given_, why == EWOULDBLOCK ? "another process makes one beside it"
                                                : std::generic_category().message(why));
            }
            sqlite3_sleep(turn_ms);
        }
    }
    ~locked_folder() { ::close(handle_); }
    locked_folder(const locked_folder&) = delete;
    locked_folder& operator=(const locked_folder&) = delete;

    /// In one step, that the disk has then.
    void rename(const std::string& from, const std::string& to) const {
        if (std::rename(from.c_str(), to.c_str()) != 0 || ::fsync(handle_) != 0) {
            fail(given_, errno);
        }
    }

private:
    const std::string& given_;
    int handle_;
};

/// The files of one database that is made.
class making {
public:
    making(const std::string& path, const std::string& vfs)
        : given_(path),
          vfs_name_(vfs),
          vfs_(sqlite3_vfs_find(vfs.empty() ? nullptr : vfs.c_str())) {
        if (vfs_ == nullptr) {
            fail(path, "no such vfs: " + vfs);
        }
        // Where a symbolic link leads, as SQLite does.
        path_.resize(static_cast<std::size_t>(vfs_->mxPathname) + 1);
        const int known =
            vfs_->xFullPathname(vfs_, path.c_str(), static_cast<int>(path_.size()), path_.data());
        if ((known & 0xFF) != SQLITE_OK) {
            fail(path, "its name cannot be followed");
        }
        path_.resize(path_.find('\0'));
        temporary_ = path_ + "-making";
    }

    /// With a byte in it, at least.
    bool is_there(const std::string& suffix = {}) const {
        int out = 0;
        const std::string name = path_ + suffix;
        if (vfs_->xAccess(vfs_, name.c_str(), SQLITE_ACCESS_EXISTS, &out) != SQLITE_OK) {
            fail(given_, name + " cannot be looked for");
        }
        return out != 0;
    }

    void remove_leftovers() const {
        for (const char* const suffix : {"", "-journal", "-wal", "-shm"}) {
            remove(temporary_ + suffix, false);
        }
    }

    void make(const std::function<void(database&)>& fill) const {
        if (vfs_name_.empty()) {
            const locked_folder folder(path_, given_);
            if (!is_there()) {
                make_beside(fill);
                folder.rename(temporary_, path_);
            }
        } else {
            // Of a simulated file system there is one user.
            const auto rename = reinterpret_cast<rename_call>(
                vfs_->iVersion >= 3 ? vfs_->xGetSystemCall(vfs_, rename_call_name) : nullptr);
            if (rename == nullptr) {
                fail(given_, "nothing can be renamed in the vfs " + vfs_name_);
            }
            make_beside(fill);
            if (rename(vfs_, temporary_.c_str(), path_.c_str()) != SQLITE_OK) {
                fail(given_, temporary_ + " cannot be renamed");
            }
        }
    }

private:
    void make_beside(const std::function<void(database&)>& fill) const {
        // A log holds what was acknowledged: its file was lost, or is elsewhere.
        if (is_there("-wal")) {
            fail(given_, path_ +
                             "-wal is the log of a file that is not there; put that back, or move "
                             "the log away");
        }
        // Whatever it is of, the new file would be taken back to it.
        remove(path_ + "-journal", true);
        remove_leftovers();
        database made(temporary_, database::mode::create, vfs_name_);
        // No other process may come, and a simulated file system has no shared memory.
        made.execute("PRAGMA locking_mode = EXCLUSIVE");
        made.execute("PRAGMA synchronous = EXTRA");
        fill(made);
    }

    void remove(const std::string& name, bool durably) const {
        const int done = vfs_->xDelete(vfs_, name.c_str(), durably ? 1 : 0);
        if (done != SQLITE_OK && done != SQLITE_IOERR_DELETE_NOENT) {
            fail(given_, name + " cannot be removed");
        }
    }

    std::string given_;
    std::string vfs_name_;
    sqlite3_vfs* vfs_;
    std::string path_;
    std::string temporary_;
};

}  // namespace

void make_database(const std::string& path, const std::string& vfs,
                   const std::function<void(database&)>& fill) {
    const making one(path, vfs);
    if (!one.is_there()) {
        one.make(fill);
    }
    one.remove_leftovers();
}

}  // namespace fleetarium::storage
