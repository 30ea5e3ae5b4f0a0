#include <fleetarium/feed/recording_source.hpp>
#include <fleetarium/recording/broker_recorder.hpp>
#include <fleetarium/recording/subscriber_recorder.hpp>

#include <catch2/catch.hpp>

#include <recording/recorded_scenario.hpp>

#include <string>

using namespace fleetarium;
using namespace fleetarium::feed;
using namespace std::chrono_literals;
using recording::scratch_folder;

namespace {

constexpr instant begin{1000s};  // of a clock that has run for a while

publish text_on(std::string_view topic, std::string_view payload, enum qos qos) {
    publish out;
    out.topic = topic;
    out.payload = as_bytes_view(payload);
    out.qos = qos;
    return out;
}

}  // namespace

TEST_CASE("what a subscriber has recorded is shown without what it cannot know",
          "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("heard.flr");
    {
        recording::subscriber_recorder recorder({.path = file, .source = "mqtt://broker:1883"},
                                                begin);
        recorder.subscribed("#", reason_code::granted_qos_2, begin + 1ms);
        recorder.heard(text_on("rooms/1", "warm", qos::at_least_once), begin + 2ms);
        recorder.apart("connection reset", begin + 1s);
        recorder.back(/*session_present=*/true, begin + 3s);
        recorder.heard(text_on("rooms/1", std::string_view("\xff\x01", 2), qos::at_most_once),
                       begin + 4s);
        recorder.finish(begin + 5s);
    }
    recording_source source(file);
    const description about = source.describe({});
    CHECK(about.title == "mqtt://broker:1883");
    CHECK(about.devices == 0);
    CHECK(about.end == 5.0);
    CHECK(about.command.empty());
    CHECK(source.totals({.at = 2.0}).qos[1].published == 1);
    CHECK(source.totals({}).qos[0].published == 1);
    CHECK(source.topics({.at = 1.0, .parent = "rooms"}).rows.at(0).payload == "warm");
    const topic_row newest = source.topics({.parent = "rooms"}).rows.at(0);
    CHECK(newest.payload_encoding == "base64");
    CHECK(newest.payload_size == 2);
    CHECK(source.messages({}).rows.at(0).state == message_state::complete);
    const message_answer first = source.message({.message = 1});
    REQUIRE(first.steps.size() == 1);
    CHECK(first.steps[0].packet == "PUBLISH");
    CHECK(first.steps[0].to == "recorder");
    CHECK(source.message({.message = 2}).payload_before->text == "warm");
    CHECK(source.timeline({}).marks.at(0).what == "gap");
    CHECK(source.log({}).rows.at(0).what == "subscribed");
    CHECK(source.fleet({}).groups.empty());
    CHECK(source.devices({}).rows.empty());
}

TEST_CASE("what a broker has recorded is shown with its clients as devices", "[recording_source]") {
    using event = broker::broker_event;
    const scratch_folder folder;
    const std::string file = folder.file("site.flr");
    {
        recording::broker_recorder recorder({.path = file}, begin);
        const auto tell = [&](event what) { recorder.on_event(what); };
        for (std::uint32_t client : {0U, 1U}) {
            tell({.what = event::kind::connected,
                  .at = begin + 1s,
                  .connection = client,
                  .session = client,
                  .client_id = client == 0 ? "pump" : "panel"});
        }
        const message_identity made =
            recorder.identify(0, 1, text_on("pump/rpm", "900", qos::at_least_once), begin + 2s);
        tell({.what = event::kind::sent,
              .at = begin + 2s,
              .connection = 1,
              .session = 1,
              .identity = made,
              .qos = qos::at_least_once});
        tell({.what = event::kind::routed, .at = begin + 2s, .identity = made, .count = 1});
        tell({.what = event::kind::acknowledged,
              .at = begin + 3s,
              .connection = 1,
              .session = 1,
              .identity = made,
              .qos = qos::at_least_once,
              .known = true});
        tell({.what = event::kind::disconnected,
              .at = begin + 4s,
              .connection = 1,
              .session = 1,
              .flag = true});
        recorder.finish(begin + 5s);
    }
    recording_source source(file);
    const description about = source.describe({});
    REQUIRE(about.fleets.size() == 1);
    CHECK(about.fleets[0].name == "clients");
    CHECK(about.devices == 2);
    CHECK(source.totals({.at = 2.5}).qos[1].delivered == 0);
    CHECK(source.totals({.at = 2.5}).in_flight == 1);
    CHECK(source.totals({.at = 3.0}).qos[1].delivered == 1);
    CHECK(source.totals({}).latency.empty());  // nobody knows when it was published
    CHECK(source.device({.name = "panel"}).device.state == device_state::offline);
    CHECK(source.device({.at = 3.5, .name = "panel"}).device.received == 1);
    CHECK(source.messages({.client = "panel"}).rows.at(0).publisher == "pump");
    CHECK(source.messages({.at = 2.5}).rows.at(0).state == message_state::under_way);
    CHECK(source.log({}).rows.back().text == "the network closed it");
}

TEST_CASE("what was done by hand is on the timeline, with its faults", "[recording_source]") {
    const scratch_folder folder;
    const std::string file = folder.file("run.flr");
    recording::record_sensors(file);
    recording::change(file,
                      "INSERT INTO interventions VALUES(NULL, 10000000000, 'fault', "
                      "'{\"kind\": \"partition\", \"fleet\": \"panel\"}'); "
                      "INSERT INTO faults VALUES(NULL, 1, 10000000000, 0); "
                      "INSERT INTO faults VALUES(NULL, 1, 12000000000, 1)");
    recording_source source(file);
    const timeline_answer found = source.timeline({});
    REQUIRE(found.faults.size() == 2);
    const fault_row& mine = found.faults[0].fault == 1 ? found.faults[0] : found.faults[1];
    CHECK(mine.by_hand);
    CHECK(mine.name == "partition by hand");
    CHECK(mine.where == "panel");
    CHECK(mine.until == 12.0);
    CHECK(found.marks.at(0).what == "command");
    // It certainly hits all of the panel's fleet.
    CHECK(source.fleet({.at = 11.0}).groups.at(1).faulted == 1);
    CHECK(source.fleet({.at = 13.0}).groups.at(1).faulted == 0);
}
