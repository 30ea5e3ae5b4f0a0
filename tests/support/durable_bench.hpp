#pragma once

#include <fleetarium/storage/change_journal.hpp>
#include <fleetarium/storage/session_file.hpp>

#include <support/broker_bench.hpp>

#include <memory>
#include <optional>
#include <string>

namespace fleetarium::test {

/// A broker on a bench with a session file, whose process can die. Nothing is durable before
/// `commit`, and what waits for it is not heard before.
class durable_bench {
public:
    explicit durable_bench(storage::session_file_options file,
                           const broker::broker_options& options = {})
        : file_options_(std::move(file)), options_(options) {
        start();
    }

    void start() {
        file_ = std::make_unique<storage::session_file>(file_options_);
        journal_ = std::make_unique<storage::change_journal>();
        broker_ = std::make_unique<broker_bench>(options_);
        broker_->skip(now_.time_since_epoch());
        contents_ = file_->load(broker_->core(), *journal_);
        broker_->core().keep_journal(journal_.get());
        broker_->core().go_on(now_);
        commit();
    }

    /// Everything said so far is written, and what waited for that goes out.
    void commit() {
        while (journal_->has_changes()) {
            spent_ = journal_->take(std::move(spent_));
            file_->write(spent_);
            broker_->core().handle_durable(spent_.position);
            broker_->drain();
        }
    }

    /// The process dies, with all that was not committed.
    void die() {
        now_ = broker_->now();
        broker_.reset();
        journal_.reset();
        file_.reset();
    }
    /// It dies, and another goes on after a while.
    void restart(duration after = {}) {
        die();
        now_ += after;
        start();
    }

    broker_bench& broker() { return *broker_; }
    storage::change_journal& journal() { return *journal_; }
    storage::session_file& file() { return *file_; }
    const storage::session_file_contents& contents() const { return contents_; }

private:
    storage::session_file_options file_options_;
    broker::broker_options options_;
    instant now_{};
    std::unique_ptr<storage::session_file> file_;
    std::unique_ptr<storage::change_journal> journal_;
    std::unique_ptr<broker_bench> broker_;
    storage::session_changes spent_;
    storage::session_file_contents contents_;
};

}  // namespace fleetarium::test
