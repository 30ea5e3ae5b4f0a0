#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/sim/world.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim {

/// Something that somebody does to a world while it runs, as recordings keep it.
struct intervention {
    instant at{};
    std::string what{};  ///< see interventions::act
    std::string json{};
};

/// What is done to a world by hand: the same acts at the same instants give the same run.
/// Thread rule: the world's. The world must outlive it; faults that it holds heal with it.
class interventions {
public:
    explicit interventions(world& in) : world_(in) {}
    interventions(const interventions&) = delete;
    interventions& operator=(const interventions&) = delete;

    struct outcome {
        std::optional<std::uint32_t> fault{};  ///< its number, of one that was begun
    };

    /// Acts now, behind all events of this instant, which are handled first.
    ///
    ///     "fault"       a fault as a scenario has it, without times but `for`; one that lasts
    ///                   and does not say how long goes on until it is healed
    ///     "heal"        {"fault": 3}, by the number that its beginning gave
    ///     "publish"     {"broker": "cloud", "topic": "a/b", "payload": "x", "qos": 1,
    ///                    "retain": false}
    ///     "disconnect"  {"client_id": "meter-3"}, by the broker, with "administrative action"
    ///
    /// Throws std::invalid_argument with a sentence for what cannot be; then nothing is done.
    outcome act(std::string_view what, std::string_view json);

    /// Whether a fault was begun here, now or before.
    bool is_by_hand(std::uint32_t fault) const;

private:
    outcome begin_fault(std::string_view json);
    void heal(std::string_view json);
    void publish(std::string_view json);
    void disconnect(std::string_view json);

    struct held {
        std::uint32_t fault;
        fault_guard guard;
    };
    world& world_;
    std::vector<held> held_;
    std::vector<std::uint32_t> begun_;
};

}  // namespace fleetarium::sim
