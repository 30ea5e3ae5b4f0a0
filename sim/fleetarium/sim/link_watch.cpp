#include <fleetarium/sim/link_watch.hpp>

#include <fleetarium/sim/memory_network.hpp>

#include <algorithm>

namespace fleetarium::sim::detail {

void link_watch::see(const event& what) {
    switch (what.kind()) {
        case event_kind::open: {
            const tapped_link made{what.origin, what.target, what.link};
            by_client_[{what.origin, what.link}] = made;
            to_.on_open(made, what.time);
            return;
        }
        case event_kind::opened: {
            const auto found = by_client_.find({what.target, what.link});
            if (found != by_client_.end()) {
                by_broker_[{what.origin, static_cast<std::uint32_t>(what.payload)}] = found->second;
                to_.on_accept(found->second, what.time);
            }
            return;
        }
        case event_kind::bytes:
        case event_kind::messages:
        case event_kind::close:
        case event_kind::cut:
            // A broker outside of the world has a number of its own among the clients'.
            if (by_broker_.contains({what.target, what.link}) &&
                by_broker_.at({what.target, what.link}).client == what.origin) {
                see_up(what);
            } else {
                see_down(what);
            }
            return;
        default: return;
    }
}

void link_watch::see_up(const event& what) {
    const tapped_link which = by_broker_.at({what.target, what.link});
    if (what.kind() == event_kind::bytes || what.kind() == event_kind::messages) {
        tell_bytes(which, what, true);
        return;
    }
    to_.on_end(which, what.time, true, what.kind() == event_kind::cut);
    forget(which);
}

void link_watch::see_down(const event& what) {
    const auto found = by_client_.find({what.target, what.link});
    if (found == by_client_.end() || found->second.broker != what.origin) {
        return;
    }
    const tapped_link which = found->second;
    if (what.kind() == event_kind::bytes || what.kind() == event_kind::messages) {
        tell_bytes(which, what, false);
        return;
    }
    to_.on_end(which, what.time, false, what.kind() == event_kind::cut);
    forget(which);
}

void link_watch::tell_bytes(const tapped_link& which, const event& what, bool up) {
    scratch_.clear();
    const auto add = [&](bytes_view part) {
        scratch_.insert(scratch_.end(), part.begin(), part.end());
    };
    if (what.kind() == event_kind::messages) {
        auto* const carried = reinterpret_cast<segment*>(what.payload);
        to_.on_messages(which, up, carried->rest());
        carried->bytes.for_each_part(add);
    } else {
        wire_buffer carried = wire_buffer::adopt(reinterpret_cast<void*>(what.payload));
        carried.for_each_part(add);
        static_cast<void>(carried.release());  // the event's still
    }
    to_.on_bytes(which, what.time, up, scratch_);
}

void link_watch::forget(const tapped_link& which) {
    by_client_.erase({which.client, which.number});
    std::erase_if(by_broker_, [&](const auto& each) { return each.second == which; });
}

}  // namespace fleetarium::sim::detail
