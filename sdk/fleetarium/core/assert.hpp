#pragma once

namespace fleetarium::detail {

/// Prints the broken assertion to stderr and aborts.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace fleetarium::detail

/// States what only a bug of ours can break; on in release builds. Never for what a peer or a
/// caller can cause: those are violations and error results.
#define FLEETARIUM_ASSERT(expression)                                                         \
    (static_cast<bool>(expression)                                                            \
         ? static_cast<void>(0)                                                               \
         : ::fleetarium::detail::assertion_failed(#expression, __FILE__, __LINE__))
