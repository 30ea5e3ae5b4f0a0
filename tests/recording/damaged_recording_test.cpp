#include <recording/recorded_scenario.hpp>

#include <fleetarium/recording/recorded_rows.hpp>
#include <fleetarium/recording/recording_error.hpp>
#include <fleetarium/recording/recording_pcapng.hpp>
#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/recording/traffic_profile.hpp>

#include <catch2/catch.hpp>

#include <functional>
#include <sstream>
#include <string>

using namespace fleetarium;
using namespace fleetarium::recording;

namespace {

/// What reading says of a sound recording after this was done to it.
std::string error_after(const std::string& sql,
                        const std::function<void(recording_reader&)>& read) {
    const scratch_folder folder;
    const std::string file = folder.file("damaged.flr");
    record_sensors(file, {"duration=3s", "faults=[]"});
    database(file, database::mode::write).execute(sql);
    try {
        recording_reader reader(file);
        read(reader);
    } catch (const recording_error& damaged) {
        const std::string what = damaged.what();
        CHECK(what.starts_with(file));
        return what.substr(file.size());
    }
    return "";
}

void profile(recording_reader& reader) { profile_traffic(reader); }

void export_all(recording_reader& reader) {
    std::ostringstream out;
    export_pcapng(reader, {}, out);
}

}  // namespace

TEST_CASE("what cannot be in a recording is damage, and not an error of the reader",
          "[recording][damaged]") {
    CHECK(error_after("DELETE FROM topics WHERE id = (SELECT max(topic) FROM messages)", profile)
              .find(": is damaged: it has no topic ") == 0);
    CHECK(
        error_after("UPDATE messages SET at = 0 WHERE id = (SELECT max(id) FROM messages)", profile)
            .find(" is older than the one before") != std::string::npos);
    CHECK(error_after("UPDATE messages SET at = 9223372036854775807 WHERE id = 2", profile) ==
          ": is damaged: at in messages of row 2 is 9223372036854775807");
    CHECK(
        error_after("UPDATE messages SET published = -9223372036854775808 WHERE id = 2", profile) ==
        ": is damaged: published in messages of row 2 is -9223372036854775808");
    CHECK(error_after("UPDATE runs SET epoch = 9223372036854775807", profile) ==
          ": is damaged: epoch in runs of row 1 is 9223372036854775807");
    CHECK(error_after("UPDATE runs SET epoch = 9223372036854775807", export_all) ==
          ": is damaged: epoch in runs of row 1 is 9223372036854775807");
    CHECK(error_after("UPDATE messages SET at = 9223372036854775807 WHERE id = 2", export_all) ==
          ": is damaged: at in messages of row 2 is 9223372036854775807");
    CHECK(
        error_after("UPDATE connections SET at = -9223372036854775808 WHERE id = 1", export_all) ==
        ": is damaged: at in connections of row 1 is -9223372036854775808");
    CHECK(error_after("UPDATE messages SET id = 9223372036854775807 "
                      "WHERE id = (SELECT max(id) FROM messages)",
                      [](recording_reader& reader) { first_message_from(reader.tables(), 0); })
              .find(": is damaged: messages have numbers from 1 to 9223372036854775807") == 0);
    CHECK(error_after("UPDATE messages SET at = at WHERE id = 2", profile).empty());
}
