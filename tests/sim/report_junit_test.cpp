#include <fleetarium/sim/report_junit.hpp>
#include <fleetarium/sim/world.hpp>

#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <catch2/catch.hpp>

#include <sstream>
#include <string>
#include <vector>

// A run as JUnit XML, read by an XML parser.

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

using boost::property_tree::ptree;

ptree parsed(const std::string& xml) {
    std::istringstream in(xml);
    ptree out;
    boost::property_tree::read_xml(in, out);
    return out;
}

std::vector<ptree> children(const ptree& of, const std::string& name) {
    std::vector<ptree> out;
    for (const auto& [key, child] : of) {
        if (key == name) {
            out.push_back(child);
        }
    }
    return out;
}

std::string attribute(const ptree& of, const std::string& name) {
    return of.get<std::string>("<xmlattr>." + name);
}

}  // namespace

TEST_CASE("expectations and invariants are test cases of JUnit", "[sim][report]") {
    run_report report;
    report.scenario = "a \"small\" <plant> & more";
    report.seed = 7;
    report.ledger.enabled = true;
    report.ledger.by_invariant[static_cast<std::size_t>(invariant::exactly_once)] = 12;
    ledger_violation twice;
    twice.broken = invariant::exactly_once;
    twice.at = instant{12500ms};
    twice.publisher = "sensors[3]";
    twice.receiver = "display[0]";
    twice.message = 17;
    twice.topic = "a/<b>&\x01\"c\"\xEF\xBF\xBF";
    twice.what = "it arrived again";
    report.ledger.violations.push_back(twice);
    std::vector<expectation_result> results(3);
    results[0] = {.name = "quick & right", .metric = metric::latency, .measured = 0.5, .max = 0.1};
    results[1] = {.name = "all there", .measured = 1, .min = 1, .met = true};
    results[2] = {.name = "who knows", .observable = false};

    const std::string xml =
        report_junit(report, results, {.wall_seconds = 1.5}, "fleetarium run 'a b.json' --seed 7");
    INFO(xml);
    const ptree root = parsed(xml).get_child("testsuites");
    CHECK(attribute(root, "name") == "a \"small\" <plant> & more, seed 7");
    CHECK(attribute(root, "tests") == std::to_string(invariant_count + 3));
    CHECK(attribute(root, "failures") == "2");
    const auto suites = children(root, "testsuite");
    REQUIRE(suites.size() == 2);
    CHECK(attribute(suites[0], "tests") == "3");
    CHECK(attribute(suites[0], "failures") == "1");
    CHECK(attribute(suites[0], "skipped") == "1");
    CHECK(attribute(suites[0], "time") == "1.500");
    const auto expected = children(suites[0], "testcase");
    REQUIRE(expected.size() == 3);
    CHECK(attribute(expected[0], "name") == "quick & right");
    const ptree missed = expected[0].get_child("failure");
    CHECK(attribute(missed, "message") == "quick & right: 500 ms, at most 100 ms");
    CHECK(missed.data() ==
          "quick & right: 500 ms, at most 100 ms\n"
          "to see it again: fleetarium run 'a b.json' --seed 7");
    CHECK(children(expected[1], "failure").empty());
    CHECK(children(expected[2], "skipped").size() == 1);

    CHECK(attribute(suites[1], "tests") == std::to_string(invariant_count));
    const auto invariants = children(suites[1], "testcase");
    const ptree& broken = invariants.at(static_cast<std::size_t>(invariant::exactly_once));
    CHECK(attribute(broken, "name") == "exactly_once");
    CHECK(attribute(broken, "classname") == "fleetarium.ledger");
    const std::string message = attribute(broken.get_child("failure"), "message");
    CHECK(message ==
          "at 12.5 s, exactly_once: message 17 of sensors[3], QoS 0, "
          "\"a/<b>&\xEF\xBF\xBD\"c\"\xEF\xBF\xBD\", at display[0]: it arrived again");
    CHECK(broken.get_child("failure").data().find("12 in all") != std::string::npos);
    CHECK(children(invariants.front(), "failure").empty());
}

TEST_CASE("a run without a ledger has one suite", "[sim][report]") {
    world w({.seed = 1, .ledger = false});
    w.add_broker();
    w.run_for(1s);
    const ptree root = parsed(report_junit(w.report(), {}, {}, "")).get_child("testsuites");
    CHECK(children(root, "testsuite").size() == 1);
    CHECK(attribute(root, "tests") == "0");
}
