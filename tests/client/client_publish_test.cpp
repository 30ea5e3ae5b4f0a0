#include <support/client_support.hpp>
#include <support/scripted_hooks.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <catch2/catch.hpp>

namespace fleetarium::test {
namespace {

namespace asio = boost::asio;

constexpr auto v3 = protocol_version::v3_1_1;
constexpr auto v5 = protocol_version::v5;

/// A broker, and a second client that hears everything.
struct two_clients {
    explicit two_clients(client_config config = usual(), const broker::broker_options& options = {})
        : broker(network, options),
          c(network, std::move(config)),
          listener(network, client_config("mqtt://listener").id("listener")) {
        network.serve("listener", broker);
        heard = *listener.subscribe("#", qos::exactly_once);
        listener.start();
        network.settle();
    }
    void connect() {
        c.start();
        network.settle();
        REQUIRE(c.is_connected());
    }
    std::vector<std::string> take() { return take_all(heard); }

    virtual_network network;
    memory_broker broker;
    client c;
    client listener;
    subscription heard;
};

}  // namespace

TEST_CASE("a message is published and done, whatever its QoS", "[client][publish]") {
    const auto version = GENERATE(v3, v5);
    const auto level = GENERATE(qos::at_most_once, qos::at_least_once, qos::exactly_once);
    two_clients t(usual(version));
    t.connect();
    outcome published;
    t.c.async_publish("a", "b", level, note(published));
    CHECK(!published.done);
    t.network.settle();
    CHECK(published.succeeded());
    CHECK(published.code == reason_code::success);
    CHECK(t.take() == std::vector<std::string>{"a=b"});
    CHECK(t.c.in_flight() == 0);
}

TEST_CASE("a message that nobody subscribes to is done with that code", "[client][publish]") {
    virtual_network network;
    memory_broker broker(network);
    client c(network, usual());
    c.start();
    outcome published;
    c.async_publish("a", "b", qos::at_least_once, note(published));
    network.settle();
    CHECK(published.succeeded());
    CHECK(published.code == reason_code::no_matching_subscribers);
}

TEST_CASE("a message that the server refuses fails with its code", "[client][publish]") {
    virtual_network network;
    scripted_hooks hooks;
    hooks.on_authorize_publish = [](const auto&, const publish& m) { return m.topic != "secret"; };
    memory_broker broker(network, {}, &hooks);
    client c(network, usual());
    c.start();
    outcome published;
    c.async_publish("secret", "b", qos::at_least_once, note(published));
    network.settle();
    CHECK(published.why == reason_code::not_authorized);
    CHECK(published.code == reason_code::not_authorized);
}

TEST_CASE("all properties of a message arrive", "[client][publish]") {
    two_clients t;
    t.connect();
    publish_options options(qos::at_least_once);
    options.retain().expiry(90s).content_type("text/plain").utf8().response_topic("r");
    options.correlation_data("id-1").user_property("k", "1").user_property("k", "2");
    CHECK(t.c.publish("a", "b", options));
    t.network.settle();
    const auto got = t.heard.try_receive();
    REQUIRE(got);
    CHECK(got->qos() == qos::at_least_once);
    CHECK(got->message_expiry_interval() == 90);
    CHECK(got->content_type() == "text/plain");
    CHECK(got->utf8());
    CHECK(got->response_topic() == "r");
    CHECK(as_text(*got->correlation_data()) == "id-1");
    CHECK(got->user_property("k") == "1");
    CHECK(got->user_properties() == user_property_list{{"k", "1"}, {"k", "2"}});
    CHECK(got->subscription_identifiers().size() == 1);
    const received_message copy = *got;
    CHECK(copy.text() == "b");
    CHECK(copy.content_type() == "text/plain");
    CHECK(t.broker.core().retained().size() == 1);
}

TEST_CASE("what is wrong with a message is told before anything is sent", "[client][publish]") {
    const auto version = GENERATE(v3, v5);
    const bool connected = GENERATE(false, true);
    virtual_network network;
    memory_broker broker(network);
    client c(network, usual(version));
    if (connected) {
        c.start();
        network.settle();
    }
    const auto refused = [&](std::string_view topic, const publish_options& options) {
        outcome published;
        c.async_publish(topic, "b", options, note(published));
        network.settle();
        CHECK(published.done);
        CHECK(c.publish(topic, "b", options).error() == published.why);
        return published.why;
    };
    CHECK(refused("a/#", {}) == error::invalid_topic_name);
    CHECK(refused("", qos::at_least_once) == error::invalid_topic_name);
    CHECK(refused(std::string(70'000, 'x'), qos::at_least_once) == error::invalid_topic_name);
    CHECK(refused("a", publish_options().content_type("\xff")) ==
          (version == v5 ? error::invalid_argument : error::not_in_this_version));
    CHECK(c.queued() == 0);
}

TEST_CASE("messages wait for a connection, in their order", "[client][publish]") {
    two_clients t;
    std::vector<outcome> published(3);
    t.c.async_publish("a", "1", qos::at_least_once, note(published[0]));
    t.c.async_publish("a", "2", note(published[1]));
    CHECK(t.c.publish("a", "3", qos::exactly_once));
    t.c.async_publish("a", "4", qos::at_least_once, note(published[2]));
    t.network.settle();
    CHECK(t.c.queued() == 4);
    CHECK(!published[0].done);
    t.connect();
    CHECK(t.take() == std::vector<std::string>{"a=1", "a=2", "a=3", "a=4"});
    for (const outcome& one : published) {
        CHECK(one.succeeded());
    }
}

TEST_CASE("the queue is bounded in messages and in bytes", "[client][publish]") {
    const auto what = GENERATE(queue_overflow::fail, queue_overflow::drop_oldest);
    publish_queue_options queue;
    queue.when_full(what);
    const bool by_bytes = GENERATE(false, true);
    if (by_bytes) {
        queue.bytes(2500);  // two with a payload of 1,000
    } else {
        queue.messages(2);
    }
    two_clients t(usual().queue(queue));
    std::vector<outcome> published(3);
    const std::string filler(1000, 'x');
    for (outcome& one : published) {
        t.c.async_publish("a", std::to_string(&one - published.data()) + filler, qos::at_least_once,
                          note(one));
    }
    t.network.settle();
    const std::size_t loser = what == queue_overflow::fail ? 2 : 0;
    CHECK(t.c.queued() == 2);
    CHECK(published[loser].why == error::queue_full);
    CHECK(t.c.publish("a", filler, qos::at_least_once).has_value() ==
          (what == queue_overflow::drop_oldest));
    t.connect();
    CHECK(published[2].succeeded() == (loser == 0));
    CHECK(t.take().size() == 2);
}

TEST_CASE("a message that no queue could hold is refused at once", "[client][publish]") {
    publish_queue_options queue;
    queue.bytes(50).when_full(queue_overflow::drop_oldest);
    two_clients t(usual().queue(queue));
    CHECK(t.c.publish("a", "small", qos::at_least_once).error() == error::queue_full);
    queue.bytes(1000);
    two_clients u(usual().queue(queue));
    CHECK(u.c.publish("a", "small", qos::at_least_once));
    CHECK(u.c.publish("a", std::string(1000, 'x'), qos::at_least_once).error() ==
          error::queue_full);
    CHECK(u.c.queued() == 1);
}

TEST_CASE("QoS 0 without a connection: queued, refused or dropped, as configured",
          "[client][publish]") {
    const auto what = GENERATE(qos_0_offline::queue, qos_0_offline::fail, qos_0_offline::drop);
    two_clients t(usual().queue(publish_queue_options().qos_0(what)));
    outcome published;
    t.c.async_publish("a", "1", note(published));
    const auto direct = t.c.publish("a", "2");
    t.network.settle();
    CHECK(published.done == (what != qos_0_offline::queue));
    if (what == qos_0_offline::fail) {
        CHECK(published.why == error::not_connected);
        CHECK(direct.error() == error::not_connected);
    } else {
        CHECK(!published.why);
        CHECK(direct);
    }
    t.connect();
    CHECK(t.take().size() == (what == qos_0_offline::queue ? 2 : 0));
}

TEST_CASE("what is under way when a connection breaks is resumed", "[client][publish]") {
    const auto version = GENERATE(v3, v5);
    const bool kept = GENERATE(false, true);
    const auto level = GENERATE(qos::at_least_once, qos::exactly_once);
    two_clients t(usual(version).clean_start(!kept));
    t.connect();
    t.network.fall_silent();  // the message does not arrive
    outcome published;
    t.c.async_publish("a", "b", level, note(published));
    t.network.settle();
    CHECK(t.c.in_flight() == 1);
    t.network.cut();
    t.network.advance(1s);
    t.network.settle();
    const bool resumed = version == v5 || kept;
    CHECK(t.c.connection().session_present == resumed);
    if (resumed || level == qos::at_least_once) {
        CHECK(published.succeeded());
        CHECK(t.c.in_flight() == 0);
    } else {
        CHECK(published.why == error::session_lost);
    }
    t.network.advance(10s);
    CHECK(t.take().size() == (published.why ? 0 : 1));
}

TEST_CASE("when the server has lost the session QoS 1 is sent anew, in order and before the rest",
          "[client][publish]") {
    two_clients t;
    t.connect();
    t.network.fall_silent();
    std::vector<outcome> published(4);
    for (std::size_t i = 0; i < 3; ++i) {
        t.c.async_publish("a", std::to_string(i), qos::at_least_once, note(published[i]));
    }
    t.network.settle();
    CHECK(t.c.in_flight() == 3);
    t.network.cut();
    t.broker.restart();
    t.c.async_publish("a", "3", qos::at_least_once, note(published[3]));
    CHECK(t.network.run_until([&] { return t.listener.is_connected(); }));
    CHECK(t.network.run_until([&] { return published[3].done; }));
    CHECK(!t.c.connection().session_present);
    for (const outcome& one : published) {
        CHECK(one.succeeded());
    }
    CHECK(t.take() == std::vector<std::string>{"a=0", "a=1", "a=2", "a=3"});
}

TEST_CASE(
    "QoS 2 that the server had confirmed is done when it loses the session; else nobody knows",
    "[client][publish]") {
    virtual_network network;
    scripted_server server(network);
    bool confirms = GENERATE(false, true);
    server.on_packet = [&](scripted_server::session& from, const packet& in) {
        if (std::holds_alternative<connect>(in)) {
            from.send(connack{});
        } else if (const auto* message = std::get_if<publish>(&in)) {
            if (confirms) {
                pubrec out;
                out.packet_id = message->packet_id;
                from.send(out);
            }
        } else if (std::holds_alternative<pubrel>(in)) {
            confirms = true;  // and no PUBCOMP
        }
    };
    client c(network, usual());
    c.start();
    outcome published;
    c.async_publish("a", "b", qos::exactly_once, note(published));
    network.settle();
    CHECK(!published.done);
    network.cut();
    network.advance(1s);
    CHECK(published.done);
    if (confirms) {
        CHECK(!published.why);
    } else {
        CHECK(published.why == error::session_lost);
    }
}

TEST_CASE("no more is under way than the server allows", "[client][publish]") {
    broker::broker_options options;
    options.receive_maximum = 2;
    two_clients t(usual(), options);
    t.connect();
    t.network.fall_silent();
    std::vector<outcome> published(5);
    for (outcome& one : published) {
        t.c.async_publish("a", std::to_string(&one - published.data()), qos::at_least_once,
                          note(one));
    }
    t.network.settle();
    CHECK(t.c.in_flight() == 2);
    CHECK(t.c.queued() == 3);
    t.network.cut();
    t.network.advance(1s);
    CHECK(t.c.queued() == 0);
    CHECK(t.take() == std::vector<std::string>{"a=0", "a=1", "a=2", "a=3", "a=4"});
}

TEST_CASE("QoS 0 is not held up by acknowledgements that are due", "[client][publish]") {
    broker::broker_options options;
    options.receive_maximum = 1;
    two_clients t(usual(), options);
    t.connect();
    CHECK(t.c.publish("a", "1", qos::at_least_once));
    CHECK(t.c.publish("a", "2", qos::at_least_once));
    CHECK(t.c.publish("a", "3"));
    CHECK(t.c.queued() == 1);
    t.network.settle();
    CHECK(t.take() == std::vector<std::string>{"a=1", "a=3", "a=2"});
}

TEST_CASE("a message that expires while it waits is not sent", "[client][publish]") {
    two_clients t;
    outcome early;
    outcome late;
    t.c.async_publish("a", "1", publish_options(qos::at_least_once).expiry(10s), note(early));
    t.c.async_publish("a", "2", publish_options(qos::at_least_once).expiry(60s), note(late));
    t.network.advance(30s);
    t.connect();
    CHECK(early.why == error::message_expired);
    CHECK(late.succeeded());
    const auto got = t.heard.try_receive();
    REQUIRE(got);
    CHECK(got->text() == "2");
    CHECK(got->message_expiry_interval() == 30);
}

TEST_CASE("what the server cannot take is refused when that is known", "[client][publish]") {
    broker::broker_options options;
    options.maximum_qos = qos::at_least_once;
    options.retain_available = false;
    options.maximum_packet_size = 100;
    virtual_network network;
    memory_broker broker(network, options);
    client c(network, usual());
    const bool connected = GENERATE(false, true);
    if (connected) {
        c.start();
        network.settle();
    }
    std::vector<outcome> published(4);
    c.async_publish("a", "b", qos::exactly_once, note(published[0]));
    c.async_publish("a", "b", publish_options(qos::at_least_once).retain(), note(published[1]));
    c.async_publish("a", std::string(200, 'x'), qos::at_least_once, note(published[2]));
    c.async_publish("a", std::string(200, 'x'), note(published[3]));
    c.start();
    network.settle();
    CHECK(published[0].why == error::qos_not_supported);
    CHECK(published[1].why == error::retain_not_supported);
    CHECK(published[2].why == error::packet_too_large);
    CHECK(published[3].why == error::packet_too_large);
}

TEST_CASE("a transport that takes no more holds messages back, in the queue and its bounds",
          "[client][publish]") {
    two_clients t(usual().output_bytes_max(10'000).queue(publish_queue_options().messages(5)));
    t.connect();
    t.network.stall(true);
    const std::string payload(1000, 'x');
    int taken = 0;
    while (t.c.publish("a", payload)) {
        t.network.settle();
        ++taken;
        REQUIRE(taken < 100);
    }
    CHECK(t.c.queued() == 5);
    outcome published;
    t.c.async_publish("a", "last", note(published));
    t.network.settle();
    CHECK(published.why == error::queue_full);
    outcome flushed;
    t.c.async_flush(note(flushed));
    t.network.settle();
    CHECK(!flushed.done);
    t.network.stall(false);
    t.network.settle();
    CHECK(flushed.succeeded());
    CHECK(t.take().size() == static_cast<std::size_t>(taken));
}

TEST_CASE("a wait for a message can be cancelled; what is not sent yet is taken back by that",
          "[client][publish]") {
    const auto type = GENERATE(asio::cancellation_type::total, asio::cancellation_type::partial,
                               asio::cancellation_type::terminal);
    two_clients t;
    asio::cancellation_signal signal;
    outcome published;
    const auto publish = [&] {
        t.c.async_publish("a", "b", qos::at_least_once,
                          asio::bind_cancellation_slot(signal.slot(), note(published)));
    };
    SECTION("it waits in the queue") {
        publish();
        t.network.settle();
        signal.emit(type);
        CHECK(!published.done);  // posted
        t.network.settle();
        CHECK(published.why == asio::error::operation_aborted);
        CHECK(t.c.queued() == 0);
        t.connect();
        CHECK(t.take().empty());
    }
    SECTION("it is sent") {
        t.connect();
        t.network.stall(true);
        publish();
        t.network.settle();
        signal.emit(type);
        t.network.settle();
        CHECK(published.done == (type != asio::cancellation_type::total));
        t.network.stall(false);
        t.network.settle();
        CHECK(published.done);
        CHECK(t.take() == std::vector<std::string>{"a=b"});
    }
    SECTION("it is done") {
        t.connect();
        publish();
        t.network.settle();
        CHECK(published.succeeded());
        signal.emit(type);
    }
}

TEST_CASE("a wait for a message can be limited in time", "[client][publish]") {
    two_clients t;
    outcome published;
    t.c.async_publish("a", "b", qos::at_least_once, t.c.within(5s, note(published)));
    t.network.advance(4s);
    CHECK(!published.done);
    t.network.advance(1s);
    CHECK(published.why == error::timed_out);
    CHECK(t.c.queued() == 0);

    outcome in_time;
    t.c.async_publish("a", "b", qos::at_least_once, t.c.within(5s, note(in_time)));
    t.connect();
    CHECK(in_time.succeeded());
    t.network.advance(10s);
}

TEST_CASE("flush waits for queue, acknowledgements and transport", "[client][publish]") {
    two_clients t;
    outcome at_once;
    t.c.async_flush(note(at_once));
    t.network.settle();
    CHECK(at_once.succeeded());

    CHECK(t.c.publish("a", "1", qos::exactly_once));
    outcome flushed;
    t.c.async_flush(note(flushed));
    t.network.advance(1min);
    CHECK(!flushed.done);
    t.connect();
    CHECK(flushed.succeeded());
}

TEST_CASE("disconnect and destruction give up what waits, and tell so", "[client][publish]") {
    std::vector<outcome> published(3);
    two_clients t;
    t.c.async_publish("a", "queued", qos::at_least_once, note(published[0]));
    SECTION("disconnect") {
        t.connect();
        t.network.stall(true);
        t.c.async_publish("a", "in flight", qos::at_least_once, note(published[1]));
        t.network.settle();
        outcome left;
        t.c.async_disconnect(note(left));
        t.network.settle();
        t.network.stall(false);
        t.network.settle();
        CHECK(left.done);
        CHECK(published[1].done);
        t.c.async_publish("a", "after", qos::at_least_once, note(published[2]));
        t.network.settle();
        CHECK(published[2].why == asio::error::operation_aborted);
    }
    SECTION("destruction") {
        client gone = std::move(t.c);
        { const client dead = std::move(gone); }
        t.network.settle();
        CHECK(published[0].why == asio::error::operation_aborted);
    }
}

TEST_CASE("failures of messages that nobody waits for are counted and logged",
          "[client][publish]") {
    virtual_network network;
    scripted_hooks hooks;
    hooks.on_authorize_publish = [](const auto&, const auto&) { return false; };
    memory_broker broker(network, {}, &hooks);
    std::vector<std::string> lines;
    client c(network, usual().log([&](log_severity severity, std::string_view line) {
        if (severity == log_severity::warning) {
            lines.emplace_back(line);
        }
    }));
    c.start();
    CHECK(c.publish("a", "b", qos::at_least_once));
    network.settle();
    CHECK(lines == std::vector<std::string>{"a message was not published: Not authorized (0x87)"});
    CHECK(c.metrics().publishes_failed == 1);
    CHECK(c.metrics().messages_published == 1);
}

TEST_CASE("messages of any bytes and sizes go through in both versions", "[client][publish]") {
    const auto version = GENERATE(v3, v5);
    two_clients t(usual(version).use_topic_aliases(version == v5));
    t.connect();
    std::vector<std::uint8_t> payload;
    for (const std::size_t size : {0u, 1u, 127u, 1023u, 1024u, 70'000u, 3'000'000u}) {
        payload.resize(size);
        for (std::size_t i = 0; i < size; ++i) {
            payload[i] = static_cast<std::uint8_t>(i * 31 + size);
        }
        outcome published;
        t.c.async_publish("a/long/topic", payload, qos::exactly_once, note(published));
        t.network.settle();
        CHECK(published.succeeded());
        const auto got = t.heard.try_receive();
        REQUIRE(got);
        CHECK(std::equal(payload.begin(), payload.end(), got->payload().begin(),
                         got->payload().end()));
    }
}

}  // namespace fleetarium::test
