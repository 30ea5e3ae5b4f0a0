#include <fleetarium/session/frame_reader.hpp>

#include <fleetarium/core/block_pool.hpp>

#include <algorithm>
#include <cstring>
#include <new>

namespace fleetarium {

struct frame_reader::partial {
    std::uint32_t capacity;
    std::uint32_t size;
    bool handed_out;  // its packet was returned: to be freed at the next call

    std::uint8_t* data() { return reinterpret_cast<std::uint8_t*>(this + 1); }
};

frame_result frame_reader::next(bytes_view& input, frame& out, std::uint32_t packet_size_maximum) {
    if (partial_ != nullptr) {
        if (!partial_->handed_out) {
            return next_of_partial(input, out, packet_size_maximum);
        }
        reset();
    }
    const frame_result result = split_frame(input, out, packet_size_maximum);
    if (result.broken == violation::none && !result.complete && !input.empty()) {
        reserve(input.size());
        take(input, input.size());
    }
    return result;
}

frame_result frame_reader::next_of_partial(bytes_view& input, frame& out,
                                           std::uint32_t packet_size_maximum) {
    for (;;) {
        bytes_view held{partial_->data(), partial_->size};
        const frame_result result = split_frame(held, out, packet_size_maximum);
        if (result.broken != violation::none || result.complete) {
            partial_->handed_out = result.complete;
            return result;
        }
        if (input.empty()) {
            return result;
        }
        // Byte by byte until the length is known, then as much as belongs to this packet.
        const std::size_t missing =
            result.packet_size == 0 ? 1 : result.packet_size - partial_->size;
        const std::size_t taken = std::min(missing, input.size());
        reserve(partial_->size + taken);
        take(input, taken);
    }
}

void frame_reader::reserve(std::size_t size) {
    if (partial_ != nullptr && size <= partial_->capacity) {
        return;
    }
    const std::size_t doubled = partial_ == nullptr ? 0 : std::size_t{2} * partial_->capacity;
    const std::size_t bytes = block_pool::class_size(sizeof(partial) + std::max(size, doubled));
    auto* const made = ::new (block_pool::allocate(bytes))
        partial{static_cast<std::uint32_t>(bytes - sizeof(partial)), 0, false};
    if (partial_ != nullptr) {
        std::memcpy(made->data(), partial_->data(), partial_->size);
        made->size = partial_->size;
        reset();
    }
    partial_ = made;
}

void frame_reader::take(bytes_view& input, std::size_t count) {
    std::memcpy(partial_->data() + partial_->size, input.data(), count);
    partial_->size += static_cast<std::uint32_t>(count);
    input = input.subspan(count);
}

void frame_reader::reset() noexcept {
    if (partial_ != nullptr) {
        block_pool::deallocate(partial_, sizeof(partial) + partial_->capacity);
        partial_ = nullptr;
    }
}

std::size_t frame_reader::memory_bytes() const noexcept {
    return partial_ == nullptr ? 0 : sizeof(partial) + partial_->capacity;
}

}  // namespace fleetarium
