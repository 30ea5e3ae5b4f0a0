#pragma once

#include <fleetarium/config/value_types.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Tables of what a JSON file may say: each object with its fields, and each field with its name,
/// its kind of value, its default and its meaning. The reader, the messages, the writer and the
/// JSON Schema are all made from such a table.
namespace fleetarium::config::detail {

template <class Object>
struct field {
    std::string_view name;
    std::string_view description;
    std::string_view example;  ///< JSON
    bool required = false;
    std::string expected;
    std::function<void(reading&, const json_value&, Object&)> read;
    std::function<json_value(definitions&)> schema;
    /// What holds if the field is absent, taken from a default constructed object.
    std::function<std::optional<json_value>()> preset;
    /// The object's value as JSON that reads back as the same; none where "not set".
    std::function<std::optional<json_value>(const Object&)> write;
};

template <class Object>
struct object_type {
    std::string_view name;  ///< in the schema's `$defs`
    std::string_view noun;  ///< "a fleet"
    std::string_view description;
    std::vector<field<Object>> fields;
};

enum class need : bool { optional, required };

/// A field for what `access` (a pointer to member, or a function of the object that returns a
/// reference) leads to.
template <class Object, class T, class Access>
field<Object> make_field(std::string_view name, value_type<T> type, Access access,
                         std::string_view description, std::string_view example,
                         need required = need::optional) {
    return {name,
            description,
            example,
            required == need::required,
            type.expected,
            [read = type.read, access](reading& in, const json_value& value, Object& object) {
                read(in, value, std::invoke(access, object));
            },
            type.schema,
            [show = type.show, access]() {
                Object preset{};
                return show(std::invoke(access, preset));
            },
            [type, access](const Object& object) {
                // Access functions serve reading too, so they ask for what may be changed.
                return written(type, std::invoke(access, const_cast<Object&>(object)));
            }};
}

/// A field of an object that is a member of another, as a field of that other: it stands beside
/// the other's own in the file. `access` leads from the outer object to the inner.
template <class Outer, class Inner, class Access>
field<Outer> lifted(const field<Inner>& inner, Access access) {
    return {inner.name,
            inner.description,
            inner.example,
            inner.required,
            inner.expected,
            [read = inner.read, access](reading& in, const json_value& value, Outer& object) {
                read(in, value, std::invoke(access, object));
            },
            inner.schema,
            inner.preset,
            [write = inner.write, access](const Outer& object) {
                return write(std::invoke(access, const_cast<Outer&>(object)));
            }};
}

void report_unknown(reading& in, const json_member& member, std::string_view noun,
                    const std::vector<std::string_view>& names);

/// Reads the members in the order of the table, whatever their order in the text.
template <class Object>
void read_object(reading& in, const json_value& value, const object_type<Object>& type,
                 Object& object) {
    if (value.kind != json_kind::object) {
        in.report(value, std::string(type.noun) + " in braces");
        return;
    }
    std::vector<std::string_view> names;
    for (const auto& item : type.fields) {
        names.push_back(item.name);
        const json_value* const member = value.find(item.name);
        in.inside(item.name, [&] {
            if (member != nullptr) {
                item.read(in, *member, object);
            } else if (item.required) {
                in.report(value.position, std::string(type.noun) + " without " + quoted(item.name),
                          item.expected);
            }
        });
    }
    for (const auto& member : value.members) {
        if (std::find(names.begin(), names.end(), member.name) == names.end()) {
            report_unknown(in, member, type.noun, names);
        }
    }
}

/// The fields that are set, in the order of the table.
template <class Object>
json_value write_object(const object_type<Object>& type, const Object& object) {
    std::vector<json_member> members;
    for (const auto& item : type.fields) {
        if (auto value = item.write ? item.write(object) : std::nullopt) {
            members.push_back(schema_member(item.name, std::move(*value)));
        }
    }
    return json_object(std::move(members));
}

json_value field_schema(json_value schema, std::string_view description, std::string_view example,
                        const std::optional<json_value>& preset);

/// A reference to the definition of `type`, which is added to `all` if it is not there.
template <class Object>
json_value object_schema(definitions& all, const object_type<Object>& type) {
    const auto known = [&](const json_member& item) { return item.name == type.name; };
    if (std::none_of(all.begin(), all.end(), known)) {
        const auto place = all.size();
        all.push_back(schema_member(type.name, {}));  // first come, first in the list
        std::vector<json_member> properties;
        std::vector<json_value> required;
        for (const auto& item : type.fields) {
            properties.push_back(schema_member(
                item.name, field_schema(item.schema(all), item.description, item.example,
                                        item.required ? std::nullopt : item.preset())));
            if (item.required) {
                required.push_back(json_string(item.name));
            }
        }
        auto schema = schema_of({schema_member("type", json_string("object")),
                                 schema_member("description", json_string(type.description)),
                                 schema_member("properties", json_object(std::move(properties)))});
        if (!required.empty()) {
            schema.members.push_back(schema_member("required", json_array(std::move(required))));
        }
        schema.members.push_back(schema_member("additionalProperties", json_boolean(false)));
        all[place].value = std::move(schema);
    }
    return schema_of({schema_member("$ref", json_string("#/$defs/" + std::string(type.name)))});
}

/// Objects as values; `type` is one of the tables, which live for ever.
template <class Object>
value_type<Object> object_of(const object_type<Object>& type) {
    return {std::string(type.noun) + " in braces",
            [&type](reading& in, const json_value& value, Object& result) {
                read_object(in, value, type, result);
            },
            [&type](definitions& all) { return object_schema(all, type); },
            [](const Object&) { return std::nullopt; },
            [&type](const Object& value) { return std::optional(write_object(type, value)); }};
}

/// What editors look for in a file; it says nothing else.
template <class Object>
field<Object> schema_field(std::string_view example) {
    const auto type = text();
    return {"$schema",
            "For editors: where this schema is.",
            example,
            false,
            type.expected,
            [read = type.read](reading& in, const json_value& value, Object&) {
                std::string place;
                read(in, value, place);
            },
            type.schema,
            [] { return std::optional<json_value>(); },
            [](const Object&) { return std::optional<json_value>(); }};
}

/// The JSON Schema (draft 2020-12) of files with such an object.
std::string schema_text(std::string_view title, json_value reference, definitions all);
template <class Object>
std::string schema_text(std::string_view title, const object_type<Object>& type) {
    definitions all;
    auto reference = object_schema(all, type);
    return schema_text(title, std::move(reference), std::move(all));
}

}  // namespace fleetarium::config::detail
