#include <fleetarium/config/value_types.hpp>

#include <fleetarium/config/quantities.hpp>

#include <algorithm>
#include <charconv>

namespace fleetarium::config::detail {

namespace {

std::string counted(std::int64_t number) { return std::to_string(number); }

json_value type_schema(std::string_view type) {
    return schema_of({schema_member("type", json_string(type))});
}

json_value integer_schema(std::int64_t min, std::int64_t max) {
    return schema_of({schema_member("type", json_string("integer")),
                      schema_member("minimum", json_number(counted(min))),
                      schema_member("maximum", json_number(counted(max)))});
}

json_value pattern_schema(std::string_view pattern, std::string_view description) {
    return schema_of({schema_member("type", json_string("string")),
                      schema_member("pattern", json_string(pattern)),
                      schema_member("description", json_string(description))});
}

constexpr std::string_view duration_pattern = R"(^([0-9]+(\.[0-9]+)?(d|h|m|s|ms|us|ns))+$)";

json_value never_schema() { return schema_of({schema_member("const", json_string("never"))}); }

}  // namespace

void reading::report(const text_position& at, std::string found, std::string expected,
                     std::string suggestion) {
    problem made{
        origins_[at.origin],  at.line, at.column, pointer_, std::move(found), std::move(expected),
        std::move(suggestion)};
    if (at.origin != 0) {
        made.line = made.column = 0;
    }
    problems_.push_back(std::move(made));
}

std::string reading::describe(const json_value& value) {
    switch (value.kind) {
        case json_kind::null: return "null";
        case json_kind::boolean: return value.boolean ? "true" : "false";
        case json_kind::number: return value.text;
        case json_kind::string: return quoted(value.text);
        case json_kind::array: return value.elements.empty() ? "an empty list" : "a list";
        case json_kind::object: return value.members.empty() ? "an empty object" : "an object";
    }
    return {};
}

json_value schema_of(std::vector<json_member> members) { return json_object(std::move(members)); }

json_member schema_member(std::string_view name, json_value value) {
    return {std::string(name), {}, std::move(value)};
}

json_value schema_any_of(std::vector<json_value> choices) {
    return schema_of({schema_member("anyOf", json_array(std::move(choices)))});
}

json_value duration_schema() {
    return pattern_schema(duration_pattern, "A duration, " + std::string(duration_example) +
                                                "; units d, h, m, s, ms, us, ns.");
}

std::string number_text(double number) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
    return {digits, end};
}

value_type<bool> boolean() {
    return {"true or false",
            [](reading& in, const json_value& value, bool& result) {
                if (value.kind == json_kind::boolean) {
                    result = value.boolean;
                } else {
                    in.report(value, "true or false");
                }
            },
            [](definitions&) { return type_schema("boolean"); },
            [](const bool& value) { return std::optional(json_boolean(value)); }};
}

value_type<std::string> text() {
    return {"text in double quotes",
            [](reading& in, const json_value& value, std::string& result) {
                if (value.kind == json_kind::string) {
                    result = value.text;
                } else {
                    in.report(value, "text in double quotes");
                }
            },
            [](definitions&) { return type_schema("string"); },
            [](const std::string& value) {
                return value.empty() ? std::nullopt : std::optional(json_string(value));
            },
            [](const std::string& value) { return std::optional(json_string(value)); }};
}

value_type<std::string> name_text() {
    auto type = text();
    type.read = [](reading& in, const json_value& value, std::string& result) {
        if (value.kind == json_kind::string && !value.text.empty()) {
            result = value.text;
        } else {
            in.report(value, "a name in double quotes");
        }
    };
    type.expected = "a name in double quotes";
    type.write = nullptr;
    type.schema = [](definitions&) {
        return schema_of({schema_member("type", json_string("string")),
                          schema_member("minLength", json_number("1"))});
    };
    return type;
}

value_type<double> number(double min, double max) {
    const std::string expected = "a number from " + number_text(min) + " to " + number_text(max);
    return {expected,
            [=](reading& in, const json_value& value, double& result) {
                const auto found = json_double(value);
                if (found && *found >= min && *found <= max) {
                    result = *found;
                } else {
                    in.report(value, expected);
                }
            },
            [=](definitions&) {
                return schema_of({schema_member("type", json_string("number")),
                                  schema_member("minimum", json_number(number_text(min))),
                                  schema_member("maximum", json_number(number_text(max)))});
            },
            [](const double& value) { return std::optional(json_number(number_text(value))); }};
}

value_type<duration> duration_from(duration min, bool or_never) {
    std::string expected = "a duration " + std::string(duration_example);
    if (min > duration::zero()) {
        expected = "a duration above 0 " + std::string(duration_example);
    }
    expected += or_never ? ", or \"never\"" : "";
    return {expected,
            [=](reading& in, const json_value& value, duration& result) {
                const bool is_text = value.kind == json_kind::string;
                const auto found = is_text ? parse_duration(value.text) : std::nullopt;
                if (found && *found >= min) {
                    result = *found;
                } else if (or_never && is_text && value.text == "never") {
                    result = duration::max();
                } else {
                    in.report(value, expected);
                }
            },
            [=](definitions&) {
                return or_never ? schema_any_of({duration_schema(), never_schema()})
                                : duration_schema();
            },
            [](const duration& value) {
                return std::optional(
                    json_string(value == duration::max() ? "never" : duration_text(value)));
            }};
}

value_type<std::uint64_t> bandwidth() {
    static constexpr std::string_view expected =
        R"(bytes a second, or a rate such as "256kbit/s" or "10MB/s")";
    return {std::string(expected),
            [](reading& in, const json_value& value, std::uint64_t& result) {
                const auto rate =
                    value.kind == json_kind::string ? parse_bandwidth(value.text) : std::nullopt;
                const auto bytes = json_integer(value);
                if (rate) {
                    result = *rate;
                } else if (bytes && *bytes > 0) {
                    result = static_cast<std::uint64_t>(*bytes);
                } else {
                    in.report(value, std::string(expected));
                }
            },
            [](definitions&) {
                return schema_any_of(
                    {schema_of({schema_member("type", json_string("integer")),
                                schema_member("minimum", json_number("1"))}),
                     pattern_schema(R"(^[0-9]+(\.[0-9]+)?(k|M|G|Ki|Mi|Gi)?(bit/s|B/s)$)",
                                    "A rate, such as \"256kbit/s\" or \"10MB/s\".")});
            },
            [](const std::uint64_t& value) {
                return std::optional(json_number(std::to_string(value)));
            }};
}

value_type<enum qos> qos_number() {
    static constexpr std::string_view expected =
        "0 (at most once), 1 (at least once) or 2 (exactly once)";
    auto type = cast<enum qos>(erased::integer(0, 2));
    type.expected = expected;
    type.read = [](reading& in, const json_value& value, enum qos& result) {
        const auto found = json_integer(value);
        if (found && *found >= 0 && *found <= 2) {
            result = static_cast<enum qos>(*found);
        } else {
            in.report(value, std::string(expected));
        }
    };
    type.schema = [](definitions&) {
        return schema_of({schema_member(
            "enum", json_array({json_number("0"), json_number("1"), json_number("2")}))});
    };
    return type;
}

namespace erased {

namespace {

value_type<std::int64_t> bounded(std::int64_t min, std::int64_t max, std::string expected) {
    return {expected,
            [=](reading& in, const json_value& value, std::int64_t& result) {
                const auto found = json_integer(value);
                if (found && *found >= min && *found <= max) {
                    result = *found;
                } else {
                    in.report(value, expected);
                }
            },
            [=](definitions&) { return integer_schema(min, max); },
            [](const std::int64_t& value) { return std::optional(json_number(counted(value))); }};
}

}  // namespace

value_type<std::int64_t> integer(std::int64_t min, std::int64_t max) {
    return bounded(min, max, "a whole number from " + counted(min) + " to " + counted(max));
}

value_type<std::int64_t> size(std::int64_t min, std::int64_t max) {
    const std::string expected =
        "bytes from " + counted(min) + " to " + counted(max) + R"(, or a size such as "64kB")";
    auto type = bounded(min, max, expected);
    type.read = [=](reading& in, const json_value& value, std::int64_t& result) {
        const auto text = value.kind == json_kind::string ? parse_size(value.text) : std::nullopt;
        const auto found =
            text ? std::optional(static_cast<std::int64_t>(*text)) : json_integer(value);
        if (found && *found >= min && *found <= max) {
            result = *found;
        } else {
            in.report(value, expected);
        }
    };
    type.schema = [=](definitions&) {
        return schema_any_of(
            {integer_schema(min, max), pattern_schema(R"(^[0-9]+(\.[0-9]+)?(k|M|G|Ki|Mi|Gi)?B$)",
                                                      "A size, such as \"64kB\" or \"1MiB\".")});
    };
    return type;
}

value_type<std::int64_t> seconds(std::int64_t max, std::optional<std::int64_t> never) {
    const std::string expected = "whole seconds up to " + duration_text(std::chrono::seconds(max)) +
                                 R"(, such as "90s" or "12h")" + (never ? R"(, or "never")" : "");
    return {
        expected,
        [=](reading& in, const json_value& value, std::int64_t& result) {
            const bool is_text = value.kind == json_kind::string;
            const auto found = is_text ? parse_duration(value.text) : std::nullopt;
            constexpr std::int64_t second = 1'000'000'000;
            if (found && found->count() % second == 0 && found->count() / second <= max) {
                result = found->count() / second;
            } else if (never && is_text && value.text == "never") {
                result = *never;
            } else {
                in.report(value, expected);
            }
        },
        [=](definitions&) {
            return never ? schema_any_of({duration_schema(), never_schema()}) : duration_schema();
        },
        [=](const std::int64_t& value) {
            return std::optional(json_string(
                never && value == *never ? "never" : duration_text(std::chrono::seconds(value))));
        }};
}

value_type<std::size_t> word(std::vector<std::string_view> words) {
    std::vector<std::string> shown;
    std::vector<json_value> allowed;
    for (const auto item : words) {
        shown.push_back(quoted(item));
        allowed.push_back(json_string(item));
    }
    const std::string expected =
        joined_with_or(std::vector<std::string_view>(shown.begin(), shown.end()));
    return {expected,
            [=](reading& in, const json_value& value, std::size_t& result) {
                const auto found = std::find(words.begin(), words.end(), value.text);
                if (value.kind != json_kind::string) {
                    in.report(value, expected);
                } else if (found == words.end()) {
                    in.report(value.position, quoted(value.text), expected,
                              nearest_name(value.text, words));
                } else {
                    result = static_cast<std::size_t>(found - words.begin());
                }
            },
            [=](definitions&) { return schema_of({schema_member("enum", json_array(allowed))}); },
            [=](const std::size_t& value) { return std::optional(json_string(words[value])); }};
}

}  // namespace erased

}  // namespace fleetarium::config::detail
