#include <fleetarium/recording/recording_pcapng.hpp>

#include <fleetarium/capture/tcp_conversation.hpp>
#include <fleetarium/codec/codec.hpp>
#include <fleetarium/codec/reason_code_table.hpp>
#include <fleetarium/recording/conversation_book.hpp>
#include <fleetarium/recording/later_queue.hpp>
#include <fleetarium/recording/recorded_publish.hpp>
#include <fleetarium/recording/recorded_rows.hpp>
#include <fleetarium/recording/timed_stream.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <array>
#include <span>

namespace fleetarium::recording {

namespace {

using party = conversation_book::party;

constexpr std::int64_t nanoseconds_a_second = 1'000'000'000;

/// Something that is known before it happens.
struct later {
    enum class kind : std::uint8_t {
        sent,       ///< a delivery, for the first time
        ended,      ///< a delivery is acknowledged
        released,   ///< a delivery ends otherwise
        completed,  ///< PUBREL and PUBCOMP of a publisher
        closed,     ///< a connection
    };

    std::int64_t at = 0;
    std::uint64_t order = 0;  // at an instant: ends of connections last, else as it was found
    std::int64_t id = 0;      // of the delivery, message or connection
    std::uint32_t who = 0;
    std::uint16_t packet_id = 0;
    kind what = kind::sent;
    std::uint8_t qos = 0;
    std::uint8_t code = 0;
    bool shown = false;

    bool operator<(const later& other) const {
        return at != other.at ? at < other.at : order < other.order;
    }
};

reason_code refusal_of(const message_row& row) {
    if (row.refused) {
        return static_cast<broker::drop_reason>(row.reason) ==
                       broker::drop_reason::topic_name_invalid
                   ? reason_code::topic_name_invalid
                   : reason_code::not_authorized;
    }
    return row.deliveries == 0 ? reason_code::no_matching_subscribers : reason_code::success;
}

/// An acknowledgement's code; the packet may not hold every byte that a recording may.
reason_code answer_code(packet_type type, std::uint8_t code) {
    return detail::may_hold(type, code) ? static_cast<reason_code>(code)
           : code >= 0x80               ? reason_code::unspecified_error
                                        : reason_code::success;
}

class pcapng_export {
public:
    pcapng_export(recording_reader& from, const export_selection& selection, std::ostream& to)
        : in_(from.tables()),
          selection_(selection),
          names_(in_, selection),
          book_(names_, epoch_of(in_), to),
          message_(in_, 1, 0),
          messages_(*this),
          connections_(*this),
          subscriptions_(*this),
          resends_(*this),
          later_(*this) {}

    pcapng_sums run() {
        const std::array<timed_stream*, 5> streams{&connections_, &subscriptions_, &messages_,
                                                   &resends_, &later_};
        merge(streams, selection_.until);
        sums_.packets = book_.packets();
        sums_.connections = book_.connections();
        return sums_;
    }

private:
    struct connection_stream;
    struct subscription_stream;
    struct message_stream;
    struct resend_stream;

    bool in_window(std::int64_t at) const { return at >= selection_.from; }

    void put_later(later::kind what, std::int64_t at, std::int64_t id, std::uint32_t who,
                   std::uint16_t packet_id = 0, std::uint8_t qos = 0, std::uint8_t code = 0,
                   bool shown = true) {
        constexpr std::uint64_t last = std::uint64_t{1} << 63;
        queue_.push({.at = at,
                     .order = ++order_ | (what == later::kind::closed ? last : 0),
                     .id = id,
                     .who = who,
                     .packet_id = packet_id,
                     .what = what,
                     .qos = qos,
                     .code = code,
                     .shown = shown});
    }

    /// The conversation in which something of a client's goes; null: none is recorded.
    party* open_party(std::int64_t broker, std::int64_t client, std::uint32_t& number) {
        party* const found = book_.find(broker, client, number);
        return found != nullptr && found->connection != 0 ? found : nullptr;
    }

    // PUBLISH to the broker

    void publish_up(const message_row& row) {
        if (row.publisher == 0 || row.will || !names_.wants_topic(row.topic)) {
            return;
        }
        std::uint32_t who = 0;
        party* const from = open_party(row.broker, row.publisher, who);
        if (from == nullptr) {
            sums_.not_placed += names_.client(row.publisher).wanted && in_window(row.at);
            return;
        }
        const bool shown = from->shown && in_window(row.at);
        const std::uint16_t packet_id =
            row.qos == 0 ? std::uint16_t{0}
                         : book_.take_packet_id(who, conversation_book::side::client,
                                                row.qos == 2 && row.acknowledged >= row.at);
        if (shown) {
            publish out = publish_.make(row, names_.topic(row.topic), 0);
            out.packet_id = packet_id;
            out.qos = static_cast<enum qos>(row.qos);
            out.dup = row.copy && row.qos != 0;
            out.retain = row.retain;
            book_.put(*from, row.at, true, out, row.refused ? "its payload is not recorded" : "");
            ++sums_.published;
        }
        if (row.qos != 0) {
            answer(row, *from, who, packet_id, shown);
        }
    }

    void answer(const message_row& row, party& from, std::uint32_t who, std::uint16_t packet_id,
                bool shown) {
        const reason_code code = refusal_of(row);
        if (row.qos == 1) {
            if (shown) {
                book_.put(from, row.at, false, puback{.packet_id = packet_id, .code = code});
            }
            return;
        }
        if (shown) {
            book_.put(from, row.at, false, pubrec{.packet_id = packet_id, .code = code});
        }
        if (row.acknowledged >= row.at) {
            put_later(later::kind::completed, row.acknowledged, row.id, who, packet_id, 2);
            if (resends_.of_publishers) {
                exchanges_[-row.id] = {packet_id, who, 2};
            }
        }
    }

    void complete(const later& what) {
        party& of = book_.at(what.who);
        book_.release(what.who, conversation_book::side::client, what.packet_id);
        exchanges_.erase(-what.id);
        if (of.connection != 0 && of.shown && in_window(what.at)) {
            book_.put(of, what.at, true, pubrel{.packet_id = what.packet_id});
            book_.put(of, what.at, false, pubcomp{.packet_id = what.packet_id});
        }
    }

    // PUBLISH from the broker

    void deliver(const message_row& row, const delivery_row& what) {
        if (what.sent < 0 || !names_.wants_topic(row.topic)) {
            return;
        }
        if (what.sent <= row.at) {
            publish_down(row, what);
        } else {
            put_later(later::kind::sent, what.sent, what.id, 0);
        }
    }

    void publish_down(const message_row& row, const delivery_row& what) {
        std::uint32_t who = 0;
        party* const to = open_party(row.broker, what.receiver, who);
        const std::int64_t at = std::max(what.sent, row.at);
        if (to == nullptr) {
            sums_.not_placed += names_.client(what.receiver).wanted && in_window(at);
            return;
        }
        const std::uint16_t packet_id =
            what.qos == 0
                ? std::uint16_t{0}
                : book_.take_packet_id(who, conversation_book::side::broker, /*held=*/true);
        if (to->shown && in_window(at)) {
            put_delivery(row, *to, at, what.qos, packet_id, false, what.made != row.at);
        }
        if (what.qos == 0) {
            return;
        }
        if (what.resent != 0) {
            exchanges_[what.id] = {packet_id, who, what.qos};
        }
        if (what.ended >= at) {
            const bool acknowledged =
                what.state == recorded_state::delivered || what.state == recorded_state::rejected;
            put_later(acknowledged ? later::kind::ended : later::kind::released, what.ended,
                      what.id, who, packet_id, what.qos, what.code);
        }
    }

    /// `late`: made after the message was routed, of a retained message.
    void put_delivery(const message_row& row, party& to, std::int64_t at, std::uint8_t qos,
                      std::uint16_t packet_id, bool again, bool late) {
        const std::int64_t waited = std::max<std::int64_t>(at - row.at, 0) / nanoseconds_a_second;
        publish out =
            publish_.make(row, names_.topic(row.topic),
                          static_cast<std::uint32_t>(std::min<std::int64_t>(waited, 0xFFFF'FFFF)));
        out.packet_id = packet_id;
        out.qos = static_cast<enum qos>(qos);
        out.dup = again;
        out.retain = row.retain && late;
        book_.put(to, at, false, out);
        ++sums_.delivered;
    }

    void end_delivery(const later& what) {
        party& of = book_.at(what.who);
        book_.release(what.who, conversation_book::side::broker, what.packet_id);
        exchanges_.erase(what.id);
        if (what.what == later::kind::released || of.connection == 0 || !of.shown ||
            !in_window(what.at)) {
            return;
        }
        if (what.qos == 1) {
            book_.put(of, what.at, true,
                      puback{.packet_id = what.packet_id,
                             .code = answer_code(packet_type::puback, what.code)});
            return;
        }
        const bool refused =
            what.code >= 0x80 && !detail::may_hold(packet_type::pubcomp, what.code);
        book_.put(of, what.at, true,
                  pubrec{.packet_id = what.packet_id,
                         .code = refused ? answer_code(packet_type::pubrec, what.code)
                                         : reason_code::success});
        if (!refused) {
            book_.put(of, what.at, false, pubrel{.packet_id = what.packet_id});
            book_.put(of, what.at, true,
                      pubcomp{.packet_id = what.packet_id,
                              .code = answer_code(packet_type::pubcomp, what.code)});
        }
    }

    /// The message of a delivery that was sent later; false: it is gone.
    bool find_message(std::int64_t id, message_row& row) {
        message_.select(id, id);
        return message_.next(row);
    }

    void send_later(const later& what) {
        delivery_row delivery;
        message_row row;
        deliveries_again_.select_one(what.id);
        if (deliveries_again_.next(delivery) && find_message(delivery.message(), row)) {
            publish_down(row, delivery);
        }
    }

    void resend(std::int64_t at, std::int64_t message, std::int64_t delivery) {
        if (message < 0 || message > message_id_max) {
            return;  // there is none
        }
        const auto found = exchanges_.find(delivery != 0 ? delivery : -message);
        if (found == exchanges_.end()) {
            return;
        }
        const exchange& of = found->second;
        party& with = book_.at(of.who);
        message_row row;
        if (with.connection == 0 || !with.shown || !in_window(at) || !find_message(message, row)) {
            return;
        }
        if (delivery != 0) {
            put_delivery(row, with, at, of.qos, of.packet_id, true, false);
            return;
        }
        publish out = publish_.make(row, names_.topic(row.topic), 0);
        out.packet_id = of.packet_id;
        out.qos = qos::exactly_once;
        out.dup = true;
        out.retain = row.retain;
        book_.put(with, at, true, out);
        ++sums_.published;
        book_.put(with, at, false, pubrec{.packet_id = of.packet_id});
    }

    void take_later() {
        const later what = queue_.top();
        queue_.pop();
        switch (what.what) {
            case later::kind::sent: send_later(what); break;
            case later::kind::ended:
            case later::kind::released: end_delivery(what); break;
            case later::kind::completed: complete(what); break;
            case later::kind::closed: book_.close(what.who, what.id, what.at, in_window(what.at));
        }
    }

    struct exchange {
        std::uint16_t packet_id = 0;
        std::uint32_t who = 0;
        std::uint8_t qos = 0;
    };

    struct message_stream final : timed_stream {
        explicit message_stream(pcapng_export& of)
            : whole(of),
              messages(of.in_, 0, message_id_max),
              deliveries(of.in_, 0, message_id_max) {
            advance();
            has_delivery = deliveries.next(delivery);
        }
        std::int64_t at() const override { return has_message ? message.at : at_end; }
        void take() override {
            whole.publish_up(message);
            while (has_delivery && delivery.message() <= message.id) {
                if (delivery.message() == message.id) {
                    whole.deliver(message, delivery);
                }
                has_delivery = deliveries.next(delivery);
            }
            advance();
        }
        void advance() { has_message = messages.next(message); }

        pcapng_export& whole;
        message_rows messages;
        delivery_rows deliveries;
        message_row message;
        delivery_row delivery;
        bool has_message = false;
        bool has_delivery = false;
    };

    struct connection_stream final : timed_stream {
        explicit connection_stream(pcapng_export& of)
            : whole(of),
              rows(of.in_,
                   "SELECT id, broker, client, at, accepted, session_present, ended, code, lost, "
                   "violation, version FROM connections ORDER BY id") {
            advance();
        }
        std::int64_t at() const override { return next; }
        void take() override {
            recorded_connection made;
            made.id = rows.integer(0);
            made.broker = rows.integer(1);
            made.client = rows.integer(2);
            made.at = next;
            made.accepted = rows.integer(4) != 0;
            made.session_present = rows.integer(5) != 0;
            made.ended = rows.is_null(6) ? no_instant
                                         : checked_instant(whole.in_, "ended in connections",
                                                           made.id, rows.integer(6));
            made.code = static_cast<std::uint8_t>(rows.integer(7));
            made.lost = rows.integer(8) != 0;
            made.violation = rows.integer(9) != 0;
            made.version_is_known = !rows.is_null(10);
            made.version = rows.integer(10) == 4 ? protocol_version::v3_1_1 : protocol_version::v5;
            whole.open(made);
            advance();
        }
        void advance() {
            next = rows.step() ? checked_instant(whole.in_, "at in connections", rows.integer(0),
                                                 rows.integer(3))
                               : at_end;
        }

        pcapng_export& whole;
        statement rows;
        std::int64_t next = 0;
    };

    void open(const recorded_connection& made) {
        const bool goes_on = made.ended < 0 || made.ended >= selection_.from;
        const std::uint32_t who = book_.open(made, names_.client(made.client).wanted && goes_on);
        if (made.accepted && made.ended >= made.at) {
            put_later(later::kind::closed, made.ended, made.id, who);
        }
    }

    struct subscription_stream final : timed_stream {
        explicit subscription_stream(pcapng_export& of)
            : whole(of),
              rows(of.in_,
                   "SELECT broker, client, at, filter, code, ends, id FROM subscriptions "
                   "ORDER BY id") {
            advance();
        }
        std::int64_t at() const override { return next; }
        void take() override {
            std::uint32_t who = 0;
            party* const of = whole.open_party(rows.integer(0), rows.integer(1), who);
            if (of != nullptr && of->shown && whole.in_window(next)) {
                whole.book_.subscribe(who, next, rows.text(3),
                                      static_cast<std::uint8_t>(rows.integer(4)),
                                      rows.integer(5) != 0);
            }
            advance();
        }
        void advance() {
            next = rows.step() ? checked_instant(whole.in_, "at in subscriptions", rows.integer(6),
                                                 rows.integer(2))
                               : at_end;
        }

        pcapng_export& whole;
        statement rows;
        std::int64_t next = 0;
    };

    struct resend_stream final : timed_stream {
        explicit resend_stream(pcapng_export& of)
            : of_publishers(
                  of.in_.integer("SELECT EXISTS(SELECT 1 FROM resends WHERE delivery IS NULL)")
                      .value_or(0) != 0),
              whole(of),
              rows(of.in_, "SELECT at, message, delivery, id FROM resends ORDER BY id") {
            advance();
        }
        std::int64_t at() const override { return next; }
        void take() override {
            whole.resend(next, rows.integer(1), rows.integer(2));
            advance();
        }
        void advance() {
            next = rows.step() ? checked_instant(whole.in_, "at in resends", rows.integer(3),
                                                 rows.integer(0))
                               : at_end;
        }

        const bool of_publishers;
        pcapng_export& whole;
        statement rows;
        std::int64_t next = 0;
    };

    struct later_stream final : timed_stream {
        explicit later_stream(pcapng_export& of) : whole(of) {}
        std::int64_t at() const override {
            return whole.queue_.empty() ? at_end : whole.queue_.top().at;
        }
        void take() override { whole.take_later(); }
        pcapng_export& whole;
    };

    database& in_;
    const export_selection& selection_;
    const recorded_names names_;
    conversation_book book_;
    recorded_publish publish_;
    later_queue<later> queue_;
    std::uint64_t order_ = 0;
    // By delivery, or by message with a minus sign: those that were sent more than once.
    boost::unordered_flat_map<std::int64_t, exchange> exchanges_;
    message_rows message_;
    delivery_rows deliveries_again_{in_, 1, 0};
    message_stream messages_;
    connection_stream connections_;
    subscription_stream subscriptions_;
    resend_stream resends_;
    later_stream later_;
    pcapng_sums sums_;
};

}  // namespace

pcapng_sums export_pcapng(recording_reader& from, const export_selection& selection,
                          std::ostream& to) {
    const steady_view view(from.tables());
    return pcapng_export(from, selection, to).run();
}

}  // namespace fleetarium::recording
