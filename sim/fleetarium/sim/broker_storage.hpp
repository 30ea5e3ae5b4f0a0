#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/core/random.hpp>
#include <fleetarium/sim/scenario.hpp>
#include <fleetarium/sim/simulated_disk.hpp>
#include <fleetarium/storage/change_journal.hpp>
#include <fleetarium/storage/session_file.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace fleetarium::sim::detail {

/// The session file of a broker of the world, on a simulated disk: what a broker process of its own
/// has with `--persist`, by the same code.
///
///     storage.start(core); core.go_on(now);     // the process begins
///     ... storage.commit(core); ...             // after each turn, before its outputs leave
///     storage.crash(core, power_cut, now);      // and dies; from `start` again with a new core
class broker_storage {
public:
    broker_storage(const storage_spec& spec, random_key key);

    /// How long the turn that begins now takes to become durable.
    duration draw_commit_time() { return spec_.commit_time.sample_duration(times_); }

    /// Puts what the file has into a core just made, which keeps its journal here from then on.
    /// Throws storage::session_file_error if the file cannot be used.
    void start(broker::broker_core& core);
    bool has_changes() const { return journal_->has_changes(); }
    /// What has changed becomes durable.
    void commit(broker::broker_core& core);
    /// The process ends in good order.
    void stop(broker::broker_core& core);

    /// Whether a process that dies while a turn becomes durable dies after that.
    bool draw_survives_commit() { return fate_.bernoulli(0.5); }
    /// The process dies, or the machine. What the core's journal has beyond the last commit is
    /// being written, but has not been committed when it happens. Returns whether there was any.
    bool crash(broker::broker_core& dying, bool power_cut, instant now);

    /// A new disk in place of one whose file cannot be used.
    void replace_disk();

private:
    storage::session_file_options file_options() const;
    void end_life(bool power_cut);
    bool tear(broker::broker_core& dying, bool power_cut, instant now);
    std::uint64_t operations_of(const storage::session_changes& changes) const;
    bool has_committed(const std::string& mark);

    storage_spec spec_;
    random_stream times_;
    random_stream fate_;
    std::unique_ptr<simulated_disk> disk_;
    std::optional<storage::session_file> file_;
    std::optional<storage::change_journal> journal_;
    storage::session_changes spent_;
};

}  // namespace fleetarium::sim::detail
