#include <fleetarium/sim/behaviour_fields.hpp>

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/sim/generator_fields.hpp>
#include <fleetarium/sim/scenario_values.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>

namespace fleetarium::sim::detail {

using namespace config;
using namespace config::detail;

namespace {

constexpr duration minimum_step = std::chrono::milliseconds{1};

json_value schema_of_kinds(std::initializer_list<std::string_view> kinds) {
    std::vector<json_value> names;
    for (const std::string_view each : kinds) {
        names.push_back(json_string(each));
    }
    return schema_of({schema_member("type", json_array(std::move(names)))});
}

/// Text, or what stands bare in JSON.
value_type<variable_value> value_of_variable() {
    static constexpr std::string_view expected = "text, a number, true or false";
    return {std::string(expected),
            [](reading& in, const json_value& value, variable_value& result) {
                switch (value.kind) {
                    case json_kind::string: result = {value.text, false}; break;
                    case json_kind::number: result = {value.text, true}; break;
                    case json_kind::boolean:
                        result = {value.boolean ? "true" : "false", true};
                        break;
                    default: in.report(value, std::string(expected)); break;
                }
            },
            [](definitions&) {
                return schema_of_kinds({"string", "number", "boolean"});
            },
            [](const variable_value&) { return std::nullopt; },
            [](const variable_value& value) {
                if (!value.bare) {
                    return std::optional(json_string(value.text));
                }
                const bool truth = value.text == "true";
                return std::optional(truth || value.text == "false" ? json_boolean(truth)
                                                                    : json_number(value.text));
            }};
}

/// A list as an object: the names of its members are the elements' `key`, in their order.
template <class Element, class Inner, class Access>
value_type<std::vector<Element>> by_name(std::string Element::*key, value_type<Inner> inner,
                                         Access access, std::string expected) {
    return {expected,
            [=](reading& in, const json_value& value, std::vector<Element>& result) {
                if (value.kind != json_kind::object) {
                    in.report(value, expected);
                    return;
                }
                result.clear();
                for (const json_member& each : value.members) {
                    Element& made = result.emplace_back();
                    made.*key = each.name;
                    in.inside(each.name,
                              [&] { inner.read(in, each.value, std::invoke(access, made)); });
                }
            },
            [schema = inner.schema](definitions& all) {
                return schema_of({schema_member("type", json_string("object")),
                                  schema_member("additionalProperties", schema(all))});
            },
            [](const std::vector<Element>&) { return std::nullopt; },
            [=](const std::vector<Element>& value) -> std::optional<json_value> {
                if (value.empty()) {
                    return std::nullopt;
                }
                std::vector<json_member> members;
                for (const Element& each : value) {
                    auto shown = written(inner, std::invoke(access, const_cast<Element&>(each)));
                    members.push_back(
                        schema_member(each.*key, shown ? std::move(*shown) : json_value{}));
                }
                return json_object(std::move(members));
            }};
}

value_type<std::vector<condition_spec>> conditions(std::string expected) {
    return by_name(&condition_spec::of, value_of_variable(), &condition_spec::is,
                   std::move(expected));
}

const object_type<choice_spec>& choice_type() {
    using t = choice_spec;
    static const object_type<t> type{
        "behaviour_choice",
        "a choice",
        "One of the states that may come next.",
        {make_field<t>("to", name_text(), &t::to, "The state.", R"("awake")", need::required),
         make_field<t>("weight", number(0, 1e15), &t::weight,
                       "How likely, beside the weights of the others.", "0.05"),
         make_field<t>("if", conditions("an object of variables and what they are compared with"),
                       &t::conditions, "It is among the choices only if all of these hold.",
                       R"({"attempts": "<3"})")}};
    return type;
}

/// A state's name, or several choices.
value_type<std::vector<choice_spec>> where_to() {
    static constexpr std::string_view expected =
        R"(the name of a state, or a list such as [{"to": "on", "weight": 9}, {"to": "broken"}])";
    const auto list = list_of(object_of(choice_type()));
    return {std::string(expected),
            [list](reading& in, const json_value& value, std::vector<choice_spec>& result) {
                if (value.kind == json_kind::string && !value.text.empty()) {
                    result = {{.to = value.text}};
                } else if (value.kind == json_kind::array) {
                    list.read(in, value, result);
                } else {
                    in.report(value, std::string(expected));
                }
            },
            [list](definitions& all) {
                return schema_any_of({name_text().schema(all), list.schema(all)});
            },
            [](const std::vector<choice_spec>&) { return std::nullopt; },
            [list](const std::vector<choice_spec>& value) -> std::optional<json_value> {
                if (value.empty()) {
                    return std::nullopt;
                }
                return written(list, value);
            }};
}

const object_type<behaviour_message>& message_type() {
    using t = behaviour_message;
    static const object_type<t> type{
        "behaviour_message",
        "a message",
        "What a device says at this point.",
        {make_field<t>("name", name_text(), &t::name, "How the report calls it.", R"("progress")"),
         make_field<t>("topic", name_text(), &t::topic, "Template of the topic.",
                       R"("devices/{client_id}/update")", need::required),
         make_field<t>("payload", payload_text(), &t::payload, "Template of the payload.",
                       R"({"state": "{state}", "percent": "{progress}"})"),
         make_field<t>("qos", qos_number(), &t::qos, "Quality of service.", "1"),
         make_field<t>("retain", boolean(), &t::retain, "Whether it is retained.", "true")}};
    return type;
}

value_type<std::vector<taking_spec>> takings() {
    return by_name(&taking_spec::variable, text(), &taking_spec::member,
                   R"(an object such as {"target": "version"})");
}
value_type<std::vector<assignment_spec>> assignments() {
    return by_name(&assignment_spec::variable, value_of_variable(), &assignment_spec::value,
                   R"(an object such as {"firmware": "{target}"})");
}
value_type<std::vector<adding_spec>> addings() {
    return by_name(&adding_spec::variable, number(-1e15, 1e15), &adding_spec::by,
                   R"(an object such as {"attempts": 1})");
}

field<action_spec> takes_field() {
    return make_field<action_spec>(
        "takes", takings(), &action_spec::takes,
        "Variables that take what the message's payload has: the member's name, with points "
        "between those of nested ones; empty is the whole payload.",
        R"({"target": "version"})");
}

std::vector<field<action_spec>> action_fields() {
    using t = action_spec;
    return {make_field<t>("sets", assignments(), &t::sets,
                          "Variables and what they become: templates, one after the other.",
                          R"({"previous": "{firmware}", "firmware": "{target}"})"),
            make_field<t>("adds", addings(), &t::adds, "Variables and what is added to them.",
                          R"({"attempts": 1})"),
            make_field<t>("publish", list_of(object_of(message_type())), &t::publish,
                          "What the device says.",
                          R"([{"topic": "status/{client_id}", "payload": "{state}"}])")};
}

const object_type<action_spec>& action_type() {
    static const object_type<action_spec> type{
        "behaviour_action", "an action", "What a device does at this point.", action_fields()};
    return type;
}

/// Nothing at all is not written.
value_type<action_spec> actions() {
    auto type = object_of(action_type());
    type.write = [](const action_spec& value) -> std::optional<json_value> {
        const bool nothing = value.sets.empty() && value.adds.empty() && value.publish.empty();
        return nothing ? std::nullopt : std::optional(write_object(action_type(), value));
    };
    return type;
}

const object_type<steps_spec>& steps_type() {
    using t = steps_spec;
    static const object_type<t> type = [] {
        std::vector<field<t>> fields{
            make_field<t>("count", integer<std::uint16_t>(1), &t::count, "How many.", "20",
                          need::required),
            make_field<t>("every", duration_distribution(), &t::every,
                          "From one to the next; the first comes after one.", R"("3s")",
                          need::required)};
        for (const auto& each : action_fields()) {
            fields.push_back(lifted<t>(each, &t::action));
        }
        return object_type<t>{"behaviour_steps", "a stretch of steps",
                              "The same again and again; {step} counts them from 1, {progress} "
                              "is the percentage done.",
                              std::move(fields)};
    }();
    return type;
}

/// "06:30", "22:00:15".
value_type<duration> time_of_day() {
    static constexpr std::string_view expected = R"(a time of day such as "06:30")";
    const auto parse = [](std::string_view text) -> std::optional<duration> {
        constexpr std::array<int, 3> bounds{24, 60, 60};
        std::array<int, 3> parts{};
        std::size_t count = 0;
        for (;;) {
            int part = 0;
            if (count == parts.size() || text.size() < 2) {
                return std::nullopt;
            }
            const auto [end, error] = std::from_chars(text.data(), text.data() + 2, part);
            if (error != std::errc() || end != text.data() + 2 || part < 0 ||
                part >= bounds[count]) {
                return std::nullopt;
            }
            parts[count++] = part;
            text.remove_prefix(2);
            if (text.empty()) {
                break;
            }
            if (text.front() != ':') {
                return std::nullopt;
            }
            text.remove_prefix(1);
        }
        return count < 2 ? std::nullopt
                         : std::optional<duration>(std::chrono::hours(parts[0]) +
                                                   std::chrono::minutes(parts[1]) +
                                                   std::chrono::seconds(parts[2]));
    };
    return {std::string(expected),
            [parse](reading& in, const json_value& value, duration& result) {
                const auto read =
                    value.kind == json_kind::string ? parse(value.text) : std::nullopt;
                if (read) {
                    result = *read;
                } else {
                    in.report(value, std::string(expected));
                }
            },
            [](definitions&) {
                return schema_of(
                    {schema_member("type", json_string("string")),
                     schema_member("pattern", json_string("^[0-9]{2}:[0-9]{2}(:[0-9]{2})?$"))});
            },
            [](const duration&) { return std::nullopt; },
            [](const duration& value) {
                const auto seconds = value / std::chrono::seconds{1};
                std::string text;
                for (const auto part : {seconds / 3600, seconds / 60 % 60, seconds % 60}) {
                    text += (text.empty() ? "" : ":") + std::string(part < 10 ? "0" : "") +
                            std::to_string(part);
                }
                return std::optional(json_string(text));
            }};
}

const object_type<day_window>& window_type() {
    using t = day_window;
    static const object_type<t> type{
        "day_window",
        "a part of the day",
        "From one time of day to another, over midnight if that is earlier.",
        {make_field<t>("from", time_of_day(), &t::from, "Its beginning.", R"("22:00")",
                       need::required),
         make_field<t>("until", time_of_day(), &t::until, "Its end, not in it.", R"("06:00")",
                       need::required)}};
    return type;
}

std::vector<field<transition_spec>> transition_fields() {
    using t = transition_spec;
    std::vector<field<t>> fields{
        make_field<t>("on", optional_of(name_text()), &t::on,
                      "A message comes whose topic this filter matches. Template. The fleet has "
                      "to subscribe to it.",
                      R"("update/{client_id}")"),
        make_field<t>("on_reply", optional_of(name_text()), &t::on_reply,
                      "The reply to a request of this publication of the fleet comes.",
                      R"("ask for a token")"),
        make_field<t>("on_timeout", optional_of(name_text()), &t::on_timeout,
                      "No reply to a request of this publication comes within its reply_timeout.",
                      R"("ask for a token")"),
        make_field<t>("when", optional_of(word<behaviour_occasion>(occasion_names())), &t::on_link,
                      "connected: the broker has said yes. refused: an attempt to connect has "
                      "failed. disconnected: the connection is lost. delivered: no message of QoS "
                      "1 or 2 waits for an acknowledgement any more.",
                      R"("delivered")"),
        make_field<t>("every", optional_of(duration_from(minimum_step)), &t::every,
                      "Again and again, from the beginning of the state on; with \"if\".",
                      R"("5m")"),
        make_field<t>("at", optional_of(time_of_day()), &t::at,
                      "A time of day. A run begins on Saturday, 2000-01-01, at 00:00.",
                      R"("02:00")"),
        make_field<t>("where", conditions("an object of payload members and what they are"),
                      &t::where,
                      "Members of the message's payload, and what they are compared with: <, <=, "
                      ">, >=, !=, = and a template. A member that is missing never compares.",
                      R"({"version": ">{firmware}"})"),
        make_field<t>("if", conditions("an object of variables and what they are compared with"),
                      &t::conditions,
                      "Variables, generators, state or cohort, and what they are compared with.",
                      R"({"battery": "<20"})"),
        make_field<t>("between", optional_of(object_of(window_type())), &t::between,
                      "Only in this part of the day.", R"({"from": "22:00", "until": "06:00"})"),
        make_field<t>("days", list_of(word<weekday>(weekday_names())), &t::days,
                      "Only on these days; without it, on all.", R"(["sat", "sun"])"),
        make_field<t>("spread", duration_from(duration{}), &t::spread,
                      "at: each device is late by up to this much.", R"("30m")"),
        make_field<t>("probability", number(0, 1), &t::probability,
                      "How often it is taken when all else holds.", "0.1"),
        lifted<t>(takes_field(), &t::action)};
    for (const auto& each : action_fields()) {
        fields.push_back(lifted<t>(each, &t::action));
    }
    fields.push_back(make_field<t>("to", where_to(), &t::to,
                                   "The next state; without it, the state goes on.",
                                   R"("downloading")"));
    return fields;
}

const object_type<transition_spec>& transition_type() {
    static const object_type<transition_spec> type{
        "behaviour_transition", "a transition",
        "What starts it (one of on, on_reply, on_timeout, when, every, at), under which "
        "conditions, what the device then does, and where it goes.",
        transition_fields()};
    return type;
}

const object_type<state_spec>& state_type() {
    using t = state_spec;
    static const object_type<t> type{
        "behaviour_state",
        "a state",
        "What a device does while it is in this state, and how that ends.",
        {make_field<t>("link", word<behaviour_link>({"online", "goodbye", "cut"}), &t::link,
                       "online: connected, or trying to be. goodbye: says DISCONNECT and stays "
                       "away. cut: away without a farewell; wills are due.",
                       R"("goodbye")"),
         make_field<t>("network", optional_of(name_text()), &t::network,
                       "The network of the scenario that the device is on; without it, the "
                       "fleet's. To change it, the device lets its connection break and "
                       "connects anew.",
                       R"("lte")"),
         make_field<t>("publications", optional_of(list_of(name_text())), &t::publications,
                       "Names, or topics, of the fleet's publications that run; without it, all.",
                       R"(["telemetry"])"),
         make_field<t>("enter", actions(), &t::enter, "What the device does when the state begins.",
                       R"({"publish": [{"topic": "status/{client_id}", "payload": "{state}"}]})"),
         make_field<t>("for", optional_of(duration_distribution()), &t::lasts,
                       "How long the state lasts.", R"({"uniform": {"min": "9m", "max": "11m"}})"),
         make_field<t>("steps", optional_of(object_of(steps_type())), &t::steps,
                       "In place of \"for\": the state lasts for so many steps.",
                       R"({"count": 10, "every": "3s"})"),
         make_field<t>("then", where_to(), &t::then,
                       "The next state after that; with neither \"for\" nor \"steps\", at once.",
                       R"("asleep")"),
         make_field<t>("transitions", list_of(object_of(transition_type())), &t::transitions,
                       "Other ways out. Of those that apply, the first is taken.",
                       R"([{"when": "delivered", "to": "asleep"}])"),
         make_field<t>("final", boolean(), &t::final, "Has no way out, and is meant so.", "true")}};
    return type;
}

value_type<std::vector<variable_spec>> variables() {
    return by_name(&variable_spec::name, value_of_variable(), &variable_spec::value,
                   R"(an object of variables, such as {"firmware": "1.0.0"})");
}

const object_type<cohort_spec>& cohort_type() {
    using t = cohort_spec;
    static const object_type<t> type{
        "cohort",
        "a cohort",
        "Devices of the fleet that begin with other values than the rest.",
        {make_field<t>("name", name_text(), &t::name, "{cohort} in templates.",
                       R"("old boot loader")", need::required),
         make_field<t>("first_device", optional_of(integer<std::uint32_t>(0)), &t::first_device,
                       "Index of its first device.", "280"),
         make_field<t>("last_device", optional_of(integer<std::uint32_t>(0)), &t::last_device,
                       "Index of its last device.", "299"),
         make_field<t>("share", optional_of(number(0, 1)), &t::share,
                       "In place of devices: this share of those that no cohort names, drawn.",
                       "0.1"),
         make_field<t>("variables", variables(), &t::variables, "Its values.",
                       R"({"boot_loader": 1})")}};
    return type;
}

const object_type<custom_behaviour>& custom_behaviour_type() {
    using t = custom_behaviour;
    static const object_type<t> type{
        "custom_behaviour",
        "a behaviour of the program's own",
        "Code that the program has registered.",
        {make_field<t>("behaviour", name_text(), &t::behaviour, "The name it was registered by.",
                       R"("elevator")", need::required),
         make_field<t>("parameters", custom_parameters(), &t::parameters, "What it is told.",
                       R"({"floors": 12})")}};
    return type;
}

}  // namespace

std::vector<std::string_view> occasion_names() {
    return {"connected", "refused", "disconnected", "delivered"};
}

std::vector<std::string_view> weekday_names() {
    return {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
}

const object_type<behaviour_spec>& behaviour_type_of_scenario() {
    using t = behaviour_spec;
    static const object_type<t> type{
        "behaviour",
        "a behaviour",
        "What each device of the fleet does over time: it is in one of the states, each on its "
        "own, from its first connect on.",
        {make_field<t>("variables", variables(), &t::variables,
                       "What each device remembers, with the values it begins with; {NAME} in "
                       "templates.",
                       R"({"firmware": "1.0.0", "target": ""})"),
         make_field<t>("cohorts", list_of(object_of(cohort_type())), &t::cohorts,
                       "Devices that begin with other values.",
                       R"([{"name": "old", "share": 0.1, "variables": {"firmware": "0.9.2"}}])"),
         make_field<t>("initial", where_to(), &t::initial,
                       "The first state; without it, the one that is written first.",
                       R"("asleep")"),
         make_field<t>(
             "states",
             by_name(
                 &state_spec::name, object_of(state_type()),
                 [](state_spec& of) -> state_spec& { return of; }, "an object of states by name"),
             &t::states, "By name.",
             R"({"awake": {"for": "5s", "then": "asleep"},
                           "asleep": {"link": "goodbye", "for": "10m", "then": "awake"}})"),
         make_field<t>("transitions", list_of(object_of(transition_type())), &t::transitions,
                       "Those of all states, looked at behind a state's own.",
                       R"([{"on": "config/{client_id}", "takes": {"rate": "rate"}}])"),
         make_field<t>("custom", optional_of(object_of(custom_behaviour_type())), &t::custom,
                       "In place of all others: code of the program's own.",
                       R"({"behaviour": "elevator"})")}};
    return type;
}

}  // namespace fleetarium::sim::detail
