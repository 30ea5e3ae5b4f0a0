#include <fleetarium/sim/scenario_fields.hpp>

#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/core/limits.hpp>
#include <fleetarium/sim/scenario_values.hpp>

#include <limits>

namespace fleetarium::sim::detail {

using namespace config;
using namespace config::detail;

namespace {

const object_type<user_spec>& user_type() {
    using t = user_spec;
    static const object_type<t> type{
        "user",
        "a user",
        "A user name and its password.",
        {make_field<t>("user_name", name_text(), &t::user_name, "Who.", R"("meter")",
                       need::required),
         make_field<t>("password", text(), &t::password, "In plain text.", R"("secret")",
                       need::required)}};
    return type;
}

const object_type<access_rule>& access_type() {
    using t = access_rule;
    static const object_type<t> type{
        "access_rule",
        "an access rule",
        "Topics that clients may use. In filters %c stands for the client id and %u for the user "
        "name. With any rule, what no rule allows is refused.",
        {make_field<t>("user_name", optional_of(name_text()), &t::user_name,
                       "The user whom the rule is for; without it, everybody.", R"("meter")"),
         make_field<t>("publish", list_of(name_text()), &t::publish,
                       "Filters of the topics that may be published to.",
                       R"(["meters/%c/reading"])"),
         make_field<t>("subscribe", list_of(name_text()), &t::subscribe,
                       "Filters that may be subscribed to, and those they cover.",
                       R"(["meters/%c/#"])")}};
    return type;
}

/// A field for a member of the broker's options.
template <class T, class Member>
field<broker_spec> option(std::string_view name, value_type<T> type, Member member,
                          std::string_view description, std::string_view example) {
    return make_field<broker_spec>(
        name,
        std::move(type), [member](broker_spec & broker) -> auto& { return broker.options.*member; },
        description, example);
}

std::vector<field<broker_spec>> broker_fields() {
    using t = broker_spec;
    using o = broker::broker_options;
    constexpr std::size_t large = 1'000'000'000;
    constexpr std::size_t terabyte = 1'000'000'000'000;
    return {
        make_field<t>("name", name_text(), &t::name, "How fleets and the report call the broker.",
                      R"("cloud")", need::required),
        option("receive_maximum", integer<std::uint16_t>(1), &o::receive_maximum,
               "QoS 1 and 2 messages that a client may send before the first is acknowledged. "
               "Announced to clients.",
               "20"),
        option("maximum_packet_size", size<std::uint32_t>(16, limits::packet_size_max),
               &o::maximum_packet_size, "The largest packet a client may send. Announced.",
               R"("64kB")"),
        option("topic_alias_maximum", integer<std::uint16_t>(0), &o::topic_alias_maximum,
               "Topic aliases that a client may use. Announced.", "10"),
        option("maximum_qos", qos_number(), &o::maximum_qos,
               "The highest QoS a client may publish with. Announced.", "1"),
        option("retain_available", boolean(), &o::retain_available,
               "Whether clients may publish retained messages. Announced.", "false"),
        option("wildcard_subscription_available", boolean(), &o::wildcard_subscription_available,
               "Whether filters may have wildcards. Announced.", "false"),
        option("subscription_identifier_available", boolean(),
               &o::subscription_identifier_available,
               "Whether subscriptions may have identifiers. Announced.", "false"),
        option("shared_subscription_available", boolean(), &o::shared_subscription_available,
               "Whether $share/... filters are allowed. Announced.", "false"),
        option("server_keep_alive",
               optional_of(seconds<std::uint16_t>(std::numeric_limits<std::uint16_t>::max())),
               &o::server_keep_alive,
               "Replaces the keep alive that MQTT 5 clients ask for. Announced.", R"("2m")"),
        option(
            "session_expiry_maximum",
            seconds<std::uint32_t>(broker::session_expiry_never - 1, broker::session_expiry_never),
            &o::session_expiry_maximum,
            "Sessions are kept no longer than this after their connection. Announced.", R"("12h")"),
        option("connections_max", integer<std::size_t>(1, large), &o::connections_max,
               "Clients connected at once.", "1000"),
        option("sessions_max", integer<std::size_t>(1, large), &o::sessions_max,
               "Sessions, connected or not.", "1000"),
        option("subscriptions_per_session_max", integer<std::size_t>(1, large),
               &o::subscriptions_per_session_max, "Subscriptions of a client.", "50"),
        option("retained_messages_max", integer<std::size_t>(0, large), &o::retained_messages_max,
               "Retained messages kept.", "10000"),
        option("retained_bytes_max", size<std::size_t>(0, terabyte), &o::retained_bytes_max,
               "Memory for retained messages.", R"("64MB")"),
        option("connect_timeout", duration_from(duration(1)), &o::connect_timeout,
               "A connection without CONNECT is closed after this.", R"("5s")"),
        option("connect_packet_size_max", size<std::uint32_t>(16, limits::packet_size_max),
               &o::connect_packet_size_max, "The largest CONNECT.", R"("4kB")"),
        option("queue_messages_max", integer<std::uint32_t>(0, large), &o::queue_messages_max,
               "Messages that wait for a session.", "100"),
        option("queue_bytes_max", size<std::size_t>(0, terabyte), &o::queue_bytes_max,
               "Bytes that wait for a session.", R"("1MB")"),
        option("queue_policy", word<broker::queue_policy>({"drop_new", "drop_oldest"}),
               &o::queue_policy, "Which message goes when a queue is full.", R"("drop_oldest")"),
        option("queue_qos_0_offline", boolean(), &o::queue_qos_0_offline,
               "Whether QoS 0 messages wait for absent sessions too.", "true"),
        option("inflight_messages_max", integer<std::uint16_t>(1), &o::inflight_messages_max,
               "Messages on their way to a client before the first is acknowledged.", "20"),
        option("overlapping_subscriptions",
               word<broker::overlapping_subscriptions>({"single_copy", "copy_per_subscription"}),
               &o::overlapping_subscriptions,
               "What a client gets of a message that several of its subscriptions match.",
               R"("copy_per_subscription")"),
        option("use_topic_aliases", boolean(), &o::use_topic_aliases,
               "Whether the broker uses aliases towards clients that allow them.", "false"),
        option("shared_subscriptions_in_v3_1_1", boolean(), &o::shared_subscriptions_in_v3_1_1,
               "Whether $share/... filters are shared for MQTT 3.1.1 clients too.", "false"),
        option("report_no_matching_subscribers", boolean(), &o::report_no_matching_subscribers,
               "Whether an acknowledgement says that nobody subscribes to the topic.", "false"),
        option("allow_dollar_topics", boolean(), &o::allow_dollar_topics,
               "Whether clients may publish to topics that begin with $.", "false"),
        option("sys_interval", duration_from(duration(0)), &o::sys_interval,
               "Between the messages about the broker on $SYS topics; 0s is none.", R"("10s")"),
        make_field<t>("users", list_of(object_of(user_type())), &t::users,
                      "Who may connect with a password.",
                      R"([{"user_name": "meter", "password": "secret"}])"),
        make_field<t>("allow_anonymous", boolean(), &t::allow_anonymous,
                      "Whether clients without a user name may connect.", "false"),
        make_field<t>("access", list_of(object_of(access_type())), &t::access,
                      "What clients may do; without rules, everything.",
                      R"([{"publish": ["meters/%c/reading"]}])"),
    };
}

const object_type<direction_spec>& direction_type() {
    using t = direction_spec;
    static const object_type<t> type{
        "direction",
        "a direction",
        "One direction of a link.",
        {make_field<t>("latency", duration_distribution(), &t::latency,
                       "How long bytes are under way.", R"("20ms")"),
         make_field<t>("bandwidth", optional_of(bandwidth()), &t::bandwidth,
                       "How fast bytes follow one another; without it, at once.",
                       R"("256kbit/s")")}};
    return type;
}

/// A field that sets both directions of a network.
template <class T, class Member>
field<network_spec> both_ways(std::string_view name, value_type<T> type, Member member,
                              std::string_view description, std::string_view example) {
    auto made = make_field<network_spec>(
        name, type, [member](network_spec & network) -> auto& { return network.up.*member; },
        description, example);
    made.read = [read = made.read, member](reading& in, const json_value& value,
                                           network_spec& network) {
        read(in, value, network);
        network.down.*member = network.up.*member;
    };
    return made;
}

std::vector<field<network_spec>> network_fields() {
    using t = network_spec;
    return {
        make_field<t>("name", name_text(), &t::name, "How fleets call the network.", R"("mobile")",
                      need::required),
        both_ways("latency", duration_distribution(), &direction_spec::latency,
                  "How long bytes are under way, in both directions.",
                  R"({"normal": {"mean": "60ms", "stddev": "15ms"}})"),
        both_ways("bandwidth", optional_of(bandwidth()), &direction_spec::bandwidth,
                  "How fast bytes follow one another in each direction; without it, at once.",
                  R"("1Mbit/s")"),
        // After the two above, so that a direction has the last word.
        make_field<t>("up", object_of(direction_type()), &t::up,
                      "What is different from device to broker.", R"({"bandwidth": "64kbit/s"})"),
        make_field<t>("down", object_of(direction_type()), &t::down,
                      "What is different from broker to device.", R"({"latency": "80ms"})"),
        make_field<t>("mtu", optional_of(integer<std::uint32_t>(1)), &t::mtu,
                      "More bytes than this at once arrive in segments.", "1400"),
        make_field<t>("split_probability", number(0, 1), &t::split_probability,
                      "How often what is sent at once arrives in two pieces, cut at any byte.",
                      "0.05"),
    };
}

std::vector<field<expectation_spec>> expectation_fields() {
    using t = expectation_spec;
    std::vector<std::string_view> reasons;
    for (std::size_t i = 0; i < broker::drop_reason_count; ++i) {
        reasons.push_back(broker::name_of(static_cast<broker::drop_reason>(i)));
    }
    return {
        make_field<t>("name", name_text(), &t::name, "How the report calls the expectation.",
                      R"("alarms arrive quickly")"),
        make_field<t>(
            "metric", word<metric>(metric_names()), &t::metric,
            "What is measured. delivery_ratio: deliveries made of those due, without those still "
            "under way at the end. messages_published, messages_delivered, duplicates, drops: "
            "counts. latency: from publishing to delivery. connected_ratio: of all devices, "
            "those connected at the end. reply_ratio: requests answered in time. reply_latency: "
            "from request to reply.",
            R"("latency")", need::required),
        make_field<t>("fleet", name_text(), &t::fleet,
                      "Only messages that this fleet published; for connected_ratio, its devices; "
                      "for replies, its requests.",
                      R"("trucks")"),
        make_field<t>("receiver", name_text(), &t::receiver, "Only deliveries to this fleet.",
                      R"("dispatch")"),
        make_field<t>("topic", name_text(), &t::topic, "Only topics that this filter matches.",
                      R"("trucks/+/alarm")"),
        make_field<t>("qos", optional_of(qos_number()), &t::qos, "Only deliveries with this QoS.",
                      "1"),
        make_field<t>("reason", optional_of(word<broker::drop_reason>(reasons)), &t::reason,
                      "Only drops for this reason.", R"("queue_full")"),
        make_field<t>("percentile", number(0, 100), &t::percentile,
                      "Of a latency: so many of a hundred are within the bound.", "99.9"),
        make_field<t>("min", optional_of(number_or_duration()), &t::min,
                      "The least that is right; a duration for latencies.", "0.999"),
        make_field<t>("max", optional_of(number_or_duration()), &t::max,
                      "The most that is right; a duration for latencies.", R"("250ms")"),
    };
}

}  // namespace

std::vector<std::string_view> metric_names() {
    return {"delivery_ratio", "messages_published", "messages_delivered", "duplicates",   "drops",
            "latency",        "connected_ratio",    "reply_ratio",        "reply_latency"};
}

const object_type<broker_spec>& broker_type() {
    static const object_type<broker_spec> type{
        "broker", "a broker", "A broker with its limits, users and access rules.", broker_fields()};
    return type;
}

const object_type<network_spec>& network_type() {
    static const object_type<network_spec> type{
        "network", "a network", "The way between devices and their broker.", network_fields()};
    return type;
}

const object_type<expectation_spec>& expectation_type() {
    static const object_type<expectation_spec> type{
        "expectation", "an expectation",
        "What has to be true at the end for the run to succeed: a bound on a metric.",
        expectation_fields()};
    return type;
}

const object_type<scenario>& scenario_type() {
    using t = scenario;
    static const object_type<t> type{
        "scenario",
        "a scenario",
        "A world of brokers, networks and fleets, and what is expected of it.",
        {schema_field<t>(R"("./scenario.schema.json")"),
         make_field<t>("name", name_text(), &t::name, "How the report calls the run.",
                       R"("Smart building")", need::required),
         make_field<t>("description", text(), &t::description, "What the scenario shows.",
                       R"("A day in an office tower.")"),
         make_field<t>("seed", integer<std::uint64_t>(0), &t::seed,
                       "Of all that is random. The same seed gives the same run to the bit.", "42"),
         make_field<t>("duration", duration_from(duration(1)), &t::duration,
                       "Virtual time from beginning to end.", R"("24h")", need::required),
         make_field<t>("brokers", list_of(object_of(broker_type())), &t::brokers,
                       "Without it, one broker with defaults.", R"([{"name": "cloud"}])"),
         make_field<t>("networks", list_of(object_of(network_type())), &t::networks,
                       "Without it, one network without any delay.",
                       R"([{"name": "lan", "latency": "1ms"}])"),
         make_field<t>("fleets", list_of(object_of(fleet_type())), &t::fleets,
                       "Groups of devices, each made from one description.",
                       R"([{"name": "doors", "count": 20}])", need::required),
         make_field<t>("expectations", list_of(object_of(expectation_type())), &t::expectations,
                       "What has to be true at the end.",
                       R"([{"metric": "delivery_ratio", "min": 1}])")}};
    return type;
}

}  // namespace fleetarium::sim::detail
