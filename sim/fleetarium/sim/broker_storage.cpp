#include <fleetarium/sim/broker_storage.hpp>

#include <fleetarium/core/assert.hpp>

#include <string_view>
#include <utility>

namespace fleetarium::sim::detail {

namespace {

/// The topic of a retained message that is in no transaction but those which are torn.
constexpr std::string_view torn_topic = "$torn";

simulated_disk::options disk_options(const storage_spec& spec, random_key key) {
    simulated_disk::options out;
    out.seed = key.value;
    out.medium = {spec.sector_size, !spec.tears_sectors};
    out.lies_about_sync = spec.lies_about_sync;
    return out;
}

}  // namespace

broker_storage::broker_storage(const storage_spec& spec, random_key key)
    : spec_(spec),
      times_(make_random_key(key.value, 0, "commit time")),
      fate_(make_random_key(key.value, 0, "crash")),
      disk_(std::make_unique<simulated_disk>(disk_options(spec, key))) {}

storage::session_file_options broker_storage::file_options() const {
    return {"sessions", spec_.sync, {}, disk_->vfs_name()};
}

void broker_storage::start(broker::broker_core& core) {
    try {
        file_.emplace(file_options());
        journal_.emplace();
        file_->load(core, *journal_);
    } catch (...) {
        file_.reset();
        throw;
    }
    core.keep_journal(&*journal_);
}

void broker_storage::commit(broker::broker_core& core) {
    while (journal_->has_changes()) {
        spent_ = journal_->take(std::move(spent_));
        file_->write(spent_);
        core.handle_durable(spent_.position);
    }
}

void broker_storage::stop(broker::broker_core& core) {
    core.keep_journal(nullptr);
    file_.reset();
}

void broker_storage::crash(broker::broker_core& dying, bool power_cut, instant now) {
    if (journal_->has_changes()) {
        tear(dying, power_cut, now);
    } else {
        end_life(power_cut);
    }
    dying.keep_journal(nullptr);
}

void broker_storage::end_life(bool power_cut) {
    disk_->crash_after(disk_->operations());
    file_.reset();
    if (power_cut) {
        disk_->power_cut(fate_);

    } else {
        disk_->process_kill(fate_);
    }
}

/// The process dies in the midst of a transaction that has not happened afterwards, for the ledger
/// was not told of it. Which of the transaction's writes had been carried out is drawn; if they
/// turn out to have been all that matters, it has died earlier.
void broker_storage::tear(broker::broker_core& dying, bool power_cut, instant now) {
    fleetarium::publish mark;
    mark.topic = torn_topic;
    mark.payload = as_bytes_view(torn_topic);
    mark.retain = true;
    if (!dying.publish(mark, now) || dying.retained().find(torn_topic) == nullptr) {
        end_life(power_cut);  // retained messages are at their bound: nothing tells it apart
        return;
    }
    const storage::session_changes changes = journal_->take({});
    const disk_contents before = disk_->contents();
    std::uint64_t done = fate_.below(32 + 4 * changes.changes.size());
    for (;;) {
        disk_->crash_after(disk_->operations() + done);
        try {
            file_->write(changes);
        } catch (const storage::session_file_error&) {
            FLEETARIUM_ASSERT(disk_->has_crashed());
        }
        end_life(power_cut);
        if (!has_committed_torn()) {
            return;
        }
        FLEETARIUM_ASSERT(done != 0);
        disk_->restore(before);
        file_.emplace(file_options());
        done /= 2;
    }
}

/// Whether the transaction torn has been committed in spite of that; the disk stays as it is.
bool broker_storage::has_committed_torn() {
    const disk_contents as_it_is = disk_->contents();
    bool committed = false;
    try {
        broker::broker_core core({});
        storage::change_journal journal;
        storage::session_file file(file_options());
        file.load(core, journal);
        committed = core.retained().find(torn_topic) != nullptr;
    } catch (const storage::session_file_error&) {
        // That is for the process to find out that starts with it.
    }
    disk_->restore(as_it_is);
    return committed;
}

void broker_storage::replace_disk() {
    file_.reset();
    const simulated_disk::options same = disk_->how();
    disk_ = std::make_unique<simulated_disk>(same);
}

}  // namespace fleetarium::sim::detail
