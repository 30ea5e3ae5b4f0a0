#include <fleetarium/feed/remote_link.hpp>

#include <fleetarium/feed/feed_types.hpp>
#include <fleetarium/feed/shallow_json.hpp>
#include <fleetarium/feed/source.hpp>
#include <fleetarium/server/http_access.hpp>

#include <boost/asio/executor_work_guard.hpp>  // tidy: allow(include)
#include <boost/asio/io_context.hpp>           // tidy: allow(include)
#include <boost/asio/ip/tcp.hpp>               // tidy: allow(include)
#include <boost/asio/post.hpp>                 // tidy: allow(include)
#include <boost/asio/steady_timer.hpp>         // tidy: allow(include)
#include <boost/beast/core/flat_buffer.hpp>    // tidy: allow(include)
#include <boost/beast/core/tcp_stream.hpp>     // tidy: allow(include)
#include <boost/beast/websocket/stream.hpp>    // tidy: allow(include)

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

namespace fleetarium::feed {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;
using tcp = asio::ip::tcp;

constexpr std::size_t bytes_max = std::size_t{64} << 20;
/// The other side has an upper bound of 64.
constexpr std::size_t open_questions_max = 48;
constexpr std::chrono::milliseconds first_pause{500};
constexpr std::chrono::milliseconds longest_pause{8'000};
constexpr std::chrono::seconds connect_limit{10};

bool is_port(const std::string& text) {
    return !text.empty() && text.size() <= 5 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
           std::stoi(text) >= 1 && std::stoi(text) <= 65'535;
}

[[noreturn]] void wrong_address(const std::string& url, const std::string& expected) {
    throw std::invalid_argument("found \"" + url + "\", expected " + expected);
}

}  // namespace

std::string feed_address::text() const {
    return host.find(':') == std::string::npos ? host + ":" + port : "[" + host + "]:" + port;
}

feed_address parse_feed_address(const std::string& url) {
    std::string rest = url;
    const std::size_t scheme_end = rest.find("://");
    if (scheme_end != std::string::npos) {
        const std::string scheme = rest.substr(0, scheme_end);
        if (scheme == "https" || scheme == "wss") {
            wrong_address(url, "http://HOST:PORT; for encryption use a tunnel, such as ssh -L");
        }
        if (scheme != "http" && scheme != "ws") {
            wrong_address(url, "http://HOST:PORT, as run --http and broker --http print it");
        }
        rest.erase(0, scheme_end + 3);
    }
    rest = rest.substr(0, rest.find_first_of("/?#"));
    const std::size_t colon = rest.rfind(':');
    feed_address out;
    if (colon != std::string::npos) {
        out.host = rest.substr(0, colon);
        out.port = rest.substr(colon + 1);
    }
    if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']') {
        out.host = out.host.substr(1, out.host.size() - 2);
    }
    if (out.host.empty() || !is_port(out.port)) {
        wrong_address(url, "http://HOST:PORT with a port from 1 to 65535");
    }
    return out;
}

class remote_link::implementation {
public:
    implementation(feed_address to, std::string token)
        : to_(std::move(to)),
          token_(std::move(token)),
          resolver_(context_),
          pause_timer_(context_),
          keep_(asio::make_work_guard(context_)) {
        asio::post(context_, [this] { connect(); });
        thread_ = std::thread([this] { context_.run(); });
    }

    ~implementation() {
        asio::post(context_, [this] {
            keep_.reset();
            context_.stop();
        });
        thread_.join();
    }

    // ---------------------------------------------------------------- of the viewer's thread

    void ask(const question_entry& which, std::any question, answer_handler told) {
        const std::lock_guard lock(mutex_);
        const std::uint64_t id = ++last_id_;
        pending_.emplace(id, asked{&which, std::move(question), std::move(told), false});
        asio::post(context_, [this] { write(); });
    }

    std::size_t receive() {
        std::deque<answered> arrived;
        {
            const std::lock_guard lock(mutex_);
            arrived.swap(answers_);
        }
        for (const answered& each : arrived) {
            each.told(each.answer, each.error);
        }
        return arrived.size();
    }

    void on_arrival(std::function<void()> call) { arrival_.set(std::move(call)); }

    state connection() const {
        const std::lock_guard lock(mutex_);
        return state_;
    }

    std::string trouble() const {
        const std::lock_guard lock(mutex_);
        return trouble_;
    }

private:
    struct asked {
        const question_entry* which;
        std::any question;
        answer_handler told;
        bool is_sent;
    };
    struct answered {
        answer_handler told;
        std::any answer;
        std::string error;
    };
    using stream = websocket::stream<beast::tcp_stream>;

    // ---------------------------------------------------------------------- of our own thread

    void connect() {
        resolver_.async_resolve(
            to_.host, to_.port,
            [this](const error_code& failed, const tcp::resolver::results_type& found) {
                if (failed) {
                    fail("cannot find " + to_.host + ": " + failed.message());
                    return;
                }
                stream_.emplace(context_);
                stream_->next_layer().expires_after(connect_limit);
                stream_->next_layer().async_connect(
                    found, [this](const error_code& refused, const tcp::endpoint&) {
                        if (refused) {
                            fail("cannot connect to " + to_.text() + ": " + refused.message());
                            return;
                        }
                        shake_hands();
                    });
            });
    }

    void shake_hands() {
        stream_->next_layer().expires_never();  // the stream has time limits of its own
        stream_->set_option(
            websocket::stream_base::timeout{connect_limit, std::chrono::seconds{20}, true});
        stream_->set_option(
            websocket::stream_base::decorator([this](websocket::request_type& request) {
                std::string protocols = std::string(feed_protocol) + ".cbor";
                if (!token_.empty()) {
                    // In base64url: a token may have characters that no subprotocol has.
                    protocols += ", " + std::string(broker::token_subprotocol) +
                                 broker::base64url(token_);
                }
                request.set(beast::http::field::sec_websocket_protocol, protocols);
            }));
        stream_->read_message_max(bytes_max);
        stream_->binary(true);
        response_ = {};
        stream_->async_handshake(response_, to_.text(), "/feed", [this](const error_code& failed) {
            if (failed) {
                fail(why_refused(failed));
                return;
            }
            {
                const std::lock_guard lock(mutex_);
                state_ = state::connected;
                trouble_.clear();
            }
            pause_ = first_pause;
            arrival_.tell();
            read();
            write();
        });
    }

    std::string why_refused(const error_code& failed) const {
        if (failed != websocket::error::upgrade_declined) {
            return to_.text() + " does not answer as a feed: " + failed.message();
        }
        const unsigned status = response_.result_int();
        if (status == 401 || status == 403) {
            return to_.text() + (token_.empty() ? " wants a token: --token-file FILE"
                                                : " does not take this token");
        }
        return fmt::format("{} has no feed: it answers {}", to_.text(), status);
    }

    void read() {
        stream_->async_read(buffer_, [this](const error_code& failed, std::size_t) {
            if (failed) {
                fail("the connection to " + to_.text() + " broke: " + failed.message());
                return;
            }
            const auto* const bytes = static_cast<const std::uint8_t*>(buffer_.data().data());
            const bool is_understood = take(bytes, buffer_.size());
            buffer_.consume(buffer_.size());
            if (!is_understood) {
                fail(to_.text() + " sent something that is no answer of a feed");
                return;
            }
            read();
            write();
        });
    }

    /// False: nothing that a feed says.
    bool take(const std::uint8_t* bytes, std::size_t size) {
        const nlohmann::json message =
            read_shallow({reinterpret_cast<const char*>(bytes), size}, answer_form::cbor);
        if (!message.is_object() || !message.contains("id") ||
            !message["id"].is_number_unsigned()) {
            return false;
        }
        asked of;
        {
            const std::lock_guard lock(mutex_);
            const auto found = pending_.find(message["id"].get<std::uint64_t>());
            if (found == pending_.end()) {
                return true;  // of a connection before
            }
            of = std::move(found->second);
            pending_.erase(found);
        }
        --open_;
        answered made{std::move(of.told), {}, {}};
        try {
            if (message.contains("answer")) {
                made.answer = of.which->answer_value(message["answer"]);
            } else {
                made.error = message.value("error", "the source says neither answer nor error");
            }
        } catch (const std::exception& error) {
            made.error =
                std::string(of.which->name) + ": the answer is of another version: " + error.what();
        }
        {
            const std::lock_guard lock(mutex_);
            answers_.push_back(std::move(made));
        }
        arrival_.tell();
        return true;
    }

    void write() {
        if (is_writing_ || connection() != state::connected || open_ >= open_questions_max) {
            return;
        }
        nlohmann::json message;
        {
            const std::lock_guard lock(mutex_);
            const auto next = std::find_if(pending_.begin(), pending_.end(),
                                           [](const auto& each) { return !each.second.is_sent; });
            if (next == pending_.end()) {
                return;
            }
            next->second.is_sent = true;
            message = {{"id", next->first},
                       {"ask", next->second.which->name},
                       {"with", next->second.which->question_json(next->second.question)}};
        }
        ++open_;
        out_.clear();
        nlohmann::json::to_cbor(message, out_);
        is_writing_ = true;
        stream_->async_write(asio::buffer(out_), [this](const error_code& failed, std::size_t) {
            is_writing_ = false;
            if (!failed) {  // else the reader learns of it
                write();
            }
        });
    }

    void fail(const std::string& why) {
        {
            const std::lock_guard lock(mutex_);
            state_ = state::lost;
            trouble_ = fmt::format("{}; trying again every {:.2g} s", why,
                                   std::chrono::duration<double>(pause_).count());
            for (auto each = pending_.begin(); each != pending_.end();) {
                if (each->second.which->is_command && each->second.is_sent) {
                    answers_.push_back(
                        {std::move(each->second.told),
                         {},
                         std::string(each->second.which->name) +
                             ": the feed was lost before it said whether this was done"});
                    each = pending_.erase(each);
                } else {
                    each->second.is_sent = false;
                    ++each;
                }
            }
        }
        open_ = 0;
        arrival_.tell();
        beast::error_code ignored;
        if (stream_) {
            stream_->next_layer().socket().close(ignored);
        }
        buffer_.clear();
        pause_timer_.expires_after(pause_);
        pause_ = std::min(pause_ * 2, longest_pause);
        pause_timer_.async_wait([this](const error_code& cancelled) {
            if (!cancelled) {
                connect();
            }
        });
    }

    const feed_address to_;
    const std::string token_;

    mutable std::mutex mutex_;
    std::map<std::uint64_t, asked> pending_;
    std::deque<answered> answers_;
    arrival_call arrival_;
    std::uint64_t last_id_ = 0;
    state state_ = state::connecting;
    std::string trouble_;

    asio::io_context context_{1};
    tcp::resolver resolver_;
    asio::steady_timer pause_timer_;
    asio::executor_work_guard<asio::io_context::executor_type> keep_;
    std::optional<stream> stream_;
    websocket::response_type response_;
    beast::flat_buffer buffer_;
    std::string out_;
    std::chrono::milliseconds pause_ = first_pause;
    std::size_t open_ = 0;
    bool is_writing_ = false;
    std::thread thread_;
};

remote_link::remote_link(const feed_address& to, const std::string& token)
    : implementation_(std::make_unique<implementation>(to, token)) {}
remote_link::~remote_link() = default;

std::size_t remote_link::receive() { return implementation_->receive(); }
void remote_link::on_arrival(std::function<void()> call) {
    implementation_->on_arrival(std::move(call));
}
source_link::state remote_link::connection() const { return implementation_->connection(); }
std::string remote_link::trouble() const { return implementation_->trouble(); }
void remote_link::send(const question_entry& which, std::any question, answer_handler answered) {
    implementation_->ask(which, std::move(question), std::move(answered));
}

}  // namespace fleetarium::feed
