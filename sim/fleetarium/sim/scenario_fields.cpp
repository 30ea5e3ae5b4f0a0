#include <fleetarium/sim/scenario_fields.hpp>

#include <fleetarium/broker/broker_options_fields.hpp>
#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/sim/scenario_values.hpp>

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

const object_type<storage_spec>& storage_type() {
    using t = storage_spec;
    static const object_type<t> type{
        "storage",
        "a storage",
        "Where a broker keeps sessions, queues and retained messages: a session file, as with "
        "--persist, on a simulated disk.",
        {make_field<t>("sync", word<storage::sync_mode>({"full", "normal", "off"}), &t::sync,
                       "What a commit waits for, as --sync says it.", R"("normal")"),
         make_field<t>("commit_time", duration_distribution(), &t::commit_time,
                       "How long what happens in a turn of the broker takes to become durable; its "
                       "answers leave then. Without it, 2 ms.",
                       R"({"exponential": {"mean": "5ms"}})"),
         make_field<t>("sector_size", integer<std::uint32_t>(512, 65'536), &t::sector_size,
                       "Of the disk, in bytes; a power of two.", "512"),
         make_field<t>("tears_sectors", boolean(), &t::tears_sectors,
                       "Whether a power cut may leave garbage in a sector that was being written.",
                       "true"),
         make_field<t>("lies_about_sync", boolean(), &t::lies_about_sync,
                       "Whether the disk says that it has synced and has not: then a power cut "
                       "loses what was acknowledged, and the ledger has to find it.",
                       "true")}};
    return type;
}

std::vector<field<broker_spec>> broker_fields() {
    using t = broker_spec;
    std::vector<field<t>> fields{make_field<t>("name", name_text(), &t::name,
                                               "How fleets and the report call the broker.",
                                               R"("cloud")", need::required)};
    for (const auto& option : broker::detail::broker_options_fields()) {
        fields.push_back(lifted<t>(option, &t::options));
    }
    fields.insert(fields.end(),
                  {make_field<t>("storage", optional_of(object_of(storage_type())), &t::storage,
                                 "What the broker keeps through a crash; without it, what the "
                                 "fault says.",
                                 R"({"sync": "full"})"),
                   make_field<t>("users", list_of(object_of(user_type())), &t::users,
                                 "Who may connect with a password.",
                                 R"([{"user_name": "meter", "password": "secret"}])"),
                   make_field<t>("allow_anonymous", boolean(), &t::allow_anonymous,
                                 "Whether clients without a user name may connect.", "false"),
                   make_field<t>("access", list_of(object_of(access_type())), &t::access,
                                 "What clients may do; without rules, everything.",
                                 R"([{"publish": ["meters/%c/reading"]}])")});
    return fields;
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

std::vector<field<sampling_spec>> sampling_fields(std::string_view until) {
    using t = sampling_spec;
    return {
        make_field<t>("after", word<moment>({"start", "last_fault"}), &t::after,
                      "From when on its times count: the run's start, or when the last fault is "
                      "over.",
                      R"("last_fault")"),
        make_field<t>("from", duration_from(duration{}), &t::from,
                      "How long after that it begins to look.", R"("10m")"),
        make_field<t>(until, optional_of(duration_from(duration{})), &t::until,
                      "How long after that it looks for the last time; without it, at the end.",
                      R"("2m")"),
        make_field<t>("every", optional_of(duration_from(duration(1))), &t::every,
                      "How often it looks; without it, every thousandth of the run, but not more "
                      "often than every second; for a backlog to drain, 20 times.",
                      R"("1s")"),
    };
}

const object_type<sampling_spec>& always_type() {
    static const object_type<sampling_spec> type{
        "always", "when a bound holds", "The bound holds at every sample.",
        sampling_fields("until")};
    return type;
}

const object_type<sampling_spec>& eventually_type() {
    static const object_type<sampling_spec> type{
        "eventually", "by when a bound is kept", "The bound is kept at one sample at least.",
        sampling_fields("within")};
    return type;
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
            "from request to reply. publish_rate, delivery_rate: messages a second. backlog: "
            "messages and deliveries under way; in \"eventually\", of those published before, what "
            "devices and brokers still hold. state_ratio: of all devices, those in \"state\" at "
            "the end. states_entered: how often devices came into it.",
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
        make_field<t>("state", name_text(), &t::state,
                      "state_ratio, states_entered: the state of the fleet's behaviour.",
                      R"("up to date")"),
        make_field<t>("cohort", name_text(), &t::cohort,
                      "state_ratio: only devices of this cohort.", R"("old boot loader")"),
        make_field<t>("percentile", number(0, 100), &t::percentile,
                      "Of a latency: so many of a hundred are within the bound.", "99.9"),
        make_field<t>("min", optional_of(number_or_duration()), &t::min,
                      "The least that is right; a duration for latencies.", "0.999"),
        make_field<t>("max", optional_of(number_or_duration()), &t::max,
                      "The most that is right; a duration for latencies.", R"("250ms")"),
        make_field<t>("always", optional_of(object_of(always_type())), &t::always,
                      "Over time, not at the end: at each sample the bound holds, for what "
                      "happened since the sample before.",
                      R"({"from": "10m", "every": "1s"})"),
        make_field<t>("eventually", optional_of(object_of(eventually_type())), &t::eventually,
                      "Over time, not at the end: the bound comes to be kept in that time.",
                      R"({"after": "last_fault", "within": "2m"})"),
    };
}

}  // namespace

std::vector<std::string_view> metric_names() {
    return {"delivery_ratio", "messages_published", "messages_delivered", "duplicates",   "drops",
            "latency",        "connected_ratio",    "reply_ratio",        "reply_latency",
            "publish_rate",   "delivery_rate",      "backlog",
            "state_ratio",    "states_entered"};
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
        "What has to be true for the run to succeed: a bound on a metric, at the end or over time.",
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
         make_field<t>("ledger", boolean(), &t::ledger,
                      "Whether to prove, message by message, that brokers and devices keep the "
                      "rules of MQTT. Costs some speed, changes nothing else.",
                      "false"),
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
         make_field<t>("faults", list_of(object_of(fault_type())), &t::faults,
                       "What goes wrong, and when.",
                       R"([{"kind": "cut", "fleet": "doors", "at": "10m"}])"),
         make_field<t>("expectations", list_of(object_of(expectation_type())), &t::expectations,
                       "What has to be true, at the end or over time.",
                       R"([{"metric": "delivery_ratio", "min": 1}])")}};
    return type;
}

}  // namespace fleetarium::sim::detail
