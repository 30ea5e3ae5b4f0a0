#pragma once

#include <fleetarium/recording/database.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::recording {

/// What of a recording is wanted; all of it by default.
struct export_selection {
    static constexpr std::int64_t end_of_time = std::numeric_limits<std::int64_t>::max();

    std::int64_t from = 0;               ///< instant, in nanoseconds
    std::int64_t until = end_of_time;    ///< the first that is not wanted
    std::string filter{};                ///< of topics; empty: all
    std::vector<std::string> clients{};  ///< client ids, or names such as "sensors[17]"; none: all
};

/// The names in a recording, and which of them are wanted. Memory: the names.
class recorded_names {
public:
    struct named_client {
        std::string name;
        std::string client_id;
        bool wanted = false;
    };

    /// Throws recording_error: the filter is none, there is no such client, or the recording is
    /// damaged.
    recorded_names(database& in, const export_selection& selection);

    // By row. Throw recording_error for one that there is not.
    const std::string& topic(std::int64_t row) const;
    bool wants_topic(std::int64_t row) const { return topics_[checked_topic(row)].wanted; }
    /// Row 0 is a client that is not known: no name, and wanted only if all are.
    const named_client& client(std::int64_t row) const;
    const std::string& broker(std::int64_t row) const;
    std::size_t clients() const { return clients_.size(); }
    bool wants_all_clients() const { return wants_all_clients_; }

private:
    struct named_topic {
        std::string name;
        bool wanted = false;
    };

    std::size_t checked_topic(std::int64_t row) const;
    void read_topics(database& in, const export_selection& selection);
    void read_clients(database& in, const export_selection& selection);

    std::string path_;
    std::vector<named_topic> topics_;
    std::vector<named_client> clients_;
    std::vector<std::string> brokers_;
    bool wants_all_clients_ = true;
};

/// Nanoseconds as seconds, exactly: "12.003". Appended.
void append_seconds(std::string& to, std::int64_t nanoseconds);

}  // namespace fleetarium::recording
