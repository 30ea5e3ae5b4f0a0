#include <fleetarium/core/random.hpp>
#include <fleetarium/storage/database.hpp>
#include <fleetarium/storage/session_file.hpp>

#include <support/durable_bench.hpp>
#include <support/temporary_folder.hpp>

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

using namespace fleetarium;
using namespace fleetarium::test;
using Catch::Contains;
using storage::database;
using storage::session_file_error;

namespace {

constexpr int retained_topics = 3'000;

/// A session file of some hundred pages.
struct filled_file : temporary_folder {
    std::string file = path() + "/sessions.db";

    filled_file() {
        {
            durable_bench durable({.path = file});
            for (int i = 0; i < 50; ++i) {
                peer& each = durable.broker().connect(
                    {.client_id = "client " + std::to_string(i), .session_expiry = 3600});
                durable.commit();
                each.discard();
                each.send_hex("82 09 00 01 00 00 03 71 2F 23 01");  // q/#, QoS 1
                durable.commit();
                each.cut();
            }
            durable.commit();
            peer& publisher = durable.broker().connected({.client_id = "p"});
            for (int i = 0; i < retained_topics; ++i) {
                durable.broker().publish(publisher, "r/" + std::to_string(i), std::string(100, 'x'),
                                         qos::at_most_once, 0, true);
            }
            durable.broker().publish(publisher, "q/1", "to all", qos::at_least_once, 1);
            durable.commit();
        }
        database closed(file, database::mode::write);  // the log is taken into the file
        closed.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    /// Fills a page of the file with what is no page. The first is page 1.
    void ruin_page(std::int64_t page) const {
        std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
        bytes.seekp((page - 1) * 4096);
        bytes << std::string(4096, '\x5A');
    }
    /// Where a page of rows lies, of those of a table in the order of their keys.
    std::int64_t leaf_of(const std::string& table, const std::string& order) const {
        database in(file, database::mode::read);
        const std::string limit = order.find("LIMIT") == std::string::npos ? " LIMIT 1" : "";
        return in
            .integer("SELECT pageno FROM dbstat WHERE name = '" + table +
                     "' AND pagetype = 'leaf' ORDER BY path " + order + limit)
            .value();
    }
    std::int64_t pages() const {
        return static_cast<std::int64_t>(std::filesystem::file_size(file) / 4096);
    }
    std::string load() const {
        try {
            durable_bench opened({.path = file});
        } catch (const session_file_error& error) {
            return error.what();
        }
        return "";
    }
};

}  // namespace

TEST_CASE("a sound file is recovered whole", "[storage]") {
    const filled_file sound;
    const auto done = storage::recover_session_file(sound.file);
    CHECK(done.saved.sessions == 50);
    CHECK(done.saved.subscriptions == 50);
    CHECK(done.saved.deliveries == 50);
    CHECK(done.saved.retained == retained_topics);
    CHECK(done.saved.messages == retained_topics + 1);
    CHECK(done.unreadable_rows == 0);
    CHECK(sound.load().empty());
    CHECK(std::filesystem::exists(done.damaged_path));
}

TEST_CASE("a damaged page is refused, and costs what was on it or below it", "[storage]") {
    int leaves = 0;  // pages that cost no more than the rows on one
    for (std::int64_t page = 10; page < 100; page += 9) {
        const filled_file damaged;
        REQUIRE(damaged.pages() > 100);
        damaged.ruin_page(page);
        INFO("page " << page);
        const std::string why = damaged.load();
        if (why.empty()) {
            continue;  // a page that is free
        }
        CHECK_THAT(why, Contains("sessions.db") && Contains("--recover"));
        const auto done = storage::recover_session_file(damaged.file);
        CHECK(done.saved.retained > retained_topics / 2);  // 1,000 are below an inner page
        CHECK(done.unreadable_rows > 0);
        leaves += done.saved.retained + 60 > retained_topics ? 1 : 0;
        CHECK(damaged.load().empty());
    }
    CHECK(leaves >= 5);
}

TEST_CASE("a damaged page costs its own rows, wherever the numbers of a table begin", "[storage]") {
    // As a broker that has run for long numbers them.
    const auto [behind, rows_at_most] =
        GENERATE(table<std::int64_t, int>({{0, 60}, {1'000'000, 60}}));
    const std::string wanted = GENERATE(as<std::string>(), "ASC", "DESC", "ASC LIMIT 1 OFFSET 20");
    INFO(behind << " " << wanted);
    const filled_file damaged;
    {
        database in(damaged.file, database::mode::write);
        const std::string more = std::to_string(behind);
        in.execute("UPDATE messages SET id = -id; UPDATE messages SET id = " + more + " - id;" +
                   "UPDATE retained SET message = -message;"
                   "UPDATE retained SET message = " +
                   more + " - message;" + "UPDATE deliveries SET message = message + " + more +
                   ";" + "PRAGMA wal_checkpoint(TRUNCATE)");
    }
    REQUIRE(damaged.load().empty());
    damaged.ruin_page(damaged.leaf_of("messages", wanted));
    REQUIRE_THAT(damaged.load(), Contains("--recover"));
    const auto done = storage::recover_session_file(damaged.file);
    CHECK(done.saved.messages + static_cast<unsigned>(rows_at_most) > retained_topics);
    CHECK(done.saved.sessions == 50);
    CHECK(done.unreadable_rows > 0);
    CHECK(damaged.load().empty());
}

TEST_CASE("a table without a sound root costs its own rows, for whichever session they are",
          "[storage]") {
    const std::string table =
        GENERATE(as<std::string>(), "deliveries", "subscriptions", "messages");
    INFO(table);
    const filled_file damaged;
    damaged.ruin_page(
        database(damaged.file, database::mode::read)
            .integer("SELECT rootpage FROM sqlite_schema WHERE name = '" + table + "'")
            .value());
    REQUIRE_THAT(damaged.load(), Contains("--recover"));
    const auto done = storage::recover_session_file(damaged.file);
    const bool messages_are_lost = table == "messages";
    CHECK(done.saved.sessions == 50);
    CHECK(done.saved.subscriptions == (table == "subscriptions" ? 0 : 50));
    CHECK(done.saved.deliveries == (table == "deliveries" || messages_are_lost ? 0 : 50));
    CHECK(done.saved.retained == (messages_are_lost ? 0 : retained_topics));
    CHECK(done.unreadable_rows > 0);
    CHECK(damaged.load().empty());
}

TEST_CASE("a damaged page in a long queue leaves the rest of the queue", "[storage]") {
    const std::string wanted = GENERATE(as<std::string>(), "ASC", "DESC", "ASC LIMIT 1 OFFSET 3");
    const auto first = GENERATE(std::int64_t{0}, std::int64_t{1} << 40);
    INFO(wanted << " " << first);
    const filled_file damaged;
    {
        database in(damaged.file, database::mode::write);
        in.execute(
            "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c LIMIT 3000)"
            "INSERT INTO deliveries SELECT (SELECT max(id) FROM sessions), n + " +
            std::to_string(first) +
            ", (SELECT max(id) FROM messages), 0, 0, 1, 0, 0, 0, 0 FROM c WHERE n > 0;"
            "PRAGMA wal_checkpoint(TRUNCATE)");
    }
    damaged.ruin_page(damaged.leaf_of("deliveries", wanted));
    const auto done = storage::recover_session_file(damaged.file);
    CHECK(done.saved.deliveries > 2'500);
    CHECK(done.saved.retained == retained_topics);
    CHECK(done.unreadable_rows > 0);
    CHECK(damaged.load().empty());
}

TEST_CASE("whatever bytes of a file are wrong, it is used, refused or recovered", "[storage]") {
    const filled_file sound;
    std::ifstream whole(sound.file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(whole), {}};
    random_stream draw(2026, 11, 27);
    int refused = 0;
    int recovered = 0;
    for (int round = 0; round < 60; ++round) {
        INFO("round " << round);
        const temporary_folder in;
        const std::string file = in.path() + "/x.db";
        std::string damaged = bytes;
        for (std::uint64_t i = draw.below(40) + 1; i > 0; --i) {
            damaged[draw.below(damaged.size())] = static_cast<char>(draw.below(256));
        }
        if (draw.below(4) == 0) {
            damaged.resize(draw.below(damaged.size()));
        }
        std::ofstream(file, std::ios::binary) << damaged;
        try {
            durable_bench opened({.path = file});
            continue;
        } catch (const session_file_error&) {
            ++refused;
        }
        try {
            storage::recover_session_file(file);
        } catch (const session_file_error&) {
            continue;
        }
        ++recovered;
        CHECK_NOTHROW(durable_bench({.path = file}));
    }
    CHECK(refused > 20);
    CHECK(recovered > 10);
}

TEST_CASE("a message or a will that no client could read is refused, and costs itself alone",
          "[storage]") {
    const std::string wrong = GENERATE(
        "UPDATE messages SET topic = 'r/+' WHERE topic = 'r/7'",
        "UPDATE messages SET topic = CAST(x'722FFF' AS TEXT) WHERE topic = 'r/7'",
        "UPDATE messages SET properties = x'26' WHERE topic = 'r/7'",
        "UPDATE messages SET qos = 3 WHERE topic = 'r/7'",
        "UPDATE sessions SET will_topic = '#', will_qos = 0, will_delay_interval = 0, will_retain "
        "= 0 WHERE client_id = 'client 7'",
        "UPDATE sessions SET will_topic = 'w', will_properties = x'26', will_qos = 0, "
        "will_delay_interval = 0, will_retain = 0 WHERE client_id = 'client 7'");
    INFO(wrong);
    const filled_file file;
    { database(file.file, database::mode::write).execute(wrong); }
    CHECK_THAT(file.load(), Contains("is damaged"));

    const auto done = storage::recover_session_file(file.file);
    CHECK(done.unreadable_rows >= 1);
    CHECK(done.saved.sessions == 50);
    CHECK(done.saved.deliveries == 50);
    CHECK(done.saved.retained == retained_topics - (wrong.find("sessions") == std::string::npos));
    CHECK(file.load().empty());
}

TEST_CASE("recovery says why it does nothing", "[storage]") {
    const temporary_folder in;
    const std::string file = in.path() + "/x.db";
    const auto why = [&] {
        try {
            storage::recover_session_file(file);
        } catch (const session_file_error& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    SECTION("no file") { CHECK_THAT(why(), Contains("there is no such file")); }
    SECTION("no database") {
        std::ofstream(file) << std::string(5000, 'x');
        CHECK_THAT(why(), Contains("nothing can be saved"));
        CHECK(std::filesystem::file_size(file) == 5000);
    }
    SECTION("an earlier recovery") {
        { durable_bench made({.path = file}); }
        std::ofstream(file + ".damaged") << "x";
        CHECK_THAT(why(), Contains("is there already"));
    }
}
