#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/server/prometheus.hpp>
#include <fleetarium/server/server_log.hpp>
#include <fleetarium/storage/change_journal.hpp>
#include <fleetarium/storage/session_file.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace fleetarium::broker {

/// A server's session file, and the thread that writes it. While one commit is under way, the
/// changes of all turns that go on meanwhile gather for the next: under load many acknowledgements
/// share one sync, at rest each has its own at once.
///
/// A commit that fails is tried again every second, for as long as it takes: what was acknowledged
/// is in the file, and nothing more is acknowledged until it can be written.
class persistence {
public:
    /// Opens the file and puts what it has into the core. `durable` is called on the thread that
    /// writes, in the core's turn, after each commit. Throws storage::session_file_error.
    persistence(const persistence_options& options, broker_core& core, std::mutex& core_mutex,
                const server_log& log, std::function<void()> durable);
    /// Writes what it still can, and closes the file. Nothing else may use the core.
    ~persistence();
    persistence(const persistence&) = delete;
    persistence& operator=(const persistence&) = delete;

    /// In the core's turn: whether something waits to be written.
    bool has_changes() const { return journal_.has_changes(); }
    /// In the core's turn: what has changed is written soon.
    void commit_soon();

    /// In the core's turn: grows with each change that is to be written.
    std::uint64_t position() const { return journal_.position(); }
    /// In the core's turn: whether no more waits to be written than the options allow. Nothing
    /// more is to be read then from those who make changes, so that no client can fill the memory
    /// faster than the disk empties it.
    bool has_room() const { return waiting_bytes() <= options_.backlog_max; }

    /// Outside the core's turn: waits until all that has changed is durable, but no longer than
    /// the limit.
    void wait_until_durable(duration limit);

    /// What was in the file.
    const storage::session_file_contents& contents() const { return contents_; }

    /// Counters for Prometheus. Any thread.
    std::vector<metric_family> metrics() const;

private:
    void run();
    bool write_next(std::unique_lock<std::mutex>& turn);
    std::size_t waiting_bytes() const { return journal_.change_bytes() + writing_bytes_; }

    persistence_options options_;
    broker_core& core_;
    std::mutex& core_mutex_;
    const server_log& log_;
    std::function<void()> durable_;
    storage::session_file file_;
    storage::change_journal journal_;
    storage::session_file_contents contents_;
    storage::session_changes taken_;  // of the thread that writes
    // With the core's turn
    std::condition_variable changed_;
    std::condition_variable written_;
    std::size_t writing_bytes_ = 0;
    bool stopping_ = false;
    bool failing_ = false;
    // Any thread
    std::atomic<std::uint64_t> commits_{0};
    std::atomic<std::uint64_t> changes_{0};
    std::atomic<std::uint64_t> failures_{0};
    std::atomic<std::int64_t> commit_nanoseconds_{0};
    std::atomic<std::uint64_t> file_bytes_{0};
    std::thread thread_;
};

}  // namespace fleetarium::broker
