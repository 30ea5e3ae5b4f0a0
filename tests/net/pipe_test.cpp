// What pipes do beyond byte_stream's promises.

#include "support/net_pair.hpp"

#include <boost/asio/error.hpp>
#include <catch2/catch.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::test;

namespace {

namespace asio = boost::asio;

constexpr std::size_t transport_bytes = std::size_t{256} * 1024;  // as pipe.hpp says

/// Both ends in one io_context, which the test runs by hand.
struct local_pipe {
    local_pipe() {
        auto ends = net::make_pipe(context.get_executor(), context.get_executor());
        first = std::move(ends.first);
        second = std::move(ends.second);
    }

    void start() {
        first->start(to_first);
        second->start(to_second);
        context.poll();
    }

    asio::io_context context{1};
    net_recorder to_first;
    net_recorder to_second;
    std::unique_ptr<net::byte_stream> first;
    std::unique_ptr<net::byte_stream> second;
};

}  // namespace

TEST_CASE("a burst of writes wakes the reader once", "[pipe]") {
    local_pipe pipe;
    pipe.start();
    for (int i = 0; i < 1'000; ++i) {
        pipe.first->write(buffer_of("message"));
    }
    CHECK(pipe.context.poll() == 1);
    CHECK(pipe.to_second.bytes().size() == 7'000);
}

TEST_CASE("the reader is told the writer's memory, not a copy", "[pipe]") {
    local_pipe pipe;
    const shared_bytes payload(as_bytes_view("payload"));
    const void* told = nullptr;
    pipe.to_second.when_bytes = [&](bytes_view bytes) { told = bytes.data(); };
    pipe.start();
    wire_buffer buffer;
    buffer.append_shared(payload);
    pipe.first->write(std::move(buffer));
    pipe.context.poll();
    CHECK(told == payload.view().data());
}

TEST_CASE("a backlog begins beyond what a transport holds", "[pipe]") {
    local_pipe pipe;
    pipe.second->pause_reading();
    pipe.start();
    pipe.first->write(buffer_of(std::string(transport_bytes, 'x')));
    CHECK(pipe.first->backlog() == 0);
    pipe.first->write(buffer_of("more"));
    CHECK(pipe.first->backlog() == 4);
    pipe.context.poll();
    CHECK(pipe.to_first.drained() == 0);
    pipe.second->resume_reading();
    pipe.context.poll();
    CHECK(pipe.first->backlog() == 0);
    CHECK(pipe.to_first.drained() == 1);
    CHECK(pipe.to_second.bytes().size() == transport_bytes + 4);
}

TEST_CASE("a pause between the parts of one buffer keeps the rest in order", "[pipe]") {
    local_pipe pipe;
    pipe.to_second.when_bytes = [&](bytes_view) { pipe.second->pause_reading(); };
    pipe.start();
    wire_buffer buffer = buffer_of("head");
    buffer.append_shared(shared_bytes(as_bytes_view("tail")));
    buffer.append(buffer_of("next"));
    pipe.first->write(std::move(buffer));
    for (const char* expected : {"head", "headtail", "headtailnext", "headtailnextlast"}) {
        pipe.context.poll();
        CHECK(pipe.to_second.bytes() == expected);
        pipe.first->write(buffer_of(std::string_view(expected).ends_with("next") ? "last" : ""));
        pipe.second->resume_reading();
    }
}

TEST_CASE("a writer that floods shares the reader's thread with others", "[pipe]") {
    local_pipe pipe;
    pipe.start();
    bool others_ran = false;
    std::size_t told_before_others = 0;
    pipe.to_second.when_bytes = [&](bytes_view bytes) {
        told_before_others += others_ran ? 0 : bytes.size();
    };
    for (int i = 0; i < 1'000; ++i) {
        pipe.first->write(buffer_of(std::string(10'000, 'x')));
    }
    asio::post(pipe.context, [&] { others_ran = true; });
    pipe.context.poll();
    CHECK(told_before_others < 1'000'000);
    CHECK(pipe.to_second.bytes().size() == 10'000'000);
}

TEST_CASE("run returns when both ends have ended, and not before", "[pipe]") {
    local_pipe pipe;
    pipe.to_second.when_bytes = [&](bytes_view) { pipe.second->close(); };
    pipe.first->start(pipe.to_first);
    pipe.second->start(pipe.to_second);
    std::thread running([&] { pipe.context.run(); });
    asio::post(pipe.context, [&] { pipe.first->write(buffer_of("please close")); });
    CHECK(pipe.to_first.wait_for_closed());
    running.join();  // a hang is the failure
    CHECK(pipe.to_first.why_closed() == asio::error::eof);
    CHECK(pipe.to_second.why_closed() == boost::system::error_code());
}

TEST_CASE("an end tells that it is an end of a pipe", "[pipe]") {
    local_pipe pipe;
    CHECK(pipe.first->peer().address == "pipe");
}

TEST_CASE("an end may go with its io_context while the other writes", "[pipe]") {
    net_thread writing;
    for (int round = 0; round < 200; ++round) {
        auto context = std::make_unique<asio::io_context>(1);
        auto ends = net::make_pipe(writing.context().get_executor(), context->get_executor());
        net_recorder to_writer;
        net_recorder to_reader;
        ends.second->start(to_reader);
        std::atomic<bool> wrote = false;
        asio::post(writing.context(), [&] {
            ends.first->start(to_writer);
            for (int i = 0; i < 50; ++i) {
                ends.first->write(buffer_of("to whom it may concern"));
                wrote = true;
            }
        });
        while (!wrote) {
            context->poll();
        }
        ends.second.reset();
        context.reset();
        CHECK(to_writer.wait_for_closed());
        writing.call([&] { ends.first.reset(); });
    }
}

TEST_CASE("a thousand pipes between two threads each carry their own bytes", "[pipe]") {
    net_thread left;
    net_thread right;
    struct echo {
        net_recorder to_left;
        net_recorder to_right;
        net::pipe_ends ends;
    };
    std::vector<std::unique_ptr<echo>> all;
    for (int i = 0; i < 1'000; ++i) {
        auto each = std::make_unique<echo>();
        each->ends = net::make_pipe(left.context().get_executor(), right.context().get_executor());
        each->to_right.when_bytes = [at = each.get()](bytes_view bytes) {
            at->ends.second->write(buffer_of(as_text(bytes)));
        };
        all.push_back(std::move(each));
    }
    right.call([&] {
        for (const auto& each : all) {
            each->ends.second->start(each->to_right);
        }
    });
    left.call([&] {
        for (std::size_t i = 0; i < all.size(); ++i) {
            all[i]->ends.first->start(all[i]->to_left);
            all[i]->ends.first->write(buffer_of("I am "));
            all[i]->ends.first->write(buffer_of(std::to_string(1'000 + i)));
        }
    });
    for (std::size_t i = 0; i < all.size(); ++i) {
        REQUIRE(all[i]->to_left.wait_for_bytes(9));
        CHECK(all[i]->to_left.all_bytes() == "I am " + std::to_string(1'000 + i));
    }
    right.call([&] {
        for (const auto& each : all) {
            each->ends.second.reset();
        }
    });
    for (const auto& each : all) {
        REQUIRE(each->to_left.wait_for_closed());
    }
    left.call([&] { all.clear(); });
}
