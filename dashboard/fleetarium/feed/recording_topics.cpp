#include <fleetarium/codec/topic.hpp>
#include <fleetarium/feed/payload_text.hpp>
#include <fleetarium/feed/recording_parts.hpp>

#include <algorithm>

namespace fleetarium::feed {

namespace {

/// A row of the answer before it has its texts: the topics [first, last) of the order.
struct topic_group {
    std::size_t first = 0;
    std::size_t last = 0;
    std::size_t name_size = 0;  // of the first topic's name
    std::uint32_t children = 0;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::int64_t newest = 0;
    std::uint32_t own = 0;  // row of the topic itself; 0: it is none
};

const topic_standing& standing_of(const std::vector<topic_standing>& all, std::uint32_t row) {
    static const topic_standing none;
    return row < all.size() ? all[row] : none;
}

/// Puts the topics [first, last) of the order into a row for each level behind the `prefix_size`
/// bytes with which all of them begin.
std::vector<topic_group> levels_of(const recording_parts& of,
                                   const std::vector<topic_standing>& standing, std::size_t first,
                                   std::size_t last, std::size_t prefix_size) {
    std::vector<topic_group> out;
    std::string_view level;
    std::string_view below;  // the level below it
    bool has_below = false;
    for (std::size_t i = first; i < last; ++i) {
        const std::uint32_t row = of.topic_order[i] + 1;
        const topic_standing& now = standing_of(standing, row);
        if (now.messages == 0) {
            continue;  // not yet
        }
        const std::string_view rest = std::string_view(of.topics[row - 1]).substr(prefix_size);
        const std::size_t end = rest.find('/');
        if (out.empty() || rest.substr(0, end) != level) {
            level = rest.substr(0, end);
            has_below = false;
            out.push_back({.first = i, .name_size = prefix_size + level.size()});
        }
        topic_group& group = out.back();
        group.last = i + 1;
        group.messages += now.messages;
        group.bytes += now.bytes;
        group.newest = std::max(group.newest, now.newest);
        if (end == std::string_view::npos) {
            group.own = row;
            continue;
        }
        const std::string_view next = rest.substr(end + 1, rest.find('/', end + 1) - end - 1);
        if (!has_below || next != below) {
            below = next;
            has_below = true;
            ++group.children;
        }
    }
    return out;
}

std::pair<std::size_t, std::size_t> range_below(const recording_parts& of,
                                                const std::string& parent) {
    const std::string prefix = parent + "/";
    const auto begin = std::lower_bound(of.topic_order.begin(), of.topic_order.end(), prefix,
                                        [&](std::uint32_t row, const std::string& wanted) {
                                            return topic_less(of.topics[row], wanted);
                                        });
    const auto end = std::partition_point(begin, of.topic_order.end(), [&](std::uint32_t row) {
        return of.topics[row].compare(0, prefix.size(), prefix) == 0;
    });
    return {static_cast<std::size_t>(begin - of.topic_order.begin()),
            static_cast<std::size_t>(end - of.topic_order.begin())};
}

/// A row for each topic that matches, with what is below it.
std::vector<topic_group> found_topics(const recording_parts& of,
                                      const std::vector<topic_standing>& standing,
                                      const std::string& search) {
    const bool is_filter = has_wildcard(search) && is_valid_topic_filter(search);
    std::vector<topic_group> out;
    for (std::size_t i = 0; i < of.topic_order.size(); ++i) {
        const std::uint32_t row = of.topic_order[i] + 1;
        const topic_standing& now = standing_of(standing, row);
        const std::string& name = of.topics[row - 1];
        if (now.messages != 0 &&
            (is_filter ? topic_matches(search, name) : name.find(search) != std::string::npos)) {
            out.push_back({.first = i,
                           .last = i + 1,
                           .name_size = name.size(),
                           .messages = now.messages,
                           .bytes = now.bytes,
                           .newest = now.newest,
                           .own = row});
        }
    }
    return out;
}

void sort_groups(std::vector<topic_group>& groups, topic_order by) {
    const auto most_first = [&](auto key) {
        std::stable_sort(
            groups.begin(), groups.end(),
            [key](const topic_group& a, const topic_group& b) { return a.*key > b.*key; });
    };
    switch (by) {
        case topic_order::name: break;
        case topic_order::messages: most_first(&topic_group::messages); break;
        case topic_order::bytes: most_first(&topic_group::bytes); break;
        case topic_order::recent: most_first(&topic_group::newest); break;
    }
}

topic_row row_of(recording_parts& of, const topic_group& group, const topic_standing& own) {
    topic_row out;
    out.name = of.topics[of.topic_order[group.first]].substr(0, group.name_size);
    out.level = out.name.substr(out.name.rfind('/') + 1);
    out.children = group.children;
    out.messages = group.messages;
    out.bytes = group.bytes;
    out.is_topic = group.own != 0;
    out.retained = own.retained != 0;
    if (const auto newest = of.read_message(group.newest)) {
        out.last_at = in_seconds(newest->at);
        out.last_publisher = of.client_name(newest->publisher);
        out.last_qos = newest->qos;
    }
    if (group.own != 0) {
        if (const auto newest = of.read_message(own.newest)) {
            payload_view payload = make_payload_view(newest->payload, preview_bytes_max);
            out.payload = std::move(payload.text);
            out.payload_encoding = std::move(payload.encoding);
            out.payload_size = payload.size;
        }
    }
    return out;
}

}  // namespace

topics_answer answer_topics(recording_parts& of, const topics_question& asked) {
    require_range("limit", asked.limit, 1, 2'000);
    const std::int64_t at = of.instant_of(asked.at);
    topics_answer out;
    background_index::access index = of.open_index();
    const std::vector<topic_standing>& standing =
        of.view.topics(*index, of.index_instant(at), of.growing());
    out.at = in_seconds(std::min(of.view.entities_at(), at));
    out.topics = static_cast<std::uint64_t>(
        std::count_if(standing.begin(), standing.end(),
                      [](const topic_standing& each) { return each.messages != 0; }));
    std::vector<topic_group> groups;
    if (!asked.search.empty()) {
        groups = found_topics(of, standing, asked.search);
    } else if (asked.parent.empty() && asked.parent_is_root) {
        groups = levels_of(of, standing, 0, of.topic_order.size(), 0);
    } else {
        const auto [first, last] = range_below(of, asked.parent);
        groups = levels_of(of, standing, first, last, asked.parent.size() + 1);
    }
    sort_groups(groups, asked.order);
    out.all = static_cast<std::uint32_t>(groups.size());
    for (std::size_t i = asked.offset; i < groups.size() && out.rows.size() < asked.limit; ++i) {
        topic_group& group = groups[i];
        if (!asked.search.empty()) {
            const std::string& name = of.topics[group.own - 1];
            const auto [first, last] = range_below(of, name);
            group.children = static_cast<std::uint32_t>(
                levels_of(of, standing, first, last, name.size() + 1).size());
        }
        out.rows.push_back(row_of(of, group, standing_of(standing, group.own)));
    }
    return out;
}

}  // namespace fleetarium::feed
