// The probe in real time: a client of the SDK on a thread of its own.

#include <fleetarium/client/client.hpp>
#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/server/server.hpp>
#include <fleetarium/testing/message_probe.hpp>
#include <fleetarium/testing/probe_backend.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <fmt/format.h>

#include <functional>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

namespace fleetarium::testing {

namespace {

using make_environment =
    std::function<std::unique_ptr<environment>(boost::asio::io_context& context)>;

class network_backend final : public probe_backend {
public:
    network_backend(const make_environment& make, client_config config,
                    const probe_options& options, detail::message_log& log)
        : log_(log),
          began_(net::real_now()),
          work_(context_.get_executor()),
          environment_(make(context_)) {
        config.id(options.client_id).tls(options.tls);
        if (!options.password.empty()) {
            config.user(options.user_name, options.password);
        } else if (!options.user_name.empty()) {
            config.user(options.user_name);
        }
        config.on_connected([this](const connection_info&) { tell(""); });
        config.on_disconnected([this](const disconnection_info& how) { tell(describe(how)); });
        client_ = std::make_unique<client>(*environment_, std::move(config));
        subscription_ = client_->subscribe(options.filters, subscribe_options(options.qos)).value();
        subscription_.async_answer(
            [this](boost::system::error_code why, const std::vector<reason_code>& codes) {
                take_answer(why, codes);
            });
        receive();
        client_->start();
        thread_ = std::thread([this] { context_.run(); });
    }

    ~network_backend() override {
        std::promise<void> gone;
        boost::asio::post(context_, [&] {
            // A broker that does not answer is not waited for.
            client_->async_disconnect(client_->within(
                std::chrono::seconds{1}, [&](boost::system::error_code) { gone.set_value(); }));
        });
        gone.get_future().wait();
        context_.stop();
        thread_.join();
        subscription_ = {};
        client_.reset();
    }
    network_backend(const network_backend&) = delete;
    network_backend& operator=(const network_backend&) = delete;

    instant now() const override { return net::real_now(); }

    void pass_time(std::uint64_t seen, instant until) override {
        log_.wait_while(seen, until - now());
    }

    bool is_subscribed() const override {
        const std::lock_guard lock(mutex_);
        return subscribed_;
    }

    bool is_refused() const override {
        const std::lock_guard lock(mutex_);
        return !refusal_.empty();
    }

    std::string trouble() const override {
        const std::lock_guard lock(mutex_);
        return trouble_ + refusal_;
    }

private:
    static std::string describe(const disconnection_info& how) {
        return fmt::format(
            "{} {}: {}{}{}. ",
            how.was_connected ? "it lost its connection to" : "it could not connect to",
            to_string(how.server), how.why.message(), how.reason.empty() ? "" : ", ", how.reason);
    }

    void tell(std::string trouble) {
        {
            const std::lock_guard lock(mutex_);
            trouble_ = std::move(trouble);
        }
        log_.wake();
    }

    void take_answer(boost::system::error_code why, const std::vector<reason_code>& codes) {
        std::string refusal = why ? "SUBSCRIBE failed: " + why.message() + ". " : std::string();
        for (const reason_code code : codes) {
            if (code >= reason_code::unspecified_error) {
                refusal += fmt::format("the broker refused a subscription: {}. ", name_of(code));
            }
        }
        {
            const std::lock_guard lock(mutex_);
            subscribed_ = refusal.empty();
            refusal_ = std::move(refusal);
        }
        log_.wake();
    }

    void receive() {
        subscription_.async_receive([this](boost::system::error_code why, received_message first) {
            if (why) {
                return;  // the client has stopped, which on_disconnected tells of
            }
            add(first);
            while (const auto next = subscription_.try_receive()) {
                add(*next);
            }
            receive();
        });
    }

    void add(const received_message& arrived) {
        probed_message seen;
        seen.topic = arrived.topic();
        seen.payload = arrived.text();
        seen.qos = arrived.qos();
        seen.retain = arrived.retain();
        seen.content_type = arrived.content_type();
        seen.response_topic = arrived.response_topic();
        if (const auto data = arrived.correlation_data()) {
            seen.correlation_data = as_text(*data);
        }
        seen.user_properties = arrived.user_properties();
        seen.arrived_after = arrived.received_at() - began_;
        log_.add(std::move(seen));
    }

    detail::message_log& log_;
    const instant began_;
    boost::asio::io_context context_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::unique_ptr<environment> environment_;
    std::unique_ptr<client> client_;  // of the thread, once that runs
    subscription subscription_;       // of the thread
    mutable std::mutex mutex_;
    bool subscribed_ = false;
    std::string trouble_;
    std::string refusal_;
    std::thread thread_;
};

}  // namespace

message_probe::message_probe(broker::server& server, const probe_options& options)
    : implementation_(std::make_unique<implementation>(options)) {
    const auto pipes = [&](boost::asio::io_context& context) {
        return server.pipe_environment(context);
    };
    // Pipes do not look at the URL.
    implementation_->begin(std::make_unique<network_backend>(pipes, client_config("mqtt://pipe"),
                                                             options, implementation_->log()));
}

message_probe::message_probe(std::string_view url, const probe_options& options)
    : implementation_(std::make_unique<implementation>(options)) {
    const auto network = [](boost::asio::io_context& context) -> std::unique_ptr<environment> {
        return std::make_unique<real_environment>(context);
    };
    implementation_->begin(std::make_unique<network_backend>(network, client_config(url), options,
                                                             implementation_->log()));
}

}  // namespace fleetarium::testing
