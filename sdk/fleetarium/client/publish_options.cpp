#include <fleetarium/client/publish_options.hpp>

#include <algorithm>
#include <limits>

namespace fleetarium {

std::uint32_t publish_options::seconds_of(duration time) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(time).count();
    return static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(seconds, 0, std::numeric_limits<std::uint32_t>::max()));
}

void publish_options::add_properties(fleetarium::publish& out,
                                     const std::vector<fleetarium::user_property>& pairs) const {
    out.message_expiry_interval = expiry_;
    out.content_type = content_type_;
    out.response_topic = response_topic_;
    if (correlation_data_) {
        out.correlation_data = bytes_view(*correlation_data_);
    }
    if (utf8_) {
        out.payload_format_indicator = std::uint8_t{1};
    }
    out.user_properties = user_properties(std::span<const fleetarium::user_property>(pairs));
}

}  // namespace fleetarium
