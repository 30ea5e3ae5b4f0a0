#include <fleetarium/recording/recording_json_lines.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/base64.hpp>
#include <fleetarium/recording/later_queue.hpp>
#include <fleetarium/recording/recorded_rows.hpp>
#include <fleetarium/recording/timed_stream.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <ostream>
#include <string>

namespace fleetarium::recording {

namespace {

/// One line.
class json_line {
public:
    explicit json_line(std::string& to) : to_(to) {}

    json_line& begin(std::int64_t at, std::string_view event) {
        to_ += R"({"at_s":)";
        append_seconds(to_, at);
        return add("event", event);
    }

    json_line& add(std::string_view name, std::string_view text) {
        key(name);
        quote(text);
        return *this;
    }
    json_line& add(std::string_view name, std::int64_t value) {
        key(name);
        char digits[24];
        to_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
        return *this;
    }
    json_line& add_flag(std::string_view name, bool value) {
        key(name);
        to_ += value ? "true" : "false";
        return *this;
    }
    /// Nothing where there is no instant.
    json_line& add_seconds(std::string_view name, std::int64_t at) {
        if (at != no_instant) {
            key(name);
            append_seconds(to_, at);
        }
        return *this;
    }
    json_line& add_name(std::string_view name, std::string_view text) {
        return text.empty() ? *this : add(name, text);
    }
    json_line& add_payload(const message_row& message) {
        if (message.refused) {
            return *this;
        }
        const std::string_view text = as_text(message.payload);
        if (is_valid_string(text)) {
            return add("payload", text);
        }
        key("payload_base64");
        to_ += '"';
        append_base64(to_, message.payload);
        to_ += '"';
        return *this;
    }
    /// What is JSON already.
    json_line& add_json(std::string_view name, std::string_view json) {
        if (!json.empty()) {
            key(name);
            to_ += json;
        }
        return *this;
    }
    void end() { to_ += "}\n"; }

private:
    void key(std::string_view name) {
        to_ += ",\"";
        to_ += name;
        to_ += "\":";
    }

    void quote(std::string_view text) {
        constexpr std::string_view hex = "0123456789abcdef";
        to_ += '"';
        for (const char each : text) {
            if (each == '"' || each == '\\') {
                to_ += '\\';
                to_ += each;
            } else if (static_cast<unsigned char>(each) >= 0x20) {
                to_ += each;
            } else if (each == '\n') {
                to_ += "\\n";
            } else {
                to_ += "\\u00";
                to_ += hex[static_cast<unsigned char>(each) >> 4];
                to_ += hex[each & 15];
            }
        }
        to_ += '"';
    }

    std::string& to_;
};

/// What is known before it happens: the end of a connection, a delivery of a retained message.
struct later {
    std::int64_t at = 0;
    std::int64_t id = 0;
    bool delivery = false;

    bool operator<(const later& other) const {
        if (at != other.at) {
            return at < other.at;
        }
        return delivery != other.delivery ? delivery : id < other.id;
    }
};

class json_export {
public:
    json_export(recording_reader& from, const export_selection& selection, std::ostream& to)
        : in_(from.tables()),
          selection_(selection),
          names_(in_, selection),
          to_(to),
          line_(text_),
          connection_(in_,
                      "SELECT broker, client, code, lost, violation FROM connections "
                      "WHERE id = ?1"),
          message_(in_, 1, 0),
          delivery_(in_, 1, 0) {}

    text_sums run() {
        row_stream connections(in_,
                               "SELECT at, id, broker, client, accepted, session_present, ended, "
                               "code, violation, version "
                               "FROM connections ORDER BY id",
                               [this](statement& row) { connect(row); });
        row_stream subscriptions(in_,
                                 "SELECT at, broker, client, filter, code, ends "
                                 "FROM subscriptions ORDER BY id",
                                 [this](statement& row) { subscribe(row); });
        row_stream faults(in_, "SELECT at, fault, ends FROM faults ORDER BY id",
                          [this](statement& row) { fault(row); });
        row_stream violations(in_, "SELECT at, invariant, what FROM violations ORDER BY at, id",
                              [this](statement& row) { violate(row); });
        row_stream annotations(in_, "SELECT at, text FROM annotations ORDER BY at, id",
                               [this](statement& row) { annotate(row); });
        row_stream gaps(in_, "SELECT at, ended, session_present, reason FROM gaps ORDER BY at, id",
                        [this](statement& row) { gap(row); });
        message_stream messages(*this);
        later_stream ends(*this);
        const std::array<timed_stream*, 8> streams{&faults,   &gaps, &connections, &subscriptions,
                                                   &messages, &ends, &violations,  &annotations};
        merge(streams, selection_.until);
        flush();
        return sums_;
    }

private:
    /// Rows whose first column is their instant.
    template <class Take>
    class row_stream final : public timed_stream {
    public:
        row_stream(database& in, std::string_view sql, Take take) : rows_(in, sql), take_(take) {
            advance();
        }
        std::int64_t at() const override { return at_; }
        void take() override {
            take_(rows_);
            advance();
        }

    private:
        void advance() { at_ = rows_.step() ? rows_.integer(0) : at_end; }
        statement rows_;
        Take take_;
        std::int64_t at_ = 0;
    };

    struct message_stream final : timed_stream {
        explicit message_stream(json_export& of)
            : whole(of),
              messages(of.in_, 0, message_id_max),
              deliveries(of.in_, 0, message_id_max) {
            has_delivery = deliveries.next(delivery);
            has_message = messages.next(message);
        }
        std::int64_t at() const override { return has_message ? message.at : at_end; }
        void take() override {
            const bool wanted = whole.names_.wants_topic(message.topic);
            if (wanted) {
                whole.tell(message);
            }
            for (; has_delivery && delivery.message() <= message.id;
                 has_delivery = deliveries.next(delivery)) {
                if (!wanted || delivery.message() < message.id) {
                    continue;
                }
                if (delivery.made <= message.at) {
                    whole.tell(message, delivery);
                } else {
                    whole.later_.push({delivery.made, delivery.id, true});
                }
            }
            has_message = messages.next(message);
        }

        json_export& whole;
        message_rows messages;
        delivery_rows deliveries;
        message_row message;
        delivery_row delivery;
        bool has_message = false;
        bool has_delivery = false;
    };

    struct later_stream final : timed_stream {
        explicit later_stream(json_export& of) : whole(of) {}
        std::int64_t at() const override {
            return whole.later_.empty() ? at_end : whole.later_.top().at;
        }
        void take() override {
            const later what = whole.later_.top();
            whole.later_.pop();
            what.delivery ? whole.tell_delivery(what.id) : whole.disconnect(what);
        }
        json_export& whole;
    };

    bool wants(std::int64_t at, std::int64_t client) const {
        return at >= selection_.from && names_.client(client).wanted;
    }

    void end_line() {
        line_.end();
        ++sums_.rows;
        if (text_.size() >= flushed_at) {
            flush();
        }
    }

    json_line& begin_client(std::int64_t at, std::string_view event, std::int64_t broker,
                            std::int64_t client) {
        const recorded_names::named_client& whose = names_.client(client);
        return line_.begin(at, event)
            .add("broker", names_.broker(broker))
            .add_name("client", whose.name)
            .add_name("client_id", whose.client_id);
    }

    void connect(statement& row) {
        const std::int64_t at = row.integer(0);
        const std::int64_t client = row.integer(3);
        const bool accepted = row.integer(4) != 0;
        if (wants(at, client)) {
            begin_client(at, accepted ? "connected" : "refused", row.integer(2), client);
            if (!row.is_null(9)) {
                line_.add("version", row.integer(9) == 4 ? "3.1.1" : "5.0");
            }
            accepted ? line_.add_flag("session_present", row.integer(5) != 0)
                     : line_.add("code", row.integer(7)).add_flag("violation", row.integer(8) != 0);
            end_line();
        }
        if (accepted && !row.is_null(6)) {
            later_.push({row.integer(6), row.integer(1), false});
        }
    }

    void disconnect(const later& what) {
        connection_.bind(1, what.id);
        if (!connection_.step()) {
            return;
        }
        if (wants(what.at, connection_.integer(1))) {
            begin_client(what.at, "disconnected", connection_.integer(0), connection_.integer(1))
                .add("code", connection_.integer(2))
                .add_flag("lost", connection_.integer(3) != 0)
                .add_flag("violation", connection_.integer(4) != 0);
            end_line();
        }
        connection_.reset();
    }

    void subscribe(statement& row) {
        if (wants(row.integer(0), row.integer(2))) {
            begin_client(row.integer(0), row.integer(5) != 0 ? "unsubscribed" : "subscribed",
                         row.integer(1), row.integer(2))
                .add("filter", row.text(3))
                .add("code", row.integer(4));
            end_line();
        }
    }

    void fault(statement& row) {
        if (row.integer(0) >= selection_.from) {
            line_.begin(row.integer(0), row.integer(2) != 0 ? "fault_ended" : "fault_began")
                .add("fault", row.integer(1));
            end_line();
        }
    }

    void violate(statement& row) {
        if (row.integer(0) >= selection_.from) {
            line_.begin(row.integer(0), "violation")
                .add("invariant", row.text(1))
                .add("what", row.text(2));
            end_line();
        }
    }

    void gap(statement& row) {
        if (row.integer(0) >= selection_.from) {
            line_.begin(row.integer(0), "gap");
            if (!row.is_null(1)) {
                line_.add_seconds("ended_s", row.integer(1));
            }
            if (!row.is_null(2)) {
                line_.add_flag("session_present", row.integer(2) != 0);
            }
            line_.add("reason", row.text(3));
            end_line();
        }
    }

    void annotate(statement& row) {
        if (row.integer(0) >= selection_.from) {
            line_.begin(row.integer(0), "annotation").add("text", row.text(1));
            end_line();
        }
    }

    void tell(const message_row& what) {
        if (!wants(what.at, what.publisher)) {
            return;
        }
        ++sums_.messages;
        line_.begin(what.at, what.refused ? "message_refused" : "message")
            .add("message", what.id)
            .add("broker", names_.broker(what.broker))
            .add_name("publisher", names_.client(what.publisher).name)
            .add("topic", names_.topic(what.topic))
            .add("qos", std::int64_t{what.qos})
            .add_flag("retain", what.retain)
            .add_flag("copy", what.copy)
            .add_flag("will", what.will)
            .add_seconds("published_s", what.published)
            .add_seconds("acknowledged_s", what.acknowledged);
        if (what.deliveries != not_known) {
            line_.add("deliveries", what.deliveries);
        }
        if (what.reason != 0) {
            line_.add("reason", name_of(static_cast<broker::drop_reason>(what.reason)));
        }
        line_.add_payload(what).add_json("properties", what.properties);
        end_line();
    }

    void tell(const message_row& of, const delivery_row& what) {
        const std::int64_t at = std::max(what.made, of.at);
        if (!wants(at, what.receiver)) {
            return;
        }
        ++sums_.deliveries;
        line_.begin(at, "delivery")
            .add("message", of.id)
            .add("broker", names_.broker(of.broker))
            .add_name("receiver", names_.client(what.receiver).name)
            .add("topic", names_.topic(of.topic))
            .add("qos", std::int64_t{what.qos})
            .add("state", name_of(what.state));
        if (what.reason != 0) {
            line_.add("reason", name_of(static_cast<broker::drop_reason>(what.reason)));
        }
        line_.add_seconds("published_s", of.published)
            .add_seconds("sent_s", what.sent)
            .add_seconds("received_s", what.received)
            .add_seconds("ended_s", what.ended)
            .add("resent", what.resent)
            .add("copies", what.copies);
        end_line();
    }

    void tell_delivery(std::int64_t id) {
        delivery_row delivery;
        message_row message;
        delivery_.select_one(id);
        if (delivery_.next(delivery)) {
            message_.select(delivery.message(), delivery.message());
            if (message_.next(message)) {
                tell(message, delivery);
            }
        }
    }

    void flush() {
        to_.write(text_.data(), static_cast<std::streamsize>(text_.size()));
        text_.clear();
    }

    static constexpr std::size_t flushed_at = std::size_t{64} << 10;

    database& in_;
    const export_selection& selection_;
    const recorded_names names_;
    std::ostream& to_;
    std::string text_;
    json_line line_;
    later_queue<later> later_;
    statement connection_;
    message_rows message_;
    delivery_rows delivery_;
    text_sums sums_;
};

}  // namespace

text_sums export_json_lines(recording_reader& from, const export_selection& selection,
                            std::ostream& to) {
    const steady_view view(from.tables());
    return json_export(from, selection, to).run();
}

}  // namespace fleetarium::recording
