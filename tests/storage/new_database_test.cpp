#include <fleetarium/sim/simulated_disk.hpp>
#include <fleetarium/storage/database.hpp>
#include <fleetarium/storage/new_database.hpp>
#include <fleetarium/storage/session_file.hpp>

#include <support/case_share.hpp>
#include <support/durable_bench.hpp>
#include <support/temporary_folder.hpp>

#include <sqlite3.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <latch>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::test;
using Catch::Contains;
using sim::simulated_disk;
using storage::database;
using storage::session_file;
using storage::session_file_error;

namespace {

enum class death : std::uint8_t { power_cut, kill };

struct attempts {
    int cut_off = 0;        ///< that died before the file was there
    int dead_twice = 0;     ///< and the next one as well
    std::string refused{};  ///< why a file was not made anew
};

void die(simulated_disk& disk, death how, random_stream& fate) {
    if (how == death::power_cut) {
        disk.power_cut(fate);
    } else {
        disk.process_kill(fate);
    }
}

/// Starts a broker that has no file yet, and dies at each operation of its disk in turn.
void make_and_die(death how, sim::disk_contents::medium medium, std::uint64_t seed, attempts& out) {
    for (std::uint64_t point = 0;; ++point) {
        simulated_disk disk({.seed = seed, .medium = medium});
        random_stream fate(seed, point, "fate");
        const auto start = [&] {
            try {
                durable_bench made({.path = "sessions", .vfs = disk.vfs_name()});
                CHECK(made.contents().sessions == 0);
            } catch (const session_file_error& error) {
                if (!disk.has_crashed()) {
                    out.refused = "seed " + std::to_string(seed) + ", operation " +
                                  std::to_string(point) + ": " + error.what();
                }
            }
        };
        disk.crash_after(point);
        start();
        if (!disk.has_crashed()) {
            return;
        }
        ++out.cut_off;
        die(disk, how, fate);
        disk.crash_after(disk.operations() + fate.below(40));
        start();
        if (disk.has_crashed()) {
            ++out.dead_twice;
            die(disk, how, fate);
        }
        disk.crash_after(simulated_disk::no_limit);
        start();
        // Nothing is left of the attempts.
        CHECK_FALSE(disk.contents().find("sessions-making"));
        CHECK_FALSE(disk.contents().find("sessions-making-journal"));
        CHECK_FALSE(disk.contents().find("sessions-journal"));
    }
}

struct folder : temporary_folder {
    std::string file = path() + "/sessions.db";

    std::vector<std::string> names() const {
        std::vector<std::string> out;
        for (const auto& each : std::filesystem::directory_iterator(path())) {
            out.push_back(each.path().filename());
        }
        return out;
    }
    std::string refusal() const {
        try {
            session_file opened({.path = file});
        } catch (const session_file_error& error) {
            return error.what();
        }
        return "";
    }
};

}  // namespace

TEST_CASE("a session file whose making is cut off is made anew at the next start", "[storage]") {
    // On sectors of 512 bytes a page is torn, and garbage in them gets past the checksums of a
    // rollback journal: a file made in place was refused then, as damaged, for one cut in hundreds.
    const auto [sector_size, atomic] = GENERATE(std::pair(4096U, true), std::pair(512U, false));
    const death how = GENERATE(death::power_cut, death::kill);
    attempts of;
    constexpr std::uint64_t few = 5;
    const std::uint64_t seeds = how == death::power_cut ? std::max(few, share_of(60UL)) : few;
    for (std::uint64_t seed = 0; seed < seeds; ++seed) {
        make_and_die(how, {.sector_size = sector_size, .atomic_sectors = atomic}, seed, of);
    }
    CHECK(of.refused == "");
    CHECK(of.cut_off > 80);
    CHECK(of.dead_twice > 20);
}

TEST_CASE("a file that is there in its own name is whole, whenever its making ended", "[storage]") {
    for (std::uint64_t point = 0;; ++point) {
        simulated_disk disk({.seed = 3, .medium = {.sector_size = 512, .atomic_sectors = false}});
        random_stream fate(3, point, "fate");
        disk.crash_after(point);
        try {
            session_file made({.path = "sessions", .vfs = disk.vfs_name()});
        } catch (const session_file_error&) {
            CHECK(disk.has_crashed());
        }
        if (!disk.has_crashed()) {
            break;
        }
        disk.power_cut(fate);
        if (disk.contents().find("sessions")) {
            database there("sessions", database::mode::write, disk.vfs_name());
            there.execute("PRAGMA locking_mode = EXCLUSIVE");
            CHECK(there.text("PRAGMA integrity_check") == "ok");
            CHECK(there.integer("SELECT count(*) FROM sqlite_schema WHERE type = 'table'") == 6);
            CHECK(there.text("PRAGMA journal_mode") == "wal");
        }
    }
}

TEST_CASE("what an attempt left is removed, and a file that is there is not made", "[storage]") {
    const folder in;
    for (const char* const suffix : {"-making", "-making-journal", "-making-wal"}) {
        std::ofstream(in.file + suffix) << "left";
    }
    std::ofstream(in.file + "-journal") << "of another life";
    SECTION("by whoever makes the file") {
        std::ofstream empty(in.file);
        CHECK(in.refusal().empty());
        CHECK(in.names() == std::vector<std::string>{"sessions.db"});
    }
    SECTION("by whoever finds it") {
        const folder other;
        { session_file made({.path = other.file}); }
        std::filesystem::copy_file(other.file, in.file);
        std::filesystem::remove(in.file + "-journal");
        bool made = false;
        storage::make_database(in.file, "", [&](database&) { made = true; });
        CHECK_FALSE(made);
        CHECK(in.names() == std::vector<std::string>{"sessions.db"});
    }
}

TEST_CASE("a log whose file is gone is not thrown away", "[storage]") {
    const folder in;
    {
        durable_bench durable({.path = in.file});
        durable.broker().connect({.client_id = "c", .session_expiry = 3600});
        durable.commit();
        std::filesystem::copy_file(in.file + "-wal", in.path() + "/kept");
    }
    const bool is_there = GENERATE(false, true);
    std::filesystem::remove(in.file);
    if (is_there) {
        std::ofstream empty(in.file);  // as some file systems leave one at a power cut
    }
    std::filesystem::rename(in.path() + "/kept", in.file + "-wal");
    const auto size = std::filesystem::file_size(in.file + "-wal");
    CHECK_THAT(in.refusal(), Contains("sessions.db-wal is the log of a file that is not there"));
    CHECK(std::filesystem::file_size(in.file + "-wal") == size);
}

TEST_CASE("a session file is made where a symbolic link leads", "[storage]") {
    const folder in;
    const folder elsewhere;
    std::filesystem::create_symlink(elsewhere.file, in.file);
    CHECK(in.refusal().empty());
    CHECK(std::filesystem::is_symlink(in.file));
    CHECK(std::filesystem::file_size(elsewhere.file) > 0);
    CHECK(in.names() == std::vector<std::string>{"sessions.db"});
}

TEST_CASE("of many that make a file at once, each gets one that is whole, or is told of the others",
          "[storage]") {
    constexpr int threads = 4;
    for (int round = 0; round < 10; ++round) {
        const folder in;
        std::latch ready(threads);
        std::vector<std::string> refused(threads);
        std::vector<std::thread> all;
        for (std::string& why : refused) {
            all.emplace_back([&] {
                ready.arrive_and_wait();
                try {
                    durable_bench one({.path = in.file});
                } catch (const session_file_error& error) {
                    why = error.what();
                }
            });
        }
        for (std::thread& each : all) {
            each.join();
        }
        // Where the machine is busy, one may wait for the others for longer than it is willing to.
        std::erase(refused, in.file + ": another process uses it");
        CHECK_FALSE(refused.empty());
        CHECK(refused == std::vector<std::string>(refused.size()));
        CHECK(in.refusal().empty());
        CHECK(in.names() == std::vector<std::string>{"sessions.db"});
    }
}

TEST_CASE("a vfs without a way to rename is told from one with it", "[storage]") {
    const std::string by_default = sqlite3_vfs_find(nullptr)->zName;
    const folder in;
    try {
        session_file made({.path = in.file, .vfs = by_default});
        FAIL("it was made");
    } catch (const session_file_error& error) {
        CHECK_THAT(error.what(), Contains("nothing can be renamed in the vfs " + by_default));
    }
    CHECK(in.names().empty());
}
