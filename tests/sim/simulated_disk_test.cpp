#include <fleetarium/sim/simulated_disk.hpp>

#include <fleetarium/storage/database.hpp>

#include <support/case_share.hpp>

#include <sqlite3.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

using namespace fleetarium;
using sim::simulated_disk;
using storage::database;
using storage::database_error;

namespace {

constexpr const char* file_name = "bank";

/// How SQLite is told to keep its promise.
struct promise {
    const char* journal_mode;
    const char* synchronous;
    /// Goes on in the log that a crash left, which may end inside a sector.
    bool continues_log = false;
};

/// A bank: each transaction moves money from one account to the other, and writes lines of which
/// each can be told from its number; so a half of a transaction shows.
class bank {
public:
    static constexpr std::int64_t money = 1'000'000;
    static constexpr int lines = 3;

    bank(const simulated_disk& on, const promise& how)
        : in_(file_name, database::mode::create, on.vfs_name()) {
        if (how.journal_mode == std::string("WAL")) {
            in_.execute("PRAGMA locking_mode=EXCLUSIVE");
        }
        in_.execute("PRAGMA cache_size=8");  // pages are spilled before the commit
        in_.execute(std::string("PRAGMA journal_mode=") + how.journal_mode);
        in_.execute(std::string("PRAGMA synchronous=") + how.synchronous);
        if (!how.continues_log) {
            in_.execute("PRAGMA wal_checkpoint(TRUNCATE)");  // nothing to do without a log
        }
        in_.execute("PRAGMA wal_autocheckpoint=12");
        in_.execute(
            "BEGIN; CREATE TABLE IF NOT EXISTS account(id INTEGER PRIMARY KEY, money);"
            "CREATE TABLE IF NOT EXISTS line(number INTEGER PRIMARY KEY, content);"
            "INSERT OR IGNORE INTO account VALUES (1, 1000000), (2, 0); COMMIT");
    }

    void transfer(std::int64_t number) {
        in_.execute("BEGIN");
        in_.execute("UPDATE account SET money = money - " + std::to_string(number) +
                    " WHERE id = 1");
        for (std::int64_t line = number * lines; line < (number + 1) * lines; ++line) {
            in_.execute("INSERT INTO line VALUES (" + std::to_string(line) + ", '" +
                        content_of(line) + "')");
        }
        in_.execute("UPDATE account SET money = money + " + std::to_string(number) +
                    " WHERE id = 2");
        in_.execute("COMMIT");
    }

    /// How many transactions are there, from 1 on without a gap; -1: it is damaged.
    std::int64_t transactions() {
        if (in_.text("PRAGMA integrity_check") != "ok") {
            return -1;
        }
        const std::int64_t count = in_.integer("SELECT count(*) FROM line").value_or(0) / lines;
        auto rows = in_.prepare("SELECT number, content FROM line ORDER BY number");
        std::int64_t expected = lines;
        std::int64_t moved = 0;
        while (rows.step()) {
            if (rows.integer(0) != expected || rows.text(1) != content_of(expected)) {
                return -1;
            }
            moved += expected++ % lines == 0 ? rows.integer(0) / lines : 0;
        }
        const bool is_whole = expected == (count + 1) * lines;
        const bool balances =
            in_.integer("SELECT money FROM account WHERE id = 1") == money - moved &&
            in_.integer("SELECT money FROM account WHERE id = 2") == moved;
        return is_whole && balances ? count : -1;
    }

private:
    static std::string content_of(std::int64_t line) {
        return std::string(static_cast<std::size_t>(700 + line * 613 % 1'500),
                           static_cast<char>('a' + line % 26));
    }

    database in_;
};

constexpr std::int64_t transfers = 7;

/// Transfers until the disk crashes. How many were acknowledged.
std::int64_t live(const simulated_disk& disk, const promise& how) {
    std::int64_t acknowledged = 0;
    try {
        bank in(disk, how);
        const std::int64_t before = in.transactions();
        acknowledged = before;
        while (acknowledged < before + transfers) {
            in.transfer(acknowledged + 1);
            ++acknowledged;
        }
    } catch (const database_error&) {
        CHECK(disk.has_crashed());
    }
    return acknowledged;
}

/// After the crash; -1: it is damaged, or cannot be opened.
std::int64_t survivors(const simulated_disk& disk, const promise& how) {
    try {
        return bank(disk, how).transactions();
    } catch (const database_error&) {
        return -1;
    }
}

struct verdict {
    std::int64_t points = 0;
    std::int64_t damaged = 0;
    std::int64_t lost = 0;       ///< points at which something acknowledged was lost
    std::int64_t lost_max = 0;   ///< transactions at one of them
    std::int64_t invented = 0;   ///< more than the one that was under way
    std::int64_t kept_more = 0;  ///< the one under way was there
};

enum class crash : std::uint8_t { power_cut, process_kill };

/// The crash at each operation of a life of the bank, or at a share of them that differs from seed
/// to seed, each with some seeds.
verdict explore(const promise& how, crash what, simulated_disk::options options,
                std::uint64_t seeds, bool crash_again = false) {
    verdict out;
    std::uint64_t operations = 0;
    {
        simulated_disk disk(options);
        CHECK(live(disk, how) == transfers);
        operations = disk.operations();
    }
    CHECK(operations > 40);
    const std::uint64_t one_in = test::one_case_in();
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        for (std::uint64_t point = seed % one_in; point < operations; point += one_in) {
            options.seed = seed;
            simulated_disk disk(options);
            random_stream random(seed, point, "crash");
            const auto crash_now = [&] {
                if (what == crash::power_cut) {
                    disk.power_cut(random);
                } else {
                    disk.process_kill(random);
                }
            };
            disk.crash_after(point);
            std::int64_t acknowledged = live(disk, how);
            CHECK(disk.has_crashed());
            crash_now();
            if (crash_again) {  // while it recovers, or soon after
                disk.crash_after(disk.operations() + random.below(16));
                acknowledged = std::max(acknowledged, live(disk, how));
                crash_now();
            }
            const std::int64_t there = survivors(disk, how);
            ++out.points;
            out.damaged += there < 0;
            out.invented += there > acknowledged + 1;
            out.kept_more += there == acknowledged + 1;
            if (there >= 0 && there < acknowledged) {
                ++out.lost;
                out.lost_max = std::max(out.lost_max, acknowledged - there);
            }
        }
    }
    UNSCOPED_INFO(how.journal_mode << ' ' << how.synchronous << ": " << out.points << " points, "
                                   << out.damaged << " damaged, " << out.lost << " lost, at most "
                                   << out.lost_max << "; " << out.kept_more << " kept more");
    return out;
}

simulated_disk::options disk_with(std::uint32_t sector_size, bool atomic_sectors) {
    simulated_disk::options out;
    out.medium = {.sector_size = sector_size, .atomic_sectors = atomic_sectors};
    return out;
}

constexpr promise durable[] = {
    {"WAL", "FULL"}, {"TRUNCATE", "FULL"}, {"PERSIST", "FULL"}, {"DELETE", "EXTRA"}};

}  // namespace

TEST_CASE("SQLite loses nothing acknowledged at a power cut, at any operation, on any sectors") {
    const auto [sector_size, atomic] = GENERATE(std::tuple(512U, true), std::tuple(4096U, true),
                                                std::tuple(512U, false), std::tuple(4096U, false));
    for (const promise& how : durable) {
        const verdict of = explore(how, crash::power_cut, disk_with(sector_size, atomic), 3);
        CHECK(of.damaged == 0);
        CHECK(of.lost == 0);
        CHECK(of.invented == 0);
        CHECK(of.kept_more > 0);
    }
}

TEST_CASE("SQLite loses nothing acknowledged if it crashes once more soon after") {
    for (const promise& how : durable) {
        const verdict of = explore(how, crash::power_cut, disk_with(512, false), 4, true);
        CHECK(of.damaged == 0);
        CHECK(of.lost == 0);
    }
}

TEST_CASE("a killed process loses nothing acknowledged, synced or not") {
    constexpr promise any[] = {{"WAL", "FULL"},
                               {"WAL", "NORMAL"},
                               {"WAL", "OFF"},
                               {"DELETE", "FULL"},
                               {"TRUNCATE", "OFF"}};
    for (const promise& how : any) {
        const verdict of = explore(how, crash::process_kill, disk_with(4096, true), 2);
        CHECK(of.damaged == 0);
        CHECK(of.lost == 0);
        CHECK(of.invented == 0);
    }
}

TEST_CASE("a promise that is weaker loses the newest at a power cut, and damages nothing") {
    SECTION("a log that is synced at checkpoints only") {
        const verdict of = explore({"WAL", "NORMAL"}, crash::power_cut, disk_with(4096, true), 4);
        CHECK(of.damaged == 0);
        CHECK(of.lost > of.points / 20);
        CHECK(of.lost_max >= 2);
    }
    SECTION("a journal whose deletion is not synced") {
        const verdict of = explore({"DELETE", "FULL"}, crash::power_cut, disk_with(4096, true), 4);
        CHECK(of.damaged == 0);
        CHECK(of.lost > 0);
        CHECK(of.lost_max == 1);
    }
}

TEST_CASE("who breaks a promise is convicted") {
    SECTION("a disk that lies about sync") {
        simulated_disk::options liar = disk_with(4096, true);
        liar.lies_about_sync = true;
        const verdict of = explore({"WAL", "FULL"}, crash::power_cut, liar, 2);
        CHECK(of.lost + of.damaged > of.points / 4);
    }
    SECTION("a disk that claims to harm no neighbours of what it writes") {
        simulated_disk::options boaster = disk_with(4096, false);
        boaster.claims_powersafe_overwrite = true;
        const verdict of = explore({"WAL", "FULL"}, crash::power_cut, boaster, 12);
        CHECK(of.lost + of.damaged > 0);
    }
    SECTION("a database that goes on in a log of which a crash tore off the end") {
        const promise how{"WAL", "FULL", true};
        const verdict of = explore(how, crash::power_cut, disk_with(512, false), 20, true);
        CHECK(of.damaged == 0);
        CHECK(of.lost > 0);
    }
    SECTION("a database that never syncs") {
        const verdict of = explore({"WAL", "OFF"}, crash::power_cut, disk_with(4096, true), 2);
        CHECK(of.lost > of.points / 4);
        CHECK(of.damaged > 0);
    }
    SECTION("a journal that is in memory, at a kill") {
        const verdict of =
            explore({"MEMORY", "FULL"}, crash::process_kill, disk_with(4096, true), 2);
        CHECK(of.damaged > 0);
    }
}

TEST_CASE("the same seed makes the same crash and finds the same survivors") {
    const auto run = [](std::uint64_t seed) {
        std::vector<std::int64_t> out;
        for (std::uint64_t point = 0; point < 90; point += 3) {
            simulated_disk disk(disk_with(512, false));
            random_stream random(seed, point, "crash");
            disk.crash_after(point);
            out.push_back(live(disk, {"WAL", "NORMAL"}));
            disk.power_cut(random);
            out.push_back(static_cast<std::int64_t>(disk.contents().bytes()));
            out.push_back(survivors(disk, {"WAL", "NORMAL"}));
            out.push_back(static_cast<std::int64_t>(disk.operations()));
        }
        return out;
    };
    CHECK(run(5) == run(5));
    CHECK(run(5) != run(6));
}

TEST_CASE("a disk that is full refuses what it has no room for, and keeps the rest") {
    simulated_disk disk;
    disk.how().bytes_max = 150'000;
    std::int64_t acknowledged = 0;
    {
        bank in(disk, {"WAL", "FULL"});
        try {
            while (acknowledged < 1'000) {
                in.transfer(acknowledged + 1);
                ++acknowledged;
            }
        } catch (const database_error& full) {
            CHECK(full.primary_code() == SQLITE_FULL);
            CHECK(std::string(full.what()).starts_with("bank: cannot be written: "));
        }
        CHECK(acknowledged > 3);
        CHECK(acknowledged < 1'000);
        CHECK(disk.contents().bytes() <= 150'000);
    }
    disk.how().bytes_max = simulated_disk::no_limit;
    // A commit that failed after its last byte was written may be there.
    const std::int64_t there = bank(disk, {"WAL", "FULL"}).transactions();
    CHECK(there >= acknowledged);
    CHECK(there <= acknowledged + 1);
}

TEST_CASE("errors of the disk reach who uses it, and what was acknowledged stays") {
    simulated_disk disk;
    std::int64_t acknowledged = 0;
    int failed = 0;
    for (int lives = 0; lives < 60; ++lives) {
        disk.how().write_errors = disk.how().sync_errors = disk.how().read_errors = 0;
        bank in(disk, {"WAL", "FULL"});
        const std::int64_t there = in.transactions();
        // One that failed may be there: its sync was refused, not its write.
        REQUIRE(there >= acknowledged);
        acknowledged = there;
        (lives % 3 == 0   ? disk.how().write_errors
         : lives % 3 == 1 ? disk.how().sync_errors
                          : disk.how().read_errors) = 0.1;
        try {
            for (int i = 0; i < 3; ++i) {
                in.transfer(acknowledged + 1);
                ++acknowledged;
            }
        } catch (const database_error& error) {
            CHECK(error.primary_code() == SQLITE_IOERR);
            ++failed;
        }
    }
    CHECK(failed > 10);
    CHECK(acknowledged > 40);
}

TEST_CASE("two databases of one file wait for each other, and no time passes") {
    simulated_disk disk;
    database first("shared", database::mode::create, disk.vfs_name());
    database second("shared", database::mode::create, disk.vfs_name());
    first.execute("CREATE TABLE things(id)");
    first.execute("BEGIN IMMEDIATE; INSERT INTO things VALUES (1)");
    CHECK(second.integer("SELECT count(*) FROM things") == 0);
    try {
        second.execute("INSERT INTO things VALUES (2)");
        FAIL("two writers at a time");
    } catch (const database_error& busy) {
        CHECK(busy.primary_code() == SQLITE_BUSY);
    }
    first.execute("COMMIT");
    second.execute("INSERT INTO things VALUES (2)");
    CHECK(first.integer("SELECT count(*) FROM things") == 2);
    CHECK(first.text("SELECT datetime('now')") == "2000-01-01 00:00:00");
}

TEST_CASE("a disk of other sectors than there are is refused") {
    const std::uint32_t size = GENERATE(0U, 256U, 1'000U, 131'072U);
    CHECK_THROWS_WITH(simulated_disk(disk_with(size, true)),
                      Catch::Matchers::Contains("expected a power of two from 512 to 65536"));
}
