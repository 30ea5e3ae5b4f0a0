#include "input_lines.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace fleetarium::cli {

namespace asio = boost::asio;

input_lines::input_lines(const asio::any_io_executor& executor) : input_(executor) {
    // A copy of the descriptor, for closing ours must not close standard input.
    const int copy = dup(STDIN_FILENO);
    boost::system::error_code why;
    if (copy >= 0) {
        input_.assign(copy, why);
        is_waitable_ = !why;
        if (why) {
            close(copy);  // epoll takes no regular files
        }
    }
}

asio::awaitable<bool> input_lines::read_more() {
    std::array<char, 16 * 1024> part{};
    std::size_t size = 0;
    if (is_waitable_) {
        const auto [why, count] = co_await input_.async_read_some(
            asio::buffer(part), asio::as_tuple(asio::use_awaitable));
        size = why ? 0 : count;
    } else {
        ssize_t count = -1;
        do {
            count = ::read(STDIN_FILENO, part.data(), part.size());
        } while (count < 0 && errno == EINTR);
        size = count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    read_.erase(0, begin_);
    begin_ = 0;
    read_.append(part.data(), size);
    co_return size > 0;
}

asio::awaitable<std::optional<std::string>> input_lines::next() {
    for (;;) {
        const std::size_t end = read_.find('\n', begin_);
        if (end != std::string::npos) {
            std::string line = read_.substr(begin_, end - begin_);
            begin_ = end + 1;
            co_return line;
        }
        const bool more = co_await read_more();
        if (!more) {
            break;
        }
    }
    if (begin_ == read_.size()) {
        co_return std::nullopt;
    }
    std::string last = read_.substr(begin_);  // without an end of line
    begin_ = read_.size();
    co_return last;
}

}  // namespace fleetarium::cli
