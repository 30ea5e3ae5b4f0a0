#pragma once

#include <fleetarium/live/paced_run.hpp>
#include <fleetarium/net/tls_context.hpp>
#include <fleetarium/net/url.hpp>
#include <fleetarium/sim/remote_broker.hpp>
#include <fleetarium/sim/report.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>

namespace fleetarium::sim {

struct real_target_options {
    net::url to{};
    net::tls_options tls{};  ///< for mqtts and wss
    /// Instead, for each device its own: a certificate. Empty: all have the same.
    std::function<net::tls_options(const link_owner&)> tls_of{};
};

/// A broker on a real network for the devices of a paced world: each of their links is a
/// connection of its own.
///
/// No more than `attempts_max` connections are being made at once, so that a large fleet without
/// a ramp does not overrun the broker's backlog. A connection that has `backlog_max` bytes to
/// write is broken: the broker reads too slowly.
/// Thread rule: that of the paced_run.
class real_target final : public remote_broker::carrier {
public:
    static constexpr std::size_t attempts_max = 64;
    static constexpr std::size_t backlog_max = std::size_t{16} << 20;

    /// Throws std::runtime_error for certificates and keys that cannot be used.
    real_target(boost::asio::io_context& context, const real_target_options& options);
    ~real_target();
    real_target(const real_target&) = delete;
    real_target& operator=(const real_target&) = delete;

    /// Whether anybody is there: connects and closes again. Runs the context meanwhile. Returns
    /// what is wrong as a sentence; empty if nothing is.
    std::string probe(duration limit);

    /// The run in which the devices live; before it runs.
    void serve(paced_run& run);

    /// A sentence, if connections have failed before any device ever heard a word of the broker:
    /// it makes no sense to go on. Empty otherwise.
    const std::string& hopeless() const;

    /// What the links have come to; its name is for the caller to fill in.
    remote_broker_report report() const;

    /// Says DISCONNECT for every device and closes, but waits no longer than `limit`.
    void stop(duration limit);

private:
    void on_open(remote_broker& to, remote_broker::link opened, const link_owner& by) override;
    void on_bytes(remote_broker& to, remote_broker::link from, wire_buffer bytes) override;
    void on_closed(remote_broker& to, remote_broker::link closed, bool broken) override;

    class implementation;
    std::unique_ptr<implementation> implementation_;
};

/// Raises the limit of open files of this process as far as it goes, and returns it.
std::size_t raise_descriptor_limit() noexcept;

/// How many connections this machine can have to one TCP address at once; a guess where the
/// system does not say.
std::size_t local_port_count();

}  // namespace fleetarium::sim
