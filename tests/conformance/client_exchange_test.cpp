#include <support/client_bench.hpp>

#include <catch2/catch.hpp>

// Sections 4.1 to 4.6: the exchanges of QoS 1 and 2 with a client at either end, their resumption
// and their order.

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

/// The QoS 1 or 2 PUBLISH of an empty message to "a".
std::string publish_packet(protocol_version version, std::string_view first,
                           std::string_view packet_id) {
    const bool is_v5 = version == v5;
    return std::string(first) + (is_v5 ? " 06" : " 05") + " 00 01 61 " + std::string(packet_id) +
           (is_v5 ? " 00" : "");
}

TEST_CASE("a client keeps its session state while the connection is open, however long",
          "[v5/MQTT-4.1.0-1][v3/MQTT-4.1.0-2]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    connect request = bench.usual();
    request.clean_start = true;
    request.session_expiry_interval.reset();
    bench.connected(request);
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    bench.take();
    bench.receive(publish_packet(version, "34", "00 09"));
    CHECK(bench.take() == "50 02 00 09");
    bench.advance(10'000h);
    bench.receive("50 02 00 01");
    CHECK(bench.take() == "62 02 00 01");
    bench.receive(publish_packet(version, "3C", "00 09"));
    CHECK(bench.repeats == 1);
}

TEST_CASE("a client's session state is kept for the whole life of the session",
          "[v3/MQTT-4.1.0-1]") {
    client_bench bench(v3);
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    for (int i = 0; i < 5; ++i) {
        bench.reconnected();
        CHECK(bench.take() == "3C 05 00 01 61 00 01");
        bench.advance(1h);
    }
    bench.receive("50 02 00 01");
    for (int i = 0; i < 5; ++i) {
        bench.reconnected();
        CHECK(bench.take() == "62 02 00 01");
        CHECK(bench.take().empty());
    }
    bench.receive("70 02 00 01");
    bench.reconnected();
    CHECK(bench.take().empty());
    CHECK(bench.acknowledged.size() == 1);
}

TEST_CASE("a client's QoS 1 message is unacknowledged until PUBACK, and not resent after",
          "[v5/MQTT-4.3.2-3][v3/MQTT-4.3.2-1]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::at_least_once));
    CHECK(bench.take() == publish_packet(version, "32", "00 01"));
    REQUIRE(bench.publish("a", "", qos::at_least_once));
    CHECK(bench.take() == publish_packet(version, "32", "00 02"));
    bench.receive("40 02 00 01");
    CHECK(bench.acknowledged.size() == 1);
    bench.reconnected();
    CHECK(bench.take() == publish_packet(version, "3A", "00 02"));
    CHECK(bench.take().empty());
    bench.receive("40 02 00 02");
    bench.reconnected();
    CHECK(bench.take().empty());
    CHECK(bench.session().state().outbound.empty());
}

TEST_CASE("after PUBACK a client takes the same packet id as a new message, whatever DUP says",
          "[v5/MQTT-4.3.2-5][v3/MQTT-4.3.2-2]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    bench.receive(publish_packet(version, "32", "00 09"));
    CHECK(bench.take() == "40 02 00 09");
    bench.receive(publish_packet(version, "3A", "00 09"));
    CHECK(bench.take() == "40 02 00 09");
    CHECK(bench.messages.size() == 2);
    CHECK(bench.repeats == 0);
}

TEST_CASE("a client resends QoS 2 as PUBLISH until PUBREC, and as PUBREL from then to PUBCOMP",
          "[v5/MQTT-4.3.3-3][v5/MQTT-4.3.3-5][v5/MQTT-4.3.3-6][v3/MQTT-4.3.3-1]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    CHECK(bench.take() == publish_packet(version, "34", "00 01"));
    bench.reconnected();
    CHECK(bench.take() == publish_packet(version, "3C", "00 01"));
    CHECK(bench.take().empty());
    bench.receive("50 02 00 01");
    CHECK(bench.take() == "62 02 00 01");
    bench.reconnected();
    CHECK(bench.take() == "62 02 00 01");
    CHECK(bench.take().empty());
    bench.receive("70 02 00 01");
    CHECK(bench.acknowledged == std::vector<reason_code>{reason_code::success});
    bench.reconnected();
    CHECK(bench.take().empty());
}

TEST_CASE("a client answers PUBREC of success by PUBREL, and one of failure not at all",
          "[v5/MQTT-4.3.3-4]") {
    client_bench bench;
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    bench.take_all();
    bench.receive("50 03 00 01 10");  // no matching subscribers is a success
    CHECK(bench.take() == "62 02 00 01");
    bench.receive("50 03 00 02 87");
    CHECK(bench.take().empty());
    CHECK(bench.acknowledged == std::vector<reason_code>{reason_code::not_authorized});
    bench.reconnected();
    CHECK(bench.take() == "62 02 00 01");
    CHECK(bench.take().empty());
}

TEST_CASE("a client answers PUBREC again as long as it awaits PUBCOMP", "[client]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    bench.take();
    for (int i = 0; i < 3; ++i) {
        bench.receive("50 02 00 01");
        CHECK(bench.take() == "62 02 00 01");
    }
    bench.receive("70 02 00 01");
    CHECK(bench.acknowledged.size() == 1);
}

TEST_CASE("a client's QoS 2 message does not expire once its PUBLISH was sent",
          "[v5/MQTT-4.3.3-7]") {
    client_bench bench;
    bench.connected();
    publish out;
    out.topic = "a";
    out.qos = qos::exactly_once;
    out.message_expiry_interval = 1;
    REQUIRE(bench.session().publish(out, bench.now()));
    bench.advance(2s);
    bench.reconnected();
    CHECK(bench.take().substr(0, 2) == "3C");
    CHECK(bench.session().poll_dropped().empty());
}

TEST_CASE("a client hands a QoS 2 message on once and answers each repeat, until PUBREL",
          "[v5/MQTT-4.3.3-10][v5/MQTT-4.3.3-11][v5/MQTT-4.3.3-12][v3/MQTT-4.3.3-2]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    bench.receive(publish_packet(version, "34", "00 09"));
    CHECK(bench.take() == "50 02 00 09");
    bench.receive(publish_packet(version, "3C", "00 09"));
    CHECK(bench.take() == "50 02 00 09");
    bench.receive(publish_packet(version, "34", "00 09"));  // whatever DUP says
    CHECK(bench.take() == "50 02 00 09");
    bench.reconnected();
    bench.receive(publish_packet(version, "3C", "00 09"));
    CHECK(bench.take() == "50 02 00 09");
    CHECK(bench.messages.size() == 1);
    CHECK(bench.repeats == 3);

    bench.receive("62 02 00 09");
    CHECK(bench.take() == "70 02 00 09");
    bench.receive("62 02 00 09");
    CHECK(bench.take() == (version == v5 ? "70 03 00 09 92" : "70 02 00 09"));
    bench.receive(publish_packet(version, "34", "00 09"));
    CHECK(bench.take() == "50 02 00 09");
    CHECK(bench.messages.size() == 2);
}

TEST_CASE("a client completes a QoS 2 exchange though the message has expired",
          "[v5/MQTT-4.3.3-13]") {
    client_bench bench;
    bench.connected();
    bench.receive("34 0B 00 01 61 00 09 05 02 00 00 00 01");
    CHECK(bench.take() == "50 02 00 09");
    bench.advance(2s);
    bench.receive("62 02 00 09");
    CHECK(bench.take() == "70 02 00 09");
}

TEST_CASE("a client resends on a new connection only, and all that is owed",
          "[v5/MQTT-4.4.0-1][v3/MQTT-4.4.0-1]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::at_least_once));
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    bench.receive("50 02 00 02");
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    bench.take_all();
    bench.advance(60s);
    CHECK(bench.take().empty());
    bench.reconnected();
    CHECK(bench.take() == publish_packet(version, "3A", "00 01"));
    CHECK(bench.take() == "62 02 00 02");
    CHECK(bench.take() == publish_packet(version, "3C", "00 03"));
    CHECK(bench.take().empty());
    bench.advance(60s);
    CHECK(bench.take().empty());
}

TEST_CASE("an acknowledgement with a failure counts: a client does not resend",
          "[v5/MQTT-4.4.0-2]") {
    client_bench bench;
    bench.connected();
    REQUIRE(bench.publish("a", "", qos::at_least_once));
    REQUIRE(bench.publish("a", "", qos::exactly_once));
    bench.receive("40 03 00 01 87");
    bench.receive("50 03 00 02 97");
    CHECK(bench.acknowledged ==
          std::vector<reason_code>{reason_code::not_authorized, reason_code::quota_exceeded});
    bench.reconnected();
    CHECK(bench.take().empty());
}

TEST_CASE("a client resends in the order first sent, and before what is new",
          "[v5/MQTT-4.6.0-1][v3/MQTT-4.6.0-1]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    for (int i = 1; i <= 5; ++i) {
        REQUIRE(bench.publish("a", "", i % 2 == 0 ? qos::exactly_once : qos::at_least_once));
    }
    bench.receive("40 02 00 03");
    bench.cut();
    REQUIRE(bench.publish("a", "", qos::at_least_once));
    bench.reconnected();
    CHECK(bench.take() == publish_packet(version, "3A", "00 01"));
    CHECK(bench.take() == publish_packet(version, "3C", "00 02"));
    CHECK(bench.take() == publish_packet(version, "3C", "00 04"));
    CHECK(bench.take() == publish_packet(version, "3A", "00 05"));
    CHECK(bench.take() == publish_packet(version, "32", "00 06"));
    CHECK(bench.take().empty());
}

TEST_CASE("a client acknowledges in the order of arrival",
          "[v5/MQTT-4.6.0-2][v3/MQTT-4.6.0-2][v5/MQTT-4.6.0-3][v3/MQTT-4.6.0-3]"
          "[v5/MQTT-4.6.0-4][v3/MQTT-4.6.0-4]") {
    const auto version = GENERATE(v3, v5);
    client_bench bench(version);
    bench.connected();
    const auto receive_together = [&](std::string_view first) {
        bench.receive(publish_packet(version, first, "00 03") + " " +
                      publish_packet(version, first, "00 01") + " " +
                      publish_packet(version, first, "00 02"));
    };
    receive_together("32");
    CHECK(bench.take_all() ==
          std::vector<std::string>{"40 02 00 03", "40 02 00 01", "40 02 00 02"});
    receive_together("34");
    CHECK(bench.take_all() ==
          std::vector<std::string>{"50 02 00 03", "50 02 00 01", "50 02 00 02"});

    for (int i = 0; i < 3; ++i) {
        REQUIRE(bench.publish("a", "", qos::exactly_once));
    }
    bench.take_all();
    bench.receive("50 02 00 02 50 02 00 03 50 02 00 01");
    CHECK(bench.take_all() ==
          std::vector<std::string>{"62 02 00 02", "62 02 00 03", "62 02 00 01"});
}

}  // namespace
}  // namespace fleetarium::test
