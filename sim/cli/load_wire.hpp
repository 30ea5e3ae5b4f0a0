#pragma once

#include <fleetarium/codec/packets.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// The wire of the load generator. What comes once per connection goes through the codec; what comes
// per message is written and read by hand, so that one thread can drive a broker that is itself
// faster than most clients.
namespace fleetarium::cli::load {

/// The load could not be carried out: no broker there, refused, or what came is not MQTT.
struct load_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// What the caller asked for cannot be: a wrong address, process or command line.
struct bad_request : load_error {
    using load_error::load_error;
};

/// Bytes waiting for a socket: written at the end, taken off the front.
class byte_queue {
public:
    bool empty() const { return first_ == last_; }
    std::size_t size() const { return last_ - first_; }
    const std::uint8_t* data() const { return bytes_.get() + first_; }

    /// Room for `count` bytes at the end; `commit` says how many of them were written.
    std::uint8_t* prepare(std::size_t count) {
        if (capacity_ - last_ < count) {
            make_room(count);
        }
        return bytes_.get() + last_;
    }
    void commit(std::size_t count) { last_ += count; }

    void append(std::span<const std::uint8_t> bytes) {
        if (!bytes.empty()) {
            std::memcpy(prepare(bytes.size()), bytes.data(), bytes.size());
            commit(bytes.size());
        }
    }

    void consume(std::size_t count) {
        first_ += count;
        if (first_ == last_) {
            first_ = last_ = 0;
        }
    }

    /// Forgets what waits, and the memory.
    void reset() { *this = byte_queue(); }

private:
    void make_room(std::size_t count);

    std::unique_ptr<std::uint8_t[]> bytes_;
    std::size_t capacity_ = 0;
    std::size_t first_ = 0;
    std::size_t last_ = 0;
};

// Packets that come once per connection.
void append_connect(byte_queue& out, protocol_version version, std::string_view client_id,
                    std::uint16_t keep_alive);
void append_subscribe(byte_queue& out, protocol_version version, std::uint16_t packet_id,
                      std::span<const std::string> filters, enum qos qos);
void append_ping(byte_queue& out);
void append_disconnect(byte_queue& out);

/// An acknowledgement in its shortest form: PUBACK, PUBREC, PUBREL or PUBCOMP.
inline void append_acknowledgement(byte_queue& out, packet_type type, std::uint16_t packet_id) {
    std::uint8_t* const at = out.prepare(4);
    at[0] = static_cast<std::uint8_t>(static_cast<unsigned>(type) << 4 |
                                      (type == packet_type::pubrel ? 2u : 0u));
    at[1] = 2;
    at[2] = static_cast<std::uint8_t>(packet_id >> 8);
    at[3] = static_cast<std::uint8_t>(packet_id);
    out.commit(4);
}

/// The first 16 bytes of each payload: who sent it, as which of its messages, and when it was due.
struct stamp {
    std::uint32_t publisher = 0;
    std::uint32_t sequence = 0;
    std::int64_t due_ns = 0;
};
inline constexpr std::size_t payload_size_min = sizeof(stamp);

/// A PUBLISH of which only packet id and stamp change from message to message.
class publish_template {
public:
    publish_template(protocol_version version, std::string_view topic, enum qos qos,
                     std::size_t payload_size);

    std::size_t size() const { return image_.size(); }

    /// Writes the packet at `at`, where size() bytes are free. `packet_id` is not 0 at QoS 1 and
    /// 2, and not looked at otherwise.
    void write(std::uint8_t* at, std::uint16_t packet_id, const stamp& mark) const {
        std::memcpy(at, image_.data(), image_.size());
        if (packet_id_at_ != 0) {
            at[packet_id_at_] = static_cast<std::uint8_t>(packet_id >> 8);
            at[packet_id_at_ + 1] = static_cast<std::uint8_t>(packet_id);
        }
        std::memcpy(at + payload_at_, &mark, sizeof(mark));
    }

private:
    std::vector<std::uint8_t> image_;
    std::size_t packet_id_at_ = 0;  ///< 0: QoS 0
    std::size_t payload_at_ = 0;
};

/// One packet as it came.
struct raw_frame {
    std::uint8_t first_byte = 0;
    const std::uint8_t* body = nullptr;
    std::size_t size = 0;
    packet_type type() const { return static_cast<packet_type>(first_byte >> 4); }
};

/// Takes the packet that begins at `at` and moves `at` behind it. False if it is not whole yet.
/// Throws load_error for what cannot be a packet.
inline bool take_frame(const std::uint8_t*& at, const std::uint8_t* end, raw_frame& out) {
    if (end - at < 2) {
        return false;
    }
    std::size_t length = at[1] & 0x7F;
    const std::uint8_t* body = at + 2;
    for (unsigned shift = 7; (body[-1] & 0x80) != 0; shift += 7) {
        if (shift > 21) {
            throw load_error("the broker sent a packet with a malformed length");
        }
        if (body == end) {
            return false;
        }
        length |= static_cast<std::size_t>(*body++ & 0x7F) << shift;
    }
    if (static_cast<std::size_t>(end - body) < length) {
        return false;
    }
    out = {at[0], body, length};
    at = body + length;
    return true;
}

/// A PUBLISH as it came.
struct raw_publish {
    std::string_view topic;
    std::uint16_t packet_id = 0;  ///< 0 at QoS 0
    std::size_t payload_size = 0;
    stamp mark;
    unsigned qos = 0;
    bool dup = false;
};

/// Reads a PUBLISH. Throws load_error if it is malformed or its payload holds no stamp.
inline raw_publish read_publish(const raw_frame& in, protocol_version version) {
    raw_publish out;
    out.qos = in.first_byte >> 1 & 3u;
    out.dup = (in.first_byte & 8u) != 0;
    std::size_t at = 2;
    if (in.size >= 2) {
        const std::size_t length = static_cast<std::size_t>(in.body[0]) << 8 | in.body[1];
        out.topic = {reinterpret_cast<const char*>(in.body + 2), length};
        at += length;
    }
    if (out.qos != 0 && at + 2 <= in.size) {
        out.packet_id = static_cast<std::uint16_t>(in.body[at] << 8 | in.body[at + 1]);
    }
    at += out.qos != 0 ? 2u : 0u;
    if (version == protocol_version::v5 && at < in.size) {
        // Nothing in the load has properties of 128 bytes or more.
        at += std::size_t{1} + in.body[at];
    }
    if (at + payload_size_min > in.size || (out.qos != 0 && out.packet_id == 0)) {
        throw load_error("the broker delivered a message that is not of this load");
    }
    out.payload_size = in.size - at;
    std::memcpy(&out.mark, in.body + at, sizeof(out.mark));
    return out;
}

/// The packet id of an acknowledgement. Throws load_error if it has none, or says no.
std::uint16_t read_acknowledgement(const raw_frame& in);

/// What the broker granted. Throws load_error if it refused.
struct accepted {
    std::uint16_t receive_maximum = 65'535;
};
accepted read_connack(const raw_frame& in, protocol_version version);
void read_suback(const raw_frame& in, protocol_version version, enum qos wanted);

/// For messages: "PUBLISH", or "a packet of type 0".
std::string name_of(const raw_frame& in);

}  // namespace fleetarium::cli::load
