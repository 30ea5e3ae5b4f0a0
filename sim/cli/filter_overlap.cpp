#include "filter_overlap.hpp"

#include <optional>
#include <utility>

namespace fleetarium::cli {

namespace {

/// The levels of a filter, one after the other.
class levels {
public:
    explicit levels(std::string_view filter) : rest_(filter) {}

    /// None behind the last.
    std::optional<std::string_view> next() {
        if (!rest_) {
            return std::nullopt;
        }
        const std::size_t end = rest_->find('/');
        if (end == std::string_view::npos) {
            return std::exchange(rest_, std::nullopt);
        }
        const std::string_view level = rest_->substr(0, end);
        rest_ = rest_->substr(end + 1);
        return level;
    }

private:
    std::optional<std::string_view> rest_;
};

bool begins_with_wildcard(std::string_view filter) {
    return filter.front() == '+' || filter.front() == '#';
}

}  // namespace

bool filters_overlap(std::string_view one, std::string_view other) {
    // [v5/MQTT-4.7.2-1]
    if ((one.front() == '$' && begins_with_wildcard(other)) ||
        (other.front() == '$' && begins_with_wildcard(one))) {
        return false;
    }
    levels left(one);
    levels right(other);
    for (;;) {
        const auto a = left.next();
        const auto b = right.next();
        if (a == "#" || b == "#" || (!a && !b)) {
            return true;  // "#" matches the level above it too
        }
        if (!a || !b || (*a != *b && *a != "+" && *b != "+")) {
            return false;
        }
    }
}

}  // namespace fleetarium::cli
