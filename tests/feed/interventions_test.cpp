#include <feed/feed_stage.hpp>

#include <fleetarium/live/paced_run.hpp>
#include <fleetarium/recording/execution_replay.hpp>
#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/recording/world_recorder.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>

#include <unistd.h>
#include <filesystem>
#include <string>

using namespace fleetarium;
using namespace fleetarium::feed;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct scratch_file {
    std::string path =
        (fs::temp_directory_path() / ("fleetarium-feed-" + std::to_string(getpid()) + ".flr"))
            .string();
    ~scratch_file() {
        for (const char* const end : {"", "-wal", "-shm", "-journal"}) {
            fs::remove(path + end);
        }
    }
};

/// A run that is recorded and acted on by hand, as `run --http --record` does it: it stops for a
/// checkpoint each ten seconds.
struct recorded_run {
    explicit recorded_run(const std::string& file, const sim::scenario& described,
                          const std::string& text)
        : in(described, controls()),
          pace(in.world, context, sim::paced_run::unlimited),
          recorder(in.world, {.path = file, .scenario = text, .seed = described.seed}),
          end(described.duration) {}

    run_controls controls() {
        run_controls out;
        out.before_hand = [this] { reach(); };
        out.by_hand = [this](std::string_view what, const std::string& json) {
            recorder.add_intervention(what, json);
            ++acts;
        };
        return out;
    }
    void reach() {
        if (in.world.now() >= next) {
            recorder.checkpoint();
            next += 10s;
        }
    }
    /// Runs to the end, with a stop for what is done by hand: `act` is called while it is paused.
    void run(const std::function<void(recorded_run&)>& act) {
        pace.set_paused(true);
        boost::asio::post(context, [this, act] {
            act(*this);
            pace.set_paused(false);
        });
        while (in.world.now() < end) {
            pace.run_until(std::min(end, next));
            reach();
        }
        recorder.finish(in.world.report());
    }

    watched_world in;
    boost::asio::io_context context;
    sim::paced_run pace;
    recording::world_recorder recorder;
    instant end;
    instant next{10s};
    int acts = 0;
};

bool is_replayed(const std::string& file) {
    recording::recording_reader from(file);
    return recording::replay_execution(recording::read_execution(from), {}).is_equal;
}

}  // namespace

TEST_CASE("what is done by hand is done again by a replay, to the bit", "[feed][interventions]") {
    const scratch_file file;
    const sim::scenario described = parse_text(sensors_text);
    recorded_run of(file.path, described, sensors_text);
    SECTION("while paused, twice in one instant, and in the middle of one") {
        of.run([](recorded_run& at) {
            world_source& hand = at.in.source;
            at.pace.step_time(4s);
            hand.publish({.topic = "s/by-hand", .payload = "x", .qos = 2});
            hand.publish({.topic = "s/by-hand", .payload = "y", .qos = 1, .retain = true});
            for (int i = 0; i < 5; ++i) {
                at.pace.step_events(1);
                hand.disconnect({"sensors[" + std::to_string(i) + "]"});
            }
            const auto begun = hand.fault({R"({"kind": "partition", "fleet": "sensors"})"});
            at.pace.step_time(1s);
            hand.heal({*begun.fault});
            hand.fault(
                {R"({"kind": "power_loss", "fleet": "sensors", "share": 0.5, "for": "9s"})"});
        });
        CHECK(of.acts == 10);
    }
    SECTION("at the instant of a checkpoint") {
        of.run([](recorded_run& at) {
            at.pace.step_time(1h);  // no further than to the next one
            CHECK(at.in.world.now() == instant{10s});
            at.in.source.publish({.topic = "s/by-hand", .payload = "x", .qos = 2});
            at.in.source.disconnect({"panel[0]"});
        });
        CHECK(of.acts == 2);
    }
    SECTION("a fault that nobody heals") {
        of.run([](recorded_run& at) {
            at.pace.step_time(7s);
            at.in.source.fault({R"({"kind": "broker_crash", "keeps_sessions": false})"});
        });
        CHECK(of.acts == 1);
    }
    CHECK(is_replayed(file.path));
    sim::world untouched = sim::world::from(described);
    untouched.run_until(of.end);
    CHECK(of.in.world.trace_hash() != untouched.trace_hash());  // it did make a difference
}

TEST_CASE("what cannot be done leaves nothing, in the run and in its recording",
          "[feed][interventions]") {
    const scratch_file file;
    const sim::scenario described = parse_text(sensors_text);
    recorded_run of(file.path, described, sensors_text);
    of.run([](recorded_run& at) {
        world_source& hand = at.in.source;
        at.pace.step_time(4s);
        CHECK_THROWS_AS(hand.publish({.topic = "a/#"}), feed_error);
        CHECK_THROWS_AS(hand.publish({.broker = "nobody", .topic = "a"}), feed_error);
        CHECK_THROWS_AS(hand.disconnect({"nobody"}), feed_error);
        CHECK_THROWS_AS(hand.heal({0}), feed_error);
        CHECK_THROWS_AS(hand.fault({R"({"kind": "power_loss", "fleet": "nobody"})"}), feed_error);
        CHECK_THROWS_AS(hand.fault({R"({"kind": "bandwidth", "fleet": "sensors"})"}), feed_error);
        CHECK_THROWS_AS(hand.fault({R"({"kind": "broker_crash", "broker": "edge"})"}), feed_error);
    });
    CHECK(of.acts == 0);
    sim::world untouched = sim::world::from(described);
    untouched.run_until(of.end);
    CHECK(of.in.world.trace_hash() == untouched.trace_hash());
    CHECK(is_replayed(file.path));
}
