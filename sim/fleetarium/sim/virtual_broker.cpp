#include <fleetarium/sim/virtual_broker.hpp>

#include <fleetarium/sim/broker_host.hpp>

#include <utility>

namespace fleetarium::sim {

virtual_broker::virtual_broker(std::unique_ptr<detail::broker_host> host)
    : host_(std::move(host)) {}
virtual_broker::~virtual_broker() = default;

const broker_spec& virtual_broker::spec() const { return host_->spec(); }

const broker::broker_core& virtual_broker::core() const { return std::as_const(*host_).core(); }

broker::broker_metrics virtual_broker::metrics() const { return host_->metrics(); }

result<void> virtual_broker::publish(const fleetarium::publish& message) {
    if (host_->has_ended()) {
        return error::not_connected;
    }
    const auto done = host_->core().publish(message, host_->now());
    host_->flush();
    return done;
}

result<void> virtual_broker::publish(std::string_view topic, std::string_view payload, enum qos qos,
                                     bool retain) {
    fleetarium::publish message;
    message.topic = topic;
    message.payload = as_bytes_view(payload);
    message.qos = qos;
    message.retain = retain;
    return publish(message);
}

result<void> virtual_broker::disconnect(std::string_view client_id, reason_code code) {
    if (host_->has_ended()) {
        return error::not_connected;
    }
    const auto done = host_->core().disconnect(client_id, code, host_->now());
    host_->flush();
    return done;
}

void virtual_broker::shut_down() {
    if (host_->has_ended()) {
        return;
    }
    host_->core().shut_down(host_->now());
    host_->flush();
}

void virtual_broker::on_event(std::function<void(const broker::broker_event&)> call) {
    host_->on_decision = std::move(call);
}

}  // namespace fleetarium::sim
