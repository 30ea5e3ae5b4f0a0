#include <fleetarium/sim/client.hpp>

#include <fleetarium/sim/broker_host.hpp>
#include <fleetarium/sim/client_host.hpp>

#include <algorithm>
#include <utility>

namespace fleetarium::sim {

client::client(std::unique_ptr<detail::client_host> host) : host_(std::move(host)) {}
client::~client() = default;

const std::string& client::id() const { return host_->name(); }

result<void> client::connect(virtual_broker& to) {
    fleetarium::connect request;
    request.client_id = id();
    return connect(to, request);
}

result<void> client::connect(virtual_broker& to, const fleetarium::connect& request) {
    return host_->connect(to.host_->id(), request);
}

result<void> client::reconnect() { return host_->reconnect(); }

result<void> client::disconnect(const fleetarium::disconnect& farewell) {
    return host_->disconnect(farewell);
}

void client::close() { host_->close(); }

void client::cut() { host_->cut(); }

void client::use_network(const network_spec& spec) { host_->use_network(spec); }

result<std::uint64_t> client::publish(const fleetarium::publish& message) {
    return host_->publish(message);
}

result<std::uint64_t> client::publish(std::string_view topic, std::string_view payload,
                                      enum qos qos, bool retain) {
    fleetarium::publish message;
    message.topic = topic;
    message.payload = as_bytes_view(payload);
    message.qos = qos;
    message.retain = retain;
    return host_->publish(message);
}

result<std::uint16_t> client::subscribe(const fleetarium::subscribe& request) {
    return host_->subscribe(request);
}

result<std::uint16_t> client::subscribe(std::string_view filter, enum qos qos) {
    subscription_options options;
    options.qos = qos;
    return subscribe(filter, options);
}

result<std::uint16_t> client::subscribe(std::string_view filter,
                                        const subscription_options& options,
                                        std::optional<std::uint32_t> identifier) {
    const subscription_request one{filter, options};
    fleetarium::subscribe request;
    request.subscription_identifier = identifier;
    request.requests = subscription_requests({&one, 1});
    return host_->subscribe(request);
}

result<std::uint16_t> client::unsubscribe(std::string_view filter) {
    fleetarium::unsubscribe request;
    request.filters = topic_filters({&filter, 1});
    return host_->unsubscribe(request);
}

result<void> client::ping() { return host_->ping(); }

result<void> client::authenticate(const auth& exchange) { return host_->authenticate(exchange); }

bool client::is_connected() const { return host_->session().is_connected(); }

bool client::has_link() const { return host_->has_link(); }

const client_session& client::session() const { return host_->session(); }

const std::vector<received_message>& client::messages() const { return host_->messages; }

std::vector<received_message> client::take_messages() { return std::exchange(host_->messages, {}); }

const std::vector<client_note>& client::notes() const { return host_->notes; }

std::size_t client::count_notes(client_note::kind what) const {
    return static_cast<std::size_t>(
        std::count_if(host_->notes.begin(), host_->notes.end(),
                      [&](const client_note& each) { return each.what == what; }));
}

const client_note* client::last_note(client_note::kind what) const {
    const auto found = std::find_if(host_->notes.rbegin(), host_->notes.rend(),
                                    [&](const client_note& each) { return each.what == what; });
    return found == host_->notes.rend() ? nullptr : &*found;
}

const std::optional<connack>& client::last_connack() const { return host_->last_connack; }

const std::vector<std::uint8_t>& client::received_bytes() const { return host_->received_bytes; }

void client::on_message(std::function<void(const received_message&)> call) {
    host_->on_message = std::move(call);
}

void client::on_note(std::function<void(const client_note&)> call) {
    host_->on_note = std::move(call);
}

void client::keep_history(bool keep) { host_->keeps_history = keep; }

}  // namespace fleetarium::sim
