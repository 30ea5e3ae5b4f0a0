#include <support/broker_bench.hpp>
#include <support/scripted_hooks.hpp>

#include <catch2/catch.hpp>

// Sections 3.15 and 4.12: AUTH and enhanced authentication, as the broker leads it.

namespace fleetarium::test {
namespace {

using step = broker::authentication_step;

/// Method "M": "proof" is enough, "wrong" fails, anything else is challenged.
struct method_hooks : scripted_hooks {
    method_hooks() {
        on_authenticate_enhanced = [this](const broker::client_info& client,
                                          std::string_view method, std::string_view data) -> step {
            asked.push_back(std::string(client.client_id) + " " + std::string(data));
            if (method != "M") {
                return {step::outcome::failed, {}, reason_code::bad_authentication_method};
            }
            if (data == "proof") {
                return {step::outcome::succeeded, "welcome"};
            }
            if (data == "wrong") {
                return {step::outcome::failed, {}, failure};
            }
            return {step::outcome::challenged, "challenge"};
        };
    }
    std::vector<std::string> asked;
    reason_code failure = reason_code::not_authorized;
};

auth answer(std::string_view data, reason_code code = reason_code::continue_authentication) {
    return {.code = code, .authentication_method = "M", .authentication_data = as_bytes_view(data)};
}

connect_with with_method(std::string_view method = "M") {
    connect_with out;
    out.authentication_method = method;
    return out;
}

/// A client accepted after one challenge.
peer& authenticated(broker_bench& bench, connect_with how = with_method()) {
    peer& one = bench.connect(how);
    one.take_as<auth>();
    one.send(answer("proof"));
    if (one.take_as<connack>().code != reason_code::success) {
        throw std::runtime_error("not accepted");
    }
    return one;
}

// Before CONNACK

TEST_CASE("a method that nobody knows is refused", "[v5/MQTT-4.12.0-1]") {
    broker_bench default_hooks;
    CHECK(default_hooks.connect(with_method("X-NONE"))
              .refused_with(reason_code::bad_authentication_method));
    method_hooks hooks;
    broker_bench bench({}, &hooks);
    CHECK(
        bench.connect(with_method("X-NONE")).refused_with(reason_code::bad_authentication_method));
    CHECK(bench.core().session_count() == 0);
}

TEST_CASE("the broker asks for more with AUTH 0x18, and every packet repeats the method",
          "[v5/MQTT-4.12.0-2][v5/MQTT-4.12.0-5]") {
    method_hooks hooks;
    broker_bench bench({}, &hooks);
    connect_with how = with_method();
    how.authentication_data = "hello";
    peer& one = bench.connect(how);
    for (int round = 0; round < 3; ++round) {
        const auto challenge = one.take_as<auth>();
        CHECK(challenge.code == reason_code::continue_authentication);
        CHECK(challenge.authentication_method == "M");
        CHECK(as_text(challenge.authentication_data.value()) == "challenge");
        one.send(answer(round < 2 ? "more" : "proof"));
    }
    const auto accepted = one.take_as<connack>();
    CHECK(accepted.code == reason_code::success);
    CHECK(accepted.authentication_method == "M");
    CHECK(as_text(accepted.authentication_data.value()) == "welcome");
    CHECK(hooks.asked == std::vector<std::string>{"c hello", "c more", "c more", "c proof"});
    CHECK(one.is_served());
}

TEST_CASE("a proof with CONNECT itself needs no AUTH", "[auth]") {
    method_hooks hooks;
    broker_bench bench({}, &hooks);
    connect_with how = with_method();
    how.authentication_data = "proof";
    CHECK(bench.connect(how).take_as<connack>().authentication_method == "M");
}

TEST_CASE("all of CONNECT is in force after an exchange", "[auth]") {
    method_hooks hooks;
    broker_bench bench({}, &hooks);
    peer& watcher = authenticated(bench);
    bench.subscribe(watcher, "will", qos::at_most_once);
    connect_with how = with_method();
    how.client_id = "other";
    how.keep_alive = 10;
    how.session_expiry = 60;
    how.receive_maximum = 1;
    how.will.emplace();
    how.will->topic = "will";
    how.will->payload = as_bytes_view("bye");
    peer& one = authenticated(bench, how);
    bench.subscribe(one, "t", qos::at_least_once);
    bench.publish(watcher, "t", "1", qos::at_least_once, 1);
    bench.publish(watcher, "t", "2", qos::at_least_once, 2);
    watcher.discard();
    CHECK(one.take_publish() == "t=1 q1");
    CHECK(one.waiting() == 0);
    bench.advance(15s);
    CHECK(one.ended_with(reason_code::keep_alive_timeout));
    CHECK(watcher.take_publish() == "will=bye");
    CHECK(bench.core().find_session("other"));
    bench.advance(60s);
    CHECK_FALSE(bench.core().find_session("other"));
}

TEST_CASE("the broker can refuse at any step", "[v5/MQTT-4.12.0-4]") {
    const auto rounds = GENERATE(0, 1, 3);
    const auto code = GENERATE(reason_code::not_authorized, reason_code::bad_user_name_or_password,
                               reason_code::banned);
    method_hooks hooks;
    hooks.failure = code;
    broker_bench bench({}, &hooks);
    connect_with how = with_method();
    how.authentication_data = rounds == 0 ? "wrong" : "hello";
    peer& one = bench.connect(how);
    for (int round = 0; round < rounds; ++round) {
        one.take_as<auth>();
        one.send(answer(round + 1 < rounds ? "more" : "wrong"));
    }
    CHECK(one.refused_with(code));
    CHECK(bench.core().session_count() == 0);
}

TEST_CASE("between CONNECT and CONNACK only AUTH and DISCONNECT are legal", "[auth]") {
    const auto packet = GENERATE("C0 00", "30 04 00 01 61 00", "82 07 00 01 00 00 01 61 00",
                                 "10 0E 00 04 4D 51 54 54 05 02 00 3C 00 00 01 61", "40 02 00 01");
    method_hooks hooks;
    broker_bench bench({}, &hooks);
    peer& one = bench.connect(with_method());
    one.take_as<auth>();
    one.send_hex(packet);
    CHECK(one.refused_with(reason_code::protocol_error));
    CHECK(bench.core().session_count() == 0);

    peer& leaves = bench.connect(with_method());
    leaves.take_as<auth>();
    leaves.send(disconnect{});
    CHECK(leaves.closed_silently());
}

TEST_CASE("an exchange that the client does not go on with is closed in time", "[auth]") {
    method_hooks hooks;
    broker_bench bench({}, &hooks);
    peer& one = bench.connect(with_method());
    one.take_as<auth>();
    bench.advance(9s);
    one.send(answer("more"));
    one.take_as<auth>();
    bench.advance(10s - 1ms);
    CHECK_FALSE(one.closed());
    bench.advance(1ms);
    CHECK(one.closed_silently());  // no code of CONNACK says so
    CHECK(bench.core().metrics().connect_timeouts == 1);
}

TEST_CASE("an exchange takes no session over before it has succeeded", "[auth]") {
    method_hooks hooks;
    broker_bench bench({}, &hooks);
    peer& holder = bench.connected({.client_id = "c", .session_expiry = 60});
    peer& rival = bench.connect(with_method());
    rival.take_as<auth>();
    CHECK(holder.is_served());
    rival.send(answer("wrong"));
    CHECK(rival.refused_with(reason_code::not_authorized));
    CHECK(holder.is_served());
    authenticated(bench);
    CHECK(holder.ended_with(reason_code::session_taken_over));
}

TEST_CASE("without a method in CONNECT there is no AUTH and none in CONNACK",
          "[v5/MQTT-4.12.0-6]") {
    method_hooks hooks;
    broker_bench bench({}, &hooks);
    peer& one = bench.connect();
    const auto accepted = one.take_as<connack>();
    CHECK_FALSE(accepted.authentication_method);
    CHECK_FALSE(accepted.authentication_data);
    CHECK(one.is_served());
    CHECK(hooks.asked.empty());
}

// AUTH that does not fit

TEST_CASE("AUTH after a CONNECT without a method is a protocol error", "[v5/MQTT-4.12.0-7]") {
    const auto code = GENERATE(reason_code::continue_authentication, reason_code::re_authenticate);
    method_hooks hooks;
    broker_bench bench({}, &hooks);
    peer& one = bench.connected();
    one.send(answer("proof", code));
    CHECK(one.ended_with(reason_code::protocol_error));
    CHECK(hooks.asked.empty());
}

TEST_CASE("AUTH of another method than that of CONNECT ends the connection",
          "[v5/MQTT-4.12.0-5][v5/MQTT-4.12.1-1]") {
    const auto method = GENERATE(as<std::optional<std::string_view>>(), "N", std::nullopt);
    method_hooks hooks;
    broker_bench bench({}, &hooks);
    auth other = answer("proof");
    other.authentication_method = method;
    if (!method) {
        other.authentication_data.reset();
    }
    peer& before = bench.connect(with_method());
    before.take_as<auth>();
    before.send(other);
    CHECK(before.refused_with(reason_code::protocol_error));

    peer& after = authenticated(bench);
    other.code = reason_code::re_authenticate;
    after.send(other);
    CHECK(after.ended_with(reason_code::protocol_error));
}

TEST_CASE("AUTH with flags is malformed", "[v5/MQTT-3.15.1-1]") {
    const auto first = GENERATE("F1", "F2", "F4", "F8");
    method_hooks hooks;
    broker_bench bench({}, &hooks);
    peer& one = authenticated(bench);
    one.send_hex(std::string(first) + " 06 19 04 15 00 01 4D");
    CHECK(one.ended_with(reason_code::malformed_packet));
}

TEST_CASE("AUTH from a client holds 0x18 or 0x19, each where it belongs", "[v5/MQTT-3.15.2-1]") {
    method_hooks hooks;
    broker_bench bench({}, &hooks);
    // Not a code of AUTH, or the server's.
    for (const int code : {0x00, 0x01, 0x17, 0x1A, 0x80, 0x87}) {
        peer& one = authenticated(bench);
        one.send(answer("proof", static_cast<reason_code>(code)));
        CHECK(one.ended_with(reason_code::protocol_error));
    }
    // Nothing to go on with.
    peer& idle = authenticated(bench);
    idle.send(answer("proof"));
    CHECK(idle.ended_with(reason_code::protocol_error));
    // Begun already.
    peer& busy = authenticated(bench);
    busy.send(answer("more", reason_code::re_authenticate));
    CHECK(busy.take_as<auth>().code == reason_code::continue_authentication);
    busy.send(answer("more", reason_code::re_authenticate));
    CHECK(busy.ended_with(reason_code::protocol_error));
    // Before CONNACK.
    peer& early = bench.connect(with_method());
    early.take_as<auth>();
    early.send(answer("proof", reason_code::re_authenticate));
    CHECK(early.refused_with(reason_code::protocol_error));
}

TEST_CASE("3.1.1 has no AUTH", "[auth]") {
    broker_bench bench;
    peer& one = bench.connected({.version = protocol_version::v3_1_1});
    one.send_hex("F0 00");
    CHECK(one.closed_silently());
}

// Re-authentication

TEST_CASE("a client that used a method may authenticate again at any time", "[v5/MQTT-4.12.1-1]") {
    const auto challenges = GENERATE(0, 1, 3);
    method_hooks hooks;
    broker_bench bench({}, &hooks);
    peer& one = authenticated(bench);
    bench.subscribe(one, "t", qos::at_most_once);
    for (int time = 0; time < 2; ++time) {
        one.send(answer(challenges == 0 ? "proof" : "more", reason_code::re_authenticate));
        for (int round = 0; round < challenges; ++round) {
            const auto challenge = one.take_as<auth>();
            CHECK(challenge.code == reason_code::continue_authentication);
            CHECK(challenge.authentication_method == "M");
            // Other traffic goes on.
            bench.publish(one, "t", "x");
            CHECK(one.take_publish() == "t=x");
            one.send(answer(round + 1 < challenges ? "more" : "proof"));
        }
        const auto done = one.take_as<auth>();
        CHECK(done.code == reason_code::success);
        CHECK(done.authentication_method == "M");
        CHECK(as_text(done.authentication_data.value()) == "welcome");
    }
    CHECK(one.is_served());
}

TEST_CASE("the broker ends the connection of a client whose re-authentication fails",
          "[v5/MQTT-4.12.1-2]") {
    const auto [failure, code] = GENERATE(table<reason_code, reason_code>({
        {reason_code::not_authorized, reason_code::not_authorized},
        {reason_code::quota_exceeded, reason_code::quota_exceeded},
        // Codes of CONNACK alone
        {reason_code::bad_authentication_method, reason_code::not_authorized},
        {reason_code::bad_user_name_or_password, reason_code::not_authorized},
        {reason_code::banned, reason_code::not_authorized},
        {reason_code::success, reason_code::not_authorized},
    }));
    method_hooks hooks;
    hooks.failure = failure;
    broker_bench bench({}, &hooks);
    connect_with how = with_method();
    how.will.emplace();
    how.will->topic = "will";
    peer& watcher = bench.connected({.client_id = "w"});
    bench.subscribe(watcher, "will", qos::at_most_once);
    peer& one = authenticated(bench, how);
    one.send(answer("wrong", reason_code::re_authenticate));
    CHECK(one.ended_with(code));
    CHECK(watcher.take_publish() == "will=");
}

}  // namespace
}  // namespace fleetarium::test
