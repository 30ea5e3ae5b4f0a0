#include <fleetarium/sim/memory_network.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/block_pool.hpp>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <utility>

namespace fleetarium::sim::detail {

// segment

segment* segment::make(std::uint32_t capacity) {
    const std::size_t bytes =
        block_pool::class_size(sizeof(segment) + capacity * sizeof(message_identity));
    capacity = static_cast<std::uint32_t>((bytes - sizeof(segment)) / sizeof(message_identity));
    return ::new (block_pool::allocate(bytes)) segment(capacity);
}

segment* segment::make() { return make(1); }

void segment::destroy(segment* dead) noexcept {
    const std::size_t bytes = sizeof(segment) + dead->capacity_ * sizeof(message_identity);
    dead->~segment();
    block_pool::deallocate(dead, bytes);
}

segment* segment::add(segment* to, const message_identity& identity) {
    if (to->count_ == to->capacity_ && to->first_ > to->capacity_ / 2) {
        std::copy_n(to->identities() + to->first_, to->count_ - to->first_, to->identities());
        to->count_ -= std::exchange(to->first_, 0);
    }
    if (to->count_ == to->capacity_) {
        segment* const larger = make(2 * to->capacity_ + 1);
        std::copy_n(to->identities() + to->first_, to->count_ - to->first_, larger->identities());
        larger->count_ = to->count_ - to->first_;
        larger->bytes = std::move(to->bytes);
        destroy(to);
        to = larger;
    }
    ::new (to->identities() + to->count_++) message_identity(identity);
    return to;
}

message_identity segment::take() {
    FLEETARIUM_ASSERT(!empty());
    return identities()[first_++];
}

void destroy_payload(const event& unwanted) noexcept {
    if (unwanted.kind() == event_kind::bytes) {
        wire_buffer::adopt(reinterpret_cast<void*>(unwanted.payload)).clear();
    } else if (unwanted.kind() == event_kind::messages) {
        segment::destroy(reinterpret_cast<segment*>(unwanted.payload));
    }
}

// direction

direction::direction(const direction_spec& spec, const network_spec& network)
    : latency_(spec.latency),
      bandwidth_(spec.bandwidth.value_or(0)),
      mtu_(network.mtu.value_or(0)),
      split_probability_(network.split_probability),
      constant_(spec.latency.type() == distribution::kind::constant) {
    if (spec.bandwidth == std::uint64_t{0} || network.mtu == std::uint32_t{0}) {
        throw std::invalid_argument("the bandwidth and the mtu of a network must be above 0");
    }
    if (!(split_probability_ >= 0 && split_probability_ <= 1)) {
        throw std::invalid_argument("a split_probability must be between 0 and 1");
    }
    if (constant_) {
        random_stream none{random_key{}};
        constant_latency_ = latency_.sample_duration(none);
    }
}

duration direction::transfer_time(std::size_t size, std::uint64_t bandwidth) {
    // 2^64 bytes times 10^9 does not fit 64 bits; no chunk takes 292 years.
    const auto nanoseconds =
        static_cast<fleetarium::detail::uint128>(size) * 1'000'000'000 / bandwidth;
    const auto longest = static_cast<fleetarium::detail::uint128>(duration::max().count() / 4);
    return duration{static_cast<duration::rep>(std::min(nanoseconds, longest))};
}

instant direction::arrival(link_progress& progress, std::size_t size, instant now, random_key key,
                           const link_conditions& worse) const {
    instant sent = now;
    const std::uint64_t slowest = bandwidth_ == 0 || worse.bandwidth == 0
                                      ? std::max(bandwidth_, worse.bandwidth)
                                      : std::min(bandwidth_, worse.bandwidth);
    if (slowest != 0) {
        sent = progress.free_at = std::max(now, progress.free_at) + transfer_time(size, slowest);
    }
    const duration own = constant_ ? constant_latency_ : draw(progress, key);
    progress.last_arrival =
        std::max(progress.last_arrival,
                 saturating_add(saturating_add(sent, own), worse.added_latency));
    return progress.last_arrival;
}

duration direction::draw(link_progress& progress, random_key key) const {
    random_stream stream(key, progress.draws);
    const duration drawn = latency_.sample_duration(stream);
    progress.draws = stream.draws_made();
    return drawn;
}

void direction::split(wire_buffer bytes, link_progress& progress, random_key key,
                      double probability, std::vector<wire_buffer>& pieces) const {
    random_stream stream(key, progress.draws);
    const auto add = [&](bytes_view piece) {
        if (!piece.empty()) {
            pieces.emplace_back().append(piece);
        }
    };
    const auto add_cut = [&](bytes_view piece) {
        if (probability > 0 && stream.bernoulli(probability) && piece.size() > 1) {
            const auto at = static_cast<std::size_t>(1 + stream.below(piece.size() - 1));
            add(piece.first(at));
            piece = piece.subspan(at);
        }
        add(piece);
    };

    std::vector<std::uint8_t> whole;  // of chunks in several parts
    bytes_view rest = bytes.contiguous();
    if (rest.empty()) {
        bytes.for_each_part(
            [&](bytes_view part) { whole.insert(whole.end(), part.begin(), part.end()); });
        rest = whole;
    }
    while (mtu_ != 0 && rest.size() > mtu_) {
        add_cut(rest.first(mtu_));
        rest = rest.subspan(mtu_);
    }
    add_cut(rest);
    progress.draws = stream.draws_made();
}

network::network(const network_spec& made_of)
    : spec(made_of), up(made_of.up, made_of), down(made_of.down, made_of) {}

}  // namespace fleetarium::sim::detail
