#include <support/broker_bench.hpp>
#include <support/scripted_hooks.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <functional>

// Sections 3.1.2.5 to 3.1.2.7, 3.1.3.2 to 3.1.3.4 and 3.14.4: when a will goes out, and as what.

namespace fleetarium::test {
namespace {

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

will bye(std::uint32_t delay = 0) {
    will out;
    out.topic = "will";
    out.payload = as_bytes_view("bye");
    out.delay_interval = delay;
    return out;
}

/// A broker with somebody who sees every will.
struct will_bench : broker_bench {
    explicit will_bench(const broker::broker_options& options = {},
                        broker::broker_hooks* hooks = nullptr)
        : broker_bench(options, hooks), watcher(connected({.client_id = "watcher"})) {
        subscribe(watcher, "#",
                  subscription_options{qos::exactly_once, false, true, retain_handling::send});
    }
    /// Takes the wills seen so far and counts them; fails if anything else was seen.
    int wills() {
        int count = 0;
        while (watcher.waiting() > 0) {
            CHECK(watcher.take_publish() == "will=bye");
            ++count;
        }
        return count;
    }
    peer& watcher;
};

// Whether it goes out

TEST_CASE("the will of an accepted CONNECT goes out when the network fails",
          "[v5/MQTT-3.1.2-7][v5/MQTT-3.1.2-8][v3/MQTT-3.1.2-8]") {
    const auto version = GENERATE(v3, v5);
    will_bench bench;
    peer& one = bench.connected({.version = version, .will = bye()});
    CHECK(bench.wills() == 0);
    one.cut();
    CHECK(bench.wills() == 1);
    CHECK(bench.core().metrics().wills_published == 1);
}

TEST_CASE("DISCONNECT 0x00 deletes the will",
          "[v5/MQTT-3.1.2-10][v3/MQTT-3.1.2-10][v5/MQTT-3.14.4-3][v3/MQTT-3.14.4-3]") {
    const auto version = GENERATE(v3, v5);
    const auto session_expiry = GENERATE(as<std::optional<std::uint32_t>>(), std::nullopt, 60);
    will_bench bench;
    peer& one = bench.connected({.version = version,
                                 .session_expiry = version == v5 ? session_expiry : std::nullopt,
                                 .will = bye()});
    one.send_hex("E0 00");
    bench.advance(1000s);
    CHECK(bench.wills() == 0);
}

TEST_CASE("DISCONNECT of another code lets the will go out, once",
          "[v5/MQTT-3.1.2-10][v5/MQTT-3.14.4-3]") {
    const auto code =
        GENERATE("04", "80", "81", "82", "83", "90", "93", "94", "95", "96", "97", "98", "99");
    const auto session_expiry = GENERATE(as<std::optional<std::uint32_t>>(), std::nullopt, 60);
    will_bench bench;
    peer& one = bench.connected({.session_expiry = session_expiry, .will = bye()});
    one.send_hex(std::string("E0 01 ") + code);
    CHECK(one.closed_silently());
    CHECK(bench.wills() == 1);
    bench.advance(1000s);
    bench.connected({.clean_start = false}).cut();
    CHECK(bench.wills() == 0);
}

TEST_CASE("a will goes out at most once", "[v5/MQTT-3.1.2-10][v3/MQTT-3.1.2-10]") {
    const auto version = GENERATE(v3, v5);
    will_bench bench;
    connect_with how{.version = version, .clean_start = false, .will = bye()};
    how.session_expiry = version == v5 ? std::optional(60u) : std::nullopt;
    bench.connected(how).cut();
    CHECK(bench.wills() == 1);
    how.will.reset();
    bench.connected(how).cut();  // resumed without a will
    how.clean_start = true;
    bench.connected(how).cut();
    bench.advance(1000s);
    CHECK(bench.wills() == 0);
}

TEST_CASE("a client without a will leaves none", "[v3/MQTT-3.1.2-12]") {
    const auto version = GENERATE(v3, v5);
    will_bench bench;
    bench.connected({.version = version}).cut();
    bench.advance(10s);
    CHECK(bench.wills() == 0);
}

TEST_CASE("the will goes out whenever the broker ends the connection", "[will]") {
    const auto version = GENERATE(v3, v5);
    using end = std::function<void(will_bench&, peer&)>;
    const auto how = GENERATE(table<std::string, end>(
        {{"a rule is broken", [](will_bench&, peer& one) { one.send_hex("C1 00"); }},
         {"a malformed DISCONNECT", [](will_bench&, peer& one) { one.send_hex("E1 00"); }},
         {"keep alive", [](will_bench& bench, peer&) { bench.advance(15s); }},
         {"the embedder",
          [](will_bench& bench, peer&) {
              REQUIRE(bench.core()
                          .disconnect("c", reason_code::administrative_action, bench.now())
                          .has_value());
              bench.drain();
          }},
         {"take-over",
          [](will_bench& bench, peer& one) { bench.connected({.version = one.version()}); }}}));
    CAPTURE(std::get<0>(how));
    will_bench bench;
    peer& one = bench.connected({.version = version, .keep_alive = 10, .will = bye()});
    std::get<1>(how)(bench, one);
    CHECK(one.closed());
    CHECK(bench.wills() == 1);
}

TEST_CASE("a refused CONNECT leaves no will", "[will]") {
    scripted_hooks hooks;
    hooks.on_authenticate = [](const broker::client_info& client, const connect&) {
        return client.client_id == "c" ? reason_code::not_authorized : reason_code::success;
    };
    will_bench bench({}, &hooks);
    CHECK(bench.connect({.will = bye()}).refused_with(reason_code::not_authorized));
    bench.advance(10s);
    CHECK(bench.wills() == 0);
}

// What goes out

TEST_CASE("a will without Will Retain is not stored, one with it is",
          "[v5/MQTT-3.1.2-14][v3/MQTT-3.1.2-16][v5/MQTT-3.1.2-15][v3/MQTT-3.1.2-17]") {
    const auto version = GENERATE(v3, v5);
    const auto retain = GENERATE(false, true);
    broker_bench bench;
    will last = bye();
    last.retain = retain;
    bench.connected({.version = version, .will = last}).cut();
    peer& late = bench.connected({.client_id = "late", .version = version});
    bench.subscribe(late, "will", qos::at_most_once);
    CHECK(late.take_publish() == (retain ? "will=bye retain" : ""));
}

TEST_CASE("a will goes out at its own QoS", "[will]") {
    const auto version = GENERATE(v3, v5);
    const auto [level, seen] = GENERATE(table<enum qos, std::string>({
        {qos::at_most_once, "will=bye"},
        {qos::at_least_once, "will=bye q1"},
        {qos::exactly_once, "will=bye q2"},
    }));
    will_bench bench;
    will last = bye();
    last.qos = level;
    bench.connected({.version = version, .will = last}).cut();
    CHECK(bench.watcher.take_publish() == seen);
}

TEST_CASE("the properties of a will are published with it, User Properties in their order",
          "[v5/MQTT-3.1.3-10]") {
    will_bench bench;
    will last = bye();
    const std::array<user_property, 3> pairs{{{"a", "1"}, {"b", "2"}, {"a", "3"}}};
    last.user_properties = user_properties(pairs);
    last.payload_format_indicator = 1;
    last.content_type = "text/plain";
    last.response_topic = "answers";
    const bytes correlation{0x00, 0xFF};
    last.correlation_data = correlation;
    last.message_expiry_interval = 100;
    last.delay_interval = 30;
    bench.connected({.session_expiry = 60, .will = last}).cut();
    bench.advance(30s);
    const auto seen = bench.watcher.take_as<publish>();
    std::vector<std::pair<std::string, std::string>> properties;
    seen.user_properties.for_each([&](const user_property& pair) {
        properties.emplace_back(std::string(pair.first), std::string(pair.second));
    });
    CHECK(properties ==
          std::vector<std::pair<std::string, std::string>>{{"a", "1"}, {"b", "2"}, {"a", "3"}});
    CHECK(seen.payload_format_indicator == 1);
    CHECK(seen.content_type == "text/plain");
    CHECK(seen.response_topic == "answers");
    CHECK(to_hex(seen.correlation_data.value()) == "00 FF");
    CHECK(seen.message_expiry_interval == 100);  // begins with the publication
}

TEST_CASE("No Local keeps a will from the client whose will it was", "[will]") {
    const auto no_local = GENERATE(false, true);
    broker_bench bench;
    will last = bye();
    last.qos = qos::at_least_once;
    peer& one = bench.connected({.session_expiry = 60, .will = last});
    bench.subscribe(
        one, "will",
        subscription_options{qos::at_least_once, no_local, false, retain_handling::send});
    one.cut();
    peer& again = bench.connected({.clean_start = false, .session_expiry = 60});
    CHECK(again.take_publish() == (no_local ? "" : "will=bye q1"));
}

// When it goes out: the table of section 3.1.2.5, 3.1.3.2.2 and 3.1.4

TEST_CASE("a will waits for its delay or the end of its session, whichever is first",
          "[v5/MQTT-3.1.2-8]") {
    const auto [delay, session_expiry, due] =
        GENERATE(table<std::uint32_t, std::uint32_t, int>({{5, 60, 5},
                                                           {60, 5, 5},
                                                           {5, 5, 5},
                                                           {5, 0, 0},
                                                           {0, 60, 0},
                                                           {5, 0xFFFF'FFFF, 5},
                                                           {7200, 86'400, 7200}}));
    CAPTURE(delay, session_expiry);
    will_bench bench;
    bench.connected({.session_expiry = session_expiry, .will = bye(delay)}).cut();
    if (due > 0) {
        CHECK(bench.wills() == 0);
        bench.advance(std::chrono::seconds(due) - 1ms);
        CHECK(bench.wills() == 0);
        bench.advance(1ms);
    }
    CHECK(bench.wills() == 1);
    bench.advance(24h * 2);
    CHECK(bench.wills() == 0);
}

TEST_CASE("a connection to the session before the delay is over cancels the will",
          "[v5/MQTT-3.1.3-9][v5/MQTT-3.1.2-8]") {
    const auto with_new_will = GENERATE(false, true);
    will_bench bench;
    bench.connected({.session_expiry = 60, .will = bye(5)}).cut();
    bench.advance(2s);
    connect_with again{.clean_start = false, .session_expiry = 60};
    if (with_new_will) {
        again.will = bye();
        again.will->payload = as_bytes_view("second");
    }
    peer& one = bench.connected(again);
    bench.advance(100s);
    CHECK(bench.wills() == 0);
    one.cut();
    CHECK(bench.watcher.take_publish() == (with_new_will ? "will=second" : ""));
    bench.advance(100s);
    CHECK(bench.wills() == 0);
}

TEST_CASE("a will whose delay is over goes out, though no timer has fired before the reconnect",
          "[v5/MQTT-3.1.2-8]") {
    will_bench bench;
    bench.connected({.session_expiry = 60, .will = bye(5)}).cut();
    bench.skip(5s);
    bench.connected({.clean_start = false, .session_expiry = 60});
    CHECK(bench.wills() == 1);
}

TEST_CASE("a connection with Clean Start ends the session and lets its will go out",
          "[v5/MQTT-3.1.2-8]") {
    will_bench bench;
    bench.connected({.session_expiry = 60, .will = bye(5)}).cut();
    bench.advance(2s);
    CHECK(bench.wills() == 0);
    bench.connected({.clean_start = true});
    CHECK(bench.wills() == 1);
}

TEST_CASE("a take-over cancels only a delayed will whose session goes on", "[v5/MQTT-3.1.3-9]") {
    const auto delay = GENERATE(0u, 5u);
    const auto session_expiry = GENERATE(0u, 60u);
    const auto clean_start = GENERATE(false, true);
    CAPTURE(delay, session_expiry, clean_start);
    will_bench bench;
    peer& old = bench.connected({.session_expiry = session_expiry, .will = bye(delay)});
    bench.connected({.clean_start = clean_start, .session_expiry = 60});
    CHECK(old.ended_with(reason_code::session_taken_over));
    const bool cancelled = delay > 0 && session_expiry > 0 && !clean_start;
    CHECK(bench.wills() == (cancelled ? 0 : 1));
    bench.advance(100s);
    CHECK(bench.wills() == 0);
}

TEST_CASE("each CONNECT replaces the will", "[will]") {
    const auto version = GENERATE(v3, v5);
    will_bench bench;
    connect_with how{.version = version, .clean_start = false, .will = bye()};
    how.session_expiry = version == v5 ? std::optional(60u) : std::nullopt;
    bench.connected(how).send_hex("E0 00");
    how.will->payload = as_bytes_view("two");
    bench.connected(how).cut();
    CHECK(bench.watcher.take_publish() == "will=two");
    CHECK(bench.watcher.waiting() == 0);
}

TEST_CASE("a CONNECT that cannot be answered leaves the waiting will and the session alone",
          "[will]") {
    will_bench bench;
    bench.connected({.session_expiry = 60, .will = bye(5)}).cut();
    bench.advance(2s);
    // No CONNACK fits into 4 bytes.
    peer& tiny =
        bench.connect({.clean_start = false, .session_expiry = 1, .maximum_packet_size = 4});
    CHECK(tiny.closed_silently());
    bench.advance(3s);
    CHECK(bench.wills() == 1);
    bench.advance(54s);
    CHECK(bench.core().find_session("c"));
    bench.advance(1s);
    CHECK_FALSE(bench.core().find_session("c"));
}

TEST_CASE("a shut-down lets wills go out as any end of a connection does", "[will]") {
    will_bench bench;
    bench.connected({.client_id = "now", .session_expiry = 60, .will = bye()});
    bench.connected({.client_id = "later", .session_expiry = 60, .will = bye(30)});
    bench.core().shut_down(bench.now());
    bench.drain();
    CHECK(bench.core().metrics().wills_published == 1);
    peer& back = bench.connected({.client_id = "back"});
    bench.subscribe(back, "will", qos::at_most_once);
    bench.advance(30s);
    CHECK(back.take_publish() == "will=bye");
}

// Whether it may

TEST_CASE("a will to a topic that clients may not publish to is refused", "[will]") {
    const auto [topic, code] = GENERATE(table<std::string, reason_code>({
        {"$SYS", reason_code::not_authorized},
        {"$SYS/broker/uptime", reason_code::not_authorized},
        {"$share/g/a", reason_code::topic_name_invalid},
        {"$other", reason_code::not_authorized},
        {"forbidden", reason_code::not_authorized},
    }));
    scripted_hooks hooks;
    hooks.on_authorize_publish = [](const broker::client_info&, const publish& message) {
        return message.topic != "forbidden";
    };
    broker::broker_options options;
    options.allow_dollar_topics = false;
    broker_bench bench(options, &hooks);
    will last = bye();
    last.topic = topic;
    CHECK(bench.connect({.will = last}).refused_with(code));
    CHECK(bench.core().session_count() == 0);
}

TEST_CASE("rights to a will are asked for once the client is known", "[will][auth]") {
    scripted_hooks hooks;
    bool authenticated = false;
    hooks.on_authenticate_enhanced = [&](const broker::client_info&, std::string_view,
                                         std::string_view data) -> broker::authentication_step {
        if (data.empty()) {
            return {broker::authentication_step::outcome::challenged, "?"};
        }
        authenticated = true;
        return {};
    };
    hooks.on_authorize_publish = [&](const broker::client_info& client, const publish& message) {
        CHECK(authenticated);
        CHECK(client.client_id == "auto-1");
        CHECK(client.user_name == "u");
        CHECK(message.topic == "will");
        CHECK(message.qos == qos::at_least_once);
        return true;
    };
    broker_bench bench({}, &hooks);
    will last = bye();
    last.qos = qos::at_least_once;
    peer& one = bench.connect(
        {.client_id = "", .will = last, .user_name = "u", .authentication_method = "M"});
    CHECK(one.take_as<auth>().code == reason_code::continue_authentication);
    one.send(auth{.code = reason_code::continue_authentication,
                  .authentication_method = "M",
                  .authentication_data = as_bytes_view("!")});
    CHECK(one.take_as<connack>().code == reason_code::success);
}

}  // namespace
}  // namespace fleetarium::test
