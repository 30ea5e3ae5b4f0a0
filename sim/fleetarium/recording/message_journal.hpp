#pragma once

#include <fleetarium/recording/database.hpp>
#include <fleetarium/recording/metrics_by_second.hpp>
#include <fleetarium/recording/row_batch.hpp>
#include <fleetarium/recording/schema.hpp>
#include <fleetarium/recording/traffic_note.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::recording {

/// Makes rows of notes: it keeps what is under way, and makes the row of each message when it is
/// routed and of each delivery when it ends. Rows of messages wait until there are some thousands.
///
/// Memory: 80 bytes a delivery under way, 40 a message that is retained or not complete, the names
/// of topics, 1 MiB of rows, and what these hold, at most 2 MiB and a payload.
class message_journal {
public:
    struct sums {
        std::uint64_t messages = 0;
        std::uint64_t deliveries = 0;
        std::uint64_t under_way = 0;
    };

    message_journal(database& to, viewpoint from);

    /// Throws recording_error.
    void take(const traffic_note& note, std::string_view text);
    /// Writes the rows that wait: before a commit, and before anybody reads the tables.
    void write_rows();
    /// Writes what is under way as it stands, and all that waits.
    void finish(std::int64_t now);

    const sums& counted() const { return counted_; }
    std::int64_t last_message() const { return last_message_; }

private:
    using row = std::int64_t;
    static constexpr std::uint32_t none = 0xFFFF'FFFF;

    struct delivery {
        row id = 0;
        std::uint64_t number = 0;
        std::int64_t published = 0;
        std::int64_t made = 0;
        std::int64_t sent = -1;
        std::int64_t received = -1;
        std::uint32_t receiver = none;
        std::uint32_t next = none;  // of the same message to the same session
        std::uint16_t resent = 0;
        std::uint16_t copies = 0;
        std::uint8_t qos = 0;
        bool counted = false;        // in its known_message's `open`
        bool routed_before = false;  // it was retained, or handed over: its age says nothing
    };
    struct delivery_key {
        std::uint64_t number;
        std::uint32_t session;
        std::uint32_t broker;
        bool operator==(const delivery_key&) const = default;
    };
    struct delivery_hash {
        std::size_t operator()(const delivery_key& key) const;
    };
    struct text_hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const;
    };
    /// A message of which more may be heard after it was routed.
    struct known_message {
        row id = 0;
        std::int64_t published = 0;
        std::uint32_t deliveries = 0;
        std::uint32_t open = 0;  // deliveries under way
        bool retained = false;
        bool awaits_acknowledgement = false;
    };
    /// The message being routed.
    struct routed_message {
        bool active = false;
        traffic_note note;
        row id = 0;
        row topic = 0;
        std::uint32_t deliveries = 0;
        std::uint8_t why = 0;
        bool retained = false;
        std::string text;
    };
    struct client_state {
        row id = 0;
        std::uint32_t session = none;
        std::uint32_t last_session = none;  // what was sent in it may still be lost
        std::uint16_t broker = 0;
        bool tells = false;
        bool connected = false;
    };
    struct broker_state {
        routed_message routed;
        std::uint32_t will_of = none;
        boost::unordered_flat_map<std::uint32_t, row> connections;  // by client
        boost::unordered_flat_map<row, std::uint64_t> retained;     // numbers by topic
    };
    broker_state& broker(std::uint16_t which);
    client_state& client(std::uint32_t which);
    row client_row(std::uint32_t which);
    void bind_client(statement& to, int parameter, std::uint32_t which);
    row topic(std::string_view name);

    void note_client(const traffic_note& note, std::string_view text);
    void note_connection(const traffic_note& note);
    void note_subscription(const traffic_note& note, std::string_view filter);
    void begin_message(const traffic_note& note, std::string_view text);
    void end_message(const traffic_note& note);
    void refuse_message(const traffic_note& note, std::string_view topic_name);
    void hear_message(const traffic_note& note, std::string_view text);
    void write_message(row id, const traffic_note& what, row topic_row,
                       std::optional<std::int64_t> deliveries, std::uint8_t why,
                       std::optional<std::string_view> payload, std::string_view properties);
    void keep_retained(const traffic_note& note, std::string_view removed_topic);
    std::uint32_t make_delivery(const traffic_note& note);
    void note_sent(const traffic_note& note);
    void note_received(const traffic_note& note);
    void end_delivery(const traffic_note& note, recorded_state state);
    void write_delivery(const delivery& what, recorded_state state, std::uint8_t why,
                        std::int64_t ended, std::uint8_t code = 0);
    std::uint32_t find(const delivery_key& key) const;
    std::uint32_t find_of_client(const traffic_note& note, delivery_key& key);
    void remove(const delivery_key& key, std::uint32_t which);
    void release(std::uint64_t number);
    void complete(const traffic_note& note);
    row find_repeated(const traffic_note& note);
    bool receiver_tells(std::uint32_t which);
    metrics_by_second::gauges standing() const { return {connected_, counted_.under_way}; }

    database& database_;
    statement add_broker_, add_client_, add_topic_, add_connection_, end_connection_,
        add_subscription_, add_resend_, add_fault_, add_violation_, add_annotation_,
        add_intervention_, add_gap_, end_gap_, add_checkpoint_;
    row_batch new_messages_, new_deliveries_, new_acknowledgements_;
    metrics_by_second metrics_;
    std::vector<broker_state> brokers_;
    std::vector<client_state> clients_;  // by number: recorders count them from 0
    row last_client_ = 0;
    boost::unordered_flat_map<std::string, row, text_hash, std::equal_to<>> topics_;
    boost::unordered_flat_map<delivery_key, std::uint32_t, delivery_hash> open_;
    std::vector<delivery> deliveries_;
    std::uint32_t free_ = none;
    boost::unordered_flat_map<std::uint64_t, known_message> messages_;
    // A shared delivery ends with its session, and then another member gets the message.
    std::uint64_t last_released_number_ = 0;
    known_message last_released_;
    // QoS 2 by client and packet id, where a repeated one has no number.
    boost::unordered_flat_map<std::uint32_t, boost::unordered_flat_map<std::uint16_t, row>>
        exchanges_;
    row last_message_ = 0;
    row last_resend_ = 0;  // rows that are given up do not free their numbers
    std::uint64_t connected_ = 0;
    sums counted_;
};

}  // namespace fleetarium::recording
