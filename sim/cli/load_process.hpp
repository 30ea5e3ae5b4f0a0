#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace fleetarium::cli::load {

/// The processes of a broker, seen from outside.
class process_watch {
public:
    /// Throws bad_request if there is no such process.
    explicit process_watch(std::vector<pid_t> pids);

    const std::vector<pid_t>& pids() const { return pids_; }

    /// Processor time that all their threads have taken so far, those that have ended included, in
    /// seconds. From the scheduler's clock: in nanoseconds, not in ticks. Throws load_error if one
    /// has ended.
    double cpu_seconds() const;

    /// Resident memory of all of them, in bytes. Throws load_error if it cannot be read.
    std::uint64_t resident_bytes() const;

    /// The name of the first one's program, such as "mosquitto".
    std::string name() const;

private:
    std::vector<pid_t> pids_;
};

/// The processes that hold a TCP socket of this machine open that listens on `port`. Throws
/// bad_request if there is none, or none that this user may look into.
std::vector<pid_t> find_listeners(std::uint16_t port);

/// A folder of its own below the system's for temporary files, removed with all in it at the end.
class temporary_folder {
public:
    temporary_folder();
    ~temporary_folder();
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

/// A broker that was started here, and ends with this object: by SIGTERM, or by force after five
/// seconds. It also ends if this process dies.
class child_process {
public:
    /// Starts `arguments`, the first of which is the program. What it prints is kept in a file.
    /// Throws load_error.
    child_process(const std::vector<std::string>& arguments, const temporary_folder& folder);
    ~child_process();
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;

    pid_t pid() const { return pid_; }

    /// What it has printed so far.
    std::string printed() const;

    /// Throws load_error with what it has printed if it has ended.
    void check_alive() const;

private:
    std::string program_;
    std::string output_path_;
    pid_t pid_ = -1;
    mutable bool reaped_ = false;
};

/// A port of 127.0.0.1 that was free a moment ago.
std::uint16_t free_port();

/// Words of a command line: cut at spaces, except within quotation marks of either kind. Throws
/// bad_request if one is not closed.
std::vector<std::string> split_words(const std::string& text);

}  // namespace fleetarium::cli::load
