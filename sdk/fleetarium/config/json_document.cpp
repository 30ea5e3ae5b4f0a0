#include <fleetarium/config/json_document.hpp>

#include <fleetarium/core/limits.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_set>

namespace fleetarium::config {

namespace {

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

bool is_word(char letter) {
    return is_digit(letter) || (letter >= 'a' && letter <= 'z') ||
           (letter >= 'A' && letter <= 'Z') || letter == '_' || letter == '+' || letter == '-' ||
           letter == '.';
}

/// Bytes of the well-formed UTF-8 character at the beginning of `text` (RFC 3629), or 0.
std::size_t character_size(std::string_view text) {
    const auto byte = [&](std::size_t i) {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
    };
    const auto follows = [&](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
    const unsigned first = byte(0);
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xC2 && first <= 0xDF) {
        return follows(1) ? 2 : 0;
    }
    if (first >= 0xE0 && first <= 0xEF) {
        const bool overlong = first == 0xE0 && byte(1) < 0xA0;
        const bool surrogate = first == 0xED && byte(1) >= 0xA0;
        return follows(1) && follows(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const bool overlong = first == 0xF0 && byte(1) < 0x90;
        const bool too_high = first == 0xF4 && byte(1) >= 0x90;
        return follows(1) && follows(2) && follows(3) && !overlong && !too_high ? 4 : 0;
    }
    return 0;
}

void append_utf8(std::string& text, std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xC0 | code >> 6);
        put(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(0xE0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    } else {
        put(0xF0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3F));
        put(0x80 | (code >> 6 & 0x3F));
        put(0x80 | (code & 0x3F));
    }
}

/// A recursive descent over the text. Each read_* begins at its token and leaves `at_` behind it;
/// false means that a syntax error was noted.
class parser {
public:
    parser(std::string_view text, std::uint32_t origin, std::string_view noun)
        : text_(text), noun_(noun), origin_(origin) {
        constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
        if (text_.starts_with(byte_order_mark)) {
            text_.remove_prefix(byte_order_mark.size());
        }
    }

    json_document run() {
        json_document document;
        json_value root;
        if (skip_space() && read_value(root, 0) && skip_space()) {
            if (at_ == text_.size()) {
                document.root = std::move(root);
            } else {
                fail("the end of the text: " + std::string(noun_) + " is one JSON value");
            }
        }
        document.faults = std::move(faults_);
        return document;
    }

private:
    /// The place of `at_`; remembered, so that a text is counted through once.
    text_position here() {
        while (counted_ < at_) {
            const auto byte = static_cast<unsigned char>(text_[counted_++]);
            if (byte == '\n') {
                ++line_;
                column_ = 1;
            } else if (counted_ == text_.size() ||
                       (static_cast<unsigned char>(text_[counted_]) & 0xC0U) != 0x80U) {
                ++column_;
            }
        }
        return {line_, column_, origin_};
    }

    char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }

    bool at_end() const { return at_ >= text_.size(); }

    /// What stands at `at_`, for people.
    std::string describe() const {
        if (at_end()) {
            return "the end of the text";
        }
        std::size_t end = at_;
        if (text_[at_] == '"') {
            end = text_.find_first_of("\"\n", at_ + 1);
            end = end == std::string_view::npos ? text_.size() : end;
            return std::string(text_.substr(at_, std::min<std::size_t>(end - at_ + 1, 60)));
        }
        while (end < text_.size() && is_word(text_[end]) && end - at_ < 60) {
            ++end;
        }
        if (end == at_) {
            const std::size_t size = character_size(text_.substr(at_));
            if (size == 0 || static_cast<unsigned char>(text_[at_]) < 0x20) {
                return "the byte " + std::to_string(static_cast<unsigned char>(text_[at_]));
            }
            end += size;
        }
        return '"' + std::string(text_.substr(at_, end - at_)) + '"';
    }

    bool fail(std::string expected) { return fail(describe(), std::move(expected)); }

    bool fail(std::string found, std::string expected) {
        return fail_at(here(), std::move(found), std::move(expected));
    }

    bool fail_at(text_position position, std::string found, std::string expected) {
        faults_.push_back({position, std::move(found), std::move(expected)});
        return false;
    }

    bool skip_space() {
        for (;;) {
            const char letter = peek();
            if (at_end()) {
                return true;
            }
            if (letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n') {
                ++at_;
            } else if (letter == '/' && peek(1) == '/') {
                at_ = std::min(text_.find('\n', at_), text_.size());
            } else if (letter == '/' && peek(1) == '*') {
                const auto end = text_.find("*/", at_ + 2);
                if (end == std::string_view::npos) {
                    return fail("a comment without its end", "\"*/\"");
                }
                at_ = end + 2;
            } else {
                return true;
            }
        }
    }

    bool read_value(json_value& value, std::size_t depth) {
        value.position = here();
        switch (peek()) {
            case '{':
            case '[':
                if (depth == limits::json_depth_max) {
                    return fail("arrays and objects inside one another more than " +
                                    std::to_string(limits::json_depth_max) + " deep",
                                "a flatter structure");
                }
                return peek() == '{' ? read_object(value, depth) : read_array(value, depth);
            case '"': value.kind = json_kind::string; return read_string(value.text);
            case '\'': return fail("a single quote", "a value; strings are in double quotes");
            default: return read_word(value);
        }
    }

    bool read_object(json_value& value, std::size_t depth) {
        value.kind = json_kind::object;
        const text_position opened = here();
        ++at_;
        if (!skip_space()) {
            return false;
        }
        std::unordered_set<std::string> names;
        while (peek() != '}') {
            json_member member;
            member.position = here();
            if (at_end()) {
                return unclosed(opened, "{", "}");
            }
            if (peek() != '"') {
                return fail(value.members.empty() ? "a name in double quotes, or \"}\""
                                                  : "a name in double quotes after \",\"");
            }
            if (!read_string(member.name) || !skip_space()) {
                return false;
            }
            if (peek() != ':') {
                return fail("\":\" after the name " + json_quoted(member.name));
            }
            ++at_;
            if (!skip_space() || !read_value(member.value, depth + 1) || !skip_space()) {
                return false;
            }
            if (names.insert(member.name).second) {
                value.members.push_back(std::move(member));
            } else {
                fail_at(member.position, json_quoted(member.name) + " a second time",
                        "each name once in an object");
            }
            if (!read_separator(opened, '{', '}')) {
                return false;
            }
        }
        ++at_;
        return true;
    }

    bool read_array(json_value& value, std::size_t depth) {
        value.kind = json_kind::array;
        const text_position opened = here();
        ++at_;
        if (!skip_space()) {
            return false;
        }
        while (peek() != ']') {
            if (at_end()) {
                return unclosed(opened, "[", "]");
            }
            if (!read_value(value.elements.emplace_back(), depth + 1) || !skip_space() ||
                !read_separator(opened, '[', ']')) {
                return false;
            }
        }
        ++at_;
        return true;
    }

    /// Behind a member or element: a comma with something after it, or (left there) the end.
    bool read_separator(text_position opened, char open, char close) {
        if (peek() == close && !at_end()) {
            return true;
        }
        if (at_end()) {
            return unclosed(opened, std::string(1, open), std::string(1, close));
        }
        if (peek() != ',') {
            return fail(std::string("\",\" or \"") + close + "\" after the value");
        }
        const text_position comma = here();
        ++at_;
        if (!skip_space()) {
            return false;
        }
        if (peek() == close && !at_end()) {
            return fail_at(comma, std::string("\",\" before \"") + close + '"',
                           "no comma after the last value");
        }
        return true;
    }

    bool unclosed(text_position opened, std::string open, std::string close) {
        return fail("the end of the text", '"' + close + "\" for the \"" + open + "\" of line " +
                                               std::to_string(opened.line));
    }

    bool read_string(std::string& value) {
        const text_position opened = here();
        ++at_;
        for (;;) {
            // Plain bytes in one go.
            const std::size_t begin = at_;
            while (!at_end() && text_[at_] != '"' && text_[at_] != '\\' &&
                   static_cast<unsigned char>(text_[at_]) >= 0x20) {
                const std::size_t size = character_size(text_.substr(at_));
                if (size == 0) {
                    return fail("a byte that is not UTF-8", "text in UTF-8");
                }
                at_ += size;
            }
            value.append(text_, begin, at_ - begin);
            if (at_end() || peek() == '\n' || peek() == '\r') {
                return fail_at(opened, "a string without its end", "a double quote on this line");
            }
            if (peek() == '"') {
                ++at_;
                return true;
            }
            if (peek() != '\\') {
                return fail("a control character in a string", "an escape such as \\n or \\u0007");
            }
            if (!read_escape(value)) {
                return false;
            }
        }
    }

    bool read_escape(std::string& value) {
        constexpr std::string_view letters = "\"\\/bfnrt";
        constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        if (const auto which = letters.find(peek(1)); which != letters.npos && peek(1) != '\0') {
            value += meanings[which];
            at_ += 2;
            return true;
        }
        std::uint32_t code = 0;
        if (peek(1) != 'u' || !read_hex(at_ + 2, code)) {
            return fail("the escape \"\\" + std::string(1, peek(1)) + '"',
                        "one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX (four hex digits)");
        }
        std::size_t size = 6;
        if (code >= 0xD800 && code <= 0xDFFF) {
            std::uint32_t low = 0;
            if (code >= 0xDC00 || peek(6) != '\\' || peek(7) != 'u' || !read_hex(at_ + 8, low) ||
                low < 0xDC00 || low > 0xDFFF) {
                return fail("half of a surrogate pair",
                            "\\uD8XX to \\uDBXX followed by \\uDCXX "
                            "to \\uDFXX");
            }
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            size = 12;
        }
        append_utf8(value, code);
        at_ += size;
        return true;
    }

    bool read_hex(std::size_t from, std::uint32_t& code) const {
        if (from + 4 > text_.size()) {
            return false;
        }
        const char* const begin = text_.data() + from;
        const auto [end, error] = std::from_chars(begin, begin + 4, code, 16);
        return error == std::errc() && end == begin + 4;
    }

    /// true, false, null or a number.
    bool read_word(json_value& value) {
        std::size_t end = at_;
        while (end < text_.size() && is_word(text_[end])) {
            ++end;
        }
        const std::string_view word = text_.substr(at_, end - at_);
        if (word == "true" || word == "false") {
            value.kind = json_kind::boolean;
            value.boolean = word == "true";
        } else if (word == "null") {
            value.kind = json_kind::null;
        } else if (is_number(word)) {
            value.kind = json_kind::number;
            value.text = word;
        } else if (!word.empty() &&
                   (is_digit(word[0]) || word[0] == '-' || word[0] == '+' || word[0] == '.')) {
            return fail(
                "a number as JSON writes it, such as 42, -0.5 or 1e6, or a string in "
                "double quotes");
        } else if (!word.empty()) {
            return fail("a value; strings are in double quotes");
        } else {
            return fail("a value");
        }
        at_ = end;
        return true;
    }

    /// RFC 8259 section 6: no leading zeros, no `+`, digits on both sides of the point.
    static bool is_number(std::string_view word) {
        std::size_t i = 0;
        const auto digits = [&] {
            const std::size_t begin = i;
            while (i < word.size() && is_digit(word[i])) {
                ++i;
            }
            return i - begin;
        };
        i += word.starts_with('-') ? 1 : 0;
        const std::size_t whole_begin = i;
        const std::size_t whole = digits();
        if (whole == 0 || (whole > 1 && word[whole_begin] == '0')) {
            return false;
        }
        if (i < word.size() && word[i] == '.') {
            ++i;
            if (digits() == 0) {
                return false;
            }
        }
        if (i < word.size() && (word[i] == 'e' || word[i] == 'E')) {
            ++i;
            i += i < word.size() && (word[i] == '+' || word[i] == '-') ? 1 : 0;
            if (digits() == 0) {
                return false;
            }
        }
        return i == word.size();
    }

    std::string_view text_;
    std::string_view noun_;
    std::uint32_t origin_;
    std::size_t at_ = 0;
    std::size_t counted_ = 0;
    std::uint32_t line_ = 1;
    std::uint32_t column_ = 1;
    std::vector<json_fault> faults_;
};

}  // namespace

const json_value* json_value::find(std::string_view name) const {
    const auto found = std::find_if(members.begin(), members.end(),
                                    [&](const json_member& item) { return item.name == name; });
    return found == members.end() ? nullptr : &found->value;
}

json_value* json_value::find(std::string_view name) {
    return const_cast<json_value*>(static_cast<const json_value*>(this)->find(name));
}

json_document parse_json(std::string_view text, std::uint32_t origin, std::string_view noun) {
    return parser(text, origin, noun).run();
}

std::optional<double> json_double(const json_value& value) {
    double number = 0;
    const char* const end = value.text.data() + value.text.size();
    if (value.kind != json_kind::number ||
        std::from_chars(value.text.data(), end, number).ec != std::errc()) {
        return std::nullopt;
    }
    return number;
}

std::optional<std::int64_t> json_integer(const json_value& value) {
    if (value.kind != json_kind::number) {
        return std::nullopt;
    }
    std::int64_t whole = 0;
    const char* const end = value.text.data() + value.text.size();
    if (const auto read = std::from_chars(value.text.data(), end, whole);
        read.ec == std::errc() && read.ptr == end) {
        return whole;
    }
    constexpr double exact_below = 0x1p53;
    const auto number = json_double(value);
    if (!number || std::abs(*number) >= exact_below || std::trunc(*number) != *number) {
        return std::nullopt;
    }
    return static_cast<std::int64_t>(*number);
}

}  // namespace fleetarium::config
