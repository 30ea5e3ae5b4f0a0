#pragma once

#include <string_view>
#include <vector>

namespace fleetarium::test {

/// What one filter matches and what it does not, as section 4.7 of both versions has it.
struct topic_row {
    std::string_view filter;
    std::vector<std::string_view> matches;
    std::vector<std::string_view> does_not_match;
};

inline const std::vector<topic_row>& topic_table() {
    static const std::vector<topic_row> rows = {
        {"a/b/#", {"a/b", "a/b/", "a/b/c", "a/b/c/d"}, {"a", "a/bc", "b"}},
        {"#", {"a", "/", "a/b", "a/$b"}, {"$SYS/a", "$a", "$"}},
        {"a/#", {"a", "a/", "a/b", "a/$b"}, {"b", "ab", "A"}},
        {"/#", {"/", "/a", "/a/b", "/$a"}, {"a", "$a"}},
        {"+", {"a", " "}, {"a/b", "/a", "/", "$a", "$"}},
        {"a/+", {"a/b", "a/", "a/$b"}, {"a", "a/b/c"}},
        {"+/+", {"/a", "a/b", "/", "a/"}, {"a", "a/b/c", "$a/b"}},
        {"/+", {"/a", "/", "/$a"}, {"a", "/a/b"}},
        {"+/b/#", {"a/b", "/b", "a/b/c/d"}, {"b", "$a/b"}},
        {"a/+/c", {"a/b/c", "a//c"}, {"a/c", "a/b/b/c"}},
        {"+/#", {"a", "a/b", "/"}, {"$a", "$a/b"}},
        {"$SYS/#", {"$SYS", "$SYS/", "$SYS/a/b"}, {"SYS/a", "$SYSTEM"}},
        {"$SYS/+", {"$SYS/a", "$SYS/"}, {"$SYS", "$SYS/a/b"}},
        {"a/$x", {"a/$x"}, {"a/x", "$x"}},
        {"a//b", {"a//b"}, {"a/b", "a///b", "a//B"}},
        {"+/a/+/#", {"x/a/y", "x/a/y/z/z", "/a/"}, {"x/a", "$x/a/y", "a/y"}},
        {"\xc3\xa9/+", {"\xc3\xa9/a"}, {"e\xcc\x81/a", "\xc3\x89/a"}},
    };
    return rows;
}

}  // namespace fleetarium::test
