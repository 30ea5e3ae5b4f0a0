#include <fleetarium/sim/preset_fields.hpp>

#include <fleetarium/sim/scenario_values.hpp>

namespace fleetarium::sim::detail {

using namespace config::detail;

namespace {

constexpr duration above_zero = duration(1);

const object_type<sparkplug_metric>& metric_type() {
    using t = sparkplug_metric;
    static const object_type<t> type{
        "sparkplug_metric",
        "a metric",
        "A metric of Sparkplug.",
        {make_field<t>("name", name_text(), &t::name, "As births call it.", R"("Motor/Speed")",
                       need::required),
         make_field<t>("type", word<sparkplug_type>(sparkplug_type_names()), &t::type,
                       "Its data type.", R"("Int32")"),
         make_field<t>("value", text(), &t::value,
                       "Template; what it renders as is read as the type. What is missing, or no "
                       "value of the type, is sent as null.",
                       R"("{speed}")", need::required),
         make_field<t>("alias", optional_of(integer<std::uint64_t>(0)), &t::alias,
                       "Number that stands for the name in data.", "7"),
         make_field<t>("unit", text(), &t::unit, "Property engUnit of births.", R"("rpm")")}};
    return type;
}

const object_type<sparkplug_outages>& outages_type() {
    using t = sparkplug_outages;
    static const object_type<t> type{
        "sparkplug_outages",
        "a description of outages",
        "A device goes away and comes back at any moment alike: DDEATH, DBIRTH.",
        {make_field<t>("every", duration_from(above_zero), &t::every,
                       "How long it is there, on average.", R"("4h")", need::required),
         make_field<t>("lasts", duration_from(above_zero), &t::lasts,
                       "How long it is away, on average.", R"("5m")", need::required)}};
    return type;
}

const object_type<sparkplug_device_preset>& sparkplug_device_type() {
    using t = sparkplug_device_preset;
    static const object_type<t> type{
        "sparkplug_device",
        "a device",
        "A device below a Sparkplug edge node.",
        {make_field<t>("id", name_text(), &t::id, "Template; one level of a topic.", R"("pump")",
                       need::required),
         make_field<t>(
             "metrics", list_of(object_of(metric_type())), &t::metrics, "What it measures.",
             R"([{"name": "Speed", "type": "Int32", "value": "{speed}"}])", need::required),
         make_field<t>("period", optional_of(duration_distribution()), &t::period,
                       "From one DDATA to the next; without it, the node's.", R"("1s")"),
         make_field<t>("outages", optional_of(object_of(outages_type())), &t::outages,
                       "When it goes away and comes back; without it, it is always there.",
                       R"({"every": "4h", "lasts": "5m"})")}};
    return type;
}

const object_type<sparkplug_b_preset>& sparkplug_b_type() {
    using t = sparkplug_b_preset;
    static const object_type<t> type{
        "sparkplug_b",
        "a Sparkplug edge node",
        "Each device of the fleet is a Sparkplug B edge node: births after each connect and on "
        "Node Control/Rebirth, data every period, NDEATH as the will.",
        {make_field<t>("group", name_text(), &t::group, "Template; one level of a topic.",
                       R"("plant")", need::required),
         make_field<t>("node", name_text(), &t::node, "Template; one level of a topic.",
                       R"("line-{index}")"),
         make_field<t>("period", duration_distribution(), &t::period,
                       "From one NDATA, and one DDATA of each device, to the next.", R"("5s")"),
         make_field<t>("metrics", list_of(object_of(metric_type())), &t::metrics,
                       "Of the node itself.",
                       R"([{"name": "Load", "type": "Float", "value": "{load}"}])"),
         make_field<t>("devices", list_of(object_of(sparkplug_device_type())), &t::devices,
                       "Below the node.",
                       R"([{"id": "pump", "metrics": [{"name": "Speed", "value": "{speed}"}]}])"),
         make_field<t>("aliases", boolean(), &t::aliases,
                       "Whether data has numbers in place of names.", "false")}};
    return type;
}

const object_type<sparkplug_rebirths>& rebirths_type() {
    using t = sparkplug_rebirths;
    static const object_type<t> type{
        "sparkplug_rebirths",
        "a description of rebirths",
        "Orders to edge nodes, in turn, to send their births again.",
        {make_field<t>("fleet", name_text(), &t::fleet, "Of the edge nodes.", R"("lines")",
                       need::required),
         make_field<t>("group", name_text(), &t::group, "Template of their group, in their terms.",
                       R"("plant")", need::required),
         make_field<t>("node", name_text(), &t::node, "Template of their ids, in their terms.",
                       R"("line-{index}")"),
         make_field<t>("period", duration_distribution(), &t::period, "From one order to the next.",
                       R"("10m")", need::required)}};
    return type;
}

const object_type<sparkplug_host_preset>& sparkplug_host_type() {
    using t = sparkplug_host_preset;
    static const object_type<t> type{
        "sparkplug_host",
        "a Sparkplug host application",
        "STATE, online after each connect and offline as the will; gets all messages of groups.",
        {make_field<t>("host", name_text(), &t::host, "Template of its id; one level of a topic.",
                       R"("scada")", need::required),
         make_field<t>("groups", list_of(name_text()), &t::groups,
                       "Whose messages it gets; without it, all.", R"(["plant"])"),
         make_field<t>("rebirths", optional_of(object_of(rebirths_type())), &t::rebirths,
                       "Orders births again.",
                       R"({"fleet": "lines", "group": "plant", "period": "10m"})")}};
    return type;
}

const object_type<home_assistant_entity>& entity_type() {
    using t = home_assistant_entity;
    static const object_type<t> type{
        "home_assistant_entity",
        "an entity",
        "A sensor, or what obeys commands, of a device of Home Assistant.",
        {make_field<t>("component",
                       word<home_assistant_component>({"sensor", "binary_sensor", "switch", "light",
                                                       "number", "select", "text", "button"}),
                       &t::component,
                       "What it is. All but sensor and binary_sensor obey commands, and say what "
                       "they were told as their state.",
                       R"("binary_sensor")"),
         make_field<t>("id", name_text(), &t::id, "Letters, digits, \"_\" and \"-\".",
                       R"("temperature")", need::required),
         make_field<t>("name", text(), &t::name, "Template; without it, the id.",
                       R"("Temperature")"),
         make_field<t>("device_class", text(), &t::device_class, "Of Home Assistant.",
                       R"("temperature")"),
         make_field<t>("unit", text(), &t::unit, "The unit_of_measurement.", R"("°C")"),
         make_field<t>("state_class", text(), &t::state_class, "Of Home Assistant.",
                       R"("measurement")"),
         make_field<t>("value", text(), &t::value,
                       "Template of the state; of what obeys commands, its first state.",
                       R"("{celsius}")"),
         make_field<t>("config", payload_text(), &t::config, "More members of the configuration.",
                       R"({"options": ["eco", "comfort"]})")}};
    return type;
}

const object_type<home_assistant_preset>& home_assistant_type() {
    using t = home_assistant_preset;
    static const object_type<t> type{
        "home_assistant",
        "a device of Home Assistant",
        "Each device of the fleet is found by MQTT discovery: a retained configuration of each "
        "entity after each connect and when Home Assistant comes online.",
        {make_field<t>("node", name_text(), &t::node,
                       "Template of the node id; one level of a topic.", R"("room{index}")"),
         make_field<t>("discovery_prefix", name_text(), &t::discovery_prefix,
                       "Beginning of the topics of configurations and of Home Assistant's status.",
                       R"("homeassistant")"),
         make_field<t>("base", name_text(), &t::base,
                       "Template of the beginning of the device's own topics.",
                       R"("rooms/{index}")"),
         make_field<t>("name", name_text(), &t::name, "Template of the device's name.",
                       R"("Room {index}")"),
         make_field<t>("manufacturer", text(), &t::manufacturer, "Who made the device.",
                       R"("Acme")"),
         make_field<t>("model", text(), &t::model, "Which model it is.", R"("T-1000")"),
         make_field<t>("sw_version", text(), &t::sw_version, "Of its software.", R"("2.1")"),
         make_field<t>("period", duration_distribution(), &t::period,
                       "From one message with the values of all sensors to the next.", R"("30s")"),
         make_field<t>(
             "entities", list_of(object_of(entity_type())), &t::entities, "What the device has.",
             R"([{"id": "temperature", "unit": "°C", "value": "{celsius}"}])", need::required)}};
    return type;
}

const object_type<device_shadow_preset>& device_shadow_type() {
    using t = device_shadow_preset;
    static const object_type<t> type{
        "device_shadow",
        "a thing with a shadow",
        "Each device of the fleet gets its shadow after each connect, reports its state, and makes "
        "what is desired its own.",
        {make_field<t>("prefix", name_text(), &t::prefix, "Beginning of all shadows' topics.",
                       R"("shadows")"),
         make_field<t>("thing", name_text(), &t::thing,
                       "Template of the thing's name; one level of a topic.", R"("lamp{index}")"),
         make_field<t>("shadow", text(), &t::shadow,
                       "Of a named shadow; without it, the classic one.", R"("config")"),
         make_field<t>("period", duration_distribution(), &t::period,
                       "From one report to the next.", R"("5m")"),
         make_field<t>("reported", payload_text(), &t::reported,
                       "Template of the state that is reported, a JSON object.",
                       R"({"celsius": "{celsius}"})"),
         make_field<t>("delay", duration_distribution(), &t::delay,
                       "From hearing what is desired to reporting it.", R"("2s")")}};
    return type;
}

const object_type<shadow_service_preset>& shadow_service_preset_type() {
    using t = shadow_service_preset;
    static const object_type<t> type{
        "shadow_service_preset",
        "a service of shadows",
        "The back end of device shadows, with its subscriptions.",
        {make_field<t>("prefix", name_text(), &t::prefix, "Beginning of all shadows' topics.",
                       R"("shadows")")}};
    return type;
}

const object_type<trigger_spec>& trigger_type() {
    using t = trigger_spec;
    static const object_type<t> type{
        "trigger",
        "what a publication is on",
        "What makes a device publish besides time.",
        {make_field<t>("connect", boolean(), &t::connect,
                       "Each connect, when subscriptions are sent.", "true"),
         make_field<t>("message", optional_of(name_text()), &t::message,
                       "Template of a filter: each message received. The fleet has to subscribe to "
                       "it.",
                       R"("homeassistant/status")"),
         make_field<t>("when", object_of(message_condition_type()), &t::when,
                       "Of the message: only such.", R"({"payload": "online"})")}};
    return type;
}

}  // namespace

std::vector<std::string_view> sparkplug_type_names() {
    return {"Int8",  "Int16",  "Int32",   "Int64",  "UInt8",    "UInt16", "UInt32", "UInt64",
            "Float", "Double", "Boolean", "String", "DateTime", "Text",   "UUID"};
}

std::vector<std::string_view> sparkplug_message_names() {
    return {"NBIRTH", "NDEATH", "DBIRTH", "DDEATH",       "NDATA",
            "DDATA",  "NCMD",   "DCMD",   "STATE_online", "STATE_offline"};
}

const object_type<message_condition>& message_condition_type() {
    using t = message_condition;
    static const object_type<t> type{
        "message_condition",
        "a condition of messages",
        "All that is given has to be so.",
        {make_field<t>("payload", optional_of(text()), &t::payload, "The payload is this.",
                       R"("online")"),
         make_field<t>("member", optional_of(name_text()), &t::member,
                       "The JSON payload has this member, and it is not null; a point leads into "
                       "an object.",
                       R"("state.delta")"),
         make_field<t>("sparkplug", optional_of(name_text()), &t::sparkplug,
                       "The payload, of Sparkplug, sets this metric to true.",
                       R"("Node Control/Rebirth")")}};
    return type;
}

const object_type<sparkplug_payload>& sparkplug_payload_type() {
    using t = sparkplug_payload;
    static const object_type<t> type{
        "sparkplug_payload",
        "a payload of Sparkplug",
        "Written as Sparkplug B has it. Edge nodes count their messages and connects themselves.",
        {make_field<t>("message", word<sparkplug_message>(sparkplug_message_names()), &t::message,
                       "What kind of message.", R"("DDATA")", need::required),
         make_field<t>("device", text(), &t::device,
                       "Of DBIRTH, DDATA and DDEATH: the device below the node.", R"("pump")"),
         make_field<t>("metrics", list_of(object_of(metric_type())), &t::metrics, "In this order.",
                       R"([{"name": "Speed", "type": "Int32", "value": "{speed}"}])")}};
    return type;
}

const object_type<shadow_service_spec>& shadow_service_type() {
    using t = shadow_service_spec;
    static const object_type<t> type{
        "shadow_service",
        "a service of shadows",
        "Devices of the fleet answer what they receive on PREFIX/THING/shadow/get, update and "
        "delete, all from one store.",
        {make_field<t>("prefix", name_text(), &t::prefix, "Beginning of all shadows' topics.",
                       R"("shadows")")}};
    return type;
}

const object_type<preset_spec>& preset_type() {
    using t = preset_spec;
    static const object_type<t> type{
        "preset",
        "a preset",
        "A common convention: adds subscriptions, publications, replies and a will. Exactly one "
        "of its members.",
        {make_field<t>("sparkplug_b", optional_of(object_of(sparkplug_b_type())), &t::sparkplug_b,
                       "Sparkplug B edge nodes.",
                       R"({"group": "plant", "metrics": [{"name": "Load", "value": "{load}"}]})"),
         make_field<t>("sparkplug_host", optional_of(object_of(sparkplug_host_type())),
                       &t::sparkplug_host, "A Sparkplug host application.", R"({"host": "scada"})"),
         make_field<t>("home_assistant", optional_of(object_of(home_assistant_type())),
                       &t::home_assistant, "Devices that Home Assistant finds.",
                       R"({"entities": [{"id": "temperature", "value": "{celsius}"}]})"),
         make_field<t>("device_shadow", optional_of(object_of(device_shadow_type())),
                       &t::device_shadow, "Things with a shadow, as AWS IoT has it.",
                       R"({"reported": {"celsius": "{celsius}"}})"),
         make_field<t>("shadow_service", optional_of(object_of(shadow_service_preset_type())),
                       &t::shadow_service, "The back end of device shadows.", "{}")}};
    return type;
}

value_type<trigger_spec> trigger_value() {
    const std::string expected = R"("connect", or an object)";
    auto type = object_of(trigger_type());
    return {
        expected,
        [expected, read = type.read](reading& in, const config::json_value& value,
                                     trigger_spec& result) {
            if (value.kind == config::json_kind::string && value.text == "connect") {
                result.connect = true;
            } else if (value.kind == config::json_kind::object) {
                read(in, value, result);
            } else {
                in.report(value, expected);
            }
        },
        [schema = type.schema](definitions& all) {
            return schema_any_of(
                {schema_of({schema_member("const", config::json_string("connect"))}), schema(all)});
        },
        type.show, type.write};
}

}  // namespace fleetarium::sim::detail
