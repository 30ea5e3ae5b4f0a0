// Generators in scenarios: how they are written, what is wrong with them, what devices say.

#include <fleetarium/sim/generator_type.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>
#include <support/temporary_folder.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

std::string with_fleet(std::string_view inside) {
    return R"({"name":"s","duration":"1h","fleets":[{"name":"f",)" + std::string(inside) + "}]}";
}

std::string with_generators(std::string_view list) {
    return with_fleet(R"("generators":[)" + std::string(list) + "]");
}

std::string problems_of(std::string_view text) {
    const auto read = parse_scenario(text, "s.json");
    const auto* const problems = std::get_if<std::vector<problem>>(&read);
    return problems == nullptr ? "" : to_string(*problems);
}

scenario good(std::string_view text) {
    auto read = parse_scenario(text, "s.json");
    if (const auto* const problems = std::get_if<std::vector<problem>>(&read)) {
        FAIL(to_string(*problems));
    }
    return std::get<scenario>(std::move(read));
}

/// Payloads that a probe gets, in their order.
std::vector<std::string> payloads_of(const scenario& described, duration run) {
    world w = world::from(described);
    auto& probe = w.add_client("probe");
    probe.connect(*w.find_broker("broker"));
    probe.subscribe("#", qos::at_most_once);
    w.run_until(instant(run));
    std::vector<std::string> all;
    for (const auto& each : probe.messages()) {
        all.emplace_back(each.payload);
    }
    return all;
}

/// Half the length of the day is light.
class solar_panel final : public generator_type {
public:
    explicit solar_panel(const generator_parameters& given) : peak_(given.number("peak_watts")) {
        given.expect_only(std::array<std::string_view, 2>{"peak_watts", "facing"});
        if (given.number("peak_watts") < 0) {
            throw std::invalid_argument("peak_watts of 0 or more");
        }
    }

    std::span<const generator_field> fields() const override { return fields_; }
    std::size_t state_size() const override { return 1; }

    void advance(const generator_moment& moment, std::span<double> state,
                 std::span<double> values) const override {
        const bool light = moment.now.time_since_epoch() % 24h >= 12h;
        const double hours = static_cast<double>(moment.elapsed.count()) / 3600e9;
        state[0] += light ? hours * peak_ : 0;
        values[0] = light ? peak_ : 0;
        values[1] = state[0];
    }

private:
    static constexpr std::array<generator_field, 2> fields_{
        {{.name = "watts", .decimals = 0}, {.name = "watt_hours", .decimals = 0}}};
    double peak_;
};

/// Once for the process, before any world.
const bool registered = [] {
    register_generator("solar_panel", [](const generator_parameters& given) {
        return std::make_unique<solar_panel>(given);
    });
    return true;
}();

}  // namespace

TEST_CASE("a payload written as JSON shows numbers bare, names in quotes, gaps as null",
          "[sim][generator][scenario]") {
    const auto described = good(with_fleet(R"(
        "generators": [
            {"name": "c", "constant": {"value": 21.5}},
            {"name": "door", "states": {"states": [{"name": "say \"open\""}]}},
            {"name": "gone", "constant": {"value": 1}, "missing": {"probability": 1}},
            {"name": "box", "battery": {"capacity": 10}}],
        "publications": [{"topic": "t", "period": "10m", "payload": {
            "c": "{c}", "short": "{c:0}", "door": "{door}", "gone": "{gone}",
            "charging": "{box.charging}", "text": "{c} degrees", "odd": "{{c}"}}])"));
    const auto all = payloads_of(described, 30min);
    REQUIRE(!all.empty());
    CHECK(all[0] == R"({"c":21.5,"short":22,"door":"say \"open\"","gone":null,"charging":false,)"
                    R"("text":"21.5 degrees","odd":"{c}"})");
}

TEST_CASE("a message whose value is missing is not made, if so asked",
          "[sim][generator][scenario]") {
    const auto described = good(with_fleet(R"(
        "generators": [{"name": "n", "counter": {"every": "1m"},
                        "missing": {"gaps": {"every": "5m", "lasts": "2m"}, "as": "skip"}}],
        "publications": [{"topic": "t", "period": "1m", "phase": "30s",
                          "payload": "{n} {seq}"}])"));
    const auto all = payloads_of(described, 8min);
    CHECK(all == std::vector<std::string>{"0 1", "1 2", "2 3", "3 4", "4 5", "7 8"});
}

TEST_CASE("publications and replies of a device share its generators",
          "[sim][generator][scenario]") {
    const auto described = good(with_fleet(R"(
        "generators": [{"name": "x", "walk": {"min": 0, "max": 1000, "step": 100}}],
        "subscriptions": [{"filter": "ask"}],
        "publications": [{"topic": "a", "period": "1m", "phase": "1m", "payload": "{x}"},
                         {"topic": "ask", "period": "1m", "phase": "1m", "payload": "?"}],
        "replies": [{"on": "ask", "to": "answer", "payload": "{x}"}])"));
    world w = world::from(described);
    auto& probe = w.add_client("probe");
    probe.connect(*w.find_broker("broker"));
    probe.subscribe("#", qos::at_most_once);
    w.run_until(instant(10min));
    std::string last;
    int compared = 0;
    for (const auto& each : probe.messages()) {
        if (each.topic == "a") {
            last = each.payload;
        } else if (each.topic == "answer") {
            CHECK(each.payload == last);
            ++compared;
        }
    }
    CHECK(compared == 10);
}

TEST_CASE("the messages of a device drain its battery", "[sim][generator][scenario]") {
    const auto described = good(with_fleet(R"(
        "generators": [{"name": "b", "battery": {"capacity": 100, "drain_per_message": 1}}],
        "publications": [{"topic": "b", "period": "10s", "phase": "5s", "qos": 1,
                          "payload": "{b:0}"},
                         {"topic": "much", "period": "1s", "phase": "500ms", "qos": 1}])"));
    world w = world::from(described);
    auto& probe = w.add_client("probe");
    probe.connect(*w.find_broker("broker"));
    probe.subscribe("b", qos::at_most_once);
    w.run_until(instant(30s));
    REQUIRE(probe.messages().size() == 3);
    CHECK(probe.messages()[0].payload == "95");
    CHECK(probe.messages()[1].payload == "84");  // ten others, and the one before
}

TEST_CASE("a fleet or a generator more changes nothing that the others say",
          "[sim][generator][scenario]") {
    const std::string fleet =
        R"({"name":"f","count":3,"generators":[@{"name":"x","walk":{"min":0,"max":9,"step":1}}],)"
        R"("publications":[{"topic":"t","period":"1m","payload":"{x}"}]})";
    const auto hash = [&](std::string_view more, std::string_view others) {
        std::string text =
            R"({"name":"s","duration":"1h","fleets":[)" + std::string(others) + fleet + "]}";
        text.replace(text.find('@'), 1, more);
        world w = world::from(good(text));
        w.run_until(instant(1h));
        return w.find_fleet("f")->trace_hash();
    };
    const auto alone = hash("", "");
    CHECK(hash(R"({"name":"y","constant":{"value":1}},)", "") == alone);
    CHECK(hash("", R"({"name":"g","count":5},)") == alone);
}

TEST_CASE("what is wrong with generators is said with its place", "[sim][generator][scenario]") {
    const std::string walk = R"("walk":{"min":1,"max":2,"step":1})";
    const std::vector<std::pair<std::string, std::string>> cases{
        {R"({"name":"a"})",
         R"(0: found a generator without its kind, expected exactly one of constant, counter, )"
         R"(walk, ornstein_uhlenbeck, sine, states, battery, thermal, route, csv, sum or custom)"},
        {R"({"name":"a","counter":{},)" + walk + "}",
         R"(0: found a generator with "counter" and "walk", expected exactly one of constant, )"
         R"(counter, walk, ornstein_uhlenbeck, sine, states, battery, thermal, route, csv, sum )"
         R"(or custom)"},
        {R"({"name":"a","walc":{}})",
         R"(0/walc: found the unknown field "walc", expected a field of a generator )"
         R"((did you mean "walk"?))"},
        {R"({"name":"a","walk":{"min":1,"max":2}})",
         R"(0/walk/step: found a random walk without "step", expected a number from 0 to 1e+15)"},
        {R"({"name":"a","walk":{"min":3,"max":2,"step":1}})",
         R"(0/walk/min: found 3, expected a number below "max", 2)"},
        {R"({"name":"seq",)" + walk + "}",
         R"(0/name: found "seq", which templates have a placeholder for, expected another name)"},
        {R"({"name":"a b",)" + walk + "}",
         R"(0/name: found "a b", expected letters, digits and "_", no digit first)"},
        {R"({"name":"a",)" + walk + R"(},{"name":"a",)" + walk + "}",
         R"(1/name: found "a" a second time, expected a name of its own)"},
        {R"({"name":"temp",)" + walk + R"(},{"name":"b","sum":{"terms":[{"of":"temq"}]}})",
         R"(1/sum/terms/0/of: found "temq", expected the name of a generator further up in the )"
         R"(list: temp (did you mean "temp"?))"},
        {R"({"name":"b","sum":{"terms":[{"of":"later"}]}},{"name":"later",)" + walk + "}",
         R"(0/sum/terms/0/of: found "later", which is not further up in the list, expected the )"
         R"(name of a generator further up in the list, of which there is none)"},
        {R"({"name":"s","states":{"states":[{"name":"x"}]}},)"
         R"({"name":"b","sum":{"terms":[{"of":"s"}]}})",
         R"(1/sum/terms/0/of: found "s", expected a number of "s": "s.FIELD" with the field )"
         R"(value or since)"},
        {R"({"name":"s","states":{"states":[{"name":"on","stay":"1s","next":[{"to":"offf"}]},)"
         R"({"name":"off"}]}})",
         R"(0/states/states/0/next/0/to: found "offf", expected the name of a state: on or off )"
         R"((did you mean "off"?))"},
        {R"({"name":"r","route":{"points":[{"lat":1,"lon":1}],"speed":3}})",
         "0/route/points: found a route that leads nowhere, expected two points or more that "
         "differ"},
        {R"({"name":"c","csv":{"file":"x.csv","column":"c"}})",
         R"(0/csv: found a series without times, expected "time", a column, or "period", from )"
         R"(row to row)"},
        {R"({"name":"a",)" + walk + R"(,"missing":{}})",
         R"(0/missing: found values that are never missing, expected "probability" above 0, )"
         R"("gaps", or both)"},
        {R"({"name":"a",)" + walk + R"(,"spikes":{"probability":2,"min":1,"max":2}})",
         "0/spikes/probability: found 2, expected a number from 0 to 1"},
        {R"({"name":"a","custom":{"type":"solar_pannel"}})",
         R"(0/custom/type: found "solar_pannel", expected a type of generator that this program )"
         R"(registers: solar_panel (did you mean "solar_panel"?))"},
        {R"({"name":"a","custom":{"type":"solar_panel"}})",
         R"(0/custom/parameters: found parameters that "solar_panel" does not take, expected )"
         R"(parameter "peak_watts", a number)"},
        {R"({"name":"a","custom":{"type":"solar_panel",)"
         R"("parameters":{"peak_watts":1,"facin":"n"}}})",
         R"(0/custom/parameters: found parameters that "solar_panel" does not take, expected no )"
         R"(parameter "facin" but peak_watts or facing (did you mean "facing"?))"}};
    for (const auto& [list, expected] : cases) {
        const std::string found = problems_of(with_generators(list));
        INFO(found);
        CHECK(found.find(": /fleets/0/generators/" + expected) != std::string::npos);
        CHECK(std::count(found.begin(), found.end(), '\n') == 1);
    }
}

TEST_CASE("a template names only generators and fields that there are",
          "[sim][generator][scenario]") {
    const auto problem_with = [](std::string_view payload) {
        return problems_of(
            with_fleet(R"("generators":[{"name":"truck","route":{"points":[{"lat":1,"lon":1},)"
                       R"({"lat":2,"lon":2}],"speed":3}},{"name":"fuel","constant":{"value":1}}],)"
                       R"("publications":[{"topic":"t","period":"1m","payload":)" +
                       std::string(payload) + "}]"));
    };
    CHECK(problem_with(R"("{truck.lat} {fuel}")") == "");
    CHECK(problem_with(R"({"a":"{feul}"})")
              .find(R"(/payload: found the placeholder "{feul}", expected {fleet}, )") !=
          std::string::npos);
    CHECK(problem_with(R"({"a":"{feul}"})").find(R"((did you mean "{fuel}"?))") !=
          std::string::npos);
    CHECK(
        problem_with(R"("{truck}")")
            .find(
                R"(/payload: found generator "truck" without a field, expected {truck.FIELD} with )"
                R"(the field lat, lon, heading, speed or distance)") != std::string::npos);
    CHECK(
        problem_with(R"("{truck.lan}")")
            .find(
                R"(found the field "lan" of generator "truck", expected lat, lon, heading, speed )"
                R"(or distance (did you mean "{truck.lat}"?))") != std::string::npos);
    CHECK(problem_with(R"("{fuel:many}")").find("{fuel:2} for two decimals") != std::string::npos);
    // They change from message to message, which topics do not.
    CHECK(problems_of(with_fleet(R"("generators":[{"name":"x","constant":{"value":1}}],)"
                                 R"("publications":[{"topic":"t/{x}","period":"1m"}])")) != "");
}

TEST_CASE("a CSV file is found beside the scenario, and its bad row is named",
          "[sim][generator][scenario][csv]") {
    const test::temporary_folder whole;
    const std::filesystem::path folder = whole.path();
    std::filesystem::create_directories(folder / "data");
    const auto write = [&](const char* name, std::string_view text) {
        std::ofstream(folder / name) << text;
    };
    write("s.json",
          with_fleet(R"("generators":[{"name":"t","csv":{"file":"data/t.csv","column":"t",)"
                     R"("period":"1m","between":false}}],)"
                     R"("publications":[{"topic":"t","period":"1m","phase":"0s","start":"1m",)"
                     R"("payload":"{t}"}])"));
    const std::string path = (folder / "s.json").string();

    write("data/t.csv", "t\n1.5\n2.5\n3.5\n");
    const auto read = load_scenario(path);
    REQUIRE(std::holds_alternative<scenario>(read));
    const auto all = payloads_of(std::get<scenario>(read), 4min);
    CHECK(all == std::vector<std::string>{"2.5", "3.5", "1.5", "2.5"});

    write("data/t.csv", "t\n1.5\n2,5\n");
    const auto wrong = load_scenario(path);
    REQUIRE(std::holds_alternative<std::vector<problem>>(wrong));
    CHECK(to_string(std::get<std::vector<problem>>(wrong)) ==
          (folder / "data/t.csv").string() +
              ":3:1: /fleets/0/generators/0/csv: found 2 fields, expected 1, as the first line has "
              "names\n");

    std::filesystem::remove(folder / "data/t.csv");
    const auto absent = load_scenario(path);
    REQUIRE(std::holds_alternative<std::vector<problem>>(absent));
    CHECK(to_string(std::get<std::vector<problem>>(absent))
              .find("data/t.csv: /fleets/0/generators/0/csv: found no file that can be read") !=
          std::string::npos);
}

TEST_CASE("a generator of the program's own is used by its name", "[sim][generator][scenario]") {
    REQUIRE(registered);
    const auto described = good(with_fleet(R"(
        "generators": [{"name": "roof", "decimals": 1, "custom": {"type": "solar_panel",
                        "parameters": {"peak_watts": 300, "facing": "south"}}},
                       {"name": "sold", "sum": {"terms": [{"of": "roof.watt_hours",
                                                           "times": 0.5}]}}],
        "publications": [{"topic": "t", "period": "1h", "phase": "1m",
                          "payload": "{roof} {roof.watt_hours:0} {sold:0}"}])"));
    const auto all = payloads_of(described, 15h);
    REQUIRE(all.size() == 15);
    CHECK(all[11] == "0.0 0 0");
    CHECK(all[13] == "300.0 600 300");
    CHECK_THROWS_AS(register_generator("solar_panel",
                                       [](const generator_parameters&) {
                                           return std::unique_ptr<const generator_type>();
                                       }),
                    std::invalid_argument);
    CHECK_THROWS_AS(register_generator("", nullptr), std::invalid_argument);
}

TEST_CASE("a fleet built in C++ with a wrong generator is refused", "[sim][generator]") {
    world w;
    w.add_broker();
    fleet_spec spec{.name = "f"};
    spec.generators.push_back({.name = "a", .walk = walk_generator{.min = 2, .max = 1}});
    CHECK_THROWS_WITH(w.add_fleet(spec),
                      "/generators/0/walk/min: found 2, expected a number below \"max\", 1");
}
