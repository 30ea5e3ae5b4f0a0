#include <fleetarium/client/subscription.hpp>

#include <fleetarium/client/client_core.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/system_executor.hpp>

namespace fleetarium {

subscription::subscription(std::shared_ptr<detail::subscription_stream> stream)
    : stream_(std::move(stream)) {}

subscription& subscription::operator=(subscription&& other) noexcept {
    if (this != &other) {
        release();
        stream_ = std::move(other.stream_);
    }
    return *this;
}

subscription::~subscription() { release(); }

void subscription::release() noexcept {
    if (const auto stream = std::move(stream_)) {
        if (const auto live = stream->owner().lock()) {
            live->release(*stream);
        }
    }
}

boost::asio::any_io_executor subscription::executor() const {
    return stream_ ? stream_->executor() : boost::asio::system_executor();
}

void subscription::begin_receive(detail::operation_ptr<received_message> waiting, duration limit,
                                 const stream_ptr& from) {
    if (!from) {
        waiting->fail(error::subscription_ended);
        return;
    }
    const auto live = from->owner().lock();
    // What came before the client went can still be received.
    if (from->buffered() == 0 && !from->ended()) {
        if (!live) {
            waiting->fail(boost::asio::error::operation_aborted);
            return;
        }
        if (!live->adopt(*waiting, limit)) {
            return;
        }
        if (const auto why = live->stop_reason()) {
            waiting->fail(why);
            return;
        }
    }
    from->receive(std::move(waiting));
}

void subscription::begin_unsubscribe(codes_operation waiting, duration limit,
                                     const stream_ptr& from) {
    const auto live = from ? from->owner().lock() : nullptr;
    if (!from || from->ended()) {
        waiting->fail(error::subscription_ended);
    } else if (!live) {
        waiting->fail(boost::asio::error::operation_aborted);
    } else if (live->adopt(*waiting, limit)) {
        live->unsubscribe(from, std::move(waiting));
    }
}

void subscription::begin_answer(codes_operation waiting, duration limit, const stream_ptr& from) {
    const auto live = from ? from->owner().lock() : nullptr;
    if (!from) {
        waiting->fail(error::subscription_ended);
    } else if (!live) {
        waiting->fail(boost::asio::error::operation_aborted);
    } else if (live->adopt(*waiting, limit)) {
        from->wait_answered(std::move(waiting));
    }
}

std::optional<received_message> subscription::try_receive() {
    return stream_ ? stream_->try_receive() : std::nullopt;
}

const std::vector<std::string>& subscription::filters() const {
    static const std::vector<std::string> none;
    return stream_ ? stream_->filters() : none;
}

std::vector<reason_code> subscription::codes() const {
    return stream_ ? stream_->codes() : std::vector<reason_code>();
}

std::size_t subscription::buffered() const { return stream_ ? stream_->buffered() : 0; }

std::uint64_t subscription::dropped() const { return stream_ ? stream_->dropped() : 0; }

}  // namespace fleetarium
