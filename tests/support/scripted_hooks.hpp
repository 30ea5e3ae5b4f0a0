#pragma once

#include <fleetarium/broker/hooks.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace fleetarium::test {

/// A broker event that outlives its call.
struct recorded_event {
    broker::broker_event::kind what{};
    instant at{};
    broker::connection_id connection = broker::no_connection;
    broker::session_index session = broker::no_session;
    std::string client_id{};
    std::string topic{};
    std::uint32_t count = 0;
    enum qos qos = qos::at_most_once;
    reason_code code = reason_code::success;
    violation broken = violation::none;
    broker::drop_reason why = broker::drop_reason::none;
    bool flag = false;
};

/// Hooks whose answers a test gives as functions, and that keep every event.
struct scripted_hooks : broker::broker_hooks {
    using kind = broker::broker_event::kind;

    std::function<reason_code(const broker::client_info&, const connect&)> on_authenticate;
    std::function<broker::authentication_step(const broker::client_info&, std::string_view method,
                                              std::string_view data)>
        on_authenticate_enhanced;
    std::function<bool(const broker::client_info&, const publish&)> on_authorize_publish;
    std::function<bool(const broker::client_info&, std::string_view filter)> on_authorize_subscribe;
    std::vector<recorded_event> events;

    /// The events of one kind, in order.
    std::vector<recorded_event> all(kind wanted) const {
        std::vector<recorded_event> out;
        std::copy_if(events.begin(), events.end(), std::back_inserter(out),
                     [&](const recorded_event& each) { return each.what == wanted; });
        return out;
    }

    reason_code authenticate(const broker::client_info& client, const connect& request) override {
        return on_authenticate ? on_authenticate(client, request)
                               : broker_hooks::authenticate(client, request);
    }
    broker::authentication_step authenticate_enhanced(const broker::client_info& client,
                                                      std::string_view method,
                                                      bytes_view data) override {
        return on_authenticate_enhanced ? on_authenticate_enhanced(client, method, as_text(data))
                                        : broker_hooks::authenticate_enhanced(client, method, data);
    }
    bool authorize_publish(const broker::client_info& client, const publish& message) override {
        return !on_authorize_publish || on_authorize_publish(client, message);
    }
    bool authorize_subscribe(const broker::client_info& client, std::string_view filter,
                             const subscription_options&) override {
        return !on_authorize_subscribe || on_authorize_subscribe(client, filter);
    }
    bool wants_events() const override { return true; }
    void on_event(const broker::broker_event& event) override {
        events.push_back({event.what, event.at, event.connection, event.session,
                          std::string(event.client_id), std::string(event.topic), event.count,
                          event.qos, event.code, event.broken, event.why, event.flag});
    }
};

}  // namespace fleetarium::test
