#include <fleetarium/recording/recorded_rows.hpp>

#include <limits>

namespace fleetarium::recording {

namespace {

using kind = row_blocks::kind;

[[noreturn]] void fail(const database& in, std::string_view what, std::int64_t of,
                       std::int64_t value) {
    throw recording_error(in.path() + ": is damaged: " + std::string(what) + " of row " +
                          std::to_string(of) + " is " + std::to_string(value));
}

std::uint8_t checked(const database& in, std::string_view what, std::int64_t of, std::int64_t value,
                     std::size_t count) {
    if (value < 0 || value >= static_cast<std::int64_t>(count)) {
        fail(in, what, of, value);
    }
    return static_cast<std::uint8_t>(value);
}

}  // namespace

std::int64_t checked_instant(const database& in, std::string_view what, std::int64_t of,
                             std::int64_t value) {
    if (value < -instant_max || value > instant_max) {
        fail(in, what, of, value);
    }
    return value;
}

std::int64_t epoch_of(database& in) {
    const std::int64_t epoch = in.integer("SELECT epoch FROM runs").value_or(0);
    if (epoch < 0 || epoch > 2 * instant_max) {
        fail(in, "epoch in runs", 1, epoch);
    }
    return epoch;
}

steady_view::steady_view(database& of) : of_(of) { of_.execute("BEGIN"); }

steady_view::~steady_view() {
    try {
        of_.execute("COMMIT");
    } catch (const recording_error&) {
        // Nothing was written, so nothing is lost.
    }
}

message_rows::message_rows(database& in, std::int64_t first, std::int64_t last)
    : in_(in),
      rows_(in, "messages", "id",
            {{"id", kind::integer},
             {"at", kind::integer},
             {"published", kind::integer},
             {"broker", kind::integer},
             {"publisher", kind::integer},
             {"topic", kind::integer},
             {"qos", kind::integer},
             {"retain", kind::integer},
             {"copy", kind::integer},
             {"deliveries", kind::integer},
             {"reason", kind::integer},
             {"will", kind::integer},
             {"payload", kind::bytes},
             {"properties", kind::bytes}}),
      acknowledgements_(in, "acknowledgements", "message",
                        {{"message", kind::integer}, {"at", kind::integer}}) {
    select(first, last);
}

void message_rows::select(std::int64_t first, std::int64_t last) {
    rows_.select(first, last);
    acknowledgements_.select(first, last);
    acknowledged_id_ = std::numeric_limits<std::int64_t>::min();
}

bool message_rows::next(message_row& row) {
    if (!rows_.next()) {
        return false;
    }
    row.id = rows_.integer(0);
    row.at = checked_instant(in_, "at in messages", row.id, rows_.integer(1));
    row.published = rows_.is_null(2)
                        ? no_instant
                        : checked_instant(in_, "published in messages", row.id, rows_.integer(2));
    row.broker = rows_.integer(3);
    row.publisher = rows_.integer(4);
    row.topic = rows_.integer(5);
    row.qos = checked(in_, "qos in messages", row.id, rows_.integer(6), 3);
    row.retain = rows_.integer(7) != 0;
    row.copy = rows_.integer(8) != 0;
    row.deliveries = rows_.is_null(9) ? not_known : rows_.integer(9);
    row.reason =
        checked(in_, "reason in messages", row.id, rows_.integer(10), broker::drop_reason_count);
    row.will = rows_.integer(11) != 0;
    row.payload = rows_.bytes(12);
    row.refused = rows_.is_null(12);
    row.properties = as_text(rows_.bytes(13));
    while (acknowledged_id_ < row.id) {
        if (acknowledgements_.next()) {
            acknowledged_id_ = acknowledgements_.integer(0);
            acknowledged_at_ = checked_instant(in_, "at in acknowledgements", acknowledged_id_,
                                               acknowledgements_.integer(1));
        } else {
            acknowledged_id_ = std::numeric_limits<std::int64_t>::max();
        }
    }
    row.acknowledged = acknowledged_id_ == row.id ? acknowledged_at_ : no_instant;
    return true;
}

delivery_rows::delivery_rows(database& in, std::int64_t first, std::int64_t last)
    : in_(in),
      rows_(in, "deliveries", "id",
            {{"id", kind::integer},
             {"receiver", kind::integer},
             {"qos", kind::integer},
             {"state", kind::integer},
             {"reason", kind::integer},
             {"made", kind::integer},
             {"sent", kind::integer},
             {"received", kind::integer},
             {"ended", kind::integer},
             {"resent", kind::integer},
             {"copies", kind::integer},
             {"code", kind::integer}}) {
    select(first, last);
}

void delivery_rows::select(std::int64_t first, std::int64_t last) {
    rows_.select(first << deliveries_per_message_bits, last_delivery(last));
}

void delivery_rows::select_one(std::int64_t delivery) { rows_.select(delivery, delivery); }

bool delivery_rows::next(delivery_row& row) {
    if (!rows_.next()) {
        return false;
    }
    row.id = rows_.integer(0);
    const auto instant = [&](std::size_t column, std::string_view what) {
        return rows_.is_null(column) ? no_instant
                                     : checked_instant(in_, what, row.id, rows_.integer(column));
    };
    row.receiver = rows_.integer(1);
    row.qos = checked(in_, "qos in deliveries", row.id, rows_.integer(2), 3);
    row.state = static_cast<recorded_state>(
        checked(in_, "state in deliveries", row.id, rows_.integer(3), recorded_state_count));
    row.reason =
        checked(in_, "reason in deliveries", row.id, rows_.integer(4), broker::drop_reason_count);
    row.made = checked_instant(in_, "made in deliveries", row.id, rows_.integer(5));
    row.sent = instant(6, "sent in deliveries");
    row.received = instant(7, "received in deliveries");
    row.ended = instant(8, "ended in deliveries");
    row.resent = rows_.integer(9);
    row.copies = rows_.integer(10);
    row.code = checked(in_, "code in deliveries", row.id, rows_.integer(11), 256);
    return true;
}

}  // namespace fleetarium::recording
