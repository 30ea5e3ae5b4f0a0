#pragma once

#include <fleetarium/recording/database.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// What `recording_source` reads of a recording besides messages and deliveries, for which
/// recorded_rows.hpp is: all SQL of the feed is in this file's source.
/// All throw recording_error.
namespace fleetarium::feed::recorded {

using recording::database;

/// In place of an instant that is NULL.
inline constexpr std::int64_t no_instant = -1;

/// The row of `runs`. Instants in nanoseconds.
struct run {
    std::string kind{};
    std::string program_version{};
    std::string scenario{};  ///< JSON; empty: none
    std::string source{};
    std::string report{};
    std::optional<std::int64_t> seed{};
    std::int64_t epoch = 0;
    std::optional<std::int64_t> ended_at{};
    std::int64_t forgotten_until = 0;
    std::uint64_t events = 0;
};
run read_run(database& in);

std::vector<std::string> read_brokers(database& in);

struct client {
    std::string name{};
    std::string client_id{};
    bool tells = false;
};

// These take what a table has beyond what was taken before. Row n is element n - 1.

void read_clients(database& in, std::vector<client>& into);
void read_topics(database& in, std::vector<std::string>& into);
/// Of clients no more than whether they tell what they receive.
void read_tells(database& in, std::vector<bool>& into);

/// A row of `connections`.
struct connection {
    std::int64_t at = 0;
    std::int64_t ended = no_instant;
    std::uint32_t client = 0;  ///< row; 0: NULL
    std::uint16_t broker = 0;
    std::uint8_t code = 0;
    std::uint8_t version = 0;  ///< 0: not known
    bool accepted = false;
    bool session_present = false;
    bool lost = false;
    bool violation = false;
};
void read_connections(database& in, std::vector<connection>& into);
/// The ends that were written meanwhile.
void read_connection_ends(database& in, std::vector<connection>& into);

struct subscription {
    std::int64_t at = 0;
    std::uint32_t client = 0;  ///< row; 0: the recorder
    std::uint32_t filter = 0;  ///< among `filters`
    std::uint8_t code = 0;
    bool ends = false;
};
struct subscriptions {
    std::vector<subscription> rows{};
    std::vector<std::string> filters{};
};
void read_subscriptions(database& in, subscriptions& into);

struct fault {
    std::int64_t at = 0;
    std::uint32_t number = 0;
    bool ends = false;
};
std::vector<fault> read_faults(database& in);

struct remark {
    std::int64_t at = 0;
    std::int64_t ended = no_instant;  ///< of gaps
    std::string what{};               ///< of violations: the invariant
    std::string text{};
};
std::vector<remark> read_violations(database& in);
std::vector<remark> read_annotations(database& in);
std::vector<remark> read_gaps(database& in);
/// What was done by hand: `what` and, as text, JSON. Older recordings have none.
std::vector<remark> read_interventions(database& in);

struct checkpoint {
    std::int64_t at = 0;
    std::uint64_t events = 0;  ///< that the run had handled
};
std::vector<checkpoint> read_checkpoints(database& in);

/// The number of rows that a writer may have added to: changes with each commit of another process
/// or connection.
std::int64_t change_count(database& in);

/// The newest instant at which something is known to have happened.
std::int64_t newest_instant(database& in);

std::int64_t first_message(database& in);                    ///< 0: there is none
std::int64_t last_message(database& in);                     ///< 0: there is none
std::int64_t next_message(database& in, std::int64_t from);  ///< the first id; 0: there is none

struct resend {
    std::int64_t id = 0;
    std::int64_t at = 0;
    std::int64_t message = 0;
    std::int64_t delivery = 0;  ///< 0: by the publisher
};
/// Calls for each resend with an id above, until `visit` returns false.
void for_each_resend(database& in, std::int64_t above,
                     const std::function<bool(const resend&)>& visit);
/// One less than the id of the first at or after an instant. Logarithmic.
std::int64_t resends_before(database& in, std::int64_t instant);

/// The number by which a broker knows a message, the same for all its copies; 0: refused.
std::int64_t message_number(database& in, std::int64_t message);
/// Copies of a message among the messages of the ids [first, last].
std::vector<std::int64_t> copies_of(database& in, std::int64_t number, std::int64_t first,
                                    std::int64_t last);
/// The newest message of a topic among the ids [first, last] with a payload; 0: none.
std::int64_t newest_of_topic(database& in, std::int64_t topic, std::int64_t first,
                             std::int64_t last);

// What names a client, in rows of messages of the ids [first, last], in their order.

struct published_message {
    std::int64_t id = 0;
    std::int64_t at = 0;
    std::int64_t acknowledged = no_instant;
};
std::vector<published_message> published_by(database& in, std::int64_t client, std::int64_t first,
                                            std::int64_t last);

/// A row of `deliveries`, as far as it is about time.
struct received_delivery {
    std::int64_t message = 0;
    std::int64_t made = 0;
    std::int64_t sent = no_instant;
    std::int64_t received = no_instant;
    std::int64_t ended = no_instant;
    std::uint32_t resent = 0;
    std::uint8_t qos = 0;
    std::uint8_t state = 0;  ///< recorded_state
    std::uint8_t reason = 0;
};
std::vector<received_delivery> delivered_to(database& in, std::int64_t client, std::int64_t first,
                                            std::int64_t last);

}  // namespace fleetarium::feed::recorded
