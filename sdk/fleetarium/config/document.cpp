#include <fleetarium/config/document.hpp>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <tuple>

namespace fleetarium::config {

std::variant<std::string, std::vector<problem>> read_text_file(const std::string& path,
                                                               std::size_t size_max,
                                                               std::string_view noun) {
    const auto unreadable = [&](std::string found) {
        return std::vector{problem{path, 0, 0, {}, std::move(found), std::string(noun), {}}};
    };
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return unreadable("no file that can be read (" + std::string(std::strerror(errno)) + ")");
    }
    std::string text;
    char block[64 * 1024];
    while (file.read(block, sizeof block) || file.gcount() > 0) {
        text.append(block, static_cast<std::size_t>(file.gcount()));
        if (text.size() > size_max) {
            return unreadable("more than " + std::to_string(size_max) + " bytes");
        }
    }
    if (file.bad()) {
        return unreadable("something that cannot be read");
    }
    return text;
}

namespace detail {

namespace {

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

}  // namespace

document::document(std::string_view text, std::string_view file_name, std::string_view noun,
                   std::string_view example)
    : example_(example), origins_{std::string(file_name)}, in_(origins_) {
    auto parsed = parse_json(text, 0, noun);
    for (auto& fault : parsed.faults) {
        in_.report(fault.position, std::move(fault.found), std::move(fault.expected));
    }
    root_ = std::move(parsed.root);
}

void document::set(std::string_view assignment, std::string label) {
    if (!root_) {
        return;
    }
    const text_position at{0, 0, static_cast<std::uint32_t>(origins_.size())};
    origins_.push_back(std::move(label));
    const auto equals = assignment.find('=');
    if (equals == std::string_view::npos || equals == 0) {
        in_.report(at, quoted(assignment), "PATH=VALUE, such as " + example_);
        return;
    }
    json_value* target = &*root_;
    for (const auto& token : tokens_of_path(assignment.substr(0, equals))) {
        target = step(*target, token, at);
        if (target == nullptr) {
            return;
        }
    }
    const std::string_view text = assignment.substr(equals + 1);
    auto parsed = parse_json(text, at.origin);
    json_value value =
        parsed.root && parsed.faults.empty() ? std::move(*parsed.root) : json_string(text);
    value.position.origin = at.origin;
    *target = std::move(value);
}

void document::report(std::string label, std::string found, std::string expected) {
    problems_.push_back({std::move(label), 0, 0, {}, std::move(found), std::move(expected), {}});
}

/// One token further; members that are not there are made.
json_value* document::step(json_value& value, const std::string& token, const text_position& at) {
    if (value.kind == json_kind::array) {
        if (token == "-") {
            auto& made = value.elements.emplace_back();
            made.position = at;
            return &made;
        }
        json_value* const element = find_element(value, token);
        if (element == nullptr) {
            report_element(value, token, at);
        }
        return element;
    }
    if (value.kind != json_kind::object) {
        // A place just made, or a value that is replaced by an object.
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

void document::report_element(const json_value& list, const std::string& token,
                              const text_position& at) {
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

void document::add_checked(std::vector<problem> checked) {
    if (!root_ || root_->kind != json_kind::object) {
        return;  // the problem known is that of the whole
    }
    const std::vector<problem> known = in_.take_problems();
    for (auto& item : checked) {
        const bool follows = std::any_of(known.begin(), known.end(), [&](const problem& other) {
            return !other.pointer.empty() && (is_inside(item.pointer, other.pointer) ||
                                              is_inside(other.pointer, item.pointer));
        });
        if (follows) {
            continue;
        }
        const auto position = find_position(*root_, item.pointer);
        item.file = origins_[position.origin];
        if (position.origin == 0) {
            item.line = position.line;
            item.column = position.column;
        }
        problems_.push_back(std::move(item));
    }
    problems_.insert(problems_.begin(), known.begin(), known.end());
}

std::vector<problem> document::take_problems() {
    auto read = in_.take_problems();
    problems_.insert(problems_.end(), std::make_move_iterator(read.begin()),
                     std::make_move_iterator(read.end()));
    std::stable_sort(problems_.begin(), problems_.end(), [&](const problem& a, const problem& b) {
        const auto place = [&](const problem& item) {
            return std::tuple(item.file != origins_[0], item.line, item.column);
        };
        return place(a) < place(b);
    });
    return std::move(problems_);
}

}  // namespace detail

}  // namespace fleetarium::config
