#include <fleetarium/config/json_document.hpp>
#include <fleetarium/sim/scenario_fields.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <support/schema_validator.hpp>

#include <catch2/catch.hpp>

#include <cmath>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::config;
using namespace fleetarium::sim;

namespace {

json_value schema_tree() { return test::tree(scenario_schema()); }

std::string shipped(std::string_view name) {
    std::ifstream file(std::string(FLEETARIUM_SOURCE_DIR) + "/scenarios/" + std::string(name));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace

TEST_CASE("the schema and the reader know the same fields, by the same table",
          "[sim][scenario][schema]") {
    const auto root = schema_tree();
    const test::validator judge(root);
    test::compare_fields(judge, root, sim::detail::scenario_type());
    test::compare_fields(judge, root, sim::detail::broker_type());
    test::compare_fields(judge, root, sim::detail::network_type());
    test::compare_fields(judge, root, sim::detail::fleet_type());
    test::compare_fields(judge, root, sim::detail::expectation_type());
}

TEST_CASE("each field of the schema has a meaning and an example that is valid",
          "[sim][scenario][schema]") {
    const auto root = schema_tree();
    const test::validator judge(root);
    for (const auto& definition : root.find("$defs")->members) {
        const auto* const properties = definition.value.find("properties");
        if (properties == nullptr) {
            continue;  // not an object: the kinds of distribution
        }
        for (const auto& [name, position, property] : properties->members) {
            INFO(definition.name << "." << name);
            CHECK(property.find("description")->text.ends_with("."));
            REQUIRE(property.find("examples") != nullptr);
            CHECK(judge.check(property, property.find("examples")->elements.front()) == "");
        }
    }
}

TEST_CASE("the schema shows defaults as structs have them", "[sim][scenario][schema]") {
    const auto root = schema_tree();
    const auto shown = [&](std::string_view type, std::string_view field) {
        const auto* const preset =
            root.find("$defs")->find(type)->find("properties")->find(field)->find("default");
        return preset == nullptr ? "none" : json_compact(*preset);
    };
    CHECK(shown("fleet", "client_id") == json_quoted(fleet_spec().client_id));
    CHECK(shown("fleet", "keep_alive") == R"("1m")");
    CHECK(shown("fleet", "version") == R"("5")");
    CHECK(shown("fleet", "session_expiry") == "none");
    CHECK(shown("broker", "receive_maximum") ==
          std::to_string(broker::broker_options().receive_maximum));
    CHECK(shown("broker", "session_expiry_maximum") == R"("never")");
    CHECK(shown("broker", "queue_policy") == R"("drop_new")");
    CHECK(shown("subscription", "qos") == "1");
    CHECK(shown("scenario", "seed") == "1");
}

TEST_CASE("the shipped scenarios are valid by the schema", "[sim][scenario][schema]") {
    const auto root = schema_tree();
    const test::validator judge(root);
    for (const std::string_view name :
         {"smart_building.json", "fleet_of_trucks.json", "utility_meters.json"}) {
        INFO(name);
        CHECK(judge.check(test::tree(shipped(name))) == "");
    }
}

TEST_CASE("what the reader refuses by its type is not valid by the schema either",
          "[sim][scenario][schema]") {
    const auto root = schema_tree();
    const test::validator judge(root);
    const std::string head = R"({"name":"s","duration":"1h","fleets":[{"name":"f",)";
    const auto verdict = [&](std::string_view inside) {
        return judge.check(test::tree(head + std::string(inside) + "}]}"));
    };
    CHECK(verdict(R"("count":5)") == "");
    for (const std::string_view wrong :
         {R"("keepalive":"1m")", R"("count":-1)", R"("count":"ten")", R"("count":2.5)",
          R"("clean_start":null)", R"("version":"4")", R"("keep_alive":60)", R"("keep_alive":"60")",
          R"("session_expiry":"ever")", R"("will":{"payload":"x"})", R"("will":"gone")",
          R"("publications":[{"topic":"t","arrival":{"poisson":{}}}])",
          R"("publications":[{"topic":"t","period":{"normal":{"mean":"1s"}}}])",
          R"("publications":[{"topic":"","period":"1s"}])",
          R"("subscriptions":[{"filter":"a","qos":3}])",
          R"("subscriptions":[{"filter":"a","retain_handling":"never"}])",
          R"("maximum_packet_size":"2KB")", R"("online":{"up":"1m"})"}) {
        INFO(wrong);
        CHECK(verdict(wrong) != "");
        CHECK(std::holds_alternative<std::vector<problem>>(
            parse_scenario(head + std::string(wrong) + "}]}", "s.json")));
    }
}

TEST_CASE("the schema is the same text each time", "[sim][scenario][schema]") {
    CHECK(scenario_schema() == scenario_schema());
    CHECK(scenario_schema().ends_with("}\n"));
    CHECK(schema_tree().members.front().value.text ==
          "https://json-schema.org/draft/2020-12/schema");
}
