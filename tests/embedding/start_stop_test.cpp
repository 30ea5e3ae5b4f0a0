#include <fleetarium/codec/codec.hpp>
#include <fleetarium/net/connector.hpp>
#include <fleetarium/server/server.hpp>

#include <support/hex.hpp>
#include <support/net_recorder.hpp>
#include <support/net_thread.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace std::chrono_literals;

namespace {

/// A context that waits while it has nothing to do.
struct patient_context {
    boost::asio::io_context context;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
        context.get_executor()};
};

wire_buffer encoded(std::string_view client_id) {
    connect request;
    request.client_id = client_id;
    wire_buffer out;
    encode(request, out);
    return out;
}

/// A client in bytes, whose context the test runs.
class byte_client {
public:
    byte_client(boost::asio::io_context& context, std::unique_ptr<net::byte_stream> stream,
                std::string_view client_id)
        : context_(context), stream_(std::move(stream)) {
        stream_->start(heard_);
        stream_->write(encoded(client_id));
    }
    ~byte_client() { stream_->abort(); }
    byte_client(const byte_client&) = delete;
    byte_client& operator=(const byte_client&) = delete;

    /// Runs the context until CONNACK, or until the packet after it, is there; its code.
    reason_code connack_code() {
        if (!test::run_until(context_, [&] { return heard_.bytes().size() >= 5; })) {
            throw std::runtime_error("no CONNACK came");
        }
        return static_cast<reason_code>(heard_.bytes()[3]);
    }

    bool hears(std::string_view bytes) {
        return test::run_until(context_,
                               [&] { return heard_.bytes().find(bytes) != std::string::npos; });
    }

    void publish(std::string_view topic, std::string_view payload) {
        fleetarium::publish message;
        message.topic = topic;
        message.payload = as_bytes_view(payload);
        wire_buffer out;
        encode(message, protocol_version::v5, out);
        stream_->write(std::move(out));
    }

    void subscribe(std::string_view filter) {
        const subscription_request one{filter, {}};
        fleetarium::subscribe request;
        request.packet_id = 1;
        request.requests = subscription_requests({&one, 1});
        wire_buffer out;
        encode(request, protocol_version::v5, out);
        stream_->write(std::move(out));
    }

private:
    boost::asio::io_context& context_;
    test::net_recorder heard_;
    std::unique_ptr<net::byte_stream> stream_;
};

/// A TCP stream to the server's port; the context is run until it is open.
std::unique_ptr<net::byte_stream> open_tcp(boost::asio::io_context& context,
                                           const broker::server& server) {
    std::unique_ptr<net::byte_stream> made;
    bool done = false;
    const auto attempt = net::connect_stream(
        context, server.listening().at(0), {},
        [&](boost::system::error_code, std::unique_ptr<net::byte_stream> stream) {
            made = std::move(stream);
            done = true;
        });
    if (!test::run_until(context, [&] { return done; }) || !made) {
        throw std::runtime_error("no connection to the server's port");
    }
    return made;
}

/// Starts and stops one server so often, each time with a client that is accepted.
void start_and_stop(int cycles, bool on_port) {
    patient_context driven;
    auto& context = driven.context;
    broker::server server(on_port ? broker::listen_on("mqtt://127.0.0.1:0")
                                  : broker::server_options{});
    for (int i = 0; i < cycles; ++i) {
        server.start();
        {
            byte_client client(
                context,
                on_port ? open_tcp(context, server) : server.open_pipe(context.get_executor()),
                "c");
            REQUIRE(client.connack_code() == reason_code::success);
        }
        server.stop();
    }
    CHECK(server.metrics().connections_accepted == static_cast<std::uint64_t>(cycles));
    CHECK(server.metrics().connections_closed == static_cast<std::uint64_t>(cycles));
}

/// Makes and destroys a server of its own each time.
void make_and_destroy(int cycles) {
    patient_context driven;
    auto& context = driven.context;
    for (int i = 0; i < cycles; ++i) {
        broker::server server;
        server.start();
        byte_client client(context, server.open_pipe(context.get_executor()), "c");
        REQUIRE(client.connack_code() == reason_code::success);
    }
}

/// So many brokers at once; a message goes through each while all the others run.
void run_at_once(std::size_t count) {
    patient_context driven;
    auto& context = driven.context;
    std::vector<std::unique_ptr<broker::server>> servers;
    std::vector<std::unique_ptr<byte_client>> clients;
    for (std::size_t i = 0; i < count; ++i) {
        servers.push_back(std::make_unique<broker::server>());
        servers.back()->start();
        clients.push_back(std::make_unique<byte_client>(
            context, servers.back()->open_pipe(context.get_executor()), "c"));
    }
    for (const auto& each : clients) {
        REQUIRE(each->connack_code() == reason_code::success);
        each->subscribe("a");
    }
    for (std::size_t i = 0; i < count; ++i) {
        clients[i]->publish("a", "to broker " + std::to_string(i) + ".");
    }
    for (std::size_t i = 0; i < count; ++i) {
        REQUIRE(clients[i]->hears("to broker " + std::to_string(i) + "."));
        CHECK(servers[i]->metrics().publish_received[0] == 1);
    }
    clients.clear();
    servers.clear();
}

}  // namespace

TEST_CASE("a broker starts and stops any number of times", "[embedding]") {
    start_and_stop(200, false);
}

TEST_CASE("a broker on a port starts and stops any number of times", "[embedding]") {
    start_and_stop(100, true);
}

TEST_CASE("brokers are made and destroyed with clients still connected", "[embedding]") {
    make_and_destroy(200);
}

TEST_CASE("many brokers live in one process", "[embedding]") { run_at_once(100); }

TEST_CASE("stop is idempotent, and start too", "[embedding]") {
    broker::server server;
    server.stop();
    server.start();
    server.start();
    server.stop();
    server.stop();
    boost::asio::io_context context;
    CHECK_THROWS_AS(server.open_pipe(context.get_executor()), std::logic_error);
}

TEST_CASE("what a broker keeps is there after a stop and a start", "[embedding]") {
    broker::server server;
    server.start();
    server.publish("a", "kept", qos::at_least_once, true).value();
    server.stop();
    server.start();
    patient_context driven;
    auto& context = driven.context;
    byte_client client(context, server.open_pipe(context.get_executor()), "c");
    REQUIRE(client.connack_code() == reason_code::success);
    client.subscribe("a");
    CHECK(client.hears("kept"));
}

TEST_CASE("10,000 starts and stops through a pipe", "[.nightly]") { start_and_stop(10'000, false); }

TEST_CASE("10,000 starts and stops on a port", "[.nightly]") { start_and_stop(10'000, true); }

TEST_CASE("10,000 brokers one after the other", "[.nightly]") { make_and_destroy(10'000); }

TEST_CASE("1,000 brokers at once", "[.nightly]") { run_at_once(1'000); }
