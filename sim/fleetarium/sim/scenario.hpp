#pragma once

#include <fleetarium/broker/broker_options.hpp>
#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/distribution.hpp>
#include <fleetarium/sim/arrival.hpp>
#include <fleetarium/sim/behaviour.hpp>
#include <fleetarium/sim/fault.hpp>
#include <fleetarium/sim/generator.hpp>
#include <fleetarium/sim/preset.hpp>
#include <fleetarium/sim/shadow_service.hpp>
#include <fleetarium/sim/sparkplug.hpp>
#include <fleetarium/storage/sync_mode.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What a world is made of, as plain values: a scenario file is read into these structs
/// (scenario_loader.hpp), and C++ users fill in the same structs by hand. Every member has a
/// default, so `fleet_spec{.name = "doors", .count = 20}` is a complete fleet.
///
/// Members called templates are text with placeholders such as `{index}`; text_template.hpp has
/// the list. Durations that may be "off" or "for ever" are optional.
namespace fleetarium::sim {

/// A session expiry that never comes.
inline constexpr duration for_ever = duration::max();

/// Who may connect with a password.
struct user_spec {
    std::string user_name{};
    std::string password{};
};

/// Permission to publish to and subscribe to topics. An action is allowed if any rule for the
/// client allows it. In filters `%c` stands for the client id, `%u` for the user name.
struct access_rule {
    std::optional<std::string> user_name{};  ///< none: the rule is for every client
    std::vector<std::string> publish{};      ///< filters of topic names
    std::vector<std::string> subscribe{};    ///< filters that cover the filters asked for
};

/// Where a broker keeps what is to outlive its process: a session file, as with `--persist`, on a
/// disk of its own.
struct storage_spec {
    storage::sync_mode sync = storage::sync_mode::full;
    /// How long what happens in a turn of the broker takes to become durable; what it says in that
    /// turn leaves then, and what comes meanwhile belongs to the next.
    distribution commit_time = distribution::constant(2e6);
    std::uint32_t sector_size = 4096;        ///< bytes; a power of two from 512 to 65,536
    bool tears_sectors = false;              ///< a power cut may leave garbage in a sector
    bool lies_about_sync = false;            ///< syncs succeed and do nothing
};

struct broker_spec {
    std::string name = "broker";
    broker::broker_options options{};        ///< limits and manners
    std::optional<storage_spec> storage{};   ///< none: a crash keeps what the fault says
    std::vector<user_spec> users{};
    bool allow_anonymous = true;             ///< let clients without a user name in
    std::vector<access_rule> access{};       ///< empty: everything is allowed
};

/// One direction of a link.
struct direction_spec {
    distribution latency{};                     ///< per chunk; order is kept
    std::optional<std::uint64_t> bandwidth{};   ///< bytes a second; none: no limit
};

/// The way between a device and its broker: a reliable byte stream, as TCP is.
struct network_spec {
    std::string name = "network";
    direction_spec up{};                        ///< device to broker
    direction_spec down{};                      ///< broker to device
    std::optional<std::uint32_t> mtu{};         ///< chunks longer than this arrive in segments
    double split_probability = 0;               ///< 0..1: chunks cut at a random byte
};

struct will_spec {
    std::string topic{};                        ///< template
    std::string payload{};                      ///< template
    enum qos qos = qos::at_most_once;
    bool retain = false;
    duration delay{};                           ///< whole seconds; version 5
    std::optional<sparkplug_payload> sparkplug{};  ///< in place of `payload`
};

/// How a stretch online ends.
enum class offline_manner : std::uint8_t {
    cut,         ///< the link breaks without a DISCONNECT: wills are due
    disconnect,  ///< the device says goodbye: DISCONNECT, then close
};

/// Patchy coverage, or devices that come online now and then. Each device alternates between
/// online and offline on its own; while offline, no connection attempt succeeds.
struct coverage_spec {
    distribution up{};                          ///< length of a stretch online
    distribution down{};                        ///< length of a gap
    offline_manner manner = offline_manner::cut;
};

/// Which device of a fleet the next message goes to.
enum class pick : std::uint8_t {
    in_turn,  ///< index 0, 1, 2, ..., from the beginning after the last
    random,   ///< each time any, with equal chances
};

/// Devices as receivers: the topic is made in the terms of the device picked.
struct target_spec {
    std::string fleet{};
    std::string topic{};                        ///< template; {index}, {client_id}... of the target
    enum pick pick = pick::in_turn;
};

/// What a device answers to, or takes as a sign: all that is given has to be so.
struct message_condition {
    std::optional<std::string> payload{};       ///< this, to the byte
    /// A member of the JSON payload that is there, and not null: "state.delta" is the member
    /// delta of the member state.
    std::optional<std::string> member{};
    std::optional<std::string> sparkplug{};     ///< a metric of NCMD or DCMD that is set to true
};

/// What makes a device publish besides time.
struct trigger_spec {
    bool connect = false;                       ///< each connect, when subscriptions are sent
    std::optional<std::string> message{};       ///< filter template: a message received
    message_condition when{};                   ///< of the message
};

/// A message each device of a fleet publishes again and again.
///
/// A device's k-th message is due at start + phase + k periods (+ jitter), counted from the
/// beginning of the run whether or not the device is connected. When a message falls due while
/// the device is offline, QoS 0 is lost and QoS 1 and 2 wait in the device for the connection.
struct publication_spec {
    std::string name{};                         ///< for the report; empty: the topic template
    std::string topic{};                        ///< template; empty exactly if `to` is set
    std::optional<target_spec> to{};
    distribution period{};                      ///< a constant, or drawn for each message; > 0,
                                                ///< or nothing with an `arrival` or `on`
    duration jitter{};                          ///< each message up to this much later, evenly
    std::optional<duration> phase{};            ///< none: anywhere in the first period, evenly
    duration start{};                           ///< nothing is due before, from the run's start
    std::optional<duration> until{};            ///< nothing is due from here on
    std::optional<std::uint64_t> count{};       ///< messages per device; none: no limit
    enum qos qos = qos::at_most_once;
    bool retain = false;
    std::string payload{};                      ///< template
    std::optional<duration> message_expiry{};   ///< whole seconds; version 5
    /// Template in the sender's terms. Makes the message a request: it carries this response
    /// topic and correlation data, and the time until the reply is measured. Version 5. The fleet
    /// has to subscribe to the topic.
    std::optional<std::string> response_topic{};
    duration reply_timeout = std::chrono::seconds(30);  ///< later replies count as missing
    std::optional<arrival_spec> arrival{};      ///< in place of `period` and `jitter`
    std::vector<stage_spec> stages{};           ///< more and less, from `start` on
    /// Also then, or, without a period and an arrival, only then. Not before `start` nor from
    /// `until` on, and never more than `count`.
    std::optional<trigger_spec> on{};
    std::optional<sparkplug_payload> sparkplug{};  ///< in place of `payload`
};

struct subscription_spec {
    std::string filter{};                       ///< template; `$share/NAME/...` shares it
    enum qos qos = qos::at_least_once;
    bool no_local = false;                      ///< version 5
    bool retain_as_published = false;           ///< version 5
    enum retain_handling retain_handling = retain_handling::send;  ///< version 5
    std::optional<std::uint32_t> identifier{};  ///< 1..268,435,455; version 5
    std::optional<duration> until{};            ///< it is ended then, from the run's beginning
};

/// What devices answer to messages they receive.
struct reply_spec {
    std::string on{};                           ///< filter template: the messages answered
    message_condition when{};                   ///< only those
    std::optional<std::string> to{};            ///< template; none: the request's response topic
    distribution delay{};                       ///< from receiving to replying
    enum qos qos = qos::at_least_once;
    bool retain = false;
    std::string payload{};                      ///< template
};

/// A certificate of its own for each device, with its client id as Common Name, of the test
/// authority that follows from the seed (net::test_certificate_authority), which the devices trust
/// in turn. For brokers that are reached by TLS, outside of the world.
struct certificates_spec {
    std::uint64_t seed = 1;
    /// Template of a duration from the run's beginning, such as "24h", or "never"; {variables} of a
    /// behaviour are as they are when the device connects. From then on brokers of the world hang
    /// up on it, as TLS does, before it has said CONNECT; connections that there are go on. So
    /// does a text that is no duration. None: always valid. Brokers outside of the world are shown
    /// certificates that are valid.
    std::optional<std::string> expires{};
};

struct fleet_spec {
    std::string name = "fleet";
    std::uint32_t count = 1;                    ///< devices
    std::string broker{};                       ///< name; empty: the first
    std::string network{};                      ///< name; empty: the first
    std::string client_id = "{fleet}-{index}";  ///< template; a different id for each device
    protocol_version version = protocol_version::v5;
    duration keep_alive = std::chrono::seconds(60);  ///< whole seconds; 0 is off
    bool clean_start = true;                    ///< of each connect; Clean Session in 3.1.1
    std::optional<duration> session_expiry{};   ///< whole seconds or for_ever; version 5
    /// QoS 1 and 2 messages that a device holds until they are acknowledged, 1 and up; what falls
    /// due beyond is lost. None: 65,535.
    std::optional<std::uint32_t> queue_messages_max{};
    std::optional<std::uint16_t> receive_maximum{};      ///< 1 and up; version 5
    std::optional<std::uint32_t> maximum_packet_size{};  ///< bytes; version 5
    std::optional<std::uint16_t> topic_alias_maximum{};  ///< version 5
    std::optional<std::string> user_name{};     ///< template
    std::optional<std::string> password{};      ///< template
    std::optional<certificates_spec> certificates{};
    std::optional<will_spec> will{};
    duration start{};                           ///< first connect, from the run's beginning
    duration ramp_up{};                         ///< first connects evenly over this; 0: all at once
    /// From losing a connection, or being refused, to the next try; 10 ms at least.
    distribution reconnect_delay = distribution::constant(1e9);
    std::optional<coverage_spec> online{};      ///< none: always in coverage
    std::vector<publication_spec> publications{};
    std::vector<subscription_spec> subscriptions{};
    std::vector<reply_spec> replies{};
    /// What payloads of publications and replies call {name}: values with a state per device.
    std::vector<generator_spec> generators{};
    std::optional<shadow_service_spec> shadow_service{};  ///< the devices play it
    /// A convention that adds subscriptions, publications, replies and a will to those above:
    /// expand_preset(). A world does so by itself.
    std::optional<preset_spec> preset{};
    std::optional<behaviour_spec> behaviour{};  ///< none: online, and all publications run
};

/// What an expectation looks at. Over time (sampling_spec), ratios, latencies and rates are of the
/// time since the sample before; counts too, in `always`, and in `eventually` they count from its
/// beginning.
enum class metric : std::uint8_t {
    delivery_ratio,    ///< delivered / (due for delivery - under way at the end), 0..1
    messages_published,
    messages_delivered,
    duplicates,        ///< copies of a message that a subscription got more than once
    /// Deliveries that ended in a drop, and, unless receiver or QoS are named, messages that the
    /// broker refused; optionally of one reason. Messages that nobody subscribes to count only if
    /// that reason is named.
    drops,
    latency,           ///< a percentile of publish to delivery, seconds
    connected_ratio,   ///< devices connected at the end / all devices, 0..1
    reply_ratio,       ///< replies in time / requests whose time is over, 0..1
    reply_latency,     ///< a percentile of request to reply, seconds
    publish_rate,      ///< messages published a second; at the end of all the run
    delivery_rate,     ///< messages delivered a second
    /// Messages published and deliveries due that are neither delivered nor dropped nor lost yet.
    /// In `eventually`: of the messages published before its beginning, those that devices or
    /// brokers hold, QoS 1 and 2 until they are acknowledged. Such a sample is linear in sessions.
    backlog,
    state_ratio,       ///< devices in a state of their behaviour at the end / devices, 0..1
    states_entered,    ///< how often devices came into a state
};

/// From when on an expectation looks.
enum class moment : std::uint8_t {
    start,       ///< the run's beginning
    last_fault,  ///< the last fault of the run is over, or happened; without any, the beginning
};

/// When an expectation over time looks at its metric: `from` after that moment, then every so
/// often, and at last `until` after it. The world's state is not changed by being looked at.
struct sampling_spec {
    enum moment after = moment::start;
    duration from{};
    std::optional<duration> until{};  ///< none: to the end of the run
    /// Above 0; none: a thousandth of the run, but a second at least; for the backlog in
    /// `eventually` a twentieth of the time.
    std::optional<duration> every{};

    friend bool operator==(const sampling_spec&, const sampling_spec&) = default;
};

/// A bound on a metric, at the end of the run or over time. Members that narrow what is counted are
/// all optional.
struct expectation_spec {
    std::string name{};                         ///< for the report; empty: made from the rest
    enum metric metric = metric::delivery_ratio;
    std::string fleet{};     ///< messages this fleet published (connected_ratio: its devices)
    std::string receiver{};  ///< deliveries to this fleet
    std::string topic{};     ///< filter of topic names
    std::optional<enum qos> qos{};  ///< QoS of the delivery
    std::optional<broker::drop_reason> reason{};  ///< drops: only those of this reason
    std::string state{};   ///< state_ratio and states_entered, which need it, and `fleet`
    std::string cohort{};  ///< state_ratio: only devices of this cohort
    double percentile = 99;  ///< latency and reply_latency: 0..100
    std::optional<double> min{};  ///< latency and reply_latency: seconds
    std::optional<double> max{};
    std::optional<sampling_spec> always{};      ///< within the bound at each sample
    std::optional<sampling_spec> eventually{};  ///< at one of them at least; not both

    friend bool operator==(const expectation_spec&, const expectation_spec&) = default;
};

struct scenario {
    std::string name = "unnamed";
    std::string description{};
    std::uint64_t seed = 1;
    bool ledger = true;                         ///< prove that rules are kept: world_options
    fleetarium::duration duration = std::chrono::minutes(1);
    std::vector<broker_spec> brokers{};         ///< empty: one broker with defaults
    std::vector<network_spec> networks{};       ///< empty: one network without latency
    std::vector<fleet_spec> fleets{};
    std::vector<fault_spec> faults{};
    std::vector<expectation_spec> expectations{};
};

}  // namespace fleetarium::sim
