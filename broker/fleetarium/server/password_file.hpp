#pragma once

#include <fleetarium/config/problem.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

/// Users and their passwords, as a text file with a line for each user:
///
///     ann:$7$210000$C2Vz2mp0yYQNwNhB$Q8W...==
///
/// name, `$7$`, rounds, salt and hash, the last two in base64. The hash is PBKDF2 with HMAC-SHA-512
/// (RFC 8018): OpenSSL has it, it takes no memory that a flood of logins could exhaust, and
/// mosquitto reads and writes the same lines. `fleetarium passwd` maintains such a file. Lines that
/// begin with `#` are comments.
namespace fleetarium::broker {

/// What OWASP's password storage cheat sheet asks of PBKDF2-HMAC-SHA512: some 0.1 s each.
inline constexpr std::uint32_t password_rounds = 210'000;
/// A login that takes longer, some 5 s, is a slip of the pen.
inline constexpr std::uint32_t password_rounds_max = 10'000'000;

/// Users and the hashes of their passwords; does not change.
/// Thread rule: const calls from any thread.
class password_list {
public:
    struct entry {
        std::uint32_t rounds = 0;
        std::string salt{};
        std::string hash{};
    };

    /// Adds a user; false if it is there already.
    bool add(std::string user_name, entry made);

    /// Whether this is the user's password. Takes long by design, and as long for an unknown user.
    bool verify(std::string_view user_name, std::string_view password) const;

    std::size_t size() const { return entries_.size(); }

    /// Users whose hashes take fewer rounds than password_rounds: quick to guess if the file leaks.
    std::size_t weak_count() const;

private:
    struct hash_of_name {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const {
            return std::hash<std::string_view>()(name);
        }
    };

    std::unordered_map<std::string, entry, hash_of_name, std::equal_to<>> entries_;
    std::unordered_map<std::uint32_t, std::size_t> users_by_rounds_;
    std::uint32_t usual_rounds_ = password_rounds;
};

/// The users of a text, or everything that is wrong with it. `file_name` is for the problems.
using passwords_or_problems = std::variant<password_list, std::vector<config::problem>>;
passwords_or_problems parse_passwords(std::string_view text, std::string_view file_name);

/// What is wrong with a name for the file, as a sentence; empty if nothing is.
std::string user_name_problem(std::string_view user_name);

/// A line of the file, without its end, with a new random salt. The name must be valid. Takes long
/// by design. Throws std::runtime_error if the system gives no random numbers.
std::string password_line(std::string_view user_name, std::string_view password,
                          std::uint32_t rounds = password_rounds);

/// The text with this line for the user, in place of the one it had.
std::string with_user(std::string_view text, std::string_view user_name, std::string_view line);

/// The text without the user; none if it is not in there.
std::optional<std::string> without_user(std::string_view text, std::string_view user_name);

/// The password file of a server: read again at any time, and remembers what was found right, so
/// that devices that come back do not cost a slow hash each.
///
/// Remembered is an HMAC of name and password with a key of this process, never a password: all
/// right ones, of which each user has one, apart from them a bounded number of wrong ones, and
/// nothing across a reload.
/// Thread rule: any thread.
class password_file {
public:
    password_file();

    /// Reads the file. Returns what is wrong with it, and then leaves all as it was.
    std::vector<config::problem> load(const std::string& path);

    /// Uses these users from now on.
    void use(password_list users);

    /// What is remembered of this pair; none if that is nothing. Takes a microsecond or two.
    std::optional<bool> known(std::string_view user_name, std::string_view password) const;

    /// Whether this is the user's password; slow unless it is known.
    bool check(std::string_view user_name, std::string_view password);

    std::size_t size() const;
    std::size_t weak_count() const;  ///< see password_list

private:
    using pair_key = std::array<std::uint8_t, 32>;
    struct hash_of_key {
        std::size_t operator()(const pair_key& key) const;
    };

    /// The last so many answers.
    class memory {
    public:
        bool has(const pair_key& key) const { return members_.contains(key); }
        void add(const pair_key& key);
        void clear(std::size_t size_max);

    private:
        std::size_t size_max_ = 0;
        std::unordered_set<pair_key, hash_of_key> members_;
        std::vector<pair_key> ring_;
        std::size_t next_ = 0;
    };

    pair_key key_of(std::string_view user_name, std::string_view password) const;
    std::optional<bool> remembered(const pair_key& key) const;

    pair_key secret_{};
    mutable std::mutex mutex_;
    std::shared_ptr<const password_list> users_;
    memory right_;
    memory wrong_;
};

}  // namespace fleetarium::broker
