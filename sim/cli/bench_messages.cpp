#include "bench.hpp"
#include "ideal_relay.hpp"

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/core/random.hpp>
#include <fleetarium/session/client_session.hpp>

#include <fmt/format.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace fleetarium::cli::bench {

namespace {

constexpr std::uint32_t device_count = 100;

/// Client sessions and a broker core, joined by pipes in memory: bytes that one side has encoded
/// go to the other at once, as they are. No clock, no network, no accounts: what a message costs in
/// the protocol and in the broker.
class pipes {
public:
    pipes() {
        for (std::uint32_t i = 0; i < device_count; ++i) {
            devices_.push_back(std::make_unique<device>(options_));
            device& made = *devices_.back();
            made.connection = core_.handle_open(now_);
            if (by_connection_.size() <= made.connection) {
                by_connection_.resize(made.connection + 1);
            }
            by_connection_[made.connection] = &made;
            made.topic = fmt::format("devices/{:07}/command", i);
            const std::string id = fmt::format("device-{:07}", i);
            connect request;
            request.client_id = id;
            static_cast<void>(made.session.connect(request, now_));
            run_until_idle(made);
            const subscription_request all{
                made.topic, {qos::exactly_once, false, false, retain_handling::send}};
            subscribe wish;
            wish.requests = subscription_requests({&all, 1});
            static_cast<void>(made.session.subscribe(wish, now_));
            run_until_idle(made);
        }
    }

    /// Sends messages, each from the next device to any; returns how many arrived.
    std::uint64_t send(std::uint64_t messages, enum qos level) {
        const std::string payload(64, 'x');
        random_stream draws(1, 2, 3);
        received_ = 0;
        for (std::uint64_t i = 0; i < messages; ++i) {
            device& from = *devices_[i % device_count];
            publish message;
            message.topic = devices_[draws.below(device_count)]->topic;
            message.payload = as_bytes_view(payload);
            message.qos = level;
            static_cast<void>(from.session.publish(message, now_));
            run_until_idle(from);
        }
        return received_;
    }

private:
    struct device {
        explicit device(const client_options& options) : session(options) {}
        client_session session;
        broker::connection_id connection = broker::no_connection;
        std::string topic;
    };

    void pump_up(device& from) {
        const wire_buffer sent = from.session.poll_transmit();
        sent.for_each_part(
            [&](bytes_view part) { core_.handle_bytes(from.connection, part, now_); });
    }

    /// Carries bytes to and fro until nobody has anything to say.
    void run_until_idle(device& first) {
        pump_up(first);
        while (auto out = core_.poll_output()) {
            device& to = *by_connection_[out->connection];
            out->bytes.for_each_part([&](bytes_view part) {
                for (;;) {
                    const client_event learned = to.session.handle_bytes(part, now_);
                    if (std::holds_alternative<publish>(learned)) {
                        ++received_;
                    } else if (std::holds_alternative<std::monostate>(learned) && part.empty()) {
                        break;
                    }
                }
            });
            if (to.session.has_output()) {
                pump_up(to);
            }
        }
    }

    client_options options_;
    broker::broker_core core_{broker::broker_options{}};
    std::vector<std::unique_ptr<device>> devices_;
    std::vector<device*> by_connection_;
    std::uint64_t received_ = 0;
    instant now_{};
};

}  // namespace

std::vector<figure> measure_messages(const scale& size) {
    constexpr std::array<double, 3> required{3e6, 1.5e6, 0.8e6};
    constexpr std::array<std::string_view, 3> goals{"3 M/s, aim 5", "1.5 M/s, aim 3",
                                                    "0.8 M/s, aim 1.5"};
    const std::uint64_t messages = size.of(4'000'000);
    const double limit = ideal_relay_rate(device_count, messages);
    std::vector<figure> out;
    for (std::size_t level = 0; level < required.size(); ++level) {
        pipes joined;
        const auto chosen = static_cast<enum qos>(level);
        joined.send(messages / 10, chosen);  // warms up
        std::uint64_t arrived = 0;
        const double seconds = time_of([&] { arrived = joined.send(messages, chosen); });
        const double rate = static_cast<double>(arrived) / seconds;
        out.push_back({fmt::format("message end to end in memory, QoS {}", level),
                       rate_text(rate), fmt::format("ideal relay, QoS 0: {}", rate_text(limit)),
                       rate / limit, std::string(goals[level]), rate >= required[level]});
    }
    for (std::size_t level = 0; level < required.size(); ++level) {
        const double rate =
            talking_fleet_rate(device_count, static_cast<enum qos>(level), messages);
        out.push_back({fmt::format("the same in a world, QoS {}", level), rate_text(rate),
                       fmt::format("ideal relay, QoS 0: {}", rate_text(limit)), rate / limit, "",
                       true});
    }
    return out;
}

}  // namespace fleetarium::cli::bench
