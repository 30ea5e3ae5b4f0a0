#pragma once

#include <fleetarium/codec/codec.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

/// Packets drawn from a seed; the same seed gives the same packets everywhere.
namespace fleetarium::test {

/// Draws valid packets. What a packet refers to lives as long as the generator.
class random_packets {
public:
    random_packets(std::uint64_t seed, protocol_version version)
        : state_(seed), version_(version) {}

    static constexpr unsigned type_first = static_cast<unsigned>(packet_type::connect);

    /// A packet of a type that the version has.
    packet next() {
        const unsigned type_last = static_cast<unsigned>(
            version_ == protocol_version::v5 ? packet_type::auth : packet_type::disconnect);
        return next(static_cast<packet_type>(between(type_first, type_last)));
    }

    packet next(packet_type type) {
        switch (type) {
            case packet_type::connect: return make_connect();
            case packet_type::connack: return make_connack();
            case packet_type::publish: return make_publish();
            case packet_type::puback: return make_acknowledgement<puback>(publish_codes());
            case packet_type::pubrec: return make_acknowledgement<pubrec>(publish_codes());
            case packet_type::pubrel: return make_acknowledgement<pubrel>({0x00, 0x92});
            case packet_type::pubcomp: return make_acknowledgement<pubcomp>({0x00, 0x92});
            case packet_type::subscribe: return make_subscribe();
            case packet_type::suback:
                return make_answer<suback>(v5() ? std::vector<unsigned>{0, 1, 2, 0x80, 0x87, 0xA2}
                                                : std::vector<unsigned>{0, 1, 2, 0x80});
            case packet_type::unsubscribe: return make_unsubscribe();
            case packet_type::unsuback: return make_unsuback();
            case packet_type::pingreq: return pingreq{};
            case packet_type::pingresp: return pingresp{};
            case packet_type::disconnect: return make_disconnect();
            case packet_type::auth: return make_auth();
        }
        return pingreq{};
    }

private:
    // splitmix64
    std::uint64_t draw() {
        state_ += 0x9E3779B97F4A7C15U;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9U;
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBU;
        return mixed ^ mixed >> 31;
    }
    std::uint32_t between(std::uint32_t first, std::uint32_t last) {
        return first + static_cast<std::uint32_t>(draw() % (std::uint64_t{last} - first + 1));
    }
    bool coin() { return (draw() & 1) != 0; }
    bool v5() const { return version_ == protocol_version::v5; }

    /// Sizes around those where a length field grows.
    std::size_t size_draw() {
        constexpr std::uint32_t ends[] = {1, 3, 20, 130, 300, 17'000};
        return between(0, ends[std::min<std::uint32_t>(between(0, 30), 5)]);
    }
    std::uint16_t two_bytes(std::uint16_t first = 0) {
        return static_cast<std::uint16_t>(between(first, 65'535));
    }

    std::string_view text(std::size_t size) {
        // One to four bytes a character; `made` may end up to three bytes longer than asked.
        constexpr const char* characters[] = {"a", "/", "Z", "7", "\x7F", "\xC3\xA9",
                                              "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
        std::string made;
        const bool ascii = coin();
        while (made.size() < size) {
            made += characters[between(0, ascii ? 3 : 7)];
        }
        texts_.push_back(std::move(made));
        return texts_.back();
    }
    std::string_view text() { return text(size_draw()); }
    std::string_view topic() { return text(size_draw() + 1); }
    bytes_view blob() {
        std::vector<std::uint8_t> made(size_draw());
        for (std::uint8_t& byte : made) {
            byte = static_cast<std::uint8_t>(draw());
        }
        blobs_.push_back(std::move(made));
        return blobs_.back();
    }
    template <class Value>
    void maybe(std::optional<Value>& out, Value value) {
        if (v5() && coin()) {
            out = value;
        }
    }
    user_properties pairs() {
        if (!v5() || coin()) {
            return {};
        }
        std::vector<user_property> made;
        for (std::uint32_t count = between(1, 3); count != 0; --count) {
            made.emplace_back(text(), text());
        }
        pair_lists_.push_back(std::move(made));
        return user_properties(pair_lists_.back());
    }
    reason_code code_of(const std::vector<unsigned>& codes) {
        return static_cast<reason_code>(
            codes[between(0, static_cast<std::uint32_t>(codes.size()) - 1)]);
    }
    std::vector<unsigned> publish_codes() const {
        return v5() ? std::vector<unsigned>{0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99}
                    : std::vector<unsigned>{0x00};
    }

    template <class Message>
    void message(Message& out) {
        maybe(out.payload_format_indicator, static_cast<std::uint8_t>(between(0, 1)));
        maybe(out.message_expiry_interval, between(0, 0xFFFFFFFF));
        maybe(out.content_type, text());
        maybe(out.response_topic, topic());
        maybe(out.correlation_data, blob());
        out.user_properties = pairs();
    }

    packet make_connect() {
        connect made;
        made.version = version_;
        made.clean_start = coin();
        made.keep_alive = two_bytes();
        made.client_id = text();
        if (coin()) {
            made.will.emplace();
            made.will->topic = topic();
            made.will->payload = blob();
            made.will->qos = static_cast<qos>(between(0, 2));
            made.will->retain = coin();
            made.will->delay_interval = v5() && coin() ? between(1, 1'000'000) : 0;
            message(*made.will);
        }
        if (coin()) {
            made.user_name = text();
        }
        if (coin() && (v5() || made.user_name)) {
            made.password = blob();
        }
        maybe(made.session_expiry_interval, between(0, 0xFFFFFFFF));
        maybe(made.receive_maximum, two_bytes(1));
        maybe(made.maximum_packet_size, between(1, 0xFFFFFFFF));
        maybe(made.topic_alias_maximum, two_bytes());
        maybe(made.request_response_information, coin());
        maybe(made.request_problem_information, coin());
        maybe(made.authentication_method, text());
        if (made.authentication_method) {
            maybe(made.authentication_data, blob());
        }
        made.user_properties = pairs();
        return made;
    }

    packet make_connack() {
        connack made;
        made.session_present = coin();
        made.code = code_of({0x00, 0x84, 0x85, 0x86, 0x87, 0x88});
        maybe(made.session_expiry_interval, between(0, 0xFFFFFFFF));
        maybe(made.receive_maximum, two_bytes(1));
        maybe(made.maximum_qos, static_cast<qos>(between(0, 1)));
        maybe(made.retain_available, coin());
        maybe(made.maximum_packet_size, between(1, 0xFFFFFFFF));
        maybe(made.assigned_client_identifier, text());
        maybe(made.topic_alias_maximum, two_bytes());
        maybe(made.reason_string, text());
        maybe(made.wildcard_subscription_available, coin());
        maybe(made.subscription_identifier_available, coin());
        maybe(made.shared_subscription_available, coin());
        maybe(made.server_keep_alive, two_bytes());
        maybe(made.response_information, text());
        maybe(made.server_reference, text());
        maybe(made.authentication_method, text());
        maybe(made.authentication_data, blob());
        made.user_properties = pairs();
        return made;
    }

    packet make_publish() {
        publish made;
        maybe(made.topic_alias, two_bytes(1));
        made.topic = made.topic_alias && coin() ? std::string_view{} : topic();
        made.payload = blob();
        made.qos = static_cast<qos>(between(0, 2));
        made.retain = coin();
        if (made.qos != qos::at_most_once) {
            made.packet_id = two_bytes(1);
            made.dup = coin();
        }
        message(made);
        if (v5() && coin()) {
            std::vector<std::uint32_t> list;
            for (std::uint32_t count = between(1, 3); count != 0; --count) {
                list.push_back(between(1, coin() ? 200 : 268'435'455));
            }
            number_lists_.push_back(std::move(list));
            made.subscription_identifiers = subscription_identifiers(number_lists_.back());
        }
        return made;
    }

    template <class Packet>
    packet make_acknowledgement(const std::vector<unsigned>& codes) {
        Packet made;
        made.packet_id = two_bytes(1);
        made.code = v5() ? code_of(codes) : reason_code::success;
        maybe(made.reason_string, text());
        made.user_properties = pairs();
        return made;
    }

    packet make_subscribe() {
        subscribe made;
        made.packet_id = two_bytes(1);
        maybe(made.subscription_identifier, between(1, 268'435'455));
        made.user_properties = pairs();
        std::vector<subscription_request> list;
        for (std::uint32_t count = between(1, 4); count != 0; --count) {
            subscription_request request;
            request.filter = text();
            request.options.qos = static_cast<qos>(between(0, 2));
            if (v5()) {
                request.options.no_local = coin();
                request.options.retain_as_published = coin();
                request.options.retain_handling = static_cast<retain_handling>(between(0, 2));
            }
            list.push_back(request);
        }
        request_lists_.push_back(std::move(list));
        made.requests = subscription_requests(request_lists_.back());
        return made;
    }

    packet make_unsubscribe() {
        unsubscribe made;
        made.packet_id = two_bytes(1);
        made.user_properties = pairs();
        std::vector<std::string_view> list;
        for (std::uint32_t count = between(1, 4); count != 0; --count) {
            list.push_back(text());
        }
        filter_lists_.push_back(std::move(list));
        made.filters = topic_filters(filter_lists_.back());
        return made;
    }

    template <class Packet>
    Packet make_answer(const std::vector<unsigned>& codes) {
        Packet made;
        made.packet_id = two_bytes(1);
        maybe(made.reason_string, text());
        made.user_properties = pairs();
        std::vector<reason_code> list;
        for (std::uint32_t count = between(1, 200); count != 0; --count) {
            list.push_back(code_of(codes));
        }
        code_lists_.push_back(std::move(list));
        made.codes = code_lists_.back();
        return made;
    }

    packet make_unsuback() {
        auto made = make_answer<unsuback>({0x00, 0x11, 0x80, 0x87});
        if (!v5()) {
            made.codes = {};
        }
        return made;
    }

    packet make_disconnect() {
        disconnect made;
        made.code = v5() ? code_of({0x00, 0x04, 0x81, 0x8E, 0x9D})
                         : reason_code::normal_disconnection;
        maybe(made.session_expiry_interval, between(0, 0xFFFFFFFF));
        maybe(made.reason_string, text());
        maybe(made.server_reference, text());
        made.user_properties = pairs();
        return made;
    }

    packet make_auth() {
        auth made;
        made.code = code_of({0x00, 0x18, 0x19});
        maybe(made.authentication_method, text());
        maybe(made.authentication_data, blob());
        maybe(made.reason_string, text());
        made.user_properties = pairs();
        return made;
    }

    std::uint64_t state_;
    protocol_version version_;
    std::deque<std::string> texts_;
    std::deque<std::vector<std::uint8_t>> blobs_;
    std::deque<std::vector<user_property>> pair_lists_;
    std::deque<std::vector<std::uint32_t>> number_lists_;
    std::deque<std::vector<subscription_request>> request_lists_;
    std::deque<std::vector<std::string_view>> filter_lists_;
    std::deque<std::vector<reason_code>> code_lists_;
};

}  // namespace fleetarium::test
