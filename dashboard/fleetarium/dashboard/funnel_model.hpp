#pragma once

#include <fleetarium/feed/feed_types.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

// Where messages stand and where they are lost, by QoS. Nothing here draws.

namespace fleetarium::dashboard {

struct lost_part {
    std::string words{};   ///< for the person
    std::string reason{};  ///< of messages_question, or "dropped" for all of a broker; empty: no
                           ///< list of messages has them
    std::uint64_t count = 0;
};

enum class funnel_step : std::uint8_t {
    due,
    published,
    routed,
    completed,
    deliveries,
    sent,
    delivered,
    acknowledged
};

struct funnel_step_row {
    funnel_step step = funnel_step::published;
    std::string name{};
    std::uint64_t count = 0;
    std::vector<lost_part> losses{};  ///< between the step before and this one
};

/// Of one QoS, from publishing to the last acknowledgement.
std::vector<funnel_step_row> funnel_of(const feed::totals& all, std::uint8_t qos);

/// What is lost before a broker has it, which is not known by QoS; empty where nothing is known.
std::vector<funnel_step_row> publisher_funnel(const feed::totals& all);

/// Losses by brokers, by reason, the most first; those of 0 are left out.
std::vector<lost_part> losses_of(const feed::totals& all,
                                 std::span<const std::string> drop_reasons);

}  // namespace fleetarium::dashboard
