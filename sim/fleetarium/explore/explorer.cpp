#include <fleetarium/explore/explorer.hpp>

#include <fleetarium/explore/fault_plan.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <limits>
#include <mutex>
#include <thread>
#include <utility>

namespace fleetarium::sim {

namespace {

constexpr std::chrono::milliseconds watch_interval{100};

class hunt {
public:
    hunt(const scenario& what, const explore_options& options)
        : scenario_(what), options_(options), end_(options.first_seed + options.seeds) {
        next_ = options.first_seed;
    }

    exploration run(const std::function<bool(const explore_progress&)>& watch) {
        std::vector<std::thread> threads;
        {
            const std::lock_guard lock(mutex_);
            working_ = std::max(1u, options_.jobs);
            for (unsigned i = working_; i != 0; --i) {
                threads.emplace_back([this] { work(); });
            }
        }
        {
            std::unique_lock lock(mutex_);
            while (!done_.wait_for(lock, watch_interval, [&] { return working_ == 0; })) {
                const explore_progress now{out_.seen.runs, out_.findings.size()};
                lock.unlock();
                if (watch && !watch(now)) {
                    out_.stopped = true;
                    end_ = 0;
                }
                lock.lock();
            }
        }
        for (std::thread& each : threads) {
            each.join();
        }
        if (failed_) {
            std::rethrow_exception(failed_);
        }
        std::sort(out_.findings.begin(), out_.findings.end(),
                  [](const finding& a, const finding& b) { return a.seed < b.seed; });
        if (!options_.keep_going && out_.findings.size() > 1) {
            out_.findings.resize(1);  // higher seeds were under way when it was found
        }
        return std::move(out_);
    }

private:
    void work() {
        try {
            for (;;) {
                const std::uint64_t seed = next_.fetch_add(1);
                if (seed >= end_) {
                    break;
                }
                run_one(seed);
            }
        } catch (...) {
            const std::lock_guard lock(mutex_);
            failed_ = std::current_exception();
            end_ = 0;
        }
        const std::lock_guard lock(mutex_);
        if (--working_ == 0) {
            done_.notify_all();
        }
    }

    void run_one(std::uint64_t seed) {
        scenario with_seed = scenario_;
        with_seed.seed = seed;
        if (options_.draw_faults) {
            for (fault_spec& each : draw_faults(scenario_, seed)) {
                with_seed.faults.push_back(std::move(each));
            }
        }
        trial tried = try_scenario(with_seed, options_.judge);
        const std::lock_guard lock(mutex_);
        out_.seen.add(tried.report);
        if (tried.failures.empty()) {
            return;
        }
        if (!options_.keep_going) {
            end_ = std::min<std::uint64_t>(end_, seed);
        }
        out_.findings.push_back({seed, std::move(with_seed), std::move(tried.failures)});
    }

    const scenario& scenario_;
    const explore_options& options_;
    std::atomic<std::uint64_t> next_;
    std::atomic<std::uint64_t> end_;
    std::mutex mutex_;
    std::condition_variable done_;
    unsigned working_ = 0;
    std::exception_ptr failed_;
    exploration out_;
};

}  // namespace

exploration explore(const scenario& what, const explore_options& options,
                    const std::function<bool(const explore_progress&)>& watch) {
    return hunt(what, options).run(watch);
}

}  // namespace fleetarium::sim
