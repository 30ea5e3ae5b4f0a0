#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::recording {

/// Other names for recorded topics: rules "FROM=TO", of which the first that matches counts.
///
/// FROM is a topic filter. What its wildcards stood for goes where TO has the same ones, in their
/// order: "site/+/temp/#=lab/+/#" makes "lab/7/a/b" of "site/7/temp/a/b".
class topic_rewriting {
public:
    /// Throws std::invalid_argument with what was found and what was expected.
    void add(std::string_view text);
    bool empty() const { return rules_.empty(); }
    /// The new name, or the same one where no rule matches. It may be no valid topic name: too
    /// long, or empty.
    std::string apply(std::string_view topic) const;

private:
    struct rule {
        std::string from;
        std::string to;
    };
    std::vector<rule> rules_;
};

/// Other client ids, likewise: FROM and TO have at most one `*`, which stands for any text:
/// "sensor-*=replayed-*".
class client_rewriting {
public:
    /// Throws std::invalid_argument.
    void add(std::string_view text);
    std::string apply(std::string_view client_id) const;

private:
    struct rule {
        std::string from;
        std::string to;
    };
    std::vector<rule> rules_;
};

}  // namespace fleetarium::recording
