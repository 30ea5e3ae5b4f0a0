#include "with_mutant.hpp"

// Subscriptions, retained messages and shared subscriptions at the broker.

namespace fleetarium::test {
namespace {

subscription_options at(enum qos level) { return {level, false, false, retain_handling::send}; }

/// What a subscriber with these options gets of one message to `a/b` at QoS 1.
std::string received_of_one(std::string_view filter, const subscription_options& options) {
    broker_bench bench;
    peer& publisher = bench.connected({.client_id = "p"});
    peer& subscriber = bench.connected({.client_id = "s"});
    bench.subscribe(subscriber, filter, options);
    bench.publish(publisher, "a/b", "1", qos::at_least_once, 7, true);
    return received(subscriber);
}

TEST_CASE("a subscription takes effect with the client's next packet, not with SUBACK",
          "[subscription_effective_late]") {
    check_mutant(mutant::subscription_effective_late, "1, D0, 2", "D0, 2", [] {
        broker_bench bench;
        peer& publisher = bench.connected({.client_id = "p"});
        peer& subscriber = bench.connected({.client_id = "s"});
        bench.subscribe(subscriber, "a");
        bench.publish(publisher, "a", "1");
        subscriber.send(pingreq{});
        bench.publish(publisher, "a", "2");
        return received(subscriber);
    });
}

TEST_CASE("messages go on coming after UNSUBACK", "[unsubscribe_without_effect]") {
    check_mutant(mutant::unsubscribe_without_effect, "B0", "B0, 1", [] {
        broker_bench bench;
        peer& publisher = bench.connected({.client_id = "p"});
        peer& subscriber = bench.connected({.client_id = "s"});
        bench.subscribe(subscriber, "a");
        const std::string_view filter = "a";
        unsubscribe request;
        request.packet_id = 9;
        request.filters = topic_filters({&filter, 1});
        subscriber.send(request);
        bench.publish(publisher, "a", "1");
        return received(subscriber);
    });
}

TEST_CASE("a filter that begins with a wildcard matches a topic that begins with $",
          "[wildcard_matches_dollar_topics]") {
    const auto filter = GENERATE("#", "+/b");
    check_mutant(mutant::wildcard_matches_dollar_topics, "", "1", [&] {
        broker_bench bench;
        peer& publisher = bench.connected({.client_id = "p"});
        peer& subscriber = bench.connected({.client_id = "s"});
        bench.subscribe(subscriber, filter);
        bench.publish(publisher, "$a/b", "1");
        return received(subscriber);
    });
}

TEST_CASE("a client gets its own message in spite of No Local", "[no_local_ignored]") {
    check_mutant(mutant::no_local_ignored, "", "1", [] {
        broker_bench bench;
        peer& client = bench.connected();
        bench.subscribe(client, "a", {qos::at_most_once, true, false, retain_handling::send});
        bench.publish(client, "a", "1");
        return received(client);
    });
}

TEST_CASE("a delivery has a higher QoS than its subscription", "[delivery_qos_not_capped]") {
    check_mutant(mutant::delivery_qos_not_capped, "1", "1 q1",
                 [] { return received_of_one("a/b", at(qos::at_most_once)); });
}

TEST_CASE("the lower of two subscriptions gives the QoS", "[overlap_delivers_lower_qos]") {
    check_mutant(mutant::overlap_delivers_lower_qos, "1 q1", "1", [] {
        broker_bench bench;
        peer& publisher = bench.connected({.client_id = "p"});
        peer& subscriber = bench.connected({.client_id = "s"});
        bench.subscribe(subscriber, "a", qos::at_least_once);
        bench.subscribe(subscriber, "#", qos::at_most_once);
        bench.publish(publisher, "a", "1", qos::at_least_once, 7);
        return received(subscriber);
    });
}

TEST_CASE("a delivery lacks the Subscription Identifier", "[subscription_identifier_lost]") {
    check_mutant(mutant::subscription_identifier_lost, "identifier", "none", [] {
        broker_bench bench;
        peer& publisher = bench.connected({.client_id = "p"});
        peer& subscriber = bench.connected({.client_id = "s"});
        bench.subscribe(subscriber, "a", at(qos::at_most_once), 5);
        bench.publish(publisher, "a", "1");
        const auto in = subscriber.take_as<publish>();
        return std::string(in.subscription_identifiers.empty() ? "none" : "identifier");
    });
}

TEST_CASE("RETAIN is not forwarded in spite of Retain As Published",
          "[retain_as_published_ignored]") {
    check_mutant(mutant::retain_as_published_ignored, "1 q1 retain", "1 q1", [] {
        return received_of_one("a/b", {qos::at_least_once, false, true, retain_handling::send});
    });
}

// Retained messages

/// What a new subscriber gets, after messages at this QoS were retained on its topic.
std::string retained_after(const std::vector<std::string_view>& payloads,
                           enum qos level = qos::at_most_once,
                           retain_handling handling = retain_handling::send) {
    broker_bench bench;
    peer& publisher = bench.connected({.client_id = "p"});
    std::uint16_t packet_id = 0;
    for (const auto payload : payloads) {
        if (level != qos::at_most_once) {
            ++packet_id;
        }
        bench.publish(publisher, "a", payload, level, packet_id, true);
    }
    peer& subscriber = bench.connected({.client_id = "s"});
    bench.subscribe(subscriber, "a", {qos::at_least_once, false, false, handling});
    return received(subscriber);
}

TEST_CASE("a message of QoS 1 is not retained", "[retained_dropped_above_qos0]") {
    check_mutant(mutant::retained_dropped_above_qos0, "1 q1 retain", "",
                 [] { return retained_after({"1"}, qos::at_least_once); });
}

TEST_CASE("the first message retained stays", "[retained_not_replaced]") {
    check_mutant(mutant::retained_not_replaced, "2 retain", "1 retain", [] {
        return retained_after({"1", "2"});
    });
}

TEST_CASE("an empty message does not clear the retained one", "[retained_not_cleared]") {
    check_mutant(mutant::retained_not_cleared, "", "1 retain", [] {
        return retained_after({"1", ""});
    });
}

TEST_CASE("a retained message comes without RETAIN", "[retained_sent_without_flag]") {
    check_mutant(mutant::retained_sent_without_flag, "1 retain", "1",
                 [] { return retained_after({"1"}); });
}

TEST_CASE("a retained message comes although Retain Handling forbids it",
          "[retain_handling_ignored]") {
    check_mutant(mutant::retain_handling_ignored, "", "1 retain", [] {
        return retained_after({"1"}, qos::at_most_once, retain_handling::do_not_send);
    });
}

// Shared subscriptions

/// Two members of one group, whose sessions last, and a publisher.
struct shared_bench : broker_bench {
    shared_bench() {
        subscribe(*first, "$share/g/a", qos::at_least_once);
        subscribe(*second, "$share/g/a", qos::at_least_once);
    }
    void send(std::string_view payload) {
        publish(*publisher, "a", payload, qos::at_least_once, ++packet_id);
    }

    peer* first = &connected(lasting("1st"));
    peer* second = &connected(lasting("2nd"));
    peer* publisher = &connected({.client_id = "p"});
    std::uint16_t packet_id = 0;
};

TEST_CASE("two members of a group get the same message", "[shared_sent_to_two_members]") {
    check_mutant(mutant::shared_sent_to_two_members, "1 q1; ", "1 q1; 1 q1", [] {
        shared_bench bench;
        bench.send("1");
        return received(*bench.first) + "; " + received(*bench.second);
    });
}

TEST_CASE("a member without a connection has its turn while another has one",
          "[shared_given_to_absent_member]") {
    check_mutant(mutant::shared_given_to_absent_member, "1 q1, 2 q1", "2 q1", [] {
        shared_bench bench;
        bench.first->cut();
        bench.send("1");
        bench.send("2");
        return received(*bench.second);
    });
}

TEST_CASE("what waits for a member whose session ends is lost to the group",
          "[shared_lost_with_its_member]") {
    check_mutant(mutant::shared_lost_with_its_member, "1 q1; 1 q1", "1 q1; ", [] {
        shared_bench bench;
        bench.send("1");  // not acknowledged by the first member
        const std::string first = received(*bench.first);
        bench.first->cut();
        bench.advance(2h);
        return first + "; " + received(*bench.second);
    });
}

}  // namespace
}  // namespace fleetarium::test
