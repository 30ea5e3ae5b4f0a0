#include <fleetarium/sim/broker_storage.hpp>

#include <fleetarium/core/assert.hpp>

#include <string_view>
#include <utility>

namespace fleetarium::sim::detail {

namespace {

constexpr std::string_view torn_topic = "$torn";

bool retains(const broker::broker_core& core, std::string_view mark) {
    const message_ptr* const found = core.retained().find(torn_topic);
    return found != nullptr && as_text((*found)->payload()) == mark;
}

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

bool broker_storage::crash(broker::broker_core& dying, bool power_cut, instant now) {
    bool torn = false;
    if (journal_->has_changes()) {
        torn = tear(dying, power_cut, now);
    } else {
        end_life(power_cut);
    }
    dying.keep_journal(nullptr);
    return torn;
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
/// turn out to have been all that matters, it has died earlier. What tells that is a retained
/// message that is in no other transaction.
bool broker_storage::tear(broker::broker_core& dying, bool power_cut, instant now) {
    const std::string mark = std::to_string(fate_.next_u64());
    fleetarium::publish only_here;
    only_here.topic = torn_topic;
    only_here.payload = as_bytes_view(mark);
    only_here.retain = true;
    const bool is_marked = dying.publish(only_here, now).has_value() && retains(dying, mark);
    if (!is_marked) {
        end_life(power_cut);  // retained messages are at their bound: nothing would tell
        return false;
    }
    const storage::session_changes changes = journal_->take({});
    const disk_contents before = disk_->contents();
    std::uint64_t done = fate_.below(operations_of(changes));
    for (;;) {
        disk_->crash_after(disk_->operations() + done);
        try {
            file_->write(changes);
        } catch (const storage::session_file_error&) {
            FLEETARIUM_ASSERT(disk_->has_crashed());
        }
        end_life(power_cut);
        if (!has_committed(mark)) {
            return true;
        }
        FLEETARIUM_ASSERT(done != 0);
        disk_->restore(before);
        file_.emplace(file_options());
        done /= 2;
    }
}

/// How many operations it takes to write them, which is found out on another disk.
std::uint64_t broker_storage::operations_of(const storage::session_changes& changes) const {
    simulated_disk other(disk_->how());
    other.restore(disk_->contents());
    storage::session_file_options there = file_options();
    there.vfs = other.vfs_name();
    storage::session_file file(there);
    const std::uint64_t first = other.operations();
    file.write(changes);
    return other.operations() - first;
}

/// Whether a torn transaction has been committed in spite of that; the disk stays as it is.
bool broker_storage::has_committed(const std::string& mark) {
    const disk_contents as_it_is = disk_->contents();
    bool committed = false;
    try {
        broker::broker_core core({});
        storage::change_journal journal;
        storage::session_file file(file_options());
        file.load(core, journal);
        committed = retains(core, mark);
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
