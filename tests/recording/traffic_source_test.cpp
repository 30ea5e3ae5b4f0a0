#include <fleetarium/recording/memory_replay.hpp>
#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/recording/traffic_source.hpp>
#include <fleetarium/recording/world_recorder.hpp>
#include <fleetarium/sim/client.hpp>
#include <fleetarium/sim/virtual_broker.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <unistd.h>
#include <array>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::recording;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A recording of what `happens` in a world with one broker; gone with this.
class recorded {
public:
    explicit recorded(const std::function<void(sim::world&, sim::virtual_broker&)>& happens) {
        sim::world w({.seed = 7});
        auto& broker = w.add_broker();
        world_recorder recorder(w, {.path = path_});
        happens(w, broker);
        recorder.finish(w.report());
        reader.emplace(path_);
    }
    ~recorded() {
        for (const char* const end : {"", "-wal", "-shm", "-journal"}) {
            fs::remove(path_ + end);
        }
    }

    database& tables() { return reader->tables(); }

    std::optional<recording_reader> reader{};

private:
    static inline int count_ = 0;
    std::string path_ =
        (fs::temp_directory_path() / ("fleetarium-traffic-" + std::to_string(getpid()) + "-" +
                                      std::to_string(++count_) + ".flr"))
            .string();
};

/// Two sensors that publish each second for ten, and something odd of each kind.
void ten_seconds(sim::world& w, sim::virtual_broker& broker) {
    auto& a = w.add_client("sensor-a");
    auto& b = w.add_client("sensor-b");
    a.connect(broker);
    b.connect(broker);
    w.run_until(instant{500ms});
    for (int i = 1; i <= 10; ++i) {
        w.run_until(instant{std::chrono::seconds{i}});
        a.publish("plant/a/celsius", std::to_string(i), qos::at_least_once);
        b.publish("plant/b/celsius", std::to_string(i));
    }
    w.run_for(1s);
}

std::string text(const traffic_message& of) {
    return std::string(of.content.topic) + ' ' + std::string(as_text(of.content.payload));
}

std::vector<std::string> all(traffic_source& from) {
    std::vector<std::string> out;
    while (const traffic_message* const each = from.next()) {
        out.push_back(text(*each));
    }
    return out;
}

}  // namespace

TEST_CASE("a source gives what was published, in its order, with all that belongs to it",
          "[replay]") {
    recorded made([](sim::world& w, sim::virtual_broker& broker) {
        auto& sensor = w.add_client("sensor");
        sensor.connect(broker);
        w.settle();
        const std::array<user_property, 2> pairs{{{"unit", "C"}, {"unit", "K"}}};
        const std::array<std::uint8_t, 3> correlation{0x00, 0x7f, 0xff};
        const std::array<std::uint8_t, 2> payload{0x00, 0xfe};
        publish first;
        first.topic = "plant/1";
        first.payload = payload;
        first.qos = qos::exactly_once;
        first.retain = true;
        first.payload_format_indicator = std::uint8_t{0};
        first.message_expiry_interval = 90;
        first.content_type = "text/\"plain\"";
        first.response_topic = "answers/ä";
        first.correlation_data = correlation;
        first.user_properties = user_properties(pairs);
        REQUIRE(sensor.publish(first).has_value());
        w.settle();
        REQUIRE(sensor.publish("plant/2", "", qos::at_least_once).has_value());
        w.settle();
    });
    traffic_source source(made.tables(), {});
    const traffic_message* one = source.next();
    REQUIRE(one != nullptr);
    CHECK(one->content.topic == "plant/1");
    CHECK(as_text(one->content.payload) == std::string_view("\0\xfe", 2));
    CHECK(one->content.qos == qos::exactly_once);
    CHECK(one->content.retain);
    CHECK(one->content.payload_format_indicator == std::uint8_t{0});
    CHECK(one->content.message_expiry_interval == 90u);
    CHECK(one->content.content_type == "text/\"plain\"");
    CHECK(one->content.response_topic == "answers/ä");
    CHECK(as_text(one->content.correlation_data.value()) == std::string_view("\0\x7f\xff", 3));
    std::string pairs;
    one->content.user_properties.for_each([&](const user_property& each) {
        pairs += std::string(each.first) + '=' + std::string(each.second) + ';';
    });
    CHECK(pairs == "unit=C;unit=K;");
    one = source.next();
    REQUIRE(one != nullptr);
    CHECK(text(*one) == "plant/2 ");
    CHECK(one->content.qos == qos::at_least_once);
    CHECK_FALSE(one->content.content_type);
    CHECK(one->content.user_properties.empty());
    CHECK(source.next() == nullptr);
    CHECK(source.next() == nullptr);
}

TEST_CASE("a source gives what was selected by time and filter, under other names", "[replay]") {
    recorded made(ten_seconds);
    traffic_selection selection;
    SECTION("from an instant, until before another") {
        selection.from = 3s;
        selection.until = 4s;
        traffic_source source(made.tables(), selection);
        CHECK(all(source) == std::vector<std::string>{"plant/a/celsius 3", "plant/b/celsius 3"});
        CHECK(source.end() == 4s);
    }
    SECTION("by filters, of which any may match") {
        selection.until = 2s;
        selection.filters = {"nothing", "plant/b/#"};
        traffic_source source(made.tables(), selection);
        CHECK(all(source) == std::vector<std::string>{"plant/b/celsius 1"});
    }
    SECTION("filters are about recorded topics") {
        selection.until = 2s;
        selection.filters = {"plant/a/+"};
        selection.topics.add("plant/#=test/#");
        traffic_source source(made.tables(), selection);
        CHECK(all(source) == std::vector<std::string>{"test/a/celsius 1"});
    }
    SECTION("what would have no valid topic is left out and counted") {
        selection.topics.add("plant/a/celsius/#=#");
        traffic_source source(made.tables(), selection);
        CHECK(all(source).size() == 10);
        CHECK(source.skipped().unpublishable == 10);
    }
    SECTION("without any limit, to the end of the run") {
        traffic_source source(made.tables(), selection);
        CHECK(all(source).size() == 20);
        CHECK(source.end() == 11s);
    }
}

TEST_CASE("a source begins anew, and goes on after it has let go of the file", "[replay]") {
    recorded made(ten_seconds);
    traffic_source source(made.tables(), {});
    source.next();
    const traffic_message* const second = source.next();
    REQUIRE(second != nullptr);
    source.pause();
    CHECK(text(*second) == "plant/b/celsius 1");
    CHECK(text(*source.next()) == "plant/a/celsius 2");
    source.rewind();
    CHECK(all(source).size() == 20);
    source.rewind();
    CHECK(all(source).size() == 20);
}

TEST_CASE("who publishes what is selected is known before", "[replay]") {
    recorded made(ten_seconds);
    traffic_selection selection;
    SECTION("all") {
        traffic_source source(made.tables(), selection);
        const auto clients = source.publishers();
        REQUIRE(clients.size() == 2);
        CHECK(clients[0].client_id == "sensor-a");
        CHECK(clients[1].client_id == "sensor-b");
        CHECK(source.next()->publisher == clients[0].row);
    }
    SECTION("by filter") {
        selection.filters = {"+/b/#"};
        traffic_source source(made.tables(), selection);
        const auto clients = source.publishers();
        REQUIRE(clients.size() == 1);
        CHECK(clients[0].client_id == "sensor-b");
    }
}

TEST_CASE("a broker's own messages are left out, wills are those of their owners", "[replay]") {
    recorded made([](sim::world& w, sim::virtual_broker& broker) {
        auto& mortal = w.add_client("mortal");
        fleetarium::connect request;
        request.client_id = "mortal";
        request.will = will{.topic = "wills/mortal", .payload = as_bytes_view("gone")};
        mortal.connect(broker, request);
        w.settle();
        REQUIRE(broker.publish("news", "of the broker itself").has_value());
        REQUIRE(broker.publish("$SYS/uptime", "1").has_value());
        mortal.cut();
        w.run_for(1min);
    });
    traffic_source source(made.tables(), {});
    const auto clients = source.publishers();
    REQUIRE(clients.size() == 1);
    const traffic_message* const one = source.next();
    REQUIRE(one != nullptr);
    CHECK(text(*one) == "wills/mortal gone");
    CHECK(one->publisher == clients[0].row);
    CHECK(source.next() == nullptr);
    CHECK(source.skipped().by_broker >= 2);
}

TEST_CASE("a subscriber's recording has messages of nobody, which are all replayed", "[replay]") {
    recorded made(ten_seconds);
    {
        database writable(made.tables().path(), database::mode::write);
        writable.execute(
            "UPDATE runs SET kind = 'subscriber'; UPDATE messages SET publisher = NULL");
    }
    traffic_source source(made.tables(), {});
    CHECK(all(source).size() == 20);
    CHECK(source.publishers().empty());
}

TEST_CASE("a recording that was tampered with is refused in words", "[replay]") {
    recorded made(ten_seconds);
    database writable(made.tables().path(), database::mode::write);
    SECTION("properties") {
        writable.execute("UPDATE messages SET properties = '{' WHERE qos = 1");
        traffic_source source(made.tables(), {});
        CHECK_THROWS_WITH(all(source), Catch::Contains("has properties that cannot be read"));
    }
    SECTION("QoS") {
        writable.execute("UPDATE messages SET qos = 3 WHERE qos = 1");
        traffic_source source(made.tables(), {});
        CHECK_THROWS_WITH(all(source), Catch::Contains("has QoS 3, expected 0, 1 or 2"));
    }
    SECTION("topics") {
        writable.execute("DELETE FROM topics");
        traffic_source source(made.tables(), {});
        CHECK_THROWS_WITH(all(source), Catch::Contains("but no such topic"));
    }
}

TEST_CASE("a recording is replayed into a world, at the recorded intervals", "[replay]") {
    recorded made(ten_seconds);
    sim::world w({.seed = 8});
    auto& broker = w.add_broker();
    auto& display = w.add_client("display");
    display.connect(broker);
    display.subscribe("plant/a/#", qos::at_least_once);
    w.settle();
    traffic_source source(made.tables(), {});
    world_sink sink(w, broker);
    const instant begin = w.now() + 10s;
    const auto speed = GENERATE(1.0, 10.0, replay_schedule::as_fast_as_possible);
    const memory_replay_sums sums = replay_into(sink, source, begin, speed);
    w.settle();
    CHECK(sums.published == 20);
    CHECK(sums.refused == 0);
    REQUIRE(display.messages().size() == 10);
    CHECK(display.messages()[3].payload == "4");
    CHECK(display.messages()[3].qos == qos::at_least_once);
    const duration interval = speed == 0 ? 0s : duration(static_cast<std::int64_t>(1e9 / speed));
    CHECK(display.messages()[0].published_at == begin);
    CHECK(display.messages()[9].published_at == begin + 9 * interval);
}

TEST_CASE("a recording is replayed into a broker core, whose time goes on meanwhile", "[replay]") {
    recorded made([](sim::world& w, sim::virtual_broker& broker) {
        auto& sensor = w.add_client("sensor");
        sensor.connect(broker);
        w.settle();
        publish news;
        news.topic = "news";
        news.payload = as_bytes_view("short-lived");
        news.retain = true;
        news.message_expiry_interval = 5;
        REQUIRE(sensor.publish(news).has_value());
        w.run_for(1min);
        REQUIRE(sensor.publish("other", "x").has_value());
        w.settle();
    });
    broker::broker_core core{broker::broker_options{}};
    traffic_source source(made.tables(), {});
    core_sink sink(core);
    CHECK(replay_into(sink, source).published == 2);
    CHECK(core.retained().size() == 0);  // expired between the two
}
