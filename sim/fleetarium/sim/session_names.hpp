#pragma once

#include <fleetarium/broker/session_registry.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fleetarium::sim::detail {

/// The numbers by which a broker's sessions are known outside of it. A core numbers its sessions
/// anew when it is made from storage; out here they keep the number that they had, so that what is
/// known of them goes on.
class session_names {
public:
    using session_index = broker::session_index;

    /// From the beginning, of a broker that has one core only: numbers are the core's.
    session_names() = default;

    /// From now on numbers are told apart from the core's.
    void keep() { keeps_ = true; }

    session_index told(session_index of_core) const {
        return !keeps_ || of_core >= told_.size() ? of_core : told_[of_core];
    }
    /// no_session: there is none.
    session_index of_core(session_index told) const {
        return !keeps_ ? told : told < cores_.size() ? cores_[told] : broker::no_session;
    }

    /// A session of the core is new.
    void add(session_index of_core);
    /// It has ended.
    void remove(session_index of_core);

    /// The core is gone; what storage keeps of its sessions comes again.
    void core_ends(const broker::session_registry& sessions);
    /// A core was made from storage. Sessions that there were not get a new number: returns these
    /// numbers.
    std::vector<session_index> core_begins(const broker::session_registry& sessions);
    /// Numbers are below.
    std::size_t end() const { return cores_.size(); }

private:
    void set(session_index of_core, session_index told);

    bool keeps_ = false;
    std::vector<session_index> told_;                              // by the core's number
    std::vector<session_index> cores_;                             // by the number told
    std::vector<session_index> free_;                              // numbers to tell
    std::unordered_map<std::string, session_index> by_client_id_;  // while there is no core
};

}  // namespace fleetarium::sim::detail
