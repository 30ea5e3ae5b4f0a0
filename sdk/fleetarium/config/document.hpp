#pragma once

#include <fleetarium/config/json_document.hpp>
#include <fleetarium/config/object_type.hpp>
#include <fleetarium/config/problem.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fleetarium::config {

/// The bytes of a file of at most `size_max`, or the problem; `noun` is for its message: "a
/// scenario file".
std::variant<std::string, std::vector<problem>> read_text_file(const std::string& path,
                                                               std::size_t size_max,
                                                               std::string_view noun);

namespace detail {

/// A JSON file on its way to an object: the tree of its text, values that command line options
/// put into it, and what is wrong.
class document {
public:
    /// Reads the text. The rest is for problems: `noun` is what it is, "a scenario", `example` a
    /// good assignment, "fleets.doors.count=10".
    document(std::string_view text, std::string_view file_name, std::string_view noun,
             std::string_view example);
    document(const document&) = delete;
    document& operator=(const document&) = delete;

    /// None after a syntax error.
    const json_value* root() const { return root_ ? &*root_ : nullptr; }

    /// Replaces or adds a value: `assignment` is `PATH=VALUE`, the path a JSON pointer
    /// (`/fleets/0/count`) or names with dots between them (`fleets.thermostats.count`), in which
    /// an element of a list is its number, its "name", or `-` for one more at the end. The value
    /// is JSON, or else text. Problems of it name `label` instead of the file.
    void set(std::string_view assignment, std::string label);

    /// Notes a problem of what `label` names.
    void report(std::string label, std::string found, std::string expected);

    /// Reads the tree into the object by its table; nothing without a root.
    template <class Object>
    void read(const object_type<Object>& type, Object& object) {
        if (root_) {
            read_object(in_, *root_, type, object);
        }
    }

    /// Adds what a check of the object found, with the places of its pointers, but without what
    /// only follows from a problem known.
    void add_checked(std::vector<problem> checked);

    /// In the order of the text; those of options last.
    std::vector<problem> take_problems();

private:
    json_value* step(json_value& value, const std::string& token, const text_position& at);
    void report_element(const json_value& list, const std::string& token, const text_position& at);

    std::string example_;
    std::vector<std::string> origins_;
    reading in_;
    std::vector<problem> problems_;
    std::optional<json_value> root_;
};

}  // namespace detail

}  // namespace fleetarium::config
