#pragma once

#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/sim/world_observer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace fleetarium::sim {

/// Takes events of messages in place of an observer that follows only some messages one by one.
///
/// A message has about eight events, and a call for each costs a run more than all that is to be
/// counted of it. So a world asks `takes_...` first, which is inline: true says that the event is
/// counted here and that the observer need not hear of it. Counts are exact; what they say of
/// single clients is noted and given to `count_touches` later, many at once, so that their memory
/// is waited for together. Thread rule: the observer's.
class message_tally {
public:
    static constexpr std::uint32_t nobody = world_observer::nobody;

    struct qos_counts {
        std::uint64_t published = 0;
        std::uint64_t copies = 0;
        std::uint64_t routed = 0;
        std::uint64_t completed = 0;
        std::uint64_t deliveries = 0;
        std::uint64_t sent = 0;
        std::uint64_t resent = 0;
        std::uint64_t delivered = 0;
        std::uint64_t acknowledged = 0;
    };

    /// A message of a client, or one that it received.
    struct alignas(64) touch {
        static constexpr std::size_t topic_max = 44;
        static constexpr std::int64_t unknown = INT64_MIN;

        std::int64_t latency = unknown;  ///< nanoseconds, of what was received
        std::uint32_t client = 0;
        std::uint32_t size = 0;  ///< of the payload
        bool is_message = false;
        std::uint8_t topic_size = 0;
        std::array<char, topic_max> topic{};
    };
    static_assert(sizeof(touch) == 64);

    message_tally() = default;
    virtual ~message_tally() = default;
    message_tally(const message_tally&) = delete;
    message_tally& operator=(const message_tally&) = delete;

    // What the observer wants to hear of

    /// Of one in so many messages, a power of two, every event.
    void follow_one_in(std::uint64_t many) { mask_ = many - 1; }
    std::uint64_t follows_one_in() const { return mask_ + 1; }
    bool follows(std::uint64_t number) const { return (mixed(number) & mask_) == 0; }
    /// Of this message also, although `follows` does not choose it.
    void add_message(std::uint64_t number) { others_.add(mixed(number)); }
    /// Of no others than `follows` chooses.
    void clear_messages() { others_.clear(); }
    bool has_other_messages() const { return !others_.is_empty(); }
    /// Whether every event of the message is told: also of few that nobody asked for.
    bool tells_of(std::uint64_t number) const {
        const std::uint64_t place = mixed(number);
        return (place & mask_) == 0 || others_.may_have(place);
    }
    /// Of everything about these clients, four at most; others are forgotten.
    void set_clients(std::span<const std::uint32_t> wanted) {
        clients_.fill(nobody);
        std::copy_n(wanted.begin(), std::min(wanted.size(), clients_.size()), clients_.begin());
        has_clients_ = !wanted.empty();
    }
    /// Clients below say themselves what they receive.
    void set_tellers_end(std::uint32_t end) { tellers_end_ = end; }

    // What happened; `number` is the same for all that concerns a message

    bool takes_message(std::uint32_t publisher, const publish& message, std::uint64_t number,
                       bool is_copy) {
        if (is_copy || publisher == nobody || message.topic.size() > touch::topic_max ||
            is_told(publisher, number)) {
            return false;
        }
        count_message(message.qos, message.payload.size());
        touch& made = next_touch();
        made.client = publisher;
        made.size = static_cast<std::uint32_t>(message.payload.size());
        made.is_message = true;
        made.topic_size = static_cast<std::uint8_t>(message.topic.size());
        std::copy(message.topic.begin(), message.topic.end(), made.topic.begin());
        return true;
    }

    bool takes_decision(std::uint32_t client, const broker::broker_event& decision,
                        std::uint64_t number, bool is_copy) {
        using kind = broker::broker_event::kind;
        switch (decision.what) {
            case kind::received: return true;  // takes_message has it
            case kind::routed:
                if (tells_of(number)) {
                    return false;
                }
                count_routed(decision, is_copy);
                return true;
            case kind::sent:
                if (decision.known || client >= tellers_end_ || is_told(client, number)) {
                    return false;
                }
                count_sent(decision);
                return true;
            case kind::acknowledged:
                if (client >= tellers_end_ || is_told(client, number)) {
                    return false;
                }
                count_acknowledged(decision);
                return true;
            default: return false;
        }
    }

    bool takes_received(std::uint32_t client, std::uint64_t number, enum qos qos, bool repeated,
                        instant published, instant now) {
        if (repeated || is_told(client, number)) {
            return false;
        }
        count_received(client, qos, published, now);
        return true;
    }

    bool takes_completed(std::uint32_t publisher, std::uint64_t number, enum qos qos) {
        if (is_told(publisher, number)) {
            return false;
        }
        ++of(qos).completed;
        return true;
    }

    // The same counts, for an observer that hears of it

    void count_message(enum qos qos, std::size_t size) {
        ++of(qos).published;
        ++messages;
        routing_qos = qos;
        routing_size = size;
        payload_bytes_in += size;
    }
    void count_routed(const broker::broker_event& decision, bool is_copy) {
        if (!is_copy) {
            of(routing_qos).routed += decision.count != 0;
            payload_bytes_out += routing_size * decision.count;
        }
    }
    void count_sent(const broker::broker_event& decision) {
        qos_counts& counts = of(decision.qos);
        counts.deliveries += !decision.known;
        ++(decision.flag ? counts.resent : counts.sent);
        if (!decision.flag && decision.qos != qos::at_most_once) {
            in_flight_max = std::max(in_flight_max, ++in_flight);
        }
    }
    void count_acknowledged(const broker::broker_event& decision) {
        ++of(decision.qos).acknowledged;
        --in_flight;
    }
    void count_received(std::uint32_t client, enum qos qos, instant published, instant now) {
        ++of(qos).delivered;
        touch& made = next_touch();
        made.client = client;
        made.is_message = false;
        made.latency = published == instant::min() ? touch::unknown : (now - published).count();
    }

    /// Gives what was noted to `count_touches`: before anybody looks.
    void settle() {
        if (touched_ != 0) {
            const std::size_t count = touched_;
            touched_ = 0;
            count_touches({touches_.data(), count});
        }
    }

    qos_counts& of(enum qos qos) { return counts_[static_cast<std::size_t>(qos)]; }
    const qos_counts& of(enum qos qos) const { return counts_[static_cast<std::size_t>(qos)]; }

    std::uint64_t messages = 0;  ///< numbered so far
    std::uint64_t payload_bytes_in = 0;
    std::uint64_t payload_bytes_out = 0;
    std::int64_t in_flight = 0;
    std::int64_t in_flight_max = 0;
    enum qos routing_qos = qos::at_most_once;  ///< of the message that is taken on now
    std::size_t routing_size = 0;

protected:
    virtual void count_touches(std::span<const touch> made) = 0;

private:
    /// Numbers as bits: it may have more than was added. Small, so that it stays in the processor's
    /// cache: each event asks it.
    class number_set {
    public:
        bool may_have(std::uint64_t bits) const {
            return (words_[bits >> 32 & (words_.size() - 1)] >> (bits >> 26 & 63) & 1) != 0;
        }
        void add(std::uint64_t bits) {
            words_[bits >> 32 & (words_.size() - 1)] |= std::uint64_t{1} << (bits >> 26 & 63);
            is_empty_ = false;
        }
        void clear() {
            words_.fill(0);
            is_empty_ = true;
        }
        bool is_empty() const { return is_empty_; }

    private:
        std::array<std::uint64_t, 4'096> words_{};
        bool is_empty_ = true;
    };

    static std::uint64_t mixed(std::uint64_t number) {
        return number * 0x9e37'79b9'7f4a'7c15 >> 20;
    }
    bool is_told(std::uint32_t client, std::uint64_t number) const {
        return tells_of(number) || (has_clients_ && std::find(clients_.begin(), clients_.end(),
                                                              client) != clients_.end());
    }
    touch& next_touch() {
        if (touched_ == touches_.size()) {
            settle();
        }
        return touches_[touched_++];
    }

    std::array<qos_counts, 3> counts_{};
    std::uint64_t mask_ = 0;
    std::uint32_t tellers_end_ = 0;
    bool has_clients_ = false;
    std::array<std::uint32_t, 4> clients_{nobody, nobody, nobody, nobody};
    std::size_t touched_ = 0;
    std::array<touch, 32> touches_{};
    number_set others_;
};

/// An observer with a tally: a world asks that first, as long as it is the only observer.
class tallying_observer : public world_observer {
public:
    virtual message_tally& tally() = 0;
};

}  // namespace fleetarium::sim
