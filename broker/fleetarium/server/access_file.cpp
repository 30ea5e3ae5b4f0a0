#include <fleetarium/server/access_file.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/config/document.hpp>
#include <fleetarium/core/limits.hpp>
#include <fleetarium/server/text_lines.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace fleetarium::broker {

using namespace config;

namespace {

constexpr std::array<std::string_view, 3> keywords{"user", "topic", "pattern"};
constexpr std::array<std::string_view, 4> kinds{"read", "write", "readwrite", "deny"};

class rule_reader {
public:
    explicit rule_reader(std::string_view file_name) : file_name_(file_name) {}

    access_rules_or_problems run(std::string_view text) {
        for_each_line(text, [&](std::uint32_t number, std::string_view line) {
            line_number_ = number;
            whole_line_ = line;
            line = trimmed(line);
            if (!line.empty() && !line.starts_with('#')) {
                read_line(line);
            }
        });
        if (!problems_.empty()) {
            return std::move(problems_);
        }
        return std::move(rules_);
    }

private:
    void report(std::string_view at, std::string found, std::string expected,
                std::string suggestion = {}) {
        problems_.push_back({file_name_,
                             line_number_,
                             column_of(whole_line_, at),
                             {},
                             std::move(found),
                             std::move(expected),
                             std::move(suggestion)});
    }

    void read_line(std::string_view line) {
        std::string_view rest = line;
        const auto keyword = take_word(rest);
        if (keyword == "user") {
            read_user(keyword, rest);
        } else if (keyword == "topic" || keyword == "pattern") {
            read_rule(keyword, rest);
        } else {
            report(keyword, quoted(keyword),
                   "\"user NAME\", or \"topic\" or \"pattern\" with a topic filter, or a comment "
                   "after #",
                   nearest_name(keyword, keywords));
        }
    }

    void read_user(std::string_view keyword, std::string_view rest) {
        if (rest.empty()) {
            report(keyword, "\"user\" without a name", "\"user NAME\"");
        } else if (!is_valid_string(rest)) {
            report(rest, quoted(rest), "a user name in UTF-8");
        } else {
            whom_ = access_rule::audience::user;
            user_name_ = rest;
        }
    }

    void read_rule(std::string_view keyword, std::string_view rest) {
        std::string_view filter = rest;
        const auto word = take_word(filter);
        access_rule rule;
        const auto kind = std::find(kinds.begin(), kinds.end(), word);
        if (word.empty() || (filter.empty() && kind != kinds.end())) {
            report(keyword, quoted(trimmed(whole_line_)) + " without a topic filter",
                   quoted(keyword) + " with a topic filter, such as \"" + std::string(keyword) +
                       " readwrite " + std::string(word.empty() ? "home/#" : word) + '"');
            return;
        }
        if (filter.empty()) {
            filter = word;  // no kind: both
        } else if (kind != kinds.end()) {
            rule.kind = kind_of(static_cast<std::size_t>(kind - kinds.begin()));
        } else {
            report(word, quoted(word),
                   joined_with_or(kinds) + " before the topic filter " + quoted(filter),
                   nearest_name(word, kinds));
            return;
        }
        if (!check_filter(keyword, filter)) {
            return;
        }
        if (keyword == "topic") {
            rule.whom = whom_;
            rule.user_name = user_name_;
        }
        rule.filter = filter;
        rules_.push_back(std::move(rule));
    }

    static access_kind kind_of(std::size_t index) {
        constexpr std::array<access_kind, kinds.size()> all{
            access_kind::read, access_kind::write, access_kind::read_write, access_kind::deny};
        return all[index];
    }

    bool check_filter(std::string_view keyword, std::string_view filter) {
        if (!is_valid_topic_filter(filter)) {
            report(filter, quoted(filter),
                   "a topic filter in UTF-8, with + and # only as whole levels and # only last");
        } else if (is_shared_filter(filter)) {
            report(filter, quoted(filter),
                   "the filter without $share/NAME/: rules hold for shared subscriptions too");
        } else if (topic_level_count(filter) > limits::topic_levels_max) {
            report(filter, std::to_string(topic_level_count(filter)) + " levels",
                   "at most " + std::to_string(limits::topic_levels_max));
        } else if (keyword == "topic" && has_placeholder(filter)) {
            report(keyword, "\"topic\" with %c or %u in its filter",
                   "\"pattern\", whose filters may have them");
        } else {
            return true;
        }
        return false;
    }

    std::string file_name_;
    std::uint32_t line_number_ = 0;
    std::string_view whole_line_;
    access_rule::audience whom_ = access_rule::audience::without_user_name;
    std::string user_name_;
    std::vector<access_rule> rules_;
    std::vector<problem> problems_;
};

}  // namespace

access_rules_or_problems parse_access_rules(std::string_view text, std::string_view file_name) {
    return rule_reader(file_name).run(text);
}

access_policy_or_problems load_access_file(const std::string& path) {
    auto text = read_text_file(path, limits::server_file_size_max, "an access file");
    if (auto* problems = std::get_if<std::vector<problem>>(&text)) {
        return std::move(*problems);
    }
    auto rules = parse_access_rules(std::get<std::string>(text), path);
    if (auto* problems = std::get_if<std::vector<problem>>(&rules)) {
        return std::move(*problems);
    }
    return access_policy(std::get<std::vector<access_rule>>(rules));
}

}  // namespace fleetarium::broker
