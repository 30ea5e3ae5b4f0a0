#pragma once

#include <fleetarium/broker/client_numbers.hpp>
#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/recording/recording_writer.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <mutex>
#include <string>

namespace fleetarium::recording {

/// Records what a broker does: who connects, who publishes what, and what becomes of each delivery.
///
///     broker_recorder recorder({.path = "site.flr"}, net::real_now());
///     broker::server server(options, &recorder);
///
/// What only clients know is not in it: when they published, and when QoS 0 arrived. The broker
/// waits where the disk cannot keep up (see recording_writer).
/// Memory: that of message_journal, which keeps 16 bytes for each packet id that a session has used
/// with QoS 2, and the client ids of all that have connected.
/// Thread rule: any thread; hooks come with the core's turn.
class broker_recorder final : public broker::broker_hooks {
public:
    /// `kind` of the options is set here. Throws recording_error.
    broker_recorder(recording_options options, instant begin);

    /// See recording_writer. After an error nothing more is recorded, and the broker goes on.
    void flush();
    std::string error() const;

    /// When the broker has stopped. Throws recording_error.
    recording_writer::sums finish(instant at);

    bool wants_authorization() const override { return false; }
    bool wants_events() const override { return true; }
    message_identity identify(broker::connection_id publisher, std::uint64_t next_number,
                              const publish& message, instant now) override;
    void on_event(const broker::broker_event& event) override;

private:
    traffic_note note_of(traffic_note::kind what, instant at);
    void know_client(const broker::broker_event& event);

    mutable std::mutex mutex_;
    recording_writer writer_;
    instant begin_;
    std::int64_t newest_ = 0;
    boost::unordered_flat_map<std::string, std::uint32_t> clients_;  // by client id
    broker::client_numbers numbers_;
    std::string properties_;
};

}  // namespace fleetarium::recording
