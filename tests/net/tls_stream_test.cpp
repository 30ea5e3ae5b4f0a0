#include <fleetarium/core/random.hpp>
#include <fleetarium/net/test_certificates.hpp>
#include <fleetarium/net/tls_stream.hpp>

#include <support/memory_carrier.hpp>
#include <support/net_thread.hpp>
#include <support/tls_pair.hpp>

#include <openssl/ssl.h>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::net;
using namespace fleetarium::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using side = carrier_pair::side;
using client_certificates = test_certificate_authority::client_certificates;

namespace {

const test_certificate_authority& authority() {
    static const test_certificate_authority one(7);
    return one;
}

tls_pair make_pair(tls_version version = tls_version::v1_3) {
    return {authority().server_tls(), authority().anonymous_tls(), "localhost", version};
}

std::string long_text(std::size_t size) {
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    }
    return text;
}

/// The lengths of the TLS records in `sent`.
std::vector<std::size_t> record_sizes(const std::string& sent) {
    std::vector<std::size_t> sizes;
    for (std::size_t at = 0; at + 5 <= sent.size();) {
        const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(sent[at + i]); };
        sizes.push_back(static_cast<std::size_t>(byte(3) << 8 | byte(4)));
        at += 5 + sizes.back();
    }
    return sizes;
}

}  // namespace

TEST_CASE("TLS carries bytes both ways, however the carrier splits them", "[tls]") {
    const auto version = GENERATE(tls_version::v1_2, tls_version::v1_3);
    const std::size_t piece = GENERATE(1U, 2U, 3U, 5U, 6U, 100U, 4096U, 1U << 20);
    CAPTURE(version == tls_version::v1_2, piece);
    tls_pair pair = make_pair(version);
    pair.start();
    pair.deliver(piece);
    const std::string text = long_text(piece < 100 ? 5'000 : 40'000);
    pair.client->write(wire_of("hello, server"));
    pair.server->write(wire_of(text));
    pair.deliver(piece);
    CHECK(pair.at_server.received == "hello, server");
    CHECK((pair.at_client.received == text));
    pair.client->write(wire_of(text));
    pair.server->write(wire_of("bye"));
    pair.deliver(piece);
    CHECK((pair.at_server.received == "hello, server" + text));
    CHECK((pair.at_client.received == text + "bye"));
    CHECK(pair.at_client.closed + pair.at_server.closed == 0);
}

TEST_CASE("what is written before the TLS handshake is kept and goes out after it", "[tls]") {
    const auto version = GENERATE(tls_version::v1_2, tls_version::v1_3);
    tls_pair pair = make_pair(version);
    pair.client->write(wire_of("first "));
    CHECK(pair.client->backlog() == 6);
    pair.start();
    pair.client->write(wire_of("second"));
    pair.server->write(wire_of("welcome"));
    CHECK(pair.client->backlog() == 12);
    pair.deliver();
    CHECK(pair.at_server.received == "first second");
    CHECK(pair.at_client.received == "welcome");
    CHECK(pair.client->backlog() == 0);
    CHECK(pair.at_client.drained == 1);
    CHECK(pair.at_server.drained == 1);
}

TEST_CASE("the carrier's backlog is the TLS stream's, and its end is told", "[tls]") {
    tls_pair pair = make_pair();
    pair.connect();
    pair.carriers.limit(side::server, 1000);
    pair.server->write(wire_of(long_text(5000)));
    CHECK(pair.server->backlog() > 4000);
    CHECK(pair.at_server.drained == 0);
    pair.deliver(500);
    CHECK(pair.server->backlog() == 0);
    CHECK(pair.at_server.drained == 1);
    CHECK(pair.at_client.received.size() == 5000);
}

TEST_CASE("many small parts become few TLS records and one write of the carrier", "[tls]") {
    tls_pair pair = make_pair();
    pair.connect();
    wire_buffer parts;
    std::string all;
    for (int i = 0; i < 1000; ++i) {
        const std::string part = "part " + std::to_string(i) + long_text(60);
        // A shared tail and a chunk of its own for each, as the broker's fan-out makes them.
        parts.append_shared(shared_bytes(as_bytes_view(part)));
        all += part;
    }
    const std::size_t writes = pair.carriers.writes(side::server);
    pair.server->write(std::move(parts));
    CHECK(pair.carriers.writes(side::server) == writes + 1);
    const auto sizes = record_sizes(pair.carriers.sent(side::server));
    CHECK(sizes.size() == all.size() / 16384 + 1);
    pair.deliver();
    CHECK((pair.at_client.received == all));

    SECTION("also with a large part between small ones") {
        wire_buffer mixed;
        const std::string large = long_text(50'000);
        mixed.append_shared(shared_bytes(as_bytes_view("small")));
        mixed.append_shared(shared_bytes(as_bytes_view(large)));
        mixed.append_shared(shared_bytes(as_bytes_view("end")));
        mixed.append_shared(shared_bytes(as_bytes_view(large)));
        pair.at_client.received.clear();
        pair.server->write(std::move(mixed));
        CHECK(record_sizes(pair.carriers.sent(side::server)).size() == 7);
        pair.deliver();
        CHECK((pair.at_client.received == "small" + large + "end" + large));
    }
}

TEST_CASE("all records of a chunk are told at once", "[tls]") {
    tls_pair pair = make_pair();
    pair.connect();
    for (int i = 0; i < 100; ++i) {
        pair.client->write(wire_of("0123456789"));
    }
    pair.deliver();
    CHECK(pair.at_server.received.size() == 1000);
    CHECK(pair.at_server.chunks == 1);
}

TEST_CASE("a paused TLS stream tells nothing until it is resumed", "[tls]") {
    tls_pair pair = make_pair();
    pair.connect();
    pair.at_server.when_bytes = [&] { pair.server->pause_reading(); };
    for (int i = 0; i < 10; ++i) {
        pair.client->write(wire_of(long_text(1000)));
    }
    pair.deliver(3000);
    CHECK(pair.carriers.paused(side::server));
    CHECK(pair.at_server.chunks == 1);
    pair.at_server.when_bytes = nullptr;
    pair.server->resume_reading();
    pair.deliver();
    CHECK(pair.at_server.received.size() == 10'000);
}

TEST_CASE("closing a TLS stream says farewell and loses nothing that was written", "[tls]") {
    const auto version = GENERATE(tls_version::v1_2, tls_version::v1_3);
    tls_pair pair = make_pair(version);
    pair.connect();
    pair.client->write(wire_of("last words"));
    pair.client->close();
    pair.client->write(wire_of("too late"));
    CHECK(pair.at_client.closed == 0);  // never from inside a call
    pair.deliver();
    CHECK(pair.at_server.received == "last words");
    CHECK(pair.at_server.closed == 1);
    CHECK(pair.at_server.why == boost::asio::error::eof);
    CHECK(pair.at_client.closed == 1);
    CHECK_FALSE(pair.at_client.why);
}

TEST_CASE("a TLS stream may be closed or aborted from inside its events", "[tls]") {
    tls_pair pair = make_pair();
    pair.connect();
    pair.client->write(wire_of("request"));
    SECTION("closed") {
        pair.at_server.when_bytes = [&] {
            pair.server->write(wire_of("answer"));
            pair.server->close();
        };
        pair.deliver();
        CHECK(pair.at_client.received == "answer");
        CHECK(pair.at_server.closed == 1);
        CHECK(pair.at_client.closed == 1);
    }
    SECTION("aborted") {
        pair.at_server.when_bytes = [&] { pair.server->abort(); };
        pair.deliver();
        CHECK(pair.at_server.closed == 0);
        CHECK(pair.at_server.received == "request");
        CHECK(pair.at_client.closed == 1);
    }
    SECTION("destroyed at the end") {
        pair.client->close();
        pair.at_server.when_closed = [&] { pair.server.reset(); };
        pair.deliver();
        CHECK(pair.server == nullptr);
    }
}

TEST_CASE("a carrier that ends without the farewell of TLS ends the stream as it ended", "[tls]") {
    tls_pair pair = make_pair();
    pair.connect();
    pair.carriers.cut(side::server, boost::asio::error::connection_reset);
    CHECK(pair.at_server.closed == 1);
    CHECK(pair.at_server.why == boost::asio::error::connection_reset);
}

TEST_CASE("the client checks the server's certificate", "[tls][threat/tls]") {
    const auto version = GENERATE(tls_version::v1_2, tls_version::v1_3);
    const test_certificate_authority stranger(8);
    tls_options server = authority().server_tls();
    tls_options client = authority().anonymous_tls();
    const auto outcome = [&](const std::string& host) {
        tls_pair pair(server, client, host, version);
        pair.client->write(wire_of("secret"));
        pair.connect();
        CHECK(pair.at_client.closed == pair.at_server.closed);
        CHECK(pair.at_server.received == (pair.at_client.closed != 0 ? "" : "secret"));
        const bool refused = pair.at_client.closed != 0;
        return refused ? pair.at_client.why.message() + " | " + pair.at_server.why.message()
                       : "accepted";
    };
    CHECK(outcome("localhost") == "accepted");
    CHECK(outcome("localhost.") == "accepted");
    CHECK(outcome("127.0.0.1") == "accepted");
    CHECK(outcome("::1") == "accepted");
    CHECK(outcome("::1%lo") == "accepted");
    CHECK_THAT(outcome("broker.example"),
               StartsWith("certificate verify failed: hostname mismatch | the peer refused with "
                          "the TLS alert \"bad certificate\": it does not accept"));
    CHECK_THAT(outcome("127.0.0.2"), StartsWith("certificate verify failed: IP address mismatch"));
    CHECK_THAT(outcome(""), StartsWith("certificate verify failed: hostname mismatch"));

    SECTION("another name to check by") {
        client.server_name = "localhost";
        CHECK(outcome("broker.example") == "accepted");
    }
    SECTION("another authority") {
        client.authorities = stranger.certificate();
        CHECK_THAT(outcome("localhost"),
                   StartsWith("certificate verify failed: unable to get local issuer certificate | "
                              "the peer refused with the TLS alert \"unknown CA\": it does not "
                              "trust the authority that signed our certificate"));
    }
    SECTION("a certificate that has expired") {
        const certificate_and_key expired =
            authority().server({"localhost"}, certificate_validity::expired());
        server.certificate = expired.certificate;
        server.private_key = expired.private_key;
        CHECK_THAT(outcome("localhost"),
                   StartsWith("certificate verify failed: certificate has expired | the peer "
                              "refused with the TLS alert \"certificate expired\""));
    }
    SECTION("a device's certificate instead of a server's") {
        const certificate_and_key device = authority().device("lamp-7");
        server.certificate = device.certificate;
        server.private_key = device.private_key;
        CHECK_THAT(outcome("localhost"), StartsWith("certificate verify failed: "));
    }
    SECTION("no check at all, when asked for") {
        client = {};
        client.verify_peer = false;
        CHECK(outcome("broker.example") == "accepted");
    }
    SECTION("the system's authorities do not know ours") {
        client = {};
        CHECK_THAT(outcome("localhost"), StartsWith("certificate verify failed: "));
    }
}

TEST_CASE("the server asks for client certificates as its options say",
          "[tls][threat/certificates]") {
    const auto version = GENERATE(tls_version::v1_2, tls_version::v1_3);
    const test_certificate_authority stranger(8);
    const auto connected = [&](client_certificates wish, const tls_options& client) {
        tls_pair pair(authority().server_tls(wish), client, "localhost", version);
        pair.connect();
        pair.client->write(wire_of("hello"));
        pair.deliver();
        return pair;
    };
    SECTION("required and shown") {
        const tls_pair pair =
            connected(client_certificates::required, authority().device_tls("lamp-7"));
        CHECK(pair.at_server.received == "hello");
        CHECK(pair.server->peer().certificate_subject == "lamp-7");
        CHECK(pair.server->peer().address == "memory");
        CHECK(pair.client->peer().certificate_subject == "localhost");
    }
    SECTION("accepted and not shown") {
        const tls_pair pair = connected(client_certificates::accepted, authority().anonymous_tls());
        CHECK(pair.at_server.received == "hello");
        CHECK(pair.server->peer().certificate_subject.empty());
    }
    SECTION("ignored and offered") {
        const tls_pair pair =
            connected(client_certificates::ignored, authority().device_tls("lamp-7"));
        CHECK(pair.at_server.received == "hello");
        CHECK(pair.server->peer().certificate_subject.empty());
    }
    SECTION("required and not shown") {
        const tls_pair pair = connected(client_certificates::required, authority().anonymous_tls());
        CHECK(pair.at_server.received.empty());
        CHECK(pair.at_server.why.message() ==
              "the client shows no certificate, and one is required");
        CHECK(pair.at_client.closed == 1);
        CHECK_THAT(pair.at_client.why.message(), StartsWith("the peer refused with the TLS alert"));
    }
    SECTION("accepted, and shown by a stranger") {
        tls_options client = stranger.device_tls("lamp-7");
        client.authorities = authority().certificate();
        const tls_pair pair = connected(client_certificates::accepted, client);
        CHECK(pair.at_server.received.empty());
        CHECK_THAT(pair.at_server.why.message(), StartsWith("certificate verify failed: "));
        CHECK(pair.at_client.closed == 1);
    }
    SECTION("required, and one that has expired") {
        tls_options client = authority().anonymous_tls();
        const auto expired = authority().device("lamp-7", certificate_validity::expired());
        client.certificate = expired.certificate;
        client.private_key = expired.private_key;
        const tls_pair pair = connected(client_certificates::required, client);
        CHECK(pair.at_server.why.message() == "certificate verify failed: certificate has expired");
        CHECK_THAT(pair.at_client.why.message(), Contains("our certificate has expired"));
    }
}

TEST_CASE("a server of TLS 1.3 only refuses a client of 1.2, and says why", "[tls]") {
    tls_options server = authority().server_tls();
    server.tls_1_2 = false;
    tls_pair pair(server, authority().anonymous_tls(), "localhost", tls_version::v1_2);
    pair.connect();
    CHECK(pair.at_server.why.message() == "the peer offers no TLS version that is allowed here");
    CHECK_THAT(pair.at_client.why.message(), Contains("it allows no TLS version that we do"));
}

TEST_CASE("a peer that does not speak TLS is told from its first bytes", "[tls]") {
    const auto outcome = [](side who, const std::string& bytes, std::size_t piece) {
        tls_pair pair = make_pair();
        pair.start();
        pair.carriers.take_sent(side::client);
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
            pair.carriers.inject(who, bytes.substr(at, piece));
        }
        const std::string answer = pair.carriers.take_sent(who);
        pair.deliver();
        const told_events& events = who == side::server ? pair.at_server : pair.at_client;
        CHECK(events.closed == 1);
        CHECK(events.received.empty());
        return events.why.message() + " | " + answer;
    };
    const std::size_t piece = GENERATE(1U, 1000U);
    const std::string http = outcome(side::server, "GET / HTTP/1.1\r\nHost: broker\r\n\r\n", piece);
    CHECK_THAT(http, StartsWith("the peer does not speak TLS (it sent an HTTP request"));
    CHECK_THAT(http,
               Contains("HTTP/1.1 400 Bad Request\r\n") &&
                   Contains("Content-Length: 34\r\n\r\nThis port speaks TLS: use https.\r\n"));
    CHECK(std::string("This port speaks TLS: use https.\r\n").size() == 34);
    CHECK_THAT(outcome(side::server, std::string("\x10\x0c\0\4MQTT\5\2\0\0\0\0", 14), piece),
               StartsWith("the peer does not speak TLS (it sent an MQTT packet"));
    CHECK_THAT(outcome(side::server, "SSH-2.0-OpenSSH_9.2", piece),
               StartsWith("the peer does not speak TLS (its first bytes are no TLS record)"));
    CHECK_THAT(outcome(side::client, "HTTP/1.1 400 Bad Request\r\n\r\n", piece),
               StartsWith("the peer does not speak TLS (it sent an HTTP"));
    CHECK_THAT(outcome(side::client, std::string("\x20\2\0\0", 4), piece),
               StartsWith("the peer does not speak TLS (it sent an MQTT packet"));
}

TEST_CASE("random bytes behind a TLS record's start end the stream, and cost little",
          "[tls][threat/hostile_bytes]") {
    const tls_context server(tls_role::server, authority().server_tls());
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        random_stream random(seed, 1, "garbage");
        carrier_pair carriers;
        boost::asio::io_context loop(1);
        auto stream =
            make_tls_server_stream(carriers.make(side::server), loop.get_executor(), server);
        told_events events;
        stream->start(events);
        std::string bytes("\x16\x03\x01\x02", 4);
        for (int i = 0; i < 2000; ++i) {
            bytes += static_cast<char>(random.below(256));
        }
        // Not even a handshake: a plausible start that never ends costs no more.
        for (std::size_t at = 0; at < bytes.size();) {
            const std::size_t count = 1 + random.below(700);
            carriers.inject(side::server, bytes.substr(at, count));
            at += count;
        }
        CAPTURE(seed);
        CHECK(carriers.closing(side::server));
        CHECK(carriers.sent(side::server).size() < 100);  // an alert
        carriers.deliver();
        CHECK(events.closed == 1);
        CHECK(events.why.category() == tls_error_category());
    }
}

TEST_CASE("a handshake that is damaged at any byte, or cut there, ends on both sides", "[tls]") {
    const auto version = GENERATE(tls_version::v1_2, tls_version::v1_3);
    tls_options server = authority().server_tls(client_certificates::required);
    const tls_contexts contexts(server, authority().device_tls("lamp-7"), version);
    const auto run = [&](side damaged, std::size_t at, bool cut) {
        tls_pair pair(contexts, "localhost");
        pair.start();
        std::size_t passed = 0;
        for (int rounds = 0; rounds < 20; ++rounds) {
            for (const side from : {side::client, side::server}) {
                const side to = from == side::client ? side::server : side::client;
                std::string bytes = pair.carriers.take_sent(from);
                if (from == damaged && at >= passed && at < passed + bytes.size()) {
                    if (cut) {
                        pair.carriers.inject(to, bytes.substr(0, at - passed));
                        pair.carriers.cut(to, boost::asio::error::eof);
                        return true;
                    }
                    bytes[at - passed] = static_cast<char>(bytes[at - passed] ^ 0x55);
                }
                passed += from == damaged ? bytes.size() : 0;
                if (!bytes.empty()) {
                    pair.carriers.inject(to, bytes);
                }
            }
        }
        pair.deliver();
        const bool ended = pair.at_client.closed == 1 && pair.at_server.closed == 1;
        // A length that grew makes the reader wait for more: that is what deadlines are for.
        return ended || pair.at_client.closed == 0;
    };
    for (const side damaged : {side::client, side::server}) {
        for (std::size_t at = 0; at < 2200; at += 13) {
            CAPTURE(damaged == side::client, at);
            CHECK(run(damaged, at, false));
            CHECK(run(damaged, at, true));
        }
    }
}

TEST_CASE("a connection cut in the handshake says so", "[tls]") {
    tls_pair pair = make_pair();
    pair.start();
    pair.carriers.cut(side::client, boost::asio::error::eof);
    CHECK(pair.at_client.why.message() ==
          "the peer closed the connection during the TLS handshake");
}

TEST_CASE("closing during the handshake gives it up where nothing was written", "[tls]") {
    tls_pair pair = make_pair();
    pair.start();
    pair.client->close();
    pair.deliver();
    CHECK(pair.at_client.closed == 1);
    CHECK_FALSE(pair.at_client.why);
    CHECK(pair.at_server.closed == 1);
}

TEST_CASE("what was written before the handshake goes out before the TLS stream closes", "[tls]") {
    const auto version = GENERATE(tls_version::v1_2, tls_version::v1_3);
    tls_pair pair = make_pair(version);
    pair.start();
    pair.client->write(wire_of("last words"));
    pair.client->pause_reading();
    pair.client->close();
    pair.client->write(wire_of("too late"));
    pair.server->write(wire_of("not wanted any more"));
    CHECK(pair.client->backlog() == 10);
    pair.deliver();
    CHECK(pair.at_server.received == "last words");
    CHECK(pair.at_server.why == boost::asio::error::eof);
    CHECK(pair.at_client.closed == 1);
    CHECK_FALSE(pair.at_client.why);
    CHECK(pair.at_client.received.empty());
}

TEST_CASE("a peer that does not finish the handshake does not hold up the end of a TLS stream",
          "[tls]") {
    tls_pair pair = make_pair();
    pair.client->start(pair.at_client);
    pair.client->write(wire_of("last words"));
    pair.client->close();
    CHECK(run_until(pair.context(), [&] { return pair.at_client.closed != 0; }));
    CHECK(pair.at_client.why == boost::asio::error::timed_out);
    CHECK(pair.client->backlog() == 0);
}

TEST_CASE("records that are larger than TLS allows end the stream", "[tls]") {
    tls_pair pair = make_pair();
    pair.connect();
    pair.carriers.inject(side::server, std::string("\x17\x03\x03\xff\xff", 5) + long_text(70'000));
    pair.deliver();
    CHECK(pair.at_server.closed == 1);
    CHECK(pair.at_server.received.empty());
    CHECK_THAT(pair.at_server.why.message(), StartsWith("TLS: "));
    CHECK(pair.at_client.closed == 1);
}
