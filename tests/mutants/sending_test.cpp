#include "with_mutant.hpp"

// The broker as the sender of PUBLISH: exchanges, resends, expiry, limits of the receiver, queues.

namespace fleetarium::test {
namespace {

/// A broker with a publisher, and a subscriber to everything whose session lasts.
struct sending_bench : broker_bench {
    explicit sending_bench(connect_with how = lasting("s"),
                           const broker::broker_options& options = {})
        : broker_bench(options), subscriber_connects(how), subscriber(&connected(how)) {
        subscribe(*subscriber, "#", qos::exactly_once);
    }

    /// QoS 1 or 2; what the publisher gets for it is of no interest.
    void send(std::string_view payload, enum qos level = qos::at_least_once,
              std::optional<std::uint32_t> expiry = {}) {
        fleetarium::publish message;
        message.topic = "room/1";
        message.payload = as_bytes_view(payload);
        message.qos = level;
        message.packet_id = level == qos::at_most_once ? std::uint16_t{0} : ++packet_id;
        message.message_expiry_interval = expiry;
        publisher->send(message);
    }
    void cut() { subscriber->cut(); }
    void reconnect() {
        cut();
        subscriber = &connected(subscriber_connects);
    }
    std::string received() { return test::received(*subscriber); }

    connect_with subscriber_connects;
    peer* subscriber;
    peer* publisher = &connected({.client_id = "p"});
    std::uint16_t packet_id = 0;
};

std::string received_before_and_after_reconnect() {
    sending_bench bench;
    bench.send("1");
    const std::string before = bench.received();
    bench.reconnect();
    return before + "; " + bench.received();
}

TEST_CASE("a PUBLISH is sent again without DUP", "[dup_missing_on_resend]") {
    check_mutant(mutant::dup_missing_on_resend, "1 q1; 1 q1 dup", "1 q1; 1 q1",
                 received_before_and_after_reconnect);
}

TEST_CASE("a PUBLISH has DUP when it is sent for the first time", "[dup_set_on_first_sending]") {
    check_mutant(mutant::dup_set_on_first_sending, "1 q1; 1 q1 dup", "1 q1 dup; 1 q1 dup",
                 received_before_and_after_reconnect);
}

TEST_CASE("a PUBLISH not acknowledged is not sent again", "[publish_not_resent]") {
    check_mutant(mutant::publish_not_resent, "1 q1; 1 q1 dup", "1 q1; ",
                 received_before_and_after_reconnect);
}

TEST_CASE("a QoS 1 delivery counts as completed when it is written", "[qos1_done_when_sent]") {
    check_mutant(mutant::qos1_done_when_sent, "1 q1; 1 q1 dup", "1 q1; ",
                 received_before_and_after_reconnect);
}

std::string reconnect_after_pubrec() {
    sending_bench bench;
    bench.send("1", qos::exactly_once, 5);
    bench.subscriber->send_hex("50 02 00 01");
    const std::string before = bench.received();
    bench.cut();
    bench.advance(10s);
    bench.reconnect();
    return before + "; " + bench.received();
}

TEST_CASE("a PUBREL not acknowledged is not sent again", "[pubrel_not_resent]") {
    check_mutant(mutant::pubrel_not_resent, "1 q2, 62; 62", "1 q2, 62; ", reconnect_after_pubrec);
}

TEST_CASE("PUBREC is not answered by PUBREL", "[pubrel_never_sent]") {
    check_mutant(mutant::pubrel_never_sent, "1 q2, 62; 62", "1 q2; ", reconnect_after_pubrec);
}

TEST_CASE("PUBLISH is sent again where PUBREL is due", "[publish_resent_after_pubrec]") {
    check_mutant(mutant::publish_resent_after_pubrec, "1 q2, 62; 62", "1 q2, 62; 1 q2 dup",
                 reconnect_after_pubrec);
}

TEST_CASE("a message that expires after its PUBREC takes its PUBREL along",
          "[expiry_cuts_exchange]") {
    check_mutant(mutant::expiry_cuts_exchange, "1 q2, 62; 62", "1 q2, 62; ",
                 reconnect_after_pubrec);
}

TEST_CASE("a message that expired in a queue is delivered", "[expired_message_delivered]") {
    check_mutant(mutant::expired_message_delivered, "", "1 q1", [] {
        sending_bench bench;
        bench.cut();
        bench.send("1", qos::at_least_once, 5);
        bench.advance(10s);
        bench.reconnect();
        return bench.received();
    });
}

TEST_CASE("the Message Expiry Interval goes out as it came", "[expiry_not_counted_down]") {
    check_mutant(mutant::expiry_not_counted_down, "50", "60", [] {
        sending_bench bench;
        bench.cut();
        bench.send("1", qos::at_least_once, 60);
        bench.advance(10s);
        bench.reconnect();
        return std::to_string(*bench.subscriber->take_as<publish>().message_expiry_interval);
    });
}

TEST_CASE("a QoS 0 message goes out twice", "[qos0_sent_twice]") {
    check_mutant(mutant::qos0_sent_twice, "1", "1, 1", [] {
        sending_bench bench;
        bench.send("1", qos::at_most_once);
        return bench.received();
    });
}

TEST_CASE("a packet id is used again while it is in flight", "[packet_id_reused_in_flight]") {
    check_mutant(mutant::packet_id_reused_in_flight, "1 2 3", "1 2 2", [] {
        sending_bench bench;
        bench.send("1");
        bench.send("2");
        bench.subscriber->send_hex("40 02 00 01");
        bench.send("3");
        std::string ids;
        while (bench.subscriber->waiting() != 0) {
            ids += ids.empty() ? "" : " ";
            ids += std::to_string(bench.subscriber->take_as<publish>().packet_id);
        }
        return ids;
    });
}

TEST_CASE("a resumed session sends the oldest message of its queue last",
          "[queue_order_lost_on_resume]") {
    check_mutant(mutant::queue_order_lost_on_resume, "1 q1, 2 q1, 3 q1", "2 q1, 3 q1, 1 q1", [] {
        sending_bench bench;
        bench.cut();
        bench.send("1");
        bench.send("2");
        bench.send("3");
        bench.reconnect();
        return bench.received();
    });
}

TEST_CASE("more messages are in flight than the receiver allows", "[receive_maximum_ignored]") {
    check_mutant(mutant::receive_maximum_ignored, "1 q1", "1 q1, 2 q1", [] {
        sending_bench bench({.client_id = "s", .receive_maximum = 1});
        bench.send("1");
        bench.send("2");
        return bench.received();
    });
}

TEST_CASE("a packet goes out that is larger than the receiver allows",
          "[maximum_packet_size_ignored]") {
    check_mutant(mutant::maximum_packet_size_ignored, "2 q1", std::string(60, '1') + " q1, 2 q1",
                 [] {
                     sending_bench bench({.client_id = "s", .maximum_packet_size = 50});
                     bench.send(std::string(60, '1'));
                     bench.send("2");
                     return bench.received();
                 });
}

TEST_CASE("a topic alias is used towards a client that allows none",
          "[topic_alias_maximum_ignored]") {
    check_mutant(mutant::topic_alias_maximum_ignored, "no alias", "alias", [] {
        sending_bench bench;
        bench.send("1");
        return std::string(bench.subscriber->take_as<publish>().topic_alias ? "alias" : "no alias");
    });
}

TEST_CASE("a message for a session without a connection is not kept",
          "[offline_messages_not_queued]") {
    check_mutant(mutant::offline_messages_not_queued, "1 q1", "", [] {
        sending_bench bench;
        bench.cut();
        bench.send("1");
        bench.reconnect();
        return bench.received();
    });
}

TEST_CASE("a message is lost where the receiver's window is full",
          "[message_lost_when_window_full]") {
    check_mutant(mutant::message_lost_when_window_full, "1 q1, 2 q1; 40, 40", "1 q1; 40, 40", [] {
        sending_bench bench({.client_id = "s", .receive_maximum = 1});
        bench.send("1");
        bench.send("2");
        bench.subscriber->send_hex("40 02 00 01");
        return bench.received() + "; " + received(*bench.publisher);
    });
}

TEST_CASE("a queue at its bound drops a message, and nobody is told",
          "[full_queue_drops_in_silence]") {
    check_mutant(mutant::full_queue_drops_in_silence, "1 q1; dropped 1", "1 q1; dropped 0", [] {
        broker::broker_options options;
        options.queue_messages_max = 1;
        sending_bench bench(lasting("s"), options);
        bench.cut();
        bench.send("1");
        bench.send("2");
        bench.reconnect();
        const auto reason = static_cast<std::size_t>(broker::drop_reason::queue_full);
        return bench.received() + "; dropped " +
               std::to_string(bench.core().metrics().dropped[reason]);
    });
}

}  // namespace
}  // namespace fleetarium::test
