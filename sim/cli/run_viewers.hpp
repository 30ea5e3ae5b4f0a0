#pragma once

#include "run_live.hpp"
#include "run_recording.hpp"

#include <fleetarium/feed/source_link.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <functional>
#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace fleetarium::cli {

/// Who may look at a run while it goes on, and act on it.
struct viewer_flags {
    std::string http;  ///< HOST:PORT; empty: nobody
    std::string token_file;
    bool stay = false;
    bool paused = false;
    bool dashboard = false;
    feed::thread_link* window = nullptr;  ///< of the dashboard's window, where one is open

    bool any() const { return !http.empty() || dashboard; }
    void add_to(CLI::App& command);
    /// What is wrong with them, as a sentence; empty: nothing.
    std::string check() const;
};

/// The feed of a run, its HTTP server and its web page.
class run_viewers {
public:
    struct facts {
        std::string command{};  ///< that repeats the run in a shell; empty: none does
        std::uint64_t seed = 0;
        bool can_pace = false;  ///< nobody outside of the world takes part
        bool is_virtual = false;
        std::function<std::string()> report_json{};
        std::function<void()> end{};  ///< somebody wants it to end
    };

    /// Prints where it listens, if it does. All must outlive it. Throws usage_error, or
    /// std::runtime_error if it cannot listen.
    run_viewers(const viewer_flags& flags, const sim::scenario& described, live_run& of,
                run_recording& recorded, facts about);
    ~run_viewers();
    run_viewers(const run_viewers&) = delete;
    run_viewers& operator=(const run_viewers&) = delete;

    /// The run is over; viewers may look on.
    void note_end();
    /// Serves them until `watch`, called about ten times a second, says false.
    void serve(const std::function<bool()>& watch);

private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

}  // namespace fleetarium::cli
