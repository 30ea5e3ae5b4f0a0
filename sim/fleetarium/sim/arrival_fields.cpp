#include <fleetarium/sim/arrival_fields.hpp>

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/sim/scenario.hpp>
#include <fleetarium/sim/scenario_values.hpp>

#include <algorithm>

namespace fleetarium::sim::detail {

using namespace config;
using namespace config::detail;

namespace {

constexpr duration above_zero = duration(1);
constexpr double rate_max = 1e9;

const object_type<poisson_arrival>& poisson_type() {
    using t = poisson_arrival;
    static const object_type<t> type{
        "poisson_arrival",
        "a Poisson arrival",
        "At any moment alike, whatever came before.",
        {make_field<t>("per", duration_from(above_zero), &t::per,
                       "From one message to the next, on average.", R"("10s")", need::required)}};
    return type;
}

const object_type<diurnal_arrival>& diurnal_type() {
    using t = diurnal_arrival;
    static const object_type<t> type{
        "diurnal_arrival",
        "a diurnal curve",
        "A rate for each hour of the day, straight from hour to hour. The run begins at midnight.",
        {make_field<t>("per_hour", list_of(number(0, rate_max)), &t::per_hour,
                       "Messages an hour of each device, at each of the 24 full hours from "
                       "midnight on.",
                       "[1, 1, 1, 1, 1, 2, 6, 12, 20, 18, 16, 15, 14, 15, 16, 18, 20, 16, 10, 6, "
                       "4, 3, 2, 1]",
                       need::required),
         make_field<t>("spacing", word<enum spacing>({"random", "even"}), &t::spacing,
                       "random: at any moment alike, at the rate of the hour. even: as evenly as "
                       "the rate allows.",
                       R"("even")")}};
    return type;
}

const object_type<burst_arrival>& burst_type() {
    using t = burst_arrival;
    static const object_type<t> type{
        "burst_arrival",
        "bursts",
        "Several messages close together, then a pause.",
        {make_field<t>("messages", integer<std::uint32_t>(1), &t::messages, "Of a burst.", "5",
                       need::required),
         make_field<t>("gap", duration_distribution(), &t::gap,
                       "From one message of a burst to the next.", R"("200ms")", need::required),
         make_field<t>("pause", duration_distribution(), &t::pause,
                       "From the last of a burst to the first of the next.",
                       R"({"exponential": {"mean": "10m"}})", need::required)}};
    return type;
}

}  // namespace

const object_type<arrival_spec>& arrival_type() {
    using t = arrival_spec;
    static const object_type<t> type{
        "arrival",
        "an arrival",
        "When messages fall due; exactly one of its members.",
        {make_field<t>("poisson", optional_of(object_of(poisson_type())), &t::poisson,
                       "At any moment alike.", R"({"per": "10s"})"),
         make_field<t>("diurnal", optional_of(object_of(diurnal_type())), &t::diurnal,
                       "A rate for each hour of the day.",
                       R"({"per_hour": [1, 1, 1, 1, 1, 2, 6, 12, 20, 18, 16, 15, 14, 15, 16, 18,
                           20, 16, 10, 6, 4, 3, 2, 1]})"),
         make_field<t>("burst", optional_of(object_of(burst_type())), &t::burst,
                       "Several close together, then a pause.",
                       R"({"messages": 5, "gap": "200ms", "pause": "10m"})")}};
    return type;
}

const object_type<stage_spec>& stage_type() {
    using t = stage_spec;
    static const object_type<t> type{
        "stage",
        "a stage",
        "A part of the time in which messages are more or fewer. After the last stage its factor "
        "stays.",
        {make_field<t>("for", duration_from(above_zero), &t::lasts, "How long it lasts.",
                       R"("10m")", need::required),
         make_field<t>("rate", number(0, rate_max), &t::rate,
                       "Times as many messages as without it; 0 is none.", "2.5"),
         make_field<t>("to", optional_of(number(0, rate_max)), &t::to,
                       "The factor goes from \"rate\" to this evenly.", "10")}};
    return type;
}

std::vector<problem> check_arrival(const publication_spec& publication,
                                   const std::string& pointer) {
    std::vector<problem> problems;
    const auto report = [&](const std::string& where, std::string found, std::string expected) {
        problems.push_back({{}, 0, 0, pointer + where, std::move(found), std::move(expected), {}});
    };
    for (std::size_t i = 0; i < publication.stages.size(); ++i) {
        const stage_spec& stage = publication.stages[i];
        const std::string at = pointer_to("/stages", i);
        if (stage.lasts <= duration::zero()) {
            report(at + "/for", duration_text(stage.lasts), "a duration above 0");
        }
        if (!(stage.rate >= 0) || !(stage.to.value_or(0) >= 0)) {
            report(at, "a factor below 0", "0 or more");
        }
    }
    if (!publication.stages.empty() &&
        std::all_of(
            publication.stages.begin(), publication.stages.end(),
            [](const stage_spec& each) { return each.rate == 0 && each.to.value_or(0) == 0; })) {
        report("/stages", "factors of 0 only, which let nothing be published", "one above 0");
    }
    if (!publication.arrival) {
        return problems;
    }
    const arrival_spec& arrival = *publication.arrival;
    const int kinds =
        arrival.poisson.has_value() + arrival.diurnal.has_value() + arrival.burst.has_value();
    if (kinds != 1) {
        report("/arrival", kinds == 0 ? "an arrival without its kind" : "an arrival of two kinds",
               "exactly one of \"poisson\", \"diurnal\" or \"burst\"");
        return problems;
    }
    if (publication.period.mean() > 0) {
        report("/arrival", "an arrival beside a period", "one or the other");
    }
    if (publication.jitter != duration::zero()) {
        report("/jitter", duration_text(publication.jitter) + " beside an arrival",
               "none: it goes with \"period\"");
    }
    if (publication.phase && !arrival.burst) {
        report("/phase", duration_text(*publication.phase) + " beside an arrival at random",
               "none: it goes with \"period\" and with bursts");
    }
    if (arrival.poisson && arrival.poisson->per <= duration::zero()) {
        report("/arrival/poisson/per", duration_text(arrival.poisson->per), "a duration above 0");
    }
    if (arrival.diurnal) {
        const auto& rates = arrival.diurnal->per_hour;
        const std::string at = "/arrival/diurnal/per_hour";
        if (rates.size() != 24) {
            report(at, std::to_string(rates.size()) + " rates", "24, one for each hour of the day");
        } else if (std::any_of(rates.begin(), rates.end(), [](double x) { return !(x >= 0); }) ||
                   std::all_of(rates.begin(), rates.end(), [](double x) { return x == 0; })) {
            report(at, "rates below 0, or of 0 only", "0 or more each, and one above 0");
        }
    }
    if (arrival.burst) {
        for (const auto& [name, length] :
             {std::pair("/gap", &arrival.burst->gap), std::pair("/pause", &arrival.burst->pause)}) {
            if (length->mean() <= 0) {
                report(std::string("/arrival/burst") + name, "no time at all",
                       "a duration above 0");
            }
        }
        if (arrival.burst->messages == 0) {
            report("/arrival/burst/messages", "0", "1 or more");
        }
    }
    return problems;
}

}  // namespace fleetarium::sim::detail
