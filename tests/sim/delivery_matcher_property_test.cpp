#include <fleetarium/sim/delivery_matcher.hpp>

#include "support/property.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace fleetarium::sim::detail;
using namespace fleetarium::test;

namespace {

/// A matcher, and the list of everything that was published.
class twin_matchers {
public:
    std::string run(property_steps steps) {
        for (const property_step& step : steps) {
            // Few topics and payloads: most messages are equal to some other.
            const std::string topic = step.a % 2 == 0 ? "a" : "b";
            const std::string payload = std::to_string(step.a / 2 % 3);
            const auto receiver = static_cast<host_id>(10 + step.b % 3);
            std::string problem;
            switch (step.kind) {
                case 0: publish(topic, payload); break;
                case 1: problem = deliver(topic, payload, receiver); break;
                case 2: since_[receiver - 10] = now_; break;  // it connects anew
                case 3: now_ += duration(step.a % 5); break;
                default: problem = deliver_retained(topic, payload);
            }
            if (!problem.empty()) {
                return problem;
            }
        }
        return {};
    }

private:
    struct published {
        std::string topic;
        std::string payload;
        message_identity identity;
    };

    void publish(const std::string& topic, const std::string& payload) {
        const message_identity identity{all_.size() + 1, now_};
        all_.push_back({topic, payload, identity});
        matcher_.note_published(topic, as_bytes_view(payload), identity);
    }

    std::vector<message_identity> equal_ones(const std::string& topic,
                                             const std::string& payload) const {
        std::vector<message_identity> out;
        for (const published& each : all_) {
            if (each.topic == topic && each.payload == payload) {
                out.push_back(each.identity);
            }
        }
        return out;
    }

    std::string deliver(const std::string& topic, const std::string& payload, host_id receiver) {
        const instant since = since_[receiver - 10];
        const auto found = matcher_.find(receiver, topic, as_bytes_view(payload), since);
        const auto equal = equal_ones(topic, payload);
        if (equal.empty()) {
            return found ? "what nobody published was found" : "";
        }
        // The oldest not had; what is older than the receiver's session is passed over, unless
        // there is nothing newer.
        std::uint64_t& had = had_[{receiver, topic + payload}];
        std::optional<message_identity> wanted;
        for (const message_identity& each : equal) {
            if (each.number > had && (each.published_at >= since || &each == &equal.back())) {
                wanted = each;
                break;
            }
        }
        const bool copy = !wanted;
        const std::uint64_t number = copy ? equal.back().number : wanted->number;
        had = number;
        if (!found || found->copy != copy || found->identity.number != number) {
            return "message " + std::to_string(number) + (copy ? " again" : "") + " was due, " +
                   (found ? std::to_string(found->identity.number) + (found->copy ? " again" : "")
                          : std::string("none")) +
                   " was found";
        }
        return {};
    }

    std::string deliver_retained(const std::string& topic, const std::string& payload) const {
        const auto found = matcher_.find_retained(topic, as_bytes_view(payload));
        const auto equal = equal_ones(topic, payload);
        if (found.has_value() == equal.empty() ||
            (found && (found->identity.number != equal.back().number || found->copy))) {
            return "another message is the retained one";
        }
        return {};
    }

    delivery_matcher matcher_;
    std::vector<published> all_;
    std::array<instant, 3> since_{};
    std::map<std::pair<host_id, std::string>, std::uint64_t> had_;
    instant now_{};
};

}  // namespace

TEST_CASE(
    "a delivery is the oldest equal message that its receiver has not had, whatever was "
    "published and had before",
    "[delivery_matcher][property]") {
    check_property({
        .name = "delivery matcher",
        .kinds =
            {{"publish", 8}, {"deliver", 8}, {"connect", 1}, {"time passes", 3}, {"retained", 1}},
        .cases = 10000,
        .steps_max = 300,
        .broken_by = [](property_steps steps) { return twin_matchers().run(steps); },
    });
}
