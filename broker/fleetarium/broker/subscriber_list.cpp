#include <fleetarium/broker/subscriber_list.hpp>

#include <fleetarium/core/hash.hpp>

#include <algorithm>
#include <iterator>

namespace fleetarium::broker {

std::size_t subscriber_list::find(session_index session) const {
    if (positions_.size() != 0) {
        return find_indexed(session);
    }
    const auto found = std::find_if(items_.begin(), items_.end(), [session](const auto& item) {
        return item.session == session;
    });
    return found == items_.end() ? none
                                 : static_cast<std::size_t>(std::distance(items_.begin(), found));
}

bool subscriber_list::insert(const subscription& added) {
    const std::size_t at = find(added.session);
    if (at != none) {
        items_[at] = added;
        return true;
    }
    items_.push_back(added);
    if (positions_.size() != 0) {
        positions_.insert(mix64(added.session), static_cast<std::uint32_t>(items_.size() - 1));
    } else if (items_.size() > ordered_size_max) {
        index_all();
    }
    return false;
}

subscriber_list::erasure subscriber_list::erase(session_index session) {
    const std::size_t at = find(session);
    if (at == none) {
        return {};
    }
    const bool indexed = positions_.size() != 0;
    if (!indexed) {
        items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
        const auto last = static_cast<std::uint32_t>(items_.size() - 1);
        positions_.erase(mix64(session), static_cast<std::uint32_t>(at));
        if (at != last) {
            positions_.replace(mix64(items_[last].session), last, static_cast<std::uint32_t>(at));
            items_[at] = items_[last];
        }
        items_.pop_back();
        // Half the bound, so that a list about that long does not build its index again and again.
        if (items_.size() <= ordered_size_max / 2) {
            positions_ = {};
        }
    }
    if (items_.capacity() > 8 && items_.size() * 4 < items_.capacity()) {
        items_.shrink_to_fit();
    }
    return {at, indexed};
}

std::size_t subscriber_list::memory_bytes() const {
    return items_.capacity() * sizeof(subscription) + positions_.memory_bytes();
}

std::size_t subscriber_list::find_indexed(session_index session) const {
    const std::uint32_t at = positions_.find(mix64(session), [&](std::uint32_t position) {
        return items_[position].session == session;
    });
    return at == handle_table::none ? none : at;
}

void subscriber_list::index_all() {
    for (std::size_t at = 0; at < items_.size(); ++at) {
        positions_.insert(mix64(items_[at].session), static_cast<std::uint32_t>(at));
    }
}

}  // namespace fleetarium::broker
