#include <fleetarium/storage/message_row.hpp>

#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/limits.hpp>

#include <cstdint>
#include <vector>

namespace fleetarium::storage {

namespace {

/// Whether a client could read a PUBLISH with them.
bool has_valid_properties(const message::parts& of) {
    if (of.properties.empty()) {
        return true;
    }
    encoded_publish wire;
    wire.topic = "t";
    wire.forwardable_properties = of.properties;
    wire_buffer out;
    if (!encode(wire, protocol_version::v5, out)) {
        return false;
    }
    std::vector<std::uint8_t> bytes;
    out.for_each_part(
        [&](bytes_view part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
    bytes_view rest = bytes;
    frame whole;
    publish decoded;
    return split_frame(rest, whole).complete &&
           decode(whole, protocol_version::v5, decoded) == violation::none;
}

}  // namespace

std::optional<message::parts> message_of_row(const statement& row, int first_column) {
    const std::int64_t level = row.integer(first_column + 3);
    const message::parts out{row.text(first_column), row.blob(first_column + 1),
                             row.blob(first_column + 2), static_cast<enum qos>(level & 3),
                             row.integer(first_column + 4) != 0};
    const bool valid = level >= 0 && level <= 2 && is_valid_topic_name(out.topic) &&
                       out.topic.size() <= limits::string_size_max && has_valid_properties(out);
    return valid ? std::optional(out) : std::nullopt;
}

}  // namespace fleetarium::storage
