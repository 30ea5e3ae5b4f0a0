#include <fleetarium/broker/record_arena.hpp>

#include <fleetarium/core/assert.hpp>

#include <cstring>

namespace fleetarium::broker {

namespace {

std::size_t units_of(std::size_t size) { return size == 0 ? 1 : (size + 7) / 8; }

}  // namespace

std::uint32_t record_arena::allocate(std::size_t size) {
    const std::size_t units = units_of(size);
    if (units >= size_classes) {
        const std::uint32_t number = take_chunk(units * unit_size);
        chunks_[number].live = 1;
        return number << chunk_bits;
    }
    std::uint32_t number = rooms_[units];
    if (number == none) {
        number = take_chunk(chunk_size);
        link(units, number);
    }
    chunk& from = chunks_[number];
    std::uint16_t unit = from.first_free;
    if (unit != no_unit) {
        std::memcpy(&from.first_free, from.bytes.get() + unit * unit_size, sizeof(unit));
    } else {
        unit = static_cast<std::uint16_t>(from.touched * units);
        ++from.touched;
    }
    ++from.live;
    if (from.live == units_per_chunk / units) {
        unlink(units, number);
    }
    return number << chunk_bits | unit;
}

void record_arena::free(std::uint32_t handle, std::size_t size) {
    const std::size_t units = units_of(size);
    const std::uint32_t number = handle >> chunk_bits;
    FLEETARIUM_ASSERT(number < chunks_.size() && chunks_[number].live != 0);
    if (units >= size_classes) {
        give_back_chunk(number, units * unit_size);
        return;
    }
    chunk& from = chunks_[number];
    const auto unit = static_cast<std::uint16_t>(handle & unit_mask);
    std::memcpy(from.bytes.get() + unit * unit_size, &from.first_free, sizeof(unit));
    from.first_free = unit;
    if (from.live == units_per_chunk / units) {
        link(units, number);
    }
    --from.live;
    if (from.live == 0) {
        unlink(units, number);
        give_back_chunk(number, chunk_size);
    }
}

std::size_t record_arena::memory_bytes() const {
    return held_bytes_ + chunks_.capacity() * sizeof(chunk);
}

std::uint32_t record_arena::take_chunk(std::size_t bytes) {
    std::uint32_t number = free_numbers_;
    if (number == none) {
        FLEETARIUM_ASSERT(chunks_.size() < none >> chunk_bits);
        number = static_cast<std::uint32_t>(chunks_.size());
        chunks_.emplace_back();
    } else {
        free_numbers_ = chunks_[number].next;
    }
    chunks_[number] = {};
    chunks_[number].bytes = std::make_unique_for_overwrite<std::byte[]>(bytes);
    held_bytes_ += bytes;
    ++live_chunks_;
    return number;
}

void record_arena::give_back_chunk(std::uint32_t number, std::size_t bytes) {
    chunks_[number] = {};
    chunks_[number].next = free_numbers_;
    free_numbers_ = number;
    held_bytes_ -= bytes;
    --live_chunks_;
    if (live_chunks_ == 0) {
        chunks_ = std::vector<chunk>();  // `= {}` would keep the capacity
        free_numbers_ = none;
    }
}

void record_arena::link(std::size_t units, std::uint32_t number) {
    const std::uint32_t first = rooms_[units];
    chunks_[number].previous = none;
    chunks_[number].next = first;
    if (first != none) {
        chunks_[first].previous = number;
    }
    rooms_[units] = number;
}

void record_arena::unlink(std::size_t units, std::uint32_t number) {
    const chunk& gone = chunks_[number];
    if (gone.previous != none) {
        chunks_[gone.previous].next = gone.next;
    } else {
        rooms_[units] = gone.next;
    }
    if (gone.next != none) {
        chunks_[gone.next].previous = gone.previous;
    }
}

}  // namespace fleetarium::broker
