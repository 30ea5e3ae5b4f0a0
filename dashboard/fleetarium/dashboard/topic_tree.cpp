#include <fleetarium/dashboard/topic_tree.hpp>

#include <algorithm>

namespace fleetarium::dashboard {

namespace {

void add_level(std::vector<topic_line>& out, const topic_key& parent, std::uint32_t depth,
               const std::set<std::string, std::less<>>& open,
               const std::function<const feed::topics_answer*(const topic_key&)>& level_of) {
    const feed::topics_answer* const level = level_of(parent);
    if (level == nullptr) {
        topic_line& line = out.emplace_back();
        line.depth = depth;
        line.parent = parent;
        line.waits = true;
        return;
    }
    for (const feed::topic_row& row : level->rows) {
        topic_line& line = out.emplace_back();
        line.row = &row;
        line.depth = depth;
        line.parent = parent;
        line.open = row.children != 0 && open.contains(row.name);
        if (line.open) {
            add_level(out, {row.name, false}, depth + 1, open, level_of);
        }
    }
    if (level->rows.size() < level->all) {
        topic_line& line = out.emplace_back();
        line.depth = depth;
        line.parent = parent;
        line.left_out = level->all - static_cast<std::uint32_t>(level->rows.size());
    }
}

}  // namespace

std::vector<topic_line> topic_lines(
    const std::set<std::string, std::less<>>& open,
    const std::function<const feed::topics_answer*(const topic_key&)>& level_of) {
    std::vector<topic_line> out;
    add_level(out, {{}, true}, 0, open, level_of);
    return out;
}

void topic_rates::take(std::string_view name, double at, std::uint64_t messages) {
    auto found = topics_.find(name);
    if (found == topics_.end()) {
        if (topics_.size() >= topics_max) {
            topics_.erase(std::min_element(
                topics_.begin(), topics_.end(),
                [](const auto& a, const auto& b) { return a.second.seen < b.second.seen; }));
        }
        found = topics_.emplace(std::string(name), counts{at, messages, {}, 0}).first;
    }
    counts& of = found->second;
    of.seen = ++clock_;
    if (at < of.at || messages < of.messages) {
        of = {at, messages, {}, of.seen};
        return;
    }
    if (at == of.at) {
        return;
    }
    if (of.rates.size() >= values_max) {
        of.rates.erase(of.rates.begin());
    }
    of.rates.push_back(static_cast<double>(messages - of.messages) / (at - of.at));
    of.at = at;
    of.messages = messages;
}

std::optional<double> topic_rates::rate(std::string_view name) const {
    const auto found = topics_.find(name);
    return found == topics_.end() || found->second.rates.empty()
               ? std::nullopt
               : std::optional(found->second.rates.back());
}

std::vector<double> topic_rates::line(std::string_view name) const {
    const auto found = topics_.find(name);
    return found == topics_.end() ? std::vector<double>() : found->second.rates;
}

std::string filter_below(const feed::topic_row& row) {
    return row.children == 0 ? row.name : row.name + "/#";
}

}  // namespace fleetarium::dashboard
