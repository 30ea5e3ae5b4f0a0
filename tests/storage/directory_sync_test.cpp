#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/sim/simulated_disk.hpp>
#include <fleetarium/storage/change_journal.hpp>
#include <fleetarium/storage/database.hpp>
#include <fleetarium/storage/directory_sync.hpp>
#include <fleetarium/storage/session_file.hpp>

#include <catch2/catch.hpp>

#include <filesystem>
#include <optional>
#include <string>

using namespace fleetarium;
using fleetarium::sim::simulated_disk;

namespace {

/// A broker process with one retained message more than its predecessor.
class broker_process {
public:
    explicit broker_process(const simulated_disk& disk)
        : file_(std::in_place,
                storage::session_file_options{.path = "sessions", .vfs = disk.vfs_name()}) {
        file_->load(core_, journal_);
        core_.keep_journal(&journal_);
        core_.go_on(instant{});
    }
    ~broker_process() { core_.keep_journal(nullptr); }

    void retain(const std::string& topic) {
        publish kept;
        kept.topic = topic;
        kept.payload = as_bytes_view("x");
        kept.retain = true;
        REQUIRE(core_.publish(kept, instant{}));
        file_->write(journal_.take({}));
    }
    bool has(const std::string& topic) const { return core_.retained().find(topic) != nullptr; }

private:
    broker::broker_core core_{{}};
    storage::change_journal journal_;
    std::optional<storage::session_file> file_;
};

}  // namespace

TEST_CASE("what is written into a log that a killed process had only made survives a power cut",
          "[storage]") {
    // The log's name is not durable by itself: SQLite syncs the folder of a log that it makes, when
    // it first syncs the log, and this process does not live so long.
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        simulated_disk disk({.seed = seed});
        random_stream fate(seed, 0, "fate");
        { broker_process ends_well(disk); }
        std::optional<broker_process> killed(disk);
        disk.crash_after(disk.operations());
        killed.reset();
        disk.process_kill(fate);

        std::optional<broker_process> writes(disk);
        writes->retain("a");
        disk.crash_after(disk.operations());
        writes.reset();
        disk.power_cut(fate);

        const broker_process after(disk);
        INFO("seed " << seed);
        CHECK(after.has("a"));
    }
}

TEST_CASE("a folder is synced on the machine's disk, and leaves nothing there", "[storage]") {
    const auto folder = std::filesystem::temp_directory_path() / "fleetarium-directory-sync";
    std::filesystem::create_directory(folder);
    storage::sync_directory_of((folder / "sessions").string(), {});
    CHECK(std::filesystem::is_empty(folder));
    std::filesystem::remove(folder);
    CHECK_THROWS_AS(storage::sync_directory_of((folder / "sessions").string(), {}),
                    storage::database_error);
}
