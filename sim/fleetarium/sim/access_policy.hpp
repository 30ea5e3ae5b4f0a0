#pragma once

#include <fleetarium/broker/access_policy.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace fleetarium::sim {

/// Who may do what at a broker, as its scenario says: the answers that a broker_hooks needs.
/// Thread rule: const calls from any thread.
class access_policy {
public:
    explicit access_policy(const broker_spec& broker);

    /// Whether a client with these credentials may connect. Without a user name it may if
    /// anonymous clients may; with one, if user and password are in the list. Without a list
    /// every name is good.
    bool admits(std::optional<std::string_view> user_name, std::string_view password) const;

    bool may_publish(std::string_view client_id, std::string_view user_name,
                     std::string_view topic) const {
        return rules_.may_publish(client_id, user_name, topic);
    }

    /// `filter` as it was sent; of a shared subscription the part that matches counts.
    bool may_subscribe(std::string_view client_id, std::string_view user_name,
                       std::string_view filter) const {
        return rules_.may_subscribe(client_id, user_name, filter);
    }

    /// Whether every client may do everything, so that nobody need ask.
    bool allows_everything() const {
        return rules_.allows_everything() && users_.empty() && allow_anonymous_;
    }

private:
    std::map<std::string, std::string, std::less<>> users_;
    broker::access_policy rules_;
    bool allow_anonymous_;
};

}  // namespace fleetarium::sim
