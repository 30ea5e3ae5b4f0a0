#include <fleetarium/config/json_document.hpp>
#include <fleetarium/sim/scenario_fields.hpp>
#include <fleetarium/sim/scenario_loader.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::config;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view shipped[] = {
    "smart_building",  "fleet_of_trucks", "utility_meters", "power_cut",          "slow_dashboard",
    "firmware_rollout", "broker_restart",  "worker_crash",   "configuration_rollout",
    "sparkplug_plant",  "broker_power_cut"};

std::string path_of(std::string_view name) {
    return std::string(FLEETARIUM_SOURCE_DIR) + "/scenarios/" + std::string(name) + ".json";
}

std::string content_of(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string problems_of(std::string_view text, const std::vector<std::string>& overrides = {}) {
    const auto read = parse_scenario(text, "s.json", overrides);
    const auto* const problems = std::get_if<std::vector<problem>>(&read);
    return problems == nullptr ? "" : to_string(*problems);
}

scenario good(std::string_view text, const std::vector<std::string>& overrides = {}) {
    auto read = parse_scenario(text, "s.json", overrides);
    if (const auto* const problems = std::get_if<std::vector<problem>>(&read)) {
        FAIL(to_string(*problems));
    }
    return std::get<scenario>(std::move(read));
}

/// A scenario of one line whose only fleet has `inside` after its name.
std::string with_fleet(std::string_view inside) {
    return R"({"name":"s","duration":"1h","fleets":[{"name":"f",)" + std::string(inside) + "}]}";
}

/// problems_of the text without its "@"s, without the places, which have to be those of the "@"s
/// in their order.
std::string marked_problems_of(std::string text) {
    std::vector<std::string> places;
    for (auto mark = text.find('@'); mark != std::string::npos; mark = text.find('@')) {
        const auto line = std::count(text.begin(), text.begin() + static_cast<int>(mark), '\n') + 1;
        const auto begin = mark == 0 ? std::string::npos : text.rfind('\n', mark - 1);
        const auto column = begin == std::string::npos ? mark + 1 : mark - begin;
        places.push_back("s.json:" + std::to_string(line) + ":" + std::to_string(column) + ": ");
        text.erase(mark, 1);
    }
    std::istringstream problems(problems_of(text));
    std::string rest;
    std::size_t count = 0;
    for (std::string line; std::getline(problems, line); ++count) {
        REQUIRE(count < places.size());
        CHECK(line.substr(0, places[count].size()) == places[count]);
        rest += line.substr(std::min(line.size(), places[count].size())) + "\n";
    }
    CHECK(count == places.size());
    return rest;
}

}  // namespace

TEST_CASE("a scenario is read into its structs", "[sim][scenario]") {
    const auto made = good(R"({
        "name": "all", "description": "of it", "seed": 99, "duration": "2h",
        "brokers": [{"name": "b", "maximum_qos": 1, "queue_policy": "drop_oldest",
                     "server_keep_alive": "2m", "session_expiry_maximum": "never",
                     "maximum_packet_size": "64kB", "users": [{"user_name": "u", "password": "p"}],
                     "access": [{"user_name": "u", "publish": ["a/%c"]}]}],
        "networks": [{"name": "n", "latency": "20ms", "bandwidth": "1Mbit/s", "mtu": 1400,
                      "down": {"latency": {"uniform": {"min": "1ms", "max": "3ms"}}}}],
        "fleets": [{
            "name": "f", "count": 3, "version": "5", "keep_alive": "10s", "clean_start": false,
            "session_expiry": "never", "receive_maximum": 9, "user_name": "u", "password": "p",
            "will": {"topic": "w/{index}", "qos": 1, "delay": "5s"},
            "ramp_up": "1m", "online": {"up": "5m", "down": "1m", "manner": "disconnect"},
            "publications": [{"topic": "t/{client_id}", "period": {"exponential": {"mean": "1m"}},
                              "jitter": "2s", "phase": "0s", "qos": 1, "message_expiry": "30s",
                              "payload": {"v": "{walk:0..9:1}", "s": "{hex:2}", "n": 1.50}},
                             {"to": {"fleet": "f", "topic": "c/{index}", "pick": "random"},
                              "period": "1m", "response_topic": "r"}],
            "subscriptions": [{"filter": "c/{index}", "qos": 0, "retain_handling": "do_not_send",
                               "identifier": 5}, {"filter": "r"}],
            "replies": [{"on": "c/{index}", "delay": "1s", "payload": ["{request}", "{seq}"]}]}],
        "expectations": [{"metric": "latency", "topic": "t/#", "percentile": 90, "max": "250ms"},
                         {"metric": "drops", "reason": "queue_full", "max": 0}]})");
    CHECK(made.seed == 99);
    CHECK(made.duration == 2h);

    REQUIRE(made.brokers.size() == 1);
    const auto& options = made.brokers[0].options;
    CHECK(options.maximum_qos == qos::at_least_once);
    CHECK(options.queue_policy == broker::queue_policy::drop_oldest);
    CHECK(options.server_keep_alive == 120);
    CHECK(options.session_expiry_maximum == broker::session_expiry_never);
    CHECK(options.maximum_packet_size == 64'000);
    CHECK(made.brokers[0].users[0].password == "p");
    CHECK(made.brokers[0].access[0].publish == std::vector<std::string>{"a/%c"});

    REQUIRE(made.networks.size() == 1);
    CHECK(made.networks[0].up.latency.mean() == 20e6);
    CHECK(made.networks[0].down.latency.mean() == 2e6);
    CHECK(made.networks[0].up.bandwidth == 125'000);
    CHECK(made.networks[0].down.bandwidth == 125'000);
    CHECK(made.networks[0].mtu == 1400);

    REQUIRE(made.fleets.size() == 1);
    const auto& fleet = made.fleets[0];
    CHECK(fleet.count == 3);
    CHECK(fleet.version == protocol_version::v5);
    CHECK(fleet.session_expiry == for_ever);
    CHECK(fleet.receive_maximum == 9);
    CHECK(fleet.will->topic == "w/{index}");
    CHECK(fleet.will->delay == 5s);
    CHECK(fleet.online->manner == offline_manner::disconnect);
    CHECK(fleet.publications[0].period.type() == distribution::kind::exponential);
    CHECK(fleet.publications[0].jitter == 2s);
    CHECK(fleet.publications[0].phase == 0s);
    CHECK(fleet.publications[0].message_expiry == 30s);
    // A lone placeholder that gives a number is one; the rest stays in quotes.
    CHECK(fleet.publications[0].payload == R"({"v":{walk:0..9:1},"s":"{hex:2}","n":1.50})");
    CHECK(fleet.publications[1].to->pick == pick::random);
    CHECK(fleet.publications[1].response_topic == "r");
    CHECK(fleet.subscriptions[0].qos == qos::at_most_once);
    CHECK(fleet.subscriptions[0].retain_handling == retain_handling::do_not_send);
    CHECK(fleet.subscriptions[0].identifier == 5U);
    CHECK(fleet.replies[0].payload == R"(["{request}",{seq}])");

    REQUIRE(made.expectations.size() == 2);
    CHECK(made.expectations[0].metric == metric::latency);
    CHECK(made.expectations[0].percentile == 90);
    CHECK(made.expectations[0].max == 0.25);
    CHECK(made.expectations[1].reason == broker::drop_reason::queue_full);
}

TEST_CASE("what a scenario leaves out is as in structs made by hand", "[sim][scenario]") {
    const auto made = good(with_fleet(R"("count":2)"));
    const fleet_spec by_hand;
    CHECK(made.fleets[0].client_id == by_hand.client_id);
    CHECK(made.fleets[0].keep_alive == by_hand.keep_alive);
    CHECK(made.fleets[0].version == by_hand.version);
    CHECK(made.seed == scenario().seed);
}

TEST_CASE("each mistake is named with its place, what was found and what was expected",
          "[sim][scenario]") {
    struct mistake {
        std::string inside;   ///< of the fleet; "@" marks the place, and is taken out
        std::string message;  ///< behind "s.json:LINE:COLUMN: /fleets/0/"
    };
    const std::vector<mistake> mistakes = {
        {R"(@"keepalive":"1m")",
         R"(keepalive: found the unknown field "keepalive", expected a field of a fleet )"
               R"((did you mean "keep_alive"?))"},
        {R"("count":@"ten")",
         R"(count: found "ten", expected a whole number from 0 to 10000000)"},
        {R"("count":@-1)", "count: found -1, expected a whole number from 0 to 10000000"},
        {R"("count":@2.5)", "count: found 2.5, expected a whole number from 0 to 10000000"},
        {R"("clean_start":@"no")", R"(clean_start: found "no", expected true or false)"},
        {R"("clean_start":@null)", "clean_start: found null, expected true or false"},
        {R"("version":@"3.1")", R"(version: found "3.1", expected "3.1.1" or "5")"},
        {R"("keep_alive":@60)",
         R"(keep_alive: found 60, expected a duration such as "250ms" or "1h30m")"},
        {R"("keep_alive":@"1.5s")",
         "keep_alive: found 1s500ms, expected whole seconds up to 18h12m15s"},
        {R"("keep_alive":@"1d")",
         "keep_alive: found 1d, expected whole seconds up to 18h12m15s"},
        {R"("broker":@"clod")",
         R"(broker: found "clod", expected the name of a broker, of which there is none)"},
        {R"("version":"3.1.1","session_expiry":@"1h")",
         R"(session_expiry: found "session_expiry" with MQTT 3.1.1, expected it with )"
                R"("version": "5" only)"},
        {R"("version":"3.1.1","will":{"topic":"t","delay":@"1s"})",
         R"(will/delay: found "delay" with MQTT 3.1.1, expected it with "version": "5" only)"},
        {R"("version":"3.1.1","password":@"x")",
         "password: found a password without a user name, expected both or neither in "
                "MQTT 3.1.1"},
        {R"("will":@{"payload":"x"})",
         R"(will/topic: found a will without "topic", expected a name in double quotes)"},
        {R"("will":{"topic":@"a/#"})",
         R"(will/topic: found "a/#", expected a topic name: not empty, up to 65,535 bytes, )"
                R"(without "+" and "#")"},
        {R"("count":2,"client_id":@"x")",
         R"(client_id: found the client id "x" for device 0 of "f" and for device 1 of "f", )"
                R"(expected a client id of its own for each device; {index} tells them apart)"},
        {R"("count":20,"client_id":@"x{index%10}")",
         R"(client_id: found the client id "x0" for device 0 of "f" and for device 10 of )"
                R"("f", expected a client id of its own for each device; {index} tells them )"
                R"(apart)"},
        {R"("client_id":@"{indx}")",
         R"(client_id: found the placeholder "{indx}", expected {fleet} or {index} here )"
                R"((did you mean "{index}"?))"},
        {R"("subscriptions":[{"filter":@"a/b#"}])",
         R"(subscriptions/0/filter: found "a/b#", expected a topic filter: levels between )"
                R"("/", "+" for any one level, "#" at the end for all below)"},
        {R"("subscriptions":[{"filter":@"$share/a+/b"}])",
         R"(subscriptions/0/filter: found "$share/a+/b", expected $share/NAME/FILTER with )"
                R"(a name without "+", "#" and "/" and a topic filter)"},
        {R"("subscriptions":[{"filter":"a"},{"filter":@"a"}])",
         R"(subscriptions/1/filter: found "a" a second time, expected each filter once: )"
                R"(the second subscription would replace the first)"},
        {R"("subscriptions":[{"filter":"a","qos":@3}])",
         "subscriptions/0/qos: found 3, expected 0 (at most once), 1 (at least once) or 2 "
                "(exactly once)"},
        {R"("subscriptions":[{"filter":"a","retain_handling":@"send_new"}])",
         R"(subscriptions/0/retain_handling: found "send_new", expected "send", )"
                R"("send_if_new" or "do_not_send" (did you mean "send_if_new"?))"},
        {R"("subscriptions":[{"filter":"$share/g/a","no_local":@true}])",
         "subscriptions/0/no_local: found no_local for a shared subscription, expected one "
                "or the other: MQTT does not allow both"},
        {R"("publications":[@{"topic":"t"}])",
         R"(publications/0/period: found a publication without "period", expected "period", )"
                R"(a duration above 0, "arrival" or "on")"},
        {R"("publications":[@{"period":"1m"}])",
         R"(publications/0: found a publication without "topic", expected "topic", or )"
                R"("to" for devices of a fleet by turns)"},
        {R"("publications":[{"topic":"t","period":@"0s"}])",
         "publications/0/period: found no time at all, expected a duration above 0"},
        {R"("publications":[{"topic":"t","period":"1s","jitter":@"2s"}])",
         "publications/0/jitter: found 2s, expected at most the period, 1s"},
        {R"("publications":[{"topic":"t","period":"1s","start":"2h","until":@"1h"}])",
         R"(publications/0/until: found 1h, expected a time after "start", 2h)"},
        {R"("publications":[{"topic":"t","period":{"normal":@{"mean":"1s"}}}])",
         R"(publications/0/period/normal: found an object, expected an object with "mean", )"
                R"("stddev", "min", or with "mean", "stddev")"},
        {R"("publications":[{"topic":"t","period":{@"unifrom":"1s"}}])",
         R"(publications/0/period/unifrom: found "unifrom", expected uniform, normal, )"
                R"(lognormal, exponential, weighted or quantiles (did you mean "uniform"?))"},
        {R"("publications":[{"topic":"t","period":"1s","payload":@"{request}"}])",
         R"(publications/0/payload: found the placeholder "{request}", expected {fleet}, )"
                R"({index}, {client_id}, {seq}, {time}, {random}, {walk}, {wave}, {choice}, {hex} )"
                R"(or {filler} here)"},
        {R"("publications":[{"topic":"t","period":"1s","payload":@5}])",
         "publications/0/payload: found 5, expected text, or an object or list that is "
                "sent as JSON"},
        {R"("publications":[{"to":{"fleet":@"g","topic":"t"},"period":"1s"}])",
         R"(publications/0/to/fleet: found "g", expected the name of a fleet: f)"},
        {R"("publications":[{"topic":"t","period":"1s","response_topic":@"r"}])",
         R"(publications/0/response_topic: found "r", to which the fleet does not )"
                R"(subscribe, expected a topic that one of its subscriptions matches)"},
        {R"("replies":[{"on":@"c","payload":"x"}])",
         R"(replies/0/on: found "c", to which the fleet does not subscribe, expected a )"
                R"(filter that one of its subscriptions covers)"},
        {R"("version":"3.1.1","subscriptions":[{"filter":"c"}],"replies":[@{"on":"c"}])",
         R"(replies/0: found a reply without "to" with MQTT 3.1.1, which has no response )"
                R"(topics, expected "to": the topic of the reply)"},
        {R"("online":{"up":@"0s","down":"1s"})",
         "online/up: found no time at all, expected a duration above 0"},
        {R"("will":@"gone")", R"(will: found "gone", expected a will in braces)"},
        {R"("publications":@{})",
         "publications: found an empty object, expected a list, each element a "
                "publication in braces"},
    };
    for (const auto& [inside, message] : mistakes) {
        CHECK(marked_problems_of(with_fleet(inside)) == "/fleets/0/" + message + "\n");
    }
}

TEST_CASE("mistakes outside of fleets are named as well", "[sim][scenario]") {
    const auto whole = [](std::string_view rest) {
        return marked_problems_of(R"({"name":"s","duration":"1h","fleets":[{"name":"f"}],)" +
                                  std::string(rest) + "}");
    };
    CHECK(problems_of("[]") == "s.json:1:1: found an empty list, expected a scenario in braces\n");
    CHECK(problems_of("{\"name\": \"x\",}") ==
          "s.json:1:13: found \",\" before \"}\", expected no comma after the last value\n");
    CHECK(problems_of("{}") ==
          "s.json:1:1: /name: found a scenario without \"name\", expected a name in double quotes\n"
          "s.json:1:1: /duration: found a scenario without \"duration\", expected a duration above "
          "0 such as \"250ms\" or \"1h30m\"\n"
          "s.json:1:1: /fleets: found a scenario without \"fleets\", expected a list, each element "
          "a fleet in braces\n");
    CHECK(whole(R"("brokers":[{"name":"b","maximum_qos":1},{"name":@"b"}])") ==
          "/brokers/1/name: found \"b\" a second time, expected a name of its own\n");
    CHECK(whole(R"("brokers":[{"name":"b","queue_policy":@"drop_old"}])") ==
          "/brokers/0/queue_policy: found \"drop_old\", expected \"drop_new\" or "
          "\"drop_oldest\" (did you mean \"drop_oldest\"?)\n");
    CHECK(whole(R"("brokers":[{"name":"b","access":[{"user_name":@"u"}]}])") ==
          "/brokers/0/access/0/user_name: found \"u\", expected one of the users of "
          "the broker\n");
    CHECK(whole(R"("networks":[{"name":"n","bandwidth":@"5kbps"}])") ==
          "/networks/0/bandwidth: found \"5kbps\", expected bytes a second, or a rate "
          "such as \"256kbit/s\" or \"10MB/s\"\n");
    CHECK(whole(R"("expectations":[@{"metric":"latency"}])") ==
          "/expectations/0: found an expectation without bound, expected \"min\", "
          "\"max\" or both\n");
    CHECK(whole(R"("expectations":[{"metric":"delivery_ratio","min":@99}])") ==
          "/expectations/0/min: found 99, expected a ratio from 0 to 1\n");
    CHECK(whole(R"("expectations":[{"metric":"latency","max":"1s","reason":@"expired"}])") ==
          "/expectations/0/reason: found a reason for \"latency\", expected it with "
          "the metric \"drops\" only\n");
    CHECK(whole(R"("expectations":[{"metric":@"delivry_ratio","min":1}])") ==
          "/expectations/0/metric: found \"delivry_ratio\", expected "
          "\"delivery_ratio\", \"messages_published\", \"messages_delivered\", \"duplicates\", "
          "\"drops\", \"latency\", \"connected_ratio\", \"reply_ratio\", "
          "\"reply_latency\", \"publish_rate\", \"delivery_rate\", \"backlog\", "
          "\"state_ratio\" or \"states_entered\" (did you mean \"delivery_ratio\"?)\n");
}

TEST_CASE("what the broker does not offer is a mistake where it is asked for",
          "[sim][scenario]") {
    const auto problems = marked_problems_of(R"({"name": "s", "duration": "1h",
"brokers": [{"name": "b", "maximum_qos": 0, "retain_available": false,
             "wildcard_subscription_available": false, "shared_subscription_available": false,
             "subscription_identifier_available": false}],
"fleets": [{"name": "f", "client_id": "c",
  "subscriptions": [{"filter": @"$share/g/a"}, {"filter": @"b/#"},
                    {"filter": "c", "identifier": @1}],
  "publications": [{"topic": "t", "period": "1s",
    "qos": @1, "retain": @true}]}]})");
    CHECK(problems ==
          "/fleets/0/subscriptions/0/filter: found a shared subscription, expected "
          "none: broker \"b\" has shared_subscription_available false\n"
          "/fleets/0/subscriptions/1/filter: found a wildcard, expected none: broker "
          "\"b\" has wildcard_subscription_available false\n"
          "/fleets/0/subscriptions/2/identifier: found a subscription identifier, "
          "expected none: broker \"b\" has subscription_identifier_available false\n"
          "/fleets/0/publications/0/qos: found 1, expected at most 0, the maximum_qos "
          "of broker \"b\"\n"
          "/fleets/0/publications/0/retain: found true, expected false: broker \"b\" "
          "has retain_available false\n");
}

TEST_CASE("every mistake is listed, in the order of the text", "[sim][scenario]") {
    CHECK(problems_of(R"({
  "nmae": "x",
  "duration": "1 hour",
  "fleets": [
    {"name": "a", "count": true, "netwrok": "n"},
    {"name": "b", "network": "n", "publications": [{"topic": "x/+", "period": "1m", "qos": 7}]}
  ]
})") ==
          "s.json:1:1: /name: found a scenario without \"name\", expected a name in double quotes\n"
          "s.json:2:3: /nmae: found the unknown field \"nmae\", expected a field of a scenario "
          "(did you mean \"name\"?)\n"
          "s.json:3:15: /duration: found \"1 hour\", expected a duration above 0 such as \"250ms\" "
          "or \"1h30m\"\n"
          "s.json:5:28: /fleets/0/count: found true, expected a whole number from 0 to 10000000\n"
          "s.json:5:34: /fleets/0/netwrok: found the unknown field \"netwrok\", expected a field "
          "of a fleet (did you mean \"network\"?)\n"
          "s.json:6:30: /fleets/1/network: found \"n\", expected the name of a network, of which "
          "there is none\n"
          "s.json:6:62: /fleets/1/publications/0/topic: found \"x/+\", expected a topic name: not "
          "empty, up to 65,535 bytes, without \"+\" and \"#\"\n"
          "s.json:6:92: /fleets/1/publications/0/qos: found 7, expected 0 (at most once), 1 (at "
          "least once) or 2 (exactly once)\n");
}

TEST_CASE("a mistake in an object hides no other in it", "[sim][scenario]") {
    CHECK(marked_problems_of(with_fleet(R"("will":{"topic":@"a+","qos":@4,"payload":@"{seq}"})")) ==
          "/fleets/0/will/topic: found \"a+\", expected a topic name: not empty, up to 65,535 "
          "bytes, without \"+\" and \"#\"\n"
          "/fleets/0/will/qos: found 4, expected 0 (at most once), 1 (at least once) or 2 (exactly "
          "once)\n"
          "/fleets/0/will/payload: found the placeholder \"{seq}\", expected {fleet}, {index} or "
          "{client_id} here\n");
}

TEST_CASE("client ids may not meet across the fleets of a broker", "[sim][scenario]") {
    const std::string fleets = R"("fleets": [{"name": "a", "count": 5, "client_id": "x{index}"},
{"name": "b", "count": 2, "broker": "two", "client_id": "x{index}"}]})";
    const std::string head = R"({"name": "s", "duration": "1h", )";
    CHECK(problems_of(head + R"("brokers": [{"name": "one"}, {"name": "two"}], )" + fleets) == "");
    CHECK(problems_of(head + R"("brokers": [{"name": "two"}], )" + fleets) ==
          "s.json:2:57: /fleets/1/client_id: found the client id \"x0\" for device 0 of \"a\" and "
          "for device 0 of \"b\", expected a client id of its own for each device; {index} tells "
          "them apart\n");
}

TEST_CASE("an override replaces or adds a value before anything is checked", "[sim][scenario]") {
    const std::string text = with_fleet(R"("count":2)");
    CHECK(good(text, {"seed=7"}).seed == 7);
    CHECK(good(text, {"duration=90s"}).duration == 90s);
    CHECK(good(text, {"fleets.f.count=10"}).fleets[0].count == 10);
    CHECK(good(text, {"fleets.0.count=10"}).fleets[0].count == 10);
    CHECK(good(text, {"/fleets/0/count=10"}).fleets[0].count == 10);
    CHECK(good(text, {"/fleets/f/count=10", "fleets.f.count=11"}).fleets[0].count == 11);
    CHECK(good(text, {"fleets.f.client_id=c={index}"}).fleets[0].client_id == "c={index}");
    CHECK(good(text, {"fleets.f.will.topic=w", "fleets.f.will.qos=1"}).fleets[0].will->qos ==
          qos::at_least_once);
    CHECK(good(text, {R"(networks=[{"name": "n", "mtu": 9}])"}).networks[0].mtu == 9);
    CHECK(good(R"({"name":"s","duration":"wrong","fleets":[]})", {"duration=1s"}).duration == 1s);
}

TEST_CASE("a mistake in an override is named by the option", "[sim][scenario]") {
    const std::string text = with_fleet(R"("count":2)");
    CHECK(problems_of(text, {"fleets.f.count=ten"}) ==
          "--set fleets.f.count=ten: /fleets/0/count: found \"ten\", expected a whole number from "
          "0 to 10000000\n");
    CHECK(problems_of(text, {"fleets.f.cuont=10"}) ==
          "--set fleets.f.cuont=10: /fleets/0/cuont: found the unknown field \"cuont\", expected a "
          "field of a fleet (did you mean \"count\"?)\n");
    CHECK(problems_of(text, {"fleets.g.count=10"}) ==
          "--set fleets.g.count=10: found \"g\", expected f, or a number below 1\n");
    CHECK(problems_of(text, {"count"}) ==
          "--set count: found \"count\", expected PATH=VALUE, such as fleets.doors.count=10\n");
    CHECK(problems_of(text, {"fleets.f.keep_alive=1500ms"}) ==
          "--set fleets.f.keep_alive=1500ms: /fleets/0/keep_alive: found 1s500ms, expected whole "
          "seconds up to 18h12m15s\n");
}

TEST_CASE("a file that cannot be read is a problem", "[sim][scenario]") {
    const auto read = load_scenario("no such file.json");
    const auto& problems = std::get<std::vector<problem>>(read);
    CHECK(to_string(problems) == "no such file.json: found no file that can be read (No such file "
                                 "or directory), expected a scenario file\n");
}

TEST_CASE("scenarios built in C++ are checked by the same rules", "[sim][scenario]") {
    scenario made;
    made.fleets.push_back({.name = "doors", .count = 2});
    CHECK(check_scenario(made).empty());
    made.fleets.push_back({.name = "doors", .client_id = "d", .keep_alive = 1500ms});
    CHECK(to_string(check_scenario(made)) ==
          "/fleets/1/name: found \"doors\" a second time, expected a name of its own\n"
          "/fleets/1/keep_alive: found 1s500ms, expected whole seconds up to 18h12m15s\n");
}

TEST_CASE("the shipped scenarios are good, and big enough for their stories", "[sim][scenario]") {
    for (const auto name : shipped) {
        const auto read = load_scenario(path_of(name));
        if (const auto* const problems = std::get_if<std::vector<problem>>(&read)) {
            FAIL(to_string(*problems));
        }
        const auto& made = std::get<scenario>(read);
        CHECK(made.expectations.size() >= 5);
        std::uint64_t devices = 0;
        for (const auto& fleet : made.fleets) {
            devices += fleet.count;
        }
        INFO(name);
        CHECK(devices >= (name == "utility_meters"     ? 100'000U
                          : name == "smart_building"   ? 5'000U
                          : name == "firmware_rollout" ? 300U
                          : name == "sparkplug_plant"  ? 60U
                                                       : 500U));
        CHECK(content_of(path_of(name)).starts_with("// "));
    }
}

TEST_CASE("nearest names are those within reach of a slip", "[sim][scenario]") {
    const std::vector<std::string_view> names = {"keep_alive", "count", "client_id", "qos"};
    CHECK(nearest_name("keepalive", names) == "keep_alive");
    CHECK(nearest_name("KeepAlive", names) == "keep_alive");
    CHECK(nearest_name("cuont", names) == "count");
    CHECK(nearest_name("clientid", names) == "client_id");
    CHECK(nearest_name("qso", names) == "qos");
    CHECK(nearest_name("banana", names).empty());
    CHECK(nearest_name("", names).empty());
}
