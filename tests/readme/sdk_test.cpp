// The code of sdk/README.md and broker/README.md, run: a client session and a broker core that are
// joined by hand.

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/session/client_session.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace fleetarium;

namespace {

using bytes = std::vector<std::uint8_t>;

void append(bytes& to, bytes_view part) {
    to.insert(to.end(), part.begin(), part.end());
}

}  // namespace

TEST_CASE("the code of the folder READMEs carries a message from a client to a broker",
          "[readme]") {
    const instant now{};
    bytes from_client;
    bytes from_broker;
    std::string shown;
    const auto show = [&](std::string_view topic, bytes_view payload) {
        shown += std::string(topic) + "=" + std::string(as_text(payload)) + ";";
    };

    client_options options;
    client_session session(options);  // lives as long as the client, not the connection

    session.connect({.keep_alive = 60, .client_id = "lamp-7"}, now);  // the transport is open
    const publish on{
        .topic = "lamps/7/on", .payload = as_bytes_view("true"), .qos = qos::at_least_once};
    session.publish(on, now);

    const auto drive = [&](const bytes& arrived) {
        const auto write = [&](bytes_view part) { append(from_client, part); };
        while (session.has_output()) {
            session.poll_transmit().for_each_part([&](bytes_view part) { write(part); });
        }
        for (bytes_view input = arrived; !input.empty();) {
            const auto event = session.handle_bytes(input, now);  // one packet at most
            if (const auto* message = std::get_if<publish>(&event)) {
                show(message->topic, message->payload);  // views, valid until the next call
            }
        }
        if (now >= session.poll_timeout()) {
            session.handle_timeout(now);  // PINGREQ, or the connection is given up
        }
    };

    bool closed = false;
    const auto write = [&](broker::connection_id, bytes_view part) {
        append(from_broker, part);
    };
    const auto close = [&](broker::connection_id) { closed = true; };
    bytes arrived;
    drive({});
    arrived.swap(from_client);
    REQUIRE_FALSE(arrived.empty());

    broker::broker_core core({});  // default options, no hooks
    const auto connection = core.handle_open(now);
    core.handle_bytes(connection, arrived, now);
    while (auto output = core.poll_output()) {
        output->bytes.for_each_part([&](bytes_view part) { write(output->connection, part); });
        if (output->close) {
            close(output->connection);
            core.handle_closed(output->connection, now);
        }
    }
    const instant next = core.poll_timeout();  // then core.handle_timeout(next)

    CHECK(next > now);
    CHECK_FALSE(closed);
    const auto pump = [&] {
        for (int turn = 0; turn < 4; ++turn) {
            drive(std::exchange(from_broker, {}));
            core.handle_bytes(connection, std::exchange(from_client, {}), now);
            while (const auto output = core.poll_output()) {
                output->bytes.for_each_part(
                    [&](bytes_view part) { append(from_broker, part); });
            }
        }
    };
    pump();
    CHECK(session.is_connected());
    CHECK(session.in_flight() == 0);
    CHECK(core.connected_count() == 1);

    const subscription_request wanted{.filter = "lamps/#"};
    REQUIRE(session.subscribe({.requests = subscription_requests{{&wanted, 1}}}, now));
    pump();
    REQUIRE(core.publish({.topic = "lamps/7/on", .payload = as_bytes_view("off")}, now));
    pump();
    CHECK(shown == "lamps/7/on=off;");
}
