#pragma once

#include <fleetarium/codec/codec.hpp>

#include <fuzz/drawn_bytes.hpp>
#include <support/hex.hpp>
#include <support/random_packet.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::test {

/// Packets whose fields a fuzzer's bytes choose, mostly from a few values, so that one packet means
/// something to the next: topics that filters match, packet ids that are in use, aliases that stand
/// for something. What a packet refers to lives as long as this.
class drawn_packets {
public:
    explicit drawn_packets(drawn_bytes& from) : from_(from) {}

    static constexpr std::array<std::string_view, 6> client_ids = {"a", "b", "c", "", "dd", "e"};

    std::string_view topic() {
        static constexpr std::string_view table[] = {"a",
                                                     "a/b",
                                                     "a/b/c",
                                                     "b",
                                                     "secret/x",
                                                     "$x/y",
                                                     "",
                                                     "a//",
                                                     "long/topic/of/more/bytes/1",
                                                     "long/topic/of/more/bytes/2",
                                                     "$SYS/x"};
        const std::uint8_t choice = from_.byte();
        return choice < 224 ? table[choice % std::size(table)] : kept(from_.text());
    }
    std::string_view filter() {
        static constexpr std::string_view table[] = {
            "#",     "+",          "a/#",      "a/+",    "+/b",        "$share/g/a/#",
            "a/b",   "$share/g/#", "$x/#",     "$SYS/#", "$share/h/+", "long/#",
            "a/#/b", "$share/g",   "secret/x", "+/+/#",  "b",          "$share/g/a/b"};
        const std::uint8_t choice = from_.byte();
        return choice < 236 ? table[choice % std::size(table)] : kept(from_.text());
    }
    std::uint16_t packet_id() {
        const std::uint8_t choice = from_.byte();
        return choice < 250 ? static_cast<std::uint16_t>(1 + choice % 5)
                            : std::max<std::uint16_t>(1, from_.two_bytes());
    }

    connect make_connect() {
        connect made;
        const std::uint8_t flags = from_.byte();
        made.version = (flags & 1) != 0 ? protocol_version::v3_1_1 : protocol_version::v5;
        v5_ = made.version == protocol_version::v5;
        made.clean_start = (flags & 2) == 0;
        made.client_id = client_ids[(flags >> 2) % client_ids.size()];
        if ((flags & 32) != 0) {
            will& last = made.will.emplace();
            last.topic = topic();
            last.payload = payload();
            last.qos = draw_qos();
            last.retain = from_.coin();
            if (v5_) {
                static constexpr std::uint32_t delays[] = {0, 1, 60, 0xFFFF'FFFF};
                last.delay_interval = from_.one_of(delays);
                maybe(last.message_expiry_interval, seconds());
            }
        }
        if ((flags & 64) != 0) {
            static constexpr std::uint16_t keep_alives[] = {0, 1, 10, 0xFFFF};
            made.keep_alive = from_.one_of(keep_alives);
            static constexpr std::string_view names[] = {"ann", "bad", ""};
            made.user_name = from_.one_of(names);
            made.password = as_bytes_view("x");
        }
        if (v5_ && (flags & 128) != 0) {
            static constexpr std::uint16_t maxima[] = {1, 2, 3, 10, 65'535};
            static constexpr std::uint32_t sizes[] = {5, 20, 40, 100, 0xFFFF'FFFF};
            static constexpr std::uint16_t aliases[] = {0, 1, 2, 65'535};
            maybe(made.session_expiry_interval, seconds());
            maybe(made.receive_maximum, from_.one_of(maxima));
            maybe(made.maximum_packet_size, from_.one_of(sizes));
            maybe(made.topic_alias_maximum, from_.one_of(aliases));
            maybe(made.request_problem_information, from_.coin());
            maybe(made.request_response_information, from_.coin());
            if (from_.below(4) == 0) {
                made.authentication_method = method();
                maybe(made.authentication_data, answer());
            }
        }
        return made;
    }

    /// As a client that wants to get on: no will, no limits, a session that stays.
    connect make_plain_connect(std::uint8_t choice) {
        connect made;
        made.version = (choice & 1) != 0 ? protocol_version::v3_1_1 : protocol_version::v5;
        v5_ = made.version == protocol_version::v5;
        made.clean_start = (choice & 2) != 0;
        made.client_id = client_ids[(choice >> 2) % 3];
        if (v5_) {
            made.session_expiry_interval = 3600;
            if ((choice & 128) != 0) {
                made.topic_alias_maximum = std::uint16_t{2};
                made.receive_maximum = std::uint16_t{2};
            }
        }
        return made;
    }

    connack make_connack() {
        connack made;
        made.session_present = from_.below(3) == 0;
        if (from_.below(8) == 0) {
            made.code = reason_code::not_authorized;
            made.session_present = false;
        }
        if (v5_ && from_.coin()) {
            static constexpr std::uint16_t maxima[] = {1, 2, 3, 10, 65'535};
            static constexpr std::uint32_t sizes[] = {5, 20, 40, 100, 0xFFFF'FFFF};
            static constexpr std::uint16_t aliases[] = {0, 1, 2, 65'535};
            static constexpr std::uint16_t keep_alives[] = {0, 1, 10, 0xFFFF};
            maybe(made.session_expiry_interval, seconds());
            maybe(made.receive_maximum, from_.one_of(maxima));
            maybe(made.maximum_qos, from_.coin() ? qos::at_least_once : qos::at_most_once);
            maybe(made.retain_available, from_.coin());
            maybe(made.maximum_packet_size, from_.one_of(sizes));
            maybe(made.assigned_client_identifier, from_.one_of(client_ids));
            maybe(made.topic_alias_maximum, from_.one_of(aliases));
            maybe(made.wildcard_subscription_available, from_.coin());
            maybe(made.subscription_identifier_available, from_.coin());
            maybe(made.shared_subscription_available, from_.coin());
            maybe(made.server_keep_alive, from_.one_of(keep_alives));
            if (from_.below(4) == 0) {
                made.authentication_method = method();
                maybe(made.authentication_data, answer());
            }
        }
        return made;
    }

    publish make_publish() {
        publish made;
        const std::uint8_t flags = from_.byte();
        made.qos = static_cast<qos>((flags & 3) % 3);
        made.retain = (flags & 4) != 0;
        made.topic = topic();
        made.payload = payload();
        if (made.qos != qos::at_most_once) {
            made.packet_id = packet_id();
            made.dup = (flags & 8) != 0;
        }
        if (v5_ && (flags & 16) != 0) {
            if ((flags & 32) != 0) {
                made.topic_alias = static_cast<std::uint16_t>(1 + from_.below(3));
            }
            if ((flags & 64) != 0) {
                maybe(made.message_expiry_interval, seconds());
                maybe(made.payload_format_indicator, std::uint8_t{1});
                maybe(made.content_type, std::string_view("t"));
                maybe(made.response_topic, std::string_view("a/b"));
                maybe(made.correlation_data, as_bytes_view("c"));
            }
            if ((flags & 128) != 0) {
                made.user_properties = pairs();
            }
        }
        return made;
    }

    subscribe make_subscribe() {
        subscribe made;
        made.packet_id = packet_id();
        auto& list = request_lists_.emplace_back();
        for (std::uint32_t count = 1 + from_.below(3); count != 0; --count) {
            subscription_request& one = list.emplace_back();
            one.filter = filter();
            const std::uint8_t options = from_.byte();
            one.options.qos = static_cast<qos>((options & 3) % 3);
            if (v5_) {
                one.options.no_local = (options & 4) != 0;
                one.options.retain_as_published = (options & 8) != 0;
                one.options.retain_handling = static_cast<retain_handling>((options >> 4) % 3);
            }
        }
        made.requests = subscription_requests(list);
        if (v5_ && from_.coin()) {
            made.subscription_identifier = 1 + from_.below(3) * 200U;
            made.user_properties = pairs();
        }
        return made;
    }

    unsubscribe make_unsubscribe() {
        unsubscribe made;
        made.packet_id = packet_id();
        auto& list = filter_lists_.emplace_back();
        for (std::uint32_t count = 1 + from_.below(3); count != 0; --count) {
            list.push_back(filter());
        }
        made.filters = topic_filters(list);
        return made;
    }

    template <class Acknowledgement>
    Acknowledgement make_acknowledgement(std::uint16_t packet_id) {
        Acknowledgement made;
        made.packet_id = packet_id;
        const std::uint8_t choice = from_.byte();
        if (v5_ && choice > 200) {
            constexpr bool is_second = Acknowledgement::type == packet_type::pubrel ||
                                       Acknowledgement::type == packet_type::pubcomp;
            made.code = is_second      ? reason_code::packet_identifier_not_found
                        : choice > 230 ? reason_code::quota_exceeded
                                       : reason_code::no_matching_subscribers;
            made.user_properties = pairs();
        }
        return made;
    }

    template <class Answer>
    Answer make_answer(std::uint16_t packet_id) {
        static constexpr std::uint8_t subscribed[] = {0x00, 0x01, 0x02, 0x80};
        static constexpr std::uint8_t unsubscribed[] = {0x00, 0x11, 0x80};
        Answer made;
        made.packet_id = packet_id;
        auto& list = code_lists_.emplace_back();
        if (v5_ || std::is_same_v<Answer, suback>) {
            for (std::uint32_t count = 1 + from_.below(3); count != 0; --count) {
                list.push_back(static_cast<reason_code>(std::is_same_v<Answer, suback>
                                                            ? from_.one_of(subscribed)
                                                            : from_.one_of(unsubscribed)));
            }
        }
        made.codes = list;
        return made;
    }

    disconnect make_disconnect(bool from_server) {
        static constexpr std::uint8_t of_client[] = {0x00, 0x04, 0x81, 0x80};
        static constexpr std::uint8_t of_server[] = {0x00, 0x8B, 0x8E, 0x9D};
        disconnect made;
        if (v5_) {
            made.code = static_cast<reason_code>(from_server ? from_.one_of(of_server)
                                                             : from_.one_of(of_client));
            maybe(made.session_expiry_interval, seconds());
        }
        return made;
    }

    auth make_auth() {
        static constexpr std::uint8_t codes[] = {0x18, 0x19, 0x00};
        auth made;
        made.code = static_cast<reason_code>(from_.one_of(codes));
        made.authentication_method = method();
        maybe(made.authentication_data, answer());
        return made;
    }

    /// A packet of any type, valid for its version, with fields from nowhere.
    packet make_any() {
        const std::uint64_t seed = from_.two_bytes();
        return strange_.emplace_back(seed, v5_ ? protocol_version::v5 : protocol_version::v3_1_1)
            .next();
    }

    bytes_view payload() {
        static const std::vector<std::uint8_t> large(2000, 'x');
        const std::uint8_t choice = from_.byte();
        return choice < 200   ? bytes_view(digits_).subspan(choice % 10, choice < 20 ? 0 : 1)
               : choice < 220 ? bytes_view(large).first(choice * 9U)
                              : from_.sized();
    }

    bool is_v5() const { return v5_; }
    protocol_version version() const {
        return v5_ ? protocol_version::v5 : protocol_version::v3_1_1;
    }
    void set_version(protocol_version version) { v5_ = version == protocol_version::v5; }

    qos draw_qos() { return static_cast<qos>(from_.below(3)); }

private:
    template <class Value>
    void maybe(std::optional<Value>& out, Value value) {
        if (from_.coin()) {
            out = value;
        }
    }
    std::uint32_t seconds() {
        static constexpr std::uint32_t table[] = {0, 1, 60, 3600, 0xFFFF'FFFF};
        return from_.one_of(table);
    }
    std::string_view method() { return from_.below(4) == 0 ? "other" : "m"; }
    bytes_view answer() {
        static constexpr std::string_view table[] = {"go on", "right", "fail"};
        return as_bytes_view(from_.one_of(table));
    }
    user_properties pairs() {
        static constexpr user_property table[] = {{"k", "v"}, {"k", "w"}, {"", "large value"}};
        return user_properties(std::span(table).first(from_.below(4)));
    }
    std::string_view kept(std::string_view text) { return texts_.emplace_back(text); }

    drawn_bytes& from_;
    bool v5_ = true;
    std::array<std::uint8_t, 10> digits_{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9'};
    std::deque<std::string> texts_;
    std::deque<std::vector<subscription_request>> request_lists_;
    std::deque<std::vector<std::string_view>> filter_lists_;
    std::deque<std::vector<reason_code>> code_lists_;
    std::deque<random_packets> strange_;
};

/// The bytes of a packet; none if the version has no such packet.
template <class Packet>
bytes encoded_or_none(const Packet& in, protocol_version version) {
    wire_buffer out;
    bool done;
    if constexpr (std::is_same_v<Packet, connect>) {
        done = encode(in, out);
    } else {
        done = encode(in, version, out);
    }
    return done ? to_bytes(out) : bytes{};
}

}  // namespace fleetarium::test
