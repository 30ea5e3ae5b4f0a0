#include <fleetarium/broker/shared_groups.hpp>
#include <fleetarium/broker/topic_tree.hpp>
#include <fleetarium/core/random.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;

namespace {

using sessions = std::vector<session_index>;

subscription of(session_index session, std::uint32_t identifier = 0) {
    return {session, identifier, {.qos = qos::at_least_once}};
}

}  // namespace

TEST_CASE("members of a shared group take turns in join order", "[shared_groups]") {
    topic_tree tree;
    filter_id filter = no_filter;
    for (const session_index session : {5U, 3U, 9U, 1U}) {
        filter = tree.insert_shared("g", "a", of(session)).filter;
    }
    shared_group& group = tree.group(filter);
    const auto any = [](const subscription&) { return true; };
    const auto turns = [&](auto&& can_take, int count) {
        sessions taken;
        for (int turn = 0; turn < count; ++turn) {
            const subscription* one = group.pick(can_take);
            taken.push_back(one == nullptr ? 0 : one->session);
        }
        return taken;
    };
    CHECK(turns(any, 6) == sessions{5, 3, 9, 1, 5, 3});

    SECTION("a member that cannot take is passed over, and its turn with it") {
        const auto not_nine = [](const subscription& one) { return one.session != 9; };
        CHECK(turns(not_nine, 4) == sessions{1, 5, 3, 1});
    }
    SECTION("nobody is picked and the turn stays if nobody can take") {
        CHECK(turns([](const subscription&) { return false; }, 2) == sessions{0, 0});
        CHECK(turns(any, 1) == sessions{9});
    }
    SECTION("who is next keeps the turn when somebody before leaves") {
        CHECK(tree.erase(filter, 5));
        CHECK(turns(any, 4) == sessions{9, 1, 3, 9});
    }
    SECTION("the turn goes to the one behind when the next one leaves") {
        CHECK(tree.erase(filter, 9));
        CHECK(turns(any, 4) == sessions{1, 5, 3, 1});
    }
    SECTION("the turn goes around when the last one leaves with the turn") {
        group.advance();
        CHECK(tree.erase(filter, 1));
        CHECK(turns(any, 4) == sessions{5, 3, 9, 5});
    }
    SECTION("a new member waits behind the others") {
        tree.insert_shared("g", "a", of(2));
        CHECK(turns(any, 4) == sessions{9, 1, 2, 5});
    }
    SECTION("joining again changes no turn") {
        CHECK(tree.insert_shared("g", "a", of(5, 8)).replaced);
        CHECK(turns(any, 4) == sessions{9, 1, 5, 3});
    }
    SECTION("a group of one is left as it should be") {
        CHECK(tree.erase(filter, 5));
        CHECK(tree.erase(filter, 3));
        CHECK(tree.erase(filter, 9));
        CHECK(turns(any, 3) == sessions{1, 1, 1});
        CHECK(tree.erase(filter, 1));
        CHECK(tree.group_count() == 0);
        CHECK_FALSE(tree.find("$share/g/a"));
    }
}

TEST_CASE("a large shared group gives every member its turn while members come and go",
          "[shared_groups]") {
    topic_tree tree;
    filter_id filter = no_filter;
    for (session_index session = 0; session < 200; ++session) {
        filter = tree.insert_shared("g", "a/+", of(session)).filter;
    }
    shared_group& group = tree.group(filter);
    random_stream random(4, 0, "turns");
    for (session_index left = 0; left < 199; ++left) {
        for (std::uint64_t skip = random.below(5); skip != 0; --skip) {
            group.advance();
        }
        const session_index next = group.members()[group.next()].session;
        const auto gone = group.members()[random.below(group.members().size())].session;
        CHECK(tree.erase(filter, gone));
        if (gone != next) {
            CHECK(group.members()[group.next()].session == next);
        }
        REQUIRE(group.next() < group.members().size());
    }
    CHECK(group.members().size() == 1);
}

TEST_CASE("the last member of a large group keeps its turn when it takes another's place",
          "[shared_groups]") {
    topic_tree tree;
    filter_id filter = no_filter;
    for (session_index session = 0; session < 200; ++session) {
        filter = tree.insert_shared("g", "a", of(session)).filter;
    }
    shared_group& group = tree.group(filter);
    group.advance(198);
    CHECK(tree.erase(filter, 5));
    CHECK(group.members()[group.next()].session == 199);
    CHECK(group.members()[5].session == 199);
}
