#include "load_process.hpp"

#include "load_wire.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace fleetarium::cli::load {

namespace {

std::string text_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Inodes of the sockets that listen on the port, from /proc/net/tcp or tcp6.
void add_listening_inodes(const char* table, std::uint16_t port, std::set<std::string>& inodes) {
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);  // the heading
    while (std::getline(file, line)) {
        std::istringstream fields(line);
        std::string number, local, remote, state, queues, timer, retransmits, user, timeout, inode;
        fields >> number >> local >> remote >> state >> queues >> timer >> retransmits >> user >>
            timeout >> inode;
        const std::size_t colon = local.rfind(':');
        if (state == "0A" && colon != std::string::npos &&
            std::strtoul(local.c_str() + colon + 1, nullptr, 16) == port) {
            inodes.insert(fmt::format("socket:[{}]", inode));
        }
    }
}

bool holds_any(const std::filesystem::path& process, const std::set<std::string>& inodes) {
    std::error_code denied;
    for (const auto& open : std::filesystem::directory_iterator(process / "fd", denied)) {
        const auto target = std::filesystem::read_symlink(open.path(), denied);
        if (!denied && inodes.count(target.string()) != 0) {
            return true;
        }
    }
    return false;
}

}  // namespace

process_watch::process_watch(std::vector<pid_t> pids) : pids_(std::move(pids)) {
    for (const pid_t pid : pids_) {
        if (kill(pid, 0) != 0 && errno != EPERM) {
            throw bad_request(fmt::format("there is no process {}", pid));
        }
    }
}

double process_watch::cpu_seconds() const {
    double sum = 0;
    for (const pid_t pid : pids_) {
        clockid_t clock{};
        timespec taken{};
        if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &taken) != 0) {
            throw load_error(fmt::format("process {} of the broker has ended", pid));
        }
        sum += static_cast<double>(taken.tv_sec) + static_cast<double>(taken.tv_nsec) * 1e-9;
    }
    return sum;
}

std::uint64_t process_watch::resident_bytes() const {
    std::uint64_t kibibytes = 0;
    for (const pid_t pid : pids_) {
        // The sums of smaps_rollup are exact; those of statm may lag by some pages per thread.
        std::istringstream lines(text_of(fmt::format("/proc/{}/smaps_rollup", pid)));
        std::string line;
        bool found = false;
        while (!found && std::getline(lines, line)) {
            if (line.rfind("Rss:", 0) == 0) {
                kibibytes += std::strtoull(line.c_str() + 4, nullptr, 10);
                found = true;
            }
        }
        if (!found) {
            throw load_error(fmt::format(
                "the memory of process {} cannot be read; run this as the broker's user", pid));
        }
    }
    return kibibytes * 1024;
}

std::string process_watch::name() const {
    std::string name = text_of(fmt::format("/proc/{}/comm", pids_.front()));
    name.erase(std::remove(name.begin(), name.end(), '\n'), name.end());
    return name;
}

std::vector<pid_t> find_listeners(std::uint16_t port) {
    std::set<std::string> inodes;
    add_listening_inodes("/proc/net/tcp", port, inodes);
    add_listening_inodes("/proc/net/tcp6", port, inodes);
    if (inodes.empty()) {
        throw bad_request(fmt::format(
            "nothing on this machine listens on port {}; start the broker here, since its "
            "processor time is read from the operating system",
            port));
    }
    std::vector<pid_t> out;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
        const std::string name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789") == std::string::npos &&
            holds_any(entry.path(), inodes)) {
            out.push_back(static_cast<pid_t>(std::strtol(name.c_str(), nullptr, 10)));
        }
    }
    if (out.empty()) {
        throw bad_request(fmt::format(
            "the process that listens on port {} belongs to another user; name it with --pid",
            port));
    }
    std::sort(out.begin(), out.end());
    return out;
}

temporary_folder::temporary_folder() {
    std::string name =
        (std::filesystem::temp_directory_path() / "fleetarium-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
        throw load_error(fmt::format("no folder for temporary files: {}", std::strerror(errno)));
    }
    path_ = name;
}

temporary_folder::~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

child_process::child_process(const std::vector<std::string>& arguments,
                             const temporary_folder& folder)
    : program_(arguments.front()) {
    std::string name = folder.path() + "/output-XXXXXX";
    const int output = mkostemp(name.data(), O_CLOEXEC);
    if (output < 0) {
        throw load_error(
            fmt::format("no file for the output of {}: {}", program_, std::strerror(errno)));
    }
    output_path_ = name;
    std::vector<char*> words;
    for (const std::string& argument : arguments) {
        words.push_back(const_cast<char*>(argument.c_str()));  // NOLINT: execv takes them so
    }
    words.push_back(nullptr);
    // No handler of this process runs in the child, not even before it has become the program.
    sigset_t all{};
    sigset_t before{};
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ != 0) {
        sigprocmask(SIG_SETMASK, &before, nullptr);
    }
    if (pid_ < 0) {
        ::close(output);
        throw load_error(
            fmt::format("{} could not be started: {}", program_, std::strerror(errno)));
    }
    if (pid_ == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(127);  // it died before the line above
        }
        for (const int each : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD}) {
            std::signal(each, SIG_DFL);
        }
        sigset_t none{};
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        dup2(output, STDOUT_FILENO);
        dup2(output, STDERR_FILENO);
        execv(words.front(), words.data());
        dprintf(STDERR_FILENO, "%s: %s\n", words.front(), std::strerror(errno));
        _exit(127);
    }
    ::close(output);
}

child_process::~child_process() {
    if (reaped_) {
        return;
    }
    kill(pid_, SIGTERM);
    for (int waited_ms = 0; waited_ms < 5000; ++waited_ms) {
        if (waitpid(pid_, nullptr, WNOHANG) != 0) {
            return;
        }
        const timespec pause{0, 1'000'000};
        nanosleep(&pause, nullptr);
    }
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

std::string child_process::printed() const { return text_of(output_path_); }

void child_process::check_alive() const {
    if (reaped_ || waitpid(pid_, nullptr, WNOHANG) != 0) {
        reaped_ = true;
        const std::string said = printed();
        throw load_error(
            fmt::format("{} has ended; it said: {}", program_, said.empty() ? "nothing" : said));
    }
}

std::uint16_t free_port() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    const bool bound = bind(fd, any, size) == 0 && getsockname(fd, any, &size) == 0;
    ::close(fd);
    if (!bound) {
        throw load_error("no free port on 127.0.0.1");
    }
    return ntohs(address.sin_port);
}

std::vector<std::string> split_words(const std::string& text) {
    std::vector<std::string> out;
    bool in_word = false;
    char quote = 0;
    for (const char each : text) {
        if (quote == 0 && each == ' ') {
            in_word = false;
            continue;
        }
        if (!in_word) {
            out.emplace_back();
            in_word = true;
        }
        if (quote == 0 && (each == '"' || each == '\'')) {
            quote = each;
        } else if (each == quote) {
            quote = 0;
        } else {
            out.back() += each;
        }
    }
    if (quote != 0) {
        throw bad_request(fmt::format("a {} is not closed in: {}", quote, text));
    }
    return out;
}

}  // namespace fleetarium::cli::load
