// What every byte_stream that is a connection of its own promises, over each carrier, with an end
// on each of two threads.

#include "support/case_share.hpp"
#include "support/net_pair.hpp"

#include <fleetarium/core/random.hpp>

#include <boost/asio/error.hpp>
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>

using namespace fleetarium;
using namespace fleetarium::test;

namespace {

namespace error = boost::asio::error;

carrier noted(carrier over) {
    UNSCOPED_INFO("over " << name_of(over));
    return over;
}

/// Those on which both ends can write without having heard of the other.
carrier each_carrier_without_handshake() {
    return noted(
        GENERATE(carrier::tcp, carrier::unix_socket, carrier::tcp_one_at_a_time, carrier::pipe));
}

carrier each_carrier() {
    return noted(GENERATE(carrier::tcp, carrier::unix_socket, carrier::tcp_one_at_a_time,
                          carrier::pipe, carrier::tls, carrier::websocket, carrier::websocket_tls));
}

/// Text in which no two places look alike.
std::string long_text(std::size_t size) {
    std::string text;
    text.reserve(size + 24);
    for (std::size_t i = 0; text.size() < size; ++i) {
        text += std::to_string(i * 7919);
        text += ' ';
    }
    text.resize(size);
    return text;
}

/// Where two long texts differ; empty if they do not.
std::string difference(const std::string& got, const std::string& expected) {
    if (got == expected) {
        return {};
    }
    const auto at = std::mismatch(got.begin(), got.end(), expected.begin(), expected.end()).first;
    return "got " + std::to_string(got.size()) + " bytes instead of " +
           std::to_string(expected.size()) + ", from byte " + std::to_string(at - got.begin()) +
           " on others";
}

constexpr std::size_t megabyte = 1'000'000;

/// Writes until the transport takes no more; returns what was written.
std::string fill(net_end& writer, std::size_t backlog_wish) {
    const std::string piece = long_text(65'536);
    std::string written;
    while (writer.backlog() < backlog_wish) {
        writer.write(piece);
        written += piece;
    }
    return written;
}

void check_order_of_events(net_pair& pair) {
    CHECK(pair.first.events().out_of_place_count() == 0);
    CHECK(pair.second.events().out_of_place_count() == 0);
}

}  // namespace

TEST_CASE("bytes written in any pieces arrive whole and in order, both ways at once",
          "[byte_stream]") {
    net_pair pair(each_carrier());
    pair.start();
    random_stream draws(1, 0, "pieces");
    const std::string one = long_text(share_of(5 * megabyte));
    std::string other = long_text(share_of(5 * megabyte));
    std::reverse(other.begin(), other.end());
    for (std::size_t i = 0, j = 0; i < one.size() || j < other.size();) {
        const std::size_t a = 1 + draws.below(draws.below(8) == 0 ? 200'000 : 100);
        const std::size_t b = 1 + draws.below(draws.below(8) == 0 ? 200'000 : 100);
        pair.first.write(std::string_view(one).substr(std::min(i, one.size()), a));
        pair.second.write(std::string_view(other).substr(std::min(j, other.size()), b));
        i += a;
        j += b;
    }
    REQUIRE(pair.second.events().wait_for_bytes(one.size()));
    REQUIRE(pair.first.events().wait_for_bytes(other.size()));
    CHECK(difference(pair.second.events().all_bytes(), one) == "");
    CHECK(difference(pair.first.events().all_bytes(), other) == "");
    check_order_of_events(pair);
}

TEST_CASE("a buffer of many parts and shared payloads arrives as one text", "[byte_stream]") {
    net_pair pair(each_carrier());
    pair.start();
    const shared_bytes shared(as_bytes_view(long_text(2'000)));
    std::string all;
    wire_buffer buffer;
    for (int i = 0; i < 2'000; ++i) {
        const std::string text = std::to_string(i) + ":";
        buffer.append(buffer_of(text));
        buffer.append_shared(shared);
        all += text;
        all += as_text(shared.view());
    }
    pair.first.call([&](net::byte_stream& stream) { stream.write(std::move(buffer)); });
    REQUIRE(pair.second.events().wait_for_bytes(all.size()));
    CHECK(difference(pair.second.events().all_bytes(), all) == "");
}

TEST_CASE("what is written before start goes out, and what has come is told after",
          "[byte_stream]") {
    net_pair pair(each_carrier_without_handshake());
    pair.first.write("early");
    pair.second.start();
    REQUIRE(pair.second.events().wait_for_bytes(5));
    pair.second.write("answer");
    pair.first.start();
    REQUIRE(pair.first.events().wait_for_bytes(6));
    CHECK(pair.first.events().all_bytes() == "answer");
    check_order_of_events(pair);
}

TEST_CASE("a reader that pauses slows the writer down: its backlog grows until the reader resumes",
          "[byte_stream]") {
    net_pair pair(each_carrier());
    pair.second.pause();
    pair.start();
    const std::string written = fill(pair.first, megabyte);
    CHECK(pair.second.events().all_bytes().empty());
    CHECK(pair.first.events().drained_count() == 0);

    pair.second.resume();
    REQUIRE(pair.first.events().wait_for_drained());
    CHECK(pair.first.backlog() == 0);
    REQUIRE(pair.second.events().wait_for_bytes(written.size()));
    CHECK(difference(pair.second.events().all_bytes(), written) == "");
    CHECK(pair.first.events().drained_count() == 1);
    check_order_of_events(pair);
}

TEST_CASE("a pause takes effect at once, also from inside on_bytes, and may be short",
          "[byte_stream]") {
    net_pair pair(each_carrier());
    const std::string text = long_text(3 * megabyte);
    std::size_t told = 0;
    bool paused = false;
    bool told_while_paused = false;
    net_end& reader = pair.second;
    net::byte_stream* stream = nullptr;
    reader.call([&](net::byte_stream& itself) { stream = &itself; });
    reader.events().when_bytes = [&](bytes_view) {
        told_while_paused |= paused;
        stream->pause_reading();
        paused = true;
        if (++told % 2 == 0) {  // every other time only for a moment
            stream->resume_reading();
            paused = false;
        }
    };
    pair.start();
    pair.first.write(text);
    for (std::size_t seen = 0; seen < text.size(); seen = reader.events().all_bytes().size()) {
        reader.call([&](net::byte_stream& itself) {
            paused = false;
            itself.resume_reading();
        });
        REQUIRE(reader.events().wait_for_bytes(seen + 1));
    }
    CHECK(difference(reader.events().all_bytes(), text) == "");
    CHECK_FALSE(told_while_paused);
    check_order_of_events(pair);
}

TEST_CASE("on_drained may write again, and is told again", "[byte_stream]") {
    net_pair pair(each_carrier());
    net::byte_stream* stream = nullptr;
    pair.first.call([&](net::byte_stream& itself) { stream = &itself; });
    const std::string large = long_text(8 * megabyte);
    const std::string more = large.substr(0, share_of(8 * megabyte));
    int rounds = 0;
    pair.first.events().when_drained = [&] {
        // What a fast reader takes at once leaves no backlog, and nothing to be told.
        while (++rounds < 3) {
            stream->write(buffer_of(more));
            if (stream->backlog() != 0) {
                return;
            }
        }
    };
    pair.second.pause();
    pair.start();
    pair.first.write(large);
    REQUIRE(pair.first.backlog() != 0);
    pair.second.resume();
    REQUIRE(pair.second.events().wait_for_bytes(large.size() + 2 * more.size()));
    CHECK(difference(pair.second.events().all_bytes(), large + more + more) == "");
    CHECK(pair.first.call([&](net::byte_stream&) { return rounds; }) >= 1);
    check_order_of_events(pair);
}

TEST_CASE("close writes the rest first, and both ends are told", "[byte_stream]") {
    net_pair pair(each_carrier());
    pair.second.pause();
    pair.start();
    const std::string written = fill(pair.first, megabyte);
    pair.first.close();
    pair.first.write("too late");
    pair.first.close();
    pair.second.resume();
    REQUIRE(pair.second.events().wait_for_closed());
    CHECK(difference(pair.second.events().all_bytes(), written) == "");
    CHECK(pair.second.events().why_closed() == error::eof);
    REQUIRE(pair.first.events().wait_for_closed());
    CHECK(pair.first.events().why_closed() == boost::system::error_code());
    CHECK(pair.first.backlog() == 0);
    check_order_of_events(pair);
}

TEST_CASE("both ends may close at once", "[byte_stream]") {
    net_pair pair(each_carrier());
    pair.start();
    pair.first.write("farewell");
    pair.first.close();
    pair.second.close();
    REQUIRE(pair.first.events().wait_for_closed());
    REQUIRE(pair.second.events().wait_for_closed());
    CHECK(pair.first.events().why_closed() == boost::system::error_code());
    check_order_of_events(pair);
}

TEST_CASE("what a peer sent before it closed waits for a reader that pauses", "[byte_stream]") {
    net_pair pair(each_carrier());
    pair.second.pause();
    pair.start();
    pair.first.write("last words");
    pair.first.close();
    pair.first.settle();
    pair.second.settle();
    CHECK(pair.second.events().all_bytes().empty());
    pair.second.resume();
    REQUIRE(pair.second.events().wait_for_closed());
    CHECK(pair.second.events().all_bytes() == "last words");
    CHECK(pair.second.events().why_closed() == error::eof);
}

TEST_CASE("after abort nothing is told, and the peer learns of the end", "[byte_stream]") {
    net_pair pair(each_carrier());
    pair.start();
    pair.first.write("one");
    REQUIRE(pair.second.events().wait_for_bytes(3));
    pair.first.abort();
    pair.first.abort();
    pair.first.write("two");
    pair.second.write("to nobody");
    REQUIRE(pair.second.events().wait_for_closed());
    CHECK(pair.second.events().why_closed().failed());
    pair.first.settle();
    CHECK(pair.first.events().all_bytes().empty());
    CHECK_FALSE(pair.first.events().closed().has_value());
    check_order_of_events(pair);
}

TEST_CASE("a stream may be aborted from inside on_bytes", "[byte_stream]") {
    net_pair pair(each_carrier());
    net::byte_stream* stream = nullptr;
    pair.second.call([&](net::byte_stream& itself) { stream = &itself; });
    std::size_t told = 0;
    pair.second.events().when_bytes = [&](bytes_view) {
        ++told;
        stream->abort();
    };
    pair.start();
    pair.first.write(long_text(3 * megabyte));
    REQUIRE(pair.second.events().wait_for_bytes(1));
    REQUIRE(pair.first.events().wait_for_closed());
    pair.second.settle();
    CHECK(told == 1);
    CHECK_FALSE(pair.second.events().closed().has_value());
}

TEST_CASE("a stream may be closed from inside on_bytes; no more bytes are told", "[byte_stream]") {
    net_pair pair(each_carrier());
    net::byte_stream* stream = nullptr;
    pair.second.call([&](net::byte_stream& itself) { stream = &itself; });
    std::size_t told = 0;
    pair.second.events().when_bytes = [&](bytes_view) {
        ++told;
        stream->write(buffer_of("enough"));
        stream->close();
    };
    pair.start();
    pair.first.write(long_text(3 * megabyte));
    REQUIRE(pair.first.events().wait_for_closed());
    REQUIRE(pair.second.events().wait_for_closed());
    CHECK(told == 1);
    CHECK(pair.first.events().all_bytes() == "enough");
    check_order_of_events(pair);
}

TEST_CASE("a stream may be destroyed from inside on_closed", "[byte_stream]") {
    net_pair pair(each_carrier());
    net_end& end = pair.second;
    std::unique_ptr<net::byte_stream> stream;
    end.events().when_closed = [&](boost::system::error_code) { stream.reset(); };
    end.call([&](net::byte_stream&) {});
    pair.start();
    // The end gives its stream away, so that the event can destroy it.
    stream = end.take();
    pair.first.write("bye");
    pair.first.close();
    REQUIRE(end.events().wait_for_closed());
    CHECK(end.events().all_bytes() == "bye");
    end.settle();
    CHECK(stream == nullptr);
    REQUIRE(pair.first.events().wait_for_closed());
}

TEST_CASE("a writer whose peer has gone is told so, even while it reads nothing", "[byte_stream]") {
    net_pair pair(each_carrier());
    pair.second.pause();
    pair.start();
    pair.first.pause();
    fill(pair.first, megabyte);
    pair.second.destroy();
    REQUIRE(pair.first.events().wait_for_closed());
    CHECK(pair.first.events().why_closed().failed());
    CHECK(pair.first.backlog() == 0);
    check_order_of_events(pair);
}

TEST_CASE("a write that meets a closed peer tells what the peer had sent, then the end",
          "[byte_stream]") {
    net_pair pair(each_carrier_without_handshake());
    pair.second.start();
    pair.second.write("a reason");
    pair.second.destroy();
    pair.first.call([&](net::byte_stream& stream) {
        stream.start(pair.first.events());
        for (int i = 0; i < 100; ++i) {
            stream.write(buffer_of("a request"));
        }
    });
    REQUIRE(pair.first.events().wait_for_closed());
    CHECK(pair.first.events().all_bytes() == "a reason");
    CHECK(pair.first.events().why_closed().failed());
    check_order_of_events(pair);
}
