#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/prefetch.hpp>
#include <fleetarium/core/shared_bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>

namespace fleetarium {

/// Encoded bytes on their way to a peer: a chain of pooled chunks, eight bytes when empty.
///
/// An encoder writes into it, a driver takes it and hands it to a socket or a link, a decoder
/// reads it in place. Space asked for with `extend` is contiguous, so a packet encoded in one
/// piece can be decoded in one piece. A chunk may end in a shared payload that is referred to,
/// not copied.
/// Thread rule: one thread at a time; it may be handed to another whole.
class wire_buffer {
public:
    wire_buffer() = default;
    wire_buffer(wire_buffer&& other) noexcept : head_(std::exchange(other.head_, nullptr)) {}
    wire_buffer& operator=(wire_buffer&& other) noexcept {
        wire_buffer taken(std::move(other));
        std::swap(head_, taken.head_);
        return *this;
    }
    ~wire_buffer() {
        if (head_ != nullptr) {
            clear();
        }
    }

    bool empty() const noexcept { return head_ == nullptr; }

    /// Bytes in all chunks. Linear in the number of chunks, which is one for small traffic.
    std::size_t size() const noexcept;

    /// Appends `count` contiguous bytes and returns where to write them. At least one, and no
    /// more than 2 GiB.
    std::uint8_t* extend(std::size_t count) {
        if (head_ != nullptr) {
            chunk* const last = head_->last;
            if (last->capacity - last->size >= count && last->tail.empty()) {
                std::uint8_t* const at = last->data() + last->size;
                last->size += static_cast<std::uint32_t>(count);
                return at;
            }
        }
        return extend_with_new_chunk(count);
    }

    /// Appends a copy of `bytes`.
    void append(bytes_view bytes);

    /// Appends a reference to `bytes`.
    void append_shared(shared_bytes bytes);

    /// Appends all of `other`, which is empty after.
    void append(wire_buffer&& other);

    /// Takes back the last `count` bytes of the last `extend`, which is the last thing appended.
    void shrink(std::size_t count);

    void clear() noexcept;

    /// Frees what lies whole in the first `count` bytes, and returns how many of these are left
    /// at the front: for writers and readers that come some way at a time, and begin there next.
    std::size_t drop_front(std::size_t count) noexcept;

    /// Gives the chain away as a bare pointer, for queues that hold plain values: `adopt` it
    /// exactly once, on the same thread. Null if empty.
    void* release() noexcept { return std::exchange(head_, nullptr); }

    /// The buffer whose chain `release` gave away.
    static wire_buffer adopt(void* released) noexcept {
        wire_buffer taken;
        taken.head_ = static_cast<chunk*>(released);
        return taken;
    }

    /// Asks the processor to fetch what reading begins with.
    void prefetch() const noexcept {
        fleetarium::prefetch(head_);
        fleetarium::prefetch(reinterpret_cast<const std::byte*>(head_) + 64);
    }

    /// Calls `visit(bytes_view)` for each contiguous part, first to last.
    template <class Visitor>
    void for_each_part(Visitor&& visit) const {
        visit_parts_while([&](bytes_view part) {
            visit(part);
            return true;
        });
    }

    /// Calls `visit(bytes_view)` for each contiguous part, first to last, as long as it returns
    /// true.
    template <class Visitor>
    void visit_parts_while(Visitor&& visit) const {
        for (const chunk* at = head_; at != nullptr; at = at->next) {
            if (at->size != 0 && !visit(bytes_view{at->data(), at->size})) {
                return;
            }
            if (!at->tail.empty() && !visit(at->tail.view())) {
                return;
            }
        }
    }

    /// The bytes, if they are one contiguous part or none; otherwise an empty view.
    bytes_view contiguous() const noexcept {
        if (head_ == nullptr || head_->next != nullptr) {
            return {};
        }
        if (head_->tail.empty()) {
            return {head_->data(), head_->size};
        }
        return head_->size == 0 ? head_->tail.view() : bytes_view{};
    }

private:
    struct chunk {
        chunk* next;
        chunk* last;  // of the whole chain; kept in its head only
        shared_bytes tail;
        std::uint32_t capacity;
        std::uint32_t size;

        std::uint8_t* data() { return reinterpret_cast<std::uint8_t*>(this + 1); }
        const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(this + 1); }
    };

    static chunk* make_chunk(std::size_t count);
    std::uint8_t* extend_with_new_chunk(std::size_t count);
    void link(chunk* first, chunk* last) noexcept;
    static void free_chunk(chunk* freed) noexcept;

    chunk* head_ = nullptr;
};

static_assert(sizeof(wire_buffer) == sizeof(void*));

}  // namespace fleetarium
