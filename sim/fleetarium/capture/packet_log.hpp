#pragma once

#include <fleetarium/capture/packet_tap.hpp>
#include <fleetarium/sim/ledger_report.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace fleetarium::capture {

/// A packet, or a change of a link, in words.
struct logged_packet {
    instant at{};
    std::string from{};
    std::string to{};
    std::string what{};
};

/// "12m3s40ms  meters[3] -> broker: PUBLISH id 17, QoS 1, DUP, "meters/3/kwh", 23 bytes".
std::string to_string(const logged_packet& one);

struct packet_log_options {
    std::set<std::string> clients{};  ///< whose links; empty: all
    /// Only PUBLISH packets of this topic and what answers them, besides packets that are about no
    /// message; empty: all.
    std::string topic{};
    std::size_t size_max = 12;  ///< the last so many are kept
};

/// Keeps the last packets on the links of some clients. As packet_tap.
class packet_log final : public packet_tap {
public:
    packet_log(sim::world& of, packet_log_options options);

    const std::deque<logged_packet>& packets() const { return packets_; }
    std::uint64_t count() const { return count_; }

private:
    bool wants(const sim::tapped_link& which) override;
    void on_packet(const seen_packet& packet) override;
    void on_change(const sim::tapped_link& which, instant at, bool up,
                   std::string_view what) override;
    bool is_about_topic(const seen_packet& packet);
    void keep(const sim::tapped_link& which, instant at, bool up, std::string what);

    packet_log_options options_;
    std::deque<logged_packet> packets_;
    std::uint64_t count_ = 0;
    /// Packet ids whose exchange is of the topic: by link and the direction of the PUBLISH.
    std::set<std::tuple<sim::tapped_link, bool, std::uint16_t>> exchanges_;
};

/// Runs the scenario again up to a violation of its ledger and shortly beyond, and tells which
/// packets the clients concerned exchanged around it: about twelve, those up to it first. Empty
/// where nobody is concerned.
std::vector<logged_packet> packets_around(const sim::scenario& what,
                                          const sim::ledger_violation& violation);

}  // namespace fleetarium::capture
