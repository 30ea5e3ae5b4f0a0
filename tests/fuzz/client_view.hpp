#pragma once

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/assert.hpp>

#include <fuzz/gathered_frames.hpp>
#include <support/hex.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace fleetarium::test {

/// What all clients of a broker together have said, to judge what it delivers.
struct said_by_clients {
    struct by_one {
        std::set<std::string> filters;
        std::set<std::uint32_t> identifiers;
    };

    std::set<std::pair<std::string, std::string>> messages;  // topic and payload
    std::map<std::string, std::shared_ptr<by_one>> clients;  // by client id

    void note_message(std::string_view topic, bytes_view payload) {
        messages.emplace(topic, as_text(payload));
    }
    std::shared_ptr<by_one> of(const std::string& client_id) {
        auto& found = clients[client_id];
        if (!found) {
            found = std::make_shared<by_one>();
        }
        return found;
    }
};

/// One connection as its client sees it: what was written to the server and what came back. Aborts
/// where the server says what the standard does not allow it to say, given what it has been told.
///
/// It knows only what was said, not what the server took note of (it may have closed in between),
/// so it allows whatever some server could have been right to send.
class client_view {
public:
    /// `in_flight_max` bounds the server, beside the client's Receive Maximum.
    client_view(said_by_clients& all, std::uint16_t in_flight_max)
        : all_(all), in_flight_max_(in_flight_max) {}

    /// Whether the server may have said what has not come yet. Of a client that acknowledges such
    /// things nobody asks any more how much is in flight.
    void set_behind(bool is) { behind_ = is; }

    /// The client writes these bytes.
    void sent(bytes_view raw) {
        if (deaf_) {
            return;
        }
        deaf_ = !sent_.add(raw, [this](const frame& in) {
            packet decoded;
            if (decode(in, version_, decoded) != violation::none ||
                asked_ == std::holds_alternative<connect>(decoded)) {
                if (!asked_ && in.type() == packet_type::connect) {
                    // Of a version that it has to guess: it may be answered in any.
                    asked_ = true;
                    garbled_ = true;
                }
                return false;
            }
            std::visit([this](const auto& each) { note(each); }, decoded);
            return true;
        });
    }

    /// The server's bytes came; they are whole packets.
    void received(bytes_view raw) {
        frame in;
        while (!raw.empty()) {
            FLEETARIUM_ASSERT(!over_);
            const std::size_t before = raw.size();
            const frame_result result = split_frame(raw, in);
            FLEETARIUM_ASSERT(result.broken == violation::none && result.complete);
            FLEETARIUM_ASSERT(before - raw.size() <= maximum_packet_size_);
            FLEETARIUM_ASSERT(asked_);
            packet decoded;
            if (garbled_) {
                connack refused;
                FLEETARIUM_ASSERT(decode(in, protocol_version::v5, refused) == violation::none ||
                                  decode(in, protocol_version::v3_1_1, refused) == violation::none);
                FLEETARIUM_ASSERT(is_failure(refused.code));
                over_ = true;
                continue;
            }
            FLEETARIUM_ASSERT(decode(in, version_, decoded) == violation::none);
            std::visit([this](const auto& each) { judge(each); }, decoded);
        }
    }

    protocol_version version() const { return version_; }
    bool is_accepted() const { return accepted_; }
    /// Something came after which the server must close.
    bool is_over() const { return over_; }

    enum class delivery_step : std::uint8_t { published, received, released };
    struct delivery {
        enum qos qos = qos::at_least_once;
        delivery_step step = delivery_step::published;
    };
    /// What the server may not yet take for done, by packet id.
    const std::map<std::uint16_t, delivery>& in_flight() const { return in_flight_; }
    /// Packet ids of QoS 2 PUBLISHes of the client's for which PUBREC came.
    const std::set<std::uint16_t>& releasable() const { return releasable_; }

private:
    // What the client says

    void note(const connect& in) {
        asked_ = true;
        version_ = in.version;
        receive_maximum_ = in.receive_maximum.value_or(std::uint16_t{65'535});
        maximum_packet_size_ = in.maximum_packet_size.value_or(limits::packet_size_max);
        topic_alias_maximum_ = in.topic_alias_maximum.value_or(std::uint16_t{0});
        authenticates_ = in.authentication_method.has_value();
        one_ = in.client_id.empty() ? std::make_shared<said_by_clients::by_one>()
                                    : all_.of(std::string(in.client_id));
        if (in.will) {
            all_.note_message(in.will->topic, in.will->payload);
        }
    }
    void note(const publish& in) {
        std::string topic(in.topic);
        if (in.topic_alias) {
            if (topic.empty()) {
                topic = aliases_to_server_[*in.topic_alias];
            } else {
                aliases_to_server_[*in.topic_alias] = topic;
            }
        }
        all_.note_message(topic, in.payload);
        if (in.qos == qos::at_least_once) {
            ++puback_due_[in.packet_id];
        } else if (in.qos == qos::exactly_once) {
            ++pubrec_due_[in.packet_id];
        }
    }
    void note(const pubrel& in) {
        ++pubcomp_due_[in.packet_id];
        releasable_.erase(in.packet_id);
    }
    void note(const puback& in) {
        const auto found = in_flight_.find(in.packet_id);
        if (found != in_flight_.end() && found->second.qos == qos::at_least_once) {
            in_flight_.erase(found);
        } else {
            guesses_ = guesses_ || behind_;
        }
    }
    void note(const pubrec& in) {
        ++pubrel_due_[in.packet_id];
        const auto found = in_flight_.find(in.packet_id);
        if (found == in_flight_.end() || found->second.qos != qos::exactly_once) {
            guesses_ = guesses_ || behind_;
            return;
        }
        if (is_failure(in.code)) {
            in_flight_.erase(found);
        } else if (found->second.step == delivery_step::published) {
            found->second.step = delivery_step::received;
        }
    }
    void note(const pubcomp& in) {
        const auto found = in_flight_.find(in.packet_id);
        if (found != in_flight_.end() && found->second.step != delivery_step::published) {
            in_flight_.erase(found);
        } else {
            guesses_ = guesses_ || behind_;
        }
    }
    void note(const subscribe& in) {
        std::size_t count = 0;
        in.requests.for_each([&](const subscription_request& each) {
            one_->filters.emplace(each.filter);
            ++count;
        });
        if (in.subscription_identifier) {
            one_->identifiers.insert(*in.subscription_identifier);
        }
        suback_due_.emplace(in.packet_id, count);
    }
    void note(const unsubscribe& in) {
        std::size_t count = 0;
        in.filters.for_each([&](std::string_view) { ++count; });
        unsuback_due_.emplace(in.packet_id, count);
    }
    void note(const pingreq&) { ++pingresp_due_; }
    void note(const auth&) { authenticates_ = true; }
    template <class Other>
    void note(const Other&) {}

    // What the server says

    void judge(const connack& in) {
        FLEETARIUM_ASSERT(!answered_);
        answered_ = true;
        accepted_ = in.code == reason_code::success;
        over_ = !accepted_;
        session_present_ = in.session_present;
        FLEETARIUM_ASSERT(accepted_ || !session_present_);
        if (in.assigned_client_identifier) {
            auto& known = all_.clients[std::string(*in.assigned_client_identifier)];
            if (known) {
                known->filters.merge(one_->filters);
                known->identifiers.merge(one_->identifiers);
                one_ = known;
            } else {
                known = one_;
            }
        }
    }
    void judge(const publish& in) {
        FLEETARIUM_ASSERT(accepted_);
        std::string topic(in.topic);
        if (in.topic_alias) {
            FLEETARIUM_ASSERT(*in.topic_alias >= 1 && *in.topic_alias <= topic_alias_maximum_);
            if (topic.empty()) {
                topic = aliases_from_server_[*in.topic_alias];
            } else {
                aliases_from_server_[*in.topic_alias] = topic;
            }
        }
        FLEETARIUM_ASSERT(is_valid_topic_name(topic));
        FLEETARIUM_ASSERT(topic.starts_with("$SYS/") ||
                          all_.messages.contains({topic, std::string(as_text(in.payload))}));
        FLEETARIUM_ASSERT(
            std::any_of(one_->filters.begin(), one_->filters.end(), [&](const std::string& filter) {
                const auto shared = parse_shared_filter(filter);
                return topic_matches(shared ? shared->filter : std::string_view(filter), topic);
            }));
        in.subscription_identifiers.for_each(
            [&](std::uint32_t each) { FLEETARIUM_ASSERT(one_->identifiers.contains(each)); });
        FLEETARIUM_ASSERT(!in.dup || session_present_);
        if (in.qos != qos::at_most_once) {
            const bool is_new = in_flight_.insert_or_assign(in.packet_id, delivery{in.qos}).second;
            if (guesses_) {
                return;
            }
            FLEETARIUM_ASSERT(is_new);
            const auto open = std::count_if(
                in_flight_.begin(), in_flight_.end(),
                [](const auto& each) { return each.second.step != delivery_step::released; });
            FLEETARIUM_ASSERT(open <= std::min(receive_maximum_, in_flight_max_));
        }
    }
    void judge(const puback& in) { take(puback_due_, in.packet_id); }
    void judge(const pubrec& in) {
        take(pubrec_due_, in.packet_id);
        if (!is_failure(in.code)) {
            releasable_.insert(in.packet_id);
        }
    }
    void judge(const pubcomp& in) { take(pubcomp_due_, in.packet_id); }
    void judge(const pubrel& in) {
        FLEETARIUM_ASSERT(accepted_);
        auto& due = pubrel_due_[in.packet_id];
        if (due == 0) {
            // Of an earlier connection, once.
            FLEETARIUM_ASSERT(session_present_);
            const bool is_new =
                in_flight_.insert({in.packet_id, {qos::exactly_once, delivery_step::released}})
                    .second;
            FLEETARIUM_ASSERT(is_new || guesses_);
            return;
        }
        --due;
    }
    void judge(const suback& in) { take_answer(suback_due_, in.packet_id, in.codes.size()); }
    void judge(const unsuback& in) {
        take_answer(unsuback_due_, in.packet_id,
                    version_ == protocol_version::v5 ? in.codes.size() : any_count);
    }
    void judge(const pingresp&) {
        FLEETARIUM_ASSERT(accepted_ && pingresp_due_ > 0);
        --pingresp_due_;
    }
    void judge(const disconnect&) {
        FLEETARIUM_ASSERT(accepted_ && version_ == protocol_version::v5);
        over_ = true;
    }
    void judge(const auth&) { FLEETARIUM_ASSERT(authenticates_); }
    template <class Other>
    void judge(const Other&) {
        constexpr bool only_clients_send_it = true;
        FLEETARIUM_ASSERT(!only_clients_send_it);
    }

    using counts = std::map<std::uint16_t, std::size_t>;
    void take(counts& due, std::uint16_t packet_id) {
        FLEETARIUM_ASSERT(accepted_ && due[packet_id] > 0);
        --due[packet_id];
    }

    static constexpr std::size_t any_count = static_cast<std::size_t>(-1);
    using answers = std::multimap<std::uint16_t, std::size_t>;
    void take_answer(answers& due, std::uint16_t packet_id, std::size_t codes) {
        FLEETARIUM_ASSERT(accepted_);
        const auto [first, last] = due.equal_range(packet_id);
        const auto found = std::find_if(first, last, [&](const auto& each) {
            return codes == any_count || each.second == codes;
        });
        FLEETARIUM_ASSERT(found != last);
        due.erase(found);
    }

    said_by_clients& all_;
    std::shared_ptr<said_by_clients::by_one> one_;
    protocol_version version_ = protocol_version::v5;
    gathered_frames sent_;
    bool deaf_ = false;  // the client broke a rule: nothing more is heard of it
    bool asked_ = false;
    bool garbled_ = false;
    bool answered_ = false;
    bool accepted_ = false;
    bool authenticates_ = false;
    bool session_present_ = false;
    bool over_ = false;
    bool behind_ = false;
    bool guesses_ = false;
    std::uint16_t in_flight_max_;
    std::uint16_t receive_maximum_ = 65'535;
    std::uint32_t maximum_packet_size_ = limits::packet_size_max;
    std::uint16_t topic_alias_maximum_ = 0;
    std::map<std::uint16_t, std::string> aliases_to_server_;
    std::map<std::uint16_t, std::string> aliases_from_server_;
    std::map<std::uint16_t, delivery> in_flight_;
    std::set<std::uint16_t> releasable_;
    counts puback_due_;
    counts pubrec_due_;
    counts pubrel_due_;
    counts pubcomp_due_;
    answers suback_due_;
    answers unsuback_due_;
    std::size_t pingresp_due_ = 0;
};

}  // namespace fleetarium::test
