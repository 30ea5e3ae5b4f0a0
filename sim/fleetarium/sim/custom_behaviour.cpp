// Devices whose behaviour is code of the user's own.

#include <fleetarium/sim/fleet_state.hpp>

#include <algorithm>
#include <string>

namespace fleetarium::sim::detail {

/// The device as user code sees it.
class fleet_state::behaving final : public behaving_device {
public:
    behaving(fleet_state& fleet, const context& at) : fleet_(fleet), at_(at) {}

    std::uint32_t index() const override { return at_.index; }
    std::string_view client_id() const override {
        return fleet_.client_id(at_.index, fleet_.machine_->value_text);
    }
    instant now() const override { return fleet_.shown_now(at_.self); }
    bool is_connected() const override { return at_.self.session.is_connected(); }
    std::size_t unacknowledged() const override {
        return at_.self.session.in_flight() + at_.self.session.queued();
    }
    std::span<std::byte> memory() override { return fleet_.custom_memory(at_.self); }

    std::uint64_t random_bits() override {
        random_stream draws = fleet_.behaviour_draws(at_);
        const std::uint64_t bits = draws.next_u64();
        fleet_.place(at_.self).draws = draws.draws_made();
        return bits;
    }

    void publish(std::string_view topic, std::string_view payload, enum qos qos,
                 bool retain) override {
        if (!fleet_.world_.publishes) {
            return;
        }
        fleetarium::publish message;
        message.topic = topic;
        message.payload = as_bytes_view(payload);
        message.qos = qos;
        message.retain = retain;
        ++fleet_.place(at_.self).messages;
        fleet_.send_message(at_, fleet_.machine_->custom_source, message);
    }

    void subscribe(std::string_view filter, enum qos qos) override {
        if (!is_connected()) {
            return;
        }
        const std::vector<subscription_request> requests{{filter, {.qos = qos}}};
        fleetarium::subscribe request;
        request.requests = subscription_requests(requests);
        if (at_.self.session.subscribe(request, fleet_.own_now(at_.self)).has_error()) {
            ++fleet_.counts_.subscriptions_refused;
        }
    }

    void unsubscribe(std::string_view filter) override {
        if (!is_connected()) {
            return;
        }
        const std::vector<std::string_view> filters{filter};
        fleetarium::unsubscribe request;
        request.filters = topic_filters(filters);
        static_cast<void>(at_.self.session.unsubscribe(request, fleet_.own_now(at_.self)));
    }

    void connect() override { fleet_.use_link(at_, behaviour_link::online, 0); }
    void disconnect() override { fleet_.use_link(at_, behaviour_link::goodbye, 0); }
    void vanish() override { fleet_.use_link(at_, behaviour_link::cut, 0); }

    void after(duration delay, std::uint32_t which) override {
        constexpr duration delay_min = std::chrono::milliseconds{1};
        instant& timer = fleet_.timers(at_.self)[check(which)];
        timer = saturating_add(fleet_.own_now(at_.self), std::max(delay, delay_min));
        fleet_.arm(at_, timer);
    }
    void cancel(std::uint32_t which) override { fleet_.timers(at_.self)[check(which)] = never; }

private:
    std::uint32_t check(std::uint32_t which) const {
        if (which >= fleet_.timers(at_.self).size()) {
            throw std::out_of_range("behaviour \"" + fleet_.spec_.behaviour->custom->behaviour +
                                    "\" has no timer " + std::to_string(which) +
                                    ": see timer_count()");
        }
        return which;
    }

    fleet_state& fleet_;
    const context& at_;
};

void fleet_state::begin_custom(const context& at) {
    behaviour_place& self = place(at.self);
    self.until = never;
    self.state = 0;
    behaving device(*this, at);
    machine_->custom->begin(device);
}

void fleet_state::run_custom_timers(const context& at) {
    if (place(at.self).until <= own_now(at.self)) {
        begin_custom(at);
    }
    const auto all = timers(at.self);
    for (std::uint32_t i = 0; i < all.size(); ++i) {
        if (all[i] <= own_now(at.self)) {
            all[i] = never;
            behaving device(*this, at);
            machine_->custom->timer(device, i);
        }
    }
}

void fleet_state::tell_custom(const context& at, const fleetarium::publish& message) {
    if (place(at.self).state == behaviour_place::not_begun) {
        return;
    }
    // What the callback sends may end the life of the message's own views.
    machine_->topic_text = message.topic;
    machine_->payload_text = as_text(message.payload);
    behaving device(*this, at);
    machine_->custom->message(
        device, {machine_->topic_text, machine_->payload_text, message.qos, message.retain});
}

void fleet_state::tell_custom(const context& at, behaviour_occasion what, bool session_present) {
    behaving device(*this, at);
    switch (what) {
        case behaviour_occasion::connected:
            machine_->custom->connected(device, session_present);
            break;
        case behaviour_occasion::refused:
        case behaviour_occasion::disconnected: machine_->custom->disconnected(device); break;
        case behaviour_occasion::delivered: machine_->custom->delivered(device); break;
    }
}

}  // namespace fleetarium::sim::detail
