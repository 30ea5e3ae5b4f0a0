#include <fleetarium/capture/pcapng_writer.hpp>

#include <ostream>
#include <string>

namespace fleetarium::capture {

namespace {

/// A block under way. Numbers are in little-endian order, whatever the machine's is: the section's
/// magic number tells.
class block {
public:
    explicit block(std::uint32_t type) {
        put_32(type);
        put_32(0);  // its length, at the end
    }

    void put_8(std::uint8_t value) { bytes_ += static_cast<char>(value); }
    void put_16(std::uint32_t value) {
        put_8(static_cast<std::uint8_t>(value));
        put_8(static_cast<std::uint8_t>(value >> 8));
    }
    void put_32(std::uint32_t value) {
        put_16(value & 0xFFFF);
        put_16(value >> 16);
    }
    void put_bytes(bytes_view value) {
        bytes_.append(reinterpret_cast<const char*>(value.data()), value.size());
        pad();
    }
    void put_text(std::string_view value) {
        bytes_.append(value);
        put_8(0);
    }
    void pad() { bytes_.resize((bytes_.size() + 3) / 4 * 4, '\0'); }

    void write_to(std::ostream& out) {
        const auto length = static_cast<std::uint32_t>(bytes_.size() + 4);
        put_32(length);
        for (unsigned i = 0; i < 4; ++i) {
            bytes_[4 + i] = static_cast<char>(length >> (8 * i) & 0xFF);
        }
        out.write(bytes_.data(), static_cast<std::streamsize>(bytes_.size()));
    }

private:
    std::string bytes_;
};

constexpr std::uint32_t section_header = 0x0A0D'0D0A;
constexpr std::uint32_t interface_description = 1;
constexpr std::uint32_t name_resolution = 4;
constexpr std::uint32_t enhanced_packet = 6;
constexpr std::uint32_t link_type_raw = 101;  // packets begin with the IP header
constexpr std::uint32_t option_time_resolution = 9;
constexpr std::uint32_t name_record_ipv4 = 1;

}  // namespace

pcapng_writer::pcapng_writer(std::ostream& to) : out_(to) {
    block section(section_header);
    section.put_32(0x1A2B'3C4D);
    section.put_16(1);  // version 1.0
    section.put_16(0);
    section.put_32(0xFFFF'FFFF);  // the section's length is not given
    section.put_32(0xFFFF'FFFF);
    section.write_to(out_);

    block interface(interface_description);
    interface.put_16(link_type_raw);
    interface.put_16(0);
    interface.put_32(0);  // packets are whole
    interface.put_16(option_time_resolution);
    interface.put_16(1);
    interface.put_8(9);  // 10^-9 s
    interface.pad();
    interface.put_32(0);  // no more options
    interface.write_to(out_);
}

void pcapng_writer::write_name(std::uint32_t address, std::string_view name) {
    block names(name_resolution);
    names.put_16(name_record_ipv4);
    names.put_16(static_cast<std::uint32_t>(4 + name.size() + 1));
    for (int shift = 24; shift >= 0; shift -= 8) {
        names.put_8(static_cast<std::uint8_t>(address >> shift));
    }
    names.put_text(name);
    names.pad();
    names.put_32(0);  // no more records
    names.write_to(out_);
}

void pcapng_writer::write_packet(instant at, bytes_view packet) {
    const auto time = static_cast<std::uint64_t>(at.time_since_epoch().count());
    const auto size = static_cast<std::uint32_t>(packet.size());
    block made(enhanced_packet);
    made.put_32(0);  // of the one interface
    made.put_32(static_cast<std::uint32_t>(time >> 32));
    made.put_32(static_cast<std::uint32_t>(time));
    made.put_32(size);
    made.put_32(size);
    made.put_bytes(packet);
    made.write_to(out_);
}

}  // namespace fleetarium::capture
