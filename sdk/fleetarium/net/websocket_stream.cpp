#include <fleetarium/net/websocket_stream.hpp>

#include <fleetarium/net/beast_carrier.hpp>
#include <fleetarium/net/deadline.hpp>
#include <fleetarium/net/websocket_upgrade.hpp>

#include <boost/asio/post.hpp>
#include <boost/asio/query.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/websocket/stream.hpp>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace fleetarium::net {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;

/// What all streams of an execution context share, since none of them needs it between events:
/// memory that payloads are read into, and the list of parts of a write.
class websocket_scratch final : public asio::execution_context::service {
public:
    using key_type = websocket_scratch;
    static asio::execution_context::id id;

    explicit websocket_scratch(asio::execution_context& owner)
        : service(owner), bytes(std::make_unique_for_overwrite<std::uint8_t[]>(size)) {}

    static constexpr std::size_t size = 64 * 1024;
    std::unique_ptr<std::uint8_t[]> bytes;
    std::vector<asio::const_buffer> parts;
    bool in_use = false;

private:
    void shutdown() override {}
};

asio::execution_context::id websocket_scratch::id;

class scratch_use {
public:
    explicit scratch_use(websocket_scratch& of) : of_(of) { of_.in_use = true; }
    scratch_use(const scratch_use&) = delete;
    scratch_use& operator=(const scratch_use&) = delete;
    ~scratch_use() { of_.in_use = false; }

private:
    websocket_scratch& of_;
};

/// Finds where MQTT packets end in bytes that come in parts; the first begins a packet.
class packet_ruler {
public:
    /// How many of these bytes belong to the packet at hand; at least one.
    std::size_t measure(bytes_view part) {
        std::size_t count = 0;
        while (header_ != header::read && count < part.size()) {
            const std::uint8_t byte = part[count++];
            if (header_ == header::type) {
                header_ = header::length;
                left_ = 0;
                shift_ = 0;
                continue;
            }
            left_ += static_cast<std::size_t>(byte & 0x7FU) << shift_;
            shift_ += 7;
            if ((byte & 0x80U) == 0 || shift_ == 28) {
                header_ = header::read;
            }
        }
        if (header_ != header::read) {
            return count;
        }
        const std::size_t body = std::min(left_, part.size() - count);
        left_ -= body;
        if (left_ == 0) {
            header_ = header::type;
        }
        return count + body;
    }

    /// Whether the packet at hand ended with what was measured last.
    bool at_end() const { return header_ == header::type; }

private:
    enum class header : std::uint8_t { type, length, read };

    std::size_t left_ = 0;
    unsigned shift_ = 0;
    header header_ = header::type;
};

/// The parts of a buffer as Beast wants to see them.
struct buffer_range {
    using value_type = asio::const_buffer;
    using const_iterator = const asio::const_buffer*;
    const_iterator first;
    const_iterator last;
    const_iterator begin() const { return first; }
    const_iterator end() const { return last; }
};

/// Beast runs within the carrier's events and our calls, see beast_carrier. Bytes that it has read
/// are told after it came to rest, so whatever is called from within an event finds it at rest.
///
/// A read that waits points into the scratch memory of the context, which other streams write to
/// in between: harmless, as it has not read anything yet.
class websocket_stream final : public byte_stream, private byte_stream::events {
public:
    using events = byte_stream::events;

    websocket_stream(std::unique_ptr<byte_stream> carrier, const asio::any_io_executor& executor)
        : carrier_(std::move(carrier)),
          executor_(executor),
          scratch_(asio::use_service<websocket_scratch>(
              asio::query(executor, asio::execution::context))),
          link_(asio::query(executor, asio::execution::context)),
          websocket_(link_) {
        websocket_.binary(true);  // v5/MQTT-6.0.0-1
        websocket_.auto_fragment(false);
        websocket_.read_message_max(0);  // nothing of a message is kept here
        // What a client masks in, piece by piece, and keeps; pieces cost next to nothing here.
        websocket_.write_buffer_bytes(1024);
    }

    /// A server's side.
    void serve(const std::string& path, const origin_check& may_ask) {
        upgrade_ = std::make_unique<websocket_upgrade>(path, may_ask);
        // v5/MQTT-6.0.0-4
        websocket_.set_option(websocket::stream_base::decorator([](websocket::response_type& to) {
            to.set(http::field::server, "Fleetarium");
            to.set(http::field::sec_websocket_protocol, "mqtt");
        }));
    }

    /// A client's side.
    void ask(const std::string& host, const std::string& path) {
        question_ = std::make_unique<question>();
        question_->host = host;
        question_->path = path;
        // v5/MQTT-6.0.0-3
        websocket_.set_option(websocket::stream_base::decorator([](websocket::request_type& to) {
            to.set(http::field::user_agent, "Fleetarium");
            to.set(http::field::sec_websocket_protocol, "mqtt");
        }));
    }

    void start(events& to) override {
        to_ = &to;
        carrier_->start(*this);
        if (question_ != nullptr) {
            websocket_.async_handshake(
                question_->answer, question_->host, question_->path,
                [this](boost::system::error_code error) { finish_question(error); });
            send_output();
        }
    }

    void write(wire_buffer bytes) override {
        if (state_ == state::ended || leaving_ || bytes.empty()) {
            return;
        }
        if (state_ == state::handshake) {
            kept_.append(std::move(bytes));
            return;
        }
        write_messages(bytes);
        send_output();
    }

    std::size_t backlog() const override { return kept_.size() + carrier_->backlog(); }

    void pause_reading() override {
        paused_ = true;
        carrier_->pause_reading();
    }

    void resume_reading() override {
        paused_ = false;
        if (must_go_on()) {
            go_on_later();
        } else {
            carrier_->resume_reading();
        }
    }

    void close() override {
        if (state_ == state::ended || leaving_) {
            return;
        }
        leaving_ = true;
        if (is_open()) {
            say_farewell(websocket::close_code::normal);
            end();
        } else if (!kept_.empty() && to_ != nullptr) {
            resume_reading();  // what was written goes out after the handshake
            deadline_.start(executor_, close_timeout, [this] { cut_off(); });
        } else {
            end();
        }
    }

    void abort() noexcept override {
        state_ = state::ended;
        to_ = nullptr;
        kept_.clear();
        deadline_.cancel();
        carrier_->abort();
    }

    peer_facts peer() const override { return carrier_->peer(); }

private:
    enum class state : std::uint8_t { handshake, open, ended };

    /// A client's request for a WebSocket, and what the server says to it.
    struct question {
        std::string host;
        std::string path;
        websocket::response_type answer;
    };

    void on_bytes(bytes_view bytes) override {
        if (state_ == state::ended || bytes.empty()) {
            return;
        }
        if (paused_ || must_go_on() || scratch_.in_use) {
            // What the carrier had already when it was paused, or an event within an event of
            // another stream: in its turn.
            held_ += as_text(bytes);
            carrier_->pause_reading();
            if (!paused_) {
                go_on_later();
            }
            return;
        }
        take(bytes);
    }

    void on_drained() override {
        if (to_ != nullptr && kept_.empty()) {
            to_->on_drained();
        }
    }

    void on_closed(boost::system::error_code why) override {
        if (failure_) {
            why = failure_;
        } else if (leaving_ && why == asio::error::eof) {
            why = {};  // both ends have closed; whose end is told first does not matter
        } else if (farewell_ && !leaving_) {
            why = asio::error::eof;
        } else if (state_ == state::handshake && !leaving_) {
            why = websocket_error::closed_in_handshake;
        }
        deadline_.cancel();
        kept_.clear();
        state_ = state::ended;
        if (events* const to = std::exchange(to_, nullptr)) {
            to->on_closed(why);  // may destroy this
        }
    }

    void take(bytes_view bytes) {
        {
            const scratch_use use(scratch_);
            if (upgrade_ == nullptr) {
                take_frames(bytes);
            } else if (auto verdict = upgrade_->read(bytes)) {
                upgrade_.reset();
                if (accept(*verdict)) {
                    take_frames(as_bytes_view(verdict->rest));
                }
            }
        }
        send_output();
        if (state_ == state::ended || !(failure_ || farewell_ || (leaving_ && is_open()))) {
            return;
        }
        if (leaving_ && !failure_) {
            farewell_code_ = websocket::close_code::normal;  // the handshake was all it waited for
        }
        if (is_open() && farewell_code_ != websocket::close_code::none) {
            say_farewell(farewell_code_);
        }
        end();
    }

    void take_frames(bytes_view bytes) {
        const bool was_open = is_open();
        link_.give_input(bytes);
        do {
            if (is_open() && !reading_) {
                read_from(0);
            }
            link_.run();
            if (was_open) {
                count_pongs();
            }
            send_output();
            tell_drained();
            tell_bytes();
            // Where the memory was full there is more to read.
        } while (is_open() && !reading_ && !failure_ && !farewell_ && !paused_);
        const bytes_view rest = link_.take_input();
        if (state_ != state::ended && !rest.empty()) {
            held_ = as_text(rest);
        }
    }

    /// Whether there is more to tell without another byte from the carrier: the reader paused
    /// while bytes were left over, here or in Beast.
    bool must_go_on() const {
        return !held_.empty() || (is_open() && !reading_ && !failure_ && !farewell_);
    }

    void go_on_later() {
        if (alive_ == nullptr) {
            alive_ = std::make_shared<char>();
        }
        asio::post(executor_, [this, alive = std::weak_ptr<char>(alive_)] {
            if (!alive.expired()) {
                go_on();
            }
        });
    }

    void go_on() {
        if (state_ == state::ended || paused_ || !must_go_on()) {
            return;
        }
        if (scratch_.in_use) {
            go_on_later();
            return;
        }
        const std::string held = std::exchange(held_, {});
        take(as_bytes_view(held));
        if (state_ != state::ended && !paused_) {
            carrier_->resume_reading();
        }
    }

    /// Whether the handshake is done now.
    bool accept(websocket_upgrade::verdict& verdict) {
        if (verdict.refused) {
            failure_ = verdict.refused;
            wire_buffer answer;
            answer.append(as_bytes_view(verdict.answer));
            carrier_->write(std::move(answer));
            return false;
        }
        boost::system::error_code error;
        websocket_.accept(verdict.request, error);
        if (error) {
            failure_ = websocket_error::bad_request;  // Beast has answered it
            return false;
        }
        open();
        return true;
    }

    void finish_question(boost::system::error_code error) {
        const std::unique_ptr<question> asked = std::move(question_);
        if (error == websocket::error::upgrade_declined) {
            failure_ = make_upgrade_refused(asked->answer.result_int());
        } else if (error) {
            failure_ = websocket_error::not_a_websocket_server;
        } else if (asked->answer[http::field::sec_websocket_protocol] != "mqtt") {
            failure_ = websocket_error::subprotocol_not_taken;
        } else {
            open();
        }
    }

    void open() {
        state_ = state::open;
        if (!kept_.empty()) {
            had_kept_ = true;
            write_messages(std::exchange(kept_, {}));
        }
        send_output();
    }

    void read_from(std::size_t offset) {
        first_ = offset;
        filled_ = offset;
        read_on();
    }

    void read_on() {
        reading_ = true;
        websocket_.async_read_some(
            asio::mutable_buffer(scratch_.bytes.get() + filled_, websocket_scratch::size - filled_),
            [this](boost::system::error_code error, std::size_t count) {
                finish_read(error, count);
            });
    }

    void finish_read(boost::system::error_code error, std::size_t count) {
        constexpr std::size_t room_min = 16 * 1024;
        reading_ = false;
        if (error == websocket::error::closed) {
            farewell_ = true;  // Beast has answered it
        } else if (error) {
            failure_ = error;                // Beast has told the peer
        } else if (websocket_.got_text()) {  // v5/MQTT-6.0.0-1
            failure_ = websocket_error::text_frame;
            farewell_code_ = websocket::close_code::unknown_data;
        } else {
            filled_ += count;
            if (websocket_scratch::size - filled_ >= room_min) {
                read_on();  // otherwise what is there is told first
            }
        }
    }

    void tell_bytes() {
        if (first_ == filled_ || to_ == nullptr || leaving_) {
            return;
        }
        const bytes_view read(scratch_.bytes.get() + first_, filled_ - first_);
        first_ = filled_;
        to_->on_bytes(read);
    }

    void tell_drained() {
        if (std::exchange(had_kept_, false) && to_ != nullptr && !leaving_ && backlog() == 0) {
            to_->on_drained();
        }
    }

    /// Beast answers each ping. Who sends them and never reads would fill the carrier's backlog.
    void count_pongs() {
        constexpr std::size_t bytes_max = 64 * 1024;
        if (!link_.has_output()) {
            return;
        }
        if (carrier_->backlog() == 0) {
            unread_pong_bytes_ = 0;
        }
        unread_pong_bytes_ += link_.output_size();
        if (unread_pong_bytes_ > bytes_max && !failure_) {
            failure_ = websocket_error::too_many_pings;
            farewell_code_ = websocket::close_code::policy_error;
        }
    }

    /// A message for each MQTT packet, since there are clients that see a second one in a frame
    /// only when the next frame comes: Paho's in C and C++, as Debian has them. What is no whole
    /// packet is a message too.
    void write_messages(const wire_buffer& bytes) {
        std::vector<asio::const_buffer>& parts = scratch_.parts;
        parts.clear();
        packet_ruler ruler;
        bytes.for_each_part([&](bytes_view part) {
            while (!part.empty()) {
                const std::size_t count = ruler.measure(part);
                parts.emplace_back(part.data(), count);
                part = part.subspan(count);
                if (ruler.at_end()) {
                    write_message(parts);
                }
            }
        });
        if (!parts.empty()) {
            write_message(parts);
        }
    }

    void write_message(std::vector<asio::const_buffer>& parts) {
        boost::system::error_code ignored;  // of a stream that Beast has closed
        websocket_.write(buffer_range{parts.data(), parts.data() + parts.size()}, ignored);
        parts.clear();
    }

    /// The close frame; the peer's is not awaited.
    void say_farewell(websocket::close_code code) {
        websocket_.async_close(code, [](boost::system::error_code) {});
        send_output();
    }

    void send_output() {
        if (link_.has_output()) {
            carrier_->write(link_.take_output());
        }
    }

    void end() {
        state_ = state::ended;
        kept_.clear();
        held_.clear();
        deadline_.cancel();
        carrier_->close();
    }

    /// The peer does not finish the handshake that `close` waits for.
    void cut_off() {
        events* const to = to_;
        abort();
        to->on_closed(asio::error::timed_out);  // may destroy this
    }

    bool is_open() const { return state_ == state::open; }

    std::unique_ptr<byte_stream> carrier_;
    asio::any_io_executor executor_;
    websocket_scratch& scratch_;
    beast_link link_;
    websocket::stream<beast_carrier, false> websocket_;
    std::unique_ptr<websocket_upgrade> upgrade_;  // a server's, until it has the request
    std::unique_ptr<question> question_;          // a client's, until it has the answer
    events* to_ = nullptr;
    wire_buffer kept_;             // until the handshake is done
    std::string held_;             // came from the carrier and waits for its turn
    std::shared_ptr<char> alive_;  // for what is posted
    boost::system::error_code failure_;
    deadline deadline_;      // of a handshake, when closing waits for it
    std::size_t first_ = 0;  // where in the scratch memory lies what is to be told
    std::size_t filled_ = 0;
    std::size_t unread_pong_bytes_ = 0;
    websocket::close_code farewell_code_ = websocket::close_code::none;
    state state_ = state::handshake;
    bool reading_ = false;
    bool paused_ = false;
    bool had_kept_ = false;
    bool farewell_ = false;  // the peer's
    bool leaving_ = false;   // `close` was called
};

}  // namespace

std::unique_ptr<byte_stream> make_websocket_server_stream(std::unique_ptr<byte_stream> carrier,
                                                          const asio::any_io_executor& executor,
                                                          const std::string& path,
                                                          const origin_check& may_ask) {
    auto made = std::make_unique<websocket_stream>(std::move(carrier), executor);
    made->serve(path, may_ask);
    return made;
}

std::unique_ptr<byte_stream> make_websocket_client_stream(std::unique_ptr<byte_stream> carrier,
                                                          const asio::any_io_executor& executor,
                                                          const std::string& host,
                                                          const std::string& path) {
    auto made = std::make_unique<websocket_stream>(std::move(carrier), executor);
    made->ask(host, path);
    return made;
}

}  // namespace fleetarium::net
