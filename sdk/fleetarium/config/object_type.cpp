#include <fleetarium/config/object_type.hpp>

namespace fleetarium::config::detail {

void report_unknown(reading& in, const json_member& member, std::string_view noun,
                    const std::vector<std::string_view>& names) {
    auto nearest = nearest_name(member.name, names);
    const std::string expected =
        nearest.empty() ? "one of " + joined_with_or(names) : "a field of " + std::string(noun);
    in.inside(member.name, [&] {
        in.report(member.position, "the unknown field " + quoted(member.name), expected,
                  std::move(nearest));
    });
}

json_value field_schema(json_value schema, std::string_view description, std::string_view example,
                        const std::optional<json_value>& preset) {
    // The field's own description stands above that of its kind of value.
    std::erase_if(schema.members,
                  [](const json_member& item) { return item.name == "description"; });
    schema.members.push_back(schema_member("description", json_string(description)));
    if (preset) {
        schema.members.push_back(schema_member("default", *preset));
    }
    if (auto parsed = parse_json(example); parsed.root) {
        schema.members.push_back(schema_member("examples", json_array({std::move(*parsed.root)})));
    }
    return schema;
}

std::string schema_text(std::string_view title, json_value reference, definitions all) {
    // The object itself is the schema's root; "$schema" in a file names the schema for editors.
    auto root = json_object(
        {schema_member("$schema", json_string("https://json-schema.org/draft/2020-12/schema")),
         schema_member("title", json_string(title))});
    root.members.push_back(std::move(reference.members.front()));
    root.members.push_back(schema_member("$defs", json_object(std::move(all))));
    return json_pretty(root) + '\n';
}

}  // namespace fleetarium::config::detail
