#include <support/broker_bench.hpp>
#include <support/scripted_hooks.hpp>

#include <catch2/catch.hpp>

// What hooks are asked and told while clients connect and leave.

namespace fleetarium::test {
namespace {

using kind = broker::broker_event::kind;
constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

TEST_CASE("authenticate sees all of CONNECT", "[hooks]") {
    const auto version = GENERATE(v3, v5);
    scripted_hooks hooks;
    int asked = 0;
    hooks.on_authenticate = [&](const broker::client_info& client, const connect& request) {
        ++asked;
        CHECK(client.connection == 0);
        CHECK(client.client_id == "sensor");
        CHECK(client.user_name == "u");
        CHECK(client.version == version);
        CHECK(as_text(request.password.value()) == "p");
        CHECK(request.keep_alive == 7);
        CHECK(request.will->topic == "will");
        return reason_code::success;
    };
    broker_bench bench({}, &hooks);
    connect_with how{.client_id = "sensor", .version = version, .keep_alive = 7};
    how.user_name = "u";
    how.password = "p";
    how.will.emplace();
    how.will->topic = "will";
    bench.connected(how);
    CHECK(asked == 1);
}

TEST_CASE("rights are asked for with the identity that was authenticated", "[hooks]") {
    scripted_hooks hooks;
    hooks.on_authorize_publish = [](const broker::client_info& client, const publish& message) {
        CHECK(client.client_id == "auto-1");
        CHECK(client.user_name == "u");
        return message.topic == "may";
    };
    hooks.on_authorize_subscribe = [](const broker::client_info& client, std::string_view filter) {
        CHECK(client.user_name == "u");
        return filter == "may";
    };
    broker_bench bench({}, &hooks);
    peer& one = bench.connected({.client_id = "", .user_name = "u"});
    bench.subscribe(one, "may", qos::at_most_once);
    one.send_hex("82 09 00 09 00 00 03 6E 6F 74 00");
    CHECK(one.take_hex() == "90 04 00 09 00 87");
    bench.publish(one, "may", "x", qos::at_least_once, 1);
    CHECK(one.take_publish() == "may=x");
    CHECK(one.take_hex() == "40 02 00 01");
    bench.publish(one, "not", "x", qos::at_least_once, 2);
    CHECK(one.take_hex() == "40 03 00 02 87");
}

TEST_CASE("a session is told of from its first connection to its end", "[hooks][events]") {
    scripted_hooks hooks;
    broker_bench bench({}, &hooks);
    const instant begin = bench.now();
    const connect_with how{.clean_start = false, .session_expiry = 10};
    peer& first = bench.connected(how);
    bench.advance(1s);
    first.cut();
    bench.advance(1s);
    peer& second = bench.connected(how);
    bench.advance(1s);
    second.send(disconnect{});
    bench.advance(1min);

    std::vector<std::string> story;
    for (const auto& event : hooks.events) {
        CHECK(event.client_id == "c");
        CHECK(event.session == 0);
        const auto second_of = std::chrono::duration_cast<std::chrono::seconds>(event.at - begin);
        story.push_back((event.what == kind::connected       ? "connected "
                         : event.what == kind::disconnected  ? "disconnected "
                         : event.what == kind::session_ended ? "ended "
                                                             : "? ") +
                        std::to_string(second_of.count()) + (event.flag ? " flag" : ""));
    }
    CHECK(story == std::vector<std::string>{"connected 0", "disconnected 1 flag",
                                            "connected 2 flag", "disconnected 3", "ended 13"});
}

TEST_CASE("a connection that ends is told of with its reason", "[hooks][events]") {
    const auto version = GENERATE(v3, v5);
    scripted_hooks hooks;
    broker_bench bench({}, &hooks);
    const auto last = [&] {
        const auto ended = hooks.all(kind::disconnected);
        hooks.events.clear();
        REQUIRE(ended.size() == 1);
        return ended.front();
    };
    const connect_with how{.version = version, .keep_alive = 10};

    bench.connected(how).cut();
    auto event = last();
    CHECK(event.flag);
    CHECK(event.code == reason_code::unspecified_error);
    CHECK(event.broken == violation::none);

    bench.connected(how).send(disconnect{});
    event = last();
    CHECK_FALSE(event.flag);
    CHECK(event.code == reason_code::normal_disconnection);

    bench.connected(how).send_hex("C1 00");
    event = last();
    CHECK_FALSE(event.flag);
    CHECK(event.code == reason_code::malformed_packet);
    CHECK(event.broken == violation::fixed_header_flags_invalid);

    bench.connected(how);
    bench.advance(15s);
    event = last();
    CHECK(event.code == reason_code::keep_alive_timeout);
    CHECK(event.broken == violation::keep_alive_timeout);

    bench.connected(how);
    bench.connected(how);
    event = last();
    CHECK(event.code == reason_code::session_taken_over);
    CHECK(event.broken == violation::none);

    bench.core().shut_down(bench.now());
    bench.drain();
    event = last();
    CHECK(event.code == reason_code::server_shutting_down);
}

TEST_CASE("a connection that is never accepted is told of as refused, once", "[hooks][events]") {
    scripted_hooks hooks;
    hooks.on_authenticate = [](const broker::client_info& client, const connect&) {
        return client.client_id == "bad" ? reason_code::banned : reason_code::success;
    };
    broker::broker_options options;
    options.sessions_max = 1;
    broker_bench bench(options, &hooks);
    bench.connected();
    hooks.events.clear();

    bench.connect({.client_id = "bad"});
    bench.connect({.client_id = "many"});
    bench.connect({.maximum_packet_size = 1});
    bench.open().send_hex("C0 00");
    bench.open();
    bench.advance(10s);
    bench.open().cut();  // said nothing, asked nothing

    struct refusal {
        std::string client_id;
        reason_code code;
        violation broken;
    };
    const std::vector<refusal> expected{
        {"bad", reason_code::banned, violation::none},
        {"many", reason_code::quota_exceeded, violation::none},
        {"c", reason_code::packet_too_large, violation::none},
        {"", reason_code::protocol_error, violation::first_packet_not_connect},
        {"", reason_code::maximum_connect_time, violation::connect_timeout},
    };
    const auto refused = hooks.all(kind::refused);
    REQUIRE(refused.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CAPTURE(i);
        CHECK(refused[i].client_id == expected[i].client_id);
        CHECK(refused[i].code == expected[i].code);
        CHECK(refused[i].broken == expected[i].broken);
    }
    CHECK(bench.core().metrics().connections_refused == expected.size());
    // The CONNECT of "c" took the older connection over before its CONNACK could not be sent.
    CHECK(hooks.all(kind::disconnected).size() == 1);
}

TEST_CASE("a will is told of before the message that it is", "[hooks][events]") {
    scripted_hooks hooks;
    broker_bench bench({}, &hooks);
    will last;
    last.topic = "will";
    last.delay_interval = 5;
    bench.connected({.session_expiry = 60, .will = last}).cut();
    CHECK(hooks.all(kind::will_published).empty());
    bench.advance(5s);
    const auto published =
        std::find_if(hooks.events.begin(), hooks.events.end(),
                     [](const recorded_event& each) { return each.what == kind::will_published; });
    REQUIRE(published != hooks.events.end());
    CHECK(published->client_id == "c");
    CHECK(published->topic == "will");
    CHECK(published->at == instant{} + 5s);
    REQUIRE(published + 1 != hooks.events.end());
    CHECK((published + 1)->what == kind::received);
    CHECK((published + 1)->topic == "will");
    CHECK((published + 1)->connection == broker::no_connection);
}

TEST_CASE("a will and the end of its session come in this order", "[hooks][events]") {
    scripted_hooks hooks;
    broker_bench bench({}, &hooks);
    will last;
    last.topic = "will";
    bench.connected({.will = last}).cut();
    std::vector<kind> order;
    for (const auto& event : hooks.events) {
        order.push_back(event.what);
    }
    CHECK(order == std::vector<kind>{kind::connected, kind::disconnected, kind::will_published,
                                     kind::received, kind::routed, kind::dropped,
                                     kind::session_ended});
}

TEST_CASE("hooks that want no events get none", "[hooks][events]") {
    struct quiet_hooks : scripted_hooks {
        bool wants_events() const override { return false; }
    } hooks;
    broker_bench bench({}, &hooks);
    bench.connected().cut();
    CHECK(hooks.events.empty());
}

}  // namespace
}  // namespace fleetarium::test
