#include <fleetarium/sim/access_policy.hpp>

#include <fleetarium/codec/topic.hpp>

#include <algorithm>

namespace fleetarium::sim {

namespace {

std::string_view take_level(std::string_view& filter, bool& ended) {
    const auto end = filter.find('/');
    const auto level = filter.substr(0, end);
    ended = end == std::string_view::npos;
    filter.remove_prefix(ended ? filter.size() : end + 1);
    return level;
}

/// The filter with %c and %u filled in; none if a name would change the levels or add wildcards.
std::optional<std::string> filled_in(std::string_view filter, std::string_view client_id,
                                     std::string_view user_name) {
    std::string text;
    for (std::size_t i = 0; i < filter.size(); ++i) {
        const char next = filter[i] == '%' && i + 1 < filter.size() ? filter[i + 1] : '\0';
        if (next != 'c' && next != 'u') {
            text += filter[i];
            continue;
        }
        const auto name = next == 'c' ? client_id : user_name;
        if (name.empty() || name.find_first_of("+#/") != std::string_view::npos) {
            return std::nullopt;
        }
        text += name;
        ++i;
    }
    return text;
}

}  // namespace

bool filter_covers(std::string_view wide, std::string_view narrow) {
    const bool begins_with_wildcard = wide.starts_with('+') || wide.starts_with('#');
    if (begins_with_wildcard && narrow.starts_with('$')) {
        return false;  // v5/MQTT-4.7.2-1
    }
    bool wide_ended = false;
    bool narrow_ended = false;
    for (;;) {
        const auto allowed = take_level(wide, wide_ended);
        if (allowed == "#") {
            return true;
        }
        const auto asked = take_level(narrow, narrow_ended);
        if (asked == "#" || (allowed != "+" && allowed != asked)) {
            return false;
        }
        if (narrow_ended) {
            return wide_ended || wide == "#";  // "a/#" matches "a" too
        }
        if (wide_ended) {
            return false;
        }
    }
}

access_policy::access_policy(const broker_spec& broker)
    : rules_(broker.access), allow_anonymous_(broker.allow_anonymous) {
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

bool access_policy::may_publish(std::string_view client_id, std::string_view user_name,
                                std::string_view topic) const {
    return is_covered(&access_rule::publish, client_id, user_name, topic);
}

bool access_policy::may_subscribe(std::string_view client_id, std::string_view user_name,
                                  std::string_view filter) const {
    const auto shared = parse_shared_filter(filter);
    return is_covered(&access_rule::subscribe, client_id, user_name,
                      shared ? shared->filter : filter);
}

bool access_policy::is_covered(std::vector<std::string> access_rule::*filters,
                               std::string_view client_id, std::string_view user_name,
                               std::string_view asked) const {
    if (rules_.empty()) {
        return true;
    }
    return std::any_of(rules_.begin(), rules_.end(), [&](const access_rule& rule) {
        if (rule.user_name && *rule.user_name != user_name) {
            return false;
        }
        return std::any_of((rule.*filters).begin(), (rule.*filters).end(),
                           [&](const std::string& filter) {
                               const auto made = filled_in(filter, client_id, user_name);
                               return made && filter_covers(*made, asked);
                           });
    });
}

}  // namespace fleetarium::sim
