#include <fleetarium/recording/name_rewriting.hpp>

#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using namespace fleetarium::recording;

namespace {

std::string topic(const std::vector<std::string>& rules, const std::string& name) {
    topic_rewriting all;
    for (const std::string& each : rules) {
        all.add(each);
    }
    return all.apply(name);
}

std::string client_id(const std::string& rule, const std::string& id) {
    client_rewriting one;
    one.add(rule);
    return one.apply(id);
}

}  // namespace

TEST_CASE("what a wildcard stood for goes where the new topic has it", "[replay]") {
    CHECK(topic({"plant/#=test/plant/#"}, "plant/7/celsius") == "test/plant/7/celsius");
    CHECK(topic({"site/+/temp/#=lab/+/#"}, "site/7/temp/a/b") == "lab/7/a/b");
    CHECK(topic({"+/+=x/+"}, "a/b") == "x/a");
    CHECK(topic({"a/+=b/+"}, "a/") == "b/");
    CHECK(topic({"#=all/#"}, "/a//b") == "all//a//b");
    CHECK(topic({"a=b"}, "a") == "b");
}

TEST_CASE("a # that stands for no level leaves none", "[replay]") {
    CHECK(topic({"plant/#=test/#"}, "plant") == "test");
    CHECK(topic({"plant/#=test/#"}, "plant/") == "test/");
    CHECK(topic({"plant/#=#"}, "plant").empty());
}

TEST_CASE("the first rule that matches counts, and without one the topic stays", "[replay]") {
    CHECK(topic({"a/b=c", "a/+=d"}, "a/b") == "c");
    CHECK(topic({"a/b=c", "a/+=d"}, "a/e") == "d");
    CHECK(topic({"a/b=c", "a/+=d"}, "x") == "x");
    CHECK(topic({"#=a/#"}, "$SYS/uptime") == "$SYS/uptime");  // v5/MQTT-4.7.2-1
}

TEST_CASE("client ids are rewritten around what * stands for", "[replay]") {
    CHECK(client_id("sensor-*=replayed-*", "sensor-7") == "replayed-7");
    CHECK(client_id("*=copy of *!", "a") == "copy of a!");
    CHECK(client_id("a*b=*", "a-b") == "-");
    CHECK(client_id("ab*bc=*", "abc") == "abc");  // the two parts may not overlap
    CHECK(client_id("a=b", "a") == "b");
    CHECK(client_id("a*=b", "abc") == "b");
    CHECK(client_id("x*=y*", "a") == "a");
}

TEST_CASE("a rule that makes no sense is refused with what was expected", "[replay]") {
    topic_rewriting topics;
    CHECK_THROWS_WITH(topics.add("plant"), Catch::Contains("expected FROM=TO"));
    CHECK_THROWS_WITH(topics.add("a/#/b=c"), Catch::Contains("expected a topic filter"));
    CHECK_THROWS_WITH(topics.add("a="), Catch::Contains("expected a topic filter"));
    CHECK_THROWS_WITH(topics.add("a/+=b/+/+"), Catch::Contains("found more + in \"b/+/+\""));
    CHECK_THROWS_WITH(topics.add("a/+=b/#"), Catch::Contains("found more #"));
    client_rewriting clients;
    CHECK_THROWS_WITH(clients.add("a"), Catch::Contains("expected FROM=TO"));
    CHECK_THROWS_WITH(clients.add("*-*=a"), Catch::Contains("at most one *"));
    CHECK_THROWS_WITH(clients.add("a=*"), Catch::Contains("at most one *"));
}
