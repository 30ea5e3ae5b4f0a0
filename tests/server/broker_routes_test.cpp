#include <fleetarium/server/broker_routes.hpp>

#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace fleetarium;
using namespace fleetarium::broker;
using namespace std::chrono_literals;

namespace {

/// The view of a broker on a test bench that runs for 1 h 2.5 s.
broker_view view_of(test::broker_bench& bench, bool stopping) {
    broker_view view;
    view.inspect = [&bench](const std::function<void(const broker_core&)>& look) {
        look(bench.core());
    };
    view.uptime = [] { return duration(1h + 2500ms); };
    view.is_stopping = [stopping] { return stopping; };
    return view;
}

http_response ask(const broker_view& view, std::string_view path) {
    for (const http_route& each : broker_routes(view)) {
        if (each.method == "GET" && each.path == path) {
            return each.handle({});
        }
    }
    throw std::runtime_error("no such route");
}

}  // namespace

TEST_CASE("/health tells how the broker is, as JSON", "[http]") {
    test::broker_bench bench;
    bench.connected({.client_id = "a"});
    bench.subscribe(bench.connected({.client_id = "b"}), "x/#", qos::at_least_once);

    const http_response well = ask(view_of(bench, false), "/health");
    CHECK(well.status == 200);
    CHECK(well.content_type == "application/json");
    const auto read = nlohmann::json::parse(well.body);
    CHECK(read == nlohmann::json{{"status", "ok"},
                                 {"uptime_seconds", 3602.5},
                                 {"connections", 2},
                                 {"clients_connected", 2},
                                 {"sessions", 2},
                                 {"subscriptions", 1},
                                 {"retained_messages", 0}});

    const http_response ending = ask(view_of(bench, true), "/health");
    CHECK(ending.status == 503);
    CHECK(nlohmann::json::parse(ending.body).at("status") == "stopping");
}

TEST_CASE("/metrics has the core, the process and what the owner adds", "[http][prometheus]") {
    test::broker_bench bench;
    bench.connected({.client_id = "a"});
    broker_view view = view_of(bench, false);
    view.more_metrics = [] {
        return std::vector<metric_family>{
            {.name = "fleetarium_threads", .help = "Threads.", .samples = {{.value = 2}}}};
    };
    const http_response answer = ask(view, "/metrics");
    CHECK(answer.status == 200);
    CHECK(answer.content_type == "text/plain; version=0.0.4; charset=utf-8");
    for (const char* const line :
         {"fleetarium_connections 1\n", "fleetarium_uptime_seconds 3602.5\n",
          "fleetarium_threads 2\n", "\nprocess_resident_memory_bytes "}) {
        CAPTURE(line);
        CHECK(answer.body.find(line) != std::string::npos);
    }
}
