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
        reserve(input.size(), input.size());
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
        const bool size_known = result.packet_size != 0;
        const std::size_t missing = size_known ? result.packet_size - partial_->size : 1;
        const std::size_t taken = std::min(missing, input.size());
        const std::size_t size = partial_->size + taken;
        reserve(size, size_known ? result.packet_size : size);
        take(input, taken);
    }
}

/// Makes room for `size` bytes in all; `size_max` bounds the growth by doubling.
void frame_reader::reserve(std::size_t size, std::size_t size_max) {
    if (partial_ != nullptr && size <= partial_->capacity) {
        return;
    }
    const std::size_t doubled = partial_ == nullptr ? 0 : std::size_t{2} * partial_->capacity;
    const std::size_t wanted = std::max(size, std::min(doubled, size_max));
    const std::size_t bytes = block_pool::class_size(sizeof(partial) + wanted);
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

void frame_reader::release() noexcept {
    if (partial_ != nullptr && partial_->handed_out) {
        reset();
    }
}

std::size_t frame_reader::memory_bytes() const noexcept {
    return partial_ == nullptr ? 0 : sizeof(partial) + partial_->capacity;
}

}  // namespace fleetarium
