#pragma once

namespace fleetarium {

/// Asks the processor to fetch the cache line at an address; any address will do.
inline void prefetch(const void* at) noexcept {
    __builtin_prefetch(at);
    // To g++ a prefetch has no effect, so it takes a function that does nothing else to be pure
    // and drops the calls of it.
    __asm__ __volatile__("");
}

}  // namespace fleetarium
