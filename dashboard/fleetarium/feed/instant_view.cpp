#include <fleetarium/feed/instant_view.hpp>

#include <fleetarium/feed/recording_tables.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>

namespace fleetarium::feed {

namespace {

using kind = traffic_change::kind;

}  // namespace

std::size_t instant_view::place_of(const traffic_index& index, std::int64_t at) const {
    return std::min(index.interval_of(at), index.intervals());
}

const std::vector<traffic_change>* instant_view::window(traffic_index& index, std::size_t place,
                                                        bool growing) {
    const std::vector<traffic_change>* const late = index.late_of(place);
    if (late == nullptr) {
        return nullptr;
    }
    const traffic_index::message_range own = index.messages_of(place);
    traffic_index::message_range range =
        place > 0 ? index.messages_of(place - 1) : traffic_index::message_range{};
    if (range.first > range.last) {
        range = own;
    } else if (own.first <= own.last) {
        range.last = own.last;
    }
    if (range.last - range.first >= messages_max) {
        return nullptr;
    }
    const std::int64_t begin = index.begin_of(place);
    const std::int64_t end = index.begin_of(place + 1);
    const window_key key{begin, index.width(), range.last, late->size()};
    if (has_window_ && key == window_of_) {
        return &window_;
    }
    has_window_ = false;
    window_.clear();
    batch_.clear();
    if (range.first <= range.last) {
        reader_.read(range.first, range.last, growing, batch_);
    }
    const auto take = [&](const traffic_change& each) {
        // What is before the recording's begin counts at its begin.
        if ((each.at >= begin || place == 0) && each.at < end) {
            window_.push_back(each);
        }
    };
    std::for_each(batch_.changes.begin(), batch_.changes.end(), take);
    for (const traffic_change& each : *late) {
        if (index.interval_of(each.message) + 1 < place) {
            window_.push_back(each);
        }
    }
    resends_.clear();
    reader_.read_resends(recorded::resends_before(rows_, begin), end - 1, messages_max, resends_);
    std::for_each(resends_.begin(), resends_.end(), take);
    std::stable_sort(window_.begin(), window_.end(),
                     [](const traffic_change& a, const traffic_change& b) { return a.at < b.at; });
    window_of_ = key;
    has_window_ = true;
    return &window_;
}

traffic_index::sums instant_view::sums(traffic_index& index, std::int64_t at, bool growing) {
    take_back();
    const std::size_t place = place_of(index, at);
    traffic_index::sums out = index.before(place);
    sums_at_ = at;
    if (place == index.intervals()) {
        return out;
    }
    const std::vector<traffic_change>* const changes = window(index, place, growing);
    if (changes == nullptr) {
        sums_at_ = index.begin_of(place);
        return out;
    }
    boost::unordered_flat_map<std::uint32_t, std::uint8_t> retained;
    for (const traffic_change& each : *changes) {
        if (each.at > at) {
            break;
        }
        if (each.what == kind::count) {
            out[each.slot] += each.amount;
        } else if (each.what == kind::retained && index.entity_step() == 1) {
            const auto& topics = index.topics_before(place);
            const auto [known, added] = retained.try_emplace(
                each.entity, each.entity < topics.size() ? topics[each.entity].retained : 0);
            const auto bit = static_cast<std::uint8_t>(each.slot);
            out[counter::retained] += (each.amount != 0) - ((known->second & bit) != 0);
            known->second = static_cast<std::uint8_t>(each.amount != 0 ? known->second | bit
                                                                       : known->second & ~bit);
        }
    }
    return out;
}

/// The index adds and subtracts: its lists have to be as they were.
void instant_view::take_back() {
    const auto restore = [](auto& before, auto* in) {
        for (const auto& [row, standing] : before) {
            if (row < in->size()) {  // else the index was made anew
                (*in)[row] = standing;
            }
        }
        before.clear();
    };
    restore(topics_before_, topics_);
    restore(clients_before_, clients_);
}

/// What is to be added to the standing before an interval; null: nothing. Sets entities_at_.
const std::vector<traffic_change>* instant_view::entity_window(traffic_index& index,
                                                               std::size_t place, std::int64_t at,
                                                               bool growing) {
    entities_at_ = at;
    if (place == index.intervals()) {
        return nullptr;
    }
    const std::vector<traffic_change>* const changes =
        index.entity_step() == 1 ? window(index, place, growing) : nullptr;
    if (changes == nullptr) {
        entities_at_ = index.begin_of(place - place % index.entity_step());
    }
    return changes;
}

const std::vector<topic_standing>& instant_view::topics(traffic_index& index, std::int64_t at,
                                                        bool growing) {
    take_back();
    const std::size_t place = place_of(index, at);
    std::vector<topic_standing>& out = index.topics_before(place);
    topics_ = &out;
    const std::vector<traffic_change>* const changes = entity_window(index, place, at, growing);
    if (changes == nullptr) {
        return out;
    }
    boost::unordered_flat_map<std::uint32_t, topic_standing> before;
    for (const traffic_change& each : *changes) {
        if (each.at > at) {
            break;
        }
        if (each.what != kind::topic && each.what != kind::retained) {
            continue;
        }
        if (each.entity >= out.size()) {
            out.resize(each.entity + std::size_t{1});
        }
        topic_standing& of = out[each.entity];
        before.try_emplace(each.entity, of);
        if (each.what == kind::topic) {
            ++of.messages;
            of.bytes += static_cast<std::uint64_t>(each.amount);
            of.newest = each.message;
        } else {
            of.retained = static_cast<std::uint8_t>(each.amount != 0 ? of.retained | each.slot
                                                                     : of.retained & ~each.slot);
        }
    }
    topics_before_.assign(before.begin(), before.end());
    return out;
}

const std::vector<client_standing>& instant_view::clients(traffic_index& index, std::int64_t at,
                                                          bool growing) {
    take_back();
    const std::size_t place = place_of(index, at);
    std::vector<client_standing>& out = index.clients_before(place);
    clients_ = &out;
    const std::vector<traffic_change>* const changes = entity_window(index, place, at, growing);
    if (changes == nullptr) {
        return out;
    }
    boost::unordered_flat_map<std::uint32_t, client_standing> before;
    for (const traffic_change& each : *changes) {
        if (each.at > at) {
            break;
        }
        if (each.what != kind::client) {
            continue;
        }
        if (each.entity >= out.size()) {
            out.resize(each.entity + std::size_t{1});
        }
        before.try_emplace(each.entity, out[each.entity]);
        out[each.entity][each.slot] += each.amount;
    }
    clients_before_.assign(before.begin(), before.end());
    return out;
}

}  // namespace fleetarium::feed
