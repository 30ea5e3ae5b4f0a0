#include <fleetarium/sim/scenario_loader.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <utility>
#include <variant>

// What a scenario may say of faults, and what is said of mistakes.

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

std::string with_fault(std::string_view fault) {
    return R"({"name": "s", "duration": "1h", "brokers": [{"name": "cloud"}],
               "fleets": [{"name": "doors", "count": 10},
                          {"name": "locks", "count": 10, "behaviour": {
                              "cohorts": [{"name": "v1", "share": 0.5},
                                          {"name": "v2", "share": 0.5}],
                              "states": {"on": {"final": true}}}}],
               "faults": [)" +
           std::string(fault) + "]}";
}

std::string problems_of(std::string_view fault) {
    const auto read = parse_scenario(with_fault(fault), "s.json");
    const auto* const problems = std::get_if<std::vector<problem>>(&read);
    return problems == nullptr ? "" : to_string(*problems);
}

}  // namespace

TEST_CASE("faults are read into their structs", "[sim][scenario][fault]") {
    const auto read =
        parse_scenario(with_fault(R"({"name": "tunnel", "kind": "partition", "at": "10m",
                       "for": {"uniform": {"min": "1s", "max": "9s"}},
                       "every": "5m", "until": "50m", "count": 4, "fleet": "doors",
                       "broker": "cloud", "first_device": 2, "last_device": 7, "share": 0.5,
                       "direction": "up"},
                      {"kind": "cut_in_packet", "for": "1m", "packet": "PUBREL",
                       "packet_number": 2, "byte": 3},
                      {"kind": "broker_crash", "for": "10s", "keeps_sessions": false},
                      {"kind": "take_over", "fleet": "locks", "cohort": "v2", "clean_start": false},
                      {"kind": "clock_skew", "for": "1m", "rate": 1.5, "offset": "-1h30m"})"),
                       "s.json");
    const auto* const s = std::get_if<scenario>(&read);
    REQUIRE(s != nullptr);
    REQUIRE(s->faults.size() == 5);
    const fault_spec& tunnel = s->faults[0];
    CHECK(tunnel.name == "tunnel");
    CHECK(tunnel.kind == fault_kind::partition);
    CHECK(tunnel.at == 10min);
    CHECK(tunnel.lasts->mean() == 5e9);
    CHECK(tunnel.every->mean() == 300e9);
    CHECK(tunnel.until == duration{50min});
    CHECK(tunnel.count == 4u);
    CHECK(tunnel.fleet == "doors");
    CHECK(tunnel.broker == "cloud");
    CHECK(tunnel.first_device == 2u);
    CHECK(tunnel.last_device == 7u);
    CHECK(tunnel.share == 0.5);
    CHECK(tunnel.direction == link_direction::up);
    CHECK(s->faults[1].packet == packet_type::pubrel);
    CHECK(s->faults[1].packet_number == 2u);
    CHECK(s->faults[1].byte == 3u);
    CHECK(s->faults[2].keeps_sessions == false);
    CHECK_FALSE(s->faults[3].lasts);
    CHECK(s->faults[3].cohort == "v2");
    CHECK(s->faults[3].clean_start == false);
    CHECK(s->faults[4].rate == 1.5);
    CHECK(s->faults[4].offset == duration{-90min});
}

TEST_CASE("each mistake in a fault is named with its place and what was expected",
          "[sim][scenario][fault]") {
    const auto [fault, pointer, what] = GENERATE(table<std::string, std::string, std::string>({
        {R"({"kind": "cutt"})", "/faults/0/kind", "\"cut\""},
        {R"({"kind": "cut", "fleet": "dors"})", "/faults/0/fleet", "did you mean \"doors\""},
        {R"({"kind": "broker_stop", "for": "1s", "broker": "clod"})", "/faults/0/broker",
         "\"cloud\""},
        {R"({"kind": "partition"})", "/faults/0", "it has to heal"},
        {R"({"kind": "cut", "for": "1s"})", "/faults/0/for", "it happens at once"},
        {R"({"kind": "partition", "for": "0s"})", "/faults/0/for", "above 0"},
        {R"({"kind": "cut", "every": "0s"})", "/faults/0/every", "above 0"},
        {R"({"kind": "cut", "at": "10m", "every": "1m", "until": "5m"})", "/faults/0/until",
         "later than \"at\""},
        {R"({"kind": "cut", "count": 3})", "/faults/0/count", "\"every\" beside it"},
        {R"({"kind": "cut", "share": 1.5})", "/faults/0/share", "from 0 to 1"},
        {R"({"kind": "cut", "fleet": "doors", "first_device": 10})", "/faults/0/first_device",
         "which has 10"},
        {R"({"kind": "cut", "fleet": "doors", "last_device": 10})", "/faults/0/last_device",
         "which has 10"},
        {R"({"kind": "cut", "first_device": 3, "last_device": 2})", "/faults/0/last_device",
         "\"first_device\" or more"},
        {R"({"kind": "broker_stop", "for": "1s", "fleet": "doors"})", "/faults/0/fleet",
         "it hits a broker"},
        {R"({"kind": "latency", "for": "1s"})", "/faults/0", "\"latency\""},
        {R"({"kind": "bandwidth", "for": "1s"})", "/faults/0", "\"bandwidth\""},
        {R"({"kind": "split", "for": "1s"})", "/faults/0", "\"probability\""},
        {R"({"kind": "cut", "direction": "up"})", "/faults/0/direction", "\"partition\""},
        {R"({"kind": "cut", "latency": "1s"})", "/faults/0/latency", "\"latency\" only"},
        {R"({"kind": "cut", "size": 5})", "/faults/0/size", "\"hostile_bytes\" only"},
        {R"({"kind": "hostile_bytes", "size": 0})", "/faults/0/size", "1"},
        {R"({"kind": "cut", "keeps_sessions": true})", "/faults/0/keeps_sessions",
         "\"broker_crash\" only"},
        {R"({"kind": "cut", "power_cut": true})", "/faults/0/power_cut", "\"broker_crash\" only"},
        {R"({"kind": "broker_crash", "for": "1s", "power_cut": true})", "/faults/0/power_cut",
         "\"storage\" of the broker \"cloud\""},
        {R"({"kind": "clock_skew", "for": "1m"})", "/faults/0", "\"rate\", how fast"},
        {R"({"kind": "clock_skew", "rate": 2})", "/faults/0", "it has to heal"},
        {R"({"kind": "clock_skew", "for": "1m", "rate": 0})", "/faults/0/rate",
         "from 0.001 to 1000"},
        {R"({"kind": "clock_skew", "for": "1m", "offset": "--1h"})", "/faults/0/offset",
         "the other way, \"-2m\""},
        {R"({"kind": "clock_skew", "for": "1m", "offset": "4000d"})", "/faults/0/offset", "3650d"},
        {R"({"kind": "clock_scew", "for": "1m"})", "/faults/0/kind", "did you mean \"clock_skew\""},
        {R"({"kind": "cut", "rate": 2})", "/faults/0/rate", "\"clock_skew\" only"},
        {R"({"kind": "cut", "offset": "1h"})", "/faults/0/offset", "\"clock_skew\" only"},
        {R"({"kind": "cut", "clean_start": true})", "/faults/0/clean_start", "\"take_over\" only"},
        {R"({"kind": "take_over", "for": "0s"})", "/faults/0/for", "above 0"},
        {R"({"kind": "take_over", "knows": "device"})", "/faults/0/knows", "\"half_open\" only"},
        {R"({"kind": "cut", "cohort": "v2"})", "/faults/0/cohort", "\"fleet\" beside it"},
        {R"({"kind": "cut", "fleet": "doors", "cohort": "v2"})", "/faults/0/cohort",
         "has no cohorts"},
        {R"({"kind": "cut", "fleet": "locks", "cohort": "v3"})", "/faults/0/cohort",
         "did you mean \"v1\""},
        {R"({"kind": "broker_stop", "for": "1s", "cohort": "v2"})", "/faults/0/cohort",
         "it hits a broker"},
        {R"({"kind": "cut_in_packet", "for": "1s", "packet": "none"})", "/faults/0/packet",
         "\"PUBLISH\""},
    }));
    CAPTURE(fault);
    const std::string found = problems_of(fault);
    CAPTURE(found);
    CHECK(found.find(pointer) != std::string::npos);
    CHECK(found.find(what) != std::string::npos);
}
