#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

wire_buffer bytes_of(std::string_view text) {
    wire_buffer out;
    out.append(as_bytes_view(text));
    return out;
}

std::string connect_packet(char id) { return std::string("\x10\x0d\0\4MQTT\4\2\0\0\0\1", 14) + id; }

std::string publish_packet(std::string_view topic, std::string_view payload) {
    std::string out("\x30\0\0\0", 4);
    out[1] = static_cast<char>(2 + topic.size() + payload.size());
    out[3] = static_cast<char>(topic.size());
    return out.append(topic).append(payload);
}

const std::string connack_packet("\x20\2\0\0", 4);

/// Writes down what happens to a peer, and when.
struct recorder final : stream_peer::events {
    explicit recorder(world& in) : w(in), peer(in.add_stream_peer("outside")) { peer.tell(this); }

    void on_opened() override { note("opened"); }
    void on_bytes(wire_buffer bytes) override {
        std::string text;
        bytes.for_each_part([&](bytes_view part) { text += as_text(part); });
        received += text;
        note("bytes");
    }
    void on_closed() override { note("closed"); }
    void on_wake() override { note("wake"); }

    void note(const std::string& what) {
        log.push_back(what + " " + std::to_string((w.now() - instant{}) / 1ms));
    }

    world& w;
    stream_peer& peer;
    std::string received;
    std::vector<std::string> log;
};

using lines = std::vector<std::string>;

network_spec line_of(duration latency) {
    const auto each = distribution::constant(static_cast<double>(latency.count()));
    return {.name = "line", .up = {.latency = each}, .down = {.latency = each}};
}

/// Calls back when the world lets it.
struct curious final : guest {
    explicit curious(world& in) : w(in) { w.invite(*this); }
    ~curious() { w.dismiss(*this); }
    bool act() override {
        ++calls;
        return std::exchange(busy, busy - (busy != 0)) != 0;
    }
    world& w;
    int calls = 0;
    int busy = 0;
};

}  // namespace

TEST_CASE("a stream peer talks to a broker over a link with latency") {
    world w;
    auto& broker = w.add_broker();
    recorder outside(w);
    outside.peer.use_network(line_of(10ms));
    outside.peer.open(broker);
    outside.peer.send(bytes_of(connect_packet('a')));
    CHECK(outside.peer.has_link());
    CHECK_FALSE(outside.peer.is_open());
    w.settle();
    CHECK(outside.log == lines{"opened 20", "bytes 40"});
    CHECK(outside.received == connack_packet);

    outside.peer.close();
    CHECK_FALSE(outside.peer.has_link());
    w.settle();
    CHECK(broker.core().connection_count() == 0);
    CHECK(outside.log.size() == 2);
}

TEST_CASE("a stream peer learns that the broker closed the link, and may open another") {
    world w;
    auto& broker = w.add_broker();
    recorder outside(w);
    outside.peer.open(broker);
    outside.peer.send(bytes_of(std::string("\xc0\0", 2)));  // PINGREQ before CONNECT
    w.settle();
    CHECK(outside.log == lines{"opened 0", "closed 0"});
    CHECK_FALSE(outside.peer.has_link());

    outside.peer.open(broker);
    outside.peer.send(bytes_of(connect_packet('a')));
    w.settle();
    CHECK(outside.received == connack_packet);
}

TEST_CASE("what is under way on a stream peer's link is lost when it is cut") {
    world w;
    auto& broker = w.add_broker();
    recorder outside(w);
    outside.peer.use_network(line_of(10ms));
    outside.peer.open(broker);
    outside.peer.send(bytes_of(connect_packet('a')));
    w.settle();
    outside.peer.send(bytes_of(publish_packet("t", "lost")));
    outside.peer.cut();
    w.settle();
    CHECK(broker.metrics().publish_received[0] == 0);
    CHECK(broker.core().connection_count() == 0);
}

TEST_CASE("a stream peer is woken once at the instant it asked for, at the sooner of two") {
    world w;
    recorder outside(w);
    outside.peer.wake_at(instant{30ms});
    outside.peer.wake_at(instant{20ms});
    outside.peer.wake_at(instant{25ms});
    w.run_for(1s);
    CHECK(outside.log == lines{"wake 20"});
    outside.peer.wake_at(instant{});
    w.run_for(1s);
    CHECK(outside.log == lines{"wake 20", "wake 1000"});
}

TEST_CASE("messages for a stream peer that takes nothing more wait in its session") {
    world w;
    auto& broker = w.add_broker();
    recorder outside(w);
    outside.peer.open(broker);
    outside.peer.send(bytes_of(connect_packet('a')));
    outside.peer.send(bytes_of(std::string("\x82\6\0\1\0\1t\0", 8)));
    w.settle();
    outside.received.clear();

    outside.peer.congest();
    w.settle();
    broker.publish("t", "waits");
    w.settle();
    CHECK(outside.received.empty());
    outside.peer.drain();
    w.settle();
    CHECK(outside.received == publish_packet("t", "waits"));
}

TEST_CASE("messages of stream peers are in the account of their group") {
    world w;
    auto& broker = w.add_broker();
    w.expect({.metric = metric::messages_delivered, .topic = "seen/#"});
    recorder sender(w);
    recorder receiver(w);
    for (recorder* const each : {&sender, &receiver}) {
        each->peer.open(broker);
        each->peer.send(bytes_of(connect_packet(each == &sender ? 's' : 'r')));
    }
    receiver.peer.send(bytes_of(std::string("\x82\6\0\1\0\1#\0", 8)));
    w.settle();
    sender.peer.send(bytes_of(publish_packet("seen/a", "1") + publish_packet("other", "2")));
    w.settle();

    const run_report report = w.report();
    const publisher_counts published = sum_publishers(report, report.selections[0], {});
    CHECK(published.published == 2);
    CHECK(published.received == 2);
    CHECK(report.sources[published.source == no_index ? 1 : published.source].name == "outside");
    CHECK(sum_flows(report, report.selections[0], {}).delivered == 2);
    CHECK(sum_flows(report, *report.find_selection("seen/#"), {}).delivered == 1);
}

TEST_CASE("a world with stream peers repeats to the bit") {
    const auto run = [](std::uint64_t seed) {
        world w({.seed = seed});
        auto& broker = w.add_broker();
        recorder one(w);
        recorder other(w);
        for (recorder* const each : {&one, &other}) {
            each->peer.use_network({.name = "radio",
                                    .up = {.latency = distribution::uniform(1e6, 9e6)},
                                    .down = {.latency = distribution::exponential(5e6)}});
            each->peer.open(broker);
            each->peer.send(bytes_of(connect_packet(each == &one ? 'a' : 'b')));
        }
        w.run_for(1s);
        return std::tuple(w.trace_hash(), one.log, other.log, one.peer.draw(), other.peer.draw());
    };
    CHECK(run(1) == run(1));
    CHECK(std::get<0>(run(1)) != std::get<0>(run(2)));
    CHECK(std::get<1>(run(1)) != std::get<2>(run(1)));
    CHECK(std::get<3>(run(1)) != std::get<4>(run(1)));
}

TEST_CASE("guests act before the world runs and after each event of a stream peer") {
    world w;
    curious first(w);
    curious second(w);
    recorder outside(w);
    w.run_for(1s);
    CHECK(first.calls == 1);

    outside.peer.wake_at(w.now() + 1s);
    w.run_for(2s);
    CHECK(first.calls == 3);

    second.busy = 2;  // and what it does may be news to the other
    w.run_for(1s);
    CHECK(first.calls == 6);
}

TEST_CASE("a world stops after as many events as it may handle") {
    world w;
    recorder outside(w);
    w.add_broker();
    fleet_spec meters{.name = "meters", .count = 10};
    w.add_fleet(meters);
    CHECK_FALSE(w.run_until(instant{1s}, 5));
    CHECK(w.events_handled() == 5);
    CHECK(w.now() == instant{});
    CHECK(w.run_until(instant{1s}, 1'000'000));
    CHECK(w.now() == instant{1s});
}
