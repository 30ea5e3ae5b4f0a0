#pragma once

#include <fleetarium/core/bytes.hpp>

#include <utility>

namespace fleetarium {

/// Immutable bytes with a reference count: a payload held once for all who hold it.
///
/// Thread rule: one thread at a time for each copy; copies may be on different threads.
class shared_bytes {
public:
    shared_bytes() = default;

    /// Copies `bytes`. Throws std::bad_alloc.
    explicit shared_bytes(bytes_view bytes);

    shared_bytes(const shared_bytes& other) noexcept : block_(other.block_) {
        if (block_ != nullptr) {
            retain();
        }
    }
    shared_bytes(shared_bytes&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    shared_bytes& operator=(shared_bytes other) noexcept {
        std::swap(block_, other.block_);
        return *this;
    }
    ~shared_bytes() {
        if (block_ != nullptr) {
            release();
        }
    }

    /// The bytes; valid while this value or a copy of it lives.
    bytes_view view() const noexcept;

    bool empty() const noexcept { return view().empty(); }

private:
    struct block;
    void retain() noexcept;
    void release() noexcept;

    block* block_ = nullptr;
};

}  // namespace fleetarium
