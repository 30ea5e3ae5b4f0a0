#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

/// Files of lines, for access_file.cpp and password_file.cpp.
namespace fleetarium::broker {

/// Calls `use(number from 1, line without its end)` for each line.
template <class Use>
void for_each_line(std::string_view text, Use&& use) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text.starts_with(byte_order_mark)) {
        text.remove_prefix(byte_order_mark.size());
    }
    for (std::uint32_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        use(number, line);
    }
}

/// Without blanks at both ends.
std::string_view trimmed(std::string_view text);

/// Takes the first word off a trimmed text and the blanks behind it.
std::string_view take_word(std::string_view& text);

/// The column, from 1 and in characters, of a part of the line.
std::uint32_t column_of(std::string_view line, std::string_view part);

}  // namespace fleetarium::broker
