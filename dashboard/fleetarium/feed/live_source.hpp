#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/codec/packets.hpp>
#include <fleetarium/feed/fleet_map.hpp>
#include <fleetarium/feed/kept_messages.hpp>
#include <fleetarium/feed/latency_buckets.hpp>
#include <fleetarium/feed/source.hpp>
#include <fleetarium/feed/topic_table.hpp>
#include <fleetarium/sim/message_tally.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::feed {

/// What a live source keeps of each client: what one message of it touches, in one cache line.
struct alignas(64) client_cell {
    std::uint64_t topic_hash = 0;
    topic_table::id topic = topic_table::none;
    std::uint32_t uncounted = 0;  ///< its messages that `topic` does not have yet
    std::uint32_t uncounted_bytes = 0;
    std::uint32_t published = 0;
    std::uint32_t received = 0;
    std::uint32_t backlog = 0;
    std::uint32_t losses = 0;
    std::uint32_t connects = 0;
    std::uint16_t connection = 0;  ///< version of the present or last one; 0: none
    device_state state = device_state::unseen;
    bool has_topic = false;  ///< `topic_hash` is that of `topic`, be it `none`
    bool tells = false;      ///< what it receives
};
static_assert(sizeof(client_cell) == 64);

/// One thing that happened, as a live source keeps it.
struct kept_event {
    enum class kind : std::uint8_t {
        connected,
        refused,
        disconnected,
        subscribed,
        unsubscribed,
        session_ended,
        will,
        published,
        copy,
        queued,
        sent,
        resent,
        received,
        acknowledged,
        completed,
        dropped,
        lost,
        fault,
        healed,
        violation,
        annotation,
        command
    };
    std::int64_t at = 0;
    std::uint32_t client = kept_message::nobody;
    kind what = kind::connected;
    std::uint8_t qos = 0xFF;
    std::uint64_t message = 0;  ///< its sequence; 0: none
    std::string text{};         ///< filter, reason, sentence
};

/// What live sources have in common: everything that follows from what clients and brokers do.
///
/// Counts are exact. Messages are followed one by one as long as there are not too many: `tick`
/// chooses one in so many for the next moment, and says so in answers. Messages that are lost, and
/// those of clients that somebody looks at, are kept in any case.
/// Memory: a client_cell a client, topic_table, kept_messages, `events_max` events,
/// `changes_per_client` changes of state for each client, but `changes_min` to `changes_max` of 16
/// bytes, `points_max` totals.
/// Thread rule: that of what is shown.
class live_source : public source {
public:
    static constexpr std::size_t events_max = 100'000;
    static constexpr std::size_t changes_per_client = 100;
    static constexpr std::size_t changes_min = 100'000;
    static constexpr std::size_t changes_max = 1'000'000;
    static constexpr std::size_t points_max = 2'000;
    /// Messages followed a second of real time, at most and about; each costs microseconds.
    static constexpr double followed_per_second = 4'000;

    live_source();

    /// About ten times a second: `wall` is the real time since the beginning, in seconds.
    void tick(double wall, bool paused);
    void note_end();

    feed::totals totals(const totals_question& asked) override;
    history_answer history(const history_question& asked) override;
    timeline_answer timeline(const timeline_question& asked) override;
    log_answer log(const log_question& asked) override;
    topics_answer topics(const topics_question& asked) override;
    devices_answer devices(const devices_question& asked) override;
    device_answer device(const device_question& asked) override;
    messages_answer messages(const messages_question& asked) override;
    message_answer message(const message_question& asked) override;

protected:
    // What the owner knows

    virtual instant present() const = 0;
    virtual std::string name_of(std::uint32_t client) const = 0;
    virtual std::string broker_name(std::uint32_t broker) const = 0;
    virtual std::optional<std::uint32_t> find_client(std::string_view name_or_id) const = 0;
    /// Calls for each client; returns false to stop.
    virtual void for_each_client(
        const std::function<bool(std::uint32_t client, const client_cell& cell)>& visit) const = 0;
    virtual client_cell& cell_of(std::uint32_t client) = 0;
    /// The cell is needed soon.
    virtual void prefetch_cell(std::uint32_t) const {}
    /// As client_cell::tells, where that is known without the cell.
    virtual bool tells_what_it_receives(std::uint32_t client) { return cell_of(client).tells; }
    /// What the fold does not know of the totals.
    virtual void complete(feed::totals& to) = 0;
    /// The same of a device.
    virtual void complete(device_row& to, std::uint32_t client) const = 0;
    virtual void complete(device_answer& to, std::uint32_t client) = 0;
    /// The state that is shown, which a fault may decide.
    virtual device_state state_of(std::uint32_t, const client_cell& cell) const {
        return cell.state;
    }
    virtual std::string_view fleet_of(std::uint32_t client) const = 0;
    virtual std::vector<violation_row> violations() { return {}; }

    // What happened; `number` is the same for all that concerns a message

    void note_message(std::uint32_t broker, std::uint32_t publisher,
                      const fleetarium::publish& message, std::uint64_t number, bool copy,
                      instant published, instant now);
    void note_decision(std::uint32_t client, const broker::broker_event& decision,
                       std::uint64_t number, bool is_copy);
    void note_received(std::uint32_t client, std::uint64_t number, enum qos qos, bool repeated,
                       instant published, instant now);
    void note_completed(std::uint32_t publisher, std::uint64_t number, enum qos qos, instant now);
    void note_lost(std::uint32_t client, std::uint64_t number, instant now);
    void note_fault(const fault_row& begun_or_ended, bool ends);
    void note_event(kept_event happened);

    // For answers

    /// Throws if `at` lies before what is kept: the present is all there is.
    void require_present(const std::optional<seconds>& at) const;
    device_row row_of_client(std::uint32_t client, const client_cell& cell) const;
    /// Counts at clients what was put off: before anybody looks at their cells.
    void count_touches() { tally_.settle(); }
    /// Asked before what happened is noted, which asks again.
    sim::message_tally& tally_of_messages() { return tally_; }
    void count_topics();
    /// Brings the counts of a client's topic over.
    void count_topic_of(client_cell& cell);
    /// Whether the run is over: nothing more can be done to it.
    bool has_ended() const { return ended_; }
    static seconds in_seconds(instant at) {
        return static_cast<double>(at.time_since_epoch().count()) / 1e9;
    }

    struct state_change {
        std::int64_t at;
        std::uint32_t client;
        device_state before;
        device_state after;
    };
    /// Of clients 0 to `clients`, by undoing what came after.
    std::vector<device_state> states_at(seconds at, std::size_t clients);
    /// The instant itself, or the first of which states are known.
    seconds shown_at(seconds asked) const;
    static device_look look_of(const client_cell& cell, device_state state, measure show);
    /// What a broker has of a client's session.
    static void add_session(const broker::broker_core& core, const std::string& client_id,
                            device_answer& to);

private:
    party_names names() const;
    void note_unfollowed();
    bool is_watched(std::uint32_t client) const;
    /// Since when everything about a client is kept; null: it is not.
    const instant* since_watched(std::uint32_t client) const;
    void watch(std::uint32_t client);
    kept_message* kept(std::uint64_t number) {
        return tally_.tells_of(number) ? messages_.find(number) : nullptr;
    }
    kept_message* keep_loss(std::uint64_t number, std::string_view topic, enum qos qos,
                            instant published, instant now);
    void set_state(std::uint32_t client, client_cell& cell, device_state state, instant now);
    void note_client(const broker::broker_event& decision, std::uint32_t client);
    void note_drop(const broker::broker_event& decision, std::uint32_t client,
                   std::uint64_t number);
    event_row row_of_event(const kept_event& happened) const;
    event_row row_of_event(const kept_event& happened, const std::string& name) const;
    feed::totals now_totals();

    using touch = sim::message_tally::touch;
    topic_table::id count_published(std::uint32_t publisher, std::string_view topic,
                                    std::uint64_t hash, std::size_t size);
    void count_touches(std::span<const touch> made);

    class counting_tally final : public sim::message_tally {
    public:
        explicit counting_tally(live_source& of) : of_(of) {}

    private:
        void count_touches(std::span<const touch> made) override { of_.count_touches(made); }
        live_source& of_;
    };

    counting_tally tally_{*this};
    feed::totals sums_;
    latency_counts latency_{};
    std::int64_t queued_ = 0;
    topic_table topics_;
    kept_messages messages_;
    bool has_thinned_ = false;       // some messages were not followed
    double unfollowed_at_ = 0;       // wall
    std::uint64_t losses_kept_ = 0;  // since the last tick
    std::uint64_t messages_at_tick_ = 0;
    double wall_ = 0;
    instant at_tick_{};
    double speed_ = 0;
    bool paused_ = false;
    bool ended_ = false;
    std::deque<kept_event> events_;
    std::uint64_t events_forgotten_ = 0;
    std::deque<kept_event> watched_events_;
    struct watched_client {
        std::uint32_t client;
        instant since;
    };
    std::vector<watched_client> watched_;
    std::deque<state_change> changes_;
    bool forgot_changes_ = false;
    std::size_t clients_changed_ = 0;  // numbers of all that ever changed are below
    std::vector<feed::totals> points_;
    double point_spacing_ = 0;  // seconds of the run
    std::deque<fault_row> faults_;
    std::uint32_t faults_active_ = 0;
};

}  // namespace fleetarium::feed
