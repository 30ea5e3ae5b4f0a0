#pragma once

#include <fleetarium/codec/packets.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace fleetarium::detail {

/// The ids of SUBSCRIBE and UNSUBSCRIBE packets not answered, and how many codes the answer has to
/// have. Two vectors, for the ids go to outbound_flow as they are.
struct pending_requests {
    std::vector<std::uint16_t> ids;
    struct answer {
        packet_type type;
        std::uint32_t codes;
    };
    std::vector<answer> answers;

    void add(std::uint16_t id, packet_type type, std::uint32_t codes) {
        ids.push_back(id);
        answers.push_back({type, codes});
    }
    /// Whether such an answer was due; then it no longer is.
    bool take(std::uint16_t id, packet_type type, std::size_t codes, protocol_version version) {
        const auto found = std::find(ids.begin(), ids.end(), id);
        if (found == ids.end()) {
            return false;
        }
        const auto place = answers.begin() + (found - ids.begin());
        const bool codeless = type == packet_type::unsuback && version == protocol_version::v3_1_1;
        if (place->type != type || (!codeless && place->codes != codes)) {
            return false;
        }
        ids.erase(found);
        answers.erase(place);
        return true;
    }

    std::size_t memory_bytes() const {
        return sizeof(*this) + ids.capacity() * sizeof(std::uint16_t) +
               answers.capacity() * sizeof(answer);
    }
};

}  // namespace fleetarium::detail
