#include <fleetarium/client/subscription_table.hpp>

namespace fleetarium::detail {

namespace {

constexpr std::uint32_t identifier_max = 268'435'455;  // MQTT 5 section 3.8.2.1.2

}  // namespace

subscription_entry& subscription_table::at(const std::string& filter) {
    if (const auto known = by_filter_.find(filter); known != by_filter_.end()) {
        return entries_.at(known->second);
    }
    do {
        last_identifier_ = last_identifier_ == identifier_max ? 1 : last_identifier_ + 1;
    } while (entries_.contains(last_identifier_));
    subscription_entry& made = entries_[last_identifier_];
    made.identifier = last_identifier_;
    made.filter = filter;
    made.matched = made.filter;
    if (const auto shared = parse_shared_filter(made.filter)) {
        made.matched = shared->filter;
    }
    if (made.matched != made.filter || has_wildcard(made.filter)) {
        patterns_.insert(made.identifier);
    }
    by_filter_.emplace(filter, made.identifier);
    return made;
}

subscription_entry* subscription_table::find(std::uint32_t identifier) {
    const auto found = entries_.find(identifier);
    return found == entries_.end() ? nullptr : &found->second;
}

subscription_entry* subscription_table::find_filter(std::string_view filter) {
    const auto found = by_filter_.find(filter);
    return found == by_filter_.end() ? nullptr : find(found->second);
}

void subscription_table::erase(std::uint32_t identifier) {
    const auto found = entries_.find(identifier);
    if (found != entries_.end()) {
        by_filter_.erase(found->second.filter);
        patterns_.erase(identifier);
        entries_.erase(found);
    }
}

void subscription_table::remove_wanted(unsubscribe_request& from) const {
    for (std::size_t i = from.filters.size(); i-- > 0;) {
        if (!contains(from.filters[i])) {
            continue;
        }
        from.filters.erase(from.filters.begin() + static_cast<std::ptrdiff_t>(i));
        for (auto& place : from.places) {
            if (place == i) {
                place.reset();
            } else if (place > i) {
                --*place;
            }
        }
    }
}

void subscription_table::queue(subscription_entry& entry) {
    if (!entry.queued) {
        entry.queued = true;
        to_subscribe.push_back(entry.identifier);
    }
}

}  // namespace fleetarium::detail
