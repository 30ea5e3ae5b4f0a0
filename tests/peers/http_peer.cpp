// The HTTP server with a WebSocket that echoes at /echo/{name} and a page of assets, for judges of
// other makes. `http_peer TOKEN` prints where it listens and serves until its standard input ends;
// an empty TOKEN is none.

#include <fleetarium/server/http_asset.hpp>
#include <fleetarium/server/http_server.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace fleetarium::broker;

namespace {

websocket_route echo_route() {
    websocket_route route;
    route.path = "/echo/{name}";
    route.what = "gives back what it gets";
    route.subprotocols = {"echo.v1"};
    route.opened = [](const std::shared_ptr<websocket_peer>& peer) {
        websocket_handlers handlers;
        handlers.message = [peer](const websocket_message& message) {
            if (message.payload == "close") {
                peer->close(4001, "as you wish");
            } else if (message.kind == websocket_kind::text) {
                peer->send_text(message.payload);
            } else {
                peer->send_binary(message.payload);
            }
        };
        peer->handle(std::move(handlers));
        peer->send_text("hello " + std::string(peer->request().parameter("name")));
    };
    return route;
}

}  // namespace

int main(int count, char** words) {
    boost::asio::io_context context;
    http_options options;
    options.token = count > 1 ? words[1] : "";
    options.log = [](std::string_view line) { std::cerr << line << '\n'; };
    auto routes = asset_routes({{"/index.html", "text/html; charset=utf-8", "<p>hello", "\"1\""}});
    routes.push_back(
        {"PUT", "/things/{name}", "gives back what it gets", [](const http_request& request) {
             return http_response{200,
                                  std::string(request.header("Content-Type")),
                                  std::string(request.parameter("name")) + '=' + request.body,
                                  {}};
         }});
    http_server server(context, options, std::move(routes), std::vector{echo_route()});
    std::cout << server.listening() << std::endl;
    std::thread waiting([&] {
        while (std::getchar() != EOF) {
        }
        boost::asio::post(context, [&] { context.stop(); });
    });
    context.run();
    waiting.join();
    return 0;
}
