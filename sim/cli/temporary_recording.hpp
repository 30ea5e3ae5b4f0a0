#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>

namespace fleetarium::cli {

/// Where a recording goes that is there only for a while: in the folder for temporary files, with
/// a name of this process's own. The file is whoever uses it's to make; it goes with this.
class temporary_recording {
public:
    explicit temporary_recording(std::string_view name)
        : path_((std::filesystem::temp_directory_path() /
                 ("fleetarium-" + std::string(name) + "-" + std::to_string(::getpid()) + ".flr"))
                    .string()) {
        remove();
    }
    ~temporary_recording() { remove(); }
    temporary_recording(const temporary_recording&) = delete;
    temporary_recording& operator=(const temporary_recording&) = delete;

    const std::string& path() const { return path_; }

    void remove() const {
        std::error_code ignored;
        for (const char* const end : {"", "-wal", "-shm", "-journal"}) {
            std::filesystem::remove(path_ + end, ignored);
        }
    }

private:
    std::string path_;
};

}  // namespace fleetarium::cli
