#include <fleetarium/core/latency_histogram.hpp>

#include "support/property.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::test;

namespace {

/// A histogram, its shards, and the sorted list of all that was recorded.
class twin_records {
public:
    std::string run(property_steps steps) {
        for (const property_step& step : steps) {
            switch (step.kind) {
                case 0: record(duration(step.a % 300), 1); break;
                case 1:
                    record(duration(static_cast<std::int64_t>(step.a) << step.b % 31), 1);
                    break;
                case 2: record(duration(step.a), step.b % 50); break;
                case 3:
                    whole_.clear();
                    shards_.assign(3, {});
                    plain_.clear();
                    break;
                default: {
                    std::string problem = compare(step.a % 1001 / 10.0);
                    if (!problem.empty()) {
                        return problem;
                    }
                }
            }
        }
        for (const double percent : {0.0, 0.1, 1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
            std::string problem = compare(percent);
            if (!problem.empty()) {
                return problem;
            }
        }
        return merged();
    }

private:
    void record(duration value, std::uint64_t times) {
        whole_.record(value, times);
        shards_[static_cast<std::size_t>(recorded_++ % shards_.size())].record(value, times);
        plain_.insert(plain_.end(), times, value);
    }

    std::string compare(double percent) {
        std::sort(plain_.begin(), plain_.end());
        if (whole_.count() != plain_.size() || whole_.empty() != plain_.empty()) {
            return "it has counted " + std::to_string(whole_.count());
        }
        if (plain_.empty()) {
            return whole_.percentile(percent) == duration::zero() ? "" : "nothing takes long";
        }
        duration sum{};
        for (const duration each : plain_) {
            sum += each / static_cast<std::int64_t>(plain_.size());
        }
        if (whole_.min() != plain_.front() || whole_.max() != plain_.back()) {
            return "another extreme";
        }
        const auto off_by = static_cast<std::int64_t>(plain_.size());
        if (whole_.mean() < sum || whole_.mean() > sum + duration(off_by)) {
            return "another mean";
        }
        const double rank = std::ceil(static_cast<double>(plain_.size()) * percent / 100);
        const duration exact = plain_[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
        const duration found = whole_.percentile(percent);
        const bool is_extreme = percent == 0 || percent == 100;
        const double error = std::abs(static_cast<double>((found - exact).count()));
        if (is_extreme ? found != exact : error > static_cast<double>(exact.count()) * 0.01) {
            return "percentile " + std::to_string(percent) + " is " +
                   std::to_string(found.count()) + " ns, not " + std::to_string(exact.count());
        }
        return {};
    }

    std::string merged() const {
        latency_histogram forwards;
        latency_histogram backwards;
        for (std::size_t i = 0; i < shards_.size(); ++i) {
            forwards.merge(shards_[i]);
            backwards.merge(shards_[shards_.size() - 1 - i]);
        }
        return forwards == whole_ && backwards == whole_ ? "" : "shards add up to something else";
    }

    latency_histogram whole_;
    std::vector<latency_histogram> shards_{3};
    std::vector<duration> plain_;
    std::uint64_t recorded_ = 0;
};

}  // namespace

TEST_CASE("a histogram answers as the sorted list of all durations would, within 1 %",
          "[latency_histogram][property]") {
    check_property({
        .name = "latency histogram",
        .kinds = {{"short", 6}, {"any size", 6}, {"several", 3}, {"clear", 1}, {"percentile", 6}},
        .cases = 1000,
        .steps_max = 300,
        .broken_by = [](property_steps steps) { return twin_records().run(steps); },
    });
}
