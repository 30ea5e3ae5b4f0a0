#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace fleetarium::broker {

/// Small records of any size, named by 32-bit handles instead of pointers.
///
/// Records of one size (rounded up to eight bytes) share chunks of 16 KiB, so a record costs no
/// header and no allocator call; a chunk whose last record goes is given back at once. Records
/// above `shared_size_max` have a chunk of their own. Records never move. Handles depend on
/// nothing but the calls made.
class record_arena {
public:
    static constexpr std::size_t shared_size_max = 1024;

    record_arena() { rooms_.fill(none); }

    /// Room for `size` bytes, aligned to eight, with undefined content. Throws std::bad_alloc.
    /// Constant time.
    std::uint32_t allocate(std::size_t size);

    /// Frees a record; `size` as it was allocated.
    void free(std::uint32_t handle, std::size_t size);

    void* at(std::uint32_t handle) const {
        return chunks_[handle >> chunk_bits].bytes.get() + (handle & unit_mask) * unit_size;
    }

    /// Bytes held from the general allocator.
    std::size_t memory_bytes() const;

private:
    static constexpr std::size_t unit_size = 8;
    static constexpr std::uint32_t chunk_bits = 11;
    static constexpr std::uint32_t units_per_chunk = 1U << chunk_bits;
    static constexpr std::uint32_t unit_mask = units_per_chunk - 1;
    static constexpr std::size_t chunk_size = units_per_chunk * unit_size;
    static constexpr std::size_t size_classes = shared_size_max / unit_size + 1;  // and none of 0
    static constexpr std::uint32_t none = 0xffff'ffff;

    static constexpr std::uint16_t no_unit = 0xffff;

    struct chunk {
        std::unique_ptr<std::byte[]> bytes;
        std::uint32_t previous = none;  // in the list of the chunks of its size that have room
        std::uint32_t next = none;      // there, or in the list of free chunk numbers
        std::uint16_t live = 0;
        std::uint16_t touched = 0;  // records handed out at least once
        std::uint16_t first_free = no_unit;
    };

    std::uint32_t take_chunk(std::size_t bytes);
    void give_back_chunk(std::uint32_t number, std::size_t bytes);
    void link(std::size_t units, std::uint32_t number);
    void unlink(std::size_t units, std::uint32_t number);

    std::vector<chunk> chunks_;
    std::uint32_t free_numbers_ = none;
    std::array<std::uint32_t, size_classes> rooms_;  // first chunk with room, by size in units
    std::size_t held_bytes_ = 0;
    std::size_t live_chunks_ = 0;
};

}  // namespace fleetarium::broker
