#include <fleetarium/broker/retained_store.hpp>

#include "support/naive_topics.hpp"
#include "support/property.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;
using namespace fleetarium::test;

namespace {

using texts = std::vector<std::string>;

constexpr std::size_t set = 0;
constexpr std::size_t set_known = 1;
constexpr std::size_t erase = 2;
constexpr std::size_t erase_branch = 3;
[[maybe_unused]] constexpr std::size_t match = 4;

/// A store, one with other hashes, and a map.
class twin_stores {
public:
    std::string run(property_steps steps) {
        for (const property_step& step : steps) {
            std::string problem = take(step);
            if (!problem.empty()) {
                return problem;
            }
            if (store_.size() != plain_.size() || store_.empty() != plain_.empty() ||
                store_.message_bytes() != bytes_) {
                return "another count of messages or their bytes";
            }
        }
        std::string problem = compare("#");
        if (problem.empty()) {
            problem = enumerates_alike();
        }
        while (problem.empty() && !plain_.empty()) {
            problem = remove(plain_.begin()->first);
        }
        return problem.empty() && store_.memory_bytes() + other_.memory_bytes() != 0
                   ? "an empty store holds memory"
                   : problem;
    }

private:
    std::string take(const property_step& step) {
        switch (step.kind) {
            case set: return put(topic_name_of(step.a % 2048), step.b);
            case set_known: return plain_.empty() ? std::string() : put(known(step.a), step.b);
            case erase:
                return remove(plain_.empty() || step.b % 4 == 0 ? topic_name_of(step.a % 2048)
                                                                : known(step.a));
            case erase_branch: {
                const std::string filter = topic_filter_of(step.a % 2048);
                texts gone;
                store_.for_each_match(
                    filter, [&](const message_ptr& one) { gone.emplace_back(one->topic()); });
                std::string problem;
                for (std::size_t i = 0; problem.empty() && i < gone.size(); ++i) {
                    problem = remove(gone[i]);
                }
                return problem;
            }
            default: return compare(topic_filter_of(step.a % 4096));
        }
    }

    std::string known(std::uint32_t number) const {
        return std::next(plain_.begin(), static_cast<std::ptrdiff_t>(number % plain_.size()))
            ->first;
    }

    static message_ptr make(const std::string& topic, std::uint32_t number) {
        // Now and then one with a payload in a block of its own.
        const std::string payload =
            std::to_string(number) + std::string(number % 16 == 0 ? 70'000 : number % 90, 'x');
        return message::make({.topic = topic, .payload = as_bytes_view(payload), .retain = true},
                             {{number}, 0});
    }

    std::string put(const std::string& topic, std::uint32_t number) {
        const auto known = plain_.find(topic);
        const message_ptr made = make(topic, number);
        const message_ptr before = store_.set(made);
        other_.set(made);
        if (static_cast<bool>(before) != (known != plain_.end()) ||
            (before && before->identity().number != known->second)) {
            return "set of " + topic + " replaced another message";
        }
        bytes_ += made->memory_bytes() - (before ? before->memory_bytes() : 0);
        plain_[topic] = number;
        return {};
    }

    std::string remove(std::string topic) {
        const auto known = plain_.find(topic);
        const message_ptr gone = store_.erase(topic);
        other_.erase(topic);
        if (static_cast<bool>(gone) != (known != plain_.end()) ||
            (gone && gone->identity().number != known->second)) {
            return "erase of " + topic + " found another message";
        }
        if (gone) {
            bytes_ -= gone->memory_bytes();
            plain_.erase(known);
        }
        return store_.find(topic) == nullptr ? "" : "what was erased is found";
    }

    static texts found_by(const retained_store& store, const std::string& filter) {
        texts found;
        store.for_each_match(filter, [&](const message_ptr& one) {
            found.push_back(std::string(one->topic()) + "=" +
                            std::to_string(one->identity().number));
        });
        return found;
    }

    std::string compare(const std::string& filter) const {
        texts wanted;
        for (const auto& [topic, number] : plain_) {
            if (naively_matches(filter, topic)) {
                wanted.push_back(topic + "=" + std::to_string(number));
            }
        }
        const texts found = found_by(store_, filter);
        if (found_by(other_, filter) != found) {
            return "the order of what " + filter + " finds depends on the hashes";
        }
        texts sorted = found;
        std::sort(sorted.begin(), sorted.end());
        std::sort(wanted.begin(), wanted.end());
        if (sorted != wanted) {
            std::string out = "filter " + filter + " should find";
            for (const auto& each : wanted) {
                out += " " + each;
            }
            out += ", found";
            for (const auto& each : found) {
                out += " " + each;
            }
            return out;
        }
        return {};
    }

    std::string enumerates_alike() const {
        const auto all = [](const retained_store& store) {
            texts topics;
            store.for_each([&](const message_ptr& one) { topics.emplace_back(one->topic()); });
            return topics;
        };
        retained_store copy(7);
        store_.for_each([&](const message_ptr& one) { copy.set(one); });
        return all(copy) == all(store_) && all(copy).size() == plain_.size()
                   ? ""
                   : "a store filled from an enumeration enumerates otherwise";
    }

    retained_store store_;
    retained_store other_{1234};
    std::map<std::string, std::uint64_t> plain_;
    std::size_t bytes_ = 0;
};

}  // namespace

TEST_CASE("a retained store is a map of topics, and a filter finds in it what section 4.7 says",
          "[retained_store][property]") {
    check_property({
        .name = "retained store",
        .kinds = {{"set", 6}, {"set known", 2}, {"erase", 4}, {"erase branch", 1}, {"match", 6}},
        .cases = 300,
        .steps_max = 800,
        .broken_by = [](property_steps steps) { return twin_stores().run(steps); },
    });
}
