#include <fleetarium/session/inbound_flow.hpp>
#include <fleetarium/session/outbound_flow.hpp>

#include "support/property.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::test;

namespace {

delivery delivery_of(std::uint64_t number, enum qos qos) {
    publish in;
    in.topic = "t";
    delivery made;
    made.message = message::make(in, {{number, instant{}}, 0, never});
    made.qos = qos;
    return made;
}

std::uint64_t number_of(const delivery& one) { return one.message->identity().number; }

/// What outbound_flow is in the plainest words: a list of what is not completed.
class plain_flow {
public:
    struct entry {
        std::uint64_t number;
        enum qos qos;
        delivery_state state = delivery_state::pending;
        std::uint16_t id = 0;
        bool passed = false;          // by the cursor
        bool release_passed = false;  // by the search for PUBRELs owed
    };

    entry* at_cursor() {
        for (entry& one : entries) {
            if (!one.passed && !(one.state == delivery_state::wait_pubcomp && one.release_passed)) {
                return &one;
            }
            one.passed = true;
        }
        return nullptr;
    }
    entry* next_release() {
        for (entry& one : entries) {
            const bool passed = one.passed || one.release_passed;
            if (!passed && one.state != delivery_state::pending) {
                one.release_passed = true;
                if (one.state == delivery_state::wait_pubcomp) {
                    return &one;
                }
            }
        }
        return nullptr;
    }
    entry* find(std::uint16_t id) {
        const auto found = std::find_if(entries.begin(), entries.end(), [id](const entry& one) {
            return one.state != delivery_state::pending && one.id == id;
        });
        return found == entries.end() ? nullptr : &*found;
    }
    std::uint16_t take_id(const std::vector<std::uint16_t>& also_used) {
        for (int tries = 0; tries < 65'535; ++tries) {
            last_id =
                last_id == 65'535 ? std::uint16_t{1} : static_cast<std::uint16_t>(last_id + 1);
            if (find(last_id) == nullptr &&
                std::find(also_used.begin(), also_used.end(), last_id) == also_used.end()) {
                return last_id;
            }
        }
        return 0;
    }
    void remove(const entry* gone) {
        entries.erase(std::find_if(entries.begin(), entries.end(),
                                   [gone](const entry& one) { return &one == gone; }));
    }
    std::size_t in_flight() const {
        return static_cast<std::size_t>(
            std::count_if(entries.begin(), entries.end(),
                          [](const entry& one) { return one.state != delivery_state::pending; }));
    }

    std::deque<entry> entries;  // those in flight are the first
    std::uint16_t last_id = 0;
};

constexpr std::size_t push = 0;
constexpr std::size_t send = 1;
constexpr std::size_t acknowledge = 2;
constexpr std::size_t reconnect = 3;
constexpr std::size_t release = 4;
constexpr std::size_t drop_oldest = 5;
constexpr std::size_t drop_some = 6;
constexpr std::size_t other_ids_taken = 7;
constexpr std::size_t move = 8;

/// The flow and its model through the same steps.
class twin_flows {
public:
    std::string run(property_steps steps) {
        for (const property_step& step : steps) {
            std::string problem = take(step);
            if (problem.empty()) {
                problem = compare(step.c);
            }
            if (!problem.empty()) {
                return problem;
            }
        }
        return {};
    }

private:
    std::string take(const property_step& step) {
        switch (step.kind) {
            case push: {
                const auto level = static_cast<enum qos>(step.a % 3);
                real_.push(delivery_of(++number_, level));
                plain_.entries.push_back({number_, level});
                return {};
            }
            case send: return send_next(step);
            case acknowledge: return answer(step);
            case reconnect:
                real_.rewind();
                for (auto& one : plain_.entries) {
                    one.passed = false;
                    one.release_passed = false;
                }
                return {};
            case release: return release_next();
            case drop_oldest: return drop_oldest_pending();
            case drop_some: {
                const std::uint64_t remainder = step.a % 5;
                real_.remove_pending_if(
                    [&](const delivery& one) { return number_of(one) % 5 == remainder; });
                std::erase_if(plain_.entries, [&](const plain_flow::entry& one) {
                    return one.state == delivery_state::pending && one.number % 5 == remainder;
                });
                return {};
            }
            case other_ids_taken:
                // As if so many ids had come and gone: they wrap, and meet what is still open.
                plain_.last_id = static_cast<std::uint16_t>(
                    step.b % 4 == 0 ? step.a : plain_.last_id + step.a % 200);
                real_.continue_packet_ids_behind(plain_.last_id);
                return {};
            case move:
            default: {
                outbound_flow moved(std::move(real_));
                real_ = std::move(moved);
                return {};
            }
        }
    }

    std::string send_next(const property_step& step) {
        delivery* const real = real_.at_cursor();
        auto* const plain = plain_.at_cursor();
        if ((real != nullptr) != (plain != nullptr)) {
            return plain == nullptr ? "something is at the cursor" : "nothing is at the cursor";
        }
        if (real == nullptr) {
            return {};
        }
        if (number_of(*real) != plain->number || real->state != plain->state) {
            return "at the cursor is message " + std::to_string(number_of(*real)) + ", not " +
                   std::to_string(plain->number) + ", or its state is another";
        }
        if (plain->state != delivery_state::pending) {
            if (real->packet_id != plain->id) {
                return "a delivery has changed its packet id";
            }
            real_.repeat_at_cursor();
            plain->passed = true;
        } else if (plain->qos == qos::at_most_once || step.a % 16 == 0) {
            real_.remove_at_cursor();
            plain_.remove(plain);
        } else {
            return begin(*plain, step);
        }
        return {};
    }

    std::string begin(plain_flow::entry& plain, const property_step& step) {
        std::vector<std::uint16_t> also_used;
        for (std::uint32_t i = 1; i <= 3; ++i) {
            const auto id = static_cast<std::uint16_t>(plain_.last_id + i);
            if (id != 0 && plain_.find(id) == nullptr && (step.b >> i) % 8 == 0) {
                also_used.push_back(id);
            }
        }
        const std::uint16_t id = real_.take_packet_id(also_used);
        const std::uint16_t wanted = plain_.take_id(also_used);
        if (id != wanted) {
            return "packet id " + std::to_string(id) + " was taken, not " + std::to_string(wanted);
        }
        real_.begin_at_cursor(id);
        plain.id = id;
        plain.state = plain.qos == qos::at_least_once ? delivery_state::wait_puback
                                                      : delivery_state::wait_pubrec;
        plain.passed = true;
        return {};
    }

    std::string answer(const property_step& step) {
        const std::size_t flying = plain_.in_flight();
        if (flying == 0) {
            return {};
        }
        // Mostly about in order, sometimes anywhere.
        auto& plain =
            plain_.entries[step.a % (step.b % 4 == 0 ? flying : std::min(flying, std::size_t{3}))];
        delivery* const real = real_.find(plain.id);
        if (real == nullptr || number_of(*real) != plain.number || real->state != plain.state) {
            return "packet id " + std::to_string(plain.id) + " is not found, or another's";
        }
        if (plain.state == delivery_state::wait_pubrec && step.c % 8 != 0) {
            real->state = delivery_state::wait_pubcomp;
            plain.state = delivery_state::wait_pubcomp;
            return {};
        }
        real_.complete(*real);
        plain_.remove(&plain);
        return {};
    }

    std::string release_next() {
        plain_.at_cursor();  // what is passed over lies before the cursor
        real_.at_cursor();
        const delivery* const real = real_.next_release();
        const auto* const plain = plain_.next_release();
        if ((real != nullptr) != (plain != nullptr) ||
            (real != nullptr && real->packet_id != plain->id)) {
            return "another PUBREL is owed";
        }
        return {};
    }

    std::string drop_oldest_pending() {
        const delivery oldest = real_.remove_oldest_pending();
        const std::size_t flying = plain_.in_flight();
        if (flying == plain_.entries.size()) {
            return oldest.message ? "what is not there was dropped" : "";
        }
        if (!oldest.message || number_of(oldest) != plain_.entries[flying].number) {
            return "not the oldest was dropped";
        }
        plain_.remove(&plain_.entries[flying]);
        return {};
    }

    std::string compare(std::uint32_t some_id) {
        if (real_.size() != plain_.entries.size() || real_.in_flight() != plain_.in_flight() ||
            real_.pending() != plain_.entries.size() - plain_.in_flight() ||
            real_.empty() != plain_.entries.empty() ||
            (real_.memory_bytes() == 0) != plain_.entries.empty()) {
            return "counts differ: " + std::to_string(real_.size()) + " deliveries, " +
                   std::to_string(real_.in_flight()) + " in flight, not " +
                   std::to_string(plain_.entries.size()) + ", " +
                   std::to_string(plain_.in_flight());
        }
        std::size_t at = 0;
        bool same = true;
        real_.for_each([&](const delivery& one) {
            const auto& plain = plain_.entries[at++];
            same = same && number_of(one) == plain.number && one.state == plain.state &&
                   (plain.state == delivery_state::pending || one.packet_id == plain.id);
        });
        const auto id =
            static_cast<std::uint16_t>(some_id % 2 == 0 ? some_id >> 8 : some_id / 2 % 64);
        if (!same || at != plain_.entries.size()) {
            return "the deliveries differ, or their order";
        }
        return (real_.find(id) != nullptr) == (plain_.find(id) != nullptr)
                   ? ""
                   : "packet id " + std::to_string(id) + " is found, or is not";
    }

    outbound_flow real_;
    plain_flow plain_;
    std::uint64_t number_ = 0;
};

/// An inbound flow and a set.
std::string inbound_differs(property_steps steps) {
    inbound_flow real;
    std::set<std::uint16_t> plain;
    // A list, which becomes a bit map, which becomes a list again.
    std::uint32_t ids = 8;
    for (const property_step& step : steps) {
        const auto id = static_cast<std::uint16_t>(1 + step.a % ids);
        switch (step.kind) {
            case 0:
                if (real.contains(id) != plain.contains(id)) {
                    return "id " + std::to_string(id) + " is contained, or is not";
                }
                if (plain.insert(id).second) {
                    real.insert(id);
                }
                break;
            case 1:
                if (real.erase(id) != (plain.erase(id) == 1)) {
                    return "erase says the id was there, or was not";
                }
                break;
            case 2: ids = 1 + (step.b % 3 == 0 ? step.a % 65'535 : step.a % 100); break;
            case 3:
                // Many come one after the other, as from a client that releases none.
                for (std::uint32_t i = 0; i < step.b % 200; ++i) {
                    const auto next = static_cast<std::uint16_t>(1 + (step.a + i) % 65'535);
                    if (plain.insert(next).second) {
                        real.insert(next);
                    }
                }
                break;
            case 4:
                while (plain.size() > step.a % 40) {
                    if (!real.erase(*plain.begin())) {
                        return "an id is missing";
                    }
                    plain.erase(plain.begin());
                }
                break;
            default: real.clear(); plain.clear();
        }
        if (real.size() != plain.size() || (real.memory_bytes() == 0) != plain.empty()) {
            return "there are " + std::to_string(real.size()) + " ids, not " +
                   std::to_string(plain.size());
        }
    }
    for (std::uint32_t id = 0; id <= 65'535; ++id) {
        if (real.contains(static_cast<std::uint16_t>(id)) !=
            plain.contains(static_cast<std::uint16_t>(id))) {
            return "id " + std::to_string(id) + " is contained at the end, or is not";
        }
    }
    return {};
}

}  // namespace

TEST_CASE(
    "an outbound flow is a list of what is not completed, whatever was pushed, sent, "
    "answered, dropped and resent",
    "[outbound_flow][property]") {
    check_property({
        .name = "outbound flow",
        .kinds = {{"push", 8},
                  {"send", 8},
                  {"acknowledge", 7},
                  {"reconnect", 1},
                  {"release", 2},
                  {"drop oldest", 1},
                  {"drop some", 1},
                  {"other ids taken", 2},
                  {"move", 1}},
        .cases = 5000,
        .steps_max = 600,
        .broken_by = [](property_steps steps) { return twin_flows().run(steps); },
    });
}

TEST_CASE("an inbound flow is a set of packet ids, whatever came and was released",
          "[inbound_flow][property]") {
    check_property({
        .name = "inbound flow",
        .kinds =
            {{"insert", 8}, {"erase", 8}, {"id range", 1}, {"many", 1}, {"few", 1}, {"clear", 1}},
        .cases = 150,
        .steps_max = 600,
        .broken_by = inbound_differs,
    });
}
