#include <fleetarium/recording/recording_csv.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/base64.hpp>
#include <fleetarium/recording/recorded_rows.hpp>

#include <charconv>
#include <ostream>
#include <string>

namespace fleetarium::recording {

namespace {

constexpr std::string_view header =
    "message,publisher,receiver,topic,qos,retain,copy,will,state,reason,published_s,at_s,"
    "acknowledged_s,sent_s,received_s,ended_s,delivery_qos,resent,copies,payload,payload_encoding,"
    "properties\r\n";

class csv_export {
public:
    csv_export(recording_reader& from, const export_selection& selection, std::ostream& to)
        : in_(from.tables()), selection_(selection), names_(in_, selection), to_(to) {}

    text_sums run() {
        const std::int64_t first = first_message_from(in_, selection_.from);
        const std::int64_t last = selection_.until == export_selection::end_of_time
                                      ? message_id_max
                                      : first_message_from(in_, selection_.until) - 1;
        text_ = header;
        message_rows messages(in_, first, last);
        delivery_rows deliveries(in_, first, last);
        message_row message;
        delivery_row delivery;
        bool has_delivery = deliveries.next(delivery);
        while (messages.next(message)) {
            bool alone = true;
            const bool wanted = names_.wants_topic(message.topic);
            const bool by_wanted = wanted && names_.client(message.publisher).wanted;
            for (; has_delivery && delivery.message() <= message.id;
                 has_delivery = deliveries.next(delivery)) {
                if (delivery.message() < message.id) {
                    continue;
                }
                alone = false;
                if (by_wanted || (wanted && names_.client(delivery.receiver).wanted)) {
                    write(message, &delivery);
                    ++sums_.deliveries;
                }
            }
            if (alone && by_wanted) {
                write(message, nullptr);
            }
        }
        flush();
        return sums_;
    }

private:
    void write(const message_row& message, const delivery_row* delivery) {
        if (message.id != last_message_) {
            last_message_ = message.id;
            ++sums_.messages;
            // The same for all deliveries.
            begins_with_.clear();
            append_number(begins_with_, message.id);
            begins_with_ += ',';
            append_quoted(begins_with_, names_.client(message.publisher).name);
            begins_with_ += ',';
            ends_with_.clear();
            append_payload(ends_with_, message);
        }
        ++sums_.rows;
        text_ += begins_with_;
        if (delivery != nullptr) {
            append_quoted(text_, names_.client(delivery->receiver).name);
        }
        text_ += ',';
        append_quoted(text_, names_.topic(message.topic));
        append_field(message.qos);
        append_field(message.retain);
        append_field(message.copy);
        append_field(message.will);
        text_ += ',';
        text_ += delivery != nullptr               ? name_of(delivery->state)
                 : message.refused                 ? std::string_view("refused")
                 : message.deliveries == not_known ? std::string_view()
                                                   : std::string_view("no_delivery");
        text_ += ',';
        text_ += name_of(static_cast<broker::drop_reason>(delivery != nullptr ? delivery->reason
                                                                              : message.reason));
        append_instant(message.published);
        append_instant(message.at);
        append_instant(message.acknowledged);
        if (delivery != nullptr) {
            append_instant(delivery->sent);
            append_instant(delivery->received);
            append_instant(delivery->ended);
            append_field(delivery->qos);
            append_field(delivery->resent);
            append_field(delivery->copies);
        } else {
            text_ += ",,,,,,";
        }
        text_ += ends_with_;
        if (text_.size() >= flushed_at) {
            flush();
        }
    }

    void append_payload(std::string& to, const message_row& message) {
        to += ',';
        if (message.refused) {
            to += ",not recorded";
        } else if (const std::string_view text = as_text(message.payload); is_valid_string(text)) {
            append_quoted(to, text);
            to += ",text";
        } else {
            append_base64(to, message.payload);
            to += ",base64";
        }
        to += ',';
        append_quoted(to, message.properties);
        to += "\r\n";
    }

    static void append_number(std::string& to, std::int64_t value) {
        char digits[24];
        to.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
    }

    /// RFC 4180: in quotes if it has to be, with quotes doubled.
    static void append_quoted(std::string& to, std::string_view value) {
        if (value.find_first_of(",\"\r\n") == std::string_view::npos) {
            to += value;
            return;
        }
        to += '"';
        for (const char each : value) {
            if (each == '"') {
                to += '"';
            }
            to += each;
        }
        to += '"';
    }

    void append_field(std::int64_t value) {
        text_ += ',';
        append_number(text_, value);
    }

    void append_instant(std::int64_t at) {
        text_ += ',';
        if (at != no_instant) {
            append_seconds(text_, at);
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
    std::string begins_with_;
    std::string ends_with_;
    std::int64_t last_message_ = 0;
    text_sums sums_;
};

}  // namespace

text_sums export_csv(recording_reader& from, const export_selection& selection, std::ostream& to) {
    const steady_view view(from.tables());
    return csv_export(from, selection, to).run();
}

}  // namespace fleetarium::recording
