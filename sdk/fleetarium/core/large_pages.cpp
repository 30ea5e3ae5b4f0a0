#include <fleetarium/core/large_pages.hpp>

#include <cstdint>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace fleetarium {

void prefer_large_pages(void* begin, std::size_t size) noexcept {
#ifdef __linux__
    constexpr std::size_t large_page = std::size_t{2} << 20;
    // Only whole large pages: a part would make its neighbours resident, too.
    const auto first = (reinterpret_cast<std::uintptr_t>(begin) + large_page - 1) &
                       ~std::uintptr_t{large_page - 1};
    const auto end =
        (reinterpret_cast<std::uintptr_t>(begin) + size) & ~std::uintptr_t{large_page - 1};
    if (first < end) {
        madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
    }
#else
    static_cast<void>(begin);
    static_cast<void>(size);
#endif
}

}  // namespace fleetarium
