#pragma once

#include <fleetarium/feed/background_index.hpp>
#include <fleetarium/feed/connection_timeline.hpp>
#include <fleetarium/feed/feed_types.hpp>
#include <fleetarium/feed/instant_view.hpp>
#include <fleetarium/feed/recording_fleets.hpp>
#include <fleetarium/feed/recording_tables.hpp>
#include <fleetarium/feed/source.hpp>
#include <fleetarium/recording/recorded_rows.hpp>
#include <fleetarium/recording/recording_reader.hpp>

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the parts of recording_source share. Instants are nanoseconds.
namespace fleetarium::feed {

inline seconds in_seconds(std::int64_t at) { return static_cast<double>(at) / 1e9; }

inline std::optional<seconds> maybe_seconds(std::int64_t at) {
    return at == recording::no_instant ? std::nullopt : std::optional(in_seconds(at));
}

[[noreturn]] inline void refuse(const std::string& what) {
    throw feed_error(feed_error::kind::bad_question, what);
}

/// Throws feed_error for a number that is out of its range.
inline void require_range(const char* name, std::uint64_t found, std::uint64_t min,
                          std::uint64_t max) {
    if (found < min || found > max) {
        refuse(std::string(name) + ": found " + std::to_string(found) + ", expected " +
               std::to_string(min) + " to " + std::to_string(max));
    }
}

/// The name of a drop reason, as a bit of fates: see message_head.
std::uint32_t fate_named(const std::string& reason);

struct recording_parts {
    /// Throws recording_error.
    recording_parts(const std::string& path, std::size_t messages_at_once);

    /// Takes what was written meanwhile, of a recording that is.
    void refresh();
    bool growing() const { return !facts.ended_at; }

    /// The instant asked for, within the recording.
    std::int64_t instant_of(const std::optional<seconds>& at) const;
    /// The same for the index: everything, at the end.
    std::int64_t index_instant(std::int64_t at) const;

    /// The index. Throws feed_error if it could not be read.
    background_index::access open_index();

    /// Empty: it is not known.
    std::string client_name(std::int64_t row) const;
    std::string broker_name(std::int64_t row) const;
    const std::string& topic_name(std::int64_t row) const;
    /// Row by name or client id; 0: there is none.
    std::uint32_t client_named(std::string_view name);
    /// One message; none: it is not there.
    std::optional<recording::message_row> read_message(std::int64_t id);

    const std::string path;
    recording::recording_reader file;
    recorded::database& in;
    recorded::run facts;
    bool is_subscriber = false;
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::vector<std::string> brokers;
    std::vector<recorded::client> clients;
    std::vector<std::string> topics;
    std::vector<std::uint32_t> topic_order;  ///< rows less one, by levels
    connection_timeline connections;
    recorded::subscriptions subscriptions;
    std::vector<recorded::fault> faults;
    std::vector<fault_row> fault_periods;  ///< by their beginning
    std::vector<recorded::remark> violations;
    std::vector<recorded::remark> annotations;
    std::vector<recorded::remark> gaps;
    std::vector<recorded::remark> interventions;
    std::vector<recorded::checkpoint> checkpoints;
    recording_fleets fleets;
    background_index index;
    instant_view view;
    recording::message_rows messages;  ///< for runs of rows
    recording::delivery_rows deliveries;
    recording::message_rows one_message;  ///< for one

private:
    void read_fast();
    void arrange_topics();

    std::int64_t changes_ = 0;
    std::int64_t connections_until_ = 0;  // message, when connections were read
};

/// Topics so that what is below a level lies together: "a", "a/b", "a b".
bool topic_less(std::string_view a, std::string_view b);

// The parts of recording_source

topics_answer answer_topics(recording_parts& of, const topics_question& asked);
fleet_answer answer_fleet(recording_parts& of, const fleet_question& asked);
device_row answer_cell(recording_parts& of, const cell_question& asked);
devices_answer answer_devices(recording_parts& of, const devices_question& asked);
device_answer answer_device(recording_parts& of, const device_question& asked);
messages_answer answer_messages(recording_parts& of, const messages_question& asked);
message_answer answer_message(recording_parts& of, const message_question& asked);
timeline_answer answer_timeline(recording_parts& of, const timeline_question& asked);
log_answer answer_log(recording_parts& of, const log_question& asked);

/// Rows of the log, of devices too.
event_row connection_event(const recording_parts& of, const recorded::connection& what, bool ends);
event_row subscription_event(const recording_parts& of, const recorded::subscription& what);

}  // namespace fleetarium::feed
