#include <fleetarium/sim/simulated_disk.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/storage/rename_call.hpp>

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <new>
#include <stdexcept>
#include <utility>

#include <cstring>

namespace fleetarium::sim {

namespace {

using file_number = disk_contents::file_number;

/// What a crash left half done.
struct interruption {
    enum class kind : std::uint8_t { none, create, write, truncate, remove, rename };
    kind what = kind::none;
    file_number file = 0;
    std::uint64_t offset = 0;  ///< of a truncation: the size it leaves
    std::string name;
    std::string new_name;
    std::vector<std::uint8_t> bytes;
};

/// 2000-01-01, as SQLite counts: milliseconds since noon of 24 November 4714 BC.
constexpr sqlite3_int64 standing_time_ms = 211'813'444'800'000;

}  // namespace

struct simulated_disk::implementation {
    struct open_file;
    /// SQLite's five levels, for those in one process.
    struct locks {
        int readers = 0;
        open_file* writer = nullptr;  ///< at RESERVED or above
    };

    explicit implementation(const options& given)
        : how(given), random(make_random_key(given.seed, 0, "disk")) {}

    options how;
    random_stream random;
    disk_contents contents;
    std::map<file_number, locks> locked;
    std::uint64_t operations = 0;
    std::uint64_t crash_after = no_limit;
    bool crashed = false;
    interruption interrupted;
    std::size_t open_files = 0;
    std::string name;
    sqlite3_vfs vfs{};

    /// Counts the operation that is about to be carried out; false: the crash comes first, and the
    /// operation is what it leaves half done.
    template <class Describe>
    bool begin(const Describe& describe) {
        if (crashed) {
            return false;
        }
        if (operations >= crash_after) {
            crashed = true;
            describe(interrupted);
            return false;
        }
        ++operations;
        return true;
    }
    bool begin() {
        return begin([](interruption&) {});
    }

    bool fails(double probability) { return probability > 0 && random.bernoulli(probability); }

    bool has_room_for(std::uint64_t more) const {
        return how.bytes_max == no_limit || contents.bytes() + more <= how.bytes_max;
    }

    int sync_directory() {
        if (!begin()) {
            return SQLITE_IOERR_DIR_FSYNC;
        }
        if (!how.lies_about_sync) {
            contents.sync_directory();
        }
        return SQLITE_OK;
    }

    int remove(const char* path, bool sync_after) {
        if (crashed) {
            return SQLITE_IOERR_DELETE;
        }
        if (!contents.find(path)) {
            return SQLITE_IOERR_DELETE_NOENT;
        }
        if (!begin([&](interruption& left) {
                left.what = interruption::kind::remove;
                left.name = path;
            })) {
            return SQLITE_IOERR_DELETE;
        }
        contents.remove(path);
        return sync_after ? sync_directory() : SQLITE_OK;
    }

    int rename(const char* from, const char* to) {
        if (crashed || !contents.find(from)) {
            return SQLITE_IOERR;
        }
        if (!begin([&](interruption& left) {
                left.what = interruption::kind::rename;
                left.name = from;
                left.new_name = to;
            })) {
            return SQLITE_IOERR;
        }
        contents.rename(from, to);
        return sync_directory();
    }

    int open(const char* path, open_file& out, int flags, int* out_flags);

    /// Carries out, or not, or in part, what the crash interrupted.
    void end_crash(bool whole, random_stream& draws);

    static implementation& of(sqlite3_vfs* which) {
        return *static_cast<implementation*>(which->pAppData);
    }

    void fill_vfs();
};

/// SQLite makes the room and never calls a destructor.
struct simulated_disk::implementation::open_file {
    sqlite3_file base;
    implementation* disk;
    file_number file;
    int level;
    /// The first sync of a new journal makes its name durable, too, as SQLite's own systems do.
    bool syncs_directory;

    static open_file& of(sqlite3_file* which) { return *reinterpret_cast<open_file*>(which); }

    int close() {
        unlock(SQLITE_LOCK_NONE);
        disk->contents.release(file);
        --disk->open_files;
        return SQLITE_OK;
    }

    int read(void* to, int count, sqlite3_int64 offset) {
        if (disk->crashed || disk->fails(disk->how.read_errors)) {
            return SQLITE_IOERR_READ;
        }
        const std::span<std::uint8_t> out(static_cast<std::uint8_t*>(to),
                                          static_cast<std::size_t>(count));
        const std::size_t got = disk->contents.read(file, static_cast<std::uint64_t>(offset), out);
        if (got < out.size()) {
            std::memset(out.data() + got, 0, out.size() - got);
            return SQLITE_IOERR_SHORT_READ;
        }
        return SQLITE_OK;
    }

    int write(const void* from, int count, sqlite3_int64 offset) {
        const bytes_view bytes(static_cast<const std::uint8_t*>(from),
                               static_cast<std::size_t>(count));
        const auto at = static_cast<std::uint64_t>(offset);
        if (disk->crashed || disk->fails(disk->how.write_errors)) {
            return SQLITE_IOERR_WRITE;
        }
        const std::uint64_t size = disk->contents.size(file);
        if (at + bytes.size() > size && !disk->has_room_for(at + bytes.size() - size)) {
            return SQLITE_FULL;
        }
        if (!disk->begin([&](interruption& left) {
                left.what = interruption::kind::write;
                left.file = file;
                left.offset = at;
                left.bytes.assign(bytes.begin(), bytes.end());
            })) {
            return SQLITE_IOERR_WRITE;
        }
        disk->contents.write(file, at, bytes);
        return SQLITE_OK;
    }

    int truncate(sqlite3_int64 size) {
        if (!disk->begin([&](interruption& left) {
                left.what = interruption::kind::truncate;
                left.file = file;
                left.offset = static_cast<std::uint64_t>(size);
            })) {
            return SQLITE_IOERR_TRUNCATE;
        }
        disk->contents.truncate(file, static_cast<std::uint64_t>(size));
        return SQLITE_OK;
    }

    int sync() {
        if (disk->crashed || disk->fails(disk->how.sync_errors) || !disk->begin()) {
            return SQLITE_IOERR_FSYNC;
        }
        if (!disk->how.lies_about_sync) {
            disk->contents.sync(file);
        }
        return std::exchange(syncs_directory, false) ? disk->sync_directory() : SQLITE_OK;
    }

    int lock(int wanted) {
        if (level >= wanted) {
            return SQLITE_OK;
        }
        locks& on = disk->locked[file];
        const bool other_writes = on.writer != nullptr && on.writer != this;
        if (wanted == SQLITE_LOCK_SHARED) {
            if (other_writes && on.writer->level >= SQLITE_LOCK_PENDING) {
                return SQLITE_BUSY;
            }
            ++on.readers;
            level = SQLITE_LOCK_SHARED;
            return SQLITE_OK;
        }
        if (other_writes) {
            return SQLITE_BUSY;
        }
        on.writer = this;
        if (wanted == SQLITE_LOCK_EXCLUSIVE && on.readers > 1) {
            level = SQLITE_LOCK_PENDING;  // no new reader comes
            return SQLITE_BUSY;
        }
        level = wanted;
        return SQLITE_OK;
    }

    int unlock(int wanted) {
        if (level <= wanted) {
            return SQLITE_OK;
        }
        locks& on = disk->locked[file];
        if (on.writer == this) {
            on.writer = nullptr;
        }
        level = wanted;
        if (wanted == SQLITE_LOCK_NONE && --on.readers == 0) {
            disk->locked.erase(file);
        }
        return SQLITE_OK;
    }

    bool is_reserved() const {
        const auto found = disk->locked.find(file);
        return found != disk->locked.end() && found->second.writer != nullptr;
    }

    static const sqlite3_io_methods& methods();
};

const sqlite3_io_methods& simulated_disk::implementation::open_file::methods() {
    static const sqlite3_io_methods made = [] {
        sqlite3_io_methods out{};
        out.iVersion = 1;  // no shared memory
        out.xClose = [](sqlite3_file* which) { return of(which).close(); };
        out.xRead = [](sqlite3_file* which, void* to, int count, sqlite3_int64 offset) {
            return of(which).read(to, count, offset);
        };
        out.xWrite = [](sqlite3_file* which, const void* from, int count, sqlite3_int64 offset) {
            return of(which).write(from, count, offset);
        };
        out.xTruncate = [](sqlite3_file* which, sqlite3_int64 size) {
            return of(which).truncate(size);
        };
        out.xSync = [](sqlite3_file* which, int) { return of(which).sync(); };
        out.xFileSize = [](sqlite3_file* which, sqlite3_int64* size) {
            *size = static_cast<sqlite3_int64>(of(which).disk->contents.size(of(which).file));
            return of(which).disk->crashed ? SQLITE_IOERR_FSTAT : SQLITE_OK;
        };
        out.xLock = [](sqlite3_file* which, int wanted) { return of(which).lock(wanted); };
        out.xUnlock = [](sqlite3_file* which, int wanted) { return of(which).unlock(wanted); };
        out.xCheckReservedLock = [](sqlite3_file* which, int* is) {
            *is = of(which).is_reserved() ? 1 : 0;
            return SQLITE_OK;
        };
        out.xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; };
        out.xSectorSize = [](sqlite3_file* which) {
            return static_cast<int>(of(which).disk->how.medium.sector_size);
        };
        out.xDeviceCharacteristics = [](sqlite3_file* which) {
            return of(which).disk->how.claims_powersafe_overwrite ? SQLITE_IOCAP_POWERSAFE_OVERWRITE
                                                                  : 0;
        };
        return out;
    }();
    return made;
}

int simulated_disk::implementation::open(const char* path, open_file& out, int flags,
                                         int* out_flags) {
    out.base.pMethods = nullptr;  // SQLite closes what has methods, opened or not
    if (crashed) {
        return SQLITE_CANTOPEN;
    }
    const std::string file_name = path == nullptr ? "" : path;
    const auto found = file_name.empty() ? std::nullopt : contents.find(file_name);
    bool created = false;
    file_number file = 0;
    if (found) {
        if ((flags & SQLITE_OPEN_EXCLUSIVE) != 0 && (flags & SQLITE_OPEN_CREATE) != 0) {
            return SQLITE_CANTOPEN;
        }
        file = *found;
        contents.hold(file);
    } else {
        if ((flags & SQLITE_OPEN_CREATE) == 0 || !begin([&](interruption& left) {
                left.what = interruption::kind::create;
                left.name = file_name;
            })) {
            return SQLITE_CANTOPEN;
        }
        created = true;
        file = contents.create(file_name);
        if ((flags & SQLITE_OPEN_DELETEONCLOSE) != 0 && !file_name.empty()) {
            contents.remove(file_name);  // who holds it has it
        }
    }
    constexpr int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    out.disk = this;
    out.file = file;
    out.level = SQLITE_LOCK_NONE;
    out.syncs_directory = created && (flags & journals) != 0;
    out.base.pMethods = &open_file::methods();
    ++open_files;
    if (out_flags != nullptr) {
        *out_flags = flags;
    }
    return SQLITE_OK;
}

void simulated_disk::implementation::end_crash(bool whole, random_stream& draws) {
    FLEETARIUM_ASSERT(open_files == 0);
    using kind = interruption::kind;
    // A power cut decides by itself how much of it survives.
    const bool done = whole || draws.below(2) == 0;
    switch (interrupted.what) {
        case kind::none: break;
        case kind::create:
            if (done && !interrupted.name.empty()) {
                contents.release(contents.create(interrupted.name));
            }
            break;
        case kind::write: {
            if (!contents.has(interrupted.file)) {
                break;  // it had no name
            }
            std::uint64_t count = interrupted.bytes.size();
            if (!whole) {
                // Up to the end of some sector.
                const std::uint64_t sector = how.medium.sector_size;
                const std::uint64_t first = interrupted.offset / sector;
                const std::uint64_t last = (interrupted.offset + count) / sector;
                const std::uint64_t end = (first + draws.below(last - first + 2)) * sector;
                count = end <= interrupted.offset ? 0 : std::min(count, end - interrupted.offset);
            }
            if (count != 0) {
                contents.write(interrupted.file, interrupted.offset,
                               bytes_view(interrupted.bytes).first(count));
            }
            break;
        }
        case kind::truncate:
            if (done && contents.has(interrupted.file)) {
                contents.truncate(interrupted.file, interrupted.offset);
            }
            break;
        case kind::remove:
            if (done) {
                contents.remove(interrupted.name);
            }
            break;
        case kind::rename:
            if (done) {
                contents.rename(interrupted.name, interrupted.new_name);
            }
            break;
    }
    interrupted = {};
    crashed = false;
    crash_after = no_limit;
}

void simulated_disk::implementation::fill_vfs() {
    // A number of its own in the process; no output shows it.
    static std::atomic<std::uint64_t> count = 0;
    name = "fleetarium-disk-" + std::to_string(++count);
    vfs.iVersion = 3;
    vfs.szOsFile = sizeof(open_file);
    vfs.mxPathname = 512;
    vfs.zName = name.c_str();
    vfs.pAppData = this;
    vfs.xOpen = [](sqlite3_vfs* which, const char* path, sqlite3_file* out, int flags,
                   int* out_flags) {
        return of(which).open(path, *new (out) open_file{}, flags, out_flags);
    };
    vfs.xDelete = [](sqlite3_vfs* which, const char* path, int sync_after) {
        return of(which).remove(path, sync_after != 0);
    };
    vfs.xAccess = [](sqlite3_vfs* which, const char* path, int kind, int* out) {
        const disk_contents& in = of(which).contents;
        const auto found = in.find(path);
        // An empty journal is none, as for SQLite's own systems.
        *out = found && (kind != SQLITE_ACCESS_EXISTS || in.size(*found) != 0) ? 1 : 0;
        return of(which).crashed ? SQLITE_IOERR_ACCESS : SQLITE_OK;
    };
    vfs.xFullPathname = [](sqlite3_vfs*, const char* path, int size, char* out) {
        const std::size_t length = std::strlen(path);
        if (length >= static_cast<std::size_t>(size)) {
            return SQLITE_CANTOPEN;
        }
        std::memcpy(out, path, length + 1);
        return SQLITE_OK;
    };
    vfs.xRandomness = [](sqlite3_vfs* which, int count_of, char* out) {
        for (int i = 0; i < count_of; ++i) {
            out[i] = static_cast<char>(of(which).random.next_u64());
        }
        return count_of;
    };
    vfs.xSleep = [](sqlite3_vfs*, int microseconds) { return microseconds; };
    vfs.xCurrentTime = [](sqlite3_vfs*, double* days) {
        *days = static_cast<double>(standing_time_ms) / 86'400'000.0;
        return SQLITE_OK;
    };
    vfs.xCurrentTimeInt64 = [](sqlite3_vfs*, sqlite3_int64* milliseconds) {
        *milliseconds = standing_time_ms;
        return SQLITE_OK;
    };
    vfs.xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; };
    vfs.xSetSystemCall = [](sqlite3_vfs*, const char*, sqlite3_syscall_ptr) {
        return SQLITE_NOTFOUND;
    };
    vfs.xGetSystemCall = [](sqlite3_vfs*, const char* asked) {
        const storage::rename_call offered = [](sqlite3_vfs* which, const char* from,
                                                const char* to) {
            return of(which).rename(from, to);
        };
        return std::strcmp(asked, storage::rename_call_name) == 0
                   ? reinterpret_cast<sqlite3_syscall_ptr>(offered)
                   : nullptr;
    };
    vfs.xNextSystemCall = [](sqlite3_vfs*, const char*) -> const char* { return nullptr; };
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK) {
        throw std::runtime_error("SQLite does not take a simulated disk");
    }
}

simulated_disk::simulated_disk() : simulated_disk(options()) {}

simulated_disk::simulated_disk(const options& how)
    : implementation_(std::make_unique<implementation>(how)) {
    const std::uint32_t sector = how.medium.sector_size;
    if (!std::has_single_bit(sector) || sector < 512 || sector > 65'536) {
        throw std::invalid_argument("a disk has sectors of " + std::to_string(sector) +
                                    " bytes, expected a power of two from 512 to 65536");
    }
    implementation_->fill_vfs();
}

simulated_disk::~simulated_disk() {
    FLEETARIUM_ASSERT(implementation_->open_files == 0);
    sqlite3_vfs_unregister(&implementation_->vfs);
}

const std::string& simulated_disk::vfs_name() const { return implementation_->name; }

simulated_disk::options& simulated_disk::how() { return implementation_->how; }

std::uint64_t simulated_disk::operations() const { return implementation_->operations; }

void simulated_disk::crash_after(std::uint64_t operation) {
    implementation_->crash_after = operation;
}

bool simulated_disk::has_crashed() const { return implementation_->crashed; }

void simulated_disk::power_cut(random_stream& random) {
    implementation_->end_crash(true, random);
    implementation_->contents.power_cut(implementation_->how.medium, random);
}

void simulated_disk::process_kill(random_stream& random) {
    implementation_->end_crash(false, random);
}

const disk_contents& simulated_disk::contents() const { return implementation_->contents; }

void simulated_disk::restore(const disk_contents& contents) {
    FLEETARIUM_ASSERT(implementation_->open_files == 0);
    implementation_->contents = contents;
    implementation_->contents.release_all();  // it may be of when databases were open
}

}  // namespace fleetarium::sim
