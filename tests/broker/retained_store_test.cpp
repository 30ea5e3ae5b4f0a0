#include <fleetarium/broker/retained_store.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/limits.hpp>
#include <fleetarium/core/random.hpp>

#include "support/topic_table.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
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

TEST_CASE("the retained messages of generated topics are those of the plain model",
          "[retained_store]") {
    constexpr std::string_view names[] = {"a", "b", "c", "", "$x", "long_level_name"};
    constexpr std::string_view wildcards[] = {"a", "b", "c", "", "$x", "+", "+", "nowhere"};
    const auto seed = GENERATE(range(0, 16));
    INFO("seed " << seed);
    random_stream random(static_cast<std::uint64_t>(seed), 0, "retained_store_test");
    const auto levels = [&](std::span<const std::string_view> choice) {
        std::string text(choice[random.below(choice.size())]);
        for (std::uint64_t more = random.below(5); more != 0; --more) {
            text.append("/").append(choice[random.below(choice.size())]);
        }
        return text.empty() ? std::string("/") : text;
    };
    retained_store store;
    retained_store other_hashes(1234);
    std::map<std::string, std::string> expected;
    for (int step = 0; step < 3000; ++step) {
        const std::string topic = levels(names);
        if (random.below(10) < (step < 1500 ? 3U : 6U)) {
            const auto gone = store.erase(topic);
            other_hashes.erase(topic);
            CHECK(static_cast<bool>(gone) == (expected.erase(topic) != 0));
        } else {
            const std::string payload = std::to_string(step);
            const auto before = store.set(make(topic, payload));
            other_hashes.set(make(topic, payload));
            CHECK(static_cast<bool>(before) == expected.contains(topic));
            expected[topic] = payload;
        }
        REQUIRE(store.size() == expected.size());

        std::string filter = levels(wildcards);
        if (random.below(3) == 0) {
            filter = random.below(5) == 0 ? "#" : filter + "/#";
        }
        INFO("step " << step << ", filter " << filter);
        texts wanted;
        for (const auto& [name, payload] : expected) {
            if (topic_matches(filter, name)) {
                wanted.push_back(name);
            }
        }
        const texts found = topics_of(store, filter);
        CHECK(sorted(found) == wanted);
        CHECK(topics_of(other_hashes, filter) == found);
        const auto* one = store.find(topic);
        REQUIRE((one != nullptr) == expected.contains(topic));
        if (one != nullptr) {
            CHECK(as_text((*one)->payload()) == expected[topic]);
        }
    }
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
