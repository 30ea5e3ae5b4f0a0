// What a device does by its behaviour: states, transitions, and what they do to its link.

#include <fleetarium/sim/fleet_state.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/assert.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace fleetarium::sim::detail {

namespace {

constexpr duration stay_min = std::chrono::milliseconds{1};
constexpr duration day_length = std::chrono::hours{24};
constexpr std::int64_t first_weekday = 5;  // a Saturday, counted from Monday

std::int64_t day_of(duration since_first_midnight) {
    return std::chrono::floor<std::chrono::days>(since_first_midnight).count();
}

bool is_on(const std::vector<weekday>& days, std::int64_t day) {
    const auto today = static_cast<weekday>(((day + first_weekday) % 7 + 7) % 7);
    return days.empty() || std::find(days.begin(), days.end(), today) != days.end();
}

bool compares(behaviour_machine::comparison how, std::weak_ordering order) {
    using c = behaviour_machine::comparison;
    switch (how) {
        case c::less: return order < 0;
        case c::less_equal: return order <= 0;
        case c::greater: return order > 0;
        case c::greater_equal: return order >= 0;
        case c::unequal: return order != 0;
        case c::equal: return order == 0;
    }
    return false;
}

/// The value of a generator or of the machine as conditions see it.
value_view view_of(const generator_value& value, std::array<char, 32>& room) {
    switch (value.form) {
        case field_form::number: return {number_view(value.number, room), true};
        case field_form::boolean: return {value.number != 0 ? "true" : "false", true};
        case field_form::name: break;
    }
    return {value.text, value.bare};
}

}  // namespace

// Time

random_stream fleet_state::behaviour_draws(const context& at) const {
    return random_stream(make_random_key(key_of(at.index).value, 0, purpose::behaviour),
                         place(at.self).draws);
}

duration fleet_state::behaviour_length(const context& at, const distribution& of) {
    random_stream draws = behaviour_draws(at);
    const duration drawn = std::max(of.sample_duration(draws), stay_min);
    place(at.self).draws = draws.draws_made();
    return drawn;
}

instant fleet_state::behaviour_due(const context& at) const {
    if (machine_ == nullptr || at.self.outages != 0) {
        return never;
    }
    const behaviour_place& self = place(at.self);
    instant due = std::min(self.until, self.check);
    for (const instant each : timers(at.self)) {
        due = std::min(due, each);
    }
    return machine_->has_timeouts ? std::min(due, oldest_deadline(at.self)) : due;
}

instant fleet_state::oldest_deadline(const device& self) const {
    instant due = never;
    if (self.extras != nullptr) {
        for (std::size_t i = 0; i < self.extras->requests.size(); ++i) {
            const auto& open = self.extras->requests[i].open;
            if (!open.empty() && !open.front().answered) {
                // A reply at the very deadline is in time.
                due = std::min(due,
                               saturating_add(open.front().sent_at,
                                              publications_[i].spec->reply_timeout + duration{1}));
            }
        }
    }
    return due;
}

void fleet_state::behave_due(const context& at) {
    if (at.self.outages != 0) {
        return;
    }
    behaviour_place& self = place(at.self);
    if (machine_->custom != nullptr) {
        run_custom_timers(at);
        settle_link(at);
        return;
    }
    for (;;) {
        if (self.until <= own_now(at.self)) {
            if (self.state == behaviour_place::not_begun) {
                self.until = never;
                enter(at, choose(at, machine_->initial).value_or(machine_->initial.front().to));
            } else if (const auto& steps = machine_->states[self.state].spec->steps;
                       steps && self.steps < steps->count) {
                step(at);
            } else if (!leave(at)) {
                const state_spec& spec = *machine_->states[self.state].spec;
                self.until = spec.lasts
                                 ? saturating_add(self.until, behaviour_length(at, *spec.lasts))
                                 : never;
            }
        } else if (self.check <= own_now(at.self)) {
            const instant due = self.check;
            self.check = next_check(at, due);
            behave_on_timers(at, due);
        } else {
            break;
        }
    }
    if (machine_->has_timeouts && oldest_deadline(at.self) <= own_now(at.self)) {
        for (std::size_t i = 0; i < at.self.extras->requests.size(); ++i) {
            close_requests(at, i);
        }
        behave_on_missed(at);
    }
    settle_link(at);
}

/// When a transition with a time comes next, later than `after`.
instant fleet_state::next_time(const context& at, const behaviour_machine::transition& of,
                               instant after) const {
    const transition_spec& spec = *of.spec;
    if (spec.every) {
        const instant begin = place(at.self).entered;
        const auto over = (after - begin) / *spec.every + 1;
        return saturating_add(begin, over * *spec.every);
    }
    if (!spec.at) {
        return never;
    }
    duration late = *spec.at;
    if (spec.spread > duration{}) {
        random_stream draws(
            make_random_key(key_of(at.index).value, 0, purpose::behaviour_time + of.number));
        late += duration{static_cast<duration::rep>(
            draws.below(static_cast<std::uint64_t>(spec.spread.count())))};
    }
    const duration shift = shift_of(at.self);
    const duration since = after.time_since_epoch() + shift - late;
    std::int64_t day = since < duration{} && shift == duration{} ? 0 : day_of(since) + 1;
    for (int tried = 0; tried < 8; ++tried, ++day) {
        if (is_on(spec.days, day)) {
            return instant{} + late + day * day_length - shift;
        }
    }
    return never;
}

instant fleet_state::next_check(const context& at, instant after) const {
    instant due = never;
    for (const auto& each : machine_->states[place(at.self).state].transitions) {
        due = std::min(due, next_time(at, each, after));
    }
    for (const auto& each : machine_->transitions) {
        due = std::min(due, next_time(at, each, after));
    }
    return due;
}

void fleet_state::behave_on_timers(const context& at, instant due) {
    take_first(at, nullptr, [&](const behaviour_machine::transition& each) {
        return next_time(at, each, due - duration{1}) == due;
    });
}

bool fleet_state::is_time_for(const context& at, const transition_spec& what) const {
    const duration now = shown_now(at.self).time_since_epoch();
    if (what.between) {
        const duration time = now - day_of(now) * day_length;
        const bool over_midnight = what.between->until <= what.between->from;
        const bool begun = time >= what.between->from;
        const bool over = time >= what.between->until;
        if (over_midnight ? !begun && over : !begun || over) {
            return false;
        }
    }
    return what.at || is_on(what.days, day_of(now));
}

// What starts a transition

template <class Wanted>
void fleet_state::take_first(const context& at, const fleetarium::publish* message,
                             Wanted&& wanted) {
    const std::uint16_t state = place(at.self).state;
    if (state == behaviour_place::not_begun) {
        return;
    }
    for (auto* const list : {&machine_->states[state].transitions, &machine_->transitions}) {
        for (behaviour_machine::transition& each : *list) {
            if (wanted(each) && take(at, each, message)) {
                return;
            }
        }
    }
}

void fleet_state::behave_on_message(const context& at, const fleetarium::publish& message,
                                    std::optional<std::uint32_t> reply_to) {
    if (machine_->custom != nullptr) {
        tell_custom(at, message);
        return;
    }
    take_first(at, &message, [&](const behaviour_machine::transition& each) {
        if (each.spec->on_reply) {
            return reply_to == each.publication;
        }
        if (!each.on) {
            return false;
        }
        if (each.on->is_constant()) {
            return topic_matches(each.on->constant(), message.topic);
        }
        std::string& filter = world_.other_text;
        filter.clear();
        render(*each.on, at.index, filter);
        return topic_matches(filter, message.topic);
    });
}

void fleet_state::behave_on_link(const context& at, behaviour_occasion what, bool session_present) {
    if (machine_->custom != nullptr) {
        tell_custom(at, what, session_present);
        return;
    }
    take_first(at, nullptr, [&](const behaviour_machine::transition& each) {
        return each.spec->on_link == what;
    });
}

void fleet_state::behave_on_missed(const context& at) {
    for (std::size_t i = 0; i < machine_->missed.size(); ++i) {
        const std::uint32_t which = machine_->missed[i];
        take_first(at, nullptr, [&](const behaviour_machine::transition& each) {
            return each.spec->on_timeout && each.publication == which;
        });
    }
    machine_->missed.clear();
}

/// Its power is back: what it does begins anew; variables are kept, as in flash memory.
bool fleet_state::behave_on_power(const context& at) {
    behaviour_place& self = place(at.self);
    if (self.state == behaviour_place::not_begun) {
        return false;
    }
    if (machine_->custom != nullptr) {
        for (instant& each : timers(at.self)) {
            each = never;
        }
        for (std::byte& each : custom_memory(at.self)) {
            each = std::byte{};
        }
        begin_custom(at);
    } else {
        enter(at, choose(at, machine_->initial).value_or(machine_->initial.front().to));
    }
    return true;
}

// Transitions

bool fleet_state::take(const context& at, behaviour_machine::transition& which,
                       const fleetarium::publish* message) {
    const transition_spec& spec = *which.spec;
    const std::string_view payload =
        message != nullptr ? as_text(message->payload) : std::string_view();
    const auto held = [&](const behaviour_machine::condition& each) {
        return holds(at, each, payload);
    };
    if (!is_time_for(at, spec) || !std::all_of(which.where.begin(), which.where.end(), held) ||
        !std::all_of(which.conditions.begin(), which.conditions.end(), held)) {
        return false;
    }
    if (spec.probability < 1) {
        random_stream draws = behaviour_draws(at);
        const bool drawn = draws.bernoulli(spec.probability);
        place(at.self).draws = draws.draws_made();
        if (!drawn) {
            return false;
        }
    }
    if (!takes(at, which.does.takes, message)) {
        return false;
    }
    // From here on the message's views may end.
    act(at, which.does);
    if (const auto next = choose(at, which.to)) {
        enter(at, *next);
    }
    return true;
}

bool fleet_state::holds(const context& at, const behaviour_machine::condition& what,
                        std::string_view payload) {
    std::array<char, 32> room{};
    value_view left;
    if (!what.member.empty()) {
        const auto found = find_json_member(payload, what.member, machine_->member_text);
        if (!found) {
            return false;
        }
        left = *found;
    } else {
        const auto values = generate(at, what.generator);
        if (!values || values->front().missing) {
            return false;
        }
        left = view_of(values->front(), room);
    }
    std::string& right = machine_->value_text;
    right.clear();
    const auto shown = generate(at, what.operand.plan);
    if (!shown) {
        return false;
    }
    render(what.operand.body, at, place(at.self).messages,
           make_random_key(key_of(at.index).value, 0, purpose::behaviour), {}, *shown, {}, right);
    return compares(what.how, compare_values(left, {right, what.operand_bare}));
}

/// All members, or none.
bool fleet_state::takes(const context& at, const std::vector<behaviour_machine::taking>& what,
                        const fleetarium::publish* message) {
    if (what.empty()) {
        return true;
    }
    const std::string_view payload = as_text(message->payload);
    const bool all = std::all_of(what.begin(), what.end(), [&](const auto& each) {
        return find_json_member(payload, each.member, machine_->member_text).has_value();
    });
    for (std::size_t i = 0; all && i < what.size(); ++i) {
        machine_->pool.set(variables(at.self)[what[i].variable],
                           *find_json_member(payload, what[i].member, machine_->member_text));
    }
    return all;
}

void fleet_state::act(const context& at, const behaviour_machine::action& what) {
    for (const behaviour_machine::assignment& each : what.sets) {
        std::string& made = machine_->value_text;
        made.clear();
        const auto shown = generate(at, each.value.plan);
        if (!shown) {
            continue;  // a generator has nothing to say: the variable stays
        }
        const bool bare =
            each.bare || (each.lone && shown->size() == 1 &&
                          (shown->front().form != field_form::name || shown->front().bare));
        render(each.value.body, at, place(at.self).messages,
               make_random_key(key_of(at.index).value, 1, purpose::behaviour), {}, *shown, {},
               made);
        machine_->pool.set(variables(at.self)[each.variable], {made, bare});
    }
    for (const behaviour_machine::adding& each : what.adds) {
        variable_slot& slot = variables(at.self)[each.variable];
        std::array<char, 32> room{};
        const double sum = number_of_value(machine_->pool.value(slot)).value_or(0) + each.by;
        machine_->pool.set(slot, {number_view(sum, room), true});
    }
    for (const std::uint32_t each : what.messages) {
        say(at, each);
    }
}

void fleet_state::say(const context& at, std::uint32_t which) {
    if (!world_.publishes) {
        return;
    }
    const behaviour_machine::message& what = machine_->messages[which];
    behaviour_place& self = place(at.self);
    ++self.messages;
    const random_key random =
        make_random_key(key_of(at.index).value, 0, purpose::behaviour_content + which);
    std::string& topic = machine_->topic_text;
    topic.clear();
    const auto in_topic = generate(at, what.topic.plan);
    FLEETARIUM_ASSERT(in_topic.has_value());
    render(what.topic.body, at, self.messages, random, {}, *in_topic, {}, topic);
    const auto in_payload = generate(at, what.payload.plan);
    if (!in_payload) {
        return;
    }
    std::string& payload = machine_->payload_text;
    payload.clear();
    render(what.payload.body, at, self.messages, random,
           walks(at.self, what.first_walk, what.payload.body.walk_count()), *in_payload, {},
           payload);
    fleetarium::publish message;
    message.topic = topic;
    message.payload = as_bytes_view(payload);
    message.qos = what.spec->qos;
    message.retain = what.spec->retain;
    send_message(at, what.source, message);
}

// States

/// Goes on through states that end at once; there is no circle of these.
void fleet_state::enter(const context& at, std::uint16_t state) {
    behaviour_place& self = place(at.self);
    for (std::size_t passed = 0;; ++passed) {
        FLEETARIUM_ASSERT(passed <= machine_->states.size());
        behaviour_machine::state& now = machine_->states[state];
        const state_spec& spec = *now.spec;
        ++now.entered;
        self.state = state;
        self.steps = 0;
        self.entered = own_now(at.self);
        self.until = spec.steps
                         ? saturating_add(self.entered, behaviour_length(at, spec.steps->every))
                     : spec.lasts ? saturating_add(self.entered, behaviour_length(at, *spec.lasts))
                                  : never;
        self.check = next_check(at, self.entered);
        use_link(at, spec.link, now.network);
        act(at, now.enter);
        if (self.until != never || now.then.empty()) {
            break;
        }
        const auto next = choose(at, now.then);
        if (!next) {
            break;
        }
        state = *next;
    }
    arm(at, behaviour_due(at));
}

void fleet_state::step(const context& at) {
    behaviour_place& self = place(at.self);
    const behaviour_machine::state& now = machine_->states[self.state];
    ++self.steps;
    self.until = self.steps < now.spec->steps->count
                     ? saturating_add(self.until, behaviour_length(at, now.spec->steps->every))
                     : own_now(at.self);
    act(at, now.step);
}

bool fleet_state::leave(const context& at) {
    const auto next = choose(at, machine_->states[place(at.self).state].then);
    if (next) {
        enter(at, *next);
    }
    return next.has_value();
}

std::optional<std::uint16_t> fleet_state::choose(
    const context& at, const std::vector<behaviour_machine::choice>& from) {
    double total = 0;
    const behaviour_machine::choice* only = nullptr;
    std::uint64_t possible = 0;
    const auto holds_for = [&](const behaviour_machine::choice& each) {
        return each.weight > 0 && std::all_of(each.conditions.begin(), each.conditions.end(),
                                              [&](const auto& one) { return holds(at, one, {}); });
    };
    for (const behaviour_machine::choice& each : from) {
        if (holds_for(each)) {
            total += each.weight;
            only = &each;
            ++possible;
        }
    }
    if (possible <= 1) {
        return only != nullptr ? std::optional(only->to) : std::nullopt;
    }
    random_stream draws = behaviour_draws(at);
    double left = draws.uniform() * total;
    place(at.self).draws = draws.draws_made();
    for (const behaviour_machine::choice& each : from) {
        if (holds_for(each)) {
            only = &each;
            left -= each.weight;
            if (left < 0) {
                break;
            }
        }
    }
    return only->to;
}

bool fleet_state::runs(const device& self, std::size_t which) const {
    if (machine_ == nullptr || machine_->custom != nullptr) {
        return true;
    }
    const std::uint16_t state = place(const_cast<device&>(self)).state;
    return state != behaviour_place::not_begun &&
           (machine_->states[state].runs.empty() || machine_->states[state].runs[which]);
}

generator_value fleet_state::machine_value_of(const context& at, std::uint32_t which) const {
    const behaviour_place& self = place(at.self);
    const bool begun = self.state != behaviour_place::not_begun;
    generator_value out;
    out.decimals = 0;
    switch (static_cast<machine_value>(which)) {
        case machine_value::state:
            out.form = field_form::name;
            out.text = begun ? std::string_view(machine_->states[self.state].spec->name)
                             : std::string_view();
            return out;
        case machine_value::step: out.number = self.steps; return out;
        case machine_value::progress: {
            const auto* const spec = begun ? machine_->states[self.state].spec : nullptr;
            out.number = spec != nullptr && spec->steps ? self.steps * 100 / spec->steps->count : 0;
            return out;
        }
        case machine_value::cohort:
            out.form = field_form::name;
            out.text = self.cohort == 0
                           ? std::string_view()
                           : std::string_view(spec_.behaviour->cohorts[self.cohort - 1U].name);
            return out;
    }
    const value_view value = machine_->pool.value(variables(at.self)[which - machine_values]);
    out.form = field_form::name;
    out.text = value.text;
    out.bare = value.bare;
    return out;
}

// The link

void fleet_state::use_link(const context& at, behaviour_link how, std::uint16_t network) {
    device& self = at.self;
    place(self).wanted_network = network;
    place(self).goes = static_cast<std::uint8_t>(how);
    const bool comes = how == behaviour_link::online && !self.wants_link;
    self.wants_link = how == behaviour_link::online;
    if (comes && self.link.phase() == link_end::phase::idle) {
        self.connect_at = own_now(self);
        arm(at, self.connect_at);
    }
}

/// Does to the link what the state wants: only when all that the instant brings has been handled,
/// since who reads bytes cannot have the connection end under their hands.
void fleet_state::settle_link(const context& at) {
    device& self = at.self;
    if (self.link.phase() == link_end::phase::idle) {
        return;
    }
    behaviour_place& mine = place(self);
    if (self.wants_link) {
        if (mine.network != mine.wanted_network) {
            lose_link(at);
            self.connect_at = own_now(self);
            arm(at, self.connect_at);
        }
        return;
    }
    if (static_cast<behaviour_link>(mine.goes) == behaviour_link::cut) {
        lose_link(at);
    } else if (self.session.is_connected()) {
        ++counts_.disconnects;
        if (book() != nullptr) {
            book()->farewell_sent(at.host, broker_index(), self.link.connection, {});
        }
        self.session.disconnect({}, own_now(self));
        flush(at);
    } else {
        end_link(at, event_kind::close);
    }
}

}  // namespace fleetarium::sim::detail
