#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/wire_buffer.hpp>

#include <boost/asio/async_result.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/websocket/teardown.hpp>

#include <cstddef>
#include <memory>
#include <utility>

/// What Beast takes for a socket: memory. Bytes of the carrier are handed in, Beast's operations
/// run on them to their end, and what it wrote is taken out, all within one event or call. So
/// Beast is compiled for one type of stream, whatever carries the bytes; none of its handlers is
/// under way between events but the one that waits for bytes, and none runs after its stream is
/// gone.
namespace fleetarium::net {

/// The memory, and the operations that Beast has under way on it.
class beast_link {
public:
    explicit beast_link(boost::asio::execution_context& context) : context_(context) {}
    beast_link(const beast_link&) = delete;
    beast_link& operator=(const beast_link&) = delete;

    boost::asio::execution_context& context() const { return context_; }

    /// Bytes to read, for the next `run`; they need live no longer than that.
    void give_input(bytes_view bytes) { input_ = bytes; }
    /// What no read has taken.
    bytes_view take_input() { return std::exchange(input_, {}); }

    /// Runs what is due, until nothing more can happen without more input.
    void run() {
        while (true) {
            if (first_due_ != nullptr) {
                const std::unique_ptr<task> next = std::move(first_due_);
                first_due_ = std::move(next->next);
                next->run();
            } else if (read_ != nullptr && !input_.empty()) {
                const std::unique_ptr<reader> next = std::move(read_);
                next->take(input_);
            } else {
                return;
            }
        }
    }

    bool has_output() const { return !output_.empty(); }
    std::size_t output_size() const { return output_.size(); }
    wire_buffer take_output() { return std::exchange(output_, {}); }

    template <class Function>
    void post(Function&& function) {
        auto added =
            std::make_unique<task_of<std::decay_t<Function>>>(std::forward<Function>(function));
        task* const last = added.get();
        (first_due_ == nullptr ? first_due_ : last_due_->next) = std::move(added);
        last_due_ = last;
    }

    template <class Buffers, class Handler>
    void read(const Buffers& buffers, Handler&& handler) {
        read_ = std::make_unique<reader_of<Buffers, std::decay_t<Handler>>>(
            buffers, std::forward<Handler>(handler));
    }

    /// All of it, at once: the carrier keeps what its transport does not take.
    template <class Buffers>
    std::size_t write(const Buffers& buffers) {
        std::size_t size = 0;
        for (auto at = boost::asio::buffer_sequence_begin(buffers);
             at != boost::asio::buffer_sequence_end(buffers); ++at) {
            const boost::asio::const_buffer part(*at);
            output_.append({static_cast<const std::uint8_t*>(part.data()), part.size()});
            size += part.size();
        }
        return size;
    }

private:
    struct task {
        virtual ~task() = default;
        virtual void run() = 0;
        std::unique_ptr<task> next;
    };
    template <class Function>
    struct task_of final : task {
        explicit task_of(Function from) : function(std::move(from)) {}
        void run() override { std::move(function)(); }
        Function function;
    };

    struct reader {
        virtual ~reader() = default;
        virtual void take(bytes_view& from) = 0;
    };
    template <class Buffers, class Handler>
    struct reader_of final : reader {
        template <class From>
        reader_of(const Buffers& into, From&& from)
            : buffers(into), handler(std::forward<From>(from)) {}
        void take(bytes_view& from) override {
            const std::size_t count = boost::asio::buffer_copy(
                buffers, boost::asio::const_buffer(from.data(), from.size()));
            from = from.subspan(count);
            std::move(handler)(boost::system::error_code(), count);
        }
        Buffers buffers;
        Handler handler;
    };

    boost::asio::execution_context& context_;
    bytes_view input_{};
    wire_buffer output_;
    std::unique_ptr<task> first_due_;
    task* last_due_ = nullptr;  // meant only while there is a first
    std::unique_ptr<reader> read_;
};

/// Runs functions in the link's `run`.
class beast_executor {
public:
    explicit beast_executor(beast_link& link) noexcept : link_(&link) {}

    boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept {
        return link_->context();
    }
    static constexpr boost::asio::execution::blocking_t query(
        boost::asio::execution::blocking_t) noexcept {
        return boost::asio::execution::blocking.never;
    }
    template <class Function>
    void execute(Function&& function) const {
        link_->post(std::forward<Function>(function));
    }
    bool operator==(const beast_executor&) const noexcept = default;

private:
    beast_link* link_;
};

/// The stream that Beast's WebSocket stands on. Reads never fail and never end: that is the
/// carrier's to tell, and then Beast is not asked any more.
class beast_carrier {
public:
    using executor_type = beast_executor;

    explicit beast_carrier(beast_link& link) : link_(&link) {}

    executor_type get_executor() const noexcept { return executor_type(*link_); }
    beast_link& link() const noexcept { return *link_; }

    template <class Buffers, class Token>
    auto async_read_some(const Buffers& buffers, Token&& token) {
        return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
            [link = link_](auto&& handler, const Buffers& into) {
                link->read(into, std::forward<decltype(handler)>(handler));
            },
            token, buffers);
    }

    template <class Buffers, class Token>
    auto async_write_some(const Buffers& buffers, Token&& token) {
        return boost::asio::async_initiate<Token, void(boost::system::error_code, std::size_t)>(
            [link = link_](auto&& handler, const Buffers& from) {
                const std::size_t count = link->write(from);
                link->post(boost::beast::bind_front_handler(
                    std::forward<decltype(handler)>(handler), boost::system::error_code(), count));
            },
            token, buffers);
    }

    template <class Buffers>
    std::size_t write_some(const Buffers& buffers) {
        return link_->write(buffers);
    }
    template <class Buffers>
    std::size_t write_some(const Buffers& buffers, boost::system::error_code& error) {
        error = {};
        return link_->write(buffers);
    }

    // Beast asks for the whole of a synchronous stream to write to; it is never read so.
    template <class Buffers>
    std::size_t read_some(const Buffers&) {
        throw boost::system::system_error(boost::asio::error::operation_not_supported);
    }
    template <class Buffers>
    std::size_t read_some(const Buffers&, boost::system::error_code& error) {
        error = boost::asio::error::operation_not_supported;
        return 0;
    }

private:
    beast_link* link_;
};

// Beast's hooks for the end of the transport, which is closed by its owner.
template <class Handler>
void async_teardown(boost::beast::role_type, beast_carrier& carrier, Handler&& handler) {
    carrier.link().post(boost::beast::bind_front_handler(std::forward<Handler>(handler),
                                                         boost::system::error_code()));
}
inline void teardown(boost::beast::role_type, beast_carrier&, boost::system::error_code& error) {
    error = {};
}
inline void beast_close_socket(beast_carrier&) {}

}  // namespace fleetarium::net
