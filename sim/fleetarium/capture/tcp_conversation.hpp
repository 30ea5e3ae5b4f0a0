#pragma once

#include <fleetarium/capture/pcapng_writer.hpp>

#include <cstdint>
#include <string_view>

namespace fleetarium::capture {

/// An IPv4 address, in host byte order, and a port.
struct tcp_end {
    std::uint32_t address = 0;
    std::uint16_t port = 0;
};

/// What a TCP connection over which a byte stream went would have looked like to one who listens:
/// handshake, segments with their numbers and checksums, end. 24 bytes.
class tcp_conversation {
public:
    tcp_conversation() = default;
    tcp_conversation(tcp_end client, tcp_end server) : ends_{client, server} {}

    void open(pcapng_writer& to, instant at);
    void accept(pcapng_writer& to, instant at);
    /// Bytes have arrived at the other end. The comment goes with the first segment.
    void bytes(pcapng_writer& to, instant at, bool from_client, bytes_view data,
               std::string_view comment = {});
    void close(pcapng_writer& to, instant at, bool from_client, std::string_view comment = {});
    void reset(pcapng_writer& to, instant at, bool from_client);

private:
    void segment(pcapng_writer& to, instant at, bool from_client, std::uint8_t flags,
                 bytes_view data, std::string_view comment = {});

    tcp_end ends_[2];
    std::uint32_t next_[2] = {0, 0};  // sequence numbers, from 0 for each
};

}  // namespace fleetarium::capture
