#include <recording/recorded_scenario.hpp>

#include <fleetarium/recording/recording_difference.hpp>
#include <fleetarium/recording/recording_reader.hpp>

#include <catch2/catch.hpp>

using namespace fleetarium;
using namespace fleetarium::recording;
using namespace std::chrono_literals;

namespace {

recording_difference compare(const std::string& a, const std::string& b) {
    recording_reader first(a);
    recording_reader second(b);
    return compare_rows(first.tables(), second.tables());
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

TEST_CASE("two recordings of the same run are equal", "[recording][diff]") {
    const scratch_folder folder;
    record_sensors(folder.file("a.flr"));
    record_sensors(folder.file("b.flr"));
    const recording_difference found = compare(folder.file("a.flr"), folder.file("b.flr"));
    CHECK_FALSE(found.row.has_value());
    CHECK(found.counts.empty());
}

TEST_CASE("runs that do the same until a fault part at the fault", "[recording][diff]") {
    const scratch_folder folder;
    record_sensors(folder.file("a.flr"));
    record_sensors(folder.file("b.flr"), {"/faults/0/share=0.8"});
    const recording_difference found = compare(folder.file("a.flr"), folder.file("b.flr"));
    REQUIRE(found.row.has_value());
    CHECK(found.row->at >= 30'000'000'000);
    CHECK(found.row->at < 31'000'000'000);
    CHECK_FALSE(found.counts.empty());
}

TEST_CASE("a run that goes on longer parts where the other one ends", "[recording][diff]") {
    const scratch_folder folder;
    record_sensors(folder.file("a.flr"));
    record_sensors(folder.file("b.flr"), {"duration=90s"});
    const recording_difference found = compare(folder.file("a.flr"), folder.file("b.flr"));
    REQUIRE(found.row.has_value());
    // A message on its way at the end is one that a longer run sees arrive.
    CHECK(found.row->at >= 60'000'000'000 - 1);
    CHECK(found.row->at < 61'000'000'000);
}

TEST_CASE("names are compared, not the numbers that recordings have for them",
          "[recording][diff]") {
    const scratch_folder folder;
    record_sensors(folder.file("a.flr"));
    record_sensors(folder.file("b.flr"));
    SECTION("the same names under other numbers are equal") {
        change(folder.file("b.flr"),
               "UPDATE topics SET id = 1000 - id;"
               "UPDATE messages SET topic = 1000 - topic");
        CHECK_FALSE(compare(folder.file("a.flr"), folder.file("b.flr")).row.has_value());
    }
    SECTION("the same numbers with other names are not") {
        change(folder.file("b.flr"), "UPDATE topics SET name = 's/other' WHERE id = 2");
        const auto found = compare(folder.file("a.flr"), folder.file("b.flr"));
        REQUIRE(found.row.has_value());
        CHECK(found.row->table == "messages");
        CHECK(column(*found.row, "topic").second.text == "s/other");
    }
}

TEST_CASE("of long payloads the part that differs is shown", "[recording][diff]") {
    const scratch_folder folder;
    record_sensors(folder.file("a.flr"));
    record_sensors(folder.file("b.flr"));
    const std::string sql = "UPDATE messages SET payload = replace(hex(zeroblob(500)), '0', 'x') ";
    change(folder.file("a.flr"), sql + "|| 'hot' WHERE id = 9");
    change(folder.file("b.flr"), sql + "|| 'low' WHERE id = 9");
    const auto found = compare(folder.file("a.flr"), folder.file("b.flr"));
    REQUIRE(found.row.has_value());
    CHECK(column(*found.row, "payload").first.text ==
          "\"" + std::string(45, 'x') + "hot\" (bytes 955 to 1003 of 1003)");
    CHECK(column(*found.row, "payload").second.text ==
          "\"" + std::string(45, 'x') + "low\" (bytes 955 to 1003 of 1003)");
}

TEST_CASE("a difference behind the end of a recording cut short is none", "[recording][diff]") {
    const scratch_folder folder;
    record_sensors(folder.file("whole.flr"));
    record_sensors(folder.file("cut.flr"), {}, run_end::cut_short);
    CHECK_FALSE(compare(folder.file("whole.flr"), folder.file("cut.flr")).row.has_value());
    CHECK_FALSE(compare(folder.file("cut.flr"), folder.file("whole.flr")).row.has_value());
    CHECK_FALSE(compare(folder.file("cut.flr"), folder.file("whole.flr")).counts.empty());
}

TEST_CASE("a comparison can be stopped", "[recording][diff]") {
    const scratch_folder folder;
    record_sensors(folder.file("a.flr"), {"fleets.sensors.count=300", "duration=2m"});
    recording_reader first(folder.file("a.flr"));
    recording_reader second(folder.file("a.flr"));
    int asked = 0;
    const auto found =
        compare_rows(first.tables(), second.tables(), {.watch = [&] { return ++asked < 2; }});
    CHECK(found.interrupted);
    CHECK(asked == 2);
}
