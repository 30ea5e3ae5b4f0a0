#pragma once

#include <fleetarium/live/paced_run.hpp>
#include <fleetarium/net/listener.hpp>
#include <fleetarium/net/tls_context.hpp>
#include <fleetarium/net/url.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace fleetarium::sim {

/// Opens brokers of a paced world to real clients, on real ports. A client's bytes enter the world
/// as events of the instant at which they come, by a link without latency; in the report real
/// clients are the client "real".
///
/// A client that reads too slowly makes its messages wait in its session, as on a server; one that
/// has `backlog_max` bytes to read all the same is closed, and the log says so.
/// Thread rule: that of the paced_run.
class real_clients {
public:
    /// A line for a person.
    using log_sink = std::function<void(std::string_view)>;

    struct counts {
        std::uint64_t accepted = 0;
        std::uint64_t closed_slow = 0;
        std::size_t open = 0;
    };

    static constexpr std::size_t congested_from = std::size_t{1} << 20;
    static constexpr std::size_t backlog_max = std::size_t{16} << 20;

    /// All must outlive it; the broker's world is that of the run.
    real_clients(paced_run& run, log_sink log);
    ~real_clients();
    real_clients(const real_clients&) = delete;
    real_clients& operator=(const real_clients&) = delete;

    /// Listens for clients of a broker, who are accepted as soon as the run runs. Returns the URL
    /// as bound. Throws std::runtime_error as net::make_listener and net::tls_context do.
    net::url listen(virtual_broker& at, const net::url& on, const net::tls_options& tls);

    /// Accepts no more, lets the brokers say "server shutting down" to everybody, and waits until
    /// that is written, but no longer than `limit`. The world's report is to be had before.
    void stop(duration limit);

    counts counted() const;

private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

}  // namespace fleetarium::sim
