#include <fleetarium/sim/access_policy.hpp>

#include <vector>

namespace fleetarium::sim {

namespace {

/// Without rules, everything is allowed.
broker::access_policy policy_of(const std::vector<access_rule>& rules) {
    if (rules.empty()) {
        return {};
    }
    std::vector<broker::access_rule> made;
    for (const access_rule& rule : rules) {
        broker::access_rule part;
        if (rule.user_name) {
            part.whom = broker::access_rule::audience::user;
            part.user_name = *rule.user_name;
        }
        const auto add = [&](const std::vector<std::string>& filters, broker::access_kind kind) {
            for (const std::string& filter : filters) {
                part.kind = kind;
                part.filter = filter;
                made.push_back(part);
            }
        };
        add(rule.publish, broker::access_kind::write);
        add(rule.subscribe, broker::access_kind::read);
    }
    return broker::access_policy(made);
}

}  // namespace

access_policy::access_policy(const broker_spec& broker)
    : rules_(policy_of(broker.access)), allow_anonymous_(broker.allow_anonymous) {
    for (const auto& user : broker.users) {
        users_.emplace(user.user_name, user.password);
    }
}

bool access_policy::admits(std::optional<std::string_view> user_name,
                           std::string_view password) const {
    if (!user_name) {
        return allow_anonymous_;
    }
    const auto found = users_.find(*user_name);
    return users_.empty() || (found != users_.end() && found->second == password);
}

}  // namespace fleetarium::sim
