#pragma once

#include <fleetarium/broker/access_policy.hpp>
#include <fleetarium/config/problem.hpp>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// Who may publish and subscribe to what, as a text file that people write:
///
///     # what clients without a user name may do
///     topic read news/#
///
///     # what everybody may do; %c stands for the client id, %u for the user name
///     pattern write devices/%c/state
///     pattern deny +/secret
///
///     # what ann may do
///     user ann
///     topic readwrite home/ann/#
///     topic deny home/ann/attic
///
/// A rule is `topic` or `pattern`, then `read`, `write`, `readwrite` or `deny`, then a topic
/// filter, which may have spaces in it; without the word in the middle it is `readwrite`. Topic
/// rules are for the user of the last `user` line above them, before the first one for clients
/// without a user name; patterns are for everybody, wherever they stand. Lines that begin with `#`
/// are comments.
///
/// What no rule allows is denied, and what a rule denies is denied whatever others allow. To read
/// is to subscribe: to a filter that one rule's filter covers and no denied filter overlaps, so
/// `home/#` is refused to ann above. `#` covers no topics that begin with `$`.
///
/// A user name is worth what proves it: a password file or client certificates. Without either,
/// whoever calls himself ann is ann.
///
/// The format is that of mosquitto's ACL files, and so are its meanings but one: mosquitto takes
/// any subscription and leaves out messages that may not be read, here it is refused.
namespace fleetarium::broker {

/// The rules of a text, or everything that is wrong with it.
using access_rules_or_problems =
    std::variant<std::vector<access_rule>, std::vector<config::problem>>;
access_rules_or_problems parse_access_rules(std::string_view text, std::string_view file_name);

/// What a file says, or everything that is wrong with it; that it cannot be read, too.
/// Thread rule: any thread.
using access_policy_or_problems = std::variant<access_policy, std::vector<config::problem>>;
access_policy_or_problems load_access_file(const std::string& path);

}  // namespace fleetarium::broker
