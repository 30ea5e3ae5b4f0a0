#include <fleetarium/broker/broker_core.hpp>

#include <string>
#include <vector>

namespace fleetarium::broker {

void broker_core::crash(bool keeps_sessions, instant now) {
    for (session_index i = 0; i < sessions_.slots().end(); ++i) {
        if (!sessions_.slots().contains(i)) {
            continue;
        }
        session& each = sessions_[i];
        if (!keeps_sessions) {
            each.expiry_interval = 0;
        }
        if (each.expiry_interval == 0) {
            each.will.reset();  // nobody is left to publish it
        }
    }
    for (connection_id id = 0; id < connections_.end(); ++id) {
        if (connections_.contains(id)) {
            handle_closed(id, now);
        }
    }
    if (keeps_sessions) {
        return;
    }
    for (session_index i = 0; i < sessions_.slots().end(); ++i) {
        if (sessions_.slots().contains(i)) {
            end_session(i, now);
        }
    }
    std::vector<std::string> topics;
    retained_.for_each([&](const message_ptr& each) { topics.emplace_back(each->topic()); });
    for (const std::string& topic : topics) {
        remove_retained(topic, {}, drop_reason::none, now);
    }
}

}  // namespace fleetarium::broker
