#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::config {

/// A place in a text, both from 1; `column` counts characters. `origin` tells texts apart: 0 is
/// the file, what else it means is up to the caller of parse_json.
struct text_position {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::uint32_t origin = 0;

    bool operator==(const text_position&) const = default;
};

enum class json_kind : std::uint8_t { null, boolean, number, string, array, object };

struct json_member;

/// A JSON value that knows where it was written.
struct json_value {
    json_kind kind = json_kind::null;
    bool boolean = false;
    /// Of a string: its value. Of a number: as it was written.
    std::string text{};
    std::vector<json_value> elements{};
    std::vector<json_member> members;  ///< in the order of the text
    text_position position{};          ///< of the first character

    /// The member `name`, or none. Linear in the number of members.
    const json_value* find(std::string_view name) const;
    json_value* find(std::string_view name);
};

struct json_member {
    std::string name{};
    text_position position{};  ///< of the name
    json_value value{};
};

/// What breaks the rules of JSON, as "found X, expected Y".
struct json_fault {
    text_position position{};
    std::string found{};
    std::string expected{};
};

/// What a text of JSON says. The root is absent after a syntax error; names used twice in one
/// object are faults too, of which the first counts, and reading goes on.
struct json_document {
    std::optional<json_value> root{};
    std::vector<json_fault> faults{};
};

/// Reads JSON (RFC 8259) with `//` and `/* */` comments: UTF-8, one value, at most
/// limits::json_depth_max arrays and objects inside one another. `noun` is for the messages: what
/// the text is.
///
/// This reader is our own because a mistake in a file is to be shown with its place, and the
/// common ones are to be named: a comma too many or missing, single quotes, a bare name.
json_document parse_json(std::string_view text, std::uint32_t origin = 0,
                         std::string_view noun = "a file");

/// The number as a double (the nearest), or none if it is too large or no number.
std::optional<double> json_double(const json_value& value);

/// The number if it is whole and fits, however it was written (1000, 1e3, 1000.0).
std::optional<std::int64_t> json_integer(const json_value& value);

/// `text` in quotes with JSON's escapes.
std::string json_quoted(std::string_view text);

/// The value without any space between tokens.
std::string json_compact(const json_value& value);

/// The value in lines, indented by two spaces a level.
std::string json_pretty(const json_value& value);

// Makers of values, for the schema and the report.
json_value json_string(std::string_view text);
json_value json_number(std::string_view text);
json_value json_boolean(bool value);
json_value json_array(std::vector<json_value> elements);
json_value json_object(std::vector<json_member> members);

}  // namespace fleetarium::config
