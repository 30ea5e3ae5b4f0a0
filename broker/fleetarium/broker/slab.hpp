#pragma once

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/prefetch.hpp>
#include <fleetarium/core/stable_storage.hpp>

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace fleetarium::broker {

/// Objects at fixed addresses, known by small numbers that are used again, the last freed first.
/// Memory is kept.
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
            objects_.make_room(index);
            if (index / 64 == alive_.size()) {
                alive_.push_back(0);
            }
            ++end_;
        }
        ::new (objects_.place(index)) T();
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
            static_cast<const std::byte*>(objects_.place(index));
        for (std::size_t at = 0; at < sizeof(T); at += 64) {
            fleetarium::prefetch(first + at);
        }
        fleetarium::prefetch(first + sizeof(T) - 1);
    }

    std::size_t memory_bytes() const {
        return end_ * sizeof(T) + alive_.capacity() * 8 + free_.capacity() * 4;
    }

private:
    T& at(std::uint32_t index) { return objects_[index]; }

    stable_storage<T> objects_;
    std::vector<std::uint64_t> alive_;
    std::vector<std::uint32_t> free_;
    std::uint32_t end_ = 0;
    std::size_t size_ = 0;
};

}  // namespace fleetarium::broker
