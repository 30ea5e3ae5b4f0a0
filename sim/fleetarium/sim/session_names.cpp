#include <fleetarium/sim/session_names.hpp>

#include <utility>

namespace fleetarium::sim::detail {

void session_names::set(session_index of_core, session_index told) {
    if (of_core >= told_.size()) {
        told_.resize(of_core + 1, broker::no_session);
    }
    if (told >= cores_.size()) {
        cores_.resize(told + 1, broker::no_session);
    }
    told_[of_core] = told;
    cores_[told] = of_core;
}

void session_names::add(session_index of_core) {
    if (!keeps_) {
        return;
    }
    auto next = static_cast<session_index>(cores_.size());
    if (!free_.empty()) {
        next = free_.back();
        free_.pop_back();
    }
    set(of_core, next);
}

void session_names::remove(session_index of_core) {
    if (keeps_) {
        const session_index told = std::exchange(told_[of_core], broker::no_session);
        cores_[told] = broker::no_session;
        free_.push_back(told);
    }
}

void session_names::core_ends(const broker::session_registry& sessions) {
    by_client_id_.clear();
    for (session_index i = 0; i < sessions.slots().end(); ++i) {
        if (sessions.contains(i) && i < told_.size() && told_[i] != broker::no_session) {
            by_client_id_.emplace(sessions[i].client_id(), told_[i]);
        }
    }
}

std::vector<session_names::session_index> session_names::core_begins(
    const broker::session_registry& sessions) {
    std::vector<session_index> added;
    told_.clear();
    cores_.assign(cores_.size(), broker::no_session);
    for (session_index i = 0; i < sessions.slots().end(); ++i) {
        if (!sessions.contains(i)) {
            continue;
        }
        const auto found = by_client_id_.find(std::string(sessions[i].client_id()));
        if (found == by_client_id_.end()) {
            add(i);
            added.push_back(told_[i]);
        } else {
            set(i, found->second);
        }
    }
    by_client_id_.clear();
    return added;
}

}  // namespace fleetarium::sim::detail
