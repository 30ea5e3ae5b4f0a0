#include <fleetarium/server/password_file.hpp>

#include <catch2/catch.hpp>

#include <unistd.h>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <variant>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::broker;

namespace {

constexpr std::uint32_t few_rounds = 10;

password_list users_of(std::string_view text) {
    auto read = parse_passwords(text, "passwords");
    if (const auto* problems = std::get_if<std::vector<config::problem>>(&read)) {
        FAIL(config::to_string(*problems));
    }
    return std::get<password_list>(std::move(read));
}

/// The only problem of a text.
std::string problem_of(std::string_view text) {
    const auto read = parse_passwords(text, "passwords");
    REQUIRE(std::holds_alternative<std::vector<config::problem>>(read));
    const auto& problems = std::get<std::vector<config::problem>>(read);
    REQUIRE(problems.size() == 1);
    return config::to_string(problems.front());
}

}  // namespace

TEST_CASE("a password is good for its user only", "[server][passwords][threat/strangers]") {
    const auto users = users_of("# people\n" + password_line("ann", "secret", few_rounds) +
                                "\r\n\n" + password_line("bob", "", few_rounds) + "\n" +
                                password_line("M\xC3\xBCller & co", "p:$7$\xC3\xA4", few_rounds));
    CHECK(users.size() == 3);
    CHECK(users.verify("ann", "secret"));
    CHECK_FALSE(users.verify("ann", "Secret"));
    CHECK_FALSE(users.verify("ann", ""));
    CHECK_FALSE(users.verify("ann", "secret "));
    CHECK_FALSE(users.verify("bob", "secret"));
    CHECK(users.verify("bob", ""));
    CHECK(users.verify("M\xC3\xBCller & co", "p:$7$\xC3\xA4"));
    CHECK_FALSE(users.verify("eve", "secret"));
    CHECK_FALSE(users.verify("", ""));
    CHECK_FALSE(password_list().verify("ann", "secret"));
}

TEST_CASE("lines that mosquitto_passwd wrote are understood", "[server][passwords]") {
    const auto users = users_of(
        "bob:$7$101$YmOTJIUVoKxj0aqY$"
        "p7uyrLDmeCDjvIway/Wi6OedqzYDDqV8A4lebO6gOk8ibqpwADySwdYtxl8RXURFiX8q1j0yuUYmxYz/"
        "u8yixw==\n");
    CHECK(users.verify("bob", "pass"));
    CHECK_FALSE(users.verify("bob", "Pass"));
    CHECK(users.weak_count() == 1);
}

TEST_CASE("a line has its own random salt, of a size that mosquitto takes, and many rounds",
          "[server][passwords][threat/password_file]") {
    std::set<std::string> lines;
    for (int i = 0; i < 20; ++i) {
        lines.insert(password_line("ann", "secret", few_rounds));
    }
    CHECK(lines.size() == 20);
    const auto line = password_line("ann", "secret");
    CHECK(line.starts_with("ann:$7$210000$"));
    const auto salt_end = line.find('$', 14);
    CHECK(salt_end - 14 == 16);  // 12 bytes
    CHECK(line.size() - salt_end - 1 == 88);
    CHECK(users_of(line).weak_count() == 0);
    CHECK(users_of(line).verify("ann", "secret"));
}

TEST_CASE("a mistake in a password file has its place, and shows no password",
          "[server][passwords][threat/secrets]") {
    const std::string good_hash(86, 'A');
    std::string text;
    std::string message;
    const std::string line = "expected NAME:$7$ROUNDS$SALT$HASH as fleetarium passwd writes it";
    std::tie(text, message) = GENERATE_COPY(table<std::string, std::string>({
        {"ann", R"(1:1: found a line without ":", )" + line},
        {"ann:secret", "1:5: found a password that is not hashed, " + line},
        {"ann:", "1:5: found a password that is not hashed, " + line},
        {"ann:$6$c2FsdA==$AAAA",
         "1:5: found a hash of the kind $6$, which is quick to guess, " + line},
        {"\n# x\nann:$2y$05$abc", "3:5: found a hash of another kind than $7$, " + line},
        {":$7$1$AAAA$AAAA", "1:1: found a user name without a letter, expected a user name"},
        {"a\tb:$7$1$AAAA$AAAA",
         "1:1: found a user name with bytes that are not text in UTF-8, expected a user name"},
        {"ann:$7$101$AAAA", "1:8: found a hash with a part missing, " + line},
        {"ann:$7$101", "1:8: found a hash with a part missing, " + line},
        {"ann:$7$x$AAAA$" + good_hash + "==",
         R"(1:8: found "x" rounds, expected a whole number from 1 to 10000000)"},
        {"ann:$7$0$AAAA$" + good_hash + "==",
         R"(1:8: found "0" rounds, expected a whole number from 1 to 10000000)"},
        {"ann:$7$10000001$AAAA$" + good_hash + "==",
         R"(1:8: found "10000001" rounds, expected a whole number from 1 to 10000000)"},
        {"ann:$7$-1$AAAA$" + good_hash + "==",
         R"(1:8: found "-1" rounds, expected a whole number from 1 to 10000000)"},
        {"ann:$7$101$AA*A$" + good_hash + "==",
         "1:12: found a salt that is not base64, expected 1 to 1024 bytes in base64"},
        {"ann:$7$101$$" + good_hash + "==",
         "1:12: found a salt that is not base64, expected 1 to 1024 bytes in base64"},
        {"ann:$7$101$AAAA$AAAA", "1:17: found a hash of 3 bytes, expected 64 bytes in base64"},
        {"ann:$7$101$AAAA$AAA",
         "1:17: found a hash that is not base64, expected 64 bytes in base64"},
        {"ann:$7$101$AAAA$" + good_hash + "==$",
         "1:17: found a hash that is not base64, expected 64 bytes in base64"},
        {"ann:$7$101$AAAA$" + good_hash + "==\nann:$7$101$AAAA$" + good_hash + "==",
         R"(2:1: found the user "ann" a second time, expected each user once)"},
    }));
    CHECK(problem_of(text) == "passwords:" + message);
    CHECK(problem_of(text).find("secret") == std::string::npos);
}

TEST_CASE("users are added, changed and taken out; all else stays as it is",
          "[server][passwords]") {
    std::string text = "# people\nann:old\n\n# machines\nbob:x\n";
    text = with_user(text, "ann", "ann:new");
    CHECK(text == "# people\nann:new\n\n# machines\nbob:x\n");
    text = with_user(text, "eve", "eve:y");
    CHECK(text == "# people\nann:new\n\n# machines\nbob:x\neve:y\n");
    CHECK(with_user("", "ann", "ann:1") == "ann:1\n");
    CHECK(with_user("bob:x", "ann", "ann:1") == "bob:x\nann:1\n");
    CHECK(without_user(text, "bob") == "# people\nann:new\n\n# machines\neve:y\n");
    CHECK(without_user(text, "an") == std::nullopt);
    CHECK(without_user(text, "# people") == std::nullopt);
}

TEST_CASE("names that would break the file are refused with a reason", "[server][passwords]") {
    CHECK(user_name_problem("ann").empty());
    CHECK(user_name_problem("M\xC3\xBCller & co").empty());
    CHECK(user_name_problem("") == "a user name without a letter");
    CHECK(user_name_problem("a:b") == "a user name with \":\", which ends a name in the file");
    CHECK_FALSE(user_name_problem("a\nb").empty());
    CHECK_FALSE(user_name_problem("a\xFF").empty());
    CHECK_FALSE(user_name_problem(" a").empty());
    CHECK_FALSE(user_name_problem("#a").empty());
    CHECK_FALSE(user_name_problem(std::string(65'536, 'a')).empty());
}

TEST_CASE("what was checked is known until the file is read again", "[server][passwords]") {
    password_file file;
    CHECK_FALSE(file.check("ann", "secret"));
    file.use(users_of(password_line("ann", "secret", few_rounds)));
    CHECK(file.size() == 1);
    CHECK(file.weak_count() == 1);
    CHECK(file.known("ann", "secret") == std::nullopt);
    CHECK(file.check("ann", "secret"));
    CHECK(file.known("ann", "secret") == true);
    CHECK_FALSE(file.check("ann", "wrong"));
    CHECK(file.known("ann", "wrong") == false);
    CHECK(file.check("ann", "secret"));
    // The same letters, cut elsewhere.
    CHECK(file.known("anns", "ecret") == std::nullopt);
    CHECK(file.known("an", "nsecret") == std::nullopt);

    file.use(users_of(password_line("ann", "new", few_rounds)));
    CHECK(file.known("ann", "secret") == std::nullopt);
    CHECK(file.known("ann", "wrong") == std::nullopt);
    CHECK_FALSE(file.check("ann", "secret"));
    CHECK(file.check("ann", "new"));
}

TEST_CASE("a bounded number of answers is remembered, and wrong ones push out no right ones",
          "[server][passwords]") {
    password_file file;
    file.use(users_of(password_line("ann", "secret", 1)));
    REQUIRE(file.check("ann", "secret"));
    constexpr int wrong_max = 4096;
    for (int i = 0; i <= wrong_max; ++i) {
        REQUIRE_FALSE(file.check("ann", std::to_string(i)));
    }
    CHECK(file.known("ann", "secret") == true);
    CHECK(file.known("ann", "0") == std::nullopt);
    CHECK(file.known("ann", "1") == false);
    CHECK(file.known("ann", std::to_string(wrong_max)) == false);
}

TEST_CASE("however many users there are, each right password is remembered",
          "[server][passwords]") {
    std::string text;
    for (int i = 0; i < 5000; ++i) {
        text += password_line("user" + std::to_string(i), "secret", 1) + "\n";
    }
    password_file file;
    file.use(users_of(text));
    for (int i = 0; i < 5000; ++i) {
        REQUIRE(file.check("user" + std::to_string(i), "secret"));
    }
    for (int i = 0; i < 5000; ++i) {
        REQUIRE(file.known("user" + std::to_string(i), "secret") == true);
    }
}

TEST_CASE("ten thousand devices that come back cost one slow hash", "[server][passwords]") {
    // At a tenth of a second each they would run into the time limit of the test.
    password_file file;
    file.use(users_of(password_line("fleet", "secret")));
    int accepted = 0;
    for (int i = 0; i < 10'000; ++i) {
        accepted += file.check("fleet", "secret") ? 1 : 0;
    }
    CHECK(accepted == 10'000);
}

TEST_CASE("a password file is read as a whole or not at all", "[server][passwords]") {
    const auto path = std::filesystem::temp_directory_path() /
                      ("fleetarium-passwords-" + std::to_string(getpid()));
    password_file file;
    std::ofstream(path) << password_line("ann", "secret", few_rounds) << '\n';
    CHECK(file.load(path).empty());
    CHECK(file.check("ann", "secret"));
    std::ofstream(path) << password_line("ann", "new", few_rounds) << "\nbob:plain\n";
    const auto problems = file.load(path);
    REQUIRE(problems.size() == 1);
    CHECK(
        config::to_string(problems.front()).starts_with(path.string() + ":2:5: found a password"));
    CHECK(file.known("ann", "secret") == true);
    CHECK_FALSE(file.check("ann", "new"));
    std::filesystem::remove(path);
    CHECK(file.load(path).size() == 1);
    CHECK(file.check("ann", "secret"));
}

TEST_CASE("passwords are checked on many threads while the file is read again",
          "[server][passwords]") {
    const auto old_users = users_of(password_line("ann", "secret", few_rounds));
    const auto new_users = users_of(password_line("ann", "secret", few_rounds) + "\n" +
                                    password_line("bob", "secret", few_rounds));
    password_file file;
    file.use(old_users);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 500; ++i) {
                wrong += file.check("ann", "secret") ? 0 : 1;
                wrong += file.check("ann", std::to_string(t * 1000 + i)) ? 1 : 0;
                (void)file.known("bob", "secret");
            }
        });
    }
    for (int i = 0; i < 200; ++i) {
        file.use(i % 2 == 0 ? new_users : old_users);
    }
    for (auto& thread : threads) {
        thread.join();
    }
    CHECK(wrong == 0);
}
