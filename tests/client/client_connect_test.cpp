#include <support/client_support.hpp>
#include <support/scripted_hooks.hpp>

#include <catch2/catch.hpp>

namespace fleetarium::test {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

connack refusing(reason_code code) {
    connack out;
    out.code = code;
    return out;
}

}  // namespace

TEST_CASE("a client connects, and says on what terms", "[client]") {
    const auto version = GENERATE(v3, v5);
    virtual_network network;
    memory_broker broker(network);
    client c(network, usual(version));
    connection_info info;
    bool done = false;
    c.async_connect([&](error_code why, connection_info got) {
        CHECK(!why);
        done = true;
        info = got;
    });
    CHECK(!done);  // never from inside the call
    network.settle();
    REQUIRE(done);
    CHECK(c.is_connected());
    CHECK(info.client_id == "c");
    CHECK(!info.session_present);
    CHECK(info.keep_alive == 60s);
    CHECK(info.receive_maximum == (version == v5 ? 1024 : 65'535));
    CHECK(broker.core().find_session("c"));

    outcome again;
    c.async_connect(note(again));
    network.settle();
    CHECK(again.done);
    CHECK(!again.why);
}

TEST_CASE("waits between attempts double up to their bound, and begin anew after a connection",
          "[client]") {
    virtual_network network;
    memory_broker broker(network);
    network.set_mood("broker", host_mood::refuses);
    event_log log;
    client_config config = usual();
    client c(network, log.listen(config));
    outcome connected;
    c.async_connect(note(connected));
    network.advance(30s);
    std::vector<duration> waits;
    for (const auto& one : log.disconnected) {
        CHECK(one.why == asio::error::connection_refused);
        CHECK(!one.was_connected);
        waits.push_back(one.next_attempt_in.value());
    }
    CHECK(waits == std::vector<duration>{1s, 2s, 4s, 8s, 8s, 8s});
    CHECK(!connected.done);

    network.set_mood("broker", host_mood::accepts);
    CHECK(network.run_until([&] { return connected.done; }, 8s));
    CHECK(!connected.why);
    network.advance(20s);  // it holds
    network.cut();
    CHECK(log.disconnected.back().was_connected);
    CHECK(log.disconnected.back().next_attempt_in == duration(1s));
    network.advance(1s);
    CHECK(c.is_connected());

    network.cut();  // it has not held for long
    CHECK(log.disconnected.back().next_attempt_in == duration(2s));
}

TEST_CASE("jitter shortens waits, and differs between clients but not between runs", "[client]") {
    const auto waits_of = [] {
        virtual_network network;
        std::vector<duration> waits;
        const auto add = [&](const disconnection_info& info) {
            waits.push_back(info.next_attempt_in.value());
        };
        client_config config("mqtt://nowhere");
        config.reconnect(backoff().first(1s).max(1s).jitter(0.5)).on_disconnected(add);
        client one(network, config);
        client two(network, config);
        one.start();
        two.start();
        network.settle();
        return waits;
    };
    const auto waits = waits_of();
    REQUIRE(waits.size() == 2);
    CHECK(waits[0] != waits[1]);
    for (const duration wait : waits) {
        CHECK(wait > 500ms);
        CHECK(wait <= 1s);
    }
    CHECK(waits == waits_of());
}

TEST_CASE("the wait for the next attempt can be cut short", "[client]") {
    virtual_network network;
    memory_broker broker(network);
    network.set_mood("broker", host_mood::refuses);
    client c(network, usual());
    c.start();
    network.advance(10s);
    const std::size_t before = network.attempts().size();
    network.set_mood("broker", host_mood::accepts);
    c.retry_now();
    network.settle();
    CHECK(network.attempts().size() == before + 1);
    CHECK(c.is_connected());
}

TEST_CASE("several servers are tried in turn without a wait between them", "[client]") {
    virtual_network network;
    memory_broker broker(network, {}, nullptr, "third");
    client c(network, client_config("mqtt://first")
                          .or_else("mqtt://second")
                          .or_else("mqtt://third")
                          .reconnect(steady()));
    c.start();
    network.settle();
    CHECK(c.is_connected());
    CHECK(c.connection().server.host == "third");
    REQUIRE(network.attempts().size() == 3);
    CHECK(network.attempts()[2].first == instant{});

    network.set_mood("third", host_mood::refuses);
    network.cut();
    network.advance(1s);  // the one that had answered, then the others
    REQUIRE(network.attempts().size() == 6);
    CHECK(network.attempts()[3].second == "third");
    CHECK(network.attempts()[4].second == "first");
}

TEST_CASE("a refusal that no other attempt mends stops the client, and is told", "[client]") {
    const auto code = GENERATE(reason_code::bad_user_name_or_password, reason_code::not_authorized,
                               reason_code::client_identifier_not_valid);
    const auto version = GENERATE(v3, v5);
    virtual_network network;
    scripted_hooks hooks;
    hooks.on_authenticate = [&](const auto&, const auto&) { return code; };
    memory_broker broker(network, {}, &hooks);
    event_log log;
    client_config config = usual(version);
    client c(network, log.listen(config));
    outcome connected;
    outcome run;
    outcome published;
    c.async_run(note(run));
    c.async_connect(note(connected));
    c.async_publish("a", "b", qos::at_least_once, note(published));
    network.advance(1h);
    CHECK(network.attempts().size() == 1);
    CHECK(connected.why == code);
    CHECK(run.why == code);
    CHECK(published.why == code);
    REQUIRE(log.disconnected.size() == 1);
    CHECK(!log.disconnected[0].next_attempt_in);
    CHECK(c.publish("a", "b").error() == code);
    CHECK(connected.why.message().find("(0x") != std::string::npos);

    hooks.on_authenticate = nullptr;  // somebody has put that right
    outcome again;
    c.async_connect(note(again));
    network.settle();
    CHECK(again.done);
    CHECK(!again.why);
}

TEST_CASE("a refusal that may mend is tried again", "[client]") {
    virtual_network network;
    scripted_hooks hooks;
    int refusals = 2;
    hooks.on_authenticate = [&](const auto&, const auto&) {
        return refusals-- > 0 ? reason_code::server_busy : reason_code::success;
    };
    memory_broker broker(network, {}, &hooks);
    client c(network, usual());
    outcome connected;
    c.async_connect(note(connected));
    network.advance(3s);
    CHECK(connected.done);
    CHECK(!connected.why);
    CHECK(network.attempts().size() == 3);
}

TEST_CASE("a final refusal by one of two servers leaves the other", "[client]") {
    virtual_network network;
    scripted_hooks hooks;
    hooks.on_authenticate = [](const auto&, const auto&) { return reason_code::banned; };
    memory_broker strict(network, {}, &hooks, "strict");
    memory_broker kind(network, {}, nullptr, "kind");
    client c(network, client_config("mqtt://strict").or_else("mqtt://kind"));
    c.start();
    network.settle();
    CHECK(c.connection().server.host == "kind");
}

TEST_CASE("attempts can be bounded; the error is that of the last", "[client]") {
    virtual_network network;
    client c(network, client_config("mqtt://nowhere").reconnect(steady().attempts(3)));
    outcome connected;
    c.async_connect(note(connected));
    network.advance(1h);
    CHECK(connected.why == asio::error::host_not_found);
    CHECK(network.attempts().size() == 3);
}

TEST_CASE("a server that does not answer costs no more than the time to connect", "[client]") {
    virtual_network network;
    scripted_server server(network);
    const bool opens = GENERATE(false, true);
    if (!opens) {
        network.set_mood("broker", host_mood::is_silent);
    }
    event_log log;
    client_config config = usual().connect_timeout(5s);
    client c(network, log.listen(config));
    c.start();
    network.advance(4900ms);
    CHECK(log.disconnected.empty());
    network.advance(200ms);
    REQUIRE(log.disconnected.size() == 1);
    CHECK(log.disconnected[0].why == error::timed_out);
    CHECK(log.disconnected[0].reason.empty() == false);
    network.advance(1s);
    CHECK(network.attempts().size() == 2);
}

TEST_CASE("a connection that has gone dead is noticed by keep alive", "[client]") {
    virtual_network network;
    memory_broker broker(network);
    event_log log;
    client_config config = usual().keep_alive(30s).response_timeout(5s);
    client c(network, log.listen(config));
    c.start();
    network.advance(10min);
    CHECK(log.disconnected.empty());
    network.fall_silent();
    network.advance(36s);
    REQUIRE(log.disconnected.size() == 1);
    CHECK(log.disconnected[0].why == error::timed_out);
    network.advance(1s);
    CHECK(c.is_connected());
    CHECK(c.connection().session_present);
}

TEST_CASE("a session is resumed after a break, and ends with the farewell", "[client]") {
    virtual_network network;
    memory_broker broker(network);
    client c(network, usual());
    c.start();
    network.settle();
    network.cut();
    network.advance(1s);
    CHECK(c.connection().session_present);

    outcome left;
    c.async_disconnect(note(left));
    network.settle();
    CHECK(left.done);
    CHECK(!left.why);
    CHECK(!broker.core().find_session("c"));
    CHECK(network.open_links() == 0);
    network.advance(1h);
    CHECK(network.attempts().size() == 2);

    outcome back;
    c.async_connect(note(back));
    network.settle();
    CHECK(back.done);
    CHECK(!c.connection().session_present);
}

TEST_CASE("a session that is to be kept outlives the farewell", "[client]") {
    const auto version = GENERATE(v3, v5);
    virtual_network network;
    memory_broker broker(network);
    client_config config = usual(version).clean_start(false);
    {
        client c(network, config);
        c.start();
        network.settle();
        outcome left;
        c.async_disconnect(note(left));
        network.settle();
        CHECK(left.done);
        CHECK(broker.core().find_session("c"));
    }
    client c(network, config);
    c.start();
    network.settle();
    CHECK(c.is_connected());
    CHECK(c.connection().session_present);
}

TEST_CASE("an id that the server has assigned is kept for the next connection", "[client]") {
    virtual_network network;
    memory_broker broker(network);
    client c(network, client_config("mqtt://broker").reconnect(steady()));
    c.start();
    network.settle();
    const std::string id = c.connection().client_id;
    CHECK(!id.empty());
    network.cut();
    network.advance(1s);
    CHECK(c.connection().client_id == id);
    CHECK(c.connection().session_present);
}

TEST_CASE("a server can send the client elsewhere, if it is to follow", "[client]") {
    virtual_network network;
    scripted_server server(network, "old");
    const auto code = GENERATE(reason_code::use_another_server, reason_code::server_moved);
    server.on_packet = [&](scripted_server::session& from, const packet& in) {
        if (std::holds_alternative<connect>(in)) {
            connack out = refusing(code);
            out.server_reference = "gone:1234 new";
            from.send(out);
            from.close();
        }
    };
    memory_broker broker(network, {}, nullptr, "new");
    client_config config("mqtt://old");
    config.reconnect(steady());

    SECTION("it is not: another server is a failure like others, a move is final") {
        client c(network, config);
        outcome connected;
        c.async_connect(note(connected));
        network.advance(1s);
        CHECK(connected.done == (code == reason_code::server_moved));
        if (connected.done) {
            CHECK(connected.why == reason_code::server_moved);
        }
        CHECK(network.attempts().back().second == "old");
    }
    SECTION("it is: the first one named is tried at once") {
        client c(network, config.follow_server_reference(true));
        c.start();
        network.settle();
        REQUIRE(network.attempts().size() >= 2);
        CHECK(network.attempts()[1].second == "gone");
        network.advance(2s);
        // After a move those named are the servers; else the client comes back to its own.
        CHECK(c.is_connected() == (code == reason_code::server_moved));
    }
}

TEST_CASE("servers that send the client round in circles are not followed without a wait",
          "[client]") {
    virtual_network network;
    scripted_server one(network, "one");
    scripted_server two(network, "two");
    const auto sends_to = [](const char* where) {
        return [where](scripted_server::session& from, const packet& in) {
            if (std::holds_alternative<connect>(in)) {
                connack out = refusing(reason_code::use_another_server);
                out.server_reference = where;
                from.send(out);
                from.close();
            }
        };
    };
    one.on_packet = sends_to("two");
    two.on_packet = sends_to("one");
    client c(network,
             client_config("mqtt://one").reconnect(steady()).follow_server_reference(true));
    c.start();
    network.settle();
    CHECK(network.attempts().size() < 10);
}

TEST_CASE("the server's reason to disconnect is told", "[client]") {
    virtual_network network;
    memory_broker broker(network);
    event_log log;
    client_config config = usual();
    client c(network, log.listen(config));
    c.start();
    network.settle();
    broker.disconnect("c", reason_code::administrative_action);
    network.settle();
    REQUIRE(log.disconnected.size() == 1);
    CHECK(log.disconnected[0].why == reason_code::administrative_action);
    CHECK(log.disconnected[0].was_connected);
    network.advance(1s);
    CHECK(c.is_connected());
}

TEST_CASE("a server that breaks a rule is told so, and left", "[client]") {
    virtual_network network;
    scripted_server server(network);
    std::optional<reason_code> told;
    server.on_packet = [&](scripted_server::session& from, const packet& in) {
        if (std::holds_alternative<connect>(in)) {
            from.send(connack{});
            from.send_hex("20 03 00 00 00");  // a second CONNACK
        } else if (const auto* farewell = std::get_if<disconnect>(&in)) {
            told = farewell->code;
        }
    };
    event_log log;
    client_config config = usual();
    client c(network, log.listen(config));
    c.start();
    network.settle();
    CHECK(told == reason_code::protocol_error);
    REQUIRE(log.disconnected.size() == 1);
    CHECK(log.disconnected[0].why == reason_code::protocol_error);
    CHECK(log.disconnected[0].reason == "the server broke a rule: a second CONNACK");
}

TEST_CASE("a will is published when the client goes without a farewell, or by its wish",
          "[client]") {
    const auto version = GENERATE(v3, v5);
    virtual_network network;
    memory_broker broker(network);
    client_config config = usual(version);
    config.will(last_will("gone", "c", publish_options(qos::at_least_once).retain()));
    const auto wills = [&] { return broker.core().retained().size(); };

    SECTION("with a farewell it is not") {
        client c(network, config);
        c.start();
        network.settle();
        outcome left;
        c.async_disconnect(note(left));
        network.settle();
        CHECK(left.done);
        CHECK(wills() == 0);
    }
    SECTION("destroyed") {
        {
            client c(network, config);
            c.start();
            network.settle();
        }
        network.settle();
        CHECK(wills() == 1);
    }
    SECTION("wished for") {
        client c(network, config);
        c.start();
        network.settle();
        outcome left;
        c.async_disconnect(disconnect_options().with_will(), note(left));
        network.settle();
        CHECK(left.done);
        if (version == v5) {
            CHECK(wills() == 1);
        } else {
            CHECK(left.why == error::not_in_this_version);
            CHECK(c.is_connected());
        }
    }
}

TEST_CASE("a client can leave while it is connecting or waiting to", "[client]") {
    virtual_network network;
    scripted_server server(network);  // never sends CONNACK
    const int when = GENERATE(0, 1, 2, 3);
    if (when == 1) {
        network.set_mood("broker", host_mood::is_silent);
    } else if (when == 2) {
        network.set_mood("broker", host_mood::refuses);
    }
    client c(network, usual());
    outcome connected;
    outcome run;
    if (when != 0) {
        c.async_connect(note(connected));
        c.async_run(note(run));
        network.settle();
    }
    outcome left;
    c.async_disconnect(note(left));
    network.settle();
    CHECK(left.done);
    CHECK(!left.why);
    CHECK(connected.done == (when != 0));
    if (when != 0) {
        CHECK(connected.why == asio::error::operation_aborted);
        CHECK(run.done);
        CHECK(!run.why);
    }
    network.advance(1h);
    CHECK(network.attempts().size() == (when == 0 ? 0 : 1));
}

TEST_CASE("a farewell that nobody takes is over in time", "[client]") {
    virtual_network network;
    memory_broker broker(network);
    client c(network, usual().response_timeout(5s));
    c.start();
    network.settle();
    network.fall_silent();
    outcome left;
    c.async_disconnect(note(left));
    network.advance(4s);
    CHECK(!left.done);
    network.advance(1s);
    CHECK(left.done);
}

TEST_CASE("events may call the client, and destroy it", "[client]") {
    virtual_network network;
    memory_broker broker(network);
    std::optional<client> c;
    client_config config = usual();
    SECTION("call it") {
        bool published = false;
        config.on_connected(
            [&](const connection_info&) { published = c->publish("a", "b").has_value(); });
        c.emplace(network, config);
        c->start();
        network.settle();
        CHECK(published);
        CHECK(broker.core().metrics().publish_received[0] == 1);
    }
    SECTION("destroy it") {
        config.on_connected([&](const connection_info&) { c.reset(); });
        c.emplace(network, config);
        c->start();
        network.settle();
        CHECK(!c);
        CHECK(network.open_links() == 0);
    }
}

TEST_CASE("a client tells what it does in words", "[client]") {
    virtual_network network;
    memory_broker broker(network);
    std::vector<std::string> lines;
    client c(network,
             usual().log([&](log_severity, std::string_view line) { lines.emplace_back(line); }));
    c.start();
    network.settle();
    network.cut();
    CHECK(lines == std::vector<std::string>{
                       "connecting to mqtt://broker:1883",
                       "connected to mqtt://broker:1883, new session",
                       "disconnected from mqtt://broker:1883: Connection reset by peer; next "
                       "attempt in 1.0 s"});
}

TEST_CASE("a configuration that cannot work is refused with what to do", "[client]") {
    virtual_network network;
    CHECK_THROWS_WITH(client_config("broker"), Catch::Contains("expected mqtt://HOST:PORT"));
    CHECK_THROWS_WITH(client_config("mqtt://broker:0"), Catch::Contains("port 0"));
    CHECK_THROWS_WITH(client_config("mqtt://b").keep_alive(70'000s),
                      "the keep alive is 70000 s; expected 0 (off) to 65,535");
    CHECK_THROWS_WITH(backoff().jitter(1.5), Catch::Contains("expected 0 to 1"));
    CHECK_THROWS_WITH(client(network, usual(v3).user_property("a", "b")),
                      "a user property is not part of MQTT 3.1.1; use version 5 or leave it out");
    CHECK_THROWS_WITH(client(network, client_config("mqtt://b").version(v3).clean_start(false)),
                      "a session that is to be kept needs a client id in MQTT 3.1.1");
    CHECK_THROWS_WITH(client(network, usual().will(last_will("a/#", "b"))),
                      Catch::Contains("the will's topic a topic name without wildcards"));
    CHECK_THROWS_WITH(client_config("mqtt://b").response_topic("a/+"),
                      Catch::Contains("cannot be a response topic"));
}

}  // namespace fleetarium::test
