#pragma once

#include <fleetarium/server/server_options.hpp>

#include <mutex>
#include <string>
#include <string_view>

namespace fleetarium::cli {

/// Where the log of a broker goes: a file, or standard error.
/// Thread rule: any thread.
class log_output {
public:
    /// Lines below `least` are left out. An empty path is standard error. Call `reopen` next.
    log_output(broker::log_level least, std::string path);
    ~log_output();
    log_output(const log_output&) = delete;
    log_output& operator=(const log_output&) = delete;

    /// Opens the file, again if it was: it may have been moved away. Returns what is wrong, and
    /// then leaves all as it was.
    std::string reopen();

    void write(broker::log_level level, std::string_view text);

    /// Must not outlive this.
    broker::log_sink sink();

private:
    broker::log_level least_;
    std::string path_;
    std::mutex mutex_;
    int file_ = -1;
};

}  // namespace fleetarium::cli
