#include <fleetarium/feed/latency_buckets.hpp>
#include <fleetarium/feed/recording_source.hpp>
#include <fleetarium/recording/recording_reader.hpp>

#include <catch2/catch.hpp>

#include <recording/recorded_scenario.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <numeric>
#include <string>

using namespace fleetarium;
using namespace fleetarium::feed;
using recording::record_sensors;
using recording::recording_error;
using recording::run_end;
using recording::scratch_folder;

namespace {

/// What SQL says of a recording, beside what the source says.
struct judge {
    explicit judge(const std::string& file) : reader(file) {}

    std::int64_t number(const std::string& sql) { return reader.tables().integer(sql).value_or(0); }

    /// `sql` with AT in place of the instant.
    std::uint64_t until(std::string sql, double at) {
        const std::string instant = std::to_string(std::llround(at * 1e9));
        for (std::size_t place; (place = sql.find("AT")) != std::string::npos;) {
            sql.replace(place, 2, instant);
        }
        return static_cast<std::uint64_t>(number(sql));
    }

    recording::recording_reader reader;
};

qos_totals sum_of(const totals& of) {
    qos_totals out;
    for (const qos_totals& each : of.qos) {
        out.published += each.published;
        out.copies += each.copies;
        out.routed += each.routed;
        out.completed += each.completed;
        out.deliveries += each.deliveries;
        out.sent += each.sent;
        out.resent += each.resent;
        out.delivered += each.delivered;
        out.acknowledged += each.acknowledged;
        out.dropped += each.dropped;
        out.lost += each.lost;
    }
    return out;
}

/// Compares all totals at an instant with SQL.
void check_totals(recording_source& source, judge& by, double at) {
    const totals found = source.totals({.at = at});
    INFO("at " << at << " s");
    CHECK(found.at == Approx(at).margin(1e-9));
    CHECK(found.complete);
    const qos_totals sum = sum_of(found);
    CHECK(sum.published ==
          by.until("SELECT count(*) FROM messages WHERE at <= AT AND NOT copy AND number", at));
    CHECK(sum.copies == by.until("SELECT (SELECT count(*) FROM messages WHERE at <= AT AND copy) + "
                                 "(SELECT count(*) FROM resends WHERE at <= AT AND delivery IS "
                                 "NULL)",
                                 at));
    CHECK(sum.routed ==
          by.until("SELECT count(*) FROM messages WHERE at <= AT AND NOT copy AND deliveries > 0",
                   at));
    CHECK(sum.completed == by.until("SELECT count(*) FROM acknowledgements WHERE at <= AT", at));
    CHECK(sum.deliveries == by.until("SELECT count(*) FROM deliveries WHERE made <= AT", at));
    CHECK(sum.sent == by.until("SELECT count(*) FROM deliveries WHERE sent <= AT", at));
    CHECK(sum.resent ==
          by.until("SELECT count(*) FROM resends WHERE at <= AT AND delivery IS NOT NULL", at));
    CHECK(sum.delivered == by.until("SELECT count(*) FROM deliveries WHERE received <= AT", at));
    CHECK(sum.acknowledged ==
          by.until("SELECT count(*) FROM deliveries WHERE ended <= AT AND qos > 0 AND state = 2",
                   at));
    CHECK(sum.dropped ==
          by.until("SELECT count(*) FROM deliveries WHERE ended <= AT AND state = 5", at));
    CHECK(sum.lost ==
          by.until("SELECT count(*) FROM deliveries WHERE ended <= AT AND state = 6", at));
    CHECK(found.queued == by.until("SELECT count(*) FROM deliveries WHERE made <= AT AND "
                                   "coalesce(sent, 1 << 62) > AT AND coalesce(ended, 1 << 62) > AT",
                                   at));
    CHECK(found.in_flight == by.until("SELECT count(*) FROM deliveries WHERE qos > 0 AND "
                                      "sent <= AT AND coalesce(ended, 1 << 62) > AT",
                                      at));
    CHECK(found.payload_bytes_in ==
          by.until("SELECT sum(length(payload)) FROM messages WHERE at <= AT AND NOT copy", at));
    CHECK(found.payload_bytes_out ==
          by.until("SELECT sum(length(payload) * deliveries) FROM messages WHERE at <= AT", at));
    CHECK(std::accumulate(found.dropped.begin(), found.dropped.end(), std::uint64_t{0}) ==
          by.until("SELECT (SELECT count(*) FROM messages WHERE at <= AT AND reason) + "
                   "(SELECT count(*) FROM deliveries WHERE ended <= AT AND reason)",
                   at));
    CHECK(std::accumulate(found.latency.begin(), found.latency.end(), std::uint64_t{0}) ==
          by.until("SELECT count(*) FROM deliveries d JOIN messages m ON m.id = d.id >> 20 "
                   "WHERE received <= AT AND made = m.at",
                   at));
    CHECK(found.connected ==
          by.until("SELECT count(*) FROM connections WHERE accepted AND at <= AT AND "
                   "coalesce(ended, 1 << 62) > AT",
                   at));
    CHECK(found.connects ==
          by.until("SELECT count(*) FROM connections WHERE accepted AND at <= AT", at));
}

topic_row topic_named(recording_source& source, const std::string& parent, const std::string& name,
                      double at) {
    for (const topic_row& each :
         source.topics({.at = at, .parent = parent, .parent_is_root = parent.empty()}).rows) {
        if (each.name == name) {
            return each;
        }
    }
    FAIL("there is no topic " << name);
    return {};
}

/// A plant with a lossy side: a slow panel that drops, retained values, devices that reconnect.
sim::scenario troubled_plant() {
    auto read = sim::parse_scenario(R"({
        "name": "plant", "seed": 3, "duration": "40s",
        "brokers": [{"name": "hub", "queue_messages_max": 5}],
        "networks": [{"name": "radio", "up": {"latency": "30ms"}, "down": {"latency": "40ms"}}],
        "fleets": [
            {"name": "meters", "count": 8, "ramp_up": "2s", "publications": [
                {"topic": "site/{index}/power", "period": "500ms", "qos": 1, "retain": true,
                 "payload": "{\"w\": {seq}}"},
                {"topic": "site/{index}/state", "period": "1s", "qos": 0, "payload": "{seq}"}]},
            {"name": "panel", "clean_start": false, "session_expiry": "1h",
             "reconnect_delay": "8s", "subscriptions": [
                {"filter": "site/#", "qos": 1}]},
            {"name": "late", "start": "15s", "subscriptions": [
                {"filter": "site/+/power", "qos": 2}]}],
        "faults": [
            {"name": "panel off", "kind": "cut", "fleet": "panel", "at": "10s"},
            {"name": "cuts", "kind": "cut", "fleet": "meters", "at": "25s", "share": 0.5}]})",
                                    "plant.json");
    if (const auto* const problems = std::get_if<std::vector<sim::problem>>(&read)) {
        FAIL(sim::to_string(*problems));
    }
    return std::get<sim::scenario>(std::move(read));
}

}  // namespace

TEST_CASE("what is no recording is refused with the reason", "[recording_source]") {
    const scratch_folder folder;
    CHECK_THROWS_AS(recording_source(folder.file("none.flr")), recording_error);
    std::ofstream(folder.file("text.flr")) << std::string(200, 'x');
    CHECK_THROWS_WITH(recording_source(folder.file("text.flr")),
                      Catch::Contains("is not a recording"));
    record_sensors(folder.file("newer.flr"));
    recording::change(folder.file("newer.flr"), "PRAGMA user_version = 999");
    CHECK_THROWS_WITH(recording_source(folder.file("newer.flr")), Catch::Contains("version 999"));
}

TEST_CASE("totals of a recording are those of its rows, at any instant", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    recording_source source(file);
    judge by(file);
    for (const double at : {0.0, 0.031, 1.5, 29.999, 30.0, 30.5, 34.9, 35.0, 47.123456789, 60.0}) {
        check_totals(source, by, at);
    }
    for (const double at : {47.1, 0.5, 33.3}) {  // and back
        check_totals(source, by, at);
    }
    CHECK(source.totals({}).ended);
    CHECK_FALSE(source.totals({.at = 59.0}).ended);
    CHECK(source.totals({}).events ==
          static_cast<std::uint64_t>(by.number("SELECT events FROM runs")));
    CHECK(source.totals({.at = 32.0}).faults_active == 1);
    CHECK(source.totals({.at = 36.0}).faults_active == 0);
}

TEST_CASE("totals hold with drops, resends and retained messages, too", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    const sim::scenario what = troubled_plant();
    sim::world running = sim::world::from(what);
    recording::world_recorder recorder(running, {.path = file, .kind = "virtual"});
    running.run_until(instant{what.duration});
    const sim::run_report report = running.report();
    recorder.finish(report);

    judge by(file);
    REQUIRE(by.number("SELECT count(*) FROM deliveries WHERE state = 5") > 0);
    REQUIRE(by.number("SELECT count(*) FROM deliveries WHERE made != sent") > 0);
    recording_source source(file);
    for (const double at : {9.9, 10.05, 13.0, 17.999, 18.4, 25.02, 25.1, 26.0, 31.0, 40.0}) {
        check_totals(source, by, at);
    }
    CHECK(source.totals({}).retained == 8);
    CHECK(source.totals({.at = 0.0}).retained == 0);
    CHECK(source.totals({}).queued_max >= 5);

    // What was under way when the panel's link broke came once more.
    const auto message = static_cast<std::uint64_t>(
        by.number("SELECT message FROM resends WHERE delivery IS NOT NULL"));
    REQUIRE(message != 0);
    const message_answer twice = source.message({.message = message});
    CHECK(twice.message.resent > 0);
    CHECK(std::count_if(twice.steps.begin(), twice.steps.end(), [](const message_step& each) {
              return each.packet == "PUBLISH" && each.dup && each.to == "panel[0]";
          }) == 1);

    const messages_answer lost =
        source.messages({.state = message_state::dropped, .reason = "queue_full", .limit = 1'000});
    CHECK(lost.rows.size() ==
          static_cast<std::size_t>(by.number(
              "SELECT count(DISTINCT message) FROM deliveries WHERE state = 5 AND reason = 2")));
    CHECK(lost.rows.at(0).reason == "queue_full");
    CHECK(source.devices({.order = device_order::losses}).rows.at(0).name == "panel[0]");
    const device_row panel = source.device({.at = 15.0, .name = "panel[0]"}).device;
    CHECK(panel.state == device_state::offline);
    CHECK(panel.backlog == 5);
    CHECK(source.message({.message = message}).payload.encoding == "text");
    CHECK(topic_named(source, "site/1", "site/1/power", 40.0).retained);
    CHECK_FALSE(topic_named(source, "site/1", "site/1/state", 40.0).retained);
}

TEST_CASE("history has as many points as were asked for, and ends where totals are",
          "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    recording_source source(file);
    judge by(file);
    for (const std::uint32_t points : {2U, 7U, 600U, 4'000U}) {
        const history_answer found = source.history({.points = points});
        REQUIRE(found.points.size() >= 2);
        CHECK(found.points.size() <= points);
        CHECK(found.points.size() >= std::min<std::size_t>(points, 1'000) / 2);
        CHECK(found.points.front().at == 0);
        CHECK(found.points.back().at == 60);
        for (std::size_t i = 1; i < found.points.size(); ++i) {
            REQUIRE(found.points[i].at > found.points[i - 1].at);
            REQUIRE(sum_of(found.points[i]).published >= sum_of(found.points[i - 1]).published);
        }
        CHECK(sum_of(found.points.back()).published ==
              static_cast<std::uint64_t>(
                  by.number("SELECT count(*) FROM messages WHERE NOT copy AND number")));
    }
    const history_answer part = source.history({.from = 20.0, .until = 40.0, .points = 50});
    for (const totals& each : part.points) {
        CHECK(each.at >= 20);
        CHECK(each.at <= 40);
        // Points are at the begins of intervals: what is at that very instant comes after.
        CHECK(sum_of(each).published ==
              by.until("SELECT count(*) FROM messages WHERE at < AT AND NOT copy AND number",
                       each.at));
    }
    CHECK_THROWS_AS(source.history({.points = 1}), feed_error);
}

TEST_CASE("topics have counts and newest payloads as of any instant", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    recording_source source(file);
    judge by(file);
    const topics_answer roots = source.topics({});
    REQUIRE(roots.rows.size() == 1);
    CHECK(roots.rows[0].name == "s");
    CHECK(roots.rows[0].children == 10);
    CHECK_FALSE(roots.rows[0].is_topic);
    for (const double at : {59.5, 12.25, 30.1, 3.0, 44.4}) {
        INFO("at " << at << " s");
        const topic_row all = topic_named(source, "", "s", at);
        CHECK(all.messages ==
              by.until("SELECT count(*) FROM messages m JOIN topics t ON t.id = m.topic WHERE "
                       "t.name LIKE 's/%' AND at <= AT AND NOT copy",
                       at));
        const topic_row one = topic_named(source, "s", "s/3", at);
        CHECK(one.is_topic);
        CHECK(one.level == "3");
        const std::string newest =
            "FROM messages m JOIN topics t ON t.id = m.topic WHERE "
            "t.name = 's/3' AND at <= " +
            std::to_string(std::llround(at * 1e9)) + " ORDER BY m.id DESC LIMIT 1";
        CHECK(one.payload == by.reader.tables().text("SELECT payload " + newest));
        const topic_row sure = topic_named(source, "s/3", "s/3/sure", at);
        CHECK(one.messages ==
              sure.messages + by.until("SELECT count(*) FROM messages m JOIN topics t ON t.id = "
                                       "m.topic WHERE t.name = 's/3' AND at <= AT",
                                       at));
    }
    CHECK(source.topics({.search = "s/+/sure"}).all == 10);
    CHECK(source.topics({.search = "7/su"}).rows.at(0).name == "s/7/sure");
    CHECK(source.topics({.search = "s/7"}).rows.at(0).children == 1);
    const topics_answer most =
        source.topics({.search = "s/#", .order = topic_order::messages, .offset = 1, .limit = 3});
    CHECK(most.all == 20);
    CHECK(most.rows.size() == 3);
    CHECK(most.rows[0].messages >= most.rows[1].messages);
    CHECK_THROWS_AS(source.topics({.limit = 0}), feed_error);
}

TEST_CASE("devices are those of the scenario, in the state of any instant", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    recording_source source(file);
    judge by(file);
    const description about = source.describe({});
    CHECK(about.kind == "recording");
    CHECK(about.title == "sensors");
    CHECK(about.devices == 11);
    REQUIRE(about.fleets.size() == 2);
    CHECK(about.fleets[1].name == "panel");
    CHECK(about.fleets[1].first == 10);
    CHECK(about.networks == std::vector<std::string>{"radio"});
    CHECK(about.end == 60.0);
    CHECK(about.command == "fleetarium replay '" + file + "'");

    for (const double at : {0.0, 20.0, 31.0, 59.0, 33.0}) {
        INFO("at " << at << " s");
        const fleet_answer map = source.fleet({.at = at});
        REQUIRE(map.groups.size() == 2);
        CHECK(map.devices_per_cell == 1);
        CHECK(map.groups[0].cells.size() == 10);
        CHECK(map.groups[0].connected + map.groups[1].connected ==
              by.until("SELECT count(*) FROM connections WHERE accepted AND at <= AT AND "
                       "coalesce(ended, 1 << 62) > AT",
                       at));
        for (const device_row& each : source.devices({.at = at}).rows) {
            CHECK(each.published ==
                  by.until("SELECT count(*) FROM messages m JOIN clients c ON c.id = m.publisher "
                           "WHERE at <= AT AND NOT copy AND c.name = '" +
                               each.name + "'",
                           at));
            CHECK(each.received ==
                  by.until("SELECT count(*) FROM deliveries d JOIN clients c ON c.id = d.receiver "
                           "WHERE received <= AT AND c.name = '" +
                               each.name + "'",
                           at));
        }
    }
    CHECK(source.fleet({.at = 31.0, .by = grouping::none}).groups.at(0).devices == 11);
    CHECK(source.devices({.order = device_order::received}).rows.at(0).name == "panel[0]");
    CHECK(source.devices({.search = "ensors[7"}).all == 1);
    CHECK(source.devices({.fleet = "panel"}).all == 1);
    CHECK(source.devices({.at = 0.0, .state = device_state::unseen}).all == 11);
    CHECK(source.devices({.at = 20.0, .state = device_state::unseen}).all == 0);
    CHECK(source.cell({.by = grouping::fleet, .group = "panel"}).name == "panel[0]");
    CHECK_THROWS_WITH(source.devices({.fleet = "pane"}), Catch::Contains("pane"));
    CHECK_THROWS_AS(source.fleet({.group = "none"}), feed_error);
    CHECK_THROWS_AS(source.cell({.place = 11}), feed_error);
}

TEST_CASE("a device tells what happened to it until an instant", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    recording_source source(file);
    const device_answer panel = source.device({.at = 10.0, .name = "panel[0]", .events = 50});
    CHECK(panel.device.state == device_state::connected);
    CHECK(panel.connected_since);
    CHECK(panel.protocol == 5);
    REQUIRE(panel.subscriptions.size() == 1);
    CHECK(panel.subscriptions[0].filter == "s/#");
    CHECK(panel.events.size() == 50);
    CHECK(panel.events_complete);
    for (std::size_t i = 0; i < panel.events.size(); ++i) {
        CHECK(panel.events[i].at <= 10.0);
        CHECK((i == 0 || panel.events[i].at >= panel.events[i - 1].at));
    }
    const device_answer sensor = source.device({.name = "sensors[2]", .events = 2'000});
    CHECK(sensor.fleet == "sensors");
    CHECK(sensor.network == "radio");
    std::map<std::string, std::uint64_t> events;
    for (const event_row& each : sensor.events) {
        ++events[each.what];
    }
    CHECK(events["published"] == sensor.device.published);
    CHECK(events["connected"] == sensor.device.connects);
    CHECK(events["completed"] > 20);
    CHECK_THROWS_WITH(source.device({.name = "sensors[12]"}), Catch::Contains("sensors[12]"));
}

TEST_CASE("messages are found from an instant backwards by what is asked", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    recording_source source(file);
    judge by(file);
    const messages_answer newest = source.messages({.at = 42.0, .limit = 20});
    REQUIRE(newest.rows.size() == 20);
    CHECK(newest.rows[0].message == by.until("SELECT max(id) FROM messages WHERE at <= AT", 42.0));
    CHECK(newest.rows[19].message + 19 == newest.rows[0].message);
    const messages_answer page =
        source.messages({.at = 42.0, .before = newest.rows[19].message, .limit = 20});
    CHECK(page.rows.at(0).message == newest.rows[19].message - 1);

    const messages_answer sure = source.messages({.filter = "s/+/sure", .limit = 1'000});
    CHECK(sure.rows.size() ==
          static_cast<std::size_t>(by.number("SELECT count(*) FROM messages m JOIN topics t ON "
                                             "t.id = m.topic WHERE t.name LIKE '%sure'")));
    CHECK(sure.kept_from == 0);
    const messages_answer own = source.messages({.client = "sensors[3]", .qos = 0, .limit = 1'000});
    CHECK(own.rows.size() ==
          static_cast<std::size_t>(by.number("SELECT count(*) FROM messages m JOIN clients c ON "
                                             "c.id = m.publisher WHERE c.name = 'sensors[3]' AND "
                                             "m.qos = 0")));
    const messages_answer unheard =
        source.messages({.state = message_state::unheard, .reason = "no_subscriber"});
    CHECK(unheard.rows.size() ==
          static_cast<std::size_t>(by.number("SELECT count(*) FROM messages WHERE reason = 1")));
    CHECK(source.messages({.from = 59.5, .limit = 1'000}).rows.size() ==
          by.until("SELECT count(*) FROM messages WHERE at >= AT", 59.5));

    CHECK_THROWS_WITH(source.messages({.reason = "queue_ful"}), Catch::Contains("queue_full"));
    CHECK_THROWS_AS(source.messages({.filter = "s/#/x"}), feed_error);
    CHECK_THROWS_AS(source.messages({.client = "nobody"}), feed_error);
    CHECK_THROWS_AS(source.messages({.limit = 1'001}), feed_error);
}

TEST_CASE("one message shows its journey, its payload and the one before", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    recording_source source(file);
    judge by(file);
    const auto id = static_cast<std::uint64_t>(
        by.number("SELECT m.id FROM messages m JOIN topics t ON t.id = m.topic WHERE "
                  "t.name = 's/4/sure' AND m.at > 20000000000 ORDER BY m.id LIMIT 1"));
    const message_answer found = source.message({.message = id});
    CHECK(found.message.publisher == "sensors[4]");
    CHECK(found.message.state == message_state::complete);
    CHECK(found.published < found.message.at);
    REQUIRE(found.deliveries.size() == 1);
    CHECK(found.deliveries[0].receiver == "panel[0]");
    CHECK(found.deliveries[0].state == "delivered");
    REQUIRE(found.payload_before);
    CHECK(std::stoi(found.payload_before->text) + 1 == std::stoi(found.payload.text));
    std::map<std::string, int> packets;
    for (const message_step& each : found.steps) {
        ++packets[each.packet];
    }
    CHECK(packets ==
          std::map<std::string, int>{{"PUBLISH", 2}, {"PUBREC", 2}, {"PUBREL", 2}, {"PUBCOMP", 2}});
    CHECK(found.steps.front().from == "sensors[4]");
    CHECK_THROWS_WITH(source.message({.message = 1'000'000}),
                      Catch::Contains("1000000") && Catch::Contains("expected a number from 1"));
}

TEST_CASE("the timeline and the log say what went wrong, and when", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    recording::change(file,
                      "INSERT INTO annotations VALUES(NULL, 12000000000, 'the door is open'); "
                      "INSERT INTO violations VALUES(NULL, 40000000000, 'order', 'a before b')");
    recording_source source(file);
    const timeline_answer all = source.timeline({});
    REQUIRE(all.faults.size() == 1);
    CHECK(all.faults[0].name == "outage");
    CHECK(all.faults[0].kind == "power_loss");
    CHECK(all.faults[0].where == "sensors, 50 % of them");
    CHECK(all.faults[0].from == 30);
    CHECK(all.faults[0].until == 35.0);
    CHECK(all.violations.at(0).invariant == "order");
    CHECK(all.marks.at(0).text == "the door is open");
    const timeline_answer then = source.timeline({.at = 31.0});
    CHECK_FALSE(then.faults.at(0).until);
    CHECK(then.violations.empty());

    const log_answer quiet = source.log({.connections = false});
    REQUIRE(quiet.rows.size() == 4);
    CHECK(quiet.rows[0].what == "annotation");
    CHECK(quiet.rows[1].what == "fault");
    CHECK(quiet.rows[1].text == "outage (sensors, 50 % of them)");
    CHECK(quiet.rows[2].what == "healed");
    CHECK(quiet.rows[3].text == "order: a before b");
    const log_answer last = source.log({.at = 29.0, .limit = 5});
    REQUIRE(last.rows.size() == 5);
    CHECK(last.rows.back().at <= 29);
    CHECK(source.log({.search = "panel[0]"}).rows.size() == 2);
    CHECK_THROWS_AS(source.log({.limit = 2'001}), feed_error);
}

TEST_CASE("what is read on a thread comes to the same", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    recording_source at_once(file);
    recording_source later(file, {.messages_at_once = 0});
    later.wait_until_complete();
    for (const double at : {60.0, 13.7, 44.0}) {
        const totals a = at_once.totals({.at = at});
        const totals b = later.totals({.at = at});
        CHECK(sum_of(a).delivered == sum_of(b).delivered);
        CHECK(a.latency == b.latency);
        CHECK(a.dropped == b.dropped);
    }
    CHECK(later.totals({}).complete);
}

TEST_CASE("a recording that is being written is followed", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    const sim::scenario what = recording::parse_sensors();
    sim::world running = sim::world::from(what);
    recording::recording_options options;
    options.path = file;
    options.scenario = recording::sensors_scenario;
    recording::world_recorder recorder(running, options);
    const auto run_until = [&](int second) {
        running.run_until(instant{std::chrono::seconds{second}});
        recorder.sync();
    };
    run_until(10);
    recording_source source(file);
    CHECK(source.describe({}).end.value_or(0) == Approx(10).margin(1));
    const std::uint64_t first = sum_of(source.totals({})).published;
    CHECK(first > 0);
    run_until(50);
    CHECK(source.describe({}).end.value_or(0) == Approx(50).margin(1));
    source.wait_until_complete();
    CHECK(sum_of(source.totals({})).published > 4 * first);
    CHECK_FALSE(source.totals({}).ended);
    running.run_until(instant{what.duration});
    recorder.finish(running.report());
    source.totals({});
    source.wait_until_complete();
    judge by(file);
    for (const double at : {60.0, 9.0, 31.0}) {
        check_totals(source, by, at);
    }
    CHECK(source.totals({}).ended);
}

TEST_CASE("a recording that was cut short is shown as far as it goes", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file, {}, run_end::cut_short);
    recording_source source(file);
    CHECK(source.describe({}).end.value_or(0) == Approx(30).margin(1));
    CHECK(sum_of(source.totals({.at = 1e6})).published > 0);
    CHECK_THROWS_AS(source.report({}), feed_error);
}

TEST_CASE("of a flight recorder's recording what was kept is shown", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    recording::recording_options options;
    options.last = std::chrono::seconds{20};
    record_sensors(file, {}, run_end::finished, options);
    recording_source source(file);
    judge by(file);
    const double begin = source.describe({}).begin;
    CHECK(begin == Approx(40).margin(1));
    CHECK(source.totals({.at = 3.0}).at == begin);
    CHECK(source.history({.points = 10}).points.front().at == begin);
    CHECK(sum_of(source.totals({.at = 50.0})).published ==
          by.until("SELECT count(*) FROM messages WHERE at <= AT AND NOT copy AND number", 50.0));
    CHECK(source.messages({.at = 45.0, .limit = 1'000}).rows.back().at >= begin);
}

TEST_CASE("damaged rows are told, not shown", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    recording::change(
        file, "UPDATE deliveries SET state = 77 WHERE id = (SELECT max(id) FROM deliveries)");
    CHECK_THROWS_WITH(recording_source(file), Catch::Contains("is damaged"));
    recording_source later(file, {.messages_at_once = 0});
    later.wait_until_complete();
    CHECK_THROWS_WITH(later.totals({}), Catch::Contains("is damaged"));
}
