#include <fleetarium/client/client.hpp>
#include <fleetarium/core/assert.hpp>

#include <fuzz/drawn_bytes.hpp>
#include <fuzz/drawn_packets.hpp>
#include <fuzz/server_view.hpp>
#include <support/virtual_network.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// The client of the SDK in virtual time: an application that asks anything of it and gives it up
// again, servers that keep to the rules or break them, a network that refuses, stalls, loses and
// breaks. What the client writes is judged as a server would, over all its connections; each
// operation ends once, and no QoS 1 or 2 message ends well that no server has answered for.

namespace {

using namespace fleetarium;
using namespace std::chrono_literals;
using test::bytes;
using test::server_view;

namespace asio = boost::asio;

/// Whoever answers, at all hosts: the newest connection is the one that counts.
class any_server final : public test::memory_server, private net::byte_stream::events {
public:
    void accept(std::unique_ptr<net::byte_stream> stream) override {
        view = {};
        view.set_version(version);
        view.on_publish = on_publish;
        view.on_answered = on_answered;
        is_heard = true;
        stream_ = std::move(stream);
        is_open_ = true;
        stream_->start(*this);
    }

    void say(bytes_view raw) {
        if (is_open_ && !raw.empty()) {
            if (is_heard) {
                view.sent(raw);
            }
            wire_buffer out;
            out.append(raw);
            stream_->write(std::move(out));
        }
    }
    void close() {
        if (is_open_) {
            stream_->close();
        }
    }
    void abort() {
        if (is_open_) {
            is_open_ = false;
            stream_->abort();
        }
    }
    void pause(bool on) {
        if (is_open_ && on) {
            stream_->pause_reading();
        } else if (is_open_) {
            stream_->resume_reading();
        }
    }

    protocol_version version = protocol_version::v5;
    server_view view;
    bool is_heard = true;  // what it says comes to the client
    std::function<void(const publish&)> on_publish;
    std::function<void(const std::string&)> on_answered;
    std::function<void()> on_heard;

private:
    void on_bytes(bytes_view arrived) override {
        view.received(arrived);
        on_heard();
    }
    void on_drained() override {}
    void on_closed(boost::system::error_code) override { is_open_ = false; }

    std::unique_ptr<net::byte_stream> stream_;
    bool is_open_ = false;
};

class strange_authenticator final : public authenticator {
public:
    std::string method() const override { return "m"; }
    std::string begin() override { return "go on"; }
    std::optional<std::string> answer(bytes_view challenge) override {
        return as_text(challenge) == "fail" ? std::nullopt : std::optional<std::string>("right");
    }
    bool finish(bytes_view data) override { return as_text(data) != "fail"; }
};

class conversation {
public:
    explicit conversation(bytes_view all) : drawn_(all), packets_(drawn_) {}

    void play() {
        server_.on_heard = [this] {
            if (answers_at_once_) {
                answer_owed();
            }
        };
        server_.on_publish = [this](const publish& out) { note_publish(out); };
        server_.on_answered = [this](const std::string& payload) { answered_.insert(payload); };
        for (const char* const host : {"one", "two"}) {
            network_.serve(host, server_);
        }
        try {
            client_.emplace(network_, draw_config());
        } catch (const std::invalid_argument& why) {
            FLEETARIUM_ASSERT(std::string_view(why.what()).size() > 10);
            return;
        }
        client_->start();
        while (!drawn_.empty()) {
            step();
            network_.settle();
            check();
        }
        end();
    }

private:
    struct operation {
        bool done = false;
        asio::cancellation_signal signal;
        std::string payload;  // of a QoS 1 or 2 message
    };
    static constexpr std::size_t operations_max = 200;

    client_config draw_config() {
        static constexpr std::uint16_t windows[] = {1, 2, 10, 65'535};
        static constexpr std::uint32_t sizes[] = {20, 64, 1'000, 1U << 20};
        static constexpr std::size_t few[] = {0, 1, 3, 1'000};
        static constexpr std::size_t some_bytes[] = {1U << 20, 0, 300, 5'000};
        static constexpr int keep_alives[] = {0, 1, 10, 65'535};
        const std::uint16_t flags = drawn_.two_bytes();
        const auto flag = [&](unsigned bit) { return (flags >> bit & 1) != 0; };
        client_config made("mqtt://one");
        const bool v5 = !flag(0);
        server_.version = v5 ? protocol_version::v5 : protocol_version::v3_1_1;
        packets_.set_version(server_.version);
        made.version(server_.version).clean_start(!flag(1)).use_topic_aliases(flag(2));
        made.id(flag(3) ? "" : "c").keep_alive(std::chrono::seconds{drawn_.one_of(keep_alives)});
        made.reconnect(backoff().first(1s).max(8s).attempts(flag(4) ? 3 : 0));
        if (flag(5)) {
            made.or_else("mqtt://two");
        }
        if (flag(6) && v5) {
            made.follow_server_reference(true);
        }
        if (flag(7)) {
            made.queue(
                publish_queue_options()
                    .messages(drawn_.one_of(few))
                    .bytes(drawn_.one_of(some_bytes))
                    .when_full(drawn_.coin() ? queue_overflow::drop_oldest : queue_overflow::fail)
                    .qos_0(static_cast<qos_0_offline>(drawn_.below(3))));
            made.output_bytes_max(1 + drawn_.one_of(some_bytes));
        }
        if (flag(8) && v5) {
            made.receive_maximum(drawn_.one_of(windows)).maximum_packet_size(drawn_.one_of(sizes));
            made.topic_alias_maximum(static_cast<std::uint16_t>(drawn_.below(4)));
            made.session_expiry(std::chrono::seconds{drawn_.below(3) * 100});
        }
        if (flag(9) && v5) {
            made.authentication(std::make_shared<strange_authenticator>());
        }
        if (flag(10)) {
            made.will(last_will(kept(packets_.topic()), "gone", packets_.draw_qos()));
            made.user("ann", "secret");
        }
        answers_at_once_ = !flag(11);
        keeps_sessions_ = !flag(12);
        return made;
    }

    void step() {
        packets_.set_version(server_.version);
        switch (drawn_.below(24)) {
            case 0:
            case 1:
            case 2: publish_and_wait(); return;
            case 3: publish_now(); return;
            case 4: subscribe(); return;
            case 5: use_subscription(); return;
            case 6: request(); return;
            case 7: use_small_verb(); return;
            case 8: cancel(); return;
            case 9: advance(); return;
            case 10: change_network(); return;
            case 11: server_.say(drawn_.sized()); return;
            case 12: say_mutated(); return;
            case 13:
                answers_at_once_ = drawn_.coin();
                keeps_sessions_ = drawn_.coin();
                return;
            case 14: end_connection(); return;
            case 15:
            case 16:
            case 17: say_anything(); return;
            case 18: say_to_request(); return;
            case 19: redirect(); return;
            default: answer_owed(); return;
        }
    }

    // The application

    /// What all operations end with; of one type, for the compiler's sake.
    struct ending {
        conversation* in;
        operation* of;
        std::shared_ptr<int> held;  // a block of its own, which the client has to give back

        template <class... Results>
        void operator()(boost::system::error_code why, Results... results) const {
            FLEETARIUM_ASSERT(!of->done && held);
            of->done = true;
            if (!why && !of->payload.empty() && !in->has_lost_sight_) {
                FLEETARIUM_ASSERT(in->answered_.contains(of->payload));
            }
            (in->note(results), ...);
        }
    };
    using token = asio::cancellation_slot_binder<ending, asio::cancellation_slot>;

    template <class Begin>
    void begin(std::string payload, Begin&& start) {
        if (operations_.size() == operations_max) {
            return;
        }
        auto& made = *operations_.emplace_back(std::make_unique<operation>());
        made.payload = std::move(payload);
        start(token(made.signal.slot(), ending{this, &made, std::make_shared<int>(1)}));
    }
    static void note(const connection_info&) {}
    static void note(reason_code) {}
    static void note(const std::vector<reason_code>&) {}
    void note(const received_message& message) { look_at(message); }
    void note(fleetarium::subscription& made) { keep(std::move(made)); }

    publish_options draw_options() {
        publish_options made(packets_.draw_qos());
        const std::uint8_t flags = drawn_.byte();
        made.retain((flags & 1) != 0);
        if ((flags & 6) == 6) {
            made.expiry((flags & 8) != 0 ? 1s : 100s).content_type("t").user_property("k", "v");
        }
        return made;
    }
    /// Unlike any other.
    std::string draw_payload() {
        std::string made = "m" + std::to_string(++messages_);
        if (drawn_.below(8) == 0) {
            made.resize(std::size_t{4} * drawn_.byte(), 'x');
            made += "/" + std::to_string(messages_);
        }
        return made;
    }

    void publish_and_wait() {
        const publish_options options = draw_options();
        const std::string payload = draw_payload();
        const std::string topic = kept(packets_.topic());
        const bool judged = options.qos() != qos::at_most_once;
        begin(judged ? payload : "", [&](token by) {
            if (drawn_.below(4) == 0) {
                client_->async_publish(topic, payload, options, client_->within(3s, std::move(by)));
            } else {
                client_->async_publish(topic, payload, options, std::move(by));
            }
        });
    }
    void publish_now() {
        const publish_options options = draw_options();
        const std::string payload = draw_payload();
        static_cast<void>(client_->publish(packets_.topic(), payload, options));
    }

    void subscribe() {
        subscribe_options options(packets_.draw_qos());
        const std::uint8_t flags = drawn_.byte();
        options.buffer(1 + (flags & 3),
                       (flags & 4) != 0 ? overflow::pause_reading : overflow::drop_oldest);
        if ((flags & 8) != 0) {
            options.no_local().retained(retain_handling::do_not_send);
        }
        std::vector<std::string> filters;
        for (std::uint32_t count = 1 + drawn_.below(2); count != 0; --count) {
            filters.push_back(kept(packets_.filter()));
        }
        if ((flags & 16) != 0) {
            if (auto made = client_->subscribe(filters, options)) {
                keep(std::move(*made));
            }
            return;
        }
        begin("", [&](token by) { client_->async_subscribe(filters, options, std::move(by)); });
    }
    void keep(fleetarium::subscription made) {
        // One of nothing has no executor, and would call back in a thread of its own.
        if (made && subscriptions_.size() < 8) {
            subscriptions_.push_back(std::move(made));
        }
    }

    void use_subscription() {
        if (subscriptions_.empty()) {
            return;
        }
        const std::size_t at = drawn_.byte() % subscriptions_.size();
        fleetarium::subscription& of = subscriptions_[at];
        switch (drawn_.below(6)) {
            case 0: begin("", [&](token by) { of.async_receive(std::move(by)); }); return;
            case 1: begin("", [&](token by) { of.async_unsubscribe(std::move(by)); }); return;
            case 2: begin("", [&](token by) { of.async_answer(std::move(by)); }); return;
            case 3:
                subscriptions_.erase(subscriptions_.begin() + static_cast<std::ptrdiff_t>(at));
                return;
            default:
                while (const auto message = of.try_receive()) {
                    look_at(*message);
                    if (message->response_topic() && client_) {
                        static_cast<void>(client_->reply(*message, draw_payload()));
                    }
                }
                return;
        }
    }
    void look_at(const received_message& message) {
        sum_ += std::count(message.topic().begin(), message.topic().end(), '/');
        sum_ += std::count(message.payload().begin(), message.payload().end(), 'x');
        sum_ += static_cast<std::ptrdiff_t>(message.user_properties().size());
    }

    void request() {
        const std::string topic = kept(packets_.topic());
        const std::string payload = draw_payload();
        begin("", [&](token by) {
            client_->async_request(topic, payload, request_options(5s), std::move(by));
        });
    }

    void use_small_verb() {
        switch (drawn_.below(10)) {
            case 0: begin("", [&](token by) { client_->async_connect(std::move(by)); }); return;
            case 1: begin("", [&](token by) { client_->async_run(std::move(by)); }); return;
            case 2: {
                disconnect_options options;
                options.with_will(drawn_.below(4) == 0);
                begin("", [&](token by) { client_->async_disconnect(options, std::move(by)); });
                return;
            }
            case 3: begin("", [&](token by) { client_->async_flush(std::move(by)); }); return;
            case 4:
                begin("", [&](token by) { client_->async_reauthenticate(std::move(by)); });
                return;
            case 5:
                begin("", [&](token by) { client_->async_wait_for(2s, std::move(by)); });
                return;
            case 6: client_->retry_now(); return;
            default: client_->start(); return;
        }
    }

    void cancel() {
        static constexpr asio::cancellation_type types[] = {asio::cancellation_type::total,
                                                            asio::cancellation_type::partial,
                                                            asio::cancellation_type::terminal};
        if (!operations_.empty()) {
            operation& one = *operations_[drawn_.byte() % operations_.size()];
            one.signal.emit(drawn_.one_of(types));
        }
    }

    // The network

    void advance() {
        static constexpr duration steps[] = {1ms, 1s, 9s, 61s, 600s};
        network_.advance(drawn_.one_of(steps));
    }

    void change_network() {
        switch (drawn_.below(8)) {
            case 0: network_.set_mood("one", test::host_mood::refuses); return;
            case 1: network_.set_mood("one", test::host_mood::is_silent); return;
            case 2:
                network_.fall_silent();
                server_.is_heard = false;
                has_lost_sight_ = true;
                return;
            case 3:
                network_.stall(true);
                has_lost_sight_ = true;
                return;
            case 4: network_.stall(false); return;
            case 5:
                server_.pause(true);
                has_lost_sight_ = true;
                return;
            case 6: server_.pause(false); return;
            default: network_.set_mood("one", test::host_mood::accepts); return;
        }
    }

    void end_connection() {
        switch (drawn_.below(3)) {
            case 0: network_.cut(); return;
            case 1: server_.close(); return;
            default: server_.abort(); return;
        }
    }

    // The server

    template <class Packet>
    void say(const Packet& in) {
        last_ = test::encoded_or_none(in, server_.version);
        server_.say(last_);
    }

    /// As a server that keeps to the rules.
    void answer_owed() {
        for (const auto& each : std::exchange(server_.view.owed, {})) {
            answer(each);
        }
    }
    void answer(const server_view::owed_answer& to) {
        const std::uint16_t id = to.packet_id;
        const std::vector<reason_code> codes(to.count, reason_code::success);
        switch (to.to) {
            case packet_type::connect: {
                connack out;
                out.session_present = keeps_sessions_ && to.count != 0;
                say(out);
                return;
            }
            case packet_type::publish:
                if (to.count == 1) {
                    say(plain<puback>(id));
                } else {
                    say(plain<pubrec>(id));
                }
                return;
            case packet_type::pubrec: say(plain<pubrel>(id)); return;
            case packet_type::pubrel: say(plain<pubcomp>(id)); return;
            case packet_type::subscribe: {
                suback out;
                out.packet_id = id;
                out.codes = codes;
                say(out);
                return;
            }
            case packet_type::unsubscribe: {
                unsuback out;
                out.packet_id = id;
                out.codes = codes;
                say(out);
                return;
            }
            default: say(pingresp{}); return;
        }
    }
    template <class Acknowledgement>
    static Acknowledgement plain(std::uint16_t packet_id) {
        Acknowledgement made;
        made.packet_id = packet_id;
        return made;
    }

    void say_anything() {
        const std::uint16_t id = packets_.packet_id();
        switch (drawn_.below(14)) {
            case 0:
            case 1:
            case 2: say(packets_.make_publish()); return;
            case 3: say(packets_.make_acknowledgement<puback>(id)); return;
            case 4: say(packets_.make_acknowledgement<pubrec>(id)); return;
            case 5: say(packets_.make_acknowledgement<pubrel>(id)); return;
            case 6: say(packets_.make_acknowledgement<pubcomp>(id)); return;
            case 7: say(packets_.make_answer<suback>(id)); return;
            case 8: say(packets_.make_answer<unsuback>(id)); return;
            case 9: say(packets_.make_auth()); return;
            case 10: say(packets_.make_disconnect(true)); return;
            case 11: say(packets_.make_any()); return;
            default: say(packets_.make_connack()); return;
        }
    }

    void say_mutated() {
        bytes made = last_;
        if (!made.empty()) {
            made[drawn_.byte() % made.size()] = drawn_.byte();
        }
        server_.say(made);
    }

    /// The response to the last request, right or nearly.
    void say_to_request() {
        publish out;
        out.topic = response_topic_;
        bytes correlation = correlation_;
        if (drawn_.below(4) == 0 && !correlation.empty()) {
            correlation.back() = drawn_.byte();
        }
        out.correlation_data = bytes_view(correlation);
        out.payload = as_bytes_view(std::string_view("response"));
        if (!response_topic_.empty()) {
            say(out);
        }
    }

    void redirect() {
        static constexpr std::string_view places[] = {"two", "one", "mqtt://two", "two:1 one", ""};
        const std::string_view place = drawn_.one_of(places);
        const reason_code code =
            drawn_.coin() ? reason_code::use_another_server : reason_code::server_moved;
        if (drawn_.coin()) {
            connack out;
            out.code = code;
            out.server_reference = place;
            say(out);
        } else {
            disconnect out;
            out.code = code;
            out.server_reference = place;
            say(out);
        }
    }

    // The judge

    void note_publish(const publish& out) {
        if (out.response_topic) {
            response_topic_ = *out.response_topic;
            correlation_.clear();
            if (out.correlation_data) {
                correlation_.assign(out.correlation_data->begin(), out.correlation_data->end());
            }
        }
        // Once, but for QoS 1 after the server has lost the session.
        if (!out.dup && out.qos != qos::at_least_once) {
            FLEETARIUM_ASSERT(begun_.insert(std::string(as_text(out.payload))).second);
        }
    }

    void check() {
        for (const fleetarium::subscription& each : subscriptions_) {
            FLEETARIUM_ASSERT(each.buffered() <= 4 + 4'096);  // see overflow::pause_reading
        }
        FLEETARIUM_ASSERT(client_->in_flight() <= messages_);
        FLEETARIUM_ASSERT(client_->queued() <= messages_ && network_.open_links() <= 2);
        std::erase_if(operations_, [](const auto& each) { return each->done; });
    }

    void end() {
        network_.stall(false);
        if (drawn_.coin()) {
            subscriptions_.clear();
        }
        client_.reset();
        network_.settle();
        for (const auto& each : operations_) {
            FLEETARIUM_ASSERT(each->done);
        }
        for (fleetarium::subscription& each : subscriptions_) {
            while (const auto message = each.try_receive()) {
                look_at(*message);
            }
        }
    }

    std::string kept(std::string_view text) { return std::string(text); }

    test::drawn_bytes drawn_;
    test::drawn_packets packets_;
    std::vector<std::unique_ptr<operation>> operations_;
    test::virtual_network network_;
    any_server server_;
    std::optional<client> client_;
    std::vector<fleetarium::subscription> subscriptions_;
    bool answers_at_once_ = false;
    bool keeps_sessions_ = false;
    bool has_lost_sight_ = false;  // the server may not have seen what the client has said
    bytes last_{0xD0, 0x00};
    std::size_t messages_ = 0;
    std::set<std::string> begun_;     // payloads
    std::set<std::string> answered_;  // payloads
    std::string response_topic_;
    bytes correlation_;
    std::ptrdiff_t sum_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    conversation({data, size}).play();
    return 0;
}
