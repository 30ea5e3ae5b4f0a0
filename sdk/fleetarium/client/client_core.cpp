#include <fleetarium/client/client_core.hpp>

#include <fleetarium/client/client_service.hpp>
#include <fleetarium/client/reason_error.hpp>
#include <fleetarium/session/outgoing_checks.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>
#include <stdexcept>

// The life of a client: attempts to connect, connections, their ends, and time. What a connection
// brings is in client_core_input.cpp.

namespace fleetarium::detail {

namespace {

/// Servers that send a client on to one another are followed so often before it waits.
constexpr std::uint32_t redirects_max = 4;

constexpr std::uint32_t expiry_never = 0xFFFF'FFFF;

std::uint32_t expiry_of(std::chrono::seconds time) {
    return static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(time.count(), 0, std::int64_t{expiry_never}));
}

template <class Operation>
void fail_all(std::vector<Operation>& waiting, boost::system::error_code why) {
    for (const auto& one : std::exchange(waiting, {})) {
        one->fail(why);
    }
}

template <class Operation>
void add(std::vector<Operation>& waiting, Operation one) {
    std::erase_if(waiting, [](const Operation& other) { return other->done(); });
    waiting.push_back(std::move(one));
}

std::string in_seconds(duration time) {
    const auto tenths = std::chrono::round<std::chrono::duration<std::int64_t, std::deci>>(time);
    return std::to_string(tenths.count() / 10) + '.' + std::to_string(tenths.count() % 10) + " s";
}

}  // namespace

// Making and unmaking

std::shared_ptr<client_core> client_core::make(environment& in, client_config config) {
    config.check();
    std::shared_ptr<client_core> made(new client_core(in, std::move(config)));
    made->with_connect([&made](const fleetarium::connect& request) {
        if (const auto wrong = check_outgoing(request)) {
            throw std::invalid_argument(
                "the client cannot connect as it is configured: " + wrong.message() +
                "; client id, user name, will and user properties have to be UTF-8 of at most "
                "65,535 bytes, and the will's topic a topic name without wildcards");
        }
        if (!made->config_.clean_start()) {
            // An earlier run of the program may have left a session, of which nothing is known
            // here: as after a CONNECT that broke off before its answer. Without this the client
            // would have to take the server's word of it as a mistake [v5/MQTT-3.2.2-4]. Its
            // packet ids have to be others than those that the server may still hold.
            made->session_.continue_packet_ids_behind(
                static_cast<std::uint16_t>(made->environment_.next_seed()));
            static_cast<void>(made->session_.connect(request, made->environment_.now()));
            made->session_.handle_closed(made->environment_.now());
        }
    });
    made->service_ = client_service::of(in.executor());
    made->service_->add(*made);
    return made;
}

client_core::client_core(environment& in, client_config config)
    : environment_(in),
      config_(std::move(config)),
      session_(session_options_),
      policy_(config_.reconnect(), config_.urls().size(), in.next_seed()),
      clean_start_due_(config_.clean_start()),
      urls_(config_.urls()),
      client_id_(config_.id()),
      timer_(in.make_timer()),
      queue_(config_.queue()),
      next_correlation_(in.next_seed()) {
    session_options_.use_topic_aliases = config_.use_topic_aliases();
    session_options_.response_timeout = config_.response_timeout();
    const bool needs_tls =
        std::ranges::any_of(urls_, [](const net::url& one) { return one.is_tls(); });
    if (needs_tls) {
        tls_ = net::tls_context(net::tls_role::client, config_.tls());
    }
}

client_core::~client_core() {
    if (service_) {
        service_->remove(*this);
    }
}

void client_core::shut_down() noexcept {
    if (dead_) {
        return;
    }
    dead_ = true;
    phase_ = phase::stopped;
    stop_reason_ = boost::asio::error::operation_aborted;
    attempt_.reset();
    if (stream_) {
        stream_->abort();
        stream_.reset();
    }
    timer_.reset();
    fail_publishes(boost::asio::error::operation_aborted);
    operations_.fail_all(boost::asio::error::operation_aborted);
}

void client_core::abandon() noexcept {
    dead_ = true;
    phase_ = phase::stopped;
    operations_.abandon_all();
    attempt_.reset();
    stream_.reset();
    timer_.reset();
}

bool client_core::adopt(operation_base& one, duration limit) {
    if (dead_) {
        one.fail(boost::asio::error::operation_aborted);
        return false;
    }
    operations_.add(one);
    if (limit != duration::max()) {
        one.limit(environment_, saturating_add(environment_.now(), limit));
    }
    return true;
}

/// Destroys something later: it may be what calls us right now.
template <class Owned>
void client_core::retire(std::unique_ptr<Owned> owned) {
    if (owned) {
        boost::asio::post(environment_.executor(), [dead = std::move(owned)] {});
    }
}

void client_core::log(log_severity severity, const std::string& line) const {
    if (config_.log()) {
        config_.log()(severity, line);
    }
}

// Verbs

void client_core::start() {
    if (dead_ || is_started()) {
        return;
    }
    stop_reason_ = {};
    policy_.reset();
    redirects_ = 0;
    clean_start_due_ = config_.clean_start();
    begin_attempt();
}

void client_core::connect(operation_ptr<connection_info> waiting) {
    if (is_connected()) {
        waiting->complete({}, info_);
        return;
    }
    add(connecting_, std::move(waiting));
    start();
}

void client_core::run(operation_ptr<> waiting) {
    add(running_, std::move(waiting));
    start();
}

void client_core::retry_now() {
    if (phase_ == phase::waiting) {
        policy_.reset();
        begin_attempt();
    }
}

void client_core::wait_until(operation_ptr<> waiting, instant due) {
    // Not as a limit, which says timed_out: here the end of the time is what was asked for. The
    // timer holds the operation until either is done.
    auto timer = std::shared_ptr<environment::timer>(environment_.make_timer());
    waiting->on_given_up([timer] { timer->cancel(); });
    timer->start(due, [waiting, executor = environment_.executor()] {
        boost::asio::post(executor, [waiting] { waiting->complete({}); });
    });
}

void client_core::disconnect(operation_ptr<> waiting, const disconnect_options& options) {
    const bool v5 = config_.version() == protocol_version::v5;
    if (!v5 && (options.with_will() || options.session_expiry() || options.reason())) {
        waiting->fail(error::not_in_this_version);
        return;
    }
    if (has_session()) {
        fleetarium::disconnect farewell;
        if (options.with_will()) {
            farewell.code = reason_code::disconnect_with_will_message;
        }
        if (options.session_expiry()) {
            farewell.session_expiry_interval = expiry_of(*options.session_expiry());
        } else if (v5 && config_.clean_start() && config_.session_expiry().count() > 0) {
            farewell.session_expiry_interval = 0;
        }
        if (options.reason()) {
            farewell.reason_string = *options.reason();
        }
        const auto said = session_.disconnect(farewell, environment_.now());
        if (!said) {
            waiting->fail(said.error());
            return;
        }
    }
    farewell_ = true;
    add(disconnecting_, std::move(waiting));
    if (phase_ == phase::closing) {
        return;
    }
    if (has_session()) {
        cause_ = loss{};
        flush_output();
        begin_close();
        arm_timer();
        return;
    }
    retire(std::move(attempt_));
    ++attempt_number_;
    stop({});
}

void client_core::reauthenticate(operation_ptr<> waiting) {
    if (!config_.authentication()) {
        waiting->fail(config_.version() == protocol_version::v5 ? error::invalid_argument
                                                                : error::not_in_this_version);
        return;
    }
    const std::string method = config_.authentication()->method();
    const std::string data = config_.authentication()->begin();
    auth begun;
    begun.code = reason_code::re_authenticate;
    begun.authentication_method = method;
    if (!data.empty()) {
        begun.authentication_data = as_bytes_view(data);
    }
    const auto sent = is_connected() ? session_.authenticate(begun, environment_.now())
                                     : result<void>(error::not_connected);
    if (!sent) {
        waiting->fail(sent.error());
        return;
    }
    waiting->begin_effects();
    reauthenticating_ = std::move(waiting);
    after_session();
}

// Attempts

void client_core::begin_attempt() {
    retire(std::move(attempt_));
    phase_ = phase::opening;
    cause_.reset();
    was_accepted_ = false;
    trying_ = redirect_ ? *redirect_ : urls_[policy_.server()];
    redirect_.reset();
    phase_deadline_ = saturating_add(environment_.now(), config_.connect_timeout());
    const std::uint64_t number = ++attempt_number_;
    log(log_severity::debug, "connecting to " + net::to_string(trying_));
    attempt_ = environment_.connect(
        trying_, tls_,
        [weak = weak_from_this(), number](boost::system::error_code why,
                                          std::unique_ptr<net::byte_stream> stream) {
            const auto live = weak.lock();
            if (live && live->phase_ == phase::opening && live->attempt_number_ == number) {
                live->on_opened(why, std::move(stream));
            }
        });
    arm_timer();
}

template <class Use>
void client_core::with_connect(Use&& use) {
    const bool v5 = config_.version() == protocol_version::v5;
    fleetarium::connect request;
    request.version = config_.version();
    request.clean_start = v5 ? clean_start_due_ : config_.clean_start();
    request.keep_alive = static_cast<std::uint16_t>(config_.keep_alive().count());
    request.client_id = client_id_;
    if (config_.user_name()) {
        request.user_name = *config_.user_name();
    }
    if (config_.password()) {
        request.password = bytes_view(*config_.password());
    }
    const std::vector<fleetarium::user_property> pairs(config_.user_properties().begin(),
                                                       config_.user_properties().end());
    std::string method;
    std::string data;
    if (v5) {
        if (config_.session_expiry().count() > 0) {
            request.session_expiry_interval = expiry_of(config_.session_expiry());
        }
        request.receive_maximum = config_.receive_maximum();
        request.maximum_packet_size = config_.maximum_packet_size();
        if (config_.topic_alias_maximum() > 0) {
            request.topic_alias_maximum = config_.topic_alias_maximum();
        }
        request.user_properties =
            user_properties(std::span<const fleetarium::user_property>(pairs));
        if (config_.authentication()) {
            method = config_.authentication()->method();
            data = config_.authentication()->begin();
            request.authentication_method = method;
            if (!data.empty()) {
                request.authentication_data = as_bytes_view(data);
            }
        }
    }
    if (!config_.will()) {
        use(request);
        return;
    }
    const last_will& last = *config_.will();
    last.options().with_publish(last.topic(), last.payload(),
                                [&](const fleetarium::publish& message) {
                                    fleetarium::will& out = request.will.emplace();
                                    out.topic = message.topic;
                                    out.payload = message.payload;
                                    out.qos = message.qos;
                                    out.retain = message.retain;
                                    out.delay_interval = expiry_of(last.delay());
                                    out.payload_format_indicator = message.payload_format_indicator;
                                    out.message_expiry_interval = message.message_expiry_interval;
                                    out.content_type = message.content_type;
                                    out.response_topic = message.response_topic;
                                    out.correlation_data = message.correlation_data;
                                    out.user_properties = message.user_properties;
                                    use(request);
                                });
}

void client_core::on_opened(boost::system::error_code why,
                            std::unique_ptr<net::byte_stream> stream) {
    if (why) {
        connection_ended({why, {}, false});
        return;
    }
    const instant now = environment_.now();
    stream_ = std::move(stream);
    stream_->start(*this);
    phase_ = phase::connecting;
    session_options_.response_timeout =
        std::max<duration>(phase_deadline_ - now, std::chrono::milliseconds{1});
    result<void> said;
    with_connect(
        [&](const fleetarium::connect& request) { said = session_.connect(request, now); });
    if (!said) {
        cut({said.error(), "CONNECT could not be sent as configured", true});
        return;
    }
    after_session();
}

// Ends

void client_core::begin_close() {
    phase_ = phase::closing;
    phase_deadline_ = saturating_add(environment_.now(), config_.response_timeout());
    stream_->close();
}

void client_core::on_closed(boost::system::error_code why) {
    if (cause_) {
        connection_ended(*std::exchange(cause_, std::nullopt));
    } else if (why && why != boost::asio::error::eof) {
        connection_ended({why, {}, false});
    } else {
        connection_ended({error::connection_lost, {}, false});
    }
}

/// Ends the connection here and now, without a farewell.
void client_core::cut(loss cause) {
    stream_->abort();
    connection_ended(std::move(cause));
}

void client_core::connection_ended(loss cause) {
    const bool was_connected = std::exchange(was_accepted_, false);
    session_.handle_closed(environment_.now());
    retire(std::move(stream_));
    held_input_.clear();
    paused_ = false;
    paused_for_ = {};
    unflushed_ = 0;
    collect_dropped();
    for (const auto& [packet_id, identifier] : std::exchange(subscriptions_.subscribing, {})) {
        if (subscription_entry* const entry = subscriptions_.find(identifier)) {
            subscriptions_.queue(*entry);
        }
    }
    auto unanswered = std::exchange(subscriptions_.unsubscribing, {});
    for (auto at = unanswered.rbegin(); at != unanswered.rend(); ++at) {
        subscriptions_.to_unsubscribe.push_front(std::move(at->second));
    }
    if (const auto waiting = std::exchange(reauthenticating_, nullptr)) {
        waiting->fail(cause.why ? cause.why : error::connection_lost);
    }
    if (farewell_) {
        if (was_connected) {
            tell_disconnected({}, true, std::nullopt);
        }
        stop({});
        return;
    }
    schedule_next(cause, was_connected);
}

void client_core::schedule_next(const loss& cause, bool was_connected) {
    const instant now = environment_.now();
    if (!was_connected) {
        ++metrics_.attempts_failed;
    } else if (policy_.was_stable(now)) {
        redirects_ = 0;
    }
    std::optional<duration> wait;
    if (redirect_ && redirects_ < redirects_max) {
        ++redirects_;
        wait = duration::zero();
    } else {
        redirect_.reset();
        wait = was_connected ? policy_.lost(now, cause.final) : policy_.failed(cause.final);
    }
    tell_disconnected(cause, was_connected, wait);
    if (!wait) {
        stop(cause.why);
        return;
    }
    phase_ = phase::waiting;
    phase_deadline_ = saturating_add(now, *wait);
    arm_timer();
}

void client_core::tell_disconnected(const loss& cause, bool was_connected,
                                    std::optional<duration> next) {
    disconnection_info info;
    info.server = trying_;
    info.why = cause.why;
    info.reason = cause.reason;
    info.was_connected = was_connected;
    info.next_attempt_in = next;
    if (config_.log()) {
        std::string line = was_connected ? "disconnected from " : "no connection to ";
        line += net::to_string(info.server);
        if (cause.why) {
            line += ": " + cause.why.message();
        }
        if (!cause.reason.empty()) {
            line += " (" + cause.reason + ")";
        }
        line += next ? "; next attempt in " + in_seconds(*next) : std::string("; stopped");
        log(cause.why ? log_severity::warning : log_severity::info, line);
    }
    if (config_.on_disconnected()) {
        boost::asio::post(environment_.executor(), [weak = weak_from_this(), info] {
            if (const auto live = weak.lock(); live && !live->dead_) {
                live->config_.on_disconnected()(info);
            }
        });
    }
}

void client_core::stop(boost::system::error_code why) {
    const boost::system::error_code told = why ? why : boost::asio::error::operation_aborted;
    phase_ = phase::stopped;
    farewell_ = false;
    stop_reason_ = told;
    redirect_.reset();
    phase_deadline_ = never;
    timer_->cancel();
    armed_ = never;
    if (config_.clean_start()) {
        session_ = client_session(session_options_);
        restore_subscriptions(false);
        client_id_ = config_.id();
    }
    fail_publishes(told);
    for (const auto& [correlation, waiting] : std::exchange(requests_, {})) {
        waiting->fail(told);
    }
    fail_streams(told);
    fail_all(connecting_, told);
    fail_all(flushing_, told);
    for (const auto& one : std::exchange(running_, {})) {
        one->complete(why);
    }
    for (const auto& one : std::exchange(disconnecting_, {})) {
        one->complete({});
    }
}

// Time

instant client_core::deadline() const {
    switch (phase_) {
        case phase::idle:
        case phase::stopped: return never;
        case phase::waiting:
        case phase::opening:
        case phase::closing: return phase_deadline_;
        case phase::connecting:
        case phase::connected: return session_.poll_timeout();
    }
    return never;
}

void client_core::arm_timer() {
    // Deadlines mostly move on: the timer is left as it is until it fires, and set anew then.
    const instant due = deadline();
    if (due >= armed_ || dead_) {
        return;
    }
    armed_ = due;
    timer_->start(due, [weak = weak_from_this()] {
        if (const auto live = weak.lock()) {
            live->armed_ = never;
            live->on_timer();
        }
    });
}

void client_core::on_timer() {
    const instant now = environment_.now();
    if (dead_ || now < deadline()) {
        arm_timer();
        return;
    }
    switch (phase_) {
        case phase::idle:
        case phase::stopped: return;
        case phase::waiting: begin_attempt(); return;
        case phase::opening:
            retire(std::move(attempt_));
            ++attempt_number_;
            connection_ended({error::timed_out, "the server could not be reached in time", false});
            return;
        case phase::closing: cut(cause_ ? *std::exchange(cause_, std::nullopt) : loss{}); return;
        case phase::connecting:
        case phase::connected: break;
    }
    client_event event = session_.handle_timeout(now);
    if (std::holds_alternative<protocol_violation>(event)) {
        cut({error::timed_out,
             phase_ == phase::connecting ? "no CONNACK in time" : "no PINGRESP in time", false});
        return;
    }
    after_session();
}

}  // namespace fleetarium::detail
