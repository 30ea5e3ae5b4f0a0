#include <fleetarium/sim/behaviour_values.hpp>

#include <algorithm>
#include <charconv>

namespace fleetarium::sim::detail {

// Slots

void variable_pool::release(const variable_slot& slot) {
    if ((slot.flags_ & pooled_bit) == 0) {
        return;
    }
    const std::uint32_t index = pool_index(slot);
    entry& held = entries_[index];
    if (--held.uses == 0) {
        ids_.erase(ids_.find(*held.text));
        held.text = nullptr;
        free_.push_back(index);
    }
}

void variable_pool::set(variable_slot& slot, value_view value) {
    variable_slot made;
    made.flags_ = value.bare ? bare_bit : std::uint8_t{0};
    if (value.text.size() <= variable_slot::short_max) {
        std::copy(value.text.begin(), value.text.end(), made.text_.begin());
        made.size_ = static_cast<std::uint8_t>(value.text.size());
    } else {
        made.flags_ |= pooled_bit;
        auto place = ids_.find(value.text);
        if (place == ids_.end()) {
            std::uint32_t index = static_cast<std::uint32_t>(entries_.size());
            if (free_.empty()) {
                entries_.emplace_back();
            } else {
                index = free_.back();
                free_.pop_back();
            }
            place = ids_.emplace(std::string(value.text), index).first;
            entries_[index].text = &place->first;
        }
        ++entries_[place->second].uses;
        std::memcpy(made.text_.data(), &place->second, sizeof place->second);
    }
    release(slot);
    slot = made;
}

// Comparing

namespace {

bool is_digit(char each) { return each >= '0' && each <= '9'; }

std::optional<double> number_of(std::string_view text) {
    double number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

/// A run of digits at the beginning, without leading zeros; taken off.
std::string_view take_digits(std::string_view& text) {
    const auto end = std::find_if_not(text.begin(), text.end(), is_digit);
    std::string_view digits = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    text.remove_prefix(digits.size());
    digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
    return digits;
}

std::weak_ordering compare_naturally(std::string_view left, std::string_view right) {
    while (!left.empty() && !right.empty()) {
        if (is_digit(left.front()) && is_digit(right.front())) {
            const std::string_view a = take_digits(left);
            const std::string_view b = take_digits(right);
            if (a.size() != b.size()) {
                return a.size() <=> b.size();
            }
            if (const int order = a.compare(b); order != 0) {
                return order <=> 0;
            }
            continue;
        }
        const auto a = static_cast<unsigned char>(left.front());
        const auto b = static_cast<unsigned char>(right.front());
        if (a != b) {
            return a <=> b;
        }
        left.remove_prefix(1);
        right.remove_prefix(1);
    }
    return left.size() <=> right.size();
}

}  // namespace

std::weak_ordering compare_values(value_view left, value_view right) {
    if (left.bare || right.bare) {
        const auto a = number_of(left.text);
        const auto b = number_of(right.text);
        if (a && b) {
            return *a < *b   ? std::weak_ordering::less
                   : *a > *b ? std::weak_ordering::greater
                             : std::weak_ordering::equivalent;
        }
    }
    return compare_naturally(left.text, right.text);
}

std::optional<double> number_of_value(value_view value) { return number_of(value.text); }

std::string_view number_view(double number, std::array<char, 32>& room) {
    const auto end = std::to_chars(room.data(), room.data() + room.size(), number).ptr;
    return {room.data(), static_cast<std::size_t>(end - room.data())};
}

// JSON

namespace {

constexpr std::string_view json_spaces = " \t\r\n";

/// A cursor over JSON that may be wrong anywhere: each step says whether it went well.
class json_cursor {
public:
    explicit json_cursor(std::string_view text) : rest_(text) {}

    char peek() {
        rest_.remove_prefix(std::min(rest_.find_first_not_of(json_spaces), rest_.size()));
        return rest_.empty() ? '\0' : rest_.front();
    }

    bool take(char wanted) {
        if (peek() != wanted) {
            return false;
        }
        rest_.remove_prefix(1);
        return true;
    }

    /// A string's inside as it is written.
    bool take_string(std::string_view& inside) {
        if (!take('"')) {
            return false;
        }
        for (std::size_t i = 0; i < rest_.size(); ++i) {
            if (rest_[i] == '\\') {
                ++i;
            } else if (rest_[i] == '"') {
                inside = rest_.substr(0, i);
                rest_.remove_prefix(i + 1);
                return true;
            }
        }
        return false;
    }

    /// A value as it is written, of any depth.
    bool take_value(std::string_view& written) {
        const char first = peek();
        const std::string_view begin = rest_;
        std::string_view inside;
        if (first == '"') {
            if (!take_string(inside)) {
                return false;
            }
        } else if (first == '{' || first == '[') {
            std::size_t depth = 0;
            do {
                const char each = peek();
                if (each == '"') {
                    if (!take_string(inside)) {
                        return false;
                    }
                    continue;
                }
                if (each == '\0') {
                    return false;
                }
                depth += each == '{' || each == '[';
                depth -= each == '}' || each == ']';
                rest_.remove_prefix(1);
            } while (depth != 0);
        } else {
            const auto end = std::min(rest_.find_first_of(",]} \t\r\n"), rest_.size());
            if (end == 0) {
                return false;
            }
            rest_.remove_prefix(end);
        }
        written = begin.substr(0, begin.size() - rest_.size());
        return true;
    }

private:
    std::string_view rest_;
};

void append_utf8(std::string& out, std::uint32_t code) {
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0 | code >> 6);
        out += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x1'0000) {
        out += static_cast<char>(0xE0 | code >> 12);
        out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (code & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | code >> 18);
        out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
        out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (code & 0x3F));
    }
}

bool take_hex(std::string_view& text, std::uint32_t& code) {
    if (text.size() < 4) {
        return false;
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + 4, code, 16);
    const bool good = error == std::errc() && end == text.data() + 4;
    text.remove_prefix(4);
    return good;
}

bool unescape(std::string_view written, std::string& out) {
    out.clear();
    while (!written.empty()) {
        if (written.front() != '\\') {
            out += written.front();
            written.remove_prefix(1);
            continue;
        }
        constexpr std::string_view codes = "\"\\/bfnrt";
        constexpr std::string_view meant = "\"\\/\b\f\n\r\t";
        if (written.size() < 2) {
            return false;
        }
        const char code = written[1];
        written.remove_prefix(2);
        if (const auto place = codes.find(code); place != codes.npos) {
            out += meant[place];
            continue;
        }
        std::uint32_t point = 0;
        if (code != 'u' || !take_hex(written, point)) {
            return false;
        }
        std::uint32_t low = 0;
        if (point >= 0xD800 && point < 0xDC00 && written.starts_with("\\u")) {
            written.remove_prefix(2);
            if (!take_hex(written, low) || low < 0xDC00 || low > 0xDFFF) {
                return false;
            }
            point = 0x1'0000 + ((point - 0xD800) << 10) + (low - 0xDC00);
        }
        append_utf8(out, point);
    }
    return true;
}

}  // namespace

std::optional<value_view> find_json_member(std::string_view json, std::string_view path,
                                           std::string& room) {
    if (path.empty()) {
        return value_view{json, false};
    }
    json_cursor cursor(json);
    std::string_view written;
    while (!path.empty()) {
        const auto point = std::min(path.find('.'), path.size());
        const std::string_view name = path.substr(0, point);
        path.remove_prefix(std::min(point + 1, path.size()));
        bool found = false;
        if (cursor.take('{')) {
            std::string_view member;
            while (!found) {
                if (!cursor.take_string(member) || !cursor.take(':')) {
                    return std::nullopt;
                }
                found = member == name;
                if (!found && (!cursor.take_value(written) || !cursor.take(','))) {
                    return std::nullopt;
                }
            }
        } else if (cursor.take('[')) {
            std::size_t place = 0;
            const auto [end, error] =
                std::from_chars(name.data(), name.data() + name.size(), place);
            if (name.empty() || error != std::errc() || end != name.data() + name.size()) {
                return std::nullopt;
            }
            for (; place != 0; --place) {
                if (!cursor.take_value(written) || !cursor.take(',')) {
                    return std::nullopt;
                }
            }
        } else {
            return std::nullopt;
        }
    }
    if (!cursor.take_value(written)) {
        return std::nullopt;
    }
    if (!written.starts_with('"')) {
        return value_view{written, true};
    }
    const std::string_view inside = written.substr(1, written.size() - 2);
    if (inside.find('\\') == inside.npos) {
        return value_view{inside, false};
    }
    return unescape(inside, room) ? std::optional(value_view{room, false}) : std::nullopt;
}

}  // namespace fleetarium::sim::detail
