#include <fleetarium/broker/access_policy.hpp>
#include <fleetarium/broker/retained_store.hpp>
#include <fleetarium/broker/topic_tree.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/assert.hpp>

#include <fuzz/drawn_bytes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

// Subscriptions come and go, messages are retained and removed; after each step the topic tree, the
// retained store and the rules of access say what a matcher says that compares level by level.

namespace {

using namespace fleetarium;
using namespace fleetarium::broker;

using levels = std::vector<std::string_view>;

levels levels_of(std::string_view text) {
    levels out;
    for (;;) {
        const std::size_t end = text.find('/');
        out.push_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return out;
        }
        text.remove_prefix(end + 1);
    }
}

bool levels_match(std::span<const std::string_view> filter,
                  std::span<const std::string_view> name) {
    if (filter.empty()) {
        return name.empty();
    }
    if (filter.front() == "#") {
        return true;
    }
    return !name.empty() && (filter.front() == "+" || filter.front() == name.front()) &&
           levels_match(filter.subspan(1), name.subspan(1));
}

/// The standard's words, section 4.7.
bool naive_match(std::string_view filter, std::string_view name) {
    if (name.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) {
        return false;
    }
    return levels_match(levels_of(filter), levels_of(name));
}

/// Whether `wide` matches whatever `narrow` does: shown by names with levels that nothing else has.
bool naive_covers(std::string_view wide, std::string_view narrow) {
    if ((wide.starts_with('+') || wide.starts_with('#')) && narrow.starts_with('$')) {
        return false;
    }
    const levels of_wide = levels_of(wide);
    levels name = levels_of(narrow);
    std::replace(name.begin(), name.end(), std::string_view("+"), std::string_view("\x01"));
    if (name.back() != "#") {
        return levels_match(of_wide, name);
    }
    name.pop_back();
    for (std::size_t more = 0; more <= of_wide.size() + 1; ++more) {
        if (!levels_match(of_wide, name)) {
            return false;
        }
        name.emplace_back("\x02");
    }
    return true;
}

bool same(std::span<const subscription> a, std::span<const subscription> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
        return x.session == y.session && x.identifier == y.identifier && x.options == y.options;
    });
}

class stage {
public:
    explicit stage(bytes_view all) : drawn_(all) {}

    void play() {
        while (!drawn_.empty()) {
            switch (drawn_.below(8)) {
                case 0:
                case 1: subscribe(); break;
                case 2: unsubscribe(); break;
                case 3: match(text(false)); break;
                case 4: retain(); break;
                case 5: look_up_retained(); break;
                case 6: take_turn(); break;
                default: compare_filters(); break;
            }
            FLEETARIUM_ASSERT(tree_.subscription_count() == count());
            FLEETARIUM_ASSERT(tree_.filter_count() == lists_.size());
        }
        for (const std::string& topic : topics_) {
            match(topic);
        }
        compare_with_others();
        empty_all();
    }

private:
    /// Levels that collide, prefixes of each other, empty ones, and what the fuzzer thinks of.
    std::string text(bool is_filter) {
        static constexpr std::string_view plain[] = {
            "a", "b", "", "ab", "$", "$SYS", "eightbyt", "ninebytes", "c", "sixteen-bytes-lo"};
        std::string out;
        const std::uint32_t count = 1 + drawn_.below(6);
        for (std::uint32_t i = 0; i < count; ++i) {
            const std::uint8_t kind = drawn_.byte();
            if (is_filter && kind < 80) {
                out += kind < 50 ? "+" : "#";
            } else if (kind >= 250) {
                const std::uint32_t deep = drawn_.below(140);
                for (std::uint32_t each = 0; each < deep; ++each) {
                    out += kind % 2 == 0 ? "a/" : "+/";
                }
            } else if (kind >= 240) {
                out += drawn_.text();
            } else {
                out += plain[kind % std::size(plain)];
            }
            if (i + 1 < count) {
                out += '/';
            }
        }
        return out;
    }

    /// Within what the tree may be given.
    static bool is_plain(std::string_view filter) {
        return is_valid_topic_filter(filter) && !is_shared_filter(filter) &&
               topic_level_count(filter) <= limits::topic_levels_max;
    }

    std::size_t count() const {
        std::size_t sum = 0;
        for (const auto& [filter, list] : lists_) {
            sum += list.size();
        }
        return sum;
    }

    void subscribe() {
        std::string filter = text(true);
        if (!is_plain(filter)) {
            return;
        }
        const bool shared = drawn_.below(4) == 0;
        if (shared) {
            filter = (drawn_.coin() ? "$share/g/" : "$share/other group/") + filter;
        }
        const subscription added{drawn_.below(40),
                                 drawn_.byte(),
                                 {static_cast<qos>(drawn_.below(3)), drawn_.coin(), drawn_.coin(),
                                  static_cast<retain_handling>(drawn_.below(3))}};
        const std::uint64_t generation = tree_.generation();
        const topic_tree::insertion done = add(tree_, filter, added);
        FLEETARIUM_ASSERT(tree_.generation() != generation);
        auto& list = lists_[filter];
        const auto there = std::find_if(list.begin(), list.end(), [&](const subscription& each) {
            return each.session == added.session;
        });
        FLEETARIUM_ASSERT(done.replaced == (there != list.end()));
        if (there != list.end()) {
            *there = added;
        } else {
            list.push_back(added);
        }
        check_stored(filter, list);
        FLEETARIUM_ASSERT(tree_.find(filter) == done.filter);
    }

    static topic_tree::insertion add(topic_tree& to, std::string_view filter,
                                     const subscription& added) {
        if (const auto parts = parse_shared_filter(filter)) {
            return to.insert_shared(parts->share_name, parts->filter, added);
        }
        return to.insert(filter, added);
    }

    void check_stored(const std::string& filter, std::span<const subscription> list) const {
        const auto id = tree_.find(filter);
        FLEETARIUM_ASSERT(id);
        FLEETARIUM_ASSERT(tree_.text(*id) == filter);
        FLEETARIUM_ASSERT(tree_.is_shared(*id) == is_shared_filter(filter));
        FLEETARIUM_ASSERT(same(tree_.subscribers(*id), list));
        for (const subscription& each : list) {
            const subscription* const found = tree_.find(*id, each.session);
            FLEETARIUM_ASSERT(found != nullptr && same({found, 1}, {&each, 1}));
        }
    }

    void unsubscribe() {
        if (lists_.empty()) {
            return;
        }
        auto at = lists_.begin();
        std::advance(at, drawn_.byte() % lists_.size());
        const session_index session = drawn_.coin()
                                          ? at->second[drawn_.byte() % at->second.size()].session
                                          : drawn_.below(40);
        const auto id = tree_.find(at->first);
        FLEETARIUM_ASSERT(id);
        const bool had = std::erase_if(at->second, [&](const subscription& each) {
                             return each.session == session;
                         }) != 0;
        FLEETARIUM_ASSERT(tree_.erase(*id, session) == had);
        if (at->second.empty()) {
            FLEETARIUM_ASSERT(!tree_.find(at->first));
            lists_.erase(at);
        } else {
            check_stored(at->first, at->second);
        }
    }

    void match(const std::string& topic) {
        if (!is_valid_topic_name(topic)) {
            return;
        }
        topics_.insert(topic);
        tree_.match(topic, found_);
        std::set<const subscription*> plain;
        for (const auto list : found_.plain) {
            FLEETARIUM_ASSERT(plain.insert(list.data()).second);
        }
        std::set<filter_id> shared;
        for (const shared_group* const group : found_.shared) {
            FLEETARIUM_ASSERT(shared.insert(group->filter()).second);
        }
        std::size_t matches = 0;
        for (const auto& [filter, list] : lists_) {
            const auto parts = parse_shared_filter(filter);
            const std::string_view asked = parts ? parts->filter : std::string_view(filter);
            const bool expected = naive_match(asked, topic);
            FLEETARIUM_ASSERT(topic_matches(asked, topic) == expected);
            const filter_id id = *tree_.find(filter);
            const bool is_there =
                parts ? shared.contains(id) : plain.contains(tree_.subscribers(id).data());
            FLEETARIUM_ASSERT(is_there == expected);
            matches += expected ? 1 : 0;
            if (expected && filter == topic) {
                FLEETARIUM_ASSERT(found_.plain.front().data() == tree_.subscribers(id).data());
            }
        }
        FLEETARIUM_ASSERT(matches == plain.size() + shared.size());
    }

    /// Turns go round: each member that can take a message has one before any has another.
    void take_turn() {
        for (const auto& [filter, list] : lists_) {
            if (!is_shared_filter(filter)) {
                continue;
            }
            shared_group& group = tree_.group(*tree_.find(filter));
            FLEETARIUM_ASSERT(group.next() < group.members().size());
            const std::uint8_t absent = drawn_.byte();
            const auto can_take = [&](const subscription& each) {
                return each.session % 8 != absent % 8;
            };
            std::set<session_index> wanted;
            for (const subscription& each : list) {
                if (can_take(each)) {
                    wanted.insert(each.session);
                }
            }
            std::set<session_index> taken;
            for (std::size_t turn = 0; turn < wanted.size(); ++turn) {
                const subscription* const by = group.pick(can_take);
                FLEETARIUM_ASSERT(by != nullptr && taken.insert(by->session).second);
            }
            FLEETARIUM_ASSERT(taken == wanted);
            FLEETARIUM_ASSERT(!wanted.empty() || group.pick(can_take) == nullptr);
        }
    }

    void retain() {
        const std::string topic = text(false);
        if (!is_valid_topic_name(topic) || topic_level_count(topic) > limits::topic_levels_max) {
            return;
        }
        topics_.insert(topic);
        const auto had = messages_.find(topic);
        message_ptr before;
        if (drawn_.below(3) == 0) {
            before = store_.erase(topic);
            if (had != messages_.end()) {
                FLEETARIUM_ASSERT(before == had->second);
                messages_.erase(had);
            } else {
                FLEETARIUM_ASSERT(!before);
            }
        } else {
            publish made;
            made.topic = topic;
            made.payload = drawn_.sized();
            message_ptr kept = message::make(made, {});
            before = store_.set(kept);
            FLEETARIUM_ASSERT(had != messages_.end() ? before == had->second : !before);
            messages_[topic] = std::move(kept);
        }
        check_sums();
    }

    void check_sums() const {
        std::size_t bytes = 0;
        for (const auto& [topic, kept] : messages_) {
            const message_ptr* const found = store_.find(topic);
            FLEETARIUM_ASSERT(found != nullptr && *found == kept);
            bytes += kept->memory_bytes();
        }
        FLEETARIUM_ASSERT(store_.size() == messages_.size());
        FLEETARIUM_ASSERT(store_.message_bytes() == bytes);
    }

    void look_up_retained() {
        const std::string filter = text(true);
        if (!is_plain(filter)) {
            return;
        }
        std::set<std::string> found;
        store_.for_each_match(filter, [&](const message_ptr& each) {
            FLEETARIUM_ASSERT(found.insert(std::string(each->topic())).second);
        });
        for (const auto& [topic, kept] : messages_) {
            FLEETARIUM_ASSERT(found.contains(topic) == naive_match(filter, topic));
        }
        FLEETARIUM_ASSERT(found.size() <= messages_.size());
    }

    void compare_filters() {
        const std::string one = text(true);
        const std::string other = text(true);
        if (!is_plain(one) || !is_plain(other)) {
            return;
        }
        FLEETARIUM_ASSERT(filter_covers(one, other) == naive_covers(one, other));
        FLEETARIUM_ASSERT(filter_covers(one, one));
        const bool overlap = filters_overlap(one, other);
        FLEETARIUM_ASSERT(filters_overlap(other, one) == overlap);
        FLEETARIUM_ASSERT(overlap || !filter_covers(one, other));
        for (const std::string& topic : topics_) {
            FLEETARIUM_ASSERT(overlap || !naive_match(one, topic) || !naive_match(other, topic));
        }
    }

    /// A tree of another seed, filled in another order, finds the filters in the same order; a
    /// store filled from an enumeration enumerates alike.
    void compare_with_others() {
        topic_tree other(0x1234'5678'9ABC'DEF0);
        for (auto at = lists_.rbegin(); at != lists_.rend(); ++at) {
            for (const subscription& each : at->second) {
                add(other, at->first, each);
            }
        }
        match_result in_other;
        for (const std::string& topic : topics_) {
            tree_.match(topic, found_);
            other.match(topic, in_other);
            FLEETARIUM_ASSERT(found_.plain.size() == in_other.plain.size());
            for (std::size_t i = 0; i < found_.plain.size(); ++i) {
                FLEETARIUM_ASSERT(same(found_.plain[i], in_other.plain[i]));
            }
            FLEETARIUM_ASSERT(found_.shared.size() == in_other.shared.size());
        }
        retained_store again(0xFEDC'BA98'7654'3210);
        std::vector<std::string> order;
        store_.for_each([&](const message_ptr& each) {
            order.emplace_back(each->topic());
            again.set(each);
        });
        FLEETARIUM_ASSERT(order.size() == messages_.size());
        std::size_t at = 0;
        again.for_each(
            [&](const message_ptr& each) { FLEETARIUM_ASSERT(each->topic() == order[at++]); });
    }

    void empty_all() {
        for (const auto& [filter, list] : lists_) {
            for (const subscription& each : list) {
                FLEETARIUM_ASSERT(tree_.erase(*tree_.find(filter), each.session));
            }
        }
        FLEETARIUM_ASSERT(tree_.subscription_count() == 0 && tree_.filter_count() == 0);
        FLEETARIUM_ASSERT(tree_.group_count() == 0);
        for (const std::string& topic : topics_) {
            tree_.match(topic, found_);
            FLEETARIUM_ASSERT(found_.empty());
            store_.erase(topic);
        }
        FLEETARIUM_ASSERT(store_.empty() && store_.message_bytes() == 0);
    }

    test::drawn_bytes drawn_;
    topic_tree tree_;
    retained_store store_;
    std::map<std::string, std::vector<subscription>> lists_;
    std::map<std::string, message_ptr> messages_;
    std::set<std::string> topics_;
    match_result found_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    stage({data, size}).play();
    return 0;
}
