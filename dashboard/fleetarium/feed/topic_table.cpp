#include <fleetarium/feed/topic_table.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/hash.hpp>
#include <fleetarium/feed/payload_text.hpp>
#include <fleetarium/feed/source.hpp>

#include <algorithm>

namespace fleetarium::feed {

namespace {

constexpr std::size_t preview_bytes_in_all = std::size_t{32} << 20;
constexpr std::size_t name_bytes_max = std::size_t{64} << 20;

bool is_filter(std::string_view text) { return text.find_first_of("+#") != std::string_view::npos; }

}  // namespace

topic_table::topic_table() { levels_.emplace_back(); }

std::uint64_t topic_table::hash_of(std::string_view topic) { return hash_text(topic); }

topic_table::id topic_table::find_or_add(std::string_view topic, std::uint64_t hash) {
    if (const auto known = topics_by_hash_.find(hash); known != topics_by_hash_.end()) {
        return known->second;
    }
    if (levels_.size() + 16 > levels_max || name_bytes_ + topic.size() > name_bytes_max) {
        return none;
    }
    id at = 0;
    for (std::size_t begin = 0; begin <= topic.size();) {
        const std::size_t end = std::min(topic.find('/', begin), topic.size());
        const std::string_view name = topic.substr(begin, end - begin);
        const std::uint64_t key = combine(hash_text(name), at);
        const auto [place, added] =
            levels_by_hash_.try_emplace(key, static_cast<id>(levels_.size()));
        if (added) {
            name_bytes_ += name.size();
            level made;
            made.name = name;
            made.parent = at;
            made.next = levels_[at].first_child;
            levels_[at].first_child = place->second;
            ++levels_[at].children;
            levels_.push_back(std::move(made));
        }
        at = place->second;
        begin = end + 1;
    }
    topics_ += !levels_[at].is_topic;
    levels_[at].is_topic = true;
    topics_by_hash_.emplace(hash, at);
    return at;
}

void topic_table::count(id which, std::uint64_t messages, std::uint64_t bytes) {
    if (which == none) {
        messages_beyond_ += messages;
        return;
    }
    levels_[which].messages += messages;
    levels_[which].bytes += bytes;
}

void topic_table::note_newest(id which, const newest& message) {
    if (which == none) {
        return;
    }
    level& of = levels_[which];
    of.at = message.at;
    of.publisher = message.publisher;
    of.qos = message.qos;
    of.size = static_cast<std::uint32_t>(message.payload.size());
    preview_bytes_ -= of.preview.size();
    const std::size_t size = std::min(message.payload.size(), preview_bytes_max + 1);
    if (preview_bytes_ + size <= preview_bytes_in_all) {
        of.preview.assign(reinterpret_cast<const char*>(message.payload.data()), size);
    } else {
        of.preview.clear();
    }
    preview_bytes_ += of.preview.size();
}

void topic_table::set_retained(id which, bool retained) {
    if (which != none) {
        levels_[which].retained = retained;
    }
}

std::size_t topic_table::memory_bytes() const {
    return levels_.capacity() * sizeof(level) + preview_bytes_ +
           (topics_by_hash_.bucket_count() + levels_by_hash_.bucket_count()) * 16;
}

topic_table::sums topic_table::below(id which) const {
    // Depth first along the links: topics may have more levels than a call stack should.
    sums out;
    id at = which;
    for (;;) {
        out.messages += levels_[at].messages;
        out.bytes += levels_[at].bytes;
        out.newest = std::max(out.newest, levels_[at].at);
        if (levels_[at].first_child != none) {
            at = levels_[at].first_child;
            continue;
        }
        while (at != which && levels_[at].next == none) {
            at = levels_[at].parent;
        }
        if (at == which) {
            return out;
        }
        at = levels_[at].next;
    }
}

std::string topic_table::name_of(id which) const {
    std::vector<const std::string*> parts;
    for (id at = which; at != 0 && at != none; at = levels_[at].parent) {
        parts.push_back(&levels_[at].name);
    }
    std::string out;
    for (auto each = parts.rbegin(); each != parts.rend(); ++each) {
        out += (each == parts.rbegin() ? "" : "/") + **each;
    }
    return out;
}

topic_row topic_table::row_of(id which,
                              const std::function<std::string(std::uint32_t)>& publisher) const {
    const level& of = levels_[which];
    const sums all = below(which);
    topic_row out;
    out.name = name_of(which);
    out.level = of.name;
    out.children = of.children;
    out.messages = all.messages;
    out.bytes = all.bytes;
    out.is_topic = of.is_topic;
    out.retained = of.retained;
    if (of.at != INT64_MIN) {
        out.last_at = static_cast<double>(of.at) / 1e9;
        out.last_publisher = publisher(of.publisher);
        out.last_qos = of.qos;
        const payload_view shown = make_payload_view(
            {reinterpret_cast<const std::uint8_t*>(of.preview.data()), of.preview.size()},
            preview_bytes_max);
        out.payload = shown.text;
        out.payload_encoding = shown.encoding;
        out.payload_size = of.size;
    }
    return out;
}

topics_answer topic_table::answer(
    const topics_question& asked,
    const std::function<std::string(std::uint32_t)>& name_of_publisher) const {
    if (asked.limit == 0 || asked.limit > 2'000) {
        throw feed_error(feed_error::kind::bad_question, "limit: expected 1 to 2,000");
    }
    std::vector<id> found;
    if (!asked.search.empty()) {
        const bool by_filter = is_filter(asked.search);
        if (by_filter && !is_valid_topic_filter(asked.search)) {
            throw feed_error(feed_error::kind::bad_question,
                             "search: \"" + asked.search + "\" is no topic filter");
        }
        for (id each = 1; each < levels_.size(); ++each) {
            if (!levels_[each].is_topic) {
                continue;
            }
            const std::string name = name_of(each);
            if (by_filter ? topic_matches(asked.search, name)
                          : name.find(asked.search) != std::string::npos) {
                found.push_back(each);
            }
        }
    } else {
        id at = 0;
        if (!asked.parent_is_root || !asked.parent.empty()) {
            for (std::size_t begin = 0; begin <= asked.parent.size();) {
                const std::size_t end =
                    std::min(asked.parent.find('/', begin), asked.parent.size());
                const auto place = levels_by_hash_.find(combine(
                    hash_text(std::string_view(asked.parent).substr(begin, end - begin)), at));
                if (place == levels_by_hash_.end()) {
                    throw feed_error(feed_error::kind::bad_question,
                                     "parent: there is no topic \"" + asked.parent + "\"");
                }
                at = place->second;
                begin = end + 1;
            }
        }
        for (id each = levels_[at].first_child; each != none; each = levels_[each].next) {
            found.push_back(each);
        }
    }

    struct candidate {
        id which;
        std::uint64_t rank;
    };
    std::vector<candidate> ranked;
    ranked.reserve(found.size());
    for (const id each : found) {
        std::uint64_t rank = 0;
        switch (asked.order) {
            case topic_order::name: break;
            case topic_order::messages: rank = below(each).messages; break;
            case topic_order::bytes: rank = below(each).bytes; break;
            case topic_order::recent: {
                const std::int64_t at = below(each).newest;
                rank = at == INT64_MIN ? 0 : static_cast<std::uint64_t>(at) + 1;
                break;
            }
        }
        ranked.push_back({each, rank});
    }
    // Names that are numbers as people count.
    const auto sooner = [&](const candidate& a, const candidate& b) {
        if (a.rank != b.rank) {
            return a.rank > b.rank;
        }
        const std::string& left = levels_[a.which].name;
        const std::string& right = levels_[b.which].name;
        const bool numbers = !left.empty() && !right.empty() && left[0] >= '0' && left[0] <= '9' &&
                             right[0] >= '0' && right[0] <= '9';
        if (numbers && left.size() != right.size()) {
            return left.size() < right.size();
        }
        return left != right ? left < right : a.which < b.which;
    };
    const std::size_t begin = std::min<std::size_t>(asked.offset, ranked.size());
    const std::size_t end = std::min<std::size_t>(begin + asked.limit, ranked.size());
    std::partial_sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(end),
                      ranked.end(), sooner);

    topics_answer out;
    out.all = static_cast<std::uint32_t>(found.size());
    out.topics = topics_;
    out.messages_beyond = messages_beyond_;
    for (std::size_t i = begin; i < end; ++i) {
        out.rows.push_back(row_of(ranked[i].which, name_of_publisher));
    }
    return out;
}

}  // namespace fleetarium::feed
