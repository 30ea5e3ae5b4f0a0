#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fleetarium::broker {

/// Whether each topic that `narrow` matches is matched by `wide`; both valid plain filters. Says no
/// to "+/#" over "#" and "/+/#" over "/#", the same only because no topic name is empty.
bool filter_covers(std::string_view wide, std::string_view narrow);

/// Whether some topic is matched by both; valid plain filters. Says yes to "+" and "/#", which
/// share only the empty name that no topic has.
bool filters_overlap(std::string_view left, std::string_view right);

enum class access_kind : std::uint8_t { read, write, read_write, deny };

/// What some clients may do with some topics. To read is to subscribe to a filter that the rule's
/// covers, to write is to publish to a topic that it matches. `deny` takes both away, whatever
/// other rules allow, also from a subscription that would match only some of its topics.
struct access_rule {
    enum class audience : std::uint8_t { everybody, without_user_name, user };

    audience whom = audience::everybody;
    std::string user_name{};  ///< of a user
    access_kind kind = access_kind::read_write;
    /// A plain filter. `%c` stands for the client id and `%u` for the user name. A rule with the
    /// name that a client does not have is not for that client. A name with a wildcard or `/` in
    /// it would change what the rule says, so such a client gains nothing by a rule with its name,
    /// and one that denies takes everything from it.
    std::string filter{};
};

/// Whether an access rule holds a placeholder.
bool has_placeholder(std::string_view filter);

/// Who may publish and subscribe to what, as rules say: the answers that broker_hooks gives.
///
/// A question takes a look-up of the user and a walk through the rules for everybody and for that
/// user, and allocates nothing: it may be asked for each PUBLISH.
/// Thread rule: const calls from any thread.
class access_policy {
public:
    /// Allows everything.
    access_policy() = default;

    /// What no rule allows is denied.
    explicit access_policy(const std::vector<access_rule>& rules);

    /// Whether every client may do everything, so that nobody need ask.
    bool allows_everything() const { return allows_everything_; }

    bool may_publish(std::string_view client_id, std::string_view user_name,
                     std::string_view topic) const;

    /// `filter` as it was sent; of a shared subscription the part that matches counts.
    bool may_subscribe(std::string_view client_id, std::string_view user_name,
                       std::string_view filter) const;

private:
    struct names {
        std::string_view client_id;
        std::string_view user_name;
    };

    /// The filter of a rule, with what is known of it beforehand.
    struct rule_filter {
        std::string text;
        /// Bytes of it that any text begins with that it covers. Most questions end there.
        std::size_t plain_size = 0;
        enum class shape : std::uint8_t {
            plain,    ///< covers only itself
            subtree,  ///< "a/b/#"
            other,
        };
        enum shape shape = shape::other;
        bool has_client_id = false;
        bool has_user_name = false;

        explicit rule_filter(std::string_view filter);
        bool covers(const names& who, std::string_view asked) const;
        bool overlaps(const names& who, std::string_view asked) const;
        /// Whether a name of the client's would change what the rule says.
        bool is_twisted_by(const names& who) const;

    private:
        bool is_for(const names& who) const;
    };

    struct rule_list {
        std::vector<rule_filter> denied;
        std::vector<rule_filter> readable;
        std::vector<rule_filter> writable;
    };

    struct hash_of_name {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const {
            return std::hash<std::string_view>()(name);
        }
    };

    template <class Denies>
    bool is_allowed(std::vector<rule_filter> rule_list::*by, const names& who,
                    std::string_view asked, Denies denies) const;

    bool allows_everything_ = true;
    rule_list everybody_;
    rule_list without_user_name_;
    std::unordered_map<std::string, rule_list, hash_of_name, std::equal_to<>> users_;
};

}  // namespace fleetarium::broker
