#pragma once

#include <fleetarium/feed/feed_types.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Faults, violations and annotations as they lie over charts, and in lanes. Nothing here draws.

namespace fleetarium::dashboard {

struct overlay_band {
    double from = 0;
    double until = 0;
    bool goes_on = false;  ///< `until` is the end of what there is
    std::string label{};
};

enum class mark_kind : std::uint8_t { violation, annotation, command, gap };

struct overlay_mark {
    double at = 0;
    mark_kind kind = mark_kind::annotation;
    std::string label{};
};

struct overlay_rows {
    std::vector<overlay_band> bands{};
    std::vector<overlay_mark> marks{};
};

/// `end` is the end of what there is, to which faults that go on last.
overlay_rows overlay_of(const feed::timeline_answer& timeline, double end);

/// Faults of one kind and place, one behind the other.
struct fault_lane {
    std::string name{};
    std::vector<feed::fault_row> faults{};
};

inline constexpr std::size_t fault_lanes_max = 24;

/// Lanes in the order in which their first fault began; faults of lanes beyond the most are in the
/// last, called "others".
std::vector<fault_lane> lanes_of(const feed::timeline_answer& timeline);

/// What a person fills in to begin a fault.
struct fault_form {
    std::string kind{};
    std::string fleet{};   ///< empty: all
    std::string broker{};  ///< of faults of brokers; empty: the first
    double share = 1;      ///< of the fleet, above 0, at most 1
    std::string lasts{"10s"};
    bool until_healed = false;
    bool power_cut = false;  ///< of broker_crash: the machine's power, of a broker with storage
    std::string amount{};  ///< what `amount_of` asks for
};

/// What a kind of fault needs to be told beside where and how long.
struct fault_amount {
    std::string member{};    ///< of the JSON; empty: nothing
    std::string words{};     ///< for the person: "later by"
    std::string usual{};     ///< to begin with
    bool is_number = false;  ///< else text
};

fault_amount amount_of(std::string_view kind);

/// The JSON of fault_command. `kind` is what `form.kind` names. Throws std::invalid_argument: the
/// amount is no number where one is needed.
std::string fault_json(const fault_form& form, const feed::fault_kind_info& kind);

}  // namespace fleetarium::dashboard
