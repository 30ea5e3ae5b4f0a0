#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/session/message.hpp>
#include <fleetarium/sim/event.hpp>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string_view>

namespace fleetarium::sim::detail {

/// Finds out which message a delivery of a remote broker is, where no identity can ride with the
/// bytes and payloads are not to be changed: it is the oldest message with that topic and payload
/// that the receiver has not had yet.
///
/// This is exact for messages that differ. Of equal ones, a broker keeps the order of one
/// publisher's; if it drops one of them, those behind it are taken for the one before, and their
/// latency is counted too long, until the receiver connects anew: what was published before a
/// receiver's session (of QoS 0: its connection) began is passed over. A delivery beyond all
/// messages that fit is a copy: sent again, or sent once more for an overlapping subscription.
///
/// Remembers the newest limits::matched_messages_max messages and as many deliveries.
/// Constant time, but for the first delivery of equal messages after a connect.
class delivery_matcher {
public:
    delivery_matcher();
    ~delivery_matcher();

    void note_published(std::string_view topic, bytes_view payload,
                        const message_identity& identity);

    struct match {
        message_identity identity;
        bool copy = false;
    };

    /// None: it is nobody's of this world, or forgotten. `since`: see above.
    std::optional<match> find(host_id receiver, std::string_view topic, bytes_view payload,
                              instant since);

    /// The message of a delivery that a subscription made, not its publication; whether it has
    /// been had before does not matter. Without a published_at, for it waited at the broker.
    std::optional<match> find_retained(std::string_view topic, bytes_view payload) const;

private:
    /// Messages are numbered in the order in which they were published.
    using place = std::uint64_t;
    static constexpr place nowhere = ~place{0};

    struct record {
        std::uint64_t key;
        message_identity identity;
        place next;  ///< of the equal ones
    };
    struct equal_messages {
        place first;
        place last;
    };
    struct tables;

    record& at(place where) { return records_[where - forgotten_]; }
    void forget_oldest();
    place first_to_have(const equal_messages& all, place had, instant since);
    std::optional<place> last_had(std::uint64_t receiver_key) const;
    void note_had(std::uint64_t receiver_key, place had);

    std::deque<record> records_;
    place forgotten_ = 0;  // so many are no longer in records_
    std::unique_ptr<tables> tables_;
};

}  // namespace fleetarium::sim::detail
