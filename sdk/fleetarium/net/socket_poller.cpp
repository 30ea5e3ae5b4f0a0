#include <fleetarium/net/socket_poller.hpp>

#include <fleetarium/core/block_pool.hpp>
#include <fleetarium/net/byte_stream.hpp>
#include <fleetarium/net/epoll_poller.hpp>
#include <fleetarium/net/portable_poller.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace fleetarium::net {

namespace {

// As much as a socket's buffer holds of small messages, and less than a processor's second cache.
constexpr std::size_t scratch_size = std::size_t{128} * 1024;

constexpr std::chrono::seconds tick_length{1};
constexpr std::uint64_t close_timeout_ticks =
    (close_timeout + tick_length - duration{1}) / tick_length;

thread_local std::unique_ptr<std::uint8_t[]> thread_scratch;

}  // namespace

socket_poller::scratch_lease::scratch_lease() : memory_(std::move(thread_scratch)) {
    if (memory_ == nullptr) {
        memory_.reset(new std::uint8_t[scratch_size]);  // not zeroed: pages come as they are used
    }
}

socket_poller::scratch_lease::~scratch_lease() {
    if (thread_scratch == nullptr) {
        thread_scratch = std::move(memory_);
    }
}

std::span<std::uint8_t> socket_poller::scratch_lease::memory() const noexcept {
    return {memory_.get(), scratch_size};
}

socket_poller::socket_poller(boost::asio::io_context& context)
    : boost::asio::execution_context::service(context), context_(context), timer_(context) {}

socket_poller& socket_poller::of(boost::asio::io_context& context) {
#ifdef FLEETARIUM_HAS_EPOLL
    if (!boost::asio::has_service<portable_poller>(context)) {
        return boost::asio::use_service<epoll_poller>(context);
    }
#endif
    return boost::asio::use_service<portable_poller>(context);
}

boost::system::error_code socket_poller::watch(entry& each, readiness wanted) {
    if (shut_down_) {
        return boost::asio::error::shut_down;
    }
    if (each.watched_ && each.wanted_ == wanted) {
        return {};
    }
    const auto wrong = each.watched_ ? change_watching(each, wanted) : start_watching(each, wanted);
    if (!wrong) {
        watched_count_ += each.watched_ ? 0 : 1;
        each.watched_ = true;
        each.wanted_ = wanted;
    }
    return wrong;
}

void socket_poller::unwatch(entry& each) noexcept {
    if (!std::exchange(each.watched_, false) || shut_down_) {
        return;
    }
    stop_watching(each);
    drop_found(each);
    if (--watched_count_ == 0) {
        rest();
        if (std::exchange(timer_runs_, false)) {
            timer_.cancel();
        }
        block_pool::trim();  // no tick will
    }
}

void socket_poller::remove(entry& each) noexcept {
    unwatch(each);
    leave_closing(each);
    if (std::exchange(each.due_, false)) {
        std::erase(due_, &each);
    }
    for (telling_guard* at = telling_; at != nullptr; at = at->outer) {
        if (at->who == &each) {
            at->who = nullptr;
        }
    }
}

void socket_poller::tell_ready(entry& each, readiness what, std::span<std::uint8_t> scratch) {
    start_tick();  // what the event leaves in the pool ages
    const telling_guard guard(*this, each);
    each.on_ready(what, scratch);
}

void socket_poller::tell_soon(entry& each) {
    if (shut_down_ || std::exchange(each.due_, true)) {
        return;
    }
    due_.push_back(&each);
    post_due();
}

void socket_poller::call_at_turn_end(std::function<void()> call) {
    if (in_turn_) {
        at_turn_end_.push_back(std::move(call));
    } else {
        boost::asio::post(context_, std::move(call));
    }
}

void socket_poller::run_turn_end() {
    while (!at_turn_end_.empty()) {
        const auto call = std::move(at_turn_end_.front());
        at_turn_end_.erase(at_turn_end_.begin());
        call();
    }
}

void socket_poller::post_turn_end() {
    if (!at_turn_end_.empty()) {
        boost::asio::post(context_, [this] { run_turn_end(); });
    }
}

void socket_poller::post_due() {
    if (!std::exchange(due_is_posted_, true)) {
        boost::asio::post(context_, [this] { run_due(); });
    }
}

void socket_poller::run_due() {
    due_is_posted_ = false;
    const scratch_lease scratch;
    // Those that come due meanwhile, and those behind one that throws, have a turn of their own.
    for (std::size_t left = due_.size(); left != 0 && !due_.empty(); --left) {
        entry& each = *due_.back();
        due_.pop_back();
        each.due_ = false;
        if (!due_.empty()) {
            post_due();
        }
        const telling_guard guard(*this, each);
        each.on_due(scratch.memory());
    }
}

void socket_poller::limit_closing(entry& each) {
    if (shut_down_ || each.closing_slot_ != entry::no_slot) {
        return;
    }
    each.closing_slot_ = static_cast<std::uint32_t>(closing_.size());
    // The tick under way may end at any moment.
    closing_.push_back({&each, tick_ + 1 + close_timeout_ticks});
    start_tick();
}

void socket_poller::leave_closing(entry& each) noexcept {
    const std::uint32_t slot = std::exchange(each.closing_slot_, entry::no_slot);
    if (slot == entry::no_slot) {
        return;
    }
    closing_[slot] = closing_.back();
    closing_.pop_back();
    if (slot < closing_.size()) {
        closing_[slot].who->closing_slot_ = slot;
    }
}

void socket_poller::start_tick() {
    if (std::exchange(timer_runs_, true)) {
        return;
    }
    timer_.expires_after(tick_length);
    timer_.async_wait([this](boost::system::error_code cancelled) {
        if (!cancelled) {
            run_tick();
        }
    });
}

void socket_poller::run_tick() {
    timer_runs_ = false;
    ++tick_;
    if (block_pool::age() || !closing_.empty()) {
        start_tick();
    }
    for (std::size_t i = 0; i < closing_.size();) {
        if (closing_[i].due_tick > tick_) {
            ++i;
            continue;
        }
        // Its slot takes the last one. One that another moves back over is seen in the next tick.
        entry& each = *closing_[i].who;
        leave_closing(each);
        const telling_guard guard(*this, each);
        each.on_close_timeout();
    }
}

void socket_poller::shutdown() noexcept {
    shut_down_ = true;
    due_.clear();
    at_turn_end_.clear();
    closing_.clear();
    timer_.cancel();
}

}  // namespace fleetarium::net
