#include <fleetarium/client/reconnect_policy.hpp>

#include <algorithm>

namespace fleetarium::detail {

namespace {

// From here on the wait is the longest, whatever the factor; with factor 1 it is always the same.
constexpr std::uint32_t waits_max = 1000;

}  // namespace

void reconnect_policy::reset() {
    first_of_round_ = server_;
    finals_ = 0;
    attempts_ = 0;
    waits_ = 0;
}

void reconnect_policy::use_servers(std::size_t count) {
    servers_ = count;
    server_ = 0;
    reset();
}

void reconnect_policy::accepted(instant now) {
    accepted_at_ = now;
    attempts_ = 0;
    finals_ = 0;
}

std::optional<duration> reconnect_policy::failed(bool final) {
    ++attempts_;
    finals_ = final ? finals_ + 1 : 0;
    server_ = (server_ + 1) % servers_;
    const bool exhausted = options_->attempts() != 0 && attempts_ >= options_->attempts();
    if (exhausted || finals_ >= servers_) {
        return std::nullopt;
    }
    return server_ == first_of_round_ ? next_wait() : duration::zero();
}

std::optional<duration> reconnect_policy::lost(instant now, bool final) {
    if (was_stable(now)) {
        reset();
    }
    first_of_round_ = server_;
    return final ? failed(true) : next_wait();
}

duration reconnect_policy::next_wait() {
    const double longest = static_cast<double>(options_->max().count());
    double wait = static_cast<double>(options_->first().count());
    // Multiplied step by step: std::pow may differ between machines, and draws must not.
    for (std::uint32_t i = 0; i < waits_ && wait < longest; ++i) {
        wait *= options_->factor();
    }
    waits_ = std::min(waits_ + 1, waits_max);
    wait = std::min(wait, longest) * (1 - options_->jitter() * random_.uniform());
    return duration{static_cast<duration::rep>(wait)};
}

}  // namespace fleetarium::detail
