#pragma once

#include <fleetarium/core/distribution.hpp>
#include <fleetarium/sim/generator_set.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::test {

/// One device with generators, asked by templates at instants that do not go back.
class generator_subject {
public:
    explicit generator_subject(const std::vector<sim::generator_spec>& specs,
                               std::uint64_t device = 1)
        : set_(specs), state_(set_.state_size()), device_(device) {}

    /// What the template shows; "skipped" where there is to be no message.
    std::string show(std::string_view text, duration at, std::uint64_t messages = 0) {
        const sim::text_template made(text, sim::template_use::payload, set_.names());
        const auto plan = set_.plan_for(made.generator_uses());
        sim::template_values values;
        values.generated =
            set_.evaluate(plan, {instant(at), instant{}, random_key{device_}, messages}, state_);
        if (values.generated.empty()) {
            return "skipped";
        }
        std::string out;
        made.render(values, out);
        return out;
    }

    double value(std::string_view text, duration at, std::uint64_t messages = 0) {
        return std::stod(show(text, at, messages));
    }

    std::size_t state_bytes() const { return state_.size() * sizeof(double); }

private:
    sim::detail::generator_set set_;
    std::vector<double> state_;
    std::uint64_t device_;
};

inline distribution always(duration length) {
    return distribution::constant(static_cast<double>(length.count()));
}

inline distribution exponential(duration mean) {
    return distribution::exponential(static_cast<double>(mean.count()));
}

}  // namespace fleetarium::test
