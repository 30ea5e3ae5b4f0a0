#pragma once

#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/broker/metrics.hpp>
#include <fleetarium/codec/packets.hpp>
#include <fleetarium/codec/reason_code.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/latency_histogram.hpp>
#include <fleetarium/sim/fault.hpp>
#include <fleetarium/sim/ledger_report.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim {

/// No source, no receiver.
inline constexpr std::uint32_t no_index = 0xFFFF'FFFF;

/// Who publishes messages for one purpose: a publication, a reply or the will of a fleet, a
/// hand-written client, or a broker on its own account ($SYS).
struct source_report {
    enum class kind : std::uint8_t { publication, reply, will, client, broker };

    kind what = kind::publication;
    std::uint32_t fleet = no_index;  ///< in run_report::fleets; no_index of clients and brokers
    std::string name{};              ///< of the publication, client or broker
    std::string topic{};             ///< the template; empty if each message has its own
};

/// What became of the messages of one source on their way to the broker. Every message published
/// is in one of: lost_offline, queue_full, rejected, lost_on_link, expired, session_ended,
/// received, or under way; in both session_ended and received only if the broker had it, but its
/// acknowledgement was lost with the session.
struct publisher_counts {
    std::uint32_t source = no_index;  ///< in run_report::sources
    std::uint64_t published = 0;      ///< fell due, or were asked for
    std::uint64_t lost_offline = 0;   ///< QoS 0 while not connected
    std::uint64_t queue_full = 0;     ///< more unacknowledged than the device holds
    std::uint64_t rejected = 0;       ///< the server allows no such QoS, RETAIN or size
    std::uint64_t lost_on_link = 0;   ///< QoS 0, under way when the link broke
    std::uint64_t expired = 0;        ///< in the device, waiting for a connection
    std::uint64_t session_ended = 0;  ///< in flight when the server had lost the session
    std::uint64_t received = 0;       ///< decoded at the broker, refused ones among them
    std::uint64_t received_again = 0;  ///< resent copies that the broker decoded once more
    std::uint64_t acknowledged = 0;   ///< QoS 1 and 2, complete at the publisher
    std::uint64_t routed = 0;         ///< had at least one delivery
    std::uint64_t deliveries = 0;     ///< made by routing
    /// By drop_reason: messages that reached nobody or were refused.
    std::array<std::uint64_t, broker::drop_reason_count> dropped{};

    std::uint64_t requests = 0;          ///< messages that asked for a reply
    std::uint64_t replies_in_time = 0;
    std::uint64_t replies_missing = 0;   ///< the time for the reply is over
    latency_histogram reply_latency{};   ///< request published to reply received
};

/// Deliveries of one source to one fleet at one QoS.
struct flow_counts {
    std::uint32_t source = no_index;    ///< in run_report::sources
    std::uint32_t receiver = no_index;  ///< in run_report::fleets; no_index: hand-written clients
    enum qos qos = qos::at_most_once;   ///< of the delivery
    /// Deliveries the broker took on. Each ends delivered, dropped or lost, or is under way. (One
    /// whose session ended between its reception and its acknowledgement shows as delivered, by
    /// the receiver, and as dropped, by the broker.)
    std::uint64_t due = 0;
    std::uint64_t delivered = 0;        ///< decoded at the receiver, copies not counted
    std::uint64_t lost_on_link = 0;     ///< QoS 0, under way when the link broke
    std::uint64_t duplicates = 0;       ///< further copies of what was delivered
    std::array<std::uint64_t, broker::drop_reason_count> dropped{};  ///< by drop_reason
    /// Published to delivered, in virtual time; messages retained before the subscription was made
    /// are not in it.
    latency_histogram latency{};

    std::uint64_t dropped_total() const;
    /// Neither delivered nor dropped nor lost so far.
    std::uint64_t under_way() const;
};

/// The messages whose topic matches a filter; all messages if it is empty. Rows that would be all
/// zero are left out; rows are in order of source, receiver and QoS.
struct selection_report {
    std::string topic_filter{};
    std::vector<publisher_counts> publishers{};
    std::vector<flow_counts> flows{};
};

/// A state of a fleet's behaviour.
struct state_report {
    std::string name{};
    std::uint64_t entered = 0;                 ///< times, by all devices
    std::uint64_t devices = 0;                 ///< in it at the end
    std::vector<std::uint64_t> by_cohort{};    ///< of these, those of each cohort
};

struct cohort_report {
    std::string name{};
    std::uint64_t devices = 0;
};

/// Connections and sessions of a fleet, as its devices saw them.
struct fleet_report {
    std::string name{};
    std::uint64_t devices = 0;
    std::uint64_t connected = 0;             ///< at the end
    std::uint64_t in_coverage = 0;           ///< at the end
    std::uint64_t connect_attempts = 0;      ///< links opened
    std::uint64_t connects_accepted = 0;
    std::uint64_t sessions_resumed = 0;
    std::map<reason_code, std::uint64_t> connects_refused{};
    std::uint64_t certificates_refused = 0;  ///< attempts with one that was no longer valid
    std::uint64_t connects_failed = 0;       ///< credentials or will no valid CONNECT can carry
    std::uint64_t disconnects = 0;           ///< said goodbye
    std::uint64_t links_cut = 0;             ///< lost coverage
    std::uint64_t closed_by_broker = 0;      ///< after CONNACK
    std::map<reason_code, std::uint64_t> broker_disconnects{};  ///< DISCONNECT from the broker
    std::map<violation, std::uint64_t> violations{};  ///< rules that the broker broke, timeouts too
    std::uint64_t subscriptions_granted = 0;
    std::uint64_t subscriptions_refused = 0;
    std::uint64_t trace_hash = 0;            ///< of this fleet's devices alone
    std::vector<state_report> states{};      ///< of its behaviour
    std::vector<cohort_report> cohorts{};
};

/// How processes of a broker with storage have died.
struct storage_report {
    std::uint64_t crashes = 0;        ///< of the process or its machine
    std::uint64_t behind_commit = 0;  ///< of these, when a turn was durable and not answered yet
    std::uint64_t torn = 0;           ///< of these, in the midst of writing a transaction
};

struct broker_report {
    std::string name{};
    std::optional<storage_report> storage{};  ///< none: it has no storage
    broker::broker_metrics metrics{};
    std::size_t connections = 0;
    std::size_t sessions = 0;
    std::size_t subscriptions = 0;
    std::size_t retained = 0;
    std::size_t deliveries_waiting = 0;      ///< in sessions, sent and unsent
    std::size_t memory_bytes = 0;
};

/// A broker outside of the world, as its links show it. All but the name is for those to fill in
/// who carry the links.
struct remote_broker_report {
    std::string name{};
    std::string url{};
    std::uint64_t connections = 0;                    ///< made
    std::map<std::string, std::uint64_t> failures{};  ///< connections that failed or broke, by why
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
};

/// What a fault of the run came to.
struct fault_report {
    std::string name{};
    fault_kind kind = fault_kind::cut;
    std::uint64_t begun = 0;    ///< times
    std::uint64_t devices = 0;  ///< hit, over all times; of a broker's fault 0
};

/// What an expectation over time came to so far.
struct sampled_report {
    expectation_spec expected{};
    std::uint64_t samples = 0;  ///< at which there was something to measure
    /// `always`: the value that broke the bound first, or else the one nearest to breaking it.
    /// `eventually`: the value that kept the bound, or else the last.
    std::optional<double> measured{};
    std::optional<instant> at{};  ///< of that value
    bool held = false;            ///< `always`: not broken so far; `eventually`: kept at `at`
    bool complete = false;        ///< what is to come cannot change it
};

/// Everything that a run has come to, as plain values. What is not here (wall time, memory of the
/// process) the world cannot know.
struct run_report {
    std::string scenario{};
    std::uint64_t seed = 0;
    duration simulated{};                    ///< virtual time run
    std::uint64_t events = 0;                ///< handled by all hosts
    std::uint64_t trace_hash = 0;
    std::string trace_hash_text{};

    std::vector<fleet_report> fleets{};
    std::vector<broker_report> brokers{};
    /// What these took on, dropped or owed to whom, nobody here knows: counts of it are 0.
    std::vector<remote_broker_report> remote_brokers{};
    std::vector<fault_report> faults{};
    std::vector<source_report> sources{};
    /// The first is of all messages; then one for each topic filter that an expectation names.
    std::vector<selection_report> selections{};
    /// One for each expectation over time.
    std::vector<sampled_report> sampled{};
    /// Whether what must hold held, message by message.
    ledger_report ledger{};

    /// The selection of a filter; null if the world was not told of it before the run.
    const selection_report* find_selection(std::string_view topic_filter) const;
    /// The index of a fleet, or no_index.
    std::uint32_t fleet_index(std::string_view name) const;
};

/// Which rows of a selection count; what is not set counts all.
struct flow_query {
    std::optional<std::uint32_t> fleet{};     ///< publishing fleet
    std::optional<std::uint32_t> receiver{};  ///< receiving fleet
    std::optional<enum qos> qos{};
};

/// The sum of the rows asked for, their histograms merged.
flow_counts sum_flows(const run_report& report, const selection_report& from,
                      const flow_query& which);

/// As sum_flows; `which.receiver` and `which.qos` are not looked at.
publisher_counts sum_publishers(const run_report& report, const selection_report& from,
                                const flow_query& which);

namespace detail {
enum class with_latency : std::uint8_t { no, yes };
void add(flow_counts& to, const flow_counts& more, with_latency how);
void add(publisher_counts& to, const publisher_counts& more, with_latency how);
}  // namespace detail

}  // namespace fleetarium::sim
