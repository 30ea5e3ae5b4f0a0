#include <fleetarium/net/real_clock.hpp>

#include <chrono>

namespace fleetarium::net {

instant real_now() noexcept { return instant{std::chrono::steady_clock::now().time_since_epoch()}; }

duration offset_to_epoch() noexcept {
    return std::chrono::duration_cast<duration>(
               std::chrono::system_clock::now().time_since_epoch()) -
           real_now().time_since_epoch();
}

std::int64_t seconds_since_epoch() noexcept {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

}  // namespace fleetarium::net
