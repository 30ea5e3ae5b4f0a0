#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim {

class virtual_broker;

namespace detail {
class raw_peer_host;
}

/// A peer that has no session and knows no rule: it sends exactly the bytes it is told to and
/// keeps what comes back. For tests of what a broker does with peers that misbehave.
///
///     auto& peer = w.add_raw_peer("peer");
///     peer.connect(b);
///     peer.send_hex("10 0E 00 04 4D 51 54 54 04 02 00 00 00 02 68 69");
///     w.settle();
///     CHECK(peer.received_hex() == "20 02 00 00");
///
/// Thread rule: the world's.
class raw_peer {
public:
    explicit raw_peer(std::unique_ptr<detail::raw_peer_host> host);
    ~raw_peer();
    raw_peer(const raw_peer&) = delete;
    raw_peer& operator=(const raw_peer&) = delete;

    /// Opens a link; one that was open is closed first. What was received is forgotten.
    void connect(virtual_broker& to);

    /// Sends bytes in one piece, once the link is open. Without a link they are lost.
    void send(bytes_view bytes);

    /// Bytes as hexadecimal digits; blanks between them do not matter. Throws
    /// std::invalid_argument for anything else.
    void send_hex(std::string_view digits);

    /// Closes the link in order.
    void close();

    /// Breaks the link.
    void cut();

    /// The network of links opened from now on.
    void use_network(const network_spec& spec);

    /// Whether the link is open now.
    bool open() const;
    /// Whether a link was open and the broker closed it.
    bool closed() const;

    const std::vector<std::uint8_t>& received() const;
    /// "20 02 00 00": upper case, a blank between bytes.
    std::string received_hex() const;
    /// What was received, which is then forgotten.
    std::vector<std::uint8_t> take_received();
    std::string take_received_hex();

private:
    friend class world;
    std::unique_ptr<detail::raw_peer_host> host_;
};

}  // namespace fleetarium::sim
