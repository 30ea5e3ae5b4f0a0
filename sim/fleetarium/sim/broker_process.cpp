// A broker with storage as a process: what comes is handled in turns, each of which becomes durable
// before it is answered, and a crash takes everything but the session file.
//
// In the world a turn happens at the instant at which it is durable: what comes while one is under
// way waits, and the ledger hears of it then. So a crash in the midst of a turn has happened either
// behind it, and its answers are lost, or before it, and the disk has been left with a part of a
// transaction; the ledger needs to know nothing of either.

#include <fleetarium/sim/broker_host.hpp>

#include <fleetarium/core/assert.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace fleetarium::sim::detail {

namespace {

constexpr std::uint64_t ends_turn = 1;  // payload of a wake

/// All of it are counters of 64 bits.
broker::broker_metrics sum_of(const broker::broker_metrics& one,
                              const broker::broker_metrics& other) {
    using counters =
        std::array<std::uint64_t, sizeof(broker::broker_metrics) / sizeof(std::uint64_t)>;
    auto sum = std::bit_cast<counters>(one);
    const auto more = std::bit_cast<counters>(other);
    for (std::size_t i = 0; i < sum.size(); ++i) {
        sum[i] += more[i];
    }
    return std::bit_cast<broker::broker_metrics>(sum);
}

}  // namespace

broker::broker_metrics broker_host::metrics() const {
    return storage_ == nullptr ? core_->metrics() : sum_of(of_earlier_processes_, core_->metrics());
}

// Turns

void broker_host::wait_for_turn(const event& what) {
    if (what.kind() == event_kind::fault && what.origin == fault_host_id) {
        handle_fault(what);
        return;
    }
    if (what.kind() == event_kind::wake) {
        if (what.payload == ends_turn) {
            if (what.time == turn_end_) {
                end_turn();
            }
            return;
        }
        if (what.time != armed_) {
            return;  // superseded
        }
        armed_ = never;
        chain_.absorb(event_word(what, 0));
    } else if (is_dead_) {
        handle_now(what);
        return;
    } else {
        waiting_.push_back(what);
        ++world_.on_links;
    }
    if (turn_end_ == never) {
        stands_since_ = world_.now;
        turn_end_ = saturating_add(world_.now, storage_->draw_commit_time());
        world_.post({.time = turn_end_,
                     .origin = id_,
                     .sequence = sequence_++,
                     .target = id_,
                     .link = 0,
                     .kind_value = static_cast<std::uint8_t>(event_kind::wake),
                     .payload = ends_turn});
    }
}

void broker_host::end_turn() {
    turn_end_ = never;
    const auto death = std::exchange(dies_after_turn_, std::nullopt);
    const auto end = death ? waiting_.begin() + static_cast<std::ptrdiff_t>(death->heard)
                           : waiting_.end();
    in_hand_.assign(waiting_.begin(), end);
    waiting_.erase(waiting_.begin(), end);
    world_.on_links -= in_hand_.size();
    if (book() != nullptr) {
        book()->turn_began(index(), std::min(stands_since_, world_.now));
    }
    stands_since_ = never;
    for (event& each : in_hand_) {
        each.time = world_.now;
        handle_now(each);
    }
    core_->handle_timeout(world_.now);  // behind what has come before it was due
    if (!death) {
        flush();
    } else if (commit()) {
        lose_waiting();
        ++counts_->behind_commit;
        die(death->power_cut);
    }
}

/// Whether the file could be written. If not, that is the end of what it had.
bool broker_host::commit() {
    try {
        storage_->commit(*core_);
        return true;
    } catch (const storage::session_file_error& error) {
        if (book() != nullptr) {
            book()->storage_failed(index(), error.what(), world_.now);
            book()->crashing(index(), true);
        }
    }
    tell_of_death();
    storage_->stop(*core_);
    storage_->replace_disk();
    end_process();
    if (outages_ == 0) {
        begin_process();
    }
    return false;
}

// Life and death

/// A core of what storage keeps, which goes on when there is a process again.
void broker_host::load_core() {
    core_ = make_core();
    try {
        storage_->start(*core_);
    } catch (const storage::session_file_error& error) {
        // Whoever runs it begins anew; what was acknowledged is lost.
        if (book() != nullptr) {
            book()->storage_failed(index(), error.what(), world_.now);
        }
        storage_->replace_disk();
        core_ = make_core();
        storage_->start(*core_);
    }
    const auto unknown = names_.core_begins(core_->sessions());
    owners_.resize(std::max(owners_.size(), names_.end()));
    for (const broker::session_index each : unknown) {
        owners_[each] = {};
    }
}

void broker_host::begin_process() {
    is_dead_ = false;
    stands_since_ = never;
    if (book() != nullptr) {
        book()->restarted(index(), world_.now);
    }
    core_->go_on(world_.now);
    flush();
}

void broker_host::restart() {
    if (!is_dead_) {
        end_turn();  // which it was to outlive
    }
    begin_process();
}

void broker_host::handle_broker_fault(const fault_spec& spec) {
    if (spec.kind == fault_kind::broker_stop) {
        end_turn();
        core_->shut_down(world_.now);
        flush();
        tell_of_death();
        storage_->stop(*core_);
        end_process();
    } else if (turn_end_ != never && storage_->draw_survives_commit()) {
        dies_after_turn_ = {spec.power_cut.value_or(false), waiting_.size()};
    } else {
        die(spec.power_cut.value_or(false));
    }
}

void broker_host::die(bool power_cut) {
    if (book() != nullptr) {
        book()->crashing(index(), true);
    }
    tell_of_death();
    hear_in_vain();
    ++counts_->crashes;
    counts_->torn += storage_->crash(*core_, power_cut, world_.now);
    is_mute_ = false;
    end_process();
}

void broker_host::end_process() {
    lose_waiting();
    for (std::uint32_t i = 0; book() != nullptr && i < links_end_; ++i) {
        if (link_of(i).open) {
            book()->closed(index(), i);
        }
    }
    cut_all_links();
    lose_unsent();
    is_dead_ = true;
    armed_ = turn_end_ = never;
    stands_since_ = std::min(stands_since_, world_.now);
    if (book() != nullptr) {
        book()->turn_ended(index(), world_.now);
    }
    load_core();
}

/// What ends with the process, as its core would say it; from here on its core is not asked.
void broker_host::tell_of_death() {
    using kind = broker::broker_event::kind;
    const broker::session_registry& all = core_->sessions();
    for (broker::session_index i = 0; i < all.slots().end(); ++i) {
        if (!all.contains(i)) {
            continue;
        }
        const broker::session& each = all[i];
        const bool ends = each.expiry_interval == 0;
        each.state.outbound.for_each([&](const delivery& lost) {
            if (lost.qos == qos::at_most_once) {
                tell_drop(i, lost, broker::drop_reason::offline);
            }
        });
        if (each.connection != broker::no_connection) {
            on_event({.what = kind::disconnected,
                      .at = world_.now,
                      .connection = each.connection,
                      .session = i,
                      .client_id = each.client_id(),
                      .code = reason_code::unspecified_error,
                      .flag = true});
        }
        if (!ends) {
            continue;
        }
        each.state.outbound.for_each([&](const delivery& lost) {
            if (lost.qos != qos::at_most_once) {
                tell_drop(i, lost, broker::drop_reason::session_ended);
            }
        });
        on_event({.what = kind::session_ended,
                  .at = world_.now,
                  .session = i,
                  .client_id = each.client_id()});
    }
    names_.core_ends(all);
    of_earlier_processes_ = sum_of(of_earlier_processes_, core_->metrics());
}

void broker_host::tell_drop(broker::session_index from, const delivery& lost,
                            broker::drop_reason why) {
    ++of_earlier_processes_.dropped[static_cast<std::size_t>(why)];
    on_event({.what = broker::broker_event::kind::dropped,
              .at = world_.now,
              .session = from,
              .topic = lost.message->topic(),
              .identity = lost.message->identity(),
              .qos = lost.qos,
              .why = why,
              .flag = lost.packet_id != 0,
              .known = true});
}

/// What waits is handled by a core that nobody hears any more: it is what the process writes while
/// it dies.
void broker_host::hear_in_vain() {
    is_mute_ = true;
    for (const event& each : waiting_) {
        if (is_unheard(each)) {
            continue;
        }
        if (each.kind() == event_kind::close || each.kind() == event_kind::cut) {
            core_->handle_closed(each.link, world_.now);
            link_of(each.link).deaf = true;
            continue;
        }
        const auto handle = [&](const wire_buffer& bytes) {
            bytes.for_each_part(
                [&](bytes_view part) { core_->handle_bytes(each.link, part, world_.now); });
        };
        if (each.kind() == event_kind::messages) {
            handle(reinterpret_cast<const segment*>(each.payload)->bytes);
        } else if (each.kind() == event_kind::bytes) {
            wire_buffer bytes = wire_buffer::adopt(reinterpret_cast<void*>(each.payload));
            handle(bytes);
            bytes.release();
        }
    }
    core_->handle_timeout(world_.now);
}

void broker_host::lose_waiting() {
    world_.on_links -= waiting_.size();
    for (const event& each : waiting_) {
        switch (each.kind()) {
            case event_kind::open: refuse(each); break;
            case event_kind::bytes:
            case event_kind::messages:
                world_.lose(each, world_state::towards_broker, protocol_version::v5);
                break;
            default: break;
        }
    }
    waiting_.clear();
}

const broker::broker_event& broker_host::renamed(const broker::broker_event& decision) {
    using kind = broker::broker_event::kind;
    if (decision.what == kind::connected && !decision.flag) {
        names_.add(decision.session);
    }
    renamed_ = decision;
    if (decision.session != broker::no_session) {
        renamed_.session = names_.told(decision.session);
    }
    return renamed_;
}

}  // namespace fleetarium::sim::detail
