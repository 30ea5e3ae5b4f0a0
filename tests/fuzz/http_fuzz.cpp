#include <fleetarium/core/assert.hpp>
#include <fleetarium/net/websocket_upgrade.hpp>
#include <fleetarium/server/http_exchange.hpp>

#include <fuzz/drawn_bytes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

// What comes on a connection of the HTTP server, and on one of a WebSocket listener: whatever the
// pieces, the answers are the same, each begins as HTTP, and nothing follows the last. Only with
// what is no HTTP at all it depends on the pieces when that is seen, and so what it is called.

namespace {

using namespace fleetarium;
using namespace fleetarium::broker;

http_service make_service(std::string token) {
    http_service made;
    made.token = std::move(token);
    made.limits.header_bytes_max = 1024;
    made.limits.body_bytes_max = 512;
    made.limits.output_bytes_max = 4096;
    made.routes.push_back({"GET", "/ask/{name}", "tells what it was asked", [](const auto& asked) {
                               return http_response{
                                   200, "text/plain",
                                   asked.query + std::string(asked.parameter("name"))};
                           }});
    made.routes.push_back({"POST", "/echo", "gives back what it gets", [](const auto& asked) {
                               FLEETARIUM_ASSERT(asked.body.size() <= 512);
                               return http_response{201, "text/plain", asked.body};
                           }});
    made.routes.push_back({"GET", "/fail", "fails", [](const auto&) -> http_response {
                               throw std::runtime_error("the cellar is under water");
                           }});
    made.routes.push_back({"GET", "/large", "is large", [](const auto&) {
                               return http_response{200, "text/plain", std::string(3000, 'x')};
                           }});
    websocket_route feed;
    feed.path = "/feed";
    feed.subprotocols = {"fleetarium.feed.v1"};
    made.websockets.push_back(std::move(feed));
    return made;
}

struct outcome {
    std::string said;
    bool closed = false;
    std::optional<std::string> upgraded;  // key and subprotocol

    bool operator==(const outcome&) const = default;
};

outcome converse(const http_service& service, bytes_view all, std::size_t piece) {
    outcome out;
    http_exchange exchange(service);
    const auto take = [&] {
        out.said += exchange.poll_transmit();
        for (std::size_t turns = 0; exchange.is_blocked(); ++turns) {
            FLEETARIUM_ASSERT(turns < 10'000);
            exchange.handle_written();
            out.said += exchange.poll_transmit();
            if (exchange.should_close()) {
                break;
            }
        }
        if (const auto granted = exchange.poll_upgrade()) {
            FLEETARIUM_ASSERT(granted->route == service.websockets.data());
            out.upgraded = granted->key + ' ' + granted->subprotocol;
        }
        // In a log: one line, and not a long one.
        FLEETARIUM_ASSERT(exchange.poll_notice().size() <= 16 * 1024);
    };
    while (!all.empty() && !exchange.should_close() && !out.upgraded) {
        const bytes_view cut = all.first(std::min(piece, all.size()));
        all = all.subspan(cut.size());
        const std::vector<std::uint8_t> held(cut.begin(), cut.end());
        exchange.handle_bytes(held);
        take();
    }
    if (!exchange.should_close() && !out.upgraded) {
        exchange.handle_timeout();
        take();
        FLEETARIUM_ASSERT(exchange.should_close());
    }
    out.closed = exchange.should_close();
    FLEETARIUM_ASSERT(out.said.empty() || out.said.starts_with("HTTP/1."));
    return out;
}

/// Without the refusal of what is no HTTP, or too large, or too late, if that is the end of it.
outcome without_last_refusal(outcome from) {
    // Its text may speak of HTTP/1.1, too.
    const std::size_t last = from.said.rfind("HTTP/1.1 ", from.said.rfind("\r\nServer: "));
    if (last != std::string::npos && from.closed) {
        const std::string status = from.said.substr(last + 9, 3);
        if (status == "400" || status == "408" || status == "413" || status == "431" ||
            status == "505") {
            from.said.resize(last);
        }
    }
    return from;
}

struct verdict {
    bool is_known = false;
    int refused = 0;
    std::string answer;
    std::string target;
};

verdict judge(bytes_view all, std::size_t piece) {
    net::websocket_upgrade upgrade("/mqtt");
    while (!all.empty()) {
        const bytes_view cut = all.first(std::min(piece, all.size()));
        all = all.subspan(cut.size());
        if (const auto made = upgrade.read(cut)) {
            const auto target = made->request.target();
            return {true, made->refused.value(), made->answer, {target.data(), target.size()}};
        }
    }
    return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const http_service open = make_service("");
    static const http_service guarded = make_service("let-me-in");
    test::drawn_bytes drawn(data, size);
    const std::uint8_t choice = drawn.byte();
    const std::size_t piece = std::size_t{1} + drawn.byte();
    const bytes_view all = drawn.rest();
    if (choice % 4 == 3) {
        const verdict whole = judge(all, all.size());
        const verdict pieces = judge(all, piece);
        FLEETARIUM_ASSERT(whole.is_known == pieces.is_known && whole.refused == pieces.refused);
        FLEETARIUM_ASSERT(whole.answer == pieces.answer && whole.target == pieces.target);
        return 0;
    }
    const http_service& service = choice % 2 == 0 ? open : guarded;
    const outcome whole = converse(service, all, std::max<std::size_t>(all.size(), 1));
    const outcome pieces = converse(service, all, piece);
    FLEETARIUM_ASSERT(without_last_refusal(whole) == without_last_refusal(pieces));
    if (choice % 2 == 1 && whole.upgraded) {
        FLEETARIUM_ASSERT(as_text(all).find("let-me-in") != std::string_view::npos);
    }
    return 0;
}
