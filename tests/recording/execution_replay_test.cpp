#include <recording/recorded_scenario.hpp>

#include <fleetarium/recording/execution_replay.hpp>
#include <fleetarium/recording/recording_difference.hpp>

#include <catch2/catch.hpp>

#include <fstream>

using namespace fleetarium;
using namespace fleetarium::recording;
using namespace std::chrono_literals;

namespace {

replayed_execution replay(const std::string& file, const std::string& into = {}) {
    recording_reader from(file);
    const recorded_execution recorded = read_execution(from);
    return replay_execution(recorded, {.recording = into});
}

/// The first row that differs between a recording and what its scenario makes of it now.
std::optional<row_difference> first_difference(const scratch_folder& in, const std::string& file) {
    std::filesystem::remove(in.file("now.flr"));
    replay(file, in.file("now.flr"));
    recording_reader recorded(file);
    recording_reader now(in.file("now.flr"));
    return compare_rows(recorded.tables(), now.tables(), {.only_events = true}).row;
}

const compared_column& column(const row_difference& of, const std::string& name) {
    for (const compared_column& each : of.columns) {
        if (each.name == name) {
            return each;
        }
    }
    throw std::out_of_range(name);
}

}  // namespace

TEST_CASE("a recorded run runs again to the bit", "[recording][replay]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    const replayed_execution again = replay(file);
    CHECK(again.is_equal);
    CHECK(again.equal_until == instant{1min});
    CHECK(again.end.trace_hash ==
          recording_reader(file).tables().text("SELECT trace_hash FROM runs"));
    CHECK_FALSE(first_difference(folder, file).has_value());
}

TEST_CASE("a scenario that was changed in the recording parts where its events do",
          "[recording][replay]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    // The fault comes later than it did: nothing differs before the 30th second.
    change(file,
           "UPDATE runs SET scenario = replace(scenario, '\"at\": \"30s\"', "
           "'\"at\": \"41s\"')");
    const replayed_execution again = replay(file);
    CHECK_FALSE(again.is_equal);
    CHECK(again.equal_until == instant{25s});
    CHECK(again.different_at == instant{30s});
    const auto parted = first_difference(folder, file);
    REQUIRE(parted);
    CHECK(parted->at == 30'000'000'000);
    CHECK(parted->table == "faults");
    CHECK(column(*parted, "at").first.text == "30.000 s");
    CHECK(column(*parted, "at").second.text == "41.000 s");
    CHECK_FALSE(column(*parted, "fault").differs);
}

TEST_CASE("a row that was changed in a recording is named with its instant",
          "[recording][replay]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    std::string table;
    std::string name;
    SECTION("a payload") {
        table = "messages", name = "payload";
        change(file, "UPDATE messages SET payload = 'forged' WHERE id = 100");
    }
    SECTION("when a delivery ended") {
        table = "deliveries", name = "ended";
        change(file,
               "UPDATE deliveries SET ended = ended + 1 WHERE id = (SELECT id FROM "
               "deliveries WHERE qos = 2 ORDER BY id LIMIT 1 OFFSET 20)");
    }
    SECTION("a client's name") {
        table = "connections", name = "client";
        change(file, "UPDATE clients SET client_id = 'intruder' WHERE id = 3");
    }
    SECTION("an answer to SUBSCRIBE") {
        table = "subscriptions", name = "code";
        change(file, "UPDATE subscriptions SET code = 135 WHERE id = 1");
    }
    SECTION("a count of a second") {
        table = "metrics", name = "delivered";
        change(file, "UPDATE metrics SET delivered = delivered + 1 WHERE second = 20 AND qos = 0");
    }
    CHECK(replay(file).is_equal);  // the events are what they were
    const auto found = first_difference(folder, file);
    REQUIRE(found);
    CHECK(found->table == table);
    CHECK(column(*found, name).differs);
}

TEST_CASE("rows that were removed or added are found", "[recording][replay]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    SECTION("removed") {
        change(file, "DELETE FROM messages WHERE id = 50");
        const auto found = first_difference(folder, file);
        REQUIRE(found);
        CHECK((found->table == "messages" && found->row == 50));
        CHECK((!found->in_first && found->in_second));
    }
    SECTION("added") {
        change(file, "INSERT INTO acknowledgements VALUES(1000000, 20000000000)");
        const auto found = first_difference(folder, file);
        REQUIRE(found);
        CHECK((found->table == "acknowledgements" && found->at == 20'000'000'000));
        CHECK((found->in_first && !found->in_second));
    }
}

TEST_CASE("the earliest of several differences is shown, in whichever table", "[recording]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    // The delivery of an early message that ends late, and a connection in between.
    change(file,
           "UPDATE messages SET payload = 'x' WHERE id = (SELECT max(id) FROM messages);"
           "UPDATE connections SET ended = ended + 7 WHERE id = (SELECT id FROM connections "
           "WHERE ended IS NOT NULL ORDER BY ended LIMIT 1);"
           "UPDATE faults SET ends = 1");
    const auto found = first_difference(folder, file);
    REQUIRE(found);
    CHECK(found->at == 30'000'000'000);
    CHECK((found->table == "connections" || found->table == "faults"));
}

TEST_CASE("a recording that was cut short is compared as far as it goes", "[recording][replay]") {
    const scratch_folder folder;
    const std::string file = folder.file("cut.flr");
    record_sensors(file, {}, run_end::cut_short);
    recording_reader cut(file);
    REQUIRE_FALSE(cut.summary().ran_for.has_value());
    SECTION("it is equal") {
        const replayed_execution again = replay(file);
        CHECK(again.is_equal);
        CHECK(again.equal_until == instant{30s});
        CHECK_FALSE(first_difference(folder, file).has_value());
    }
    SECTION("it is not") {
        change(file, "UPDATE messages SET qos = 1 WHERE id = 20");
        const auto found = first_difference(folder, file);
        REQUIRE(found);
        CHECK((found->table == "messages" && found->row == 20));
    }
}

TEST_CASE("what a recording gave up for space is no difference", "[recording][replay]") {
    const scratch_folder folder;
    const std::string file = folder.file("last.flr");
    record_sensors(file, {}, run_end::finished, {.last = 10s});
    CHECK(replay(file).is_equal);
    CHECK_FALSE(first_difference(folder, file).has_value());
    change(file, "UPDATE messages SET topic = 1 WHERE id = (SELECT max(id) FROM messages)");
    CHECK(first_difference(folder, file).has_value());
}

TEST_CASE("a run replays with the files that its scenario read, though they are gone",
          "[recording][replay]") {
    const scratch_folder folder;
    const std::string scenario_file = folder.file("weather.json");
    const std::string text = R"({"name": "weather", "duration": "1m", "fleets": [{
        "name": "rooms", "generators": [{"name": "t", "csv": {"file": "weather.csv", "column": "t",
        "period": "1s"}}], "publications": [{"topic": "t", "period": "1s", "payload": "{t}"}]}]})";
    std::ofstream(scenario_file) << text;
    std::ofstream(folder.file("weather.csv")) << "t\n1.5\n2.5\n9\n";
    sim::scenario_inputs inputs;
    const auto read = sim::load_scenario(scenario_file, {}, &inputs);
    REQUIRE(std::holds_alternative<sim::scenario>(read));
    const auto& what = std::get<sim::scenario>(read);
    const std::string file = folder.file("run.flr");
    {
        sim::world running = sim::world::from(what);
        world_recorder recorder(running, {.path = file,
                                          .scenario = text,
                                          .scenario_file = scenario_file,
                                          .inputs = inputs.held(),
                                          .seed = what.seed});
        running.run_until(instant{what.duration});
        recorder.finish(running.report());
    }
    std::filesystem::remove(folder.file("weather.csv"));
    CHECK(replay(file).is_equal);
    SECTION("other numbers make another run") {
        change(file,
               "UPDATE inputs SET bytes = CAST('t' || char(10) || '1.5' || char(10) || "
               "'2.6' AS BLOB)");
        CHECK_FALSE(replay(file).is_equal);
    }
    SECTION("without them it cannot be run") {
        change(file, "DELETE FROM inputs");
        CHECK_THROWS_WITH(replay(file), Catch::Contains("its scenario cannot be run") &&
                                            Catch::Contains("weather.csv"));
    }
}

TEST_CASE("a run that stopped in the middle of an instant is repeated up to there",
          "[recording][replay]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    const sim::scenario what = parse_sensors();
    sim::world running = sim::world::from(what);
    {
        world_recorder recorder(running, {.path = file,
                                          .scenario = sensors_scenario,
                                          .scenario_file = "sensors.json",
                                          .seed = what.seed});
        CHECK_FALSE(running.run_until(instant{1min}, 2'000));
        recorder.finish(running.report(), {}, world_recorder::last_instant::broken_off);
    }
    const replayed_execution again = replay(file);
    CHECK(again.is_equal);
    CHECK(again.end.events == 2'000);
    CHECK_FALSE(first_difference(folder, file).has_value());
}

TEST_CASE("what cannot be run again is refused with what to do instead", "[recording][replay]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    record_sensors(file);
    recording_reader read(file);
    const auto [change_it, told] = GENERATE(table<std::string, std::string>({
        {"UPDATE runs SET kind = 'paced'", "is the recording of a run in real time"},
        {"UPDATE runs SET kind = 'subscriber'", "replay FILE --to URL"},
        {"UPDATE runs SET scenario = NULL", "has no scenario"},
        {"UPDATE runs SET scenario = '{\"fleets\": 7}'", "cannot be run by this program"},
        {"DELETE FROM runs", "has no run in it"},
    }));
    INFO(change_it);
    change(file, change_it);
    CHECK_THROWS_WITH(read_execution(read), Catch::Contains(told));
}
