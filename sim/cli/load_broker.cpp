#include "load_broker.hpp"

#include "load_wire.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace fleetarium::cli::load {

namespace {

constexpr int start_timeout_ms = 10'000;
constexpr const char* mosquitto_path = "/usr/sbin/mosquitto";

void pause_1_ms() {
    const timespec pause{0, 1'000'000};
    nanosleep(&pause, nullptr);
}

}  // namespace

broker_under_load broker_under_load::running(const std::string& host_and_port,
                                             std::vector<pid_t> pids) {
    broker_under_load out;
    out.address_ = resolve(host_and_port);
    out.process_.emplace(pids.empty() ? find_listeners(out.address_->port()) : std::move(pids));
    out.name_ = out.process_->name();
    return out;
}

broker_under_load broker_under_load::ours(const std::vector<std::string>& arguments) {
    broker_under_load out;
    out.name_ = "fleetarium";
    out.folder_ = std::make_unique<temporary_folder>();
    out.program_ = {std::filesystem::read_symlink("/proc/self/exe").string(), "broker", "--listen",
                    "mqtt://127.0.0.1:0"};
    out.program_.insert(out.program_.end(), arguments.begin(), arguments.end());
    const auto chooses_log = [](const std::string& word) {
        return word.rfind("--log-level", 0) == 0;
    };
    if (std::none_of(arguments.begin(), arguments.end(), chooses_log)) {
        // As the other one: a line for each connection would be a load of its own.
        out.program_.insert(out.program_.end(), {"--log-level", "warning"});
    }
    out.prints_url_ = true;
    return out;
}

broker_under_load broker_under_load::mosquitto() {
    if (access(mosquitto_path, X_OK) != 0) {
        throw bad_request(fmt::format(
            "there is no {}; install it (apt-get install mosquitto), or name a broker that runs "
            "as --against HOST:PORT",
            mosquitto_path));
    }
    broker_under_load out;
    out.name_ = "mosquitto";
    out.folder_ = std::make_unique<temporary_folder>();
    const std::uint16_t port = free_port();
    const std::string configuration = out.folder_->path() + "/mosquitto.conf";
    std::ofstream(configuration) << "listener " << port << " 127.0.0.1\n"
                                 << "allow_anonymous true\n"
                                    "persistence false\n"
                                    "max_inflight_messages 0\n"
                                    "max_queued_messages 0\n"
                                    "set_tcp_nodelay true\n"
                                    "log_dest none\n";
    out.program_ = {mosquitto_path, "-c", configuration};
    out.address_ = resolve(fmt::format("127.0.0.1:{}", port));
    return out;
}

void broker_under_load::start() {
    if (!is_child()) {
        return;
    }
    process_.reset();
    child_.reset();
    child_ = std::make_unique<child_process>(program_, *folder_);
    process_.emplace(std::vector<pid_t>{child_->pid()});
    if (prints_url_) {
        address_ = resolve(wait_for_url());
    } else {
        wait_until_accepting();
    }
}

std::string broker_under_load::wait_for_url() const {
    constexpr std::string_view before = "listening on mqtt://";
    for (int waited = 0; waited < start_timeout_ms; ++waited) {
        const std::string said = child_->printed();
        const std::size_t at = said.find(before);
        const std::size_t end = said.find('\n', at);
        if (at != std::string::npos && end != std::string::npos) {
            return said.substr(at + before.size(), end - at - before.size());
        }
        child_->check_alive();
        pause_1_ms();
    }
    throw load_error(fmt::format("{} does not say where it listens; it said: {}", program_.front(),
                                 child_->printed()));
}

void broker_under_load::wait_until_accepting() const {
    for (int waited = 0; waited < start_timeout_ms; ++waited) {
        const int fd = socket(address_->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int connected =
            ::connect(fd, reinterpret_cast<const sockaddr*>(&address_->address), address_->size);
        ::close(fd);
        if (connected == 0) {
            return;
        }
        child_->check_alive();
        pause_1_ms();
    }
    throw load_error(
        fmt::format("{} does not accept connections on {}", program_.front(), address_->text));
}

}  // namespace fleetarium::cli::load
