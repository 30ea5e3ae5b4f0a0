#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>
#include <support/temporary_folder.hpp>

#include <catch2/catch.hpp>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

// What edge nodes say is decoded by protoc, which knows Protocol Buffers from another hand, and
// judged by the rules of the Sparkplug 3.0 specification.

namespace {

/// A message in protoc's text format: blocks have children, fields a value.
struct node {
    std::string name;
    std::string value;
    std::vector<node> children;

    const node* find(std::string_view wanted) const {
        for (const node& each : children) {
            if (each.name == wanted) {
                return &each;
            }
        }
        return nullptr;
    }
    bool has(std::string_view wanted) const { return find(wanted) != nullptr; }
    std::string text(std::string_view wanted) const {
        const node* const found = find(wanted);
        return found == nullptr ? "none" : found->value;
    }
    std::vector<const node*> all(std::string_view wanted) const {
        std::vector<const node*> out;
        for (const node& each : children) {
            if (each.name == wanted) {
                out.push_back(&each);
            }
        }
        return out;
    }
};

void read_block(std::istream& in, node& into) {
    for (std::string line; std::getline(in, line);) {
        line.erase(0, line.find_first_not_of(' '));
        if (line == "}") {
            return;
        }
        if (line.ends_with(" {")) {
            read_block(in,
                       into.children.emplace_back(node{line.substr(0, line.size() - 2), {}, {}}));
        } else {
            const auto colon = line.find(": ");
            REQUIRE(colon != line.npos);
            into.children.push_back({line.substr(0, colon), line.substr(colon + 2), {}});
        }
    }
}

bool protoc_is_missing() {
    if (std::system("protoc --version > /dev/null 2>&1") == 0) {
        return false;
    }
    WARN("this test was skipped: protoc is not installed");
    return true;
}

/// As Protocol Buffers has a list of messages: each behind its key and its size.
std::string capture_of(const std::vector<received_message>& messages) {
    std::string out;
    for (const received_message& each : messages) {
        out += '\x0a';
        std::size_t size = each.payload.size();
        for (; size >= 0x80; size >>= 7) {
            out += static_cast<char>(size | 0x80);
        }
        out += static_cast<char>(size);
        out += each.payload;
    }
    return out;
}

std::vector<node> decode(const std::vector<received_message>& messages) {
    const test::temporary_folder folder;
    const std::string in = folder.path() + "/payloads";
    const std::string out = folder.path() + "/text";
    std::ofstream(in, std::ios::binary) << capture_of(messages);
    const std::string schema = std::string(FLEETARIUM_SOURCE_DIR) + "/tests/sim";
    const std::string command = "protoc --proto_path='" + schema + "' --decode=judge.Capture '" +
                                schema + "/sparkplug_b.proto' < '" + in + "' > '" + out + "'";
    REQUIRE(std::system(command.c_str()) == 0);
    std::ifstream text(out);
    node all;
    read_block(text, all);
    REQUIRE(all.children.size() == messages.size());
    return std::move(all.children);
}

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

/// protoc says nothing of what the schema does not know but its number.
void check_known(const node& in) {
    for (const node& each : in.children) {
        CHECK(each.name.find_first_not_of("0123456789") != each.name.npos);
        check_known(each);
    }
}

constexpr std::string_view plant = R"({
    "name": "plant", "seed": 5, "duration": "20m",
    "networks": [{"name": "n", "latency": "20ms"}],
    "fleets": [{
        "name": "lines", "count": 3, "ramp_up": "3s", "start": "5s",
        "generators": [
            {"name": "load", "decimals": 1, "walk": {"min": 0, "max": 100, "step": 5}},
            {"name": "cold", "decimals": 1, "sine": {"mean": -20, "amplitude": 3, "period": "1h"}},
            {"name": "count", "counter": {"every": "1s"}},
            {"name": "gone", "sine": {"mean": 1, "amplitude": 1, "period": "1h"},
             "missing": {"probability": 0.5}}],
        "preset": {"sparkplug_b": {
            "group": "plant", "period": "2s",
            "metrics": [{"name": "Load", "type": "Float", "value": "{load}", "unit": "%"}],
            "devices": [
                {"id": "freezer", "period": "1s", "metrics": [
                    {"name": "Celsius", "type": "Double", "value": "{cold}"},
                    {"name": "Whole", "type": "Int16", "value": "{cold}"},
                    {"name": "Counted", "type": "UInt64", "value": "{count}"},
                    {"name": "On", "type": "Boolean", "value": "true"},
                    {"name": "Serial", "type": "String", "value": "{client_id}/7"}]},
                {"id": "belt", "outages": {"every": "2m", "lasts": "30s"},
                 "metrics": [{"name": "Speed", "type": "Int32", "value": "{gone:3}"}]}]}}}]
})";

}  // namespace

TEST_CASE(
    "an independent decoder reads all that edge nodes say, and finds the rules of Sparkplug "
    "kept",
    "[sparkplug][preset]") {
    if (protoc_is_missing()) {
        return;
    }
    world w = world::from(read(plant));
    auto& host = w.add_client("host");
    host.connect(*w.find_broker("broker"));
    host.subscribe("spBv1.0/#", qos::exactly_once);
    w.run_until(instant{10min});
    w.add_fault({.kind = fault_kind::cut, .at = 10min + 1s, .fleet = "lines"});
    w.run_until(instant{20min});

    const auto messages = host.messages();
    const auto payloads = decode(messages);
    struct line_state {
        int seq = -1;
        int births = 0;
        int birth_sequence = -1;
        std::set<std::string> alive;
        std::map<std::string, std::string> types;  // by alias
        bool wrapped = false;
    };
    std::map<std::string, line_state> lines;
    std::map<std::string, int> kinds;
    int nulls = 0;
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const node& payload = payloads[i];
        std::vector<std::string> levels;
        std::istringstream topic(messages[i].topic);
        for (std::string level; std::getline(topic, level, '/');) {
            levels.push_back(level);
        }
        REQUIRE(levels.size() >= 4);
        const std::string kind = levels[2];
        line_state& line = lines[levels[3]];
        const std::string device = levels.size() > 4 ? levels[4] : "";
        INFO(i << ": " << messages[i].topic);
        ++kinds[kind];
        check_known(payload);
        CHECK(levels[0] == "spBv1.0");
        CHECK(levels[1] == "plant");
        CHECK(device.empty() == (kind[0] == 'N'));
        CHECK_FALSE(messages[i].retain);

        // Virtual time, from the year 2000 on; the way to here took 20 ms twice. A will is written
        // with the connect.
        if (kind != "NDEATH") {
            const auto sent = messages[i].received_at.time_since_epoch() - 40ms;
            CHECK(payload.text("timestamp") ==
                  std::to_string(946'684'800'000 + sent / std::chrono::milliseconds(1)));
        }
        std::set<std::string> names;
        std::string birth_sequence;
        for (const node* const metric : payload.all("metrics")) {
            CHECK(metric->text("timestamp") == payload.text("timestamp"));
            const bool birth = kind == "NBIRTH" || kind == "DBIRTH";
            if (birth) {
                CHECK(names.insert(metric->text("name")).second);
                CHECK(metric->has("datatype"));
            } else if (kind != "NDEATH") {
                CHECK_FALSE(metric->has("name"));
                REQUIRE(line.types.contains(metric->text("alias")));
            }
            if (birth && metric->has("alias")) {
                line.types[metric->text("alias")] = metric->text("datatype");
            }
            if (metric->text("name") == "\"bdSeq\"") {
                CHECK(metric->text("datatype") == "4");
                birth_sequence = metric->text("long_value");
            }
            const auto known = line.types.find(metric->text("alias"));
            const std::string type = known == line.types.end() ? "" : known->second;
            if (metric->has("is_null")) {
                ++nulls;
                CHECK(device == "belt");
            } else if (type == "9") {
                CHECK(std::stof(metric->text("float_value")) >= 0);
            } else if (type == "10") {
                CHECK(std::stod(metric->text("double_value")) < -16.9);
            } else if (type == "2") {
                // Two's complement in 32 bits.
                const auto bits = static_cast<std::uint32_t>(std::stoul(metric->text("int_value")));
                CHECK(static_cast<std::int32_t>(bits) <= -17);
                CHECK(static_cast<std::int32_t>(bits) >= -23);
            } else if (type == "8") {
                CHECK(metric->has("long_value"));
            } else if (type == "11" && metric->has("alias")) {
                CHECK(metric->text("boolean_value") == "true");
            } else if (type == "12") {
                CHECK(metric->text("string_value") == '"' + levels[3] + "/7\"");
            }
        }
        if (kind == "NDEATH") {
            CHECK_FALSE(payload.has("seq"));
            CHECK(payload.all("metrics").size() == 1);
            CHECK(birth_sequence == std::to_string(line.birth_sequence));
            line.alive.clear();
            continue;
        }
        const int seq = std::stoi(payload.text("seq"));
        if (kind == "NBIRTH") {
            CHECK(seq == 0);
            CHECK(birth_sequence == std::to_string(line.births));
            CHECK(names ==
                  std::set<std::string>{"\"bdSeq\"", "\"Node Control/Rebirth\"", "\"Load\""});
            const auto* const load = payload.all("metrics").back();
            REQUIRE(load->has("properties"));
            CHECK(load->find("properties")->text("keys") == "\"engUnit\"");
            CHECK(load->find("properties")->find("values")->text("string_value") == "\"%\"");
            line.birth_sequence = line.births++;
        } else {
            CHECK(seq == (line.seq + 1) % 256);
            line.wrapped = line.wrapped || seq < line.seq;
        }
        line.seq = seq;
        if (kind == "DBIRTH") {
            CHECK(line.alive.insert(device).second);
        } else if (kind == "DDATA") {
            CHECK(line.alive.contains(device));
        } else if (kind == "DDEATH") {
            CHECK(line.alive.erase(device) == 1);
        }
    }
    CHECK(lines.size() == 3);
    for (const auto& [name, line] : lines) {
        INFO(name);
        CHECK(line.births == 2);
        CHECK(line.wrapped);
        CHECK(line.types.size() == 7);
    }
    CHECK(kinds["NBIRTH"] == 6);
    CHECK(kinds["NDEATH"] == 3);
    CHECK(kinds["DDEATH"] > 6);
    CHECK(kinds["DBIRTH"] > 12);
    CHECK(kinds["NDATA"] > 3 * 590);
    CHECK(kinds["DDATA"] > 3 * 1190);
    CHECK(nulls > 100);
}

TEST_CASE("Node Control/Rebirth brings all births again, and nothing else does", "[sparkplug]") {
    world w = world::from(read(R"({"name": "s", "duration": "1h",
        "networks": [{"name": "n", "latency": "1ms"}],
        "fleets": [
        {"name": "node", "start": "500ms", "preset": {"sparkplug_b": {"group": "g", "period": "1h",
         "devices": [{"id": "d", "metrics": [{"name": "M", "type": "Int8", "value": "1"}]}]}}},
        {"name": "host", "start": "1s", "preset": {"sparkplug_host": {"host": "h", "groups": ["g"],
         "rebirths": {"fleet": "node", "group": "g", "period": "10m"}}}}]})"));
    auto& probe = w.add_client("probe");
    probe.connect(*w.find_broker("broker"));
    probe.subscribe("spBv1.0/g/NBIRTH/#", qos::exactly_once);
    probe.subscribe("spBv1.0/g/DBIRTH/#", qos::exactly_once);
    probe.subscribe("spBv1.0/STATE/h", qos::exactly_once);
    w.run_until(instant{5s});
    const auto first = probe.take_messages();
    REQUIRE(first.size() == 3);
    CHECK(first[0].topic == "spBv1.0/g/NBIRTH/node-0");
    CHECK(first[1].topic == "spBv1.0/g/DBIRTH/node-0/d");
    CHECK(first[2].payload == R"({"online":true,"timestamp":946684801002})");

    // No rebirth: another metric, no payload of Sparkplug, nothing.
    for (const std::string_view payload :
         {std::string_view("\x12\x08\x0a\x04Next\x70\x01", 10), std::string_view("\x12\x7f", 2),
          std::string_view("Node Control/Rebirth"), std::string_view()}) {
        probe.publish("spBv1.0/g/NCMD/node-0", payload);
    }
    w.run_until(instant{10s});
    CHECK(probe.take_messages().empty());

    w.run_until(instant{1h});
    const auto again = probe.messages();
    REQUIRE(again.size() == 2 * 6);  // an order each ten minutes
    CHECK(again[0].topic == first[0].topic);
    CHECK(again[1].topic == first[1].topic);
    // The same connection, so the same bdSeq; the sequence begins again.
    CHECK(again[0].payload.substr(7, 10) == first[0].payload.substr(7, 10));
    CHECK(again[0].payload.ends_with(std::string_view("\x18\x00", 2)));
    CHECK(again[1].payload.ends_with("\x18\x01"));
}

TEST_CASE("a host application that vanishes is offline, with the time of its connect",
          "[sparkplug]") {
    world w = world::from(read(R"({"name": "s", "duration": "1h", "fleets": [
        {"name": "host", "start": "1s", "reconnect_delay": "1m",
         "preset": {"sparkplug_host": {"host": "h"}}}]})"));
    auto& probe = w.add_client("probe");
    probe.connect(*w.find_broker("broker"));
    probe.subscribe("spBv1.0/STATE/h", {.qos = qos::exactly_once, .retain_as_published = true});
    w.add_fault({.kind = fault_kind::cut, .at = 10s, .fleet = "host"});
    w.run_until(instant{2min});
    const auto& said = probe.messages();
    REQUIRE(said.size() == 3);
    CHECK(said[0].payload == R"({"online":true,"timestamp":946684801000})");
    CHECK(said[1].payload == R"({"online":false,"timestamp":946684801000})");
    CHECK(said[2].payload == R"({"online":true,"timestamp":946684870000})");
    for (const auto& each : said) {
        CHECK(each.qos == qos::at_least_once);
        CHECK(each.retain);
    }
}

TEST_CASE("values are read as the type of their metric, and null where they are none of it",
          "[sparkplug]") {
    using type = sparkplug_type;
    const auto fits = [](type of, std::string_view text) {
        return sim::detail::is_sparkplug_value(of, text);
    };
    CHECK(fits(type::int8, "-128"));
    CHECK_FALSE(fits(type::int8, "128"));
    CHECK(fits(type::int8, "127.4"));
    CHECK_FALSE(fits(type::int8, "127.5"));
    CHECK_FALSE(fits(type::uint8, "-1"));
    CHECK(fits(type::uint8, "-0.4"));
    CHECK(fits(type::uint64, "18446744073709551615"));
    CHECK_FALSE(fits(type::uint64, "18446744073709551616"));
    CHECK(fits(type::int64, "-9223372036854775808"));
    CHECK_FALSE(fits(type::int64, "9223372036854775808"));
    CHECK_FALSE(fits(type::int32, ""));
    CHECK_FALSE(fits(type::int32, "12 "));
    CHECK_FALSE(fits(type::double_number, "inf"));
    CHECK(fits(type::double_number, "1e300"));
    CHECK_FALSE(fits(type::float_number, "1e300"));
    CHECK(fits(type::boolean, "0.5"));
    CHECK_FALSE(fits(type::boolean, "yes"));
    CHECK(fits(type::string, ""));
}

TEST_CASE("what is wrong with a Sparkplug fleet is told where it stands", "[sparkplug][preset]") {
    const auto of_metric = [](std::string_view metric) {
        return problems_of(R"("generators":[{"name":"load","walk":{"min":0,"max":1,"step":1}}],)"
                           R"("preset":{"sparkplug_b":{"group":"g","metrics":[)" +
                           std::string(metric) + "]}}");
    };
    CHECK(of_metric(R"({"name":"A","value":"{load}"})") == "");
    CHECK_THAT(of_metric(R"({"name":"A","value":"{laod}"})"),
               Catch::Contains("/fleets/0/preset/sparkplug_b/metrics/0/value") &&
                   Catch::Contains("did you mean \"{load}\""));
    CHECK_THAT(of_metric(R"({"name":"A","type":"Int33","value":"1"})"),
               Catch::Contains("metrics/0/type") && Catch::Contains("did you mean \"Int32\""));
    CHECK_THAT(of_metric(R"({"name":"A","type":"Int8","value":"300"})"),
               Catch::Contains("metrics/0/value") && Catch::Contains("a value of Int8"));
    CHECK_THAT(of_metric(R"({"name":"A","value":"{walk:0..1:1}"})"),
               Catch::Contains("a generator of the fleet"));
    CHECK_THAT(of_metric(R"({"name":"A","value":"1"},{"name":"A","value":"2"})"),
               Catch::Contains("metrics/1/name") && Catch::Contains("a second time"));
    CHECK_THAT(of_metric(R"({"name":"bdSeq","value":"1"})"), Catch::Contains("metrics/0/name"));
    CHECK_THAT(
        of_metric(R"({"name":"A","value":"1","alias":3},{"name":"B","value":"1","alias":3})"),
        Catch::Contains("metrics/1/alias"));

    CHECK_THAT(
        problems_of(R"("preset":{"sparkplug_b":{"group":"a/b","metrics":[)"
                    R"({"name":"A","value":"1"}]}})"),
        Catch::Contains("/preset/sparkplug_b/group") && Catch::Contains("one level of a topic"));
    CHECK_THAT(problems_of(R"("preset":{"sparkplug_b":{"group":"g"}})"),
               Catch::Contains("without metrics and devices"));
    CHECK_THAT(problems_of(R"("preset":{})"), Catch::Contains("a preset of no kind"));
    CHECK_THAT(problems_of(R"("preset":{"sparkplug":{}})"),
               Catch::Contains("did you mean \"sparkplug_b\""));
    CHECK_THAT(problems_of(R"("preset":{"sparkplug_host":{"host":"h","rebirths":)"
                           R"({"fleet":"g","group":"x","period":"1m"}}})"),
               Catch::Contains("/preset/sparkplug_host/rebirths/fleet"));
    CHECK_THAT(problems_of(R"("will":{"topic":"w"},"preset":{"sparkplug_host":{"host":"h"}})"),
               Catch::Contains("/fleets/0/will"));
    CHECK_THAT(problems_of(R"("clean_start":false,"preset":{"sparkplug_host":{"host":"h"}})"),
               Catch::Contains("/fleets/0/clean_start"));

    // By hand.
    CHECK_THAT(problems_of(R"("publications":[{"topic":"t","on":"connect","qos":1,"sparkplug":)"
                           R"({"message":"NBIRTH"}}])"),
               Catch::Contains("/publications/0/qos"));
    CHECK_THAT(problems_of(R"("publications":[{"topic":"t","on":"connect","sparkplug":)"
                           R"({"message":"DBIRTH"}}])"),
               Catch::Contains("without \"device\""));
    CHECK_THAT(problems_of(R"("publications":[{"topic":"t","on":"connect","sparkplug":)"
                           R"({"message":"NDEATH"}}])"),
               Catch::Contains("it in a will only"));
}
