#include <fleetarium/capture/packet_text.hpp>

#include <fleetarium/codec/reason_code.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <variant>

namespace fleetarium::capture {

namespace {

constexpr std::size_t text_max = 60;

std::string quoted(std::string_view text) {
    std::size_t shown = std::min(text.size(), text_max);
    while (shown < text.size() && (static_cast<unsigned char>(text[shown]) & 0xC0) == 0x80) {
        --shown;  // no half characters
    }
    std::string out = "\"";
    for (const char each : text.substr(0, shown)) {
        const auto code = static_cast<unsigned char>(each);
        if (code < 0x20 || code == 0x7F) {
            out += fmt::format("\\x{:02X}", code);
        } else {
            out += each;
        }
    }
    return out + (shown < text.size() ? "...\"" : "\"");
}

std::string code_text(reason_code code) {
    return fmt::format("{} (0x{:02X})", name_of(code), static_cast<unsigned>(code));
}

/// Nothing for success, which is the rule.
std::string unless_success(reason_code code) {
    return code == reason_code::success ? std::string() : ", " + code_text(code);
}

struct describer {
    std::string operator()(const connect& of) const {
        std::string out =
            fmt::format("CONNECT {}, MQTT {}, {}, keep alive {} s", quoted(of.client_id),
                        of.version == protocol_version::v5 ? "5.0" : "3.1.1",
                        of.clean_start ? "clean start" : "resumes", of.keep_alive);
        if (of.session_expiry_interval) {
            out += fmt::format(", session expiry {} s", *of.session_expiry_interval);
        }
        if (of.will) {
            out += ", will " + quoted(of.will->topic);
        }
        return out;
    }
    std::string operator()(const connack& of) const {
        return fmt::format("CONNACK {}{}", code_text(of.code),
                           of.session_present ? ", session present" : "");
    }
    std::string operator()(const publish& of) const {
        std::string out = "PUBLISH ";
        if (of.qos != qos::at_most_once) {
            out += fmt::format("id {}, ", of.packet_id);
        }
        out += fmt::format("QoS {}", static_cast<int>(of.qos));
        out += of.dup ? ", DUP" : "";
        out += of.retain ? ", RETAIN" : "";
        if (of.topic_alias) {
            out += fmt::format(", alias {}", *of.topic_alias);
        }
        if (!of.topic.empty()) {
            out += ", " + quoted(of.topic);
        }
        return out + fmt::format(", {} bytes", of.payload.size());
    }
    template <packet_type Type>
    std::string operator()(const basic_acknowledgement<Type>& of) const {
        return fmt::format("{} id {}{}", name_of(Type), of.packet_id, unless_success(of.code));
    }
    std::string operator()(const subscribe& of) const {
        std::string out = fmt::format("SUBSCRIBE id {}", of.packet_id);
        of.requests.for_each([&](const subscription_request& each) {
            out +=
                fmt::format(", {} QoS {}", quoted(each.filter), static_cast<int>(each.options.qos));
        });
        return out;
    }
    std::string operator()(const unsubscribe& of) const {
        std::string out = fmt::format("UNSUBSCRIBE id {}", of.packet_id);
        of.filters.for_each([&](std::string_view each) { out += ", " + quoted(each); });
        return out;
    }
    std::string operator()(const suback& of) const { return answers("SUBACK", of); }
    std::string operator()(const unsuback& of) const { return answers("UNSUBACK", of); }
    std::string operator()(const pingreq&) const { return "PINGREQ"; }
    std::string operator()(const pingresp&) const { return "PINGRESP"; }
    std::string operator()(const disconnect& of) const {
        return "DISCONNECT " + code_text(of.code);
    }
    std::string operator()(const auth& of) const { return "AUTH " + code_text(of.code); }

    template <class Answer>
    static std::string answers(std::string_view name, const Answer& of) {
        std::string out = fmt::format("{} id {}", name, of.packet_id);
        for (const reason_code each : of.codes) {
            out += fmt::format(", {}", code_text(each));
        }
        return out;
    }
};

}  // namespace

std::string packet_text(const packet& of) { return std::visit(describer{}, of); }

}  // namespace fleetarium::capture
