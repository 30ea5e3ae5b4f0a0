#include <fleetarium/sim/message_tag.hpp>
#include <fleetarium/sim/report_json.hpp>
#include <fleetarium/sim/report_text.hpp>
#include <fleetarium/sim/world.hpp>

#include <support/shunt.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <string>
#include <string_view>
#include <utility>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;
using test::shunt;

namespace {

using sim::detail::add_tag;
using sim::detail::find_tag;
using sim::detail::message_tag;
using sim::detail::read_tag;

const message_tag tag_17{.run = 0xab, .number = 17, .made = instant{3s}};

std::string tagged(std::string_view payload) {
    const sim::detail::tag_text tag = to_text(tag_17);
    std::string out;
    add_tag(as_bytes_view(payload), {tag.data(), tag.size()}, out);
    return out;
}

/// What is left of a payload without its tag.
std::string untagged(const std::string& payload) {
    const sim::detail::tagged_payload found = find_tag(as_bytes_view(payload));
    return payload.substr(0, found.kept) + std::string(found.rest);
}

publication_spec every(duration period, std::string topic, enum qos level) {
    publication_spec made{.topic = std::move(topic),
                          .period = distribution::constant(static_cast<double>(period.count())),
                          .phase = period};
    made.qos = level;
    made.payload = R"({"n": {seq}})";
    return made;
}

/// Sensors with sessions, and a display with one, at a broker outside that can be exchanged.
struct audited_world {
    explicit audited_world(audit_options audit = {},
                           protocol_version version = protocol_version::v5)
        : w({.audit = audit}), carrier(w) {
        w.add_remote_broker("cloud", carrier);
        carrier.behind = &w.add_broker({.name = "behind"});
        fleet_spec sensors{.name = "sensors", .count = 5, .version = version};
        sensors.publications.push_back(every(1s, "s/{index}/a", qos::at_least_once));
        sensors.publications.push_back(every(2s, "s/{index}/b", qos::exactly_once));
        sensors.clean_start = false;
        fleet_spec display{.name = "display", .version = version};
        display.subscriptions.push_back({.filter = "s/#", .qos = qos::exactly_once});
        display.clean_start = false;
        display.reconnect_delay = distribution::constant(9e9);
        if (version == protocol_version::v5) {
            sensors.session_expiry = 3600s;
            display.session_expiry = 3600s;
        }
        w.add_fleet(sensors);
        w.add_fleet(display);
    }

    /// The broker is gone, and another one, which knows nothing, is in its place.
    void lose_everything() {
        carrier.behind = &w.add_broker({.name = "other"});
        carrier.cut_all();
    }
    ledger_report judged() {
        w.drain(2s, 30s, [&](duration step) {
            w.run_for(step);
            return true;
        });
        return w.report().ledger;
    }
    outside_audit audit() { return judged().audits.at(0); }

    world w;
    shunt carrier;
};

std::uint64_t count_of(const ledger_report& found, invariant which) {
    return found.by_invariant[static_cast<std::size_t>(which)];
}

}  // namespace

TEST_CASE("a tag is read as it was written") {
    const sim::detail::tag_text tag = to_text(tag_17);
    CHECK(std::string(tag.data(), tag.size()) == "000000ab-0000000000000011-0000002dc6c0");
    CHECK(read_tag({tag.data(), tag.size()}) == tag_17);
    CHECK(!read_tag("000000ab-0000000000000011-0000002dc6cx"));
    CHECK(!read_tag("000000ab-0000000000000011"));
    CHECK(!read_tag(""));
}

TEST_CASE("a tag is the last member of an object, and else behind the payload") {
    const std::string tag = "000000ab-0000000000000011-0000002dc6c0";
    CHECK(tagged(R"({"n": 1})") == R"({"n": 1,"fleetarium":")" + tag + R"("})");
    CHECK(tagged("{}") == R"({"fleetarium":")" + tag + R"("})");
    CHECK(tagged("[1]") == "[1]#fleetarium:" + tag);
    CHECK(tagged("on") == "on#fleetarium:" + tag);
    for (const std::string payload : {R"({"n": 1})", "{}", "{ }", "[1]", "on", "{", "}{"}) {
        CHECK(untagged(tagged(payload)) == payload);
    }
    CHECK(find_tag(as_bytes_view(std::string_view("#fleetarium:x"))).tag.empty());
}

TEST_CASE("a broker outside is audited by what its clients see") {
    const identity_place identity =
        GENERATE(identity_place::user_property, identity_place::payload);
    audited_world all({.identity = identity});
    all.w.run_for(60s);
    all.carrier.cut_all();
    all.w.run_for(60s);
    const ledger_report found = all.judged();
    CHECK(found.violation_count() == 0);
    const outside_audit& audit = found.audits.at(0);
    CHECK(audit.broker == "cloud");
    CHECK(audit.complete);
    CHECK(audit.messages == 5 * (120 + 60));
    CHECK(audit.receptions == audit.messages);
    CHECK(audit.strangers == 0);
    CHECK(audit.devices_not_seen == 0);
}

TEST_CASE("receivers in the world do not see what the payload carries for the audit") {
    audited_world all({.identity = identity_place::payload});
    auto& outsider = all.w.add_client("outsider");
    outsider.connect(*all.carrier.behind);
    outsider.subscribe("s/0/a", qos::at_least_once);
    all.w.run_for(10s);
    REQUIRE(!outsider.messages().empty());
    CHECK(outsider.messages().front().payload.find("\"fleetarium\":\"") != std::string::npos);
    const run_report report = all.w.report();
    const flow_counts seen = sum_flows(
        report, report.selections[0],
        {.fleet = report.fleet_index("sensors"), .receiver = report.fleet_index("display")});
    CHECK(seen.delivered == 5 * (10 + 5));
}

TEST_CASE("devices of 3.1.1 are audited if the payload carries identities, and else counted") {
    audited_world seen({.identity = identity_place::payload}, protocol_version::v3_1_1);
    seen.w.run_for(10s);
    CHECK(seen.audit().receptions == 5 * (10 + 5));
    audited_world unseen({}, protocol_version::v3_1_1);
    unseen.w.run_for(10s);
    const outside_audit audit = unseen.audit();
    CHECK(audit.devices_not_seen == 6);
    CHECK(audit.messages == 0);
    CHECK(audit.strangers == 5 * (10 + 5));
}

TEST_CASE("a broker outside that loses its sessions is convicted") {
    audited_world all;
    all.w.run_for(30s);
    all.lose_everything();
    all.w.run_for(30s);
    const ledger_report found = all.judged();
    CHECK(count_of(found, invariant::session_lifetime) == 6);
    REQUIRE(!found.violations.empty());
    CHECK(found.violations.front().at >= instant{30s});
    CHECK(all.w.has_failed());
}

TEST_CASE("a broker outside that loses what waited for a client is convicted of each message") {
    audited_world all;
    all.w.run_for(10s);
    fault_spec away{.kind = fault_kind::cut, .at = 10s};
    away.fleet = "display";
    all.w.add_fault(away);
    all.w.run_for(5s);
    all.lose_everything();
    all.w.run_for(30s);
    const ledger_report found = all.judged();
    const std::uint64_t lost = count_of(found, invariant::conservation);
    CHECK(lost >= 5 * 6);
    CHECK(lost == found.audits[0].lost);
    bool named = false;
    for (const ledger_violation& each : found.violations) {
        named = named || (each.broken == invariant::conservation && each.receiver == "display[0]" &&
                          each.publisher.starts_with("sensors[") && each.message != 0);
    }
    CHECK(named);
}

TEST_CASE("what may have been too much for the broker's queue is not judged, and counted") {
    audited_world all({.queue_limit = 10});
    all.w.run_for(10s);
    fault_spec away{.kind = fault_kind::cut, .at = 10s};
    away.fleet = "display";
    all.w.add_fault(away);
    all.w.run_for(5s);
    all.lose_everything();
    all.w.run_for(30s);
    const ledger_report found = all.judged();
    CHECK(count_of(found, invariant::conservation) == 0);
    CHECK(found.audits[0].beyond_queue > 10);
}

TEST_CASE("a report says what was judged from outside, and what only the broker knows") {
    audited_world all;
    all.w.run_for(10s);
    all.judged();
    const run_report report = all.w.report();
    const std::string text = report_text(report, {}, {}, false);
    CHECK(text.find("audited from outside: cloud, messages known by a user property") !=
          std::string::npos);
    CHECK(text.find("not judged responsibility, metrics") != std::string::npos);
    const std::string json = report_json(report, {}, {});
    CHECK(json.find("\"audits\"") != std::string::npos);
    CHECK(json.find("\"only the broker knows\"") != std::string::npos);
}

TEST_CASE("a world without a ledger, or without identities, audits nothing") {
    audited_world all({.identity = identity_place::none});
    all.w.run_for(10s);
    CHECK(all.w.report().ledger.audits.empty());
    CHECK(!all.w.has_failed());
}
