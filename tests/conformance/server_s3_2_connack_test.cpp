#include <support/broker_bench.hpp>
#include <support/raw_connect.hpp>
#include <support/scripted_hooks.hpp>

#include <catch2/catch.hpp>

// Section 3.2: what CONNACK says, and that it comes first and once.

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

connect_with kept(protocol_version version) {
    connect_with out{.version = version, .clean_start = false};
    out.session_expiry = version == v5 ? std::optional(60u) : std::nullopt;
    return out;
}

will last_words(enum qos level, bool retain) {
    will out;
    out.topic = "will";
    out.qos = level;
    out.retain = retain;
    return out;
}

TEST_CASE("CONNACK comes before all that a session has waiting",
          "[v5/MQTT-3.2.0-1][v3/MQTT-3.2.0-1]") {
    const auto version = GENERATE(v3, v5);
    broker_bench bench;
    peer& first = bench.connected(kept(version));
    bench.subscribe(first, "t", qos::exactly_once);
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "in flight", qos::exactly_once, 1);
    first.cut();
    bench.publish(publisher, "t", "queued", qos::at_least_once, 2);
    peer& second = bench.connect(kept(version));
    CHECK(second.take_as<connack>().session_present);
    CHECK(second.take_publish() == "t=in flight q2 dup");
    CHECK(second.take_publish() == "t=queued q1");
}

TEST_CASE("nothing but AUTH comes before CONNACK, and CONNACK comes once",
          "[v5/MQTT-3.2.0-1][v5/MQTT-3.2.0-2]") {
    scripted_hooks hooks;
    hooks.on_authenticate_enhanced = [](const broker::client_info&, std::string_view,
                                        std::string_view data) -> broker::authentication_step {
        using outcome = broker::authentication_step::outcome;
        return {data == "proof" ? outcome::succeeded : outcome::challenged, "?"};
    };
    broker_bench bench({}, &hooks);
    connect_with how = kept(v5);
    peer& plain = bench.connected(how);
    bench.subscribe(plain, "t", qos::at_least_once);
    plain.cut();
    peer& publisher = bench.connected({.client_id = "p"});
    bench.publish(publisher, "t", "queued", qos::at_least_once, 1);

    how.authentication_method = "M";
    peer& one = bench.connect(how);
    CHECK(one.take_as<auth>().code == reason_code::continue_authentication);
    CHECK(one.waiting() == 0);
    const auth proof{.code = reason_code::continue_authentication,
                     .authentication_method = "M",
                     .authentication_data = as_bytes_view("proof")};
    one.send(proof);
    CHECK(one.take_as<connack>().code == reason_code::success);
    CHECK(one.take_publish() == "t=queued q1");
    auth again = proof;
    again.code = reason_code::re_authenticate;
    one.send(again);
    CHECK(one.take_as<auth>().code == reason_code::success);
    CHECK(one.waiting() == 0);
}

TEST_CASE("a refusal has Session Present 0 though there is a session, and the connection closes",
          "[v5/MQTT-3.2.2-6][v3/MQTT-3.2.2-4][v5/MQTT-3.2.2-7][v3/MQTT-3.2.2-5]") {
    const auto version = GENERATE(v3, v5);
    bool open = true;
    scripted_hooks hooks;
    hooks.on_authenticate = [&](const broker::client_info&, const connect&) {
        return open ? reason_code::success : reason_code::bad_user_name_or_password;
    };
    broker_bench bench({}, &hooks);
    bench.connected(kept(version)).cut();
    open = false;
    peer& refused = bench.connect(kept(version));
    CHECK(refused.take_hex() == (version == v5 ? "20 03 00 86 00" : "20 02 00 04"));
    CHECK(refused.closed_silently());
    open = true;
    CHECK(bench.connect(kept(version)).take_as<connack>().session_present);
}

TEST_CASE("a refusal does not disturb the connection that the session has", "[connack]") {
    const auto version = GENERATE(v3, v5);
    bool open = true;
    scripted_hooks hooks;
    hooks.on_authenticate = [&](const broker::client_info&, const connect&) {
        return open ? reason_code::success : reason_code::not_authorized;
    };
    broker_bench bench({}, &hooks);
    peer& holder = bench.connected(kept(version));
    open = false;
    CHECK(bench.connect(kept(version)).refused_with(reason_code::not_authorized));
    CHECK(holder.is_served());
}

TEST_CASE("the codes of CONNACK are those of its list", "[v5/MQTT-3.2.2-8]") {
    const std::vector<int> listed{0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A,
                                  0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F};
    scripted_hooks hooks;
    reason_code answer = reason_code::success;
    hooks.on_authenticate = [&](const broker::client_info&, const connect&) { return answer; };
    hooks.on_authenticate_enhanced = [&](const broker::client_info&, std::string_view,
                                         std::string_view) -> broker::authentication_step {
        return {broker::authentication_step::outcome::failed, {}, answer};
    };
    broker_bench bench({}, &hooks);
    const auto enhanced = GENERATE(false, true);
    for (int code = 1; code < 256; ++code) {
        answer = static_cast<reason_code>(code);
        connect_with how;
        if (enhanced) {
            how.authentication_method = "M";
        }
        peer& refused = bench.connect(how);
        const bool is_listed = std::count(listed.begin(), listed.end(), code) == 1;
        CAPTURE(code);
        CHECK(refused.refused_with(is_listed ? answer : reason_code::unspecified_error));
    }
    CHECK(bench.core().session_count() == 0);
    CHECK(bench.core().metrics().connections_refused == 255);
}

TEST_CASE("3.1.1: a refusal that none of the codes 1 to 5 fits closes without CONNACK",
          "[v3/MQTT-3.2.2-6]") {
    scripted_hooks hooks;
    reason_code answer = reason_code::success;
    hooks.on_authenticate = [&](const broker::client_info&, const connect&) { return answer; };
    broker_bench bench({}, &hooks);
    const std::map<int, std::string> counterpart{
        {0x84, "01"}, {0x85, "02"}, {0x88, "03"}, {0x89, "03"}, {0x97, "03"}, {0x9C, "03"},
        {0x9D, "03"}, {0x9F, "03"}, {0x86, "04"}, {0x87, "05"}, {0x8A, "05"}, {0x8C, "05"}};
    for (int code = 1; code < 256; ++code) {
        answer = static_cast<reason_code>(code);
        peer& refused = bench.connect({.version = v3});
        CAPTURE(code);
        const auto found = counterpart.find(code);
        CHECK(refused.take_hex() ==
              (found == counterpart.end() ? std::string() : "20 02 00 " + found->second));
        CHECK(refused.closed_silently());
    }
}

TEST_CASE("a broker without QoS 2 or 1 says so and still takes subscriptions of every QoS",
          "[v5/MQTT-3.2.2-9][v5/MQTT-3.2.2-10]") {
    const auto maximum = GENERATE(qos::at_most_once, qos::at_least_once, qos::exactly_once);
    broker::broker_options options;
    options.maximum_qos = maximum;
    broker_bench bench(options);
    peer& one = bench.connect();
    const auto answer = one.take_as<connack>();
    CHECK(answer.maximum_qos ==
          (maximum == qos::exactly_once ? std::nullopt : std::optional(maximum)));
    for (const auto asked : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        const subscription_request request{"t", {.qos = asked}};
        subscribe all{.packet_id = 1, .requests = subscription_requests({&request, 1})};
        one.send(all);
        CHECK(one.take_as<suback>().codes[0] == static_cast<reason_code>(std::min(asked, maximum)));
    }
}

TEST_CASE("a will above the Maximum QoS is refused", "[v5/MQTT-3.2.2-12]") {
    const auto maximum = GENERATE(qos::at_most_once, qos::at_least_once);
    broker::broker_options options;
    options.maximum_qos = maximum;
    broker_bench bench(options);
    for (const auto level : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        peer& one = bench.connect({.will = last_words(level, false)});
        if (level > maximum) {
            CHECK(one.refused_with(reason_code::qos_not_supported));
        } else {
            CHECK(one.take_as<connack>().code == reason_code::success);
        }
    }
    // 3.1.1 has no code for it.
    CHECK(bench.connect({.version = v3, .will = last_words(qos::exactly_once, false)})
              .closed_silently());
}

TEST_CASE("a retained will is refused where retained messages are not supported",
          "[v5/MQTT-3.2.2-13]") {
    broker::broker_options options;
    options.retain_available = false;
    broker_bench bench(options);
    CHECK(bench.connect({.will = last_words(qos::at_most_once, true)})
              .refused_with(reason_code::retain_not_supported));
    peer& one = bench.connect({.will = last_words(qos::at_most_once, false)});
    CHECK(one.take_as<connack>().retain_available == false);
}

TEST_CASE("a Reason String that does not fit is left out of CONNACK", "[v5/MQTT-3.2.2-19]") {
    broker::broker_options options;
    options.retain_available = false;
    broker_bench bench(options);
    connect_with how{.will = last_words(qos::at_most_once, true)};
    peer& roomy = bench.connect(how);
    const auto whole = roomy.take();
    REQUIRE(whole);
    const auto size = static_cast<std::uint32_t>(whole->raw.size());
    CHECK(size > 16);  // it says why

    how.maximum_packet_size = size;
    CHECK(bench.connect(how).take_hex() == whole->hex());
    for (const std::uint32_t maximum : {size - 1, 16u, 5u}) {
        how.maximum_packet_size = maximum;
        CHECK(bench.connect(how).take_hex() == "20 03 00 9A 00");
    }
    how.maximum_packet_size = 4;
    CHECK(bench.connect(how).closed_silently());
}

TEST_CASE("the properties of CONNACK are exactly what the options call for", "[connack]") {
    broker::broker_options options;
    options.receive_maximum = 65'535;
    options.topic_alias_maximum = 0;
    broker_bench plain(options);
    CHECK(plain.connect().take_hex() == "20 03 00 00 00");

    options.receive_maximum = 10;
    options.maximum_packet_size = 1'048'576;
    options.topic_alias_maximum = 5;
    options.maximum_qos = qos::at_least_once;
    options.retain_available = false;
    options.wildcard_subscription_available = false;
    options.subscription_identifier_available = false;
    options.shared_subscription_available = false;
    options.server_keep_alive = 30;
    options.session_expiry_maximum = 60;
    broker_bench bench(options);
    peer& one = bench.connect({.session_expiry = 61});
    const auto answer = one.take_as<connack>();
    CHECK(answer.receive_maximum == 10);
    CHECK(answer.maximum_packet_size == 1'048'576);
    CHECK(answer.topic_alias_maximum == 5);
    CHECK(answer.maximum_qos == qos::at_least_once);
    CHECK(answer.retain_available == false);
    CHECK(answer.wildcard_subscription_available == false);
    CHECK(answer.subscription_identifier_available == false);
    CHECK(answer.shared_subscription_available == false);
    CHECK(answer.server_keep_alive == 30);
    CHECK(answer.session_expiry_interval == 60);
    CHECK_FALSE(answer.assigned_client_identifier);
    CHECK_FALSE(answer.authentication_method);
    CHECK_FALSE(answer.reason_string);
    CHECK_FALSE(answer.server_reference);

    CHECK(bench.connect({.client_id = "old", .version = v3}).take_hex() == "20 02 00 00");
}

}  // namespace
}  // namespace fleetarium::test
