#pragma once

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/chunk_pool.hpp>
#include <fleetarium/core/clock.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

namespace fleetarium {

/// The order of events that have a member `instant time` and an operator `<`.
struct default_event_order {
    template <class Event>
    static instant time(const Event& event) {
        return event.time;
    }
    template <class Event>
    static bool before(const Event& a, const Event& b) {
        return a < b;
    }
};

/// How a timing_wheel sees its events: `time` is an event's instant; `before` is a strict total
/// order that agrees with it (an earlier instant is before a later one).
template <class Order, class Event>
concept event_order = requires(const Event& a, const Event& b) {
    { Order::time(a) } -> std::same_as<instant>;
    { Order::before(a, b) } -> std::same_as<bool>;
};

/// A queue of millions of small events, taken out in the exact order of `Order`.
///
/// A hierarchical timing wheel that holds values. Time is cut into slots of 2^16 ns; a level of
/// the wheel has 256 slots, each as wide as the whole level below, and six levels cover every
/// instant. An event waits at the level of the highest digit in which its slot differs from
/// the current one; when its level's slot comes up it moves down, at last into a short sorted run
/// from which events are taken. A slot is a chain of pooled chunks that is only ever appended to
/// and read through, so memory is touched in sequence, and an event costs its own size and
/// about 4 % more. The run is filled some events ahead, across slots, so that the owner can see
/// what is coming and prefetch what it will touch.
///
/// Events pushed at or before the current slot, an instant in the past included, are sorted in
/// with those that wait: the next one taken is always the first of all pending ones. There is no
/// cancellation: the owner checks, when an event comes out, whether it still means something.
///
///     timing_wheel<my_event> events;
///     events.push({.time = now + 5s, .host = 7, .sequence = 0});
///     while (events.next_time() <= until) { handle(events.pop()); }
///
/// Thread rule: one thread at a time. The memory of events taken out is kept for those to come.
template <class Event, event_order<Event> Order = default_event_order>
class timing_wheel {
    static_assert(std::is_trivially_copyable_v<Event>, "events are moved as plain memory");

public:
    timing_wheel() : pool_(chunk_size) {}

    timing_wheel(const timing_wheel&) = delete;
    timing_wheel& operator=(const timing_wheel&) = delete;

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }

    /// Adds an event. Amortised constant time; logarithmic in the events of its own slot where
    /// thousands are pushed into the slot that is being taken out. Throws std::bad_alloc.
    void push(const Event& event);

    /// The instant of the event that `pop` would return; `never` if there is none.
    /// Constant time, but linear in the events of one slot after the run has been used up.
    instant next_time() const;

    /// Takes out the first event of all. There is one. Amortised constant time.
    Event pop();

    /// The event that `pop` will return after `index` others, as far as it is known by now, else
    /// null: events pushed meanwhile may come before it. Valid until the next push or pop. For
    /// prefetching; not a way to enumerate the queue.
    const Event* peek(std::size_t index) const noexcept {
        return index < run_.size() - run_begin_ ? run_.data() + run_begin_ + index : nullptr;
    }

    /// How many events `peek` aims to know ahead, where so many are due within 16 ms. At the end of
    /// a slot with many events, it knows fewer.
    static constexpr std::size_t lookahead = 16;

    /// Removes all events.
    void clear() noexcept;

    /// Bytes held by the wheel, itself included.
    std::size_t memory_bytes() const noexcept {
        return sizeof(*this) + pool_.memory_bytes() +
               (run_.capacity() + late_.capacity()) * sizeof(Event);
    }

private:
    // A chunk is filled from its end towards its header, so that a pointer to its newest event
    // is always inside it, and a mask finds the header: a slot is no more than that pointer.
    struct chunk_header {
        Event* next;  // the newest event of the next chunk of the slot, which is full
    };
    using slot_index = std::uint64_t;  // an instant in units of 2^16 ns, all digits of it

    static constexpr std::size_t chunk_size = 1024;
    static constexpr int base_shift = 16;
    static constexpr int digit_bits = 8;
    static constexpr std::size_t slots_per_level = std::size_t{1} << digit_bits;
    static constexpr std::size_t levels = (64 - base_shift) / digit_bits;
    static constexpr std::size_t events_per_chunk =
        (chunk_size - sizeof(chunk_header)) / sizeof(Event);
    // The run is filled up to this many events at once ...
    static constexpr std::size_t run_fill = 64;
    // ... and an event that belongs into it is moved into place if no more than this many wait.
    static constexpr std::size_t insert_max = 128;
    // A run with room for more than this is given back when it is used up.
    static constexpr std::size_t run_capacity_kept = std::size_t{1} << 16;

    static_assert(events_per_chunk >= 4, "an event is too large for a chunk");

    struct level {
        std::array<std::uint64_t, slots_per_level / 64> occupied{};
        std::array<Event*, slots_per_level> newest{};

        bool empty() const noexcept {
            return (occupied[0] | occupied[1] | occupied[2] | occupied[3]) == 0;
        }
        std::size_t first() const noexcept;
    };

    static slot_index slot_of(instant time) noexcept {
        // Flipping the sign bit makes unsigned order the order of instants.
        const auto count = static_cast<std::uint64_t>(time.time_since_epoch().count());
        return (count ^ std::uint64_t{1} << 63) >> base_shift;
    }
    static chunk_header& header_of(Event* event) noexcept {
        const auto at = reinterpret_cast<std::uintptr_t>(event);
        return *reinterpret_cast<chunk_header*>(at & ~std::uintptr_t{chunk_size - 1});
    }
    static Event* first_place(chunk_header& header) noexcept {
        return reinterpret_cast<Event*>(reinterpret_cast<std::byte*>(&header) + chunk_size) -
               events_per_chunk;
    }
    struct in_order {
        bool operator()(const Event& a, const Event& b) const { return Order::before(a, b); }
    };
    struct in_reverse {
        bool operator()(const Event& a, const Event& b) const { return Order::before(b, a); }
    };

    bool run_empty() const noexcept { return run_begin_ == run_.size(); }
    const level* lowest_level() const noexcept;
    void store(level& at, std::size_t digit, const Event& event);
    void store(const Event& event, slot_index slot);
    void push_into_run(const Event& event, slot_index slot);
    void give_up_lookahead();
    void refill();
    void fill_run_from_lowest_level();
    void sort_run_from(std::ptrdiff_t first);
    void cascade(level& from, std::size_t number);
    Event* take_slot(level& from, std::size_t digit) noexcept;
    template <class Visitor>
    void drain(Event* newest, Visitor&& visit);

    // Every event of the run and of late_ has a slot <= current_; every event of the wheel has a
    // later one. Where late_ holds anything, the run is not filled ahead.
    slot_index current_ = slot_of(instant{});
    std::size_t size_ = 0;
    std::size_t run_begin_ = 0;
    std::vector<Event> run_;   // sorted from run_begin_ on
    std::vector<Event> late_;  // a heap of events pushed into a slot too full to insert into
    mutable instant wheel_next_ = never;  // earliest event of the wheel, if known
    mutable bool wheel_next_known_ = true;
    chunk_pool pool_;
    std::array<level, levels> levels_{};
};

}  // namespace fleetarium

#include <fleetarium/core/timing_wheel_impl.hpp>
