#include <fleetarium/server/snapshot.hpp>

#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace fleetarium;
using namespace fleetarium::broker;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

json snapshot_of(test::broker_bench& bench, const snapshot_options& options = {}) {
    return json::parse(snapshot_json(bench.core(), bench.now(), options));
}

/// The session of a client id in a snapshot; throws if there is none.
json session_in(const json& snapshot, std::string_view client_id) {
    for (const json& each : snapshot.at("sessions")) {
        if (each.at("client_id") == client_id) {
            return each;
        }
    }
    throw std::runtime_error("no such session");
}

}  // namespace

TEST_CASE("a snapshot of an empty broker is empty", "[snapshot]") {
    test::broker_bench bench;
    CHECK(snapshot_of(bench) == json{{"format", "fleetarium snapshot"},
                                     {"version", 1},
                                     {"sessions", json::array()},
                                     {"retained", json::array()}});
}

TEST_CASE("a snapshot has each session with its subscriptions, in the order of client ids",
          "[snapshot]") {
    test::broker_bench bench;
    test::peer& lamp =
        bench.connected({.client_id = "lamp", .session_expiry = 3600, .user_name = "anna \"A\""});
    bench.connected({.client_id = "display", .version = protocol_version::v3_1_1});
    bench.connected({.client_id = "archive", .session_expiry = session_expiry_never});
    bench.subscribe(lamp, "lamps/+/set",
                    {qos::at_least_once, true, true, retain_handling::do_not_send}, 17);
    bench.subscribe(lamp, "$share/lamps/all", qos::exactly_once);

    const json seen = snapshot_of(bench);
    REQUIRE(seen.at("sessions").size() == 3);
    CHECK(seen.at("sessions")[0].at("client_id") == "archive");
    CHECK(seen.at("sessions")[1].at("client_id") == "display");
    CHECK(seen.at("sessions")[2] == json::parse(R"({
        "client_id": "lamp", "connected": true, "version": "5.0", "user_name": "anna \"A\"",
        "expiry_interval": 3600,
        "subscriptions": [
            {"filter": "lamps/+/set", "qos": 1, "no_local": true, "retain_as_published": true,
             "retain_handling": 2, "identifier": 17},
            {"filter": "$share/lamps/all", "qos": 2, "no_local": false,
             "retain_as_published": false, "retain_handling": 0}],
        "in_flight": [], "queued": [], "received_incomplete": 0})"));
    CHECK(session_in(seen, "display").at("version") == "3.1.1");
    CHECK(session_in(seen, "display").at("expiry_interval") == 0);
    CHECK(session_in(seen, "archive").at("expiry_interval").is_null());
}

TEST_CASE("a snapshot tells when what is kept for an absent client ends", "[snapshot]") {
    test::broker_bench bench;
    bench.connected({.client_id = "a", .session_expiry = 60}).cut();
    bench.connected({.client_id = "b", .session_expiry = session_expiry_never}).cut();
    bench.advance(12'500ms);
    const json seen = snapshot_of(bench);
    CHECK(session_in(seen, "a").at("connected") == false);
    CHECK(session_in(seen, "a").at("expires_in") == 47.5);
    CHECK(session_in(seen, "a").count("version") == 0);
    CHECK(session_in(seen, "b").at("expires_in").is_null());
}

TEST_CASE("a snapshot has messages in flight with their state, and those that wait", "[snapshot]") {
    test::broker_bench bench;
    test::peer& receiver = bench.connected({.client_id = "r", .receive_maximum = 3});
    test::peer& sender = bench.connected({.client_id = "s"});
    bench.subscribe(receiver, "a", qos::exactly_once);
    bench.subscribe(receiver, "$share/g/b", qos::at_least_once);
    bench.publish(sender, "a", "one", qos::exactly_once, 1, true);
    bench.publish(sender, "a", "two", qos::exactly_once, 2);
    bench.publish(sender, "b", "three", qos::at_least_once, 3);
    publish expiring;
    expiring.topic = "a";
    expiring.payload = as_bytes_view("four!");
    expiring.qos = qos::at_least_once;
    expiring.packet_id = 4;
    expiring.message_expiry_interval = 100;
    sender.send(expiring);
    bench.publish(sender, "a", "\xFF\x00\x01\x02", qos::at_least_once, 5);

    const auto first = receiver.take_as<publish>().packet_id;
    pubrec half;
    half.packet_id = first;
    receiver.send(half);
    bench.advance(30s);

    const json seen = snapshot_of(bench);
    const json kept = session_in(seen, "r");
    CHECK(kept.at("in_flight") == json::parse(R"([
        {"topic": "a", "payload_size": 3, "qos": 2, "retain": false, "packet_id": 1,
         "state": "wait_pubcomp"},
        {"topic": "a", "payload_size": 3, "qos": 2, "retain": false, "packet_id": 2,
         "state": "wait_pubrec"},
        {"topic": "b", "payload_size": 5, "qos": 1, "retain": false, "packet_id": 3,
         "state": "wait_puback", "shared": true}])"));
    CHECK(kept.at("queued") == json::parse(R"([
        {"topic": "a", "payload_size": 5, "expires_in": 70, "qos": 1, "retain": false},
        {"topic": "a", "payload_size": 1, "qos": 1, "retain": false}])"));
    // The sender has not released the two of QoS 2.
    CHECK(session_in(seen, "s").at("received_incomplete") == 2);
    CHECK(seen.at("retained") == json::parse(R"([{"topic": "a", "payload_size": 3, "qos": 2}])"));

    SECTION("with payloads, if asked, as text or in base64, up to a size") {
        bench.publish(sender, "a", std::string_view("\xFF\x00\x01\x02", 4), qos::at_least_once, 6);
        const json longer = snapshot_of(bench, {.payload_bytes_max = 4});
        const json queued = session_in(longer, "r").at("queued");
        REQUIRE(queued.size() == 3);
        CHECK(queued[0].count("payload") == 0);
        CHECK(queued[1].at("payload_base64") == "/w==");
        CHECK(queued[2].at("payload_base64") == "/wABAg==");
        CHECK(longer.at("retained")[0].at("payload") == "one");
    }
}

TEST_CASE("a snapshot has wills, and when they are due", "[snapshot]") {
    test::broker_bench bench;
    will testament;
    testament.topic = "gone/a";
    testament.payload = as_bytes_view("bye");
    testament.qos = qos::at_least_once;
    testament.retain = true;
    testament.delay_interval = 20;
    test::peer& peer = bench.connected({.client_id = "a", .session_expiry = 60, .will = testament});
    json expected = json::parse(R"({"topic": "gone/a", "payload_size": 3, "qos": 1,
                                    "retain": true, "delay_interval": 20})");
    CHECK(session_in(snapshot_of(bench), "a").at("will") == expected);
    peer.cut();
    bench.advance(5s);
    expected["due_in"] = 15;
    CHECK(session_in(snapshot_of(bench), "a").at("will") == expected);
}

TEST_CASE("retained messages stand in the order of their topics, each on a line", "[snapshot]") {
    test::broker_bench bench;
    test::peer& sender = bench.connected({.client_id = "s"});
    for (const char* const topic : {"b/x", "a", "c\"\\\n", "b"}) {
        bench.publish(sender, topic, "1", qos::at_most_once, 0, true);
    }
    const std::string text = snapshot_json(bench.core(), bench.now());
    const json seen = json::parse(text);
    CHECK(seen.at("retained")[0].at("topic") == "a");
    CHECK(seen.at("retained")[1].at("topic") == "b");
    CHECK(seen.at("retained")[2].at("topic") == "b/x");
    CHECK(seen.at("retained")[3].at("topic") == "c\"\\\n");
    CHECK(std::count(text.begin(), text.end(), '\n') == 1 + 4 + 1);
    CHECK(text.find("\n{\"topic\":\"b/x\",") != std::string::npos);
}
