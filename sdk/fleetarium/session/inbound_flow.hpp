#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace fleetarium {

/// The receiver's half of a session: the packet ids of QoS 2 messages received and not completed
/// [v5/MQTT-4.3.3-10]. Eight bytes while there are none; a short list for a few, a bit map of 8 KiB
/// for many.
class inbound_flow {
public:
    inbound_flow() = default;
    inbound_flow(inbound_flow&& other) noexcept : set_(std::exchange(other.set_, nullptr)) {}
    inbound_flow& operator=(inbound_flow&& other) noexcept {
        std::swap(set_, other.set_);
        return *this;
    }
    ~inbound_flow() { clear(); }

    bool contains(std::uint16_t packet_id) const noexcept;
    /// Adds an id that is not contained.
    void insert(std::uint16_t packet_id);
    /// Whether the id was contained.
    bool erase(std::uint16_t packet_id) noexcept;
    std::size_t size() const noexcept;
    std::size_t memory_bytes() const noexcept;
    void clear() noexcept;

private:
    struct id_set;
    static id_set* make_set(std::size_t capacity);
    static void free_set(id_set* dead) noexcept;

    id_set* set_ = nullptr;
};

}  // namespace fleetarium
