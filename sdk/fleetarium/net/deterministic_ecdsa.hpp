#pragma once

#include <fleetarium/core/bytes.hpp>

#include <array>
#include <cstdint>

namespace fleetarium::net {

/// SHA-256.
std::array<std::uint8_t, 32> sha256(bytes_view bytes);

/// A P-256 key that is made from given bytes and signs deterministically (RFC 6979, SHA-256): the
/// same input gives the same signature to the bit. For test certificates, whose keys are known to
/// whoever knows their seed; not hardened for keys that are secret.
class deterministic_key {
public:
    using number = std::array<std::uint8_t, 32>;  ///< big-endian

    struct signature {
        number r;
        number s;
    };

    /// `secret` is reduced into the range of private keys.
    explicit deterministic_key(const number& secret);

    const number& private_key() const { return private_key_; }

    /// Uncompressed: 4, x, y.
    const std::array<std::uint8_t, 65>& public_key() const { return public_key_; }

    signature sign(bytes_view message) const;

private:
    number private_key_{};
    std::array<std::uint8_t, 65> public_key_{};
};

}  // namespace fleetarium::net
