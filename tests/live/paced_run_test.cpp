#include <fleetarium/live/paced_run.hpp>
#include <fleetarium/net/real_clock.hpp>

#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>

#include <stdexcept>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

/// Wakes at intervals and notes what the wall clock says.
struct sleeper final : stream_peer::events {
    sleeper(world& in, duration every) : w(in), peer(in.add_stream_peer("sleeper")), pause(every) {
        peer.tell(this);
        peer.wake_at(in.now() + pause);
    }
    void on_opened() override {}
    void on_bytes(wire_buffer) override {}
    void on_closed() override {}
    void on_wake() override {
        woken.emplace_back(w.now(), net::real_now());
        peer.wake_at(w.now() + pause);
        if (on_each) {
            on_each();
        }
    }

    world& w;
    stream_peer& peer;
    duration pause;
    std::vector<std::pair<instant, instant>> woken;  // by the world's clock, by the wall's
    std::function<void()> on_each;
};

}  // namespace

TEST_CASE("no event of a paced world comes before the wall clock has got there") {
    world w;
    sleeper each(w, 1s);
    boost::asio::io_context context;
    const instant before = net::real_now();
    const double pace = GENERATE(200.0, 5000.0);
    paced_run run(w, context, pace);
    CHECK(run.run_until(instant{20s}));
    CHECK(w.now() == instant{20s});
    REQUIRE(each.woken.size() == 20);
    for (const auto& [virtual_time, real_time] : each.woken) {
        const double due = static_cast<double>((virtual_time - instant{}).count()) / pace;
        CHECK(static_cast<double>((real_time - before).count()) >= due);
    }
    CHECK(run.report().pace == pace);
}

TEST_CASE("a paced world without events sleeps until its end") {
    world w;
    boost::asio::io_context context;
    paced_run run(w, context, 1000);
    const instant before = net::real_now();
    CHECK(run.run_until(instant{50s}));
    CHECK(net::real_now() - before >= 50ms);
    CHECK(w.events_handled() == 0);
}

TEST_CASE("a world that is too much for the machine falls behind, says so, and arrives") {
    world w;
    sleeper each(w, 1ms);
    boost::asio::io_context context;
    paced_run run(w, context, 1e9);  // an hour in 4 us
    CHECK(run.run_until(instant{3600s}));
    CHECK(each.woken.size() == 3'600'000);
    CHECK_FALSE(run.report().kept());
    CHECK(run.report().behind_total > duration{});
    CHECK(run.report().behind_max >= run.report().behind);
}

TEST_CASE("a pace that no clock can follow ends a world like any other that falls behind") {
    world w;
    sleeper each(w, 1s);
    boost::asio::io_context context;
    paced_run run(w, context, 1e18);  // 300 years in 10 ns
    CHECK(run.run_until(instant{3600s}));
    CHECK(each.woken.size() == 3600);
}

TEST_CASE("a paced run serves its sockets also when the world is behind") {
    world w;
    sleeper each(w, 1ms);
    boost::asio::io_context context;
    paced_run run(w, context, 1e9);
    std::vector<std::size_t> served;
    std::function<void()> serve = [&] {
        served.push_back(each.woken.size());
        if (served.size() < 100) {
            boost::asio::post(context, serve);
        }
    };
    boost::asio::post(context, serve);
    CHECK(run.run_until(instant{600s}));
    REQUIRE(served.size() == 100);
    CHECK(served.back() < each.woken.size());
}

TEST_CASE("a paced run stops when it is told to, from inside or by whoever watches") {
    world w;
    sleeper each(w, 1ms);
    boost::asio::io_context context;
    paced_run run(w, context, 1);
    SECTION("from inside of the world") {
        each.on_each = [&] { run.stop(); };
    }
    SECTION("from a handler") {
        boost::asio::post(context, [&] { run.stop(); });
    }
    SECTION("by whoever watches") {}
    int looks = 0;
    CHECK_FALSE(run.run_until(instant{24h}, [&] { return ++looks < 2; }));
    CHECK(w.now() < instant{1h});
    CHECK(looks <= 2);
}

TEST_CASE("what a handler throws comes out of a paced run, which can be run on") {
    world w;
    boost::asio::io_context context;
    paced_run run(w, context, 1000);
    boost::asio::post(context, [] { throw std::runtime_error("unheard of"); });
    CHECK_THROWS_WITH(run.run_until(instant{1s}), "unheard of");
    CHECK(run.run_until(instant{2s}));
}
