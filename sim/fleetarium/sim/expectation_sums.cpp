#include <fleetarium/sim/expectation_sums.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace fleetarium::sim::detail {

std::optional<double> ratio(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? std::optional<double>()
                      : static_cast<double>(part) / static_cast<double>(whole);
}

namespace {

double seconds(duration value) { return std::chrono::duration<double>(value).count(); }

std::optional<double> rate(std::uint64_t count, duration span) {
    return span <= duration{} ? std::optional<double>()
                              : static_cast<double>(count) / seconds(span);
}

/// The percentile of what was recorded after `before` was taken; within 1 %.
std::optional<double> percentile_seconds(const latency_histogram& now,
                                         const latency_histogram& before, double percent) {
    if (now.count() == before.count()) {
        return std::nullopt;
    }
    if (before.empty()) {
        return seconds(now.percentile(percent));
    }
    struct bucket {
        duration last;
        std::uint64_t count;
    };
    std::vector<bucket> known;
    before.for_each_bucket([&](duration, duration last, std::uint64_t count) {
        known.push_back({last, count});
    });
    const auto whole = static_cast<double>(now.count() - before.count());
    const std::uint64_t wanted =
        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(whole * percent / 100)));
    std::uint64_t seen = 0;
    duration found{};
    auto old = known.begin();
    now.for_each_bucket([&](duration, duration last, std::uint64_t count) {
        if (seen >= wanted) {
            return;
        }
        if (old != known.end() && old->last == last) {
            count -= old->count;
            ++old;
        }
        seen += count;
        found = last;
    });
    return seconds(std::min(found, now.max()));
}

std::uint64_t drops(const expectation_spec& expected, const expectation_sums& of) {
    // A message that the broker refused has no delivery, thus no receiver and no QoS of one.
    const bool with_refused = expected.receiver.empty() && !expected.qos;
    const auto refused = [&](broker::drop_reason why) {
        return with_refused ? of.publishers.dropped[static_cast<std::size_t>(why)] : 0;
    };
    if (!expected.reason) {
        return of.flows.dropped_total() + of.flows.lost_on_link +
               refused(broker::drop_reason::not_authorized) +
               refused(broker::drop_reason::topic_name_invalid);
    }
    return of.flows.dropped[static_cast<std::size_t>(*expected.reason)] + refused(*expected.reason);
}

std::uint64_t backlog(const expectation_spec& expected, const expectation_sums& of) {
    const publisher_counts& made = of.publishers;
    const std::uint64_t ended = made.lost_offline + made.queue_full + made.rejected +
                                made.lost_on_link + made.expired + made.session_ended +
                                made.received;
    // What is on its way to the broker has no receiver and no QoS of a delivery yet.
    const bool with_publishers = expected.receiver.empty() && !expected.qos;
    const std::uint64_t waiting = made.published > ended ? made.published - ended : 0;
    return of.flows.under_way() + (with_publishers ? waiting : 0);
}

}  // namespace

std::optional<double> measure(const expectation_spec& expected, const expectation_sums& now,
                              const expectation_sums& before, duration span) {
    const auto grown = [&](auto member) {
        return static_cast<double>(now.flows.*member - before.flows.*member);
    };
    const std::uint64_t published = now.publishers.published - before.publishers.published;
    const std::uint64_t delivered = now.flows.delivered - before.flows.delivered;
    switch (expected.metric) {
        case metric::delivery_ratio: {
            const std::uint64_t ended = now.flows.due - now.flows.under_way();
            const std::uint64_t ended_before = before.flows.due - before.flows.under_way();
            return ended <= ended_before ? std::nullopt : ratio(delivered, ended - ended_before);
        }
        case metric::messages_published: return static_cast<double>(published);
        case metric::messages_delivered: return static_cast<double>(delivered);
        case metric::duplicates: return grown(&flow_counts::duplicates);
        case metric::drops:
            return static_cast<double>(drops(expected, now) - drops(expected, before));
        case metric::latency:
            return percentile_seconds(now.flows.latency, before.flows.latency, expected.percentile);
        case metric::connected_ratio: return ratio(now.connected, now.devices);
        case metric::reply_ratio: {
            const std::uint64_t in_time =
                now.publishers.replies_in_time - before.publishers.replies_in_time;
            return ratio(in_time, in_time + now.publishers.replies_missing -
                                      before.publishers.replies_missing);
        }
        case metric::reply_latency:
            return percentile_seconds(now.publishers.reply_latency, before.publishers.reply_latency,
                                      expected.percentile);
        case metric::publish_rate: return rate(published, span);
        case metric::delivery_rate: return rate(delivered, span);
        case metric::backlog: return static_cast<double>(backlog(expected, now));
        case metric::state_ratio:
        case metric::states_entered: break;  // of a whole run's report
    }
    return std::nullopt;
}

bool is_within(const expectation_spec& expected, double value) {
    return (!expected.min || value >= *expected.min) && (!expected.max || value <= *expected.max);
}

}  // namespace fleetarium::sim::detail
