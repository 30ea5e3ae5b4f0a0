#pragma once

#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/feed/feed_types.hpp>
#include <fleetarium/recording/schema.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::feed {

/// One delivery of a message that is kept. Instants are nanoseconds; `not_yet`: it did not happen.
struct kept_delivery {
    static constexpr std::int64_t not_yet = INT64_MIN;

    std::uint32_t client = 0;
    std::uint8_t qos = 0;
    recording::recorded_state state = recording::recorded_state::queued;
    broker::drop_reason reason = broker::drop_reason::none;
    std::uint8_t code = 0;
    std::uint16_t resent = 0;
    std::uint16_t copies = 0;
    std::int64_t made = 0;
    std::int64_t sent = not_yet;
    std::int64_t last_resent = not_yet;
    std::int64_t received = not_yet;
    std::int64_t ended = not_yet;

    bool has_ended() const { return ended != not_yet; }
};

struct kept_message {
    static constexpr std::size_t deliveries_max = 200;
    static constexpr std::uint32_t nobody = 0xFFFF'FFFF;

    std::uint64_t sequence = 0;  ///< as viewers number it: rising
    std::uint64_t number = 0;    ///< as the source knows it
    std::int64_t at = 0;
    std::int64_t published = kept_delivery::not_yet;
    std::int64_t completed = kept_delivery::not_yet;
    std::int64_t last_copy = kept_delivery::not_yet;  ///< the publisher sent it once more
    std::uint32_t publisher = nobody;
    std::uint32_t broker = 0;
    std::uint32_t size = 0;
    std::uint32_t made = 0;  ///< deliveries, also those beyond deliveries_max
    std::uint32_t delivered = 0;
    std::uint32_t ended = 0;
    std::uint32_t resent = 0;
    std::uint16_t copies = 0;
    std::uint8_t qos = 0;
    bool retain = false;
    bool was_routed = false;
    bool is_part = false;  ///< kept when it was lost: what was before is not known
    bool was_refused = false;
    bool is_will = false;
    broker::drop_reason reason = broker::drop_reason::none;  ///< of the first loss
    bool was_lost = false;
    std::string topic{};
    std::string payload{};
    std::string properties{};  ///< JSON
    std::vector<kept_delivery> deliveries{};

    message_state state() const;
};

/// The newest messages of a live run, in a ring: those that are followed from their publisher to
/// their last acknowledgement, and those that were lost.
/// Memory: messages_max messages, bytes_max bytes of topics and payloads, and deliveries_max
/// deliveries of 72 bytes.
class kept_messages {
public:
    static constexpr std::size_t messages_max = 50'000;
    static constexpr std::size_t bytes_max = std::size_t{64} << 20;
    static constexpr std::size_t deliveries_max = 500'000;

    /// A new message, the newest of all. Forgets the oldest where there is no room.
    kept_message& add(std::uint64_t sequence, std::uint64_t number, std::string_view topic,
                      bytes_view payload, std::string_view properties);

    /// The message of a number; null: it is not kept.
    kept_message* find(std::uint64_t number);
    const kept_message* find_sequence(std::uint64_t sequence) const;

    /// The delivery of a kept message to a client that a decision is about; a new one if `make`.
    /// Null if there is none, beyond kept_message::deliveries_max of the message, and where all
    /// that are kept have too many.
    kept_delivery* delivery_to(kept_message& of, std::uint32_t client, bool make, std::int64_t at);

    /// Calls `visit(const kept_message&)`, the newest first, until it returns false.
    template <class Visitor>
    void for_each_newest(Visitor&& visit) const {
        for (auto each = ring_.rbegin(); each != ring_.rend(); ++each) {
            if (!visit(*each)) {
                return;
            }
        }
    }

    bool empty() const { return ring_.empty(); }
    const kept_message& oldest() const { return ring_.front(); }
    bool has_forgotten() const { return first_ != 0; }
    std::size_t bytes() const { return bytes_; }
    std::size_t deliveries() const { return deliveries_; }

private:
    void forget_oldest();

    std::deque<kept_message> ring_;
    std::uint64_t first_ = 0;  // place of the front, counted from the beginning
    boost::unordered_flat_map<std::uint64_t, std::uint64_t> places_;  // by number
    std::size_t bytes_ = 0;
    std::size_t deliveries_ = 0;
};
static_assert(sizeof(kept_delivery) <= 72);

/// Names of clients and brokers, for answers.
struct party_names {
    std::function<std::string(std::uint32_t)> client;
    std::function<std::string(std::uint32_t)> broker;
};

message_row row_of(const kept_message& of, const party_names& names);
/// Without `payload_before`.
message_answer answer_of(const kept_message& of, const party_names& names);

}  // namespace fleetarium::feed
