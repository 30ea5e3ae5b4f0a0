#include <fleetarium/live/virtual_environment.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

using lines = std::vector<std::string>;

network_spec line_of(duration latency) {
    const auto each = distribution::constant(static_cast<double>(latency.count()));
    return {.name = "line", .up = {.latency = each}, .down = {.latency = each}};
}

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

std::string connect_packet(char id) { return std::string("\x10\x0d\0\4MQTT\4\2\0\0\0\1", 14) + id; }

std::string publish_packet(std::string_view topic, std::string_view payload) {
    std::string out("\x30\0\0\0", 4);
    out[1] = static_cast<char>(2 + topic.size() + payload.size());
    out[3] = static_cast<char>(topic.size());
    return out.append(topic).append(payload);
}

const std::string subscribe_all("\x82\6\0\1\0\1#\0", 8);
const std::string connack_packet("\x20\2\0\0", 4);
const std::string suback_packet("\x90\3\0\1\0", 5);

/// A user of a bare stream, who writes down what happens, and when.
struct user final : net::byte_stream::events {
    explicit user(environment& lives_in) : here(lives_in) {}

    void connect(std::string_view to) {
        attempt = here.connect(address(to), {}, [this](auto why, auto made) {
            note(why ? why.message() : "connected");
            stream = std::move(made);
            if (stream != nullptr) {
                stream->start(*this);
                stream->write(std::move(first));
            }
        });
    }
    void on_bytes(bytes_view bytes) override {
        received += as_text(bytes);
        note("bytes");
    }
    void on_drained() override {}
    void on_closed(boost::system::error_code why) override {
        note(why ? why.message() : "closed");
        stream.reset();
    }
    void note(const std::string& what) {
        log.push_back(what + " " + std::to_string((here.now() - instant{}) / 1ms));
    }

    environment& here;
    std::unique_ptr<net::connect_attempt> attempt;
    std::unique_ptr<net::byte_stream> stream;
    wire_buffer first;
    std::string received;
    lines log;
};

}  // namespace

TEST_CASE("a stream in a world is a link to the broker that the URL names") {
    world w;
    w.add_broker({.name = "other"});
    auto& broker = w.add_broker({.name = "cloud"});
    virtual_environment here(w, {.network = line_of(10ms)});
    user someone(here);
    someone.first = bytes_of(connect_packet('a'));
    someone.connect("mqtt://cloud");
    CHECK(someone.log.empty());  // never from inside the call
    w.run_for(1s);
    CHECK(someone.log == lines{"connected 20", "bytes 40"});
    CHECK(someone.received == connack_packet);
    CHECK(broker.core().connected_count() == 1);
    CHECK(someone.stream->peer().address == "world");

    someone.stream->close();
    w.run_for(1s);
    CHECK(someone.log.back() == "closed 1000");
    CHECK(broker.core().connection_count() == 0);
}

TEST_CASE("a stream ends when the broker closes the link, after all of its bytes") {
    world w;
    auto& broker = w.add_broker();
    virtual_environment here(w);
    user someone(here);
    someone.first = bytes_of(connect_packet('a') + subscribe_all);
    someone.connect("mqtt://broker");
    w.run_for(1s);
    broker.publish("t", "last words");
    broker.disconnect("a", reason_code::administrative_action);
    w.run_for(1s);
    CHECK(someone.received == connack_packet + suback_packet + publish_packet("t", "last words"));
    CHECK(someone.log.back() == "closed 1000");
    CHECK(someone.stream == nullptr);
}

TEST_CASE("a stream that is aborted tells nothing any more, and what it wrote arrives") {
    world w;
    auto& broker = w.add_broker();
    virtual_environment here(w);
    user someone(here);
    someone.first = bytes_of(connect_packet('a') + publish_packet("t", "x"));
    someone.connect("mqtt://broker");
    w.run_for(1s);
    const auto before = someone.log;
    someone.stream->write(bytes_of(publish_packet("t", "y")));
    someone.stream->abort();
    someone.stream->abort();
    someone.stream->write(bytes_of(publish_packet("t", "z")));
    w.run_for(1s);
    CHECK(someone.log == before);
    CHECK(broker.metrics().publish_received[0] == 2);
    CHECK(broker.core().connection_count() == 0);
}

TEST_CASE("URLs that lead to no broker of the world fail and say why") {
    world w;
    w.add_broker({.name = "cloud"});
    virtual_environment here(w);
    user someone(here);
    someone.connect("mqtt://elsewhere");
    auto kept = std::move(someone.attempt);
    const auto url =
        GENERATE(as<std::string>(), "mqtts://cloud", "ws://cloud", "wss://cloud", "unix:///cloud");
    someone.connect(url);
    CHECK(someone.log.empty());
    w.run_for(1s);
    CHECK(someone.log ==
          lines{make_error_code(boost::asio::error::host_not_found).message() + " 0",
                "a broker in a world speaks plain MQTT only: use mqtt://NAME, without TLS and "
                "WebSocket 0"});
}

TEST_CASE("an attempt to connect that is given up is not heard of again") {
    world w;
    auto& broker = w.add_broker();
    virtual_environment here(w, {.network = line_of(10ms)});
    user someone(here);
    const auto to = GENERATE(as<std::string>(), "mqtt://broker", "mqtt://nowhere");
    someone.connect(to);
    someone.attempt->cancel();
    w.run_for(1s);
    someone.connect(to);
    w.run_for(to == "mqtt://broker" ? 15ms : duration{});
    someone.attempt.reset();
    const auto before = someone.log;
    w.run_for(1s);
    CHECK(someone.log == before);
    CHECK(before.size() == (to == "mqtt://broker" ? 0 : 1));
    CHECK(broker.core().connection_count() == 0);
}

TEST_CASE("a reader that pauses gets nothing until it resumes, and then everything in order") {
    world w;
    auto& broker = w.add_broker();
    virtual_environment here(w);
    user someone(here);
    someone.first = bytes_of(connect_packet('a') + subscribe_all);
    someone.connect("mqtt://broker");
    w.run_for(1s);
    someone.received.clear();
    someone.stream->pause_reading();
    w.run_for(1s);
    broker.publish("t", "1");
    broker.publish("t", "2");
    w.run_for(1s);
    CHECK(someone.received.empty());
    someone.stream->resume_reading();
    w.run_for(1s);
    CHECK(someone.received == publish_packet("t", "1") + publish_packet("t", "2"));
}

TEST_CASE("links can be broken in the middle of things") {
    world w;
    auto& broker = w.add_broker();
    virtual_environment here(w, {.network = line_of(10ms)});
    user someone(here);
    someone.first = bytes_of(connect_packet('a'));
    someone.connect("mqtt://broker");
    w.run_for(1s);
    someone.stream->write(bytes_of(publish_packet("t", "lost")));
    here.cut_links();
    w.run_for(1s);
    CHECK(someone.log.back() ==
          make_error_code(boost::asio::error::connection_reset).message() + " 1000");
    CHECK(broker.metrics().publish_received[0] == 0);
    CHECK(broker.core().connection_count() == 0);

    someone.first = bytes_of(connect_packet('a'));
    someone.connect("mqtt://broker");
    w.run_for(1s);
    CHECK(broker.core().connection_count() == 1);
}

TEST_CASE("timers fire at their instants, equal ones in the order in which they were started") {
    world w;
    virtual_environment here(w);
    std::vector<std::string> log;
    const auto noting = [&](const std::string& name) {
        return [&, name] { log.push_back(name + std::to_string((here.now() - instant{}) / 1s)); };
    };
    const auto late = here.make_timer();
    const auto first = here.make_timer();
    const auto second = here.make_timer();
    const auto past = here.make_timer();
    const auto cancelled = here.make_timer();
    late->start(instant{2h}, noting("late "));
    first->start(instant{60s}, noting("first "));
    second->start(instant{60s}, noting("second "));
    past->start(instant{} - 5s, noting("past "));
    cancelled->start(instant{60s}, noting("cancelled "));
    cancelled->cancel();
    CHECK(log.empty());
    w.run_for(24h);
    CHECK(log == lines{"past 0", "first 60", "second 60", "late 7200"});
    CHECK(here.now() == instant{24h});
}

TEST_CASE("a timer started anew forgets what it was set for") {
    world w;
    virtual_environment here(w);
    int fired = 0;
    const auto again = here.make_timer();
    again->start(instant{1s}, [&] { fired += 1; });
    again->start(instant{5s}, [&] { fired += 10; });
    w.run_for(2s);
    CHECK(fired == 0);
    again->start(instant{3s}, [&] {
        fired += 100;
        again->start(instant{4s}, [&] { fired += 1000; });
    });
    w.run_for(10s);
    CHECK(fired == 1100);

    // Two at one instant: the first takes the second back when that is already on its way.
    const auto one = here.make_timer();
    auto other = here.make_timer();
    one->start(here.now() + 1s, [&] { other.reset(); });
    other->start(here.now() + 1s, [&] { fired = 0; });
    w.run_for(2s);
    CHECK(fired == 1100);
}

TEST_CASE("what is posted runs at the instant at which it is posted, first in, first out") {
    world w;
    virtual_environment here(w);
    virtual_environment there(w, {.name = "others"});
    lines log;
    const auto noting = [&](std::string name) {
        return [&, name] { log.push_back(name + std::to_string((here.now() - instant{}) / 1s)); };
    };
    boost::asio::post(here.executor(), noting("a "));
    boost::asio::post(here.executor(), noting("b "));
    const auto timer = here.make_timer();
    timer->start(instant{3s}, [&] {
        // Another environment of the world hears of it at once, too.
        boost::asio::post(there.executor(), [&] {
            noting("c ")();
            boost::asio::post(here.executor(), noting("d "));
        });
    });
    CHECK(log.empty());
    w.run_for(10s);
    CHECK(log == lines{"a 0", "b 0", "c 3", "d 3"});
}

TEST_CASE("a world can be run until something is done") {
    world w;
    w.add_broker();
    virtual_environment here(w, {.network = line_of(10ms)});
    user someone(here);
    someone.first = bytes_of(connect_packet('a'));
    someone.connect("mqtt://broker");
    CHECK(here.run_until([&] { return someone.stream != nullptr; }, 1h));
    CHECK(here.now() == instant{20ms});
    CHECK_FALSE(here.run_until([&] { return someone.received == "never"; }, 1h));
    CHECK(here.now() == instant{1h + 20ms});
}

TEST_CASE("an exception of a handler leaves the run of the world, which can be run on") {
    world w;
    virtual_environment here(w);
    const auto timer = here.make_timer();
    timer->start(instant{1s}, [] { throw std::runtime_error("unheard of"); });
    CHECK_THROWS_WITH(w.run_for(2s), "unheard of");
    bool later = false;
    boost::asio::post(here.executor(), [&] { later = true; });
    w.run_for(1s);
    CHECK(later);
}

TEST_CASE("a world is not to be run from inside a handler that it runs") {
    world w;
    virtual_environment here(w);
    boost::asio::post(here.executor(), [&] { w.run_for(1s); });
    CHECK_THROWS_AS(w.run_for(1s), std::logic_error);
}

TEST_CASE("an environment may go while its clients' links are open, and take its handlers along") {
    world w;
    auto& broker = w.add_broker();
    {
        virtual_environment here(w);
        user someone(here);
        someone.first = bytes_of(connect_packet('a'));
        someone.connect("mqtt://broker");
        w.run_for(1s);
        boost::asio::post(here.executor(), [owned = here.make_timer()] {});
        someone.connect("mqtt://nowhere");
        CHECK(broker.core().connection_count() == 1);
    }
    w.run_for(1s);
    CHECK(broker.core().connection_count() == 0);
}

namespace {

std::uint64_t hash_of_run(std::uint64_t seed, lines* log = nullptr) {
    world w({.seed = seed});
    w.add_broker();
    fleet_spec sensors{.name = "sensors", .count = 20};
    sensors.publications.push_back({.topic = "s/{index}",
                                    .period = distribution::exponential(5e9),
                                    .payload = "{random:0..100}"});
    w.add_fleet(sensors);
    virtual_environment here(
        w, {.network = network_spec{.name = "radio",
                                    .up = {.latency = distribution::lognormal(30e6, 0.5)},
                                    .down = {.latency = distribution::uniform(5e6, 50e6)},
                                    .mtu = 40}});
    user listener(here);
    listener.first = bytes_of(connect_packet('a') + subscribe_all);
    listener.connect("mqtt://broker");
    user talker(here);
    talker.first = bytes_of(connect_packet('b'));
    talker.connect("mqtt://broker");
    const auto timer = here.make_timer();
    const std::function<void()> talk = [&] {
        if (talker.stream != nullptr) {
            talker.stream->write(bytes_of(publish_packet("t", "x")));
        }
        timer->start(here.now() + 100ms +
                         duration{static_cast<std::int64_t>(here.next_seed() % 1'000'000'000)},
                     talk);
    };
    talk();
    w.run_for(2min);
    here.cut_links();
    w.run_for(1min);
    if (log != nullptr) {
        *log = listener.log;
    }
    return w.trace_hash();
}

}  // namespace

TEST_CASE("a world with guests repeats to the bit, on every compiler", "[determinism]") {
    lines first;
    lines again;
    const std::uint64_t hash = hash_of_run(1, &first);
    CHECK(hash == hash_of_run(1, &again));
    CHECK(first == again);
    CHECK(first.size() > 500);
    CHECK(hash != hash_of_run(2));
    CHECK(hash == 0x6bcb37928ac662e3);
}
