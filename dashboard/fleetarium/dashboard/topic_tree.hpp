#pragma once

#include <fleetarium/feed/feed_types.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

// The topic tree as it is shown: which levels are open, their lines from top to bottom, and how
// fast each topic goes. Nothing here draws.

namespace fleetarium::dashboard {

/// What a topic is called by: a first level may be empty, so the root is something else.
struct topic_key {
    std::string name{};
    bool is_root = false;
    friend auto operator<=>(const topic_key&, const topic_key&) = default;
};

struct topic_line {
    const feed::topic_row* row = nullptr;  ///< null: a line about those that are not shown
    std::uint32_t depth = 0;
    bool open = false;
    topic_key parent{};
    std::uint32_t left_out = 0;  ///< of a line without a row
    bool waits = false;          ///< of a line without a row: the answer is on its way
};

inline constexpr std::size_t topic_levels_open_max = 64;

/// The lines of an open tree. `level_of` gives the answer of a level, null until there is one.
std::vector<topic_line> topic_lines(
    const std::set<std::string, std::less<>>& open,
    const std::function<const feed::topics_answer*(const topic_key&)>& level_of);

/// How fast topics go, by the differences of their counts; the newest values of each.
/// Bounded: those that were not seen for long are forgotten.
class topic_rates {
public:
    static constexpr std::size_t values_max = 60;
    static constexpr std::size_t topics_max = 2'000;

    /// A count at an instant. An instant before the last one begins anew.
    void take(std::string_view name, double at, std::uint64_t messages);
    /// Messages a second lately; none: it was seen but once.
    std::optional<double> rate(std::string_view name) const;
    /// Rates, the oldest first.
    std::vector<double> line(std::string_view name) const;
    std::size_t size() const { return topics_.size(); }

private:
    struct counts {
        double at = 0;
        std::uint64_t messages = 0;
        std::vector<double> rates{};
        std::uint64_t seen = 0;
    };
    std::map<std::string, counts, std::less<>> topics_{};
    std::uint64_t clock_ = 0;
};

/// A topic filter for a topic and what is below it.
std::string filter_below(const feed::topic_row& row);

}  // namespace fleetarium::dashboard
