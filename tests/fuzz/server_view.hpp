#pragma once

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/assert.hpp>

#include <fuzz/gathered_frames.hpp>
#include <support/hex.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace fleetarium::test {

/// One connection as the server sees it: aborts where the client says what it may not say, given
/// what it was told.
class server_view {
public:
    /// What a server that keeps to the rules has yet to say.
    struct owed_answer {
        packet_type to = packet_type::connect;
        std::uint16_t packet_id = 0;
        std::size_t count = 0;  ///< of filters; QoS of PUBLISH; of CONNECT 1 without Clean Start
    };
    std::deque<owed_answer> owed{};
    /// Told of each PUBLISH, and of each payload whose PUBLISH the server takes on or refuses.
    std::function<void(const publish&)> on_publish{};
    std::function<void(const std::string&)> on_answered{};

    /// The server writes these bytes.
    void sent(bytes_view raw) {
        if (deaf_) {
            return;
        }
        deaf_ = !said_.add(raw, [this](const frame& in) {
            packet decoded;
            if (decode(in, version_, decoded) != violation::none) {
                return false;
            }
            std::visit([this](const auto& each) { said(each); }, decoded);
            return true;
        });
    }

    /// The client wrote these whole packets.
    void received(bytes_view raw) {
        frame in;
        while (!raw.empty()) {
            FLEETARIUM_ASSERT(!over_);
            const std::size_t before = raw.size();
            const frame_result result = split_frame(raw, in);
            FLEETARIUM_ASSERT(result.broken == violation::none && result.complete);
            packet decoded;
            FLEETARIUM_ASSERT(decode(in, version_, decoded) == violation::none);
            FLEETARIUM_ASSERT(std::holds_alternative<connect>(decoded) != asked_);
            FLEETARIUM_ASSERT(!asked_ || before - raw.size() <= maximum_packet_size_);
            std::visit([this](const auto& each) { judge(each); }, decoded);
        }
    }

    void set_version(protocol_version version) { version_ = version; }

private:
    struct open_message {
        qos level = qos::at_least_once;
        std::string payload;
    };

    void said(const connack& in) {
        if (heard_connack_) {
            return;
        }
        heard_connack_ = true;
        receive_maximum_ = in.receive_maximum.value_or(std::uint16_t{65'535});
        maximum_packet_size_ = in.maximum_packet_size.value_or(limits::packet_size_max);
        topic_alias_maximum_ = in.topic_alias_maximum.value_or(std::uint16_t{0});
        maximum_qos_ = in.maximum_qos.value_or(qos::exactly_once);
        retain_available_ = in.retain_available.value_or(true);
    }
    void said(const publish& in) {
        if (in.qos != qos::at_most_once) {
            ++answers_due_[in.packet_id];
        }
    }
    void said(const puback& in) { end(in.packet_id, qos::at_least_once); }
    void said(const pubrec& in) {
        ++pubrel_due_[in.packet_id];
        const auto found = open_.find(in.packet_id);
        if (found == open_.end() || found->second.level != qos::exactly_once) {
            return;
        }
        tell_answered(found->second);
        if (is_failure(in.code)) {
            open_.erase(found);
        }
    }
    void said(const pubrel& in) { ++pubcomp_due_[in.packet_id]; }
    void said(const pubcomp& in) { end(in.packet_id, qos::exactly_once); }
    template <class Answer>
        requires std::is_same_v<Answer, suback> || std::is_same_v<Answer, unsuback>
    void said(const Answer& in) { requests_.erase(in.packet_id); }
    template <class Other>
    void said(const Other&) {}

    void end(std::uint16_t packet_id, qos of) {
        const auto found = open_.find(packet_id);
        if (found != open_.end() && found->second.level == of) {
            tell_answered(found->second);
            open_.erase(found);
        }
    }
    void tell_answered(const open_message& which) const {
        if (on_answered) {
            on_answered(which.payload);
        }
    }
    void owe(packet_type to, std::uint16_t packet_id = 0, std::size_t count = 0) {
        owed.push_back({to, packet_id, count});
    }

    void judge(const connect& in) {
        asked_ = true;
        owe(packet_type::connect, 0, in.clean_start ? 0 : 1);
    }
    void judge(const publish& in) {
        FLEETARIUM_ASSERT(heard_connack_);
        std::string topic(in.topic);
        if (in.topic_alias) {
            FLEETARIUM_ASSERT(*in.topic_alias >= 1 && *in.topic_alias <= topic_alias_maximum_);
            if (topic.empty()) {
                topic = aliases_[*in.topic_alias];
            } else {
                aliases_[*in.topic_alias] = topic;
            }
        }
        FLEETARIUM_ASSERT(is_valid_topic_name(topic));
        FLEETARIUM_ASSERT(in.qos <= maximum_qos_ && (!in.retain || retain_available_));
        FLEETARIUM_ASSERT(in.subscription_identifiers.empty());
        if (on_publish) {
            on_publish(in);
        }
        if (in.qos != qos::at_most_once) {
            FLEETARIUM_ASSERT(!requests_.contains(in.packet_id));
            const open_message made{in.qos, std::string(as_text(in.payload))};
            FLEETARIUM_ASSERT(open_.emplace(in.packet_id, made).second);
            FLEETARIUM_ASSERT(open_.size() <= receive_maximum_);
            owe(packet_type::publish, in.packet_id, in.qos == qos::exactly_once ? 2 : 1);
        }
    }
    void judge(const puback& in) { take(answers_due_, in.packet_id); }
    void judge(const pubrec& in) {
        take(answers_due_, in.packet_id);
        if (!is_failure(in.code)) {
            owe(packet_type::pubrec, in.packet_id);
        }
    }
    void judge(const pubcomp& in) { take(pubcomp_due_, in.packet_id); }
    void judge(const pubrel& in) {
        owe(packet_type::pubrel, in.packet_id);
        auto& due = pubrel_due_[in.packet_id];
        if (due != 0) {
            --due;
        } else {
            // Of an earlier connection, once.
            FLEETARIUM_ASSERT(heard_connack_ && released_.insert(in.packet_id).second);
        }
    }
    void judge(const subscribe& in) {
        request(in.packet_id);
        std::size_t count = 0;
        in.requests.for_each([&](const subscription_request&) { ++count; });
        owe(packet_type::subscribe, in.packet_id, count);
    }
    void judge(const unsubscribe& in) {
        request(in.packet_id);
        std::size_t count = 0;
        in.filters.for_each([&](std::string_view) { ++count; });
        owe(packet_type::unsubscribe, in.packet_id, count);
    }
    void judge(const pingreq&) {
        FLEETARIUM_ASSERT(heard_connack_);
        owe(packet_type::pingreq);
    }
    void judge(const disconnect&) { over_ = true; }
    void judge(const auth&) { FLEETARIUM_ASSERT(version_ == protocol_version::v5); }
    template <class Other>
    void judge(const Other&) {
        constexpr bool only_servers_send_it = true;
        FLEETARIUM_ASSERT(!only_servers_send_it);
    }

    void request(std::uint16_t packet_id) {
        FLEETARIUM_ASSERT(heard_connack_ && packet_id != 0);
        FLEETARIUM_ASSERT(!open_.contains(packet_id));
        FLEETARIUM_ASSERT(requests_.insert(packet_id).second);
    }

    using counts = std::map<std::uint16_t, std::size_t>;
    void take(counts& due, std::uint16_t packet_id) {
        FLEETARIUM_ASSERT(due[packet_id] > 0);
        --due[packet_id];
    }

    protocol_version version_ = protocol_version::v5;
    gathered_frames said_;
    bool deaf_ = false;  // the server broke a rule: nothing more is heard of it
    bool asked_ = false;
    bool heard_connack_ = false;
    bool over_ = false;
    std::uint16_t receive_maximum_ = 65'535;
    std::uint32_t maximum_packet_size_ = limits::packet_size_max;
    std::uint16_t topic_alias_maximum_ = 0;
    qos maximum_qos_ = qos::exactly_once;
    bool retain_available_ = true;
    std::map<std::uint16_t, std::string> aliases_;
    std::map<std::uint16_t, open_message> open_;
    std::set<std::uint16_t> requests_;
    std::set<std::uint16_t> released_;
    counts answers_due_;
    counts pubrel_due_;
    counts pubcomp_due_;
};

}  // namespace fleetarium::test
