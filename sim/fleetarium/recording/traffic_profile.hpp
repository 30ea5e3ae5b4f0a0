#pragma once

#include <fleetarium/core/latency_histogram.hpp>
#include <fleetarium/recording/payload_shape.hpp>
#include <fleetarium/recording/recording_reader.hpp>

#include <cstdint>
#include <string>
#include <vector>

/// What the traffic in a recording is like: kinds of messages and kinds of clients, with sums. It
/// is what `learn` makes a scenario of, and what it compares.
namespace fleetarium::recording {

/// Messages that are alike: topics of one pattern, one QoS, one RETAIN, publishers whose client ids
/// are alike.
struct message_kind {
    std::string pattern{};  ///< topic_pattern.hpp
    std::uint8_t qos = 0;
    bool retain = false;
    std::uint64_t messages = 0;
    std::uint64_t topics = 0;
    duration first{};                    ///< instant of the first message
    duration last{};                     ///< and of the last
    latency_histogram between{};         ///< from a topic's message to its next
    double between_mean = 0;             ///< nanoseconds
    double between_variation = 0;        ///< standard deviation / mean
    latency_histogram bytes{};           ///< sizes of payloads, a byte as a nanosecond
    latency_histogram way_up{};          ///< from publisher to broker, where that is known
    std::vector<std::uint64_t> hours{};  ///< messages in each hour of the recording
    payload_samples samples{};
    std::vector<std::vector<std::string>> slots{};      ///< of up to slots_kept topics
    std::vector<std::uint64_t> slot_names{};            ///< different texts in each slot
    std::vector<std::vector<std::string>> few_names{};  ///< of each slot that has up to eight

    static constexpr std::size_t slots_kept = 64;
};

/// What a kind of client publishes, of one kind of message.
struct kind_published {
    std::size_t kind = 0;  ///< in traffic_profile::messages
    std::uint64_t messages = 0;
    std::uint64_t topics = 0;   ///< of all clients together
    std::uint64_t clients = 0;  ///< who did
    /// From a client's message of the kind to its next, whatever the topic; nanoseconds.
    std::uint64_t gaps = 0;
    double gap_sum = 0;
    double gap_squares = 0;
};

struct kind_subscribed {
    std::string pattern{};
    std::uint8_t qos = 0;
    std::uint64_t filters = 0;  ///< of all clients together
    std::uint64_t clients = 0;
    std::vector<std::string> some{};  ///< filters, up to eight
};

/// Clients that are alike.
struct client_kind {
    std::string name{};        ///< letters, digits, '_' and '-'; different from all others'
    std::string client_ids{};  ///< pattern; empty: not known
    std::string client_id{};   ///< of one of them
    std::uint64_t clients = 0;
    std::vector<kind_published> publishes{};  ///< most messages first
    std::vector<kind_subscribed> subscribes{};
    std::uint64_t connections = 0;
    std::uint64_t resumed = 0;  ///< connections to a session that was there
    std::uint64_t lost = 0;     ///< connections that ended without DISCONNECT
    duration connected_for{};   ///< mean of connections that ended
    duration away_for{};        ///< mean from the end of one to the beginning of the next
    std::uint64_t returns = 0;  ///< connections after another
};

struct traffic_profile {
    std::string name{};                    ///< of the scenario recorded; empty: none
    duration span{};                       ///< from the first instant to the last
    std::vector<message_kind> messages{};  ///< in the order of their first ones
    std::vector<client_kind> clients{};
    bool knows_publishers = false;
    std::uint64_t left_out = 0;  ///< messages of the broker itself: $SYS and such
};

/// Reads all messages once. Memory grows with topics and clients, not with messages. Throws
/// recording_error.
traffic_profile profile_traffic(recording_reader& from);

}  // namespace fleetarium::recording
