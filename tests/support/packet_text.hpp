#pragma once

#include <fleetarium/codec/codec.hpp>

#include <string>
#include <string_view>
#include <variant>

/// A packet as one line of text that names every field present, for comparing and for printing.
namespace fleetarium::test {

class packet_text {
public:
    static std::string of(const packet& in) {
        packet_text text;
        std::visit([&text](const auto& each) { text.write(each); }, in);
        return text.line_;
    }

private:
    static std::string quoted(std::string_view value) {
        constexpr std::string_view digits = "0123456789ABCDEF";
        std::string made;
        for (const char each : value) {
            const auto byte = static_cast<unsigned char>(each);
            if (byte > 0x20 && byte < 0x7F && each != '\\') {
                made += each;
            } else {
                made += '\\';
                made += digits[byte >> 4];
                made += digits[byte & 0x0F];
            }
        }
        return '"' + made + '"';
    }

    void put(std::string_view name, const std::string& value) {
        line_ += ' ';
        line_ += name;
        line_ += '=';
        line_ += value;
    }
    void put(std::string_view name, std::string_view value) { put(name, quoted(value)); }
    void put(std::string_view name, bytes_view value) { put(name, quoted(as_text(value))); }
    void put(std::string_view name, std::uint32_t value) { put(name, std::to_string(value)); }
    void put(std::string_view name, qos value) {
        put(name, static_cast<std::uint32_t>(value));
    }
    void put(std::string_view name, reason_code value) {
        constexpr std::string_view digits = "0123456789ABCDEF";
        const auto byte = static_cast<std::uint8_t>(value);
        put(name, std::string{digits[byte >> 4], digits[byte & 0x0F]});
    }
    template <class Value>
    void put(std::string_view name, const std::optional<Value>& value) {
        if (value) {
            put(name, *value);
        }
    }
    void flag(std::string_view name, bool value) {
        if (value) {
            line_ += ' ';
            line_ += name;
        }
    }
    void put(const user_properties& pairs) {
        pairs.for_each([this](const user_property& pair) {
            put("user_property", quoted(pair.first) + ":" + quoted(pair.second));
        });
    }
    void codes(std::span<const reason_code> list) {
        for (const reason_code code : list) {
            put("code", code);
        }
    }

    template <class Message>
    void message(const Message& in) {
        put("payload_format_indicator", in.payload_format_indicator);
        put("message_expiry_interval", in.message_expiry_interval);
        put("content_type", in.content_type);
        put("response_topic", in.response_topic);
        put("correlation_data", in.correlation_data);
        put(in.user_properties);
    }

    void write(const connect& in) {
        line_ = "CONNECT";
        put("version", static_cast<std::uint32_t>(in.version));
        flag("clean_start", in.clean_start);
        put("keep_alive", in.keep_alive);
        put("client_id", in.client_id);
        put("session_expiry_interval", in.session_expiry_interval);
        put("receive_maximum", in.receive_maximum);
        put("maximum_packet_size", in.maximum_packet_size);
        put("topic_alias_maximum", in.topic_alias_maximum);
        put("request_response_information", in.request_response_information);
        put("request_problem_information", in.request_problem_information);
        put("authentication_method", in.authentication_method);
        put("authentication_data", in.authentication_data);
        put(in.user_properties);
        if (in.will) {
            line_ += " will(";
            put("topic", in.will->topic);
            put("payload", in.will->payload);
            put("qos", in.will->qos);
            flag("retain", in.will->retain);
            put("delay_interval", in.will->delay_interval);
            message(*in.will);
            line_ += " )";
        }
        put("user_name", in.user_name);
        put("password", in.password);
    }

    void write(const connack& in) {
        line_ = "CONNACK";
        flag("session_present", in.session_present);
        put("code", in.code);
        put("session_expiry_interval", in.session_expiry_interval);
        put("receive_maximum", in.receive_maximum);
        put("maximum_qos", in.maximum_qos);
        put("retain_available", in.retain_available);
        put("maximum_packet_size", in.maximum_packet_size);
        put("assigned_client_identifier", in.assigned_client_identifier);
        put("topic_alias_maximum", in.topic_alias_maximum);
        put("reason_string", in.reason_string);
        put("wildcard_subscription_available", in.wildcard_subscription_available);
        put("subscription_identifier_available", in.subscription_identifier_available);
        put("shared_subscription_available", in.shared_subscription_available);
        put("server_keep_alive", in.server_keep_alive);
        put("response_information", in.response_information);
        put("server_reference", in.server_reference);
        put("authentication_method", in.authentication_method);
        put("authentication_data", in.authentication_data);
        put(in.user_properties);
    }

    void write(const publish& in) {
        line_ = "PUBLISH";
        put("topic", in.topic);
        put("payload", in.payload);
        put("qos", in.qos);
        flag("dup", in.dup);
        flag("retain", in.retain);
        if (in.packet_id != 0) {
            put("packet_id", in.packet_id);
        }
        put("topic_alias", in.topic_alias);
        in.subscription_identifiers.for_each(
            [this](std::uint32_t value) { put("subscription_identifier", value); });
        message(in);
    }

    template <packet_type Type>
    void write(const basic_acknowledgement<Type>& in) {
        line_ = name_of(Type);
        put("packet_id", in.packet_id);
        put("code", in.code);
        put("reason_string", in.reason_string);
        put(in.user_properties);
    }

    void write(const subscribe& in) {
        line_ = "SUBSCRIBE";
        put("packet_id", in.packet_id);
        put("subscription_identifier", in.subscription_identifier);
        put(in.user_properties);
        in.requests.for_each([this](const subscription_request& request) {
            put("filter", request.filter);
            put("qos", request.options.qos);
            flag("no_local", request.options.no_local);
            flag("retain_as_published", request.options.retain_as_published);
            put("retain_handling", static_cast<std::uint32_t>(request.options.retain_handling));
        });
    }

    void write(const suback& in) {
        line_ = "SUBACK";
        put("packet_id", in.packet_id);
        put("reason_string", in.reason_string);
        put(in.user_properties);
        codes(in.codes);
    }

    void write(const unsubscribe& in) {
        line_ = "UNSUBSCRIBE";
        put("packet_id", in.packet_id);
        put(in.user_properties);
        in.filters.for_each([this](std::string_view filter) { put("filter", filter); });
    }

    void write(const unsuback& in) {
        line_ = "UNSUBACK";
        put("packet_id", in.packet_id);
        put("reason_string", in.reason_string);
        put(in.user_properties);
        codes(in.codes);
    }

    void write(const pingreq&) { line_ = "PINGREQ"; }
    void write(const pingresp&) { line_ = "PINGRESP"; }

    void write(const disconnect& in) {
        line_ = "DISCONNECT";
        put("code", in.code);
        put("session_expiry_interval", in.session_expiry_interval);
        put("reason_string", in.reason_string);
        put("server_reference", in.server_reference);
        put(in.user_properties);
    }

    void write(const auth& in) {
        line_ = "AUTH";
        put("code", in.code);
        put("authentication_method", in.authentication_method);
        put("authentication_data", in.authentication_data);
        put("reason_string", in.reason_string);
        put(in.user_properties);
    }

    std::string line_;
};

}  // namespace fleetarium::test
