#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/random.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim {

/// What a disk holds, twice: as its users read it, which is what the system keeps in memory, and as
/// it is after a power cut, which is what has been synced and a part of the rest.
///
/// The sectors of a file reach the medium in any order, each with what it held at some time since
/// the last sync. The size is like a sector, and what a truncation cut off does not come back
/// without it. A new or deleted name is in its directory when that is synced, or by luck.
/// A copy is a disk of its own. Thread rule: one thread at a time.
class disk_contents {
public:
    using file_number = std::uint64_t;  ///< counts from 1, and is never used again

    /// What a power cut does besides losing what it may.
    struct medium {
        std::uint32_t sector_size = 4096;  ///< bytes
        /// False: a sector that was not synced may hold neither what it held nor what it was to
        /// hold, but a part of each or garbage; so may one that a file grew by.
        bool atomic_sectors = true;
    };

    std::optional<file_number> find(std::string_view name) const;
    /// A new file, held as by hold(). Without a name (empty) it is gone when it is released.
    file_number create(std::string_view name);
    /// The name goes; the file stays for those who hold it. True: there was one.
    bool remove(std::string_view name);
    /// In one step; who had the name `to` has none. `from` has to be there.
    void rename(std::string_view from, std::string_view to);
    void hold(file_number file);
    void release(file_number file);
    /// Whoever held files is gone.
    void release_all();

    bool has(file_number file) const;
    std::uint64_t size(file_number file) const;
    std::uint64_t bytes() const;  ///< of all files
    /// How many bytes there were; the rest of `to` is left as it is.
    std::size_t read(file_number file, std::uint64_t offset, std::span<std::uint8_t> to) const;
    /// The system writes the older half back by itself when `unsynced_max` bytes of a file wait.
    void write(file_number file, std::uint64_t offset, bytes_view bytes);
    static constexpr std::size_t unsynced_max = std::size_t{4} << 20;
    void truncate(file_number file, std::uint64_t size);

    void sync(file_number file);
    void sync_directory();

    /// Changes that a power cut may lose.
    std::size_t unsynced() const;

    /// What survives is what the disk holds from now on. Nobody may hold a file.
    void power_cut(const medium& of, random_stream& random);

    /// Of names and bytes as users read them.
    std::uint64_t hash() const;

private:
    /// A write, or a truncation.
    struct change {
        std::uint64_t number;  ///< the changes of the disk, in order
        std::uint64_t offset;  ///< of a truncation: the size it leaves
        std::uint64_t size_before;
        std::uint64_t size_after;
        std::vector<std::uint8_t> bytes;
        bool truncates;
    };
    struct stored_file {
        std::uint32_t holders = 0;
        std::vector<std::uint8_t> cached;
        std::vector<std::uint8_t> durable;
        std::vector<change> unsynced;
        std::size_t unsynced_bytes = 0;
    };
    struct name_change {
        std::uint64_t number;
        std::string name;
        std::optional<file_number> file;  ///< none: the name goes
        std::string former_name{};        ///< of a file renamed: goes in the same step
    };
    using directory = std::map<std::string, file_number, std::less<>>;

    /// What one power cut lets survive.
    class survival;

    static void apply(const change& what, std::vector<std::uint8_t>& to);
    static void write_back(stored_file& which, std::size_t count);
    static void cut(stored_file& which, const medium& of, survival& choice, random_stream& random);
    void forget_unreachable();

    std::map<file_number, stored_file> files_;
    directory names_;
    directory durable_names_;
    std::vector<name_change> unsynced_names_;
    file_number last_file_ = 0;
    std::uint64_t last_change_ = 0;
};

}  // namespace fleetarium::sim
