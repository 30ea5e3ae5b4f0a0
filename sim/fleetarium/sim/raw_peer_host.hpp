#pragma once

#include <fleetarium/sim/raw_peer.hpp>
#include <fleetarium/sim/world_state.hpp>

#include <string>
#include <vector>

namespace fleetarium::sim::detail {

/// The inside of a raw_peer.
class raw_peer_host final : public peer_host {
public:
    raw_peer_host(world_state& world, std::string name);

    void handle(const event& what) override;

    void connect(host_id broker);
    void send_bytes(bytes_view bytes);
    void close();
    void cut();
    bool is_open() const { return link_.phase() == link_end::phase::open; }

    std::vector<std::uint8_t> received;
    bool closed = false;

private:
    void take_bytes(const event& what);

    std::vector<std::vector<std::uint8_t>> waiting_;  // for the link to open
};

}  // namespace fleetarium::sim::detail
