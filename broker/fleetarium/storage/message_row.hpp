#pragma once

#include <fleetarium/session/message.hpp>
#include <fleetarium/storage/database.hpp>

#include <optional>

namespace fleetarium::storage {

/// The message whose topic, properties, payload, QoS and RETAIN a row has from a column on; none
/// if no client could read it. Views are of the row.
std::optional<message::parts> message_of_row(const statement& row, int first_column);

}  // namespace fleetarium::storage
