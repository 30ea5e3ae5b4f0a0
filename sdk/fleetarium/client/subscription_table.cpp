#include <fleetarium/client/subscription_table.hpp>

#include <fleetarium/codec/topic.hpp>

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
    by_filter_.emplace(filter, made.identifier);
    return made;
}

subscription_entry* subscription_table::find(std::uint32_t identifier) {
    const auto found = entries_.find(identifier);
    return found == entries_.end() ? nullptr : &found->second;
}

void subscription_table::erase(std::uint32_t identifier) {
    const auto found = entries_.find(identifier);
    if (found != entries_.end()) {
        by_filter_.erase(found->second.filter);
        entries_.erase(found);
    }
}

void subscription_table::queue(subscription_entry& entry) {
    if (!entry.queued) {
        entry.queued = true;
        to_subscribe.push_back(entry.identifier);
    }
}

}  // namespace fleetarium::detail
