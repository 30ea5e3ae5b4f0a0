#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/recording/database.hpp>
#include <fleetarium/recording/name_rewriting.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fleetarium::recording {

/// A recorded message, to be published again; views are valid until the next call of its source.
struct traffic_message {
    std::int64_t id = 0;
    duration at{};  ///< when the recorded broker had it, in the recording's time
    /// Row in `clients`. None: not known.
    std::optional<std::int64_t> publisher{};
    fleetarium::publish content{};
};

/// Which messages are published again, and under which names.
struct traffic_selection {
    std::optional<duration> from{};      ///< the first instant
    std::optional<duration> until{};     ///< the first instant that is not taken any more
    std::vector<std::string> filters{};  ///< of recorded topics; any matches. Empty: all
    topic_rewriting topics{};            ///< response topics follow them too
};

/// The messages of a recording in their order, read row by row: memory does not grow with them but
/// with the number of topics, each of which is looked at once.
///
/// Left out, and counted: what the broker itself published (`$SYS` and the like), second copies of
/// resent messages, and messages that the recorded broker refused, whose payload is not recorded.
/// A will is published as its owner's message at the instant when the broker published it.
/// All members throw recording_error. Thread rule: one thread at a time.
class traffic_source {
public:
    /// Left out since the source was made.
    struct left_out {
        std::uint64_t by_broker = 0;
        std::uint64_t copies = 0;
        std::uint64_t refused = 0;
        std::uint64_t unpublishable = 0;  ///< rewriting made no valid topic name of theirs
    };
    struct client {
        std::int64_t row = 0;
        std::string client_id{};
    };

    /// Messages that are added to the recording later are not taken.
    traffic_source(database& in, const traffic_selection& selection);
    ~traffic_source();
    traffic_source(const traffic_source&) = delete;
    traffic_source& operator=(const traffic_source&) = delete;

    /// Reads the next message; null at the end.
    const traffic_message* next();
    /// Begins anew.
    void rewind();
    /// Lets go of the file, where a reader holds up a writer, until the next `next`. What `next`
    /// has returned stays valid.
    void pause();

    const left_out& skipped() const { return left_out_; }

    /// Who published what `next` returns, in the order of rows. Reads all messages once, without
    /// their payloads.
    std::vector<client> publishers();
    /// Where the last pass ends: `until`, or the end of the run, or the last message.
    duration end();

private:
    struct topic {
        bool known = false;
        bool selected = false;
        bool by_broker = false;
        bool valid = false;
        std::string name{};  // rewritten
    };
    struct read_properties;

    const topic& topic_of(std::int64_t row);
    void read_properties_of(std::string_view json, fleetarium::publish& to);

    database& in_;
    const traffic_selection selection_;
    bool brokers_tell_publishers_ = true;
    std::int64_t first_ = 0;
    std::int64_t last_ = 0;
    std::int64_t next_ = 0;
    bool open_ = false;
    statement rows_;
    statement topic_name_;
    std::vector<topic> topics_;
    std::unique_ptr<read_properties> properties_;
    std::vector<std::uint8_t> kept_payload_;
    traffic_message message_;
    left_out left_out_;
};

}  // namespace fleetarium::recording
