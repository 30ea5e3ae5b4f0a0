#pragma once

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/core/bytes.hpp>

#include <cstdint>
#include <utility>

namespace fleetarium {

/// Cuts a byte stream, however it was split on its way, into whole packets. A packet that lies
/// whole in the input is not copied; only the beginning of one that does not is kept. Eight bytes
/// while no packet is under way.
class frame_reader {
public:
    frame_reader() = default;
    frame_reader(frame_reader&& other) noexcept
        : partial_(std::exchange(other.partial_, nullptr)) {}
    frame_reader& operator=(frame_reader&& other) noexcept {
        std::swap(partial_, other.partial_);
        return *this;
    }
    ~frame_reader() { reset(); }

    /// Consumes input up to the end of one packet, or all of it. If a packet is complete it is in
    /// `out`, valid until the next call and while the input's bytes live. Memory grows with the
    /// bytes that came, never with the length that a peer announces. Errors: those of split_frame;
    /// nothing may be read after one.
    frame_result next(bytes_view& input, frame& out, std::uint32_t packet_size_maximum);

    /// Whether no packet has begun that is not complete.
    bool is_between_packets() const noexcept { return partial_ == nullptr; }

    /// Forgets an incomplete packet.
    void reset() noexcept;

    /// Frees the copy of a packet that was returned, if there is one; its frame is invalid then.
    /// The next call of `next` does so as well.
    void release() noexcept;

    std::size_t memory_bytes() const noexcept;

private:
    struct partial;
    void reserve(std::size_t size, std::size_t size_max);
    void take(bytes_view& input, std::size_t count);
    frame_result next_of_partial(bytes_view& input, frame& out, std::uint32_t packet_size_maximum);

    partial* partial_ = nullptr;
};

}  // namespace fleetarium
