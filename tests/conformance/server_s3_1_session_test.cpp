#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

// Sections 3.1.2.4, 3.1.2.11.2, 3.1.3.1, 3.1.4 and 4.1: what of a session outlives its connection,
// and what a new CONNECT does to it.

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

/// A CONNECT for a session that is kept: Clean Session 0 in 3.1.1, an expiry of 60 s in 5.0.
connect_with kept(protocol_version version, std::string client_id = "c") {
    connect_with out{.client_id = std::move(client_id), .version = version, .clean_start = false};
    if (version == v5) {
        out.session_expiry = 60;
    }
    return out;
}

connect_with clean(protocol_version version, std::string client_id = "c") {
    return {.client_id = std::move(client_id), .version = version, .clean_start = true};
}

// Clean Start

TEST_CASE("Clean Start throws the old session away",
          "[v5/MQTT-3.1.2-4][v5/MQTT-3.1.4-4][v5/MQTT-3.2.2-2][v3/MQTT-3.2.2-1]") {
    const auto version = GENERATE(v3, v5);
    const auto was_connected = GENERATE(false, true);
    broker_bench bench;
    peer& first = bench.connected(kept(version));
    bench.subscribe(first, "old", qos::at_least_once);
    peer& publisher = bench.connected({.client_id = "p"});
    if (!was_connected) {
        first.cut();
        bench.publish(publisher, "old", "queued", qos::at_least_once, 1);
        publisher.discard();
    }
    peer& second = bench.connect(clean(version));
    const auto answer = second.take_as<connack>();
    CHECK(answer.code == reason_code::success);
    CHECK_FALSE(answer.session_present);
    bench.publish(publisher, "old", "new", qos::at_least_once, 1);
    CHECK(second.waiting() == 0);
    CHECK(bench.core().subscription_count() == 0);
}

TEST_CASE("without Clean Start a stored session is resumed",
          "[v5/MQTT-3.1.2-5][v3/MQTT-3.1.2-4][v5/MQTT-3.1.2-23][v5/MQTT-3.1.4-4][v3/MQTT-3.1.4-3]"
          "[v5/MQTT-3.2.2-3][v3/MQTT-3.2.2-2]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    peer& first = bench.connected(kept(version));
    bench.subscribe(first, "t", qos::at_least_once);
    first.cut();
    bench.advance(59s);
    peer& second = bench.connect(kept(version));
    const auto answer = second.take_as<connack>();
    CHECK(answer.code == reason_code::success);
    CHECK(answer.session_present);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "x", qos::at_least_once, 1);
    CHECK(second.take_publish() == "t=x q1");
}

TEST_CASE("without Clean Start and without a stored session one is made",
          "[v5/MQTT-3.1.2-6][v5/MQTT-3.2.2-3][v3/MQTT-3.2.2-3][v5/MQTT-3.1.4-4]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    peer& first = bench.connect(kept(version));
    const auto answer = first.take_as<connack>();
    CHECK(answer.code == reason_code::success);
    CHECK_FALSE(answer.session_present);
    CHECK(bench.core().session_count() == 1);
    CHECK(first.is_served());
}

TEST_CASE("Clean Session 1 begins a session that dies with its connection",
          "[v3/MQTT-3.1.2-6][v3/MQTT-3.1.4-3]") {
    broker_bench bench;
    peer& first = bench.connected(kept(v3));
    bench.subscribe(first, "t", qos::at_least_once);
    first.cut();
    peer& second = bench.connect(clean(v3));
    CHECK(second.take_hex() == "20 02 00 00");
    bench.subscribe(second, "u", qos::at_least_once);
    second.cut();
    CHECK(bench.core().session_count() == 0);
    peer& third = bench.connect(kept(v3));
    CHECK(third.take_hex() == "20 02 00 00");
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "x");
    bench.publish(publisher, "u", "x");
    CHECK(third.waiting() == 0);
}

TEST_CASE("messages of QoS 1 and 2 wait for a client that is away", "[v3/MQTT-3.1.2-5]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    peer& subscriber = bench.connected(kept(version));
    bench.subscribe(subscriber, "t", qos::exactly_once);
    subscriber.cut();
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "one", qos::at_least_once, 1);
    bench.publish(publisher, "t", "none", qos::at_most_once);
    bench.publish(publisher, "t", "two", qos::exactly_once, 2);
    CHECK(bench.core().find_session("c")->queued == 2);
    peer& again = bench.connected(kept(version));
    CHECK(again.take_publish() == "t=one q1");
    CHECK(again.take_publish() == "t=two q2");
    CHECK(again.waiting() == 0);
}

TEST_CASE("retained messages are no part of a session", "[v3/MQTT-3.1.2-7]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    peer& publisher = bench.connected(clean(version));
    bench.publish(publisher, "t", "kept", qos::at_most_once, 0, true);
    publisher.send(disconnect{});
    CHECK(bench.core().session_count() == 0);
    peer& later = bench.connected({.client_id = "later", .version = version});
    bench.subscribe(later, "t", qos::at_most_once);
    CHECK(later.take_publish() == "t=kept retain");
}

TEST_CASE("the client identifier is the key to a session", "[v5/MQTT-3.1.3-2][v3/MQTT-3.1.3-2]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    for (const char* id : {"a", "b", "A"}) {
        peer& one = bench.connected(kept(version, id));
        bench.subscribe(one, std::string("to/") + id, qos::at_least_once);
        one.cut();
    }
    peer& publisher = bench.connected({.client_id = "p"});
    for (const char* id : {"a", "b", "A"}) {
        bench.publish(publisher, std::string("to/") + id, id, qos::at_least_once, 1);
    }
    CHECK(bench.connected(kept(version, "A")).take_publish() == "to/A=A q1");
    CHECK(bench.connected(kept(version, "b")).take_publish() == "to/b=b q1");
    CHECK(bench.connected(kept(version, "a")).take_publish() == "to/a=a q1");
    CHECK(bench.connect(kept(version, "c")).take_as<connack>().session_present == false);
}

// How long a session lives

TEST_CASE("a session lives as long as its connection, however long that idles",
          "[v5/MQTT-4.1.0-1][v3/MQTT-4.1.0-2]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    peer& subscriber = bench.connected(clean(version));
    bench.subscribe(subscriber, "t", qos::at_least_once);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "before", qos::at_least_once, 1);
    bench.advance(24h * 365 * 100);
    bench.publish(publisher, "t", "after", qos::at_least_once, 2);
    CHECK(subscriber.take_publish() == "t=before q1");
    CHECK(subscriber.take_publish() == "t=after q1");
    subscriber.send_hex("40 02 00 01");
    CHECK(bench.core().find_session("c")->in_flight == 1);
}

TEST_CASE("the state of a session is kept across its connections", "[v3/MQTT-4.1.0-1]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    peer& one = bench.connected(kept(version));
    bench.subscribe(one, "t", qos::exactly_once);
    peer& other = bench.connected({.client_id = "other"});
    bench.subscribe(other, "u", qos::exactly_once);
    // One exchange each way, both stopped in the middle.
    bench.publish(one, "u", "up", qos::exactly_once, 7);
    CHECK(one.take_hex() == "50 02 00 07");
    CHECK(other.take_publish() == "u=up q2");
    bench.publish(other, "t", "down", qos::exactly_once, 1);
    CHECK(one.take_publish() == "t=down q2");
    one.send_hex("50 02 00 01");
    CHECK(one.take_hex() == "62 02 00 01");
    one.cut();

    peer& again = bench.connected(kept(version));
    CHECK(again.take_hex() == "62 02 00 01");
    again.send_hex("70 02 00 01");
    bench.publish(again, "u", "up", qos::exactly_once, 7);  // not seen anew
    CHECK(again.take_hex() == "50 02 00 07");
    again.send_hex("62 02 00 07");
    CHECK(again.take_hex() == "70 02 00 07");
    CHECK(other.waiting() == 1);                    // the PUBREC of its own
    CHECK(bench.core().deliveries_waiting() == 1);  // the one that `other` has not acknowledged
}

TEST_CASE("a session is deleted once its expiry interval has passed after the close",
          "[v5/MQTT-4.1.0-2]") {
    broker_bench bench;
    const connect_with brief{.clean_start = false, .session_expiry = 1};
    bench.connected(brief).cut();
    bench.advance(999ms);
    peer& in_time = bench.connect(brief);
    CHECK(in_time.take_as<connack>().session_present);
    in_time.cut();
    bench.advance(2s);
    CHECK(bench.core().session_count() == 0);
    CHECK(bench.core().metrics().sessions_expired == 1);
    CHECK_FALSE(bench.connect(brief).take_as<connack>().session_present);
}

TEST_CASE("a session that is due to end is not resumed, though no timer has fired",
          "[v5/MQTT-4.1.0-2]") {
    broker_bench bench;
    const connect_with brief{.clean_start = false, .session_expiry = 1};
    bench.connected(brief).cut();
    bench.skip(1s);
    CHECK(bench.core().session_count() == 1);
    CHECK_FALSE(bench.connect(brief).take_as<connack>().session_present);
    CHECK(bench.core().metrics().sessions_expired == 1);
}

TEST_CASE("an expiry interval of 0, or none, ends the session with its connection", "[session]") {
    const auto interval = GENERATE(as<std::optional<std::uint32_t>>(), std::nullopt, 0);
    broker_bench bench;
    peer& one = bench.connected({.clean_start = false, .session_expiry = interval});
    CHECK(bench.core().session_count() == 1);
    one.cut();
    CHECK(bench.core().session_count() == 0);
    CHECK(bench.core().metrics().sessions_expired == 0);  // none was waited for
}

TEST_CASE("an expiry interval of 0xFFFFFFFF never ends, and neither does Clean Session 0",
          "[session]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    connect_with how = kept(version);
    how.session_expiry = version == v5 ? std::optional(0xFFFF'FFFFu) : std::nullopt;
    bench.connected(how).cut();
    bench.advance(24h * 365 * 200);
    CHECK(bench.connect(how).take_as<connack>().session_present);
}

TEST_CASE("an expiry interval of one year ends a session after one year", "[session]") {
    broker_bench bench;
    const connect_with year{.clean_start = false, .session_expiry = 31'536'000};
    bench.connected(year).cut();
    bench.advance(24h * 365 - 1s);
    CHECK(bench.core().session_count() == 1);
    bench.advance(1s);
    CHECK(bench.core().session_count() == 0);
}

TEST_CASE("the expiry interval of the newest CONNECT is in force", "[session]") {
    broker_bench bench;
    bench.connected({.clean_start = false, .session_expiry = 1000}).cut();
    bench.connected({.clean_start = false, .session_expiry = 5}).cut();
    bench.advance(6s);
    CHECK(bench.core().session_count() == 0);

    bench.connected({.clean_start = false, .session_expiry = 5}).cut();
    bench.connected({.clean_start = false, .session_expiry = 1000}).cut();
    bench.advance(999s);
    CHECK(bench.core().session_count() == 1);

    bench.connected({.clean_start = false}).cut();  // none is 0
    CHECK(bench.core().session_count() == 0);
}

TEST_CASE("DISCONNECT may change the expiry interval", "[session]") {
    broker_bench bench;
    peer& longer = bench.connected({.client_id = "longer", .session_expiry = 5});
    longer.send(disconnect{.session_expiry_interval = 100});
    peer& none = bench.connected({.client_id = "none", .session_expiry = 5});
    none.send(disconnect{.session_expiry_interval = 0});
    peer& same = bench.connected({.client_id = "same", .session_expiry = 5});
    same.send(disconnect{});
    CHECK_FALSE(bench.core().find_session("none"));
    bench.advance(6s);
    CHECK_FALSE(bench.core().find_session("same"));
    CHECK(bench.core().find_session("longer"));
    bench.advance(95s);
    CHECK_FALSE(bench.core().find_session("longer"));
}

TEST_CASE("DISCONNECT may not give an expiry interval to a session that had none", "[session]") {
    const auto interval = GENERATE(as<std::optional<std::uint32_t>>(), std::nullopt, 0);
    broker_bench bench;
    peer& one = bench.connected({.session_expiry = interval});
    one.send(disconnect{.session_expiry_interval = 1});
    CHECK(one.ended_with(reason_code::protocol_error));
    CHECK(bench.core().session_count() == 0);
}

TEST_CASE("a session moves between versions of the protocol", "[session]") {
    broker_bench bench;
    peer& old = bench.connected(kept(v3));
    bench.subscribe(old, "t", qos::at_least_once);
    old.cut();
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "1", qos::at_least_once, 1);
    peer& modern = bench.connect(kept(v5));
    CHECK(modern.take_as<connack>().session_present);
    CHECK(modern.take_publish() == "t=1 q1");
    modern.cut();
    peer& old_again = bench.connect(kept(v3));
    CHECK(old_again.take_hex() == "20 02 01 00");
    CHECK(old_again.take_publish() == "t=1 q1 dup");
}

// Take-over

TEST_CASE("a client that connects twice loses its older connection",
          "[v5/MQTT-3.1.4-3][v3/MQTT-3.1.4-2]") {
    const auto first_version = GENERATE(v3, v5);
    const auto second_version = GENERATE(v3, v5);
    const auto clean_start = GENERATE(false, true);
    broker_bench bench;
    peer& bystander = bench.connected({.client_id = "other"});
    peer& first = bench.connected(kept(first_version));
    bench.subscribe(first, "t", qos::at_least_once);
    connect_with how = kept(second_version);
    how.clean_start = clean_start;
    peer& second = bench.connect(how);
    CHECK(first.ended_with(reason_code::session_taken_over));
    const auto answer = second.take_as<connack>();
    CHECK(answer.code == reason_code::success);
    CHECK(answer.session_present == !clean_start);
    bench.publish(bystander, "t", "x");
    CHECK(second.take_publish() == (clean_start ? "" : "t=x"));
    CHECK(bystander.is_served());
    CHECK(bench.core().connected_count() == 2);
    CHECK(bench.core().metrics().sessions_taken_over == 1);
}

TEST_CASE("a session that ends with its connection is not there after a take-over", "[session]") {
    broker_bench bench;
    peer& first = bench.connected({.clean_start = false});  // expiry 0
    bench.subscribe(first, "t", qos::at_least_once);
    peer& second = bench.connect({.clean_start = false, .session_expiry = 60});
    CHECK(first.ended_with(reason_code::session_taken_over));
    CHECK_FALSE(second.take_as<connack>().session_present);
    CHECK(bench.core().subscription_count() == 0);
}

TEST_CASE("what was in flight to the older connection is resent on the newer", "[session]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    peer& first = bench.connected(kept(version));
    bench.subscribe(first, "t", qos::at_least_once);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "1", qos::at_least_once, 1);
    CHECK(first.take_publish() == "t=1 q1");
    peer& second = bench.connected(kept(version));
    CHECK(second.take_publish() == "t=1 q1 dup");
    second.send_hex("40 02 00 01");
    CHECK(bench.core().deliveries_waiting() == 0);
}

TEST_CASE("a storm of take-overs leaves one session, one connection and each message once",
          "[session]") {
    broker_bench bench;
    peer& publisher = bench.connected({.client_id = "p"});
    peer* holder = &bench.connected(kept(v5));
    bench.subscribe(*holder, "t", qos::at_least_once);
    for (int i = 0; i < 1000; ++i) {
        peer& next = bench.connected(kept(i % 2 == 0 ? v3 : v5));
        CHECK(holder->ended_with(reason_code::session_taken_over));
        holder = &next;
        bench.publish(publisher, "t", std::to_string(i), qos::at_least_once, 1);
        publisher.discard();
        CHECK(holder->take_publish() == "t=" + std::to_string(i) + " q1");
        holder->send(puback{.packet_id = static_cast<std::uint16_t>(i + 1)});
    }
    CHECK(bench.core().session_count() == 2);
    CHECK(bench.core().connection_count() == 2);
    CHECK(bench.core().deliveries_waiting() == 0);
    CHECK(bench.core().metrics().sessions_taken_over == 1000);
}

}  // namespace
}  // namespace fleetarium::test
