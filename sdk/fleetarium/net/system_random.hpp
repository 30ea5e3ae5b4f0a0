#pragma once

#include <cstddef>
#include <cstdint>

namespace fleetarium::net {

/// Fills `size` bytes with numbers that nobody can guess, from OpenSSL. Throws std::runtime_error
/// if the system gives none. May be called from any thread.
void fill_with_system_random(void* bytes, std::size_t size);

/// One such number.
std::uint64_t system_random_number();

}  // namespace fleetarium::net
