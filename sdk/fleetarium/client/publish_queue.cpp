#include <fleetarium/client/publish_queue.hpp>

#include <algorithm>
#include <utility>

namespace fleetarium::detail {

void publish_queue::note(const queued_publish& one, bool added) {
    const std::size_t size = one.message->memory_bytes();
    const std::size_t unacknowledged = one.message->qos() == qos::at_most_once ? 1 : 0;
    bytes_ = added ? bytes_ + size : bytes_ - size;
    at_most_once_ = added ? at_most_once_ + unacknowledged : at_most_once_ - unacknowledged;
}

queued_publish publish_queue::pop() {
    queued_publish taken = std::move(waiting_.front());
    waiting_.pop_front();
    note(taken, false);
    return taken;
}

bool publish_queue::has_room(std::size_t bytes) const {
    return waiting_.size() < options_->messages() && bytes_ + bytes <= options_->bytes();
}

void publish_queue::push(queued_publish added) {
    note(added, true);
    waiting_.push_back(std::move(added));
}

void publish_queue::push_front(queued_publish added) {
    note(added, true);
    waiting_.push_front(std::move(added));
}

void publish_queue::remove(const publish_observer* whose) {
    const auto found = std::ranges::find_if(
        waiting_, [&](const queued_publish& one) { return one.observer.get() == whose; });
    if (found != waiting_.end()) {
        note(*found, false);
        waiting_.erase(found);
    }
}

}  // namespace fleetarium::detail
