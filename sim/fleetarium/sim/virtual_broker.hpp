#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/core/result.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace fleetarium::sim {

namespace detail {
class broker_host;
}

/// A broker in a world. Thread rule: the world's.
class virtual_broker {
public:
    explicit virtual_broker(std::unique_ptr<detail::broker_host> host);
    ~virtual_broker();
    virtual_broker(const virtual_broker&) = delete;
    virtual_broker& operator=(const virtual_broker&) = delete;

    const broker_spec& spec() const;
    const std::string& name() const { return spec().name; }

    /// Everything that can be read of the broker itself. With storage it is another one after a
    /// fault that ended its process.
    const broker::broker_core& core() const;
    /// With storage, of all its processes together.
    broker::broker_metrics metrics() const;

    /// See broker_core. While its process is down (with storage) nothing is done, and the error is
    /// not_connected.
    result<void> publish(const fleetarium::publish& message);
    result<void> publish(std::string_view topic, std::string_view payload,
                         enum qos qos = qos::at_most_once, bool retain = false);
    result<void> disconnect(std::string_view client_id, reason_code code);
    void shut_down();

    /// Called for each decision of the broker, from inside the world's run.
    void on_event(std::function<void(const broker::broker_event&)> call);

private:
    friend class world;
    friend class client;
    friend class raw_peer;
    friend class stream_peer;
    std::unique_ptr<detail::broker_host> host_;
};

}  // namespace fleetarium::sim
