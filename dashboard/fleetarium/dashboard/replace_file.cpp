#include <fleetarium/dashboard/replace_file.hpp>

#include <stdexcept>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fleetarium::dashboard {

void replace_file(const std::string& path, std::string_view content) {
    std::string next = path + ".XXXXXX";
    const auto give_up = [&](bool made) {
        const int cause = errno;
        if (made) {
            ::unlink(next.c_str());
        }
        throw std::runtime_error("cannot write " + path + ": " + std::strerror(cause));
    };
    const int file = ::mkstemp(next.data());
    if (file < 0) {
        give_up(false);
    }
    // Others may read it as they may read any file that its owner makes.
    const mode_t mask = ::umask(0);
    ::umask(mask);
    bool good = ::fchmod(file, 0666 & ~mask) == 0;
    while (good && !content.empty()) {
        const ssize_t written = ::write(file, content.data(), content.size());
        if (written < 0 && errno == EINTR) {
            continue;
        }
        good = written >= 0;
        content.remove_prefix(good ? static_cast<std::size_t>(written) : 0);
    }
    good = good && ::fsync(file) == 0;
    if (!good) {
        const int cause = errno;
        ::close(file);
        errno = cause;
        give_up(true);
    }
    if (::close(file) != 0 || std::rename(next.c_str(), path.c_str()) != 0) {
        give_up(true);
    }
}

}  // namespace fleetarium::dashboard
