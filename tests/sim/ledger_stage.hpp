#pragma once

#include <fleetarium/sim/ledger.hpp>

#include <catch2/catch.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The ledger is fed by hand with what clients and a broker are said to have done.
namespace fleetarium::sim::detail {

using namespace std::chrono_literals;

using kind = broker::broker_event::kind;

/// A broker, two clients and their ledger. The members tell what happened as it should; tests leave
/// something out or put something in.
struct stage : ledger::oracle {
    static constexpr host_id publisher = 5;
    static constexpr host_id receiver = 9;

    explicit stage(const broker::broker_options& options = {}) { book.add_broker(0, options); }

    // A broker's word

    void say(broker::broker_event decision) {
        decision.at = now;
        book.decided(0, decision);
    }
    void accept(host_id host, std::uint32_t connection, broker::session_index session,
                const std::string& id, fleetarium::connect request = {}, bool present = false) {
        request.client_id = id;
        request.version = protocol_version::v5;
        book.opened(0, connection, host, true);
        book.connect_asked(0, connection, request);
        say({.what = kind::connected,
             .connection = connection,
             .session = session,
             .client_id = id,
             .flag = present});
        ++metrics.connections_accepted;
        metrics.sessions_resumed += present;
    }
    void disconnect(std::uint32_t connection, broker::session_index session, const char* id) {
        say({.what = kind::disconnected,
             .connection = connection,
             .session = session,
             .client_id = id,
             .code = reason_code::unspecified_error,
             .flag = true});
    }
    void subscribe(broker::session_index session, const std::string& filter,
                   subscription_options options = {.qos = qos::exactly_once},
                   std::uint32_t identifier = 0) {
        book.subscribe_asked(0, session, filter, options);
        say({.what = kind::subscribed,
             .connection = session,
             .session = session,
             .topic = filter,
             .count = identifier,
             .code = static_cast<reason_code>(options.qos)});
    }
    static fleetarium::connect kept() {
        fleetarium::connect out;
        out.clean_start = false;
        out.session_expiry_interval = 100;
        return out;
    }
    /// Session 0 and connection 0 publish, session 1 and connection 1 receive.
    void both_connect(fleetarium::connect second = {}) {
        accept(publisher, 0, 0, "publisher", kept());
        second.session_expiry_interval = 100;
        second.clean_start = false;
        accept(receiver, 1, 1, "receiver", second);
    }

    // A message's way

    static std::uint64_t number(std::uint32_t count, enum qos qos) {
        return message_number::make(qos, 0, publisher, count);
    }
    publish packet(enum qos qos, std::uint16_t packet_id = 0) {
        publish out;
        out.topic = topic;
        out.payload = as_bytes_view("x");
        out.qos = qos;
        out.packet_id = packet_id;
        return out;
    }
    void arrive(std::uint32_t count, enum qos qos, bool retain = false) {
        const auto id = static_cast<std::uint16_t>(count);
        if (qos != qos::at_most_once) {
            book.publish_sent(publisher, 0, 0, number(count, qos), now);
        }
        publish message = packet(qos, id);
        message.retain = retain;
        book.publish_arrived(0, 0, message, number(count, qos), now);
        ++metrics.publish_received[static_cast<std::size_t>(qos)];
        say({.what = kind::received,
             .connection = 0,
             .session = 0,
             .topic = topic,
             .identity = {number(count, qos), now},
             .qos = qos,
             .flag = retain});
    }
    void made(kind what, std::uint32_t count, enum qos qos, bool known = false,
              broker::session_index to = 1) {
        metrics.deliveries[static_cast<std::size_t>(qos)] += !known;
        say({.what = what,
             .connection = to,
             .session = to,
             .topic = topic,
             .identity = {number(count, qos), now},
             .qos = qos,
             .known = known});
    }
    void routed(std::uint32_t count, enum qos qos, std::uint32_t deliveries) {
        say({.what = kind::routed,
             .connection = 0,
             .session = 0,
             .topic = topic,
             .identity = {number(count, qos), now},
             .count = deliveries,
             .qos = qos});
    }
    void route(std::uint32_t count, enum qos qos) {
        arrive(count, qos);
        made(kind::sent, count, qos);
        routed(count, qos, 1);
    }
    void receive(std::uint32_t count, enum qos qos, std::uint16_t packet_id = 0, bool dup = false) {
        publish message = packet(qos, packet_id);
        message.dup = dup;
        book.message_received(receiver, 0, 1, message, {number(count, qos), now}, now);
    }
    void acknowledge(std::uint32_t count, enum qos qos) {
        ++metrics.acknowledged[static_cast<std::size_t>(qos)];
        say({.what = kind::acknowledged,
             .connection = 1,
             .session = 1,
             .topic = topic,
             .identity = {number(count, qos), now},
             .qos = qos});
    }
    void resume_receiver() {
        disconnect(1, 1, "receiver");
        accept(receiver, 1, 1, "receiver", kept(), true);
    }

    // The end

    std::vector<invariant> verdict() {
        std::vector<invariant> out;
        const ledger_report report = book.report(*this, now);
        for (const ledger_violation& each : report.violations) {
            CHECK(!each.what.empty());
            out.push_back(each.broken);
        }
        CHECK(report.violation_count() == out.size());
        return out;
    }
    bool is_silent(ledger::broker_index, std::uint32_t, host_id) override { return silent; }
    void for_each_held(ledger::broker_index, broker::session_index session,
                       const std::function<void(std::uint64_t, enum qos)>& visit) override {
        for (const auto& [owner, message] : held) {
            if (owner == session) {
                visit(message, message_number::qos_of(message));
            }
        }
    }
    instant done_until(ledger::broker_index) override { return now; }
    std::size_t unreleased(ledger::broker_index, broker::session_index session) override {
        return session == 0 ? waiting_for_pubrel : 0;
    }
    void for_each_lost(const std::function<void(std::string_view, std::uint64_t)>& visit) override {
        if (lost_by_devices != 0) {
            visit("readings", lost_by_devices);
        }
    }
    broker::broker_metrics metrics_of(ledger::broker_index) override { return metrics; }
    std::string name_of(host_id host) override { return "host " + std::to_string(host); }

    ledger book;
    instant now{1s};
    std::string topic = "a/b";
    bool silent = false;
    std::vector<std::pair<broker::session_index, std::uint64_t>> held;
    broker::broker_metrics metrics;
    std::size_t waiting_for_pubrel = 0;
    std::uint64_t lost_by_devices = 0;
};

using verdict = std::vector<invariant>;
inline constexpr auto q0 = qos::at_most_once;
inline constexpr auto q1 = qos::at_least_once;
inline constexpr auto q2 = qos::exactly_once;

}  // namespace fleetarium::sim::detail
