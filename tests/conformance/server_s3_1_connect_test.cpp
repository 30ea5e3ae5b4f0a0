#include <support/broker_bench.hpp>
#include <support/raw_connect.hpp>
#include <support/scripted_hooks.hpp>

#include <catch2/catch.hpp>

// Section 3.1: which CONNECT the broker takes, and what it does with the others. Sessions, wills
// and keep alive have files of their own.

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

/// Sends a CONNECT that breaks the format: no CONNACK in 3.1.1, the code in 5.0, close in both.
void check_broken(protocol_version version, const bytes& raw,
                  reason_code code = reason_code::malformed_packet) {
    CAPTURE(to_hex(raw));
    broker_bench bench;
    peer& sender = bench.open(version);
    sender.send_bytes(raw);
    CHECK((version == v5 ? sender.refused_with(code) : sender.closed_silently()));
    CHECK(bench.core().session_count() == 0);
}

// The first packet

TEST_CASE("a connection that begins with another packet than CONNECT is closed without a byte",
          "[v5/MQTT-3.1.0-1][v3/MQTT-3.1.0-1][v5/MQTT-3.14.0-1]") {
    const auto first =
        GENERATE("C0 00", "30 04 00 01 61 78", "82 06 00 01 00 01 61 00", "E0 00", "F0 02 18 00",
                 "20 02 00 00", "40 02 00 01", "00 00", "30 80 80 80 80 01");
    CAPTURE(first);
    broker_bench bench;
    peer& sender = bench.open();
    sender.send_hex(first);
    CHECK(sender.closed_silently());
}

TEST_CASE("a second CONNECT ends the connection", "[v5/MQTT-3.1.0-2][v3/MQTT-3.1.0-2]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    peer& sender = bench.connected({.version = version});
    sender.send_bytes(raw_connect(version, 0x02, "00 01 61"));
    CHECK(sender.ended_with(reason_code::protocol_error));
}

TEST_CASE("a minimal CONNECT is answered with CONNACK of code 0",
          "[v5/MQTT-3.1.4-5][v3/MQTT-3.1.4-4]") {
    broker_bench bench;
    peer& old = bench.open(v3);
    old.send_hex("10 0D 00 04 4D 51 54 54 04 02 00 3C 00 01 61");
    CHECK(old.take_hex() == "20 02 00 00");
    peer& modern = bench.open(v5);
    modern.send_hex("10 0E 00 04 4D 51 54 54 05 02 00 3C 00 00 01 62");
    // Receive Maximum 1024 and Topic Alias Maximum 16 are this broker's defaults.
    CHECK(modern.take_hex() == "20 09 00 00 06 21 04 00 22 00 10");
    CHECK(old.is_served());
    CHECK(modern.is_served());
}

TEST_CASE("CONNECT may come in any pieces, and packets behind it need not wait for CONNACK",
          "[connect]") {
    const auto version = GENERATE(v3, v5);
    const auto piece = GENERATE(1u, 2u, 7u, 1000u);
    broker_bench bench;
    bytes all = raw_connect(version, 0x02, "00 01 61");
    for (const auto& more :
         {from_hex(version == v5 ? "82 07 00 01 00 00 01 74 00" : "82 06 00 01 00 01 74 00"),
          from_hex(version == v5 ? "30 05 00 01 74 00 78" : "30 04 00 01 74 78"),
          from_hex("C0 00")}) {
        all.insert(all.end(), more.begin(), more.end());
    }
    peer& sender = bench.open(version);
    for (std::size_t at = 0; at < all.size(); at += piece) {
        const auto end = std::min<std::size_t>(at + piece, all.size());
        sender.send_bytes(bytes(all.begin() + static_cast<std::ptrdiff_t>(at),
                                all.begin() + static_cast<std::ptrdiff_t>(end)));
    }
    CHECK(sender.take_as<connack>().code == reason_code::success);
    CHECK(sender.take_as<suback>().packet_id == 1);
    CHECK(sender.take_publish() == "t=x");
    CHECK(sender.take_hex() == "D0 00");
    CHECK(sender.waiting() == 0);
}

// Protocol name and version

TEST_CASE("a protocol name other than MQTT ends the connection",
          "[v5/MQTT-3.1.2-1][v3/MQTT-3.1.2-1]") {
    const auto version = GENERATE("04", "05");
    const auto name = GENERATE("00 04 4D 51 54 58", "00 04 6D 71 74 74", "00 03 4D 51 54",
                               "00 05 4D 51 54 54 54", "00 00", "00 06 4D 51 49 73 64 71");
    CAPTURE(name);
    bytes body = from_hex(name);
    for (const std::uint8_t each : from_hex(std::string(version) + "02 00 3C 00 00 01 61")) {
        body.push_back(each);
    }
    body.insert(body.begin(), {0x10, static_cast<std::uint8_t>(body.size())});
    broker_bench bench;
    peer& sender = bench.open();
    sender.send_bytes(body);
    CHECK(sender.closed_silently());
    CHECK(bench.core().session_count() == 0);
}

TEST_CASE("a protocol version that the broker does not take gets CONNACK 0x01 of 3.1.1, then close",
          "[v5/MQTT-3.1.2-2][v3/MQTT-3.1.2-2]") {
    const auto version = GENERATE("00", "01", "03", "06", "09", "83", "84", "FF");
    CAPTURE(version);
    broker_bench bench;
    peer& sender = bench.open(v3);
    sender.send_hex("10 0D 00 04 4D 51 54 54 " + std::string(version) + " 02 00 3C 00 01 61");
    CHECK(sender.take_hex() == "20 02 00 01");
    CHECK(sender.closed_silently());
    peer& of_3_1 = bench.open(v3);
    of_3_1.send_hex("10 0F 00 06 4D 51 49 73 64 70 03 02 00 3C 00 01 61");
    CHECK(of_3_1.take_hex() == "20 02 00 01");
    CHECK(of_3_1.closed_silently());
}

// The format

TEST_CASE("the reserved connect flag ends the connection", "[v5/MQTT-3.1.2-3][v3/MQTT-3.1.2-3]") {
    const auto version = GENERATE(v3, v5);
    check_broken(version, raw_connect(version, 0x03, "00 01 61"));
}

TEST_CASE("will flags and will fields go together",
          "[v5/MQTT-3.1.2-9][v3/MQTT-3.1.2-9][v5/MQTT-3.1.2-11][v3/MQTT-3.1.2-11][v3/MQTT-3.1.2-13]"
          "[v5/MQTT-3.1.2-13][v3/MQTT-3.1.2-15][v5/MQTT-3.1.2-12][v3/MQTT-3.1.2-14]") {
    const auto version = GENERATE(v3, v5);
    const std::string fields = version == v5 ? "00 00 01 77 00 01 78" : "00 01 77 00 01 78";
    check_broken(version, raw_connect(version, 0x06, "00 01 61"));           // no will fields
    check_broken(version, raw_connect(version, 0x0A, "00 01 61"));           // QoS 1, no will
    check_broken(version, raw_connect(version, 0x22, "00 01 61"));           // retain, no will
    check_broken(version, raw_connect(version, 0x1E, "00 01 61" + fields));  // QoS 3
    check_broken(version, raw_connect(version, 0x02, "00 01 61" + fields));  // no will flag
}

TEST_CASE("user name and password are there exactly if their flags are set",
          "[v5/MQTT-3.1.2-16][v3/MQTT-3.1.2-18][v5/MQTT-3.1.2-17][v3/MQTT-3.1.2-19]"
          "[v5/MQTT-3.1.2-18][v3/MQTT-3.1.2-20][v3/MQTT-3.1.2-21]") {
    const auto version = GENERATE(v3, v5);
    check_broken(version, raw_connect(version, 0x02, "00 01 61 00 01 75"));
    check_broken(version, raw_connect(version, 0x82, "00 01 61"));
    check_broken(version, raw_connect(version, 0x82, "00 01 61 00 01 75 00 01 70"));
    check_broken(version, raw_connect(version, 0xC2, "00 01 61 00 01 75"));
}

TEST_CASE("a password without a user name is broken in 3.1.1 and fine in 5.0",
          "[v3/MQTT-3.1.2-22][v5/MQTT-3.1.2-19]") {
    check_broken(v3, raw_connect(v3, 0x42, "00 01 61 00 01 70"));
    check_broken(v5, raw_connect(v5, 0x42, "00 01 61"));
    scripted_hooks hooks;
    std::string seen;
    hooks.on_authenticate = [&](const broker::client_info& client, const connect& request) {
        CHECK(client.user_name.empty());
        seen = as_text(request.password.value());
        return reason_code::success;
    };
    broker_bench bench({}, &hooks);
    peer& sender = bench.open(v5);
    sender.send_bytes(raw_connect(v5, 0x42, "00 01 61 00 01 70"));
    CHECK(sender.take_as<connack>().code == reason_code::success);
    CHECK(seen == "p");
}

TEST_CASE("the client identifier field is always there", "[v5/MQTT-3.1.3-3][v3/MQTT-3.1.3-3]") {
    const auto version = GENERATE(v3, v5);
    check_broken(version, raw_connect(version, 0x02, ""));
}

TEST_CASE("client identifier, will topic and user name are UTF-8",
          "[v5/MQTT-3.1.3-4][v3/MQTT-3.1.3-4][v5/MQTT-3.1.3-11][v3/MQTT-3.1.3-10]"
          "[v5/MQTT-3.1.3-12][v3/MQTT-3.1.3-11]") {
    const auto version = GENERATE(v3, v5);
    const std::string no_properties = version == v5 ? "00" : "";
    check_broken(version, raw_connect(version, 0x02, "00 02 C3 28"));
    check_broken(version,
                 raw_connect(version, 0x06, "00 01 61" + no_properties + "00 01 FF 00 01 78"));
    check_broken(version, raw_connect(version, 0x82, "00 01 61 00 01 FE"));
}

TEST_CASE("a will topic is a topic name", "[connect]") {
    const auto version = GENERATE(v3, v5);
    const std::string no_properties = version == v5 ? "00" : "";
    check_broken(version,
                 raw_connect(version, 0x06, "00 01 61" + no_properties + "00 01 23 00 01 78"),
                 reason_code::topic_name_invalid);
    check_broken(version, raw_connect(version, 0x06, "00 01 61" + no_properties + "00 00 00 01 78"),
                 reason_code::protocol_error);
}

TEST_CASE("a CONNECT with flags in its fixed header is closed without a byte", "[connect]") {
    const auto version = GENERATE(v3, v5);
    bytes raw = raw_connect(version, 0x02, "00 01 61");
    raw[0] = 0x11;
    broker_bench bench;
    peer& sender = bench.open(version);
    sender.send_bytes(raw);
    CHECK(sender.closed_silently());
}

TEST_CASE("a CONNECT cut short at any byte opens no session",
          "[v5/MQTT-3.1.4-1][v3/MQTT-3.1.4-1]") {
    const auto version = GENERATE(v3, v5);
    const bytes whole =
        version == v5
            ? raw_connect(v5, 0xEE,
                          "00 01 61 05 18 00 00 00 01 00 01 77 00 01 78 00 01 75 00 01 70",
                          "11 00 00 00 05 26 00 01 61 00 01 62")
            : raw_connect(v3, 0xEE, "00 01 61 00 01 77 00 01 78 00 01 75 00 01 70");
    {
        broker_bench bench;
        peer& sender = bench.open(version);
        sender.send_bytes(whole);
        REQUIRE(sender.take_as<connack>().code == reason_code::success);
    }
    for (std::size_t size = 2; size < whole.size(); ++size) {
        CAPTURE(size);
        bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        cut[1] = static_cast<std::uint8_t>(size - 2);
        broker_bench bench;
        peer& sender = bench.open(version);
        sender.send_bytes(cut);
        // Up to the version byte nobody knows which CONNACK would be read.
        const bool told = version == v5 && size >= 9;
        CHECK(
            (told ? sender.refused_with(reason_code::malformed_packet) : sender.closed_silently()));
        CHECK(bench.core().session_count() == 0);
    }
}

// Client identifiers

TEST_CASE("identifiers of 1 to 23 letters and digits are taken, and longer ones too",
          "[v5/MQTT-3.1.3-5][v3/MQTT-3.1.3-5]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    for (const std::string& id : {std::string("a"), std::string("0123456789abcdefghijKLM"),
                                  std::string("NOPQRSTUVWXYZnopqrstuvw"), std::string("xyz"),
                                  std::string(65'535, 'i'), std::string("\xC3\xA9/+#$ ")}) {
        peer& one = bench.connected({.client_id = id, .version = version});
        CHECK(one.is_served());
        CHECK(bench.core().find_session(id));
    }
}

TEST_CASE("an empty identifier becomes one of its own, and 5.0 clients are told which",
          "[v5/MQTT-3.1.3-6][v5/MQTT-3.1.3-7][v5/MQTT-3.2.2-16]") {
    broker_bench bench;
    // Names that the broker would give are taken already.
    bench.connected({.client_id = "auto-1"});
    bench.connected({.client_id = "auto-3"});
    peer& first = bench.connect({.client_id = "", .clean_start = false, .session_expiry = 60});
    const std::string first_id(first.take_as<connack>().assigned_client_identifier.value());
    peer& second = bench.connect({.client_id = "", .clean_start = true});
    const std::string second_id(second.take_as<connack>().assigned_client_identifier.value());
    CHECK(first_id != second_id);
    CHECK(bench.core().connected_count() == 4);
    CHECK(first.is_served());
    CHECK(second.is_served());

    first.cut();
    peer& again =
        bench.connect({.client_id = first_id, .clean_start = false, .session_expiry = 60});
    const auto answer = again.take_as<connack>();
    CHECK(answer.session_present);
    CHECK_FALSE(answer.assigned_client_identifier);
}

TEST_CASE("3.1.1 clients with an empty identifier get one each", "[v3/MQTT-3.1.3-6]") {
    broker_bench bench;
    peer& first = bench.connect({.client_id = "", .version = v3});
    peer& second = bench.connect({.client_id = "", .version = v3});
    CHECK(first.take_hex() == "20 02 00 00");
    CHECK(second.take_hex() == "20 02 00 00");
    CHECK(first.is_served());
    CHECK(second.is_served());
    CHECK(bench.core().session_count() == 2);
}

TEST_CASE("3.1.1: an empty identifier with Clean Session 0 gets CONNACK 0x02, then close",
          "[v3/MQTT-3.1.3-8]") {
    broker_bench bench;
    peer& sender = bench.open(v3);
    sender.send_bytes(raw_connect(v3, 0x00, "00 00"));
    CHECK(sender.take_hex() == "20 02 00 02");
    CHECK(sender.closed_silently());
}

TEST_CASE("an identifier that the embedder forbids is refused as such, then close",
          "[v5/MQTT-3.1.3-8][v3/MQTT-3.1.3-9]") {
    const auto version = GENERATE(v3, v5);
    scripted_hooks hooks;
    hooks.on_authenticate = [](const broker::client_info& client, const connect&) {
        return client.client_id == "forbidden" ? reason_code::client_identifier_not_valid
                                               : reason_code::success;
    };
    broker_bench bench({}, &hooks);
    CHECK(bench.connect({.client_id = "forbidden", .version = version})
              .refused_with(reason_code::client_identifier_not_valid));
    bench.connected({.client_id = "allowed", .version = version});
}

// Refusals

TEST_CASE("a bad login is refused, and what came behind CONNECT is ignored",
          "[v5/MQTT-3.1.4-2][v5/MQTT-3.1.4-6][v3/MQTT-3.1.4-5]") {
    const auto version = GENERATE(v3, v5);
    scripted_hooks hooks;
    hooks.on_authenticate = [](const broker::client_info& client, const connect& request) {
        const bool known =
            client.user_name == "u" && request.password && as_text(*request.password) == "p";
        return known ? reason_code::success : reason_code::bad_user_name_or_password;
    };
    broker_bench bench({}, &hooks);
    peer& watcher = bench.connected({.client_id = "w", .user_name = "u", .password = "p"});
    bench.subscribe(watcher, "#", qos::at_most_once);

    bytes both = raw_connect(version, 0xC2, "00 01 61 00 01 75 00 01 71");
    for (const std::uint8_t each :
         from_hex(version == v5 ? "30 05 00 01 74 00 78" : "30 04 00 01 74 78")) {
        both.push_back(each);
    }
    peer& sender = bench.open(version);
    sender.send_bytes(both);
    CHECK(sender.refused_with(reason_code::bad_user_name_or_password));
    CHECK(watcher.waiting() == 0);
    CHECK_FALSE(bench.core().find_session("a"));
}

// What a CONNECT of 5.0 asks for

TEST_CASE("Response Information comes only where it is asked for", "[v5/MQTT-3.1.2-28]") {
    broker::broker_options options;
    options.response_information = "answers/";
    broker_bench bench(options);
    CHECK_FALSE(bench.connect().take_as<connack>().response_information);
    CHECK_FALSE(bench.connect({.request_response_information = false})
                    .take_as<connack>()
                    .response_information);
    CHECK(bench.connect({.request_response_information = true})
              .take_as<connack>()
              .response_information == "answers/");
}

TEST_CASE("without Request Problem Information only PUBLISH, CONNACK and DISCONNECT say why",
          "[v5/MQTT-3.1.2-29]") {
    scripted_hooks hooks;
    hooks.on_authorize_publish = [](const broker::client_info&, const publish&) { return false; };
    hooks.on_authorize_subscribe = [](const broker::client_info&, std::string_view) {
        return false;
    };
    broker_bench bench({}, &hooks);
    peer& one = bench.connected({.request_problem_information = false});
    one.send_hex("82 07 00 01 00 00 01 61 00");
    CHECK(one.take_hex() == "90 04 00 01 00 87");
    bench.publish(one, "a", "x", qos::at_least_once, 2);
    CHECK(one.take_hex() == "40 03 00 02 87");
    bench.publish(one, "a", "x", qos::exactly_once, 3);
    CHECK(one.take_hex() == "50 03 00 03 87");
    one.send_hex("A2 06 00 04 00 00 01 61");
    CHECK(one.take_hex() == "B0 04 00 04 00 11");
    one.send_hex("62 02 00 09");
    CHECK(one.take_hex() == "70 03 00 09 92");
}

TEST_CASE("nothing larger than the client's Maximum Packet Size is sent, and the rest goes on",
          "[v5/MQTT-3.1.2-24][v5/MQTT-3.1.2-25]") {
    const auto level = GENERATE(qos::at_most_once, qos::at_least_once, qos::exactly_once);
    broker_bench bench;
    peer& small =
        bench.connected({.client_id = "s", .receive_maximum = 1, .maximum_packet_size = 64});
    bench.subscribe(small, "t", level);
    peer& large = bench.connected({.client_id = "l"});
    bench.subscribe(large, "t", level);
    peer& publisher = bench.connected({.client_id = "p"});
    const std::string big(100, 'b');
    for (int i = 0; i < 3; ++i) {
        bench.publish(publisher, "t", big, level, 1);
        publisher.send_hex("62 02 00 01");
        CHECK(small.waiting() == 0);
        CHECK(large.take_as<publish>().payload.size() == 100);
    }
    // The window, which holds one message, is not spent.
    bench.publish(publisher, "t", "small", level, 2);
    CHECK(as_text(small.take_as<publish>().payload) == "small");
    using broker::drop_reason;
    const auto index = static_cast<std::size_t>(drop_reason::packet_too_large);
    CHECK(bench.core().metrics().dropped[index] == 3);
}

TEST_CASE("a packet of exactly the client's Maximum Packet Size is sent", "[v5/MQTT-3.1.2-24]") {
    broker_bench bench;
    peer& small = bench.connected({.client_id = "s", .maximum_packet_size = 64});
    bench.subscribe(small, "t", qos::at_most_once);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", std::string(58, 'x'));
    CHECK(small.take()->raw.size() == 64);
    bench.publish(publisher, "t", std::string(59, 'x'));
    CHECK(small.waiting() == 0);
}

TEST_CASE("topic aliases towards a client stay within its Topic Alias Maximum",
          "[v5/MQTT-3.1.2-26][v5/MQTT-3.1.2-27]") {
    const auto maximum =
        GENERATE(as<std::optional<std::uint16_t>>(), std::nullopt, 0, 1, 2, 65'535);
    broker_bench bench;
    peer& subscriber = bench.connected({.client_id = "s", .topic_alias_maximum = maximum});
    bench.subscribe(subscriber, "#", qos::at_most_once);
    peer& publisher = bench.connected({.client_id = "p"});
    std::map<std::uint16_t, std::string> aliases;
    std::size_t aliased = 0;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 5; ++i) {
            const std::string topic = "buildings/one/sensors/" + std::to_string(i);
            bench.publish(publisher, topic, "x");
            const auto in = subscriber.take_as<publish>();
            if (!in.topic_alias) {
                CHECK(in.topic == topic);
                continue;
            }
            ++aliased;
            CHECK(*in.topic_alias >= 1);
            CHECK(*in.topic_alias <= maximum.value_or(0));
            if (!in.topic.empty()) {
                aliases[*in.topic_alias] = in.topic;
            }
            CHECK(aliases[*in.topic_alias] == topic);
        }
    }
    CHECK((aliased > 0) == (maximum.value_or(0) > 0));
}

}  // namespace
}  // namespace fleetarium::test
