#include <fleetarium/live/real_clients.hpp>
#include <fleetarium/net/connector.hpp>
#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/net/test_certificates.hpp>

#include <support/net_thread.hpp>
#include <support/temporary_folder.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

net::url address(std::string_view text) {
    const auto parsed = net::parse_url(text);
    REQUIRE(parsed.problem.empty());
    return parsed.value;
}

wire_buffer bytes_of(std::string_view text) {
    wire_buffer out;
    out.append(as_bytes_view(text));
    return out;
}

std::string field(std::string_view text) {
    std::string out;
    out += static_cast<char>(text.size() >> 8);
    out += static_cast<char>(text.size());
    return out.append(text);
}

std::string packet_of(int first_byte, const std::string& body) {
    std::string out(1, static_cast<char>(first_byte));
    std::size_t left = body.size();
    do {
        out += static_cast<char>(left % 128 | (left > 127 ? 128 : 0));
        left /= 128;
    } while (left != 0);
    return out + body;
}

std::string connect_packet(std::string_view id) {
    return packet_of(0x10, field("MQTT") + std::string("\4\2\0\0", 4) + field(id));
}
std::string subscribe_packet(std::string_view filter) {
    return packet_of(0x82, std::string("\0\1", 2) + field(filter) + '\0');
}
std::string publish_packet(std::string_view topic, std::string_view payload) {
    return packet_of(0x30, field(topic) + std::string(payload));
}

const std::string connack_packet("\x20\2\0\0", 4);
const std::string suback_packet("\x90\3\0\1\0", 5);

/// A real client by hand.
struct real_client final : net::byte_stream::events {
    real_client(boost::asio::io_context& context, const net::url& to, net::tls_options tls = {}) {
        attempt = net::connect_stream(
            context, to,
            to.is_tls() ? net::tls_context(net::tls_role::client, tls) : net::tls_context(),
            [this](auto why, auto made) {
                REQUIRE_FALSE(why);
                stream = std::move(made);
                stream->start(*this);
                stream->write(bytes_of(first));
            });
    }
    void on_bytes(bytes_view bytes) override {
        received += as_text(bytes);
        if (on_each) {
            on_each();
        }
    }
    void on_drained() override {}
    void on_closed(boost::system::error_code why) override {
        closed = true;
        ended_by = why;
        if (on_each) {
            on_each();
        }
    }
    void send(std::string_view text) { stream->write(bytes_of(text)); }

    std::string first;
    std::unique_ptr<net::connect_attempt> attempt;
    std::unique_ptr<net::byte_stream> stream;
    std::string received;
    bool closed = false;
    boost::system::error_code ended_by;
    std::function<void()> on_each;
};

/// A world with a broker that real clients can reach.
struct open_world {
    explicit open_world(std::string_view at = "mqtt://127.0.0.1:0",
                        const net::tls_options& tls = {}, double pace = 1)
        : broker(w.add_broker()),
          run(w, context, pace),
          clients(run, [this](std::string_view line) { log.emplace_back(line); }) {
        url = clients.listen(broker, address(at), tls);
    }

    /// Runs until `done()`; whether that was within a minute.
    bool until(const std::function<bool()>& done) {
        const instant give_up_at = net::real_now() + 60s;
        while (!done() && net::real_now() < give_up_at) {
            run.run_until(w.now() + 5ms);
        }
        return done();
    }

    std::vector<std::string> log;
    boost::asio::io_context context;
    world w;
    virtual_broker& broker;
    paced_run run;
    real_clients clients;
    net::url url;
};

fleet_spec doors(std::uint32_t count, double period_ns) {
    fleet_spec made{.name = "doors", .count = count};
    made.publications.push_back({.topic = "doors/{index}",
                                 .period = distribution::constant(period_ns),
                                 .payload = "{seq}"});
    return made;
}

}  // namespace

TEST_CASE("a real client sees what the devices of a world publish, and is seen by them") {
    open_world all;
    fleet_spec fleet = doors(5, 10e6);
    fleet.subscriptions.push_back({.filter = "hello/{index}"});
    all.w.add_fleet(fleet);
    real_client one(all.context, all.url);
    one.first = connect_packet("one") + subscribe_packet("doors/+");
    CHECK(all.until([&] { return one.received.find("doors/4") != std::string::npos; }));
    CHECK(one.received.find(connack_packet + suback_packet) == 0);

    one.send(publish_packet("hello/3", "you"));
    CHECK(all.until([&] {
        const run_report report = all.w.report();
        return sum_flows(report, report.selections[0], {.receiver = report.fleet_index("doors")})
                   .delivered == 1;
    }));
    const auto counted = all.clients.counted();
    CHECK(counted.accepted == 1);
    CHECK(counted.open == 1);
}

TEST_CASE("real clients come by every kind of transport") {
    const net::test_certificate_authority authority(7);
    const test::temporary_folder folder;
    const auto scheme = GENERATE(as<std::string>(), "mqtt", "mqtts", "ws", "wss", "unix");
    const std::string at =
        scheme + "://" + (scheme == "unix" ? folder.path() + "/broker" : "127.0.0.1:0");
    open_world all(at, authority.server_tls());
    CHECK((all.url.scheme == net::scheme::unix_socket || all.url.port != 0));
    real_client one(all.context, all.url, authority.anonymous_tls());
    one.first = connect_packet("one") + subscribe_packet("t") + publish_packet("t", "echo");
    const std::string expected = connack_packet + suback_packet + publish_packet("t", "echo");
    CHECK(all.until([&] { return one.received.size() >= expected.size(); }));
    CHECK(one.received == expected);
}

TEST_CASE("what a real client sends is handled at once, not at the next tick of anything") {
    open_world all;
    all.w.add_fleet(doors(100, 1e9));
    real_client one(all.context, all.url);
    one.first = connect_packet("one") + subscribe_packet("t");
    std::vector<duration> taken;
    instant sent_at{};
    const std::string message = publish_packet("t", "?");
    one.on_each = [&] {
        if (one.received.size() < connack_packet.size() + suback_packet.size()) {
            return;
        }
        if (sent_at != instant{}) {
            taken.push_back(net::real_now() - sent_at);
        }
        if (taken.size() == 200) {
            all.run.stop();
            return;
        }
        sent_at = net::real_now();
        one.send(message);
    };
    CHECK_FALSE(all.run.run_until(instant{60s}));
    REQUIRE(taken.size() == 200);
    // The best of many, since the machine may be busy: a loop that sleeps would never be so fast.
    CHECK(*std::min_element(taken.begin(), taken.end()) < 1ms);
}

TEST_CASE("a paced run with real clients sleeps between what happens") {
    open_world all;
    all.w.add_fleet(doors(10, 1e9));
    real_client one(all.context, all.url);
    one.first = connect_packet("one") + subscribe_packet("#");
    CHECK(all.until([&] { return all.broker.core().subscription_count() == 1; }));
    const auto processor_time = [] {
        rusage used{};
        getrusage(RUSAGE_SELF, &used);
        return std::chrono::seconds{used.ru_utime.tv_sec + used.ru_stime.tv_sec} +
               std::chrono::microseconds{used.ru_utime.tv_usec + used.ru_stime.tv_usec};
    };
    const auto before = processor_time();
    all.run.run_until(all.w.now() + 600ms);
    CHECK(processor_time() - before < 300ms);
    CHECK(one.received.size() > connack_packet.size() + suback_packet.size());
}

TEST_CASE("a real client that leaves is gone in the world, and its will is published") {
    open_world all;
    real_client one(all.context, all.url);
    one.first = packet_of(0x10, field("MQTT") + std::string("\4\6\0\0", 4) + field("one") +
                                    field("wills") + field("gone"));
    real_client other(all.context, all.url);
    other.first = connect_packet("other") + subscribe_packet("wills");
    CHECK(all.until([&] { return all.broker.core().connected_count() == 2; }));
    const bool in_order = GENERATE(true, false);
    if (in_order) {
        one.send(packet_of(0xE0, ""));
        one.stream->close();
    } else {
        one.stream->abort();
    }
    CHECK(all.until([&] { return all.broker.core().connected_count() == 1; }));
    CHECK(all.clients.counted().open == 1);
    other.send(publish_packet("wills", "end"));
    CHECK(all.until([&] { return other.received.find("end") != std::string::npos; }));
    CHECK((other.received.find("gone") == std::string::npos) == in_order);
}

TEST_CASE("a broker in a world ends the connection of a real client that breaks the rules") {
    open_world all;
    real_client one(all.context, all.url);
    one.first =
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: somebody who is lost\r\n"
        "Accept: */*\r\n\r\n";
    CHECK(all.until([&] { return one.closed; }));
    CHECK(one.received.empty());
    CHECK(all.until([&] { return all.clients.counted().open == 0; }));
    CHECK(all.w.report().brokers[0].metrics.protocol_violations == 1);
}

TEST_CASE("a real client that reads too slowly makes its messages wait, and nobody else's") {
    open_world all;
    real_client slow(all.context, all.url);
    slow.first = connect_packet("slow") + subscribe_packet("bulk");
    real_client quick(all.context, all.url);
    quick.first = connect_packet("quick") + subscribe_packet("t");
    CHECK(all.until([&] { return all.broker.core().subscription_count() == 2; }));
    slow.stream->pause_reading();
    const std::string payload(10'000, 'x');
    for (int i = 0; i < 5'000; ++i) {
        CHECK(all.broker.publish("bulk", payload).has_value());
        if (i % 100 == 0) {
            all.run.run_until(all.w.now() + 1ms);
        }
    }
    quick.send(publish_packet("t", "still here"));
    CHECK(all.until([&] { return quick.received.find("still here") != std::string::npos; }));
    // Of the 50 MB, what the system's buffers did not take has waited within the queue's bounds.
    CHECK(all.broker.metrics().dropped[static_cast<std::size_t>(broker::drop_reason::queue_full)] >
          0);
    CHECK_FALSE(slow.closed);
    slow.stream->resume_reading();
    const auto before = slow.received.size();
    CHECK(all.until([&] { return slow.received.size() > before + 3'000'000; }));
    CHECK(all.clients.counted().closed_slow == 0);
    CHECK(all.log.empty());
}

TEST_CASE(
    "a real client that does not read what is beyond any bound is closed, with a line in the "
    "log") {
    open_world all;
    real_client slow(all.context, all.url);
    slow.first = connect_packet("slow") + subscribe_packet("bulk");
    CHECK(all.until([&] { return all.broker.core().subscription_count() == 1; }));
    slow.stream->pause_reading();
    all.run.run_until(all.w.now() + 5ms);
    CHECK(all.broker.publish("bulk", std::string(64'000'000, 'x')).has_value());
    CHECK(all.until([&] { return all.clients.counted().open == 0; }));
    CHECK(all.clients.counted().closed_slow == 1);
    REQUIRE(all.log.size() == 1);
    CHECK(all.log[0].find("closed 127.0.0.1:") == 0);
    CHECK(all.log[0].find("reads too slowly") != std::string::npos);
    CHECK(all.broker.core().connection_count() == 0);
}

TEST_CASE("real clients are told when the world ends") {
    open_world all;
    real_client one(all.context, all.url);
    // MQTT 5: the broker says why.
    one.first = packet_of(0x10, field("MQTT") + std::string("\5\2\0\0\0", 5) + field("one"));
    CHECK(all.until([&] { return all.broker.core().connected_count() == 1; }));
    // CONNACK, which may come a turn later, and is not what this is about.
    CHECK(all.until([&] {
        return one.received.size() >= 2 &&
               one.received.size() == 2 + static_cast<std::size_t>(one.received[1]);
    }));
    one.received.clear();
    all.clients.stop(60s);
    CHECK(all.clients.counted().open == 0);
    CHECK(test::run_until(all.context, [&] { return one.closed; }));
    REQUIRE(one.received.size() >= 3);
    CHECK(one.received[0] == '\xE0');
    CHECK(one.received[2] == '\x8B');  // server shutting down
}

TEST_CASE("real clients that come and go cost the world no more than those who are there") {
    open_world all;
    for (int i = 0; i < 20; ++i) {
        real_client one(all.context, all.url);
        one.first = connect_packet("one");
        CHECK(all.until([&] { return !one.received.empty(); }));
        one.stream->close();
        CHECK(all.until([&] { return one.closed && all.clients.counted().open == 0; }));
    }
    CHECK(all.clients.counted().accepted == 20);
    // One peer of the world has stood for all of them.
    world fresh;
    fresh.add_broker();
    CHECK(all.w.report().sources.size() == fresh.report().sources.size() + 1);
}
