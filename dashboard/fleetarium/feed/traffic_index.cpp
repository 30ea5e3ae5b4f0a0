#include <fleetarium/feed/traffic_index.hpp>

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

namespace fleetarium::feed {

namespace {

using kind = traffic_change::kind;

/// A microsecond: shorter intervals show nothing more.
constexpr std::int64_t width_min = 1'000;

/// Intervals of entities are made longer no further.
constexpr std::size_t entity_intervals_min = 4;

template <class T>
T& at_place(std::vector<T>& in, std::size_t place) {
    if (place >= in.size()) {
        in.resize(std::max(place + 1, in.size() + in.size() / 2));
    }
    return in[place];
}

}  // namespace

traffic_index::traffic_index(std::int64_t begin, std::int64_t end)
    : begin_(begin),
      width_(std::max<std::int64_t>(
          (end - begin) / static_cast<std::int64_t>(intervals_max - 1) + 1, width_min)) {}

// Intervals

std::size_t traffic_index::interval_of(std::int64_t at) const {
    return static_cast<std::size_t>(std::max<std::int64_t>(at - begin_, 0) / width_);
}

std::int64_t traffic_index::begin_of(std::size_t interval) const {
    return begin_ + static_cast<std::int64_t>(interval) * width_;
}

/// Makes the interval of an instant.
void traffic_index::reach(std::int64_t at) {
    std::size_t place = interval_of(at);
    if (place < intervals_.size()) {
        return;
    }
    while (place >= intervals_max) {
        coarsen();
        place = interval_of(at);
    }
    intervals_.resize(std::max(place + 1, intervals_.size()));
    const std::size_t entity_place = place >> shift_;
    topics_.resize(std::max(entity_place + 1, topics_.size()));
    clients_.resize(std::max(entity_place + 1, clients_.size()));
}

void traffic_index::coarsen() {
    for (std::size_t i = 0; i < intervals_.size(); i += 2) {
        stretch made = std::move(intervals_[i]);
        if (i + 1 < intervals_.size()) {
            stretch& second = intervals_[i + 1];
            for (unsigned slot = 0; slot < counter::count; ++slot) {
                made.counts[slot] += second.counts[slot];
            }
            if (second.first <= second.last) {
                made.first = made.first <= made.last ? made.first : second.first;
                made.last = second.last;
            }
            made.fates |= second.fates;
            made.lacks_late |= second.lacks_late;
            std::move(second.late.begin(), second.late.end(), std::back_inserter(made.late));
        }
        intervals_[i / 2] = std::move(made);
    }
    intervals_.resize((intervals_.size() + 1) / 2);
    width_ *= 2;
    ++version_;
    if (shift_ > 0) {
        --shift_;  // the same stretches of time
    } else {
        coarsen_entities();
        shift_ = 0;
    }
}

/// Twice as long intervals of topics and clients.
void traffic_index::coarsen_entities() {
    entries_ = 0;
    for (std::size_t i = 0; i < topics_.size(); i += 2) {
        entry_list<topic_entry> made = std::move(topics_[i]);
        if (i + 1 < topics_.size()) {
            for (std::size_t k = 0; k < made.entries.size(); ++k) {
                at_place(topic_places_, made.entries[k].entity) = static_cast<std::uint32_t>(k);
            }
            for (const topic_entry& each : topics_[i + 1].entries) {
                const std::uint32_t place = at_place(topic_places_, each.entity);
                if (place < made.entries.size() && made.entries[place].entity == each.entity) {
                    topic_entry& to = made.entries[place];
                    to.messages += each.messages;
                    to.bytes = (to.bytes + each.bytes) & 0xFFFF'FFFF'FFFF;
                    to.newest = each.newest;
                    to.retained = each.retained;
                } else {
                    topic_places_[each.entity] = static_cast<std::uint32_t>(made.entries.size());
                    made.entries.push_back(each);
                }
            }
        }
        entries_ += made.entries.size();
        topics_[i / 2] = std::move(made);
    }
    topics_.resize((topics_.size() + 1) / 2);
    for (std::size_t i = 0; i < clients_.size(); i += 2) {
        entry_list<client_entry> made = std::move(clients_[i]);
        if (i + 1 < clients_.size()) {
            const auto& second = clients_[i + 1].entries;
            made.entries.insert(made.entries.end(), second.begin(), second.end());
            made.merged = 0;
            merge(made);
        }
        entries_ += made.entries.size();
        clients_[i / 2] = std::move(made);
    }
    clients_.resize((clients_.size() + 1) / 2);
    ++shift_;
    ++version_;
    open_ /= 2;
    if (open_ < topics_.size()) {
        turn(open_);
    }
}

traffic_index::message_range traffic_index::messages_of(std::size_t place) const {
    if (place >= intervals_.size()) {
        return {};
    }
    return {intervals_[place].first, intervals_[place].last};
}

const std::vector<traffic_change>* traffic_index::late_of(std::size_t place) const {
    return intervals_[place].lacks_late ? nullptr : &intervals_[place].late;
}

// Building

void traffic_index::take(const traffic_batch& batch, bool late) {
    ++version_;
    auto change = batch.changes.begin();
    for (const message_head& head : batch.messages) {
        reach(head.at);
        stretch& own = intervals_[interval_of(head.at)];
        own.fates |= head.fates;
        if (!late) {
            if (own.first > own.last) {
                own.first = head.id;
            }
            own.last = head.id;
            newest_message_ = head.id;
            const std::size_t entity_place = interval_of(head.at) >> shift_;
            if (entity_place != open_) {
                turn(entity_place);
                if (entries_ > entries_max && topics_.size() > entity_intervals_min) {
                    coarsen_entities();
                }
            }
        }
        for (std::uint32_t i = 0; i < head.changes; ++i, ++change) {
            apply(*change, head.at);
        }
    }
}

void traffic_index::take(const std::vector<traffic_change>& changes) {
    ++version_;
    for (const traffic_change& each : changes) {
        apply(each, each.at);
    }
}

void traffic_index::apply(const traffic_change& change, std::int64_t from) {
    reach(change.at);
    const std::size_t place = interval_of(change.at);
    stretch& to = intervals_[place];
    if (place > interval_of(from) + 1) {
        if (late_count_ < late_max) {
            ++late_count_;
            to.late.push_back(change);
            to.late.back().message = from;
        } else {
            to.lacks_late = true;
        }
    }
    switch (change.what) {
        case kind::count: to.counts[change.slot] += change.amount; break;
        case kind::topic:
        case kind::retained: take_topic(change, place >> shift_); break;
        case kind::client: take_client(change, place >> shift_); break;
    }
}

/// Topics change with their messages, so only in the interval that is open.
void traffic_index::take_topic(const traffic_change& change, std::size_t place) {
    entry_list<topic_entry>& list = topics_[place];
    std::uint32_t& known = at_place(topic_places_, change.entity);
    std::int64_t& newest = at_place(topic_newest_, change.entity);
    std::uint8_t& retained = at_place(topic_retained_, change.entity);
    if (known >= list.entries.size() || list.entries[known].entity != change.entity) {
        known = static_cast<std::uint32_t>(list.entries.size());
        list.entries.push_back({.newest = newest,
                                .newest_before = newest,
                                .entity = change.entity,
                                .retained = retained,
                                .retained_before = retained});
        ++entries_;
    }
    topic_entry& entry = list.entries[known];
    if (change.what == kind::topic) {
        ++entry.messages;
        entry.bytes = (entry.bytes + static_cast<std::uint64_t>(change.amount)) & 0xFFFF'FFFF'FFFF;
        entry.newest = newest = change.message;
        return;
    }
    const auto bit = static_cast<std::uint8_t>(change.slot);
    const bool had = (retained & bit) != 0;
    retained = static_cast<std::uint8_t>(change.amount != 0 ? retained | bit : retained & ~bit);
    entry.retained = retained;
    intervals_[interval_of(change.at)].counts[counter::retained] += (change.amount != 0) - had;
}

void traffic_index::take_client(const traffic_change& change, std::size_t place) {
    entry_list<client_entry>& list = clients_[place];
    client_entry* entry = nullptr;
    if (place == open_) {
        std::uint32_t& known = at_place(client_places_, change.entity);
        if (known < list.entries.size() && list.entries[known].entity == change.entity) {
            entry = &list.entries[known];
        } else {
            known = static_cast<std::uint32_t>(list.entries.size());
        }
    } else if (!list.entries.empty() && list.entries.back().entity == change.entity) {
        entry = &list.entries.back();
    }
    if (entry == nullptr) {
        entry = &list.entries.emplace_back();
        entry->entity = change.entity;
        ++entries_;
    }
    const auto amount = static_cast<std::uint32_t>(change.amount);
    switch (static_cast<client_counter>(change.slot)) {
        case client_counter::published: entry->published += amount; break;
        case client_counter::received: entry->received += amount; break;
        case client_counter::losses: entry->losses += amount; break;
        case client_counter::backlog: entry->backlog += change.amount; break;
    }
    if (place != open_ && list.entries.size() > 2 * list.merged + 4'096) {
        entries_ -= list.entries.size();
        merge(list);
        entries_ += list.entries.size();
    }
}

/// Opens an interval of entities: from now on each has one entry in it.
void traffic_index::turn(std::size_t place) {
    open_ = place;
    entry_list<client_entry>& list = clients_[place];
    entries_ -= list.entries.size();
    merge(list);
    entries_ += list.entries.size();
    for (std::size_t i = 0; i < list.entries.size(); ++i) {
        at_place(client_places_, list.entries[i].entity) = static_cast<std::uint32_t>(i);
    }
    const auto& topics = topics_[place].entries;
    for (std::size_t i = 0; i < topics.size(); ++i) {
        at_place(topic_places_, topics[i].entity) = static_cast<std::uint32_t>(i);
    }
}

void traffic_index::merge(entry_list<client_entry>& list) {
    auto& all = list.entries;
    if (list.merged == all.size()) {
        return;
    }
    std::sort(all.begin(), all.end(),
              [](const client_entry& a, const client_entry& b) { return a.entity < b.entity; });
    std::size_t kept = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (kept != 0 && all[kept - 1].entity == all[i].entity) {
            client_entry& to = all[kept - 1];
            to.published += all[i].published;
            to.received += all[i].received;
            to.losses += all[i].losses;
            to.backlog += all[i].backlog;
        } else {
            all[kept++] = all[i];
        }
    }
    all.resize(kept);
    list.merged = kept;
}

// Asking

void traffic_index::sum_up() {
    if (sums_version_ == version_) {
        return;
    }
    sums_version_ = version_;
    sums_.resize(intervals_.size() + 1);
    queued_max_.assign(intervals_.size() + 1, 0);
    in_flight_max_.assign(intervals_.size() + 1, 0);
    sums_[0] = {};
    for (std::size_t i = 0; i < intervals_.size(); ++i) {
        for (unsigned slot = 0; slot < counter::count; ++slot) {
            sums_[i + 1][slot] = sums_[i][slot] + intervals_[i].counts[slot];
        }
        queued_max_[i + 1] = std::max(queued_max_[i], sums_[i + 1][counter::queued]);
        in_flight_max_[i + 1] = std::max(in_flight_max_[i], sums_[i + 1][counter::in_flight]);
    }
}

const traffic_index::sums& traffic_index::before(std::size_t place) {
    sum_up();
    return sums_[std::min(place, intervals_.size())];
}

std::int64_t traffic_index::queued_max_before(std::size_t place) {
    sum_up();
    return queued_max_[std::min(place, intervals_.size())];
}

std::int64_t traffic_index::in_flight_max_before(std::size_t place) {
    sum_up();
    return in_flight_max_[std::min(place, intervals_.size())];
}

void traffic_index::add(topic_standing& to, const topic_entry& entry) {
    to.messages += entry.messages;
    to.bytes += entry.bytes;
    to.newest = entry.newest;
    to.retained = static_cast<std::uint8_t>(entry.retained);
}

void traffic_index::subtract(topic_standing& from, const topic_entry& entry) {
    from.messages -= entry.messages;
    from.bytes -= entry.bytes;
    from.newest = entry.newest_before;
    from.retained = static_cast<std::uint8_t>(entry.retained_before);
}

void traffic_index::add(client_standing& to, const client_entry& entry) {
    to[0] += entry.published;
    to[1] += entry.received;
    to[2] += entry.backlog;
    to[3] += entry.losses;
}

void traffic_index::subtract(client_standing& from, const client_entry& entry) {
    from[0] -= entry.published;
    from[1] -= entry.received;
    from[2] -= entry.backlog;
    from[3] -= entry.losses;
}

template <class Standing, class Entry>
std::vector<Standing>& traffic_index::move(cursor<Standing>& to, std::size_t place,
                                           std::vector<entry_list<Entry>>& lists) {
    const std::size_t wanted = place >= intervals_.size() ? lists.size() : place >> shift_;
    if (to.version != version_ || wanted < to.at / 2) {
        to.version = version_;
        std::fill(to.standing.begin(), to.standing.end(), Standing{});
        to.at = 0;
    }
    for (; to.at < wanted; ++to.at) {
        for (const Entry& each : lists[to.at].entries) {
            add(at_place(to.standing, each.entity), each);
        }
    }
    while (to.at > wanted) {
        --to.at;
        const auto& entries = lists[to.at].entries;
        for (auto each = entries.rbegin(); each != entries.rend(); ++each) {
            subtract(to.standing[each->entity], *each);
        }
    }
    return to.standing;
}

std::vector<topic_standing>& traffic_index::topics_before(std::size_t place) {
    return move(topic_cursor_, place, topics_);
}

std::vector<client_standing>& traffic_index::clients_before(std::size_t place) {
    return move(client_cursor_, place, clients_);
}

std::size_t traffic_index::memory_bytes() const {
    std::size_t out = sizeof *this + intervals_.capacity() * sizeof(stretch) +
                      sums_.capacity() * sizeof(sums) + late_count_ * sizeof(traffic_change);
    for (const auto& each : topics_) {
        out += each.entries.capacity() * sizeof(topic_entry);
    }
    for (const auto& each : clients_) {
        out += each.entries.capacity() * sizeof(client_entry);
    }
    out += topic_places_.capacity() * sizeof(std::uint32_t) +
           client_places_.capacity() * sizeof(std::uint32_t) +
           topic_newest_.capacity() * sizeof(std::int64_t) + topic_retained_.capacity();
    out += topic_cursor_.standing.capacity() * sizeof(topic_standing) +
           client_cursor_.standing.capacity() * sizeof(client_standing);
    return out;
}

}  // namespace fleetarium::feed
