#pragma once

#include <fleetarium/core/timing_wheel.hpp>

// The member functions of timing_wheel; include timing_wheel.hpp.

namespace fleetarium {

template <class Event, event_order<Event> Order>
void timing_wheel<Event, Order>::push(const Event& event) {
    const slot_index slot = slot_of(Order::time(event));
    if (slot <= current_) {
        push_into_run(event, slot);
    } else {
        store(event, slot);
    }
    ++size_;
}

template <class Event, event_order<Event> Order>
instant timing_wheel<Event, Order>::next_time() const {
    instant next = never;
    if (!run_empty()) {
        next = Order::time(run_[run_begin_]);
    }
    if (!late_.empty()) {
        next = std::min(next, Order::time(late_.front()));
    }
    if (size_ == 0 || !run_empty() || !late_.empty()) {
        return next;
    }
    // The wheel is not turned here: its current slot must not run ahead of the events that were
    // taken out, or all that is pushed before the next one would pass through the run.
    if (!wheel_next_known_) {
        const level& from = *lowest_level();
        for (Event* newest = from.newest[from.first()]; newest != nullptr;) {
            chunk_header& header = header_of(newest);
            const Event* const end = first_place(header) + events_per_chunk;
            for (const Event* at = newest; at != end; ++at) {
                next = std::min(next, Order::time(*at));
            }
            newest = header.next;
        }
        wheel_next_ = next;
        wheel_next_known_ = true;
    }
    return wheel_next_;
}

template <class Event, event_order<Event> Order>
Event timing_wheel<Event, Order>::pop() {
    FLEETARIUM_ASSERT(size_ != 0);
    if (run_.size() - run_begin_ <= lookahead && late_.empty()) {
        refill();
    }
    --size_;
    if (late_.empty() || (!run_empty() && Order::before(run_[run_begin_], late_.front()))) {
        return run_[run_begin_++];
    }
    std::pop_heap(late_.begin(), late_.end(), in_reverse{});
    const Event event = late_.back();
    late_.pop_back();
    return event;
}

template <class Event, event_order<Event> Order>
void timing_wheel<Event, Order>::clear() noexcept {
    for (level& each : levels_) {
        while (!each.empty()) {
            drain(take_slot(each, each.first()), [](const Event&) {});
        }
    }
    run_.clear();
    late_.clear();
    run_begin_ = 0;
    size_ = 0;
    current_ = slot_of(instant{});
    wheel_next_ = never;
    wheel_next_known_ = true;
}

template <class Event, event_order<Event> Order>
std::size_t timing_wheel<Event, Order>::level::first() const noexcept {
    std::size_t word = 0;
    while (occupied[word] == 0) {
        ++word;
    }
    return word * 64 + static_cast<std::size_t>(std::countr_zero(occupied[word]));
}

/// The level that holds the earliest events: each level's events precede those of the next.
template <class Event, event_order<Event> Order>
auto timing_wheel<Event, Order>::lowest_level() const noexcept -> const level* {
    const auto found = std::find_if(levels_.begin(), levels_.end(),
                                    [](const level& each) { return !each.empty(); });
    FLEETARIUM_ASSERT(found != levels_.end());
    return &*found;
}

template <class Event, event_order<Event> Order>
void timing_wheel<Event, Order>::store(level& at, std::size_t digit, const Event& event) {
    Event*& newest = at.newest[digit];
    if (newest != nullptr && newest != first_place(header_of(newest))) {
        newest = std::construct_at(newest - 1, event);
        return;
    }
    auto* const header = std::construct_at(static_cast<chunk_header*>(pool_.take()), newest);
    newest = std::construct_at(first_place(*header) + events_per_chunk - 1, event);
    at.occupied[digit / 64] |= std::uint64_t{1} << digit % 64;
}

template <class Event, event_order<Event> Order>
void timing_wheel<Event, Order>::store(const Event& event, slot_index slot) {
    const auto number = static_cast<std::size_t>(std::bit_width(slot ^ current_) - 1) / digit_bits;
    const slot_index digit = slot >> number * digit_bits & (slots_per_level - 1);
    store(levels_[number], static_cast<std::size_t>(digit), event);
    wheel_next_ = std::min(wheel_next_, Order::time(event));
}

template <class Event, event_order<Event> Order>
void timing_wheel<Event, Order>::push_into_run(const Event& event, slot_index slot) {
    if (late_.empty() && run_.size() - run_begin_ > insert_max) {
        give_up_lookahead();
        if (slot > current_) {
            store(event, slot);
            return;
        }
    }
    if (run_.size() - run_begin_ > insert_max) {
        late_.push_back(event);
        std::push_heap(late_.begin(), late_.end(), in_reverse{});
        return;
    }
    if (run_begin_ > insert_max) {
        // Keeps a long exchange within one slot from growing the part that was taken out.
        run_.erase(run_.begin(), run_.begin() + static_cast<std::ptrdiff_t>(run_begin_));
        run_begin_ = 0;
    }
    const auto begin = run_.begin() + static_cast<std::ptrdiff_t>(run_begin_);
    const auto place = std::upper_bound(begin, run_.end(), event, in_order{});
    if (place == begin && run_begin_ != 0) {
        run_[--run_begin_] = event;
    } else {
        run_.insert(place, event);
    }
}

/// Puts the events that the run took ahead of their time back into the wheel, so that a burst of
/// events among them is spread over their slots again.
template <class Event, event_order<Event> Order>
void timing_wheel<Event, Order>::give_up_lookahead() {
    // Turning back stays within the lowest level, where places do not depend on current_.
    const slot_index turn_begin = current_ & ~slot_index{slots_per_level - 1};
    current_ = std::max(turn_begin, slot_of(Order::time(run_[run_begin_])));
    while (slot_of(Order::time(run_.back())) > current_) {
        store(run_.back(), slot_of(Order::time(run_.back())));
        run_.pop_back();
    }
}

/// Called with an empty late_ and a short run: turns the wheel if the run is empty, and fills it
/// ahead from the slots of the lowest level.
template <class Event, event_order<Event> Order>
void timing_wheel<Event, Order>::refill() {
    if (run_empty()) {
        run_begin_ = 0;
        run_.clear();
        if (run_.capacity() > run_capacity_kept) {
            std::vector<Event>{}.swap(run_);
        }
        while (levels_[0].empty() && run_.empty()) {
            const level* const from = lowest_level();
            cascade(levels_[static_cast<std::size_t>(from - levels_.data())],
                    static_cast<std::size_t>(from - levels_.data()));
        }
    }
    if (!levels_[0].empty()) {
        fill_run_from_lowest_level();
    }
}

template <class Event, event_order<Event> Order>
void timing_wheel<Event, Order>::fill_run_from_lowest_level() {
    // A full slot waits until its turn: what is still to be pushed into it would each time have
    // to find its place among all the others.
    const auto waits = [this](std::size_t digit) {
        return !run_empty() && header_of(levels_[0].newest[digit]).next != nullptr;
    };
    std::size_t digit = levels_[0].first();
    if (waits(digit)) {
        return;
    }
    run_.erase(run_.begin(), run_.begin() + static_cast<std::ptrdiff_t>(run_begin_));
    run_begin_ = 0;
    for (;;) {
        const auto sorted = static_cast<std::ptrdiff_t>(run_.size());
        current_ = (current_ & ~slot_index{slots_per_level - 1}) | digit;
        drain(take_slot(levels_[0], digit), [this](const Event& event) { run_.push_back(event); });
        sort_run_from(sorted);
        if (run_.size() >= run_fill || levels_[0].empty()) {
            return;
        }
        digit = levels_[0].first();
        if (waits(digit)) {
            return;
        }
    }
}

/// Turns the wheel to the first occupied slot of level `number` and hands its events down.
template <class Event, event_order<Event> Order>
void timing_wheel<Event, Order>::cascade(level& from, std::size_t number) {
    const std::size_t digit = from.first();
    const std::size_t shift = number * digit_bits;
    const slot_index above = current_ >> shift & ~slot_index{slots_per_level - 1};
    current_ = (above | digit) << shift;
    drain(take_slot(from, digit), [this](const Event& event) {
        const slot_index slot = slot_of(Order::time(event));
        if (slot == current_) {
            run_.push_back(event);
        } else {
            store(event, slot);
        }
    });
    sort_run_from(0);
}

/// Sorts what was drained. A slot is drained newest first and is mostly filled in order, so more
/// often than not the events are in order already, one way or the other.
template <class Event, event_order<Event> Order>
void timing_wheel<Event, Order>::sort_run_from(std::ptrdiff_t first) {
    const auto begin = run_.begin() + first;
    const auto end = run_.end();
    if (std::is_sorted(begin, end, in_order{})) {
        return;
    }
    // Nearly all of it may be: only then do few events travel far.
    std::reverse(begin, end);
    if (!std::is_sorted(begin, end, in_order{})) {
        std::sort(begin, end, in_order{});
    }
}

template <class Event, event_order<Event> Order>
Event* timing_wheel<Event, Order>::take_slot(level& from, std::size_t digit) noexcept {
    from.occupied[digit / 64] &= ~(std::uint64_t{1} << digit % 64);
    wheel_next_known_ = false;
    wheel_next_ = never;
    return std::exchange(from.newest[digit], nullptr);
}

/// Visits the events of a slot that was taken, and gives its chunks back.
template <class Event, event_order<Event> Order>
template <class Visitor>
void timing_wheel<Event, Order>::drain(Event* newest, Visitor&& visit) {
    while (newest != nullptr) {
        chunk_header* const header = &header_of(newest);
        const Event* const end = first_place(*header) + events_per_chunk;
        Event* const next = header->next;
        for (const Event* at = newest; at != end; ++at) {
            visit(*at);
        }
        pool_.give_back(header);
        newest = next;
    }
}

}  // namespace fleetarium
