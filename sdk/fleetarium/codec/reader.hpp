#pragma once

#include <fleetarium/codec/utf8.hpp>
#include <fleetarium/codec/violation.hpp>
#include <fleetarium/core/bytes.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fleetarium::detail {

/// What came of reading a variable byte integer.
enum class variable_byte_integer : std::uint8_t { whole, incomplete, malformed };

/// Reads a variable byte integer at `at`, and on success moves `at` behind it. A longer form than
/// the value needs is malformed, as is one above four bytes [v5/MQTT-1.5.5-1]; the same is asked of
/// the Remaining Length of 3.1.1.
inline variable_byte_integer read_variable_byte_integer(const std::uint8_t*& at,
                                                        const std::uint8_t* end,
                                                        std::uint32_t& value) {
    if (at != end && *at < 0x80) {
        value = *at++;
        return variable_byte_integer::whole;
    }
    std::uint32_t read = 0;
    const std::uint8_t* from = at;
    for (unsigned shift = 0; shift < 28; shift += 7) {
        if (from == end) {
            return variable_byte_integer::incomplete;
        }
        const std::uint8_t byte = *from++;
        read |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
        if (byte < 0x80) {
            if (byte == 0 && shift != 0) {
                return variable_byte_integer::malformed;
            }
            value = read;
            at = from;
            return variable_byte_integer::whole;
        }
    }
    return variable_byte_integer::malformed;
}

/// A cursor over received bytes. Each call takes a field off the front; where it cannot it tells
/// which rule is broken, and the cursor is then of no further use.
class reader {
public:
    explicit reader(bytes_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

    bool empty() const { return at_ == end_; }
    std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
    const std::uint8_t* position() const { return at_; }

    /// The first byte; there must be one.
    std::uint8_t front() const { return *at_; }

    void skip(std::size_t count) { at_ += count; }

    violation take_byte(std::uint8_t& value) {
        if (at_ == end_) {
            return violation::packet_truncated;
        }
        value = *at_++;
        return violation::none;
    }

    violation take_two_bytes(std::uint16_t& value) {
        if (left() < 2) {
            return violation::packet_truncated;
        }
        value = static_cast<std::uint16_t>(at_[0] << 8 | at_[1]);
        at_ += 2;
        return violation::none;
    }

    violation take_four_bytes(std::uint32_t& value) {
        if (left() < 4) {
            return violation::packet_truncated;
        }
        value = 0;
        for (int byte = 0; byte < 4; ++byte) {
            value = value << 8 | *at_++;
        }
        return violation::none;
    }

    violation take_variable(std::uint32_t& value) {
        switch (read_variable_byte_integer(at_, end_, value)) {
            case variable_byte_integer::whole: return violation::none;
            case variable_byte_integer::incomplete: return violation::packet_truncated;
            case variable_byte_integer::malformed: break;
        }
        return violation::variable_byte_integer_malformed;
    }

    /// Exactly `count` bytes.
    violation take_bytes(std::size_t count, bytes_view& value) {
        if (left() < count) {
            return violation::packet_truncated;
        }
        value = {at_, count};
        at_ += count;
        return violation::none;
    }

    /// Bytes behind their two-byte length.
    violation take_binary(bytes_view& value) {
        std::uint16_t size = 0;
        const violation broken = take_two_bytes(size);
        return broken == violation::none ? take_bytes(size, value) : broken;
    }

    /// Bytes behind their two-byte length, as text and not checked.
    violation take_unchecked_text(std::string_view& value) {
        bytes_view bytes;
        const violation broken = take_binary(bytes);
        value = as_text(bytes);
        return broken;
    }

    /// A UTF-8 string behind its two-byte length.
    violation take_text(std::string_view& value) {
        const violation broken = take_unchecked_text(value);
        return broken == violation::none ? check_string(value) : broken;
    }

    /// A packet identifier, which is never 0 [v5/MQTT-2.2.1-3], [v3/MQTT-2.3.1-1].
    violation take_packet_id(std::uint16_t& value) {
        const violation broken = take_two_bytes(value);
        return broken == violation::none && value == 0 ? violation::packet_id_zero : broken;
    }

    bytes_view take_rest() {
        const bytes_view rest{at_, left()};
        at_ = end_;
        return rest;
    }

private:
    const std::uint8_t* at_;
    const std::uint8_t* end_;
};

}  // namespace fleetarium::detail
