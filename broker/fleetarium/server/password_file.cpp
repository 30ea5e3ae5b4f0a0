#include <fleetarium/server/password_file.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/config/document.hpp>
#include <fleetarium/core/base64.hpp>
#include <fleetarium/core/limits.hpp>
#include <fleetarium/net/system_random.hpp>
#include <fleetarium/server/text_lines.hpp>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace fleetarium::broker {

using namespace config;

namespace {

constexpr std::string_view mark = "$7$";
constexpr std::size_t hash_size = 64;  // SHA-512
/// Mosquitto takes salts of this size only.
constexpr std::size_t salt_size = 12;
constexpr std::size_t salt_size_max = 1024;
/// Devices with an old password try again and again. Some 100 bytes each.
constexpr std::size_t wrong_remembered_max = 4'096;

constexpr std::string_view line_expected =
    "NAME:$7$ROUNDS$SALT$HASH as fleetarium passwd writes it";

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

std::string derive(std::string_view password, std::string_view salt, std::uint32_t rounds) {
    std::string hash(hash_size, '\0');
    if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes_of(salt),
                          static_cast<int>(salt.size()), static_cast<int>(rounds), EVP_sha512(),
                          static_cast<int>(hash.size()),
                          reinterpret_cast<unsigned char*>(hash.data())) != 1) {
        throw std::runtime_error("OpenSSL cannot make PBKDF2 hashes with SHA-512");
    }
    return hash;
}

std::string to_base64(std::string_view bytes) {
    std::string text;
    append_base64(text, as_bytes_view(bytes));
    return text;
}

std::optional<std::string> from_base64(std::string_view text) {
    constexpr std::string_view letters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const auto padding = text.ends_with("==") ? 2U : text.ends_with('=') ? 1U : 0U;
    const auto digits = text.substr(0, text.size() - padding);
    if (text.empty() || text.size() % 4 != 0 || text.size() > 4 * salt_size_max ||
        digits.find_first_not_of(letters) != std::string_view::npos) {
        return std::nullopt;
    }
    std::string bytes(text.size() / 4 * 3, '\0');
    if (EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()), bytes_of(text),
                        static_cast<int>(text.size())) < 0) {
        return std::nullopt;
    }
    bytes.resize(bytes.size() - padding);
    return bytes;
}

/// The name of a line, or none for comments, empty lines and others.
std::optional<std::string_view> name_of_line(std::string_view line) {
    const auto colon = line.find(':');
    if (line.starts_with('#') || colon == std::string_view::npos) {
        return std::nullopt;
    }
    return line.substr(0, colon);
}

class line_reader {
public:
    explicit line_reader(std::string_view file_name) : file_name_(file_name) {}

    passwords_or_problems run(std::string_view text) {
        for_each_line(text, [&](std::uint32_t number, std::string_view line) {
            line_number_ = number;
            line_ = line;
            if (!trimmed(line).empty() && !line.starts_with('#')) {
                read_line(trimmed(line));
            }
        });
        if (!problems_.empty()) {
            return std::move(problems_);
        }
        return std::move(users_);
    }

private:
    void report(std::string_view at, std::string found, std::string expected) {
        problems_.push_back({file_name_,
                             line_number_,
                             column_of(line_, at),
                             {},
                             std::move(found),
                             std::move(expected),
                             {}});
    }

    void read_line(std::string_view line) {
        const auto colon = line.find(':');
        if (colon == std::string_view::npos) {
            report(line, "a line without \":\"", std::string(line_expected));
            return;
        }
        const auto name = line.substr(0, colon);
        const auto rest = line.substr(colon + 1);
        if (const auto wrong = user_name_problem(name); !wrong.empty()) {
            report(name, wrong, "a user name");
            return;
        }
        // What follows may be a password, so it is not shown.
        if (!rest.starts_with(mark)) {
            report(rest,
                   rest.starts_with("$6$") ? "a hash of the kind $6$, which is quick to guess"
                   : rest.starts_with('$') ? "a hash of another kind than $7$"
                                           : "a password that is not hashed",
                   std::string(line_expected));
            return;
        }
        if (auto made = read_hash(rest.substr(mark.size()))) {
            if (!users_.add(std::string(name), std::move(*made))) {
                report(name, "the user " + quoted(name) + " a second time", "each user once");
            }
        }
    }

    std::optional<password_list::entry> read_hash(std::string_view rest) {
        const auto first = std::min(rest.find('$'), rest.size());
        const auto second = std::min(rest.find('$', first + 1), rest.size());
        if (second == rest.size()) {
            report(rest, "a hash with a part missing", std::string(line_expected));
            return std::nullopt;
        }
        password_list::entry made;
        const auto rounds = rest.substr(0, first);
        const auto salt = rest.substr(first + 1, second - first - 1);
        const auto hash = rest.substr(second + 1);
        const auto [end, error] =
            std::from_chars(rounds.data(), rounds.data() + rounds.size(), made.rounds);
        if (error != std::errc() || end != rounds.data() + rounds.size() || made.rounds == 0 ||
            made.rounds > password_rounds_max) {
            report(rounds, quoted(rounds) + " rounds",
                   "a whole number from 1 to " + std::to_string(password_rounds_max));
            return std::nullopt;
        }
        auto salt_bytes = from_base64(salt);
        auto hash_bytes = from_base64(hash);
        if (!salt_bytes) {
            report(salt, "a salt that is not base64",
                   "1 to " + std::to_string(salt_size_max) + " bytes in base64");
            return std::nullopt;
        }
        if (!hash_bytes || hash_bytes->size() != hash_size) {
            report(hash,
                   hash_bytes ? "a hash of " + std::to_string(hash_bytes->size()) + " bytes"
                              : "a hash that is not base64",
                   std::to_string(hash_size) + " bytes in base64");
            return std::nullopt;
        }
        made.salt = std::move(*salt_bytes);
        made.hash = std::move(*hash_bytes);
        return made;
    }

    std::string file_name_;
    std::uint32_t line_number_ = 0;
    std::string_view line_;
    password_list users_;
    std::vector<problem> problems_;
};

}  // namespace

bool password_list::add(std::string user_name, entry made) {
    const auto rounds = made.rounds;
    if (!entries_.emplace(std::move(user_name), std::move(made)).second) {
        return false;
    }
    const auto count = ++users_by_rounds_[rounds];
    if (const auto usual = users_by_rounds_.find(usual_rounds_);
        usual == users_by_rounds_.end() || count > usual->second) {
        usual_rounds_ = rounds;
    }
    return true;
}

bool password_list::verify(std::string_view user_name, std::string_view password) const {
    // For an unknown user the work is done all the same: the time must not tell who is known.
    static const entry nobody{0, std::string(salt_size, '\0'), std::string(hash_size, '\0')};
    const auto found = entries_.find(user_name);
    const bool is_known = found != entries_.end();
    const entry& expected = is_known ? found->second : nobody;
    std::string hash = derive(password, expected.salt, is_known ? expected.rounds : usual_rounds_);
    const bool same = CRYPTO_memcmp(hash.data(), expected.hash.data(), hash_size) == 0;
    OPENSSL_cleanse(hash.data(), hash.size());
    return is_known && same;
}

std::size_t password_list::weak_count() const {
    std::size_t count = 0;
    for (const auto& [rounds, users] : users_by_rounds_) {
        count += rounds < password_rounds ? users : 0;
    }
    return count;
}

passwords_or_problems parse_passwords(std::string_view text, std::string_view file_name) {
    return line_reader(file_name).run(text);
}

std::string user_name_problem(std::string_view user_name) {
    const auto is_control = [](char letter) {
        return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F;
    };
    if (user_name.empty()) {
        return "a user name without a letter";
    }
    if (user_name.size() > 65'535) {
        return "a user name of more than 65,535 bytes";
    }
    if (!is_valid_string(user_name) ||
        std::any_of(user_name.begin(), user_name.end(), is_control)) {
        return "a user name with bytes that are not text in UTF-8";
    }
    if (user_name.find(':') != std::string_view::npos) {
        return "a user name with \":\", which ends a name in the file";
    }
    if (user_name.starts_with('#') || user_name != trimmed(user_name)) {
        return "a user name that begins with # or has blanks at an end";
    }
    return {};
}

std::string password_line(std::string_view user_name, std::string_view password,
                          std::uint32_t rounds) {
    std::string salt(salt_size, '\0');
    net::fill_with_system_random(salt.data(), salt.size());
    std::string line(user_name);
    line += ':';
    line += mark;
    line += std::to_string(rounds) + '$' + to_base64(salt) + '$';
    line += to_base64(derive(password, salt, rounds));
    return line;
}

std::string with_user(std::string_view text, std::string_view user_name, std::string_view line) {
    std::string made;
    bool replaced = false;
    for_each_line(text, [&](std::uint32_t, std::string_view old) {
        const bool is_it = name_of_line(trimmed(old)) == user_name;
        if (is_it && replaced) {
            return;
        }
        made += is_it ? line : old;
        made += '\n';
        replaced = replaced || is_it;
    });
    if (!replaced) {
        made += line;
        made += '\n';
    }
    return made;
}

std::optional<std::string> without_user(std::string_view text, std::string_view user_name) {
    std::string made;
    bool found = false;
    for_each_line(text, [&](std::uint32_t, std::string_view old) {
        if (name_of_line(trimmed(old)) == user_name) {
            found = true;
        } else {
            made += old;
            made += '\n';
        }
    });
    return found ? std::optional(std::move(made)) : std::nullopt;
}

password_file::password_file() : users_(std::make_shared<password_list>()) {
    net::fill_with_system_random(secret_.data(), secret_.size());
}

std::vector<problem> password_file::load(const std::string& path) {
    auto text = read_text_file(path, limits::server_file_size_max, "a password file");
    if (auto* problems = std::get_if<std::vector<problem>>(&text)) {
        return std::move(*problems);
    }
    auto users = parse_passwords(std::get<std::string>(text), path);
    if (auto* problems = std::get_if<std::vector<problem>>(&users)) {
        return std::move(*problems);
    }
    use(std::move(std::get<password_list>(users)));
    return {};
}

void password_file::use(password_list users) {
    auto shared = std::make_shared<const password_list>(std::move(users));
    const std::lock_guard hold(mutex_);
    users_ = std::move(shared);
    right_.clear(users_->size());
    wrong_.clear(wrong_remembered_max);
}

std::optional<bool> password_file::known(std::string_view user_name,
                                         std::string_view password) const {
    const auto key = key_of(user_name, password);
    const std::lock_guard hold(mutex_);
    return remembered(key);
}

bool password_file::check(std::string_view user_name, std::string_view password) {
    const auto key = key_of(user_name, password);
    std::shared_ptr<const password_list> users;
    {
        const std::lock_guard hold(mutex_);
        if (const auto answer = remembered(key)) {
            return *answer;
        }
        users = users_;
    }
    const bool is_right = users->verify(user_name, password);
    const std::lock_guard hold(mutex_);
    if (users == users_) {  // else the file was read again meanwhile, and this holds no more
        (is_right ? right_ : wrong_).add(key);
    }
    return is_right;
}

std::size_t password_file::size() const {
    const std::lock_guard hold(mutex_);
    return users_->size();
}

std::size_t password_file::weak_count() const {
    const std::lock_guard hold(mutex_);
    return users_->weak_count();
}

password_file::pair_key password_file::key_of(std::string_view user_name,
                                              std::string_view password) const {
    // The size first, so that no other split of the same letters is the same pair.
    std::string pair = std::to_string(user_name.size()) + ':';
    pair += user_name;
    pair += password;
    pair_key key{};
    unsigned size = 0;
    if (HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()), bytes_of(pair),
             pair.size(), key.data(), &size) == nullptr ||
        size != key.size()) {
        throw std::runtime_error("OpenSSL cannot make an HMAC with SHA-256");
    }
    OPENSSL_cleanse(pair.data(), pair.size());
    return key;
}

std::optional<bool> password_file::remembered(const pair_key& key) const {
    if (right_.has(key)) {
        return true;
    }
    return wrong_.has(key) ? std::optional(false) : std::nullopt;
}

std::size_t password_file::hash_of_key::operator()(const pair_key& key) const {
    std::size_t hash = 0;
    std::memcpy(&hash, key.data(), sizeof hash);
    return hash;
}

void password_file::memory::add(const pair_key& key) {
    if (size_max_ == 0 || !members_.insert(key).second) {
        return;  // two checked it at once
    }
    if (ring_.size() < size_max_) {
        ring_.push_back(key);
        return;
    }
    members_.erase(ring_[next_]);
    ring_[next_] = key;
    next_ = (next_ + 1) % size_max_;
}

void password_file::memory::clear(std::size_t size_max) {
    size_max_ = size_max;
    members_.clear();
    ring_.clear();
    next_ = 0;
}

}  // namespace fleetarium::broker
