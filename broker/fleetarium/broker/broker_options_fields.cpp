#include <fleetarium/broker/broker_options_fields.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/core/limits.hpp>

#include <limits>
#include <string>

namespace fleetarium::broker::detail {

using namespace config;
using namespace config::detail;

namespace {

/// Text that fits into a property.
value_type<std::string> mqtt_text() {
    constexpr std::size_t size_max = 65'535;
    auto type = text();
    type.expected = "text of at most 65,535 bytes without U+0000";
    type.read = [expected = type.expected](reading& in, const json_value& value,
                                           std::string& result) {
        if (value.kind == json_kind::string && value.text.size() <= size_max &&
            is_valid_string(value.text)) {
            result = value.text;
        } else {
            in.report(value, expected);
        }
    };
    return type;
}

// NOLINTNEXTLINE(readability-function-size): one entry per option
std::vector<field<broker_options>> made_fields() {
    using t = broker_options;
    constexpr std::size_t large = 1'000'000'000;
    constexpr std::size_t terabyte = 1'000'000'000'000;
    return {
        make_field<t>(
            "receive_maximum", integer<std::uint16_t>(1), &t::receive_maximum,
            "QoS 1 and 2 messages that a client may send before the first is acknowledged. "
            "Announced to clients.",
            "20"),
        make_field<t>("maximum_packet_size", size<std::uint32_t>(16, limits::packet_size_max),
                      &t::maximum_packet_size, "The largest packet a client may send. Announced.",
                      R"("64kB")"),
        make_field<t>("topic_alias_maximum", integer<std::uint16_t>(0), &t::topic_alias_maximum,
                      "Topic aliases that a client may use. Announced.", "10"),
        make_field<t>("maximum_qos", qos_number(), &t::maximum_qos,
                      "The highest QoS a client may publish with. Announced.", "1"),
        make_field<t>("retain_available", boolean(), &t::retain_available,
                      "Whether clients may publish retained messages. Announced.", "false"),
        make_field<t>("wildcard_subscription_available", boolean(),
                      &t::wildcard_subscription_available,
                      "Whether filters may have wildcards. Announced.", "false"),
        make_field<t>("subscription_identifier_available", boolean(),
                      &t::subscription_identifier_available,
                      "Whether subscriptions may have identifiers. Announced.", "false"),
        make_field<t>("shared_subscription_available", boolean(), &t::shared_subscription_available,
                      "Whether $share/... filters are allowed. Announced.", "false"),
        make_field<t>(
            "server_keep_alive",
            optional_of(seconds<std::uint16_t>(std::numeric_limits<std::uint16_t>::max())),
            &t::server_keep_alive,
            "Replaces the keep alive that MQTT 5 clients ask for. Announced.", R"("2m")"),
        make_field<t>("session_expiry_maximum",
                      seconds<std::uint32_t>(session_expiry_never - 1, session_expiry_never),
                      &t::session_expiry_maximum,
                      "Sessions are kept no longer than this after their connection. Announced.",
                      R"("12h")"),
        make_field<t>("connections_max", integer<std::size_t>(1, large), &t::connections_max,
                      "Clients connected at once.", "1000"),
        make_field<t>("sessions_max", integer<std::size_t>(1, large), &t::sessions_max,
                      "Sessions, connected or not.", "1000"),
        make_field<t>("subscriptions_per_session_max", integer<std::size_t>(1, large),
                      &t::subscriptions_per_session_max, "Subscriptions of a client.", "50"),
        make_field<t>("retained_messages_max", integer<std::size_t>(0, large),
                      &t::retained_messages_max, "Retained messages kept.", "10000"),
        make_field<t>("retained_bytes_max", size<std::size_t>(0, terabyte), &t::retained_bytes_max,
                      "Memory for retained messages.", R"("64MB")"),
        make_field<t>("connect_timeout", duration_from(duration(1)), &t::connect_timeout,
                      "A connection without CONNECT is closed after this.", R"("5s")"),
        make_field<t>("connect_packet_size_max", size<std::uint32_t>(64, limits::packet_size_max),
                      &t::connect_packet_size_max, "The largest CONNECT.", R"("4kB")"),
        make_field<t>("topic_levels_max", integer<std::uint16_t>(1, limits::topic_levels_max),
                      &t::topic_levels_max, "Levels of a topic or filter.", "10"),
        make_field<t>("topic_bytes_max", integer<std::uint16_t>(1, limits::string_size_max),
                      &t::topic_bytes_max, "Bytes of a topic or filter.", "200"),
        make_field<t>("memory_max", size<std::size_t>(0, terabyte), &t::memory_max,
                      "Memory of sessions, queues, retained messages and what waits for clients. "
                      "Near it the broker refuses clients, then drops messages; 0 is no ceiling.",
                      R"("512MB")"),
        make_field<t>("sessions_belong_to_users", boolean(), &t::sessions_belong_to_users,
                      "Whether a session can be had only under the user name that made it.",
                      "false"),
        make_field<t>("queue_messages_max", integer<std::uint32_t>(0, large),
                      &t::queue_messages_max, "Messages that wait for a session.", "100"),
        make_field<t>("queue_bytes_max", size<std::size_t>(0, terabyte), &t::queue_bytes_max,
                      "Bytes that wait for a session.", R"("1MB")"),
        make_field<t>("queue_policy", word<queue_policy>({"drop_new", "drop_oldest"}),
                      &t::queue_policy, "Which message goes when a queue is full.",
                      R"("drop_oldest")"),
        make_field<t>("queue_qos_0_offline", boolean(), &t::queue_qos_0_offline,
                      "Whether QoS 0 messages wait for absent sessions too.", "true"),
        make_field<t>("inflight_messages_max", integer<std::uint16_t>(1), &t::inflight_messages_max,
                      "Messages on their way to a client before the first is acknowledged.", "20"),
        make_field<t>("overlapping_subscriptions",
                      word<overlapping_subscriptions>({"single_copy", "copy_per_subscription"}),
                      &t::overlapping_subscriptions,
                      "What a client gets of a message that several of its subscriptions match.",
                      R"("copy_per_subscription")"),
        make_field<t>("use_topic_aliases", boolean(), &t::use_topic_aliases,
                      "Whether the broker uses aliases towards clients that allow them.", "false"),
        make_field<t>("shared_subscriptions_in_v3_1_1", boolean(),
                      &t::shared_subscriptions_in_v3_1_1,
                      "Whether $share/... filters are shared for MQTT 3.1.1 clients too.", "false"),
        make_field<t>(
            "report_no_matching_subscribers", boolean(), &t::report_no_matching_subscribers,
            "Whether an acknowledgement says that nobody subscribes to the topic.", "false"),
        make_field<t>("allow_dollar_topics", boolean(), &t::allow_dollar_topics,
                      "Whether clients may publish to topics that begin with $.", "false"),
        make_field<t>("response_information", mqtt_text(), &t::response_information,
                      "What clients that ask for Response Information get.", R"("replies/")"),
        make_field<t>("sys_interval", duration_from(duration(0)), &t::sys_interval,
                      "Between the messages about the broker on $SYS topics; 0s is none.",
                      R"("10s")"),
    };
}

}  // namespace

const std::vector<field<broker_options>>& broker_options_fields() {
    static const auto fields = made_fields();
    return fields;
}

}  // namespace fleetarium::broker::detail
