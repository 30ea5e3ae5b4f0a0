#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/core/assert.hpp>
#include <fleetarium/storage/change_journal.hpp>
#include <fleetarium/storage/session_changes.hpp>

#include <fuzz/client_view.hpp>
#include <fuzz/drawn_bytes.hpp>
#include <fuzz/drawn_packets.hpp>
#include <fuzz/kept_rows.hpp>
#include <fuzz/promise_view.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Whole conversations of a few clients with a broker of drawn options: the bytes choose who does
// what. After each step what the broker wrote is judged as each client sees it, and what it keeps
// is counted and compared with its bounds. The whole is played twice, the second time with what the
// clients write cut into pieces: the broker has to say the same.
//
// The first bit of all chooses whether the broker keeps a journal, which the disk has late. Then
// nothing that promises may leave earlier; whenever the process dies, the rows written are what the
// core had, and another goes on from those that the disk has.

namespace {

using namespace fleetarium;
using namespace fleetarium::broker;
using namespace std::chrono_literals;
using test::bytes;

/// Anybody may come in but "bad", and do anything but with "secret/...".
class guarded_hooks final : public broker_hooks {
public:
    reason_code authenticate(const client_info&, const connect& request) override {
        return request.user_name == "bad" ? reason_code::bad_user_name_or_password
                                          : reason_code::success;
    }
    authentication_step authenticate_enhanced(const client_info&, std::string_view method,
                                              bytes_view data) override {
        using enum authentication_step::outcome;
        if (method != "m") {
            return {failed, "", reason_code::bad_authentication_method};
        }
        return as_text(data) == "go on"  ? authentication_step{challenged, "what then?"}
               : as_text(data) == "fail" ? authentication_step{failed, ""}
                                         : authentication_step{succeeded, "fine"};
    }
    bool authorize_publish(const client_info&, const publish& message) override {
        return !message.topic.starts_with("secret/");
    }
    bool authorize_subscribe(const client_info&, std::string_view filter,
                             const subscription_options&) override {
        return !filter.starts_with("secret/");
    }
    bool wants_events() const override { return true; }
    void on_event(const broker_event& event) override {
        using kind = broker_event::kind;
        switch (event.what) {
            case kind::connected: ++connected; break;
            case kind::disconnected:
                FLEETARIUM_ASSERT(connected != 0);
                --connected;
                break;
            case kind::sent: on_sent(event); break;
            case kind::dropped: FLEETARIUM_ASSERT(event.why != drop_reason::none); break;
            case kind::received:
                FLEETARIUM_ASSERT(event.connection == no_connection ||
                                  !event.topic.starts_with("secret/"));
                FLEETARIUM_ASSERT(event.identity.number > number_);
                number_ = event.identity.number;
                break;
            default: break;
        }
    }

    /// Another process begins.
    void forget() {
        connected = 0;
        number_ = 0;
    }

    std::size_t connected = 0;
    std::function<void(const broker_event&)> on_sent;

private:
    std::uint64_t number_ = 0;
};

broker_options draw_options(test::drawn_bytes& from) {
    broker_options made;
    const std::uint16_t flags = from.two_bytes();
    const auto flag = [&](unsigned bit) { return (flags >> bit & 1) != 0; };
    made.retain_available = !flag(0);
    made.wildcard_subscription_available = !flag(1);
    made.subscription_identifier_available = !flag(2);
    made.shared_subscription_available = !flag(3);
    made.queue_policy = flag(4) ? queue_policy::drop_oldest : queue_policy::drop_new;
    made.queue_qos_0_offline = flag(5);
    made.overlapping_subscriptions = flag(6) ? overlapping_subscriptions::copy_per_subscription
                                             : overlapping_subscriptions::single_copy;
    made.use_topic_aliases = !flag(7);
    made.shared_subscriptions_in_v3_1_1 = !flag(8);
    made.allow_dollar_topics = !flag(9);
    made.maximum_qos =
        flag(10) ? (flag(11) ? qos::at_most_once : qos::at_least_once) : qos::exactly_once;
    made.sys_interval = flag(12) ? duration{10s} : duration{};
    made.response_information = flag(13) ? "answers" : "";
    made.output_bytes_per_turn_max = flags % 3 == 0 ? 300 : 0;
    if (flag(14)) {
        static constexpr std::uint16_t windows[] = {1, 2, 10, 1024};
        static constexpr std::uint32_t sizes[] = {limits::packet_size_max, 30, 64, 1000};
        static constexpr std::uint32_t queues[] = {0, 1, 3, 1000};
        static constexpr std::size_t queue_bytes[] = {std::size_t{16} << 20, 0, 200, 1000};
        made.receive_maximum = from.one_of(windows);
        made.inflight_messages_max = from.one_of(windows);
        made.maximum_packet_size = from.one_of(sizes);
        made.topic_alias_maximum = static_cast<std::uint16_t>(from.below(4));
        made.queue_messages_max = from.one_of(queues);
        made.queue_bytes_max = from.one_of(queue_bytes);
    }
    if (flag(15)) {
        static constexpr std::size_t few[] = {1, 2, 4, 1000};
        static constexpr std::size_t retained_bytes[] = {100'000, 0, 200, 500};
        static constexpr std::uint32_t expiries[] = {session_expiry_never, 0, 1, 60};
        made.connections_max = from.one_of(few);
        made.sessions_max = from.one_of(few);
        made.subscriptions_per_session_max = from.one_of(few);
        made.retained_messages_max = from.one_of(few) - 1;
        made.retained_bytes_max = from.one_of(retained_bytes);
        made.session_expiry_maximum = from.one_of(expiries);
        made.connect_packet_size_max = 64;
        if (from.coin()) {
            made.server_keep_alive = std::uint16_t{5};
        }
    }
    return made;
}

enum class manner { whole, in_pieces };

class conversation {
public:
    conversation(bytes_view all, manner how)
        : drawn_(all),
          packets_(drawn_),
          how_(how),
          is_durable_((drawn_.byte() & 1) != 0),
          options_(draw_options(drawn_)) {
        hooks_.on_sent = [this](const broker_event& event) { note_sent(event); };
        begin_process();
    }

    /// Returns all that the broker said.
    std::vector<std::uint8_t> play() {
        while (!drawn_.empty()) {
            step();
            drain();
            check();
        }
        end();
        return std::move(said_);
    }

private:
    struct peer {
        explicit peer(connection_id made, test::said_by_clients& all, std::uint16_t in_flight_max)
            : id(made), view(all, in_flight_max) {}
        connection_id id;
        test::client_view view;
        test::promise_view promises;
        protocol_version version = protocol_version::v5;
        bytes held_back;         // of a packet that was cut; goes first next time
        bool dismissed = false;  // the broker said close
    };
    static constexpr std::size_t peers_max = 6;

    void step() {
        const std::uint8_t action = drawn_.byte();
        if (is_durable_) {
            use_disk(action / 20);
        }
        switch (action % 20) {
            case 0: open(true); return;
            case 1: open(false); return;
            case 12: advance(); return;
            case 13: use_verb(); return;
            default: break;
        }
        if (peers_.empty()) {
            open(true);
        }
        peer& by = *peers_[drawn_.byte() % peers_.size()];
        if (action % 20 == 11 || (by.dismissed && drawn_.coin())) {
            close(by);
            return;
        }
        if (by.dismissed) {
            return;
        }
        packets_.set_version(by.version);
        switch (action % 20) {
            case 2: say(by, packets_.make_connect()); return;
            case 3:
            case 4: say(by, packets_.make_subscribe()); return;
            case 5: say(by, packets_.make_unsubscribe()); return;
            case 6:
            case 7:
            case 8: say(by, packets_.make_publish()); return;
            case 9: answer_all(by); return;
            case 10: answer_one(by); return;
            case 14: core_->handle_congested(by.id, now_); return;
            case 15: core_->handle_drained(by.id, now_); return;
            case 16: say_something(by); return;
            case 17: write(by, drawn_.sized()); return;
            case 18: write(by, mutated()); return;
            default: cut_next_ = drawn_.byte(); return;
        }
    }

    void open(bool greets) {
        if (peers_.size() == peers_max) {
            return;
        }
        connection_manner how;
        const std::uint8_t choice = drawn_.byte();
        if (!greets) {
            how.refused = (choice & 1) != 0;
            how.maximum_packet_size = (choice & 2) != 0 ? 50 : limits::packet_size_max;
        }
        const connection_id id = core_->handle_open(how, now_);
        for (const auto& each : peers_) {
            FLEETARIUM_ASSERT(each->id != id);
        }
        peers_.push_back(
            std::make_unique<peer>(id, said_all_, core_->options().inflight_messages_max));
        if (greets) {
            say(*peers_.back(), packets_.make_plain_connect(choice));
        } else if ((choice & 4) != 0) {
            core_->vouch_for_user(id, "vouched");
        }
    }

    void say(peer& by, const connect& in) {
        by.version = in.version;
        keep_and_write(by, test::encoded_or_none(in, in.version));
    }
    template <class Packet>
    void say(peer& by, const Packet& in) {
        keep_and_write(by, test::encoded_or_none(in, by.version));
    }

    void say_something(peer& by) {
        switch (drawn_.below(4)) {
            case 0: say(by, pingreq{}); return;
            case 1: say(by, packets_.make_disconnect(false)); return;
            case 2: say(by, packets_.make_auth()); return;
            default: say(by, packets_.make_any()); return;
        }
    }

    /// Whatever the client owes for what came, in the order of packet ids.
    void answer_all(peer& by) {
        using step = test::client_view::delivery_step;
        const auto owed = by.view.in_flight();
        for (const auto& [id, each] : owed) {
            if (each.qos == qos::at_least_once) {
                say(by, packets_.make_acknowledgement<puback>(id));
            } else if (each.step == step::published) {
                say(by, packets_.make_acknowledgement<pubrec>(id));
            } else {
                say(by, packets_.make_acknowledgement<pubcomp>(id));
            }
        }
        const auto releasable = by.view.releasable();
        for (const std::uint16_t id : releasable) {
            say(by, packets_.make_acknowledgement<pubrel>(id));
        }
    }

    void answer_one(peer& by) {
        const std::uint16_t id = packets_.packet_id();
        switch (drawn_.below(4)) {
            case 0: say(by, packets_.make_acknowledgement<puback>(id)); return;
            case 1: say(by, packets_.make_acknowledgement<pubrec>(id)); return;
            case 2: say(by, packets_.make_acknowledgement<pubrel>(id)); return;
            default: say(by, packets_.make_acknowledgement<pubcomp>(id)); return;
        }
    }

    /// The last packet with a few bytes changed, maybe cut.
    bytes mutated() {
        bytes made = last_;
        for (std::uint32_t count = 1 + drawn_.below(3); count != 0 && !made.empty(); --count) {
            const std::uint32_t at = drawn_.byte() % static_cast<std::uint32_t>(made.size());
            made[at] = drawn_.byte();
        }
        if (drawn_.below(4) == 0) {
            made.resize(drawn_.byte() % (made.size() + 1));
        }
        return made;
    }

    void keep_and_write(peer& by, bytes raw) {
        last_ = raw;
        write(by, raw);
    }

    void write(peer& by, bytes_view raw) {
        if (by.dismissed) {
            return;
        }
        bytes all = std::move(by.held_back);
        by.held_back.clear();
        all.insert(all.end(), raw.begin(), raw.end());
        if (cut_next_ != 0) {
            const std::size_t at = std::min<std::size_t>(cut_next_, all.size());
            by.held_back.assign(all.begin() + static_cast<std::ptrdiff_t>(at), all.end());
            all.resize(at);
            cut_next_ = 0;
        }
        by.view.set_behind(is_durable_ && journal_->position() > durable_);
        by.view.sent(all);
        by.promises.sent(all);
        for (bytes_view rest = all; !rest.empty();) {
            // A block of its own: what views it longer than it may is found.
            const bytes_view next = rest.first(piece_of(rest.size(), all.size()));
            const bytes part(next.begin(), next.end());
            rest = rest.subspan(part.size());
            core_->handle_bytes(by.id, part, now_);
        }
        drain();
    }

    /// How many of so many bytes come together. A PINGREQ that comes alone waits for no disk, and
    /// is alone in both manners or in none.
    std::size_t piece_of(std::size_t left, std::size_t all) const {
        const std::size_t least = is_durable_ ? 3 : 1;
        const std::size_t piece = std::max(least, 1 + all / 5);
        return how_ == manner::whole || left < piece + least ? left : piece;
    }

    void close(peer& gone) {
        core_->handle_closed(gone.id, now_);
        std::erase_if(peers_, [&](const auto& each) { return each.get() == &gone; });
    }

    void advance() {
        static constexpr duration steps[] = {1ms, 1s, 7s, 61s, 2h, 24h * 40, 24h * 3'000};
        constexpr instant end_of_time{24h * 36'500};
        const instant end = std::min(now_ + drawn_.one_of(steps), end_of_time);
        // An hour has a few deadlines, and with $SYS topics many more.
        const duration step_max = core_->options().sys_interval > duration{} ? 10min : 24h * 10;
        if (drawn_.coin() || end - now_ > step_max) {
            // The driver wakes up late.
            now_ = end;
            core_->handle_timeout(now_);
            return;
        }
        for (std::size_t turns = 0; core_->poll_timeout() <= end; ++turns) {
            FLEETARIUM_ASSERT(turns < 10'000);
            now_ = std::max(now_, core_->poll_timeout());
            core_->handle_timeout(now_);
            drain();
        }
        now_ = end;
    }

    void use_verb() {
        switch (drawn_.below(8)) {
            case 0:
            case 1:
            case 2: {
                packets_.set_version(protocol_version::v5);
                const publish message = packets_.make_publish();
                if (core_->publish(message, now_)) {
                    said_all_.note_message(message.topic, message.payload);
                }
                return;
            }
            case 3:
            case 4: {
                const std::string_view whose = drawn_.one_of(test::drawn_packets::client_ids);
                static_cast<void>(
                    core_->disconnect(whose, static_cast<reason_code>(drawn_.byte()), now_));
                return;
            }
            case 5: core_->shut_down(now_); return;
            case 6: {
                const bool keeps = drawn_.coin();
                if (is_durable_) {
                    die();
                    return;
                }
                core_->crash(keeps, now_);
                peers_.clear();
                hooks_.connected = 0;
                FLEETARIUM_ASSERT(!core_->poll_output());
                FLEETARIUM_ASSERT(core_->connection_count() == 0);
                if (!keeps) {
                    FLEETARIUM_ASSERT(core_->session_count() == 0);
                    FLEETARIUM_ASSERT(core_->retained().empty());
                }
                return;
            }
            default: core_->handle_timeout(now_); return;
        }
    }

    // What outlives the process

    void begin_process() {
        core_.reset();
        journal_.emplace();
        taken_.clear();
        durable_ = 0;
        hooks_.forget();
        core_.emplace(options_, &hooks_);
        if (is_durable_) {
            rows_.restore(*core_, *journal_);
            rows_.check(*core_, false);
            core_->keep_journal(&*journal_);
            core_->go_on(now_);
        }
    }

    void use_disk(std::uint32_t choice) {
        switch (choice % 4) {
            case 0: write_all(); return;
            case 1: take_changes(); return;
            case 2: write_oldest(); return;
            default: return;
        }
    }
    void take_changes() {
        if (journal_->has_changes()) {
            taken_.push_back(journal_->take({}));
        }
    }
    void write_oldest() {
        if (taken_.empty()) {
            return;
        }
        rows_.apply(taken_.front());
        durable_ = taken_.front().position;
        taken_.pop_front();
        core_->handle_durable(durable_);
        drain();
    }
    void write_all() {
        take_changes();
        while (!taken_.empty()) {
            write_oldest();
        }
        FLEETARIUM_ASSERT(durable_ == journal_->position());
    }

    /// With all that the disk does not have.
    void die() {
        take_changes();
        test::kept_rows all = rows_;
        for (const auto& each : taken_) {
            all.apply(each);
        }
        all.check(*core_, true);
        peers_.clear();
        begin_process();
    }

    void note_sent(const broker_event& event) {
        const auto found = std::find_if(peers_.begin(), peers_.end(), [&](const auto& each) {
            return each->id == event.connection;
        });
        FLEETARIUM_ASSERT(found != peers_.end());
        const bool lasts = core_->sessions()[event.session].expiry_interval != 0;
        (*found)->promises.wrote_publish(lasts && event.qos != qos::at_most_once && !event.flag);
    }

    void drain() {
        for (const auto& each : peers_) {
            each->promises.end_turn(journal_->position());
        }
        // Which connection had something first depends on the pieces.
        std::map<std::uint8_t, bytes> said;
        while (auto out = core_->poll_output()) {
            const auto found = std::find_if(peers_.begin(), peers_.end(), [&](const auto& each) {
                return each->id == out->connection;
            });
            FLEETARIUM_ASSERT(found != peers_.end());
            peer& to = **found;
            FLEETARIUM_ASSERT(!to.dismissed);
            const bytes raw = test::to_bytes(out->bytes);
            to.view.received(raw);
            to.promises.received(raw, durable_);
            FLEETARIUM_ASSERT(out->close || !to.view.is_over());
            to.dismissed = out->close;
            bytes& told = said[static_cast<std::uint8_t>(found - peers_.begin())];
            told.insert(told.end(), raw.begin(), raw.end());
            if (out->close) {
                told.push_back(1);
            }
        }
        for (const auto& [who, what] : said) {
            if (!what.empty()) {
                said_.push_back(who);
                said_.insert(said_.end(), what.begin(), what.end());
            }
        }
        FLEETARIUM_ASSERT(!core_->has_output());
    }

    /// What the broker keeps adds up, and is within its options.
    void check() {
        const broker_options& options = core_->options();
        FLEETARIUM_ASSERT(core_->connection_count() == peers_.size());
        FLEETARIUM_ASSERT(core_->connected_count() <= peers_.size());
        FLEETARIUM_ASSERT(core_->session_count() <= options.sessions_max);
        FLEETARIUM_ASSERT(core_->retained().size() <= options.retained_messages_max);
        FLEETARIUM_ASSERT(core_->retained().message_bytes() <= options.retained_bytes_max);
        std::size_t sessions = 0;
        std::size_t subscriptions = 0;
        std::size_t connected = 0;
        std::size_t waiting = 0;
        core_->for_each_session([&](const session_info& each) {
            ++sessions;
            subscriptions += each.subscriptions;
            waiting += each.queued + each.in_flight;
            FLEETARIUM_ASSERT(each.subscriptions <= options.subscriptions_per_session_max);
            FLEETARIUM_ASSERT(each.queued <= options.queue_messages_max);
            FLEETARIUM_ASSERT(each.in_flight <= options.inflight_messages_max);
            FLEETARIUM_ASSERT(core_->sessions()[each.index].queued_bytes <=
                              options.queue_bytes_max);
            FLEETARIUM_ASSERT(each.queued != 0 || core_->sessions()[each.index].queued_bytes == 0);
            const auto again = core_->find_session(each.client_id);
            FLEETARIUM_ASSERT(again && again->index == each.index);
            if (each.connection != no_connection) {
                ++connected;
                FLEETARIUM_ASSERT(core_->describe_client(each.connection).client_id ==
                                  each.client_id);
                FLEETARIUM_ASSERT(std::count_if(peers_.begin(), peers_.end(), [&](const auto& by) {
                                      return by->id == each.connection;
                                  }) == 1);
            }
        });
        FLEETARIUM_ASSERT(sessions == core_->session_count());
        FLEETARIUM_ASSERT(subscriptions == core_->subscription_count());
        FLEETARIUM_ASSERT(connected == core_->connected_count());
        FLEETARIUM_ASSERT(connected == hooks_.connected);
        FLEETARIUM_ASSERT(waiting == core_->deliveries_waiting());
        FLEETARIUM_ASSERT(core_->memory_bytes() <= std::size_t{4} << 20);
    }

    /// All go, and in the end nothing is left of them but what has no end.
    void end() {
        while (!peers_.empty()) {
            close(*peers_.back());
            drain();
            check();
        }
        FLEETARIUM_ASSERT(core_->connection_count() == 0 && core_->connected_count() == 0);
        if (is_durable_) {
            write_all();
            die();
            core_->keep_journal(nullptr);
        }
        core_->crash(false, now_);
        FLEETARIUM_ASSERT(core_->session_count() == 0 && core_->subscription_count() == 0);
        FLEETARIUM_ASSERT(core_->retained().empty() && core_->deliveries_waiting() == 0);
        FLEETARIUM_ASSERT(!core_->poll_output());
    }

    test::drawn_bytes drawn_;
    test::drawn_packets packets_;
    manner how_;
    bool is_durable_;
    broker_options options_;
    guarded_hooks hooks_;
    std::optional<storage::change_journal> journal_;  // told of nothing if not durable
    std::optional<broker_core> core_;
    test::kept_rows rows_;                        // that the disk has
    std::deque<storage::session_changes> taken_;  // on their way to it
    std::uint64_t durable_ = 0;                   // position of the journal
    instant now_{};
    std::vector<std::unique_ptr<peer>> peers_;
    test::said_by_clients said_all_;
    std::vector<std::uint8_t> said_;
    bytes last_{0xC0, 0x00};
    std::size_t cut_next_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto whole = conversation({data, size}, manner::whole).play();
    const auto in_pieces = conversation({data, size}, manner::in_pieces).play();
    FLEETARIUM_ASSERT(whole == in_pieces);
    return 0;
}
