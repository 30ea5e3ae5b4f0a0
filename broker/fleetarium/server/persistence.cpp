#include <fleetarium/server/persistence.hpp>

#include <fleetarium/net/real_clock.hpp>

#include <chrono>
#include <exception>
#include <string>
#include <utility>

namespace fleetarium::broker {

namespace {

constexpr auto retry_interval = std::chrono::seconds{1};

storage::session_file_options file_options(const persistence_options& options) {
    return {options.file, options.sync, net::offset_to_epoch(), {}};
}

}  // namespace

persistence::persistence(const persistence_options& options, broker_core& core,
                         std::mutex& core_mutex, const server_log& log,
                         std::function<void()> durable)
    : options_(options),
      core_(core),
      core_mutex_(core_mutex),
      log_(log),
      durable_(std::move(durable)),
      file_(file_options(options)) {
    {
        const std::lock_guard turn(core_mutex_);
        contents_ = file_.load(core_, journal_);
        core_.keep_journal(&journal_);
        core_.go_on(net::real_now());
    }
    file_bytes_ = file_.file_bytes();
    thread_ = std::thread([this] { run(); });
}

persistence::~persistence() {
    {
        const std::lock_guard turn(core_mutex_);
        stopping_ = true;
        changed_.notify_all();
        written_.notify_all();
    }
    thread_.join();
    core_.keep_journal(nullptr);
}

void persistence::commit_soon() {
    if (journal_.has_changes() && writing_bytes_ == 0) {
        changed_.notify_one();
    }
}

void persistence::wait_until_durable(duration limit) {
    std::unique_lock turn(core_mutex_);
    changed_.notify_one();
    written_.wait_for(turn, limit,
                      [this] { return !journal_.has_changes() && writing_bytes_ == 0; });
}

void persistence::run() {
    std::unique_lock turn(core_mutex_);
    for (;;) {
        changed_.wait(turn, [this] { return stopping_ || journal_.has_changes(); });
        if (!journal_.has_changes()) {
            return;
        }
        if (!write_next(turn) && stopping_) {
            log_(log_level::error,
                 "the session file lacks what happened last; nobody was told "
                 "that it did");
            return;
        }
    }
}

/// Takes what has changed and writes it, however often that has to be tried; false if it could not
/// be and the server stops.
bool persistence::write_next(std::unique_lock<std::mutex>& turn) {
    taken_ = journal_.take(std::move(taken_));
    writing_bytes_ = taken_.memory_bytes();
    bool done = false;
    while (!done) {
        turn.unlock();
        std::string wrong;
        const instant began = net::real_now();
        file_.set_clock_offset(net::offset_to_epoch());  // somebody may have set the clock
        try {
            file_.write(taken_);
            done = true;
        } catch (const std::exception& error) {  // no memory is no reason to end either
            wrong = error.what();
        }
        commit_nanoseconds_ += (net::real_now() - began).count();
        file_bytes_ = file_.file_bytes();
        turn.lock();
        if (done) {
            break;
        }
        ++failures_;
        if (!std::exchange(failing_, true)) {
            log_(log_level::error, wrong + "; nothing is acknowledged until it can be written");
        }
        if (stopping_ || changed_.wait_for(turn, retry_interval, [this] { return stopping_; })) {
            break;
        }
    }
    writing_bytes_ = 0;
    if (done) {
        if (std::exchange(failing_, false)) {
            log_(log_level::info, options_.file + ": can be written again");
        }
        ++commits_;
        changes_ += taken_.changes.size();
        core_.handle_durable(taken_.position);
        durable_();
    }
    written_.notify_all();
    return done;
}

std::vector<metric_family> persistence::metrics() const {
    const auto one = [](std::string name, std::string help, metric_kind kind, double value) {
        return metric_family{std::move(name), std::move(help), kind, {{{}, value}}};
    };
    return {
        one("fleetarium_persistence_commits_total", "Transactions written to the session file.",
            metric_kind::counter, static_cast<double>(commits_.load())),
        one("fleetarium_persistence_changes_total", "Changes of rows in those transactions.",
            metric_kind::counter, static_cast<double>(changes_.load())),
        one("fleetarium_persistence_commit_seconds_total",
            "Time spent on writing and syncing, failed attempts too.", metric_kind::counter,
            static_cast<double>(commit_nanoseconds_.load()) / 1e9),
        one("fleetarium_persistence_failures_total",
            "Attempts to write that failed; nothing is acknowledged meanwhile.",
            metric_kind::counter, static_cast<double>(failures_.load())),
        one("fleetarium_persistence_file_bytes", "Size of the session file and its log.",
            metric_kind::gauge, static_cast<double>(file_bytes_.load())),
    };
}

}  // namespace fleetarium::broker
