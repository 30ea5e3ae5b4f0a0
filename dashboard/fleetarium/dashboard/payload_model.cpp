#include <fleetarium/dashboard/payload_model.hpp>

#include <fleetarium/core/base64.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <unordered_map>
#include <utility>

namespace fleetarium::dashboard {

namespace {

using json = nlohmann::json;

/// Makes nodes of what nlohmann's parser reports: members keep their order, and depth costs
/// nothing.
class tree_builder final : public json::json_sax_t {
public:
    bool null() override { return leaf("null", "null"); }
    bool boolean(bool value) override { return leaf("boolean", value ? "true" : "false"); }
    bool number_integer(std::int64_t value) override {
        return leaf("number", std::to_string(value));
    }
    bool number_unsigned(std::uint64_t value) override {
        return leaf("number", std::to_string(value));
    }
    // As it was written: 21.40 stays 21.40.
    bool number_float(double, const std::string& written) override {
        return leaf("number", written);
    }
    bool string(std::string& value) override { return leaf("text", "\"" + value + "\""); }
    bool binary(json::binary_t&) override { return leaf("bytes", "bytes"); }
    bool start_object(std::size_t) override { return open("object"); }
    bool key(std::string& name) override {
        key_ = name;
        return true;
    }
    bool end_object() override { return close(" member"); }
    bool start_array(std::size_t) override { return open("array"); }
    bool end_array() override { return close(" element"); }
    bool parse_error(std::size_t, const std::string&, const json::exception&) override {
        return false;
    }

    payload_tree take() { return std::move(tree_); }

private:
    static constexpr std::size_t not_kept = ~std::size_t{0};
    struct level {
        std::size_t node;
        std::uint64_t count;
        bool is_array;
    };

    std::string name() {
        if (open_.empty()) {
            return {};
        }
        const std::uint64_t place = open_.back().count++;
        return open_.back().is_array ? "[" + std::to_string(place) + "]" : std::move(key_);
    }

    bool add(const char* kind, std::string value) {
        const bool fits =
            tree_.nodes.size() < payload_nodes_max && open_.size() <= payload_depth_max;
        std::string called = name();
        if (fits) {
            tree_.nodes.push_back({std::move(called), std::move(value), kind,
                                   static_cast<std::uint32_t>(open_.size()), 0});
        } else {
            tree_.cut = true;
        }
        return fits;
    }
    bool leaf(const char* kind, std::string value) {
        add(kind, std::move(value));
        return true;
    }
    bool open(const char* kind) {
        const bool kept = add(kind, {});
        open_.push_back(
            {kept ? tree_.nodes.size() - 1 : not_kept, 0, std::string_view(kind) == "array"});
        return true;
    }
    bool close(const char* unit) {
        const level ended = open_.back();
        open_.pop_back();
        if (ended.node != not_kept) {
            payload_node& node = tree_.nodes[ended.node];
            node.value = std::to_string(ended.count) + unit + (ended.count == 1 ? "" : "s");
            node.below = static_cast<std::uint32_t>(tree_.nodes.size() - ended.node - 1);
        }
        return true;
    }

    payload_tree tree_{};
    std::vector<level> open_{};
    std::string key_{};
};

using change_kind = payload_change::kind;

/// What a tree says, by the paths of its leaves.
std::vector<std::pair<std::string, std::string>> leaves_of(const payload_tree& tree) {
    std::vector<std::pair<std::string, std::string>> out;
    std::vector<std::string> path;
    std::size_t bytes = 0;
    for (const payload_node& node : tree.nodes) {
        path.resize(node.depth);
        const std::string above = path.empty() ? std::string() : path.back();
        const bool joined = above.empty() || node.name.starts_with('[');
        path.push_back(joined ? above + node.name : above + "." + node.name);
        bytes += path.back().size();
        if (bytes > std::size_t{4} << 20) {
            break;  // names that long are not compared
        }
        if (node.below == 0) {
            out.emplace_back(path.back(), node.value);
        }
    }
    return out;
}

std::vector<payload_change> member_changes(const payload_tree& before, const payload_tree& now) {
    const auto old_leaves = leaves_of(before);
    std::unordered_map<std::string, std::size_t> old_at;
    for (std::size_t i = 0; i < old_leaves.size(); ++i) {
        old_at.emplace(old_leaves[i].first, i);
    }
    std::vector<bool> is_used(old_leaves.size());
    std::vector<payload_change> out;
    for (const auto& [name, value] : leaves_of(now)) {
        const auto found = old_at.find(name);
        if (found == old_at.end()) {
            out.push_back({change_kind::added, name, {}, value});
            continue;
        }
        is_used[found->second] = true;
        const std::string& old = old_leaves[found->second].second;
        out.push_back({old == value ? change_kind::same : change_kind::changed, name, old, value});
    }
    for (std::size_t i = 0; i < old_leaves.size(); ++i) {
        if (!is_used[i]) {
            out.push_back({change_kind::removed, old_leaves[i].first, old_leaves[i].second, {}});
        }
    }
    return out;
}

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        out.emplace_back(text.substr(0, end));
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return out;
}

/// By the longest common part of what begin and end do not share; where that is long, all of it
/// is removed and added.
std::vector<payload_change> line_changes(const std::vector<std::string>& before,
                                         const std::vector<std::string>& now) {
    constexpr std::size_t compared_max = 1'000;
    std::size_t begin = 0;
    while (begin < before.size() && begin < now.size() && before[begin] == now[begin]) {
        ++begin;
    }
    std::size_t end = 0;
    while (end < before.size() - begin && end < now.size() - begin &&
           before[before.size() - 1 - end] == now[now.size() - 1 - end]) {
        ++end;
    }
    const std::size_t rows = before.size() - begin - end;
    const std::size_t columns = now.size() - begin - end;
    std::vector<payload_change> out;
    const auto same = [&](std::size_t at) {
        out.push_back({change_kind::same, {}, now[at], now[at]});
    };
    const auto removed = [&](std::size_t at) {
        out.push_back({change_kind::removed, {}, before[at], {}});
    };
    const auto added = [&](std::size_t at) {
        out.push_back({change_kind::added, {}, {}, now[at]});
    };
    for (std::size_t i = 0; i < begin; ++i) {
        same(i);
    }
    const bool compares = rows <= compared_max && columns <= compared_max;
    // common[i][j]: how many lines are shared from i and j on.
    std::vector<std::uint32_t> common(compares ? (rows + 1) * (columns + 1) : 0);
    for (std::size_t i = compares ? rows : 0; i-- != 0;) {
        for (std::size_t j = columns; j-- != 0;) {
            common[i * (columns + 1) + j] = before[begin + i] == now[begin + j]
                                                ? common[(i + 1) * (columns + 1) + j + 1] + 1
                                                : std::max(common[(i + 1) * (columns + 1) + j],
                                                           common[i * (columns + 1) + j + 1]);
        }
    }
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < rows || j < columns) {
        if (compares && i < rows && j < columns && before[begin + i] == now[begin + j]) {
            same(begin + j);
            ++i;
            ++j;
        } else if (i < rows &&
                   (j == columns || !compares ||
                    common[(i + 1) * (columns + 1) + j] >= common[i * (columns + 1) + j + 1])) {
            removed(begin + i++);
        } else {
            added(begin + j++);
        }
    }
    for (std::size_t k = now.size() - end; k < now.size(); ++k) {
        same(k);
    }
    return out;
}

}  // namespace

std::string_view words_of(payload_format format) {
    static constexpr std::array<std::string_view, payload_format_count> words{
        "Text", "JSON", "CBOR", "Sparkplug B", "Hex"};
    return words[static_cast<std::size_t>(format)];
}

std::string bytes_of(const feed::payload_view& payload) {
    if (payload.encoding != "base64") {
        return payload.text;
    }
    const auto bytes = bytes_of_base64(payload.text);
    return bytes ? std::string(bytes->begin(), bytes->end()) : std::string();
}

std::optional<payload_tree> json_tree(std::string_view text) {
    tree_builder builder;
    if (!json::sax_parse(text, &builder)) {
        return std::nullopt;
    }
    return builder.take();
}

payload_format likely_format(const feed::payload_view& payload, std::string_view topic) {
    const std::string bytes = bytes_of(payload);
    if (topic.starts_with("spBv1.0/") && !topic.starts_with("spBv1.0/STATE/") &&
        sparkplug_tree(bytes)) {
        return payload_format::sparkplug;
    }
    if (payload.encoding == "text") {
        // A number alone is JSON too, and better read as what it is.
        const std::size_t first = bytes.find_first_not_of(" \t\r\n");
        const bool nests =
            first != std::string::npos && (bytes[first] == '{' || bytes[first] == '[');
        return nests && json_tree(bytes) ? payload_format::json : payload_format::text;
    }
    const auto cbor = cbor_tree(bytes);
    if (cbor && !cbor->nodes.empty() && cbor->nodes.front().below != 0) {
        return payload_format::cbor;
    }
    return sparkplug_tree(bytes) ? payload_format::sparkplug : payload_format::hex;
}

std::optional<payload_tree> tree_of(payload_format format, std::string_view bytes) {
    switch (format) {
        case payload_format::json: return json_tree(bytes);
        case payload_format::cbor: return cbor_tree(bytes);
        case payload_format::sparkplug: return sparkplug_tree(bytes);
        default: return std::nullopt;
    }
}

std::vector<std::string> hex_lines(std::string_view bytes, std::size_t lines_max) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at < bytes.size() && out.size() < lines_max; at += 16) {
        char number[32];
        std::snprintf(number, sizeof number, "%08zx ", at);
        std::string line = number;
        std::string letters;
        for (std::size_t i = 0; i < 16; ++i) {
            line += i % 8 == 0 ? " " : "";
            if (at + i >= bytes.size()) {
                line += "   ";
                continue;
            }
            const auto byte = static_cast<unsigned char>(bytes[at + i]);
            char digits[16];
            std::snprintf(digits, sizeof digits, "%02x ", static_cast<unsigned>(byte));
            line += digits;
            letters += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.';
        }
        out.push_back(line + " " + letters);
    }
    return out;
}

std::vector<payload_change> difference(payload_format format, std::string_view before,
                                       std::string_view now, std::size_t changes_max) {
    const auto old_tree = tree_of(format, before);
    const auto new_tree = tree_of(format, now);
    std::vector<payload_change> out;
    if (old_tree && new_tree) {
        out = member_changes(*old_tree, *new_tree);
    } else if (format == payload_format::text || format == payload_format::json) {
        out = line_changes(lines_of(before), lines_of(now));
    } else {
        out = line_changes(hex_lines(before, changes_max), hex_lines(now, changes_max));
    }
    if (out.size() > changes_max) {
        out.resize(changes_max);
    }
    return out;
}

}  // namespace fleetarium::dashboard
