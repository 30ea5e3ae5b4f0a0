#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/recording/database.hpp>
#include <fleetarium/recording/row_blocks.hpp>
#include <fleetarium/recording/schema.hpp>

#include <cstdint>
#include <string_view>

namespace fleetarium::recording {

/// While it lives, all statements see one state of a recording, though it may be written meanwhile.
class steady_view {
public:
    explicit steady_view(database& of);
    ~steady_view();
    steady_view(const steady_view&) = delete;
    steady_view& operator=(const steady_view&) = delete;

private:
    database& of_;
};

/// What stands for NULL in instants of rows.
inline constexpr std::int64_t no_instant = -1;

/// In place of a number that is NULL.
inline constexpr std::int64_t not_known = -1;

/// Instants in recordings are within this, some 73 years to either side of the begin, so that they
/// can be subtracted from each other and added to the epoch.
inline constexpr std::int64_t instant_max = std::int64_t{1} << 61;

/// The value of a row, an instant. Throws recording_error if it is beyond instant_max.
std::int64_t checked_instant(const database& in, std::string_view what, std::int64_t of,
                             std::int64_t value);

/// Instant 0 of a recording as nanoseconds since 1970; 0 if it has no run. Throws recording_error.
std::int64_t epoch_of(database& in);

/// A row of `messages`, and of `acknowledgements`. Views are valid until the next row.
struct message_row {
    std::int64_t id = 0;
    std::int64_t at = 0;
    std::int64_t published = 0;  ///< or no_instant
    std::int64_t broker = 0;
    std::int64_t publisher = 0;  ///< 0: NULL
    std::int64_t topic = 0;
    std::int64_t deliveries = 0;  ///< or not_known
    std::int64_t acknowledged = no_instant;
    std::uint8_t qos = 0;
    std::uint8_t reason = 0;
    bool retain = false;
    bool copy = false;
    bool will = false;
    bool refused = false;  ///< its payload was not recorded
    bytes_view payload{};
    std::string_view properties{};  ///< JSON; empty: none
};

/// A row of `deliveries`.
struct delivery_row {
    std::int64_t id = 0;
    std::int64_t receiver = 0;  ///< 0: NULL
    std::int64_t made = 0;
    std::int64_t sent = no_instant;
    std::int64_t received = no_instant;
    std::int64_t ended = no_instant;
    std::int64_t resent = 0;
    std::int64_t copies = 0;
    recorded_state state = recorded_state::queued;
    std::uint8_t qos = 0;
    std::uint8_t reason = 0;
    std::uint8_t code = 0;

    std::int64_t message() const { return id >> deliveries_per_message_bits; }
};

/// Messages in their order, which is that of time. Throws recording_error, also for values that no
/// writer of recordings makes.
class message_rows {
public:
    /// Messages of the ids [first, last].
    message_rows(database& in, std::int64_t first, std::int64_t last);

    /// Begins again, with others.
    void select(std::int64_t first, std::int64_t last);
    bool next(message_row& row);

private:
    database& in_;
    row_blocks rows_;
    row_blocks acknowledgements_;
    std::int64_t acknowledged_id_ = 0;  // of the next acknowledgement
    std::int64_t acknowledged_at_ = 0;
};

/// Deliveries by message.
class delivery_rows {
public:
    /// Deliveries of messages of the ids [first, last].
    delivery_rows(database& in, std::int64_t first, std::int64_t last);

    void select(std::int64_t first, std::int64_t last);
    /// One delivery.
    void select_one(std::int64_t delivery);
    bool next(delivery_row& row);

private:
    database& in_;
    row_blocks rows_;
};

/// The last of a message's deliveries that can be.
constexpr std::int64_t last_delivery(std::int64_t message) {
    return (message << deliveries_per_message_bits) +
           ((std::int64_t{1} << deliveries_per_message_bits) - 1);
}

/// The largest message id whose deliveries have ids.
inline constexpr std::int64_t message_id_max =
    (std::int64_t{1} << (63 - deliveries_per_message_bits)) - 1;

}  // namespace fleetarium::recording
