#include <fleetarium/capture/tcp_conversation.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace fleetarium::capture {

namespace {

constexpr std::uint8_t fin = 0x01;
constexpr std::uint8_t syn = 0x02;
constexpr std::uint8_t rst = 0x04;
constexpr std::uint8_t push = 0x08;
constexpr std::uint8_t ack = 0x10;

constexpr std::size_t header_size = 20;    // of IP and of TCP each
constexpr std::size_t segment_max = 1448;  // bytes, as on Ethernet
constexpr std::uint8_t protocol_tcp = 6;
constexpr std::uint32_t window = 0xFFFF;

using header_bytes = std::array<std::uint8_t, 2 * header_size>;

void set_16(std::uint8_t* at, std::uint32_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}

void set_32(std::uint8_t* at, std::uint32_t value) {
    set_16(at, value >> 16);
    set_16(at + 2, value & 0xFFFF);
}

/// The sum of both words of 16 bits.
std::uint64_t words(std::uint32_t value) { return (value >> 16) + (value & 0xFFFF); }

std::uint32_t folded(std::uint64_t sum) {
    while (sum > 0xFFFF) {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return static_cast<std::uint32_t>(sum);
}

/// The sum that RFC 1071 takes the complement of: it may be taken over words of the machine's own
/// order and of any length, and turned round at the end.
std::uint32_t sum_of(bytes_view bytes) {
    std::uint64_t sum = 0;
    const std::uint8_t* at = bytes.data();
    std::size_t left = bytes.size();
    for (; left >= 4; left -= 4, at += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, at, sizeof word);
        sum += word;
    }
    std::uint32_t last = 0;
    if (left != 0) {
        std::memcpy(&last, at, left);
    }
    const std::uint32_t made = folded(sum + last);
    return std::endian::native == std::endian::little ? (made >> 8 | (made & 0xFF) << 8) : made;
}

}  // namespace

void tcp_conversation::open(pcapng_writer& to, instant at) {
    segment(to, at, true, syn, {});
    ++next_[0];
}

void tcp_conversation::accept(pcapng_writer& to, instant at) {
    segment(to, at, false, syn | ack, {});
    ++next_[1];
    segment(to, at, true, ack, {});
}

void tcp_conversation::bytes(pcapng_writer& to, instant at, bool from_client, bytes_view data,
                             std::string_view comment) {
    while (!data.empty()) {
        const bytes_view part = data.first(std::min(segment_max, data.size()));
        segment(to, at, from_client, push | ack, part, comment);
        next_[from_client ? 0 : 1] += static_cast<std::uint32_t>(part.size());
        data = data.subspan(part.size());
        comment = {};
    }
}

void tcp_conversation::close(pcapng_writer& to, instant at, bool from_client,
                             std::string_view comment) {
    segment(to, at, from_client, fin | ack, {}, comment);
    ++next_[from_client ? 0 : 1];
}

void tcp_conversation::reset(pcapng_writer& to, instant at, bool from_client) {
    segment(to, at, from_client, rst | ack, {});
}

void tcp_conversation::segment(pcapng_writer& to, instant at, bool from_client, std::uint8_t flags,
                               bytes_view data, std::string_view comment) {
    const tcp_end& from = ends_[from_client ? 0 : 1];
    const tcp_end& other = ends_[from_client ? 1 : 0];
    const std::size_t tcp_size = header_size + data.size();
    header_bytes headers{};
    std::uint8_t* const ip = headers.data();
    ip[0] = 0x45;  // version 4, five words of header
    set_16(ip + 2, static_cast<std::uint32_t>(header_size + tcp_size));
    ip[6] = 0x40;  // not to be cut into fragments
    ip[8] = 64;    // hops
    ip[9] = protocol_tcp;
    set_32(ip + 12, from.address);
    set_32(ip + 16, other.address);
    // Sums are of the values, not of the bytes just written, which the processor would wait for.
    const std::uint32_t number = next_[from_client ? 0 : 1];
    const std::uint32_t expected = (flags & ack) != 0 ? next_[from_client ? 1 : 0] : 0;
    const std::uint64_t addresses = words(from.address) + words(other.address);
    set_16(ip + 10, ~folded(addresses + 0x4500 + header_size + tcp_size + 0x4000 +
                            (64 << 8 | protocol_tcp)) &
                        0xFFFF);

    std::uint8_t* const tcp = ip + header_size;
    set_16(tcp, from.port);
    set_16(tcp + 2, other.port);
    set_32(tcp + 4, number);
    set_32(tcp + 8, expected);
    tcp[12] = 0x50;  // five words of header
    tcp[13] = flags;
    set_16(tcp + 14, window);
    const std::uint64_t sum = addresses + protocol_tcp + tcp_size + from.port + other.port +
                              words(number) + words(expected) + (0x50U << 8 | flags) + window +
                              sum_of(data);
    set_16(tcp + 16, ~folded(sum) & 0xFFFF);
    to.write_packet(at, headers, data, comment);
}

}  // namespace fleetarium::capture
