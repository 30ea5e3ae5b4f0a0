#include <fleetarium/sim/message_tag.hpp>

namespace fleetarium::sim::detail {

namespace {

constexpr std::string_view member_begin = "\"fleetarium\":\"";
constexpr std::string_view trailer_begin = "#fleetarium:";

char* write_hex(char* at, std::uint64_t value, unsigned digits) {
    static constexpr char alphabet[] = "0123456789abcdef";
    for (unsigned i = digits; i-- > 0;) {
        *at++ = alphabet[value >> (4 * i) & 15];
    }
    return at;
}

bool read_hex(std::string_view text, std::uint64_t& out) {
    out = 0;
    for (const char each : text) {
        const bool is_digit = each >= '0' && each <= '9';
        if (!is_digit && !(each >= 'a' && each <= 'f')) {
            return false;
        }
        out = out << 4 | static_cast<std::uint64_t>(is_digit ? each - '0' : each - 'a' + 10);
    }
    return true;
}

constexpr duration microsecond = std::chrono::microseconds{1};

/// Whether `text` ends with `begin`, a tag and `end`; where all that begins is in `at`.
bool ends_tagged(std::string_view text, std::string_view begin, std::string_view end,
                 std::size_t& at) {
    const std::size_t size = begin.size() + tag_size + end.size();
    if (text.size() < size) {
        return false;
    }
    at = text.size() - size;
    return text.substr(at, begin.size()) == begin && text.ends_with(end) &&
           read_tag(text.substr(at + begin.size(), tag_size));
}

}  // namespace

tag_text to_text(const message_tag& tag) {
    tag_text out{};
    char* at = write_hex(out.data(), tag.run, 8);
    *at++ = '-';
    at = write_hex(at, tag.number, 16);
    *at++ = '-';
    write_hex(at, static_cast<std::uint64_t>(tag.made.time_since_epoch() / microsecond), 12);
    return out;
}

std::optional<message_tag> read_tag(std::string_view text) {
    std::uint64_t run = 0;
    std::uint64_t made = 0;
    message_tag out;
    if (text.size() != tag_size || text[8] != '-' || text[25] != '-' ||
        !read_hex(text.substr(0, 8), run) || !read_hex(text.substr(9, 16), out.number) ||
        !read_hex(text.substr(26), made)) {
        return std::nullopt;
    }
    out.run = static_cast<std::uint32_t>(run);
    out.made = instant{microsecond * static_cast<duration::rep>(made)};
    return out;
}

void add_tag(bytes_view payload, std::string_view tag, std::string& out) {
    const std::string_view text = as_text(payload);
    out.clear();
    if (text.size() < 2 || text.front() != '{' || text.back() != '}') {
        out.append(text).append(trailer_begin).append(tag);
        return;
    }
    const std::string_view body = text.substr(0, text.size() - 1);
    const bool has_members = body.find_last_not_of(" \t\r\n") != 0;
    out.append(body).append(has_members ? "," : "");
    out.append(member_begin).append(tag).append("\"}");
}

tagged_payload find_tag(bytes_view payload) {
    const std::string_view text = as_text(payload);
    std::size_t at = 0;
    if (ends_tagged(text, trailer_begin, {}, at)) {
        return {text.substr(at + trailer_begin.size()), at, {}};
    }
    if (ends_tagged(text, member_begin, "\"}", at)) {
        const bool has_members = at != 0 && text[at - 1] == ',';
        return {text.substr(at + member_begin.size(), tag_size), at - (has_members ? 1 : 0),
                text.substr(text.size() - 1)};
    }
    return {};
}

std::string_view find_tag(const user_properties& properties) {
    std::string_view found;
    properties.for_each([&](const user_property& each) {
        if (each.first == tag_name && read_tag(each.second)) {
            found = each.second;
        }
    });
    return found;
}

std::string_view find_tag(const publish& message) {
    const std::string_view found = find_tag(message.user_properties);
    return found.empty() ? find_tag(message.payload).tag : found;
}

}  // namespace fleetarium::sim::detail
