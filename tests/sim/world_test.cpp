#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <stdexcept>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

TEST_CASE("a hand-written client receives what a fleet publishes", "[world]") {
    world w({.seed = 1});
    auto& b = w.add_broker();
    fleet_spec doors{.name = "doors", .count = 20};
    doors.publications.push_back({.topic = "doors/{index}/open",
                                  .period = distribution::constant(3600e9),
                                  .phase = 10s,
                                  .qos = qos::at_least_once,
                                  .payload = "{seq}"});
    auto& f = w.add_fleet(doors);
    auto& probe = w.add_client("probe");
    probe.connect(b);
    probe.subscribe("doors/#", qos::at_least_once);
    w.run_for(90min);
    CHECK(f.connected() == 20);
    CHECK(b.core().connected_count() == 21);
    CHECK(probe.is_connected());
    REQUIRE(probe.messages().size() == 40);
    CHECK(probe.messages()[0].topic == "doors/0/open");
    CHECK(probe.messages()[0].payload == "1");
    CHECK(probe.messages()[39].payload == "2");
    CHECK(w.now() == instant{90min});
}

TEST_CASE("two hand-written clients talk to one another", "[world]") {
    world w;
    auto& b = w.add_broker();
    auto& alice = w.add_client("alice");
    auto& bob = w.add_client("bob");
    alice.connect(b);
    bob.connect(b);
    const auto level = GENERATE(qos::at_most_once, qos::at_least_once, qos::exactly_once);
    bob.subscribe("greetings/+", level);
    REQUIRE(w.settle());
    const auto number = alice.publish("greetings/bob", "hello", level);
    REQUIRE(number.has_value());
    REQUIRE(w.settle());
    REQUIRE(bob.messages().size() == 1);
    CHECK(bob.messages()[0].payload == "hello");
    CHECK(bob.messages()[0].qos == level);
    if (level != qos::at_most_once) {
        const client_note* const done = alice.last_note(client_note::kind::acknowledged);
        REQUIRE(done != nullptr);
        CHECK(done->number == *number);
    }
    const auto taken = bob.take_messages();
    CHECK(taken.size() == 1);
    CHECK(bob.messages().empty());
}

TEST_CASE("a link that is cut loses what is under way, and QoS 1 is sent again", "[world]") {
    world w;
    auto& b = w.add_broker();
    w.add_network({.name = "slow", .up = {.latency = distribution::constant(50e6)},
                   .down = {.latency = distribution::constant(50e6)}});
    auto& probe = w.add_client("probe");
    auto& sender = w.add_client("sender");
    probe.connect(b);
    probe.subscribe("a", qos::at_least_once);
    fleetarium::connect kept;
    kept.client_id = "sender";
    kept.session_expiry_interval = 3600;
    sender.connect(b, kept);
    REQUIRE(w.settle());

    SECTION("lost on its way to the broker") {
        sender.publish("a", "1", qos::at_least_once);
        w.run_for(20ms);
        sender.cut();
        CHECK_FALSE(sender.has_link());
        w.run_for(1s);
        CHECK(probe.messages().empty());
        sender.reconnect();
        w.run_for(1s);
        REQUIRE(probe.messages().size() == 1);
        const auto counts = sum_publishers(w.report(), w.report().selections[0], {});
        CHECK(counts.received == 1);
        CHECK(counts.received_again == 0);
    }
    SECTION("only the acknowledgement is lost: the broker has the message twice") {
        sender.publish("a", "1", qos::at_least_once);
        w.run_for(70ms);
        sender.cut();
        w.run_for(1s);
        CHECK(probe.messages().size() == 1);
        sender.reconnect();
        w.run_for(1s);
        CHECK(probe.messages().size() == 2);
        const run_report report = w.report();
        const auto flows = sum_flows(report, report.selections[0], {});
        CHECK(flows.delivered == 1);
        CHECK(flows.duplicates == 1);
        CHECK(flows.under_way() == 0);
        const auto counts = sum_publishers(report, report.selections[0], {});
        CHECK(counts.received == 1);
        CHECK(counts.received_again == 1);
    }
    SECTION("QoS 0 is lost for good and accounted for") {
        sender.publish("a", "1");
        w.run_for(20ms);
        sender.cut();
        w.run_for(1s);
        sender.reconnect();
        w.run_for(1s);
        CHECK(probe.messages().empty());
        const run_report report = w.report();
        const auto counts = sum_publishers(report, report.selections[0], {});
        CHECK(counts.published == 1);
        CHECK(counts.lost_on_link == 1);
    }
}

TEST_CASE("a delivery whose acknowledgement is lost comes again and counts as a duplicate",
          "[world]") {
    world w;
    auto& b = w.add_broker();
    w.add_network({.name = "slow", .up = {.latency = distribution::constant(50e6)},
                   .down = {.latency = distribution::constant(50e6)}});
    auto& probe = w.add_client("probe");
    auto& sender = w.add_client("sender");
    fleetarium::connect kept;
    kept.client_id = "probe";
    kept.session_expiry_interval = 3600;
    probe.connect(b, kept);
    probe.subscribe("a", qos::at_least_once);
    sender.connect(b);
    REQUIRE(w.settle());
    sender.publish("a", "1", qos::at_least_once);
    SECTION("received, then cut") {
        w.run_for(120ms);
        REQUIRE(probe.messages().size() == 1);
        probe.cut();
        w.run_for(1s);
        probe.reconnect();
        w.run_for(1s);
        REQUIRE(probe.messages().size() == 2);
        CHECK(probe.messages()[1].dup);
        const run_report report = w.report();
        const auto flows = sum_flows(report, report.selections[0], {});
        CHECK(flows.due == 1);
        CHECK(flows.delivered == 1);
        CHECK(flows.duplicates == 1);
    }
    SECTION("cut on the way") {
        w.run_for(70ms);
        CHECK(probe.messages().empty());
        probe.cut();
        w.run_for(1s);
        probe.reconnect();
        w.run_for(1s);
        REQUIRE(probe.messages().size() == 1);
        CHECK(probe.messages()[0].dup);
        const run_report report = w.report();
        const auto flows = sum_flows(report, report.selections[0], {});
        CHECK(flows.due == 1);
        CHECK(flows.delivered == 1);
        CHECK(flows.duplicates == 0);
    }
}

TEST_CASE("a raw peer sends bytes and sees bytes", "[world]") {
    world w;
    auto& b = w.add_broker();
    auto& peer = w.add_raw_peer("peer");
    peer.connect(b);
    peer.send_hex("10 0E 00 04 4D 51 54 54 04 02 00 00 00 02 68 69");
    REQUIRE(w.settle());
    CHECK(peer.received_hex() == "20 02 00 00");
    CHECK(peer.open());
    peer.send_hex("C0 00");
    REQUIRE(w.settle());
    CHECK(peer.take_received_hex() == "20 02 00 00 D0 00");
    CHECK(peer.received().empty());
    peer.send_hex("10 0E 00 04 4D 51 54 54 04 02 00 00 00 02 68 69");
    REQUIRE(w.settle());
    CHECK(peer.closed());
    CHECK_FALSE(peer.open());
    CHECK_THROWS_AS(peer.send_hex("1"), std::invalid_argument);
    CHECK_THROWS_AS(peer.send_hex("1G"), std::invalid_argument);
}

TEST_CASE("calls between connect and CONNACK wait for it; without a connection they fail",
          "[world]") {
    world w;
    auto& b = w.add_broker();
    auto& probe = w.add_client("probe");
    CHECK(probe.publish("a", "x").error() == error::not_connected);
    CHECK(probe.subscribe("a").error() == error::not_connected);
    CHECK(probe.reconnect().error() == error::not_connected);
    probe.connect(b);
    CHECK(probe.connect(b).error() == error::already_connected);
    CHECK(probe.subscribe("a").has_value());
    CHECK(probe.publish("a", "early").has_value());
    REQUIRE(w.settle());
    REQUIRE(probe.messages().size() == 1);
    CHECK(probe.messages()[0].payload == "early");
    REQUIRE(probe.last_connack());
    CHECK(probe.last_connack()->code == reason_code::success);
    probe.unsubscribe("a");
    REQUIRE(w.settle());
    CHECK(probe.count_notes(client_note::kind::unsubscribed) == 1);
    probe.disconnect();
    REQUIRE(w.settle());
    CHECK_FALSE(probe.has_link());
    CHECK(b.core().connection_count() == 0);
}

TEST_CASE("a callback may answer a message", "[world]") {
    world w;
    auto& b = w.add_broker();
    auto& server = w.add_client("server");
    auto& probe = w.add_client("probe");
    server.connect(b);
    server.subscribe("questions");
    server.on_message([&](const received_message& asked) {
        server.publish("answers", asked.payload + "!");
    });
    probe.connect(b);
    probe.subscribe("answers");
    REQUIRE(w.settle());
    probe.publish("questions", "why");
    REQUIRE(w.settle());
    REQUIRE(probe.messages().size() == 1);
    CHECK(probe.messages()[0].payload == "why!");
}

TEST_CASE("users and access rules of a broker decide who gets in and what goes through",
          "[world]") {
    world w;
    broker_spec spec;
    spec.users = {{"meter", "secret"}};
    spec.allow_anonymous = false;
    spec.access = {{.user_name = "meter", .publish = {"meters/%c/#"}, .subscribe = {"news"}}};
    auto& b = w.add_broker(spec);
    auto& stranger = w.add_client("stranger");
    stranger.connect(b);
    auto& meter = w.add_client("m1");
    fleetarium::connect request;
    request.client_id = "m1";
    request.user_name = "meter";
    request.password = as_bytes_view("secret");
    meter.connect(b, request);
    meter.subscribe("other");
    REQUIRE(w.settle());
    CHECK_FALSE(stranger.has_link());
    REQUIRE(stranger.last_note(client_note::kind::refused) != nullptr);
    CHECK(stranger.last_note(client_note::kind::refused)->code == reason_code::not_authorized);
    REQUIRE(meter.is_connected());
    CHECK(meter.last_note(client_note::kind::subscribed)->codes ==
          std::vector<reason_code>{reason_code::not_authorized});
    meter.publish("meters/m2/x", "1", qos::at_least_once);
    meter.publish("meters/m1/x", "1", qos::at_least_once);
    REQUIRE(w.settle());
    const run_report report = w.report();
    const auto counts = sum_publishers(report, report.selections[0], {});
    CHECK(counts.published == 2);
    CHECK(counts.received == 2);
    CHECK(counts.dropped[static_cast<std::size_t>(broker::drop_reason::not_authorized)] == 1);
    CHECK(counts.dropped[static_cast<std::size_t>(broker::drop_reason::no_subscriber)] == 1);
}

TEST_CASE("a world refuses what it cannot run", "[world]") {
    world w;
    CHECK_THROWS_AS(w.add_fleet({.name = "no broker"}), std::invalid_argument);
    w.add_broker();
    CHECK_THROWS_AS(w.add_broker(), std::invalid_argument);
    CHECK_THROWS_AS(w.add_fleet({.broker = "other"}), std::invalid_argument);
    CHECK_THROWS_AS(w.add_fleet({.network = "other"}), std::invalid_argument);
    CHECK_THROWS_AS(w.add_fleet({.client_id = "{nothing}"}), std::invalid_argument);
    CHECK_THROWS_AS(w.add_fleet({.name = ""}), std::invalid_argument);
    w.add_fleet({});
    CHECK_THROWS_AS(w.add_fleet({}), std::invalid_argument);
    CHECK_THROWS_AS(w.add_network({.mtu = 0}), std::invalid_argument);
}

TEST_CASE("a broker speaks and ends connections on its own", "[world]") {
    world w;
    auto& b = w.add_broker();
    auto& probe = w.add_client("probe");
    probe.connect(b);
    probe.subscribe("news");
    REQUIRE(w.settle());
    std::size_t seen = 0;
    b.on_event([&](const broker::broker_event& what) {
        seen += what.what == broker::broker_event::kind::routed;
    });
    REQUIRE(b.publish("news", "hello").has_value());
    REQUIRE(w.settle());
    CHECK(seen == 1);
    REQUIRE(probe.messages().size() == 1);
    CHECK(b.disconnect("probe", reason_code::administrative_action).has_value());
    REQUIRE(w.settle());
    CHECK(probe.last_note(client_note::kind::disconnected)->code ==
          reason_code::administrative_action);
    CHECK_FALSE(probe.has_link());
}

TEST_CASE("a fleet that was refused leaves nothing behind", "[world]") {
    world w;
    w.add_broker();
    fleet_spec bad{.name = "bad"};
    bad.publications.push_back({.topic = "fine", .period = distribution::constant(1e9)});
    bad.publications.push_back({.topic = "{nonsense}", .period = distribution::constant(1e9)});
    CHECK_THROWS_AS(w.add_fleet(bad), std::invalid_argument);
    CHECK_THROWS_AS(w.add_fleet({.name = "large", .count = 20'000'000}), std::invalid_argument);
    w.add_fleet({.name = "good"});
    w.run_for(1s);
    const run_report report = w.report();
    CHECK(report.fleets.size() == 1);
    CHECK(report.sources.size() == 1);  // the broker's own
}
