#include <fleetarium/core/trace_hash.hpp>

namespace fleetarium {

std::string trace_hash::text() const {
    std::string written(16, '0');
    std::uint64_t rest = value();
    for (std::size_t i = written.size(); i-- != 0; rest >>= 4) {
        written[i] = "0123456789abcdef"[rest & 15];
    }
    return written;
}

}  // namespace fleetarium
