#include <fleetarium/server/http_server.hpp>

#include <fleetarium/net/listener.hpp>
#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/server/log_limiter.hpp>
#include <fleetarium/server/websocket_connection.hpp>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <charconv>
#include <list>
#include <optional>
#include <stdexcept>
#include <utility>

namespace fleetarium::broker {

namespace {

namespace asio = boost::asio;

// Beside connections_max: connections that are being refused.
constexpr std::size_t refusals_max = 16;

struct endpoint {
    std::string host{};  // an address, without brackets
    std::uint16_t port = 0;
    bool is_loopback = true;
};

[[noreturn]] void fail(const std::string& address, const std::string& why) {
    throw bad_http_address("HTTP address \"" + address + "\": " + why);
}

/// The first address that the name has on this machine.
std::string resolve(asio::io_context& context, const std::string& address,
                    const std::string& host) {
    asio::ip::tcp::resolver resolver(context);
    boost::system::error_code why;
    const auto found = resolver.resolve(host, "", asio::ip::tcp::resolver::passive, why);
    if (why || found.empty()) {
        fail(address, "no address is known for the name \"" + host +
                          "\"; expected HOST:PORT such as 127.0.0.1:9090");
    }
    return found.begin()->endpoint().address().to_string();
}

endpoint parse_address(asio::io_context& context, const std::string& address) {
    const std::size_t colon = address.rfind(':');
    std::string host = colon == std::string::npos ? "" : address.substr(0, colon);
    const std::string port = colon == std::string::npos ? address : address.substr(colon + 1);
    endpoint made;
    const auto [end, why] = std::from_chars(port.data(), port.data() + port.size(), made.port);
    if (why != std::errc() || end != port.data() + port.size()) {
        fail(address, "\"" + port +
                          "\" is no port from 0 to 65535; expected HOST:PORT such as "
                          "127.0.0.1:9090");
    }
    const bool bracketed = host.size() > 1 && host.front() == '[' && host.back() == ']';
    if (bracketed) {
        host = host.substr(1, host.size() - 2);
    }
    boost::system::error_code no_address;
    auto bound = asio::ip::make_address(host, no_address);
    if (host.empty()) {
        bound = asio::ip::address_v4::loopback();
    } else if (no_address) {
        bound = asio::ip::make_address(resolve(context, address, host));
    } else if (bound.is_v6() && !bracketed) {
        fail(address, "an IPv6 address stands in brackets, as in [::1]:9090");
    }
    made.host = bound.to_string();
    made.is_loopback = bound.is_loopback();
    return made;
}

}  // namespace

class http_server::implementation {
public:
    implementation(asio::io_context& context, const http_options& options,
                   std::vector<http_route> routes, std::vector<websocket_route> websockets)
        : context_(context), options_(options) {
        service_.routes = std::move(routes);
        service_.websockets = std::move(websockets);
        for (const http_route& each : service_.routes) {
            check_route_path(each.path);
        }
        for (const websocket_route& each : service_.websockets) {
            check_route_path(each.path);
        }
        service_.token = options.token;
        service_.limits = options.limits;
        const endpoint at = parse_address(context, options.address);
        if (!at.is_loopback && options.token.empty()) {
            fail(options.address,
                 "others can reach this address, so it needs a token that they have to know: "
                 "set one, or listen on 127.0.0.1");
        }
        net::url url;
        url.host = at.host;
        url.port = at.port;
        try {
            listener_ = net::make_listener(context, url, {});
        } catch (const std::runtime_error& error) {
            // Whoever asked for HTTP is not helped by the URL of a broker.
            std::string why = error.what();
            const std::string of_broker = " on " + to_string(url);
            const std::size_t at_url = why.find(of_broker);
            if (at_url != std::string::npos) {
                why.erase(at_url, of_broker.size());
            }
            throw std::runtime_error("HTTP address \"" + options.address + "\": " + why);
        }
        const bool is_v6 = at.host.find(':') != std::string::npos;
        listening_ =
            (is_v6 ? '[' + at.host + ']' : at.host) + ':' + std::to_string(listener_->bound().port);
    }

    void start() {
        // The listener belongs to this object, and calls nothing any more once it is stopped.
        listener_->start([this]() -> asio::io_context& { return context_; },
                         [this](std::unique_ptr<net::byte_stream> stream, asio::io_context&) {
                             accept(std::move(stream));
                         });
    }

    void stop() noexcept;

    const std::string& listening() const { return listening_; }
    std::size_t connection_count() const { return connections_.size(); }

private:
    class connection;

    void accept(std::unique_ptr<net::byte_stream> stream);
    void forget(const connection& gone);
    void note_answer(const connection& by);

    void log(const std::string& text) {
        if (!options_.log || text.empty()) {
            return;
        }
        if (const auto more = log_limiter_.admit(net::real_now())) {
            options_.log(text + *more);
        }
    }

    asio::io_context& context_;
    const http_options options_;
    log_limiter log_limiter_;
    http_service service_;
    std::unique_ptr<net::listener> listener_;
    std::string listening_;
    std::list<std::shared_ptr<connection>> connections_;  // who answered last is last
    bool stopped_ = false;
};

/// One connection: its stream, its exchange, and how long it may take for what it does now.
class http_server::implementation::connection final
    : public net::byte_stream::events,
      public std::enable_shared_from_this<connection> {
public:
    connection(implementation& owner, std::unique_ptr<net::byte_stream> stream)
        : owner_(owner),
          stream_(std::move(stream)),
          exchange_(owner.service_),
          timer_(owner.context_) {}

    void start(bool busy) {
        stream_->start(*this);
        if (busy) {
            exchange_.refuse_busy();
        }
        proceed();
    }

    /// Nothing is heard of it any more.
    void abort() noexcept {
        if (websocket_) {
            websocket_->abort();
        }
        stream_->abort();
        timer_.cancel();
        gone_ = true;
    }

    bool is_idle() const { return phase_ == phase::idle; }

    void on_bytes(bytes_view bytes) override {
        if (websocket_) {
            websocket_->handle_bytes(bytes);
            return;
        }
        exchange_.handle_bytes(bytes);
        proceed();
    }

    void on_drained() override {
        if (websocket_) {
            websocket_->handle_drained();
            return;
        }
        exchange_.handle_written();
        proceed();
    }

    void on_closed(boost::system::error_code) override {
        const auto self = shared_from_this();  // until the end of this call
        gone_ = true;
        timer_.cancel();
        if (websocket_) {
            websocket_->handle_closed();
        }
        owner_.forget(*this);
    }

private:
    enum class phase : std::uint8_t { begun, idle, reading, writing, closing, websocket };

    /// Writes what there is to be written, and sets the timer for what is waited for.
    void proceed() {
        const std::string notice = exchange_.poll_notice();
        if (!notice.empty()) {
            owner_.log(stream_->peer().address + ": " + notice);
        }
        const std::string output = exchange_.poll_transmit();
        if (!output.empty()) {
            wire_buffer bytes;
            bytes.append(as_bytes_view(output));
            stream_->write(std::move(bytes));
        }
        if (auto upgrade = exchange_.poll_upgrade()) {
            open_websocket(std::move(*upgrade));
            return;
        }
        if (exchange_.should_close()) {
            if (phase_ != phase::closing) {
                enter(phase::closing);
                stream_->close();
            }
            return;
        }
        const bool is_writing = stream_->backlog() != 0;
        if (is_writing || exchange_.is_blocked()) {
            paused_ = true;
            stream_->pause_reading();
        } else if (paused_) {
            paused_ = false;
            stream_->resume_reading();
        }
        if (paused_ && !is_writing) {
            // Others get their turn before the next of many requests sent ahead.
            asio::post(owner_.context_, [weak = weak_from_this()] {
                if (const auto self = weak.lock(); self && !self->gone_) {
                    self->on_drained();
                }
            });
        }
        enter(is_writing ? phase::writing : exchange_.is_idle() ? phase::idle : phase::reading);
    }

    /// From here on the WebSocket has the stream, and its own time.
    void open_websocket(http_upgrade upgrade) {
        phase_ = phase::websocket;
        timer_.cancel();
        if (std::exchange(paused_, false)) {
            stream_->resume_reading();
        }
        websocket_ = std::make_shared<websocket_connection>(
            owner_.context_, *stream_, std::move(upgrade),
            [this](const std::string& line) { owner_.log(line); });
        websocket_->start();
    }

    /// Each phase has its time, and each request of one phase anew.
    void enter(phase next) {
        if (next == phase_ && exchange_.requests_answered() == answered_) {
            return;
        }
        phase_ = next;
        if (answered_ != exchange_.requests_answered()) {
            answered_ = exchange_.requests_answered();
            owner_.note_answer(*this);
        }
        duration patience = owner_.options_.request_timeout;
        if (next == phase::idle && answered_ != 0) {
            patience = owner_.options_.idle_timeout;
        } else if (next == phase::writing || next == phase::closing) {
            patience += std::chrono::seconds(stream_->backlog() /
                                             owner_.options_.answer_bytes_per_second_min);
        }
        timer_.expires_after(patience);
        timer_.async_wait([weak = weak_from_this()](boost::system::error_code why) {
            if (const auto self = weak.lock(); self && !why && !self->gone_) {
                self->run_out_of_patience();
            }
        });
    }

    void run_out_of_patience() {
        if (websocket_) {
            return;  // the timer had fired when it was opened
        }
        if (phase_ == phase::writing || phase_ == phase::closing) {
            owner_.log(stream_->peer().address + ": takes its answer too slowly, cut off");
            abort();
            owner_.forget(*this);
            return;
        }
        exchange_.handle_timeout();
        proceed();
    }

    implementation& owner_;
    std::unique_ptr<net::byte_stream> stream_;
    http_exchange exchange_;
    std::shared_ptr<websocket_connection> websocket_;  // once it is one
    asio::steady_timer timer_;
    std::uint64_t answered_ = 0;
    phase phase_ = phase::begun;
    bool paused_ = false;
    bool gone_ = false;
};

void http_server::implementation::stop() noexcept {
    listener_->stop();
    stopped_ = true;
    for (const auto& each : connections_) {
        each->abort();
    }
    connections_.clear();
}

void http_server::implementation::accept(std::unique_ptr<net::byte_stream> stream) {
    if (stopped_ || connections_.size() >= options_.connections_max + refusals_max) {
        stream->abort();
        return;
    }
    bool busy = connections_.size() >= options_.connections_max;
    if (busy) {
        const auto idle = std::find_if(connections_.begin(), connections_.end(),
                                       [](const auto& each) { return each->is_idle(); });
        if (idle != connections_.end()) {
            (*idle)->abort();
            connections_.erase(idle);
            busy = false;
        } else {
            log("refused " + stream->peer().address + ": there are " +
                std::to_string(connections_.size()) + " connections");
        }
    }
    const auto made = std::make_shared<connection>(*this, std::move(stream));
    connections_.push_back(made);
    made->start(busy);
}

void http_server::implementation::forget(const connection& gone) {
    connections_.remove_if([&](const auto& each) { return each.get() == &gone; });
}

void http_server::implementation::note_answer(const connection& by) {
    const auto found = std::find_if(connections_.begin(), connections_.end(),
                                    [&](const auto& each) { return each.get() == &by; });
    if (found != connections_.end()) {
        connections_.splice(connections_.end(), connections_, found);
    }
}

http_server::http_server(boost::asio::io_context& context, const http_options& options,
                         std::vector<http_route> routes, std::vector<websocket_route> websockets)
    : implementation_(std::make_unique<implementation>(context, options, std::move(routes),
                                                       std::move(websockets))) {
    implementation_->start();
}

http_server::~http_server() { stop(); }

const std::string& http_server::listening() const { return implementation_->listening(); }

std::size_t http_server::connection_count() const { return implementation_->connection_count(); }

void http_server::stop() noexcept { implementation_->stop(); }

}  // namespace fleetarium::broker
