#pragma once

#include <fleetarium/capture/tcp_conversation.hpp>
#include <fleetarium/sim/link_tap.hpp>
#include <fleetarium/sim/world.hpp>

#include <iosfwd>
#include <map>

namespace fleetarium::capture {

/// Writes what arrives on a world's links as a pcapng file for Wireshark: each link is a TCP
/// connection from an address of the client's to port 1883 of one of the broker's, and addresses
/// have the names of devices and brokers. Virtual time begins at 2000-01-01, as {time:iso} has it.
///
///     std::ofstream file("run.pcapng", std::ios::binary);
///     capture::link_capture traffic(world, file);
///     world.run_for(1h);
///
/// The world and the stream must outlive it; one per world at a time.
class link_capture final : public sim::link_tap {
public:
    link_capture(sim::world& of, std::ostream& to);
    ~link_capture() override;
    link_capture(const link_capture&) = delete;
    link_capture& operator=(const link_capture&) = delete;

private:
    void on_open(const sim::tapped_link& which, instant at) override;
    void on_accept(const sim::tapped_link& which, instant at) override;
    void on_bytes(const sim::tapped_link& which, instant at, bool up, bytes_view bytes) override;
    void on_end(const sim::tapped_link& which, instant at, bool up, bool broken) override;

    tcp_conversation& conversation(const sim::tapped_link& which);
    void name(std::uint32_t host);

    sim::world& world_;
    pcapng_writer writer_;
    std::map<sim::tapped_link, tcp_conversation> links_;
    std::map<std::uint32_t, bool> named_;
};

}  // namespace fleetarium::capture
