#include <fleetarium/server/server.hpp>

#include <fleetarium/server/password_file.hpp>

#include <support/wire_peer.hpp>

#include <catch2/catch.hpp>

#include <unistd.h>
#include <filesystem>
#include <fstream>
#include <thread>

// A broker on streams: pipes and ports, one thread and several, from start to stop.

namespace fleetarium::test {
namespace {

using broker::server;
using broker::server_options;

server_options on_port(unsigned threads = 1) {
    server_options out = broker::listen_on("mqtt://127.0.0.1:0");
    out.threads = threads;
    return out;
}

TEST_CASE("a message goes from client to client over pipes, without a port", "[server]") {
    server given;
    given.start();
    wire_peer subscriber(given);
    REQUIRE(subscriber.connect("s") == reason_code::success);
    subscriber.subscribe("t", qos::exactly_once);
    wire_peer publisher(given, protocol_version::v3_1_1);
    REQUIRE(publisher.connect("p") == reason_code::success);
    publisher.publish("t", "hello");
    CHECK(subscriber.take_publish() == "t=hello");
    publisher.publish("t", "again", qos::at_least_once, 7);
    CHECK(publisher.take<puback>().packet_id == 7);
    CHECK(subscriber.take_publish() == "t=again");
    CHECK(given.port() == 0);
}

TEST_CASE("clients on a port and on a pipe meet, on one thread or several", "[server]") {
    const unsigned threads = GENERATE(1u, 3u);
    server given(on_port(threads));
    given.start();
    REQUIRE(given.port() != 0);
    wire_peer subscriber(given.listening().front());
    subscriber.connect("s");
    subscriber.subscribe("t");
    wire_peer second(given);
    second.connect("s2");
    second.subscribe("t");
    wire_peer publisher(given.listening().front());
    publisher.connect("p");
    for (int i = 0; i < 100; ++i) {
        publisher.publish("t", std::to_string(i));
    }
    for (int i = 0; i < 100; ++i) {
        CHECK(subscriber.take_publish() == "t=" + std::to_string(i));
        CHECK(second.take_publish() == "t=" + std::to_string(i));
    }
}

TEST_CASE("a message from the embedder reaches subscribers at once", "[server]") {
    server given;
    given.start();
    wire_peer subscriber(given);
    subscriber.connect("s");
    subscriber.subscribe("t/#");
    CHECK(given.publish("t/1", "inside"));
    CHECK(subscriber.take_publish() == "t/1=inside");
    CHECK(given.publish("t/#", "no") == error::invalid_topic_name);
}

TEST_CASE("clients can be listed, and one of them sent away", "[server]") {
    server given(on_port());
    given.start();
    wire_peer first(given.listening().front());
    first.connect("first", true, "anna");
    first.subscribe("a");
    wire_peer second(given);
    second.connect("second");
    const auto listed = given.clients();
    REQUIRE(listed.size() == 2);
    CHECK(listed[0].client_id == "first");
    CHECK(listed[0].user_name == "anna");
    CHECK(listed[0].address.starts_with("127.0.0.1:"));
    CHECK(listed[0].subscriptions == 1);
    CHECK(listed[1].address == "pipe");

    CHECK(given.disconnect("second"));
    CHECK(second.take<fleetarium::disconnect>().code == reason_code::administrative_action);
    CHECK(second.is_closed_by_server());
    CHECK(given.disconnect("second") == error::not_connected);
}

TEST_CASE("stop tells every client that the server shuts down, and closes", "[server]") {
    server given(on_port(2));
    given.start();
    wire_peer on_port_peer(given.listening().front());
    on_port_peer.connect("a");
    wire_peer on_pipe(given);
    on_pipe.connect("b");
    wire_peer silent(given.listening().front());
    given.stop();
    CHECK(on_port_peer.take<fleetarium::disconnect>().code == reason_code::server_shutting_down);
    CHECK(on_port_peer.is_closed_by_server());
    CHECK(on_pipe.take<fleetarium::disconnect>().code == reason_code::server_shutting_down);
    CHECK(on_pipe.is_closed_by_server());
    CHECK(silent.is_closed_by_server());
    given.stop();  // once more: nothing happens
    CHECK_THROWS_AS(given.open_pipe(boost::asio::io_context().get_executor()), std::logic_error);
}

TEST_CASE("sessions and retained messages outlive a stop and a start of the same server",
          "[server]") {
    server given;
    given.start();
    {
        wire_peer client(given);
        client.connect("s", false);
        client.subscribe("t", qos::at_least_once);
        client.publish("kept", "1", qos::at_least_once, 9, true);
        client.take<puback>();
    }
    given.stop();
    given.start();
    wire_peer again(given);
    CHECK(again.connect("s", false) == reason_code::success);
    CHECK(again.session_present);
    again.subscribe("kept");
    CHECK(again.take_publish() == "kept=1");
}

TEST_CASE("a subscriber that does not read slows nobody, and costs bounded memory",
          "[server][threat/slow_reader]") {
    server_options options = on_port(2);
    options.output_bytes_max = 64 * 1024;
    options.broker.queue_messages_max = 10;
    server given(options);
    given.start();
    wire_peer slow(given.listening().front());
    slow.connect("slow");
    slow.subscribe("t");
    wire_peer quick(given.listening().front());
    quick.connect("quick");
    quick.subscribe("t");
    wire_peer publisher(given);
    publisher.connect("p");
    const std::string payload(64 * 1024, 'x');
    // `slow` runs no events from here on: the socket's buffers fill, then the server's bound.
    constexpr int count = 1000;
    for (int i = 0; i < count; ++i) {
        publisher.publish("t", payload);
        CHECK(quick.take<fleetarium::publish>().payload.size() == payload.size());
    }
    const auto full = static_cast<std::size_t>(broker::drop_reason::queue_full);
    CHECK(given.metrics().dropped[full] > 0);
    const auto sessions = given.clients();
    CHECK(sessions[0].queued <= 10);

    // Once it reads again it gets what waited, and what comes.
    std::string last;
    bool published = false;
    while (last != "last") {
        const auto in = slow.take<fleetarium::publish>();
        last = in.payload.size() > 100 ? "" : std::string(as_text(in.payload));
        if (!published && given.clients()[0].queued == 0) {
            publisher.publish("t", "last");
            published = true;
        }
    }
    CHECK(published);
}

TEST_CASE("retained messages go to who asks for all of them as its socket takes them",
          "[server][threat/amplification]") {
    server_options options = on_port(2);
    options.output_bytes_max = 64 * 1024;
    server given(options);
    given.start();
    wire_peer publisher(given);
    publisher.connect("p");
    constexpr int stored = 3000;
    const std::string payload(4000, 'x');
    for (int i = 0; i < stored; ++i) {
        publisher.publish("r/" + std::to_string(i), payload, qos::at_most_once, 0, true);
    }
    publisher.send(fleetarium::pingreq{}).take<fleetarium::pingresp>();
    wire_peer greedy(given.listening().front());
    greedy.connect("greedy");

    // when
    std::vector<subscription_request> requests;
    for (const char* const each : {"#", "r/#", "r/+", "+/+", "+/#", "r/+/#", "+/+/#"}) {
        requests.push_back({each, {qos::at_most_once, false, false, retain_handling::send}});
    }
    fleetarium::subscribe request;
    request.packet_id = 1;
    request.requests = subscription_requests(requests);
    greedy.send(request);
    greedy.take<suback>();
    // It runs no events from here on, so its socket fills.
    for (int i = 0; i < 100; ++i) {
        publisher.send(fleetarium::pingreq{}).take<fleetarium::pingresp>();
    }

    // then
    const auto all = static_cast<std::uint64_t>(stored) * requests.size();
    CHECK(given.metrics().retained_sent < all / 2);
    for (std::uint64_t i = 0; i < all; ++i) {
        REQUIRE(greedy.take<fleetarium::publish>().payload.size() == payload.size());
    }
    CHECK(given.metrics().retained_sent == all);
}

TEST_CASE("a listener's bound on connections holds for it alone", "[server]") {
    server_options options = on_port();
    options.listeners[0].connections_max = 1;
    options.listeners[0].maximum_packet_size = 1000;
    server given(options);
    given.start();
    wire_peer first(given.listening().front());
    CHECK(first.connect("1") == reason_code::success);
    wire_peer second(given.listening().front());
    CHECK(second.connect("2") == reason_code::server_busy);
    CHECK(second.is_closed_by_server());
    wire_peer third(given);
    CHECK(third.connect("3") == reason_code::success);
    first.publish("t", std::string(2000, 'x'));
    CHECK(first.take<fleetarium::disconnect>().code == reason_code::packet_too_large);
}

TEST_CASE("anonymous clients are let in or not, by server and by listener",
          "[server][threat/strangers]") {
    server_options options = on_port();
    options.allow_anonymous = false;
    options.listeners.push_back(options.listeners.front());
    options.listeners[1].allow_anonymous = true;
    server given(options);
    given.start();
    wire_peer strict(given.listening()[0]);
    CHECK(strict.connect("1") == reason_code::not_authorized);
    wire_peer lax(given.listening()[1]);
    CHECK(lax.connect("2") == reason_code::success);
}

/// A file with a text, as long as it lives.
class text_file {
public:
    explicit text_file(const std::string& text) { write(text); }
    ~text_file() { std::filesystem::remove(path_); }
    void write(const std::string& text) { std::ofstream(path_) << text; }
    const std::string& path() const { return path_; }

private:
    std::string path_ = (std::filesystem::temp_directory_path() /
                         ("fleetarium-" + std::to_string(::getpid()) + "-" +
                          std::to_string(reinterpret_cast<std::uintptr_t>(this))))
                            .string();
};

TEST_CASE("passwords are checked, and read again while the server runs",
          "[server][passwords][threat/strangers]") {
    // Few rounds: the test is about who gets in, not about how long it takes.
    text_file file(broker::password_line("ann", "secret", 1000) + "\n");
    server_options options = on_port();
    options.password_file = file.path();
    server given(options);
    given.start();
    const auto connect = [&](protocol_version version, std::string_view user,
                             std::string_view password) {
        wire_peer peer(given.listening().front(), version);
        return peer.connect("c", true, user, password);
    };
    const auto version = GENERATE(protocol_version::v5, protocol_version::v3_1_1);
    CHECK(connect(version, "ann", "secret") == reason_code::success);
    CHECK(connect(version, "ann", "guess") == reason_code::bad_user_name_or_password);
    CHECK(connect(version, "ann", "guess") == reason_code::bad_user_name_or_password);
    CHECK(connect(version, "bob", "secret") == reason_code::bad_user_name_or_password);

    file.write(broker::password_line("ann", "renewed", 1000) + "\n");
    CHECK(given.reload().empty());
    CHECK(connect(version, "ann", "secret") == reason_code::bad_user_name_or_password);
    CHECK(connect(version, "ann", "renewed") == reason_code::success);

    file.write("ann\n");
    CHECK(given.reload().size() == 1);
    CHECK(connect(version, "ann", "renewed") == reason_code::success);
}

TEST_CASE("a password that comes in pieces, with packets behind it, is checked", "[server]") {
    text_file file(broker::password_line("ann", "secret", 1000) + "\n");
    server_options options = on_port();
    options.password_file = file.path();
    server given(options);
    given.start();
    wire_peer peer(given, protocol_version::v3_1_1);
    fleetarium::connect request;
    request.version = protocol_version::v3_1_1;
    request.client_id = "c";
    request.user_name = "ann";
    request.password = as_bytes_view("secret");
    wire_buffer encoded;
    encode(request, encoded);
    encode(pingreq{}, protocol_version::v3_1_1, encoded);
    for (const std::uint8_t each : to_bytes(encoded)) {
        peer.send_bytes({&each, 1});
    }
    CHECK(peer.take<connack>().code == reason_code::success);
    peer.take<pingresp>();
}

TEST_CASE("the access file decides who may publish and subscribe", "[server][access]") {
    text_file file("topic read open/#\npattern write devices/%c/state\n");
    server_options options;
    options.access_file = file.path();
    server given(options);
    given.start();
    wire_peer device(given);
    device.connect("d7");
    device.publish("devices/d7/state", "on", qos::at_least_once, 1);
    CHECK(device.take<puback>().code == reason_code::no_matching_subscribers);
    device.publish("devices/d8/state", "on", qos::at_least_once, 2);
    CHECK(device.take<puback>().code == reason_code::not_authorized);
    const subscription_request one{"devices/#", {}};
    fleetarium::subscribe request;
    request.packet_id = 3;
    request.requests = subscription_requests({&one, 1});
    device.send(request);
    CHECK(device.take<suback>().codes[0] == reason_code::not_authorized);
}

TEST_CASE("a start with a file that is wrong names it", "[server]") {
    server_options options;
    options.access_file = "/nowhere/access";
    CHECK_THROWS_WITH(server(options).start(), Catch::Contains("/nowhere/access"));
}

TEST_CASE("a client that says nothing is closed in time", "[server][threat/slow_connect]") {
    server_options options = on_port();
    options.broker.connect_timeout = std::chrono::milliseconds{50};
    server given(options);
    given.start();
    wire_peer silent(given.listening().front());
    CHECK(silent.is_closed_by_server());
}

TEST_CASE("what is no MQTT on the MQTT port is closed, logged as what it is, and others go on",
          "[server][threat/hostile_bytes]") {
    struct attempt {
        std::string_view bytes;
        std::string_view logged;
    };
    const auto nonsense = GENERATE(
        attempt{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "(it sent an HTTP request; "},
        attempt{"\x16\x03\x01\x02", "(it started TLS, "},
        attempt{"\xff\xff\xff\xff\xff\xff", "refused: the first packet is not CONNECT"},
        attempt{"\x10\xff\xff\xff\x7f", "refused: the packet exceeds the maximum packet size"});
    const bool has_passwords = GENERATE(false, true);  // then CONNECT is held until it is whole
    server_options options = on_port();
    std::string log;
    options.log = [&](broker::log_level, std::string_view line) {
        log += std::string(line) + '\n';
    };
    const text_file nobody("");
    if (has_passwords) {
        options.password_file = nobody.path();
        options.allow_anonymous = true;
    }
    {
        server given(options);
        given.start();
        wire_peer good(given.listening().front());
        good.connect("good");
        wire_peer bad(given.listening().front());
        bad.send_bytes(as_bytes_view(nonsense.bytes));
        CHECK(bad.is_closed_by_server());
        good.send(pingreq{});
        good.take<pingresp>();
    }
    CHECK_THAT(log, Catch::Contains(std::string(nonsense.logged)));
}

TEST_CASE("the log tells a client that takes its leave from one that is lost", "[server]") {
    server_options options = on_port();
    std::string log;
    options.log = [&](broker::log_level, std::string_view line) {
        log += std::string(line) + '\n';
    };
    {
        server given(options);
        given.start();
        wire_peer polite(given.listening().front());
        polite.connect("polite");
        polite.send(fleetarium::disconnect{});
        CHECK(polite.is_closed_by_server());
        {
            wire_peer abrupt(given.listening().front());
            abrupt.connect("abrupt");
        }
        while (!given.clients().empty()) {
            std::this_thread::yield();
        }
    }
    CHECK_THAT(log, Catch::Contains("\"polite\" disconnected\n"));
    CHECK_THAT(log, Catch::Contains("\"abrupt\" disconnected: the connection was lost\n"));
}

TEST_CASE("a start that cannot be carried out says why and leaves nothing open", "[server]") {
    server first(on_port());
    first.start();
    server_options options = on_port();
    options.listeners.push_back({.url = first.listening().front()});
    server second(options);
    CHECK_THROWS_WITH(second.start(), Catch::Contains("in use"));
    CHECK(second.listening().empty());
}

TEST_CASE("options out of range are refused when the server is made", "[server]") {
    server_options options;
    options.threads = 0;
    CHECK_THROWS_AS(server(options), std::invalid_argument);
    CHECK_THROWS_AS(broker::listen_on("http://localhost"), std::invalid_argument);
}

TEST_CASE("verbs from many threads meet the core one at a time", "[server][threads]") {
    server given(on_port(2));
    given.start();
    wire_peer subscriber(given.listening().front());
    subscriber.connect("s");
    subscriber.subscribe("t/#");
    std::vector<std::thread> others;
    for (int each = 0; each < 4; ++each) {
        others.emplace_back([&given, each] {
            for (int i = 0; i < 250; ++i) {
                static_cast<void>(given.publish("t/" + std::to_string(each), std::to_string(i)));
                static_cast<void>(given.clients());
            }
        });
    }
    int next[4] = {};
    for (int i = 0; i < 1000; ++i) {
        const std::string got = subscriber.take_publish();
        const int by = got[2] - '0';
        CHECK(got == "t/" + std::to_string(by) + "=" + std::to_string(next[by]++));
    }
    for (std::thread& each : others) {
        each.join();
    }
}

}  // namespace
}  // namespace fleetarium::test
