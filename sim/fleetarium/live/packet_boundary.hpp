#pragma once

#include <fleetarium/core/bytes.hpp>

#include <cstdint>

namespace fleetarium::sim::detail {

/// Follows MQTT packets in a stream of bytes, cut anywhere, just far enough to know whether one
/// has begun that has not ended.
class packet_boundary {
public:
    void pass(bytes_view bytes) {
        while (!bytes.empty()) {
            if (body_left_ != 0) {
                const auto taken = bytes.size() < body_left_ ? bytes.size() : body_left_;
                body_left_ -= taken;
                bytes = bytes.subspan(taken);
                continue;
            }
            const std::uint8_t byte = bytes.front();
            bytes = bytes.subspan(1);
            if (header_ == 0) {  // the packet's type
                header_ = 1;
                continue;
            }
            length_ |= std::size_t{byte & 0x7Fu} << (7 * (header_ - 1));
            if ((byte & 0x80) != 0 && header_ < 4) {
                ++header_;
                continue;
            }
            header_ = 0;
            body_left_ = length_;
            length_ = 0;
        }
    }

    bool between_packets() const { return header_ == 0 && body_left_ == 0; }

private:
    unsigned header_ = 0;  ///< bytes of the fixed header so far
    std::size_t length_ = 0;
    std::size_t body_left_ = 0;
};

}  // namespace fleetarium::sim::detail
