#pragma once

#include <fleetarium/feed/source.hpp>
#include <fleetarium/server/http_exchange.hpp>

#include <functional>
#include <memory>
#include <vector>

namespace fleetarium::feed {

/// The feed of a source over HTTP: routes and the WebSocket of feed.md, for an http_server.
///
///     feed_service feed([&](const auto& use) { use(source); });
///     http_server server(context, options, feed.routes(), feed.websockets());
///     ... feed.poll(now) twenty times a second
///
/// A viewer's cost is bounded: 64 questions, each answered when its time has come and what was sent
/// before is on its way; answers that are given again and again take 4 % of the thread's time at
/// most, and come more seldom where they would take more. Equal answers are made once and sent to
/// all who asked the same.
/// Thread rule: the thread of the HTTP server.
class feed_service {
public:
    /// Calls its argument with the source, while nothing else happens in it.
    using with_source = std::function<void(const std::function<void(source&)>&)>;

    explicit feed_service(with_source access);
    ~feed_service();
    feed_service(const feed_service&) = delete;
    feed_service& operator=(const feed_service&) = delete;

    /// The REST API, its documents, and the web page. They hold on to the service.
    std::vector<broker::http_route> routes();
    std::vector<broker::websocket_route> websockets();

    /// Answers what is due; `now` is any steady real time in seconds.
    void poll(double now);

    std::size_t viewers() const;

private:
    class implementation;
    std::shared_ptr<implementation> implementation_;
};

}  // namespace fleetarium::feed
