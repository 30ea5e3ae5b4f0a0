#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

scenario read(std::string_view text) {
    auto made = parse_scenario(text, "s.json");
    if (const auto* const problems = std::get_if<std::vector<problem>>(&made)) {
        FAIL(to_string(*problems));
    }
    return std::get<scenario>(std::move(made));
}

std::string problems_of(std::string_view fleet) {
    const auto made = parse_scenario(
        R"({"name":"s","duration":"1h","fleets":[{"name":"f",)" + std::string(fleet) + "}]}", "");
    const auto* const problems = std::get_if<std::vector<problem>>(&made);
    return problems == nullptr ? "" : to_string(*problems);
}

client& add_probe(world& w, std::string_view filter, std::string_view name = "probe") {
    auto& probe = w.add_client(name);
    probe.connect(*w.find_broker("broker"));
    probe.subscribe(filter, {.qos = qos::exactly_once, .retain_as_published = true});
    return probe;
}

std::vector<std::string> topics_of(const std::vector<received_message>& messages) {
    std::vector<std::string> out;
    for (const auto& each : messages) {
        out.push_back(each.topic);
    }
    return out;
}

using texts = std::vector<std::string>;

}  // namespace

// Triggers

TEST_CASE("a publication on connect comes once after each connect", "[preset][trigger]") {
    world w;
    w.add_broker();
    auto& probe = add_probe(w, "#");
    fleet_spec spec{.name = "f", .count = 2, .start = 1s};
    spec.publications.push_back({.topic = "birth/{index}",
                                 .qos = qos::at_least_once,
                                 .payload = "{seq}",
                                 .on = trigger_spec{.connect = true}});
    w.add_fleet(spec);
    w.add_fault({.kind = fault_kind::cut, .at = 10s, .fleet = "f"});
    w.run_until(instant{5s});
    CHECK(topics_of(probe.take_messages()) == texts{"birth/0", "birth/1"});
    w.run_until(instant{1h});
    const auto again = probe.take_messages();
    CHECK(topics_of(again) == texts{"birth/0", "birth/1"});
    CHECK(again[0].payload == "2");
}

TEST_CASE("a birth comes after the subscriptions, so that nothing that it causes is missed",
          "[preset][trigger]") {
    world w;
    w.add_broker();
    fleet_spec spec{.name = "f", .start = 1s};
    spec.subscriptions.push_back({.filter = "echo"});
    spec.publications.push_back(
        {.topic = "echo", .qos = qos::at_least_once, .on = trigger_spec{.connect = true}});
    w.add_fleet(spec);
    w.run_for(1min);
    const auto report = w.report();
    CHECK(sum_flows(report, report.selections[0], {}).delivered == 1);
}

TEST_CASE("a publication on a message comes for each that meets the condition",
          "[preset][trigger]") {
    world w;
    w.add_broker();
    auto& probe = add_probe(w, "out/#");
    fleet_spec spec{.name = "f", .start = 1s};
    spec.subscriptions.push_back({.filter = "in/#"});
    const auto publish = [&](std::string topic, trigger_spec on) {
        spec.publications.push_back({.topic = std::move(topic),
                                     .qos = qos::at_least_once,
                                     .payload = "{seq}",
                                     .on = std::move(on)});
    };
    publish("out/all", {.message = "in/+"});
    publish("out/one", {.message = "in/{client_id}"});
    publish("out/payload", {.message = "in/+", .when = {.payload = "online"}});
    publish("out/member", {.message = "in/+", .when = {.member = "a.b"}});
    publish("out/connect", {.connect = true, .message = "in/again"});
    w.add_fleet(spec);
    w.run_for(2s);
    CHECK(topics_of(probe.take_messages()) == texts{"out/connect"});
    const auto said = [&](std::string_view topic, std::string_view payload) {
        probe.publish(topic, payload);
        w.run_for(1s);
        return topics_of(probe.take_messages());
    };
    CHECK(said("in/x", "") == texts{"out/all"});
    CHECK(said("in/f-0", "offline") == texts{"out/all", "out/one"});
    CHECK(said("in/x", "online") == texts{"out/all", "out/payload"});
    CHECK(said("in/x", R"({"z": [1, {"a": 2}], "a" : {"b": 0}})") ==
          texts{"out/all", "out/member"});
    CHECK(said("in/x", R"({"a": {"b": null}})") == texts{"out/all"});
    CHECK(said("in/x", R"({"a": {"c": 1}, "b": 2})") == texts{"out/all"});
    CHECK(said("in/x", R"({"a": {"b")") == texts{"out/all"});
    CHECK(said("in/again", "") == texts{"out/all", "out/connect"});
    CHECK(said("out/else", "") == texts{"out/else"});
}

TEST_CASE(
    "a publication on connect keeps to its start, its end and its count, and may have a "
    "period as well",
    "[preset][trigger]") {
    world w;
    w.add_broker();
    auto& probe = add_probe(w, "#");
    fleet_spec spec{.name = "f", .start = 1s};
    const trigger_spec on{.connect = true};
    spec.publications.push_back({.topic = "late", .start = 15s, .until = 35s, .on = on});
    spec.publications.push_back({.topic = "few", .count = 2, .on = on});
    spec.publications.push_back({.topic = "both",
                                 .period = distribution::constant(60e9),
                                 .jitter = 1s,
                                 .phase = 57s,
                                 .payload = "{seq}",
                                 .on = on});
    w.add_fleet(spec);
    fault_spec cuts{.kind = fault_kind::cut, .at = 10s, .fleet = "f"};
    cuts.every = distribution::constant(10e9);
    cuts.count = 4;
    w.add_fault(cuts);
    w.run_until(instant{10min});
    const auto topics = topics_of(probe.messages());
    CHECK(std::count(topics.begin(), topics.end(), "late") == 2);
    CHECK(std::count(topics.begin(), topics.end(), "few") == 2);
    std::vector<instant> both;
    for (const auto& each : probe.messages()) {
        if (each.topic == "both") {
            both.push_back(each.received_at);
        }
    }
    REQUIRE(both.size() == 5 + 10);
    for (std::size_t i = 0; i < 10; ++i) {
        const instant due = instant{57s + i * 60s};
        CHECK(both[5 + i] >= due);
        CHECK(both[5 + i] <= due + 1s);
    }
}

TEST_CASE("what is wrong with a trigger is told where it stands", "[preset][trigger]") {
    const auto of = [](std::string_view rest) {
        return problems_of(R"("subscriptions":[{"filter":"a/+"}],"publications":[{"topic":"t",)" +
                           std::string(rest) + "}]");
    };
    CHECK(of(R"("on":"connect")") == "");
    CHECK(of(R"("on":{"message":"a/b","when":{"payload":"x"}})") == "");
    CHECK_THAT(of(R"("qos":1)"), Catch::Contains("without \"period\""));
    CHECK_THAT(of(R"("on":"conect")"), Catch::Contains("/publications/0/on"));
    CHECK_THAT(of(R"("on":{})"), Catch::Contains("nothing that it is on"));
    CHECK_THAT(of(R"("on":{"message":"b"})"), Catch::Contains("does not subscribe"));
    CHECK_THAT(of(R"("on":{"connect":true,"when":{"member":"x"}})"),
               Catch::Contains("/publications/0/on/when"));
    CHECK_THAT(of(R"("on":"connect","phase":"1s")"), Catch::Contains("/publications/0/phase"));
    CHECK_THAT(of(R"("on":{"mesage":"a/b"})"), Catch::Contains("did you mean \"message\""));

    world w;
    w.add_broker();
    fleet_spec spec{.name = "f"};
    spec.publications.push_back({.topic = "t"});
    CHECK_THROWS_AS(w.add_fleet(spec), std::invalid_argument);
}

// Home Assistant

namespace {

constexpr std::string_view home = R"({
    "name": "home", "seed": 3, "duration": "1h",
    "fleets": [{
        "name": "rooms", "count": 2, "start": "1s",
        "generators": [
            {"name": "celsius", "decimals": 1, "walk": {"min": 18, "max": 24, "step": 0.2}},
            {"name": "motion", "states": {"states": [
                {"name": "ON", "stay": "1m"}, {"name": "OFF", "stay": "5m"}]}}],
        "preset": {"home_assistant": {
            "node": "room{index}", "name": "Room {index}", "model": "R1", "period": "30s",
            "entities": [
                {"id": "temperature", "name": "Temperature", "device_class": "temperature",
                 "unit": "°C", "state_class": "measurement", "value": "{celsius}"},
                {"component": "binary_sensor", "id": "motion", "device_class": "motion",
                 "value": "{motion}"},
                {"component": "switch", "id": "lamp", "value": "OFF"},
                {"component": "select", "id": "mode", "value": "eco",
                 "config": {"options": ["eco", "comfort"]}},
                {"component": "button", "id": "restart", "device_class": "restart"}]}}}]})";

}  // namespace

TEST_CASE("devices of Home Assistant are found by discovery", "[preset][home_assistant]") {
    world w = world::from(read(home));
    auto& probe = add_probe(w, "#");
    w.run_until(instant{1s + 1ms});
    const auto first = probe.take_messages();
    const auto find = [](const std::vector<received_message>& in, std::string_view topic) {
        const auto found = std::find_if(in.begin(), in.end(),
                                        [&](const auto& each) { return each.topic == topic; });
        REQUIRE(found != in.end());
        return *found;
    };
    const auto temperature = find(first, "homeassistant/sensor/room1/temperature/config");
    CHECK(temperature.retain);
    CHECK(json::parse(temperature.payload) == json::parse(R"({
        "name": "Temperature", "unique_id": "room1_temperature",
        "state_topic": "rooms/rooms-1/state",
        "value_template": "{{ value_json['temperature'] }}",
        "device_class": "temperature", "unit_of_measurement": "°C", "state_class": "measurement",
        "availability_topic": "rooms/rooms-1/availability",
        "device": {"identifiers": ["room1"], "name": "Room 1", "manufacturer": "Fleetarium",
                   "model": "R1"},
        "origin": {"name": "fleetarium"}})"));
    const auto lamp = json::parse(find(first, "homeassistant/switch/room0/lamp/config").payload);
    CHECK(lamp["command_topic"] == "rooms/rooms-0/lamp/set");
    CHECK(lamp["state_topic"] == "rooms/rooms-0/lamp/state");
    CHECK_FALSE(lamp.contains("value_template"));
    const auto mode = json::parse(find(first, "homeassistant/select/room0/mode/config").payload);
    CHECK(mode["options"] == json::array({"eco", "comfort"}));
    const auto button =
        json::parse(find(first, "homeassistant/button/room0/restart/config").payload);
    CHECK(button.contains("command_topic"));
    CHECK_FALSE(button.contains("state_topic"));

    const auto available = find(first, "rooms/rooms-0/availability");
    CHECK(available.payload == "online");
    CHECK(available.retain);
    CHECK(find(first, "rooms/rooms-0/lamp/state").payload == "OFF");
    const auto state = json::parse(find(first, "rooms/rooms-1/state").payload);
    CHECK(state["temperature"].is_number());
    CHECK((state["motion"] == "ON" || state["motion"] == "OFF"));
    CHECK(state.size() == 2);
    CHECK(first.size() == 2 * 9);

    // Home Assistant starts again.
    w.run_until(instant{2s});
    probe.take_messages();
    probe.publish("homeassistant/status", "offline");
    w.run_for(1ms);
    CHECK(topics_of(probe.take_messages()) == texts{"homeassistant/status"});
    probe.publish("homeassistant/status", "online");
    w.run_for(1ms);
    const auto again = probe.take_messages();
    CHECK(find(again, "homeassistant/sensor/room1/temperature/config").payload ==
          temperature.payload);
    CHECK(again.size() == 1 + 2 * 7);

    // A command is obeyed; after a cut the state is not the first one again.
    probe.publish("rooms/rooms-0/lamp/set", "ON");
    w.run_for(1ms);
    CHECK(find(probe.take_messages(), "rooms/rooms-0/lamp/state").payload == "ON");
    w.add_fault({.kind = fault_kind::cut, .at = 10s, .fleet = "rooms"});
    w.run_until(instant{20s});
    const auto after = probe.take_messages();
    CHECK(find(after, "rooms/rooms-0/availability").payload == "offline");
    const auto topics = topics_of(after);
    CHECK(std::count(topics.begin(), topics.end(), "rooms/rooms-0/availability") == 2);
    CHECK(std::count(topics.begin(), topics.end(), "rooms/rooms-0/lamp/state") == 0);
}

TEST_CASE("what is wrong with a fleet for Home Assistant is told where it stands",
          "[preset][home_assistant]") {
    const auto of = [](std::string_view entity) {
        return problems_of(R"("preset":{"home_assistant":{"entities":[)" + std::string(entity) +
                           "]}}");
    };
    CHECK(of(R"({"id":"a","value":"1"})") == "");
    CHECK_THAT(of(""), Catch::Contains("/preset/home_assistant/entities"));
    CHECK_THAT(of(R"({"id":"a b","value":"1"})"), Catch::Contains("entities/0/id"));
    CHECK_THAT(of(R"({"id":"a"})"), Catch::Contains("a sensor without \"value\""));
    CHECK_THAT(of(R"({"id":"a","value":"{celsius}"})"),
               Catch::Contains("/preset/home_assistant/entities"));
    CHECK_THAT(of(R"({"id":"a","value":"1"},{"id":"a","value":"1"})"),
               Catch::Contains("entities/1/id"));
    CHECK_THAT(of(R"({"component":"button","id":"a","value":"1"})"),
               Catch::Contains("a button has no state"));
    CHECK_THAT(of(R"({"component":"sensors","id":"a","value":"1"})"),
               Catch::Contains("did you mean \"sensor\""));
    CHECK_THAT(of(R"({"id":"a","value":"1","name":"{indx}"})"),
               Catch::Contains("entities/0") && Catch::Contains("did you mean \"{index}\""));
}

// Device shadows

namespace {

constexpr std::string_view lamps = R"({
    "name": "lamps", "seed": 3, "duration": "1h",
    "fleets": [
        {"name": "cloud", "preset": {"shadow_service": {}}},
        {"name": "lamps", "count": 2, "start": "1s",
         "generators": [{"name": "watts", "decimals": 0,
                         "walk": {"min": 3, "max": 9, "step": 1}}],
         "preset": {"device_shadow": {"period": "10m", "delay": "2s",
                                      "reported": {"watts": "{watts}"}}}}]})";

}  // namespace

TEST_CASE("a thing reports its state, makes what is desired its own, and finds it after an absence",
          "[preset][shadow]") {
    world w = world::from(read(lamps));
    auto& app = add_probe(w, "$aws/things/lamps-1/shadow/#", "app");
    const auto take = [&](std::string_view end) {
        std::vector<json> out;
        for (const auto& each : app.messages()) {
            if (each.topic.ends_with(end)) {
                out.push_back(json::parse(each.payload));
            }
        }
        return out;
    };
    w.run_until(instant{5s});
    // Nobody knows it yet.
    REQUIRE(take("/get").size() == 1);
    REQUIRE(take("/get/rejected").size() == 1);
    CHECK(take("/get/rejected")[0] ==
          json::parse(R"({"code": 404, "message": "No shadow exists with name: 'lamps-1'",
                          "clientToken": "lamps-1-get-1", "timestamp": 946684801})"));
    w.run_until(instant{11min});
    REQUIRE(take("/update/accepted").size() >= 1);
    const json first = take("/update/accepted")[0];
    CHECK(first["version"] == 1);
    CHECK(first["clientToken"] == "lamps-1-report-1");
    CHECK(first["state"]["reported"]["watts"].is_number_integer());
    CHECK(first["metadata"]["reported"]["watts"]["timestamp"] == first["timestamp"]);
    CHECK(take("/update/delta").empty());
    app.take_messages();

    app.publish("$aws/things/lamps-1/shadow/update",
                R"({"state": {"desired": {"mode": "dim", "level": {"night": 3}}}})",
                qos::at_least_once);
    w.run_for(1s);
    REQUIRE(take("/update/delta").size() == 1);
    CHECK(take("/update/delta")[0]["state"] ==
          json::parse(R"({"mode": "dim", "level": {"night": 3}})"));
    w.run_for(2s);
    const auto accepted = take("/update/accepted");
    REQUIRE(accepted.size() == 2);
    CHECK(accepted[1]["state"] ==
          json::parse(R"({"reported": {"mode": "dim", "level": {"night": 3}}})"));
    CHECK(accepted[1]["clientToken"] == "lamps-1-delta-1");
    CHECK(take("/update/delta").size() == 1);  // they agree

    // What is desired while it is away is found when it returns.
    app.take_messages();
    w.add_fault({.kind = fault_kind::power_loss,
                 .at = w.now().time_since_epoch() + 1s,
                 .lasts = distribution::constant(60e9),
                 .fleet = "lamps"});
    w.run_for(10s);
    app.publish("$aws/things/lamps-1/shadow/update", R"({"state": {"desired": {"mode": "off"}}})",
                qos::at_least_once);
    w.run_for(80s);
    REQUIRE(take("/get/accepted").size() == 1);
    CHECK(take("/get/accepted")[0]["state"]["delta"] == json::parse(R"({"mode": "off"})"));
    CHECK(take("/get/accepted")[0]["state"]["reported"]["mode"] == "dim");
    REQUIRE_FALSE(take("/update/documents").empty());
    const json last = take("/update/documents").back();
    CHECK(last["current"]["state"]["reported"]["mode"] == "off");
    CHECK(last["current"]["state"]["reported"]["level"]["night"] == 3);
    CHECK(last["previous"]["version"] == last["current"]["version"].get<int>() - 1);
    CHECK(take("/update/rejected").empty());
}

TEST_CASE("the service of shadows keeps versions, merges, and refuses with AWS's words",
          "[preset][shadow]") {
    sim::detail::shadow_service service({.prefix = "p"});
    const auto ask = [&](std::string_view topic, std::string_view payload) {
        std::vector<std::pair<std::string, json>> out;
        for (const auto& each : service.handle(topic, as_bytes_view(payload), instant{5s})) {
            out.emplace_back(each.topic, json::parse(each.payload));
        }
        return out;
    };
    const auto refused = [&](std::string_view payload) {
        const auto out = ask("p/t/shadow/update", payload);
        REQUIRE(out.size() == 1);
        CHECK(out[0].first == "p/t/shadow/update/rejected");
        return out[0].second["code"].dump() + " " + out[0].second["message"].get<std::string>();
    };
    CHECK(refused("") == "400 Invalid JSON");
    CHECK(refused("[1]") == "400 Invalid JSON");
    CHECK(refused("{}") == "400 Missing required node: state");
    CHECK(refused(R"({"state":3})") == "400 State node must be an object");
    CHECK(refused(R"({"state":{"desired":3}})") == "400 Desired node must be an object");
    CHECK(refused(R"({"state":{"reported":[]}})") == "400 Reported node must be an object");
    CHECK(refused(R"({"state":{"delta":{}}})") == "400 State contains an invalid node");
    CHECK(refused(R"({"state":{},"version":"1"})") == "400 Invalid version");
    CHECK(refused(R"({"state":{},"clientToken":")" + std::string(65, 'x') + "\"}") ==
          "400 Invalid clientToken");
    CHECK(refused(R"({"state":{"desired":{"a":{"b":{"c":{"d":{"e":{"f":{}}}}}}}}})") ==
          "400 JSON contains too many levels of nesting; maximum is 6");
    const auto deep =
        ask("p/t/shadow/update", R"({"state":{"desired":{"a":{"b":{"c":{"d":{"e":1}}}}}}})");
    CHECK(deep[0].first == "p/t/shadow/update/accepted");
}

TEST_CASE("a shadow's members are merged, and null removes them", "[preset][shadow]") {
    sim::detail::shadow_service service({.prefix = "p"});
    const auto ask = [&](std::string_view topic, std::string_view payload) {
        std::vector<std::pair<std::string, json>> out;
        for (const auto& each : service.handle(topic, as_bytes_view(payload), instant{5s})) {
            out.emplace_back(each.topic, json::parse(each.payload));
        }
        return out;
    };
    const std::string update = "p/t/shadow/update";
    auto out = ask(update, R"({"state":{"desired":{"a":1,"b":{"x":1,"y":2}}},"version":0})");
    REQUIRE(out.size() == 3);
    CHECK(out[0].first == update + "/accepted");
    CHECK(out[1].first == update + "/delta");
    CHECK(out[2].first == update + "/documents");
    CHECK(out[1].second["metadata"]["b"]["y"]["timestamp"] == 946684805);

    // Reported as far as it goes, with a version that fits; then one that does not.
    out =
        ask(update, R"({"state":{"reported":{"b":{"x":1,"y":7}}},"version":1,"clientToken":"k"})");
    CHECK(out[1].second["state"] == json::parse(R"({"a":1,"b":{"y":2}})"));
    CHECK(out[1].second["clientToken"] == "k");
    out = ask(update, R"({"state":{"reported":{"a":1}},"version":1,"clientToken":"l"})");
    REQUIRE(out.size() == 1);
    CHECK(out[0].second == json::parse(R"({"code":409,"message":"Version conflict",
                                           "clientToken":"l","timestamp":946684805})"));

    // Removed, member by member and altogether.
    out = ask(update, R"({"state":{"desired":{"b":{"y":null}}}})");
    CHECK(out[1].second["state"] == json::parse(R"({"a":1})"));
    out = ask(update, R"({"state":{"desired":null}})");
    REQUIRE(out.size() == 2);
    CHECK(out[1].second["current"]["state"] == json::parse(R"({"reported":{"b":{"x":1,"y":7}}})"));
    CHECK(out[1].second["current"]["version"] == 4);
    CHECK(service.stored_bytes() > 20);

    // The version goes on after a deletion.
    out = ask("p/t/shadow/delete", "");
    CHECK(out[0].first == "p/t/shadow/delete/accepted");
    CHECK(ask("p/t/shadow/get", "")[0].second["code"] == 404);
    out = ask(update, R"({"state":{"reported":{"a":1}}})");
    CHECK(out[0].second["version"] == 5);

    // Named shadows are others; other topics are nobody's.
    CHECK(ask("p/t/shadow/name/n/get", "")[0].second["message"] ==
          "No shadow exists with name: 'n'");
    CHECK(ask("p/t/shadow/name/n/update", R"({"state":{"reported":{"a":1}}})")[0].first ==
          "p/t/shadow/name/n/update/accepted");
    CHECK(ask("p/t/shadow/get", "")[0].second["state"]["reported"].contains("a"));
    for (const std::string_view topic :
         {"p/t/shadow/update/accepted", "p/t/shadow", "p//shadow/get", "q/t/shadow/get",
          "p/t/shadow/name//get", "p/t/shadow/name/n", "pp/t/shadow/get", "p"}) {
        CHECK(ask(topic, "{}").empty());
    }

    // 8 KiB are the limit, of a request and of what comes of several.
    const std::string long_text(5'000, 'x');
    out = ask(update, R"({"state":{"reported":{"one":")" + long_text + "\"}}}");
    CHECK(out[0].second.contains("version"));
    out = ask(update, R"({"state":{"reported":{"two":")" + long_text + "\"}}}");
    CHECK(out[0].second["code"] == 413);
    out = ask(update, R"({"state":{"reported":{"two":")" + long_text + long_text + "\"}}}");
    CHECK(out[0].second["code"] == 413);
}

TEST_CASE("what is wrong with shadows is told where it stands", "[preset][shadow]") {
    CHECK(problems_of(R"("preset":{"device_shadow":{}})") == "");
    CHECK_THAT(problems_of(R"("preset":{"device_shadow":{"thing":"a/b"}})"),
               Catch::Contains("/preset/device_shadow/thing"));
    CHECK_THAT(problems_of(R"("preset":{"device_shadow":{"reported":{"c":"{celsius}"}}})"),
               Catch::Contains("/preset/device_shadow/reported"));
    CHECK_THAT(problems_of(R"("preset":{"device_shadow":{"reported":[1]}})"),
               Catch::Contains("a JSON object"));
    CHECK_THAT(problems_of(R"("preset":{"device_shadow":{"prefix":"a/#"}})"),
               Catch::Contains("/preset/device_shadow/"));
    CHECK_THAT(problems_of(R"("preset":{"device_shadow":{},"shadow_service":{}})"),
               Catch::Contains("exactly one of"));
    CHECK_THAT(problems_of(R"("shadow_service":{})"), Catch::Contains("/fleets/0/shadow_service"));
}

// Both ways

TEST_CASE("a preset is short for what could be written by hand", "[preset]") {
    const scenario whole = read(home);
    const fleet_spec by_hand = expand_preset(whole.fleets[0]);
    CHECK_FALSE(by_hand.preset);
    CHECK(by_hand.publications.size() == 5 + 2 + 2);
    world a = world::from(whole);
    world b = world::from(expand_presets(whole));
    a.run_for(10min);
    b.run_for(10min);
    CHECK(a.trace_hash() == b.trace_hash());
    CHECK(check_scenario(expand_presets(whole)).empty());
}

TEST_CASE("what a fleet has itself comes first, and stays", "[preset]") {
    fleet_spec spec{.name = "f"};
    spec.publications.push_back({.topic = "own", .period = distribution::constant(1e9)});
    spec.preset.emplace().shadow_service.emplace();
    const auto made = expand_preset(spec);
    CHECK(made.publications.size() == 1);
    CHECK(made.subscriptions.size() == 2);
    REQUIRE(made.shadow_service);
    spec.preset->device_shadow.emplace();
    CHECK_THROWS_AS(expand_preset(spec), std::invalid_argument);
    spec.preset.emplace();
    CHECK_THROWS_AS(expand_preset(spec), std::invalid_argument);
}

TEST_CASE("the C++ structs and the JSON of a preset are one model", "[preset]") {
    fleet_spec spec{.name = "nodes", .count = 2};
    spec.preset.emplace().sparkplug_b = sparkplug_b_preset{
        .group = "g",
        .period = distribution::constant(5e9),
        .devices = {{.id = "d",
                     .metrics = {{.name = "M", .type = sparkplug_type::int16, .value = "{seq}"}}}}};
    world by_hand({.seed = 9});
    by_hand.add_broker();
    by_hand.add_network({});
    by_hand.add_fleet(spec);
    world by_file = world::from(read(R"({"name": "s", "seed": 9, "duration": "1h",
        "brokers": [{"name": "broker"}], "networks": [{"name": "network"}],
        "fleets": [{"name": "nodes", "count": 2, "preset": {"sparkplug_b": {"group": "g",
        "period": "5s", "devices": [{"id": "d", "metrics": [
            {"name": "M", "type": "Int16", "value": "{seq}"}]}]}}}]})"));
    by_hand.run_for(10min);
    by_file.run_for(10min);
    CHECK(by_hand.trace_hash() == by_file.trace_hash());
    CHECK(by_hand.report().fleets[0].connects_accepted == 2);
}

TEST_CASE("what an edge node remembers costs 12 bytes, and 4 for each 32 devices below it",
          "[preset][memory]") {
    const auto bytes_of = [](std::size_t devices) {
        fleet_spec spec{.name = "nodes"};
        auto& preset = spec.preset.emplace().sparkplug_b.emplace();
        preset.group = "g";
        preset.metrics.push_back({.name = "M", .value = "1"});
        for (std::size_t i = 0; i < devices; ++i) {
            preset.devices.push_back(
                {.id = "d" + std::to_string(i), .metrics = {{.name = "M", .value = "1"}}});
        }
        world w;
        w.add_broker();
        return w.add_fleet(spec).device(0).memory_bytes;
    };
    fleet_spec plain{.name = "nodes"};
    plain.publications.push_back({.topic = "t", .on = trigger_spec{.connect = true}});
    plain.publications.push_back({.topic = "u", .period = distribution::constant(1e9)});
    world w;
    w.add_broker();
    const std::size_t without = w.add_fleet(plain).device(0).memory_bytes;
    CHECK(bytes_of(0) >= without);
    CHECK(bytes_of(0) <= without + 16);
    // A device below has two publications of 16 bytes each.
    CHECK(bytes_of(64) <= without + 16 + 64 * 2 * 16 + 2 * 4 + 8);
}
