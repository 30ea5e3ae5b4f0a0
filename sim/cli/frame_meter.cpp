#include "frame_meter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

namespace fleetarium::cli {

namespace {

/// What `percent` of the values do not exceed; 0 of none.
double percentile(std::vector<double> of, std::size_t percent) {
    if (of.empty()) {
        return 0;
    }
    const std::size_t place = std::min(of.size() * percent / 100, of.size() - 1);
    const auto at = of.begin() + static_cast<std::ptrdiff_t>(place);
    std::nth_element(of.begin(), at, of.end());
    return *at;
}

}  // namespace

void frame_meter::begin(const std::string& view) { views_.push_back({view}); }

void frame_meter::add(double whole, double processor) {
    views_.back().whole.push_back(whole);
    views_.back().processor.push_back(processor);
}

bool frame_meter::is_within_limit() const {
    return std::all_of(views_.begin(), views_.end(),
                       [](const times& each) { return percentile(each.processor, 99) <= limit; });
}

std::string frame_meter::table() const {
    constexpr double ms = 1000;
    std::string out =
        fmt::format("{:<10} {:>7} {:>9} {:>9} {:>12} {:>12}  limit {:.1f} ms\n", "view", "frames",
                    "median", "p99", "own median", "own p99", limit * ms);
    for (const times& each : views_) {
        const double own = percentile(each.processor, 99);
        out += fmt::format("{:<10} {:>7} {:>9.1f} {:>9.1f} {:>12.1f} {:>12.1f}  {}\n", each.view,
                           each.whole.size(), percentile(each.whole, 50) * ms,
                           percentile(each.whole, 99) * ms, percentile(each.processor, 50) * ms,
                           own * ms, own <= limit ? "reached" : "NOT REACHED");
    }
    return out;
}

double own_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace fleetarium::cli
