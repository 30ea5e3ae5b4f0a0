#pragma once

#include "load_hub.hpp"
#include "load_process.hpp"

#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace fleetarium::cli::load {

/// A broker that is put under load: one that runs already, or one started for this.
class broker_under_load {
public:
    /// The one that listens at HOST:PORT. Without `pids`, its processes are those that hold the
    /// listening socket. Throws bad_request.
    static broker_under_load running(const std::string& host_and_port, std::vector<pid_t> pids);

    /// This program's own, started with `arguments` besides the address; they say too whether it
    /// logs more than warnings.
    static broker_under_load ours(const std::vector<std::string>& arguments);

    /// Debian's mosquitto, configured so that its usual limits do not decide the figures: no bound
    /// on messages in flight and queued, no delay of small segments, no log, nothing on disk.
    /// Throws bad_request if it is not installed.
    static broker_under_load mosquitto();

    /// Starts the broker, again if it was started before. Does nothing if it runs on its own.
    /// Throws load_error.
    void start();

    /// Whether `start` makes a fresh one.
    bool is_child() const { return !program_.empty(); }

    const std::string& name() const { return name_; }
    const endpoint& address() const { return *address_; }
    const process_watch& process() const { return *process_; }

private:
    broker_under_load() = default;
    std::string wait_for_url() const;
    void wait_until_accepting() const;

    std::string name_;
    std::vector<std::string> program_;  ///< to start; empty if it runs on its own
    bool prints_url_ = false;           ///< where it listens; else `address_` is known before
    std::unique_ptr<temporary_folder> folder_;
    std::optional<endpoint> address_;
    std::optional<process_watch> process_;
    std::unique_ptr<child_process> child_;  // ends before its folder does
};

}  // namespace fleetarium::cli::load
