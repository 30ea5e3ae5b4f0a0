#include <fleetarium/storage/database.hpp>
#include <fleetarium/storage/session_file.hpp>

#include <support/durable_bench.hpp>
#include <support/temporary_folder.hpp>

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

using namespace fleetarium;
using namespace fleetarium::test;
using storage::database;
using storage::session_file;
using storage::session_file_error;

namespace {

struct folder : temporary_folder {
    std::string file = path() + "/sessions.db";
};

/// What opening and loading the file says.
std::string refusal(const std::string& path, bool damaged) {
    try {
        session_file opened({.path = path});
        broker::broker_core core(broker::broker_options{});
        storage::change_journal journal;
        opened.load(core, journal);
    } catch (const session_file_error& error) {
        CHECK(error.is_damaged() == damaged);
        return error.what();
    }
    return "";
}

}  // namespace

using Catch::Contains;

TEST_CASE("a session file is its owner's alone", "[storage]") {
    const folder in;
    { session_file made({.path = in.file}); }
    const auto rights = std::filesystem::status(in.file).permissions();
    CHECK((rights & ~(std::filesystem::perms::owner_read | std::filesystem::perms::owner_write)) ==
          std::filesystem::perms::none);
}

TEST_CASE("a session file has one user at a time", "[storage]") {
    const folder in;
    session_file first({.path = in.file});
    CHECK_THAT(refusal(in.file, false), Contains("another process uses it"));
}

TEST_CASE("what is no session file is refused and stays as it is", "[storage]") {
    const folder in;
    SECTION("a text") {
        std::ofstream(in.file) << std::string(5000, 'x');
        CHECK_THAT(refusal(in.file, false), Contains("is no SQLite database"));
        CHECK(std::filesystem::file_size(in.file) == 5000);
    }
    SECTION("another database") {
        {
            database other(in.file, database::mode::create);
            other.execute("CREATE TABLE mine (x)");
        }
        CHECK_THAT(refusal(in.file, false), Contains("no session file; name another FILE"));
        database other(in.file, database::mode::read);
        CHECK(other.text("PRAGMA journal_mode") == "delete");
    }
    SECTION("a folder that is not there") {
        CHECK_THAT(refusal(in.path() + "/nowhere/x.db", false),
                   Contains("cannot be made: No such file or directory"));
    }
    SECTION("a file of a later version") {
        { session_file made({.path = in.file}); }
        {
            database later(in.file, database::mode::write);
            later.execute("PRAGMA user_version = 9");
        }
        CHECK_THAT(refusal(in.file, false), Contains("schema 9, known are 1 to 1"));
    }
}

TEST_CASE("rows that contradict one another are refused by name", "[storage]") {
    const folder in;
    { session_file made({.path = in.file}); }
    const auto with = [&](const std::string& sql) {
        {
            database bad(in.file, database::mode::write);
            bad.execute(
                "INSERT INTO sessions (id, client_id, expiry_interval, connected) "
                "VALUES (1, 'lamp', 60, 1); "
                "INSERT INTO messages VALUES (5, 't', x'', x'', 1, 0, 0, 1, 0, NULL);");
            bad.execute(sql);
        }
        return refusal(in.file, true);
    };
    SECTION("a delivery without its message") {
        CHECK_THAT(with("INSERT INTO deliveries VALUES (1, 0, 77, 0, 0, 1, 0, 0, 0, 0)"),
                   Contains("message 77 is not there") && Contains("--recover"));
    }
    SECTION("two deliveries under one packet identifier") {
        CHECK_THAT(with("INSERT INTO deliveries VALUES (1, 0, 5, 3, 1, 1, 0, 0, 0, 0), "
                        "(1, 1, 5, 3, 1, 1, 0, 0, 0, 0)"),
                   Contains("delivery 1 to 'lamp'"));
    }
    SECTION("a subscription of nobody") {
        CHECK_THAT(with("INSERT INTO subscriptions VALUES (1, 8, 'a', 0, 0)"),
                   Contains("a session that is not there: 8"));
    }
    SECTION("a filter that is none") {
        CHECK_THAT(with("INSERT INTO subscriptions VALUES (1, 1, 'a/#/b', 0, 0)"),
                   Contains("'a/#/b'"));
    }
    SECTION("a gap in a queue") {
        CHECK_THAT(with("INSERT INTO deliveries VALUES (1, 0, 5, 0, 0, 1, 0, 0, 0, 0), "
                        "(1, 2, 5, 0, 0, 1, 0, 0, 0, 0)"),
                   Contains("delivery 2 to 'lamp'"));
    }
    SECTION("a place before the first in a queue") {
        // A broker that went on from it wrote to other rows than it read.
        CHECK_THAT(with("INSERT INTO deliveries VALUES (1, -1, 5, 0, 0, 1, 0, 0, 0, 0), "
                        "(1, 0, 5, 0, 0, 1, 0, 0, 0, 0)"),
                   Contains("delivery -1 to 'lamp'"));
    }
    SECTION("a packet identifier that is none") {
        CHECK_THAT(with("INSERT INTO identifiers VALUES (1, 65537)"),
                   Contains("a packet identifier of 'lamp' is not valid"));
    }
    SECTION("a number behind which there is none") {
        CHECK_THAT(with("UPDATE messages SET id = 9223372036854775807"),
                   Contains("message 9223372036854775807 has no valid number"));
    }
    SECTION("a will that cannot be read") {
        CHECK_THAT(with("UPDATE sessions SET will_topic = 't', will_properties = x'0102FF', "
                        "will_payload = x'', will_qos = 1, will_retain = 0, "
                        "will_delay_interval = 0"),
                   Contains("the will of 'lamp'"));
    }
    SECTION("a session twice") {
        CHECK_THAT(with("INSERT INTO sessions (id, client_id, expiry_interval, connected) "
                        "VALUES (2, 'lamp', 60, 1)"),
                   Contains("'lamp' is there twice"));
    }
    SECTION("a message for nobody") { CHECK_THAT(with("SELECT 1"), Contains("wait for nobody")); }
    SECTION("a topic retained twice") {
        CHECK_THAT(with("INSERT INTO messages VALUES (6, 't', x'', x'', 1, 0, 0, 1, 0, NULL); "
                        "INSERT INTO retained VALUES (5), (6)"),
                   Contains("a second message is retained for 't'"));
    }
}
