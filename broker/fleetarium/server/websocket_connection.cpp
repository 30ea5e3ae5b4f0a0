#include <fleetarium/server/websocket_connection.hpp>

#include <boost/asio/io_context.hpp>

#include <charconv>
#include <exception>
#include <system_error>
#include <utility>

namespace fleetarium::broker {

namespace {

constexpr std::uint64_t bytes_per_mark = std::uint64_t{64} << 10;
constexpr std::size_t marks_max = 512;  // then what is confirmed is known less finely

}  // namespace

websocket_connection::websocket_connection(boost::asio::io_context& context,
                                           net::byte_stream& stream, http_upgrade upgrade,
                                           log_function log)
    : context_(context),
      stream_(&stream),
      exchange_(std::make_unique<websocket_exchange>(context, upgrade.key, upgrade.subprotocol,
                                                     upgrade.route->limits)),
      route_(*upgrade.route),
      request_(std::move(upgrade.request)),
      subprotocol_(std::move(upgrade.subprotocol)),
      address_(stream.peer().address),
      rest_(std::move(upgrade.rest)),
      log_(std::move(log)),
      handlers_(std::make_shared<const websocket_handlers>()) {}

void websocket_connection::start() {
    transmit();
    wait_for_ping();
    tell([this] {
        if (route_.opened) {
            route_.opened(shared_from_this());
        }
    });
    handle_bytes(as_bytes_view(rest_));
}

void websocket_connection::handle_bytes(bytes_view bytes) {
    if (leaving_ || stream_ == nullptr) {
        return;
    }
    pings_unanswered_ = 0;
    exchange_->handle_bytes(bytes);
    take_pong();
    transmit();  // pongs, and the answer to a farewell
    if (is_open() && bytes_unsent() > route_.limits.unsent_bytes_max) {
        close(websocket_code::try_again_later, "more waits for this peer than is kept for one");
    }
    tell_messages();
    end_if_over();
}

void websocket_connection::handle_drained() {
    if (std::exchange(had_backlog_, false) && is_open() && bytes_unsent() == 0) {
        tell([handlers = handlers_] {
            if (handlers->drained) {
                handlers->drained();
            }
        });
    }
}

void websocket_connection::handle_closed() {
    if (stream_ == nullptr) {
        return;
    }
    const auto self = shared_from_this();
    const auto handlers = handlers_;
    const std::uint16_t code =
        exchange_->is_over() ? exchange_->close_code() : websocket_code::abnormal;
    const std::string reason = exchange_->close_reason();
    part();
    if (handlers->closed) {
        try {
            handlers->closed(code, reason);
        } catch (const std::exception& error) {
            log_(address_ + ": a WebSocket's end failed: " + error.what());
        }
    }
}

void websocket_connection::abort() noexcept {
    if (stream_ == nullptr) {
        return;
    }
    try {
        if (is_open()) {
            exchange_->close(websocket_code::going_away, "the server stops");
            transmit();
        }
    } catch (const std::exception&) {
        // Without memory for a farewell there is none.
    }
    part();
}

void websocket_connection::handle(websocket_handlers handlers) {
    if (stream_ != nullptr) {
        handlers_ = std::make_shared<const websocket_handlers>(std::move(handlers));
    }
}

bool websocket_connection::send_text(std::string_view text) {
    return send(websocket_kind::text, text);
}

bool websocket_connection::send_binary(std::string_view bytes) {
    return send(websocket_kind::binary, bytes);
}

bool websocket_connection::send(websocket_kind kind, std::string_view payload) {
    if (!is_open()) {
        return false;
    }
    if (bytes_unsent() + payload.size() > route_.limits.unsent_bytes_max) {
        close(websocket_code::try_again_later, "more waits for this peer than is kept for one");
        return false;
    }
    exchange_->send(kind, payload);
    const std::uint64_t before = bytes_written_;
    transmit();
    bytes_sent_ += bytes_written_ - before;
    // One ping is always under way while something is to be confirmed, and more where much is.
    if (marks_.empty() ||
        (marks_.size() < marks_max && bytes_sent_ - marks_.back().bytes_sent >= bytes_per_mark)) {
        send_mark();
    }
    return true;
}

std::size_t websocket_connection::bytes_unsent() const {
    return stream_ == nullptr ? 0 : stream_->backlog();
}

std::size_t websocket_connection::bytes_unconfirmed() const {
    return stream_ == nullptr ? 0 : static_cast<std::size_t>(bytes_sent_ - bytes_confirmed_);
}

void websocket_connection::close(std::uint16_t code, std::string_view reason) {
    if (is_open()) {
        exchange_->close(code, reason);
        transmit();
        end_if_over();
    }
}

bool websocket_connection::is_open() const { return stream_ != nullptr && !exchange_->is_over(); }

void websocket_connection::transmit() {
    wire_buffer bytes = exchange_->poll_transmit();
    if (!bytes.empty()) {
        bytes_written_ += bytes.size();
        stream_->write(std::move(bytes));
        had_backlog_ = had_backlog_ || stream_->backlog() != 0;
    }
}

void websocket_connection::send_mark() {
    if (marks_.size() < marks_max) {
        marks_.push_back({++last_mark_, bytes_sent_});
    }
    exchange_->send_ping(std::to_string(last_mark_));
    transmit();
}

void websocket_connection::take_pong() {
    const std::optional<std::string> pong = exchange_->poll_pong();
    std::uint64_t number = 0;
    // An unasked pong is allowed, and says nothing.
    if (!pong || !is_open() ||
        std::from_chars(pong->data(), pong->data() + pong->size(), number).ec != std::errc()) {
        return;
    }
    // A peer may answer the newest of several pings only.
    while (!marks_.empty() && marks_.front().number <= number && number <= last_mark_) {
        bytes_confirmed_ = marks_.front().bytes_sent;
        marks_.pop_front();
    }
    if (marks_.empty() && bytes_confirmed_ != bytes_sent_) {
        send_mark();
    }
}

void websocket_connection::tell_messages() {
    while (stream_ != nullptr && !leaving_) {
        std::optional<websocket_message> message = exchange_->poll_message();
        if (!message) {
            return;
        }
        tell([handlers = handlers_, &message] {
            if (handlers->message) {
                handlers->message(std::move(*message));
            }
        });
    }
}

void websocket_connection::end_if_over() {
    if (stream_ != nullptr && exchange_->is_over() && !leaving_) {
        leaving_ = true;
        ping_.cancel();
        stream_->close();
    }
}

void websocket_connection::wait_for_ping() {
    if (is_open()) {
        ping_.start(context_.get_executor(), route_.limits.ping_interval,
                    [self = weak_from_this()] {
                        if (const auto open = self.lock()) {
                            open->check_life();
                        }
                    });
    }
}

void websocket_connection::check_life() {
    if (!is_open()) {
        return;
    }
    // While something waits, a ping would wait behind it: then it counts what the peer takes.
    const std::size_t unsent = bytes_unsent();
    const std::uint64_t taken = bytes_written_ - unsent;
    const bool takes_some = taken != bytes_taken_;
    const bool is_stuck = unsent != 0 && bytes_unsent_before_ != 0 && !takes_some;
    const bool is_silent = pings_unanswered_ > 1 && (unsent == 0 || !takes_some);
    if (is_stuck || is_silent) {
        const std::string why =
            is_stuck ? "takes nothing of what is sent" : "does not answer pings";
        log_(address_ + ": a WebSocket " + why + ", closed");
        close(websocket_code::policy, "the peer " + why);
        return;
    }
    bytes_taken_ = taken;
    bytes_unsent_before_ = unsent;
    ++pings_unanswered_;
    send_mark();
    wait_for_ping();
}

void websocket_connection::part() noexcept {
    // The peer may be held for longer than the context lives that these belong to.
    ping_.cancel();
    exchange_.reset();
    stream_ = nullptr;
    handlers_.reset();
}

template <class Call>
void websocket_connection::tell(Call call) {
    try {
        call();
    } catch (const std::exception& error) {
        log_(address_ + ": a WebSocket of " + request_.path + " failed: " + error.what());
        close(websocket_code::internal_error, "the server failed");
    }
}

}  // namespace fleetarium::broker
