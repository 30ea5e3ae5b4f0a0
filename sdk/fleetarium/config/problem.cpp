#include <fleetarium/config/problem.hpp>

#include <fleetarium/config/json_document.hpp>

#include <algorithm>
#include <cstddef>

namespace fleetarium::config {

namespace {

constexpr std::size_t quoted_length_max = 60;

/// Edit distance with swaps of neighbours ("optimal string alignment"), letters without case.
std::size_t edit_distance(std::string_view left, std::string_view right) {
    const auto lower = [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    };
    const std::size_t width = right.size() + 1;
    std::vector<std::size_t> before(width);
    std::vector<std::size_t> above(width);
    std::vector<std::size_t> row(width);
    for (std::size_t j = 0; j < width; ++j) {
        above[j] = j;
    }
    for (std::size_t i = 1; i <= left.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j < width; ++j) {
            const char a = lower(left[i - 1]);
            const char b = lower(right[j - 1]);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a == b ? 0U : 1U)});
            if (i > 1 && j > 1 && a == lower(right[j - 2]) && lower(left[i - 2]) == b) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
        std::swap(before, above);
        std::swap(above, row);
    }
    return above[right.size()];
}

}  // namespace

std::string to_string(const problem& item) {
    std::string text = item.file;
    if (item.line != 0) {
        text += (text.empty() ? "" : ":") + std::to_string(item.line) + ':' +
                std::to_string(item.column);
    }
    if (!text.empty()) {
        text += ": ";
    }
    if (!item.pointer.empty()) {
        text += item.pointer + ": ";
    }
    text += "found " + item.found;
    if (!item.expected.empty()) {
        text += ", expected " + item.expected;
    }
    if (!item.suggestion.empty()) {
        text += " (did you mean " + quoted(item.suggestion) + "?)";
    }
    return text;
}

std::string to_string(std::span<const problem> list) {
    std::string text;
    for (const auto& item : list) {
        text += to_string(item) + '\n';
    }
    return text;
}

std::string nearest_name(std::string_view found, std::span<const std::string_view> candidates) {
    std::string_view nearest;
    std::size_t least = std::max<std::size_t>(1, 2 * found.size() / 5) + 1;
    for (const std::string_view candidate : candidates) {
        std::size_t distance = edit_distance(found, candidate);
        if (found.size() >= 3 && candidate.starts_with(found)) {
            distance = std::min<std::size_t>(distance, 1);  // given up half-way
        }
        // Longer than the distance, or any word would do for a short one.
        if (distance < least && distance < candidate.size()) {
            nearest = candidate;
            least = distance;
        }
    }
    return std::string(nearest);
}

std::string quoted(std::string_view text) {
    if (text.size() <= quoted_length_max) {
        return json_quoted(text);
    }
    std::size_t end = quoted_length_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
        --end;  // not in the middle of a character
    }
    return json_quoted(std::string(text.substr(0, end)) + "...");
}

std::string joined_with_or(std::span<const std::string_view> words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i != 0) {
            text += i + 1 == words.size() ? " or " : ", ";
        }
        text += words[i];
    }
    return text;
}

std::string pointer_to(std::string_view parent, std::string_view token) {
    std::string pointer(parent);
    pointer += '/';
    for (const char letter : token) {
        if (letter == '~') {
            pointer += "~0";
        } else if (letter == '/') {
            pointer += "~1";
        } else {
            pointer += letter;
        }
    }
    return pointer;
}

std::string pointer_to(std::string_view parent, std::size_t index) {
    return pointer_to(parent, std::string_view(std::to_string(index)));
}

}  // namespace fleetarium::config
