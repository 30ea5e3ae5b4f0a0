#pragma once

#include <fleetarium/net/websocket_stream.hpp>

#include <support/memory_carrier.hpp>
#include <support/websocket_frames.hpp>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

namespace fleetarium::test {

/// A client and a server of ours on carriers that the test moves.
struct websocket_pair {
    using side = carrier_pair::side;

    websocket_pair()
        : client(net::make_websocket_client_stream(
              carriers.make(side::client), context.get_executor(), "broker.example:8080", "/mqtt")),
          server(net::make_websocket_server_stream(carriers.make(side::server),
                                                   context.get_executor(), "/mqtt")) {}

    void start() {
        server->start(at_server);
        client->start(at_client);
    }
    void deliver(std::size_t piece_max = std::size_t{1} << 20) {
        carriers.deliver(piece_max);
        context.restart();
        while (context.poll() != 0) {
            carriers.deliver(piece_max);
        }
    }
    void connect() {
        start();
        deliver();
    }

    boost::asio::io_context context{1};
    carrier_pair carriers;
    told_events at_client;
    told_events at_server;
    std::unique_ptr<net::byte_stream> client;
    std::unique_ptr<net::byte_stream> server;
};

/// A server of ours and a client that the test writes by hand.
struct lone_server {
    using side = carrier_pair::side;

    explicit lone_server(const std::string& path = "/mqtt")
        : stream(net::make_websocket_server_stream(carriers.make(side::server),
                                                   context.get_executor(), path)) {
        stream->start(events);
    }

    std::string ask(const std::string& said) {
        carriers.inject(side::server, said);
        return carriers.take_sent(side::server);
    }
    std::vector<websocket_frame> say(const std::string& said) { return parse_frames(ask(said)); }
    void upgrade() {
        REQUIRE_THAT(ask(upgrade_request()), Catch::Matchers::StartsWith("HTTP/1.1 101 "));
    }
    void finish() {
        context.restart();
        context.poll();
        carriers.deliver();
    }

    boost::asio::io_context context{1};
    carrier_pair carriers;
    told_events events;
    std::unique_ptr<net::byte_stream> stream;
};

/// A client of ours and a server that the test writes by hand.
struct lone_client {
    using side = carrier_pair::side;

    lone_client()
        : stream(net::make_websocket_client_stream(carriers.make(side::client),
                                                   context.get_executor(), "broker.example:8080",
                                                   "/mqtt")) {
        stream->start(events);
        request = carriers.take_sent(side::client);
    }

    std::string answer(const std::string& protocol = "mqtt") const {
        // RFC 6455's accept for our key, by way of a server of ours.
        lone_server server;
        std::string made = server.ask(request);
        const std::string line = "Sec-WebSocket-Protocol: mqtt\r\n";
        const std::size_t at = made.find(line);
        REQUIRE(at != std::string::npos);
        made.replace(at, line.size(),
                     protocol.empty() ? "" : "Sec-WebSocket-Protocol: " + protocol + "\r\n");
        return made;
    }
    std::string tell(const std::string& said) {
        carriers.inject(side::client, said);
        return carriers.take_sent(side::client);
    }
    void finish() { carriers.deliver(); }

    boost::asio::io_context context{1};
    carrier_pair carriers;
    told_events events;
    std::unique_ptr<net::byte_stream> stream;
    std::string request;
};

}  // namespace fleetarium::test
