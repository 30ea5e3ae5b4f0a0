#include "bench_against_rows.hpp"

#include <algorithm>

namespace fleetarium::cli::bench {

double median_of(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double against_row::figure(const broker_figures& of) const {
    if (of.values.empty()) {
        return 0;
    }
    if (summary == summary::median) {
        return median_of(of.values);
    }
    return better == better::higher ? *std::max_element(of.values.begin(), of.values.end())
                                    : *std::min_element(of.values.begin(), of.values.end());
}

double against_row::ratio() const {
    const double mine = ours ? figure(*ours) : 0;
    const double other = figure(theirs);
    if (mine <= 0 || other <= 0) {
        return 0;
    }
    return better == better::higher ? mine / other : other / mine;
}

enum verdict against_row::verdict() const {
    if (!theirs.problem.empty() || (ours && !ours->problem.empty())) {
        return verdict::not_carried_out;
    }
    if (!theirs.found.none() || (ours && !ours->found.none())) {
        return verdict::invalid;
    }
    if (!ours) {
        return verdict::not_asked;
    }
    const double mine = figure(*ours);
    const auto as_good_as = [&](double wanted) {
        return better == better::higher ? mine >= wanted : mine <= wanted;
    };
    const bool not_behind = ratio() >= 1;
    if (asked.aim == 0) {
        return not_behind ? verdict::reached : verdict::missed;
    }
    const double multiple = against_mosquitto ? asked.multiple : 0;
    if (as_good_as(asked.aim) || (multiple != 0 && ratio() >= multiple)) {
        return verdict::reached;
    }
    const bool at_floor = asked.floor == 0 || as_good_as(asked.floor);
    return at_floor && ratio() >= std::max(1.0, multiple / 2) ? verdict::floor : verdict::missed;
}

}  // namespace fleetarium::cli::bench
