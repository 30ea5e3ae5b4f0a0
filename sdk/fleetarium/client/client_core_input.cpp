#include <fleetarium/client/client_core.hpp>

#include <fleetarium/client/reason_error.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>
#include <span>

// What a connection brings, and what goes out on it.

namespace fleetarium::detail {

namespace {

/// Output is gathered until the present handler is done, but no more than this.
constexpr std::size_t unflushed_max = 64 * 1024;

/// Whether another attempt may fare better than one refused with this code.
bool may_mend(reason_code code) {
    switch (code) {
        case reason_code::unspecified_error:
        case reason_code::implementation_specific_error:
        case reason_code::server_unavailable:
        case reason_code::server_busy:
        case reason_code::server_shutting_down:
        case reason_code::quota_exceeded:
        case reason_code::use_another_server:
        case reason_code::connection_rate_exceeded: return true;
        default: return false;
    }
}

std::string text_of(const std::optional<std::string_view>& text) {
    return std::string(text.value_or(std::string_view()));
}

}  // namespace

// Bytes

void client_core::on_bytes(bytes_view bytes) {
    if (paused_) {
        held_input_.insert(held_input_.end(), bytes.begin(), bytes.end());
        return;
    }
    process(bytes);
    after_session();
}

void client_core::process(bytes_view input) {
    const instant now = environment_.now();
    while (!input.empty() && has_session()) {
        client_event event = session_.handle_bytes(input, now);
        handle(event);
        if (subscriptions_.full_streams > 0 && has_session()) {
            held_input_.assign(input.begin(), input.end());
            pause_reading();
            return;
        }
    }
}

void client_core::pause_reading() {
    paused_ = true;
    paused_since_ = environment_.now();
    // The answer to a PINGREQ cannot be seen now; that is not the server's fault.
    session_options_.response_timeout = duration::max();
    stream_->pause_reading();
    log(log_severity::debug, "reading pauses: the stream of a subscription is full");
}

/// A full stream has room again. Not from inside the call that made the room.
void client_core::note_room() {
    --subscriptions_.full_streams;
    if (subscriptions_.full_streams > 0 || !paused_ || resume_scheduled_) {
        return;
    }
    resume_scheduled_ = true;
    boost::asio::post(environment_.executor(), [weak = weak_from_this()] {
        if (const auto live = weak.lock()) {
            live->resume_scheduled_ = false;
            live->resume_reading();
        }
    });
}

void client_core::resume_reading() {
    if (!paused_ || subscriptions_.full_streams > 0 || !has_session()) {
        return;
    }
    paused_ = false;
    paused_for_ += environment_.now() - paused_since_;
    session_options_.response_timeout = config_.response_timeout() + paused_for_;
    const std::vector<std::uint8_t> input = std::exchange(held_input_, {});
    process(input);
    if (!paused_ && has_session()) {
        stream_->resume_reading();
    }
    after_session();
}

void client_core::after_session() {
    collect_dropped();
    if (phase_ == phase::connected) {
        pump_subscriptions();
        feed();
    }
    if (!has_session()) {
        return;
    }
    flush_output();
    if (session_.should_close()) {
        begin_close();
    }
    complete_flushes();
    arm_timer();
}

void client_core::flush_output() {
    while (session_.has_output()) {
        stream_->write(session_.poll_transmit());
    }
    unflushed_ = 0;
}

/// What one handler of the application publishes goes out together.
void client_core::schedule_flush() {
    if (unflushed_ >= unflushed_max) {
        flush_output();
    }
    if (flush_scheduled_) {
        return;
    }
    flush_scheduled_ = true;
    boost::asio::post(environment_.executor(), [weak = weak_from_this()] {
        if (const auto live = weak.lock()) {
            live->flush_scheduled_ = false;
            live->after_session();
        }
    });
}

void client_core::on_drained() {
    if (has_session()) {
        after_session();
    }
}

// Events

void client_core::handle(client_event& event) {
    std::visit([this](auto& one) { this->handle(one); }, event);
}

void client_core::lose(loss cause) {
    if (!cause_) {
        cause_ = std::move(cause);
    }
}

void client_core::handle(connack& answer) {
    if (is_failure(answer.code)) {
        note_redirect(answer.code, answer.server_reference);
        lose({make_error_code(answer.code), text_of(answer.reason_string),
              !redirect_ && !may_mend(answer.code)});
        return;
    }
    if (config_.authentication() &&
        !config_.authentication()->finish(answer.authentication_data.value_or(bytes_view()))) {
        static_cast<void>(session_.disconnect({}, environment_.now()));
        lose({error::authentication_failed, {}, true});
        return;
    }
    accept(answer);
}

void client_core::accept(const connack& answer) {
    phase_ = phase::connected;
    was_accepted_ = true;
    clean_start_due_ = false;
    session_options_.response_timeout = config_.response_timeout();
    paused_for_ = {};
    if (answer.assigned_client_identifier) {
        client_id_ = *answer.assigned_client_identifier;
    }
    info_ = {};
    info_.server = trying_;
    info_.session_present = answer.session_present;
    info_.client_id = client_id_;
    info_.keep_alive = std::chrono::seconds{session_.keep_alive()};
    info_.maximum_qos = answer.maximum_qos.value_or(qos::exactly_once);
    info_.retain_available = answer.retain_available.value_or(true);
    info_.wildcard_subscriptions_available = answer.wildcard_subscription_available.value_or(true);
    info_.shared_subscriptions_available = answer.shared_subscription_available.value_or(true);
    info_.subscription_identifiers_available =
        answer.subscription_identifier_available.value_or(true);
    info_.receive_maximum = answer.receive_maximum.value_or(65'535);
    info_.maximum_packet_size = answer.maximum_packet_size;
    if (answer.session_expiry_interval) {
        info_.session_expiry = std::chrono::seconds{*answer.session_expiry_interval};
    }
    info_.reason = text_of(answer.reason_string);
    info_.response_information = text_of(answer.response_information);
    answer.user_properties.for_each([&](const fleetarium::user_property& one) {
        info_.user_properties.emplace_back(one.first, one.second);
    });
    ++metrics_.connections;
    policy_.accepted(environment_.now());
    restore_subscriptions(answer.session_present);
    log(log_severity::info, "connected to " + net::to_string(info_.server) +
                                (answer.session_present ? ", session resumed" : ", new session"));
    for (const auto& waiting : std::exchange(connecting_, {})) {
        waiting->complete({}, info_);
    }
    if (config_.on_connected()) {
        boost::asio::post(environment_.executor(), [weak = weak_from_this(), info = info_] {
            if (const auto live = weak.lock(); live && !live->dead_) {
                live->config_.on_connected()(info);
            }
        });
    }
}

/// MQTT 5 section 4.11: a list of HOST or HOST:PORT, apart by spaces. The first one is followed, or
/// after "server moved" all of them are the servers from now on.
void client_core::note_redirect(reason_code code, std::optional<std::string_view> reference) {
    const bool redirects =
        code == reason_code::use_another_server || code == reason_code::server_moved;
    if (!redirects || !reference || !config_.follow_server_reference()) {
        return;
    }
    const net::url& from = trying_;
    const std::string text = net::to_string(from);
    const std::string scheme = text.substr(0, text.find("://") + 3);
    std::vector<net::url> named;
    for (std::string_view rest = *reference; !rest.empty();) {
        const std::size_t end = std::min(rest.find(' '), rest.size());
        if (end > 0) {
            net::url_or_problem read =
                net::parse_url(scheme + std::string(rest.substr(0, end)) +
                               (from.is_websocket() ? from.path : std::string()));
            if (read.problem.empty() && !read.value.host.empty()) {
                named.push_back(std::move(read.value));
            }
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    if (named.empty()) {
        log(log_severity::warning,
            "the server names no server that can be used: \"" + std::string(*reference) + "\"");
        return;
    }
    log(log_severity::info, "the server sends the client to " + net::to_string(named.front()));
    redirect_ = named.front();
    if (code == reason_code::server_moved) {
        urls_ = std::move(named);
        policy_.use_servers(urls_.size());
    }
}

void client_core::handle(delivery_acknowledged& done) {
    settle(in_flight_.take(done.done.message->identity().number), make_error_code(done.code),
           done.code);
}

void client_core::handle(pingresp&) {
    session_options_.response_timeout = config_.response_timeout();
    paused_for_ = {};
}

void client_core::handle(fleetarium::disconnect& farewell) {
    note_redirect(farewell.code, farewell.server_reference);
    const bool moved_away = farewell.code == reason_code::server_moved && !redirect_;
    auto why = make_error_code(farewell.code);
    lose({why ? why : error::connection_lost, text_of(farewell.reason_string), moved_away});
}

void client_core::handle(auth& exchange) {
    // The session lets AUTH through only where an authentication is under way.
    authenticator& method = *config_.authentication();
    const bytes_view data = exchange.authentication_data.value_or(bytes_view());
    const bool ends = exchange.code == reason_code::success;
    bool trusted = true;
    if (ends) {
        trusted = method.finish(data);
        if (trusted && reauthenticating_) {
            std::exchange(reauthenticating_, nullptr)->complete({});
        }
    } else if (const auto reply = method.answer(data)) {
        const std::string name = method.method();
        auth answer;
        answer.code = reason_code::continue_authentication;
        answer.authentication_method = name;
        answer.authentication_data = as_bytes_view(*reply);
        const auto sent = session_.authenticate(answer, environment_.now());
        trusted = sent.has_value();
    } else {
        trusted = false;
    }
    if (!trusted) {
        static_cast<void>(session_.disconnect({}, environment_.now()));
        lose({error::authentication_failed, {}, true});
    }
}

void client_core::handle(protocol_violation& broken) {
    const violation_info& rule = describe(broken.broken);
    // As the code that it is in DISCONNECT, whoever of the two would send it.
    lose({make_error_code(rule.code), "the server broke a rule: " + std::string(rule.phrase),
          false});
}

}  // namespace fleetarium::detail
