#include <fleetarium/testing/message_log.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/codec/utf8.hpp>
#include <fleetarium/config/json_document.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace fleetarium::testing::detail {

namespace {

constexpr std::size_t lines_max = 20;
constexpr std::size_t payload_bytes_shown_max = 80;

std::string describe_payload(std::string_view payload) {
    std::string_view shown = payload.substr(0, payload_bytes_shown_max);
    const bool is_text = fleetarium::detail::check_string(payload) == violation::none;
    std::string out;
    if (is_text) {
        // Not in the middle of a character.
        while (shown.size() < payload.size() && !shown.empty() &&
               (static_cast<unsigned char>(payload[shown.size()]) & 0xC0U) == 0x80U) {
            shown.remove_suffix(1);
        }
        out = config::json_quoted(shown);
    } else {
        shown = shown.substr(0, payload_bytes_shown_max / 3);
        for (const char each : shown) {
            out +=
                fmt::format("{}{:02X}", out.empty() ? "" : " ", static_cast<unsigned char>(each));
        }
    }
    if (shown.size() < payload.size()) {
        out += fmt::format("... ({} bytes)", payload.size());
    }
    return out;
}

std::string describe_count(std::size_t count) {
    return count == 0 ? "no message" : count == 1 ? "1 message" : fmt::format("{} messages", count);
}

}  // namespace

std::string describe(const probed_message& message) {
    return fmt::format("{} qos {}{} {}", message.topic, static_cast<int>(message.qos),
                       message.retain ? " retained" : "", describe_payload(message.payload));
}

std::string describe(duration span) {
    using namespace std::chrono;
    if (span < 1s) {
        return fmt::format("{} ms", std::chrono::duration<double, std::milli>(span).count());
    }
    if (span < 1min) {
        return fmt::format("{} s", std::chrono::duration<double>(span).count());
    }
    const auto whole_hours = duration_cast<hours>(span);
    const auto whole_minutes = duration_cast<minutes>(span - whole_hours);
    const auto rest = span - whole_hours - whole_minutes;
    std::string out = whole_hours == 0h ? "" : fmt::format("{} h", whole_hours.count());
    if (whole_minutes != 0min) {
        out += fmt::format("{}{} min", out.empty() ? "" : " ", whole_minutes.count());
    }
    if (rest != 0s) {
        out += ' ' + describe(duration(rest));
    }
    return out;
}

void message_log::add(probed_message arrived) {
    const std::lock_guard lock(mutex_);
    entries_.push_back({std::make_shared<const probed_message>(std::move(arrived)), false});
    if (entries_.size() > messages_max_) {
        entries_.pop_front();
        ++first_number_;
    }
    ++changes_;
    changed_.notify_all();
}

void message_log::wake() {
    const std::lock_guard lock(mutex_);
    ++changes_;
    changed_.notify_all();
}

std::uint64_t message_log::changes() const {
    const std::lock_guard lock(mutex_);
    return changes_;
}

void message_log::wait_while(std::uint64_t seen, duration at_most) const {
    std::unique_lock lock(mutex_);
    // In turns: the sum of now and a very long wait would not fit.
    changed_.wait_for(lock, std::min(at_most, duration(std::chrono::hours{1})),
                      [&] { return changes_ != seen; });
}

bool message_log::search::proceed() {
    while (found_.size() < wish_.count) {
        std::shared_ptr<const probed_message> candidate;
        {
            const std::lock_guard lock(log_.mutex_);
            next_ = std::max(next_, log_.first_number_);
            if (next_ == log_.first_number_ + log_.entries_.size()) {
                return false;
            }
            const entry& next = log_.entries_[next_ - log_.first_number_];
            ++next_;
            if (next.returned) {
                continue;
            }
            candidate = next.message;
        }
        // The predicate is a stranger's code: it may take its time, and throw.
        if (topic_matches(wish_.filter, candidate->topic) &&
            (!wish_.wanted || wish_.wanted(*candidate))) {
            found_.push_back(next_ - 1);
        }
    }
    return true;
}

std::vector<probed_message> message_log::search::take() {
    std::vector<probed_message> out;
    const std::lock_guard lock(log_.mutex_);
    for (const std::uint64_t number : found_) {
        if (number >= log_.first_number_) {
            entry& taken = log_.entries_[number - log_.first_number_];
            taken.returned = true;
            out.push_back(*taken.message);
        }
    }
    return out;
}

std::vector<probed_message> message_log::messages() const {
    std::vector<probed_message> out;
    const std::lock_guard lock(mutex_);
    for (const entry& each : entries_) {
        out.push_back(*each.message);
    }
    return out;
}

void message_log::clear() {
    const std::lock_guard lock(mutex_);
    first_number_ += entries_.size();
    entries_.clear();
}

std::string message_log::describe_for(std::string_view filter) const {
    const std::lock_guard lock(mutex_);
    std::vector<const entry*> matching;
    std::vector<const entry*> all;
    for (const entry& each : entries_) {
        all.push_back(&each);
        if (topic_matches(filter, each.message->topic)) {
            matching.push_back(&each);
        }
    }
    std::string out = describe_count(all.size()) + " arrived";
    if (first_number_ != 0) {
        out += fmt::format(" and {} before, forgotten", first_number_);
    }
    if (all.empty()) {
        return out;
    }
    out += fmt::format(", {} of them matched the filter:",
                       matching.empty() ? "none" : std::to_string(matching.size()));
    const auto& shown = matching.empty() ? all : matching;
    const std::size_t skipped = shown.size() - std::min(shown.size(), lines_max);
    if (skipped != 0) {
        out += fmt::format("\n  ... {} earlier", skipped);
    }
    for (std::size_t i = skipped; i < shown.size(); ++i) {
        const probed_message& message = *shown[i]->message;
        out += fmt::format("\n  [{:.3f} s] {}{}",
                           std::chrono::duration<double>(message.arrived_after).count(),
                           describe(message), shown[i]->returned ? " (already returned)" : "");
    }
    return out;
}

}  // namespace fleetarium::testing::detail
