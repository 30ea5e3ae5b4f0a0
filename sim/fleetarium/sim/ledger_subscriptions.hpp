#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/sim/ledger_table.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim::detail {

/// The ledger's own idea of who subscribes to what, which shares nothing with the broker's tree.
///
/// A filter matches a topic exactly if the topic, with the filter's wildcards put in at the
/// filter's places, reads like the filter. So there is one look into a table for each arrangement
/// of wildcards that occurs, of which a world has few.
class ledger_subscriptions {
public:
    static constexpr std::uint32_t none = 0xFFFF'FFFF;

    struct subscription {
        std::uint64_t filter = 0;  // hash of the plain filter
        std::uint32_t session = 0;
        std::uint32_t group = 0;  // hash of the share name; 0: not shared
        std::uint32_t next_of_filter = none;
        std::uint32_t previous_of_filter = none;
        std::uint32_t next_of_session = none;
        std::uint32_t identifier = 0;  // 0: none
        subscription_options options;
        bool dollar_shielded = false;  // begins with a wildcard
    };

    /// Of a session: the head of its list is kept by the caller. Returns whether it is new.
    bool add(std::uint32_t& first_of_session, std::uint32_t session, std::string_view filter,
             const subscription_options& options, std::uint32_t identifier);
    /// Returns whether there was one.
    bool remove(std::uint32_t& first_of_session, std::uint32_t session, std::string_view filter);
    void remove_all(std::uint32_t& first_of_session);

    /// Calls `visit(const subscription&)` for each that matches, in no order to rely on.
    template <class Visitor>
    void for_each_match(std::string_view topic, Visitor&& visit) {
        visit_filter(hash_of(topic), visit);
        if (shapes_.empty()) {
            return;
        }
        split(topic);
        for (const shape& each : shapes_) {
            if (project(topic, each)) {
                visit_filter(hash_of(projected_), visit);
            }
        }
    }

    /// Asks the processor for where the filters that read like the topic are looked for.
    void prefetch(std::string_view topic) const { filters_.prefetch(hash_of(topic)); }

    /// Whether a subscription of the session would match if `$` were a letter like others, and
    /// it begins with a wildcard.
    bool is_shielded_from(std::uint32_t first_of_session, std::string_view topic);

    /// Calls `visit(const subscription&)` for each of a session's.
    template <class Visitor>
    void for_each_of(std::uint32_t first_of_session, Visitor&& visit) const {
        for (std::uint32_t at = first_of_session; at != none; at = pool_[at].next_of_session) {
            visit(pool_[at]);
        }
    }

    std::size_t memory_bytes() const;

private:
    /// An arrangement of wildcards.
    struct shape {
        std::uint64_t hash = 0;
        std::vector<std::uint8_t> plus;  // by level: whether it is `+`
        bool rest = false;               // ends with `#`
    };
    struct parts {
        std::string_view plain;
        std::uint32_t group;
    };

    static parts parts_of(std::string_view filter);
    static std::uint64_t hash_of(std::string_view text);
    static std::uint64_t key_of(std::uint64_t filter, std::uint32_t session, std::uint32_t group);
    static shape shape_of(std::string_view filter);
    void note_shape(std::string_view filter);
    void unlink(std::uint32_t& first_of_session, std::uint32_t index);
    void split(std::string_view topic);
    bool project(std::string_view topic, const shape& onto, bool ignore_dollar = false);

    template <class Visitor>
    void visit_filter(std::uint64_t filter, Visitor&& visit) {
        const std::uint32_t* const head = filters_.find(filter);
        for (std::uint32_t at = head == nullptr ? none : *head; at != none;
             at = pool_[at].next_of_filter) {
            visit(static_cast<const subscription&>(pool_[at]));
        }
    }

    std::vector<subscription> pool_;
    std::vector<std::uint32_t> free_;
    ledger_table<std::uint32_t> filters_;  // hash of the filter to its first subscription
    std::vector<shape> shapes_;            // of all filters with wildcards so far: few
    std::vector<std::uint16_t> levels_;    // ends of the levels of the topic in hand
    std::string projected_;
};

}  // namespace fleetarium::sim::detail
