#include "replay_connections.hpp"

#include <fleetarium/client/client.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>
#include <utility>

namespace fleetarium::cli {

namespace {

using namespace std::chrono_literals;

/// A broker that restarts is back within this; one that is gone is not waited for in vain.
constexpr std::uint32_t attempts_to_return = 12;
constexpr duration leave_time = 2s;
constexpr duration look_interval = 50ms;

publish_options options_of(const publish& message, bool with_properties) {
    publish_options out(message.qos);
    out.retain(message.retain);
    if (!with_properties) {
        return out;
    }
    if (message.payload_format_indicator.value_or(0) == 1) {
        out.utf8();
    }
    if (message.message_expiry_interval) {
        out.expiry(std::chrono::seconds{*message.message_expiry_interval});
    }
    if (message.content_type) {
        out.content_type(std::string(*message.content_type));
    }
    if (message.response_topic) {
        out.response_topic(std::string(*message.response_topic));
    }
    if (message.correlation_data) {
        out.correlation_data(*message.correlation_data);
    }
    message.user_properties.for_each([&](const user_property& each) {
        out.user_property(std::string(each.first), std::string(each.second));
    });
    return out;
}

bool has_properties(const publish& message) {
    return message.payload_format_indicator || message.message_expiry_interval ||
           message.content_type || message.response_topic || message.correlation_data ||
           !message.user_properties.empty();
}

}  // namespace

std::uint64_t replay_sums::refused_total() const {
    std::uint64_t out = 0;
    for (const auto& [reason, times] : refused) {
        out += times;
    }
    return out;
}

struct replay_connections::connection {
    std::optional<client> by{};
    std::string id{};
    bool was_connected = false;
    bool stopped = false;
    // QoS 0 is not acknowledged. But the target reads a connection in order: when it acknowledges a
    // message, it has had all that was sent before it.
    std::uint64_t epoch = 0;  // of connections
    std::uint64_t qos_0_sent = 0;
    std::uint64_t qos_0_confirmed = 0;
};

replay_connections::replay_connections(environment& in, const client_config& base,
                                       std::vector<member> members, bool for_others, bool retry)
    : environment_(in), retry_(retry), timer_(in.make_timer()) {
    for (const member& each : members) {
        make(base, each.client_id);
        for (const std::int64_t row : each.publishers) {
            by_publisher_[row] = connections_.back().get();
        }
    }
    if (for_others) {
        make(base, base.id());
        for_others_ = connections_.back().get();
    }
}

replay_connections::~replay_connections() = default;

void replay_connections::make(const client_config& base, const std::string& id) {
    auto made = std::make_unique<connection>();
    connection& which = *made;
    which.id = id;
    client_config config = base;
    config.id(id);
    config.reconnect(backoff().first(250ms).max(5s).attempts(retry_ ? 0 : attempts_to_return));
    // The bound is that of all connections together.
    config.queue(publish_queue_options()
                     .messages(2 * messages_max)
                     .bytes(std::size_t{1} << 40)
                     .qos_0(qos_0_offline::fail));
    config.on_connected([this, &which](const connection_info&) { connected(which); });
    config.on_disconnected(
        [this, &which](const disconnection_info& info) { disconnected(which, info); });
    which.by.emplace(environment_, std::move(config));
    connections_.push_back(std::move(made));
}

void replay_connections::connect(std::function<void(const std::string&)> done) {
    connect_done_ = std::move(done);
    for (std::size_t i = 0; i < attempts_max; ++i) {
        start_next();
    }
}

void replay_connections::start_next() {
    if (started_ < connections_.size()) {
        connections_[started_++]->by->start();
    }
}

void replay_connections::connected(connection& which) {
    if (std::exchange(which.was_connected, true)) {
        return;
    }
    ++open_;
    if (open_ == connections_.size() && connect_done_) {
        std::exchange(connect_done_, nullptr)({});
    } else {
        start_next();
    }
}

void replay_connections::disconnected(connection& which, const disconnection_info& info) {
    if (leaving_) {
        return;
    }
    if (info.was_connected) {
        ++sums_.connections_lost;
        ++which.epoch;
        sums_.unconfirmed += which.qos_0_sent - which.qos_0_confirmed;
        which.qos_0_confirmed = which.qos_0_sent;
    }
    std::string why = info.why.message();
    if (!info.reason.empty()) {
        why += ": " + info.reason;
    }
    if (!which.id.empty() && connections_.size() > 1) {
        why = "client \"" + which.id + "\": " + why;
    }
    if (!which.was_connected && (!retry_ || !info.next_attempt_in) && connect_done_) {
        std::exchange(connect_done_, nullptr)(why);
        return;
    }
    if (!info.next_attempt_in && !std::exchange(which.stopped, true)) {
        ++stopped_;
        if (stopped_ == connections_.size()) {
            failure_ = why;
            if (failed_) {
                failed_();
            }
        }
    }
}

bool replay_connections::has_room(std::size_t bytes) const {
    return under_way_ == 0 || (under_way_ < messages_max && bytes_under_way_ + bytes <= bytes_max);
}

void replay_connections::on_room(std::function<void()> call) { room_ = std::move(call); }

void replay_connections::on_failure(std::function<void()> call) { failed_ = std::move(call); }

void replay_connections::publish(const recording::traffic_message& message) {
    connection* to = for_others_;
    if (message.publisher) {
        const auto found = by_publisher_.find(*message.publisher);
        to = found == by_publisher_.end() ? to : found->second;
    }
    if (to == nullptr) {
        ++sums_.refused["no connection for its client"];
        return;
    }
    const fleetarium::publish& content = message.content;
    const bool with_properties = to->by->config().version() == protocol_version::v5;
    sums_.without_properties += !with_properties && has_properties(content) ? 1 : 0;
    ++sums_.published[static_cast<std::size_t>(content.qos)];
    sums_.held += content.qos != qos::at_most_once && !to->by->is_connected() ? 1 : 0;
    const std::size_t bytes = content.topic.size() + content.payload.size();
    ++under_way_;
    bytes_under_way_ += bytes;
    to->by->async_publish(
        content.topic, content.payload, options_of(content, with_properties),
        [this, to, level = content.qos, bytes, epoch = to->epoch, before = to->qos_0_sent](
            boost::system::error_code why, reason_code code) {
            settle(*to, level, bytes, epoch, before, why, code);
        });
}

void replay_connections::settle(connection& on, enum qos level, std::size_t bytes,
                                std::uint64_t epoch, std::uint64_t qos_0_before,
                                boost::system::error_code why, reason_code code) {
    --under_way_;
    bytes_under_way_ -= bytes;
    ++settled_;
    const bool given_up = leaving_ && why == boost::asio::error::operation_aborted;
    if (level == qos::at_most_once) {
        if (!why && epoch == on.epoch) {
            ++on.qos_0_sent;
        } else if (!why) {
            ++sums_.unconfirmed;
        } else if (given_up || why == error::not_connected) {
            ++sums_.lost;
        } else {
            ++sums_.refused[why.message()];
        }
    } else if (given_up) {
        ++sums_.unacknowledged;
    } else if (why) {
        ++sums_.refused[why.message()];
    } else {
        ++sums_.acknowledged;
        sums_.no_matching_subscribers += code == reason_code::no_matching_subscribers ? 1 : 0;
        if (epoch == on.epoch) {
            on.qos_0_confirmed = std::max(on.qos_0_confirmed, qos_0_before);
        }
    }
    if (room_ && has_room(0)) {
        std::exchange(room_, nullptr)();
    }
}

void replay_connections::finish(duration patience, std::function<void()> done) {
    finishing_ = true;
    patience_ = patience;
    finish_done_ = std::move(done);
    last_progress_ = environment_.now();
    look_for_end();
}

void replay_connections::hurry(duration patience) {
    patience_ = std::min(patience_, patience);
    last_progress_ = environment_.now();
}

/// Looks now and then: what is waited for is told by each connection for itself.
void replay_connections::look_for_end() {
    const instant now = environment_.now();
    if (settled_ != std::exchange(settled_before_, settled_)) {
        last_progress_ = now;
    }
    if (!failure_.empty()) {
        patience_ = {};  // there is nobody to wait for
    }
    if (under_way_ == 0 || now - last_progress_ >= patience_) {
        take_leave();
        return;
    }
    timer_->start(now + look_interval, [this] { look_for_end(); });
}

void replay_connections::take_leave() {
    left_ = connections_.size();
    const auto one_left = [this] {
        if (--left_ == 0 && finish_done_) {
            timer_->cancel();
            std::exchange(finish_done_, nullptr)();
        }
    };
    timer_->start(environment_.now() + std::max(patience_, leave_time), [this] {
        leaving_ = true;
        if (finish_done_) {
            std::exchange(finish_done_, nullptr)();
        }
    });
    for (const auto& each : connections_) {
        client& by = *each->by;
        const auto leave = [this, &by, one_left](boost::system::error_code) {
            leaving_ = true;
            by.async_disconnect([one_left](boost::system::error_code) { one_left(); });
        };
        // QoS 0 may still be on its way into the transport.
        if (under_way_ == 0 && by.is_connected()) {
            by.async_flush(leave);
        } else {
            leave({});
        }
    }
}

}  // namespace fleetarium::cli
