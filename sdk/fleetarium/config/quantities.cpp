#include <fleetarium/config/quantities.hpp>

#include <array>
#include <limits>
#include <utility>

namespace fleetarium::config {

namespace {

struct unit {
    std::string_view name;
    std::uint64_t factor;
};

/// Largest first: the parts of a duration such as "1h30m" come in this order.
constexpr std::array<unit, 7> duration_units = {{
    {"d", 86'400'000'000'000},
    {"h", 3'600'000'000'000},
    {"m", 60'000'000'000},
    {"s", 1'000'000'000},
    {"ms", 1'000'000},
    {"us", 1'000},
    {"ns", 1},
}};

constexpr std::array<unit, 7> prefixes = {{
    {"", 1},
    {"k", 1'000},
    {"M", 1'000'000},
    {"G", 1'000'000'000},
    {"Ki", 1'024},
    {"Mi", 1'048'576},
    {"Gi", 1'073'741'824},
}};

constexpr auto amount_max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

/// A decimal number at the beginning of a text, as a fraction.
struct amount {
    std::uint64_t digits = 0;
    std::uint64_t scale = 1;  ///< a power of ten

    /// The amount times `factor`, if that is whole and below 2^63.
    std::optional<std::uint64_t> times(std::uint64_t factor) const {
        std::uint64_t by = factor;
        std::uint64_t over = scale;
        while (over > 1 && by % 10 == 0) {  // first what would only overflow
            by /= 10;
            over /= 10;
        }
        if (by != 0 && digits > amount_max / by) {
            return std::nullopt;
        }
        const std::uint64_t product = digits * by;
        return product % over == 0 ? std::optional(product / over) : std::nullopt;
    }
};

/// Takes the number off the text; none if it does not begin with one.
std::optional<amount> take_amount(std::string_view& text) {
    amount taken;
    std::size_t at = 0;
    std::size_t count = 0;
    bool behind_point = false;
    for (; at < text.size(); ++at) {
        if (text[at] == '.' && !behind_point && count != 0) {
            behind_point = true;
        } else if (is_digit(text[at])) {
            if (++count > 18) {
                return std::nullopt;
            }
            taken.digits = taken.digits * 10 + static_cast<std::uint64_t>(text[at] - '0');
            taken.scale *= behind_point ? 10U : 1U;
        } else {
            break;
        }
    }
    if (count == 0 || text[at - 1] == '.') {
        return std::nullopt;
    }
    text.remove_prefix(at);
    return taken;
}

std::string_view take_letters(std::string_view& text) {
    std::size_t at = 0;
    while (at < text.size() && !is_digit(text[at])) {
        ++at;
    }
    const auto letters = text.substr(0, at);
    text.remove_prefix(at);
    return letters;
}

std::optional<std::uint64_t> prefixed(std::string_view text, std::string_view base,
                                      std::uint64_t parts) {
    const auto number = take_amount(text);
    if (!number || !text.ends_with(base)) {
        return std::nullopt;
    }
    const std::string_view prefix = text.substr(0, text.size() - base.size());
    for (const auto& [name, factor] : prefixes) {
        if (name == prefix) {
            const auto whole = number->times(factor);
            return whole && *whole % parts == 0 ? std::optional(*whole / parts) : std::nullopt;
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<duration> parse_duration(std::string_view text) {
    std::uint64_t total = 0;
    std::size_t next_unit = 0;
    if (text.empty()) {
        return std::nullopt;
    }
    while (!text.empty()) {
        const auto number = take_amount(text);
        const auto letters = take_letters(text);
        while (next_unit < duration_units.size() && duration_units[next_unit].name != letters) {
            ++next_unit;
        }
        if (!number || next_unit == duration_units.size()) {
            return std::nullopt;
        }
        const auto part = number->times(duration_units[next_unit++].factor);
        if (!part || *part > amount_max - 1 - total) {
            return std::nullopt;  // the largest count stands for "for ever"
        }
        total += *part;
    }
    return duration(static_cast<duration::rep>(total));
}

std::string duration_text(duration value) {
    if (value < duration::zero()) {
        return "-" + duration_text(-value);
    }
    auto rest = static_cast<std::uint64_t>(value.count());
    std::string text;
    for (const auto& [name, factor] : duration_units) {
        if (rest >= factor) {
            text += std::to_string(rest / factor);
            text += name;
            rest %= factor;
        }
    }
    return text.empty() ? "0s" : text;
}

std::optional<std::uint64_t> parse_bandwidth(std::string_view text) {
    auto rate = prefixed(text, "bit/s", 8);
    if (!rate) {
        rate = prefixed(text, "B/s", 1);
    }
    return rate && *rate != 0 ? rate : std::nullopt;
}

std::optional<std::uint64_t> parse_size(std::string_view text) { return prefixed(text, "B", 1); }

}  // namespace fleetarium::config
