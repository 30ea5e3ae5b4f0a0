#include <fleetarium/broker/retained_store.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/limits.hpp>

#include "support/topic_table.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;

namespace {

using texts = std::vector<std::string>;

message_ptr make(std::string_view topic, std::string_view payload = "1") {
    return message::make({.topic = topic, .payload = as_bytes_view(payload), .retain = true}, {});
}

texts topics_of(const retained_store& store, std::string_view filter) {
    texts found;
    store.for_each_match(filter, [&](const message_ptr& one) { found.emplace_back(one->topic()); });
    return found;
}

texts all_topics(const retained_store& store) {
    texts found;
    store.for_each([&](const message_ptr& one) { found.emplace_back(one->topic()); });
    return found;
}

texts sorted(texts all) {
    std::sort(all.begin(), all.end());
    return all;
}

}  // namespace

TEST_CASE("a retained message replaces the one of its topic and no other", "[retained_store]") {
    retained_store store;
    CHECK_FALSE(store.set(make("a/b", "old")));
    CHECK_FALSE(store.set(make("a", "parent")));
    const message_ptr replaced = store.set(make("a/b", "newer"));
    REQUIRE(replaced);
    CHECK(as_text(replaced->payload()) == "old");
    REQUIRE(store.find("a/b") != nullptr);
    CHECK(as_text((*store.find("a/b"))->payload()) == "newer");
    CHECK(as_text((*store.find("a"))->payload()) == "parent");
    CHECK(store.size() == 2);
}

TEST_CASE("an erased topic holds no message, its neighbours keep theirs", "[retained_store]") {
    retained_store store;
    for (const auto topic : {"a", "a/b", "a/b/c", "a/b/d", "/", "$SYS/x"}) {
        store.set(make(topic));
    }
    CHECK_FALSE(store.erase("b"));
    CHECK_FALSE(store.erase("a/b/c/d"));
    CHECK(store.erase("a/b")->topic() == "a/b");
    CHECK_FALSE(store.erase("a/b"));
    CHECK(store.find("a/b") == nullptr);
    CHECK(topics_of(store, "a/#") == texts{"a", "a/b/c", "a/b/d"});
    CHECK(store.erase("a/b/c"));
    CHECK(store.erase("a/b/d"));
    CHECK(topics_of(store, "a/#") == texts{"a"});
    CHECK(store.size() == 3);
}

TEST_CASE("retained messages match filters as section 4.7 says", "[retained_store]") {
    retained_store store;
    texts held;
    for (const auto& row : test::topic_table()) {
        for (const auto& list : {row.matches, row.does_not_match}) {
            for (const auto topic : list) {
                store.set(make(topic));
                held.emplace_back(topic);
            }
        }
    }
    held = sorted(held);
    held.erase(std::unique(held.begin(), held.end()), held.end());
    CHECK(store.size() == held.size());
    for (const auto& row : test::topic_table()) {
        INFO("filter " << row.filter);
        texts expected;
        std::copy_if(held.begin(), held.end(), std::back_inserter(expected),
                     [&](const auto& topic) { return topic_matches(row.filter, topic); });
        const texts found = sorted(topics_of(store, row.filter));
        CHECK(found == expected);
        for (const auto topic : row.matches) {
            CHECK(std::binary_search(found.begin(), found.end(), topic));
        }
        for (const auto topic : row.does_not_match) {
            CHECK_FALSE(std::binary_search(found.begin(), found.end(), topic));
        }
    }
}

TEST_CASE("retained messages stand in the order of their levels' first coming, parents first",
          "[retained_store]") {
    retained_store store;
    for (const auto topic : {"b/2", "a", "b/1", "$SYS/up", "b", "b/2/x", "b/2"}) {
        store.set(make(topic));
    }
    const texts expected = {"b", "b/2", "b/2/x", "b/1", "a", "$SYS/up"};
    CHECK(all_topics(store) == expected);
    CHECK(topics_of(store, "#") == texts{"b", "b/2", "b/2/x", "b/1", "a"});
    CHECK(topics_of(store, "+/+") == texts{"b/2", "b/1"});
    CHECK(topics_of(store, "b/+/#") == texts{"b/2", "b/2/x", "b/1"});

    SECTION("a store filled from the enumeration enumerates alike") {
        retained_store copy(99);
        store.for_each([&](const message_ptr& one) { copy.set(one); });
        CHECK(all_topics(copy) == expected);
    }
    SECTION("a level that went and came back stands last") {
        store.erase("b/2");
        store.erase("b/2/x");
        store.set(make("b/2"));
        CHECK(topics_of(store, "b/#") == texts{"b", "b/1", "b/2"});
    }
}

TEST_CASE("bytes and messages are counted through set, replace and erase", "[retained_store]") {
    retained_store store;
    std::size_t expected = 0;
    for (const auto size : {1U, 100U, 5000U}) {
        const auto message = make("t/" + std::to_string(size), std::string(size, 'x'));
        expected += message->memory_bytes();
        store.set(message);
    }
    CHECK(store.message_bytes() == expected);
    expected -= (*store.find("t/5000"))->memory_bytes();
    const auto small = make("t/5000", "x");
    expected += small->memory_bytes();
    store.set(small);
    CHECK(store.message_bytes() == expected);
    for (const auto topic : {"t/1", "t/100", "t/5000"}) {
        store.erase(topic);
    }
    CHECK(store.message_bytes() == 0);
    CHECK(store.empty());
    CHECK(store.memory_bytes() == 0);
}

TEST_CASE("retained messages are found at the deepest level", "[retained_store]") {
    std::string topic = "a";
    std::string all_plus = "+";
    for (std::size_t level = 1; level < limits::topic_levels_max; ++level) {
        topic += "/a";
        all_plus += "/+";
    }
    retained_store store;
    store.set(make(topic));
    CHECK(topics_of(store, topic) == texts{topic});
    CHECK(topics_of(store, all_plus) == texts{topic});
    CHECK(topics_of(store, "#") == texts{topic});
    CHECK(topics_of(store, all_plus.substr(2)).empty());
    CHECK(topics_of(store, all_plus.substr(2) + "/#") == texts{topic});
}

TEST_CASE("a store lets go of its messages with its own end", "[retained_store]") {
    const auto message = make("a/b");
    std::size_t visited = 0;
    {
        retained_store store;
        for (int n = 0; n < 1000; ++n) {
            store.set(make("a/" + std::to_string(n)));
        }
        store.set(message);
        store.for_each([&](const message_ptr&) { ++visited; });
    }
    CHECK(visited == 1001);
    CHECK(message->topic() == "a/b");  // a leak or a double release shows under the sanitizers
}
