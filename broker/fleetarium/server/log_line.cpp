#include <fleetarium/server/log_line.hpp>

#include <fleetarium/codec/topic.hpp>

#include <fmt/format.h>

#include <chrono>

namespace fleetarium::broker {

namespace {

void append_escaped(std::string& line, std::string_view text, bool is_text) {
    for (const char letter : text) {
        const auto byte = static_cast<unsigned char>(letter);
        if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !is_text)) {
            line += fmt::format("\\x{:02x}", byte);
        } else {
            line += letter;
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
