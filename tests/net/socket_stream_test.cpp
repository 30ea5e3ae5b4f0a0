// What sockets do beyond byte_stream's promises: many in one io_context, batches of events, and
// what the operating system has to say.

#include <fleetarium/core/block_pool.hpp>

#include "support/net_pair.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::test;

namespace {

namespace asio = boost::asio;
using stream_ptr = std::unique_ptr<net::byte_stream>;

/// A stream in the io_context under test, and the bare socket of its peer.
struct half_pair {
    half_pair(asio::io_context& context, carrier over) {
        auto [one, other] = connected_sockets(over);
        stream = stream_of(context, std::move(one));
        peer = std::move(other);
    }

    void send(std::string_view text) const {
        REQUIRE(::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(text.size()));
    }

    stream_ptr stream;
    net::socket_handle peer;
    net_recorder events;
};

/// An io_context, with the poller that the carrier asks for.
std::unique_ptr<asio::io_context> context_for(carrier over) {
    auto made = std::make_unique<asio::io_context>(1);
    if (over == carrier::tcp_one_at_a_time) {
        asio::use_service<net::portable_poller>(*made);
    }
    return made;
}

carrier each_poller() {
    const carrier over = GENERATE(carrier::tcp, carrier::tcp_one_at_a_time);
    UNSCOPED_INFO("over " << name_of(over));
    return over;
}

}  // namespace

TEST_CASE("a thousand streams of one io_context answer, each its own peer", "[socket_stream]") {
    const carrier over = each_poller();
    const auto context = context_for(over);
    constexpr int count = 1'000;
    std::vector<std::unique_ptr<half_pair>> all;
    for (int i = 0; i < count; ++i) {
        all.push_back(std::make_unique<half_pair>(*context, over));
        half_pair& each = *all.back();
        each.events.when_bytes = [&each](bytes_view bytes) {
            each.stream->write(buffer_of("echo " + std::string(as_text(bytes))));
        };
        each.stream->start(each.events);
    }
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < count; ++i) {
            all[static_cast<std::size_t>(i)]->send(std::to_string(i));
        }
        std::size_t answered = 0;
        REQUIRE(run_until(*context, [&] {
            answered = 0;
            for (int i = 0; i < count; ++i) {
                const std::string expected = std::to_string(i);
                answered += all[static_cast<std::size_t>(i)]->events.bytes().size() ==
                                    expected.size() * static_cast<std::size_t>(round + 1)
                                ? 1
                                : 0;
            }
            return answered == count;
        }));
        for (int i = 0; i < count; ++i) {
            const std::string expected = "echo " + std::to_string(i);
            char got[64]{};
            const ssize_t size =
                ::recv(all[static_cast<std::size_t>(i)]->peer.get(), got, sizeof got, 0);
            REQUIRE(std::string_view(got, static_cast<std::size_t>(size)) == expected);
        }
    }
}

TEST_CASE("streams destroyed or aborted by an event of another in the same batch tell nothing",
          "[socket_stream]") {
    const carrier over = each_poller();
    const bool destroys = GENERATE(true, false);
    const auto context = context_for(over);
    std::vector<std::unique_ptr<half_pair>> all;
    int told = 0;
    for (int i = 0; i < 50; ++i) {
        all.push_back(std::make_unique<half_pair>(*context, over));
        half_pair& each = *all.back();
        each.events.when_bytes = [&](bytes_view) {
            ++told;
            for (auto& other : all) {
                if (other.get() != &each) {
                    if (destroys) {
                        other->stream.reset();
                    } else {
                        other->stream->abort();
                    }
                }
            }
        };
        each.stream->start(each.events);
        each.send("ready");
    }
    REQUIRE(run_until(*context, [&] { return told != 0; }));
    context->poll();
    CHECK(told == 1);
}

TEST_CASE("a stream made in an event, where another was just destroyed, gets its own events only",
          "[socket_stream]") {
    const carrier over = each_poller();
    const auto context = context_for(over);
    std::vector<std::unique_ptr<half_pair>> old;
    std::vector<std::unique_ptr<half_pair>> fresh;
    std::size_t told_to_old = 0;
    std::size_t told_to_fresh = 0;
    for (int i = 0; i < 20; ++i) {
        old.push_back(std::make_unique<half_pair>(*context, over));
        old.back()->events.when_bytes = [&](bytes_view) {
            ++told_to_old;
            if (!fresh.empty()) {
                return;
            }
            for (auto& each : old) {  // whoever is told first; itself stays
                if (each->events.bytes().empty() && told_to_old == 1 && each != old.front()) {
                    each->stream.reset();
                    fresh.push_back(std::make_unique<half_pair>(*context, over));
                    fresh.back()->events.when_bytes = [&](bytes_view) { ++told_to_fresh; };
                    fresh.back()->stream->start(fresh.back()->events);
                }
            }
        };
        old.back()->stream->start(old.back()->events);
    }
    old.front()->send("first");
    REQUIRE(run_until(*context, [&] { return told_to_old == 1; }));
    REQUIRE(fresh.size() == 19);
    context->poll();
    CHECK(told_to_fresh == 0);
    fresh.front()->send("hello");
    REQUIRE(run_until(*context, [&] { return told_to_fresh == 1; }));
    CHECK(told_to_old == 1);
}

TEST_CASE("run returns when the last stream has ended", "[socket_stream]") {
    const carrier over = each_poller();
    const auto context = context_for(over);
    half_pair one(*context, over);
    half_pair other(*context, over);
    half_pair never_started(*context, over);
    one.stream->start(one.events);
    other.stream->start(other.events);
    one.send("bye");
    one.peer = net::socket_handle();
    other.events.when_bytes = [&](bytes_view) { other.stream->close(); };
    other.send("please close");
    one.events.when_closed = [&](boost::system::error_code) { other.peer = net::socket_handle(); };
    context->run();  // a hang is the failure
    CHECK(one.events.bytes() == "bye");
    CHECK(one.events.closed().value() == asio::error::eof);
    REQUIRE(other.events.closed().has_value());

    // And it runs again for those that come later.
    half_pair late(*context, over);
    late.stream->start(late.events);
    late.send("late");
    late.peer = net::socket_handle();
    context->restart();
    context->run();
    CHECK(late.events.bytes() == "late");
}

TEST_CASE("a peer that takes nothing after close is cut off after a while", "[socket_stream]") {
    const carrier over = each_poller();
    const auto context = context_for(over);
    half_pair flushed(*context, over);
    half_pair stuck(*context, over);
    flushed.stream->start(flushed.events);
    flushed.stream->close();  // and its peer never closes
    stuck.stream->start(stuck.events);
    while (stuck.stream->backlog() == 0) {
        stuck.stream->write(buffer_of(std::string(100'000, 'x')));
    }
    stuck.stream->close();
    const instant before = net::real_now();
    context->run();
    CHECK(net::real_now() - before >= net::close_timeout);
    CHECK(net::real_now() - before < net::close_timeout + std::chrono::seconds(20));
    CHECK(flushed.events.closed().value() == asio::error::timed_out);
    CHECK(stuck.events.closed().value() == asio::error::timed_out);
}

TEST_CASE("memory that a burst has left is given back while there are streams, and when none is",
          "[socket_stream]") {
    const carrier over = each_poller();
    const auto context = context_for(over);
    half_pair one(*context, over);
    one.stream->start(one.events);
    constexpr std::size_t block = 1024;
    std::vector<void*> burst(1024);
    std::generate(burst.begin(), burst.end(), [] { return block_pool::allocate(block); });
    std::for_each(burst.begin(), burst.end(),
                  [](void* each) { block_pool::deallocate(each, block); });
    REQUIRE(block_pool::depot_bytes() != 0);
    one.send("and some traffic");
    REQUIRE(run_until(*context, [] { return block_pool::depot_bytes() == 0; }));
    CHECK(block_pool::free_bytes() != 0);
    one.stream->abort();
    CHECK(block_pool::free_bytes() == 0);
}

TEST_CASE("a stream hung up does not wait for its peer, which gets all that was written",
          "[socket_stream]") {
    const carrier over = each_poller();
    const auto context = context_for(over);
    half_pair left(*context, over);
    left.stream->start(left.events);
    left.stream->write(buffer_of("the last word"));
    left.stream->hang_up();
    CHECK_FALSE(left.events.closed());  // never told from inside a call
    const instant before = net::real_now();
    context->run();
    CHECK(net::real_now() - before < net::close_timeout);
    CHECK(left.events.closed() == boost::system::error_code());
    std::array<char, 64> got;
    const auto size = ::recv(left.peer.get(), got.data(), got.size(), 0);
    CHECK(std::string(got.data(), static_cast<std::size_t>(size)) == "the last word");
    CHECK(::recv(left.peer.get(), got.data(), got.size(), 0) == 0);
}

TEST_CASE("a stream hung up with a backlog writes it all first", "[socket_stream]") {
    const carrier over = each_poller();
    const auto context = context_for(over);
    half_pair left(*context, over);
    left.stream->start(left.events);
    std::size_t written = 0;
    while (left.stream->backlog() == 0) {
        left.stream->write(buffer_of(std::string(100'000, 'x')));
        written += 100'000;
    }
    left.stream->hang_up();
    std::size_t got = 0;
    std::vector<char> memory(100'000);
    bool ended = false;
    REQUIRE(run_until(*context, [&] {
        const auto size = ::recv(left.peer.get(), memory.data(), memory.size(), MSG_DONTWAIT);
        got += size > 0 ? static_cast<std::size_t>(size) : 0;
        ended = ended || size == 0;
        return ended;
    }));
    CHECK(got == written);
}

TEST_CASE("a call at the turn's end comes behind all that was ready, and once", "[socket_stream]") {
    asio::io_context context(1);
    half_pair one(context, carrier::tcp);
    half_pair other(context, carrier::tcp);
    std::string order;
    const auto notes = [&](half_pair& at, char name) {
        at.events.when_bytes = [&, name](bytes_view) {
            order += name;
            net::socket_poller::of(context).call_at_turn_end([&] { order += '.'; });
        };
        at.stream->start(at.events);
        at.send("go");
    };
    notes(one, 'x');
    notes(other, 'x');
    REQUIRE(run_until(context, [&] { return order.size() >= 4; }));
    CHECK(order == "xx..");

    net::socket_poller::of(context).call_at_turn_end([&] { order += '!'; });
    CHECK(order == "xx..");  // without a turn it is a turn of its own
    REQUIRE(run_until(context, [&] { return order.back() == '!'; }));
}

TEST_CASE("a peer that floods does not starve the others", "[socket_stream]") {
    const carrier over = each_poller();
    const auto context = context_for(over);
    half_pair flooder(*context, over);
    half_pair quiet(*context, over);
    std::size_t flooded = 0;
    std::optional<std::size_t> flooded_before_quiet;
    flooder.events.when_bytes = [&](bytes_view bytes) {
        flooded += bytes.size();
        static const std::string more(1'000'000, 'x');  // it never runs dry
        ::send(flooder.peer.get(), more.data(), more.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    };
    quiet.events.when_bytes = [&](bytes_view) { flooded_before_quiet = flooded; };
    flooder.stream->start(flooder.events);
    quiet.stream->start(quiet.events);
    flooder.send("go");
    quiet.send("me too");
    REQUIRE(run_until(*context, [&] { return flooded_before_quiet.has_value(); }));
    CHECK(*flooded_before_quiet < 4'000'000);
}

TEST_CASE("events may run other handlers, which read into memory of their own", "[socket_stream]") {
    asio::io_context outer(1);
    asio::io_context inner(1);
    half_pair one(outer, carrier::tcp);
    half_pair other(inner, carrier::tcp);
    std::string still_there;
    one.events.when_bytes = [&](bytes_view bytes) {
        inner.run_one();
        still_there = as_text(bytes);
    };
    one.stream->start(one.events);
    other.stream->start(other.events);
    other.send("from the inner context");
    one.send("from the outer context");
    REQUIRE(run_until(outer, [&] { return !still_there.empty(); }));
    CHECK(still_there == "from the outer context");
    CHECK(other.events.bytes() == "from the inner context");
}

TEST_CASE("an event that throws leaves the other streams in order", "[socket_stream]") {
    const carrier over = each_poller();
    const auto context = context_for(over);
    half_pair one(*context, over);
    half_pair other(*context, over);
    int throws = 0;
    one.events.when_bytes = [&](bytes_view) {
        if (++throws == 1) {
            throw std::runtime_error("no");
        }
    };
    one.stream->start(one.events);
    other.stream->start(other.events);
    one.send("1");
    CHECK_THROWS_AS(run_until(*context, [] { return false; }), std::runtime_error);
    one.send("2");
    other.send("3");
    REQUIRE(run_until(*context,
                      [&] { return other.events.bytes() == "3" && one.events.bytes() == "2"; }));
}

TEST_CASE("a turn that an exception ends keeps its promises", "[socket_stream]") {
    asio::io_context context(1);
    half_pair one(context, carrier::tcp);
    bool called = false;
    one.events.when_bytes = [&](bytes_view) {
        net::socket_poller::of(context).call_at_turn_end([&] { called = true; });
        throw std::runtime_error("no");
    };
    one.stream->start(one.events);
    one.send("1");
    CHECK_THROWS_AS(run_until(context, [&] { return called; }), std::runtime_error);
    CHECK(run_until(context, [&] { return called; }));
}

TEST_CASE("streams outlived by nothing but their io_context's queue end with it",
          "[socket_stream]") {
    auto context = context_for(each_poller());
    auto pair = std::make_shared<half_pair>(*context, carrier::tcp);
    pair->stream->start(pair->events);
    asio::post(*context, [pair] {});
    pair.reset();
    context.reset();  // destroys the handler, and with it the stream; ASan watches
}

TEST_CASE("a reset by the peer is an error", "[socket_stream]") {
    const carrier over = each_poller();
    const auto context = context_for(over);
    const bool paused = GENERATE(false, true);
    half_pair pair(*context, over);
    if (paused) {
        pair.stream->pause_reading();
    }
    pair.stream->start(pair.events);
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    REQUIRE(::setsockopt(pair.peer.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    pair.peer = net::socket_handle();
    if (over == carrier::tcp_one_at_a_time && paused) {
        context->poll();
        pair.stream->resume_reading();  // such a poller watches for nothing during a pause
    }
    REQUIRE(run_until(*context, [&] { return pair.events.closed().has_value(); }));
    CHECK(*pair.events.closed() == asio::error::connection_reset);
}

TEST_CASE("a socket of Asio's becomes a stream that knows its peer", "[socket_stream]") {
    asio::io_context context(1);
    asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
    asio::ip::tcp::socket client(context);
    client.connect(acceptor.local_endpoint());
    const auto address = "127.0.0.1:" + std::to_string(client.local_endpoint().port());
    asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type> accepted(context);
    acceptor.accept(accepted);
    const auto stream = net::make_socket_stream(net::stream_socket(std::move(accepted)));
    CHECK(stream->peer().address == address);
    net_recorder events;
    stream->start(events);
    asio::write(client, asio::buffer("hi", 2));
    REQUIRE(run_until(context, [&] { return events.bytes() == "hi"; }));
    client.close();
    REQUIRE(run_until(context, [&] { return events.closed().has_value(); }));
    CHECK(stream->peer().address == address);
    CHECK(stream->peer().certificate_subject.empty());
}

TEST_CASE("the peer of a Unix socket has no address, an IPv6 one stands in brackets",
          "[socket_stream]") {
    asio::io_context context(1);
    const auto peer_of = [&](const asio::generic::stream_protocol::endpoint& endpoint) {
        auto [one, other] = connected_sockets(carrier::unix_socket);
        return net::make_socket_stream(context, std::move(one), endpoint)->peer().address;
    };
    using asio::ip::tcp;
    CHECK(peer_of({}) == "unix");
    CHECK(peer_of(asio::local::stream_protocol::endpoint("/tmp/x")) == "unix");
    CHECK(peer_of(tcp::endpoint(asio::ip::make_address("10.1.2.3"), 65'535)) == "10.1.2.3:65535");
    CHECK(peer_of(tcp::endpoint(asio::ip::make_address("::1"), 1)) == "[::1]:1");
    CHECK(peer_of(tcp::endpoint(asio::ip::make_address("::ffff:10.1.2.3"), 1)) == "10.1.2.3:1");
}
