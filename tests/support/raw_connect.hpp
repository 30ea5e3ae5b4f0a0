#pragma once

#include <fleetarium/codec/packets.hpp>

#include <support/hex.hpp>

#include <string_view>

namespace fleetarium::test {

/// A CONNECT put together from its parts, legal or not: flags, keep alive 0, the properties without
/// their length (5.0), the payload. The Remaining Length is right.
inline bytes raw_connect(protocol_version version, std::uint8_t flags, std::string_view payload_hex,
                         std::string_view properties_hex = "") {
    bytes body = from_hex("00 04 4D 51 54 54");
    body.push_back(static_cast<std::uint8_t>(version));
    body.push_back(flags);
    body.insert(body.end(), 2, 0);
    const auto append = [&](const bytes& part) {
        body.insert(body.end(), part.begin(), part.end());
    };
    if (version == protocol_version::v5) {
        const bytes properties = from_hex(properties_hex);
        body.push_back(static_cast<std::uint8_t>(properties.size()));
        append(properties);
    }
    append(from_hex(payload_hex));
    bytes out{0x10, static_cast<std::uint8_t>(body.size())};
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

}  // namespace fleetarium::test
