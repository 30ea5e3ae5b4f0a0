#include <fleetarium/client/client_core.hpp>

#include <fleetarium/client/reason_error.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/session/outgoing_checks.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>

// Subscriptions: what the server has to be told of them, and which streams a message is for.

namespace fleetarium::detail {

namespace {

/// The code that a server would refuse with what this side refuses.
reason_code code_of(boost::system::error_code why) {
    if (why == error::invalid_topic_filter) {
        return reason_code::topic_filter_invalid;
    }
    if (why == error::wildcard_subscriptions_not_supported) {
        return reason_code::wildcard_subscriptions_not_supported;
    }
    if (why == error::shared_subscriptions_not_supported) {
        return reason_code::shared_subscriptions_not_supported;
    }
    return reason_code::unspecified_error;
}

std::vector<stream_ptr> streams_of(const std::vector<subscription_entry::listener>& listeners) {
    std::vector<stream_ptr> kept;
    kept.reserve(listeners.size());
    for (const auto& one : listeners) {
        kept.push_back(one.stream->shared_from_this());
    }
    return kept;
}

}  // namespace

result<stream_ptr> client_core::subscribe(std::vector<std::string> filters,
                                          subscribe_options options) {
    if (phase_ == phase::stopped) {
        return stop_reason_;
    }
    if (config_.version() == protocol_version::v3_1_1 && options.has_options_of_v5()) {
        return error::not_in_this_version;
    }
    if (filters.empty() || options.buffer_messages() == 0) {
        return error::invalid_argument;
    }
    const std::vector<fleetarium::user_property> pairs(options.user_properties().begin(),
                                                       options.user_properties().end());
    for (const std::string& filter : filters) {
        const subscription_request one{filter, options.protocol_options()};
        fleetarium::subscribe request;
        request.requests = subscription_requests({&one, 1});
        request.user_properties =
            user_properties(std::span<const fleetarium::user_property>(pairs));
        if (const auto wrong = check_outgoing(request, config_.version())) {
            return wrong;
        }
    }
    auto made = std::make_shared<subscription_stream>(weak_from_this(), environment_.executor(),
                                                      std::move(filters), options);
    made->on_room([weak = weak_from_this()] {
        if (const auto live = weak.lock()) {
            live->note_room();
        }
    });
    for (std::size_t i = 0; i < made->filters().size(); ++i) {
        subscription_entry& entry = subscriptions_.at(made->filters()[i]);
        entry.options = made->options();
        entry.listeners.push_back({made.get(), i});
        subscriptions_.queue(entry);
    }
    if (phase_ == phase::connected) {
        schedule_flush();
    }
    return made;
}

void client_core::pump_subscriptions() {
    const instant now = environment_.now();
    while (!subscriptions_.to_unsubscribe.empty()) {
        unsubscribe_request& next = subscriptions_.to_unsubscribe.front();
        // One that is sent again after a break must not end what was subscribed to meanwhile.
        subscriptions_.remove_wanted(next);
        if (next.filters.empty()) {
            if (next.waiting) {
                next.waiting->complete(
                    {}, std::vector<reason_code>(next.places.size(), reason_code::success));
            }
            subscriptions_.to_unsubscribe.pop_front();
            continue;
        }
        const std::vector<std::string_view> names(next.filters.begin(), next.filters.end());
        fleetarium::unsubscribe out;
        out.filters = topic_filters(names);
        const auto sent = session_.unsubscribe(out, now);
        if (!sent && sent.error() == error::packet_ids_exhausted) {
            return;
        }
        if (!sent) {
            if (next.waiting) {
                next.waiting->fail(sent.error());
            }
        } else {
            if (next.waiting) {
                next.waiting->begin_effects();
            }
            subscriptions_.unsubscribing.emplace(*sent, std::move(next));
        }
        subscriptions_.to_unsubscribe.pop_front();
    }
    while (!subscriptions_.to_subscribe.empty()) {
        subscription_entry* const entry = subscriptions_.find(subscriptions_.to_subscribe.front());
        if (entry == nullptr) {
            subscriptions_.to_subscribe.pop_front();
            continue;
        }
        const subscription_request one{entry->filter, entry->options.protocol_options()};
        const std::vector<fleetarium::user_property> pairs(entry->options.user_properties().begin(),
                                                           entry->options.user_properties().end());
        fleetarium::subscribe out;
        out.requests = subscription_requests({&one, 1});
        out.user_properties = user_properties(std::span<const fleetarium::user_property>(pairs));
        if (config_.version() == protocol_version::v5 && info_.subscription_identifiers_available) {
            out.subscription_identifier = entry->identifier;
        }
        const auto sent = session_.subscribe(out, now);
        if (!sent && sent.error() == error::packet_ids_exhausted) {
            return;
        }
        subscriptions_.to_subscribe.pop_front();
        entry->queued = false;
        if (sent) {
            entry->told = true;
            subscriptions_.subscribing.emplace(*sent, entry->identifier);
        } else {
            answer(*entry, sent.error(), code_of(sent.error()));
        }
    }
}

void client_core::restore_subscriptions(bool session_present) {
    if (session_present) {
        return;
    }
    subscriptions_.for_each([&](subscription_entry& entry) {
        entry.told = false;
        subscriptions_.queue(entry);
    });
    // With the session the subscriptions went.
    for (auto& request : std::exchange(subscriptions_.to_unsubscribe, {})) {
        if (request.waiting) {
            request.waiting->complete(
                {}, std::vector<reason_code>(request.places.size(), reason_code::success));
        }
    }
}

// Answers

void client_core::handle(suback& answer_in) {
    const auto found = subscriptions_.subscribing.find(answer_in.packet_id);
    if (found == subscriptions_.subscribing.end()) {
        return;
    }
    subscription_entry* const entry = subscriptions_.find(found->second);
    subscriptions_.subscribing.erase(found);
    if (entry != nullptr && !answer_in.codes.empty()) {
        answer(*entry, make_error_code(answer_in.codes.front()), answer_in.codes.front());
    }
}

void client_core::answer(subscription_entry& entry, boost::system::error_code why,
                         reason_code code) {
    // Who waits may hold the only handle of a stream, and let go of it when it is told.
    const auto listeners = entry.listeners;
    const auto kept = streams_of(listeners);
    if (why) {
        log(log_severity::warning,
            "the subscription to \"" + entry.filter + "\" was refused: " + why.message());
        subscriptions_.erase(entry.identifier);
    }
    for (const auto& listener : listeners) {
        listener.stream->answer(listener.filter, why, code);
        if (const auto refused = listener.stream->refused()) {
            listener.stream->end(refused);
            if (listener.stream == responses_.get()) {
                for (const auto& [number, waiting] : std::exchange(requests_, {})) {
                    waiting->fail(refused);
                }
            }
        }
    }
}

// Unsubscribe

/// Returns the filters that nobody listens to any more and that the server may know.
std::vector<std::string> client_core::leave(subscription_stream& stream) {
    if (stream.let_go()) {
        note_room();
    }
    std::vector<std::string> known;
    for (const std::string& filter : stream.filters()) {
        subscription_entry* const entry = subscriptions_.find_filter(filter);
        if (entry == nullptr) {
            continue;  // refused, or named twice
        }
        std::erase_if(entry->listeners, [&](const auto& one) { return one.stream == &stream; });
        if (entry->listeners.empty()) {
            if (entry->told) {
                known.push_back(entry->filter);
            }
            subscriptions_.erase(entry->identifier);
        }
    }
    return known;
}

void client_core::unsubscribe(const stream_ptr& stream,
                              operation_ptr<std::vector<reason_code>> waiting) {
    leave(*stream);
    unsubscribe_request request;
    for (const std::string& filter : stream->filters()) {
        request.places.emplace_back(request.filters.size());
        request.filters.push_back(filter);
    }
    stream->end(error::subscription_ended);
    request.waiting = std::move(waiting);
    subscriptions_.to_unsubscribe.push_back(std::move(request));
    if (phase_ == phase::connected) {
        schedule_flush();
    }
}

void client_core::handle(unsuback& answer_in) {
    const auto found = subscriptions_.unsubscribing.find(answer_in.packet_id);
    if (found == subscriptions_.unsubscribing.end()) {
        return;
    }
    const unsubscribe_request request = std::move(found->second);
    subscriptions_.unsubscribing.erase(found);
    if (!request.waiting) {
        return;
    }
    std::vector<reason_code> codes;
    bool all_failed = true;
    for (const auto& place : request.places) {
        // 3.1.1 has no codes: it is done.
        const bool told = place && *place < answer_in.codes.size();
        codes.push_back(told ? answer_in.codes[*place] : reason_code::success);
        all_failed = all_failed && is_failure(codes.back());
    }
    const auto why = all_failed ? make_error_code(codes.front()) : boost::system::error_code();
    request.waiting->complete(why, std::move(codes));
}

void client_core::release(subscription_stream& stream) noexcept {
    if (dead_) {
        return;
    }
    unsubscribe_request request;
    request.filters = leave(stream);
    if (stream.ended()) {
        return;
    }
    stream.end(boost::asio::error::operation_aborted);
    // A session that is to be kept goes on to collect messages for the next run of the program.
    if (config_.clean_start() && !request.filters.empty()) {
        subscriptions_.to_unsubscribe.push_back(std::move(request));
        if (phase_ == phase::connected) {
            schedule_flush();
        }
    }
}

// Messages

void client_core::handle(fleetarium::publish& message) { route(message); }

/// Whoever waits for a stream is told `why`; the streams go on.
void client_core::fail_streams(boost::system::error_code why) {
    std::vector<stream_ptr> kept;
    subscriptions_.for_each([&](subscription_entry& entry) {
        for (auto& stream : streams_of(entry.listeners)) {
            kept.push_back(std::move(stream));
        }
    });
    for (const stream_ptr& stream : kept) {
        stream->fail_receivers(why);
        stream->fail_waiters(why);
    }
}

void client_core::route(const fleetarium::publish& message) {
    ++metrics_.messages_received;
    targets_.clear();
    const std::uint64_t visit = metrics_.messages_received;
    const auto add = [&](const subscription_entry& entry) {
        for (const auto& listener : entry.listeners) {
            if (std::exchange(listener.stream->visited, visit) != visit) {
                targets_.push_back(listener.stream);
            }
        }
    };
    // An identifier may stem from an earlier run of the program, for another filter: it has to
    // match too.
    message.subscription_identifiers.for_each([&](std::uint32_t identifier) {
        const subscription_entry* const entry = subscriptions_.find(identifier);
        if (entry != nullptr && topic_matches(entry->matched, message.topic)) {
            add(*entry);
        }
    });
    if (targets_.empty()) {
        subscriptions_.for_each_match(message.topic, add);
    }
    if (targets_.empty()) {
        ++metrics_.messages_unrouted;
        if (config_.log()) {
            log(log_severity::debug,
                "no stream is open for a message on \"" + std::string(message.topic) + "\"");
        }
        return;
    }
    received_message owned(message, environment_.now());
    for (std::size_t i = 1; i < targets_.size(); ++i) {
        deliver(*targets_[i], owned);
    }
    deliver(*targets_.front(), std::move(owned));
}

void client_core::deliver(subscription_stream& to, received_message message) {
    const bool was_full = to.is_full();
    const std::uint64_t dropped_before = to.dropped();
    if (!to.deliver(std::move(message))) {
        ++metrics_.messages_overflowed;
        if (dropped_before == 0) {
            log(log_severity::warning, "the stream of \"" + to.filters().front() +
                                           "\" is full: its oldest messages are dropped");
        }
    }
    if (to.is_full() && !was_full) {
        ++subscriptions_.full_streams;
    }
}

}  // namespace fleetarium::detail
