#include <fleetarium/capture/tcp_conversation.hpp>

#include <algorithm>

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

void put_16(std::vector<std::uint8_t>& to, std::uint32_t value) {
    to.push_back(static_cast<std::uint8_t>(value >> 8));
    to.push_back(static_cast<std::uint8_t>(value));
}

void put_32(std::vector<std::uint8_t>& to, std::uint32_t value) {
    put_16(to, value >> 16);
    put_16(to, value & 0xFFFF);
}

/// The sum that RFC 1071 takes the complement of.
std::uint32_t sum_of(bytes_view bytes, std::uint32_t sum) {
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        sum += std::uint32_t{bytes[i]} << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0U);
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return sum;
}

void set_16(std::vector<std::uint8_t>& in, std::size_t at, std::uint32_t value) {
    in[at] = static_cast<std::uint8_t>(value >> 8);
    in[at + 1] = static_cast<std::uint8_t>(value);
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

void tcp_conversation::bytes(pcapng_writer& to, instant at, bool from_client, bytes_view data) {
    while (!data.empty()) {
        const bytes_view part = data.first(std::min(segment_max, data.size()));
        segment(to, at, from_client, push | ack, part);
        next_[from_client ? 0 : 1] += static_cast<std::uint32_t>(part.size());
        data = data.subspan(part.size());
    }
}

void tcp_conversation::close(pcapng_writer& to, instant at, bool from_client) {
    segment(to, at, from_client, fin | ack, {});
    ++next_[from_client ? 0 : 1];
}

void tcp_conversation::reset(pcapng_writer& to, instant at, bool from_client) {
    segment(to, at, from_client, rst | ack, {});
}

void tcp_conversation::segment(pcapng_writer& to, instant at, bool from_client, std::uint8_t flags,
                               bytes_view data) {
    const tcp_end& from = ends_[from_client ? 0 : 1];
    const tcp_end& other = ends_[from_client ? 1 : 0];
    const std::size_t tcp_size = header_size + data.size();
    packet_.clear();
    packet_.push_back(0x45);  // version 4, five words of header
    packet_.push_back(0);
    put_16(packet_, static_cast<std::uint32_t>(header_size + tcp_size));
    put_32(packet_, 0x4000);  // no identification; not to be cut into fragments
    packet_.push_back(64);
    packet_.push_back(protocol_tcp);
    put_16(packet_, 0);  // checksum
    put_32(packet_, from.address);
    put_32(packet_, other.address);
    set_16(packet_, 10, ~sum_of(packet_, 0) & 0xFFFF);

    put_16(packet_, from.port);
    put_16(packet_, other.port);
    put_32(packet_, next_[from_client ? 0 : 1]);
    put_32(packet_, (flags & ack) != 0 ? next_[from_client ? 1 : 0] : 0);
    packet_.push_back(0x50);  // five words of header
    packet_.push_back(flags);
    put_16(packet_, 0xFFFF);  // window
    put_32(packet_, 0);       // checksum, urgent pointer
    packet_.insert(packet_.end(), data.begin(), data.end());
    const bytes_view whole = packet_;
    const std::uint32_t pseudo =
        sum_of(whole.subspan(12, 8), 0) + protocol_tcp + static_cast<std::uint32_t>(tcp_size);
    set_16(packet_, header_size + 16, ~sum_of(whole.subspan(header_size), pseudo) & 0xFFFF);
    to.write_packet(at, packet_);
}

}  // namespace fleetarium::capture
