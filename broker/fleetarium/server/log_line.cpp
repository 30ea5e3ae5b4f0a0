#include <fleetarium/server/log_line.hpp>

#include <fleetarium/codec/topic.hpp>

#include <fmt/format.h>

#include <chrono>

namespace fleetarium::broker {

namespace {

/// How many bytes the first letter of a text in UTF-8 has, if it is one that moves a terminal's
/// cursor, begins a line, or turns the direction of writing; else 0.
std::size_t control_letter_size(std::string_view text) {
    const auto is_between = [&](std::size_t at, unsigned char least, unsigned char most) {
        return static_cast<unsigned char>(text[at]) >= least &&
               static_cast<unsigned char>(text[at]) <= most;
    };
    if (is_between(0, 0x00, 0x1F) || text[0] == 0x7F) {
        return 1;
    }
    if (text.starts_with('\xC2') && is_between(1, 0x80, 0x9F)) {  // U+0080 to U+009F
        return 2;
    }
    const bool is_line_or_turn =  // U+2028 to U+202E, U+2066 to U+2069
        (text.starts_with("\xE2\x80") && is_between(2, 0xA8, 0xAE)) ||
        (text.starts_with("\xE2\x81") && is_between(2, 0xA6, 0xA9));
    return is_line_or_turn ? 3 : 0;
}

void append_escaped(std::string& line, std::string_view text, bool is_text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = static_cast<unsigned char>(text[i]);
        std::size_t escaped = byte >= 0x80 && !is_text ? 1 : control_letter_size(text.substr(i));
        if (escaped == 0) {
            line += text[i++];
        }
        for (; escaped != 0; --escaped) {
            line += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i++]));
        }
    }
}

}  // namespace

std::string_view name_of(log_level level) {
    switch (level) {
        case log_level::debug: return "debug";
        case log_level::info: return "info";
        case log_level::warning: return "warning";
        case log_level::error: return "error";
    }
    return "?";
}

std::string log_line(log_level level, std::int64_t unix_milliseconds, std::string_view text) {
    using namespace std::chrono;
    const milliseconds since_1970(unix_milliseconds);
    const auto day = floor<days>(since_1970);
    const year_month_day date{sys_days(day)};
    const hh_mm_ss time(since_1970 - day);
    std::string line = fmt::format(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z {} ", int(date.year()), unsigned(date.month()),
        unsigned(date.day()), time.hours().count(), time.minutes().count(), time.seconds().count(),
        time.subseconds().count(), name_of(level));
    const bool is_text = is_valid_string(text);
    if (text.size() <= log_text_max) {
        append_escaped(line, text, is_text);
        return line + '\n';
    }
    // What happened stands at the end of most lines, and who it was at the beginning. Letters of
    // several bytes are not cut in two.
    const auto is_inside = [&](std::size_t at) {
        return is_text && at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
    };
    std::size_t begin = log_text_max / 2;
    std::size_t end = text.size() - log_text_max / 2;
    while (is_inside(begin)) {
        --begin;
    }
    while (is_inside(end)) {
        ++end;
    }
    append_escaped(line, text.substr(0, begin), is_text);
    line += fmt::format("[{} bytes left out]", end - begin);
    append_escaped(line, text.substr(end), is_text);
    return line + '\n';
}

}  // namespace fleetarium::broker
