#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <optional>
#include <string>

namespace fleetarium::cli {

/// The lines of standard input, without holding up the thread that waits for them.
class input_lines {
public:
    explicit input_lines(const boost::asio::any_io_executor& executor);

    /// The next line without its end; none at the end of the input.
    boost::asio::awaitable<std::optional<std::string>> next();

private:
    boost::asio::awaitable<bool> read_more();

    boost::asio::posix::stream_descriptor input_;
    bool is_waitable_ = false;  // a regular file is not, and need not be
    std::string read_;
    std::size_t begin_ = 0;  // of the next line in it
};

}  // namespace fleetarium::cli
