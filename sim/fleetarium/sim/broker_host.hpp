#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/core/prefetch.hpp>
#include <fleetarium/core/stable_storage.hpp>
#include <fleetarium/sim/access_policy.hpp>
#include <fleetarium/sim/broker_storage.hpp>
#include <fleetarium/sim/report.hpp>
#include <fleetarium/sim/session_names.hpp>
#include <fleetarium/sim/world_state.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fleetarium::sim::detail {

/// A broker as a host of a world: a broker core, the broker's ends of all links, and the accounts
/// of what the core decides.
class broker_host final : private broker::broker_hooks {
public:
    broker_host(world_state& world, const broker_spec& spec, broker_hooks* embedder);
    ~broker_host() override;

    const broker_spec& spec() const { return spec_; }
    broker::broker_core& core() { return *core_; }
    const broker::broker_core& core() const { return *core_; }
    /// Of all its processes, where it has had several.
    broker::broker_metrics metrics() const;
    /// With storage, whether its process has ended and no other has begun.
    bool has_ended() const { return is_dead_; }
    /// What was due before that has been done: there was a process, and its turn was over.
    instant done_until() const { return std::min(world_.now, stands_since_); }
    /// With storage, how its processes have ended.
    const std::optional<storage_report>& storage_counts() const { return counts_; }
    /// Whether nobody listens.
    bool is_down() const { return storage_ == nullptr ? outages_ != 0 : is_dead_; }
    host_id id() const { return id_; }
    instant now() const { return world_.now; }
    const host_chain& chain() const { return chain_; }
    broker_report report() const;

    void handle(const event& what);

    /// After a verb of the core: sends what it wants sent.
    void flush();

    /// The link of a connection has been broken by hand: what is under way to here is lost.
    void lose_incoming(std::uint32_t connection, host_id peer);

    // Looking ahead, step by step; see broker_core.
    bool can_be_looked_ahead_at() const { return storage_ == nullptr; }
    void prefetch(std::uint32_t connection) const {
        if (connection < links_end_ && can_be_looked_ahead_at()) {
            fleetarium::prefetch(&link_of(connection));
            core_->prefetch(connection);
        }
    }
    void prefetch_receiver_link(std::string_view topic) const {
        const broker::connection_id to = core_->prefetch_receiver_connection(topic);
        if (to < links_end_) {
            fleetarium::prefetch(&link_of(to));
        }
    }
    /// Whether nothing is under way to a client, whose bytes are listened to.
    bool is_silent(std::uint32_t connection, host_id peer) const {
        if (connection >= links_end_ ||
            std::any_of(waiting_.begin(), waiting_.end(), [&](const event& each) {
                return each.link == connection && each.kind() != event_kind::open;
            })) {
            return false;
        }
        const link& to = link_of(connection);
        return to.open && !to.deaf && !to.congested && to.peer == peer &&
               to.down.last_arrival < world_.now;
    }
    /// Whether an event is of a link that is gone.
    bool is_void(const event& what) const {
        return what.link >= links_end_ || !link_of(what.link).open ||
               link_of(what.link).peer != what.origin;
    }
    /// Whether nobody takes in what an event brings.
    bool is_unheard(const event& what) const { return is_void(what) || link_of(what.link).deaf; }
    /// Calls `visit(const delivery&, receiver)` for what sessions have not completed. Linear in
    /// sessions.
    template <class Visitor>
    void for_each_held(Visitor&& visit) const {
        const broker::session_registry& all = core_->sessions();
        for (broker::session_index i = 0; i < all.slots().end(); ++i) {
            if (all.slots().contains(i)) {
                all[i].state.outbound.for_each(
                    [&](const delivery& each) { visit(each, receiver_of(names_.told(i))); });
            }
        }
    }
    /// The session that the ledger knows by this number, no_session: there is none.
    broker::session_index session_told_as(broker::session_index number) const {
        return names_.of_core(number);
    }
    /// Whether there is more of it than caches hold.
    bool is_large() const { return links_end_ > 5'000; }

    std::function<void(const broker::broker_event&)> on_decision;

private:
    /// The broker's end of a link.
    struct alignas(64) link {
        const network* by = nullptr;
        link_progress down;
        segment* outgoing = nullptr;  // identities of PUBLISHes not yet polled
        segment* incoming = nullptr;  // identities whose PUBLISHes are not whole yet
        host_id peer = 0;
        std::uint32_t generation = 0;  // the client's
        std::uint32_t last_count = 0;  // of the newest QoS 1 or 2 message taken on
        bool open = false;
        bool deaf = false;
        bool congested = false;
    };
    static_assert(sizeof(link) == 64 && std::is_trivially_destructible_v<link>);

    /// Whose session it is, and what is to be known again when it resumes.
    struct session_owner {
        host_id host = world_observer::nobody;
        std::uint32_t last_count = 0;
    };

    link& link_of(std::uint32_t connection) const { return links_[connection]; }
    std::unique_ptr<broker::broker_core> make_core() {
        broker_hooks& hooks = *this;  // a private base: not for make_unique to see
        return std::make_unique<broker::broker_core>(spec_.options, &hooks);
    }
    void handle_now(const event& what);
    void send_outputs();
    void open(const event& what);
    void receive(const event& what);
    void close(std::uint32_t connection);
    bool refuse_while_down(const event& what);
    void reset_half_open(const event& voided);
    void handle_fault(const event& what);
    void crash(bool keeps_sessions);
    void cut_all_links();
    void lose_unsent();
    void refuse(const event& opening);

    // With storage; broker_process.cpp
    void load_core();
    void begin_process();
    void wait_for_turn(const event& what);
    void end_turn();
    bool commit();
    void handle_broker_fault(const fault_spec& spec);
    void die(bool power_cut);
    void end_process();
    void restart();
    void tell_of_death();
    void tell_drop(broker::session_index from, const delivery& lost, broker::drop_reason why);
    void hear_in_vain();
    void lose_waiting();
    const broker::broker_event& renamed(const broker::broker_event& decision);
    void send_cut_short(std::uint32_t connection, const wire_buffer& bytes, segment* identities,
                        const packet_cut& cut);
    void arm();
    random_key key_for(const link& of) const;
    void post_down(link& of, instant at, event_kind kind, std::uint64_t payload);
    message_identity take_identity(link& from, const fleetarium::publish& message);
    message_identity take_identity(link& from, enum qos qos);
    void count_if_unannounced(const message_identity& taken, std::string_view topic);

    // broker_hooks
    reason_code authenticate(const broker::client_info& client,
                             const fleetarium::connect& request) override;
    broker::authentication_step authenticate_enhanced(const broker::client_info& client,
                                                      std::string_view method,
                                                      bytes_view data) override;
    bool authorize_publish(const broker::client_info& client,
                           const fleetarium::publish& message) override;
    bool authorize_subscribe(const broker::client_info& client, std::string_view filter,
                             const subscription_options& options) override;
    bool wants_events() const override { return true; }
    bool wants_authorization() const override { return !open_to_all_ || embedder_ != nullptr; }
    std::uint64_t number_client_id(std::uint64_t) override { return ++client_ids_assigned_; }
    message_identity identify(broker::connection_id publisher, std::uint64_t next_number,
                              const fleetarium::publish& message, instant now) override;
    void on_event(const broker::broker_event& of_core) override;

    void note_sent(const broker::broker_event& decision);
    void note_dropped(const broker::broker_event& decision);
    void note_connected(const broker::broker_event& decision);
    accounting::receiver receiver_of(broker::session_index session) const;
    host_id host_of(const broker::broker_event& decision) const;
    std::uint32_t index() const { return id_ - first_broker_host; }
    /// Null: nothing is to be told.
    ledger* book() const { return is_mute_ ? nullptr : world_.book.get(); }
    broker_hooks* embedder() const { return is_mute_ ? nullptr : embedder_; }

    world_state& world_;
    const broker_spec spec_;
    broker_hooks* embedder_;
    bool embedder_wants_events_;
    access_policy policy_;
    bool open_to_all_;
    std::unique_ptr<broker::broker_core> core_;
    host_id id_;
    host_chain chain_;
    instant armed_ = never;
    std::uint32_t outages_ = 0;  // faults that keep it down
    std::uint32_t sequence_ = 0;
    std::uint32_t count_ = 0;  // of messages made here
    accounting::source source_;
    accounting::source next_source_;  // of the message that the core makes next
    segment* reading_ = nullptr;      // identities of the bytes being handled
    std::uint32_t reading_link_ = 0;
    bool routing_ = false;  // between `received` and `routed`
    stable_storage<link> links_;
    std::uint32_t links_end_ = 0;
    std::vector<session_owner> owners_;  // by session
    std::uint64_t client_ids_assigned_ = 0;

    // With storage
    std::unique_ptr<broker_storage> storage_;  // null: it has none
    session_names names_;
    broker::broker_metrics of_earlier_processes_{};
    std::optional<storage_report> counts_;
    std::vector<event> waiting_;  // for the turn under way to end
    std::vector<event> in_hand_;  // of the turn that ends
    broker::broker_event renamed_;
    instant turn_end_ = never;      // never: no turn is under way
    instant stands_since_ = never;  // the turn under way began then, or the last process ended

    /// The process ends with the turn under way.
    struct coming_death {
        bool power_cut;
        std::size_t heard;  // so many of those waiting came before
    };
    std::optional<coming_death> dies_after_turn_;
    bool is_dead_ = false;
    bool is_mute_ = false;  // what the core does now has not happened
};

}  // namespace fleetarium::sim::detail
