#include <fleetarium/sim/access_policy.hpp>

#include <catch2/catch.hpp>

#include <optional>

using namespace fleetarium;
using namespace fleetarium::sim;

TEST_CASE("users need their password, others a broker that lets anonymous clients in",
          "[sim][access]") {
    broker_spec broker;
    CHECK(access_policy(broker).admits(std::nullopt, ""));
    CHECK(access_policy(broker).admits("anybody", "whatever"));
    CHECK(access_policy(broker).allows_everything());
    broker.users = {{"meter", "secret"}};
    broker.allow_anonymous = false;
    const access_policy policy(broker);
    CHECK(policy.admits("meter", "secret"));
    CHECK_FALSE(policy.admits("meter", "Secret"));
    CHECK_FALSE(policy.admits("meter", ""));
    CHECK_FALSE(policy.admits("other", "secret"));
    CHECK_FALSE(policy.admits(std::nullopt, ""));
    CHECK_FALSE(policy.allows_everything());
}

TEST_CASE("an action needs a rule that covers it, for the client's user or for all",
          "[sim][access]") {
    broker_spec broker;
    broker.access = {{.publish = {"meters/%c/+"}, .subscribe = {"tariffs/+"}},
                     {.user_name = "office", .subscribe = {"meters/#", "%u/inbox"}}};
    const access_policy policy(broker);
    CHECK(policy.may_publish("m1", "", "meters/m1/reading"));
    CHECK_FALSE(policy.may_publish("m1", "", "meters/m2/reading"));
    CHECK_FALSE(policy.may_publish("m1", "", "meters/m1/reading/now"));
    CHECK(policy.may_subscribe("m1", "", "tariffs/region-1"));
    CHECK(policy.may_subscribe("m1", "", "tariffs/+"));
    CHECK_FALSE(policy.may_subscribe("m1", "", "tariffs/#"));
    CHECK_FALSE(policy.may_subscribe("m1", "", "meters/+/reading"));
    CHECK(policy.may_subscribe("o", "office", "meters/+/reading"));
    CHECK(policy.may_subscribe("o", "office", "$share/group/meters/#"));
    CHECK(policy.may_subscribe("o", "office", "office/inbox"));
    CHECK_FALSE(policy.may_subscribe("o", "other", "other/inbox"));
}

TEST_CASE("a client id with levels or wildcards in it widens no rule", "[sim][access]") {
    broker_spec broker;
    broker.access = {{.publish = {"meters/%c/+"}, .subscribe = {"meters/%c/#"}}};
    const access_policy policy(broker);
    CHECK_FALSE(policy.may_subscribe("+", "", "meters/+/#"));
    CHECK_FALSE(policy.may_subscribe("#", "", "meters/#"));
    CHECK_FALSE(policy.may_publish("a/b", "", "meters/a/b/c"));
    CHECK_FALSE(policy.may_publish("", "", "meters//c"));
}
