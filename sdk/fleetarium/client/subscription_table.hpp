#pragma once

#include <fleetarium/client/operation.hpp>
#include <fleetarium/client/subscription_stream.hpp>
#include <fleetarium/codec/packets.hpp>
#include <fleetarium/codec/topic.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::detail {

/// A filter that the client subscribes to, for one stream or several.
struct subscription_entry {
    std::uint32_t identifier = 0;
    std::string filter{};
    std::string_view matched{};  ///< of `filter`, without the share
    subscribe_options options{};
    struct listener {
        subscription_stream* stream;
        std::size_t filter;  ///< its place among the filters of the stream
    };
    std::vector<listener> listeners{};
    bool told = false;    ///< SUBSCRIBE was sent in the present session
    bool queued = false;  ///< SUBSCRIBE is to be sent
};

/// UNSUBSCRIBE that is to be sent or answered.
struct unsubscribe_request {
    std::vector<std::string> filters{};
    /// Of each filter of the caller, the place in `filters`, or none for one that others still
    /// listen to.
    std::vector<std::optional<std::size_t>> places{};
    operation_ptr<std::vector<reason_code>> waiting{};  ///< may be null
};

/// What a client subscribes to, and what of that the server has still to be told or to answer.
/// Entries are in the order in which they were made, which is the order of subscribing again.
class subscription_table {
public:
    /// The entry of a filter, made if there is none.
    subscription_entry& at(const std::string& filter);
    subscription_entry* find(std::uint32_t identifier);
    subscription_entry* find_filter(std::string_view filter);
    bool contains(std::string_view filter) const { return by_filter_.contains(filter); }
    void erase(std::uint32_t identifier);

    template <class Visitor>
    void for_each(Visitor&& visit) {
        for (auto& [identifier, entry] : entries_) {
            visit(entry);
        }
    }

    /// Calls `visit(entry)` for each entry whose filter matches the topic. Linear in the filters
    /// that are not the topic itself: those with wildcards, and shared ones.
    template <class Visitor>
    void for_each_match(std::string_view topic, Visitor&& visit) {
        if (subscription_entry* const exact = find_filter(topic)) {
            visit(*exact);
        }
        for (const std::uint32_t identifier : patterns_) {
            subscription_entry& entry = entries_.at(identifier);
            if (topic_matches(entry.matched, topic)) {
                visit(entry);
            }
        }
    }

    /// Takes out of a request the filters that somebody subscribes to by now.
    void remove_wanted(unsubscribe_request& from) const;

    /// SUBSCRIBE is to be sent, again if it was already.
    void queue(subscription_entry& entry);

    std::deque<std::uint32_t> to_subscribe{};
    std::deque<unsubscribe_request> to_unsubscribe{};
    std::map<std::uint16_t, std::uint32_t> subscribing{};          ///< packet id to identifier
    std::map<std::uint16_t, unsubscribe_request> unsubscribing{};  ///< by packet id
    std::size_t full_streams = 0;                                  ///< for which reading pauses

private:
    std::map<std::uint32_t, subscription_entry> entries_;
    std::map<std::string, std::uint32_t, std::less<>> by_filter_;
    std::set<std::uint32_t> patterns_;  // entries whose filter is not a topic
    std::uint32_t last_identifier_ = 0;
};

}  // namespace fleetarium::detail
