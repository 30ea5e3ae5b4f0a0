#include <fleetarium/recording/later_queue.hpp>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <unistd.h>

namespace fleetarium::recording {

namespace {

std::string temporary_directory() {
    std::error_code failed;
    const std::filesystem::path found = std::filesystem::temp_directory_path(failed);
    return failed ? "/tmp" : found.string();
}

}  // namespace

std::FILE* open_temporary_file() {
    std::string path = temporary_directory() + "/fleetarium-XXXXXX";
    const int file = ::mkstemp(path.data());
    if (file < 0) {
        return nullptr;
    }
    ::unlink(path.c_str());
    std::FILE* const out = ::fdopen(file, "w+b");
    if (out == nullptr) {
        ::close(file);
    }
    return out;
}

void fail_temporary_file() {
    const int why = errno;
    throw no_room_error(temporary_directory() + ": a temporary file cannot be written: " +
                        std::generic_category().message(why));
}

}  // namespace fleetarium::recording
