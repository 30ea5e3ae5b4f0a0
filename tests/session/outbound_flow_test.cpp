#include <fleetarium/session/outbound_flow.hpp>

#include <fleetarium/core/random.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <set>
#include <vector>

using namespace fleetarium;

namespace {

delivery delivery_of(std::uint64_t number, enum qos qos = qos::at_least_once) {
    publish in;
    in.topic = "t";
    delivery made;
    made.message = message::make(in, {{number, instant{}}, 0, never});
    made.qos = qos;
    return made;
}

std::uint64_t number_of(const delivery& one) { return one.message->identity().number; }

/// Sends what is at the cursor, which is new, under the next id.
std::uint16_t begin(outbound_flow& flow) {
    const std::uint16_t id = flow.take_packet_id();
    REQUIRE(flow.at_cursor() != nullptr);
    flow.begin_at_cursor(id);
    return id;
}

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
    void remove(entry* gone) { entries.erase(entries.begin() + (gone - &entries.front())); }
    std::size_t in_flight() const {
        return static_cast<std::size_t>(
            std::count_if(entries.begin(), entries.end(),
                          [](const entry& one) { return one.state != delivery_state::pending; }));
    }
    entry* random_in_flight(random_stream& random) {
        const std::size_t flying = in_flight();
        return flying == 0 ? nullptr : &entries[random.below(flying)];  // they are the first
    }

    std::vector<entry> entries;
    std::uint16_t last_id = 0;
};

/// Both flows driven through the same random steps.
class twin_flows {
public:
    twin_flows(std::uint64_t seed, std::size_t size_max)
        : random_(seed, 0, "flow"), size_max_(size_max) {}

    void step() {
        const std::uint64_t dice = random_.below(100);
        if (dice < 30) {
            push();
        } else if (dice < 62) {
            send();
        } else if (dice < 94) {
            acknowledge();
        } else if (dice < 95) {
            take_out_pending();
        } else if (dice < 98) {
            release();
        } else if (dice < 99 && random_.below(20) == 0) {
            real_.rewind();
            for (auto& one : plain_.entries) {
                one.passed = false;
                one.release_passed = false;
            }
        }
        if (++steps_ % 16 == 0) {
            check_counts();
        }
    }

    void check_all() {
        std::vector<std::uint64_t> seen;
        real_.for_each([&](const delivery& one) { seen.push_back(number_of(one)); });
        std::vector<std::uint64_t> expected;
        for (const auto& one : plain_.entries) {
            expected.push_back(one.number);
        }
        REQUIRE(seen == expected);
        for (auto& one : plain_.entries) {
            if (one.state != delivery_state::pending) {
                delivery* const found = real_.find(one.id);
                REQUIRE(found != nullptr);
                REQUIRE(number_of(*found) == one.number);
                REQUIRE(found->state == one.state);
            }
        }
        for (int i = 0; i < 20; ++i) {
            const auto id = static_cast<std::uint16_t>(random_.below(65'536));
            REQUIRE((real_.find(id) != nullptr) == (plain_.find(id) != nullptr));
        }
    }

    std::uint64_t ids_taken() const { return ids_taken_; }
    outbound_flow& real() { return real_; }
    /// Ids that are never acknowledged.
    std::set<std::uint16_t> stuck;

private:
    void push() {
        if (plain_.entries.size() >= size_max_) {
            return;
        }
        const auto level = static_cast<enum qos>(random_.below(3));
        ++number_;
        real_.push(delivery_of(number_, level));
        plain_.entries.push_back({number_, level});
    }

    void send() {
        delivery* const real = real_.at_cursor();
        auto* const plain = plain_.at_cursor();
        REQUIRE((real != nullptr) == (plain != nullptr));
        if (real == nullptr) {
            return;
        }
        REQUIRE(number_of(*real) == plain->number);
        REQUIRE(real->state == plain->state);
        if (plain->state != delivery_state::pending) {
            REQUIRE(real->packet_id == plain->id);
            real_.repeat_at_cursor();
            plain->passed = true;
        } else if (plain->qos == qos::at_most_once || random_.below(50) == 0) {
            real_.remove_at_cursor();
            plain_.remove(plain);
        } else {
            begin(*plain);
        }
    }

    void begin(plain_flow::entry& plain) {
        const std::vector<std::uint16_t> elsewhere{
            static_cast<std::uint16_t>(plain_.last_id + 1 + random_.below(3)),
            static_cast<std::uint16_t>(plain_.last_id + 2)};
        std::vector<std::uint16_t> also_used;
        for (const std::uint16_t id : elsewhere) {
            if (id != 0 && plain_.find(id) == nullptr && random_.below(20) == 0) {
                also_used.push_back(id);
            }
        }
        const std::uint16_t id = real_.take_packet_id(also_used);
        REQUIRE(id == plain_.take_id(also_used));
        REQUIRE(id != 0);
        ++ids_taken_;
        real_.begin_at_cursor(id);
        plain.id = id;
        plain.state = plain.qos == qos::at_least_once ? delivery_state::wait_puback
                                                      : delivery_state::wait_pubrec;
        plain.passed = true;
    }

    void acknowledge() {
        // Mostly about in order, sometimes anywhere.
        auto* plain = plain_.random_in_flight(random_);
        if (plain != nullptr && random_.below(4) != 0) {
            plain = &plain_.entries.front();
            for (std::size_t i = 0; i + 1 < plain_.in_flight() && stuck.count(plain->id) != 0;
                 ++i) {
                ++plain;
            }
        }
        if (plain == nullptr || stuck.count(plain->id) != 0) {
            return;
        }
        delivery* const real = real_.find(plain->id);
        REQUIRE(real != nullptr);
        REQUIRE(number_of(*real) == plain->number);
        if (plain->state == delivery_state::wait_pubrec && random_.below(10) != 0) {
            real->state = delivery_state::wait_pubcomp;
            plain->state = delivery_state::wait_pubcomp;
            return;
        }
        real_.complete(*real);
        plain_.remove(plain);
    }

    void take_out_pending() {
        if (random_.below(2) == 0) {
            const delivery oldest = real_.remove_oldest_pending();
            const std::size_t flying = plain_.in_flight();
            if (flying == plain_.entries.size()) {
                REQUIRE_FALSE(oldest.message);
                return;
            }
            REQUIRE(number_of(oldest) == plain_.entries[flying].number);
            plain_.remove(&plain_.entries[flying]);
            return;
        }
        const std::uint64_t remainder = random_.below(5);
        real_.remove_pending_if(
            [&](const delivery& one) { return number_of(one) % 5 == remainder; });
        std::erase_if(plain_.entries, [&](const plain_flow::entry& one) {
            return one.state == delivery_state::pending && one.number % 5 == remainder;
        });
    }

    void release() {
        plain_.at_cursor();  // what is passed over lies before the cursor
        real_.at_cursor();
        delivery* const real = real_.next_release();
        auto* const plain = plain_.next_release();
        REQUIRE((real != nullptr) == (plain != nullptr));
        if (real != nullptr) {
            REQUIRE(real->packet_id == plain->id);
        }
    }

    void check_counts() {
        REQUIRE(real_.size() == plain_.entries.size());
        REQUIRE(real_.in_flight() == plain_.in_flight());
        REQUIRE(real_.pending() == plain_.entries.size() - plain_.in_flight());
        REQUIRE(real_.empty() == plain_.entries.empty());
    }

    outbound_flow real_;
    plain_flow plain_;
    random_stream random_;
    std::size_t size_max_;
    std::uint64_t number_ = 0;
    std::uint64_t ids_taken_ = 0;
    std::uint64_t steps_ = 0;
};

}  // namespace

TEST_CASE("an idle flow holds no memory", "[outbound_flow]") {
    outbound_flow flow;
    CHECK(sizeof(flow) == 16);
    CHECK(flow.empty());
    CHECK(flow.memory_bytes() == 0);
    flow.push(delivery_of(1));
    CHECK(flow.memory_bytes() == 96);
    const std::uint16_t id = begin(flow);
    flow.complete(*flow.find(id));
    CHECK(flow.empty());
    CHECK(flow.memory_bytes() == 0);
}

TEST_CASE("packet ids go up from 1, wrap, and are never 0", "[outbound_flow]") {
    outbound_flow flow;
    std::uint16_t last = 0;
    for (int i = 1; i <= 65'535; ++i) {
        last = flow.take_packet_id();
        REQUIRE(last == i);
    }
    CHECK(flow.take_packet_id() == 1);
}

TEST_CASE("an id in use is not given out again, here or elsewhere", "[outbound_flow]") {
    outbound_flow flow;
    for (std::uint64_t i = 0; i < 3; ++i) {
        flow.push(delivery_of(i));
        begin(flow);  // 1, 2, 3
    }
    for (int i = 4; i <= 65'535; ++i) {
        flow.take_packet_id();
    }
    flow.complete(*flow.find(2));
    const std::uint16_t elsewhere[] = {4, 5};
    CHECK(flow.take_packet_id(elsewhere) == 2);
    CHECK(flow.take_packet_id(elsewhere) == 6);
}

TEST_CASE("with all packet ids in use there is none left, and one that is freed is found",
          "[outbound_flow]") {
    outbound_flow flow;
    const std::uint16_t elsewhere[] = {40'000};
    for (std::uint64_t i = 0; i < 65'534; ++i) {
        flow.push(delivery_of(i));
        const std::uint16_t id = flow.take_packet_id(elsewhere);
        REQUIRE(id != 40'000);
        flow.at_cursor();
        flow.begin_at_cursor(id);
    }
    CHECK(flow.in_flight() == 65'534);
    CHECK(flow.take_packet_id(elsewhere) == 0);
    CHECK(flow.take_packet_id() == 40'000);
    flow.complete(*flow.find(777));
    CHECK(flow.take_packet_id(elsewhere) == 777);
}

TEST_CASE("after a rewind what is in flight comes again in its first order, then what is new",
          "[outbound_flow]") {
    outbound_flow flow;
    for (std::uint64_t i = 1; i <= 5; ++i) {
        flow.push(delivery_of(i));
    }
    begin(flow);
    begin(flow);
    begin(flow);
    flow.complete(*flow.find(2));
    flow.rewind();
    std::vector<std::uint64_t> order;
    while (delivery* const next = flow.at_cursor()) {
        order.push_back(number_of(*next));
        if (next->state == delivery_state::pending) {
            begin(flow);
        } else {
            flow.repeat_at_cursor();
        }
    }
    CHECK(order == std::vector<std::uint64_t>{1, 3, 4, 5});
    CHECK(flow.find(4)->state == delivery_state::wait_puback);
    CHECK(number_of(*flow.find(4)) == 4);
}

TEST_CASE("PUBRELs owed are found behind a cursor that cannot move, each once", "[outbound_flow]") {
    outbound_flow flow;
    for (std::uint64_t i = 1; i <= 5; ++i) {
        flow.push(delivery_of(i, qos::exactly_once));
        begin(flow);
    }
    flow.find(3)->state = delivery_state::wait_pubcomp;
    flow.find(5)->state = delivery_state::wait_pubcomp;
    flow.rewind();
    REQUIRE(flow.at_cursor()->packet_id == 1);
    CHECK(flow.next_release()->packet_id == 3);
    CHECK(flow.next_release()->packet_id == 5);
    CHECK(flow.next_release() == nullptr);
    std::vector<std::uint16_t> order;
    while (delivery* const next = flow.at_cursor()) {
        order.push_back(next->packet_id);
        flow.repeat_at_cursor();
    }
    CHECK(order == std::vector<std::uint16_t>{1, 2, 4});

    flow.rewind();
    REQUIRE(flow.at_cursor()->packet_id == 1);
    CHECK(flow.next_release()->packet_id == 3);
}

TEST_CASE("one delivery never acknowledged does not make the ring grow without bound",
          "[outbound_flow]") {
    outbound_flow flow;
    flow.push(delivery_of(0));
    const std::uint16_t stuck = begin(flow);
    for (std::uint64_t i = 1; i < 200'000; ++i) {
        flow.push(delivery_of(i));
        flow.complete(*flow.find(begin(flow)));
    }
    CHECK(flow.size() == 1);
    CHECK(flow.memory_bytes() <= 96);
    REQUIRE(flow.find(stuck) != nullptr);
    CHECK(number_of(*flow.find(stuck)) == 0);
}

TEST_CASE("the oldest pending delivery is taken out from behind those in flight",
          "[outbound_flow]") {
    outbound_flow flow;
    for (std::uint64_t i = 1; i <= 6; ++i) {
        flow.push(delivery_of(i));
    }
    begin(flow);
    begin(flow);
    CHECK(number_of(flow.remove_oldest_pending()) == 3);
    CHECK(number_of(flow.remove_oldest_pending()) == 4);
    CHECK(number_of(*flow.at_cursor()) == 5);
    CHECK(begin(flow) == 3);
    CHECK(number_of(*flow.find(3)) == 5);
    CHECK(number_of(flow.remove_oldest_pending()) == 6);
    CHECK_FALSE(flow.remove_oldest_pending().message);
    CHECK(flow.in_flight() == 3);
}

TEST_CASE("a flow moved to another place goes on from where it was", "[outbound_flow]") {
    outbound_flow flow;
    flow.push(delivery_of(1));
    flow.push(delivery_of(2));
    begin(flow);
    outbound_flow moved(std::move(flow));
    CHECK(begin(moved) == 2);
    outbound_flow fresh;
    fresh.continue_packet_ids_of(moved);
    CHECK(fresh.take_packet_id() == 3);
    fresh = std::move(moved);
    CHECK(fresh.size() == 2);
    CHECK(number_of(*fresh.find(1)) == 1);
}

TEST_CASE("a flow behaves as a plain list does, through hundreds of thousands of random steps",
          "[outbound_flow][random]") {
    struct run {
        std::uint64_t seed;
        std::size_t size_max;
        int steps;
        bool with_stuck;
    };
    const auto how = GENERATE(run{1, 3, 700'000, false}, run{2, 12, 700'000, true},
                              run{3, 60, 700'000, true}, run{4, 200, 700'000, true});
    CAPTURE(how.seed, how.size_max);
    twin_flows flows(how.seed, how.size_max);
    for (int i = 0; i < how.steps; ++i) {
        flows.step();
        if (i % (how.steps / 50) == 0) {
            flows.check_all();
            if (how.with_stuck) {
                flows.real().for_each([&](const delivery& one) {
                    if (one.state != delivery_state::pending &&
                        flows.stuck.size() < how.size_max / 4) {
                        flows.stuck.insert(one.packet_id);
                    }
                });
            }
        }
        if (how.with_stuck && i % (how.steps / 3) == 0) {
            flows.stuck.clear();
        }
    }
    flows.check_all();
    CHECK(flows.ids_taken() > 65'535);
}

TEST_CASE("ids come round to deliveries still unanswered, some of them in every turn",
          "[outbound_flow][random]") {
    // Every turn of the ids leaves stragglers behind, which are found in any order.
    outbound_flow flow;
    random_stream random(7, 0, "stragglers");
    std::vector<std::pair<std::uint16_t, std::uint64_t>> stragglers;
    std::deque<std::pair<std::uint16_t, std::uint64_t>> window;
    for (std::uint64_t i = 0; i < 400'000; ++i) {
        flow.push(delivery_of(i));
        const std::uint16_t id = begin(flow);
        REQUIRE(std::none_of(stragglers.begin(), stragglers.end(),
                             [id](const auto& one) { return one.first == id; }));
        if (i % 9'973 == 0) {
            stragglers.emplace_back(id, i);
        } else {
            window.emplace_back(id, i);
        }
        if (window.size() > 40) {
            const auto at = static_cast<std::ptrdiff_t>(random.below(window.size()));
            delivery* const found = flow.find(window[static_cast<std::size_t>(at)].first);
            REQUIRE(found != nullptr);
            REQUIRE(number_of(*found) == window[static_cast<std::size_t>(at)].second);
            flow.complete(*found);
            window.erase(window.begin() + at);
        }
        if (stragglers.size() > 25) {
            const auto at = static_cast<std::ptrdiff_t>(random.below(stragglers.size()));
            delivery* const found = flow.find(stragglers[static_cast<std::size_t>(at)].first);
            REQUIRE(found != nullptr);
            REQUIRE(number_of(*found) == stragglers[static_cast<std::size_t>(at)].second);
            flow.complete(*found);
            stragglers.erase(stragglers.begin() + at);
        }
    }
    CHECK(flow.size() == stragglers.size() + window.size());
}
