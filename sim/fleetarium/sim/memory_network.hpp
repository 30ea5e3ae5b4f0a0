#pragma once

#include <fleetarium/core/random.hpp>
#include <fleetarium/core/wire_buffer.hpp>
#include <fleetarium/session/message.hpp>
#include <fleetarium/sim/event.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace fleetarium::sim::detail {

/// Bytes under way with the identities of the PUBLISH packets in them, in order: accounting that
/// rides along and is never looked at by a protocol. In one block from the pool.
class segment {
public:
    static segment* make();
    static void destroy(segment* dead) noexcept;

    /// Adds an identity; the segment may move.
    static segment* add(segment* to, const message_identity& identity);

    wire_buffer bytes;

    bool empty() const { return first_ == count_; }
    /// The first identity that was not taken; there is one.
    message_identity take();
    std::span<message_identity> rest() { return {identities() + first_, count_ - first_}; }

private:
    explicit segment(std::uint32_t capacity) : capacity_(capacity) {}
    static segment* make(std::uint32_t capacity);
    message_identity* identities() { return reinterpret_cast<message_identity*>(this + 1); }

    std::uint32_t first_ = 0;
    std::uint32_t count_ = 0;
    std::uint32_t capacity_;
};

/// Frees what an event that means nothing any more carries.
void destroy_payload(const event& unwanted) noexcept;

/// How far the sending end of one direction of a link has got.
struct link_progress {
    instant last_arrival = instant::min();  ///< nothing overtakes
    instant free_at = instant::min();       ///< the last byte sent has left, if bandwidth counts
    std::uint32_t draws = 0;                ///< of the direction's stream
};

/// What faults add to a direction while they last.
struct link_conditions {
    duration added_latency{};
    std::uint64_t bandwidth = 0;  ///< bytes a second; 0 is no further limit
    double split_probability = 0;
};

/// One direction of a network, ready to use.
class direction {
public:
    direction(const direction_spec& spec, const network_spec& network);

    /// When a chunk of `size` bytes that is sent now arrives. Without randomness constant time.
    instant arrival(link_progress& progress, std::size_t size, instant now, random_key key) const {
        instant sent = now;
        if (bandwidth_ != 0) {
            sent = progress.free_at = std::max(now, progress.free_at) + transfer_time(size);
        }
        const duration latency = constant_ ? constant_latency_ : draw(progress, key);
        progress.last_arrival = std::max(progress.last_arrival, saturating_add(sent, latency));
        return progress.last_arrival;
    }

    /// The same while faults change the link.
    instant arrival(link_progress& progress, std::size_t size, instant now, random_key key,
                    const link_conditions& worse) const;

    /// Whether chunks always arrive as they were sent.
    bool keeps_chunks() const { return mtu_ == 0 && split_probability_ <= 0; }
    bool counts_bytes() const { return bandwidth_ != 0; }
    /// Whether bytes arrive at the instant at which they are sent.
    bool is_immediate() const {
        return constant_ && constant_latency_ == duration{} && bandwidth_ == 0;
    }
    /// Whether anything is drawn: otherwise no key is needed.
    bool is_random() const { return !constant_ || split_probability_ > 0; }

    /// The same bytes in the pieces in which they arrive.
    void split(wire_buffer bytes, link_progress& progress, random_key key, double probability,
               std::vector<wire_buffer>& pieces) const;
    double split_probability() const { return split_probability_; }

private:
    duration transfer_time(std::size_t size) const { return transfer_time(size, bandwidth_); }
    static duration transfer_time(std::size_t size, std::uint64_t bandwidth);
    duration draw(link_progress& progress, random_key key) const;

    distribution latency_;
    duration constant_latency_{};
    std::uint64_t bandwidth_ = 0;  // bytes a second; 0 is no limit
    std::uint32_t mtu_ = 0;        // 0 is no limit
    double split_probability_ = 0;
    bool constant_ = true;
};

/// A reliable byte stream's manners, as a network_spec says.
/// Throws std::invalid_argument for a probability out of 0..1, an mtu or a bandwidth of 0.
struct network {
    explicit network(const network_spec& made_of);

    network_spec spec;
    direction up;
    direction down;
};

/// Sends `bytes` by one direction of a link, made worse by what is not null, calling
/// `post(instant, event_kind, payload)` once or, where chunks are cut, several times. Identities
/// ride with the first piece. Takes `identities`,
/// which may be null.
template <class Post>
void transmit(const direction& way, link_progress& progress, random_key key, wire_buffer bytes,
              segment* identities, instant now, std::vector<wire_buffer>& scratch,
              const link_conditions* worse, Post&& post) {
    const auto send = [&](wire_buffer part, segment* riding) {
        const std::size_t size = way.counts_bytes() || worse != nullptr ? part.size() : 0;
        const instant at = worse != nullptr ? way.arrival(progress, size, now, key, *worse)
                                            : way.arrival(progress, size, now, key);
        if (riding != nullptr) {
            riding->bytes = std::move(part);
            post(at, event_kind::messages, reinterpret_cast<std::uint64_t>(riding));
        } else {
            post(at, event_kind::bytes, reinterpret_cast<std::uint64_t>(part.release()));
        }
    };
    const double splits = worse != nullptr
                              ? std::max(worse->split_probability, way.split_probability())
                              : way.split_probability();
    if (way.keeps_chunks() && splits <= 0) {
        send(std::move(bytes), identities);
        return;
    }
    way.split(std::move(bytes), progress, key, splits, scratch);
    for (wire_buffer& piece : scratch) {
        send(std::move(piece), std::exchange(identities, nullptr));
    }
    scratch.clear();
}

}  // namespace fleetarium::sim::detail
