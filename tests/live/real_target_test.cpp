#include <fleetarium/live/packet_boundary.hpp>
#include <fleetarium/live/real_target.hpp>
#include <fleetarium/net/listener.hpp>
#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/net/test_certificates.hpp>
#include <fleetarium/server/server.hpp>

#include <support/net_thread.hpp>
#include <support/temporary_folder.hpp>

#include <catch2/catch.hpp>

#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace fleetarium;
using namespace std::chrono_literals;
using client_certificates = net::test_certificate_authority::client_certificates;

namespace {

net::url address(std::string_view text) {
    const auto parsed = net::parse_url(text);
    REQUIRE(parsed.problem.empty());
    return parsed.value;
}

broker::server_options options_at(std::string_view url, const net::tls_options& tls = {}) {
    broker::server_options made = broker::listen_on(url);
    made.listeners[0].tls = tls;
    return made;
}

sim::publication_spec every(double period_ns, std::uint64_t count, enum qos level) {
    sim::publication_spec made{.topic = "s/{index}", .period = distribution::constant(period_ns)};
    made.count = count;
    made.qos = level;
    made.payload = "{seq}";
    return made;
}

/// Sensors that publish and a display that sees it, at a real broker.
sim::scenario sensors_and_display(std::uint32_t sensors, enum qos level = qos::at_least_once) {
    sim::scenario made;
    sim::fleet_spec display{.name = "display"};
    display.subscriptions.push_back({.filter = "s/#", .qos = level});
    made.fleets.push_back(display);
    sim::fleet_spec fleet{.name = "sensors", .count = sensors};
    fleet.start = 20ms;
    fleet.reconnect_delay = distribution::constant(50e6);
    fleet.publications.push_back(every(20e6, 5, level));
    fleet.publications.back().start = 100ms;
    made.fleets.push_back(fleet);
    return made;
}

/// A world whose broker is a real one.
struct outside_world {
    outside_world(const sim::scenario& described, sim::real_target_options options)
        : target(context, options),
          w(sim::world::from(described, {{"broker", &target}})),
          run(w, context, 1) {
        target.serve(run);
    }
    outside_world(const sim::scenario& described, const net::url& to)
        : outside_world(described, sim::real_target_options{.to = to}) {}

    /// Runs until `done()`; whether that was within a minute.
    bool until(const std::function<bool()>& done) {
        const instant give_up_at = net::real_now() + 60s;
        while (!done() && net::real_now() < give_up_at) {
            run.run_until(w.now() + 5ms);
        }
        return done();
    }
    sim::flow_counts deliveries() const {
        const sim::run_report report = w.report();
        return sim::sum_flows(report, report.selections[0],
                              {.receiver = report.fleet_index("display")});
    }

    boost::asio::io_context context;
    sim::real_target target;
    sim::world w;
    sim::paced_run run;
};

/// Answers CONNECT, and then as little as the test wants.
struct sham_broker final {
    explicit sham_broker(boost::asio::io_context& context)
        : listener(net::make_listener(context, address("mqtt://127.0.0.1:0"), {})) {
        listener->start([&context]() -> boost::asio::io_context& { return context; },
                        [this](auto stream, auto&) {
                            ends.emplace_back(*this, std::move(stream));
                            ends.back().stream->start(ends.back());
                        });
    }
    struct end final : net::byte_stream::events {
        end(sham_broker& broker, std::unique_ptr<net::byte_stream> of)
            : owner(broker), stream(std::move(of)) {}
        void on_bytes(bytes_view) override {
            wire_buffer out;
            out.append(owner.answer);
            stream->write(std::move(out));
            if (owner.stops_reading) {
                stream->pause_reading();
            }
            if (owner.closes) {
                stream->close();
            }
        }
        void on_drained() override {}
        void on_closed(boost::system::error_code) override { stream.reset(); }
        sham_broker& owner;
        std::unique_ptr<net::byte_stream> stream;
    };

    bytes_view answer = as_bytes_view(std::string_view("\x20\3\0\0\0", 5));
    bool stops_reading = false;
    bool closes = false;
    std::unique_ptr<net::listener> listener;
    std::list<end> ends;
};

}  // namespace

TEST_CASE("a fleet lives at a real broker, whatever carries the bytes") {
    const net::test_certificate_authority authority(7);
    const test::temporary_folder folder;
    const auto scheme = GENERATE(as<std::string>(), "mqtt", "mqtts", "ws", "wss", "unix");
    const auto level = scheme == "mqtt"
                           ? GENERATE(qos::at_most_once, qos::at_least_once, qos::exactly_once)
                           : qos::at_least_once;
    broker::server server(
        options_at(scheme + "://" + (scheme == "unix" ? folder.path() + "/broker" : "127.0.0.1:0"),
                   authority.server_tls()));
    server.start();
    outside_world all(sensors_and_display(30, level),
                      {.to = server.listening().front(), .tls = authority.anonymous_tls()});
    CHECK(all.target.probe(60s).empty());
    CHECK(all.until([&] { return all.deliveries().delivered == 150; }));
    CHECK(all.deliveries().duplicates == 0);
    CHECK(all.deliveries().latency.count() == 150);
    CHECK(all.w.find_fleet("sensors")->connected() == 30);
    CHECK(server.metrics().publish_received[static_cast<std::size_t>(level)] == 150);
    CHECK(all.target.hopeless().empty());
    const sim::remote_broker_report seen = all.target.report();
    CHECK(seen.connections == 31);
    CHECK(seen.failures.empty());
    CHECK(seen.bytes_sent > 150 * 8);
    CHECK(seen.bytes_received > 150 * 8);
    CHECK(seen.url == to_string(server.listening().front()));
}

TEST_CASE("more devices than may connect at once take turns") {
    broker::server server(broker::listen_on("mqtt://127.0.0.1:0"));
    server.start();
    sim::scenario crowd;
    crowd.fleets.push_back({.name = "crowd", .count = 5 * sim::real_target::attempts_max});
    outside_world all(crowd, server.listening().front());
    CHECK(all.until([&] {
        return all.w.find_fleet("crowd")->connected() == 5 * sim::real_target::attempts_max;
    }));
    CHECK(all.target.report().failures.empty());
}

TEST_CASE("where nobody listens, a target says so before the run and in it") {
    net::url nowhere;
    {
        boost::asio::io_context context;
        nowhere = net::make_listener(context, address("mqtt://127.0.0.1:0"), {})->bound();
    }
    outside_world all(sensors_and_display(3), nowhere);
    CHECK(all.target.probe(60s) ==
          "nobody to connect to at " + to_string(nowhere) + ": Connection refused");
    CHECK(all.until([&] { return !all.target.hopeless().empty(); }));
    CHECK(all.target.hopeless() ==
          "no connection to " + to_string(nowhere) + ": Connection refused");
    CHECK(all.target.report().failures.at("Connection refused") >= 1);
}

TEST_CASE("a broker whose certificate is not trusted is hopeless, and the reason is told") {
    const net::test_certificate_authority authority(7);
    const net::test_certificate_authority other(8);
    broker::server server(options_at("mqtts://127.0.0.1:0", authority.server_tls()));
    server.start();
    outside_world all(sensors_and_display(1),
                      {.to = server.listening().front(), .tls = other.anonymous_tls()});
    CHECK(all.until([&] { return !all.target.hopeless().empty(); }));
    CHECK(all.target.hopeless().find("certificate") != std::string::npos);
}

TEST_CASE("one that takes connections and closes them without a word is hopeless, too") {
    test::net_thread elsewhere;
    std::unique_ptr<sham_broker> sham;
    elsewhere.call([&] {
        sham = std::make_unique<sham_broker>(elsewhere.context());
        sham->answer = {};
        sham->closes = true;
    });
    outside_world there(sensors_and_display(1), sham->listener->bound());
    CHECK(there.until([&] { return !there.target.hopeless().empty(); }));
    elsewhere.call([&] { sham.reset(); });
    CHECK_THAT(there.target.hopeless(), Catch::Contains("it closed without a word"));
}

TEST_CASE("devices come back to a broker that was away") {
    auto server = std::make_unique<broker::server>(broker::listen_on("mqtt://127.0.0.1:0"));
    server->start();
    const net::url there = server->listening().front();
    sim::scenario fleet = sensors_and_display(10);
    fleet.fleets[0].reconnect_delay = distribution::constant(50e6);
    outside_world all(fleet, there);
    CHECK(all.until([&] { return all.deliveries().delivered == 50; }));
    server.reset();
    CHECK(all.until([&] { return all.w.find_fleet("sensors")->connected() == 0; }));
    CHECK(all.until([&] { return all.target.report().failures.contains("Connection refused"); }));
    CHECK(all.target.hopeless().empty());  // it was there before
    server = std::make_unique<broker::server>(broker::listen_on(to_string(there)));
    server->start();
    CHECK(all.until([&] { return all.w.find_fleet("sensors")->connected() == 10; }));
}

TEST_CASE("each device may show a certificate of its own") {
    const net::test_certificate_authority authority(7);
    broker::server_options options =
        options_at("mqtts://127.0.0.1:0", authority.server_tls(client_certificates::required));
    options.listeners[0].subject_as_user_name = true;
    broker::server server(options);
    server.start();
    sim::real_target_options to{.to = server.listening().front()};
    to.tls_of = [&](const sim::link_owner& who) { return authority.device_tls(who.client_id); };
    outside_world all(sensors_and_display(5), to);
    CHECK(all.until([&] { return all.deliveries().delivered == 25; }));
    std::set<std::string> names;
    for (const auto& each : server.clients()) {
        CHECK(each.user_name == each.client_id);
        names.insert(each.user_name);
    }
    CHECK(names.size() == 6);
}

TEST_CASE("devices take leave at the end of a run, and no will is published") {
    broker::server server(broker::listen_on("mqtt://127.0.0.1:0"));
    server.start();
    sim::scenario fleet;
    fleet.fleets.push_back({.name = "f", .count = 10});
    fleet.fleets[0].will = sim::will_spec{.topic = "wills/{index}", .payload = "gone"};
    outside_world all(fleet, server.listening().front());
    CHECK(all.until([&] { return all.w.find_fleet("f")->connected() == 10; }));
    all.target.stop(60s);
    const instant give_up_at = net::real_now() + 60s;
    while (!server.clients().empty() && net::real_now() < give_up_at) {
        std::this_thread::yield();
    }
    CHECK(server.clients().empty());
    CHECK(server.metrics().wills_published == 0);
}

TEST_CASE("devices that lose coverage vanish from a real broker, which publishes their wills") {
    broker::server server(broker::listen_on("mqtt://127.0.0.1:0"));
    server.start();
    sim::scenario fleet;
    fleet.fleets.push_back({.name = "f", .count = 4});
    fleet.fleets[0].will = sim::will_spec{.topic = "wills/{index}", .payload = "gone"};
    fleet.fleets[0].online = sim::coverage_spec{.up = distribution::constant(300e6),
                                                .down = distribution::constant(3600e9)};
    outside_world all(fleet, server.listening().front());
    CHECK(all.until([&] { return server.metrics().wills_published == 4; }));
    CHECK(all.w.report().fleets[0].links_cut == 4);
}

TEST_CASE("a broker that reads too slowly has its connection broken off") {
    sim::scenario fleet;
    fleet.fleets.push_back({.name = "f"});
    fleet.fleets[0].publications.push_back({.topic = "bulk",
                                            .period = distribution::constant(1e6),
                                            .payload = std::string(1'000'000, 'x')});
    test::net_thread elsewhere;
    std::unique_ptr<sham_broker> sham;
    elsewhere.call([&] {
        sham = std::make_unique<sham_broker>(elsewhere.context());
        sham->stops_reading = true;
    });
    {
        outside_world all(fleet, sham->listener->bound());
        CHECK(all.until([&] {
            return all.target.report().failures.contains("broken off: the broker reads too slowly");
        }));
    }
    elsewhere.call([&] { sham.reset(); });
}

TEST_CASE("where packets end is known however their bytes are cut") {
    sim::detail::packet_boundary all;
    CHECK(all.between_packets());
    std::string packets("\xC0\0\x30\5\0\1tab", 9);
    packets += std::string("\x30\x80\1", 3) + std::string(128, 'x');
    std::vector<bool> ends;
    for (const char each : packets) {
        all.pass(as_bytes_view(std::string_view(&each, 1)));
        ends.push_back(all.between_packets());
    }
    for (std::size_t i = 0; i < ends.size(); ++i) {
        CAPTURE(i);
        CHECK(ends[i] == (i == 1 || i == 8 || i == ends.size() - 1));
    }
    sim::detail::packet_boundary whole;
    whole.pass(as_bytes_view(packets));
    CHECK(whole.between_packets());
    whole.pass(as_bytes_view(std::string_view(packets).substr(0, 5)));
    CHECK_FALSE(whole.between_packets());
}
