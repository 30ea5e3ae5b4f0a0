#include <fleetarium/live/virtual_environment.hpp>

#include <fleetarium/live/virtual_link.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <cstdint>
#include <map>
#include <stdexcept>
#include <utility>

namespace fleetarium::sim {

namespace {

/// All timers of an environment, on one alarm clock of the world.
class timer_queue final : private stream_peer::events {
public:
    timer_queue(stream_peer& alarm, world& in, boost::asio::io_context& context)
        : alarm_(alarm), in_(in), context_(context) {
        alarm_.tell(this);
    }
    ~timer_queue() { alarm_.tell(nullptr); }
    timer_queue(const timer_queue&) = delete;
    timer_queue& operator=(const timer_queue&) = delete;

    /// A deadline, shared with the handler that is on its way when it has come.
    struct entry {
        std::pair<instant, std::uint64_t> key{never, 0};  ///< second: in the order of `start`
        std::function<void()> fired{};                    ///< empty: not set
    };

    void start(const std::shared_ptr<entry>& of, instant due, std::function<void()> fired) {
        cancel(*of);
        of->key = {due, ++started_};
        of->fired = std::move(fired);
        waiting_.emplace(of->key, of);
        alarm_.wake_at(due);
    }

    void cancel(entry& of) noexcept {
        waiting_.erase(of.key);
        of.fired = nullptr;
    }

    /// Forgets all timers; what they own may be looking for us.
    void clear() noexcept {
        const auto forgotten = std::exchange(waiting_, {});
        for (const auto& [key, each] : forgotten) {
            each->fired = nullptr;
        }
    }

private:
    void on_opened() override {}
    void on_bytes(wire_buffer) override {}
    void on_closed() override {}

    void on_wake() override {
        while (!waiting_.empty() && waiting_.begin()->first.first <= in_.now()) {
            const auto due = waiting_.begin()->second;
            waiting_.erase(waiting_.begin());
            boost::asio::post(context_, [due, key = due->key] {
                // Meanwhile it may have been cancelled, or started anew.
                if (due->fired && due->key == key) {
                    std::exchange(due->fired, nullptr)();
                }
            });
        }
        if (!waiting_.empty()) {
            alarm_.wake_at(waiting_.begin()->first.first);
        }
    }

    stream_peer& alarm_;
    world& in_;
    boost::asio::io_context& context_;
    std::map<std::pair<instant, std::uint64_t>, std::shared_ptr<entry>> waiting_;
    std::uint64_t started_ = 0;
};

class virtual_timer final : public environment::timer {
public:
    explicit virtual_timer(timer_queue& queue) : queue_(queue) {}
    ~virtual_timer() override { queue_.cancel(*entry_); }

    void start(instant due, std::function<void()> fired) override {
        queue_.start(entry_, due, std::move(fired));
    }
    void cancel() noexcept override { queue_.cancel(*entry_); }

private:
    timer_queue& queue_;
    std::shared_ptr<timer_queue::entry> entry_ = std::make_shared<timer_queue::entry>();
};

/// Connecting to a link's other end; or, without a link, on its way to say why not.
class virtual_attempt final : public net::connect_attempt {
public:
    explicit virtual_attempt(std::shared_ptr<detail::virtual_link> link) : link_(std::move(link)) {}
    explicit virtual_attempt(std::shared_ptr<net::connect_handler> failing)
        : failing_(std::move(failing)) {}
    ~virtual_attempt() override { virtual_attempt::cancel(); }

    void cancel() noexcept override {
        if (link_ != nullptr) {
            link_->give_up_connecting();
        } else {
            *failing_ = nullptr;
        }
    }

private:
    std::shared_ptr<detail::virtual_link> link_;
    std::shared_ptr<net::connect_handler> failing_;
};

class virtual_network_category final : public boost::system::error_category {
public:
    const char* name() const noexcept override { return "fleetarium.virtual_network"; }
    std::string message(int) const override {
        return "a broker in a world speaks plain MQTT only: use mqtt://NAME, without TLS and "
               "WebSocket";
    }
};

}  // namespace

boost::system::error_code make_error_code(virtual_network_error what) {
    static const virtual_network_category category;
    return {static_cast<int>(what), category};
}

class virtual_environment::implementation final : private guest {
public:
    implementation(world& in, const virtual_environment_options& options)
        : world_(in),
          links_{in, context_, options.name, options.network},
          alarm_(in.add_stream_peer(options.name)),
          timers_(alarm_, in, context_) {
        if (options.network) {
            alarm_.use_network(*options.network);  // one that is none is refused here and now
        }
        world_.invite(*this);
    }
    ~implementation() {
        world_.dismiss(*this);
        timers_.clear();
    }

    world& in() { return world_; }
    boost::asio::io_context& context() { return context_; }
    timer_queue& timers() { return timers_; }
    std::uint64_t draw() { return alarm_.draw(); }

    std::unique_ptr<net::connect_attempt> connect(const net::url& to, net::connect_handler done);
    void cut_links();

private:
    bool act() override;
    std::unique_ptr<net::connect_attempt> fail(boost::system::error_code why,
                                               net::connect_handler done);

    world& world_;
    detail::link_pool links_;
    stream_peer& alarm_;
    timer_queue timers_;
    bool acting_ = false;
    // Destroyed first: handlers that wait own streams and timers, which look for the rest.
    boost::asio::io_context context_{1};
};

bool virtual_environment::implementation::act() {
    if (acting_) {
        throw std::logic_error(
            "a world was run from inside a handler that it runs itself: wait for a timer instead");
    }
    struct mark {
        explicit mark(bool& of) : flag(of) { flag = true; }
        ~mark() { flag = false; }
        bool& flag;
    } acting(acting_);
    context_.restart();
    return context_.poll() != 0;
}

std::unique_ptr<net::connect_attempt> virtual_environment::implementation::connect(
    const net::url& to, net::connect_handler done) {
    if (to.scheme != net::scheme::mqtt) {
        return fail(virtual_network_error::plain_mqtt_only, std::move(done));
    }
    virtual_broker* const broker = world_.find_broker(to.host);
    if (broker == nullptr) {
        return fail(boost::asio::error::host_not_found, std::move(done));
    }
    auto link = std::make_shared<detail::virtual_link>(links_);
    link->connect(*broker, std::move(done));
    return std::make_unique<virtual_attempt>(std::move(link));
}

std::unique_ptr<net::connect_attempt> virtual_environment::implementation::fail(
    boost::system::error_code why, net::connect_handler done) {
    auto failing = std::make_shared<net::connect_handler>(std::move(done));
    boost::asio::post(context_, [failing, why] {
        if (const auto told = std::exchange(*failing, nullptr)) {
            told(why, nullptr);
        }
    });
    return std::make_unique<virtual_attempt>(std::move(failing));
}

void virtual_environment::implementation::cut_links() {
    const auto open = links_.open;  // cutting takes each out
    for (detail::virtual_link* const each : open) {
        each->cut();
    }
}

virtual_environment::virtual_environment(world& in, const virtual_environment_options& options)
    : implementation_(std::make_unique<implementation>(in, options)) {}
virtual_environment::~virtual_environment() = default;

boost::asio::any_io_executor virtual_environment::executor() {
    return implementation_->context().get_executor();
}

instant virtual_environment::now() const { return implementation_->in().now(); }

std::unique_ptr<environment::timer> virtual_environment::make_timer() {
    return std::make_unique<virtual_timer>(implementation_->timers());
}

std::unique_ptr<net::connect_attempt> virtual_environment::connect(const net::url& to,
                                                                   const net::tls_context&,
                                                                   net::connect_handler done) {
    return implementation_->connect(to, std::move(done));
}

std::uint64_t virtual_environment::next_seed() { return implementation_->draw(); }

boost::asio::io_context& virtual_environment::context() { return implementation_->context(); }

bool virtual_environment::run_until(const std::function<bool()>& done, duration limit) {
    world& in = implementation_->in();
    const instant end = saturating_add(in.now(), limit);
    in.run_until(in.now());  // what is ready now
    while (!done()) {
        if (in.next_event() > end) {
            in.run_until(end);
            return done();
        }
        in.step();
    }
    return true;
}

void virtual_environment::cut_links() { implementation_->cut_links(); }

}  // namespace fleetarium::sim
