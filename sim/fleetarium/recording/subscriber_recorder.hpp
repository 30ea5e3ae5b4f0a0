#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/codec/reason_code.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/recording/recording_writer.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace fleetarium::recording {

/// Records what one subscriber gets from a broker, of whatever kind that is.
///
///     subscriber_recorder recorder({.path = "site.flr", .source = "mqtt://broker"}, now);
///     recorder.heard(packet, now);
///     recorder.finish(now);
///
/// Instants are those of one clock, and never fall; the recording counts from `begin`, where
/// recording_options::epoch is. Memory is bounded: see recording_writer, which makes the caller
/// wait where the disk cannot keep up.
/// Thread rule: one thread at a time calls the members.
class subscriber_recorder {
public:
    /// `kind` and `from` of the options are set here. Throws recording_error.
    subscriber_recorder(recording_options options, instant begin);

    /// What the broker answered to a subscription.
    void subscribed(std::string_view filter, reason_code code, instant at);
    /// A message; its views need not live longer than the call.
    void heard(const publish& message, instant at);
    /// The connection broke: what is published from now on is missed.
    void apart(std::string_view reason, instant at);
    /// It is there again, and so are the subscriptions.
    void back(bool session_present, instant at);

    std::uint64_t messages() const { return messages_; }
    std::uint64_t gaps() const { return gaps_; }

    /// See recording_writer.
    void flush() { writer_.flush(); }
    void sync() { writer_.sync(); }
    std::string error() const { return writer_.error(); }

    /// Throws recording_error.
    recording_writer::sums finish(instant at);

private:
    traffic_note note_of(traffic_note::kind what, instant at);

    recording_writer writer_;
    instant begin_;
    std::int64_t newest_ = 0;
    std::uint64_t messages_ = 0;
    std::uint64_t gaps_ = 0;
    std::string properties_;
};

/// Copies what is committed of a recording, which may be one that is being written, to a new file
/// that is a whole recording of what there is until then, `ran_for` after its beginning. Throws
/// recording_error.
void copy_recording(const std::string& from, const std::string& to, duration ran_for);

}  // namespace fleetarium::recording
