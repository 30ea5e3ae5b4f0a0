#include <fleetarium/broker/access_policy.hpp>

#include <fleetarium/codec/topic.hpp>

#include <algorithm>

namespace fleetarium::broker {

namespace {

/// A filter or topic name, level by level.
class levels {
public:
    explicit levels(std::string_view text) : rest_(text) {}

    bool ended() const { return ended_; }
    std::string_view rest() const { return rest_; }

    std::string_view take() {
        const auto end = rest_.find('/');
        const auto level = rest_.substr(0, end);
        ended_ = end == std::string_view::npos;
        rest_.remove_prefix(ended_ ? rest_.size() : end + 1);
        return level;
    }

    /// Whether what is left is nothing, or a "#", which matches the level before it too.
    bool may_end_here() const { return ended_ || rest_ == "#"; }

private:
    std::string_view rest_;
    bool ended_ = false;
};

bool begins_with_wildcard(std::string_view filter) {
    return filter.starts_with('+') || filter.starts_with('#');
}

/// filter_covers, where `same(level of wide, level of narrow)` says what is equal.
template <class Same>
bool covers_by(std::string_view wide, std::string_view narrow, Same same) {
    if (begins_with_wildcard(wide) && narrow.starts_with('$')) {
        return false;  // v5/MQTT-4.7.2-1
    }
    levels allowing(wide);
    levels asking(narrow);
    for (;;) {
        const auto allowed = allowing.take();
        if (allowed == "#") {
            return true;
        }
        const auto asked = asking.take();
        if (asked == "#" || (allowed != "+" && !same(allowed, asked))) {
            return false;
        }
        if (asking.ended()) {
            return allowing.may_end_here();
        }
        if (allowing.ended()) {
            return false;
        }
    }
}

/// filters_overlap, where `same(level of left, level of right)` says what is equal; `left_begins`
/// is the first level of `left` as text.
template <class Same>
bool overlap_by(std::string_view left, std::string_view right, bool left_begins_with_dollar,
                Same same) {
    if ((begins_with_wildcard(left) && right.starts_with('$')) ||
        (begins_with_wildcard(right) && left_begins_with_dollar)) {
        return false;  // v5/MQTT-4.7.2-1
    }
    levels first(left);
    levels second(right);
    for (;;) {
        const auto a = first.take();
        const auto b = second.take();
        if (a == "#" || b == "#") {
            return true;
        }
        if (a != "+" && b != "+" && !same(a, b)) {
            return false;
        }
        if (first.ended() || second.ended()) {
            return first.may_end_here() && second.may_end_here();
        }
    }
}

constexpr auto equal = [](std::string_view left, std::string_view right) { return left == right; };

/// The next placeholder of a text: its place, or the end.
std::size_t find_placeholder(std::string_view text) {
    for (std::size_t i = 0; i + 1 < text.size(); ++i) {
        if (text[i] == '%' && (text[i + 1] == 'c' || text[i + 1] == 'u')) {
            return i;
        }
    }
    return text.size();
}

/// Takes `expected` off the front of `text`, if it is there.
bool take_off(std::string_view& text, std::string_view expected) {
    if (!text.starts_with(expected)) {
        return false;
    }
    text.remove_prefix(expected.size());
    return true;
}

bool is_plain_name(std::string_view name) {
    return name.find_first_of("+#/") == std::string_view::npos;
}

}  // namespace

bool filter_covers(std::string_view wide, std::string_view narrow) {
    return covers_by(wide, narrow, equal);
}

bool filters_overlap(std::string_view left, std::string_view right) {
    return overlap_by(left, right, left.starts_with('$'), equal);
}

bool has_placeholder(std::string_view filter) { return find_placeholder(filter) != filter.size(); }

access_policy::rule_filter::rule_filter(std::string_view filter)
    : text(filter),
      plain_size(std::min(filter.find_first_of("+#"), find_placeholder(filter))),
      has_client_id(filter.find("%c") != std::string_view::npos),
      has_user_name(filter.find("%u") != std::string_view::npos) {
    if (plain_size == text.size()) {
        shape = shape::plain;
    } else if (plain_size > 0 && text[plain_size] == '#') {
        shape = shape::subtree;
        --plain_size;  // "a/#" matches "a" too
    }
}

bool access_policy::rule_filter::is_for(const names& who) const {
    return (!has_client_id || !who.client_id.empty()) && (!has_user_name || !who.user_name.empty());
}

bool access_policy::rule_filter::is_twisted_by(const names& who) const {
    return (has_client_id && !is_plain_name(who.client_id)) ||
           (has_user_name && !is_plain_name(who.user_name));
}

namespace {

/// Whether a level of a rule, its placeholders filled in, is `asked`.
bool level_equals(std::string_view level, std::string_view client_id, std::string_view user_name,
                  std::string_view asked) {
    for (;;) {
        const auto at = find_placeholder(level);
        if (!take_off(asked, level.substr(0, at))) {
            return false;
        }
        if (at == level.size()) {
            return asked.empty();
        }
        if (!take_off(asked, level[at + 1] == 'c' ? client_id : user_name)) {
            return false;
        }
        level.remove_prefix(at + 2);
    }
}

}  // namespace

bool access_policy::rule_filter::covers(const names& who, std::string_view asked) const {
    if (!asked.starts_with(std::string_view(text).substr(0, plain_size))) {
        return false;
    }
    if (shape == shape::plain) {
        return asked.size() == text.size();
    }
    if (shape == shape::subtree) {
        return asked.size() == plain_size || asked[plain_size] == '/';
    }
    if (!has_client_id && !has_user_name) {
        return filter_covers(text, asked);
    }
    return is_for(who) && !is_twisted_by(who) &&
           covers_by(text, asked, [&](std::string_view level, std::string_view other) {
               return level_equals(level, who.client_id, who.user_name, other);
           });
}

bool access_policy::rule_filter::overlaps(const names& who, std::string_view asked) const {
    if (!has_client_id && !has_user_name) {
        return filters_overlap(text, asked);
    }
    const auto at = find_placeholder(text);
    const auto beginning =
        at == 0 ? (text[1] == 'c' ? who.client_id : who.user_name) : std::string_view(text);
    return is_for(who) &&
           overlap_by(text, asked, beginning.starts_with('$'),
                      [&](std::string_view level, std::string_view other) {
                          return level_equals(level, who.client_id, who.user_name, other);
                      });
}

access_policy::access_policy(const std::vector<access_rule>& rules) : allows_everything_(false) {
    for (const auto& rule : rules) {
        rule_list& list = rule.whom == access_rule::audience::everybody ? everybody_
                          : rule.whom == access_rule::audience::user    ? users_[rule.user_name]
                                                                        : without_user_name_;
        if (rule.kind == access_kind::deny) {
            list.denied.emplace_back(rule.filter);
        }
        if (rule.kind == access_kind::read || rule.kind == access_kind::read_write) {
            list.readable.emplace_back(rule.filter);
        }
        if (rule.kind == access_kind::write || rule.kind == access_kind::read_write) {
            list.writable.emplace_back(rule.filter);
        }
    }
}

bool access_policy::may_publish(std::string_view client_id, std::string_view user_name,
                                std::string_view topic) const {
    const names who{client_id, user_name};
    return is_allowed(&rule_list::writable, who, topic, [&](const rule_filter& rule) {
        return rule.is_twisted_by(who) || rule.covers(who, topic);
    });
}

bool access_policy::may_subscribe(std::string_view client_id, std::string_view user_name,
                                  std::string_view filter) const {
    const names who{client_id, user_name};
    const auto shared = parse_shared_filter(filter);
    const auto asked = shared ? shared->filter : filter;
    return is_allowed(&rule_list::readable, who, asked, [&](const rule_filter& rule) {
        return rule.is_twisted_by(who) || rule.overlaps(who, asked);
    });
}

template <class Denies>
bool access_policy::is_allowed(std::vector<rule_filter> rule_list::*by, const names& who,
                               std::string_view asked, Denies denies) const {
    if (allows_everything_) {
        return true;
    }
    const rule_list* own = nullptr;
    if (who.user_name.empty()) {
        own = &without_user_name_;
    } else if (const auto found = users_.find(who.user_name); found != users_.end()) {
        own = &found->second;
    }
    const auto any_denies = [&](const rule_list& list) {
        return std::any_of(list.denied.begin(), list.denied.end(), denies);
    };
    const auto any_covers = [&](const rule_list& list) {
        return std::any_of((list.*by).begin(), (list.*by).end(),
                           [&](const rule_filter& rule) { return rule.covers(who, asked); });
    };
    return !any_denies(everybody_) && (own == nullptr || !any_denies(*own)) &&
           (any_covers(everybody_) || (own != nullptr && any_covers(*own)));
}

}  // namespace fleetarium::broker
