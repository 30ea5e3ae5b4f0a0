#include "log_output.hpp"

#include <fleetarium/server/log_line.hpp>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace fleetarium::cli {

log_output::log_output(broker::log_level least, std::string path)
    : least_(least), path_(std::move(path)) {}

log_output::~log_output() {
    if (file_ > STDERR_FILENO) {
        close(file_);
    }
}

std::string log_output::reopen() {
    int opened = STDERR_FILENO;
    if (!path_.empty()) {
        opened = open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        if (opened < 0) {
            return path_ + ": cannot be written (" + std::strerror(errno) + ")";
        }
    }
    const std::lock_guard alone(mutex_);
    std::swap(file_, opened);
    if (opened > STDERR_FILENO) {
        close(opened);
    }
    return {};
}

void log_output::write(broker::log_level level, std::string_view text) {
    if (level < least_) {
        return;
    }
    using namespace std::chrono;
    const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch());
    const std::string line = broker::log_line(level, now.count(), text);
    const std::lock_guard alone(mutex_);
    std::string_view rest = line;
    while (!rest.empty()) {
        const auto written = ::write(file_, rest.data(), rest.size());
        if (written < 0 && errno != EINTR) {
            return;  // nobody to tell
        }
        rest.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
}

broker::log_sink log_output::sink() {
    return [this](broker::log_level level, std::string_view text) { write(level, text); };
}

}  // namespace fleetarium::cli
