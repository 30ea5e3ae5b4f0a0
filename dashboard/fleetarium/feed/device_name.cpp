#include <fleetarium/feed/device_name.hpp>

#include <charconv>

namespace fleetarium::feed {

std::optional<std::pair<std::string_view, std::uint32_t>> parts_of_device_name(
    std::string_view name) {
    const std::size_t open = name.rfind('[');
    if (open == std::string_view::npos || name.back() != ']') {
        return std::nullopt;
    }
    std::uint32_t index = 0;
    const char* const end = name.data() + name.size() - 1;
    const auto read = std::from_chars(name.data() + open + 1, end, index);
    if (read.ec != std::errc() || read.ptr != end) {
        return std::nullopt;
    }
    return std::pair{name.substr(0, open), index};
}

}  // namespace fleetarium::feed
