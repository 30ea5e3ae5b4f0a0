#pragma once

#include <fleetarium/core/prefetch.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fleetarium::broker {

/// A flat hash table of 32-bit handles: eight bytes a slot, open addressing, no tombstones.
///
/// The keys lie elsewhere, with what the handles name: whoever looks a key up brings its hash and
/// says whether a handle is the one meant. Slots keep the upper half of the hash, so keys that
/// differ are nearly never asked about. Never iterated: no output can depend on the hash.
class handle_table {
public:
    static constexpr std::uint32_t none = 0xffff'ffff;

    /// The handle stored under `hash` for which `is_meant(handle)` is true, or `none`.
    template <class Predicate>
    std::uint32_t find(std::uint64_t hash, Predicate&& is_meant) const {
        if (slots_.empty()) {
            return none;
        }
        const std::uint32_t tag = tag_of(hash);
        for (std::size_t at = tag & mask_; slots_[at].handle != none; at = (at + 1) & mask_) {
            if (slots_[at].tag == tag && is_meant(slots_[at].handle)) {
                return slots_[at].handle;
            }
        }
        return none;
    }

    /// Adds a handle, not `none` and not present under `hash`. Amortised constant.
    void insert(std::uint64_t hash, std::uint32_t handle);

    /// Removes a handle that is present under `hash`. Amortised constant; memory shrinks.
    void erase(std::uint64_t hash, std::uint32_t handle);

    /// Puts `after` in the place of `before`, which is present under `hash`.
    void replace(std::uint64_t hash, std::uint32_t before, std::uint32_t after);

    /// Asks the processor to fetch what find(hash) will read first.
    void prefetch(std::uint64_t hash) const {
        if (!slots_.empty()) {
            fleetarium::prefetch(&slots_[tag_of(hash) & mask_]);
        }
    }

    std::size_t size() const { return size_; }
    std::size_t memory_bytes() const { return slots_.capacity() * sizeof(slot); }

private:
    struct slot {
        std::uint32_t tag = 0;
        std::uint32_t handle = none;
    };

    static std::uint32_t tag_of(std::uint64_t hash) {
        return static_cast<std::uint32_t>(hash >> 32);
    }
    std::size_t position_of(std::uint64_t hash, std::uint32_t handle) const;
    void place(slot added);
    void resize(std::size_t slots);

    std::vector<slot> slots_;  // none, or a power of two
    std::size_t mask_ = 0;
    std::size_t size_ = 0;
};

}  // namespace fleetarium::broker
