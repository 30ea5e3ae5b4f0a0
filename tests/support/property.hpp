#pragma once

#include "support/case_share.hpp"

#include <fleetarium/core/random.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Generated cases against a naive model. A case is a list of steps, each a kind and three numbers,
// drawn without a look at what came of the ones before: whatever the numbers are, the property
// finds a meaning for them. So any part of a case is a case, and one that fails can be cut down to
// the steps that matter.
//
//     FLEETARIUM_PROPERTY_CASES=N   so many cases of each property instead of the few of a test run
//     FLEETARIUM_PROPERTY_SEED=S    the case of this seed alone, as a failure names it
namespace fleetarium::test {

/// One step of a case.
struct property_step {
    std::size_t kind = 0;  ///< index into property::kinds
    std::uint32_t a = 0;
    std::uint32_t b = 0;
    std::uint32_t c = 0;
};

using property_steps = std::span<const property_step>;

/// What is to hold in every case.
struct property {
    struct kind {
        std::string name;
        unsigned weight = 1;  ///< how often it is drawn, in relation to the others
    };

    std::string name;
    std::vector<kind> kinds;
    std::uint64_t cases = 100;    ///< in a test run; their seeds are 1 to so many
    std::size_t steps_max = 300;  ///< of a case
    /// Runs the steps on the thing and on its model, both new: what is wrong, empty if nothing is.
    std::function<std::string(property_steps)> broken_by;
    /// A step for people, where its kind and numbers say too little.
    std::function<std::string(const property_step&)> describe{};
};

/// A case in which a property does not hold.
struct counterexample {
    std::uint64_t seed = 0;
    std::size_t drawn = 0;  ///< steps before it was cut down
    std::vector<property_step> steps{};
    std::string problem{};  ///< of the steps left

    std::string text(const property& of) const {
        std::string out = of.name + " does not hold with seed " + std::to_string(seed) + ": " +
                          problem + "\n" + std::to_string(steps.size()) + " of " +
                          std::to_string(drawn) + " steps are enough:";
        for (const property_step& step : steps) {
            out += "\n    ";
            out += of.describe ? of.describe(step)
                               : of.kinds[step.kind].name + " " + std::to_string(step.a) + " " +
                                     std::to_string(step.b) + " " + std::to_string(step.c);
        }
        return out + "\nFLEETARIUM_PROPERTY_SEED=" + std::to_string(seed) + " runs it again";
    }
};

namespace detail {

/// What is wrong with a case; an exception is, too.
inline std::string problem_of(const property& of, property_steps steps) {
    try {
        return of.broken_by(steps);
    } catch (const std::exception& thrown) {
        return std::string("an exception: ") + thrown.what();
    }
}

inline std::vector<property_step> draw_case(const property& of, std::uint64_t seed) {
    random_stream random(seed, 0, of.name);
    // Some cases leave some kinds out, or almost: what is rare among everything is not rare there.
    std::vector<std::uint64_t> weights;
    std::uint64_t sum = 0;
    for (const property::kind& each : of.kinds) {
        const std::uint64_t factor = random.below(5) == 0 ? 0 : 1 + random.below(4);
        weights.push_back(each.weight * factor);
        sum += weights.back();
    }
    if (sum == 0) {
        weights.assign(of.kinds.size(), 1);
        sum = of.kinds.size();
    }
    // Short cases are cheap, and often enough.
    const std::uint64_t steps =
        1 + random.below(random.below(3) == 0 ? of.steps_max : of.steps_max / 8 + 1);
    std::vector<property_step> made;
    for (std::uint64_t i = 0; i < steps; ++i) {
        std::uint64_t at = random.below(sum);
        std::size_t kind = 0;
        while (at >= weights[kind]) {
            at -= weights[kind++];
        }
        made.push_back({kind, static_cast<std::uint32_t>(random.next_u64()),
                        static_cast<std::uint32_t>(random.next_u64()),
                        static_cast<std::uint32_t>(random.next_u64())});
    }
    return made;
}

/// Makes a failing case smaller as long as it fails: fewer steps, then smaller numbers.
class case_shrinker {
public:
    case_shrinker(const property& of, counterexample& found) : of_(of), found_(found) {}

    void shrink() {
        bool smaller = true;
        while (smaller) {
            smaller = false;
            for (std::size_t size = found_.steps.size() / 2; size != 0; size /= 2) {
                smaller |= drop_each(size);
            }
            smaller |= lessen_each();
        }
    }

private:
    static constexpr int tries_max = 4000;

    bool drop_each(std::size_t size) {
        bool dropped = false;
        for (std::size_t at = 0; at < found_.steps.size();) {
            std::vector<property_step> fewer = found_.steps;
            const std::size_t end = std::min(at + size, fewer.size());
            fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at),
                        fewer.begin() + static_cast<std::ptrdiff_t>(end));
            if (still_fails(fewer)) {
                dropped = true;
            } else {
                at += size;
            }
        }
        return dropped;
    }

    bool lessen_each() {
        bool lessened = false;
        for (std::size_t i = 0; i < found_.steps.size(); ++i) {
            for (auto property_step::*const number :
                 {&property_step::a, &property_step::b, &property_step::c}) {
                for (const std::uint32_t by : {1u, 1u << 8, 1u << 16, 1u << 31}) {
                    std::vector<property_step> less = found_.steps;
                    const std::uint32_t now = less[i].*number;
                    less[i].*number = by == 1 ? 0 : now % by;
                    if (less[i].*number != now && still_fails(less)) {
                        lessened = true;
                        break;
                    }
                }
            }
        }
        return lessened;
    }

    bool still_fails(std::vector<property_step>& steps) {
        if (++tries_ > tries_max) {
            return false;
        }
        std::string problem = problem_of(of_, steps);
        if (problem.empty()) {
            return false;
        }
        found_.steps = std::move(steps);
        found_.problem = std::move(problem);
        return true;
    }

    const property& of_;
    counterexample& found_;
    int tries_ = 0;
};

}  // namespace detail

/// The first case in which the property does not hold, cut down; none if it holds in all.
inline std::optional<counterexample> find_counterexample(const property& of) {
    const auto only = number_of_environment("FLEETARIUM_PROPERTY_SEED");
    const std::uint64_t cases =
        number_of_environment("FLEETARIUM_PROPERTY_CASES").value_or(share_of(of.cases));
    const std::uint64_t first = only.value_or(1);
    const std::uint64_t last = only.value_or(cases);
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        INFO(of.name << ", seed " << seed);  // for an assertion in what is tested
        counterexample found{seed, 0, detail::draw_case(of, seed)};
        found.drawn = found.steps.size();
        found.problem = detail::problem_of(of, found.steps);
        if (!found.problem.empty()) {
            detail::case_shrinker(of, found).shrink();
            return found;
        }
    }
    return std::nullopt;
}

/// Fails the test, with seed and steps, if the property does not hold.
inline void check_property(const property& of) {
    const auto found = find_counterexample(of);
    INFO((found ? found->text(of) : std::string()));
    CHECK(!found);
}

}  // namespace fleetarium::test
