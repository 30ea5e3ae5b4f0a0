// SUBSCRIBE and UNSUBSCRIBE: sections 3.8 to 3.11 and 4.8 of MQTT 5.

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/broker/session_journal.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/mutant.hpp>

#include <algorithm>
#include <vector>

namespace fleetarium::broker {

bool broker_core::is_storable_filter(std::string_view filter, std::size_t levels_max,
                                     std::size_t bytes_max) {
    const auto within_bound = [&](std::string_view plain) {
        return plain.size() <= bytes_max && topic_level_count(plain) <= levels_max;
    };
    if (is_shared_filter(filter)) {
        const auto parts = parse_shared_filter(filter);
        return parts && within_bound(parts->filter);
    }
    return is_valid_topic_filter(filter) && within_bound(filter);
}

/// In 5.0, to use what CONNACK said is not available is a protocol error (sections 3.2.2.3.11 to
/// 3.2.2.3.13); in 3.1.1, where nothing was said, the filter is refused.
violation broker_core::check_against_features(connection_id from, const subscribe& request) const {
    if (connections_[from].protocol.version() == protocol_version::v3_1_1) {
        return violation::none;
    }
    if (request.subscription_identifier && !options_.subscription_identifier_available) {
        return violation::subscription_identifier_not_supported;
    }
    violation broken = violation::none;
    request.requests.for_each([&](const subscription_request& one) {
        if (is_shared_filter(one.filter) && !options_.shared_subscription_available) {
            broken = violation::shared_subscription_not_supported;
        } else if (has_wildcard(one.filter) && !options_.wildcard_subscription_available) {
            broken = violation::wildcard_subscription_not_supported;
        }
    });
    return broken;
}

void broker_core::handle_subscribe(connection_id from, const subscribe& request, instant now) {
    const violation broken = check_against_features(from, request);
    if (broken != violation::none) {
        fail(from, broken, now);
        return;
    }
    const std::uint32_t identifier = request.subscription_identifier.value_or(0);
    const session_index owner = connections_[from].session;
    codes_.clear();
    new_subscriptions_.clear();
    request.requests.for_each([&](const subscription_request& one) {
        bool is_new = false;
        const reason_code code = subscribe_one(from, one, identifier, is_new);
        codes_.push_back(code);
        metrics_.subscriptions_refused += is_failure(code);
        new_subscriptions_.push_back(is_new ? 1 : 0);
        emit({.what = broker_event::kind::subscribed,
              .at = now,
              .connection = from,
              .session = owner,
              .topic = one.filter,
              .count = identifier,
              .code = code});
    });
    suback answer;
    answer.packet_id = request.packet_id;
    answer.codes = codes_;
    connections_[from].protocol.send(answer, now);

    // After SUBACK, as if each filter had come in a SUBSCRIBE of its own [v5/MQTT-3.8.4-5].
    std::size_t place = 0;
    request.requests.for_each([&](const subscription_request& one) {
        const bool granted = !is_failure(codes_[place]);
        const bool is_new = new_subscriptions_[place++] != 0;
        const bool wanted =
            one.options.retain_handling == retain_handling::send ||
            (one.options.retain_handling == retain_handling::send_if_new && is_new) ||
            is_on(mutant::retain_handling_ignored);
        if (granted && wanted && !is_shared_filter(one.filter)) {
            send_retained(one, {owner, identifier, one.options}, now);
        }
    });
    if (is_on(mutant::subscription_effective_late)) {
        connections_[from].refused = true;  // a mark that has no other meaning after CONNECT
    }
}

reason_code broker_core::subscribe_one(connection_id from, const subscription_request& one,
                                       std::uint32_t identifier, bool& is_new) {
    const bool v5 = connections_[from].protocol.version() == protocol_version::v5;
    const bool shared =
        is_shared_filter(one.filter) && (v5 || options_.shared_subscriptions_in_v3_1_1);
    if (!is_storable_filter(one.filter, options_.topic_levels_max, options_.topic_bytes_max) ||
        (has_wildcard(one.filter) && !options_.wildcard_subscription_available) ||
        (is_shared_filter(one.filter) && (!shared || !options_.shared_subscription_available))) {
        return v5 ? reason_code::topic_filter_invalid : reason_code::unspecified_error;
    }
    if (!hooks_->authorize_subscribe(info_of(from), one.filter, one.options)) {
        return reason_code::not_authorized;
    }
    const session_index owner = connections_[from].session;
    const bool full = sessions_[owner].filters.size() >= options_.subscriptions_per_session_max;
    const bool is_short = memory_.sheds(shedding::growth);
    if (full || is_short) {
        const auto known = tree_.find(one.filter);
        if (!known || tree_.find(*known, owner) == nullptr) {
            metrics_.shed[index_of(shedding::growth)] += is_short;
            return reason_code::quota_exceeded;
        }
    }
    subscription added{owner, identifier, one.options};
    added.options.qos = std::min(one.options.qos, options_.maximum_qos);  // v5/MQTT-3.2.2-10
    if (is_on(mutant::no_local_ignored)) {
        added.options.no_local = false;
    } else if (is_on(mutant::retain_as_published_ignored)) {
        added.options.retain_as_published = false;
    }
    is_new = insert_subscription(one.filter, added);
    metrics_.subscriptions_made += is_new;
    if (session_journal* const journal = journal_of(owner)) {
        journal->subscribed(owner, one.filter, added);
    }
    return static_cast<reason_code>(added.options.qos);
}

/// Puts a storable filter's subscription into the tree and, if it is new there, into its session's
/// list; returns whether it is new.
bool broker_core::insert_subscription(std::string_view filter, const subscription& added) {
    topic_tree::insertion made;
    if (is_shared_filter(filter)) {
        const auto parts = parse_shared_filter(filter);
        made = tree_.insert_shared(parts->share_name, parts->filter, added);
    } else {
        made = tree_.insert(filter, added);
    }
    if (!made.replaced) {
        sessions_[added.session].filters.push_back(made.filter);
    }
    return !made.replaced;
}

void broker_core::handle_unsubscribe(connection_id from, const unsubscribe& request, instant now) {
    const session_index owner = connections_[from].session;
    codes_.clear();
    std::vector<filter_id> ended;
    request.filters.for_each([&](std::string_view filter) {
        reason_code code = reason_code::no_subscription_existed;
        const auto known = tree_.find(filter);  // v5/MQTT-3.10.4-1: byte by byte
        if (known && is_on(mutant::unsubscribe_without_effect)) {
            code = reason_code::success;
        } else if (known && tree_.erase(*known, owner)) {
            replays_.forget(owner, *known);
            ended.push_back(*known);
            if (session_journal* const journal = journal_of(owner)) {
                journal->unsubscribed(owner, filter);
            }
            code = reason_code::success;
        } else if (!is_storable_filter(filter, options_.topic_levels_max,
                                       options_.topic_bytes_max)) {
            code = reason_code::topic_filter_invalid;
        }
        codes_.push_back(code);
        emit({.what = broker_event::kind::unsubscribed,
              .at = now,
              .connection = from,
              .session = owner,
              .topic = filter,
              .code = code});
    });
    std::sort(ended.begin(), ended.end());
    sessions_[owner].filters.erase(ended);
    unsuback answer;
    answer.packet_id = request.packet_id;
    answer.codes = codes_;
    connections_[from].protocol.send(answer, now);
}

}  // namespace fleetarium::broker
