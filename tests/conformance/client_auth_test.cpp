#include <support/client_bench.hpp>

#include <catch2/catch.hpp>

// Sections 3.15 and 4.12: enhanced authentication as a client takes part in it.

namespace fleetarium::test {
namespace {

connect with_method(const client_bench& bench) {
    connect request = bench.usual();
    request.authentication_method = "M";
    return request;
}

auth answer_of(std::string_view method, reason_code code = reason_code::continue_authentication) {
    auth out;
    out.code = code;
    out.authentication_method = method;
    return out;
}

constexpr auto challenge = "F0 0B 18 09 15 00 01 4D 16 00 02 01 02";
constexpr auto accepted = "20 07 00 00 04 15 00 01 4D";

TEST_CASE("between a CONNECT with a method and CONNACK a client sends AUTH and DISCONNECT only",
          "[v5/MQTT-3.1.2-30]") {
    client_bench bench;
    REQUIRE(bench.publish("a", "", qos::at_least_once));
    connect request = with_method(bench);
    request.keep_alive = 1;
    bench.open(request);
    CHECK(bench.publish("a", "").error() == error::not_connected);
    CHECK(bench.publish("a", "", qos::at_least_once));
    CHECK(bench.subscribe("a").error() == error::not_connected);
    CHECK(bench.unsubscribe("a").error() == error::not_connected);
    CHECK(bench.session().ping(bench.now()).error() == error::not_connected);
    bench.advance(5s);
    CHECK(bench.take().empty());
    SECTION("AUTH") {
        bench.receive(challenge);
        REQUIRE(bench.session().authenticate(answer_of("M"), bench.now()));
        CHECK(bench.take() == "F0 06 18 04 15 00 01 4D");
        CHECK(bench.take().empty());
        bench.receive(accepted);
        CHECK(bench.take_all().size() == 2);  // what waited
    }
    SECTION("DISCONNECT") {
        REQUIRE(bench.session().disconnect({}, bench.now()));
        CHECK(bench.take() == "E0 00");
        CHECK(bench.session().should_close());
    }
}

TEST_CASE("a client answers AUTH with code 0x18 and the method of CONNECT",
          "[v5/MQTT-4.12.0-3][v5/MQTT-4.12.0-5]") {
    client_bench bench;
    connect request = with_method(bench);
    request.authentication_data = as_bytes_view("1");
    REQUIRE(bench.session().connect(request, bench.now()));
    CHECK_THAT(bench.take(), Catch::Contains("15 00 01 4D 16 00 01 31"));
    for (int round = 0; round < 3; ++round) {
        bench.receive(challenge);
        REQUIRE(bench.last<auth>() != nullptr);
        REQUIRE(bench.last<auth>()->authentication_data);
        CHECK(to_hex(*bench.last<auth>()->authentication_data) == "01 02");
        CHECK(bench.session().authenticate(answer_of("N"), bench.now()).error() ==
              error::invalid_argument);
        for (const auto code :
             {reason_code::success, reason_code::re_authenticate, reason_code::not_authorized}) {
            CHECK(bench.session().authenticate(answer_of("M", code), bench.now()).error() ==
                  error::invalid_argument);
        }
        CHECK(bench.take().empty());
        auth reply = answer_of("M");
        reply.authentication_data = as_bytes_view("2");
        REQUIRE(bench.session().authenticate(reply, bench.now()));
        CHECK(bench.take() == "F0 0A 18 08 15 00 01 4D 16 00 01 32");
    }
    bench.receive(accepted);
    CHECK(bench.session().is_connected());
}

TEST_CASE("another method than that of CONNECT, or none, ends the connection",
          "[v5/MQTT-4.12.0-5]") {
    client_bench bench;
    bench.open(with_method(bench));
    SECTION("in AUTH") { bench.receive("F0 06 18 04 15 00 01 4E"); }
    SECTION("AUTH without a method") { bench.receive("F0 02 18 00"); }
    SECTION("in CONNACK") { bench.receive("20 07 00 00 04 15 00 01 4E"); }
    SECTION("CONNACK without a method") { bench.receive("20 03 00 00 00"); }
    SECTION("CONNACK with a method where CONNECT had none") {
        bench.cut();
        bench.open().receive(accepted);
    }
    CHECK(bench.violations.back() == violation::authentication_method_changed);
    CHECK(bench.closed_silently());
}

TEST_CASE("a refusal needs no method", "[v5/MQTT-4.12.0-5]") {
    client_bench bench;
    bench.open(with_method(bench)).receive("20 03 00 8C 00");
    REQUIRE(bench.last<connack>() != nullptr);
    CHECK(bench.last<connack>()->code == reason_code::bad_authentication_method);
    CHECK(bench.violations.empty());
    CHECK(bench.session().should_close());
}

TEST_CASE("without a method in CONNECT a client sends no AUTH and takes none",
          "[v5/MQTT-4.12.0-7]") {
    client_bench bench;
    SECTION("before CONNACK") {
        bench.open();
        CHECK(bench.session().authenticate(answer_of("M"), bench.now()).error() ==
              error::invalid_argument);
        bench.receive(challenge);
        CHECK(bench.closed_silently());
    }
    SECTION("after") {
        bench.connected();
        for (const auto code :
             {reason_code::continue_authentication, reason_code::re_authenticate}) {
            CHECK(bench.session().authenticate(answer_of("M", code), bench.now()).error() ==
                  error::invalid_argument);
        }
        bench.receive(challenge);
        CHECK(bench.violations.back() == violation::authentication_not_begun);
        CHECK(bench.ended_with(reason_code::protocol_error));
    }
    SECTION("in 3.1.1 there is none") {
        client_bench older(protocol_version::v3_1_1);
        older.connected();
        CHECK(older.session().authenticate(answer_of("M"), older.now()).error() ==
              error::not_in_this_version);
        older.receive("F0 00");
        CHECK(older.closed_silently());
    }
}

TEST_CASE("a client authenticates again with the same method, other traffic going on",
          "[v5/MQTT-4.12.1-1]") {
    client_bench bench;
    bench.connected(with_method(bench), accepted);
    const auto again = [&](std::string_view method) {
        return bench.session().authenticate(answer_of(method, reason_code::re_authenticate),
                                            bench.now());
    };
    CHECK(again("N").error() == error::invalid_argument);
    CHECK(bench.session().authenticate(answer_of("M"), bench.now()).error() ==
          error::invalid_argument);
    CHECK(bench.take().empty());
    REQUIRE(again("M"));
    CHECK(bench.take() == "F0 06 19 04 15 00 01 4D");
    CHECK(again("M").error() == error::invalid_argument);  // one at a time
    REQUIRE(bench.publish("a", ""));
    CHECK(bench.take().substr(0, 2) == "30");

    bench.receive(challenge);
    REQUIRE(bench.session().authenticate(answer_of("M"), bench.now()));
    CHECK(bench.take() == "F0 06 18 04 15 00 01 4D");
    // The end, in its long and in its short form.
    bench.receive(GENERATE("F0 06 00 04 15 00 01 4D", "F0 00"));
    CHECK(bench.violations.empty());
    CHECK(bench.last<auth>()->code == reason_code::success);
    CHECK(again("M"));
}

TEST_CASE("a client takes AUTH with the codes of a server, in their order, and no other",
          "[v5/MQTT-3.15.2-1]") {
    client_bench bench;
    SECTION("success before CONNACK") {
        bench.open(with_method(bench)).receive("F0 06 00 04 15 00 01 4D");
        CHECK(bench.violations.back() == violation::authentication_out_of_order);
        CHECK(bench.closed_silently());
    }
    SECTION("a challenge that answers nothing") {
        bench.connected(with_method(bench), accepted).receive(challenge);
        CHECK(bench.ended_with(reason_code::protocol_error));
    }
    SECTION("re-authenticate is the client's") {
        bench.connected(with_method(bench), accepted).receive("F0 06 19 04 15 00 01 4D");
        CHECK(bench.ended_with(reason_code::protocol_error));
    }
    SECTION("a code of other packets") {
        bench.connected(with_method(bench), accepted).receive("F0 06 87 04 15 00 01 4D");
        CHECK(bench.ended_with(reason_code::protocol_error));
    }
}

TEST_CASE("a client drops a connection on which AUTH has other flags than 0",
          "[v5/MQTT-3.15.1-1]") {
    client_bench bench;
    bench.connected(with_method(bench), accepted);
    bench.receive("F1 06 18 04 15 00 01 4D");
    CHECK(bench.ended_with(reason_code::malformed_packet));
}

TEST_CASE("a re-authentication that fails ends the connection", "[v5/MQTT-4.12.1-2]") {
    client_bench bench;
    bench.connected(with_method(bench), accepted);
    REQUIRE(
        bench.session().authenticate(answer_of("M", reason_code::re_authenticate), bench.now()));
    bench.take();
    SECTION("the server says so") {
        bench.receive("E0 01 87");
        CHECK(bench.last<disconnect>()->code == reason_code::not_authorized);
        CHECK(bench.closed_silently());
    }
    SECTION("the client does") {
        bench.receive(challenge);
        REQUIRE(bench.session().disconnect({.code = reason_code::unspecified_error}, bench.now()));
        CHECK(bench.take() == "E0 01 80");
        CHECK(bench.session().should_close());
    }
}

TEST_CASE("a client leaves out of AUTH what would not fit the server's maximum packet size",
          "[v5/MQTT-3.15.2-2][v5/MQTT-3.15.2-3]") {
    const std::string text(50, 'r');
    const user_property pair{"key", text};
    client_bench bench;
    auth out = answer_of("M", reason_code::re_authenticate);
    out.reason_string = text;
    SECTION("the reason string") {
        bench.connected(with_method(bench), "20 0C 00 00 09 15 00 01 4D 27 00 00 00 30");
        const user_property small{"k", "v"};
        out.user_properties = user_properties({&small, 1});
        REQUIRE(bench.session().authenticate(out, bench.now()));
        CHECK(bench.take() == "F0 0D 19 0B 15 00 01 4D 26 00 01 6B 00 01 76");
    }
    SECTION("the user properties too") {
        bench.connected(with_method(bench), "20 0C 00 00 09 15 00 01 4D 27 00 00 00 30");
        out.user_properties = user_properties({&pair, 1});
        REQUIRE(bench.session().authenticate(out, bench.now()));
        CHECK(bench.take() == "F0 06 19 04 15 00 01 4D");
    }
    SECTION("but nothing else") {
        bench.connected(with_method(bench), "20 0C 00 00 09 15 00 01 4D 27 00 00 00 10");
        out.authentication_data = as_bytes_view(text);
        CHECK(bench.session().authenticate(out, bench.now()).error() == error::packet_too_large);
        CHECK(bench.take().empty());
        // Nothing was begun by it.
        CHECK(bench.session().authenticate(answer_of("M", reason_code::re_authenticate),
                                           bench.now()));
    }
}

}  // namespace
}  // namespace fleetarium::test
