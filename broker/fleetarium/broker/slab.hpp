#pragma once

#include <fleetarium/core/assert.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace fleetarium::broker {

/// Objects at fixed addresses, known by small numbers that are used again, the last freed first.
/// Memory is taken in chunks and kept.
template <class T>
class slab {
public:
    slab() = default;
    slab(const slab&) = delete;
    slab& operator=(const slab&) = delete;
    ~slab() {
        for (std::uint32_t index = 0; index < end_; ++index) {
            if (contains(index)) {
                at(index).~T();
            }
        }
    }

    /// Makes an object and returns its number.
    std::uint32_t emplace() {
        std::uint32_t index = 0;
        if (!free_.empty()) {
            index = free_.back();
            free_.pop_back();
        } else {
            index = end_;
            if (index % chunk_objects == 0) {
                chunks_.push_back(std::make_unique<storage[]>(chunk_objects));
                alive_.resize(alive_.size() + chunk_objects / 64);
            }
            ++end_;
        }
        ::new (address(index)) T();
        alive_[index / 64] |= std::uint64_t{1} << (index % 64);
        ++size_;
        return index;
    }

    void erase(std::uint32_t index) {
        FLEETARIUM_ASSERT(contains(index));
        at(index).~T();
        alive_[index / 64] &= ~(std::uint64_t{1} << (index % 64));
        free_.push_back(index);
        --size_;
    }

    bool contains(std::uint32_t index) const {
        return index < end_ && (alive_[index / 64] >> (index % 64) & 1) != 0;
    }

    T& operator[](std::uint32_t index) { return at(index); }
    const T& operator[](std::uint32_t index) const { return const_cast<slab*>(this)->at(index); }

    std::size_t size() const { return size_; }
    /// All numbers in use are below.
    std::uint32_t end() const { return end_; }

    /// Asks the processor to fetch an object.
    void prefetch(std::uint32_t index) const {
        const auto* const first =
            static_cast<const std::byte*>(const_cast<slab*>(this)->address(index));
        for (std::size_t at = 0; at < sizeof(T); at += 64) {
            __builtin_prefetch(first + at);
        }
        __builtin_prefetch(first + sizeof(T) - 1);
    }

    std::size_t memory_bytes() const {
        return chunks_.size() * chunk_objects * sizeof(T) + alive_.capacity() * 8 +
               free_.capacity() * 4;
    }

private:
    static constexpr std::uint32_t chunk_objects = 1024;
    struct storage {
        alignas(T) std::byte bytes[sizeof(T)];
    };

    void* address(std::uint32_t index) {
        return &chunks_[index / chunk_objects][index % chunk_objects];
    }
    T& at(std::uint32_t index) { return *std::launder(static_cast<T*>(address(index))); }

    std::vector<std::unique_ptr<storage[]>> chunks_;
    std::vector<std::uint64_t> alive_;
    std::vector<std::uint32_t> free_;
    std::uint32_t end_ = 0;
    std::size_t size_ = 0;
};

}  // namespace fleetarium::broker
