#include <fleetarium/broker/shared_groups.hpp>

namespace fleetarium::broker {

bool shared_group::erase(session_index session) {
    const subscriber_list::erasure gone = members_.erase(session);
    if (gone.at == subscriber_list::none) {
        return false;
    }
    // Whoever was next keeps the turn, wherever it stands now.
    if (gone.last_moved) {
        if (next_ == members_.size()) {
            next_ = gone.at;
        }
    } else if (gone.at < next_) {
        --next_;
    }
    if (next_ >= members_.size()) {
        next_ = 0;
    }
    return true;
}

}  // namespace fleetarium::broker
