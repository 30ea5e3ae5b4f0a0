#pragma once

#include <fleetarium/config/json_document.hpp>
#include <fleetarium/config/object_type.hpp>
#include <fleetarium/config/problem.hpp>

#include <catch2/catch.hpp>

#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A judge of JSON Schemas, apart from the reader that they are made beside.
namespace fleetarium::test {

using namespace config;

/// Validates what our schemas use of JSON Schema draft 2020-12; a word it does not know fails the
/// test, so that none goes unnoticed.
class validator {
public:
    explicit validator(const json_value& root) : root_(root) {}

    /// What is wrong with the value, or nothing.
    std::string check(const json_value& schema, const json_value& value) const {
        for (const auto& [word, position, argument] : schema.members) {
            const auto wrong = check_word(word, argument, schema, value);
            if (!wrong.empty()) {
                return wrong;
            }
        }
        return {};
    }

    std::string check(const json_value& value) const { return check(root_, value); }

    /// The schema that a reference leads to.
    const json_value& resolve(const json_value& schema) const {
        const auto* const reference = schema.find("$ref");
        if (reference == nullptr) {
            return schema;
        }
        constexpr std::string_view prefix = "#/$defs/";
        REQUIRE(reference->text.starts_with(prefix));
        const auto* const found = root_.find("$defs")->find(reference->text.substr(prefix.size()));
        REQUIRE(found != nullptr);
        return *found;
    }

private:
    static std::string type_of(const json_value& value) {
        switch (value.kind) {
            case json_kind::null: return "null";
            case json_kind::boolean: return "boolean";
            case json_kind::number: return json_integer(value) ? "integer" : "number";
            case json_kind::string: return "string";
            case json_kind::array: return "array";
            case json_kind::object: return "object";
        }
        return {};
    }

    static bool has_type(const json_value& wanted, const json_value& value) {
        if (wanted.kind == json_kind::array) {
            for (const auto& each : wanted.elements) {
                if (has_type(each, value)) {
                    return true;
                }
            }
            return false;
        }
        const auto type = type_of(value);
        return type == wanted.text || (type == "integer" && wanted.text == "number");
    }

    // NOLINTNEXTLINE(readability-function-size): flat dispatch.
    std::string check_word(const std::string& word, const json_value& argument,
                           const json_value& schema, const json_value& value) const {
        static const std::set<std::string> notes = {"$schema", "title",    "description",
                                                    "default", "examples", "$defs"};
        const bool is_text = value.kind == json_kind::string;
        const auto number = json_double(value);
        if (notes.contains(word)) {
            return {};
        }
        if (word == "$ref") {
            return check(resolve(schema), value);
        }
        if (word == "type") {
            return has_type(argument, value) ? "" : "type of " + json_compact(value);
        }
        if (word == "enum" || word == "const") {
            const auto shown = json_compact(value);
            if (word == "const" && json_compact(argument) == shown) {
                return {};
            }
            for (const auto& each : argument.elements) {
                if (json_compact(each) == shown) {
                    return {};
                }
            }
            return word + " of " + shown;
        }
        if (word == "anyOf") {
            for (const auto& each : argument.elements) {
                if (check(each, value).empty()) {
                    return {};
                }
            }
            return "anyOf of " + json_compact(value);
        }
        if (word == "minimum" || word == "maximum") {
            const bool good = !number || (word == "minimum" ? *number >= *json_double(argument)
                                                            : *number <= *json_double(argument));
            return good ? "" : word + " of " + json_compact(value);
        }
        if (word == "minLength") {
            const auto least = static_cast<std::size_t>(*json_integer(argument));
            return !is_text || value.text.size() >= least ? "" : word;
        }
        if (word == "pattern") {
            const bool good = !is_text || std::regex_search(value.text, std::regex(argument.text));
            return good ? "" : "pattern of " + json_compact(value);
        }
        if (word == "items") {
            for (const auto& element : value.elements) {
                if (auto wrong = check(argument, element); !wrong.empty()) {
                    return wrong;
                }
            }
            return {};
        }
        if (word == "required") {
            for (const auto& name : argument.elements) {
                if (value.kind == json_kind::object && value.find(name.text) == nullptr) {
                    return "required " + name.text;
                }
            }
            return {};
        }
        if (word == "properties") {
            for (const auto& member : value.members) {
                const auto* const inner = argument.find(member.name);
                auto wrong = inner != nullptr ? check(*inner, member.value) : std::string();
                if (!wrong.empty()) {
                    return member.name + ": " + wrong;
                }
            }
            return {};
        }
        if (word == "additionalProperties") {
            REQUIRE_FALSE(argument.boolean);
            const auto* const known = schema.find("properties");
            for (const auto& member : value.members) {
                if (known != nullptr && known->find(member.name) != nullptr) {
                    continue;
                }
                if (argument.kind == json_kind::boolean) {
                    return "additional " + member.name;
                }
                auto wrong = check(argument, member.value);
                if (!wrong.empty()) {
                    return member.name + ": " + wrong;
                }
            }
            return {};
        }
        return "the schema has the word " + word;
    }

    const json_value& root_;
};

inline json_value tree(std::string_view text) {
    auto document = parse_json(text);
    REQUIRE(document.root);
    REQUIRE(document.faults.empty());
    return std::move(*document.root);
}

/// Each field of an object: its example is good for the reader and for the schema, its default
/// for the schema, and the schema knows no other field.
template <class Object>
void compare_fields(const validator& judge, const json_value& root,
                    const config::detail::object_type<Object>& type) {
    const auto* const schema = root.find("$defs")->find(type.name);
    REQUIRE(schema != nullptr);
    const auto& properties = *schema->find("properties");
    CHECK(properties.members.size() == type.fields.size());
    const std::vector<std::string> origins = {"example"};
    for (const auto& field : type.fields) {
        INFO(type.name << "." << field.name);
        const auto* const property = properties.find(field.name);
        REQUIRE(property != nullptr);
        CHECK(property->find("description")->text == field.description);
        const auto example = tree(field.example);
        CHECK(judge.check(*property, example).empty());
        config::detail::reading in(origins);
        Object object{};
        field.read(in, example, object);
        CHECK(to_string(in.take_problems()).empty());
        if (const auto* const preset = property->find("default")) {
            CHECK(judge.check(*property, *preset).empty());
        }
    }
}

}  // namespace fleetarium::test
