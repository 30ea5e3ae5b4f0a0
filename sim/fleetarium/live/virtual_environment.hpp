#pragma once

#include <fleetarium/client/environment.hpp>
#include <fleetarium/sim/scenario.hpp>
#include <fleetarium/sim/world.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace fleetarium::sim {

struct virtual_environment_options {
    std::string name = "clients";           ///< under which the report counts their messages
    std::optional<network_spec> network{};  ///< of their links; none: the world's first
};

/// A world as the place where clients of the SDK live: `mqtt://NAME` is its broker of that name,
/// time is its time, and what a real network would do with an io_context's thread, the world does
/// at its instants. The coroutine that serves a product on a real network is tested here, a day of
/// it in milliseconds, and a failure repeats with its seed.
///
///     sim::world world({.seed = 7});
///     world.add_broker({.name = "cloud"});
///     sim::virtual_environment here(world);
///     boost::asio::co_spawn(here.executor(), thermostat(here, "mqtt://cloud"), rethrow);
///     world.run_for(24h);
///
/// Handlers run when the world runs: those that are ready at its start, and after each event that
/// concerns the environment, first in, first out. Two environments in one world may talk to one
/// another by memory. An exception that leaves a handler leaves the world's run_for. What waits in
/// real time (asio's own timers and sockets) has no place here: use `make_timer`.
///
/// There is no TLS and no WebSocket in a world: these URLs fail with `plain_mqtt_only`.
/// Thread rule: the world's; the world may not be moved meanwhile, and must outlive it.
class virtual_environment final : public environment {
public:
    /// Throws std::invalid_argument for a network that is none.
    explicit virtual_environment(world& in, const virtual_environment_options& options = {});
    ~virtual_environment() override;
    virtual_environment(const virtual_environment&) = delete;
    virtual_environment& operator=(const virtual_environment&) = delete;

    boost::asio::any_io_executor executor() override;
    instant now() const override;
    std::unique_ptr<timer> make_timer() override;
    std::unique_ptr<net::connect_attempt> connect(const net::url& to, const net::tls_context& tls,
                                                  net::connect_handler done) override;
    std::uint64_t next_seed() override;

    boost::asio::io_context& context();

    /// Runs the world until `done()`, which is looked at after each event, but not beyond `limit`
    /// from now. Returns whether it was done.
    bool run_until(const std::function<bool()>& done, duration limit);

    /// Breaks every open link of this environment's clients: what is under way is lost, and each
    /// stream ends with connection_reset.
    void cut_links();

private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

/// What connecting in a world can fail with, beside boost::asio::error::host_not_found for a name
/// that no broker has.
enum class virtual_network_error { plain_mqtt_only = 1 };
boost::system::error_code make_error_code(virtual_network_error what);

}  // namespace fleetarium::sim

template <>
struct boost::system::is_error_code_enum<fleetarium::sim::virtual_network_error> : std::true_type {
};
