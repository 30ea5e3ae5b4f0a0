#pragma once

#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/feed/latency_buckets.hpp>
#include <fleetarium/recording/recorded_rows.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

/// What a recorded message changes, and when: the one definition of what the feed counts in a
/// recording.
namespace fleetarium::feed {

/// Where each count stands in a list of all.
namespace counter {

/// Of each QoS, as in qos_totals.
enum funnel : unsigned {
    published,
    copies,
    routed,
    completed,
    deliveries,
    sent,
    resent,
    delivered,
    acknowledged,
    dropped,
    lost,
    funnel_count
};

constexpr unsigned of(std::size_t qos, funnel what) {
    return static_cast<unsigned>(qos) * funnel_count + what;
}

inline constexpr unsigned reasons = 3 * funnel_count;  ///< by drop_reason
inline constexpr unsigned bytes_in = reasons + broker::drop_reason_count;
inline constexpr unsigned bytes_out = bytes_in + 1;
inline constexpr unsigned queued = bytes_in + 2;
inline constexpr unsigned in_flight = bytes_in + 3;
inline constexpr unsigned retained = bytes_in + 4;
inline constexpr unsigned latency = bytes_in + 5;  ///< by bucket
inline constexpr unsigned count = latency + latency_buckets::count;

}  // namespace counter

/// What is counted of a client.
enum class client_counter : std::uint8_t { published, received, backlog, losses };

struct traffic_change {
    enum class kind : std::uint8_t {
        count,     ///< `slot` of the counters by `amount`
        topic,     ///< `message`, of `amount` bytes, is the newest of topic `entity`
        retained,  ///< topic `entity` has a retained message, or none if `amount` is 0, at the
                   ///< broker with the bit `slot`
        client,    ///< the client_counter `slot` of client `entity` by `amount`
    };

    std::int64_t at = 0;
    std::int64_t amount = 0;
    std::int64_t message = 0;
    std::uint32_t entity = 0;  ///< row
    std::uint16_t slot = 0;
    kind what = kind::count;
};

/// Bits of message_head::fates beside those of drop reasons.
inline constexpr std::uint32_t fate_lost = 1U << 16;
inline constexpr std::uint32_t fate_refused = 1U << 17;
inline constexpr std::uint32_t fate_under_way = 1U << 18;

/// A message whose changes are those behind those of the one before.
struct message_head {
    std::int64_t id = 0;
    std::int64_t at = 0;
    std::uint32_t fates = 0;
    std::uint32_t changes = 0;  ///< in number
};

/// A message of which more is to be written.
struct pending_message {
    std::int64_t id = 0;
    bool deliveries = false;
    bool acknowledgement = false;
};

struct traffic_batch {
    std::vector<message_head> messages{};
    std::vector<traffic_change> changes{};
    std::vector<pending_message> pending{};

    void clear() {
        messages.clear();
        changes.clear();
        pending.clear();
    }
};

/// Reads changes. Must not outlive the database. Throws recording_error.
class change_reader {
public:
    explicit change_reader(recording::database& in);

    /// Adds the changes of messages of the ids [first, last]. `growing`: of the recording more is
    /// to be written; deliveries of a message are taken when all of them are there.
    void read(std::int64_t first, std::int64_t last, bool growing, traffic_batch& to);
    /// The rest of a message that was pending; false: it is not there yet.
    bool read_rest(pending_message& of, traffic_batch& to);
    /// Adds the changes of `count` resends with ids above; returns the last id. They have no head.
    std::int64_t read_resends(std::int64_t above, std::int64_t until, std::size_t count,
                              std::vector<traffic_change>& to);

private:
    struct one_message {
        const recording::message_row& row;
        std::int64_t size;
        std::uint32_t fates = 0;
    };
    void add_message(one_message& of, traffic_batch& to);
    void add_acknowledgement(const recording::message_row& of, traffic_batch& to);
    void add_delivery(one_message& of, const recording::delivery_row& what, traffic_batch& to);
    bool tells(std::int64_t client);

    recording::database& in_;
    recording::message_rows messages_;
    recording::delivery_rows deliveries_;
    recording::message_rows one_message_;
    recording::delivery_rows one_delivery_;
    std::vector<bool> tells_;
};

}  // namespace fleetarium::feed
