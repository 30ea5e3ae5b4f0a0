#include <support/broker_bench.hpp>
#include <support/tsv.hpp>

#include <catch2/catch.hpp>

// Section 4.13 (4.8 in 3.1.1): a fault costs the connection that it came on, and nobody else's. All
// invalid vectors of tests/vectors/vectors.tsv, against the broker.

namespace fleetarium::test {
namespace {

struct invalid_vector {
    std::string id;
    protocol_version version;
    bool first;  // on a new connection, else after CONNACK
    bytes raw;
    std::vector<std::string> codes;  // any of them may be told
    bool silence_allowed = false;
    bool silence_required = false;
};

std::vector<invalid_vector> invalid_vectors() {
    std::vector<invalid_vector> out;
    for (const auto& row : read_tsv("tests/vectors/vectors.tsv")) {
        if (row[2] != "invalid") {
            continue;
        }
        invalid_vector made{
            .id = row[0],
            .version = row[1] == "5.0" ? protocol_version::v5 : protocol_version::v3_1_1,
            .first = row[3] == "first",
            .raw = from_hex(row[5]),
            .codes = {}};
        const std::string& expected = row[6];
        for (auto at = expected.find("0x"); at != std::string::npos;
             at = expected.find("0x", at + 1)) {
            made.codes.push_back(expected.substr(at + 2, 2));
        }
        made.silence_allowed = expected.find("or none") != std::string::npos;
        made.silence_required = expected.find("close,") == 0;
        if (expected.find("CONNACK 20 02 00 02") == 0) {
            made.codes.push_back("02");
        }
        // Each row says one of these.
        REQUIRE((made.silence_required || !made.codes.empty()));
        out.push_back(std::move(made));
    }
    return out;
}

/// The reason code of a CONNACK or DISCONNECT in hexadecimal; "" for another packet.
std::string code_of(const received_packet& said) {
    const std::string hex = said.hex();
    return said.type == packet_type::connack      ? hex.substr(9, 2)
           : said.type == packet_type::disconnect ? hex.substr(6, 2)
                                                  : "";
}

TEST_CASE("each invalid vector ends its connection with its code and leaves all others alone",
          "[vectors][v5/MQTT-4.13.1-1][v3/MQTT-4.8.0-1][v5/MQTT-4.13.2-1]") {
    const auto vectors = invalid_vectors();
    REQUIRE(vectors.size() == 38);
    const auto piece = GENERATE(1000u, 1u);
    for (const invalid_vector& each : vectors) {
        CAPTURE(each.id, to_hex(each.raw), piece);
        broker_bench bench;
        peer& modern = bench.connected({.client_id = "modern"});
        peer& old = bench.connected({.client_id = "old", .version = protocol_version::v3_1_1});
        bench.subscribe(modern, "#", qos::exactly_once);
        bench.subscribe(old, "#", qos::exactly_once);
        const auto subscriptions = bench.core().subscription_count();

        will last;
        last.topic = "will";
        last.payload = as_bytes_view("bye");
        peer& faulty =
            each.first
                ? bench.open(each.version)
                : bench.connected({.client_id = "faulty", .version = each.version, .will = last});
        for (std::size_t at = 0; at < each.raw.size(); at += piece) {
            const auto end = std::min<std::size_t>(at + piece, each.raw.size());
            faulty.send_bytes(bytes(each.raw.begin() + static_cast<std::ptrdiff_t>(at),
                                    each.raw.begin() + static_cast<std::ptrdiff_t>(end)));
        }

        CHECK(faulty.closed());
        const auto said = faulty.take();
        if (said) {
            CHECK_FALSE(each.silence_required);
            CHECK(said->type == (each.first ? packet_type::connack : packet_type::disconnect));
            CHECK(std::count(each.codes.begin(), each.codes.end(), code_of(*said)) == 1);
        } else {
            CHECK((each.silence_required || each.silence_allowed));
        }
        CHECK(faulty.waiting() == 0);

        // The will goes out, and nothing else of it.
        CHECK(modern.take_publish() == (each.first ? "" : "will=bye"));
        CHECK(old.take_publish() == (each.first ? "" : "will=bye"));
        CHECK(modern.is_served());
        CHECK(old.is_served());
        CHECK(bench.core().session_count() == 2);
        CHECK(bench.core().connection_count() == 2);
        CHECK(bench.core().subscription_count() == subscriptions);
        CHECK(bench.core().retained().empty());
        bench.publish(modern, "t", "x", qos::exactly_once, 1);
        CHECK(modern.take_publish() == "t=x q2");
        CHECK(old.take_publish() == "t=x q2");
    }
}

TEST_CASE("a packet that is for clients only ends the connection that it came on",
          "[v3/MQTT-4.8.0-1][v5/MQTT-4.13.1-1]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    const auto packet = GENERATE("20 02 00 00", "20 03 00 00 00", "90 03 00 01 00",
                                 "90 04 00 01 00 00", "B0 02 00 01", "B0 04 00 01 00 00", "D0 00");
    CAPTURE(packet);
    broker_bench bench;
    peer& bystander = bench.connected({.client_id = "bystander", .version = version});
    peer& faulty = bench.connected({.client_id = "faulty", .version = version});
    faulty.send_hex(packet);
    CHECK(faulty.ended_with(reason_code::protocol_error));
    CHECK(bystander.is_served());
}

TEST_CASE("a packet that the broker has no room for ends the connection that it came on",
          "[v3/MQTT-4.8.0-2]") {
    const auto version = GENERATE(protocol_version::v3_1_1, protocol_version::v5);
    broker::broker_options options;
    options.maximum_packet_size = 100;
    broker_bench bench(options);
    peer& bystander = bench.connected({.client_id = "bystander", .version = version});
    bench.subscribe(bystander, "#", qos::at_most_once);
    peer& faulty = bench.connected({.client_id = "faulty", .version = version});
    bench.publish(faulty, "t", std::string(100 - 5 - (version == protocol_version::v5), 'x'));
    CHECK(bystander.take()->raw.size() == 100);
    faulty.send_hex("30 63");  // refused as soon as its size is known: 101 bytes
    CHECK(faulty.ended_with(reason_code::packet_too_large));
    CHECK(bystander.is_served());
}

TEST_CASE("CONNACK and DISCONNECT of failure are followed by a close at once",
          "[v5/MQTT-4.13.2-1]") {
    broker::broker_options options;
    options.sessions_max = 1;
    broker_bench bench(options);
    peer& one = bench.connected({.client_id = "one", .keep_alive = 1});
    CHECK(bench.connect({.client_id = "two"}).refused_with(reason_code::quota_exceeded));
    bench.advance(1500ms);
    CHECK(one.ended_with(reason_code::keep_alive_timeout));
    peer& three = bench.connected({.client_id = "three"});
    REQUIRE(
        bench.core().disconnect("three", reason_code::use_another_server, bench.now()).has_value());
    bench.drain();
    CHECK(three.ended_with(reason_code::use_another_server));
}

}  // namespace
}  // namespace fleetarium::test
