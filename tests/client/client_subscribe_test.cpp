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

using texts = std::vector<std::string>;

struct subscribed {
    bool done = false;
    boost::system::error_code why;
    subscription stream;
};

auto keep(subscribed& into) {
    return [&into](boost::system::error_code why, subscription made) {
        CHECK(!into.done);
        into.done = true;
        into.why = why;
        into.stream = std::move(made);
    };
}

struct bench {
    explicit bench(client_config config = usual(), const broker::broker_options& options = {},
                   broker::broker_hooks* hooks = nullptr)
        : broker(network, options, hooks), c(network, std::move(config)) {}
    void connect() {
        c.start();
        network.settle();
        REQUIRE(c.is_connected());
    }
    /// As async_subscribe, done at once.
    template <class Filters>
    subscription subscribe(Filters filters, subscribe_options options = qos::at_least_once) {
        subscribed made;
        c.async_subscribe(std::move(filters), std::move(options), keep(made));
        network.settle();
        REQUIRE(made.done);
        REQUIRE(!made.why);
        return std::move(made.stream);
    }
    void publish(std::string_view topic, std::string_view payload,
                 enum qos level = qos::at_least_once) {
        broker.publish(topic, payload, level);
        network.settle();
    }

    virtual_network network;
    memory_broker broker;
    client c;
};

}  // namespace

TEST_CASE("a subscription is a stream of its messages", "[client][subscribe]") {
    const auto version = GENERATE(v3, v5);
    bench t(usual(version));
    t.connect();
    subscription stream = t.subscribe("a/+");
    CHECK(stream.codes() == std::vector<reason_code>{reason_code::granted_qos_1});
    CHECK(stream.filters() == texts{"a/+"});
    t.publish("a/1", "x");
    t.publish("b/1", "no");
    t.publish("a/2", "y", qos::at_most_once);
    CHECK(stream.buffered() == 2);

    received_message got;
    const auto receive = [&](boost::system::error_code why, received_message message) {
        CHECK(!why);
        got = std::move(message);
    };
    stream.async_receive(receive);
    CHECK(!got.payload().data());
    t.network.settle();
    CHECK(got.topic() == "a/1");
    CHECK(got.text() == "x");
    CHECK(got.qos() == qos::at_least_once);
    CHECK(!got.retain());
    stream.async_receive(receive);
    t.network.settle();
    CHECK(got.text() == "y");

    stream.async_receive(receive);  // waits
    t.network.settle();
    t.publish("a/3", "z");
    CHECK(got.text() == "z");
    CHECK(stream.buffered() == 0);
}

TEST_CASE("several who receive get messages in turn", "[client][subscribe]") {
    bench t;
    t.connect();
    subscription stream = t.subscribe("a");
    texts got;
    for (const char* name : {"first ", "second "}) {
        stream.async_receive([&got, name](boost::system::error_code, const received_message& m) {
            got.push_back(name + std::string(m.text()));
        });
    }
    t.publish("a", "1");
    t.publish("a", "2");
    CHECK(got == texts{"first 1", "second 2"});
}

TEST_CASE("each stream gets what is for it, once, however filters overlap", "[client][subscribe]") {
    const auto version = GENERATE(v3, v5);
    const auto how = GENERATE(broker::overlapping_subscriptions::single_copy,
                              broker::overlapping_subscriptions::copy_per_subscription);
    const bool identifiers = GENERATE(true, false);
    if (how == broker::overlapping_subscriptions::copy_per_subscription &&
        (version == v3 || !identifiers)) {
        return;  // what came for which subscription, the client cannot know there
    }
    broker::broker_options options;
    options.overlapping_subscriptions = how;
    options.subscription_identifier_available = identifiers;
    bench t(usual(version), options);
    t.connect();
    subscription all = t.subscribe("#");
    subscription some = t.subscribe(texts{"a/+", "a/1"});
    subscription one = t.subscribe("a/1");
    t.publish("a/1", "x");
    t.publish("a/2", "y");
    t.publish("b", "z");
    CHECK(take_all(all) == texts{"a/1=x", "a/2=y", "b=z"});
    CHECK(take_all(one) == texts{"a/1=x"});
    if (how == broker::overlapping_subscriptions::single_copy) {
        CHECK(take_all(some) == texts{"a/1=x", "a/2=y"});
    } else {
        CHECK(take_all(some) == texts{"a/1=x", "a/1=x", "a/2=y"});
    }
}

TEST_CASE("a shared subscription gets its part", "[client][subscribe]") {
    const auto version = GENERATE(v3, v5);
    bench t(usual(version));
    client other(t.network, usual(version).id("other"));
    t.connect();
    other.start();
    t.network.settle();
    subscription mine = t.subscribe("$share/g/a/#");
    auto theirs = *other.subscribe("$share/g/a/#", qos::at_least_once);
    t.network.settle();
    for (int i = 0; i < 10; ++i) {
        t.publish("a/b", std::to_string(i));
    }
    CHECK(mine.buffered() + theirs.buffered() == 10);
    CHECK(mine.buffered() > 0);
    CHECK(theirs.buffered() > 0);
}

TEST_CASE("a refusal is told, and leaves nothing", "[client][subscribe]") {
    scripted_hooks hooks;
    hooks.on_authorize_subscribe = [](const auto&, std::string_view filter) {
        return filter != "secret";
    };
    bench t(usual(), {}, &hooks);
    t.connect();
    subscribed refused;
    t.c.async_subscribe("secret", qos::at_least_once, keep(refused));
    t.network.settle();
    CHECK(refused.why == reason_code::not_authorized);
    CHECK(!refused.stream);

    subscription partly = t.subscribe(texts{"open", "secret"});
    CHECK(partly.codes() ==
          std::vector<reason_code>{reason_code::granted_qos_1, reason_code::not_authorized});
    t.publish("open", "x");
    CHECK(take_all(partly) == texts{"open=x"});
}

TEST_CASE("what is wrong with a subscription is told before anything is sent",
          "[client][subscribe]") {
    const auto version = GENERATE(v3, v5);
    bench t(usual(version));
    t.connect();
    const auto why = [&](const std::string& filter, const subscribe_options& options) {
        subscribed made;
        t.c.async_subscribe(filter, options, keep(made));
        t.network.settle();
        CHECK(made.done);
        CHECK(t.c.subscribe(filter, options).error() == made.why);
        return made.why;
    };
    CHECK(why("a/#/b", {}) == error::invalid_topic_filter);
    CHECK(why("$share/+/b", {}) == error::invalid_topic_filter);
    CHECK(why("a", subscribe_options().buffer(0)) == error::invalid_argument);
    CHECK(why("$share/g/a", subscribe_options().no_local()) ==
          (version == v5 ? error::invalid_argument : error::not_in_this_version));
    CHECK(t.broker.core().subscription_count() == 0);
}

TEST_CASE("what the server does not offer is told", "[client][subscribe]") {
    broker::broker_options options;
    options.wildcard_subscription_available = false;
    options.shared_subscription_available = false;
    bench t(usual(), options);
    subscribed wild;
    subscribed shared;
    t.c.async_subscribe("a/#", qos::at_least_once, keep(wild));
    t.c.async_subscribe("$share/g/a", qos::at_least_once, keep(shared));
    t.connect();
    CHECK(wild.why == error::wildcard_subscriptions_not_supported);
    CHECK(shared.why == error::shared_subscriptions_not_supported);
}

TEST_CASE("options of a subscription reach the server", "[client][subscribe]") {
    bench t;
    t.broker.publish("kept", "old", qos::at_least_once, true);
    t.connect();
    subscription usual_one = t.subscribe("kept");
    CHECK(usual_one.try_receive()->retain());
    subscription none = t.subscribe(
        "kept/#", subscribe_options(qos::at_least_once).retained(retain_handling::do_not_send));
    CHECK(none.buffered() == 0);
    subscription foreign = t.subscribe("mine", subscribe_options(qos::at_least_once).no_local());
    CHECK(t.c.publish("mine", "x"));
    t.network.settle();
    CHECK(foreign.buffered() == 0);
    subscription as_is =
        t.subscribe("flag", subscribe_options(qos::at_least_once).retain_as_published());
    CHECK(t.c.publish("flag", "x", publish_options().retain()));
    t.network.settle();
    CHECK(as_is.try_receive()->retain());
}

TEST_CASE("subscriptions are made anew when the server has lost the session",
          "[client][subscribe]") {
    const auto version = GENERATE(v3, v5);
    bench t(usual(version));
    t.connect();
    subscription first = t.subscribe("a/#");
    subscription second = t.subscribe(texts{"b", "c"});
    t.network.cut();
    t.broker.restart();
    CHECK(t.broker.core().subscription_count() == 0);
    t.network.advance(1s);
    REQUIRE(t.c.is_connected());
    CHECK(t.broker.core().subscription_count() == 3);
    t.publish("a/1", "x");
    t.publish("c", "y");
    CHECK(take_all(first) == texts{"a/1=x"});
    CHECK(take_all(second) == texts{"c=y"});
}

TEST_CASE("with the session the server keeps subscriptions, and messages come later",
          "[client][subscribe]") {
    scripted_hooks hooks;
    bench t(usual(), {}, &hooks);
    t.connect();
    subscription stream = t.subscribe("a");
    t.network.cut();
    t.publish("a", "meanwhile");
    t.network.advance(1s);
    CHECK(take_all(stream) == texts{"a=meanwhile"});
    CHECK(hooks.all(scripted_hooks::kind::subscribed).size() == 1);
}

TEST_CASE("a subscription asked for without a connection waits for it", "[client][subscribe]") {
    bench t;
    subscribed made;
    t.c.async_subscribe("a", qos::at_least_once, keep(made));
    t.network.advance(1h);
    CHECK(!made.done);
    t.connect();
    CHECK(made.done);
    CHECK(!made.why);
}

TEST_CASE("a subscription whose answer is lost with the connection is asked for again",
          "[client][subscribe]") {
    bench t;
    t.connect();
    t.network.fall_silent();
    subscribed made;
    t.c.async_subscribe("a", qos::at_least_once, keep(made));
    t.network.settle();
    t.network.cut();
    t.network.advance(1s);
    CHECK(made.done);
    CHECK(!made.why);
    t.publish("a", "x");
    CHECK(take_all(made.stream) == texts{"a=x"});
}

TEST_CASE("a stream opened before the start misses nothing of a kept session",
          "[client][subscribe]") {
    const auto version = GENERATE(v3, v5);
    virtual_network network;
    memory_broker broker(network);
    const client_config config = usual(version).clean_start(false);
    {
        client c(network, config);
        auto stream = *c.subscribe("a", qos::at_least_once);
        c.start();
        network.settle();
        CHECK(stream.codes().size() == 1);
    }
    network.settle();
    broker.publish("a", "meanwhile", qos::at_least_once);
    CHECK(broker.core().find_session("c")->queued == 1);

    client c(network, config);
    auto other = *c.subscribe("b", qos::at_least_once);  // now has the identifier that "a" had
    auto stream = *c.subscribe("a", qos::at_least_once);
    outcome answered;
    stream.async_answer(note(answered));
    c.start();
    network.settle();
    CHECK(answered.succeeded());
    CHECK(take_all(stream) == texts{"a=meanwhile"});
    CHECK(take_all(other).empty());
}

TEST_CASE("a message without a stream is counted", "[client][subscribe]") {
    virtual_network network;
    memory_broker broker(network);
    const client_config config = usual().clean_start(false);
    {
        client c(network, config);
        auto stream = *c.subscribe("a", qos::at_least_once);
        c.start();
        network.settle();
    }
    network.settle();
    broker.publish("a", "x", qos::at_least_once);
    client c(network, config);
    c.start();
    network.settle();
    CHECK(c.metrics().messages_received == 1);
    CHECK(c.metrics().messages_unrouted == 1);
}

TEST_CASE("unsubscribing ends the stream once what had come is received", "[client][subscribe]") {
    const auto version = GENERATE(v3, v5);
    bench t(usual(version));
    t.connect();
    subscription stream = t.subscribe(texts{"a", "b"});
    t.publish("a", "x");
    std::vector<reason_code> codes;
    stream.async_unsubscribe([&](boost::system::error_code why, std::vector<reason_code> got) {
        CHECK(!why);
        codes = std::move(got);
    });
    t.network.settle();
    CHECK(codes == std::vector<reason_code>(2, reason_code::success));
    CHECK(t.broker.core().subscription_count() == 0);
    outcome last;
    outcome end;
    stream.async_receive(note(last));
    stream.async_receive(note(end));
    t.network.settle();
    CHECK(last.succeeded());
    CHECK(end.why == error::subscription_ended);
    outcome again;
    stream.async_unsubscribe(note(again));
    t.network.settle();
    CHECK(again.why == error::subscription_ended);
}

TEST_CASE("a stream waiting for a message learns of the end", "[client][subscribe]") {
    bench t;
    t.connect();
    subscription stream = t.subscribe("a");
    outcome received;
    stream.async_receive(note(received));
    const auto ends = GENERATE(0, 1, 2, 3);
    std::optional<client> gone;
    if (ends == 0) {
        stream.async_unsubscribe([](auto&&...) {});
    } else if (ends == 1) {
        t.c.async_disconnect([](auto) {});
    } else if (ends == 2) {
        const client dead = std::move(t.c);
    } else {
        stream = subscription();
    }
    t.network.settle();
    CHECK(received.done);
    if (ends == 0) {
        CHECK(received.why == error::subscription_ended);
    } else {
        CHECK(received.why == asio::error::operation_aborted);
    }
}

TEST_CASE("a filter that two streams have stays until both are gone", "[client][subscribe]") {
    bench t;
    t.connect();
    subscription one = t.subscribe("a");
    subscription two = t.subscribe("a");
    t.publish("a", "1");
    CHECK(one.buffered() == 1);
    CHECK(two.buffered() == 1);
    outcome left;
    one.async_unsubscribe(note(left));
    t.network.settle();
    CHECK(left.succeeded());
    t.publish("a", "2");
    CHECK(take_all(two) == texts{"a=1", "a=2"});
    two = subscription();
    t.network.settle();
    CHECK(t.broker.core().subscription_count() == 0);
}

TEST_CASE("a handle that goes unsubscribes, but not from a session that is to be kept",
          "[client][subscribe]") {
    const bool kept = GENERATE(false, true);
    bench t(usual().clean_start(!kept));
    t.connect();
    { subscription stream = t.subscribe("a"); }
    t.network.settle();
    CHECK(t.broker.core().subscription_count() == (kept ? 1 : 0));
    CHECK(t.broker.core().find_session("c"));
}

TEST_CASE("unsubscribing without a connection is made good with the next one",
          "[client][subscribe]") {
    bench t;
    const bool session_survives = GENERATE(true, false);
    t.connect();
    subscription stream = t.subscribe("a");
    t.network.cut();
    if (!session_survives) {
        t.broker.restart();
    }
    outcome left;
    stream.async_unsubscribe(note(left));
    t.network.settle();
    CHECK(!left.done);
    t.network.advance(1s);
    CHECK(left.succeeded());
    CHECK(t.broker.core().subscription_count() == 0);
}

TEST_CASE("a handle that goes without a connection unsubscribes with the next one",
          "[client][subscribe]") {
    bench t;
    t.connect();
    subscription stream = t.subscribe("a");
    t.network.cut();
    stream = subscription();
    t.network.advance(1s);
    CHECK(t.c.connection().session_present);
    CHECK(t.broker.core().subscription_count() == 0);
}

TEST_CASE("an UNSUBSCRIBE sent again after a break does not end a subscription made meanwhile",
          "[client][subscribe]") {
    bench t;
    t.connect();
    subscription first = t.subscribe("a");
    t.network.stall(true);
    outcome left;
    first.async_unsubscribe(note(left));
    t.network.settle();
    subscription second = *t.c.subscribe("a", qos::at_least_once);
    t.network.settle();
    t.network.cut();
    t.network.advance(1s);
    CHECK(left.succeeded());
    t.publish("a", "x");
    CHECK(take_all(second) == texts{"a=x"});
}

TEST_CASE("a subscribe that is given up leaves no subscription behind", "[client][subscribe]") {
    bench t;
    asio::cancellation_signal signal;
    subscribed made;
    SECTION("before it was sent") {
        t.c.async_subscribe("a", qos::at_least_once,
                            asio::bind_cancellation_slot(signal.slot(), keep(made)));
        t.network.settle();
        signal.emit(asio::cancellation_type::total);
        t.network.settle();
        CHECK(made.why == asio::error::operation_aborted);
        t.connect();
    }
    SECTION("after") {
        t.connect();
        t.network.stall(true);
        t.c.async_subscribe("a", qos::at_least_once,
                            asio::bind_cancellation_slot(signal.slot(), keep(made)));
        t.network.settle();
        signal.emit(asio::cancellation_type::terminal);
        t.network.settle();
        CHECK(made.why == asio::error::operation_aborted);
        t.network.stall(false);
    }
    SECTION("by time") {
        t.c.async_subscribe("a", qos::at_least_once, t.c.within(5s, keep(made)));
        t.network.advance(5s);
        CHECK(made.why == error::timed_out);
        t.connect();
    }
    t.network.settle();
    CHECK(t.broker.core().subscription_count() == 0);
    t.publish("a", "x");
    CHECK(t.c.metrics().messages_received == 0);
}

TEST_CASE("a full stream drops its oldest messages and says how many", "[client][subscribe]") {
    bench t;
    t.connect();
    subscription stream = t.subscribe("a", subscribe_options(qos::at_least_once).buffer(2));
    for (int i = 0; i < 5; ++i) {
        t.publish("a", std::to_string(i));
    }
    CHECK(stream.buffered() == 2);
    CHECK(stream.dropped() == 3);
    CHECK(t.c.metrics().messages_overflowed == 3);
    const auto first = stream.try_receive();
    CHECK(first->text() == "3");
    CHECK(first->lost_before() == 3);
    CHECK(stream.try_receive()->lost_before() == 0);
}

TEST_CASE("a full stream can pause reading instead, and the connection stays alive",
          "[client][subscribe]") {
    bench t(usual().keep_alive(30s).response_timeout(5s));
    t.connect();
    subscription stream =
        t.subscribe("a", subscribe_options(qos::at_least_once).buffer(4, overflow::pause_reading));
    for (int i = 0; i < 50; ++i) {
        t.broker.publish("a", std::to_string(i), qos::at_least_once);
    }
    t.network.settle();
    CHECK(stream.buffered() == 4);
    t.network.advance(10min);  // PINGREQs go out, PINGRESPs cannot be read
    CHECK(t.c.is_connected());
    CHECK(t.c.metrics().connections == 1);
    texts got;
    for (int i = 0; i < 50; ++i) {
        const auto message = stream.try_receive();
        REQUIRE(message);
        got.emplace_back(message->text());
        CHECK(message->text() == std::to_string(i));
        CHECK(stream.buffered() <= 4);
        t.network.settle();
    }
    CHECK(!stream.try_receive());
    CHECK(stream.dropped() == 0);
    t.network.advance(10min);
    CHECK(t.c.metrics().connections == 1);

    t.network.fall_silent();  // and a dead connection is still noticed
    t.network.advance(40s);
    CHECK(t.c.metrics().connections == 2);
}

TEST_CASE("a stream that pauses reading does not wait for an answer that it holds up itself",
          "[client][subscribe]") {
    bench t;
    for (int i = 0; i < 10; ++i) {
        t.broker.publish("kept/" + std::to_string(i), "x", qos::at_least_once, true);
    }
    t.connect();
    subscription stream =
        t.subscribe(texts{"kept/#", "other"},
                    subscribe_options(qos::at_least_once).buffer(2, overflow::pause_reading));
    CHECK(stream.codes().size() == 2);
    CHECK(take_all(stream).size() == 10);
}

TEST_CASE("a paused stream that goes lets the others go on", "[client][subscribe]") {
    bench t;
    t.connect();
    subscription stream =
        t.subscribe("a", subscribe_options(qos::at_least_once).buffer(1, overflow::pause_reading));
    subscription other = t.subscribe("b");
    t.publish("a", "1");
    t.publish("b", "2");
    CHECK(other.buffered() == 0);
    const bool unsubscribes = GENERATE(false, true);
    if (unsubscribes) {
        stream.async_unsubscribe([](auto&&...) {});
    } else {
        stream = subscription();
    }
    t.network.settle();
    CHECK(take_all(other) == texts{"b=2"});
}

TEST_CASE("more subscriptions than packet ids are made one after the other",
          "[client][subscribe][.slow]") {
    bench t;
    std::vector<subscription> streams;
    for (int i = 0; i < 70'000; ++i) {
        streams.push_back(*t.c.subscribe("topic/" + std::to_string(i), qos::at_least_once));
    }
    t.connect();
    t.network.settle();
    CHECK(t.broker.core().subscription_count() == 70'000);
    t.publish("topic/69999", "x");
    CHECK(streams.back().buffered() == 1);
}

}  // namespace fleetarium::test
