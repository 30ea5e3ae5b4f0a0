#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/recording/schema.hpp>
#include <fleetarium/recording/world_recorder.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <support/case_share.hpp>

#include <catch2/catch.hpp>

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <variant>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::recording;
using namespace fleetarium::sim;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A file name of its own, and nothing left there afterwards.
struct scratch_file {
    std::string path = (fs::temp_directory_path() / ("fleetarium-" + std::to_string(getpid()) +
                                                     "-" + std::to_string(++count) + ".flr"))
                           .string();
    ~scratch_file() {
        for (const char* const end : {"", "-wal", "-shm", "-journal"}) {
            fs::remove(path + end);
        }
    }
    static inline int count = 0;
};

scenario read_scenario(const std::string& name, const std::vector<std::string>& overrides = {}) {
    auto read = load_scenario(std::string(FLEETARIUM_SOURCE_DIR) + "/" + name, overrides);
    if (const auto* const problems = std::get_if<std::vector<problem>>(&read)) {
        FAIL(to_string(*problems));
    }
    return std::get<scenario>(std::move(read));
}

/// Runs the scenario with a recorder, and returns its report.
run_report record(const scenario& what, const recording_options& options) {
    world w = world::from(what);
    world_recorder recorder(w, options);
    w.run_until(instant{what.duration});
    const run_report report = w.report();
    recorder.finish(report);
    return report;
}

std::int64_t number(recording_reader& from, const std::string& sql) {
    return from.tables().integer(sql).value_or(0);
}

std::int64_t in_state(recording_reader& from, recorded_state state) {
    return number(from, "SELECT count(*) FROM deliveries WHERE state = " +
                            std::to_string(static_cast<int>(state)));
}

publication_spec every_second(enum qos qos) {
    return {.topic = "a/{index}",
            .period = distribution::constant(1e9),
            .qos = qos,
            .payload = "{seq}"};
}

scenario sensors_and_a_panel(std::uint32_t count = 10) {
    scenario out;
    out.duration = 60s;
    out.networks.push_back({.name = "lan",
                            .up = {.latency = distribution::constant(3e6)},
                            .down = {.latency = distribution::constant(4e6)}});
    fleet_spec sensors{.name = "sensors", .count = count};
    for (const qos each : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        sensors.publications.push_back(every_second(each));
    }
    out.fleets.push_back(sensors);
    fleet_spec panel{.name = "panel"};
    panel.subscriptions.push_back({.filter = "a/#", .qos = qos::exactly_once});
    out.fleets.push_back(panel);
    return out;
}

}  // namespace

TEST_CASE("a recording has every message and delivery of the run's report", "[recording]") {
    const auto [name, overrides] = GENERATE(table<std::string, std::vector<std::string>>({
        {"scenarios/power_cut.json", {}},
        {"scenarios/worker_crash.json", {}},
        {"scenarios/broker_restart.json", {}},
        {"scenarios/broker_power_cut.json", {"duration=1h", "fleets.kiosks.count=100"}},
        {"scenarios/slow_dashboard.json", {}},
        {"scenarios/smart_building.json", {"duration=10m"}},
        {"tests/mutants/protocol_lab.json", {}},
    }));
    INFO(name);
    if (name == "scenarios/power_cut.json" && test::one_case_in() > 1) {
        return;  // minutes under sanitizers, to which it shows nothing that the others do not
    }
    // given
    const scratch_file file;
    // when
    const run_report report = record(read_scenario(name, overrides), {.path = file.path});
    // then
    const publisher_counts sent = sum_publishers(report, report.selections[0], {});
    const flow_counts flows = sum_flows(report, report.selections[0], {});
    recording_reader made(file.path);
    // A broker publishes its first $SYS messages when it is made, before there is a recorder.
    const run_report before = world::from(read_scenario(name, overrides)).report();
    CHECK(number(made, "SELECT count(*) FROM messages WHERE NOT copy") ==
          static_cast<std::int64_t>(sent.received -
                                    sum_publishers(before, before.selections[0], {}).received));
    CHECK(number(made,
                 "SELECT count(*) FROM deliveries d JOIN messages m ON m.id = d.id >> 20 "
                 "WHERE d.received IS NOT NULL AND NOT m.copy") ==
          static_cast<std::int64_t>(flows.delivered));
    CHECK(in_state(made, recorded_state::lost) == static_cast<std::int64_t>(flows.lost_on_link));
    CHECK(number(made,
                 "SELECT count(*) FROM deliveries d JOIN messages m ON m.id = d.id >> 20 "
                 "WHERE d.state = 5 AND NOT m.copy") ==
          static_cast<std::int64_t>(flows.dropped_total()));
    CHECK(number(made,
                 "SELECT count(*) FROM deliveries d JOIN messages m ON m.id = d.id >> 20 "
                 "WHERE NOT m.copy") == static_cast<std::int64_t>(flows.due));
    CHECK(number(made, "SELECT count(*) FROM deliveries WHERE id >> 20 = 0") == 0);
    CHECK(number(made, "SELECT count(*) FROM connections WHERE accepted") ==
          static_cast<std::int64_t>(report.brokers[0].metrics.connections_accepted));
    CHECK(made.tables().text("SELECT trace_hash FROM runs") == report.trace_hash_text);
}

TEST_CASE("recording changes nothing in the run", "[recording]") {
    const scenario what = sensors_and_a_panel();
    const scratch_file file;
    world alone = world::from(what);
    alone.run_until(instant{what.duration});
    CHECK(record(what, {.path = file.path}).trace_hash == alone.trace_hash());
}

TEST_CASE("the journey of a message is told from its publisher to its last acknowledgement",
          "[recording]") {
    const scratch_file file;
    record(sensors_and_a_panel(1), {.path = file.path});
    recording_reader made(file.path);
    const std::int64_t id = number(made, "SELECT min(id) FROM messages WHERE qos = 2");
    statement steps(made.tables(),
                    "SELECT step, client, at - (SELECT published FROM messages WHERE id = ?1) "
                    "FROM journeys WHERE message = ?1 ORDER BY at");
    steps.bind(1, id);
    std::string told;
    while (steps.step()) {
        told += std::string(steps.text(0)) + ' ' + std::string(steps.text(1)) + " +" +
                std::to_string(steps.integer(2) / 1'000'000) + " ms\n";
    }
    CHECK(told ==
          "published sensors[0] +0 ms\n"
          "at the broker broker +3 ms\n"
          "sent panel[0] +3 ms\n"
          "received panel[0] +7 ms\n"
          "acknowledged to its publisher sensors[0] +14 ms\n"
          "delivered panel[0] +17 ms\n");
}

TEST_CASE("the views answer the questions that people ask first", "[recording]") {
    const scratch_file file;
    record(sensors_and_a_panel(), {.path = file.path});
    recording_reader made(file.path);
    SECTION("how many messages has each topic?") {
        CHECK(number(made, "SELECT count(*) FROM messages_per_topic") == 10);
        CHECK(number(made, "SELECT sum(messages) FROM messages_per_topic") ==
              number(made, "SELECT count(*) FROM messages"));
    }
    SECTION("how long do messages take?") {
        statement latency(made.tables(), "SELECT qos, p50_ms, p99_ms FROM latency_per_qos");
        for (std::int64_t qos = 0; qos < 3; ++qos) {
            REQUIRE(latency.step());
            CHECK(latency.integer(0) == qos);
            CHECK(latency.real(1) == Approx(7));
            CHECK(latency.real(2) == Approx(7));
        }
    }
    SECTION("what was not delivered?") {
        CHECK(number(made, "SELECT count(*) FROM drops_per_reason") == 0);
    }
    SECTION("metrics by the second add up to all messages") {
        CHECK(number(made, "SELECT sum(published) FROM metrics") ==
              number(made, "SELECT count(*) FROM messages"));
        CHECK(number(made, "SELECT sum(delivered) FROM metrics") ==
              number(made, "SELECT count(*) FROM deliveries WHERE received IS NOT NULL"));
        CHECK(number(made, "SELECT max(connected) FROM gauges") == 11);
    }
}

TEST_CASE("a message is found by its instant", "[recording]") {
    const scratch_file file;
    record(sensors_and_a_panel(), {.path = file.path});
    recording_reader made(file.path);
    const std::int64_t instant = 30'000'000'000;
    CHECK(first_message_from(made.tables(), instant) ==
          number(made, "SELECT min(id) FROM messages WHERE at >= 30000000000"));
    CHECK(first_message_from(made.tables(), 0) == 1);
    CHECK(first_message_from(made.tables(), instant * 1000) ==
          number(made, "SELECT max(id) + 1 FROM messages"));
}

TEST_CASE("a recording with a limit gives up its oldest messages", "[recording]") {
    scenario what = sensors_and_a_panel(200);
    what.duration = 10min;
    const scratch_file file;
    SECTION("of age") {
        record(what, {.path = file.path, .last = 1min});
        recording_reader made(file.path);
        CHECK(number(made, "SELECT min(at) FROM messages") >= 540'000'000'000);
        CHECK(number(made, "SELECT count(*) FROM messages") > 200 * 3 * 58);
        CHECK(number(made, "SELECT forgotten_until FROM runs") ==
              number(made, "SELECT min(at) FROM messages"));
        CHECK(number(made,
                     "SELECT count(*) FROM deliveries WHERE message < "
                     "(SELECT min(id) FROM messages)") == 0);
    }
    SECTION("of size") {
        record(what, {.path = file.path, .file_size_max = recording_options::file_size_min});
        CHECK(fs::file_size(file.path) <= recording_options::file_size_min);
        CHECK(fs::file_size(file.path) > recording_options::file_size_min * 4 / 5);
        recording_reader made(file.path);
        CHECK(number(made, "SELECT max(at) FROM messages") > 598'000'000'000);
        CHECK(number(made, "SELECT count(*) FROM messages") > 10'000);
    }
}

TEST_CASE("a recording keeps its limit at each moment, whatever the size of payloads",
          "[recording]") {
    const scratch_file file;
    constexpr std::uint64_t limit = std::uint64_t{6} << 20;
    const std::size_t payload_size = GENERATE(0U, 30U, 9'000U, 500'000U, 2'000'000U);
    const int messages = payload_size < 100 ? 200'000 : 60'000'000 / static_cast<int>(payload_size);
    recording_writer writer({.path = file.path, .file_size_max = limit});
    const std::string text = "a/b" + std::string(payload_size, 'x');
    std::uint64_t largest = 0;
    for (int i = 1; i <= messages; ++i) {
        traffic_note message;
        message.what = traffic_note::kind::message;
        message.at = i;
        message.number = static_cast<std::uint64_t>(i);
        message.qos = 1;
        message.topic_size = 3;
        writer.add(message, text);
        traffic_note delivery = message;
        delivery.what = traffic_note::kind::sent;
        delivery.client = 1;
        delivery.session = 1;
        writer.add(delivery, {});
        traffic_note routed = message;
        routed.what = traffic_note::kind::routed;
        routed.extra = 1;
        writer.add(routed, {});
        delivery.what = traffic_note::kind::acknowledged;
        writer.add(delivery, {});
        if (i % (messages / 20 + 1) == 0) {
            writer.sync();
            largest = std::max<std::uint64_t>(largest, fs::file_size(file.path));
        }
    }
    REQUIRE(writer.error().empty());
    writer.finish({.ended_at = instant{1s}, .report = std::string(3'000'000, ' ')});
    CHECK(largest <= limit);
    CHECK(fs::file_size(file.path) <= limit);
    recording_reader made(file.path);
    CHECK(number(made, "SELECT max(id) FROM messages") == messages);
    CHECK(number(made, "SELECT sum(length(payload) + 20) FROM messages") >
          static_cast<std::int64_t>(limit) / 8);
    CHECK(number(made,
                 "SELECT count(*) FROM deliveries d LEFT JOIN messages m ON m.id = d.message "
                 "WHERE m.id IS NULL") == 0);
}

TEST_CASE("what was committed is there, though the writer has not finished", "[recording]") {
    const scratch_file file;
    {
        recording_writer writer({.path = file.path});
        traffic_note message;
        message.what = traffic_note::kind::message;
        message.number = 1;
        message.topic_size = 3;
        writer.add(message, "a/bpayload");
        traffic_note routed;
        routed.what = traffic_note::kind::routed;
        routed.number = 1;
        writer.add(routed, {});
    }
    recording_reader left(file.path);
    CHECK(number(left, "SELECT count(*) FROM messages") == 1);
    CHECK_FALSE(left.summary().ran_for.has_value());
}

TEST_CASE("a recording does not write over a file", "[recording]") {
    const scratch_file file;
    std::ofstream(file.path) << "a letter";
    CHECK_THROWS_WITH(recording_writer({.path = file.path}),
                      file.path + ": there is a file already: a recording needs a new one");
    CHECK(fs::file_size(file.path) == 8);
}

TEST_CASE("what is no recording is refused with a reason", "[recording]") {
    const scratch_file file;
    SECTION("nothing there") {
        CHECK_THROWS_WITH(recording_reader(file.path),
                          Catch::Contains("No such file or directory"));
    }
    SECTION("something else") {
        std::ofstream(file.path) << std::string(500, 'x');
        CHECK_THROWS_WITH(recording_reader(file.path),
                          Catch::Contains("does not begin with \"SQLite format 3\""));
    }
    SECTION("too short") {
        std::ofstream(file.path) << "SQLite format 3";
        CHECK_THROWS_WITH(recording_reader(file.path), Catch::Contains("it has 15 bytes"));
    }
    SECTION("another database") {
        database other(file.path, database::mode::create);
        other.execute("CREATE TABLE t(a); INSERT INTO t VALUES(1)");
        CHECK_THROWS_WITH(recording_reader(file.path),
                          Catch::Contains("is a SQLite file, but not a recording"));
    }
    SECTION("a newer version") {
        record(sensors_and_a_panel(), {.path = file.path});
        database(file.path, database::mode::write).execute("PRAGMA user_version = 99");
        CHECK_THROWS_WITH(recording_reader(file.path), Catch::Contains("has version 99"));
    }
    SECTION("cut short") {
        record(sensors_and_a_panel(), {.path = file.path});
        fs::resize_file(file.path, fs::file_size(file.path) / 2);
        CHECK_THROWS_WITH(recording_reader(file.path), Catch::Contains("is cut short"));
    }
}
