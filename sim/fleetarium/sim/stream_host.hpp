#pragma once

#include <fleetarium/sim/stream_peer.hpp>
#include <fleetarium/sim/world_state.hpp>

#include <cstdint>
#include <string>

namespace fleetarium::sim::detail {

/// The inside of a stream_peer.
class stream_host final : public peer_host {
public:
    /// Peers of a group share a source; `place` is the peer's number in it.
    stream_host(world_state& world, std::string group, std::uint32_t place,
                accounting::source source);

    void handle(const event& what) override;

    void connect(host_id broker);
    void send_bytes(wire_buffer bytes);
    void tell_broker(event_kind what);
    void close();
    void cut();
    void wake_at(instant due);
    std::uint64_t draw() { return random_at(draws_, drawn_++); }
    bool is_open() const { return link_.phase() == link_end::phase::open; }

    stream_peer::events* listener = nullptr;

private:
    void opened(const event& what);
    void take_bytes(const event& what);
    void link_ended(const event& what);
    void wake(const event& what);
    void count_delivered(segment& arrived, const wire_buffer& bytes) const;

    wire_buffer waiting_;  // for the link to open
    random_key draws_;
    std::uint64_t drawn_ = 0;
    instant armed_ = never;
};

}  // namespace fleetarium::sim::detail
