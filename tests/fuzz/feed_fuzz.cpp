#include <fleetarium/core/assert.hpp>
#include <fleetarium/feed/feed_service.hpp>
#include <fleetarium/feed/payload_text.hpp>
#include <fleetarium/feed/question_table.hpp>
#include <fleetarium/feed/world_source.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/sparkplug.hpp>
#include <fleetarium/sim/world.hpp>

#include <fuzz/drawn_bytes.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

// What viewers of a run ask for, over a WebSocket as JSON and as CBOR, and over HTTP, all of it
// drawn: every question gets an answer or an error that is well-formed, and nothing else happens.
// And payloads, as viewers are shown them.

namespace {

using namespace fleetarium;
using namespace std::chrono_literals;
using json = nlohmann::json;

constexpr std::string_view scenario_text = R"({
    "name": "sensors", "seed": 7, "duration": "1m",
    "networks": [{"name": "lan", "latency": "10ms"}],
    "brokers": [{"name": "cloud"}],
    "fleets": [
        {"name": "sensors", "count": 3, "publications": [
            {"topic": "s/{index}", "period": "1s", "start": "1s", "qos": 0, "payload": "{seq}"},
            {"topic": "s/{index}/sure", "period": "2s", "start": "1s", "qos": 2,
             "payload": "{seq}"}]},
        {"name": "panel", "subscriptions": [{"filter": "s/#", "qos": 2}]}]})";

/// A viewer's WebSocket without I/O.
class viewer final : public broker::websocket_peer {
public:
    explicit viewer(std::string subprotocol) : subprotocol_(std::move(subprotocol)) {}

    void handle(broker::websocket_handlers handlers) override { handlers_ = std::move(handlers); }
    bool send_text(std::string_view text) override {
        check(json::parse(text));
        return true;
    }
    bool send_binary(std::string_view bytes) override {
        check(json::from_cbor(bytes));
        return true;
    }
    std::size_t bytes_unsent() const override { return 0; }
    std::size_t bytes_unconfirmed() const override { return 0; }
    void close(std::uint16_t, std::string_view) override { open_ = false; }
    bool is_open() const override { return open_; }
    const broker::http_request& request() const override { return request_; }
    const std::string& subprotocol() const override { return subprotocol_; }
    const std::string& address() const override { return address_; }

    void say(broker::websocket_kind kind, std::string_view message) {
        if (open_) {
            handlers_.message({kind, std::string(message)});
        }
    }
    void leave() {
        open_ = false;
        handlers_.closed(1000, "");
    }

private:
    static void check(const json& answer) {
        FLEETARIUM_ASSERT(answer.is_object());
        FLEETARIUM_ASSERT(answer.contains("answer") || answer.contains("error"));
    }

    broker::websocket_handlers handlers_;
    broker::http_request request_;
    std::string subprotocol_;
    std::string address_ = "127.0.0.1:5";
    bool open_ = true;
};

struct watched_world {
    sim::world world;
    feed::world_source source;

    explicit watched_world(const sim::scenario& what)
        : world(sim::world::from(what)),
          source(world, {.title = what.name, .seed = what.seed, .length = what.duration}, {}) {
        for (int second = 1; second <= 3; ++second) {
            world.run_until(instant{second * 1s});
            source.tick(second, false);
        }
    }
};

/// Made anew after a command, which may have changed it.
std::unique_ptr<watched_world>& the_world() {
    static const auto what =
        std::get<sim::scenario>(sim::parse_scenario(scenario_text, "sensors.json"));
    static std::unique_ptr<watched_world> made;
    if (!made) {
        made = std::make_unique<watched_world>(what);
    }
    return made;
}

void ask_over_http(const broker::http_service& service, const std::string& head,
                   std::string_view body) {
    broker::http_exchange exchange(service);
    const std::string whole =
        head + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + std::string(body);
    exchange.handle_bytes(as_bytes_view(whole));
    const std::string answer = exchange.poll_transmit();
    FLEETARIUM_ASSERT(answer.starts_with("HTTP/1.1 "));
    FLEETARIUM_ASSERT(!answer.starts_with("HTTP/1.1 500"));
    if (answer.find("Content-Type: application/json") != std::string::npos) {
        FLEETARIUM_ASSERT(json::accept(answer.substr(answer.find("\r\n\r\n") + 4)));
    }
}

/// Whether a command may be among what is said: the world is another after it.
bool names_command(std::string_view said) {
    const auto table = feed::question_table();
    return std::any_of(table.begin(), table.end(), [&](const feed::question_entry& each) {
        return each.is_command && said.find(each.name) != std::string_view::npos;
    });
}

void converse(test::drawn_bytes& drawn) {
    watched_world& of = *the_world();
    feed::feed_service service(
        [&](const std::function<void(feed::source&)>& use) { use(of.source); });
    broker::http_service http;
    http.routes = service.routes();
    const auto websockets = service.websockets();
    const auto peer = std::make_shared<viewer>(websockets.at(0).subprotocols.at(0));
    websockets.at(0).opened(peer);
    double now = 0;
    while (!drawn.empty()) {
        const std::uint32_t action = drawn.below(6);
        const std::string_view text = as_text(drawn.take(drawn.two_bytes() % 2048));
        switch (action) {
            case 0:
            case 1: peer->say(broker::websocket_kind::text, text); break;
            case 2: peer->say(broker::websocket_kind::binary, text); break;
            case 3:
            case 4: {
                // A line of a path, and a body.
                const std::size_t end = std::min(text.find('\n'), text.size());
                std::string path(text.substr(0, end));
                std::erase_if(path, [](char each) {
                    return static_cast<unsigned char>(each) <= ' ' || each == '\x7F';
                });
                ask_over_http(http, (action == 3 ? "GET /api/" : "POST /api/") + path,
                              text.substr(std::min(end + 1, text.size())));
                break;
            }
            default:
                now += 0.5;
                service.poll(now);
                break;
        }
    }
    service.poll(now + 10);
    FLEETARIUM_ASSERT(service.viewers() <= 1);
    peer->leave();
    FLEETARIUM_ASSERT(service.viewers() == 0);
}

void show_payload(bytes_view payload, std::size_t bytes_max) {
    const feed::payload_view shown = feed::make_payload_view(payload, bytes_max);
    FLEETARIUM_ASSERT(shown.size == payload.size());
    FLEETARIUM_ASSERT(shown.cut || payload.size() <= bytes_max);
    if (shown.encoding == "text") {
        FLEETARIUM_ASSERT(shown.text.size() <= bytes_max);
        FLEETARIUM_ASSERT(as_text(payload).starts_with(shown.text));
        FLEETARIUM_ASSERT(shown.cut == (shown.text.size() < payload.size()));
        // Throws where it is no UTF-8.
        FLEETARIUM_ASSERT(!json(shown.text).dump().empty());
    } else {
        FLEETARIUM_ASSERT(shown.encoding == "base64");
        FLEETARIUM_ASSERT(shown.text.size() <= (bytes_max + 2) / 3 * 4);
    }
    sim::sparkplug_sets(payload, "Node Control/Rebirth");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    test::drawn_bytes drawn(data, size);
    if (drawn.below(8) == 7) {
        const std::size_t bytes_max = drawn.byte();
        show_payload(drawn.rest(), bytes_max);
        return 0;
    }
    converse(drawn);
    if (names_command(as_text({data, size}))) {
        the_world().reset();
    }
    return 0;
}
