#include <fleetarium/broker/topic_tree.hpp>
#include <fleetarium/codec/topic.hpp>

#include "support/naive_topics.hpp"
#include "support/property.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;
using namespace fleetarium::test;

namespace {

constexpr std::size_t subscribe = 0;
constexpr std::size_t subscribe_to_known = 1;
constexpr std::size_t unsubscribe = 2;
constexpr std::size_t session_ends = 3;
constexpr std::size_t match = 4;
[[maybe_unused]] constexpr std::size_t share = 5;

/// Everybody's subscriptions to one filter, as the documentation has their order.
struct plain_list {
    std::vector<subscription> members;
    bool was_long = false;           // then the last one takes the place of the one that leaves
    session_index next = no_filter;  // whose turn it is, of a shared group

    std::size_t find(session_index session) const {
        return static_cast<std::size_t>(
            std::find_if(members.begin(), members.end(),
                         [&](const subscription& one) { return one.session == session; }) -
            members.begin());
    }
    session_index behind(std::size_t at) const {
        return members[at + 1 < members.size() ? at + 1 : 0].session;
    }
    bool insert(const subscription& added) {
        const std::size_t at = find(added.session);
        if (at < members.size()) {
            members[at] = added;
            return true;
        }
        members.push_back(added);
        was_long = was_long || members.size() > subscriber_list::ordered_size_max;
        next = members.size() == 1 ? added.session : next;
        return false;
    }
    bool erase(session_index session) {
        const std::size_t at = find(session);
        if (at == members.size()) {
            return false;
        }
        // The turn of one who leaves goes to whoever then stands in its place.
        const bool is_last = at + 1 == members.size();
        const bool had_turn = next == session;
        if (was_long && !is_last) {
            members[at] = members.back();
            members.pop_back();
        } else {
            members.erase(members.begin() + static_cast<std::ptrdiff_t>(at));
        }
        if (had_turn && !members.empty()) {
            next = members[is_last ? 0 : at].session;
        }
        was_long = was_long && members.size() > subscriber_list::ordered_size_max / 2;
        return true;
    }
};

/// A tree, one with other hashes, and the list of all that was subscribed.
class twin_trees {
public:
    std::string run(property_steps steps) {
        for (const property_step& step : steps) {
            std::string problem = take(step);
            if (!problem.empty()) {
                return problem;
            }
        }
        return empty_again();
    }

private:
    using lists = std::map<std::string, plain_list>;

    std::string take(const property_step& step) {
        const auto session = static_cast<session_index>(step.b % (step.b >> 31 != 0 ? 5 : 150));
        switch (step.kind) {
            case subscribe: return add(any_filter_of(step.a % 4096), session, step.c);
            case subscribe_to_known:
                return known_.empty() ? std::string() : add(known(step.a)->first, session, step.c);
            case unsubscribe:
                // Mostly somebody who is there.
                if (known_.empty()) {
                    return {};
                } else {
                    const auto at = known(step.a);
                    const auto& members = at->second.members;
                    return remove(at->first, step.c % 4 == 0
                                                 ? session
                                                 : members[step.b % members.size()].session);
                }
            case session_ends: return end(session);
            case match: return compare(topic_name_of(step.a % 4096));
            default: return take_turn(step.a, step.b);
        }
    }

    lists::iterator known(std::uint32_t number) {
        return std::next(known_.begin(), static_cast<std::ptrdiff_t>(number % known_.size()));
    }

    static topic_tree::insertion add_to(topic_tree& tree, const std::string& filter,
                                        const subscription& added) {
        if (const auto shared = parse_shared_filter(filter)) {
            return tree.insert_shared(shared->share_name, shared->filter, added);
        }
        return tree.insert(filter, added);
    }

    std::string add(const std::string& filter, session_index session, std::uint32_t number) {
        const subscription added{session,
                                 number % 100,
                                 {.qos = static_cast<qos>(number % 3),
                                  .no_local = number % 7 == 0,
                                  .retain_as_published = number % 5 == 0}};
        const bool replaced = known_[filter].insert(added);
        const auto made = add_to(tree_, filter, added);
        const auto other = add_to(other_, filter, added);
        if (made.replaced != replaced || other.replaced != replaced) {
            return "insert of " + filter + " says it replaced, or that it did not";
        }
        if (tree_.text(made.filter) != filter) {
            return "insert of " + filter + " names another filter";
        }
        return counts();
    }

    std::string remove(std::string filter, session_index session) {
        const auto at = known_.find(filter);
        const bool there = at->second.erase(session);
        if (at->second.members.empty()) {
            known_.erase(at);
        }
        const auto id = tree_.find(filter);
        const auto other = other_.find(filter);
        if (!id || !other) {
            return "no filter " + filter;
        }
        if (tree_.erase(*id, session) != there || other_.erase(*other, session) != there) {
            return "erase from " + filter + " says another was there";
        }
        return counts();
    }

    std::string end(session_index session) {
        std::vector<std::string> had;
        for (const auto& [filter, list] : known_) {
            if (list.find(session) < list.members.size()) {
                had.push_back(filter);
            }
        }
        for (const std::string& filter : had) {
            std::string problem = remove(filter, session);
            if (!problem.empty()) {
                return problem;
            }
        }
        return {};
    }

    std::string counts() const {
        std::size_t subscriptions = 0;
        std::size_t groups = 0;
        for (const auto& [filter, list] : known_) {
            subscriptions += list.members.size();
            groups += is_shared_filter(filter) ? 1u : 0u;
        }
        if (tree_.subscription_count() != subscriptions || tree_.filter_count() != known_.size() ||
            tree_.group_count() != groups) {
            return "another count of subscriptions, filters or groups";
        }
        return {};
    }

    static std::string text_of(std::span<const subscription> list) {
        std::string out;
        for (const subscription& one : list) {
            out += " " + std::to_string(one.session) + ":" + std::to_string(one.identifier) + ":" +
                   std::to_string(static_cast<int>(one.options.qos)) +
                   (one.options.no_local ? "n" : "") + (one.options.retain_as_published ? "r" : "");
        }
        return out;
    }

    static std::string found_by(const topic_tree& tree, std::string_view topic,
                                std::map<std::string, std::string>& found) {
        match_result result;
        tree.match(topic, result);
        std::string order;
        std::size_t at = 0;
        const auto note = [&](std::string_view filter, std::span<const subscription> list) {
            order.append(filter).append(text_of(list)).append("; ");
            found[std::string(filter)] += text_of(list);
        };
        for (const filter_id filter : result.filters) {
            if (!tree.subscribers(filter).empty() && at < result.plain.size()) {
                note(tree.text(filter), result.plain[at++]);
            }
        }
        for (const shared_group* const group : result.shared) {
            note(tree.text(group->filter()), group->members());
        }
        return at == result.plain.size() ? order : "lists of no filter";
    }

    std::string compare(const std::string& topic) const {
        std::map<std::string, std::string> wanted;
        for (const auto& [filter, list] : known_) {
            if (naively_matches(matched_part(filter), topic)) {
                wanted[filter] = text_of(list.members);
            }
        }
        std::map<std::string, std::string> found;
        std::map<std::string, std::string> other;
        const std::string order = found_by(tree_, topic, found);
        if (found != wanted) {
            std::string out = "topic " + topic + " should match";
            for (const auto& [filter, list] : wanted) {
                out += " [" + filter + list + "]";
            }
            return out + ", matched " + order;
        }
        if (found_by(other_, topic, other) != order) {
            return "the order of what " + topic + " matches depends on the hashes";
        }
        return {};
    }

    std::string take_turn(std::uint32_t number, std::uint32_t who_can) {
        if (known_.empty()) {
            return {};
        }
        const auto at = known(number);
        if (!is_shared_filter(at->first)) {
            return {};
        }
        plain_list& list = at->second;
        const auto can = [&](session_index session) {
            return random_at({who_can}, session) % 3 != 0;
        };
        const subscription* wanted = nullptr;
        for (std::size_t asked = 0, i = list.find(list.next); asked < list.members.size();
             ++asked, i = i + 1 < list.members.size() ? i + 1 : 0) {
            if (can(list.members[i].session)) {
                wanted = &list.members[i];
                list.next = list.behind(i);
                break;
            }
        }
        for (const topic_tree* const tree : {&tree_, &other_}) {
            const subscription* const picked =
                tree->group(*tree->find(at->first)).pick([&](const subscription& one) {
                    return can(one.session);
                });
            if ((picked == nullptr) != (wanted == nullptr) ||
                (picked != nullptr && picked->session != wanted->session)) {
                return "another member of " + at->first + " was picked than " +
                       (wanted == nullptr ? "none" : std::to_string(wanted->session));
            }
        }
        return {};
    }

    std::string empty_again() {
        while (!known_.empty()) {
            const auto first = known_.begin();
            std::string problem = remove(first->first, first->second.members.back().session);
            if (!problem.empty()) {
                return problem;
            }
        }
        return tree_.memory_bytes() == 0 && other_.memory_bytes() == 0
                   ? std::string()
                   : "an empty tree holds memory";
    }

    topic_tree tree_;
    topic_tree other_{0x5eed};
    lists known_;
};

}  // namespace

TEST_CASE(
    "a topic matches what section 4.7 says, and shared groups take turns, whatever was "
    "subscribed and left before",
    "[topic_tree][shared_groups][property]") {
    check_property({
        .name = "topic tree",
        .kinds = {{"subscribe", 6},
                  {"subscribe to known", 4},
                  {"unsubscribe", 6},
                  {"session ends", 1},
                  {"match", 8},
                  {"share", 3}},
        .cases = 200,
        .steps_max = 1500,
        .broken_by = [](property_steps steps) { return twin_trees().run(steps); },
    });
}
