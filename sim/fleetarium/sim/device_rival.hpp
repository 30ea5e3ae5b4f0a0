#pragma once

#include <fleetarium/session/client_session.hpp>
#include <fleetarium/sim/fault_engine.hpp>
#include <fleetarium/sim/world_state.hpp>

#include <cstdint>

namespace fleetarium::sim::detail {

/// Numbers of a rival's links, apart from those of its device's own.
inline constexpr std::uint32_t rival_links = std::uint32_t{1} << (link_bits - 1);

/// Another client that uses a device's client id. It has no session of its own: it begins one that
/// ends with it, or, told that there is one of which it knows nothing, closes at once
/// [v5/MQTT-3.2.2-4]. It subscribes to nothing, publishes nothing and has no will.
///
/// It speaks from its device's host: the world's accounts take what it does for the device's.
struct rival_client {
    rival_client(const client_options& options, const fault_news& by, const link_path& along,
                 bool has_time)
        : session(options), cause(by), path(along), stays(has_time) {}

    link_end link;  ///< its history is the device's
    client_session session;
    fault_news cause;
    link_path path;
    bool stays;                 ///< until the fault ends; otherwise until it is connected
    bool ends_session = false;  ///< CONNECT kept the session; DISCONNECT does not
};

}  // namespace fleetarium::sim::detail
