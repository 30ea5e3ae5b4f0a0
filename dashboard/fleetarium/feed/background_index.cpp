#include <fleetarium/feed/background_index.hpp>

#include <fleetarium/feed/recording_tables.hpp>
#include <fleetarium/recording/recording_reader.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <limits>
#include <thread>

namespace fleetarium::feed {

namespace {

/// Read before the lock is taken; applying them takes less than a millisecond.
constexpr std::int64_t messages_a_batch = 2'000;

/// Of those that are not complete so many are looked at again at a time.
constexpr std::size_t pending_at_once = 20'000;
/// Of a run with more messages under way, the oldest of them are counted when it has ended.
constexpr std::size_t pending_max = 1'000'000;

}  // namespace

class background_index::implementation {
public:
    implementation(const std::string& path, std::size_t messages_at_once)
        : recording_(path), reader_(recording_.tables()) {
        begin_anew();
        if (read(messages_at_once)) {
            complete_ = true;
        } else {
            thread_ = std::thread([this] { read_all(); });
        }
    }

    ~implementation() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
            wake_.notify_all();
        }
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    void follow() {
        const std::lock_guard lock(mutex_);
        complete_ = false;
        ++wanted_;
        if (!thread_.joinable()) {
            thread_ = std::thread([this] { read_all(); });
        }
        wake_.notify_all();
    }

    bool complete() const {
        const std::lock_guard lock(mutex_);
        return complete_;
    }

    void wait() {
        std::unique_lock lock(mutex_);
        done_.wait(lock, [this] { return complete_ || !error_.empty(); });
    }

    std::string error() const {
        const std::lock_guard lock(mutex_);
        return error_;
    }

    access open() {
        std::unique_lock lock(access_mutex_);
        return {std::move(lock), index_};
    }

private:
    void begin_anew() {
        const recorded::run facts = recorded::read_run(recording_.tables());
        growing_ = !facts.ended_at;
        next_ = 1;
        last_resend_ = 0;
        pending_.clear();
        // What is not known to end begins with intervals of a millisecond, which double.
        constexpr std::int64_t first_stretch = 2'000'000'000;
        traffic_index made(facts.forgotten_until,
                           facts.ended_at.value_or(facts.forgotten_until + first_stretch));
        const std::lock_guard lock(access_mutex_);
        index_ = std::move(made);
    }

    void read_all() {
        while (true) {
            std::string failed;
            std::uint64_t wanted = 0;
            {
                const std::lock_guard lock(mutex_);
                wanted = wanted_;
            }
            try {
                read(std::numeric_limits<std::size_t>::max());
            } catch (const std::exception& error) {
                failed = error.what();
            }
            std::unique_lock lock(mutex_);
            error_ = failed;
            complete_ = failed.empty() && wanted == wanted_;  // else there is more by now
            done_.notify_all();
            wake_.wait(lock, [this] { return stopping_ || (!complete_ && error_.empty()); });
            if (stopping_) {
                return;
            }
        }
    }

    bool is_stopping() const {
        const std::lock_guard lock(mutex_);
        return stopping_;
    }

    /// Reads on; false: there is more than so many messages.
    bool read(std::size_t messages) {
        if (growing_ && next_ > 1 && recorded::read_run(recording_.tables()).ended_at) {
            begin_anew();  // now all rows are there, also of what was under way for long
        }
        const std::int64_t last = recorded::last_message(recording_.tables());
        std::size_t taken = 0;
        while (next_ <= last) {
            if (taken >= messages) {
                return false;
            }
            if (is_stopping()) {
                return true;
            }
            const std::int64_t first = recorded::next_message(recording_.tables(), next_);
            if (first == 0) {
                break;
            }
            batch_.clear();
            const std::int64_t until = std::min(first + messages_a_batch - 1, last);
            reader_.read(first, until, growing_, batch_);
            next_ = until + 1;
            taken += batch_.messages.size();
            const std::lock_guard lock(access_mutex_);
            index_.take(batch_);
            for (const pending_message& each : batch_.pending) {
                if (pending_.size() < pending_max) {
                    pending_.push_back(each);
                }
            }
        }
        read_resends();
        read_pending();
        return true;
    }

    void read_resends() {
        std::vector<traffic_change> changes;
        while (!is_stopping()) {
            changes.clear();
            last_resend_ = reader_.read_resends(
                last_resend_, std::numeric_limits<std::int64_t>::max(), messages_a_batch, changes);
            if (changes.empty()) {
                return;
            }
            const std::lock_guard lock(access_mutex_);
            index_.take(changes);
        }
    }

    void read_pending() {
        batch_.clear();
        for (std::size_t left = std::min(pending_.size(), pending_at_once); left > 0; --left) {
            pending_message each = pending_.front();
            pending_.pop_front();
            if (!reader_.read_rest(each, batch_)) {
                pending_.push_back(each);
            }
        }
        const std::lock_guard lock(access_mutex_);
        index_.take(batch_, /*late=*/true);
    }

    std::mutex access_mutex_;  // of index_
    recording::recording_reader recording_;
    change_reader reader_;
    traffic_batch batch_;
    std::deque<pending_message> pending_;
    std::int64_t next_ = 1;  // message
    std::int64_t last_resend_ = 0;
    bool growing_ = false;
    traffic_index index_{0, 0};

    mutable std::mutex mutex_;  // of what follows
    std::condition_variable wake_;
    std::condition_variable done_;
    bool complete_ = false;
    std::uint64_t wanted_ = 0;  // times that something was written
    bool stopping_ = false;
    std::string error_;
    std::thread thread_;
};

background_index::background_index(const std::string& path, std::size_t messages_at_once)
    : implementation_(std::make_unique<implementation>(path, messages_at_once)) {}

background_index::~background_index() = default;

void background_index::follow() { implementation_->follow(); }

bool background_index::complete() const { return implementation_->complete(); }

void background_index::wait_until_complete() { implementation_->wait(); }

std::string background_index::error() const { return implementation_->error(); }

background_index::access background_index::open() { return implementation_->open(); }

}  // namespace fleetarium::feed
