// What a delivery has to say of itself, what becomes of shared ones, and who may be silent for how
// long: the ledger is fed by hand and convicts by the right name.

#include "ledger_stage.hpp"

#include <algorithm>
#include <array>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace fleetarium::sim::detail;

namespace {

constexpr std::array<std::uint8_t, 2> ping{0xc0, 0x00};

/// A member of a shared subscription ends with what it has not acknowledged.
void end_member(stage& s, std::uint32_t count, enum qos qos) {
    ++s.metrics.dropped[static_cast<std::size_t>(broker::drop_reason::session_ended)];
    s.say({.what = kind::dropped,
           .session = 1,
           .topic = s.topic,
           .identity = {stage::number(count, qos), s.now},
           .qos = qos,
           .why = broker::drop_reason::session_ended,
           .known = true});
}

void say_session_ended(stage& s) {
    s.now += 100s;
    s.say({.what = kind::session_ended, .session = 1, .client_id = "receiver"});
}

}  // namespace

TEST_CASE("a delivery names the identifiers of its subscriptions", "[ledger][v5/MQTT-3.3.4-3]") {
    broker::broker_options options;
    options.overlapping_subscriptions = broker::overlapping_subscriptions::single_copy;
    stage s(options);
    s.both_connect();
    s.subscribe(1, "a/b", {.qos = q1}, 7);
    s.subscribe(1, "a/+", {.qos = q0}, 300'000);
    s.subscribe(1, "c/#", {.qos = q1}, 9);
    s.route(1, q1);
    publish message = s.packet(q1, 1);
    const auto receive_with = [&](std::vector<std::uint32_t> identifiers) {
        message.subscription_identifiers = subscription_identifiers(identifiers);
        s.book.message_received(stage::receiver, 0, 1, message, {stage::number(1, q1), s.now},
                                s.now);
        s.held.emplace_back(1, stage::number(1, q1));
        return s.verdict();
    };
    SECTION("both") { CHECK(receive_with({300'000, 7}).empty()); }
    SECTION("one") { CHECK(receive_with({7}) == verdict{invariant::subscription_identifier}); }
    SECTION("none") { CHECK(receive_with({}) == verdict{invariant::subscription_identifier}); }
    SECTION("another") {
        CHECK(receive_with({7, 9}) == verdict{invariant::subscription_identifier});
    }
}

TEST_CASE("RETAIN is passed on to who asked for it as published", "[ledger][v5/MQTT-3.3.1-13]") {
    stage s;
    s.both_connect();
    const bool asked = GENERATE(true, false);
    const bool set = GENERATE(true, false);
    s.subscribe(1, "a/b", {.qos = q1, .retain_as_published = asked});
    s.subscribe(1, "c", {.qos = q1, .retain_as_published = true});
    s.arrive(1, q1, true);
    s.made(kind::sent, 1, q1);
    s.routed(1, q1, 1);
    s.held.emplace_back(1, stage::number(1, q1));
    publish message = s.packet(q1, 1);
    message.retain = set;
    s.book.message_received(stage::receiver, 0, 1, message, {stage::number(1, q1), s.now}, s.now);
    CHECK(s.verdict() == (asked == set ? verdict{} : verdict{invariant::retained}));
}

TEST_CASE("what is left of an expiry interval is said", "[ledger][v5/MQTT-3.3.2-6]") {
    stage s;
    s.both_connect();
    s.subscribe(1, "a/b");
    publish message = s.packet(q1, 1);
    message.message_expiry_interval = 60;
    s.book.publish_sent(stage::publisher, 0, 0, stage::number(1, q1), s.now);
    s.book.publish_arrived(0, 0, message, stage::number(1, q1), s.now);
    ++s.metrics.publish_received[1];
    s.say({.what = kind::received,
           .connection = 0,
           .session = 0,
           .topic = s.topic,
           .identity = {stage::number(1, q1), s.now},
           .qos = q1});
    s.made(kind::queued, 1, q1);
    s.routed(1, q1, 1);
    s.held.emplace_back(1, stage::number(1, q1));
    s.now += 25s + 400ms;
    s.made(kind::sent, 1, q1, true);
    s.now += 4s;  // on the way
    const auto receive_with = [&](std::optional<std::uint32_t> interval) {
        message.message_expiry_interval = interval;
        s.book.message_received(stage::receiver, 0, 1, message, {stage::number(1, q1), s.now},
                                s.now);
        return s.verdict();
    };
    SECTION("rounded up") { CHECK(receive_with(35).empty()); }
    SECTION("rounded down") { CHECK(receive_with(34).empty()); }
    SECTION("as it came") { CHECK(receive_with(60) == verdict{invariant::expiry}); }
    SECTION("lost") { CHECK(receive_with(std::nullopt) == verdict{invariant::expiry}); }
}

TEST_CASE("a will is published as it was left", "[ledger][v5/MQTT-3.1.2-15]") {
    stage s;
    fleetarium::connect with_will;
    with_will.will.emplace();
    with_will.will->topic = "gone";
    with_will.will->payload = as_bytes_view("x");
    with_will.will->qos = q1;
    with_will.will->retain = true;
    s.both_connect(with_will);
    s.disconnect(1, 1, "receiver");
    s.topic = "gone";
    ++s.metrics.wills_published;
    s.say({.what = kind::will_published, .session = 1, .client_id = "receiver", .topic = "gone"});
    publish message = s.packet(q1);
    message.retain = true;
    SECTION("so") {
        s.book.publish_made(0, message, 1, s.now);
        CHECK(s.verdict().empty());
    }
    SECTION("without RETAIN") {
        message.retain = false;
        s.book.publish_made(0, message, 1, s.now);
        CHECK(s.verdict() == verdict{invariant::will});
    }
    SECTION("with another payload") {
        message.payload = as_bytes_view("y");
        s.book.publish_made(0, message, 1, s.now);
        CHECK(s.verdict() == verdict{invariant::will});
    }
}

TEST_CASE("a shared message goes to a member with a connection, if any has one", "[ledger]") {
    stage s;
    s.both_connect();
    s.accept(10, 2, 2, "other", {});
    s.subscribe(1, "$share/g/a/+");
    s.subscribe(2, "$share/g/a/+");
    s.disconnect(1, 1, "receiver");
    const bool both_absent = GENERATE(true, false);
    if (both_absent) {
        s.disconnect(2, 2, "other");
    }
    s.arrive(1, q1);
    s.made(kind::queued, 1, q1, false, 1);
    s.routed(1, q1, 1);
    s.held.emplace_back(1, stage::number(1, q1));
    CHECK(s.verdict() == (both_absent ? verdict{} : verdict{invariant::shared_once}));
}

TEST_CASE("what a member of a shared subscription leaves behind goes to another", "[ledger]") {
    stage s;
    s.both_connect();
    s.accept(10, 2, 2, "other", stage::kept());
    s.subscribe(1, "$share/g/a/+");
    SECTION("there is another") {
        s.subscribe(2, "$share/g/a/+");
        s.route(1, q1);
        s.disconnect(1, 1, "receiver");
        SECTION("and it gets it") {
            end_member(s, 1, q1);
            s.made(kind::sent, 1, q1, false, 2);
            s.held.emplace_back(2, stage::number(1, q1));
            say_session_ended(s);
            CHECK(s.verdict().empty());
        }
        SECTION("and it does not") {
            end_member(s, 1, q1);
            say_session_ended(s);
            CHECK(s.verdict() == verdict{invariant::shared_once});
        }
    }
    SECTION("there is none") {
        s.route(1, q1);
        s.disconnect(1, 1, "receiver");
        end_member(s, 1, q1);
        say_session_ended(s);
        CHECK(s.verdict().empty());
    }
    SECTION("its QoS 2 delivery had begun") {
        s.subscribe(2, "$share/g/a/+");
        s.route(1, q2);
        s.disconnect(1, 1, "receiver");
        end_member(s, 1, q2);
        say_session_ended(s);
        CHECK(s.verdict().empty());
    }
}

TEST_CASE("a receiver passes on what it acknowledges", "[ledger][v5/MQTT-4.3.2-5]") {
    stage s;
    s.both_connect();
    s.subscribe(1, "a/b");
    s.route(1, q1);
    s.resume_receiver();
    s.made(kind::sent, 1, q1, true);
    s.held.emplace_back(1, stage::number(1, q1));
    s.book.message_repeated(stage::receiver, 0, 1, 1, {stage::number(1, q1), s.now}, s.now);
    CHECK(s.verdict() == verdict{invariant::conservation});
}

TEST_CASE("nobody waits for a PUBREL that will not come", "[ledger][v5/MQTT-4.3.3-4]") {
    stage s;
    s.both_connect();
    s.arrive(1, q2);
    s.routed(1, q2, 0);
    s.waiting_for_pubrel = 1;
    SECTION("its publisher owes it") { CHECK(s.verdict().empty()); }
    SECTION("its publisher has done with it") {
        s.book.publish_acknowledged(stage::publisher, stage::number(1, q2), s.now);
        CHECK(s.verdict().empty());
        s.silent = true;
        CHECK(s.verdict() == verdict{invariant::stalled});
    }
}

TEST_CASE("what devices took on and nobody holds is missed", "[ledger]") {
    stage s;
    s.both_connect();
    s.lost_by_devices = 3;
    CHECK(s.verdict() == verdict{invariant::conservation});
}

TEST_CASE("who takes a session over ends the older connection", "[ledger][v5/MQTT-3.1.4-3]") {
    stage s;
    s.both_connect();
    SECTION("it goes on as if nothing had happened") {
        s.accept(stage::receiver, 2, 1, "receiver", stage::kept(), true);
        CHECK(s.verdict() == verdict{invariant::take_over});
    }
    SECTION("the session is taken from it") {
        s.say({.what = kind::disconnected,
               .connection = 1,
               .session = 1,
               .client_id = "receiver",
               .code = reason_code::session_taken_over});
        s.accept(stage::receiver, 2, 1, "receiver", stage::kept(), true);
        SECTION("and it is closed") {
            s.book.closed(0, 1);
            s.book.turn_ended(0, s.now);
            CHECK(s.verdict().empty());
        }
        SECTION("and it stays open") {
            s.book.turn_ended(0, s.now);
            CHECK(s.verdict() == verdict{invariant::take_over});
        }
    }
}

TEST_CASE("who is silent is cut off in time", "[ledger][v5/MQTT-3.1.2-22]") {
    stage s;
    fleetarium::connect request;
    request.keep_alive = 10;
    s.both_connect(request);
    s.book.heard(0, 1, ping, s.now);
    const auto cut_off = [&] {
        s.say({.what = kind::disconnected,
               .connection = 1,
               .session = 1,
               .client_id = "receiver",
               .code = reason_code::keep_alive_timeout,
               .broken = violation::keep_alive_timeout});
    };
    SECTION("after one and a half times its Keep Alive") {
        s.now += 15s;
        cut_off();
        CHECK(s.verdict().empty());
    }
    SECTION("half a packet does not count") {
        s.now += 10s;
        s.book.heard(0, 1, bytes_view(ping).first(1), s.now);
        s.now += 5s;
        cut_off();
        CHECK(s.verdict().empty());
    }
    SECTION("too early") {
        s.now += 10s;
        cut_off();
        CHECK(s.verdict() == verdict{invariant::keep_alive});
    }
    SECTION("too late") {
        s.now += 20s;
        cut_off();
        CHECK(s.verdict() == verdict{invariant::keep_alive});
    }
    SECTION("never") {
        s.now += 20s;
        CHECK(s.verdict() == verdict{invariant::keep_alive});
    }
    SECTION("never, and it speaks again") {
        s.now += 20s;
        s.book.heard(0, 1, bytes_view(ping).first(1), s.now);
        s.book.heard(0, 1, bytes_view(ping).last(1), s.now);
        CHECK(s.verdict() == verdict{invariant::keep_alive});
    }
}

TEST_CASE("a client is not silent for longer than its Keep Alive", "[ledger][v5/MQTT-3.1.2-20]") {
    stage s;
    fleetarium::connect request;
    request.keep_alive = 10;
    s.both_connect(request);
    s.book.heard(0, 1, ping, s.now);
    s.book.session_told(stage::receiver, 0, 1, false, s.now);
    SECTION("it speaks in time") {
        s.now += 10s;
        s.book.spoke(stage::receiver, 0, 1, s.now);
        s.book.heard(0, 1, ping, s.now);
        CHECK(s.verdict().empty());
    }
    SECTION("it speaks late") {
        s.now += 11s;
        s.book.spoke(stage::receiver, 0, 1, s.now);
        CHECK(s.verdict() == verdict{invariant::keep_alive});
    }
    SECTION("it is cut off") {
        const bool has_left = GENERATE(true, false);
        if (has_left) {
            s.book.left(stage::receiver, 0, 1);
        }
        s.now += 15s;
        s.say({.what = kind::disconnected,
               .connection = 1,
               .session = 1,
               .client_id = "receiver",
               .code = reason_code::keep_alive_timeout,
               .broken = violation::keep_alive_timeout});
        CHECK(s.verdict() == (has_left ? verdict{} : verdict{invariant::keep_alive}));
    }
}
