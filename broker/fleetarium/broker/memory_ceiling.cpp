#include <fleetarium/broker/memory_ceiling.hpp>

namespace fleetarium::broker {

namespace {

/// Of the ceiling, in twentieths: a step begins there, and ends one below.
constexpr std::size_t twentieths = 20;
constexpr std::size_t first_begin = 16;

std::size_t part_of(std::size_t ceiling, std::size_t count) {
    return ceiling / twentieths * count + ceiling % twentieths * count / twentieths;
}

}  // namespace

std::string_view name_of(shedding step) {
    switch (step) {
        case shedding::none: return "none";
        case shedding::connections: return "connections";
        case shedding::growth: return "growth";
        case shedding::qos_0: return "qos_0";
        case shedding::queues: return "queues";
        case shedding::publishers: return "publishers";
    }
    return "unknown";
}

std::size_t memory_ceiling::begin_of(shedding step, std::size_t ceiling) {
    return step == shedding::none ? 0 : part_of(ceiling, first_begin + index_of(step));
}

std::size_t memory_ceiling::end_of(shedding step, std::size_t ceiling) {
    return step == shedding::none ? 0 : part_of(ceiling, first_begin - 1 + index_of(step));
}

void memory_ceiling::move(std::size_t now) {
    auto step = step_;
    while (step != shedding::publishers &&
           now >= begin_of(static_cast<shedding>(static_cast<int>(step) + 1), ceiling_)) {
        step = static_cast<shedding>(static_cast<int>(step) + 1);
    }
    while (step != shedding::none && now < end_of(step, ceiling_)) {
        step = static_cast<shedding>(static_cast<int>(step) - 1);
    }
    enter(step);
}

void memory_ceiling::enter(shedding step) {
    step_ = step;
    const bool is_last = step == shedding::publishers || !is_set();
    next_begin_ = is_last ? std::numeric_limits<std::size_t>::max()
                          : begin_of(static_cast<shedding>(static_cast<int>(step) + 1), ceiling_);
    end_ = end_of(step, ceiling_);
}

}  // namespace fleetarium::broker
