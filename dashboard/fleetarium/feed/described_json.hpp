#pragma once

#include <fleetarium/config/problem.hpp>
#include <fleetarium/core/base64.hpp>
#include <fleetarium/feed/question_table.hpp>

#include <boost/describe/enum_from_string.hpp>
#include <boost/describe/enum_to_string.hpp>
#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/mp11/algorithm.hpp>
#include <nlohmann/json.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

/// JSON of described structs, their reader with its messages, and their JSON Schema: all from the
/// member lists of feed_types.hpp. Heavy; for sources only.
namespace fleetarium::feed {

namespace detail {

using json = nlohmann::json;

template <class T>
struct is_optional : std::false_type {};
template <class T>
struct is_optional<std::optional<T>> : std::true_type {};
template <class T>
struct is_list : std::false_type {};
template <class T>
struct is_list<std::vector<T>> : std::true_type {};
template <class T, std::size_t N>
struct is_list<std::array<T, N>> : std::true_type {};

template <class T>
inline constexpr bool is_bytes = std::is_same_v<T, std::vector<std::uint8_t>>;

template <class Struct, class Visitor>
void for_each_member(Visitor&& visit) {
    boost::mp11::mp_for_each<
        boost::describe::describe_members<Struct, boost::describe::mod_public>>(visit);
}

template <class Enum>
std::vector<std::string_view> enumerator_names() {
    std::vector<std::string_view> out;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<Enum>>(
        [&](auto each) { out.push_back(each.name); });
    return out;
}

inline std::string quoted_list(const std::vector<std::string_view>& names) {
    std::string out;
    for (const std::string_view each : names) {
        out += (out.empty() ? "" : ", ") + std::string(each);
    }
    return out;
}

[[noreturn]] inline void refuse(const std::string& where, const json& found,
                                const std::string& expected) {
    throw feed_error(feed_error::kind::bad_question,
                     (where.empty() ? std::string() : where + ": ") + "found " +
                         found.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, 80) +
                         ", expected " + expected);
}

inline std::string with_nearest(std::string_view found,
                                const std::vector<std::string_view>& names) {
    const std::string near = config::nearest_name(found, names);
    return near.empty() ? std::string() : "; did you mean \"" + near + "\"?";
}

// Writing

template <class T>
json to_json(const T& value, answer_form form) {
    if constexpr (is_optional<T>::value) {
        return value ? to_json(*value, form) : json();
    } else if constexpr (is_bytes<T>) {
        if (form == answer_form::cbor) {
            return json::binary(value);
        }
        std::string text;
        append_base64(text, value);
        return text;
    } else if constexpr (is_list<T>::value) {
        json out = json::array();
        for (const auto& each : value) {
            out.push_back(to_json(each, form));
        }
        return out;
    } else if constexpr (std::is_enum_v<T>) {
        return boost::describe::enum_to_string(value, "");
    } else if constexpr (std::is_same_v<T, std::string> || std::is_arithmetic_v<T>) {
        return value;
    } else {
        json out = json::object();
        for_each_member<T>([&](auto member) {
            const auto& inner = value.*member.pointer;
            if constexpr (is_optional<std::decay_t<decltype(inner)>>::value) {
                if (inner) {
                    out[member.name] = to_json(*inner, form);
                }
            } else {
                out[member.name] = to_json(inner, form);
            }
        });
        return out;
    }
}

// Reading

template <class T>
void from_json(const json& found, T& value, const std::string& where);

template <class Struct>
void struct_from_json(const json& found, Struct& value, const std::string& where) {
    if (!found.is_object()) {
        refuse(where, found, "an object");
    }
    std::vector<std::string_view> names;
    for_each_member<Struct>([&](auto member) { names.push_back(member.name); });
    for (const auto& [name, inner] : found.items()) {
        bool known = false;
        for_each_member<Struct>([&](auto member) {
            if (name == member.name) {
                known = true;
                from_json(inner, value.*member.pointer, where.empty() ? name : where + "." + name);
            }
        });
        if (!known) {
            throw feed_error(feed_error::kind::bad_question,
                             "there is no parameter \"" + name + "\"" + with_nearest(name, names) +
                                 (names.empty() ? std::string("; there are none")
                                                : " (there are " + quoted_list(names) + ")"));
        }
    }
}

template <class T>
void from_json(const json& found, T& value, const std::string& where) {
    if constexpr (is_optional<T>::value) {
        if (found.is_null()) {
            value.reset();
        } else {
            from_json(found, value.emplace(), where);
        }
    } else if constexpr (is_bytes<T>) {
        if (found.is_binary()) {
            value = found.get_binary();
        } else {
            const auto bytes = found.is_string()
                                   ? bytes_of_base64(found.get_ref<const std::string&>())
                                   : std::nullopt;
            if (!bytes) {
                refuse(where, found, "bytes in base64");
            }
            value = *bytes;
        }
    } else if constexpr (is_list<T>::value) {
        if (!found.is_array()) {
            refuse(where, found, "a list");
        }
        if constexpr (requires { value.emplace_back(); }) {
            value.clear();
            for (const json& each : found) {
                from_json(each, value.emplace_back(), where);
            }
        } else {
            for (std::size_t i = 0; i < value.size() && i < found.size(); ++i) {
                from_json(found[i], value[i], where);
            }
        }
    } else if constexpr (std::is_enum_v<T>) {
        const auto names = enumerator_names<T>();
        if (!found.is_string() || !boost::describe::enum_from_string(
                                      found.get_ref<const std::string&>().c_str(), value)) {
            refuse(where, found,
                   "one of " + quoted_list(names) +
                       (found.is_string() ? with_nearest(found.get_ref<const std::string&>(), names)
                                          : std::string()));
        }
    } else if constexpr (std::is_same_v<T, std::string>) {
        if (!found.is_string()) {
            refuse(where, found, "a text");
        }
        value = found.get<std::string>();
    } else if constexpr (std::is_same_v<T, bool>) {
        if (!found.is_boolean()) {
            refuse(where, found, "true or false");
        }
        value = found.get<bool>();
    } else if constexpr (std::is_integral_v<T>) {
        const bool fits = found.is_number_unsigned()
                              ? found.get<std::uint64_t>() <= std::numeric_limits<T>::max()
                              : found.is_number_integer() && found.get<std::int64_t>() >= 0;
        if (!fits) {
            refuse(where, found,
                   "a whole number from 0 to " + std::to_string(std::numeric_limits<T>::max()));
        }
        value = found.get<T>();
    } else if constexpr (std::is_floating_point_v<T>) {
        if (!found.is_number() || !std::isfinite(found.get<double>())) {
            refuse(where, found, "a number");
        }
        value = found.get<T>();
    } else {
        struct_from_json(found, value, where);
    }
}

// Schema

template <class T>
json schema_of() {
    if constexpr (is_optional<T>::value) {
        return schema_of<typename T::value_type>();
    } else if constexpr (is_bytes<T>) {
        return {{"type", "string"}, {"contentEncoding", "base64"}};
    } else if constexpr (is_list<T>::value) {
        json out = {{"type", "array"}, {"items", schema_of<typename T::value_type>()}};
        if constexpr (!requires(T list) { list.emplace_back(); }) {
            out["minItems"] = out["maxItems"] = std::tuple_size_v<T>;
        }
        return out;
    } else if constexpr (std::is_enum_v<T>) {
        return {{"type", "string"}, {"enum", enumerator_names<T>()}};
    } else if constexpr (std::is_same_v<T, std::string>) {
        return {{"type", "string"}};
    } else if constexpr (std::is_same_v<T, bool>) {
        return {{"type", "boolean"}};
    } else if constexpr (std::is_integral_v<T>) {
        json out = {{"type", "integer"}, {"minimum", 0}};
        if constexpr (sizeof(T) < 8) {
            out["maximum"] = std::numeric_limits<T>::max();
        }
        return out;
    } else if constexpr (std::is_floating_point_v<T>) {
        return {{"type", "number"}};
    } else {
        json members = json::object();
        json needed = json::array();
        for_each_member<T>([&](auto member) {
            using value = std::decay_t<decltype(std::declval<T>().*member.pointer)>;
            members[member.name] = schema_of<value>();
            if constexpr (!is_optional<value>::value) {
                needed.push_back(member.name);
            }
        });
        return {{"type", "object"},
                {"properties", members},
                {"required", needed},
                {"additionalProperties", false}};
    }
}

/// Of parameters nothing is required; what is missing is as a default constructed object has it.
template <class T>
json parameters_schema_of() {
    json out = schema_of<T>();
    out.erase("required");
    const json preset = to_json(T{}, answer_form::json);
    for (auto& [name, member] : out["properties"].items()) {
        if (preset.contains(name)) {
            member["default"] = preset[name];
        }
    }
    return out;
}

}  // namespace detail

using detail::from_json;
using detail::parameters_schema_of;
using detail::schema_of;
using detail::to_json;

}  // namespace fleetarium::feed
