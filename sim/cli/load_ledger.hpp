#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace fleetarium::cli::load {

/// What a broker did to the messages of a run that it may not do.
struct violations {
    std::uint64_t lost = 0;
    std::uint64_t reordered = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t misdelivered = 0;     ///< no subscription matched, or altered on the way
    std::uint64_t misacknowledged = 0;  ///< acknowledgements out of order, or of nothing
    bool stalled = false;               ///< nothing came for seconds while messages were owed

    bool none() const {
        return lost + reordered + duplicated + misdelivered + misacknowledged == 0 && !stalled;
    }
    void add(const violations& other);
};

/// "3 lost, 2 reordered"; empty if there was none.
std::string to_string(const violations& counted);

/// Who has received what: each subscriber the messages of each publisher in the order of their
/// numbers, each once.
class ledger {
public:
    /// `expects(subscriber, publisher)`: whether a subscription matches.
    ledger(std::uint32_t publishers, std::uint32_t subscribers,
           const std::function<bool(std::uint32_t, std::uint32_t)>& expects);

    /// Counts a delivery. True if it was owed, in order or not; false for one too many.
    bool take(std::uint32_t subscriber, std::uint32_t publisher, std::uint32_t sequence) {
        if (publisher < publishers_) {
            std::uint32_t& next = next_[std::size_t{subscriber} * publishers_ + publisher];
            if (next == sequence) [[likely]] {
                ++next;
                ++arrived_;
                return true;
            }
        }
        return take_unexpected(subscriber, publisher, sequence);
    }

    /// Counts a delivery that is not what was sent.
    void take_altered() { ++found_.misdelivered; }

    /// Deliveries that were owed and came.
    std::uint64_t arrived() const { return arrived_; }

    /// All that is wrong, if the publishers sent as many messages as `sent` says.
    violations close(const std::vector<std::uint32_t>& sent) const;

private:
    bool take_unexpected(std::uint32_t subscriber, std::uint32_t publisher, std::uint32_t sequence);

    struct gap {
        std::size_t flow;
        std::uint32_t sequence;
        auto operator<=>(const gap&) const = default;
    };

    std::uint32_t publishers_;
    std::vector<std::uint32_t> next_;  ///< by subscriber and publisher
    std::set<gap> missing_;
    std::uint64_t arrived_ = 0;
    violations found_;
};

}  // namespace fleetarium::cli::load
