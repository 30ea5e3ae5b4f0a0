#include "output_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace fleetarium::cli {

namespace {

int open_output(const std::string& path, bool& made) {
    if (path == "-") {
        return STDOUT_FILENO;
    }
    const int created = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (created >= 0) {
        made = true;
        return created;
    }
    const int why = errno;
    struct stat there {};
    if (why == EEXIST && ::stat(path.c_str(), &there) == 0) {
        if (S_ISREG(there.st_mode)) {
            throw output_error(output_error::cause::input,
                               path + ": there is a file already: an export needs a new one");
        }
        const int device = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
        if (device >= 0) {
            return device;
        }
    }
    throw output_error(output_error::cause::system, path + ": " + std::strerror(errno));
}

}  // namespace

output_file::output_file(const std::string& path)
    : path_(path == "-" ? "standard output" : path),
      buffer_(std::make_unique<buffer>(open_output(path, made_), path_)),
      stream_(buffer_.get()) {
    stream_.exceptions(std::ios::badbit);  // what the buffer throws goes on to the caller
}

output_file::~output_file() {
    if (buffer_->file() != STDOUT_FILENO) {
        ::close(buffer_->file());
        if (made_ && !finished_) {
            ::unlink(path_.c_str());
        }
    }
}

void output_file::finish() {
    buffer_->write_out();
    finished_ = true;
}

output_file::buffer::buffer(int file, std::string path) : file_(file), path_(std::move(path)) {
    setp(bytes_.data(), bytes_.data() + bytes_.size());
}

void output_file::buffer::write_out() {
    const auto count = static_cast<std::size_t>(pptr() - pbase());
    setp(bytes_.data(), bytes_.data() + bytes_.size());
    write(bytes_.data(), count);
}

output_file::buffer::int_type output_file::buffer::overflow(int_type next) {
    write_out();
    if (!traits_type::eq_int_type(next, traits_type::eof())) {
        *pptr() = traits_type::to_char_type(next);
        pbump(1);
    }
    return traits_type::not_eof(next);
}

std::streamsize output_file::buffer::xsputn(const char* from, std::streamsize count) {
    const auto size = static_cast<std::size_t>(count);
    if (static_cast<std::size_t>(epptr() - pptr()) < size) {
        write_out();
    }
    if (size >= bytes_.size()) {
        write(from, size);
    } else {
        std::memcpy(pptr(), from, size);
        pbump(static_cast<int>(size));
    }
    return count;
}

int output_file::buffer::sync() {
    write_out();
    return 0;
}

void output_file::buffer::write(const char* from, std::size_t count) {
    while (count != 0) {
        const ssize_t written = ::write(file_, from, count);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            throw output_error(output_error::cause::system,
                               path_ + ": cannot be written: " + std::strerror(errno));
        }
        from += written;
        count -= static_cast<std::size_t>(written);
    }
}

}  // namespace fleetarium::cli
