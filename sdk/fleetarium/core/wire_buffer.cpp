#include <fleetarium/core/wire_buffer.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/block_pool.hpp>

#include <algorithm>
#include <cstring>
#include <new>

namespace fleetarium {

namespace {

// A chunk counts its bytes in 32 bits; a packet is an eighth of this at most.
constexpr std::size_t extension_max = std::size_t{1} << 31;

}  // namespace

std::size_t wire_buffer::size() const noexcept {
    std::size_t total = 0;
    for (const chunk* at = head_; at != nullptr; at = at->next) {
        total += at->size + at->tail.view().size();
    }
    return total;
}

wire_buffer::chunk* wire_buffer::make_chunk(std::size_t count) {
    const std::size_t bytes = block_pool::class_size(sizeof(chunk) + count);
    auto* const made = ::new (block_pool::allocate(bytes))
        chunk{nullptr, nullptr, {}, static_cast<std::uint32_t>(bytes - sizeof(chunk)), 0};
    made->last = made;
    return made;
}

std::uint8_t* wire_buffer::extend_with_new_chunk(std::size_t count) {
    // Chunks of a chain double, up to a size that gathers well.
    constexpr std::size_t doubling_max = 32 * 1024;
    FLEETARIUM_ASSERT(count != 0 && count <= extension_max);
    std::size_t wish = 0;
    if (head_ != nullptr) {
        wish = std::min(std::size_t{2} * head_->last->capacity, doubling_max);
    }
    chunk* const made = make_chunk(std::max(count, wish));
    made->size = static_cast<std::uint32_t>(count);
    link(made, made);
    return made->data();
}

void wire_buffer::link(chunk* first, chunk* last) noexcept {
    if (head_ == nullptr) {
        head_ = first;
    } else {
        head_->last->next = first;
    }
    head_->last = last;
}

void wire_buffer::append(bytes_view bytes) {
    if (!bytes.empty()) {
        std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
    }
}

void wire_buffer::append_shared(shared_bytes bytes) {
    if (bytes.empty()) {
        return;
    }
    if (head_ == nullptr || !head_->last->tail.empty()) {
        chunk* const made = make_chunk(0);
        link(made, made);
    }
    head_->last->tail = std::move(bytes);
}

void wire_buffer::append(wire_buffer&& other) {
    if (other.head_ == nullptr) {
        return;
    }
    chunk* const first = std::exchange(other.head_, nullptr);
    link(first, first->last);
}

void wire_buffer::shrink(std::size_t count) {
    FLEETARIUM_ASSERT(head_ != nullptr && head_->last->size >= count);
    FLEETARIUM_ASSERT(head_->last->tail.empty());
    head_->last->size -= static_cast<std::uint32_t>(count);
    if (head_->size == 0 && head_->next == nullptr) {
        clear();  // an empty buffer holds nothing
    }
}

void wire_buffer::clear() noexcept {
    for (chunk* at = std::exchange(head_, nullptr); at != nullptr;) {
        chunk* const next = at->next;
        free_chunk(at);
        at = next;
    }
}

void wire_buffer::free_chunk(chunk* freed) noexcept {
    const std::size_t bytes = sizeof(chunk) + freed->capacity;
    freed->~chunk();
    block_pool::deallocate(freed, bytes);
}

std::size_t wire_buffer::drop_front(std::size_t count) noexcept {
    while (head_ != nullptr) {
        const std::size_t size = head_->size + head_->tail.view().size();
        if (count < size) {
            break;
        }
        count -= size;
        chunk* const next = head_->next;
        if (next != nullptr) {
            next->last = head_->last;
        }
        free_chunk(std::exchange(head_, next));
    }
    return count;
}

}  // namespace fleetarium
