#include "ledger_stage.hpp"
#include "support/property.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace fleetarium::sim::detail;
using namespace fleetarium::test;

namespace {

constexpr std::size_t publish_one = 0;
constexpr std::size_t receive_one = 1;
constexpr std::size_t receive_any = 2;
constexpr std::size_t acknowledge = 3;
constexpr std::size_t acknowledge_any = 4;
constexpr std::size_t resume = 5;
constexpr std::size_t vanish = 6;

/// What happened, in order, as somebody would note it down who understands nothing of it.
struct note {
    enum class kind { sent, received, acknowledged };
    kind what;
    std::uint32_t count;
    enum qos level;
    bool dup = false;
};

/// A small world told to the ledger, some of it untrue, and noted down for a recount.
class told_world {
public:
    std::string run(property_steps steps) {
        only_qos_0_ = !steps.empty() && steps.front().c % 3 == 0;
        stage_.both_connect();
        stage_.subscribe(1, stage_.topic);
        for (const property_step& step : steps) {
            take(step);
        }
        for (const message& each : messages_) {
            if (!each.acknowledged && !each.vanished && each.level != q0) {
                stage_.held.emplace_back(1, stage::number(each.count, each.level));
            }
        }
        verdict found = stage_.verdict();
        verdict wanted = recount();
        std::sort(found.begin(), found.end());
        std::sort(wanted.begin(), wanted.end());
        return found == wanted ? ""
                               : "the recount convicts of" + text_of(wanted) + "; the ledger of" +
                                     text_of(found);
    }

private:
    struct message {
        std::uint32_t count;
        enum qos level;
        bool received = false;  // on the present connection
        bool acknowledged = false;
        bool vanished = false;  // from the broker's queue, without a word
    };

    static std::string text_of(const verdict& of) {
        std::string out;
        for (const invariant each : of) {
            out.append(" ").append(name_of(each));
        }
        return out.empty() ? " nothing" : out;
    }

    void take(const property_step& step) {
        switch (step.kind) {
            case publish_one: {
                const auto count = static_cast<std::uint32_t>(messages_.size() + 1);
                const auto level = only_qos_0_ ? q0 : step.a % 2 == 0 ? q1 : q2;
                stage_.route(count, level);
                log_.push_back({note::kind::sent, count, level});
                messages_.push_back({count, level});
                return;
            }
            case receive_one: {
                // The next one that is on its way, as it should be, but for DUP now and then.
                const auto next = std::find_if(
                    messages_.begin(), messages_.end(),
                    [](const auto& one) { return !one.received && !one.acknowledged; });
                if (next != messages_.end()) {
                    const bool again = sends_of(next->count) > 1;
                    receive(*next, step.a % 8 == 0 ? !again : again);
                }
                return;
            }
            case receive_any:
                if (!messages_.empty()) {
                    receive(messages_[step.a % messages_.size()], step.b % 2 == 0);
                }
                return;
            case acknowledge: {
                const auto next =
                    std::find_if(messages_.begin(), messages_.end(),
                                 [](const auto& one) { return one.received && !one.acknowledged; });
                if (next != messages_.end()) {
                    end(*next);
                }
                return;
            }
            case acknowledge_any:
                if (!messages_.empty() && !messages_[step.a % messages_.size()].acknowledged) {
                    end(messages_[step.a % messages_.size()]);
                }
                return;
            case resume:
                stage_.resume_receiver();
                for (message& each : messages_) {
                    each.received = each.level == q0 || each.acknowledged;
                    if (!each.received) {
                        stage_.made(broker::broker_event::kind::sent, each.count, each.level, true);
                        log_.push_back({note::kind::sent, each.count, each.level});
                    }
                }
                return;
            case vanish:
            default:
                if (!messages_.empty()) {
                    messages_[step.a % messages_.size()].vanished = true;
                }
        }
    }

    void receive(message& one, bool dup) {
        dup = dup && one.level != q0;
        const auto packet_id = one.level == q0 ? 0u : one.count;
        stage_.receive(one.count, one.level, static_cast<std::uint16_t>(packet_id), dup);
        log_.push_back({note::kind::received, one.count, one.level, dup});
        one.received = true;
    }

    void end(message& one) {
        if (one.level == q0) {
            return;
        }
        stage_.acknowledge(one.count, one.level);
        log_.push_back({note::kind::acknowledged, one.count, one.level});
        one.acknowledged = true;
    }

    std::size_t sends_of(std::uint32_t count) const {
        return static_cast<std::size_t>(std::count_if(log_.begin(), log_.end(), [&](const note& n) {
            return n.what == note::kind::sent && n.count == count;
        }));
    }

    /// The verdict from the notes alone, each message and each rule by itself.
    verdict recount() const {
        verdict out;
        std::map<enum qos, std::uint32_t> newest;  // received so far, of a QoS
        std::map<std::uint32_t, std::size_t> sent;
        std::map<std::uint32_t, std::size_t> received;
        std::map<std::uint32_t, bool> ended;
        for (const note& each : log_) {
            switch (each.what) {
                case note::kind::sent: ++sent[each.count]; break;
                case note::kind::acknowledged:
                    ended[each.count] = true;
                    // One sent again may have come by a link of which the broker knew no more.
                    if (received[each.count] == 0 && sent[each.count] == 1) {
                        out.push_back(invariant::conservation);
                    }
                    break;
                case note::kind::received:
                    recount_reception(each, sent[each.count], received[each.count],
                                      ended[each.count], newest[each.level], out);
            }
        }
        for (const message& each : messages_) {
            if (each.vanished && !each.acknowledged && each.level != q0) {
                out.push_back(invariant::conservation);
            }
        }
        return out;
    }

    static void recount_reception(const note& one, std::size_t sent, std::size_t& received,
                                  bool ended, std::uint32_t& newest, verdict& out) {
        const invariant twice =
            one.level == q2 ? invariant::exactly_once : invariant::resent_as_duplicate;
        if (ended) {
            out.push_back(twice);
            return;
        }
        const bool is_first = received++ == 0;
        if (!is_first && one.level != q0) {
            if (one.level == q2 || !one.dup) {
                out.push_back(twice);
            }
            return;
        }
        if (one.level != q0 && one.dup != (sent > 1)) {
            out.push_back(invariant::resent_as_duplicate);
        }
        if (one.count < newest) {
            out.push_back(invariant::order);
        } else if (one.count == newest) {
            out.push_back(invariant::at_most_once);
        }
        newest = std::max(newest, one.count);
    }

    stage stage_;
    std::vector<message> messages_;
    std::vector<note> log_;
    bool only_qos_0_ = false;
};

}  // namespace

TEST_CASE(
    "the ledger convicts of what a recount of the notes convicts of, of nothing more and "
    "nothing less",
    "[ledger][property]") {
    check_property({
        .name = "ledger",
        .kinds = {{"publish", 8},
                  {"receive", 8},
                  {"receive any", 1},
                  {"acknowledge", 6},
                  {"acknowledge any", 1},
                  {"resume", 1},
                  {"vanish", 1}},
        .cases = 10000,
        .steps_max = 90,
        .broken_by = [](property_steps steps) { return told_world().run(steps); },
    });
}
