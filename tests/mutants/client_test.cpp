#include "with_mutant.hpp"

#include <support/session_pair.hpp>

// The client's session, against a correct server.

namespace fleetarium::test {
namespace {

std::string payloads(const std::vector<received_message>& messages) {
    std::string out;
    for (const received_message& one : messages) {
        out += out.empty() ? "" : ", ";
        out += one.payload;
    }
    return out;
}

std::string joined(const std::vector<std::string>& packets) {
    std::string out;
    for (const std::string& one : packets) {
        out += out.empty() ? "" : ", ";
        out += one;
    }
    return out;
}

// Receiving

/// What the client's application gets of a QoS 2 message whose PUBREC is lost on the way, and what
/// the server has completed in the end.
std::string receive_qos_2_twice() {
    session_pair pair;
    pair.reconnect();
    pair.server_publish("a", "1", qos::exactly_once);
    pair.cut_after(side::client, 1);
    pair.drive();
    pair.reconnect();
    return payloads(pair.at_client) + "; completed " + joined(pair.server_acknowledged);
}

TEST_CASE("a QoS 2 PUBLISH that is sent again reaches the application again",
          "[client_delivers_repeated_qos2]") {
    check_mutant(mutant::client_delivers_repeated_qos2, "1; completed 1", "1, 1; completed 1",
                 receive_qos_2_twice);
}

TEST_CASE("a QoS 2 PUBLISH that is sent again gets no answer",
          "[client_does_not_answer_repeated_qos2]") {
    check_mutant(mutant::client_does_not_answer_repeated_qos2, "1; completed 1", "1; completed ",
                 receive_qos_2_twice);
}

TEST_CASE("QoS 2 ids that are forgotten with the connection let a message in again",
          "[client_forgets_received_ids]") {
    check_mutant(mutant::client_forgets_received_ids, "1; completed 1", "1, 1; completed 1",
                 receive_qos_2_twice);
}

TEST_CASE("a PUBLISH with DUP is dropped by the client that never got the first",
          "[client_discards_dup]") {
    check_mutant(mutant::client_discards_dup, "1; completed 1", "; completed 1", [] {
        session_pair pair;
        pair.reconnect();
        pair.server_publish("a", "1", qos::at_least_once);
        pair.cut();
        pair.reconnect();
        return payloads(pair.at_client) + "; completed " + joined(pair.server_acknowledged);
    });
}

TEST_CASE("a PUBLISH that comes in two pieces is acknowledged and does not reach the application",
          "[client_loses_split_publish]") {
    check_mutant(mutant::client_loses_split_publish, "40 02 00 07, message", "40 02 00 07, nothing",
                 [] {
                     session_pair pair;
                     pair.reconnect();
                     const bytes raw = from_hex("32 07 00 01 61 00 07 00 31");
                     bytes_view first = bytes_view(raw).first(4);
                     bytes_view rest = bytes_view(raw).subspan(4);
                     pair.client().handle_bytes(first, pair.now());
                     const auto event = pair.client().handle_bytes(rest, pair.now());
                     const std::string outcome =
                         std::holds_alternative<publish>(event) ? "message" : "nothing";
                     return to_hex(to_bytes(pair.client().poll_transmit())) + ", " + outcome;
                 });
}

// Sending

/// What the client sends of a message whose PUBLISH is lost on the way.
std::string publish_again(enum qos level) {
    session_pair pair;
    pair.reconnect();
    pair.client_publish("a", "1", level);
    pair.cut();
    pair.reconnect();
    return joined(pair.sent(side::client, packet_type::publish));
}

TEST_CASE("a client sends PUBLISH again without DUP", "[client_dup_missing_on_resend]") {
    check_mutant(mutant::client_dup_missing_on_resend,
                 "32 07 00 01 61 00 01 00 31, 3A 07 00 01 61 00 01 00 31",
                 "32 07 00 01 61 00 01 00 31, 32 07 00 01 61 00 01 00 31",
                 [] { return publish_again(qos::at_least_once); });
}

TEST_CASE("a client sends PUBLISH again under a new packet id", "[client_new_id_on_resend]") {
    check_mutant(mutant::client_new_id_on_resend,
                 "34 07 00 01 61 00 01 00 31, 3C 07 00 01 61 00 01 00 31",
                 "34 07 00 01 61 00 01 00 31, 3C 07 00 01 61 00 02 00 31",
                 [] { return publish_again(qos::exactly_once); });
}

TEST_CASE("a client does not send PUBLISH again", "[client_publish_not_resent]") {
    check_mutant(mutant::client_publish_not_resent,
                 "34 07 00 01 61 00 01 00 31, 3C 07 00 01 61 00 01 00 31",
                 "34 07 00 01 61 00 01 00 31", [] { return publish_again(qos::exactly_once); });
}

TEST_CASE("a client takes a QoS 1 message for done when it is written",
          "[client_qos1_done_when_sent]") {
    check_mutant(mutant::client_qos1_done_when_sent,
                 "32 07 00 01 61 00 01 00 31, 3A 07 00 01 61 00 01 00 31",
                 "32 07 00 01 61 00 01 00 31", [] { return publish_again(qos::at_least_once); });
}

/// The PUBRELs of a client of whose first one a single byte arrives.
std::string release_again() {
    session_pair pair;
    pair.reconnect();
    pair.client_publish("a", "1", qos::exactly_once);
    const std::size_t publish_size = 9;
    pair.cut_after(side::client, publish_size + 1);
    pair.drive();
    pair.reconnect();
    return joined(pair.sent(side::client, packet_type::pubrel));
}

TEST_CASE("a client does not send PUBREL again", "[client_pubrel_not_resent]") {
    check_mutant(mutant::client_pubrel_not_resent, "62 02 00 01, 62 02 00 01", "62 02 00 01",
                 release_again);
}

TEST_CASE("a client does not answer PUBREC by PUBREL", "[client_pubrel_never_sent]") {
    check_mutant(mutant::client_pubrel_never_sent, "62 02 00 01", "", [] {
        session_pair pair;
        pair.reconnect();
        pair.client_publish("a", "1", qos::exactly_once);
        pair.drive();
        return joined(pair.sent(side::client, packet_type::pubrel));
    });
}

TEST_CASE("a client goes on with a message in flight although its session is lost",
          "[client_keeps_state_of_lost_session]") {
    check_mutant(mutant::client_keeps_state_of_lost_session, "", "3A 07 00 01 61 00 01 00 31", [] {
        const client_options options;
        client_session client(options);
        connect request;
        request.client_id = "c";
        request.clean_start = false;
        request.session_expiry_interval = 60;
        const bytes no_session_present = from_hex("20 03 00 00 00");
        const auto open = [&] {
            client.connect(request, instant{});
            client.poll_transmit();
            bytes_view answer = no_session_present;
            client.handle_bytes(answer, instant{});
        };
        open();
        publish message;
        message.topic = "a";
        message.payload = as_bytes_view("1");
        message.qos = qos::at_least_once;
        client.publish(message, instant{});
        client.handle_closed(instant{});
        open();
        return to_hex(to_bytes(client.poll_transmit()));
    });
}

TEST_CASE("a client has more messages in flight than the server allows",
          "[client_receive_maximum_ignored]") {
    check_mutant(mutant::client_receive_maximum_ignored, "1", "2", [] {
        session_pair pair({.server_receive_maximum = 1});
        pair.reconnect();
        pair.client_publish("a", "1", qos::at_least_once);
        pair.client_publish("a", "2", qos::at_least_once);
        return std::to_string(pair.client().in_flight());
    });
}

TEST_CASE("a client sends a larger packet than the server allows",
          "[client_maximum_packet_size_ignored]") {
    check_mutant(mutant::client_maximum_packet_size_ignored, "refused", "sent", [] {
        session_pair pair({.server_packet_size_max = 64});
        pair.reconnect();
        const auto done = pair.client_publish("a", std::string(100, '1'), qos::at_least_once);
        return std::string(done ? "sent" : "refused");
    });
}

TEST_CASE("a client takes a message on for which its queue has no room, and drops it",
          "[client_full_queue_drops_in_silence]") {
    check_mutant(mutant::client_full_queue_drops_in_silence, "refused, 1 waits", "taken, 1 waits",
                 [] {
                     session_pair pair({.client = {.queue_messages_max = 1}});
                     pair.client_publish("a", "1", qos::at_least_once);
                     const auto done = pair.client_publish("a", "2", qos::at_least_once);
                     return std::string(done ? "taken, " : "refused, ") +
                            std::to_string(pair.client().queued()) + " waits";
                 });
}

TEST_CASE("a client sends PINGREQ too late", "[client_pings_late]") {
    check_mutant(mutant::client_pings_late, "10 s", "20 s", [] {
        session_pair pair({.keep_alive = 10});
        pair.reconnect();
        const auto idle = pair.client().poll_timeout() - pair.now();
        return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(idle).count()) +
               " s";
    });
}

}  // namespace
}  // namespace fleetarium::test
