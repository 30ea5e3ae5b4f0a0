#include <fleetarium/storage/database.hpp>

#include <support/durable_bench.hpp>
#include <support/temporary_folder.hpp>

#include <catch2/catch.hpp>

using namespace fleetarium;
using namespace fleetarium::test;

namespace {

constexpr std::uint32_t hour = 3600;

struct durable_broker : temporary_folder, durable_bench {
    explicit durable_broker(const broker::broker_options& options = {})
        : durable_bench({.path = path() + "/sessions.db"}, options) {}

    /// A client with a session of an hour, its CONNACK and SUBACK taken.
    peer& subscriber(enum qos granted = qos::exactly_once, std::string_view filter = "a/#") {
        peer& made = broker().connect({.client_id = "s", .session_expiry = hour});
        commit();
        made.discard();
        const subscription_request one{filter, {granted, false, false, retain_handling::send}};
        subscribe request;
        request.packet_id = 1;
        request.requests = subscription_requests({&one, 1});
        made.send(request);
        commit();
        made.discard();
        return made;
    }
    peer& publisher() {
        peer& made = broker().connect({.client_id = "p", .session_expiry = hour});
        commit();
        made.discard();
        return made;
    }
    /// The client comes back to its session.
    peer& back(std::string client_id) {
        peer& made = broker().connect(
            {.client_id = std::move(client_id), .clean_start = false, .session_expiry = hour});
        commit();
        CHECK(made.take_as<connack>().session_present);
        return made;
    }
};

}  // namespace

// Output commit

TEST_CASE("an acknowledgement leaves only when what it promises is durable",
          "[storage][v5/MQTT-3.3.4-1]") {
    durable_broker durable;
    peer& subscriber = durable.subscriber();
    peer& publisher = durable.publisher();

    durable.broker().publish(publisher, "a/b", "one", qos::at_least_once, 7);
    CHECK(publisher.waiting() == 0);
    CHECK(subscriber.waiting() == 0);

    durable.commit();
    CHECK(publisher.take_hex() == "40 02 00 07");
    CHECK(subscriber.take_publish() == "a/b=one q1");
}

TEST_CASE("clients that come and leave while nothing becomes durable leave nothing behind",
          "[storage][threat/memory]") {
    broker::broker_options options;
    options.memory_max = std::size_t{1} << 30;
    durable_broker durable(options);
    peer& patient = durable.broker().connect({.client_id = "patient", .session_expiry = hour});
    std::size_t bytes = 0;
    peer* late = nullptr;
    for (int i = 0; i < 20'000; ++i) {
        durable.broker().connect({.client_id = "in a hurry"}).cut();
        if (i == 2'000) {
            bytes = durable.broker().core().memory().used();
        } else if (i == 10'000) {
            late = &durable.broker().connect({.client_id = "late", .session_expiry = hour});
        }
    }
    CHECK(durable.broker().core().memory().used() < bytes + 600'000);  // most of it timeouts
    CHECK(patient.waiting() == 0);
    durable.commit();
    CHECK(patient.take_as<connack>().code == reason_code::success);
    CHECK(late->take_as<connack>().code == reason_code::success);

    // What they are told from then on comes in order.
    late->send_hex("C0 00");
    durable.broker().publish(*late, "a/b", "one", qos::at_least_once, 7);
    late->send_hex("C0 00");
    durable.commit();
    CHECK(late->take_hex() == "D0 00");
    CHECK(late->take_hex() == "40 03 00 07 10");  // nobody is subscribed
    CHECK(late->take_hex() == "D0 00");
}

TEST_CASE("what promises nothing does not wait, but for what went before it", "[storage]") {
    durable_broker durable;
    peer& subscriber = durable.subscriber();
    peer& publisher = durable.publisher();

    durable.broker().publish(publisher, "a/b", "quick");
    CHECK(subscriber.take_publish() == "a/b=quick");

    durable.broker().publish(publisher, "a/b", "first", qos::at_least_once, 1);
    durable.broker().publish(publisher, "a/b", "second");
    CHECK(subscriber.waiting() == 0);
    durable.commit();
    CHECK(subscriber.take_publish() == "a/b=first q1");
    CHECK(subscriber.take_publish() == "a/b=second");
}

TEST_CASE("output that waits for the file counts for the memory ceiling", "[storage]") {
    broker::broker_options options;
    options.memory_max = std::size_t{16} << 20;
    durable_broker durable(options);
    durable.subscriber();
    peer& publisher = durable.publisher();
    const std::string kilobyte(1000, 'x');

    durable.broker().publish(publisher, "a/b", "it waits", qos::at_least_once, 7);
    const std::size_t before = durable.broker().core().memory().used();
    for (int i = 0; i < 200; ++i) {  // and so does what comes behind it
        durable.broker().publish(publisher, "a/b", kilobyte);
    }
    CHECK(durable.broker().core().memory().used() >= before + 200 * 1000);

    durable.commit();
    durable.broker().publish(publisher, "a/b", "nothing waits");
    CHECK(durable.broker().core().memory().used() <= before + 10'000);
}

TEST_CASE("a connection that closes while its output waits takes it along", "[storage]") {
    durable_broker durable;
    peer& subscriber = durable.subscriber();
    peer& publisher = durable.publisher();
    durable.broker().publish(publisher, "a/b", "one", qos::at_least_once, 1);
    durable.broker().publish(publisher, "a/b", "two", qos::at_least_once, 2);
    subscriber.cut();
    peer& next = durable.broker().open();  // under the number of the one that is gone
    durable.commit();
    CHECK(next.waiting() == 0);
    CHECK(publisher.take_hex() == "40 02 00 01");
    CHECK(publisher.take_hex() == "40 02 00 02");
}

// What outlives the process

TEST_CASE("subscriptions outlive the process, with their options", "[storage][v5/MQTT-4.1.0-1]") {
    durable_broker durable;
    durable.subscriber(qos::at_least_once, "$share/group/a/+");
    durable.restart();
    CHECK(durable.contents().subscriptions == 1);
    peer& subscriber = durable.back("s");
    peer& publisher = durable.publisher();
    durable.broker().publish(publisher, "a/b", "one", qos::exactly_once, 1);
    durable.commit();
    CHECK(subscriber.take_publish() == "a/b=one q1");
}

TEST_CASE("messages in the queue and in flight outlive the process, in their order",
          "[storage][v5/MQTT-4.4.0-1]") {
    durable_broker durable;
    peer& subscriber = durable.subscriber();
    peer& publisher = durable.publisher();
    durable.broker().publish(publisher, "a/1", "sent", qos::at_least_once, 1);
    durable.broker().publish(publisher, "a/2", "sent too", qos::exactly_once, 2);
    durable.commit();
    CHECK(subscriber.waiting() == 2);
    subscriber.cut();
    durable.broker().publish(publisher, "a/3", "queued", qos::exactly_once, 3);
    durable.broker().publish(publisher, "a/4", "queued too", qos::at_least_once, 4);
    durable.commit();

    durable.restart();
    CHECK(durable.contents().deliveries == 4);
    CHECK(durable.contents().messages == 4);
    peer& again = durable.back("s");
    CHECK(again.take_publish() == "a/1=sent q1 dup");
    CHECK(again.take_publish() == "a/2=sent too q2 dup");
    CHECK(again.take_publish() == "a/3=queued q2");
    CHECK(again.take_publish() == "a/4=queued too q1");
}

TEST_CASE("what was acknowledged before the process died is not sent again", "[storage]") {
    durable_broker durable;
    peer& subscriber = durable.subscriber();
    peer& publisher = durable.publisher();
    durable.broker().publish(publisher, "a/1", "one", qos::at_least_once, 1);
    durable.broker().publish(publisher, "a/2", "two", qos::at_least_once, 2);
    durable.commit();
    subscriber.discard();
    subscriber.send_hex("40 02 00 02");
    durable.commit();
    durable.restart();
    peer& again = durable.back("s");
    CHECK(again.take_publish() == "a/1=one q1 dup");
    CHECK(again.waiting() == 0);
    again.send_hex("40 02 00 01");
    durable.commit();
    durable.restart();
    CHECK(durable.contents().messages == 0);
    CHECK(durable.contents().deliveries == 0);
}

TEST_CASE("a QoS 2 delivery goes on where it stood", "[storage][v5/MQTT-4.3.3-6]") {
    durable_broker durable;
    peer& subscriber = durable.subscriber();
    peer& publisher = durable.publisher();
    durable.broker().publish(publisher, "a/b", "once", qos::exactly_once, 1);
    durable.commit();
    subscriber.discard();

    subscriber.send_hex("50 02 00 01");  // PUBREC
    CHECK(subscriber.waiting() == 0);    // PUBREL promises never to send the PUBLISH again
    durable.commit();
    CHECK(subscriber.take_hex() == "62 02 00 01");

    durable.restart();
    peer& again = durable.back("s");
    CHECK(again.take_hex() == "62 02 00 01");
    again.send_hex("70 02 00 01");
    durable.commit();
    durable.restart();
    CHECK(durable.contents().deliveries == 0);
}

TEST_CASE("a QoS 2 message is taken on once, whenever the process dies",
          "[storage][v5/MQTT-4.3.3-10]") {
    durable_broker durable;
    durable.subscriber().cut();
    durable.broker().publish(durable.publisher(), "a/b", "once", qos::exactly_once, 9);
    durable.commit();

    durable.restart();
    peer& again = durable.back("p");
    durable.broker().publish(again, "a/b", "once", qos::exactly_once, 9);
    durable.commit();
    CHECK(again.take_hex() == "50 02 00 09");
    again.send_hex("62 02 00 09");
    CHECK(again.waiting() == 0);  // PUBCOMP says that the identifier is free
    durable.commit();
    CHECK(again.take_hex() == "70 02 00 09");

    durable.restart();
    peer& third = durable.back("p");
    durable.broker().publish(third, "a/b", "another", qos::exactly_once, 9);
    durable.commit();
    peer& subscriber = durable.back("s");
    CHECK(subscriber.take_publish() == "a/b=once q2");
    CHECK(subscriber.take_publish() == "a/b=another q2");
}

TEST_CASE("retained messages outlive the process, the newest of each topic",
          "[storage][v5/MQTT-3.3.1-5]") {
    durable_broker durable;
    peer& publisher = durable.publisher();
    durable.broker().publish(publisher, "r/1", "old", qos::at_most_once, 0, true);
    durable.broker().publish(publisher, "r/1", "new", qos::at_least_once, 1, true);
    durable.broker().publish(publisher, "r/2", "cleared", qos::at_least_once, 2, true);
    durable.commit();
    durable.broker().publish(publisher, "r/2", "", qos::at_least_once, 3, true);
    durable.commit();
    durable.restart();
    CHECK(durable.contents().retained == 1);
    CHECK(durable.contents().messages == 1);
    peer& reader = durable.broker().connected({.client_id = "reader"});
    durable.broker().subscribe(reader, "r/#", qos::exactly_once);
    CHECK(reader.take_publish() == "r/1=new q1 retain");
    CHECK(reader.waiting() == 0);
}

TEST_CASE("a will whose client was connected is published after a restart, once",
          "[storage][v5/MQTT-3.1.2-8]") {
    durable_broker durable;
    durable.subscriber().cut();
    will last;
    last.topic = "a/will";
    last.payload = as_bytes_view(std::string_view("gone"));
    last.qos = qos::at_least_once;
    last.delay_interval = 10;
    peer& client =
        durable.broker().connect({.client_id = "w", .session_expiry = hour, .will = last});
    durable.commit();
    CHECK(client.waiting() == 1);

    durable.restart();
    durable.broker().advance(9s);
    durable.commit();
    durable.restart();  // the delay goes on
    durable.broker().advance(1s);
    durable.commit();
    durable.restart();
    durable.broker().advance(1min);
    peer& subscriber = durable.back("s");
    CHECK(subscriber.take_publish() == "a/will=gone q1");
    CHECK(subscriber.waiting() == 0);
}

TEST_CASE("sessions and messages expire while no process runs", "[storage][v5/MQTT-3.1.2-23]") {
    durable_broker durable;
    durable.subscriber().cut();
    peer& publisher = durable.publisher();
    publish message;
    message.topic = "a/b";
    message.qos = qos::at_least_once;
    message.packet_id = 1;
    message.message_expiry_interval = 60;
    publisher.send(message);
    message.packet_id = 2;
    message.message_expiry_interval = 600;
    publisher.send(message);
    durable.commit();

    SECTION("a message whose interval has passed is not delivered, the rest is counted down") {
        durable.restart(61s);
        peer& subscriber = durable.back("s");
        CHECK(subscriber.take_as<publish>().message_expiry_interval == 539);
        CHECK(subscriber.waiting() == 0);
    }
    SECTION("a session whose interval has passed is gone, with all it held") {
        durable.restart(2h);
        CHECK(durable.broker().core().session_count() == 1);  // the publisher was connected
        durable.restart();
        CHECK(durable.contents().sessions == 1);
        CHECK(durable.contents().deliveries == 0);
        CHECK(durable.contents().messages == 0);
        CHECK(durable.contents().subscriptions == 0);
    }
}

TEST_CASE("a session that ends with its connection leaves nothing in the file", "[storage]") {
    durable_broker durable;
    peer& brief = durable.broker().connected({.client_id = "brief"});
    durable.broker().subscribe(brief, "a/#", qos::exactly_once);
    peer& publisher = durable.publisher();
    durable.broker().publish(publisher, "a/b", "one", qos::exactly_once, 1);
    durable.commit();
    durable.subscriber();
    peer& short_now = durable.broker().connect({.client_id = "s", .clean_start = false});
    durable.commit();
    CHECK(short_now.take_as<connack>().session_present);
    durable.broker().publish(publisher, "a/b", "two", qos::exactly_once, 2);
    durable.commit();
    durable.restart();
    CHECK(durable.contents().sessions == 1);
    CHECK(durable.contents().subscriptions == 0);
    CHECK(durable.contents().messages == 0);
}

TEST_CASE("one message for many sessions is one row", "[storage]") {
    durable_broker durable;
    for (int i = 0; i < 20; ++i) {
        peer& each = durable.broker().connect(
            {.client_id = "s" + std::to_string(i), .session_expiry = hour});
        durable.commit();
        each.discard();
        each.send_hex("82 08 00 01 00 00 02 61 2F 00");
        durable.commit();
        each.cut();
    }
    peer& publisher = durable.publisher();
    durable.broker().publish(publisher, "a/", "to all", qos::at_least_once, 1);
    durable.commit();
    durable.restart();
    CHECK(durable.contents().sessions == 21);
    CHECK(durable.contents().messages <= 1);
}

TEST_CASE("what is made and undone between two commits is never written", "[storage]") {
    durable_broker durable;
    durable.subscriber();
    peer& publisher = durable.publisher();
    durable.broker().publish(publisher, "r", "one", qos::at_most_once, 0, true);
    durable.broker().publish(publisher, "r", "two", qos::at_most_once, 0, true);
    auto changes = durable.journal().take({});
    std::size_t written = 0;
    for (const auto& each : changes.changes) {
        written += each.what == storage::session_change::kind::put_message;
    }
    CHECK(written == 1);
}

TEST_CASE("what was not committed has not happened", "[storage]") {
    durable_broker durable;
    durable.subscriber().cut();
    peer& publisher = durable.publisher();
    durable.broker().publish(publisher, "a/b", "lost with its acknowledgement", qos::at_least_once,
                             1);
    CHECK(publisher.waiting() == 0);
    durable.restart();
    CHECK(durable.contents().deliveries == 0);
    CHECK(durable.back("s").waiting() == 0);
}

TEST_CASE("a client that ends its session as it leaves takes its will's message along",
          "[storage]") {
    durable_broker durable;
    durable.subscriber().cut();
    will last;
    last.topic = "a/will";
    last.payload = as_bytes_view(std::string_view("gone"));
    last.qos = qos::at_least_once;
    last.retain = true;
    peer& leaving =
        durable.broker().connect({.client_id = "w", .session_expiry = 100, .will = last});
    durable.commit();
    leaving.discard();
    leaving.send_hex("82 0C 00 01 00 00 06 61 2F 77 69 6C 6C 01");  // its own will's topic
    durable.commit();
    leaving.send_hex("E0 07 04 05 11 00 00 00 00");  // with will, and no session any more
    durable.commit();
    durable.restart();
    CHECK(durable.contents().sessions == 1);
    CHECK(durable.contents().retained == 1);
    peer& subscriber = durable.back("s");
    CHECK(subscriber.take_publish() == "a/will=gone q1");
    durable.broker().publish(durable.publisher(), "a/will", "new", qos::at_least_once, 1, true);
    durable.commit();
    durable.restart();
    CHECK(durable.contents().retained == 1);
}

TEST_CASE("a shared delivery goes back to its own group, after a restart too",
          "[storage][v5/MQTT-4.8.2-5]") {
    durable_broker durable;
    const auto join = [&](std::string client_id, std::string_view filter) -> peer& {
        peer& made = durable.broker().connect({.client_id = std::move(client_id),
                                               .clean_start = false,
                                               .session_expiry = hour});
        durable.commit();
        const subscription_request one{
            filter, {qos::at_least_once, false, false, retain_handling::send}};
        subscribe request;
        request.packet_id = 1;
        request.requests = subscription_requests({&one, 1});
        made.send(request);
        durable.commit();
        made.discard();
        return made;
    };
    join("both", "$share/zebra/a/b").cut();
    join("both", "$share/apple/a/b").cut();
    durable.broker().publish(durable.publisher(), "a/b", "to each group", qos::at_least_once, 1);
    durable.commit();
    durable.restart();
    peer& zebra = join("z", "$share/zebra/a/b");
    peer& apple = join("y", "$share/apple/a/b");
    durable.broker().connect({.client_id = "both"});  // a clean start ends the session
    durable.commit();
    CHECK(zebra.take_publish() == "a/b=to each group q1");
    CHECK(apple.take_publish() == "a/b=to each group q1");
    CHECK(zebra.waiting() == 0);
    CHECK(apple.waiting() == 0);
}

TEST_CASE("the answer to PINGREQ waits for no disk", "[storage]") {
    durable_broker durable;
    peer& subscriber = durable.subscriber();
    durable.broker().publish(durable.publisher(), "r", "kept", qos::at_most_once, 0, true);
    CHECK(subscriber.is_served());
}

TEST_CASE("a queue that recovery took messages from goes on without a gap", "[storage]") {
    durable_broker durable;
    durable.subscriber().cut();
    peer& publisher = durable.publisher();
    for (std::uint16_t n = 1; n <= 6; ++n) {
        durable.broker().publish(publisher, "a/b", std::to_string(n), qos::at_least_once, n);
    }
    durable.commit();
    const std::string file = durable.path() + "/sessions.db";
    durable.die();
    {
        storage::database damaged(file, storage::database::mode::write);
        damaged.execute("DELETE FROM messages WHERE payload = CAST('3' AS BLOB)");
    }
    CHECK(storage::recover_session_file(file).saved.deliveries == 5);
    durable.start();
    peer& subscriber = durable.back("s");
    for (const int n : {1, 2, 4, 5, 6}) {
        CHECK(subscriber.take_publish() == "a/b=" + std::to_string(n) + " q1");
    }
    subscriber.send_hex("40 02 00 04");
    durable.commit();
    durable.restart();
    CHECK(durable.contents().deliveries == 4);
}
