#pragma once

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What viewers see of a run, a broker or a recording, as plain values: questions and answers.
/// Both viewers, the window and the web page, know nothing else. The JSON of each, its schema and
/// the documents that describe the feed come from the member lists at the end of the structs.
///
/// Instants are seconds since the beginning of the run: virtual ones in a world, real ones of a
/// broker. `at` of a question is the instant to be shown; without it the present of what is live,
/// the end of a recording.
namespace fleetarium::feed {

/// Seconds since the beginning of the run.
using seconds = double;

inline constexpr std::string_view feed_protocol = "fleetarium.feed.v1";

// Each question and command has the name by which it is asked from outside, and its answer's type.

// ------------------------------------------------------------------------------------ overview

/// The devices of a fleet. A device's number is `first` and its index in the fleet.
struct fleet_info {
    std::string name{};
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    std::string network{};
    std::string broker{};
    std::vector<std::string> cohorts{};
};
BOOST_DESCRIBE_STRUCT(fleet_info, (), (name, first, count, network, broker, cohorts))

/// A fault that a person may begin: a kind, and whether it lasts and hits a broker.
struct fault_kind_info {
    std::string name{};
    bool lasts = false;
    bool hits_broker = false;
};
BOOST_DESCRIBE_STRUCT(fault_kind_info, (), (name, lasts, hits_broker))

struct description;

struct description_question {
    using answer = description;
    static constexpr std::string_view name_of_question = "description";
};
BOOST_DESCRIBE_STRUCT(description_question, (), ())

/// What is shown, and what can be done with it. Does not change while it is shown, but for `end`,
/// `devices` and `fleets` of a broker, where devices are the clients that it has met.
struct description {
    std::string protocol{feed_protocol};
    std::string version{};  ///< of the program
    std::string kind{};     ///< "run", "broker" or "recording"
    std::string title{};    ///< scenario, URL or file
    std::optional<std::uint64_t> seed{};
    double epoch = 0;              ///< instant 0, in seconds since 1970
    seconds begin = 0;             ///< the first instant that can be shown
    std::optional<seconds> end{};  ///< of the run, where it is known
    bool is_live = false;          ///< it goes on
    bool can_control = false;      ///< it takes commands
    bool can_pace = false;         ///< pause, step and speed among them
    bool keeps_history = false;    ///< answers for any instant, not only the present
    std::string command{};         ///< that repeats it in a shell; empty: none does
    std::uint32_t devices = 0;
    std::vector<fleet_info> fleets{};
    std::vector<std::string> networks{};
    std::vector<std::string> brokers{};
    std::vector<std::string> drop_reasons{};  ///< names, by index
    std::vector<fault_kind_info> fault_kinds{};
    std::vector<double> latency_bounds{};  ///< upper bounds of the latency buckets, in seconds
};
BOOST_DESCRIBE_STRUCT(description, (),
                      (protocol, version, kind, title, seed, epoch, begin, end, is_live,
                       can_control, can_pace, keeps_history, command, devices, fleets, networks,
                       brokers, drop_reasons, fault_kinds, latency_bounds))

/// Counts of one QoS since the beginning: the funnel, from left to right.
struct qos_totals {
    std::uint64_t published = 0;     ///< messages that a broker took on, copies not counted
    std::uint64_t copies = 0;        ///< messages that came once more
    std::uint64_t routed = 0;        ///< messages with at least one delivery
    std::uint64_t completed = 0;     ///< messages whose publisher learned that they are complete
    std::uint64_t deliveries = 0;    ///< made, by their own QoS, as all that follow
    std::uint64_t sent = 0;          ///< written for the first time
    std::uint64_t resent = 0;        ///< written once more, with DUP
    std::uint64_t delivered = 0;     ///< received, or, where receivers do not tell, acknowledged
                                     ///< or of QoS 0 and sent
    std::uint64_t acknowledged = 0;  ///< QoS 1 and 2
    std::uint64_t dropped = 0;       ///< by the broker
    std::uint64_t lost = 0;          ///< QoS 0, broken off with its link
};
BOOST_DESCRIBE_STRUCT(qos_totals, (),
                      (published, copies, routed, completed, deliveries, sent, resent, delivered,
                       acknowledged, dropped, lost))

/// What never reached a broker: given up by devices. Known of worlds only.
struct publisher_losses {
    std::uint64_t offline = 0;  ///< QoS 0 while not connected
    std::uint64_t queue_full = 0;
    std::uint64_t rejected = 0;
    std::uint64_t lost_on_link = 0;  ///< QoS 0, under way when the link broke
    std::uint64_t expired = 0;
    std::uint64_t session_ended = 0;
};
BOOST_DESCRIBE_STRUCT(publisher_losses, (),
                      (offline, queue_full, rejected, lost_on_link, expired, session_ended))

/// How everything stands at an instant. Counts are since the beginning, so a viewer takes rates
/// from any two of them, and loses nothing but detail when some are left out.
struct totals {
    seconds at = 0;
    double wall = 0;   ///< seconds of real time since the viewed run began
    double speed = 0;  ///< seconds in a real one, lately
    bool paused = false;
    bool ended = false;
    bool complete =
        true;  ///< false: a recording is being read, and counts, also those of topics and
               ///< devices, are of what has been read so far
    std::array<qos_totals, 3> qos{};
    std::uint64_t published_by_devices = 0;  ///< fell due at devices; 0: not known
    publisher_losses losses{};
    std::vector<std::uint64_t> dropped{};  ///< messages and deliveries, by drop reason
    std::uint64_t payload_bytes_in = 0;    ///< of messages taken on
    std::uint64_t payload_bytes_out = 0;   ///< of deliveries made by routing
    std::uint32_t connected = 0;           ///< now, as the brokers see it
    std::uint64_t connects = 0;
    std::uint64_t disconnects = 0;
    std::uint64_t connects_refused = 0;
    std::uint64_t queued = 0;      ///< deliveries that wait, now
    std::uint64_t in_flight = 0;   ///< deliveries of QoS 1 and 2 sent and not complete, now
    std::uint64_t queued_max = 0;  ///< the most so far
    std::uint64_t in_flight_max = 0;
    std::uint64_t retained = 0;    ///< messages, now
    std::uint64_t violations = 0;  ///< of invariants
    std::uint32_t faults_active = 0;
    std::uint64_t events = 0;  ///< of the world
    /// Deliveries by latency, published to delivered, a count for each of latency_bounds; behind
    /// the last that is not 0 it ends.
    std::vector<std::uint64_t> latency{};
};
BOOST_DESCRIBE_STRUCT(totals, (),
                      (at, wall, speed, paused, ended, complete, qos, published_by_devices, losses,
                       dropped, payload_bytes_in, payload_bytes_out, connected, connects,
                       disconnects, connects_refused, queued, in_flight, queued_max, in_flight_max,
                       retained, violations, faults_active, events, latency))
struct totals_question {
    using answer = totals;
    static constexpr std::string_view name_of_question = "totals";

    std::optional<seconds> at{};
};
BOOST_DESCRIBE_STRUCT(totals_question, (), (at))

struct history_answer;

/// Totals over time: as many as are asked for, evenly spread where there are more.
struct history_question {
    using answer = history_answer;
    static constexpr std::string_view name_of_question = "history";

    std::optional<seconds> from{};
    std::optional<seconds> until{};
    std::uint32_t points = 600;  ///< 2 to 4,000
};
BOOST_DESCRIBE_STRUCT(history_question, (), (from, until, points))

struct history_answer {
    std::vector<totals> points{};  ///< in the order of time
};
BOOST_DESCRIBE_STRUCT(history_answer, (), (points))

// -------------------------------------------------------------------------------------- topics

enum class topic_order : std::uint8_t { name, messages, bytes, recent };
BOOST_DESCRIBE_ENUM(topic_order, name, messages, bytes, recent)

struct topics_answer;

/// A level of the topic tree, or, with `search`, topics that contain a text.
struct topics_question {
    using answer = topics_answer;
    static constexpr std::string_view name_of_question = "topics";

    std::optional<seconds> at{};
    std::string parent{};        ///< "site/7": what is below it; empty: the first level
    bool parent_is_root = true;  ///< false: `parent` names a topic, be it an empty one
    std::string search{};        ///< part of a name, or a topic filter with + or #
    topic_order order = topic_order::name;
    std::uint32_t offset = 0;
    std::uint32_t limit = 200;  ///< 1 to 2,000
};
BOOST_DESCRIBE_STRUCT(topics_question, (),
                      (at, parent, parent_is_root, search, order, offset, limit))

struct topic_row {
    std::string name{};          ///< whole
    std::string level{};         ///< the last level of it
    std::uint32_t children = 0;  ///< levels directly below it
    std::uint64_t messages = 0;  ///< to it and to all below it, since the beginning
    std::uint64_t bytes = 0;     ///< of their payloads
    std::optional<seconds> last_at{};
    std::string last_publisher{};
    std::uint8_t last_qos = 0;
    bool is_topic = false;  ///< something was published to itself
    bool retained = false;  ///< it has a retained message
    std::string payload{};  ///< of its newest message: the first 256 bytes, as in payload_view
    std::string payload_encoding{};
    std::uint32_t payload_size = 0;
};
BOOST_DESCRIBE_STRUCT(topic_row, (),
                      (name, level, children, messages, bytes, last_at, last_publisher, last_qos,
                       is_topic, retained, payload, payload_encoding, payload_size))

struct topics_answer {
    seconds at = 0;
    std::uint32_t all = 0;              ///< rows that match, also those outside of offset and limit
    std::uint64_t topics = 0;           ///< known in all
    std::uint64_t messages_beyond = 0;  ///< whose topics were too many to be told apart
    std::vector<topic_row> rows{};
};
BOOST_DESCRIBE_STRUCT(topics_answer, (), (at, all, topics, messages_beyond, rows))

// ------------------------------------------------------------------------------- fleet and devices

enum class device_state : std::uint8_t {
    unseen,  ///< never connected so far
    connected,
    offline,  ///< was connected
    refused,  ///< its last attempt was refused
    faulted,  ///< hit by a fault that lasts
};
BOOST_DESCRIBE_ENUM(device_state, unseen, connected, offline, refused, faulted)

enum class grouping : std::uint8_t { fleet, network, broker, cohort, none };
BOOST_DESCRIBE_ENUM(grouping, fleet, network, broker, cohort, none)

/// What the second half of a cell shows.
enum class measure : std::uint8_t { none, messages, backlog, losses };
BOOST_DESCRIBE_ENUM(measure, none, messages, backlog, losses)

struct fleet_answer;

/// All devices as cells. Where there are more than `cells` devices, a cell stands for several:
/// `devices_per_cell` of the answer.
struct fleet_question {
    using answer = fleet_answer;
    static constexpr std::string_view name_of_question = "fleet";

    std::optional<seconds> at{};
    grouping by = grouping::fleet;
    measure show = measure::none;
    std::uint32_t cells = 20'000;  ///< 100 to 1,000,000
    std::string group{};           ///< only this one
    /// Of the group: only these, by their place in it.
    std::uint32_t from = 0;
    std::optional<std::uint32_t> until{};
};
BOOST_DESCRIBE_STRUCT(fleet_question, (), (at, by, show, cells, group, from, until))

struct fleet_group {
    std::string name{};
    std::uint32_t devices = 0;
    std::uint32_t connected = 0;
    std::uint32_t faulted = 0;
    /// A byte for each cell, in the order of devices: bits 0 to 2 the device_state, of several the
    /// gravest (faulted, refused, offline, unseen, connected); bits 3 to 7 the measure, 0 to 31,
    /// of several the largest, two steps to each power of two: 0, 1, 2, 3, 4,
    /// 6, 8, 12, ... are 0, 1, 2, 3, 4, 5, 6, 7, ...
    /// In JSON base64, in CBOR bytes.
    std::vector<std::uint8_t> cells{};
};
BOOST_DESCRIBE_STRUCT(fleet_group, (), (name, devices, connected, faulted, cells))

struct fleet_answer {
    seconds at = 0;  ///< that is shown; may be later than asked for, where history ends
    std::uint32_t devices_per_cell = 1;
    std::vector<fleet_group> groups{};
};
BOOST_DESCRIBE_STRUCT(fleet_answer, (), (at, devices_per_cell, groups))

struct device_row;

/// The device at a place of the fleet map.
struct cell_question {
    using answer = device_row;
    static constexpr std::string_view name_of_question = "cell";

    grouping by = grouping::fleet;
    std::string group{};
    std::uint32_t place = 0;
};
BOOST_DESCRIBE_STRUCT(cell_question, (), (by, group, place))

enum class device_order : std::uint8_t { name, published, received, backlog, losses, connects };
BOOST_DESCRIBE_ENUM(device_order, name, published, received, backlog, losses, connects)
struct devices_answer;

struct devices_question {
    using answer = devices_answer;
    static constexpr std::string_view name_of_question = "devices";

    std::optional<seconds> at{};
    std::string search{};  ///< part of a name or client id
    std::string fleet{};
    std::optional<device_state> state{};
    device_order order = device_order::name;  ///< all but name: the most first
    std::uint32_t offset = 0;
    std::uint32_t limit = 100;  ///< 1 to 1,000
};
BOOST_DESCRIBE_STRUCT(devices_question, (), (at, search, fleet, state, order, offset, limit))

struct device_row {
    std::uint32_t device = 0;  ///< its number
    std::string name{};        ///< "meters[3]"
    std::string client_id{};
    device_state state = device_state::unseen;
    std::uint64_t published = 0;  ///< messages that a broker had of it
    std::uint64_t received = 0;
    std::uint64_t backlog = 0;  ///< deliveries that wait for it, now
    std::uint64_t losses = 0;   ///< deliveries to it that were dropped or lost
    std::uint32_t connects = 0;
};
BOOST_DESCRIBE_STRUCT(device_row, (),
                      (device, name, client_id, state, published, received, backlog, losses,
                       connects))

struct devices_answer {
    seconds at = 0;
    std::uint32_t all = 0;  ///< that match
    std::vector<device_row> rows{};
};
BOOST_DESCRIBE_STRUCT(devices_answer, (), (at, all, rows))

/// One thing that happened: to a device, in a message's journey, or in the log.
struct event_row {
    seconds at = 0;
    /// "connected", "refused", "disconnected", "subscribed", "unsubscribed", "session_ended",
    /// "published", "copy", "routed", "retained", "queued", "sent", "resent", "received",
    /// "acknowledged", "completed", "dropped", "lost", "will", "fault", "healed", "violation",
    /// "annotation", "command", "gap"
    std::string what{};
    std::string who{};  ///< name of the device or broker that it is about
    std::optional<std::uint64_t> message{};
    std::string topic{};  ///< or filter
    std::optional<std::uint8_t> qos{};
    std::string text{};  ///< reason, sentence
};
BOOST_DESCRIBE_STRUCT(event_row, (), (at, what, who, message, topic, qos, text))

struct device_answer;

/// From now on everything that happens to this device is kept, where the source does not keep all.
struct device_question {
    using answer = device_answer;
    static constexpr std::string_view name_of_question = "device";

    std::optional<seconds> at{};
    std::string name{};          ///< or client id
    std::uint32_t events = 200;  ///< at most, the newest before `at`; 0 to 2,000
};
BOOST_DESCRIBE_STRUCT(device_question, (), (at, name, events))

struct subscription_row {
    std::string filter{};
    std::uint8_t qos = 0;
};
BOOST_DESCRIBE_STRUCT(subscription_row, (), (filter, qos))

struct device_answer {
    seconds at = 0;
    device_row device{};
    std::string fleet{};
    std::string network{};
    std::string broker{};
    std::optional<std::uint8_t> protocol{};  ///< 4: MQTT 3.1.1, 5: MQTT 5.0
    std::optional<seconds> connected_since{};
    std::optional<std::uint64_t> waiting{};  ///< QoS 1 and 2 messages that it has not got rid of
    std::optional<std::uint64_t> memory_bytes{};
    std::vector<subscription_row> subscriptions{};
    std::vector<event_row> events{};  ///< in the order of time
    bool events_complete = false;     ///< nothing that happened between them is missing
};
BOOST_DESCRIBE_STRUCT(device_answer, (),
                      (at, device, fleet, network, broker, protocol, connected_since, waiting,
                       memory_bytes, subscriptions, events, events_complete))

// ------------------------------------------------------------------------------------ messages

/// What became of a message, in short.
enum class message_state : std::uint8_t { under_way, complete, unheard, dropped, refused };
BOOST_DESCRIBE_ENUM(message_state, under_way, complete, unheard, dropped, refused)

struct messages_answer;

/// Messages, the newest first. A live source keeps the newest, and of a fast run a sample of them;
/// those that were dropped or lost, and those of a device that is looked at, are kept first.
struct messages_question {
    using answer = messages_answer;
    static constexpr std::string_view name_of_question = "messages";

    std::optional<seconds> at{};    ///< none after it
    std::optional<seconds> from{};  ///< none before it
    std::string filter{};           ///< topic filter
    std::string client{};           ///< publisher or receiver: name or client id
    std::optional<std::uint8_t> qos{};
    std::optional<message_state> state{};
    std::string reason{};                   ///< name of a drop reason, or "lost"
    std::optional<std::uint64_t> before{};  ///< only smaller numbers: the next page
    std::uint32_t limit = 100;              ///< 1 to 1,000
};
BOOST_DESCRIBE_STRUCT(messages_question, (),
                      (at, from, filter, client, qos, state, reason, before, limit))

struct message_row {
    std::uint64_t message = 0;  ///< its number: larger ones came later
    seconds at = 0;             ///< the broker had it
    std::string publisher{};
    std::string topic{};
    std::uint8_t qos = 0;
    bool retain = false;
    std::uint32_t size = 0;  ///< of the payload, in bytes
    std::uint32_t deliveries = 0;
    std::uint32_t delivered = 0;
    std::uint32_t resent = 0;
    message_state state = message_state::under_way;
    std::string reason{};  ///< of the first loss
};
BOOST_DESCRIBE_STRUCT(message_row, (),
                      (message, at, publisher, topic, qos, retain, size, deliveries, delivered,
                       resent, state, reason))

struct messages_answer {
    seconds at = 0;
    std::uint32_t one_in = 1;  ///< only so many of all are kept
    seconds kept_from = 0;     ///< older ones are forgotten
    std::vector<message_row> rows{};
};
BOOST_DESCRIBE_STRUCT(messages_answer, (), (at, one_in, kept_from, rows))
struct message_answer;

struct message_question {
    using answer = message_answer;
    static constexpr std::string_view name_of_question = "message";

    std::uint64_t message = 0;
};
BOOST_DESCRIBE_STRUCT(message_question, (), (message))

/// An arrow of a message's sequence diagram, or, where `from` and `to` are the same, a note.
struct message_step {
    seconds at = 0;
    std::optional<seconds> arrived{};  ///< none: not known, or lost
    std::string from{};
    std::string to{};
    std::string packet{};  ///< "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP"; of notes empty
    bool dup = false;
    bool lost = false;
    bool inferred = false;  ///< not seen itself: known because of what followed
    std::string text{};
};
BOOST_DESCRIBE_STRUCT(message_step, (), (at, arrived, from, to, packet, dup, lost, inferred, text))

struct payload_view {
    std::string text{};      ///< as it is if it is UTF-8, else base64
    std::string encoding{};  ///< "text" or "base64"
    std::uint32_t size = 0;  ///< in bytes
    bool cut = false;        ///< only its beginning is here
};
BOOST_DESCRIBE_STRUCT(payload_view, (), (text, encoding, size, cut))

struct property_row {
    std::string name{};
    std::string value{};
};
BOOST_DESCRIBE_STRUCT(property_row, (), (name, value))

struct delivery_row {
    std::string receiver{};
    std::uint8_t qos = 0;
    std::string state{};  ///< as in recordings: "queued", "in_flight", "delivered", ...
    std::string reason{};
    seconds made = 0;
    std::optional<seconds> sent{};
    std::optional<seconds> received{};
    std::optional<seconds> ended{};
    std::uint32_t resent = 0;
    std::uint32_t copies = 0;
};
BOOST_DESCRIBE_STRUCT(delivery_row, (),
                      (receiver, qos, state, reason, made, sent, received, ended, resent, copies))

struct message_answer {
    message_row message{};
    std::optional<seconds> published{};  ///< its publisher made it
    payload_view payload{};
    std::optional<payload_view> payload_before{};  ///< of the message before in the same topic
    std::vector<property_row> properties{};
    std::vector<delivery_row> deliveries{};  ///< 200 at most; message.deliveries has how many
    std::vector<message_step> steps{};       ///< in the order of time; of 20 deliveries at most
};
BOOST_DESCRIBE_STRUCT(message_answer, (),
                      (message, published, payload, payload_before, properties, deliveries, steps))

// --------------------------------------------------------------------------- faults, log, commands

struct fault_row {
    std::uint32_t fault = 0;  ///< its number, the same each time that it begins
    std::string name{};
    std::string kind{};
    std::string where{};  ///< fleet, share, broker in words
    seconds from = 0;
    std::optional<seconds> until{};  ///< none: it goes on
    bool by_hand = false;
};
BOOST_DESCRIBE_STRUCT(fault_row, (), (fault, name, kind, where, from, until, by_hand))

struct violation_row {
    seconds at = 0;
    std::string invariant{};
    std::string text{};
    std::string client{};
    std::optional<std::uint64_t> message{};
};
BOOST_DESCRIBE_STRUCT(violation_row, (), (at, invariant, text, client, message))
struct timeline_answer;

struct timeline_question {
    using answer = timeline_answer;
    static constexpr std::string_view name_of_question = "timeline";

    std::optional<seconds> at{};
};
BOOST_DESCRIBE_STRUCT(timeline_question, (), (at))

/// What is laid over every chart.
struct timeline_answer {
    std::vector<fault_row> faults{};          ///< the newest 2,000
    std::vector<violation_row> violations{};  ///< the first 1,000
    std::vector<event_row> marks{};           ///< annotations, commands, gaps
};
BOOST_DESCRIBE_STRUCT(timeline_answer, (), (faults, violations, marks))
struct log_answer;

struct log_question {
    using answer = log_answer;
    static constexpr std::string_view name_of_question = "log";

    std::optional<seconds> at{};  ///< none after it
    std::string search{};         ///< part of a line
    bool connections = true;      ///< connected, disconnected, refused, subscribed among them
    std::uint32_t limit = 200;    ///< 1 to 2,000
};
BOOST_DESCRIBE_STRUCT(log_question, (), (at, search, connections, limit))

struct log_answer {
    std::uint64_t forgotten = 0;    ///< lines that are no longer kept
    std::vector<event_row> rows{};  ///< the newest that match, in the order of time
};
BOOST_DESCRIBE_STRUCT(log_answer, (), (forgotten, rows))

struct command_answer;

/// Ends a fault that was begun by hand.
struct heal_command {
    using answer = command_answer;
    static constexpr std::string_view name_of_question = "heal";

    std::uint32_t fault = 0;
};
BOOST_DESCRIBE_STRUCT(heal_command, (), (fault))

/// A fault that begins now; JSON as in a scenario's `faults`, without times but `for`.
struct fault_command {
    using answer = command_answer;
    static constexpr std::string_view name_of_question = "fault";

    std::string fault{};  ///< {"kind": "partition", "fleet": "meters", "share": 0.5, "for": "10s"}
};
BOOST_DESCRIBE_STRUCT(fault_command, (), (fault))
struct publish_command {
    using answer = command_answer;
    static constexpr std::string_view name_of_question = "publish";

    std::string broker{};  ///< empty: the first
    std::string topic{};
    std::string payload{};
    std::uint8_t qos = 0;
    bool retain = false;
};
BOOST_DESCRIBE_STRUCT(publish_command, (), (broker, topic, payload, qos, retain))
struct disconnect_command {
    using answer = command_answer;
    static constexpr std::string_view name_of_question = "disconnect";

    std::string client{};  ///< name or client id
};
BOOST_DESCRIBE_STRUCT(disconnect_command, (), (client))
struct pause_command {
    using answer = command_answer;
    static constexpr std::string_view name_of_question = "pause";

    bool paused = true;
};
BOOST_DESCRIBE_STRUCT(pause_command, (), (paused))

/// Runs a paused run on by so much, exactly one of both.
struct step_command {
    using answer = command_answer;
    static constexpr std::string_view name_of_question = "step";

    std::optional<std::uint64_t> events{};  ///< 1 to 1,000,000
    std::optional<seconds> by{};            ///< above 0
};
BOOST_DESCRIBE_STRUCT(step_command, (), (events, by))
struct speed_command {
    using answer = command_answer;
    static constexpr std::string_view name_of_question = "speed";

    std::optional<double> speed{};  ///< seconds in a real one, above 0; none: as fast as possible
};
BOOST_DESCRIBE_STRUCT(speed_command, (), (speed))
struct end_command {
    using answer = command_answer;
    static constexpr std::string_view name_of_question = "end";
};
BOOST_DESCRIBE_STRUCT(end_command, (), ())

struct annotate_command {
    using answer = command_answer;
    static constexpr std::string_view name_of_question = "annotate";

    std::string text{};
};
BOOST_DESCRIBE_STRUCT(annotate_command, (), (text))

struct command_answer {
    seconds at = 0;                        ///< when it took effect
    std::optional<std::uint32_t> fault{};  ///< that was begun
};
BOOST_DESCRIBE_STRUCT(command_answer, (), (at, fault))

struct report_answer;

struct report_question {
    using answer = report_answer;
    static constexpr std::string_view name_of_question = "report";
};
BOOST_DESCRIBE_STRUCT(report_question, (), ())

struct report_answer {
    std::string text{};  ///< JSON, as --report writes it
};
BOOST_DESCRIBE_STRUCT(report_answer, (), (text))

}  // namespace fleetarium::feed
