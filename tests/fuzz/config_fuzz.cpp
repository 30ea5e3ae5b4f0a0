#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/net/url.hpp>
#include <fleetarium/server/access_file.hpp>
#include <fleetarium/server/http_path.hpp>
#include <fleetarium/server/log_line.hpp>
#include <fleetarium/server/password_file.hpp>
#include <fleetarium/server/server_config.hpp>

#include <fuzz/drawn_bytes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// What a server reads of people: the first byte says which of its texts the rest is.

namespace {

using namespace fleetarium;
using namespace fleetarium::broker;

/// Returns whether there are none.
template <class Result>
bool check_problems(const Result& read, std::string_view text) {
    const auto* const problems = std::get_if<std::vector<config::problem>>(&read);
    if (problems == nullptr) {
        return true;
    }
    FLEETARIUM_ASSERT(!problems->empty());
    const auto lines = static_cast<std::uint32_t>(std::count(text.begin(), text.end(), '\n') +
                                                  std::count(text.begin(), text.end(), '\r') + 1);
    for (const config::problem& each : *problems) {
        FLEETARIUM_ASSERT(each.file == "fuzz" && each.line <= lines);
        FLEETARIUM_ASSERT(each.pointer.empty() || each.pointer.front() == '/');
        FLEETARIUM_ASSERT(!each.found.empty() || !each.expected.empty());
        FLEETARIUM_ASSERT(!config::to_string(each).empty());
    }
    return false;
}

/// What is read is right at a second look, and reads back from what it is written as.
void read_config(std::string_view text) {
    const auto read = parse_server_config(text, "fuzz");
    if (!check_problems(read, text)) {
        return;
    }
    const auto& made = std::get<server_config>(read);
    FLEETARIUM_ASSERT(check_server_config(made).empty());
    const std::string written = server_config_text(made);
    const auto again = parse_server_config(written, "again");
    FLEETARIUM_ASSERT(std::holds_alternative<server_config>(again));
    FLEETARIUM_ASSERT(server_config_text(std::get<server_config>(again)) == written);
}

/// The words of access_file.hpp, for a client without special characters in its names.
bool may_publish(const std::vector<access_rule>& rules, std::string_view client_id,
                 std::string_view user_name, std::string_view topic) {
    bool allowed = false;
    for (const access_rule& each : rules) {
        using audience = access_rule::audience;
        if ((each.whom == audience::user && each.user_name != user_name) ||
            (each.whom == audience::without_user_name && !user_name.empty())) {
            continue;
        }
        std::string filter;
        bool is_for_client = true;
        for (std::size_t i = 0; i < each.filter.size(); ++i) {
            if (each.filter.compare(i, 2, "%c") == 0 || each.filter.compare(i, 2, "%u") == 0) {
                const std::string_view name = each.filter[++i] == 'c' ? client_id : user_name;
                is_for_client = is_for_client && !name.empty();
                filter += name;
            } else {
                filter += each.filter[i];
            }
        }
        if (!is_for_client || !topic_matches(filter, topic)) {
            continue;
        }
        if (each.kind == access_kind::deny) {
            return false;
        }
        allowed = allowed || each.kind != access_kind::read;
    }
    return allowed;
}

void read_access(std::string_view text) {
    const auto read = parse_access_rules(text, "fuzz");
    if (!check_problems(read, text)) {
        return;
    }
    const auto& rules = std::get<std::vector<access_rule>>(read);
    const access_policy policy(rules);
    for (const std::string_view user : {"", "ann"}) {
        for (const std::string_view topic : {"a", "a/b", "c/ann", "$x", "a/c/b"}) {
            FLEETARIUM_ASSERT(policy.may_publish("c", user, topic) ==
                              may_publish(rules, "c", user, topic));
            // A subscription that is granted gives no more than each of its topics alone.
            if (policy.may_subscribe("c", user, "#") && !topic.starts_with('$')) {
                FLEETARIUM_ASSERT(policy.may_subscribe("c", user, topic));
            }
        }
    }
    for (const access_rule& each : rules) {
        FLEETARIUM_ASSERT(is_valid_topic_filter(each.filter));
    }
}

void read_passwords(std::string_view text) {
    const auto read = parse_passwords(text, "fuzz");
    const bool fine = check_problems(read, text);
    static const std::string line = password_line("zoe", "secret", 1);
    const std::string with = with_user(text, "zoe", line);
    const auto without = without_user(with, "zoe");
    FLEETARIUM_ASSERT(without && !without_user(*without, "zoe"));
    if (!fine) {
        return;
    }
    const auto more = parse_passwords(with, "fuzz");
    FLEETARIUM_ASSERT(std::holds_alternative<password_list>(more));
    const auto less = parse_passwords(*without, "fuzz");
    FLEETARIUM_ASSERT(std::holds_alternative<password_list>(less));
    FLEETARIUM_ASSERT(std::get<password_list>(more).size() ==
                      std::get<password_list>(less).size() + 1);
}

void read_url(std::string_view text) {
    const auto read = net::parse_url(text);
    if (read.problem.empty()) {
        const std::string written = net::to_string(read.value);
        const auto again = net::parse_url(written);
        FLEETARIUM_ASSERT(again.problem.empty() && again.value == read.value);
    }
}

std::string percent_encoded(std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const char each : text) {
        const auto byte = static_cast<unsigned char>(each);
        out += {'%', digits[byte >> 4], digits[byte & 15]};
    }
    return out;
}

void read_paths(std::string_view text) {
    FLEETARIUM_ASSERT(percent_decoded(percent_encoded(text)) == text);
    if (const auto decoded = percent_decoded(text)) {
        FLEETARIUM_ASSERT(decoded->size() <= text.size());
    }
    for (const http_parameter& each : query_parameters(text)) {
        FLEETARIUM_ASSERT(query_value(text, each.name));
    }
    const std::size_t half = text.size() / 2;
    const std::string encoded =
        percent_encoded(text.substr(0, half)) + '/' + percent_encoded(text.substr(half));
    const auto found = match_route_path("/x/{one}/{two}", "/x/" + encoded);
    FLEETARIUM_ASSERT(found.has_value() == (half != 0));
    if (found) {
        FLEETARIUM_ASSERT((*found)[0].value == text.substr(0, half));
        FLEETARIUM_ASSERT((*found)[1].value == text.substr(half));
    }
    match_route_path("/x/{rest...}", text);
}

void write_log(std::string_view text) {
    const std::string line = log_line(log_level::info, 0, text);
    FLEETARIUM_ASSERT(line.ends_with('\n'));
    FLEETARIUM_ASSERT(std::count_if(line.begin(), line.end(), [](char each) {
                          return static_cast<unsigned char>(each) < 0x20 || each == 0x7F;
                      }) == 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    test::drawn_bytes drawn(data, size);
    const std::uint8_t kind = drawn.byte();
    const std::string_view text = as_text(drawn.rest());
    switch (kind % 6) {
        case 0: read_config(text); break;
        case 1: read_access(text); break;
        case 2: read_passwords(text); break;
        case 3: read_url(text); break;
        case 4: read_paths(text); break;
        default: write_log(text); break;
    }
    return 0;
}
