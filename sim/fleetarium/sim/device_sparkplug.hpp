#pragma once

#include <fleetarium/sim/device_text.hpp>
#include <fleetarium/sim/generator_set.hpp>
#include <fleetarium/sim/sparkplug.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fleetarium::sim::detail {

/// Why a message is published now.
enum class publication_cause : std::uint8_t { time, connect, message };

/// A payload of Sparkplug, ready to be written for any device of a fleet.
struct sparkplug_content {
    const sparkplug_payload* spec = nullptr;
    std::vector<device_text> values{};       ///< of the metrics, in their order
    std::vector<std::uint32_t> first_use{};  ///< of each among the plan's uses
    generator_set::plan generators{};        ///< of all of them
    std::uint32_t device = 0;                ///< below the node: its number in the fleet

    bool is_birth() const {
        return spec->message == sparkplug_message::nbirth ||
               spec->message == sparkplug_message::dbirth;
    }
};

/// What an edge node remembers: 12 bytes, and 4 more for each 32 devices below it.
class sparkplug_state {
public:
    static std::uint32_t words_for(std::size_t devices) {
        return 3 + static_cast<std::uint32_t>((devices + 31) / 32);
    }

    /// All words are 0 at first.
    explicit sparkplug_state(std::span<std::uint32_t> words) : words_(words) {}

    std::uint8_t birth_sequence() const { return static_cast<std::uint8_t>(words_[0] >> 8); }
    std::uint64_t connect_time() const { return words_[1] | std::uint64_t{words_[2]} << 32; }
    bool is_dead(std::uint32_t device) const {
        return (words_[3 + device / 32] >> device % 32 & 1) != 0;
    }

    /// `now` in milliseconds since 1970.
    void connect(std::uint64_t now) {
        const std::uint32_t number = began() ? (birth_sequence() + 1U) & 0xFF : 0;
        words_[0] = began_bit | number << 8;
        words_[1] = static_cast<std::uint32_t>(now);
        words_[2] = static_cast<std::uint32_t>(now >> 32);
    }
    void restart_sequence() { words_[0] &= ~std::uint32_t{0xFF}; }
    /// The number of the next message.
    std::uint8_t take_sequence() {
        const std::uint32_t number = words_[0] & 0xFF;
        words_[0] = (words_[0] & ~std::uint32_t{0xFF}) | ((number + 1) & 0xFF);
        return static_cast<std::uint8_t>(number);
    }
    void set_dead(std::uint32_t device, bool dead) {
        std::uint32_t& word = words_[3 + device / 32];
        const std::uint32_t bit = std::uint32_t{1} << device % 32;
        word = dead ? word | bit : word & ~bit;
    }

private:
    static constexpr std::uint32_t began_bit = 1U << 16;

    bool began() const { return (words_[0] & began_bit) != 0; }

    std::span<std::uint32_t> words_;  // seq and bdSeq; the time of the connect; the dead, by bit
};

}  // namespace fleetarium::sim::detail
