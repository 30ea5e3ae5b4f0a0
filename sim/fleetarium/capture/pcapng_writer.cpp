#include <fleetarium/capture/pcapng_writer.hpp>

#include <cstring>
#include <ostream>

namespace fleetarium::capture {

namespace {

using byte_buffer = std::vector<std::uint8_t>;

// Numbers are in little-endian order, whatever the machine's is: the section's magic number tells.

void set_32(std::uint8_t* at, std::uint32_t value) {
    at[0] = static_cast<std::uint8_t>(value);
    at[1] = static_cast<std::uint8_t>(value >> 8);
    at[2] = static_cast<std::uint8_t>(value >> 16);
    at[3] = static_cast<std::uint8_t>(value >> 24);
}

void put_16(byte_buffer& to, std::uint32_t value) {
    to.push_back(static_cast<std::uint8_t>(value));
    to.push_back(static_cast<std::uint8_t>(value >> 8));
}

void put_32(byte_buffer& to, std::uint32_t value) {
    put_16(to, value & 0xFFFF);
    put_16(to, value >> 16);
}

std::size_t padded(std::size_t size) { return (size + 3) / 4 * 4; }

void pad(byte_buffer& to) { to.resize(padded(to.size())); }

/// Makes room for a block's head; its length is set at the end.
void begin_block(byte_buffer& to, std::uint32_t type) {
    to.clear();
    put_32(to, type);
    put_32(to, 0);
}

void put_comment(byte_buffer& to, std::string_view comment) {
    constexpr std::uint32_t option_comment = 1;
    constexpr std::size_t comment_size_max = 65'532;
    if (!comment.empty()) {
        comment = comment.substr(0, comment_size_max);
        put_16(to, option_comment);
        put_16(to, static_cast<std::uint32_t>(comment.size()));
        to.insert(to.end(), comment.begin(), comment.end());
        pad(to);
        put_32(to, 0);  // no more options
    }
}

constexpr std::uint32_t section_header = 0x0A0D'0D0A;
constexpr std::uint32_t interface_description = 1;
constexpr std::uint32_t name_resolution = 4;
constexpr std::uint32_t enhanced_packet = 6;
constexpr std::uint32_t link_type_raw = 101;  // packets begin with the IP header
constexpr std::uint32_t option_time_resolution = 9;
constexpr std::uint32_t name_record_ipv4 = 1;

}  // namespace

pcapng_writer::pcapng_writer(std::ostream& to, std::string_view comment) : out_(to) {
    begin_block(block_, section_header);
    put_32(block_, 0x1A2B'3C4D);
    put_16(block_, 1);  // version 1.0
    put_16(block_, 0);
    put_32(block_, 0xFFFF'FFFF);  // the section's length is not given
    put_32(block_, 0xFFFF'FFFF);
    put_comment(block_, comment);
    write_block();

    begin_block(block_, interface_description);
    put_16(block_, link_type_raw);
    put_16(block_, 0);
    put_32(block_, 0);  // packets are whole
    put_16(block_, option_time_resolution);
    put_16(block_, 1);
    block_.push_back(9);  // 10^-9 s
    pad(block_);
    put_32(block_, 0);  // no more options
    write_block();
}

void pcapng_writer::write_name(std::uint32_t address, std::string_view name) {
    begin_block(block_, name_resolution);
    put_16(block_, name_record_ipv4);
    const std::size_t record = block_.size();
    put_16(block_, 0);  // its size, set when it is known
    for (int shift = 24; shift >= 0; shift -= 8) {
        block_.push_back(static_cast<std::uint8_t>(address >> shift));
    }
    for (const char each : name) {
        if (each == '[' || each == ' ') {
            block_.push_back('-');
        } else if (each != ']') {
            block_.push_back(static_cast<std::uint8_t>(each));
        }
    }
    block_.push_back(0);
    const std::size_t size = block_.size() - record - 2;
    block_[record] = static_cast<std::uint8_t>(size);
    block_[record + 1] = static_cast<std::uint8_t>(size >> 8);
    pad(block_);
    put_32(block_, 0);  // no more records
    write_block();
}

void pcapng_writer::write_packet(instant at, bytes_view headers, bytes_view data,
                                 std::string_view comment) {
    constexpr std::size_t head = 28;
    const auto time = static_cast<std::uint64_t>(at.time_since_epoch().count());
    const std::size_t size = headers.size() + data.size();
    block_.resize(head + padded(size) + (comment.empty() ? sizeof(std::uint32_t) : 0));
    std::uint8_t* const to = block_.data();
    set_32(to, enhanced_packet);
    set_32(to + 8, 0);  // of the one interface
    set_32(to + 12, static_cast<std::uint32_t>(time >> 32));
    set_32(to + 16, static_cast<std::uint32_t>(time));
    set_32(to + 20, static_cast<std::uint32_t>(size));
    set_32(to + 24, static_cast<std::uint32_t>(size));
    std::memcpy(to + head, headers.data(), headers.size());
    if (!data.empty()) {
        std::memcpy(to + head + headers.size(), data.data(), data.size());
    }
    std::memset(to + head + size, 0, padded(size) - size);
    if (!comment.empty()) {
        put_comment(block_, comment);
        put_32(block_, 0);
    }
    write_whole_block();
}

void pcapng_writer::write_block() {
    put_32(block_, 0);
    write_whole_block();
}

/// With its length at its head and at its end, where there is room for it.
void pcapng_writer::write_whole_block() {
    const auto length = static_cast<std::uint32_t>(block_.size());
    set_32(block_.data() + 4, length);
    set_32(block_.data() + length - sizeof length, length);
    out_.write(reinterpret_cast<const char*>(block_.data()),
               static_cast<std::streamsize>(block_.size()));
}

}  // namespace fleetarium::capture
