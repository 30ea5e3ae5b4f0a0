#include <fleetarium/session/topic_alias.hpp>

#include <catch2/catch.hpp>

#include <set>
#include <string>

using namespace fleetarium;

TEST_CASE("an inbound alias stands for the topic last set, and for none before", "[topic_alias]") {
    inbound_topic_aliases aliases;
    CHECK(aliases.find(1).empty());
    aliases.set(3, "a/b");
    CHECK(aliases.find(3) == "a/b");
    CHECK(aliases.find(1).empty());
    CHECK(aliases.find(4).empty());
    aliases.set(3, "c");
    CHECK(aliases.find(3) == "c");
    aliases.set(65'535, "z");
    CHECK(aliases.find(65'535) == "z");
    CHECK(aliases.find(3) == "c");
    CHECK(aliases.memory_bytes() >= 65'535 * sizeof(std::string));
}

TEST_CASE("an outbound alias is known from its second use on", "[topic_alias]") {
    outbound_topic_aliases aliases;
    const auto first = aliases.choose("plant/7/temperature", 10);
    CHECK_FALSE(first.known);
    const auto again = aliases.choose("plant/7/temperature", 10);
    CHECK(again.known);
    CHECK(again.alias == first.alias);
    aliases.revoke(first.alias);
    CHECK_FALSE(aliases.choose("plant/7/temperature", 10).known);
}

TEST_CASE("outbound aliases stay within the peer's maximum, and one place holds one topic",
          "[topic_alias]") {
    outbound_topic_aliases aliases;
    std::set<std::uint16_t> used;
    for (int i = 0; i < 1'000; ++i) {
        const auto made = aliases.choose("topic/" + std::to_string(i), 7);
        REQUIRE(made.alias >= 1);
        REQUIRE(made.alias <= 7);
        used.insert(made.alias);
    }
    CHECK(used.size() == 7);
    const auto a = aliases.choose("first topic", 1);
    const auto b = aliases.choose("second topic", 1);
    CHECK(a.alias == b.alias);
    CHECK_FALSE(aliases.choose("first topic", 1).known);
}
