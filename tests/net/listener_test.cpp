#include <fleetarium/net/listener.hpp>

#include <fleetarium/core/block_pool.hpp>

#include "support/net_peer.hpp"
#include "support/net_recorder.hpp"
#include "support/net_thread.hpp"
#include "support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::test;
using Catch::Matchers::Contains;

namespace {

namespace asio = boost::asio;

std::string file_in(const temporary_folder& folder, const std::string& name) {
    return folder.path() + "/" + name;
}

net::url socket_in(const temporary_folder& folder, const std::string& name) {
    return url_of("unix://" + file_in(folder, name));
}

/// Why `at` cannot be listened on.
std::string problem_of(const net::url& at) {
    asio::io_context context;
    try {
        net::make_listener(context, at, {});
    } catch (const std::runtime_error& wrong) {
        return wrong.what();
    }
    return "no problem";
}

/// A listener on one io_context that echoes what it gets, run by hand.
struct echo_server {
    explicit echo_server(const net::url& at) : listening(net::make_listener(context, at, {})) {
        listening->start([this]() -> asio::io_context& { return context; },
                         [this](std::unique_ptr<net::byte_stream> stream, asio::io_context&) {
                             accept(std::move(stream));
                         });
    }

    void accept(std::unique_ptr<net::byte_stream> stream) {
        auto each = std::make_unique<connection>();
        each->stream = std::move(stream);
        each->events.when_bytes = [at = each.get()](bytes_view bytes) {
            wire_buffer echo;
            echo.append(bytes);
            at->stream->write(std::move(echo));
        };
        each->stream->start(each->events);
        all.push_back(std::move(each));
    }

    /// Whether a peer that connects to `at` is served.
    bool serves(const net::url& at) {
        const std::size_t before = all.size();
        const net_peer peer(at);
        peer.send("hello");
        if (!run_until(context, [&] {
                return all.size() > before && all.back()->events.bytes() == "hello";
            })) {
            return false;
        }
        return peer.receive(5) == "hello";
    }

    struct connection {
        net_recorder events;
        std::unique_ptr<net::byte_stream> stream;
    };

    asio::io_context context{1};
    std::vector<std::unique_ptr<connection>> all;
    std::unique_ptr<net::listener> listening;
};

}  // namespace

TEST_CASE("port 0 takes a free port and tells which", "[listener]") {
    echo_server server(url_of("mqtt://127.0.0.1:0"));
    const net::url& bound = server.listening->bound();
    CHECK(bound.host == "127.0.0.1");
    REQUIRE(bound.port != 0);
    CHECK(server.serves(bound));
    CHECK_THAT(server.all.front()->stream->peer().address, Catch::StartsWith("127.0.0.1:"));
}

TEST_CASE("a host left empty, and [::], mean every address of both families", "[listener]") {
    const std::string at = GENERATE("mqtt://:0", "mqtt://[::]:0");
    echo_server server(url_of(at));
    const std::string port = std::to_string(server.listening->bound().port);
    CHECK(server.serves(url_of("mqtt://127.0.0.1:" + port)));
    CHECK_THAT(server.all.front()->stream->peer().address, Catch::StartsWith("127.0.0.1:"));
    if (machine_has_ipv6()) {
        CHECK(server.serves(url_of("mqtt://[::1]:" + port)));
        CHECK_THAT(server.all.back()->stream->peer().address, Catch::StartsWith("[::1]:"));
    }
}

TEST_CASE("a name means all of its addresses on this machine, on one port", "[listener]") {
    echo_server server(url_of("mqtt://localhost:0"));
    CHECK(server.listening->bound().host == "localhost");
    const std::string port = std::to_string(server.listening->bound().port);
    CHECK(server.serves(url_of("mqtt://127.0.0.1:" + port)));
}

TEST_CASE("a Unix socket is served, and its path removed when the listener stops", "[listener]") {
    const temporary_folder folder;
    echo_server server(socket_in(folder, "broker.sock"));
    CHECK(server.serves(socket_in(folder, "broker.sock")));
    CHECK(server.all.front()->stream->peer().address == "unix");
    server.listening->stop();
    CHECK_FALSE(std::filesystem::exists(file_in(folder, "broker.sock")));
    server.listening->stop();
    CHECK(server.all.front()->stream->backlog() == 0);  // those that are open stay
}

TEST_CASE("a stale Unix socket is replaced, one that is listened on is not", "[listener]") {
    const temporary_folder folder;
    const net::url at = socket_in(folder, "broker.sock");
    {
        // As a process that was killed leaves it.
        const net_peer_listener killed(at);
    }
    REQUIRE(std::filesystem::exists(file_in(folder, "broker.sock")));
    echo_server server(at);
    CHECK(server.serves(at));
    CHECK_THAT(problem_of(at), Contains("another process listens on this socket"));
    CHECK(server.serves(at));
}

TEST_CASE("a Unix socket that took the path of a listener stays when that stops", "[listener]") {
    const temporary_folder folder;
    const net::url at = socket_in(folder, "broker.sock");
    echo_server old(at);
    std::filesystem::remove(file_in(folder, "broker.sock"));
    echo_server fresh(at);
    old.listening->stop();
    CHECK(fresh.serves(at));
}

TEST_CASE("an address in use is told so", "[listener]") {
    const echo_server server(url_of("mqtt://127.0.0.1:0"));
    const net::url at = server.listening->bound();
    CHECK_THAT(problem_of(at), Contains("cannot listen on " + net::to_string(at)) &&
                                   Contains("the address is in use; stop the process") &&
                                   Contains("another port"));
    net::url everywhere = at;
    everywhere.host.clear();
    CHECK_THAT(problem_of(everywhere), Contains("the address is in use"));
}

TEST_CASE("a port can be listened on again at once after its server has ended", "[listener]") {
    net::url at;
    {
        echo_server server(url_of("mqtt://127.0.0.1:0"));
        at = server.listening->bound();
        REQUIRE(server.serves(at));
        server.all.front()->stream->close();  // the side that closes first holds the port a while
        server.context.poll();
    }
    echo_server again(at);
    CHECK(again.serves(at));
}

TEST_CASE("what cannot be listened on is told in a sentence", "[listener]") {
    const temporary_folder folder;
    CHECK_THAT(problem_of(url_of("mqtt://192.0.2.1:0")),
               Contains("this machine does not have the address \"192.0.2.1\""));
    CHECK_THAT(problem_of(url_of("mqtt://no-such-host.invalid:0")),
               Contains("no address is known for the name \"no-such-host.invalid\""));
    CHECK_THAT(problem_of(socket_in(folder, "no/folder.sock")), Contains("does not exist"));
    CHECK_THAT(problem_of(socket_in(folder, std::string(120, 'x'))),
               Contains("choose a shorter one"));
    CHECK_THAT(problem_of(url_of("mqtts://127.0.0.1:0")), Contains("TLS needs a certificate"));
    std::ofstream(file_in(folder, "notes.txt")) << "keep me";
    CHECK_THAT(problem_of(socket_in(folder, "notes.txt")), Contains("is no socket"));
    CHECK(std::filesystem::exists(file_in(folder, "notes.txt")));
}

TEST_CASE("each connection is handed to the io_context that was picked, on its thread",
          "[listener]") {
    net_thread accepting;
    std::vector<std::unique_ptr<net_thread>> workers;
    workers.push_back(std::make_unique<net_thread>());
    workers.push_back(std::make_unique<net_thread>());
    std::size_t turn = 0;
    std::atomic<std::size_t> elsewhere = 0;
    std::array<std::vector<std::unique_ptr<net::byte_stream>>, 2> accepted;
    std::array<std::atomic<std::size_t>, 2> counts{};
    const auto listening =
        net::make_listener(accepting.context(), url_of("mqtt://127.0.0.1:0"), {});
    accepting.call([&] {
        listening->start([&]() -> asio::io_context& { return workers[turn++ % 2]->context(); },
                         [&](std::unique_ptr<net::byte_stream> stream, asio::io_context& of) {
                             const std::size_t which = &of == &workers[0]->context() ? 0 : 1;
                             elsewhere += of.get_executor().running_in_this_thread() ? 0 : 1;
                             accepted[which].push_back(std::move(stream));
                             ++counts[which];
                         });
    });
    constexpr std::size_t count = 500;
    std::vector<net_peer> peers;
    for (std::size_t i = 0; i < count; ++i) {
        peers.emplace_back(listening->bound());
    }
    CHECK(eventually([&] { return counts[0] + counts[1] == count; }));
    CHECK(counts[0] == count / 2);
    CHECK(elsewhere == 0);
    accepting.call([&] { listening->stop(); });
    for (std::size_t i = 0; i < 2; ++i) {
        workers[i]->call([&] { accepted[i].clear(); });
    }
}

TEST_CASE("a listener may be stopped or destroyed from inside its handler", "[listener]") {
    const bool destroys = GENERATE(false, true);
    asio::io_context context(1);
    auto listening = net::make_listener(context, url_of("mqtt://127.0.0.1:0"), {});
    const net::url at = listening->bound();
    int accepted = 0;
    listening->start([&]() -> asio::io_context& { return context; },
                     [&](std::unique_ptr<net::byte_stream>, asio::io_context&) {
                         ++accepted;
                         if (destroys) {
                             listening.reset();
                         } else {
                             listening->stop();
                         }
                     });
    std::vector<net_peer> peers;
    for (int i = 0; i < 10; ++i) {
        peers.emplace_back(at);
    }
    context.run();  // returns, since nothing is listened on any more
    CHECK(accepted == 1);
}

TEST_CASE("without file descriptors accepting rests, and goes on when there are some",
          "[listener]") {
#ifdef FLEETARIUM_POISON_FREE_BLOCKS  // under ASan
    WARN("this test was skipped: UBSan needs file descriptors to look at an object's type");
    return;
#endif
    echo_server server(url_of("mqtt://127.0.0.1:0"));
    const net_peer served(server.listening->bound());
    REQUIRE(run_until(server.context, [&] { return server.all.size() == 1; }));

    net_peer late;  // its own descriptor is there before they run out
    std::vector<net::socket_handle> taken;
    const fewer_descriptors limit(256);
    for (;;) {
        net::socket_handle each(::dup(0));
        if (!each) {
            break;
        }
        taken.push_back(std::move(each));
    }
    REQUIRE(errno == EMFILE);
    late.connect(server.listening->bound());
    late.send("patience");
    served.send("still here");
    REQUIRE(run_until(server.context, [&] { return !server.all[0]->events.bytes().empty(); }));
    CHECK(server.all.size() == 1);
    taken.clear();
    REQUIRE(run_until(server.context, [&] {
        return server.all.size() == 2 && server.all[1]->events.bytes() == "patience";
    }));
}

TEST_CASE("streams that were accepted and not taken yet end with their io_context", "[listener]") {
    net_thread accepting;
    auto target = std::make_unique<asio::io_context>(1);
    std::atomic<int> picked = 0;
    const auto listening =
        net::make_listener(accepting.context(), url_of("mqtt://127.0.0.1:0"), {});
    accepting.call([&] {
        listening->start(
            [&]() -> asio::io_context& {
                ++picked;
                return *target;
            },
            [](std::unique_ptr<net::byte_stream>, asio::io_context&) { FAIL("nobody runs it"); });
    });
    const net_peer peer(listening->bound());
    CHECK(eventually([&] { return picked == 1; }));
    accepting.call([&] { listening->stop(); });
    target.reset();
    CHECK(peer.receive(1).empty());  // closed
}
