#include <fleetarium/broker/session_registry.hpp>

#include <fleetarium/core/hash.hpp>

#include <algorithm>

namespace fleetarium::broker {

std::uint64_t session_registry::hash_of(std::string_view name) {
    return std::max<std::uint64_t>(hash_text(name), 1);
}

/// Where it lies in the table. Not by hash_of, which strangers can work out.
std::uint64_t session_registry::place_of(std::string_view client_id) const {
    return hash_text(client_id, seed_);
}

session_index session_registry::find(std::string_view client_id) const {
    const std::uint32_t found =
        by_client_id_.find(place_of(client_id), [&](std::uint32_t candidate) {
            return slots_[candidate].client_id() == client_id;
        });
    return found == handle_table::none ? no_session : found;
}

session_index session_registry::make(std::string_view client_id) {
    const session_index index = slots_.emplace();
    session& made = slots_[index];
    made.client_id_text = std::make_unique<char[]>(client_id.size());
    std::copy(client_id.begin(), client_id.end(), made.client_id_text.get());
    made.client_id_size = static_cast<std::uint16_t>(client_id.size());
    made.client_id_hash = hash_of(client_id);
    by_client_id_.insert(place_of(client_id), index);
    return index;
}

void session_registry::erase(session_index index) {
    by_client_id_.erase(place_of(slots_[index].client_id()), index);
    slots_.erase(index);
}

std::size_t session_registry::memory_bytes() const {
    std::size_t total = slots_.memory_bytes() + by_client_id_.memory_bytes();
    for (session_index i = 0; i < slots_.end(); ++i) {
        if (slots_.contains(i)) {
            const session& one = slots_[i];
            total += one.client_id_size + one.filters.memory_bytes() +
                     one.state.outbound.memory_bytes() + one.state.inbound.memory_bytes();
        }
    }
    return total;
}

}  // namespace fleetarium::broker
