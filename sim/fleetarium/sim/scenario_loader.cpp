#include <fleetarium/sim/scenario_loader.hpp>

#include <fleetarium/core/limits.hpp>
#include <fleetarium/sim/json_document.hpp>
#include <fleetarium/sim/scenario_fields.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <tuple>

namespace fleetarium::sim {

namespace {

using detail::reading;

std::vector<std::string> tokens_of_pointer(std::string_view pointer) {
    std::vector<std::string> tokens;
    while (!pointer.empty()) {
        pointer.remove_prefix(1);
        const auto end = std::min(pointer.find('/'), pointer.size());
        std::string token;
        for (std::size_t i = 0; i < end; ++i) {
            if (pointer[i] == '~' && i + 1 < end &&
                (pointer[i + 1] == '0' || pointer[i + 1] == '1')) {
                token += pointer[++i] == '0' ? '~' : '/';
            } else {
                token += pointer[i];
            }
        }
        tokens.push_back(std::move(token));
        pointer.remove_prefix(end);
    }
    return tokens;
}

std::vector<std::string> tokens_of_path(std::string_view path) {
    if (path.starts_with('/')) {
        return tokens_of_pointer(path);
    }
    std::vector<std::string> tokens;
    for (;;) {
        const auto end = std::min(path.find('.'), path.size());
        tokens.emplace_back(path.substr(0, end));
        if (end == path.size()) {
            return tokens;
        }
        path.remove_prefix(end + 1);
    }
}

std::optional<std::size_t> index_of(std::string_view token) {
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
    if (token.empty() || error != std::errc() || end != token.data() + token.size()) {
        return std::nullopt;
    }
    return index;
}

/// The element of a list that `token` means: the one of that name, or else of that number.
json_value* find_element(json_value& list, std::string_view token) {
    for (auto& element : list.elements) {
        const json_value* const name = element.find("name");
        if (name != nullptr && name->kind == json_kind::string && name->text == token) {
            return &element;
        }
    }
    const auto index = index_of(token);
    return index && *index < list.elements.size() ? &list.elements[*index] : nullptr;
}

/// Puts the values of overrides into the tree.
class overrider {
public:
    overrider(json_value& root, reading& in) : root_(root), in_(in) {}

    void apply(std::string_view option, std::uint32_t origin) {
        const text_position at{0, 0, origin};
        const auto equals = option.find('=');
        if (equals == std::string_view::npos || equals == 0) {
            in_.report(at, quoted(option), "PATH=VALUE, such as fleets.doors.count=10");
            return;
        }
        json_value* target = &root_;
        for (const auto& token : tokens_of_path(option.substr(0, equals))) {
            target = step(*target, token, at);
            if (target == nullptr) {
                return;
            }
        }
        const std::string_view text = option.substr(equals + 1);
        auto parsed = parse_json(text, origin);
        json_value value =
            parsed.root && parsed.faults.empty() ? std::move(*parsed.root) : json_string(text);
        value.position.origin = origin;
        *target = std::move(value);
    }

private:
    /// One token further; members that are not there are made.
    json_value* step(json_value& value, const std::string& token, const text_position& at) {
        if (value.kind == json_kind::array) {
            json_value* const element = find_element(value, token);
            if (element == nullptr) {
                report_element(value, token, at);
            }
            return element;
        }
        if (value.kind != json_kind::object) {
            // A place just made, or a value that the override replaces by an object.
            const auto position = value.position;
            value = json_object({});
            value.position = position;
        }
        if (json_value* const member = value.find(token); member != nullptr) {
            return member;
        }
        auto& made = value.members.emplace_back(json_member{token, at, {}});
        made.value.position = at;
        return &made.value;
    }

    void report_element(const json_value& list, const std::string& token, const text_position& at) {
        std::vector<std::string_view> names;
        for (const auto& element : list.elements) {
            const json_value* const name = element.find("name");
            if (name != nullptr && name->kind == json_kind::string) {
                names.push_back(name->text);
            }
        }
        const auto count = std::to_string(list.elements.size());
        in_.report(at, quoted(token),
                   names.empty() ? "a number below " + count
                                 : joined_with_or(names) + ", or a number below " + count,
                   nearest_name(token, names));
    }

    json_value& root_;
    reading& in_;
};

/// Where the value of a pointer is written; of a value that is not there, what it would be in.
text_position find_position(const json_value& root, std::string_view pointer) {
    const json_value* value = &root;
    for (const auto& token : tokens_of_pointer(pointer)) {
        const json_value* next = nullptr;
        if (value->kind == json_kind::array) {
            const auto index = index_of(token);
            next = index && *index < value->elements.size() ? &value->elements[*index] : nullptr;
        } else {
            next = value->find(token);
        }
        if (next == nullptr) {
            break;
        }
        value = next;
    }
    return value->position;
}

bool is_inside(std::string_view pointer, std::string_view outer) {
    return pointer.starts_with(outer) &&
           (pointer.size() == outer.size() || pointer[outer.size()] == '/');
}

/// Adds what the check of the whole found, without what only follows from a problem known.
void add_checked(std::vector<problem>& problems, std::vector<problem> checked,
                 const json_value& root, std::span<const std::string> origins) {
    const auto known = problems.size();
    for (auto& item : checked) {
        const bool follows = std::any_of(
            problems.begin(), problems.begin() + static_cast<std::ptrdiff_t>(known),
            [&](const problem& other) {
                return !other.pointer.empty() && (is_inside(item.pointer, other.pointer) ||
                                                  is_inside(other.pointer, item.pointer));
            });
        if (follows) {
            continue;
        }
        const auto position = find_position(root, item.pointer);
        item.file = origins[position.origin];
        if (position.origin == 0) {
            item.line = position.line;
            item.column = position.column;
        }
        problems.push_back(std::move(item));
    }
}

std::vector<problem> unreadable(const std::string& path, std::string found, std::string expected) {
    return {problem{path, 0, 0, {}, std::move(found), std::move(expected), {}}};
}

}  // namespace

scenario_or_problems parse_scenario(std::string_view text, std::string_view file_name,
                                    std::span<const std::string> overrides) {
    std::vector<std::string> origins = {std::string(file_name)};
    for (const auto& option : overrides) {
        origins.push_back("--set " + option);
    }
    reading in(origins);
    auto document = parse_json(text);
    for (auto& fault : document.faults) {
        in.report(fault.position, std::move(fault.found), std::move(fault.expected));
    }
    scenario made;
    std::vector<problem> problems;
    if (document.root) {
        json_value& root = *document.root;
        overrider changes(root, in);
        for (std::size_t i = 0; i < overrides.size(); ++i) {
            changes.apply(overrides[i], static_cast<std::uint32_t>(i + 1));
        }
        detail::read_object(in, root, detail::scenario_type(), made);
        problems = in.take_problems();
        if (root.kind == json_kind::object) {
            add_checked(problems, check_scenario(made), root, origins);
        }
    } else {
        problems = in.take_problems();
    }
    if (problems.empty()) {
        return made;
    }
    std::stable_sort(problems.begin(), problems.end(), [&](const problem& a, const problem& b) {
        const auto place = [&](const problem& item) {
            return std::tuple(item.file != origins[0], item.line, item.column);
        };
        return place(a) < place(b);
    });
    return problems;
}

scenario_or_problems load_scenario(const std::string& path,
                                   std::span<const std::string> overrides) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return unreadable(path,
                          "no file that can be read (" + std::string(std::strerror(errno)) + ")",
                          "a scenario file");
    }
    std::string text;
    char block[64 * 1024];
    while (file.read(block, sizeof block) || file.gcount() > 0) {
        text.append(block, static_cast<std::size_t>(file.gcount()));
        if (text.size() > limits::scenario_size_max) {
            return unreadable(path,
                              "more than " + std::to_string(limits::scenario_size_max) + " bytes",
                              "a scenario file");
        }
    }
    if (file.bad()) {
        return unreadable(path, "something that cannot be read", "a scenario file");
    }
    return parse_scenario(text, path, overrides);
}

std::string scenario_schema() {
    detail::definitions all;
    auto reference = detail::object_schema(all, detail::scenario_type());
    // The scenario itself is the schema's root; "$schema" in a file names the schema for editors.
    auto root =
        json_object({detail::schema_member(
                         "$schema", json_string("https://json-schema.org/draft/2020-12/schema")),
                     detail::schema_member("title", json_string("Fleetarium scenario"))});
    root.members.push_back(std::move(reference.members.front()));
    root.members.push_back(detail::schema_member("$defs", json_object(std::move(all))));
    return json_pretty(root) + '\n';
}

}  // namespace fleetarium::sim
