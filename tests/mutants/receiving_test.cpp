#include "with_mutant.hpp"

// The broker as the receiver of PUBLISH.

namespace fleetarium::test {
namespace {

/// A broker with a publisher whose session lasts and a subscriber to everything.
struct receiving_bench : broker_bench {
    receiving_bench() { subscribe(*subscriber, "#", qos::exactly_once); }

    void send_again(enum qos level, std::uint16_t packet_id) {
        fleetarium::publish message;
        message.topic = "a";
        message.payload = as_bytes_view("1");
        message.qos = level;
        message.packet_id = packet_id;
        message.dup = true;
        publisher->send(message);
    }
    void reconnect() {
        publisher->cut();
        publisher = &connected(lasting("p"));
    }

    peer* subscriber = &connected({.client_id = "s"});
    peer* publisher = &connected(lasting("p"));
};

std::string publish_qos_2_twice() {
    receiving_bench bench;
    bench.publish(*bench.publisher, "a", "1", qos::exactly_once, 7);
    bench.send_again(qos::exactly_once, 7);
    return received(*bench.subscriber);
}

TEST_CASE("a QoS 2 PUBLISH that is sent again is delivered again",
          "[resent_qos2_delivered_twice]") {
    check_mutant(mutant::resent_qos2_delivered_twice, "1 q2", "1 q2, 1 q2", publish_qos_2_twice);
}

TEST_CASE("a QoS 2 id that is forgotten after PUBREC lets the message in again",
          "[qos2_id_forgotten_after_pubrec]") {
    check_mutant(mutant::qos2_id_forgotten_after_pubrec, "1 q2", "1 q2, 1 q2", publish_qos_2_twice);
}

TEST_CASE("QoS 2 ids that are forgotten with the connection let the message in again",
          "[qos2_ids_forgotten_on_disconnect]") {
    check_mutant(mutant::qos2_ids_forgotten_on_disconnect, "1 q2", "1 q2, 1 q2", [] {
        receiving_bench bench;
        bench.publish(*bench.publisher, "a", "1", qos::exactly_once, 7);
        bench.reconnect();
        bench.send_again(qos::exactly_once, 7);
        return received(*bench.subscriber);
    });
}

TEST_CASE("a QoS 1 PUBLISH with DUP is taken for known where the first one was lost",
          "[dup_publish_discarded]") {
    check_mutant(mutant::dup_publish_discarded, "1 q1; 40", "; 40", [] {
        receiving_bench bench;
        bench.send_again(qos::at_least_once, 7);
        return received(*bench.subscriber) + "; " + received(*bench.publisher);
    });
}

TEST_CASE("a PUBREL sent again, because PUBCOMP was lost, gets no answer",
          "[pubrel_of_unknown_id_not_answered]") {
    check_mutant(mutant::pubrel_of_unknown_id_not_answered, "50, 70; 70", "50, 70; ", [] {
        receiving_bench bench;
        bench.publish(*bench.publisher, "a", "1", qos::exactly_once, 7);
        bench.publisher->send_hex("62 02 00 07");
        const std::string before = received(*bench.publisher);
        bench.reconnect();
        bench.publisher->send_hex("62 02 00 07");
        return before + "; " + received(*bench.publisher);
    });
}

TEST_CASE("a PUBLISH that comes in two pieces is acknowledged and lost",
          "[split_publish_acknowledged_and_lost]") {
    check_mutant(mutant::split_publish_acknowledged_and_lost, "1 q1; 40", "; 40", [] {
        receiving_bench bench;
        bench.publisher->send_hex("32 07 00 01 61 00");
        bench.publisher->send_hex("07 00 31");
        return received(*bench.subscriber) + "; " + received(*bench.publisher);
    });
}

}  // namespace
}  // namespace fleetarium::test
