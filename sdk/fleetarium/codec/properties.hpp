#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/codec/reader.hpp>
#include <fleetarium/codec/violation.hpp>
#include <fleetarium/codec/writer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace fleetarium::detail {

/// Property identifiers (MQTT 5 section 2.2.2.2). All of them take one byte.
enum class property_id : std::uint8_t {
    payload_format_indicator = 0x01,
    message_expiry_interval = 0x02,
    content_type = 0x03,
    response_topic = 0x08,
    correlation_data = 0x09,
    subscription_identifier = 0x0B,
    session_expiry_interval = 0x11,
    assigned_client_identifier = 0x12,
    server_keep_alive = 0x13,
    authentication_method = 0x15,
    authentication_data = 0x16,
    request_problem_information = 0x17,
    will_delay_interval = 0x18,
    request_response_information = 0x19,
    response_information = 0x1A,
    server_reference = 0x1C,
    reason_string = 0x1F,
    receive_maximum = 0x21,
    topic_alias_maximum = 0x22,
    topic_alias = 0x23,
    maximum_qos = 0x24,
    retain_available = 0x25,
    user_property = 0x26,
    maximum_packet_size = 0x27,
    wildcard_subscription_available = 0x28,
    subscription_identifier_available = 0x29,
    shared_subscription_available = 0x2A,
};

inline constexpr std::size_t property_id_end = 0x2B;

/// Where a property block stands: in a packet of some type, or before the will of CONNECT.
/// The values up to 15 are those of packet_type.
enum class property_place : std::uint8_t { will = 0 };

constexpr property_place place_in(packet_type type) { return static_cast<property_place>(type); }

enum class property_type : std::uint8_t {
    unknown,
    byte,
    two_bytes,
    four_bytes,
    variable,
    text,
    binary,
    pair,
};

/// One row of the table of properties.
struct property_info {
    property_type type = property_type::unknown;
    std::uint16_t allowed = 0;     ///< one bit per property_place
    std::uint16_t repeatable = 0;  ///< one bit per property_place
    std::uint32_t value_min = 0;   ///< of numbers
    std::uint32_t value_max = 0;
    violation outside_range = violation::property_value_invalid;
};

/// The row of any identifier byte; type `unknown` where the standard has none.
const property_info& info_of(std::uint8_t id);

/// A property as found in a block; which of the members holds the value follows from the type.
struct property {
    property_id id;
    std::uint32_t number = 0;
    std::string_view text;
    bytes_view binary;
};

/// Takes the properties off a block one by one and checks everything the table says of them.
class property_reader {
public:
    property_reader(bytes_view block, property_place place) : from_(block), place_(place) {}

    /// False at the end of the block, or at a broken rule.
    bool next(property& out);

    violation broken() const { return broken_; }

    /// All user properties met so far.
    fleetarium::user_properties user_properties() const {
        return fleetarium::user_properties::in_block(user_properties_);
    }

    /// All subscription identifiers met so far.
    fleetarium::subscription_identifiers subscription_identifiers() const {
        return fleetarium::subscription_identifiers::in_block(subscription_identifiers_);
    }

private:
    violation take(property& out);
    violation take_value(const property_info& info, property& out);

    reader from_;
    property_place place_;
    violation broken_ = violation::none;
    std::uint64_t seen_ = 0;
    // From the begin of the first such property to the end of the last one.
    bytes_view user_properties_;
    bytes_view subscription_identifiers_;
};

/// Takes the length and the bytes of a property block.
violation take_property_block(reader& from, bytes_view& block);

/// Reads a property block with its length. `assign(const property&)` takes over each property; it
/// returns the rule that the value breaks, or none. User properties end in `user_pairs`.
template <class Assign>
violation read_properties(reader& from, property_place place, user_properties& user_pairs,
                          Assign&& assign) {
    bytes_view block;
    if (const violation broken = take_property_block(from, block); broken != violation::none) {
        return broken;
    }
    property_reader properties(block, place);
    for (property each; properties.next(each);) {
        if (const violation broken = assign(each); broken != violation::none) {
            return broken;
        }
    }
    user_pairs = properties.user_properties();
    return properties.broken();
}

/// Response Topic obeys the rules of topic names [v5/MQTT-3.3.2-14].
violation check_response_topic(std::string_view topic);

// Encoding. Each packet lists its properties once, in a template over a sink; one sink counts the
// bytes, the other writes them.

/// Which of the properties that only explain are written.
struct diagnostics {
    bool reason_string = true;
    bool user_properties = true;
};

/// Counts the bytes of a property block, without its length.
class property_sizer {
public:
    void put(property_id, const std::optional<std::uint8_t>& value) { fixed(value, 2); }
    void put(property_id, const std::optional<bool>& value) { fixed(value, 2); }
    void put(property_id, const std::optional<qos>& value) { fixed(value, 2); }
    void put(property_id, const std::optional<std::uint16_t>& value) { fixed(value, 3); }
    void put(property_id, const std::optional<std::uint32_t>& value) { fixed(value, 5); }
    void put(property_id, const std::optional<std::string_view>& value) {
        size_ += value ? 3 + value->size() : 0;
    }
    void put(property_id, const std::optional<bytes_view>& value) {
        size_ += value ? 3 + value->size() : 0;
    }
    void put_variable(property_id, std::uint32_t value) { size_ += 1 + variable_size(value); }
    void put_reason_string(const std::optional<std::string_view>& value) {
        reason_string_size_ = value ? 3 + value->size() : 0;
    }
    void put(const user_properties& pairs) {
        if (!pairs.empty()) {
            pairs.for_each([this](const user_property& pair) {
                user_properties_size_ += 5 + pair.first.size() + pair.second.size();
            });
        }
    }

    std::size_t size(diagnostics keep = {}) const {
        return size_ + (keep.reason_string ? reason_string_size_ : 0) +
               (keep.user_properties ? user_properties_size_ : 0);
    }

private:
    template <class Value>
    void fixed(const std::optional<Value>& value, std::size_t size) {
        size_ += value ? size : 0;
    }

    std::size_t size_ = 0;
    std::size_t reason_string_size_ = 0;
    std::size_t user_properties_size_ = 0;
};

/// Writes a property block, without its length.
class property_writer {
public:
    explicit property_writer(std::uint8_t* at, diagnostics keep = {}) : at_(at), keep_(keep) {}

    std::uint8_t* position() const { return at_; }

    void put(property_id id, const std::optional<std::uint8_t>& value) {
        if (value) {
            begin(id);
            at_ = write_byte(at_, *value);
        }
    }
    void put(property_id id, const std::optional<bool>& value) {
        if (value) {
            begin(id);
            at_ = write_byte(at_, *value ? 1 : 0);
        }
    }
    void put(property_id id, const std::optional<qos>& value) {
        if (value) {
            begin(id);
            at_ = write_byte(at_, static_cast<std::uint8_t>(*value));
        }
    }
    void put(property_id id, const std::optional<std::uint16_t>& value) {
        if (value) {
            begin(id);
            at_ = write_two_bytes(at_, *value);
        }
    }
    void put(property_id id, const std::optional<std::uint32_t>& value) {
        if (value) {
            begin(id);
            at_ = write_four_bytes(at_, *value);
        }
    }
    void put(property_id id, const std::optional<std::string_view>& value) {
        if (value) {
            begin(id);
            at_ = write_text(at_, *value);
        }
    }
    void put(property_id id, const std::optional<bytes_view>& value) {
        if (value) {
            begin(id);
            at_ = write_binary(at_, *value);
        }
    }
    void put_variable(property_id id, std::uint32_t value) {
        begin(id);
        at_ = write_variable(at_, value);
    }
    void put_reason_string(const std::optional<std::string_view>& value) {
        if (keep_.reason_string) {
            put(property_id::reason_string, value);
        }
    }
    void put(const user_properties& pairs) {
        if (keep_.user_properties && !pairs.empty()) {
            pairs.for_each([this](const user_property& pair) {
                begin(property_id::user_property);
                at_ = write_text(write_text(at_, pair.first), pair.second);
            });
        }
    }

private:
    void begin(property_id id) { at_ = write_byte(at_, static_cast<std::uint8_t>(id)); }

    std::uint8_t* at_;
    diagnostics keep_;
};

/// Writes the length of a property block and the block that `list(sink)` lists.
template <class List>
std::uint8_t* write_properties(std::uint8_t* at, std::size_t size, diagnostics keep, List&& list) {
    property_writer properties(write_variable(at, size), keep);
    list(properties);
    return properties.position();
}

/// Finds what the peer's limit leaves room for: all; or all but the Reason String; or neither it
/// nor the User Properties. `remaining_length(property_size)` is the packet's. False if not even
/// that fits.
template <class RemainingLength>
bool choose_diagnostics(const property_sizer& sizes, std::uint32_t packet_size_maximum,
                        diagnostics& keep, RemainingLength&& remaining_length) {
    for (const diagnostics choice :
         {diagnostics{true, true}, diagnostics{false, true}, diagnostics{false, false}}) {
        if (packet_fits(remaining_length(sizes.size(choice)), packet_size_maximum)) {
            keep = choice;
            return true;
        }
    }
    return false;
}

}  // namespace fleetarium::detail
