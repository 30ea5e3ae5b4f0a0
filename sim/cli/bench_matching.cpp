#include "bench.hpp"

#include <fleetarium/broker/topic_tree.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/core/random.hpp>

#include <boost/unordered/unordered_flat_map.hpp>
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::cli::bench {

namespace {

struct text_hash {
    using is_avalanching = void;
    std::size_t operator()(std::string_view text) const { return hash_text(text); }
};

std::string device_topic(std::uint64_t device) {
    return fmt::format("site/{:03}/dev/{:07}/cmd", device % 500, device);
}

}  // namespace

/// A million subscriptions, a tenth of them with wildcards, beside a bare hash look-up of the same
/// topics in a table of as many.
std::vector<figure> measure_matching(const scale& size) {
    const std::uint64_t subscriptions = size.of(1'000'000);
    broker::topic_tree tree;
    boost::unordered_flat_map<std::string, std::uint32_t, text_hash> table;
    for (std::uint64_t i = 0; i < subscriptions; ++i) {
        const auto session = static_cast<broker::session_index>(i);
        const std::string topic = device_topic(i);
        if (i % 10 == 0) {
            // One in ten listens to all that its neighbour says, or to one kind of its news.
            const std::string filter = i % 20 == 0
                                           ? fmt::format("site/{:03}/dev/{:07}/#", i % 500, i)
                                           : fmt::format("site/+/dev/{:07}/state", i);
            tree.insert(filter, {session, 0, {}});
        } else {
            tree.insert(topic, {session, 0, {}});
        }
        table.emplace(topic, session);
    }

    const auto measure = [&](std::string_view what, std::uint64_t topics_in_use) {
        const std::uint64_t rounds = size.of(4'000'000);
        std::vector<std::string> topics;
        random_stream draws(1, 2, 3);
        for (std::uint64_t i = 0; i < topics_in_use; ++i) {
            topics.push_back(device_topic(draws.below(subscriptions)));
        }
        std::uint64_t found = 0;
        const double look_ups = time_of([&] {
            for (std::uint64_t i = 0; i < rounds; ++i) {
                found += table.find(topics[i % topics_in_use])->second;
            }
        });
        broker::match_result matched;
        const double matches = time_of([&] {
            for (std::uint64_t i = 0; i < rounds; ++i) {
                tree.match(topics[i % topics_in_use], matched);
                found += matched.plain.size();
            }
        });
        asm volatile("" : : "r"(found));  // keeps the loops
        const auto rate = static_cast<double>(rounds);
        return figure{fmt::format("topic match, {} subscriptions, {}", subscriptions, what),
                      rate_text(rate / matches),
                      fmt::format("hash look-up: {}", rate_text(rate / look_ups)),
                      look_ups / matches,
                      "",
                      true};
    };
    return {measure("1,000 topics in use", 1'000),
            measure("all topics in use", subscriptions)};
}

}  // namespace fleetarium::cli::bench
