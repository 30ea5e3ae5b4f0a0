// The ledger is fed by hand with what clients and a broker are said to have done: it convicts each
// of what it must, and by the right name.

#include "ledger_stage.hpp"

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace fleetarium::sim::detail;

TEST_CASE("the ledger has no complaint about messages that go their way", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(1, "a/+");
    std::uint32_t count = 0;
    for (const auto level : {q0, q1, q2, q0, q1, q2}) {
        s.route(++count, level);
        s.receive(count, level, static_cast<std::uint16_t>(count));
        if (level != q0) {
            s.acknowledge(count, level);
            s.book.publish_acknowledged(stage::publisher, stage::number(count, level), s.now);
        }
    }
    s.silent = true;
    CHECK(s.verdict().empty());
}

TEST_CASE("a message that a subscriber does not get is a fault of routing", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(1, GENERATE("a/b", "a/+", "+/b", "#", "a/#", "a/b/#"));
    s.arrive(1, q0);
    s.routed(1, q0, 0);
    CHECK(s.verdict() == verdict{invariant::routing});
}

TEST_CASE("a message that nobody asked for is a fault of routing", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(1, GENERATE("a", "a/c", "+", "a/b/c", "b/#", "a/+/#/"));
    s.route(1, q0);
    CHECK(s.verdict() == verdict{invariant::routing});
}

TEST_CASE("so is one at another QoS, and one after UNSUBSCRIBE", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(1, "a/b", {.qos = q1});
    SECTION("QoS") {
        s.arrive(1, q2);
        s.made(kind::sent, 1, q2);
        s.routed(1, q2, 1);
        s.held.emplace_back(1, stage::number(1, q2));
    }
    SECTION("gone") {
        s.say({.what = kind::unsubscribed, .connection = 1, .session = 1, .topic = "a/b"});
        s.route(1, q0);
    }
    CHECK(s.verdict() == verdict{invariant::routing});
}

TEST_CASE("a wildcard that matches a topic with $ is named", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(1, GENERATE("#", "+/x", "+/#"));
    s.topic = "$a/x";
    s.route(1, q0);
    CHECK(s.verdict() == verdict{invariant::dollar_topics});
}

TEST_CASE("a message for its own publisher in spite of No Local is named", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(0, "a/b", {.qos = q2, .no_local = true});
    s.arrive(1, q0);
    s.made(kind::sent, 1, q0, false, 0);
    s.routed(1, q0, 1);
    CHECK(s.verdict() == verdict{invariant::no_local});
}

TEST_CASE("a shared subscription gets a message once", "[ledger]") {
    stage s;
    s.both_connect();
    s.accept(10, 2, 2, "other", {});
    s.subscribe(1, "$share/g/a/+");
    s.subscribe(2, "$share/g/a/+");
    s.arrive(1, q0);
    SECTION("once") {
        s.made(kind::sent, 1, q0);
        s.routed(1, q0, 1);
        CHECK(s.verdict().empty());
    }
    SECTION("twice") {
        s.made(kind::sent, 1, q0, false, 1);
        s.made(kind::sent, 1, q0, false, 2);
        s.routed(1, q0, 2);
        CHECK(s.verdict() == verdict{invariant::shared_once});
    }
    SECTION("never") {
        s.routed(1, q0, 0);
        CHECK(s.verdict() == verdict{invariant::shared_once});
    }
}

TEST_CASE("a delivery that vanishes from the broker's queues is named", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(1, "a/b");
    s.route(1, q1);
    SECTION("held") {
        s.held.emplace_back(1, stage::number(1, q1));
        CHECK(s.verdict().empty());
    }
    SECTION("gone") { CHECK(s.verdict() == verdict{invariant::conservation}); }
    SECTION("complete without having been received") {
        s.acknowledge(1, q1);
        CHECK(s.verdict() == verdict{invariant::conservation});
    }
    SECTION("dropped twice") {
        s.receive(1, q1, 1);
        s.acknowledge(1, q1);
        ++s.metrics.dropped[static_cast<std::size_t>(broker::drop_reason::queue_full)];
        s.say({.what = kind::dropped,
               .session = 1,
               .topic = "a/b",
               .identity = {stage::number(1, q1), s.now},
               .qos = q1,
               .why = broker::drop_reason::queue_full,
               .known = true});
        CHECK(s.verdict() == verdict{invariant::conservation});
    }
    SECTION("QoS 0 that never comes, though the connection is silent") {
        s.receive(1, q1, 1);
        s.acknowledge(1, q1);
        s.book.publish_acknowledged(stage::publisher, stage::number(1, q1), s.now);
        s.route(2, q0);
        s.silent = true;
        CHECK(s.verdict() == verdict{invariant::conservation});
    }
}

TEST_CASE("an acknowledgement without a message taken on is a fault", "[ledger]") {
    stage s;
    s.both_connect();
    s.book.publish_sent(stage::publisher, 0, 0, stage::number(1, q1), s.now);
    s.book.publish_acknowledged(stage::publisher, stage::number(1, q1), s.now);
    CHECK(s.verdict() == verdict{invariant::responsibility});
}

TEST_CASE("QoS 0 comes once and in order", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(1, "a/b");
    s.route(1, q0);
    s.route(2, q0);
    SECTION("twice") {
        s.receive(1, q0);
        s.receive(1, q0);
        CHECK(s.verdict() == verdict{invariant::at_most_once});
    }
    SECTION("out of order") {
        s.receive(2, q0);
        s.receive(1, q0);
        CHECK(s.verdict() == verdict{invariant::order});
    }
}

TEST_CASE("QoS 1 comes again with DUP, after a connection was lost", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(1, "a/b");
    s.route(1, q1);
    s.held.emplace_back(1, stage::number(1, q1));
    SECTION("never resent on one connection") {
        s.made(kind::sent, 1, q1, true);
        CHECK(s.verdict() == verdict{invariant::resent_as_duplicate});
    }
    SECTION("not with DUP the first time") {
        s.receive(1, q1, 1, true);
        CHECK(s.verdict() == verdict{invariant::resent_as_duplicate});
    }
    SECTION("resent") {
        s.receive(1, q1, 1);
        s.resume_receiver();
        s.made(kind::sent, 1, q1, true);
        SECTION("with DUP") {
            s.receive(1, q1, 1, true);
            CHECK(s.verdict().empty());
        }
        SECTION("without") {
            s.receive(1, q1, 1);
            CHECK(s.verdict() == verdict{invariant::resent_as_duplicate});
        }
    }
    SECTION("resent without DUP, the first copy was lost") {
        s.resume_receiver();
        s.made(kind::sent, 1, q1, true);
        s.receive(1, q1, 1);
        CHECK(s.verdict() == verdict{invariant::resent_as_duplicate});
    }
    SECTION("not after it was acknowledged") {
        s.receive(1, q1, 1);
        s.acknowledge(1, q1);
        s.held.clear();
        s.receive(1, q1, 1, true);
        CHECK(s.verdict() == verdict{invariant::resent_as_duplicate});
    }
}

TEST_CASE("QoS 2 is taken on once by each side", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(1, "a/b");
    s.route(1, q2);
    s.held.emplace_back(1, stage::number(1, q2));
    SECTION("receiver") {
        s.receive(1, q2, 1);
        s.resume_receiver();
        s.made(kind::sent, 1, q2, true);
        s.receive(1, q2, 1, true);
        CHECK(s.verdict() == verdict{invariant::exactly_once});
    }
    SECTION("receiver suppresses what it never had") {
        s.book.message_repeated(stage::receiver, 0, 1, 1, {stage::number(1, q2), s.now}, s.now);
        CHECK(s.verdict() == verdict{invariant::exactly_once});
    }
    SECTION("broker") {
        publish again = s.packet(q2, 1);
        again.dup = true;
        s.book.publish_arrived(0, 0, again, stage::number(1, q2) | message_number::copy_bit, s.now);
        ++s.metrics.publish_received[2];
        CHECK(s.verdict() == verdict{invariant::exactly_once});
    }
    SECTION("broker suppresses what it never had") {
        s.book.publish_sent(stage::publisher, 0, 0, stage::number(2, q2), s.now);
        s.book.publish_repeated(0, 0, stage::number(2, q2), s.now);
        CHECK(s.verdict() == verdict{invariant::exactly_once});
    }
}

TEST_CASE("first copies come in the order of publishing", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(1, "a/b");
    SECTION("to the receiver") {
        s.route(1, q1);
        s.route(2, q1);
        s.receive(2, q1, 2);
        s.receive(1, q1, 1);
        s.acknowledge(2, q1);
        s.acknowledge(1, q1);
        CHECK(s.verdict() == verdict{invariant::order});
    }
    SECTION("to the broker") {
        s.book.publish_sent(stage::publisher, 0, 0, stage::number(1, q1), s.now);
        s.arrive(2, q1);
        s.made(kind::queued, 2, q1);
        s.routed(2, q1, 1);
        s.held.emplace_back(1, stage::number(2, q1));
        s.book.publish_arrived(0, 0, s.packet(q1, 1), stage::number(1, q1), s.now);
        ++s.metrics.publish_received[1];
        CHECK(s.verdict() == verdict{invariant::order});
    }
}

TEST_CASE("a new subscription gets what is retained, and nothing else", "[ledger]") {
    stage s;
    s.both_connect();
    s.arrive(1, q1, true);
    s.routed(1, q1, 0);
    const auto send_stored = [&](std::uint32_t count) {
        s.metrics.deliveries[0] += 1;
        s.say({.what = kind::sent,
               .connection = 1,
               .session = 1,
               .topic = s.topic,
               .identity = {stage::number(count, q1), s.now},
               .qos = q0});
    };
    SECTION("it does") {
        s.subscribe(1, GENERATE("a/b", "a/+", "#"), {.qos = q0});
        send_stored(1);
        s.book.turn_ended(0, s.now);
        CHECK(s.verdict().empty());
    }
    SECTION("not sent") {
        s.subscribe(1, GENERATE("a/b", "a/+"), {.qos = q0});
        s.book.turn_ended(0, s.now);
        CHECK(s.verdict() == verdict{invariant::retained});
    }
    SECTION("not to be sent") {
        s.subscribe(1, "a/b", {.qos = q0, .retain_handling = retain_handling::do_not_send});
        send_stored(1);
        s.book.turn_ended(0, s.now);
        CHECK(s.verdict() == verdict{invariant::retained});
    }
    SECTION("an old one") {
        s.arrive(2, q1, true);
        s.routed(2, q1, 0);
        s.subscribe(1, "a/b", {.qos = q0});
        send_stored(1);
        s.book.turn_ended(0, s.now);
        CHECK(s.verdict() == verdict{invariant::retained, invariant::retained});
    }
    SECTION("it does, in the turn in which another session ended with the same message") {
        fleetarium::connect short_lived;
        s.accept(10, 2, 2, "other", short_lived);
        s.subscribe(2, "c", {.qos = q1});
        s.topic = "c";
        s.arrive(2, q1, true);
        s.made(kind::queued, 2, q1, false, 2);
        s.routed(2, q1, 1);
        s.disconnect(2, 2, "other");
        ++s.metrics.dropped[static_cast<std::size_t>(broker::drop_reason::session_ended)];
        s.say({.what = kind::dropped,
               .session = 2,
               .topic = "c",
               .identity = {stage::number(2, q1), s.now},
               .qos = q1,
               .why = broker::drop_reason::session_ended,
               .known = true});
        s.say({.what = kind::session_ended, .session = 2, .client_id = "other"});
        s.subscribe(1, "c", {.qos = q0});
        send_stored(2);
        s.book.turn_ended(0, s.now);
        CHECK(s.verdict().empty());
    }
    SECTION("without RETAIN") {
        s.subscribe(1, "a/b", {.qos = q0});
        send_stored(1);
        s.book.turn_ended(0, s.now);
        s.book.message_received(stage::receiver, 0, 1, s.packet(q0),
                                {message_number::with_qos(stage::number(1, q1), q0), no_latency},
                                s.now);
        CHECK(s.verdict() == verdict{invariant::retained});
    }
}

TEST_CASE("a will is published when it is due and not otherwise", "[ledger]") {
    stage s;
    fleetarium::connect with_will;
    with_will.will.emplace();
    with_will.will->topic = "gone";
    with_will.will->delay_interval = 10;
    s.both_connect(with_will);
    const auto publish_will = [&] {
        ++s.metrics.wills_published;
        s.say(
            {.what = kind::will_published, .session = 1, .client_id = "receiver", .topic = "gone"});
    };
    SECTION("while connected") {
        publish_will();
        CHECK(s.verdict() == verdict{invariant::will});
    }
    SECTION("after its delay") {
        s.disconnect(1, 1, "receiver");
        s.now += 10s;
        publish_will();
        CHECK(s.verdict().empty());
    }
    SECTION("too early") {
        s.disconnect(1, 1, "receiver");
        publish_will();
        CHECK(s.verdict() == verdict{invariant::will});
    }
    SECTION("never") {
        s.disconnect(1, 1, "receiver");
        s.now += 11s;
        CHECK(s.verdict() == verdict{invariant::will});
    }
    SECTION("after the client came back") {
        s.resume_receiver();
        publish_will();
        CHECK(s.verdict() == verdict{invariant::will});
    }
    SECTION("after DISCONNECT") {
        s.book.farewell_sent(stage::receiver, 0, 1, {});
        s.say({.what = kind::disconnected, .connection = 1, .session = 1});
        s.now += 10s;
        publish_will();
        CHECK(s.verdict() == verdict{invariant::will});
    }
}

TEST_CASE("sessions begin and end as was agreed", "[ledger]") {
    stage s;
    s.both_connect();
    SECTION("kept too long") {
        s.disconnect(1, 1, "receiver");
        s.now += 101s;
        CHECK(s.verdict() == verdict{invariant::session_lifetime});
    }
    SECTION("ended too early") {
        s.disconnect(1, 1, "receiver");
        s.now += 99s;
        s.say({.what = kind::session_ended, .session = 1, .client_id = "receiver"});
        CHECK(s.verdict() == verdict{invariant::session_lifetime});
    }
    SECTION("forgotten") {
        s.disconnect(1, 1, "receiver");
        s.accept(stage::receiver, 1, 2, "receiver", stage::kept());
        CHECK(s.verdict() == verdict{invariant::session_present});
    }
    SECTION("resumed in spite of Clean Start") {
        s.disconnect(1, 1, "receiver");
        fleetarium::connect anew;
        anew.clean_start = true;
        s.accept(stage::receiver, 1, 1, "receiver", anew, true);
        CHECK(s.verdict() == verdict{invariant::session_present});
    }
    SECTION("invented") {
        s.accept(10, 2, 2, "stranger", {}, true);
        CHECK(s.verdict() == verdict{invariant::session_present});
    }
    SECTION("told otherwise") {
        s.book.session_told(stage::receiver, 0, 1, true, s.now);
        CHECK(s.verdict() == verdict{invariant::session_present});
    }
}

TEST_CASE("windows and packet ids are kept", "[ledger]") {
    broker::broker_options options;
    options.receive_maximum = 2;
    stage s(options);
    fleetarium::connect narrow;
    narrow.receive_maximum = 2;
    s.both_connect(narrow);
    s.subscribe(1, "a/b");
    s.route(1, q1);
    s.route(2, q1);
    s.held = {{1, stage::number(1, q1)}, {1, stage::number(2, q1)}};
    s.receive(1, q1, 1);
    SECTION("receiver's window") {
        s.book.publish_acknowledged(stage::publisher, stage::number(1, q1), s.now);
        s.route(3, q1);
        s.held.emplace_back(1, stage::number(3, q1));
        CHECK(s.verdict() == verdict{invariant::receive_maximum});
    }
    SECTION("broker's window") {
        s.book.publish_sent(stage::publisher, 0, 0, stage::number(3, q1), s.now);
        CHECK(s.verdict() == verdict{invariant::receive_maximum});
    }
    SECTION("receiver's packet ids") {
        s.receive(2, q1, 1);
        CHECK(s.verdict() == verdict{invariant::packet_id});
    }
    SECTION("broker's packet ids") {
        s.book.publish_acknowledged(stage::publisher, stage::number(1, q1), s.now);
        s.book.publish_sent(stage::publisher, 0, 0, stage::number(3, q1), s.now);
        s.book.publish_arrived(0, 0, s.packet(q1, 2), stage::number(3, q1), s.now);
        ++s.metrics.publish_received[1];
        CHECK(s.verdict() == verdict{invariant::packet_id});
    }
}

TEST_CASE("only what may expire expires, and only before it was sent", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(1, "a/b");
    s.arrive(1, q2);
    const bool sent = GENERATE(true, false);
    s.made(sent ? kind::sent : kind::queued, 1, q2);
    s.routed(1, q2, 1);
    ++s.metrics.dropped[static_cast<std::size_t>(broker::drop_reason::expired)];
    s.say({.what = kind::dropped,
           .session = 1,
           .topic = "a/b",
           .identity = {stage::number(1, q2), s.now},
           .qos = q2,
           .why = broker::drop_reason::expired,
           .known = true});
    CHECK(s.verdict() == verdict{invariant::expiry});
}

TEST_CASE("what does not go on over an open and silent connection is stalled", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(1, "a/b");
    SECTION("to the receiver") {
        s.route(1, q2);
        s.receive(1, q2, 1);
        s.book.publish_acknowledged(stage::publisher, stage::number(1, q2), s.now);
        s.held.emplace_back(1, stage::number(1, q2));
    }
    SECTION("to the broker") {
        s.book.publish_sent(stage::publisher, 0, 0, stage::number(1, q2), s.now);
    }
    CHECK(s.verdict().empty());
    s.silent = true;
    CHECK(s.verdict() == verdict{invariant::stalled});
}

TEST_CASE("what one side finds wrong with the other is a violation, but for silence", "[ledger]") {
    stage s;
    s.both_connect();
    s.book.fault_found(stage::receiver, violation::response_timeout, s.now);
    CHECK(s.verdict().empty());
    s.book.fault_found(stage::receiver, violation::packet_id_zero, s.now);
    s.book.fault_found(stage::receiver, violation::receive_maximum_exceeded, s.now);
    CHECK(s.verdict() == verdict{invariant::protocol, invariant::receive_maximum});
}

TEST_CASE("the broker's counters are compared", "[ledger]") {
    stage s;
    s.both_connect();
    ++s.metrics.wills_published;
    CHECK(s.verdict() == verdict{invariant::metrics});
}

TEST_CASE("nobody is blamed for what happens on a link that was disturbed", "[ledger]") {
    stage s;
    s.both_connect();
    s.subscribe(1, "a/b");
    s.route(1, q0);
    s.book.disturbed(stage::receiver);
    s.receive(1, q0);
    s.receive(1, q0);
    CHECK(s.verdict().empty());
}

TEST_CASE("a violation can be told in a line, and each invariant has a name", "[ledger]") {
    for (std::size_t i = 0; i < invariant_count; ++i) {
        CHECK(!name_of(static_cast<invariant>(i)).empty());
    }
    CHECK(to_string(ledger_violation{.broken = invariant::order,
                                     .at = instant{1500ms},
                                     .publisher = "doors[3]",
                                     .receiver = "display",
                                     .message = 17,
                                     .topic = "doors/3",
                                     .qos = q1,
                                     .what = "it came late"}) ==
          "at 1.5 s, order: message 17 of doors[3], QoS 1, \"doors/3\", at display: it came late");
}

TEST_CASE("counts of all violations are kept, the first hundred whole", "[ledger]") {
    stage s;
    s.both_connect();
    for (int i = 0; i < 150; ++i) {
        s.book.fault_found(stage::receiver, violation::packet_id_zero, s.now);
    }
    const ledger_report report = s.book.report(s, s.now);
    CHECK(report.violations.size() == 100);
    CHECK(report.violation_count() == 150);
}
