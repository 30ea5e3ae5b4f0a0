#pragma once

#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/random.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <cstdint>
#include <vector>

namespace fleetarium::sim::detail {

/// Messages are at least this far apart, whatever a distribution says: otherwise one that is 0
/// now and then could hold the clock.
inline constexpr duration gap_min = std::chrono::microseconds{1};

/// How fast a publication's own time goes: the product of its stages' factor and, with a diurnal
/// curve, the rate of the hour. Both are made of straight lines.
class arrival_rate {
public:
    /// `begin` is when the stages begin; the day's first midnight is instant{}.
    arrival_rate(const publication_spec& publication, instant begin);

    /// Own time that passes from one instant to another.
    double between(instant from, instant to) const;

    /// When so much own time has passed since `from`; `never` if it does not.
    instant after(instant from, double amount) const;

private:
    /// Until the next corner of either line.
    struct stretch {
        double length;       // nanoseconds
        double stage;        // at its beginning,
        double stage_slope;  // and per nanosecond
        double curve;
        double curve_slope;
        bool last;  // nothing ever changes
    };

    stretch stretch_at(instant from) const;

    std::vector<stage_spec> stages_;
    std::vector<double> per_hour_;
    instant begin_;
};

/// When the messages of a publication with an arrival or stages fall due. Draws are of the
/// message's number, so nothing has to be remembered but the last instant.
class arrival_process {
public:
    arrival_process(const publication_spec& publication, instant begin);

    /// `never`: there is none.
    instant first(random_key draws) const;

    /// After message `number` - 1 (counted from 0), which was at `last`.
    instant next(instant last, std::uint32_t number, random_key draws) const;

private:
    double gap_before(std::uint32_t number, random_stream& draws) const;

    const publication_spec& spec_;
    instant begin_;
    arrival_rate rate_;
};

}  // namespace fleetarium::sim::detail
