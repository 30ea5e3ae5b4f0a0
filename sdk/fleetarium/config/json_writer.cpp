#include <fleetarium/config/json_document.hpp>

#include <utility>

namespace fleetarium::config {

namespace {

void write(std::string& out, const json_value& value, bool pretty, std::size_t level);

void new_line(std::string& out, std::size_t level) {
    out += '\n';
    out.append(2 * level, ' ');
}

/// Arrays of plain values stay on one line where it is not long.
bool on_one_line(const json_value& array) {
    std::size_t size = 0;
    for (const auto& element : array.elements) {
        if (element.kind == json_kind::array || element.kind == json_kind::object) {
            return false;
        }
        size += element.text.size() + 4;
    }
    return size <= 72;
}

void write_array(std::string& out, const json_value& value, bool pretty, std::size_t level) {
    const bool lines = pretty && !on_one_line(value);
    out += '[';
    for (std::size_t i = 0; i < value.elements.size(); ++i) {
        if (i != 0) {
            out += pretty && !lines ? ", " : ",";
        }
        if (lines) {
            new_line(out, level + 1);
        }
        write(out, value.elements[i], pretty, level + 1);
    }
    if (lines && !value.elements.empty()) {
        new_line(out, level);
    }
    out += ']';
}

void write_object(std::string& out, const json_value& value, bool pretty, std::size_t level) {
    out += '{';
    for (std::size_t i = 0; i < value.members.size(); ++i) {
        if (i != 0) {
            out += ',';
        }
        if (pretty) {
            new_line(out, level + 1);
        }
        out += json_quoted(value.members[i].name);
        out += pretty ? ": " : ":";
        write(out, value.members[i].value, pretty, level + 1);
    }
    if (pretty && !value.members.empty()) {
        new_line(out, level);
    }
    out += '}';
}

void write(std::string& out, const json_value& value, bool pretty, std::size_t level) {
    switch (value.kind) {
        case json_kind::null: out += "null"; break;
        case json_kind::boolean: out += value.boolean ? "true" : "false"; break;
        case json_kind::number: out += value.text; break;
        case json_kind::string: out += json_quoted(value.text); break;
        case json_kind::array: write_array(out, value, pretty, level); break;
        case json_kind::object: write_object(out, value, pretty, level); break;
    }
}

}  // namespace

std::string json_quoted(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\"";
    for (const char letter : text) {
        const auto byte = static_cast<unsigned char>(letter);
        if (letter == '"' || letter == '\\') {
            out += '\\';
            out += letter;
        } else if (letter == '\n') {
            out += "\\n";
        } else if (letter == '\t') {
            out += "\\t";
        } else if (letter == '\r') {
            out += "\\r";
        } else if (byte < 0x20 || byte == 0x7F) {
            out += "\\u00";
            out += digits[byte >> 4U];
            out += digits[byte & 0xFU];
        } else {
            out += letter;
        }
    }
    return out + '"';
}

std::string json_compact(const json_value& value) {
    std::string out;
    write(out, value, false, 0);
    return out;
}

std::string json_pretty(const json_value& value) {
    std::string out;
    write(out, value, true, 0);
    return out;
}

json_value json_string(std::string_view text) {
    json_value value;
    value.kind = json_kind::string;
    value.text = text;
    return value;
}

json_value json_number(std::string_view text) {
    json_value value;
    value.kind = json_kind::number;
    value.text = text;
    return value;
}

json_value json_boolean(bool truth) {
    json_value value;
    value.kind = json_kind::boolean;
    value.boolean = truth;
    return value;
}

json_value json_array(std::vector<json_value> elements) {
    json_value value;
    value.kind = json_kind::array;
    value.elements = std::move(elements);
    return value;
}

json_value json_object(std::vector<json_member> members) {
    json_value value;
    value.kind = json_kind::object;
    value.members = std::move(members);
    return value;
}

}  // namespace fleetarium::config
