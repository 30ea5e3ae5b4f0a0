#include <fleetarium/sim/generator_fields.hpp>

#include <fleetarium/sim/scenario_values.hpp>

namespace fleetarium::sim::detail {

using namespace config;
using namespace config::detail;

namespace {

constexpr duration any_duration = duration::zero();
constexpr duration above_zero = duration(1);

value_type<double> any_number() { return number(-1e15, 1e15); }
value_type<double> not_negative() { return number(0, 1e15); }
value_type<double> percent() { return number(0, 100); }

/// A number, or the name of a generator.
value_type<generator_input> input() {
    static constexpr std::string_view expected =
        "a number, or the name of a generator further up in the list";
    return {std::string(expected),
            [](reading& in, const json_value& value, generator_input& result) {
                const auto plain = json_double(value);
                if (value.kind == json_kind::string && !value.text.empty()) {
                    result = {.value = 0, .from = value.text};
                } else if (plain && *plain >= -1e15 && *plain <= 1e15) {
                    result = {.value = *plain, .from = {}};
                } else {
                    in.report(value, std::string(expected));
                }
            },
            [](definitions& all) {
                return schema_any_of({any_number().schema(all), name_text().schema(all)});
            },
            [](const generator_input& value) {
                return std::optional(value.from.empty() ? json_number(number_text(value.value))
                                                        : json_string(value.from));
            }};
}

const object_type<constant_generator>& constant_type() {
    using t = constant_generator;
    static const object_type<t> type{
        "constant_generator",
        "a constant",
        "A value that never changes.",
        {make_field<t>("value", any_number(), &t::value, "The value.", "230", need::required),
         make_field<t>("spread", not_negative(), &t::spread,
                       "Each device has a value of its own, up to this far from it.", "5")}};
    return type;
}

const object_type<counter_generator>& counter_type() {
    using t = counter_generator;
    static const object_type<t> type{
        "counter_generator",
        "a counter",
        "Counts messages, or time.",
        {make_field<t>("start", any_number(), &t::start, "The first value.", "1000"),
         make_field<t>("step", any_number(), &t::step, "What is added each time.", "0.5"),
         make_field<t>("every", optional_of(duration_from(above_zero)), &t::every,
                       "A step each time this is over; without it, a step from each message that "
                       "shows the counter to the next.",
                       R"("15m")"),
         make_field<t>("wrap", optional_of(number(1, 1e15)), &t::wrap,
                       "After so many steps it begins again.", "65536")}};
    return type;
}

const object_type<walk_generator>& walk_type() {
    using t = walk_generator;
    static const object_type<t> type{
        "walk_generator",
        "a random walk",
        "A random walk between two walls that throw it back.",
        {make_field<t>("min", any_number(), &t::min, "The lower wall.", "18", need::required),
         make_field<t>("max", any_number(), &t::max, "The upper wall.", "24", need::required),
         make_field<t>("step", number(0, 1e15), &t::step,
                       "Standard deviation of the change within \"every\".", "0.2", need::required),
         make_field<t>("every", duration_from(above_zero), &t::every,
                       "The time that \"step\" is for.", R"("1m")"),
         make_field<t>("start", optional_of(any_number()), &t::start,
                       "The first value; without it, anywhere between the walls.", "21")}};
    return type;
}

const object_type<ornstein_uhlenbeck_generator>& ornstein_uhlenbeck_type() {
    using t = ornstein_uhlenbeck_generator;
    static const object_type<t> type{
        "ornstein_uhlenbeck_generator",
        "an Ornstein-Uhlenbeck process",
        "Fluctuations around a mean that have a memory.",
        {make_field<t>("mean", any_number(), &t::mean, "What it returns to.", "55"),
         make_field<t>("deviation", number(0, 1e15), &t::deviation,
                       "Standard deviation in the long run.", "4", need::required),
         make_field<t>("time_constant", duration_from(above_zero), &t::time_constant,
                       "In this time it forgets 63 % of where it was.", R"("30m")",
                       need::required)}};
    return type;
}

const object_type<season_spec>& season_type() {
    using t = season_spec;
    static const object_type<t> type{
        "season",
        "a season",
        "A slow wave below a fast one.",
        {make_field<t>("amplitude", any_number(), &t::amplitude, "From the middle to the top.", "9",
                       need::required),
         make_field<t>("period", duration_from(above_zero), &t::period, "Of the wave.",
                       R"("365d")"),
         make_field<t>("peak", duration_from(any_duration), &t::peak,
                       "When it is highest, from the beginning of the run.", R"("200d")")}};
    return type;
}

const object_type<sine_generator>& sine_type() {
    using t = sine_generator;
    static const object_type<t> type{
        "sine_generator",
        "a sine",
        "A wave, and perhaps a slower one on top.",
        {make_field<t>("mean", any_number(), &t::mean, "The middle.", "12"),
         make_field<t>("amplitude", any_number(), &t::amplitude, "From the middle to the top.", "6",
                       need::required),
         make_field<t>("period", duration_from(above_zero), &t::period, "Of the wave.", R"("24h")"),
         make_field<t>("peak", duration_from(any_duration), &t::peak,
                       "When it is highest, from the beginning of the run.", R"("15h")"),
         make_field<t>("season", optional_of(object_of(season_type())), &t::season,
                       "The slower wave.", R"({"amplitude": 9, "peak": "200d"})"),
         make_field<t>("spread", duration_from(any_duration), &t::spread,
                       "Each device is late by up to this much.", R"("20m")")}};
    return type;
}

const object_type<state_change>& state_change_type() {
    using t = state_change;
    static const object_type<t> type{
        "state_change",
        "a change of state",
        "Where a state may lead.",
        {make_field<t>("to", name_text(), &t::to, "The state that follows.", R"("open")",
                       need::required),
         make_field<t>("weight", not_negative(), &t::weight, "How likely, beside the others.",
                       "3")}};
    return type;
}

const object_type<generator_state>& state_type() {
    using t = generator_state;
    static const object_type<t> type{
        "state",
        "a state",
        "A state of a Markov chain.",
        {make_field<t>("name", name_text(), &t::name, "What {generator} shows.", R"("closed")",
                       need::required),
         make_field<t>("value", any_number(), &t::value, "What {generator.value} shows.", "1"),
         make_field<t>("stay", duration_distribution(), &t::stay,
                       "How long it lasts, one millisecond or more.",
                       R"({"exponential": {"mean": "20m"}})"),
         make_field<t>("next", list_of(object_of(state_change_type())), &t::next,
                       "The states that may follow; without any, it lasts for ever.",
                       R"([{"to": "open"}])")}};
    return type;
}

const object_type<states_generator>& states_type() {
    using t = states_generator;
    static const object_type<t> type{
        "states_generator",
        "a Markov chain",
        "States that follow one another by chance. {generator} is the name of the state, "
        "{generator.value} its value, {generator.since} the seconds since it began.",
        {make_field<t>("states", list_of(object_of(state_type())), &t::states, "The states.",
                       R"([{"name": "off"}])", need::required),
         make_field<t>("start", name_text(), &t::start,
                       "The state at the beginning; without it, the "
                       "first of the list.",
                       R"("closed")")}};
    return type;
}

const object_type<battery_generator>& battery_type() {
    using t = battery_generator;
    static const object_type<t> type{
        "battery_generator",
        "a battery",
        "A charge that goes down with time and messages. {generator} is in percent, "
        "{generator.charge} in units, {generator.volts} on a line from empty to full, "
        "{generator.charging} true or false.",
        {make_field<t>("capacity", number(0, 1e15), &t::capacity,
                       "When full, in any unit, such as mAh.", "2400", need::required),
         make_field<t>("drain", input(), &t::drain, "Units an hour, at all times.", "1.5"),
         make_field<t>("drain_per_message", not_negative(), &t::drain_per_message,
                       "Units for each message that the device sends.", "0.02"),
         make_field<t>("charge", not_negative(), &t::charge,
                       "Units an hour while it is being charged; 0 is never.", "800"),
         make_field<t>("charge_below", percent(), &t::charge_below,
                       "Charging begins at so many percent.", "15"),
         make_field<t>("charge_until", percent(), &t::charge_until,
                       "Charging ends at so many percent.", "90"),
         make_field<t>("start", percent(), &t::start, "Percent at the beginning.", "80"),
         make_field<t>("spread", percent(), &t::spread,
                       "Each device begins with up to so many percent points less.", "40"),
         make_field<t>("volts_empty", any_number(), &t::volts_empty, "At 0 percent.", "2.9"),
         make_field<t>("volts_full", any_number(), &t::volts_full, "At 100 percent.", "4.15")}};
    return type;
}

const object_type<thermal_generator>& thermal_type() {
    using t = thermal_generator;
    static const object_type<t> type{
        "thermal_generator",
        "a thermal model",
        "Something warm in something cold, with a heater and a thermostat. {generator} is the "
        "temperature, {generator.heating} true or false, {generator.ambient} what is around.",
        {make_field<t>("ambient", input(), &t::ambient, "The temperature around it.",
                       R"("outside")", need::required),
         make_field<t>("time_constant", duration_from(above_zero), &t::time_constant,
                       "In this time it loses 63 % of a difference.", R"("3h")", need::required),
         make_field<t>("heater", not_negative(), &t::heater,
                       "Degrees above ambient that the heater could hold for ever; 0 is no "
                       "heater.",
                       "25"),
         make_field<t>("setpoint", any_number(), &t::setpoint, "What the thermostat keeps.", "21"),
         make_field<t>("hysteresis", number(0, 1e15), &t::hysteresis,
                       "The heater goes on at half of it below the setpoint, off at half above.",
                       "1"),
         make_field<t>("start", optional_of(any_number()), &t::start,
                       "The first temperature; without it, ambient.", "19.5")}};
    return type;
}

const object_type<route_point>& point_type() {
    using t = route_point;
    static const object_type<t> type{
        "route_point",
        "a point",
        "A place on a map.",
        {make_field<t>("lat", number(-90, 90), &t::lat, "Degrees of latitude.", "48.137",
                       need::required),
         make_field<t>("lon", number(-180, 180), &t::lon, "Degrees of longitude.", "11.575",
                       need::required)}};
    return type;
}

const object_type<route_generator>& route_type() {
    using t = route_generator;
    static const object_type<t> type{
        "route_generator",
        "a route",
        "A way on a map. {generator.lat}, {generator.lon}, {generator.heading} (degrees clockwise "
        "from north), {generator.speed} (m/s), {generator.distance} (m from the beginning).",
        {make_field<t>("points", list_of(object_of(point_type())), &t::points,
                       "The way, straight from point to point.",
                       R"([{"lat": 48.137, "lon": 11.575}, {"lat": 48.366, "lon": 10.898}])",
                       need::required),
         make_field<t>("speed", input(), &t::speed, "Metres a second.", "22", need::required),
         make_field<t>("end", word<route_end>({"loop", "turn", "stop"}), &t::end,
                       "At the last point. loop: straight on to the first. turn: back the same "
                       "way. stop: stay.",
                       R"("turn")"),
         make_field<t>("anywhere", boolean(), &t::anywhere,
                       "Whether each device begins somewhere on the way, not at the first point.",
                       "true")}};
    return type;
}

const object_type<series_generator>& series_type() {
    using t = series_generator;
    static const object_type<t> type{
        "csv_generator",
        "a series from a CSV file",
        "A column of a file with a line of names, played back from the beginning of the run.",
        {make_field<t>("file", name_text(), &t::file,
                       "The file, from where the scenario's file is.", R"("data/weather.csv")",
                       need::required),
         make_field<t>("column", name_text(), &t::column, "The name of the column.",
                       R"("temperature")", need::required),
         make_field<t>("time", name_text(), &t::time,
                       "The column of times: seconds, or dates such as 2010-01-31T06:30. Without "
                       "it, rows are \"period\" apart.",
                       R"("date")"),
         make_field<t>("period", duration_from(any_duration), &t::period,
                       "From row to row; with \"time\", from the last row to the first again.",
                       R"("1h")"),
         make_field<t>("between", boolean(), &t::between,
                       "Whether the value goes straight from row to row, or jumps.", "false"),
         make_field<t>("end", word<series_end>({"loop", "hold"}), &t::end,
                       "After the last row. loop: from the first on. hold: stay at the last.",
                       R"("hold")"),
         make_field<t>("spread", duration_from(any_duration), &t::spread,
                       "Each device is ahead by up to this much.", R"("1h")")}};
    return type;
}

const object_type<sum_term>& term_type() {
    using t = sum_term;
    static const object_type<t> type{
        "sum_term",
        "a term",
        "A multiple of another generator's value.",
        {make_field<t>("of", name_text(), &t::of,
                       "A generator further up in the list, or its field.", R"("temperature")",
                       need::required),
         make_field<t>("times", any_number(), &t::times, "The factor.", "-1.8")}};
    return type;
}

const object_type<sum_generator>& sum_type() {
    using t = sum_generator;
    static const object_type<t> type{
        "sum_generator",
        "a sum",
        "A linear combination of other generators: how fields hang together.",
        {make_field<t>("offset", any_number(), &t::offset, "What is added.", "90"),
         make_field<t>("terms", list_of(object_of(term_type())), &t::terms, "The rest.",
                       R"([{"of": "temperature", "times": -1.8}])", need::required)}};
    return type;
}

const object_type<custom_generator>& custom_type() {
    using t = custom_generator;
    static const object_type<t> type{
        "custom_generator",
        "a generator of the program's own",
        "A type that the program registers in C++ (register_generator).",
        {make_field<t>("type", name_text(), &t::type, "The name that it is registered with.",
                       R"("solar_panel")", need::required),
         make_field<t>("parameters", custom_parameters(), &t::parameters, "What it wants to know.",
                       R"({"peak_watts": 300, "facing": "south"})")}};
    return type;
}

const object_type<spike_spec>& spike_type() {
    using t = spike_spec;
    static const object_type<t> type{
        "spikes",
        "spikes",
        "Values that are far off, each on its own.",
        {make_field<t>("probability", number(0, 1), &t::probability, "Of each value.", "0.002",
                       need::required),
         make_field<t>("min", any_number(), &t::min, "The least that is added.", "-40",
                       need::required),
         make_field<t>("max", any_number(), &t::max, "The most that is added.", "40",
                       need::required)}};
    return type;
}

const object_type<stuck_spec>& stuck_type() {
    using t = stuck_spec;
    static const object_type<t> type{
        "stretches",
        "stretches that come and go",
        "Stretches that come and go, each device on its own.",
        {make_field<t>("every", duration_distribution(), &t::every,
                       "From the end of one to the beginning of the next.",
                       R"({"exponential": {"mean": "6h"}})", need::required),
         make_field<t>("lasts", duration_distribution(), &t::lasts, "How long one lasts.",
                       R"({"exponential": {"mean": "10m"}})", need::required)}};
    return type;
}

const object_type<missing_spec>& missing_type() {
    using t = missing_spec;
    static const object_type<t> type{
        "missing",
        "values that are missing",
        "Values that are not there.",
        {make_field<t>("probability", number(0, 1), &t::probability, "Of each value.", "0.01"),
         make_field<t>("gaps", optional_of(object_of(stuck_type())), &t::gaps,
                       "Stretches without any value.", R"({"every": "8h", "lasts": "20m"})"),
         make_field<t>("as", word<missing_as>({"null", "skip"}), &t::as,
                       "null: the placeholder is null. skip: the message is not made.",
                       R"("skip")")}};
    return type;
}

template <class T>
field<generator_spec> kind_field(std::string_view name, const object_type<T>& type,
                                 std::optional<T> generator_spec::*member,
                                 std::string_view description, std::string_view example) {
    return make_field<generator_spec>(name, optional_of(object_of(type)), member, description,
                                      example);
}

std::vector<field<generator_spec>> kind_fields() {
    using t = generator_spec;
    return {
        kind_field("constant", constant_type(), &t::constant, "Always the same.",
                   R"({"value": 230, "spread": 5})"),
        kind_field("counter", counter_type(), &t::counter, "Counts.", R"({"step": 2})"),
        kind_field("walk", walk_type(), &t::walk, "A random walk.",
                   R"({"min": 18, "max": 24, "step": 0.2})"),
        kind_field("ornstein_uhlenbeck", ornstein_uhlenbeck_type(), &t::ornstein_uhlenbeck,
                   "Fluctuations around a mean.",
                   R"({"mean": 55, "deviation": 4, "time_constant": "30m"})"),
        kind_field("sine", sine_type(), &t::sine, "A wave.",
                   R"({"mean": 12, "amplitude": 6, "peak": "15h"})"),
        kind_field("states", states_type(), &t::states, "A Markov chain.",
                   R"({"states": [{"name": "off", "stay": "1h", "next": [{"to": "on"}]},
                       {"name": "on", "stay": "5m", "next": [{"to": "off"}]}]})"),
        kind_field("battery", battery_type(), &t::battery, "A battery.",
                   R"({"capacity": 2400, "drain": 1.5, "drain_per_message": 0.02})"),
        kind_field("thermal", thermal_type(), &t::thermal, "A heated room.",
                   R"({"ambient": 5, "time_constant": "3h", "heater": 25})"),
        kind_field("route", route_type(), &t::route, "A way on a map.",
                   R"({"points": [{"lat": 48.1, "lon": 11.6}, {"lat": 48.4, "lon": 10.9}],
                       "speed": 22})"),
        kind_field("csv", series_type(), &t::csv, "A column of a file.",
                   R"({"file": "weather.csv", "column": "temperature", "time": "date"})"),
        kind_field("sum", sum_type(), &t::sum, "A combination of other generators.",
                   R"({"offset": 90, "terms": [{"of": "temperature", "times": -1.8}]})"),
        kind_field("custom", custom_type(), &t::custom, "One of the program's own.",
                   R"({"type": "solar_panel"})"),
    };
}

std::vector<field<generator_spec>> generator_spec_fields() {
    using t = generator_spec;
    std::vector<field<t>> all{make_field<t>("name", name_text(), &t::name,
                                            "What payloads call it: {name}, or {name.field}.",
                                            R"("temperature")", need::required)};
    for (auto& each : kind_fields()) {
        all.push_back(std::move(each));
    }
    for (auto& each : std::vector<field<t>>{
             make_field<t>("decimals", optional_of(integer<std::uint8_t>(0, 9)), &t::decimals,
                           "How many are shown; without it, as the kind has it.", "1"),
             make_field<t>("noise", not_negative(), &t::noise,
                           "Standard deviation of what the sensor adds to each value.", "0.1"),
             make_field<t>("spikes", optional_of(object_of(spike_type())), &t::spikes,
                           "Values that are far off.",
                           R"({"probability": 0.002, "min": -40, "max": 40})"),
             make_field<t>("stuck", optional_of(object_of(stuck_type())), &t::stuck,
                           "Stretches in which the last value is given again.",
                           R"({"every": "6h", "lasts": "10m"})"),
             make_field<t>("missing", optional_of(object_of(missing_type())), &t::missing,
                           "Values that are not there.", R"({"probability": 0.01, "as": "skip"})"),
             make_field<t>("min", optional_of(any_number()), &t::min,
                           "The sensor's lower end: what is below reads as this.", "0"),
             make_field<t>("max", optional_of(any_number()), &t::max,
                           "The sensor's upper end: what is above reads as this.", "100")}) {
        all.push_back(std::move(each));
    }
    return all;
}

}  // namespace

value_type<std::vector<custom_generator::parameter>> custom_parameters() {
    static constexpr std::string_view expected = "an object of numbers and texts";
    return {
        std::string(expected),
        [](reading& in, const json_value& value, std::vector<custom_generator::parameter>& result) {
            if (value.kind != json_kind::object) {
                in.report(value, std::string(expected));
                return;
            }
            result.clear();
            for (const json_member& each : value.members) {
                in.inside(each.name, [&] {
                    const auto plain = json_double(each.value);
                    if (each.value.kind == json_kind::string) {
                        result.emplace_back(each.name, each.value.text);
                    } else if (each.value.kind == json_kind::number && plain) {
                        result.emplace_back(each.name, *plain);
                    } else {
                        in.report(each.value, "a number or a text");
                    }
                });
            }
        },
        [](definitions&) {
            return schema_of(
                {schema_member("type", json_string("object")),
                 schema_member(
                     "additionalProperties",
                     schema_of({schema_member(
                         "type", json_array({json_string("number"), json_string("string")}))}))});
        },
        [](const std::vector<custom_generator::parameter>&) { return std::nullopt; },
        [](const std::vector<custom_generator::parameter>& value) {
            std::vector<json_member> members;
            for (const auto& [name, held] : value) {
                const auto* const text = std::get_if<std::string>(&held);
                members.push_back(schema_member(
                    name, text != nullptr ? json_string(*text)
                                          : json_number(number_text(std::get<double>(held)))));
            }
            return std::optional(json_object(std::move(members)));
        }};
}

const object_type<generator_spec>& generator_spec_type() {
    static const object_type<generator_spec> type{
        "generator", "a generator",
        "What each device of the fleet measures or is, with a state of its own; exactly one of "
        "the kinds, from constant to custom.",
        generator_spec_fields()};
    return type;
}

}  // namespace fleetarium::sim::detail
