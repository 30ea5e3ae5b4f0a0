#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/clock.hpp>

#include <cstdint>
#include <iosfwd>
#include <string_view>
#include <vector>

namespace fleetarium::capture {

/// Writes packets in the format of pcapng (IETF draft-ietf-opsawg-pcapng), which Wireshark and
/// tshark read: one section, one interface of raw IP packets, times in nanoseconds.
/// Errors: those of the stream, to be looked at by whoever owns it.
class pcapng_writer {
public:
    /// `to` must outlive the writer and be open in binary mode. The comment is that of the file.
    explicit pcapng_writer(std::ostream& to, std::string_view comment = {});

    /// How Wireshark is to call an IPv4 address, in host byte order. It takes names apart at
    /// spaces, so "sensors[17]" becomes "sensors-17".
    void write_name(std::uint32_t address, std::string_view name);

    /// An IP packet, its headers first; `at` counts from 1970-01-01. Wireshark shows the comment
    /// with the packet.
    void write_packet(instant at, bytes_view headers, bytes_view data,
                      std::string_view comment = {});

private:
    void write_block();
    void write_whole_block();

    std::ostream& out_;
    std::vector<std::uint8_t> block_;  // the one under way
};

}  // namespace fleetarium::capture
