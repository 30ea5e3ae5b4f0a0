#include <fleetarium/server/text_lines.hpp>

namespace fleetarium::broker {

namespace {

constexpr std::string_view blanks = " \t";

}  // namespace

std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return text.substr(0, text.find_last_not_of(blanks) + 1);
}

std::string_view take_word(std::string_view& text) {
    const auto word = text.substr(0, text.find_first_of(blanks));
    text = trimmed(text.substr(word.size()));
    return word;
}

std::uint32_t column_of(std::string_view line, std::string_view part) {
    const auto before = line.substr(0, static_cast<std::size_t>(part.data() - line.data()));
    const auto letters = std::count_if(before.begin(), before.end(), [](char letter) {
        return (static_cast<unsigned char>(letter) & 0xC0U) != 0x80U;
    });
    return static_cast<std::uint32_t>(letters) + 1;
}

}  // namespace fleetarium::broker
