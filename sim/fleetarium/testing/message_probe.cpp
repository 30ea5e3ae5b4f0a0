#include <fleetarium/testing/message_probe.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/testing/probe_backend.hpp>

#include <fmt/format.h>

#include <utility>

namespace fleetarium::testing {

namespace {

void check_filter(std::string_view filter) {
    if (!is_valid_topic_filter(filter) || is_shared_filter(filter)) {
        throw std::invalid_argument(
            fmt::format("\"{}\" is no topic filter that a probe can use: levels, + for one level "
                        "and # for the rest at the end are expected",
                        filter));
    }
}

detail::message_wish make_wish(std::string_view filter, std::size_t count,
                               const message_predicate& wanted, duration within) {
    check_filter(filter);
    return {std::string(filter), wanted, count, within};
}

std::string describe_wish(const detail::message_wish& wish) {
    return fmt::format("{}{} within {}", wish.filter, wish.wanted ? " and the predicate" : "",
                       detail::describe(wish.within));
}

std::vector<probed_message> messages_or_throw(probe_outcome outcome) {
    if (!outcome) {
        throw probe_error(outcome.failure);
    }
    return std::move(outcome.messages);
}

}  // namespace

// The inside

message_probe::implementation::implementation(const probe_options& options)
    : options_(options), log_(std::make_unique<detail::message_log>(options.messages_max)) {
    for (const std::string& each : options.filters) {
        check_filter(each);
    }
    if (options.filters.empty()) {
        throw std::invalid_argument("a probe without a filter hears nothing: name at least one");
    }
}

void message_probe::implementation::begin(std::unique_ptr<probe_backend> backend) {
    backend_ = std::move(backend);
    const instant deadline = saturating_add(backend_->now(), options_.begin_within);
    for (;;) {
        const std::uint64_t seen = log_->changes();
        if (backend_->is_subscribed()) {
            return;
        }
        const bool refused = backend_->is_refused();
        if (refused || backend_->now() >= deadline) {
            throw probe_error(
                fmt::format("the probe was not subscribed{}. {}",
                            refused ? "" : " within " + detail::describe(options_.begin_within),
                            describe_state("wants to subscribe")));
        }
        backend_->pass_time(seen, deadline);
    }
}

bool message_probe::implementation::search_until(detail::message_log::search& search,
                                                 instant deadline) {
    for (;;) {
        const std::uint64_t seen = log_->changes();
        if (search.proceed()) {
            return true;
        }
        if (backend_->now() >= deadline) {
            return false;
        }
        backend_->pass_time(seen, deadline);
    }
}

probe_outcome message_probe::implementation::wait(detail::message_wish wish) {
    const instant deadline = saturating_add(backend_->now(), wish.within);
    detail::message_log::search search(*log_, wish);
    if (search_until(search, deadline)) {
        return {search.take(), {}};
    }
    const std::string found = wish.count == 1
                                  ? "no message"
                                  : fmt::format("{} of {} messages", search.found(), wish.count);
    return {{},
            fmt::format("{} matched {}; {}\n{}", found, describe_wish(wish),
                        log_->describe_for(wish.filter), describe_state("is subscribed"))};
}

probe_outcome message_probe::implementation::expect_none(detail::message_wish wish) {
    const instant deadline = saturating_add(backend_->now(), wish.within);
    detail::message_log::search search(*log_, wish);
    if (!search_until(search, deadline)) {
        return {};
    }
    const std::vector<probed_message> found = search.take();
    const std::string shown = found.empty() ? "" : detail::describe(found.front());
    return {{},
            fmt::format("a message matched {}, none was expected: {}\n{}", describe_wish(wish),
                        shown, log_->describe_for(wish.filter))};
}

std::string message_probe::implementation::describe_state(std::string_view verb) const {
    std::string trouble = backend_->trouble();
    while (trouble.ends_with(' ')) {
        trouble.pop_back();
    }
    return fmt::format("The probe {} to {}{}", verb, fmt::join(options_.filters, ", "),
                       trouble.empty() ? "." : "; " + trouble);
}

// The face

message_probe::~message_probe() = default;
message_probe::message_probe(message_probe&&) noexcept = default;
message_probe& message_probe::operator=(message_probe&&) noexcept = default;

probed_message message_probe::wait_for(std::string_view filter, duration within) {
    return wait_for(filter, {}, within);
}

probed_message message_probe::wait_for(std::string_view filter, const message_predicate& wanted,
                                       duration within) {
    return std::move(wait_for_count(filter, 1, wanted, within).front());
}

std::vector<probed_message> message_probe::wait_for_count(std::string_view filter,
                                                          std::size_t count, duration within) {
    return wait_for_count(filter, count, {}, within);
}

std::vector<probed_message> message_probe::wait_for_count(std::string_view filter,
                                                          std::size_t count,
                                                          const message_predicate& wanted,
                                                          duration within) {
    return messages_or_throw(try_wait_for(filter, count, wanted, within));
}

void message_probe::expect_none(std::string_view filter, duration during) {
    expect_none(filter, {}, during);
}

void message_probe::expect_none(std::string_view filter, const message_predicate& wanted,
                                duration during) {
    messages_or_throw(try_expect_none(filter, wanted, during));
}

probe_outcome message_probe::try_wait_for(std::string_view filter, std::size_t count,
                                          const message_predicate& wanted, duration within) {
    return implementation_->wait(make_wish(filter, count, wanted, within));
}

probe_outcome message_probe::try_expect_none(std::string_view filter,
                                             const message_predicate& wanted, duration during) {
    return implementation_->expect_none(make_wish(filter, 1, wanted, during));
}

std::vector<probed_message> message_probe::messages() const {
    return implementation_->log().messages();
}

void message_probe::clear() { implementation_->log().clear(); }

}  // namespace fleetarium::testing
