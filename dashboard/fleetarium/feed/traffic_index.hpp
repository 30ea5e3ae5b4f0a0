#pragma once

#include <fleetarium/feed/recording_changes.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fleetarium::feed {

/// How a topic stands at an instant.
struct topic_standing {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::int64_t newest = 0;    ///< message; 0: none so far
    std::uint8_t retained = 0;  ///< a bit for each broker
};

/// How a client stands at an instant, by client_counter.
using client_standing = std::array<std::int64_t, 4>;

/// What of a recording's traffic is kept in memory, so that any instant is found without reading
/// all messages before: sums by intervals of time, of everything, of each topic and each client.
///
/// There are at most `intervals_max` intervals of one width, which doubles when time goes on.
/// Memory: 3 KiB an interval; 32 bytes for each topic and client of each interval in which it has
/// traffic, `entries_max` of them, and beyond that twice as long intervals for these. A recording
/// of 10 million messages takes 20 to 250 MB, whatever is in it.
class traffic_index {
public:
    static constexpr std::size_t intervals_max = 2'048;
    static constexpr std::size_t entries_max = 6'000'000;
    /// Changes long after their message are kept themselves, so many at most.
    static constexpr std::size_t late_max = 500'000;

    using sums = std::array<std::int64_t, counter::count>;

    /// Instants are from `begin` on, probably until `end`.
    traffic_index(std::int64_t begin, std::int64_t end);

    // Building

    /// Takes the changes of messages that follow those before, or, `late`, of earlier ones.
    void take(const traffic_batch& batch, bool late = false);
    /// Takes changes without a message.
    void take(const std::vector<traffic_change>& changes);

    // Intervals

    std::size_t intervals() const { return intervals_.size(); }
    std::size_t interval_of(std::int64_t at) const;
    std::int64_t begin_of(std::size_t interval) const;
    std::int64_t width() const { return width_; }
    std::int64_t newest_message() const { return newest_message_; }

    /// All changes before the interval's begin; of `intervals()` all.
    const sums& before(std::size_t interval);
    std::int64_t queued_max_before(std::size_t interval);
    std::int64_t in_flight_max_before(std::size_t interval);

    /// The messages of an interval; first > last: there is none.
    struct message_range {
        std::int64_t first = 1;
        std::int64_t last = 0;
    };
    message_range messages_of(std::size_t interval) const;
    std::uint32_t fates_of(std::size_t interval) const { return intervals_[interval].fates; }

    /// Changes in this interval of messages two or more before it, or nearer since intervals grew;
    /// `message` is when their message was. Null: there were too many.
    const std::vector<traffic_change>* late_of(std::size_t interval) const;

    // Topics and clients

    /// Topics and clients are known at the begin of each so-manieth interval: a power of two.
    std::size_t entity_step() const { return std::size_t{1} << shift_; }
    /// How all topics, or clients, stood at the begin of an interval, rounded down to
    /// entity_step; of `intervals()` at the end. By row. Linear in what has changed since the
    /// instant asked for before.
    std::vector<topic_standing>& topics_before(std::size_t interval);
    std::vector<client_standing>& clients_before(std::size_t interval);

    /// Whether any topic, or client, with traffic in an interval is one that `wanted` accepts.
    template <class Wanted>
    bool any_topic(std::size_t interval, Wanted&& wanted) const {
        return any(topics_[interval >> shift_].entries, wanted);
    }
    template <class Wanted>
    bool any_client(std::size_t interval, Wanted&& wanted) const {
        return any(clients_[interval >> shift_].entries, wanted);
    }

    std::size_t memory_bytes() const;

private:
    struct stretch {
        sums counts{};
        std::int64_t first = 1;  // message
        std::int64_t last = 0;
        std::uint32_t fates = 0;
        bool lacks_late = false;
        std::vector<traffic_change> late;
    };
    struct topic_entry {
        std::int64_t newest = 0;
        std::int64_t newest_before = 0;
        std::uint32_t entity = 0;
        std::uint32_t messages = 0;
        std::uint64_t bytes : 48 = 0;
        std::uint64_t retained : 8 = 0;
        std::uint64_t retained_before : 8 = 0;
    };
    static_assert(sizeof(topic_entry) == 32);
    struct client_entry {
        std::uint32_t entity = 0;
        std::uint32_t published = 0;
        std::uint32_t received = 0;
        std::uint32_t losses = 0;
        std::int64_t backlog = 0;
    };
    /// Entries of an interval; behind the `merged` first an entity may be there again.
    template <class Entry>
    struct entry_list {
        std::vector<Entry> entries;
        std::size_t merged = 0;
    };
    /// All entities at the begin of the entity interval `at`.
    template <class Standing>
    struct cursor {
        std::vector<Standing> standing;
        std::size_t at = 0;
        std::uint64_t version = 0;
    };

    template <class Entries, class Wanted>
    static bool any(const Entries& in, Wanted&& wanted) {
        for (const auto& each : in) {
            if (wanted(each.entity)) {
                return true;
            }
        }
        return false;
    }

    void reach(std::int64_t at);
    void coarsen();
    void coarsen_entities();
    void apply(const traffic_change& change, std::int64_t from);
    void take_topic(const traffic_change& change, std::size_t place);
    void take_client(const traffic_change& change, std::size_t place);
    void turn(std::size_t place);
    void merge(entry_list<client_entry>& list);
    void sum_up();
    template <class Standing, class Entry>
    std::vector<Standing>& move(cursor<Standing>& to, std::size_t interval,
                                std::vector<entry_list<Entry>>& lists);
    static void add(topic_standing& to, const topic_entry& entry);
    static void subtract(topic_standing& from, const topic_entry& entry);
    static void add(client_standing& to, const client_entry& entry);
    static void subtract(client_standing& from, const client_entry& entry);

    std::int64_t begin_;
    std::int64_t width_;
    std::int64_t newest_message_ = 0;
    std::vector<stretch> intervals_;
    std::size_t late_count_ = 0;

    unsigned shift_ = 0;
    std::vector<entry_list<topic_entry>> topics_;
    std::vector<entry_list<client_entry>> clients_;
    std::size_t entries_ = 0;
    std::size_t open_ = 0;  // entity interval that takes messages now
    /// By row: the place of its entry in the open interval, if it is there.
    std::vector<std::uint32_t> topic_places_;
    std::vector<std::uint32_t> client_places_;
    std::vector<std::int64_t> topic_newest_;
    std::vector<std::uint8_t> topic_retained_;

    std::uint64_t version_ = 1;  // changes with what is known
    std::uint64_t sums_version_ = 0;
    std::vector<sums> sums_;
    std::vector<std::int64_t> queued_max_;
    std::vector<std::int64_t> in_flight_max_;
    cursor<topic_standing> topic_cursor_;
    cursor<client_standing> client_cursor_;
};

}  // namespace fleetarium::feed
