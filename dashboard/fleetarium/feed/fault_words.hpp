#pragma once

#include <fleetarium/sim/fault.hpp>

#include <string>

namespace fleetarium::feed {

/// Whom a fault hits, in words: "meters, 50 % of them". `first_broker` is hit where it names none.
std::string where_of(const sim::fault_spec& fault, const std::string& first_broker);

}  // namespace fleetarium::feed
