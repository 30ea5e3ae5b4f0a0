#pragma once

#include <fleetarium/core/prefetch.hpp>
#include <fleetarium/session/client_session.hpp>
#include <fleetarium/sim/arrival_process.hpp>
#include <fleetarium/sim/behaviour_machine.hpp>
#include <fleetarium/sim/device_clock.hpp>
#include <fleetarium/sim/device_sparkplug.hpp>
#include <fleetarium/sim/device_text.hpp>
#include <fleetarium/sim/generator_set.hpp>
#include <fleetarium/sim/shadow_service.hpp>
#include <fleetarium/sim/world_state.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim::detail {

/// A device tries to connect no more often than this: otherwise one that is refused, in a world
/// without latency, would try for ever within one instant.
inline constexpr duration reconnect_delay_min = std::chrono::milliseconds{10};

/// Messages are at least this far apart, whatever a period's distribution says.
inline constexpr duration period_min = gap_min;

struct rival_client;

/// How far a device has got with one of its publications or replies.
struct publication_state {
    instant due = never;       ///< of the next message, by its clock; replies: not used
    std::uint32_t made = 0;    ///< messages so far
    std::uint32_t timed = 0;   ///< of them, those that fell due in time
};

/// What only some devices need.
struct device_extras {
    struct reply {
        instant due;
        std::uint32_t which;
        std::uint32_t number;     ///< of the device's replies of this kind, from 1
        std::string topic;        ///< empty: the reply's own
        std::string request;      ///< payload of the message answered
        std::optional<std::string> correlation_data;
    };
    /// A request not yet answered, or answered while an older one was open.
    struct request {
        instant sent_at;   ///< by the device's clock
        instant sent_in_world;
        bool answered;
    };
    struct request_log {
        std::uint32_t first = 1;  ///< number of the front among the publication's messages
        std::deque<request> open;
    };

    std::vector<reply> replies;           ///< by due; equal ones in their order
    std::vector<request_log> requests;    ///< by publication
    segment* incoming = nullptr;          ///< identities whose PUBLISHes are not whole yet
    /// With a remote broker: whose messages cannot have been meant for this device, since they
    /// were published before its session, or of QoS 0, its connection, began.
    instant session_since = instant::min();
    instant connected_since = instant::min();
    std::unique_ptr<device_clock> clock;  ///< null: it has always been right
    std::unique_ptr<rival_client> rival;  ///< who uses its client id for now
    std::uint32_t rival_generation = 0;   ///< of the next rival's link

    device_extras();
    ~device_extras();
};

/// One device: all that it does not share with its fleet. Its instants are by its own clock, but
/// for `armed` and `coverage_change`. Behind it in memory are its
/// publication_states, its walk numbers, the state of its generators, and, with a behaviour, its
/// behaviour_place and variables.
struct device {
    link_end link;                 ///< with the history; the first line with `armed`
    instant armed = never;         ///< of the pending wake; others are superseded
    std::uint32_t count = 0;       ///< messages numbered
    std::uint32_t draws = 0;       ///< of the reconnect stream
    client_session session;
    std::unique_ptr<device_extras> extras;
    instant connect_at = never;
    instant coverage_change = never;
    std::uint32_t coverage_draws = 0;
    std::uint16_t last_packet_id = 0;  ///< of the newest QoS 1 or 2 message received; 0: none
    bool in_coverage = true;
    bool counted = false;              ///< among the connected ones of its fleet
    std::uint8_t outages = 0;          ///< faults that keep it without power
    bool forgot = false;               ///< its session, when the power went: it begins anew
    std::uint16_t subscriptions_ended = 0;  ///< of those with an end, in its session, by time
    bool wants_link = true;            ///< as its behaviour has it

    explicit device(const client_options& options) : session(options) {}
};

static_assert(sizeof(device) <= 256);

/// A fleet in a world: the spec made ready to use, the devices, and how they behave.
class fleet_state {
public:
    /// Throws std::invalid_argument for what cannot be run.
    fleet_state(world_state& world, const fleet_spec& spec, std::uint32_t index);
    ~fleet_state();
    fleet_state(const fleet_state&) = delete;
    fleet_state& operator=(const fleet_state&) = delete;

    const fleet_spec& spec() const { return spec_; }
    std::uint32_t index() const { return index_; }
    host_id broker() const { return path_.broker; }
    std::uint32_t connected() const { return connected_; }
    host_id host_of(std::uint32_t index) const;
    accounting::source will_source() const { return will_source_; }
    random_key key_of(std::uint32_t index) const { return {combine(key_.value, index)}; }
    device_view view(std::uint32_t index);
    void add_to(trace_hash& sum) const;
    std::uint64_t own_trace_hash() const;
    fleet_report report(run_report& all) const;
    /// Calls for each publication or reply of QoS 1 or 2 of which `count` messages are nowhere:
    /// taken on, but neither acknowledged nor given up nor held by a device. Linear in devices.
    void for_each_lost(
        const std::function<void(std::string_view name, std::uint64_t count)>& visit) const;

    /// Finds target fleets; learns what selections match.
    void prepare();

    void handle(const device_block& block, const event& what);

    /// Whether a device, or who uses its client id, has a link of this number now.
    static bool has_link(const device_block& block, host_id host, std::uint32_t generation);

    /// As behaviour_place has it; 0: none.
    std::uint16_t cohort_named(const std::string& name) const;
    std::uint16_t cohort_of(std::uint32_t index) const;

    /// Asks the processor for what an event of this device reads.
    void prefetch(const device_block& block, host_id host) const {
        const std::byte* const at =
            block.begin + std::size_t{host & (devices_per_block - 1)} * block.stride;
        for (std::size_t line = 0; line < prefetched_; line += 64) {
            fleetarium::prefetch(at + line);
        }
    }

    /// After prefetch: what the device's broker will read when the device speaks.
    void prefetch_broker(const device_block& block, host_id host) const;
    /// The ledger's model of its connection, or, after that, of its session.
    void prefetch_ledger(const device_block& block, host_id host, bool has_connection) const;
    /// After prefetch_broker.
    void prefetch_session(const device_block& block, host_id host) const;

private:
    using text = device_text;

    struct publication {
        const publication_spec* spec;
        text topic;  ///< in the terms of the target, where there is one
        text payload;
        std::optional<text> response_topic;
        fleet_state* target = nullptr;
        accounting::source source = 0;
        std::uint32_t first_walk = 0;
        std::optional<duration> constant_period{};
        std::optional<arrival_process> arrival{};  ///< with an arrival or stages
        content_plan content{};
        content_plan in_topic{};            ///< variables in the topic
        bool on_time = true;                ///< has a period or an arrival
        std::optional<text> on_message{};
        std::optional<sparkplug_content> sparkplug{};  ///< in place of `payload`
    };
    struct subscription_text {
        const subscription_spec* spec;
        text filter;
    };
    /// The time for which one of the subscriptions is meant is over.
    struct subscription_end {
        instant at;
        std::size_t which;
    };
    struct reply {
        const reply_spec* spec;
        text on;
        std::optional<text> to;
        text payload;
        accounting::source source = 0;
        std::uint32_t first_walk = 0;
        content_plan content{};
    };

    /// A device in the course of an event.
    struct context {
        device& self;
        host_id host;
        std::uint32_t index;
    };

    // fleet_state.cpp: building, looking
    text make_text(const std::string& source, template_use use) const;
    text make_content(const std::string& source, template_use use, content_plan& shown) const;
    content_plan plan_for(const text& what) const;
    std::span<const generator_names> names() const {
        return machine_ != nullptr ? std::span<const generator_names>(machine_->names)
                                   : generators_.names();
    }
    void compile();
    void add_sources();
    void make_devices();
    void start_device(const context& at);
    bool speaks_at_once(const device& soon) const;
    device& at(std::uint32_t index) const;
    std::span<publication_state> states(device& of) const;
    std::span<std::uint32_t> walks(device& of, std::uint32_t first, std::size_t count) const;
    std::span<double> generated(device& of) const;
    behaviour_place& place(device& of) const;
    std::span<variable_slot> variables(device& of) const;
    std::span<instant> timers(device& of) const;
    std::span<std::byte> custom_memory(device& of) const;
    std::size_t behaviour_size() const;
    const network& network_of(device& of) const {
        return machine_ == nullptr ? *path_.by : *machine_->networks[place(of).network];
    }
    link_path path_of(device& of) const { return {path_.broker, &network_of(of)}; }
    coverage_of_filter coverage_of(const text& topic, const fleet_state& whose,
                                   std::string_view filter) const;
    void count_open_requests(run_report& all) const;
    void add_missing_reply(run_report& all, accounting::source source,
                           std::string_view topic) const;

    // device_connection.cpp: link, coverage, session
    void wake(const context& at);
    void receive(const context& at, const event& what);
    void handle_event(const context& at, client_event& learned, segment* identities);
    void handle_connack(const context& at, const connack& answer);
    void change_coverage(const context& at);
    bool may_connect(const device& self) const {
        return self.in_coverage && self.outages == 0 && self.wants_link;
    }
    void open_link(const context& at);
    static segment* join_incoming(device& self, segment* arrived);
    static void keep_incoming(device& self, segment* left);
    static device_extras& extras_of(device& self);
    bool is_certificate_valid(const context& at);
    void send_connect(const context& at);
    void send_subscriptions(const context& at);
    void end_subscriptions(const context& at);
    instant next_subscription_end(const device& of) const;
    void end_link(const context& at, event_kind how);
    void link_ended(const context& at);
    void schedule_connect(const context& at);
    void give_up_dropped(const context& at);
    void flush(const context& at);
    /// Where the ledger is to be told of what the fleet's devices do; null: nowhere.
    ledger* book() const { return remote_ == nullptr ? world_.book.get() : nullptr; }
    std::uint32_t broker_index() const { return path_.broker - first_broker_host; }
    /// Wakes the device when its own clock says so; by the world's.
    void arm(const context& at, instant due);
    void wake_at(const context& at, instant due);
    /// By the world's clock.
    instant next_due(const context& at) const;
    instant lost_from(const device& of) const;

    // The device's clock
    const device_clock* clock_of(const device& self) const {
        return clocks_differ_ && self.extras != nullptr ? self.extras->clock.get() : nullptr;
    }
    /// Of its timers.
    instant own_now(const device& self) const {
        const device_clock* const clock = clock_of(self);
        return clock == nullptr ? world_.now : clock->own(world_.now);
    }
    /// What is to be added to own time for the time of day.
    duration shift_of(const device& self) const {
        const device_clock* const clock = clock_of(self);
        return clock == nullptr ? duration{} : clock->shift();
    }
    instant shown_now(const device& self) const { return own_now(self) + shift_of(self); }

    // device_rival.cpp: another client with its client id
    template <class Act>
    void on_rival_link(const context& at, Act&& act);
    static rival_client* rival_of(const device& self) {
        return self.extras != nullptr ? self.extras->rival.get() : nullptr;
    }
    static bool is_of_rival(const device& self, std::uint32_t generation);
    void begin_rival(const context& at, const fault_news& news);
    void end_rival(const context& at, const fault_news& news);
    bool has_session_at_broker(const context& at);
    void connect_rival(const context& at);
    void receive_rival(const context& at, const event& what);
    void tell_rival(const context& at, const wire_buffer& bytes);
    void greet_rival(const context& at, const connack& answer);
    void say_rivals_farewell(const context& at);
    void handle_rivals_timeout(const context& at);
    static instant rivals_timeout(const device& self);
    void flush_rival(const context& at);
    void close_rival(const context& at);
    static void forget_rival(device& self);

    // device_faults.cpp: what happens to it
    void handle_fault(const context& at, const event& what);
    void lose_link(const context& at);
    void drop_link(const context& at);
    void lose_power(const context& at);
    void regain_power(const context& at);
    void set_clock(const context& at);
    void send_cut_short(const context& at, const wire_buffer& bytes, const packet_cut& cut);

    // fleet_behaviour.cpp: a behaviour made ready to use
    void compile_behaviour();
    behaviour_machine::text behaviour_text(const std::string& source, template_use use) const;
    behaviour_machine::condition compile_condition(const condition_spec& of, bool in_payload) const;
    std::vector<behaviour_machine::condition> compile_conditions(
        const std::vector<condition_spec>& of, bool in_payload) const;
    std::vector<behaviour_machine::choice> compile_choices(
        const std::vector<choice_spec>& of) const;
    behaviour_machine::action compile_action(const action_spec& of);
    behaviour_machine::transition compile_transition(const transition_spec& of);
    std::uint32_t variable_named(const std::string& name) const;
    std::uint32_t publication_named(const std::string& name) const;
    void add_behaviour_sources();
    void start_behaviour(const context& at);
    void report_behaviour(fleet_report& out) const;

    // device_behaviour.cpp: what a device does by it
    void behave_due(const context& at);
    void behave_on_message(const context& at, const fleetarium::publish& message,
                           std::optional<std::uint32_t> reply_to);
    void behave_on_link(const context& at, behaviour_occasion what, bool session_present = false);
    void behave_on_missed(const context& at);
    void behave_on_timers(const context& at, instant due);
    bool behave_on_power(const context& at);
    template <class Wanted>
    void take_first(const context& at, const fleetarium::publish* message, Wanted&& wanted);
    bool take(const context& at, behaviour_machine::transition& which,
              const fleetarium::publish* message);
    bool holds(const context& at, const behaviour_machine::condition& what,
               std::string_view payload);
    bool is_time_for(const context& at, const transition_spec& what) const;
    bool takes(const context& at, const std::vector<behaviour_machine::taking>& what,
               const fleetarium::publish* message);
    void act(const context& at, const behaviour_machine::action& what);
    void say(const context& at, std::uint32_t which);
    void enter(const context& at, std::uint16_t state);
    void step(const context& at);
    bool leave(const context& at);
    std::optional<std::uint16_t> choose(const context& at,
                                        const std::vector<behaviour_machine::choice>& from);
    void use_link(const context& at, behaviour_link how, std::uint16_t network);
    void settle_link(const context& at);
    instant next_check(const context& at, instant after) const;
    instant next_time(const context& at, const behaviour_machine::transition& of,
                      instant after) const;
    random_stream behaviour_draws(const context& at) const;
    duration behaviour_length(const context& at, const distribution& of);
    instant behaviour_due(const context& at) const;
    instant oldest_deadline(const device& self) const;
    generator_value machine_value_of(const context& at, std::uint32_t which) const;
    bool runs(const device& self, std::size_t which) const;

    // custom_behaviour.cpp: code of the user's own
    class behaving;
    void begin_custom(const context& at);
    void run_custom_timers(const context& at);
    void tell_custom(const context& at, const fleetarium::publish& message);
    void tell_custom(const context& at, behaviour_occasion what, bool session_present);

    // device_messages.cpp: publications, replies, requests
    void publish_due(const context& at);
    void publish_one(const context& at, std::size_t which, publication_cause cause);
    void schedule_next(const context& at, std::size_t which);
    instant first_due(const context& at, std::size_t which) const;
    random_key arrival_key(const context& at, std::size_t which) const;
    bool within_limits(std::size_t which, instant base, std::uint32_t made) const;
    duration jitter(const context& at, std::size_t which, std::uint32_t number) const;
    duration period(const context& at, std::size_t which, std::uint32_t number) const;
    void render_topic(std::uint32_t index, std::size_t which, std::uint32_t number,
                      std::string& out) const;
    void send_message(const context& at, accounting::source source,
                      const fleetarium::publish& message);
    void note_request(const context& at, std::size_t which, std::uint32_t number);
    void handle_message(const context& at, const fleetarium::publish& message,
                        const message_identity* identity, bytes_view mark = {});
    void handle_tagged(const context& at, fleetarium::publish message);
    message_identity match_remote(const context& at, const fleetarium::publish& message,
                                  bytes_view mark, bool& copy) const;
    std::optional<std::uint32_t> match_reply(const context& at,
                                             const fleetarium::publish& message);
    void close_requests(const context& at, std::size_t which);
    void answer(const context& at, std::size_t which, const fleetarium::publish& message);
    void send_reply(const context& at, const device_extras::reply& due);
    void send_due_replies(const context& at);

    // device_triggers.cpp: what devices publish on connects and messages
    static bool meets(const message_condition& when, const fleetarium::publish& message);
    void publish_on_connect(const context& at);
    void note_triggered(const context& at, const fleetarium::publish& message);
    void publish_triggered(const context& at);
    void publish_now(const context& at, std::size_t which, publication_cause cause);
    void send_answers(const context& at);

    // device_sparkplug.cpp: what an edge node says, and when
    sparkplug_content make_sparkplug(const sparkplug_payload& payload);
    std::uint32_t sparkplug_device(const std::string& name);
    sparkplug_state sparkplug_of(device& of) const;
    void note_sparkplug_connect(const context& at);
    bool may_say(const context& at, const sparkplug_content& what, publication_cause cause);
    void write_sparkplug(const context& at, const sparkplug_content& what, std::uint64_t sequence,
                         random_key random, std::span<const generator_value> generated,
                         std::string& out);

    // Rendering
    void render(const text& what, std::uint32_t index, std::string& out) const;
    void render(const text& what, const context& at, std::uint64_t sequence, random_key random,
                std::span<std::uint32_t> walks, std::span<const generator_value> generated,
                std::string_view request, std::string& out) const;
    std::optional<std::span<const generator_value>> generate(const context& at,
                                                             const content_plan& wanted);
    std::string_view client_id(std::uint32_t index, std::string& out) const;

    world_state& world_;
    const fleet_spec spec_;
    std::uint32_t index_;
    random_key key_;
    instant added_at_;
    link_path path_;
    remote_host* remote_ = nullptr;  // null: the broker is in the world
    client_options options_;
    text client_id_;
    std::optional<text> user_name_;
    std::optional<text> password_;
    std::optional<text> certificate_expires_;
    content_plan in_certificate_;
    std::optional<text> will_topic_;
    std::optional<text> will_payload_;
    std::optional<sparkplug_content> will_sparkplug_;
    std::vector<publication> publications_;
    std::vector<subscription_text> subscriptions_;
    std::vector<subscription_end> subscription_ends_;  // by time
    std::vector<reply> replies_;
    accounting::source will_source_ = 0;
    bool has_requests_ = false;
    bool keeps_retain_ = false;  // a subscription asks for the flag as published
    bool has_triggers_ = false;
    bool clocks_differ_ = false;  // of some devices, now or before
    std::vector<std::uint32_t> triggered_;        // publications, while a message is handled
    std::unique_ptr<shadow_service> shadows_;
    accounting::source shadow_source_ = 0;
    std::vector<shadow_service::answer> answers_;  // while a message is handled
    std::vector<std::string> sparkplug_devices_;  // by number
    std::optional<std::uint32_t> first_sparkplug_;  // of its words among the walks
    sparkplug_writer sparkplug_writer_;
    std::string value_text_;
    std::uint32_t walk_count_ = 0;
    generator_set generators_;
    std::unique_ptr<behaviour_machine> machine_;  // null: no behaviour
    std::uint32_t stride_ = 0;
    std::size_t prefetched_ = 0;
    std::byte* memory_ = nullptr;  // of all devices
    std::vector<host_id> block_hosts_;
    fleet_report counts_;
    std::uint32_t connected_ = 0;
};

}  // namespace fleetarium::sim::detail
