#pragma once

#include <fleetarium/core/large_pages.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace fleetarium {

/// Room for numbered objects at fixed addresses, which grows by as much as there is: few chunks,
/// each large enough for large pages when the numbers are many. Room never asked for by
/// its number is not touched and costs nothing.
///
/// Objects are made and destroyed by the owner. Thread rule: one thread at a time.
template <class T>
class stable_storage {
public:
    /// Makes room for the object `index`; all lower ones have room already.
    void make_room(std::uint32_t index) {
        while (chunk_of(index) >= chunks_.size()) {
            const std::size_t count = std::size_t{first_chunk}
                                      << (chunks_.empty() ? 0 : chunks_.size() - 1);
            // Not value-initialised, which would touch it.
            chunks_.emplace_back(new slot[count]);
            prefer_large_pages(chunks_.back().get(), count * sizeof(slot));
        }
    }

    /// The place of an object, made or not; there is room for it.
    void* place(std::uint32_t index) const {
        const std::uint32_t chunk = chunk_of(index);
        return &chunks_[chunk][index - first_of(chunk)];
    }

    /// The object there.
    T& operator[](std::uint32_t index) const {
        return *std::launder(static_cast<T*>(place(index)));
    }

private:
    static constexpr std::uint32_t first_chunk = 1024;

    struct slot {
        alignas(T) std::byte bytes[sizeof(T)];
    };

    // 0..1023, 1024..2047, 2048..4095, 4096..8191, ...
    static std::uint32_t chunk_of(std::uint32_t index) {
        return static_cast<std::uint32_t>(std::bit_width(index / first_chunk));
    }
    static std::uint32_t first_of(std::uint32_t chunk) {
        return chunk == 0 ? 0 : first_chunk << (chunk - 1);
    }

    std::vector<std::unique_ptr<slot[]>> chunks_;
};

}  // namespace fleetarium
