#pragma once

#include <array>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <streambuf>
#include <string>

namespace fleetarium::cli {

/// Why an output cannot be used, or was not written to its end.
class output_error : public std::runtime_error {
public:
    enum class cause { input, system };
    output_error(cause why, const std::string& what) : std::runtime_error(what), cause_(why) {}
    cause why() const { return cause_; }

private:
    cause cause_;
};

/// A new file, a device or pipe that is there, or "-" for standard output, written in large pieces.
/// A file that is not finished is removed: nobody is to take a part for the whole.
class output_file {
public:
    /// Throws output_error: there is such a file already (input), or it cannot be made (system).
    explicit output_file(const std::string& path);
    ~output_file();
    output_file(const output_file&) = delete;
    output_file& operator=(const output_file&) = delete;

    /// Throws output_error when something cannot be written.
    std::ostream& stream() { return stream_; }
    /// Writes what is left, and keeps the file. Throws output_error.
    void finish();
    const std::string& path() const { return path_; }

private:
    class buffer final : public std::streambuf {
    public:
        buffer(int file, std::string path);
        int file() const { return file_; }
        void write_out();

    private:
        int_type overflow(int_type next) override;
        std::streamsize xsputn(const char* from, std::streamsize count) override;
        int sync() override;
        void write(const char* from, std::size_t count);

        int file_;
        std::string path_;
        std::array<char, std::size_t{256} << 10> bytes_{};
    };

    std::string path_;
    bool made_ = false;  // it was not there before
    bool finished_ = false;
    std::unique_ptr<buffer> buffer_;
    std::ostream stream_;
};

}  // namespace fleetarium::cli
