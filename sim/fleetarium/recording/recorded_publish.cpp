#include <fleetarium/recording/recorded_publish.hpp>

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace fleetarium::recording {

/// What the views of a packet point to.
struct recorded_publish::properties {
    nlohmann::json json;
    std::vector<std::uint8_t> correlation_data;
    std::vector<user_property> pairs;
};

namespace {

constexpr std::size_t string_size_max = 65'535;

/// None where the member is no text that fits into a packet.
std::optional<std::string_view> text(const nlohmann::json& in, const char* name) {
    const auto found = in.find(name);
    if (found == in.end() || !found->is_string()) {
        return std::nullopt;
    }
    const auto& value = found->get_ref<const std::string&>();
    return value.size() <= string_size_max ? std::optional<std::string_view>(value) : std::nullopt;
}

template <class Number>
std::optional<Number> number(const nlohmann::json& in, const char* name) {
    const auto found = in.find(name);
    if (found == in.end() || !found->is_number_unsigned()) {
        return std::nullopt;
    }
    return found->get<Number>();
}

std::vector<std::uint8_t> from_hex(std::string_view text) {
    const auto digit = [](char each) {
        return each <= '9' ? each - '0' : (each | 0x20) - 'a' + 10;
    };
    std::vector<std::uint8_t> out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        out.push_back(static_cast<std::uint8_t>((digit(text[i]) << 4 | digit(text[i + 1])) & 0xFF));
    }
    return out;
}

}  // namespace

recorded_publish::recorded_publish() = default;
recorded_publish::~recorded_publish() = default;

publish recorded_publish::make(const message_row& row, std::string_view topic,
                               std::uint32_t waited) {
    publish out{.topic = topic, .payload = row.payload};
    if (!row.properties.empty()) {
        read(row.properties, out);
        if (out.message_expiry_interval) {
            const std::uint32_t all = *out.message_expiry_interval;
            out.message_expiry_interval = all > waited ? all - waited : 0;
        }
    }
    return out;
}

void recorded_publish::read(std::string_view json, publish& out) {
    if (read_ == nullptr) {
        read_ = std::make_unique<properties>();
    }
    properties& kept = *read_;
    kept.json = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
    kept.pairs.clear();
    if (!kept.json.is_object()) {
        return;
    }
    out.payload_format_indicator = number<std::uint8_t>(kept.json, "payload_format_indicator");
    out.message_expiry_interval = number<std::uint32_t>(kept.json, "message_expiry_interval");
    out.content_type = text(kept.json, "content_type");
    out.response_topic = text(kept.json, "response_topic");
    if (const auto hex = text(kept.json, "correlation_data")) {
        kept.correlation_data = from_hex(*hex);
        out.correlation_data = kept.correlation_data;
    }
    const auto pairs = kept.json.find("user_properties");
    if (pairs != kept.json.end() && pairs->is_array()) {
        for (const nlohmann::json& each : *pairs) {
            if (each.is_array() && each.size() == 2 && each[0].is_string() && each[1].is_string()) {
                const auto& name = each[0].get_ref<const std::string&>();
                const auto& value = each[1].get_ref<const std::string&>();
                if (name.size() <= string_size_max && value.size() <= string_size_max) {
                    kept.pairs.emplace_back(name, value);
                }
            }
        }
        out.user_properties = user_properties(kept.pairs);
    }
}

}  // namespace fleetarium::recording
