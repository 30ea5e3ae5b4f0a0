#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/codec/violation.hpp>
#include <fleetarium/sim/link_tap.hpp>
#include <fleetarium/sim/world.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::capture {

/// A packet at the moment at which its last byte arrives. What it refers to is valid during the
/// call.
struct seen_packet {
    const sim::tapped_link& link;
    instant at;
    bool up;             ///< from the client
    const packet* what;  ///< null: no valid packet, for `broken`
    violation broken;
    const message_identity* identity;  ///< of a PUBLISH whose maker gave it one; else null
};

/// Puts what arrives on a world's links together into packets. One tap per world at a time; the
/// world must outlive it.
class packet_tap : public sim::link_tap {
public:
    explicit packet_tap(sim::world& of);
    ~packet_tap() override;
    packet_tap(const packet_tap&) = delete;
    packet_tap& operator=(const packet_tap&) = delete;

protected:
    sim::world& world() { return world_; }
    /// As reports call it. Constant time after the first call for a host.
    const std::string& name_of(std::uint32_t host);

    /// Whether to listen to a link; asked when it opens.
    virtual bool wants(const sim::tapped_link& which) = 0;
    virtual void on_packet(const seen_packet& packet) = 0;
    /// "asks for a link", "closes the link", "the link is broken".
    virtual void on_change(const sim::tapped_link& which, instant at, bool up,
                           std::string_view what) = 0;

private:
    struct half {
        std::vector<std::uint8_t> bytes;  // of a packet that is not whole yet
        std::deque<message_identity> messages;
        bool broken = false;  // not MQTT: nothing more is read of it
    };
    struct conversation {
        half up;
        half down;
        protocol_version version = protocol_version::v5;
    };

    void on_open(const sim::tapped_link& which, instant at) final;
    void on_accept(const sim::tapped_link& which, instant at) final;
    void on_messages(const sim::tapped_link& which, bool up,
                     std::span<const message_identity> messages) final;
    void on_bytes(const sim::tapped_link& which, instant at, bool up, bytes_view bytes) final;
    void on_end(const sim::tapped_link& which, instant at, bool up, bool broken) final;

    sim::world& world_;
    std::map<sim::tapped_link, conversation> links_;
    std::map<std::uint32_t, std::string> names_;
};

}  // namespace fleetarium::capture
