// Uses the installed headers and libraries of each component.

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/session/client_session.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <variant>

int main() {
    using namespace fleetarium;
    const client_options options;
    client_session session(options);
    if (!session.connect({.client_id = "package"}, instant{})) {
        return 1;
    }
    broker::broker_core core({});
    const auto connection = core.handle_open(instant{});
    session.poll_transmit().for_each_part(
        [&](bytes_view part) { core.handle_bytes(connection, part, instant{}); });
    if (core.connected_count() != 1) {
        return 2;
    }
    const auto read = sim::parse_scenario(
        R"({"name": "one", "duration": "1h", "fleets": [{"name": "sensors"}]})", "one.json");
    return std::holds_alternative<sim::scenario>(read) ? 0 : 3;
}
