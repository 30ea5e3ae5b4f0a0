#include <fleetarium/broker/retained_replays.hpp>

#include <utility>

namespace fleetarium::broker {

retained_replays::replay* retained_replays::find(session_index session) {
    const auto known = of_session_.find(session);
    return known == of_session_.end() ? nullptr : &known->second;
}

void retained_replays::wait(session_index session, filter_id filter) {
    of_session_[session].waiting[filter] = newest_;
}

void retained_replays::begin(session_index session, filter_id filter,
                             std::vector<message_ptr> found) {
    replay& made = of_session_[session];
    made.filter = filter;
    made.found = std::move(found);
}

void retained_replays::forget(session_index session, filter_id filter) {
    replay* const known = find(session);
    if (known == nullptr) {
        return;
    }
    known->waiting.erase(filter);
    if (known->filter == filter) {
        known->filter = no_filter;
        known->found = {};
        known->next = 0;
    }
    if (known->filter == no_filter && known->waiting.empty()) {
        forget(session);
    }
}

void retained_replays::forget(session_index session) {
    of_session_.erase(session);
    if (of_session_.empty()) {
        numbers_ = {};
        newest_ = 0;
    }
}

std::size_t retained_replays::memory_bytes(session_index session) const {
    const auto known = of_session_.find(session);
    if (known == of_session_.end()) {
        return 0;
    }
    constexpr std::size_t node = 4 * sizeof(void*);
    const replay& left = known->second;
    return sizeof(left) + node + left.found.capacity() * sizeof(message_ptr) +
           left.waiting.size() * (sizeof(filter_id) + sizeof(std::uint64_t) + node);
}

}  // namespace fleetarium::broker
