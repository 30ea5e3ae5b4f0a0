#include <fleetarium/recording/name_rewriting.hpp>

#include <fleetarium/codec/topic.hpp>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

namespace fleetarium::recording {

namespace {

std::pair<std::string_view, std::string_view> sides_of(std::string_view rule,
                                                       std::string_view example) {
    const std::size_t equals = rule.find('=');
    if (equals == std::string_view::npos) {
        throw std::invalid_argument("found \"" + std::string(rule) +
                                    "\", expected FROM=TO such as " + std::string(example));
    }
    return {rule.substr(0, equals), rule.substr(equals + 1)};
}

/// Takes the next level off.
std::string_view take_level(std::string_view& rest) {
    const std::size_t slash = rest.find('/');
    const std::string_view level = rest.substr(0, slash);
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    return level;
}

/// Levels, empty ones too.
template <class Visit>
void for_each_level(std::string_view text, Visit&& visit) {
    const std::size_t count = topic_level_count(text);
    for (std::size_t i = 0; i < count; ++i) {
        visit(take_level(text));
    }
}

std::size_t count_level(std::string_view filter, std::string_view level) {
    std::size_t found = 0;
    for_each_level(filter, [&](std::string_view each) { found += each == level ? 1 : 0; });
    return found;
}

void require_filter(std::string_view rule, std::string_view side) {
    if (!is_valid_topic_filter(side)) {
        throw std::invalid_argument("found \"" + std::string(side) + "\" in \"" +
                                    std::string(rule) +
                                    "\", expected a topic filter such as plant/+/temperature or "
                                    "plant/#");
    }
}

}  // namespace

void topic_rewriting::add(std::string_view text) {
    const auto [from, to] = sides_of(text, "plant/#=test/plant/#");
    require_filter(text, from);
    require_filter(text, to);
    for (const std::string_view wildcard : {"+", "#"}) {
        if (count_level(to, wildcard) > count_level(from, wildcard)) {
            throw std::invalid_argument("found more " + std::string(wildcard) + " in \"" +
                                        std::string(to) + "\" than in \"" + std::string(from) +
                                        "\", expected one there for each here");
        }
    }
    rules_.push_back({std::string(from), std::string(to)});
}

std::string topic_rewriting::apply(std::string_view topic) const {
    const auto found = std::find_if(rules_.begin(), rules_.end(), [&](const rule& each) {
        return topic_matches(each.from, topic);
    });
    if (found == rules_.end()) {
        return std::string(topic);
    }
    std::vector<std::string_view> single;  // what each + stands for
    std::optional<std::string_view> rest;  // what # stands for; none: for no level at all
    std::size_t left = topic_level_count(topic);
    std::string_view unread = topic;
    for_each_level(found->from, [&](std::string_view level) {
        if (level == "#") {
            if (left > 0) {
                rest = unread;
            }
            return;
        }
        const std::string_view read = take_level(unread);
        left -= left > 0 ? 1 : 0;
        if (level == "+") {
            single.push_back(read);
        }
    });
    std::string made;
    bool is_first = true;
    std::size_t next = 0;
    for_each_level(found->to, [&](std::string_view level) {
        if (level == "#" && !rest) {
            return;
        }
        made += is_first ? "" : "/";
        is_first = false;
        made += level == "+" ? single[next++] : level == "#" ? *rest : level;
    });
    return made;
}

void client_rewriting::add(std::string_view text) {
    const auto [from, to] = sides_of(text, "sensor-*=replayed-*");
    if (from.empty() || to.empty()) {
        throw std::invalid_argument("found \"" + std::string(text) +
                                    "\", expected a client id on both sides of =");
    }
    const auto stars = [](std::string_view side) {
        return std::count(side.begin(), side.end(), '*');
    };
    if (stars(from) > 1 || stars(to) > stars(from)) {
        throw std::invalid_argument("found \"" + std::string(text) +
                                    "\", expected at most one * in FROM, and none in TO without "
                                    "one in FROM");
    }
    rules_.push_back({std::string(from), std::string(to)});
}

std::string client_rewriting::apply(std::string_view client_id) const {
    for (const rule& each : rules_) {
        const std::size_t star = each.from.find('*');
        if (star == std::string::npos) {
            if (client_id == each.from) {
                return each.to;
            }
            continue;
        }
        const std::string_view before = std::string_view(each.from).substr(0, star);
        const std::string_view behind = std::string_view(each.from).substr(star + 1);
        if (client_id.size() < before.size() + behind.size() || !client_id.starts_with(before) ||
            !client_id.ends_with(behind)) {
            continue;
        }
        std::string made = each.to;
        const std::size_t to_star = made.find('*');
        if (to_star != std::string::npos) {
            made.replace(
                to_star, 1,
                client_id.substr(before.size(), client_id.size() - before.size() - behind.size()));
        }
        return made;
    }
    return std::string(client_id);
}

}  // namespace fleetarium::recording
