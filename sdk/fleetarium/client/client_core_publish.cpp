#include <fleetarium/client/client_core.hpp>

#include <fleetarium/client/reason_error.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/session/outgoing_checks.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>
#include <array>

// Messages on their way out, requests and their responses.

namespace fleetarium::detail {

namespace {

/// async_publish: tells the operation.
class publish_operation final : public publish_observer {
public:
    explicit publish_operation(operation_ptr<reason_code> waiting) : waiting_(std::move(waiting)) {}

    void publish_sent() override { waiting_->begin_effects(); }
    void published(boost::system::error_code why, reason_code code) override {
        waiting_->complete(why, code);
    }

private:
    operation_ptr<reason_code> waiting_;
};

/// async_request: an end of its message that no response can follow is the end of the request.
class request_operation final : public publish_observer {
public:
    request_operation(operation_ptr<received_message> waiting, std::weak_ptr<client_core> owner,
                      std::uint64_t number)
        : waiting_(std::move(waiting)), owner_(std::move(owner)), number_(number) {}

    void publish_sent() override { waiting_->begin_effects(); }
    void published(boost::system::error_code why, reason_code code) override {
        if (!why && code != reason_code::no_matching_subscribers) {
            return;
        }
        if (const auto live = owner_.lock()) {
            live->forget_request(number_);
        }
        waiting_->fail(why ? why : error::no_responder);
    }

private:
    operation_ptr<received_message> waiting_;
    std::weak_ptr<client_core> owner_;
    std::uint64_t number_;
};

/// What a message takes on the wire beside topic and payload, about.
constexpr std::size_t overhead = 8;

instant expiry_of(const publish& message, instant now) {
    return message.message_expiry_interval
               ? saturating_add(now, std::chrono::seconds{*message.message_expiry_interval})
               : never;
}

std::array<std::uint8_t, 8> correlation_bytes(std::uint64_t number) {
    std::array<std::uint8_t, 8> made{};
    for (std::size_t i = made.size(); i-- > 0; number >>= 8) {
        made[i] = static_cast<std::uint8_t>(number);
    }
    return made;
}

std::string hexadecimal(std::uint64_t number) {
    constexpr char digits[] = "0123456789abcdef";
    std::string made(16, '0');
    for (std::size_t i = made.size(); i-- > 0; number >>= 4) {
        made[i] = digits[number & 15];
    }
    return made;
}

}  // namespace

// Publish

boost::system::error_code client_core::check(const fleetarium::publish& message,
                                             const publish_options& options) const {
    if (phase_ == phase::stopped) {
        return stop_reason_;
    }
    if (config_.version() == protocol_version::v3_1_1 && options.has_properties()) {
        return error::not_in_this_version;
    }
    return check_outgoing(message, config_.version());
}

/// Whether the session and the transport take a message of this QoS now, in its order.
bool client_core::may_send(enum qos qos) const {
    if (phase_ != phase::connected ||
        stream_->backlog() + unflushed_ >= config_.output_bytes_max()) {
        return false;
    }
    return qos == qos::at_most_once || session_.in_flight() < info_.receive_maximum;
}

result<void> client_core::publish_now(std::string_view topic, bytes_view payload,
                                      const publish_options& options) {
    return options.with_publish(
        topic, payload, [&](const fleetarium::publish& message) -> result<void> {
            const bool in_order =
                options.qos() == qos::at_most_once ? queue_.at_most_once() == 0 : queue_.empty();
            if (in_order && may_send(options.qos()) &&
                !(config_.version() == protocol_version::v3_1_1 && options.has_properties())) {
                const auto done = session_.publish(message, environment_.now());
                if (done) {
                    ++metrics_.messages_published;
                    unflushed_ += topic.size() + payload.size() + overhead;
                    schedule_flush();
                }
                return done;
            }
            if (const auto wrong = check(message, options)) {
                return wrong;
            }
            const bool offline = phase_ != phase::connected;
            if (offline && options.qos() == qos::at_most_once &&
                config_.queue().qos_0() != qos_0_offline::queue) {
                return config_.queue().qos_0() == qos_0_offline::drop
                           ? result<void>()
                           : result<void>(error::not_connected);
            }
            const instant now = environment_.now();
            queued_publish added;
            added.message = message::make(message, {{0, now}, 0, expiry_of(message, now)});
            const std::size_t bytes = added.message->memory_bytes();
            const bool fits = config_.queue().when_full() == queue_overflow::fail
                                  ? queue_.has_room(bytes)
                                  : queue_.could_hold(bytes);
            if (!fits) {
                return error::queue_full;
            }
            enqueue(std::move(added));
            return {};
        });
}

void client_core::publish(message_ptr message, operation_ptr<reason_code> waiting) {
    const bool sent_at_once = message->qos() == qos::at_most_once && queue_.at_most_once() == 0 &&
                              may_send(qos::at_most_once);
    if (sent_at_once) {
        const instant now = environment_.now();
        const auto done = session_.publish(message->to_publish(now), now);
        if (!done) {
            waiting->fail(done.error());
            return;
        }
        ++metrics_.messages_published;
        unflushed_ += message->topic().size() + message->payload().size() + overhead;
        schedule_flush();
        waiting->complete({}, reason_code::success);
        return;
    }
    auto observer = std::make_shared<publish_operation>(waiting);
    waiting->on_given_up([weak = weak_from_this(), whose = std::weak_ptr(observer)] {
        if (const auto live = weak.lock()) {
            live->forget(whose.lock().get());
        }
    });
    enqueue({std::move(message), std::move(observer)});
}

void client_core::enqueue(queued_publish added) {
    if (phase_ == phase::stopped) {
        settle(std::move(added.observer), stop_reason_, {});
        return;
    }
    if (queue_.empty() && may_send(added.message->qos())) {
        hand_over(std::move(added));
        schedule_flush();
        return;
    }
    const bool at_most_once = added.message->qos() == qos::at_most_once;
    if (at_most_once && phase_ != phase::connected &&
        config_.queue().qos_0() != qos_0_offline::queue) {
        const bool says_so = config_.queue().qos_0() == qos_0_offline::fail;
        settle(std::move(added.observer),
               says_so ? error::not_connected : boost::system::error_code(), {});
        return;
    }
    const std::size_t bytes = added.message->memory_bytes();
    const bool makes_room = config_.queue().when_full() == queue_overflow::drop_oldest;
    if (!(makes_room ? queue_.could_hold(bytes) : queue_.has_room(bytes))) {
        settle(std::move(added.observer), error::queue_full, {});
        return;
    }
    while (!queue_.has_room(bytes)) {
        settle(queue_.pop().observer, error::queue_full, {});
    }
    queue_.push(std::move(added));
    if (phase_ == phase::connected) {
        schedule_flush();  // one of QoS 0 may overtake nobody and still go out now
    }
}

/// Gives a message to the session, which sends it now.
void client_core::hand_over(queued_publish next) {
    const instant now = environment_.now();
    if (next.message->expired(now)) {
        settle(std::move(next.observer), error::message_expired, {});
        return;
    }
    const bool acknowledged = next.message->qos() != qos::at_most_once;
    const std::uint64_t number =
        acknowledged && next.observer ? in_flight_.add(next.observer) : std::uint64_t{0};
    const auto done = session_.publish(next.message->to_publish(now), now, number);
    if (!done) {
        in_flight_.take(number);
        settle(std::move(next.observer), done.error(), {});
        return;
    }
    ++metrics_.messages_published;
    unflushed_ += next.message->topic().size() + next.message->payload().size() + overhead;
    if (!acknowledged) {
        settle(std::move(next.observer), {}, reason_code::success);
    } else if (next.observer) {
        next.observer->publish_sent();
    }
}

/// Sends what waits, as far as window and transport allow.
void client_core::feed() {
    while (!queue_.empty() && may_send(queue_.front().message->qos())) {
        hand_over(queue_.pop());
        if (unflushed_ >= config_.output_bytes_max() / 2) {
            flush_output();
        }
    }
}

/// Tells what became of a message; what nobody asks for is counted.
void client_core::settle(std::shared_ptr<publish_observer> observer, boost::system::error_code why,
                         reason_code code) {
    if (observer) {
        observer->published(why, code);
    } else if (why) {
        ++metrics_.publishes_failed;
        log(log_severity::warning, "a message was not published: " + why.message());
    }
}

void client_core::collect_dropped() {
    std::vector<queued_publish> anew;
    for (const delivery_dropped& one : session_.poll_dropped()) {
        const std::uint64_t number = one.dropped.message->identity().number;
        auto observer = in_flight_.take(number);
        if (number != 0 && !observer) {
            continue;  // its sender was told already
        }
        boost::system::error_code why;
        switch (one.why) {
            case delivery_dropped::reason::expired: why = error::message_expired; break;
            case delivery_dropped::reason::too_large: why = error::packet_too_large; break;
            case delivery_dropped::reason::qos_not_supported: why = error::qos_not_supported; break;
            case delivery_dropped::reason::retain_not_supported:
                why = error::retain_not_supported;
                break;
            case delivery_dropped::reason::session_ended:
                // QoS 1 promises at least one delivery and allows two, so it is sent anew. QoS 2
                // allows one: what the server has confirmed by PUBREC is delivered, of the rest
                // nobody knows.
                if (one.dropped.qos == qos::at_least_once) {
                    anew.push_back({one.dropped.message, std::move(observer)});
                    continue;
                }
                if (one.dropped.state != delivery_state::wait_pubcomp) {
                    why = error::session_lost;
                }
                break;
        }
        settle(std::move(observer), why, reason_code::success);
    }
    for (auto at = anew.rbegin(); at != anew.rend(); ++at) {
        queue_.push_front(std::move(*at));
    }
}

/// Takes a message back that waits in the queue, if it does. Null is nobody's.
void client_core::forget(const publish_observer* whose) {
    if (whose != nullptr) {
        queue_.remove(whose);
    }
    complete_flushes();
}

void client_core::fail_publishes(boost::system::error_code why) {
    while (!queue_.empty()) {
        settle(queue_.pop().observer, why, {});
    }
    for (auto& observer : in_flight_.take_all()) {
        observer->published(why, {});
    }
}

// Flush

void client_core::flush(operation_ptr<> waiting) {
    flushing_.push_back(std::move(waiting));
    complete_flushes();
}

void client_core::complete_flushes() {
    if (flushing_.empty()) {
        return;
    }
    const bool written = stream_ ? !session_.has_output() && stream_->backlog() == 0 : true;
    if (queue_.empty() && session_.in_flight() == 0 && session_.queued() == 0 && written) {
        for (const auto& waiting : std::exchange(flushing_, {})) {
            waiting->complete({});
        }
    }
}

// Requests

result<void> client_core::reply(const received_message& request, bytes_view payload,
                                const publish_options& options) {
    if (!request.response_topic()) {
        return error::invalid_argument;
    }
    publish_options out = options;
    if (request.correlation_data()) {
        out.correlation_data(*request.correlation_data());
    }
    return publish_now(*request.response_topic(), payload, out);
}

const std::string& client_core::response_topic() {
    if (!response_topic_.empty()) {
        return response_topic_;
    }
    if (!config_.response_topic().empty()) {
        response_topic_ = config_.response_topic();
        return response_topic_;
    }
    const bool is_level =
        !config_.id().empty() && config_.id().find_first_of("/+#") == std::string::npos;
    response_topic_ =
        "responses/" + (is_level ? config_.id() : hexadecimal(environment_.next_seed()));
    return response_topic_;
}

void client_core::request(std::string_view topic, bytes_view payload,
                          const request_options& options, operation_ptr<received_message> waiting) {
    if (config_.version() == protocol_version::v3_1_1) {
        waiting->fail(error::not_in_this_version);
        return;
    }
    if (!responses_ || responses_->ended()) {
        auto opened = subscribe({response_topic()}, subscribe_options(qos::at_least_once));
        if (!opened) {
            waiting->fail(opened.error());
            return;
        }
        responses_ = *opened;
        responses_->use_sink(
            [this](received_message response) { take_response(std::move(response)); });
    }
    const std::uint64_t number = next_correlation_++;
    const auto correlation = correlation_bytes(number);
    publish_options out = options.message();
    out.response_topic(response_topic()).correlation_data(bytes_view(correlation));
    out.expiry(options.timeout());
    const boost::system::error_code wrong =
        out.with_publish(topic, payload, [&](const fleetarium::publish& message) {
            const auto refused = check(message, out);
            if (!refused) {
                const instant now = environment_.now();
                auto observer =
                    std::make_shared<request_operation>(waiting, weak_from_this(), number);
                waiting->on_given_up(
                    [weak = weak_from_this(), whose = std::weak_ptr(observer), number] {
                        if (const auto live = weak.lock()) {
                            live->forget(whose.lock().get());
                            live->requests_.erase(number);
                        }
                    });
                requests_.emplace(number, waiting);
                enqueue({message::make(message, {{0, now}, 0, expiry_of(message, now)}),
                         std::move(observer)});
            }
            return refused;
        });
    if (wrong) {
        waiting->fail(wrong);
    } else {
        waiting->limit(environment_, saturating_add(environment_.now(), options.timeout()));
    }
}

void client_core::take_response(received_message response) {
    std::uint64_t number = 0;
    const bytes_view data = response.correlation_data().value_or(bytes_view());
    for (const std::uint8_t byte : data.first(std::min<std::size_t>(data.size(), 8))) {
        number = number << 8 | byte;
    }
    const auto found = data.size() == 8 ? requests_.find(number) : requests_.end();
    if (found == requests_.end()) {
        ++metrics_.responses_late;
        return;
    }
    const auto waiting = found->second;
    requests_.erase(found);
    waiting->complete({}, std::move(response));
}

}  // namespace fleetarium::detail
