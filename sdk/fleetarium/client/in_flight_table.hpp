#pragma once

#include <fleetarium/client/publish_queue.hpp>

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace fleetarium::detail {

/// Who asks for messages that the session has, by the number that the session gives back. 0 is the
/// number of those that nobody asks for; a number is never used twice.
class in_flight_table {
public:
    std::uint64_t add(std::shared_ptr<publish_observer> observer) {
        if (free_.empty()) {
            free_.push_back(static_cast<std::uint32_t>(slots_.size()));
            slots_.emplace_back();
        }
        const std::uint32_t place = free_.back();
        free_.pop_back();
        slots_[place].observer = std::move(observer);
        return std::uint64_t{slots_[place].generation} << 32 | (place + 1);
    }

    /// The observer of a number, which is forgotten; null if there is none any more.
    std::shared_ptr<publish_observer> take(std::uint64_t number) {
        const auto place = static_cast<std::uint32_t>(number) - 1;
        if (number == 0 || place >= slots_.size() || !slots_[place].observer ||
            slots_[place].generation != number >> 32) {
            return nullptr;
        }
        ++slots_[place].generation;
        free_.push_back(place);
        return std::exchange(slots_[place].observer, nullptr);
    }

    /// All observers, by place; none is left.
    std::vector<std::shared_ptr<publish_observer>> take_all() {
        std::vector<std::shared_ptr<publish_observer>> taken;
        for (std::uint32_t place = 0; place < slots_.size(); ++place) {
            if (slots_[place].observer) {
                taken.push_back(take(std::uint64_t{slots_[place].generation} << 32 | (place + 1)));
            }
        }
        return taken;
    }

private:
    struct slot {
        std::shared_ptr<publish_observer> observer;
        std::uint32_t generation = 0;
    };
    std::vector<slot> slots_;
    std::vector<std::uint32_t> free_;
};

}  // namespace fleetarium::detail
