#include <fleetarium/core/assert.hpp>
#include <fleetarium/session/client_session.hpp>

#include <fuzz/drawn_bytes.hpp>
#include <fuzz/drawn_packets.hpp>
#include <fuzz/server_view.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

// A client session and a server that may do anything: right answers, wrong ones, garbage, silence.
// What the client writes is judged as a server would; of each message that it took on it has to say
// what became of it, once.

namespace {

using namespace fleetarium;
using namespace std::chrono_literals;
using test::bytes;

constexpr std::uint32_t queue_max = 6;

class conversation {
public:
    explicit conversation(bytes_view all)
        : drawn_(all), packets_(drawn_), options_(draw_options()), client_(options_) {}

    void play() {
        while (!drawn_.empty()) {
            step();
            settle();
        }
        client_.handle_closed(now_);
        client_.lose_memory();
        settle();
        FLEETARIUM_ASSERT(under_way_.empty());
        FLEETARIUM_ASSERT(client_.in_flight() == 0 && client_.queued() == 0);
        FLEETARIUM_ASSERT(!client_.is_open());
    }

private:
    client_options draw_options() {
        client_options made;
        made.queue_messages_max = queue_max;
        made.use_topic_aliases = drawn_.coin();
        return made;
    }

    void step() {
        packets_.set_version(version_);
        switch (drawn_.below(16)) {
            case 0:
            case 1: connect(); return;
            case 2:
            case 3:
            case 4: publish(); return;
            case 5: static_cast<void>(client_.subscribe(packets_.make_subscribe(), now_)); return;
            case 6:
                static_cast<void>(client_.unsubscribe(packets_.make_unsubscribe(), now_));
                return;
            case 7: use_small_verb(); return;
            case 8: advance(); return;
            case 9: close(); return;
            case 10: feed(drawn_.sized()); return;
            case 11: {
                bytes made = last_;
                if (!made.empty()) {
                    made[drawn_.byte() % made.size()] = drawn_.byte();
                }
                feed(made);
                return;
            }
            default: answer(); return;
        }
    }

    void connect() {
        const fleetarium::connect request = packets_.make_connect();
        if (client_.connect(request, now_)) {
            version_ = request.version;
            server_ = {};
            server_.set_version(version_);
            if (drawn_.below(4) != 0) {
                say(packets_.make_connack());
            }
        }
    }

    void publish() {
        const fleetarium::publish message = packets_.make_publish();
        const std::size_t held = client_.in_flight() + client_.queued();
        const std::uint64_t number = ++numbers_;
        const auto done = client_.publish(message, now_, number);
        if (done && message.qos != qos::at_most_once) {
            FLEETARIUM_ASSERT(held < queue_max);
            under_way_.insert(number);
            settle_dropped();
        }
    }

    void use_small_verb() {
        switch (drawn_.below(4)) {
            case 0: static_cast<void>(client_.ping(now_)); return;
            case 1:
                static_cast<void>(client_.disconnect(packets_.make_disconnect(false), now_));
                return;
            case 2: static_cast<void>(client_.authenticate(packets_.make_auth(), now_)); return;
            default:
                if (!client_.is_open()) {
                    client_.lose_memory();
                }
                return;
        }
    }

    void answer() {
        const std::uint16_t id = packets_.packet_id();
        switch (drawn_.below(12)) {
            case 0: say(packets_.make_publish()); return;
            case 1: say(packets_.make_publish()); return;
            case 2: say(packets_.make_acknowledgement<puback>(id)); return;
            case 3: say(packets_.make_acknowledgement<pubrec>(id)); return;
            case 4: say(packets_.make_acknowledgement<pubrel>(id)); return;
            case 5: say(packets_.make_acknowledgement<pubcomp>(id)); return;
            case 6: say(packets_.make_answer<suback>(id)); return;
            case 7: say(packets_.make_answer<unsuback>(id)); return;
            case 8: say(pingresp{}); return;
            case 9: say(packets_.make_auth()); return;
            case 10: say(packets_.make_disconnect(true)); return;
            default: say(packets_.make_connack()); return;
        }
    }

    template <class Packet>
    void say(const Packet& in) {
        last_ = test::encoded_or_none(in, version_);
        feed(last_);
    }

    void feed(const bytes_view raw) {
        const bytes held(raw.begin(), raw.end());
        bytes_view rest = held;
        if (client_.is_open() && !client_.should_close()) {
            server_.sent(raw);
        }
        // As a driver does: one packet after the other, until nothing is left.
        for (std::size_t turns = 0; client_.is_open() && !client_.should_close(); ++turns) {
            FLEETARIUM_ASSERT(turns <= held.size() + 1);
            const std::size_t before = rest.size();
            const client_event event = client_.handle_bytes(rest, now_);
            FLEETARIUM_ASSERT(rest.size() <= before);
            take(event);
            settle();
            if (rest.empty() && std::holds_alternative<std::monostate>(event)) {
                break;
            }
        }
    }

    void take(const client_event& event) {
        if (const auto* const done = std::get_if<delivery_acknowledged>(&event)) {
            finish(done->done.message);
        } else if (const auto* const message = std::get_if<fleetarium::publish>(&event)) {
            // What it views must be there.
            sum_ += std::count(message->topic.begin(), message->topic.end(), '/');
            sum_ += std::count(message->payload.begin(), message->payload.end(), 'x');
        }
    }

    void finish(const message_ptr& message) {
        FLEETARIUM_ASSERT(message);
        FLEETARIUM_ASSERT(under_way_.erase(message->identity().number) == 1);
    }

    void settle_dropped() {
        for (const delivery_dropped& each : client_.poll_dropped()) {
            finish(each.dropped.message);
        }
    }

    void settle() {
        settle_dropped();
        const bytes raw = test::to_bytes(client_.poll_transmit());
        server_.received(raw);
        FLEETARIUM_ASSERT(under_way_.size() == client_.in_flight() + client_.queued());
        FLEETARIUM_ASSERT(under_way_.size() <= queue_max);
        // A client that announced 65,535 topic aliases holds what is set of them.
        FLEETARIUM_ASSERT(client_.memory_bytes() <=
                          (std::size_t{1} << 20) + 65'535 * sizeof(std::string));
    }

    void close() {
        client_.handle_closed(now_);
        settle();
        FLEETARIUM_ASSERT(!client_.is_open());
    }

    void advance() {
        static constexpr duration steps[] = {1ms, 1s, 9s, 61s, 24h};
        const instant end = std::min(now_ + drawn_.one_of(steps), instant{24h * 36'500});
        for (std::size_t turns = 0; client_.poll_timeout() <= end; ++turns) {
            FLEETARIUM_ASSERT(turns < 100'000);
            now_ = std::max(now_, client_.poll_timeout());
            take(client_.handle_timeout(now_));
            settle();
            if (client_.should_close()) {
                close();
            }
            if (drawn_.coin()) {
                say(pingresp{});
            }
        }
        now_ = end;
    }

    test::drawn_bytes drawn_;
    test::drawn_packets packets_;
    client_options options_;
    client_session client_;
    instant now_{};
    protocol_version version_ = protocol_version::v5;
    test::server_view server_;
    std::set<std::uint64_t> under_way_;
    std::uint64_t numbers_ = 0;
    bytes last_{0xD0, 0x00};
    std::ptrdiff_t sum_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    conversation({data, size}).play();
    return 0;
}
