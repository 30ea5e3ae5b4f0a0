#pragma once

#include <fleetarium/core/random.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Section 4.7 of both versions in the plainest words, for the models of property tests, and names
// and filters over few levels, so that they meet.
namespace fleetarium::test {

inline std::vector<std::string_view> levels_of(std::string_view text) {
    std::vector<std::string_view> levels;
    for (;;) {
        const std::size_t end = text.find('/');
        levels.push_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return levels;
        }
        text.remove_prefix(end + 1);
    }
}

/// Whether a plain filter matches a topic name.
inline bool naively_matches(std::string_view filter, std::string_view name) {
    if (name.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) {
        return false;
    }
    const auto wanted = levels_of(filter);
    const auto there = levels_of(name);
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i] == "#") {
            return true;  // also the parent level: then `there` ends here
        }
        if (i >= there.size() || (wanted[i] != "+" && wanted[i] != there[i])) {
            return false;
        }
    }
    return wanted.size() == there.size();
}

namespace detail {

inline std::string few_levels(random_stream& random, std::span<const std::string_view> choice) {
    std::string text(choice[random.below(choice.size())]);
    for (std::uint64_t more = random.below(random.below(8) == 0 ? 9 : 4); more != 0; --more) {
        text.append("/").append(choice[random.below(choice.size())]);
    }
    return text.empty() ? std::string("/") : text;
}

}  // namespace detail

/// A topic name for each number; small numbers do for short tests.
inline std::string topic_name_of(std::uint32_t number) {
    static constexpr std::string_view levels[] = {"a", "b", "c", "", "$x", "long_level_name", "a"};
    random_stream random(number, 0, "topic name");
    return detail::few_levels(random, levels);
}

/// A plain, valid topic filter for each number.
inline std::string topic_filter_of(std::uint32_t number) {
    static constexpr std::string_view levels[] = {"a", "b", "c", "", "$x", "long_level_name",
                                                  "+", "+"};
    random_stream random(number, 0, "topic filter");
    std::string filter = detail::few_levels(random, levels);
    if (random.below(3) == 0) {
        filter = random.below(8) == 0 ? "#" : filter + "/#";
    }
    return filter;
}

/// As topic_filter_of, one in four for a shared group of two names.
inline std::string any_filter_of(std::uint32_t number) {
    random_stream random(number, 0, "shared");
    const std::string filter = topic_filter_of(number);
    return random.below(4) != 0   ? filter
           : random.below(2) == 0 ? "$share/g/" + filter
                                  : "$share/h/" + filter;
}

/// The part of a filter that is matched: that behind `$share/name/`.
inline std::string_view matched_part(std::string_view filter) {
    if (!filter.starts_with("$share/")) {
        return filter;
    }
    filter.remove_prefix(7);
    return filter.substr(filter.find('/') + 1);
}

}  // namespace fleetarium::test
