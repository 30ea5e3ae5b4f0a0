#include <fleetarium/broker/topic_tree.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/limits.hpp>

#include "support/topic_table.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;

namespace {

subscription of(session_index session, std::uint32_t identifier = 0) {
    return {session, identifier, {.qos = qos::at_least_once}};
}

topic_tree::insertion add(topic_tree& tree, std::string_view filter, const subscription& added) {
    if (const auto shared = parse_shared_filter(filter)) {
        return tree.insert_shared(shared->share_name, shared->filter, added);
    }
    return tree.insert(filter, added);
}

/// Sessions of a match in its order, shared groups behind as one list of texts.
struct seen {
    std::vector<session_index> sessions;
    std::vector<std::string> groups;
};

seen match(const topic_tree& tree, std::string_view topic) {
    match_result found;
    tree.match(topic, found);
    seen out;
    for (const auto list : found.plain) {
        for (const subscription& one : list) {
            out.sessions.push_back(one.session);
        }
    }
    for (const shared_group* group : found.shared) {
        out.groups.emplace_back(tree.text(group->filter()));
    }
    return out;
}

using sessions = std::vector<session_index>;
using texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a filter matches what section 4.7 says, alone and among all the others",
          "[topic_tree]") {
    topic_tree crowded;
    session_index session = 0;
    for (const auto& row : test::topic_table()) {
        crowded.insert(row.filter, of(session++));
    }
    session = 0;
    for (const auto& row : test::topic_table()) {
        topic_tree tree;
        tree.insert(row.filter, of(session));
        for (const auto topic : row.matches) {
            INFO("filter " << row.filter << ", topic " << topic);
            CHECK(topic_matches(row.filter, topic));
            CHECK(match(tree, topic).sessions == sessions{session});
            const auto all = match(crowded, topic).sessions;
            CHECK(std::count(all.begin(), all.end(), session) == 1);
        }
        for (const auto topic : row.does_not_match) {
            INFO("filter " << row.filter << ", topic " << topic);
            CHECK_FALSE(topic_matches(row.filter, topic));
            CHECK(match(tree, topic).sessions.empty());
            const auto all = match(crowded, topic).sessions;
            CHECK(std::count(all.begin(), all.end(), session) == 0);
        }
        ++session;
    }
}

TEST_CASE("the same filter again replaces options and identifier and keeps its place",
          "[topic_tree]") {
    const auto filter = GENERATE("a/b", "a/+", "$share/g/a/b");
    topic_tree tree;
    const auto first = add(tree, filter, of(1, 10));
    add(tree, filter, of(2, 20));
    CHECK_FALSE(first.replaced);
    const auto before = tree.generation();

    const auto again =
        add(tree, filter, {1, 11, {.qos = qos::exactly_once, .retain_as_published = true}});

    CHECK(again.replaced);
    CHECK(again.filter == first.filter);
    CHECK(tree.generation() != before);
    CHECK(tree.subscription_count() == 2);
    const auto list = tree.subscribers(first.filter);
    REQUIRE(list.size() == 2);
    CHECK(list[0].session == 1);
    CHECK(list[0].identifier == 11);
    CHECK(list[0].options.qos == qos::exactly_once);
    CHECK(list[0].options.retain_as_published);
    CHECK(list[1].identifier == 20);
    CHECK(tree.find(first.filter, 1)->identifier == 11);
}

TEST_CASE("a stored filter is found by its exact bytes only", "[topic_tree]") {
    topic_tree tree;
    const texts filters = {"a/b", "a/+", "a/#",          "#",           "+",
                           "/",   "//",  "$share/g/a/b", "$share/g/a/#"};
    for (const auto& filter : filters) {
        add(tree, filter, of(7));
    }
    for (const auto& filter : filters) {
        INFO(filter);
        const auto found = tree.find(filter);
        REQUIRE(found);
        CHECK(tree.text(*found) == filter);
        CHECK(tree.is_shared(*found) == is_shared_filter(filter));
        REQUIRE(tree.find(*found, 7) != nullptr);
        CHECK(tree.find(*found, 7)->session == 7);
        CHECK(tree.find(*found, 8) == nullptr);
    }
    for (const auto filter : {"a", "a/b/", "A/b", "+/b", "$share/h/a/b", "$share/g/a", "///"}) {
        CHECK_FALSE(tree.find(filter));
    }
    CHECK(tree.filter_count() == filters.size());
    CHECK(tree.group_count() == 2);
}

TEST_CASE("a plain filter that only shared groups use is not a subscription", "[topic_tree]") {
    const auto plain = GENERATE(std::string("a/b"), std::string("a/+"));
    topic_tree tree;
    add(tree, "$share/g/" + plain, of(1));
    CHECK_FALSE(tree.find(plain));
    CHECK(tree.filter_count() == 1);
    CHECK(match(tree, "a/b").sessions.empty());

    const auto own = tree.insert(plain, of(1));
    CHECK_FALSE(own.replaced);
    CHECK(match(tree, "a/b").sessions == sessions{1});
    CHECK(match(tree, "a/b").groups == texts{"$share/g/" + plain});

    CHECK(tree.erase(*tree.find("$share/g/" + plain), 1));
    CHECK(match(tree, "a/b").groups.empty());
    CHECK(match(tree, "a/b").sessions == sessions{1});
    CHECK(tree.erase(own.filter, 1));
    CHECK(tree.filter_count() == 0);
}

TEST_CASE("a topic that reads like a stored shared filter does not match it", "[topic_tree]") {
    topic_tree tree;
    add(tree, "$share/g/a", of(1));
    add(tree, "$share/h/a", of(2));
    tree.insert("$share", of(3));
    CHECK(match(tree, "$share/g/a").groups.empty());
    CHECK(match(tree, "$share/g/a").sessions.empty());
    CHECK(match(tree, "a").groups == texts{"$share/g/a", "$share/h/a"});
}

TEST_CASE("the `$` rule looks at the filter inside a shared subscription", "[topic_tree]") {
    topic_tree tree;
    add(tree, "$share/g/#", of(1));
    add(tree, "$share/g/$SYS/#", of(2));
    CHECK(match(tree, "a").groups == texts{"$share/g/#"});
    CHECK(match(tree, "$SYS/a").groups == texts{"$share/g/$SYS/#"});
}

TEST_CASE("shared groups of one filter stand from the oldest to the newest", "[topic_tree]") {
    const auto filter = GENERATE(std::string("a/b"), std::string("a/#"));
    topic_tree tree;
    for (const auto name : {"c", "a", "d", "b"}) {
        tree.insert_shared(name, filter, of(1));
    }
    const auto named = [&](std::initializer_list<const char*> names) {
        texts all;
        for (const auto name : names) {
            all.push_back(std::string("$share/") + name + "/" + filter);
        }
        return all;
    };
    const auto drop = [&](const char* name) {
        CHECK(tree.erase(*tree.find(std::string("$share/") + name + "/" + filter), 1));
    };
    CHECK(match(tree, "a/b").groups == named({"c", "a", "d", "b"}));
    drop("d");
    CHECK(match(tree, "a/b").groups == named({"c", "a", "b"}));
    drop("c");
    CHECK(match(tree, "a/b").groups == named({"a", "b"}));
    drop("b");
    tree.insert_shared("z", filter, of(1));
    CHECK(match(tree, "a/b").groups == named({"a", "z"}));
    drop("a");
    drop("z");
    CHECK(match(tree, "a/b").groups.empty());
    CHECK(tree.group_count() == 0);
    CHECK(tree.filter_count() == 0);
}

TEST_CASE("the order of matching filters is independent of the order of subscribing",
          "[topic_tree]") {
    texts filters = {"a/b/c", "#",       "+/b/c", "a/+/c", "a/b/+", "a/#",   "a/b/#",
                     "+/+/+", "a/b/c/#", "+/b/#", "+/#",   "a/+/#", "+/+/#", "+/+/+/#"};
    const auto order_of = [](const texts& all) {
        topic_tree tree;
        for (const auto& filter : all) {
            tree.insert(filter, of(1));
        }
        match_result found;
        tree.match("a/b/c", found);
        texts order;
        for (const filter_id filter : found.filters) {
            order.emplace_back(tree.text(filter));
        }
        return order;
    };
    const texts expected = {"a/b/c", "#",   "a/#",   "a/b/#", "a/b/c/#", "a/b/+",   "a/+/#",
                            "a/+/c", "+/#", "+/b/#", "+/b/c", "+/+/#",   "+/+/+/#", "+/+/+"};
    CHECK(order_of(filters) == expected);
    std::reverse(filters.begin(), filters.end());
    CHECK(order_of(filters) == expected);
}

TEST_CASE("levels are matched up to the bound, and topics may be deeper", "[topic_tree]") {
    const auto deep = [](std::string_view level, std::size_t levels) {
        std::string text(level);
        while (--levels != 0) {
            text.append("/").append(level);
        }
        return text;
    };
    const std::size_t bound = limits::topic_levels_max;
    topic_tree tree;
    tree.insert(deep("a", bound), of(0));
    tree.insert(deep("+", bound), of(1));
    tree.insert(deep("a", bound - 1) + "/+", of(2));
    tree.insert(deep("a", bound - 1) + "/#", of(3));
    tree.insert(deep("+", bound - 1) + "/#", of(4));
    tree.insert("#", of(5));
    const auto sorted = [&](std::size_t levels) {
        auto found = match(tree, deep("a", levels)).sessions;
        std::sort(found.begin(), found.end());
        return found;
    };
    CHECK(sorted(bound - 2) == sessions{5});
    CHECK(sorted(bound - 1) == sessions{3, 4, 5});
    CHECK(sorted(bound) == sessions{0, 1, 2, 3, 4, 5});
    CHECK(sorted(bound + 1) == sessions{3, 4, 5});
    CHECK(sorted(5000) == sessions{3, 4, 5});
    CHECK(match(tree, std::string(65'535, '/')).sessions.size() == 2);
}

TEST_CASE("every mixture of literal levels and `+` is found in a full trie", "[topic_tree]") {
    topic_tree tree;
    constexpr session_index filters = 1U << 10;
    for (session_index bits = 0; bits < filters; ++bits) {
        std::string filter;
        for (session_index level = 0; level < 10; ++level) {
            filter += (bits >> level & 1) != 0 ? "+/" : "a/";
        }
        tree.insert(filter + "#", of(bits));
    }
    CHECK(match(tree, "a/a/a/a/a/a/a/a/a/a").sessions.size() == filters);
    CHECK(match(tree, "a/a/a/a/a/a/a/a/a/b").sessions.size() == filters / 2);
    CHECK(match(tree, "b/b/b/b/b/b/b/b/b/b").sessions == sessions{filters - 1});
}

TEST_CASE("filters by the hundred thousand are told apart even where their hashes meet",
          "[topic_tree]") {
    // Among so many nodes some have the same 32 bits of hash: only their levels differ.
    const auto behind = GENERATE(std::string("/"), std::string("/state/"));
    constexpr session_index count = 300'000;
    topic_tree tree;
    for (session_index n = 0; n < count; ++n) {
        tree.insert(std::to_string(n) + behind + "+", of(n));
    }
    match_result found;
    for (session_index n = 0; n < count; ++n) {
        tree.match(std::to_string(n) + behind, found);
        REQUIRE(found.plain.size() == 1);
        REQUIRE(found.plain[0].front().session == n);
    }
}

TEST_CASE("filters of the longest size are stored whole", "[topic_tree]") {
    topic_tree tree;
    const std::string exact(limits::string_size_max, 'x');
    const std::string wildcard = std::string(limits::string_size_max - 2, 'y') + "/+";
    const std::string shared = "$share/g/" + std::string(limits::string_size_max - 9, 'z');
    for (const auto& filter : {exact, wildcard, shared}) {
        add(tree, filter, of(1));
        CHECK(tree.text(*tree.find(filter)) == filter);
    }
    CHECK(match(tree, exact).sessions == sessions{1});
    CHECK(match(tree, std::string(limits::string_size_max - 2, 'y') + "/").sessions == sessions{1});
    CHECK(match(tree, shared.substr(9)).groups == texts{shared});
    for (const auto& filter : {exact, wildcard, shared}) {
        CHECK(tree.erase(*tree.find(filter), 1));
    }
    CHECK(tree.memory_bytes() == 0);
}

TEST_CASE("a hundred thousand sessions subscribe to one filter and leave again", "[topic_tree]") {
    const auto filter = GENERATE("news", "news/#", "$share/g/news");
    constexpr session_index count = 100'000;
    topic_tree tree;
    for (session_index session = 0; session < count; ++session) {
        add(tree, filter, of(session));
    }
    const filter_id id = *tree.find(filter);
    const auto list = tree.subscribers(id);
    REQUIRE(list.size() == count);
    for (session_index at = 0; at < count; ++at) {
        REQUIRE(list[at].session == at);
    }
    const auto session_at = [&](session_index n) { return (n * 7919ULL + 3) % count; };
    for (session_index n = 0; n < count; ++n) {
        const auto session = static_cast<session_index>(session_at(n));
        REQUIRE(tree.find(id, session) != nullptr);
        REQUIRE(tree.erase(id, session));
        if (n + 1 < count) {
            REQUIRE(tree.find(id, session) == nullptr);
        }
    }
    CHECK(tree.subscription_count() == 0);
    CHECK(tree.memory_bytes() == 0);
}

TEST_CASE("a command topic for each device of a fleet costs at most 64 bytes and its text",
          "[topic_tree]") {
    constexpr session_index devices = 250'000;
    const auto topic_of = [](session_index device) {
        return "fleet/device_" + std::to_string(1'000'000 + device) + "/command";
    };
    const std::size_t text_size = topic_of(0).size();
    topic_tree tree;
    double worst = 0;
    for (session_index device = 0; device < devices; ++device) {
        tree.insert(topic_of(device), of(device));
        if (device > 10'000) {
            worst = std::max(worst, static_cast<double>(tree.memory_bytes()) / (device + 1.0));
        }
    }
    CHECK(worst - static_cast<double>(text_size) <= 64);
    CHECK(match(tree, topic_of(123'456)).sessions == sessions{123'456});

    // A fleet that is replaced by one with longer names does not leave its memory behind.
    const std::size_t before = tree.memory_bytes();
    for (session_index device = 0; device < devices; ++device) {
        CHECK(tree.erase(*tree.find(topic_of(device)), device));
        tree.insert(topic_of(device) + "/immediately", of(device));
    }
    CHECK(tree.memory_bytes() < before + devices * (12 + 8));
    CHECK(tree.filter_count() == devices);
}

TEST_CASE("a match used again allocates nothing", "[topic_tree]") {
    topic_tree tree;
    for (const auto filter : {"a/b", "a/+", "+/b", "#", "$share/g/a/b", "$share/h/a/#"}) {
        add(tree, filter, of(1));
        add(tree, filter, of(2));
    }
    match_result found;
    tree.match("a/b", found);
    const auto* plain = found.plain.data();
    const auto* shared = found.shared.data();
    const auto* filters = found.filters.data();
    for (int turn = 0; turn < 10; ++turn) {
        tree.prefetch("a/b");
        tree.match(turn % 2 == 0 ? "a/c" : "a/b", found);
    }
    CHECK(found.plain.size() == 4);
    CHECK(found.shared.size() == 2);
    CHECK(found.plain.data() == plain);
    CHECK(found.shared.data() == shared);
    CHECK(found.filters.data() == filters);
}
