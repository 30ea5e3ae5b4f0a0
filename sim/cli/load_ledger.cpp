#include "load_ledger.hpp"

#include <fmt/format.h>

namespace fleetarium::cli::load {

namespace {

/// No run sends as many messages: a subscriber that expects none of a publisher waits for this one.
constexpr std::uint32_t never = 0xFFFF'FFFF;

/// Gaps that are kept one by one, so that what fills them later is known as reordered. A broker
/// that leaves more is wrong beyond doubt; the others count as lost at once.
constexpr std::size_t missing_max = 1'000'000;

}  // namespace

void violations::add(const violations& other) {
    lost += other.lost;
    reordered += other.reordered;
    duplicated += other.duplicated;
    misdelivered += other.misdelivered;
    misacknowledged += other.misacknowledged;
    stalled = stalled || other.stalled;
}

std::string to_string(const violations& counted) {
    std::string out;
    const auto add = [&out](std::uint64_t count, const char* what) {
        if (count != 0) {
            out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, what);
        }
    };
    add(counted.lost, "lost");
    add(counted.reordered, "reordered");
    add(counted.duplicated, "duplicated");
    add(counted.misdelivered, "misdelivered");
    add(counted.misacknowledged, "acknowledged wrongly");
    if (counted.stalled) {
        out += out.empty() ? "stalled" : ", stalled";
    }
    return out;
}

ledger::ledger(std::uint32_t publishers, std::uint32_t subscribers,
               const std::function<bool(std::uint32_t, std::uint32_t)>& expects)
    : publishers_(publishers), next_(std::size_t{publishers} * subscribers, never) {
    for (std::uint32_t subscriber = 0; subscriber < subscribers; ++subscriber) {
        for (std::uint32_t publisher = 0; publisher < publishers; ++publisher) {
            if (expects(subscriber, publisher)) {
                next_[std::size_t{subscriber} * publishers + publisher] = 0;
            }
        }
    }
}

bool ledger::take_unexpected(std::uint32_t subscriber, std::uint32_t publisher,
                             std::uint32_t sequence) {
    const std::size_t flow = std::size_t{subscriber} * publishers_ + publisher;
    if (publisher >= publishers_ || next_[flow] == never) {
        ++found_.misdelivered;
        return false;
    }
    if (sequence > next_[flow]) {
        for (std::uint32_t skipped = next_[flow]; skipped != sequence; ++skipped) {
            if (missing_.size() == missing_max) {
                found_.lost += sequence - skipped;
                break;
            }
            missing_.insert({flow, skipped});
        }
        next_[flow] = sequence + 1;
        ++arrived_;
        return true;
    }
    if (missing_.erase({flow, sequence}) != 0) {
        ++found_.reordered;
        ++arrived_;
        return true;
    }
    ++found_.duplicated;
    return false;
}

violations ledger::close(const std::vector<std::uint32_t>& sent) const {
    violations out = found_;
    out.lost += missing_.size();
    for (std::size_t flow = 0; flow < next_.size(); ++flow) {
        if (next_[flow] != never) {
            const std::uint32_t owed = sent[flow % publishers_];
            out.lost += owed > next_[flow] ? owed - next_[flow] : 0;
            out.misdelivered += next_[flow] > owed ? next_[flow] - owed : 0;
        }
    }
    return out;
}

}  // namespace fleetarium::cli::load
