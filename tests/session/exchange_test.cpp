#include <support/session_pair.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::test;

namespace {

constexpr int messages = 5;

std::vector<std::string> payloads() {
    std::vector<std::string> made;
    for (int i = 0; i < messages; ++i) {
        made.push_back("m" + std::to_string(i));
    }
    return made;
}

/// Whether all copies behind the first of each payload have DUP, and the first ones come in order.
void check_receipt(const std::vector<received_message>& received, enum qos qos) {
    std::vector<std::string> firsts;
    for (const received_message& one : received) {
        const bool first = std::find(firsts.begin(), firsts.end(), one.payload) == firsts.end();
        if (first) {
            firsts.push_back(one.payload);
        } else {
            CHECK(one.dup);  // v5/MQTT-3.3.1-1
        }
        CHECK(one.qos == qos);
    }
    CHECK(firsts == payloads());
    if (qos == qos::exactly_once) {
        CHECK(received.size() == messages);
    }
}

/// Of what one side sent: the first PUBLISH of each payload has DUP 0, resends have DUP 1 and the
/// same packet id.
void check_dup(const std::vector<std::string>& publishes, protocol_version version) {
    std::map<std::string, std::uint16_t> id_of;
    for (const std::string& hex : publishes) {
        const bytes raw = from_hex(hex);
        bytes_view rest = raw;
        frame in;
        REQUIRE(split_frame(rest, in).complete);
        publish out;
        REQUIRE(decode(in, version, out) == violation::none);
        const std::string payload(as_text(out.payload));
        const bool seen = id_of.count(payload) != 0;
        CHECK(out.dup == seen);
        if (seen) {
            CHECK(id_of[payload] == out.packet_id);
        }
        id_of[payload] = out.packet_id;
    }
}

struct flow_under_test {
    protocol_version version;
    enum qos qos;
    side from;
};

/// A pair in which `from` has five messages to send; not connected yet.
void queue_messages(session_pair& pair, const flow_under_test& flow) {
    for (const std::string& payload : payloads()) {
        if (flow.from == side::client) {
            REQUIRE(pair.client_publish("a/b", payload, flow.qos));
        } else {
            pair.server_publish("a/b", payload, flow.qos);
        }
    }
}

void check_all_done(session_pair& pair, const flow_under_test& flow) {
    check_receipt(flow.from == side::client ? pair.at_server : pair.at_client, flow.qos);
    check_dup(pair.sent(flow.from, packet_type::publish), flow.version);
    CHECK(pair.client().state().outbound.empty());
    CHECK(pair.client().state().inbound.size() == 0);
    CHECK(pair.server_state().outbound.empty());
    CHECK(pair.server_state().inbound.size() == 0);
    CHECK(pair.client_violations.empty());
    CHECK(pair.server_violations.empty());
    const auto acknowledged = flow.from == side::client ? pair.client_acknowledged.size()
                                                        : pair.server_acknowledged.size();
    CHECK(acknowledged == messages);
}

flow_under_test any_flow() {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    const auto level = GENERATE(qos::at_least_once, qos::exactly_once);
    const auto from = GENERATE(side::client, side::server);
    return {version, level, from};
}

/// Where to cut: after each of these numbers of bytes of one side. `every` byte, or only where a
/// packet ends.
std::vector<std::size_t> cut_points(const flow_under_test& flow, side cut, bool every,
                                    const pair_options& how) {
    session_pair pair(how);
    queue_messages(pair, flow);
    pair.reconnect();
    std::vector<std::size_t> points{0};
    for (const std::string& packet : pair.sent(cut)) {
        const std::size_t size = from_hex(packet).size();
        for (std::size_t i = 1; i <= size; ++i) {
            if (every || i == size) {
                points.push_back(points.back() + (every ? 1 : size));
            }
        }
    }
    return points;
}

pair_options options_for(const flow_under_test& flow) {
    pair_options how;
    how.version = flow.version;
    return how;
}

}  // namespace

TEST_CASE(
    "a message cut off at any byte arrives: once at QoS 2, at least once with DUP at QoS 1, "
    "in order",
    "[session][v5/MQTT-3.3.1-1][v3/MQTT-3.3.1-1][v5/MQTT-4.4.0-1][v3/MQTT-4.4.0-1]"
    "[v5/MQTT-4.1.0-1][v3/MQTT-4.1.0-1]") {
    const flow_under_test flow = any_flow();
    const auto cut = GENERATE(side::client, side::server);
    const pair_options how = options_for(flow);
    for (const std::size_t point : cut_points(flow, cut, true, how)) {
        CAPTURE(flow.version, flow.qos, flow.from, cut, point);
        session_pair pair(how);
        queue_messages(pair, flow);
        pair.cut_after(cut, point);
        pair.reconnect();
        REQUIRE(pair.was_cut());
        pair.reconnect();
        check_all_done(pair, flow);
    }
}

TEST_CASE("messages arrive by their QoS through two cuts, each at any packet", "[session]") {
    const flow_under_test flow = any_flow();
    const auto cut = GENERATE(side::client, side::server);
    const auto second_cut = GENERATE(side::client, side::server);
    const pair_options how = options_for(flow);
    for (const std::size_t point : cut_points(flow, cut, false, how)) {
        // The second connection sends other packets than the first: fail at byte 0, 3, 6 ...
        // until it succeeds.
        for (std::size_t second = 0;; second += 3) {
            CAPTURE(flow.version, flow.qos, flow.from, cut, point, second_cut, second);
            session_pair pair(how);
            queue_messages(pair, flow);
            pair.cut_after(cut, point);
            pair.reconnect();
            REQUIRE(pair.was_cut());
            pair.cut_after(second_cut, second);
            pair.reconnect();
            if (!pair.was_cut()) {
                break;
            }
            pair.reconnect();
            check_all_done(pair, flow);
        }
    }
}

TEST_CASE("messages arrive by their QoS through cuts with a window of one and with latency",
          "[session]") {
    const flow_under_test flow = any_flow();
    const auto cut = GENERATE(side::client, side::server);
    pair_options how = options_for(flow);
    how.latency = 40ms;
    how.client_receive_maximum = 1;
    how.server_receive_maximum = 1;
    how.server_window_max = 2;
    for (const std::size_t point : cut_points(flow, cut, true, how)) {
        CAPTURE(flow.version, flow.qos, flow.from, cut, point);
        session_pair pair(how);
        queue_messages(pair, flow);
        pair.cut_after(cut, point);
        pair.reconnect();
        REQUIRE(pair.was_cut());
        pair.reconnect();
        check_all_done(pair, flow);
    }
}

TEST_CASE("topic aliases die with the connection: what is resent carries its topic in full",
          "[session][v5/MQTT-3.3.2-7]") {
    const auto from = GENERATE(side::client, side::server);
    const auto cut = GENERATE(side::client, side::server);
    const flow_under_test flow{protocol_version::v5, qos::exactly_once, from};
    pair_options how;
    how.client_topic_alias_maximum = 4;
    how.server_topic_alias_maximum = 4;
    how.client.use_topic_aliases = true;
    const auto queue = [&](session_pair& pair) {
        for (const std::string& payload : payloads()) {
            if (from == side::client) {
                REQUIRE(pair.client_publish("a/long/topic", payload, flow.qos));
            } else {
                pair.server_publish("a/long/topic", payload, flow.qos);
            }
        }
    };
    // Fail at byte 0, 1, 2 ... until it succeeds.
    for (std::size_t point = 0;; ++point) {
        CAPTURE(from, cut, point);
        session_pair pair(how);
        queue(pair);
        pair.cut_after(cut, point);
        pair.reconnect();
        if (!pair.was_cut()) {
            REQUIRE(point > 40);
            break;
        }
        pair.reconnect();
        const auto& received = from == side::client ? pair.at_server : pair.at_client;
        check_receipt(received, flow.qos);
        for (const received_message& one : received) {
            CHECK(one.topic == "a/long/topic");
        }
        CHECK(pair.client_violations.empty());
        CHECK(pair.server_violations.empty());
    }
}

TEST_CASE("both sides send at once, and cuts at any byte of either lose nothing", "[session]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    const auto cut = GENERATE(side::client, side::server);
    pair_options how;
    how.version = version;
    how.latency = 5ms;
    const std::vector<enum qos> levels{qos::exactly_once, qos::at_least_once, qos::exactly_once};
    for (std::size_t point = 0;; ++point) {
        CAPTURE(version, cut, point);
        session_pair pair(how);
        for (std::size_t i = 0; i < levels.size(); ++i) {
            REQUIRE(pair.client_publish("up", "u" + std::to_string(i), levels[i]));
            pair.server_publish("down", "d" + std::to_string(i), levels[i]);
        }
        pair.cut_after(cut, point);
        pair.reconnect();
        const bool was_cut = pair.was_cut();
        if (was_cut) {
            pair.reconnect();
        }
        const auto count = [](const std::vector<received_message>& all, const std::string& what) {
            return std::count_if(all.begin(), all.end(),
                                 [&](const received_message& one) { return one.payload == what; });
        };
        CHECK(count(pair.at_server, "u0") == 1);
        CHECK(count(pair.at_server, "u1") >= 1);
        CHECK(count(pair.at_server, "u2") == 1);
        CHECK(count(pair.at_client, "d0") == 1);
        CHECK(count(pair.at_client, "d1") >= 1);
        CHECK(count(pair.at_client, "d2") == 1);
        CHECK(pair.client().state().outbound.empty());
        CHECK(pair.server_state().outbound.empty());
        CHECK(pair.client_violations.empty());
        CHECK(pair.server_violations.empty());
        if (!was_cut) {
            REQUIRE(point > 40);
            break;
        }
    }
}

TEST_CASE("QoS 0 is sent once and never again", "[session][v5/MQTT-4.3.1-1][v3/MQTT-4.3.1-1]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    pair_options how;
    how.version = version;
    session_pair pair(how);
    pair.reconnect();
    REQUIRE(pair.client_publish("a", "lost", qos::at_most_once));
    pair.cut();
    pair.reconnect();
    REQUIRE(pair.client_publish("a", "seen", qos::at_most_once));
    pair.drive();
    const auto publishes = pair.sent(side::client, packet_type::publish);
    REQUIRE(publishes.size() == 2);
    for (const std::string& one : publishes) {
        CHECK(from_hex(one)[0] == 0x30);  // QoS 0, DUP 0
    }
    REQUIRE(pair.at_server.size() == 1);
    CHECK(pair.at_server[0].payload == "seen");
}

TEST_CASE("without a cut nothing is sent twice, however long the acknowledgement takes",
          "[session][v5/MQTT-4.4.0-1]") {
    const flow_under_test flow = any_flow();
    pair_options how = options_for(flow);
    how.latency = 30s;
    session_pair pair(how);
    queue_messages(pair, flow);
    pair.connect();
    pair.drive();
    CHECK(pair.sent(flow.from, packet_type::publish).size() == messages);
    check_all_done(pair, flow);
}
