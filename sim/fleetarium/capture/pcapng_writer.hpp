#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/clock.hpp>

#include <cstdint>
#include <iosfwd>
#include <string_view>

namespace fleetarium::capture {

/// Writes packets in the format of pcapng (IETF draft-ietf-opsawg-pcapng), which Wireshark and
/// tshark read: one section, one interface of raw IP packets, times in nanoseconds.
/// Errors: those of the stream, to be looked at by whoever owns it.
class pcapng_writer {
public:
    /// `to` must outlive the writer and be open in binary mode.
    explicit pcapng_writer(std::ostream& to);

    /// How Wireshark is to call an IPv4 address, in host byte order.
    void write_name(std::uint32_t address, std::string_view name);

    /// An IP packet; `at` counts from 1970-01-01.
    void write_packet(instant at, bytes_view packet);

private:
    std::ostream& out_;
};

}  // namespace fleetarium::capture
