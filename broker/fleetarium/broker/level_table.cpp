#include <fleetarium/broker/level_table.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/hash.hpp>

#include <cstring>
#include <new>

namespace fleetarium::broker {

/// Followed by the text, which begins in what would be padding.
struct level_table::record {
    static constexpr std::size_t text_offset = 6;

    std::uint32_t references;
    std::uint16_t size;

    char* text() { return reinterpret_cast<char*>(this) + text_offset; }
    static std::size_t bytes(std::size_t text_size) { return text_offset + text_size; }
};

level_table::record& level_table::at(level_symbol symbol) const {
    return *static_cast<record*>(arena_.at(symbol));
}

level_symbol level_table::find(std::uint64_t hash, std::string_view level) const {
    return table_.find(hash, [&](level_symbol symbol) { return text(symbol) == level; });
}

level_symbol level_table::find(std::string_view level) const {
    return table_.size() == 0 ? none : find(hash_text(level, seed_), level);
}

level_symbol level_table::acquire(std::string_view level) {
    const std::uint64_t hash = hash_text(level, seed_);
    level_symbol symbol = find(hash, level);
    if (symbol != none) {
        ++at(symbol).references;
        return symbol;
    }
    symbol = arena_.allocate(record::bytes(level.size()));
    auto* made = ::new (arena_.at(symbol)) record;
    made->references = 1;
    made->size = static_cast<std::uint16_t>(level.size());
    std::memcpy(made->text(), level.data(), level.size());
    table_.insert(hash, symbol);
    return symbol;
}

void level_table::release(level_symbol symbol) {
    record& held = at(symbol);
    FLEETARIUM_ASSERT(held.references != 0);
    if (--held.references == 0) {
        table_.erase(hash_text(text(symbol), seed_), symbol);
        arena_.free(symbol, record::bytes(held.size));
    }
}

std::string_view level_table::text(level_symbol symbol) const {
    record& held = at(symbol);
    return {held.text(), held.size};
}

}  // namespace fleetarium::broker
