#include <fleetarium/sim/scenario_values.hpp>

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/sim/text_template.hpp>

#include <algorithm>
#include <optional>
#include <string_view>

namespace fleetarium::sim::detail {

using namespace config;
using namespace config::detail;

namespace {

/// The arguments of a lone placeholder that only a generator can explain, with their colon; none
/// for any other text.
std::optional<std::string_view> generator_arguments(std::string_view content) {
    constexpr std::string_view letters =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    constexpr std::string_view digits = "0123456789";
    if (content.size() < 3 || content.front() != '{' || content.back() != '}' ||
        digits.find(content[1]) != digits.npos) {
        return std::nullopt;
    }
    std::string_view rest = content.substr(1, content.size() - 2);
    const auto skip_name = [&] {
        const auto end = std::min(rest.find_first_not_of(letters), rest.size());
        const std::string_view name = rest.substr(0, end);
        rest.remove_prefix(end);
        return name;
    };
    const std::string_view name = skip_name();
    if (name.empty() || text_template::is_placeholder_name(name)) {
        return std::nullopt;
    }
    if (rest.starts_with('.')) {
        rest.remove_prefix(1);
        if (skip_name().empty()) {
            return std::nullopt;
        }
    }
    const bool good = rest.empty() || rest == ":json" ||
                      (rest.size() == 2 && rest[0] == ':' && digits.find(rest[1]) != digits.npos);
    return good ? std::optional(rest) : std::nullopt;
}

/// The template text of a payload given as JSON.
std::string payload_of(const json_value& value) {
    std::string text;
    switch (value.kind) {
        case json_kind::string: return payload_string(value.text);
        case json_kind::array:
            for (const auto& element : value.elements) {
                text += (text.empty() ? "" : ",") + payload_of(element);
            }
            return '[' + text + ']';
        case json_kind::object:
            for (const auto& [name, position, member] : value.members) {
                text += (text.empty() ? "" : ",") + json_quoted(name) + ':' + payload_of(member);
            }
            return '{' + text + '}';
        default: return json_compact(value);
    }
}

}  // namespace

std::string payload_string(const std::string& content) {
    if (const auto arguments = generator_arguments(content)) {
        return arguments->empty() ? content.substr(0, content.size() - 1) + ":json}" : content;
    }
    const auto parsed = text_template::parse(content, template_use::reply);
    const auto* made = std::get_if<text_template>(&parsed);
    return made != nullptr && made->is_json_value() ? content : json_quoted(content);
}

value_type<std::string> payload_text() {
    static constexpr std::string_view expected = "text, or an object or list that is sent as JSON";
    auto type = text();
    type.expected = expected;
    type.read = [](reading& in, const json_value& value, std::string& result) {
        if (value.kind == json_kind::string) {
            result = value.text;
        } else if (value.kind == json_kind::object || value.kind == json_kind::array) {
            result = payload_of(value);
        } else {
            in.report(value, std::string(expected));
        }
    };
    type.schema = [](definitions&) {
        return schema_of({schema_member(
            "type",
            json_array({json_string("string"), json_string("object"), json_string("array")}))});
    };
    return type;
}

value_type<protocol_version> version_name() {
    static constexpr std::string_view expected = R"("3.1.1" or "5")";
    return {std::string(expected),
            [](reading& in, const json_value& value, protocol_version& result) {
                const auto whole = json_integer(value);
                if (value.kind == json_kind::string && value.text == "3.1.1") {
                    result = protocol_version::v3_1_1;
                } else if ((whole && *whole == 5) || (value.kind == json_kind::string &&
                                                      (value.text == "5" || value.text == "5.0"))) {
                    result = protocol_version::v5;
                } else {
                    in.report(value, std::string(expected));
                }
            },
            [](definitions&) {
                return schema_of(
                    {schema_member("enum", json_array({json_string("3.1.1"), json_string("5"),
                                                       json_string("5.0"), json_number("5")}))});
            },
            [](const protocol_version& value) {
                return std::optional(json_string(value == protocol_version::v5 ? "5" : "3.1.1"));
            }};
}

value_type<duration> signed_duration(duration most) {
    const std::string expected = "a duration of at most " + duration_text(most) +
                                 R"(, such as "2m" or, the other way, "-2m")";
    return {expected,
            [=](reading& in, const json_value& value, duration& result) {
                std::string_view text = value.text;
                const bool is_text = value.kind == json_kind::string;
                const bool is_back = text.starts_with('-');
                text.remove_prefix(is_back);
                const auto found = is_text ? parse_duration(text) : std::nullopt;
                if (found && *found <= most) {
                    result = is_back ? -*found : *found;
                } else {
                    in.report(value, expected);
                }
            },
            [](definitions&) {
                return schema_of(
                    {schema_member("type", json_string("string")),
                     schema_member("pattern",
                                   json_string(R"(^-?([0-9]+(\.[0-9]+)?(d|h|m|s|ms|us|ns))+$)"))});
            },
            [](const duration& value) { return std::optional(json_string(duration_text(value))); }};
}

value_type<double> number_or_duration() {
    const std::string expected = "a number, or a duration " + std::string(duration_example);
    return {expected,
            [=](reading& in, const json_value& value, double& result) {
                const auto time =
                    value.kind == json_kind::string ? parse_duration(value.text) : std::nullopt;
                const auto plain = json_double(value);
                if (time) {
                    result = static_cast<double>(time->count()) / 1e9;
                } else if (plain && *plain >= 0) {
                    result = *plain;
                } else {
                    in.report(value, expected);
                }
            },
            [](definitions&) {
                return schema_any_of({schema_of({schema_member("type", json_string("number")),
                                                 schema_member("minimum", json_number("0"))}),
                                      duration_schema()});
            },
            [](const double& value) { return std::optional(json_number(number_text(value))); }};
}

}  // namespace fleetarium::sim::detail
