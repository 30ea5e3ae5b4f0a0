#pragma once

#include <cstddef>

namespace fleetarium {

/// Asks the system to back memory with large pages, which saves a page walk for nearly each access
/// in random order to hundreds of megabytes. To be asked before the memory is first touched. Only
/// a hint: what is smaller than a few megabytes, or a system without large pages, is left as it is.
/// Thread rule: any thread.
void prefer_large_pages(void* begin, std::size_t size) noexcept;

}  // namespace fleetarium
