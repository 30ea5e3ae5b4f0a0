#include <fleetarium/client/client.hpp>

#include <fleetarium/client/client_core.hpp>

#include <utility>

namespace fleetarium {

namespace {

/// Waits for the answer to a subscription on behalf of async_subscribe, whose result its handle is:
/// until then nobody else holds that.
class subscribe_operation final : public detail::operation<std::vector<reason_code>> {
public:
    subscribe_operation(detail::operation_ptr<subscription> waiting, subscription made)
        : waiting_(std::move(waiting)), made_(std::move(made)) {}

    void drop() {
        const subscription gone = std::move(made_);
        mark_done();
    }
    void abandon() noexcept override { drop(); }

private:
    void post(boost::system::error_code why, std::vector<reason_code>) override {
        waiting_->complete(why, why ? subscription() : std::move(made_));
        made_ = subscription();
    }

    detail::operation_ptr<subscription> waiting_;
    subscription made_;
};

}  // namespace

client::client(environment& in, client_config config)
    : core_(detail::client_core::make(in, std::move(config))) {}

client& client::operator=(client&& other) noexcept {
    if (this != &other) {
        if (core_) {
            core_->shut_down();
        }
        core_ = std::move(other.core_);
    }
    return *this;
}

client::~client() {
    if (core_) {
        core_->shut_down();
    }
}

client::executor_type client::get_executor() const { return core_->where().executor(); }
instant client::now() const { return core_->where().now(); }
const client_config& client::config() const { return core_->config(); }
bool client::is_connected() const { return core_->is_connected(); }
const connection_info& client::connection() const { return core_->connection(); }
const client_metrics& client::metrics() const { return core_->metrics(); }
std::size_t client::queued() const { return core_->queued(); }
std::size_t client::in_flight() const { return core_->in_flight(); }

void client::start() { core_->start(); }
void client::retry_now() { core_->retry_now(); }

result<void> client::publish(std::string_view topic, payload_view payload,
                             const publish_options& options) {
    return core_->publish_now(topic, payload.bytes(), options);
}

result<void> client::reply(const received_message& request, payload_view payload,
                           const publish_options& options) {
    return core_->reply(request, payload.bytes(), options);
}

result<subscription> client::subscribe(std::vector<std::string> filters,
                                       subscribe_options options) {
    auto made = core_->subscribe(std::move(filters), std::move(options));
    if (!made) {
        return made.error();
    }
    return subscription(std::move(*made));
}

// Operations

result<message_ptr> client::prepare(std::string_view topic, payload_view payload,
                                    const publish_options& options) const {
    return options.with_publish(
        topic, payload.bytes(), [&](const fleetarium::publish& message) -> result<message_ptr> {
            if (const auto wrong = core_->check(message, options)) {
                return wrong;
            }
            const instant made_at = now();
            const instant expires =
                message.message_expiry_interval
                    ? saturating_add(made_at,
                                     std::chrono::seconds{*message.message_expiry_interval})
                    : never;
            return message::make(message, {{0, made_at}, 0, expires});
        });
}

void client::begin_connect(waiting_ptr<connection_info> waiting, duration limit,
                           const core_ptr& core) {
    if (core->adopt(*waiting, limit)) {
        core->connect(std::move(waiting));
    }
}

void client::begin_run(waiting_ptr<> waiting, duration limit, const core_ptr& core) {
    if (core->adopt(*waiting, limit)) {
        core->run(std::move(waiting));
    }
}

void client::begin_disconnect(waiting_ptr<> waiting, duration limit, const core_ptr& core,
                              const disconnect_options& options) {
    if (core->adopt(*waiting, limit)) {
        core->disconnect(std::move(waiting), options);
    }
}

void client::begin_reauthenticate(waiting_ptr<> waiting, duration limit, const core_ptr& core) {
    if (core->adopt(*waiting, limit)) {
        core->reauthenticate(std::move(waiting));
    }
}

void client::begin_publish(waiting_ptr<reason_code> waiting, duration limit, const core_ptr& core,
                           result<message_ptr> message) {
    if (!core->adopt(*waiting, limit)) {
        return;
    }
    if (!message) {
        waiting->fail(message.error());
        return;
    }
    core->publish(std::move(*message), std::move(waiting));
}

void client::begin_flush(waiting_ptr<> waiting, duration limit, const core_ptr& core) {
    if (core->adopt(*waiting, limit)) {
        core->flush(std::move(waiting));
    }
}

void client::begin_subscribe(waiting_ptr<subscription> waiting, duration limit,
                             const core_ptr& core, std::vector<std::string> filters,
                             subscribe_options options) {
    if (!core->adopt(*waiting, limit)) {
        return;
    }
    auto made = core->subscribe(std::move(filters), std::move(options));
    if (!made) {
        waiting->fail(made.error());
        return;
    }
    const auto answer = std::make_shared<subscribe_operation>(waiting, subscription(*made));
    core->adopt(*answer, duration::max());
    waiting->on_given_up([answer] { answer->drop(); });
    (*made)->wait_answered(answer);
}

void client::begin_request(waiting_ptr<received_message> waiting, duration limit,
                           const core_ptr& core, std::string_view topic, bytes_view payload,
                           const request_options& options) {
    if (core->adopt(*waiting, limit)) {
        core->request(topic, payload, options, std::move(waiting));
    }
}

void client::begin_wait(waiting_ptr<> waiting, duration limit, const core_ptr& core, instant due) {
    if (core->adopt(*waiting, limit)) {
        core->wait_until(std::move(waiting), due);
    }
}

}  // namespace fleetarium
