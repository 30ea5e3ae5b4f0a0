#include <fleetarium/sim/scenario_fields.hpp>

#include <fleetarium/sim/arrival_fields.hpp>
#include <fleetarium/sim/behaviour_fields.hpp>
#include <fleetarium/sim/generator_fields.hpp>
#include <fleetarium/sim/preset_fields.hpp>
#include <fleetarium/sim/scenario_values.hpp>

namespace fleetarium::sim::detail {

using namespace config::detail;

namespace {

constexpr duration any_duration = duration::zero();
constexpr duration above_zero = duration(1);

/// No period at all is the absence of the field.
value_type<distribution> period_above_zero() {
    auto type = duration_distribution();
    type.read = [read = type.read](reading& in, const config::json_value& value,
                                   distribution& result) {
        const auto before = in.problem_count();
        read(in, value, result);
        if (in.problem_count() == before && result.mean() <= 0) {
            in.report(value.position, "no time at all", "a duration above 0");
        }
    };
    type.show = [](const distribution&) { return std::nullopt; };
    type.write = [write = duration_distribution()](const distribution& value) {
        return value.mean() > 0 ? written(write, value) : std::nullopt;
    };
    return type;
}

const object_type<will_spec>& will_type() {
    using t = will_spec;
    static const object_type<t> type{
        "will",
        "a will",
        "What the broker publishes when a device vanishes without a goodbye.",
        {make_field<t>("topic", name_text(), &t::topic, "Template of the topic.",
                       R"("trucks/{client_id}/status")", need::required),
         make_field<t>("payload", payload_text(), &t::payload, "Template of the payload.",
                       R"({"state": "lost"})"),
         make_field<t>("qos", qos_number(), &t::qos, "Quality of service.", "1"),
         make_field<t>("retain", boolean(), &t::retain, "Whether it is retained.", "true"),
         make_field<t>("delay", duration_from(any_duration), &t::delay,
                       "How long the broker waits for the device to return; MQTT 5.", R"("2m")"),
         make_field<t>("sparkplug", optional_of(object_of(sparkplug_payload_type())), &t::sparkplug,
                       "In place of a payload: NDEATH, or STATE_offline.",
                       R"({"message": "NDEATH"})")}};
    return type;
}

const object_type<certificates_spec>& certificates_type() {
    using t = certificates_spec;
    static const object_type<t> type{
        "certificates",
        "a source of certificates",
        "Certificates that name devices by their client ids, all from one authority for tests.",
        {make_field<t>("seed", integer<std::uint64_t>(0), &t::seed,
                       "Of the authority; `fleetarium certs --seed` makes the broker's files.",
                       "7", need::required),
         make_field<t>("expires", optional_of(name_text()), &t::expires,
                       "Template of a duration from the beginning of the run, or \"never\": from "
                       "then on a broker of the world hangs up on devices that connect. "
                       "{variables} of a behaviour are as they are at that time.",
                       R"("24h")")}};
    return type;
}

const object_type<coverage_spec>& coverage_type() {
    using t = coverage_spec;
    static const object_type<t> type{
        "coverage",
        "a description of coverage",
        "Stretches online and gaps between them, each device on its own.",
        {make_field<t>("up", duration_distribution(), &t::up, "Length of a stretch online.",
                       R"({"exponential": {"mean": "40m"}})", need::required),
         make_field<t>("down", duration_distribution(), &t::down, "Length of a gap.",
                       R"({"exponential": {"mean": "3m"}})", need::required),
         make_field<t>("manner", word<offline_manner>({"cut", "disconnect"}), &t::manner,
                       "How a stretch ends. cut: the connection breaks and the will is due. "
                       "disconnect: the device says goodbye.",
                       R"("disconnect")")}};
    return type;
}

const object_type<target_spec>& target_type() {
    using t = target_spec;
    static const object_type<t> type{
        "target",
        "a target",
        "Devices that get messages by turns.",
        {make_field<t>("fleet", name_text(), &t::fleet, "Whose devices.", R"("thermostats")",
                       need::required),
         make_field<t>("topic", name_text(), &t::topic,
                       "Template of the topic, with the {index} and {client_id} of the device "
                       "that is meant.",
                       R"("cmd/{client_id}")", need::required),
         make_field<t>("pick", word<pick>({"in_turn", "random"}), &t::pick, "Which device is next.",
                       R"("random")")}};
    return type;
}

std::vector<field<publication_spec>> publication_fields() {
    using t = publication_spec;
    return {
        make_field<t>("name", name_text(), &t::name, "How the report calls the messages.",
                      R"("readings")"),
        make_field<t>("topic", name_text(), &t::topic, "Template of the topic.",
                      R"("building/{index/100}/temperature/{index%100}")"),
        make_field<t>("to", optional_of(object_of(target_type())), &t::to,
                      "In place of a topic: the devices that get the messages by turns.",
                      R"({"fleet": "thermostats", "topic": "cmd/{client_id}"})"),
        make_field<t>("period", period_above_zero(), &t::period,
                      "From one message of a device to the next; this, or an arrival, or what it "
                      "is on.",
                      R"("1m")"),
        make_field<t>("jitter", duration_from(any_duration), &t::jitter,
                      "Each message comes up to this much later.", R"("5s")"),
        make_field<t>("phase", optional_of(duration_from(any_duration)), &t::phase,
                      "When in the first period the first message comes; without it, each device "
                      "at another time.",
                      R"("2h")"),
        make_field<t>("start", duration_from(any_duration), &t::start,
                      "Nothing is published before, from the beginning of the run.", R"("6h")"),
        make_field<t>("until", optional_of(duration_from(above_zero)), &t::until,
                      "Nothing is published from here on.", R"("20h")"),
        make_field<t>("count", optional_of(integer<std::uint64_t>(1)), &t::count,
                      "Messages of each device; without it, as many as there is time for.", "10"),
        make_field<t>("qos", qos_number(), &t::qos, "Quality of service.", "1"),
        make_field<t>("retain", boolean(), &t::retain, "Whether messages are retained.", "true"),
        make_field<t>("payload", payload_text(), &t::payload, "Template of the payload.",
                      R"({"celsius": "{walk:18.0..24.0:0.2}", "n": "{seq}"})"),
        make_field<t>("message_expiry", optional_of(duration_from(any_duration)),
                      &t::message_expiry, "The broker forgets the message after this; MQTT 5.",
                      R"("10m")"),
        make_field<t>("response_topic", optional_of(name_text()), &t::response_topic,
                      "Makes messages requests, to be answered here. Template; MQTT 5.",
                      R"("replies/{client_id}")"),
        make_field<t>("reply_timeout", duration_from(above_zero), &t::reply_timeout,
                      "Replies that take longer count as missing.", R"("10s")"),
        make_field<t>("arrival", optional_of(object_of(arrival_type())), &t::arrival,
                      "In place of a period: messages at random, by the hour of the day, or in "
                      "bursts.",
                      R"({"poisson": {"per": "10s"}})"),
        make_field<t>("stages", list_of(object_of(stage_type())), &t::stages,
                      "Times of more and of fewer messages, from \"start\" on.",
                      R"([{"for": "10m", "rate": 0, "to": 1}, {"for": "1h", "rate": 1}])"),
        make_field<t>("on", optional_of(trigger_value()), &t::on,
                      "Also then; without a period and an arrival, only then.", R"("connect")"),
        make_field<t>("sparkplug", optional_of(object_of(sparkplug_payload_type())), &t::sparkplug,
                      "In place of a payload: one of Sparkplug B.",
                      R"({"message": "NBIRTH", "metrics": [{"name": "Load", "value": "1"}]})"),
    };
}

const object_type<publication_spec>& publication_type() {
    static const object_type<publication_spec> type{
        "publication", "a publication",
        "Messages that each device of the fleet publishes again and again. What falls due while "
        "the device is offline is lost with QoS 0 and waits with QoS 1 and 2.",
        publication_fields()};
    return type;
}

const object_type<subscription_spec>& subscription_type() {
    using t = subscription_spec;
    static const object_type<t> type{
        "subscription",
        "a subscription",
        "What each device of the fleet subscribes to.",
        {make_field<t>("filter", name_text(), &t::filter,
                       "Template of the topic filter; $share/NAME/FILTER shares it.",
                       R"("cmd/{client_id}")", need::required),
         make_field<t>("qos", qos_number(), &t::qos, "The highest QoS to get.", "1"),
         make_field<t>("no_local", boolean(), &t::no_local,
                       "Not what the device publishes itself; MQTT 5.", "true"),
         make_field<t>("retain_as_published", boolean(), &t::retain_as_published,
                       "Keep the retain flag as the publisher set it; MQTT 5.", "true"),
         make_field<t>("retain_handling",
                       word<enum retain_handling>({"send", "send_if_new", "do_not_send"}),
                       &t::retain_handling, "Retained messages when subscribing; MQTT 5.",
                       R"("send_if_new")"),
         make_field<t>("identifier", optional_of(integer<std::uint32_t>(1, 268'435'455)),
                       &t::identifier, "Subscription identifier; MQTT 5.", "7"),
         make_field<t>("until", optional_of(duration_from(above_zero)), &t::until,
                       "The device unsubscribes then, or as soon as it is connected again; from "
                       "the beginning of the run.",
                       R"("20m")")}};
    return type;
}

const object_type<reply_spec>& reply_type() {
    using t = reply_spec;
    static const object_type<t> type{
        "reply",
        "a reply",
        "What devices answer to messages that they get.",
        {make_field<t>("on", name_text(), &t::on,
                       "Template of a filter: the messages answered. The fleet has to subscribe "
                       "to them.",
                       R"("cmd/{client_id}")", need::required),
         make_field<t>("when", object_of(message_condition_type()), &t::when,
                       "Only such messages are answered.", R"({"member": "state"})"),
         make_field<t>("to", optional_of(name_text()), &t::to,
                       "Template of the topic; without it, the response topic of the request.",
                       R"("status/{client_id}")"),
         make_field<t>("delay", duration_distribution(), &t::delay, "How long the device takes.",
                       R"({"uniform": {"min": "50ms", "max": "200ms"}})"),
         make_field<t>("qos", qos_number(), &t::qos, "Quality of service.", "1"),
         make_field<t>("retain", boolean(), &t::retain, "Whether replies are retained.", "true"),
         make_field<t>("payload", payload_text(), &t::payload,
                       "Template of the payload; {request} is that of the request, "
                       "{request.NAME} a member of it.",
                       R"({"done": true})")}};
    return type;
}

std::vector<field<fleet_spec>> fleet_fields() {
    using t = fleet_spec;
    constexpr std::uint32_t devices_max = 10'000'000;
    return {
        make_field<t>("name", name_text(), &t::name,
                      "How the report and other fleets call it; {fleet} in templates.",
                      R"("thermostats")", need::required),
        make_field<t>("count", integer<std::uint32_t>(0, devices_max), &t::count,
                      "Number of devices.", "500"),
        make_field<t>("broker", name_text(), &t::broker,
                      "The broker the devices connect to; without it, the first.", R"("cloud")"),
        make_field<t>("network", name_text(), &t::network,
                      "The network they connect over; without it, the first.", R"("mobile")"),
        make_field<t>("client_id", text(), &t::client_id,
                      "Template of the client id, different for each device.",
                      R"("thermostat-{index:04}")"),
        make_field<t>("version", version_name(), &t::version, "Of MQTT.", R"("3.1.1")"),
        make_field<t>("keep_alive", duration_from(any_duration), &t::keep_alive,
                      "The longest silence of a device, in whole seconds; 0s is no limit.",
                      R"("5m")"),
        make_field<t>("clean_start", boolean(), &t::clean_start,
                      "Whether each connection begins with a new session.", "false"),
        make_field<t>("session_expiry", optional_of(duration_from(any_duration, true)),
                      &t::session_expiry,
                      "How long the broker keeps the session of an absent device, in whole "
                      "seconds; MQTT 5.",
                      R"("12h")"),
        make_field<t>("queue_messages_max", optional_of(integer<std::uint32_t>(1)),
                      &t::queue_messages_max,
                      "QoS 1 and 2 messages that a device holds until they are acknowledged; what "
                      "falls due beyond is lost. Without it, 65,535.",
                      "100"),
        make_field<t>("receive_maximum", optional_of(integer<std::uint16_t>(1)),
                      &t::receive_maximum,
                      "QoS 1 and 2 messages a device takes before it acknowledges; MQTT 5.", "4"),
        make_field<t>("maximum_packet_size", optional_of(size<std::uint32_t>(16, 268'435'460)),
                      &t::maximum_packet_size, "The largest packet a device takes; MQTT 5.",
                      R"("2kB")"),
        make_field<t>("topic_alias_maximum", optional_of(integer<std::uint16_t>(0)),
                      &t::topic_alias_maximum,
                      "Topic aliases that the broker may use towards a device; MQTT 5.", "8"),
        make_field<t>("user_name", optional_of(text()), &t::user_name, "Template of the user name.",
                      R"("{fleet}")"),
        make_field<t>("password", optional_of(text()), &t::password, "Template of the password.",
                      R"("secret-{index}")"),
        make_field<t>("certificates", optional_of(object_of(certificates_type())),
                      &t::certificates,
                      "Each device shows a certificate of its own to a broker of --target that is "
                      "reached by TLS.",
                      R"({"seed": 7})"),
        make_field<t>("will", optional_of(object_of(will_type())), &t::will,
                      "What the broker publishes when a device vanishes.",
                      R"({"topic": "status/{client_id}", "payload": "lost"})"),
        make_field<t>("start", duration_from(any_duration), &t::start,
                      "When the first device connects, from the beginning of the run.", R"("10s")"),
        make_field<t>("ramp_up", duration_from(any_duration), &t::ramp_up,
                      "The devices connect one after the other over this time; 0s is all at "
                      "once.",
                      R"("5m")"),
        make_field<t>("reconnect_delay", duration_distribution(), &t::reconnect_delay,
                      "From losing the connection to the next attempt, and between attempts.",
                      R"({"uniform": {"min": "1s", "max": "30s"}})"),
        make_field<t>("online", optional_of(object_of(coverage_type())), &t::online,
                      "Coverage that comes and goes; without it, always there.",
                      R"({"up": {"exponential": {"mean": "40m"}}, "down": "2m"})"),
        make_field<t>("publications", list_of(object_of(publication_type())), &t::publications,
                      "What each device publishes.",
                      R"([{"topic": "ping/{index}", "period": "1m"}])"),
        make_field<t>("subscriptions", list_of(object_of(subscription_type())), &t::subscriptions,
                      "What each device subscribes to.", R"([{"filter": "cmd/{client_id}"}])"),
        make_field<t>("replies", list_of(object_of(reply_type())), &t::replies,
                      "What each device answers to messages that it gets.",
                      R"([{"on": "cmd/{client_id}", "payload": "done"}])"),
        make_field<t>("generators", list_of(object_of(generator_spec_type())), &t::generators,
                      "What payloads of publications and replies show as {name}.",
                      R"([{"name": "celsius", "walk": {"min": 18, "max": 24, "step": 0.2}}])"),
        make_field<t>("shadow_service", optional_of(object_of(shadow_service_type())),
                      &t::shadow_service, "The devices play the back end of device shadows.",
                      R"({"prefix": "$aws/things"})"),
        make_field<t>("preset", optional_of(object_of(preset_type())), &t::preset,
                      "A common convention: Sparkplug B, Home Assistant, device shadows.",
                      R"({"sparkplug_host": {"host": "scada"}})"),
        make_field<t>("behaviour", optional_of(object_of(behaviour_type_of_scenario())),
                      &t::behaviour,
                      "What each device does over time: states, and what leads from one to the "
                      "other; without it, the devices are online and all publications run.",
                      R"({"states": {"awake": {"for": "5s", "then": "asleep"},
                         "asleep": {"link": "goodbye", "for": "10m", "then": "awake"}}})"),
    };
}

}  // namespace

const object_type<fleet_spec>& fleet_type() {
    static const object_type<fleet_spec> type{"fleet", "a fleet", "Devices of one kind.",
                                              fleet_fields()};
    return type;
}

}  // namespace fleetarium::sim::detail
