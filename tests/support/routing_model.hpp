#pragma once

#include <fleetarium/broker/broker_options.hpp>
#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/clock.hpp>

#include "support/naive_topics.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

// A model of a broker among a few clients that knows no more than the rules: who has
// to receive what, at which QoS, with which RETAIN, DUP and Subscription Identifiers. Clients come
// and go in both versions, keep sessions or do not, leave wills and messages unacknowledged.
namespace fleetarium::test {

/// One PUBLISH that a client receives.
struct routed_publish {
    std::uint64_t number = 0;  ///< in the payload; 0 is an empty payload
    std::string topic{};
    enum qos qos = qos::at_most_once;
    bool retain = false;
    bool dup = false;
    std::multiset<std::uint32_t> identifiers{};

    auto key() const { return std::tie(number, topic, qos, retain, dup, identifiers); }
    friend bool operator==(const routed_publish& a, const routed_publish& b) {
        return a.key() == b.key();
    }
    friend bool operator<(const routed_publish& a, const routed_publish& b) {
        return a.key() < b.key();
    }
    std::string text() const {
        std::string out = topic + "=" + std::to_string(number) + " q" +
                          std::to_string(static_cast<int>(qos)) + (retain ? " retain" : "") +
                          (dup ? " dup" : "");
        for (const std::uint32_t identifier : identifiers) {
            out += " id" + std::to_string(identifier);
        }
        return out;
    }
};

/// Who must receive what.
class routing_model {
public:
    static constexpr std::size_t clients = 6;
    static constexpr std::size_t nobody = clients;
    static constexpr std::uint32_t expiry_never = 0xFFFF'FFFF;

    struct posting {
        std::uint64_t number;
        std::string topic;
        enum qos qos;
        bool retain;
        std::size_t publisher;
    };
    struct will {
        posting what;
        duration delay;
    };

    explicit routing_model(const broker::broker_options& options) : options_(options) {}

    bool is_connected(std::size_t who) const { return of_[who].connected; }
    bool is_kept(std::size_t who) const { return of_[who].exists; }

    /// Returns whether a session is present.
    bool connect(std::size_t who, protocol_version version, bool clean, std::uint32_t expiry,
                 bool lazy, std::optional<will> left) {
        client& it = of_[who];
        if (it.connected) {
            disconnect(who, true);
        }
        if (it.exists && clean) {
            end(who);
        }
        const bool present = it.exists;
        it.exists = it.connected = true;
        it.version = version;
        it.expiry = expiry;
        it.lazy = lazy;
        it.expires_at = never;
        it.last_will = std::move(left);
        it.will_due = never;
        // What was sent and not acknowledged comes first, then what waits.
        std::vector<waiting> again = std::exchange(it.unacknowledged, {});
        for (waiting& one : again) {
            one.what.dup = true;
            receive(it, one);
        }
        for (const waiting& one : std::exchange(it.queue, {})) {
            receive(it, one);
        }
        return present;
    }

    void disconnect(std::size_t who, bool with_will) {
        client& it = of_[who];
        it.connected = false;
        if (!with_will) {
            it.last_will.reset();
        }
        if (it.expiry == 0) {
            end(who);
            return;
        }
        if (it.expiry != expiry_never) {
            it.expires_at = now_ + std::chrono::seconds(it.expiry);
        }
        if (it.last_will) {
            it.will_due = now_ + it.last_will->delay;
        }
        settle(who);
    }

    void subscribe(std::size_t who, const std::string& filter, subscription_options options,
                   std::uint32_t identifier) {
        client& it = of_[who];
        const bool is_new = it.filters.count(filter) == 0;
        it.filters[filter] = {options, identifier};
        if (filter.starts_with("$share/")) {
            if (is_new) {
                groups_[filter].members.push_back(who);
                groups_[filter].next =
                    groups_[filter].members.size() == 1 ? who : groups_[filter].next;
            }
            return;
        }
        if (options.retain_handling == retain_handling::do_not_send ||
            (options.retain_handling == retain_handling::send_if_new && !is_new)) {
            return;
        }
        for (const auto& [topic, kept] : retained_) {
            if (naively_matches(filter, topic) && !(options.no_local && kept.publisher == who)) {
                give(who, kept, options.qos, true,
                     identifier == 0 ? std::multiset<std::uint32_t>{}
                                     : std::multiset<std::uint32_t>{identifier},
                     {});
            }
        }
    }

    /// Returns whether there was such a subscription.
    bool unsubscribe(std::size_t who, const std::string& filter) {
        if (of_[who].filters.erase(filter) == 0) {
            return false;
        }
        leave_group(who, filter);
        return true;
    }
    /// A filter that the client has subscribed to; empty if it has none.
    std::string some_filter(std::size_t who, std::uint32_t number) const {
        const auto& all = of_[who].filters;
        return all.empty()
                   ? std::string()
                   : std::next(all.begin(), static_cast<std::ptrdiff_t>(number % all.size()))
                         ->first;
    }
    /// Whether the session holds a message that came by a shared subscription.
    bool holds_shared(std::size_t who) const {
        const auto is_shared = [](const waiting& one) { return !one.group.empty(); };
        return std::any_of(of_[who].queue.begin(), of_[who].queue.end(), is_shared) ||
               std::any_of(of_[who].unacknowledged.begin(), of_[who].unacknowledged.end(),
                           is_shared);
    }

    /// How many other shared subscriptions the client has.
    std::size_t shared_filters(std::size_t who, const std::string& but) const {
        const auto& all = of_[who].filters;
        return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const auto& one) {
            return one.first.starts_with("$share/") && one.first != but;
        }));
    }

    /// Returns to how many subscriptions, merged as the options say, it is given.
    std::size_t publish(const posting& what) {
        if (what.retain) {
            if (what.number == 0) {
                retained_.erase(what.topic);
            } else {
                retained_.insert_or_assign(what.topic, what);
            }
        }
        std::size_t given = 0;
        for (std::size_t who = 0; who < clients; ++who) {
            given += give_by_plain(who, what);
        }
        for (auto& [filter, group] : groups_) {
            if (naively_matches(matched_part(filter), what.topic)) {
                given += give_to_group(filter, group, what, nobody) ? 1u : 0u;
            }
        }
        return given;
    }

    /// Time goes on; `order` says whose session is the first of two that something is due for at
    /// one instant.
    template <class Order>
    void advance(duration by, Order&& order) {
        const instant until = now_ + by;
        for (;;) {
            std::size_t first = nobody;
            for (std::size_t who = 0; who < clients; ++who) {
                const instant due = due_of(who);
                if (due <= until && (first == nobody || due < due_of(first) ||
                                     (due == due_of(first) && order(who) < order(first)))) {
                    first = who;
                }
            }
            if (first == nobody) {
                now_ = until;
                return;
            }
            now_ = std::max(now_, due_of(first));
            settle(first);
        }
    }

    /// What the client has received since the last call, in its order.
    std::vector<routed_publish> take(std::size_t who) {
        return std::exchange(of_[who].received, {});
    }

private:
    struct interest {
        subscription_options options;
        std::uint32_t identifier = 0;
    };
    struct waiting {
        routed_publish what;
        posting original;
        std::string group;  // the shared filter by which it came; empty: none
    };
    struct client {
        bool exists = false;
        bool connected = false;
        bool lazy = false;  // acknowledges nothing on this connection
        protocol_version version = protocol_version::v5;
        std::uint32_t expiry = 0;
        instant expires_at = never;
        std::optional<will> last_will;
        instant will_due = never;
        std::map<std::string, interest> filters;
        std::vector<waiting> unacknowledged;
        std::vector<waiting> queue;
        std::vector<routed_publish> received;
    };
    struct share_group {
        std::vector<std::size_t> members;  // in join order
        std::size_t next = nobody;
    };

    std::size_t give_by_plain(std::size_t who, const posting& what) {
        std::size_t matching = 0;
        enum qos highest = qos::at_most_once;
        bool as_published = false;
        std::multiset<std::uint32_t> identifiers;
        for (const auto& [filter, by] : of_[who].filters) {
            if (filter.starts_with("$share/") || !naively_matches(filter, what.topic) ||
                (by.options.no_local && what.publisher == who)) {
                continue;
            }
            ++matching;
            std::multiset<std::uint32_t> own;
            if (by.identifier != 0) {
                own.insert(by.identifier);
            }
            if (options_.overlapping_subscriptions ==
                broker::overlapping_subscriptions::copy_per_subscription) {
                give(who, what, by.options.qos, what.retain && by.options.retain_as_published, own,
                     {});
                continue;
            }
            highest = std::max(highest, by.options.qos);
            as_published = as_published || by.options.retain_as_published;
            identifiers.merge(own);
        }
        if (matching == 0 || options_.overlapping_subscriptions ==
                                 broker::overlapping_subscriptions::copy_per_subscription) {
            return matching;
        }
        give(who, what, highest, what.retain && as_published, identifiers, {});
        return 1;
    }

    bool give_to_group(const std::string& filter, share_group& group, const posting& what,
                       std::size_t except) {
        const auto begin = std::find(group.members.begin(), group.members.end(), group.next) -
                           group.members.begin();
        for (const bool only_connected : {true, false}) {
            for (std::size_t i = 0; i < group.members.size(); ++i) {
                const std::size_t at = (static_cast<std::size_t>(begin) + i) % group.members.size();
                const std::size_t who = group.members[at];
                if (who == except || (only_connected && !of_[who].connected)) {
                    continue;
                }
                group.next = group.members[(at + 1) % group.members.size()];
                const interest& by = of_[who].filters.at(filter);
                give(who, what, by.options.qos, what.retain && by.options.retain_as_published,
                     by.identifier == 0 ? std::multiset<std::uint32_t>{}
                                        : std::multiset<std::uint32_t>{by.identifier},
                     filter);
                return true;
            }
        }
        return false;
    }

    void give(std::size_t who, const posting& what, enum qos granted, bool retain,
              const std::multiset<std::uint32_t>& identifiers, const std::string& group) {
        client& it = of_[who];
        const waiting made{
            {what.number, what.topic, std::min(what.qos, granted), retain, false, identifiers},
            what,
            group};
        if (it.connected) {
            receive(it, made);
            return;
        }
        if (made.what.qos == qos::at_most_once && !options_.queue_qos_0_offline) {
            return;
        }
        if (it.queue.size() >= options_.queue_messages_max) {
            if (options_.queue_policy == broker::queue_policy::drop_new) {
                return;
            }
            it.queue.erase(it.queue.begin());
        }
        it.queue.push_back(made);
    }

    static void receive(client& it, const waiting& one) {
        it.received.push_back(one.what);
        if (it.version == protocol_version::v3_1_1) {
            it.received.back().identifiers.clear();
        }
        if (it.lazy && one.what.qos != qos::at_most_once) {
            it.unacknowledged.push_back(one);
        }
    }

    void publish_will(std::size_t who) {
        of_[who].will_due = never;
        if (const auto left = std::exchange(of_[who].last_will, std::nullopt)) {
            publish(left->what);
        }
    }

    /// When something happens to a session without a connection.
    instant due_of(std::size_t who) const {
        const client& it = of_[who];
        return it.exists && !it.connected ? std::min(it.expires_at, it.will_due) : never;
    }
    void settle(std::size_t who) {
        if (of_[who].expires_at <= now_) {
            end(who);
        } else if (of_[who].will_due <= now_) {
            publish_will(who);
        }
    }

    void end(std::size_t who) {
        client& it = of_[who];
        publish_will(who);
        // Shared messages go to another member, but for QoS 2 that has begun.
        std::vector<waiting> left = std::exchange(it.unacknowledged, {});
        std::erase_if(left, [](const waiting& one) { return one.what.qos == qos::exactly_once; });
        const std::vector<waiting> queued = std::exchange(it.queue, {});
        left.insert(left.end(), queued.begin(), queued.end());
        for (const waiting& one : left) {
            if (!one.group.empty()) {
                give_to_group(one.group, groups_.at(one.group), one.original, who);
            }
        }
        for (const auto& [filter, by] : it.filters) {
            leave_group(who, filter);
        }
        it = {};
    }

    void leave_group(std::size_t who, const std::string& filter) {
        const auto at = groups_.find(filter);
        if (at == groups_.end()) {
            return;
        }
        share_group& group = at->second;
        const auto place = std::find(group.members.begin(), group.members.end(), who);
        if (place == group.members.end()) {
            return;
        }
        const auto behind =
            std::next(place) == group.members.end() ? group.members.begin() : std::next(place);
        group.next = group.next == who ? *behind : group.next;
        group.members.erase(place);
        if (group.members.empty()) {
            groups_.erase(at);
        }
    }

    broker::broker_options options_;
    instant now_{};
    std::array<client, clients> of_{};
    std::map<std::string, share_group> groups_;
    std::map<std::string, posting> retained_;
};

}  // namespace fleetarium::test
