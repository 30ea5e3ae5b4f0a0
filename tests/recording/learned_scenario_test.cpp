#include <fleetarium/recording/learned_scenario.hpp>
#include <fleetarium/recording/payload_shape.hpp>
#include <fleetarium/recording/topic_pattern.hpp>
#include <fleetarium/recording/world_recorder.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <unistd.h>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <variant>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::recording;
using namespace fleetarium::sim;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct scratch_file {
    std::string path =
        (fs::temp_directory_path() / ("fleetarium-learn-test-" + std::to_string(getpid()) + "-" +
                                      std::to_string(++count) + ".flr"))
            .string();
    ~scratch_file() {
        for (const char* const end : {"", "-wal", "-shm", "-journal"}) {
            fs::remove(path + end);
        }
    }
    static inline int count = 0;
};

scenario parsed(const std::string& text) {
    auto read = parse_scenario(text, "learned.json");
    if (const auto* const problems = std::get_if<std::vector<problem>>(&read)) {
        FAIL(to_string(*problems) << text);
    }
    return std::get<scenario>(std::move(read));
}

/// Records a run, and says what its traffic is like. With `forget_publishers` as one who only
/// subscribed would have seen it.
traffic_profile profile_of(const scenario& what, bool forget_publishers = false) {
    const scratch_file file;
    {
        world w = world::from(what);
        world_recorder recorder(w, {.path = file.path});
        w.run_until(instant{what.duration});
        recorder.finish(w.report());
    }
    if (forget_publishers) {
        database db(file.path, database::mode::write);
        db.execute(
            "UPDATE messages SET publisher = NULL, published = at; DELETE FROM clients;"
            "DELETE FROM subscriptions; DELETE FROM connections");
    }
    recording_reader reader(file.path);
    return profile_traffic(reader);
}

payload_samples samples_of(const std::vector<std::string>& payloads) {
    payload_samples out;
    for (std::size_t i = 0; i < payloads.size(); ++i) {
        out.add(1, "c-1", duration(1s) * static_cast<std::int64_t>(i), as_bytes_view(payloads[i]));
    }
    return out;
}

nlohmann::json payload_learned(const std::vector<std::string>& payloads) {
    latency_histogram bytes;
    for (const std::string& payload : payloads) {
        bytes.record(duration{static_cast<std::int64_t>(payload.size())});
    }
    return nlohmann::json::parse(learn_payload(samples_of(payloads), bytes, "v_").payload);
}

const std::string plant = R"({
  "name": "Plant", "seed": 3, "duration": "2h",
  "networks": [{"name": "near", "latency": "2ms"}],
  "fleets": [
    {"name": "meters", "count": 60, "client_id": "meter-{index:03}", "ramp_up": "10s",
     "publications": [
       {"topic": "plant/hall-{index/20}/meter-{index%20:02}/power", "period": "1m", "qos": 1,
        "payload": {"kw": "{walk:1.0..9.0:0.2}", "n": "{seq}", "id": "{client_id}"}},
       {"topic": "alarms/{client_id}", "arrival": {"poisson": {"per": "20m"}}, "qos": 2,
        "payload": "{choice:hot,cold}"}]},
    {"name": "historian", "client_id": "historian",
     "subscriptions": [{"filter": "plant/#", "qos": 1}, {"filter": "alarms/+", "qos": 2}]}
  ]})";

}  // namespace

TEST_CASE("a topic's pattern is what is left without numbers and identifiers", "[recording]") {
    const auto shown = [](std::string_view topic, std::string_view client_id = {}) {
        return readable_pattern(pattern_of(topic, client_id).pattern);
    };
    CHECK(shown("plant/hall-12/meter-003/power") == "plant/hall-{}/meter-{}/power");
    CHECK(shown("a/5f2b8c01-aa/x") == "a/{}/x");
    CHECK(shown("a/deadbeef/x") == "a/deadbeef/x");
    CHECK(shown("lamps/kitchen/state", "kitchen") == "lamps/{client_id}/state");
    CHECK(pattern_of("a/12/b-3").slots == std::vector<std::string>{"12", "3"});
}

TEST_CASE("a level with many names is a list of names", "[recording]") {
    pattern_merger merger;
    for (int i = 0; i < 8; ++i) {
        const std::string room(1, static_cast<char>('a' + i));
        merger.add("home/" + room + "/temperature");
        merger.add("home/" + room + "/humidity");
    }
    merger.add("home/x/motion");
    merger.merge();
    CHECK(readable_pattern(merger.merged("home/a/temperature")) == "home/{}/temperature");
    CHECK(readable_pattern(merger.merged("home/h/humidity")) == "home/{}/humidity");
    CHECK(merger.merged("home/x/motion") == "home/x/motion");
}

TEST_CASE("payloads become templates", "[recording]") {
    std::vector<std::string> rows;
    for (int i = 0; i < 40; ++i) {
        const double slow = 20 + 3 * std::sin(i / 8.0);
        rows.push_back(R"({"t":)" + std::to_string(std::round(slow * 10) / 10).substr(0, 4) +
                       R"(,"n":)" + std::to_string(100 + i) + R"(,"ok":true,"mode":")" +
                       (i % 4 == 0 ? "eco" : "on") + R"(","at":)" +
                       std::to_string(1'700'000'000'000 + 1000LL * i) + R"(,"by":"c-1","x":[)" +
                       std::to_string((i * 7919) % 100) + R"(],"b":"{a}"})");
    }
    const auto made = payload_learned(rows);
    CHECK(made["t"].get<std::string>().starts_with("{walk:17.0..23.0:"));
    CHECK(made["n"] == "{seq}");
    CHECK(made["ok"] == true);
    CHECK(made["mode"] == "{choice:eco,eco,eco,on,on,on,on,on,on,on,on}");
    CHECK(made["at"] == "{time}");
    CHECK(made["by"] == "{client_id}");
    CHECK(made["x"][0].get<std::string>().starts_with("{random:"));
    CHECK(made["b"] == "{{a}");
    CHECK(payload_learned({"open", "closed", "open", "open"}) ==
          "{choice:closed,closed,closed,open,open,open,open,open,open,open,open}");
    CHECK(payload_learned({"\x01\xff\xfe", "\x01\xff\xfe\x05\x06"}) == "{filler:3..5}");
    CHECK(payload_learned({R"({"v":"1"})", R"({"v":"2"})", R"({"v":"1"})", R"({"v":"2"})"})["v"] ==
          "{choice:1,1,1,1,1,2,2,2,2,2}{filler:0..0}");
}

TEST_CASE("a learned scenario has the fleets, topics and rates of what was recorded",
          "[recording]") {
    // Given a recording of a plant, when a scenario is learned from it
    const traffic_profile recorded = profile_of(parsed(plant));
    const learned_scenario learned = learn_scenario(recorded, "plant.flr", 1);
    const scenario twin = parsed(learned.text);

    // Then it has the same fleets,
    REQUIRE(twin.fleets.size() == 2);
    const fleet_spec& historian = twin.fleets[0];
    const fleet_spec& meters = twin.fleets[1];
    CHECK(historian.client_id == "historian");
    CHECK(historian.subscriptions.size() == 2);
    CHECK(meters.name == "meter");
    CHECK(meters.count == 60);
    CHECK(meters.client_id == "meter-{index:03}");
    REQUIRE(meters.publications.size() == 2);
    CHECK(meters.publications[0].topic == "plant/hall-{index%3}/meter-{index/3:02}/power");
    CHECK(meters.publications[1].topic == "alarms/{client_id}");
    CHECK(meters.publications[1].arrival.has_value());

    // and its traffic is alike.
    const auto rows = compare_traffic(recorded, profile_of(twin));
    REQUIRE(rows.size() == 2);
    for (const compared_messages& row : rows) {
        CAPTURE(row.pattern, row.left.messages, row.right.messages);
        CHECK(row.left.topics == row.right.topics);
        const auto left = static_cast<double>(row.left.messages);
        CHECK(std::abs(static_cast<double>(row.right.messages) - left) <
              3 * std::sqrt(left) + left / 50);
        CHECK(std::abs(static_cast<double>(row.left.bytes_p50) -
                       static_cast<double>(row.right.bytes_p50)) <= 2);
    }
}

TEST_CASE("what is rare, large or nameless is learned, too", "[recording]") {
    // Given clients without a word in their ids, a message that comes once, numbers of 18 digits,
    // and a filter with a character that means something in patterns
    const std::string odd = R"({
      "name": "Odd", "seed": 3, "duration": "5m",
      "fleets": [
        {"name": "first", "count": 5, "client_id": "{index:016}",
         "publications": [{"topic": "temp/{client_id}", "period": "1s",
                           "payload": {"id": "1{random:0..99999999999999}{index:03}",
                                       "a:nb": "", "c": "{{x}"}}]},
        {"name": "second", "count": 5, "client_id": "1{index:015}",
         "publications": [{"topic": "door/{client_id}", "period": "10s", "payload": "{choice:a,b}"},
                          {"topic": "config", "period": "1s", "start": "100s", "count": 1,
                           "payload": "{filler:10}"}],
         "subscriptions": [{"filter": "/cmd/x\u0001y/{index}"}, {"filter": "/cmd/z/{index}"}]}
      ]})";
    // When a scenario is learned, then it passes the check, and has as many topics.
    const traffic_profile recorded = profile_of(parsed(odd));
    const scenario twin = parsed(learn_scenario(recorded, "odd.flr", 1).text);
    for (const compared_messages& row : compare_traffic(recorded, profile_of(twin))) {
        CAPTURE(row.pattern, row.left.messages);
        CHECK(row.left.topics == row.right.topics);
        CHECK(row.right.messages + 6 > row.left.messages * 9 / 10);
        CHECK(row.right.messages < row.left.messages * 11 / 10 + 6);
    }
}

TEST_CASE("where publishers are not known, a device is what topics have in common", "[recording]") {
    const traffic_profile recorded = profile_of(parsed(plant), true);
    CHECK_FALSE(recorded.knows_publishers);
    const learned_scenario learned = learn_scenario(recorded, "plant.flr", 1);
    const scenario twin = parsed(learned.text);
    std::map<std::string, std::uint32_t> counts;
    for (const fleet_spec& fleet : twin.fleets) {
        counts[fleet.name] = fleet.count;
    }
    CHECK(counts == std::map<std::string, std::uint32_t>{
                        {"alarms-meter", 60}, {"plant-hall-meter", 60}, {"everything", 1}});
    CHECK(learned.notes.size() >= 2);
    for (const compared_messages& row : compare_traffic(recorded, profile_of(twin))) {
        CAPTURE(row.pattern, row.left.topics);
        CHECK(row.right.topics + 3 > row.left.topics);  // who alarms is chance
        CHECK(row.right.messages > row.left.messages * 8 / 10);
    }
}
