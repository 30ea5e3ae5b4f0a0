#include <fleetarium/server/server.hpp>

#include <fleetarium/net/pipe.hpp>
#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/net/system_random.hpp>
#include <fleetarium/server/broker_routes.hpp>
#include <fleetarium/server/listener_origins.hpp>
#include <fleetarium/server/server_connection.hpp>
#include <fleetarium/server/server_implementation.hpp>
#include <fleetarium/server/snapshot.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

namespace fleetarium::broker {

namespace {

// After its farewell is written a client may take this long to close its side: a close at once
// could, on some systems, take the farewell back.
constexpr duration farewell_grace = std::chrono::milliseconds{50};

/// What the core needs among strangers.
broker_options for_strangers(const server_options& from) {
    broker_options options = from.broker;
    options.hash_seed = net::system_random_number();
    if (options.output_bytes_per_turn_max == 0) {
        // Above what one turn brings for a client that keeps up.
        options.output_bytes_per_turn_max =
            std::min(16 * from.output_bytes_max, std::size_t{1} << 30);
    }
    return options;
}

/// Clients of one server over pipes: everything but the way to the broker is a real network's.
class pipe_network final : public environment {
public:
    pipe_network(server& to, boost::asio::io_context& context)
        : to_(to), context_(context), real_(context) {}

    boost::asio::any_io_executor executor() override { return real_.executor(); }
    instant now() const override { return real_.now(); }
    std::unique_ptr<timer> make_timer() override { return real_.make_timer(); }
    std::uint64_t next_seed() override { return real_.next_seed(); }

    std::unique_ptr<net::connect_attempt> connect(const net::url&, const net::tls_context&,
                                                  net::connect_handler done) override {
        auto made = std::make_unique<attempt>();
        boost::asio::post(
            context_, [this, wanted = std::weak_ptr<bool>(made->wanted), done = std::move(done)] {
                if (wanted.expired()) {
                    return;
                }
                std::unique_ptr<net::byte_stream> stream;
                try {
                    stream = to_.open_pipe(executor());
                } catch (const std::logic_error&) {
                    done(boost::asio::error::connection_refused, nullptr);
                    return;
                }
                done({}, std::move(stream));
            });
        return made;
    }

private:
    struct attempt final : net::connect_attempt {
        void cancel() noexcept override { wanted.reset(); }
        std::shared_ptr<bool> wanted = std::make_shared<bool>(true);
    };

    server& to_;
    boost::asio::io_context& context_;
    real_environment real_;
};

void check(const server_options& options) {
    if (options.threads < 1 || options.threads > 256) {
        throw std::invalid_argument("threads must be from 1 to 256");
    }
    if (options.output_bytes_max < 1024) {
        throw std::invalid_argument("output_bytes_max must be 1024 or more");
    }
    if (options.password_checks_max < 1) {
        throw std::invalid_argument("password_checks_max must be 1 or more");
    }
    if (options.stop_timeout < duration{}) {
        throw std::invalid_argument("stop_timeout must not be negative");
    }
}

}  // namespace

// Life

server::implementation::implementation(server_options with, broker_hooks* embedder)
    : options_(std::move(with)),
      log_(options_.log),
      gate_(
          options_, log_, embedder,
          [this](connection_id id) {
              const connection& of = *connections_[id];
              server_gate::connection_facts out;
              out.allow_anonymous = options_.allow_anonymous;
              if (of.came_by != nullptr && of.came_by->options->allow_anonymous) {
                  out.allow_anonymous = *of.came_by->options->allow_anonymous;
              }
              out.password_is_right = of.password_is_right;
              out.is_too_busy = of.is_too_busy;
              out.speaks = of.speaks;
              return out;
          },
          [this](connection_id id) { return address_of(id); }),
      core_(for_strangers(options_), &gate_),
      password_turns_(options_.password_checks_max) {
    check(options_);
}

server::implementation::~implementation() { stop(); }

void server::implementation::start() {
    const std::lock_guard life(life_mutex_);
    if (started_) {
        return;
    }
    std::string problems;
    for (const std::string& each : gate_.load(core_mutex_)) {
        problems += (problems.empty() ? "" : "\n") + each;
    }
    if (!problems.empty()) {
        throw std::runtime_error(problems);
    }
    {
        const std::lock_guard turn(core_mutex_);
        for (unsigned i = 0; i < options_.threads; ++i) {
            threads_.push_back(std::make_unique<io_thread>(*this));
        }
    }
    try {
        open_listeners();
    } catch (...) {
        release();
        throw;
    }
    try {
        open_persistence();
    } catch (const storage::session_file_error& error) {
        release();
        throw std::runtime_error(error.what());
    }
    stopping_ = false;
    started_ = true;
    note_bound();
    timer_.emplace(threads_.front()->context);
    timer_due_ = never;
    if (gate_.has_passwords()) {
        password_threads_.emplace(options_.threads);
    }
    for (const auto& each : listeners_) {
        each->socket->start([this]() -> boost::asio::io_context& { return pick_thread().context; },
                            [this, by = each.get()](std::unique_ptr<net::byte_stream> stream,
                                                    boost::asio::io_context& of) {
                                adopt(thread_of(of), std::move(stream), by);
                            });
        log_(log_level::info, "listening on " + to_string(each->socket->bound()));
    }
    {
        const std::lock_guard turn(core_mutex_);
        core_.handle_timeout(net::real_now());  // the $SYS topics begin
        arm_timer();
    }
    if (log_) {
        refusal_timer_.emplace(threads_.front()->context);
        wait_for_refusals();
    }
    for (const auto& each : threads_) {
        each->thread = std::thread([&context = each->context] { context.run(); });
    }
}

void server::implementation::open_listeners() {
    for (const listener_options& each : options_.listeners) {
        auto made = std::make_unique<listening_socket>();
        made->options = &each;
        net::tls_context tls;
        if (each.url.is_tls()) {
            tls = net::tls_context(net::tls_role::server, each.tls);
        }
        made->socket = net::make_listener(threads_.front()->context, each.url, tls);
        made->socket->check_origins(origin_check_of(each));
        if (each.connection_rate_max != 0 || each.address_connection_rate_max != 0 ||
            each.address_connections_max != 0) {
            made->limiter.emplace(connection_bounds{each.connection_rate_max,
                                                    each.address_connection_rate_max,
                                                    each.address_connections_max});
        }
        listeners_.push_back(std::move(made));
    }
    if (!options_.http_address.empty()) {
        open_http();
    }
}

void server::implementation::open_persistence() {
    if (options_.persistence.file.empty() || persistence_) {
        return;
    }
    auto opened =
        std::make_unique<persistence>(options_.persistence, core_, core_mutex_, log_, [this] {
            if (core_.has_output() && !threads_.empty()) {
                wake(*threads_.front());
            }
            read_again_if_room();
        });
    {
        const std::lock_guard turn(core_mutex_);
        persistence_ = std::move(opened);
    }
    const storage::session_file_contents& had = persistence_->contents();
    log_(log_level::info, options_.persistence.file + ": " + std::to_string(had.sessions) +
                              " sessions, " + std::to_string(had.deliveries) +
                              " messages on their way, " + std::to_string(had.retained) +
                              " retained");
}

void server::implementation::open_http() {
    broker_view view;
    view.inspect = [this](const std::function<void(const broker_core&)>& look) {
        look_at_core([&](const broker_core& core) { look(core); });
    };
    view.uptime = [since = net::real_now()] { return net::real_now() - since; };
    view.is_stopping = [this] { return stopping_.load(); };
    view.more_metrics = [this] {
        std::vector<metric_family> out = metrics_of_bounds();
        if (persistence_) {
            for (metric_family& each : persistence_->metrics()) {
                out.push_back(std::move(each));
            }
        }
        return out;
    };
    http_options how;
    how.address = options_.http_address;
    how.token = options_.http_token;
    how.log = [this](std::string_view line) { log_(log_level::info, line); };
    std::vector<http_route> routes = broker_routes(std::move(view));
    routes.insert(routes.end(), options_.http_more.routes.begin(), options_.http_more.routes.end());
    http_ = std::make_unique<http_server>(threads_.front()->context, how, std::move(routes),
                                          options_.http_more.websockets);
    log_(log_level::info, "HTTP on " + http_->listening());
    if (options_.http_more.poll) {
        http_timer_.emplace(threads_.front()->context);
        wait_for_http_poll();
    }
}

/// What is bound now, for those who ask.
void server::implementation::note_bound() {
    std::vector<net::url> bound;
    bound.reserve(listeners_.size());
    for (const auto& each : listeners_) {
        bound.push_back(each->socket->bound());
    }
    const std::lock_guard alone(bound_mutex_);
    bound_ = std::move(bound);
    http_bound_ = http_ ? http_->listening() : std::string();
}

void server::implementation::wait_for_http_poll() {
    http_timer_->expires_after(std::chrono::milliseconds{50});
    http_timer_->async_wait([this](boost::system::error_code cancelled) {
        if (!cancelled && !stopping_.load()) {
            options_.http_more.poll();
            wait_for_http_poll();
        }
    });
}

server::implementation::io_thread& server::implementation::thread_of(
    const boost::asio::io_context& context) {
    for (const auto& each : threads_) {
        if (&each->context == &context) {
            return *each;
        }
    }
    throw std::logic_error("a connection on nobody's thread");
}

void server::implementation::stop() {
    const std::lock_guard life(life_mutex_);
    if (!started_) {
        return;
    }
    stopping_ = true;
    boost::asio::post(threads_.front()->context, [this] {
        for (const auto& each : listeners_) {
            each->socket->stop();
        }
        timer_->cancel();
    });
    {
        const std::lock_guard turn(core_mutex_);
        core_.shut_down(net::real_now());
        wake(*threads_.front());
    }
    if (persistence_) {
        persistence_->wait_until_durable(options_.stop_timeout);
    }
    if (!wait_until_gone(farewell_grace)) {
        cut_off(false);
        if (!wait_until_gone(options_.stop_timeout)) {
            cut_off(true);
        }
    }
    if (password_threads_) {
        password_threads_->stop();
        password_threads_->join();
        password_threads_.reset();
    }
    for (const auto& each : threads_) {
        each->work.reset();
        each->context.stop();
    }
    for (const auto& each : threads_) {
        each->thread.join();
    }
    release();
    if (persistence_) {
        persistence_->wait_until_durable(options_.stop_timeout);
    }
    started_ = false;
    log_(log_level::info, "stopped");
}

bool server::implementation::wait_until_gone(duration limit) {
    std::unique_lock turn(core_mutex_);
    return connection_gone_.wait_for(turn, limit, [this] { return connections_open_ == 0; });
}

/// Ends connections at once: those that have written everything, or all.
void server::implementation::cut_off(bool also_writing) {
    for (const auto& each : threads_) {
        boost::asio::post(each->context, [&thread = *each, also_writing, this] {
            for (connection* at = thread.first; at != nullptr;) {
                connection& candidate = *std::exchange(at, at->next);
                if (also_writing || candidate.stream->backlog() == 0) {
                    candidate.stream->abort();
                    forget(candidate, {});
                }
            }
        });
    }
    if (also_writing) {
        wait_until_gone(options_.stop_timeout + std::chrono::seconds{1});
    }
}

/// Everything that start made, in the opposite order. No thread runs any more.
void server::implementation::release() {
    timer_.reset();
    refusal_timer_.reset();
    http_timer_.reset();
    http_.reset();
    for (const auto& each : threads_) {
        while (each->first != nullptr) {
            each->first->stream->abort();
            forget(*each->first, {});
        }
    }
    listeners_.clear();
    note_bound();
    const std::lock_guard turn(core_mutex_);
    while (core_.poll_output()) {
        // What is said to nobody.
    }
    threads_.clear();
}

std::vector<std::string> server::implementation::reload() {
    const std::lock_guard life(life_mutex_);
    std::vector<std::string> problems = gate_.load(core_mutex_);
    for (const auto& each : listeners_) {
        if (!each->options->url.is_tls()) {
            continue;
        }
        try {
            const net::tls_context renewed(net::tls_role::server, each->options->tls);
            boost::asio::post(threads_.front()->context,
                              [socket = each->socket.get(), renewed] { socket->use_tls(renewed); });
        } catch (const std::runtime_error& error) {
            problems.push_back(to_string(each->options->url) + ": " + error.what());
        }
    }
    for (const std::string& problem : problems) {
        log_(log_level::error, problem + "; what was read before stays in force");
    }
    return problems;
}

std::unique_ptr<net::byte_stream> server::implementation::open_pipe(
    const boost::asio::any_io_executor& executor) {
    const std::lock_guard turn(core_mutex_);
    if (threads_.empty() || stopping_) {
        throw std::logic_error("the server is not started");
    }
    io_thread& thread = pick_thread();
    auto ends = net::make_pipe(executor, thread.context.get_executor());
    boost::asio::post(thread.context, [this, &thread, end = std::move(ends.second)]() mutable {
        adopt(thread, std::move(end), nullptr);
    });
    return std::move(ends.first);
}

// Getters

std::vector<net::url> server::implementation::listening() const {
    const std::lock_guard alone(bound_mutex_);
    return bound_;
}

std::string server::implementation::http_listening() const {
    const std::lock_guard alone(bound_mutex_);
    return http_bound_;
}

std::string server::implementation::address_of(connection_id id) const {
    const connection* const of = id < connections_.size() ? connections_[id] : nullptr;
    return of == nullptr ? std::string() : of->address;
}

// The public face

server::server(server_options options, broker_hooks* hooks)
    : implementation_(std::make_unique<implementation>(std::move(options), hooks)) {}
server::~server() = default;

void server::start() { implementation_->start(); }
void server::stop() { implementation_->stop(); }
std::vector<std::string> server::reload() { return implementation_->reload(); }
const server_options& server::options() const { return implementation_->options(); }
std::vector<net::url> server::listening() const { return implementation_->listening(); }

std::string server::http_listening() const { return implementation_->http_listening(); }

std::uint16_t server::port() const {
    for (const net::url& each : listening()) {
        if (each.scheme != net::scheme::unix_socket) {
            return each.port;
        }
    }
    return 0;
}

std::unique_ptr<net::byte_stream> server::open_pipe(const boost::asio::any_io_executor& executor) {
    return implementation_->open_pipe(executor);
}

std::unique_ptr<environment> server::pipe_environment(boost::asio::io_context& context) {
    return std::make_unique<pipe_network>(*this, context);
}

result<void> server::publish(const fleetarium::publish& message) {
    if (!implementation_->knows_its_sessions()) {
        return error::not_connected;
    }
    return implementation_->with_core(
        [&](broker_core& core, instant now) { return core.publish(message, now); });
}

result<void> server::publish(std::string_view topic, std::string_view payload, enum qos qos,
                             bool retain) {
    fleetarium::publish message;
    message.topic = topic;
    message.payload = as_bytes_view(payload);
    message.qos = qos;
    message.retain = retain;
    return publish(message);
}

result<void> server::disconnect(std::string_view client_id, reason_code code) {
    return implementation_->with_core(
        [&](broker_core& core, instant now) { return core.disconnect(client_id, code, now); });
}

std::vector<client_description> server::clients() const {
    std::vector<client_description> out;
    implementation_->look_at_core([&](const broker_core& core) {
        core.for_each_session([&](const session_info& each) {
            client_description made;
            made.client_id = each.client_id;
            made.connected = each.connection != no_connection;
            if (made.connected) {
                made.user_name = core.describe_client(each.connection).user_name;
                made.address = implementation_->address_of(each.connection);
            }
            made.subscriptions = each.subscriptions;
            made.queued = each.queued;
            made.in_flight = each.in_flight;
            out.push_back(std::move(made));
        });
    });
    return out;
}

broker_metrics server::metrics() const {
    return implementation_->look_at_core([](const broker_core& core) { return core.metrics(); });
}

std::string server::snapshot_json() const {
    return implementation_->look_at_core(
        [](const broker_core& core) { return broker::snapshot_json(core, net::real_now()); });
}

void server::inspect(const std::function<void(const broker_core&)>& look) const {
    implementation_->look_at_core([&](const broker_core& core) { look(core); });
}

server_options listen_on(std::string_view url) {
    const net::url_or_problem parsed = net::parse_url(url);
    if (!parsed.problem.empty()) {
        throw std::invalid_argument(parsed.problem);
    }
    server_options out;
    out.listeners.push_back({.url = parsed.value});
    return out;
}

}  // namespace fleetarium::broker
