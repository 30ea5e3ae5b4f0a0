#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace fleetarium {

/// Whether `text` is well-formed UTF-8 (RFC 3629) without U+0000.
/// Spec: [v5/MQTT-1.5.4-1], [v5/MQTT-1.5.4-2], [v3/MQTT-1.5.3-1], [v3/MQTT-1.5.3-2].
bool is_valid_string(std::string_view text);

/// Whether `name` may be the topic of a PUBLISH: valid string of 1 to 65,535 bytes without a
/// wildcard. Spec: section 4.7.
bool is_valid_topic_name(std::string_view name);

/// Whether `filter` is a well-formed topic filter: valid string of 1 to 65,535 bytes with `#` and
/// `+` only where section 4.7.1 allows them. A filter that begins with `$share/` is checked as a
/// plain filter; see parse_shared_filter.
bool is_valid_topic_filter(std::string_view filter);

bool has_wildcard(std::string_view filter);

/// The parts of `$share/{share_name}/{filter}`.
struct shared_filter {
    std::string_view share_name;
    std::string_view filter;
};

/// Whether `filter` asks for a shared subscription: begins with `$share/`.
bool is_shared_filter(std::string_view filter);

/// The parts of a shared filter, or none if the share name or the filter in it is not valid.
/// Spec: [v5/MQTT-4.8.2-1], [v5/MQTT-4.8.2-2].
std::optional<shared_filter> parse_shared_filter(std::string_view filter);

/// Whether the plain (not shared) `filter` matches the topic `name`; both valid.
/// A filter that begins with a wildcard matches no name that begins with `$` [v5/MQTT-4.7.2-1].
/// Linear in the lengths. The broker uses a tree; this is for clients and as a judge of the tree.
bool topic_matches(std::string_view filter, std::string_view name);

/// Number of levels: separators plus one.
std::size_t topic_level_count(std::string_view text);

}  // namespace fleetarium
