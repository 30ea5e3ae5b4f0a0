#include <fleetarium/sim/arrival.hpp>

#include <fleetarium/core/exact_math.hpp>
#include <fleetarium/sim/arrival_process.hpp>

#include <algorithm>
#include <cmath>

namespace fleetarium::sim {

namespace detail {

namespace {

constexpr double nanoseconds_per_hour = 3600e9;
constexpr duration hour = std::chrono::hours{1};

/// Rates this far in the future matter to nobody; times near the end of the clock do.
constexpr instant horizon = instant(std::chrono::hours{24 * 365 * 250});

/// The integral over the first h nanoseconds of (a + b u) (c + d u).
double area(double a, double b, double c, double d, double h) {
    return h * (a * c + h * ((a * d + b * c) / 2 + h * (b * d / 3)));
}

}  // namespace

arrival_rate::arrival_rate(const publication_spec& publication, instant begin)
    : stages_(publication.stages), begin_(begin) {
    if (publication.arrival && publication.arrival->diurnal) {
        for (const double each : publication.arrival->diurnal->per_hour) {
            per_hour_.push_back(each / nanoseconds_per_hour);
        }
    }
}

arrival_rate::stretch arrival_rate::stretch_at(instant from) const {
    stretch made{
        .length = 0, .stage = 1, .stage_slope = 0, .curve = 1, .curve_slope = 0, .last = true};
    duration length = horizon - from;
    instant stage_begin = begin_;
    for (const stage_spec& each : stages_) {
        const instant stage_end = saturating_add(stage_begin, each.lasts);
        const double to = each.to.value_or(each.rate);
        if (from < stage_end) {
            made.stage_slope = (to - each.rate) / static_cast<double>(each.lasts.count());
            made.stage =
                each.rate + made.stage_slope * static_cast<double>((from - stage_begin).count());
            length = std::min(length, stage_end - from);
            made.last = false;
            break;
        }
        made.stage = to;
        stage_begin = stage_end;
    }
    if (!per_hour_.empty()) {
        const duration into = from.time_since_epoch() % hour;
        const auto of_day =
            static_cast<std::size_t>(from.time_since_epoch() / hour) % per_hour_.size();
        const double rate = per_hour_[of_day];
        made.curve_slope =
            (per_hour_[(of_day + 1) % per_hour_.size()] - rate) / nanoseconds_per_hour;
        made.curve = rate + made.curve_slope * static_cast<double>(into.count());
        length = std::min(length, hour - into);
        made.last = made.last && made.stage == 0;
    }
    made.length = static_cast<double>(length.count());
    return made;
}

double arrival_rate::between(instant from, instant to) const {
    double sum = 0;
    while (from < to && from < horizon) {
        const stretch on = stretch_at(from);
        const double length = std::min(on.length, static_cast<double>((to - from).count()));
        sum += area(on.stage, on.stage_slope, on.curve, on.curve_slope, length);
        from += duration(static_cast<duration::rep>(length));
    }
    return sum;
}

instant arrival_rate::after(instant from, double amount) const {
    while (from < horizon) {
        const stretch on = stretch_at(from);
        const auto passed = [&on](double length) {
            return area(on.stage, on.stage_slope, on.curve, on.curve_slope, length);
        };
        const double whole = passed(on.length);
        // Where nothing passes, not even the first message is due.
        if (whole >= amount && whole > 0) {
            double low = 0;
            double high = on.length;
            if (on.stage_slope == 0 && on.curve_slope == 0 && amount > 0) {
                low = high = amount / (on.stage * on.curve);
            }
            // It never falls, so halving finds the place, to the nanosecond.
            while (high - low > 0.5) {
                const double middle = low + (high - low) / 2;
                if (!(middle > low && middle < high)) {
                    break;  // as near as doubles of this size are to one another
                }
                (passed(middle) < amount ? low : high) = middle;
            }
            return from + duration(static_cast<duration::rep>(high));
        }
        if (on.last) {
            return never;
        }
        amount -= whole;
        from += duration(static_cast<duration::rep>(on.length));
    }
    return never;
}

arrival_process::arrival_process(const publication_spec& publication, instant begin)
    : spec_(publication), begin_(begin), rate_(publication, begin) {}

/// In the publication's own time: nanoseconds, or messages with a diurnal curve.
double arrival_process::gap_before(std::uint32_t number, random_stream& draws) const {
    const auto of = [&draws](const distribution& length) {
        return static_cast<double>(length.sample_duration(draws).count());
    };
    if (!spec_.arrival) {
        return of(spec_.period);
    }
    if (spec_.arrival->burst) {
        const burst_arrival& burst = *spec_.arrival->burst;
        return of(number % burst.messages == 0 ? burst.pause : burst.gap);
    }
    const bool even = spec_.arrival->diurnal && spec_.arrival->diurnal->spacing == spacing::even;
    const double part = draws.uniform();
    const double exponential = 0 - exact_math::log(1 - part);
    if (spec_.arrival->poisson) {
        return exponential * static_cast<double>(spec_.arrival->poisson->per.count());
    }
    return !even ? exponential : number == 0 ? part : 1;
}

instant arrival_process::first(random_key key) const {
    random_stream draws(random_key{combine(key.value, 0)});
    double gap = 0;
    const bool has_phase = !spec_.arrival || spec_.arrival->burst;
    if (has_phase && spec_.phase) {
        gap = static_cast<double>(spec_.phase->count());
    } else {
        gap = gap_before(0, draws);
        gap = has_phase ? gap * draws.uniform() : gap;
    }
    return rate_.after(begin_, gap);
}

instant arrival_process::next(instant last, std::uint32_t number, random_key key) const {
    random_stream draws(random_key{combine(key.value, number)});
    const instant found = rate_.after(last, gap_before(number, draws));
    // Two at one instant would be a message and its double.
    return std::max(found, saturating_add(last, gap_min));
}

}  // namespace detail

double expected_messages(const publication_spec& publication, duration run) {
    if (!publication.arrival && publication.period.mean() <= 0) {
        return 0;  // only on connects or messages
    }
    const instant begin = instant(publication.start);
    const instant end = instant(publication.until ? std::min(run, *publication.until) : run);
    const double own_time = detail::arrival_rate(publication, begin).between(begin, end);
    double messages = 0;
    const auto mean_of = [](const distribution& length) {
        return std::max(length.mean(), static_cast<double>(detail::gap_min.count()));
    };
    if (!publication.arrival) {
        const double offset =
            publication.phase ? static_cast<double>(publication.phase->count()) : 0;
        const double period = mean_of(publication.period);
        messages = own_time / period;
        if (publication.phase) {
            messages = own_time < offset ? 0 : std::floor((own_time - offset) / period) + 1;
        }
    } else if (publication.arrival->poisson) {
        messages = own_time / static_cast<double>(publication.arrival->poisson->per.count());
    } else if (publication.arrival->burst) {
        const burst_arrival& burst = *publication.arrival->burst;
        messages = own_time * burst.messages /
                   (mean_of(burst.pause) + (burst.messages - 1) * mean_of(burst.gap));
    } else {
        messages = own_time;
    }
    return publication.count ? std::min(messages, static_cast<double>(*publication.count))
                             : messages;
}

}  // namespace fleetarium::sim
