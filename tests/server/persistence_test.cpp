#include <fleetarium/server/server.hpp>

#include <support/temporary_folder.hpp>
#include <support/wire_peer.hpp>

#include <catch2/catch.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

// A server with a session file, on threads; what the file keeps is tested without them, in
// tests/storage.

namespace fleetarium::test {
namespace {

using broker::server;
using broker::server_options;

struct session_folder : temporary_folder {
    server_options options(unsigned threads = 1) const {
        server_options out = broker::listen_on("mqtt://127.0.0.1:0");
        out.threads = threads;
        out.persistence.file = path() + "/sessions.db";
        out.persistence.sync = storage::sync_mode::normal;
        return out;
    }
};

TEST_CASE("another server goes on with sessions and retained messages from the file", "[server]") {
    const session_folder in;
    {
        server given(in.options());
        given.start();
        wire_peer client(given);
        client.connect("s", false);
        client.subscribe("t", qos::at_least_once);
        client.publish("kept", "1", qos::at_least_once, 9, true);
        client.take<puback>();
        CHECK(given.publish("kept too", "2", qos::at_most_once, true));  // of nobody's turn
        given.stop();
    }
    server next(in.options());
    next.start();
    wire_peer again(next);
    CHECK(again.connect("s", false) == reason_code::success);
    CHECK(again.session_present);
    again.subscribe("kept");
    CHECK(again.take_publish() == "kept=1");
    again.subscribe("kept too");
    CHECK(again.take_publish() == "kept too=2");
}

TEST_CASE("any thread may use a server while it starts and stops", "[server][threads]") {
    const session_folder in;
    server_options options = in.options(2);
    options.http_address = "127.0.0.1:0";
    server given(options);
    std::atomic<bool> done{false};
    std::atomic<int> kept{0};
    std::atomic<std::size_t> asked{0};
    std::vector<std::thread> users;
    for (int i = 0; i < 2; ++i) {
        users.emplace_back([&] {
            while (!done) {
                kept += given.publish("kept", "1", qos::at_least_once, true) ? 1 : 0;
                asked += given.listening().size() + given.http_listening().size();
                asked += given.clients().size() + given.metrics().bytes_received;
                asked += given.disconnect("nobody") ? 1 : 0;
                asked += given.reload().size();
            }
        });
    }
    for (int round = 0; round < 3; ++round) {
        given.start();
        CHECK(given.listening().size() == 1);
        const int before = kept;
        while (kept == before) {
            std::this_thread::yield();
        }
        given.stop();
    }
    done = true;
    for (std::thread& each : users) {
        each.join();
    }
    CHECK(given.listening().empty());
    CHECK(given.http_listening().empty());
    CHECK(asked > 0);
}

TEST_CASE("a server starts again with the file that it has open", "[server]") {
    const session_folder in;
    server given(in.options());
    for (int round = 0; round < 3; ++round) {
        given.start();
        wire_peer client(given.listening().front());
        client.connect("s", false);
        CHECK(client.session_present == (round > 0));
        given.stop();
        CHECK(client.take<fleetarium::disconnect>().code == reason_code::server_shutting_down);
    }
}

TEST_CASE("many clients on several threads wait for one file, each for its own", "[server]") {
    const session_folder in;
    constexpr int clients = 6;
    constexpr std::uint16_t messages = 60;
    {
        server given(in.options(3));
        given.start();
        wire_peer subscriber(given.listening().front());
        subscriber.connect("s", false);
        subscriber.subscribe("t/#", qos::exactly_once);
        std::vector<std::thread> publishers;
        for (int i = 0; i < clients; ++i) {
            publishers.emplace_back([&given, i] {
                wire_peer publisher(given.listening().front());
                publisher.connect("p" + std::to_string(i), false);
                for (std::uint16_t n = 1; n <= messages; ++n) {
                    publisher.publish("t/" + std::to_string(i), std::to_string(n),
                                      n % 2 == 0 ? qos::at_least_once : qos::exactly_once, n);
                }
                for (std::uint16_t n = 1; n <= messages; ++n) {
                    if (n % 2 == 0) {
                        publisher.take<puback>();
                    } else {
                        publisher.take<pubrec>();
                    }
                }
            });
        }
        for (std::thread& each : publishers) {
            each.join();
        }
        for (int i = 0; i < clients * messages; ++i) {
            CHECK_FALSE(subscriber.take_publish().empty());
        }
        given.stop();
    }
    server next(in.options(3));
    next.start();
    wire_peer again(next.listening().front());
    again.connect("s", false);
    for (int resent = 0; resent < clients * messages; ++resent) {
        CHECK(again.take<publish>().dup);
    }
}

TEST_CASE("a file that cannot be used keeps the server from starting, and says why", "[server]") {
    const session_folder in;
    server_options bad = in.options();
    bad.persistence.file = in.path();  // a folder
    server given(bad);
    CHECK_THROWS_WITH(given.start(), Catch::Contains(in.path()));
    server first(in.options());
    first.start();
    server second(in.options());
    CHECK_THROWS_WITH(second.start(), Catch::Contains("another process uses it"));
}

TEST_CASE("clients wait while more waits for the disk than is allowed", "[server]") {
    const session_folder in;
    server_options options = in.options();
    options.persistence.backlog_max = 1;  // one change waits, and clients wait with it
    server given(options);
    given.start();
    wire_peer client(given);
    client.connect("s", false);
    for (std::uint16_t n = 1; n <= 100; ++n) {
        client.publish("kept/" + std::to_string(n), "1", qos::at_least_once, n, true);
    }
    for (int n = 1; n <= 100; ++n) {
        client.take<puback>();
    }
    CHECK(given.metrics().publish_received[1] == 100);
}

}  // namespace
}  // namespace fleetarium::test
