#pragma once

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/core/assert.hpp>

#include <fuzz/gathered_frames.hpp>
#include <support/hex.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

namespace fleetarium::test {

/// One connection as its broker's journal sees it: when the broker came to say what it says. Aborts
/// where something leaves that promises more than the disk has.
///
/// What the broker came to say in a turn promises no more than the journal has at its end: the
/// position there is what has to be durable first.
class promise_view {
public:
    /// The client writes these bytes.
    void sent(bytes_view raw) {
        if (deaf_) {
            return;
        }
        deaf_ = !sent_.add(raw, [this](const frame& in) {
            packet decoded;
            if (decode(in, version_, decoded) != violation::none) {
                return false;
            }
            std::visit([this](const auto& each) { note(each); }, decoded);
            return true;
        });
    }

    /// The broker wrote a PUBLISH to the connection; `promises`: one under a new packet id, of a
    /// session that outlives it.
    void wrote_publish(bool promises) { publishes_.push_back({unknown, promises}); }

    /// The turn is over; the journal has come so far.
    void end_turn(std::uint64_t position) {
        for (auto* const each : fresh_) {
            *each = position;
        }
        fresh_.clear();
        for (auto each = publishes_.rbegin();
             each != publishes_.rend() && each->position == unknown; ++each) {
            each->position = position;
        }
    }

    /// These whole packets leave while so much is durable.
    void received(bytes_view raw, std::uint64_t durable) {
        durable_ = durable;
        frame in;
        while (!raw.empty()) {
            packet decoded;
            FLEETARIUM_ASSERT(split_frame(raw, in).complete);
            if (decode(in, version_, decoded) == violation::none) {
                std::visit([this](const auto& each) { judge(each); }, decoded);
            }
        }
    }

private:
    static constexpr std::uint64_t unknown = 0xFFFF'FFFF'FFFF'FFFF;
    // Positions by packet id. References to what stands in a deque stay valid.
    using positions = std::map<std::uint16_t, std::deque<std::uint64_t>>;

    void note(const connect& in) {
        version_ = in.version;
        add(connack_, 0);
    }
    void note(const publish& in) {
        if (in.qos != qos::at_most_once) {
            add(in.qos == qos::at_least_once ? puback_ : pubrec_, in.packet_id);
        }
    }
    void note(const pubrec& in) {
        if (!is_failure(in.code)) {
            add(pubrel_, in.packet_id);
        }
    }
    void note(const pubrel& in) { add(pubcomp_, in.packet_id); }
    void note(const subscribe& in) { add(suback_, in.packet_id); }
    void note(const unsubscribe& in) { add(unsuback_, in.packet_id); }
    template <class Other>
    void note(const Other&) {}

    void judge(const connack& in) {
        was_resumed_ = in.session_present;
        take(connack_, 0, !is_failure(in.code));
    }
    void judge(const publish&) {
        FLEETARIUM_ASSERT(!publishes_.empty());
        const written next = publishes_.front();
        publishes_.pop_front();
        FLEETARIUM_ASSERT(!next.promises || next.position <= durable_);
    }
    void judge(const puback& in) { take(puback_, in.packet_id, !is_failure(in.code)); }
    void judge(const pubrec& in) { take(pubrec_, in.packet_id, !is_failure(in.code)); }
    void judge(const pubcomp& in) { take(pubcomp_, in.packet_id, !is_failure(in.code)); }
    void judge(const pubrel& in) {
        // One of a session resumed answers nothing.
        if (!was_resumed_) {
            take(pubrel_, in.packet_id, !is_failure(in.code));
        }
    }
    void judge(const suback& in) { take(suback_, in.packet_id, true); }
    void judge(const unsuback& in) { take(unsuback_, in.packet_id, true); }
    template <class Other>
    void judge(const Other&) {}

    void add(positions& to, std::uint16_t packet_id) {
        fresh_.push_back(&to[packet_id].emplace_back(unknown));
    }
    void take(positions& from, std::uint16_t packet_id, bool promises) {
        auto& waiting = from[packet_id];
        if (waiting.empty()) {
            FLEETARIUM_ASSERT(deaf_);
            return;
        }
        FLEETARIUM_ASSERT(!promises || waiting.front() <= durable_);
        waiting.pop_front();
    }

    struct written {
        std::uint64_t position = unknown;
        bool promises = false;
    };

    protocol_version version_ = protocol_version::v5;
    gathered_frames sent_;
    bool deaf_ = false;  // the client broke a rule: nothing more is heard of it
    bool was_resumed_ = false;
    std::uint64_t durable_ = 0;
    positions connack_;
    positions puback_;
    positions pubrec_;
    positions pubrel_;
    positions pubcomp_;
    positions suback_;
    positions unsuback_;
    std::deque<written> publishes_;
    std::vector<std::uint64_t*> fresh_;
};

}  // namespace fleetarium::test
