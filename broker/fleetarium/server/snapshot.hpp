#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/core/clock.hpp>

#include <cstddef>
#include <string>

namespace fleetarium::broker {

struct snapshot_options {
    /// Payloads up to this size are in the snapshot, longer ones only with their size; 0: none.
    std::size_t payload_bytes_max = 0;
};

/// Sessions with their subscriptions, wills, queued and in-flight messages, and retained topics,
/// all as they are at `now`, as JSON. Format: broker/README.md. Sessions are in the order of their
/// client ids, retained messages in that of their topics, so that two snapshots can be compared
/// line by line. Linear in all of it, but for the sorting.
std::string snapshot_json(const broker_core& core, instant now,
                          const snapshot_options& options = {});

}  // namespace fleetarium::broker
