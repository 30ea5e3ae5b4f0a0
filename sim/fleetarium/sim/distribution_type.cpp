// How a distribution of durations looks in JSON: a duration, or an object of one member that names
// the kind.

#include <fleetarium/sim/scenario_values.hpp>

#include <fleetarium/config/quantities.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace fleetarium::sim::detail {

using namespace config;
using namespace config::detail;

namespace {

enum class parameter_kind { duration, number };

struct parameter {
    std::string_view name;
    parameter_kind kind;
};

/// The ways to write one kind: the parameters, and what is made of their values.
struct spelling {
    std::string_view kind;
    std::vector<parameter> parameters;
    distribution (*make)(std::span<const double> values);
};

const std::vector<spelling>& spellings() {
    using enum parameter_kind;
    using values = std::span<const double>;
    static const std::vector<spelling> all{
        {"uniform",
         {{"min", duration}, {"max", duration}},
         [](values v) { return distribution::uniform(v[0], v[1]); }},
        {"normal",
         {{"mean", duration}, {"stddev", duration}, {"min", duration}},
         [](values v) { return distribution::normal(v[0], v[1], v[2]); }},
        {"normal",
         {{"mean", duration}, {"stddev", duration}},
         [](values v) { return distribution::normal(v[0], v[1], 0); }},
        {"lognormal",
         {{"median", duration}, {"sigma", number}},
         [](values v) { return distribution::lognormal(v[0], v[1]); }},
        {"lognormal",
         {{"mean", duration}, {"stddev", duration}},
         [](values v) { return distribution::lognormal_of_mean(v[0], v[1]); }},
        {"exponential",
         {{"mean", duration}},
         [](values v) { return distribution::exponential(v[0]); }},
    };
    return all;
}

constexpr std::array<std::string_view, 6> kinds{"uniform",     "normal",   "lognormal",
                                                "exponential", "weighted", "quantiles"};

const std::string expected_whole =
    R"(a duration such as "20ms", or an object such as )"
    R"({"uniform": {"min": "10ms", "max": "30ms"}})";

/// The number that a parameter stands for, durations in nanoseconds; reports where it is wrong.
std::optional<double> read_parameter(reading& in, const json_value& value, parameter_kind kind) {
    const auto before = in.problem_count();
    double out = 0;
    if (kind == parameter_kind::duration) {
        duration span{};
        duration_from(duration::zero()).read(in, value, span);
        out = static_cast<double>(span.count());
    } else {
        number(0, 1e6).read(in, value, out);
    }
    return in.problem_count() == before ? std::optional<double>(out) : std::nullopt;
}

std::string names_of(const spelling& one) {
    std::string out;
    for (const parameter& each : one.parameters) {
        out += (out.empty() ? "" : ", ") + quoted(each.name);
    }
    return out;
}

bool fits(const spelling& one, const json_value& object) {
    return object.members.size() == one.parameters.size() &&
           std::all_of(one.parameters.begin(), one.parameters.end(),
                       [&](const parameter& each) { return object.find(each.name) != nullptr; });
}

/// Reads `{"min": ..., "max": ...}` and its like.
void read_parameters(reading& in, std::string_view kind, const json_value& object,
                     distribution& result) {
    std::string choices;
    const spelling* chosen = nullptr;
    for (const spelling& one : spellings()) {
        if (one.kind == kind) {
            choices += (choices.empty() ? "an object with " : ", or with ") + names_of(one);
            if (object.kind == json_kind::object && fits(one, object)) {
                chosen = &one;
            }
        }
    }
    if (chosen == nullptr) {
        in.report(object, choices);
        return;
    }
    std::vector<double> values;
    for (const parameter& each : chosen->parameters) {
        in.inside(each.name, [&] {
            if (const auto value = read_parameter(in, *object.find(each.name), each.kind)) {
                values.push_back(*value);
            }
        });
    }
    if (values.size() != chosen->parameters.size()) {
        return;
    }
    try {
        result = chosen->make(values);
    } catch (const std::invalid_argument& wrong) {
        in.report(object, std::string("parameters that make sense: ") + wrong.what());
    }
}

/// Reads `[{"value": "1s", "weight": 3}, ...]` and its like: two members each.
void read_points(reading& in, std::string_view kind, const json_value& list, distribution& result) {
    const std::string_view other = kind == "weighted" ? "weight" : "probability";
    const std::string expected =
        "a list of objects with \"value\" (a duration) and " + quoted(other) + " (a number)";
    if (list.kind != json_kind::array || list.elements.empty()) {
        in.report(list, expected);
        return;
    }
    std::vector<std::pair<double, double>> points;
    for (std::size_t i = 0; i < list.elements.size(); ++i) {
        const json_value& element = list.elements[i];
        in.inside(i, [&] {
            const json_value* const value = element.find("value");
            const json_value* const share = element.find(other);
            if (element.kind != json_kind::object || element.members.size() != 2 ||
                value == nullptr || share == nullptr) {
                in.report(element, "an object with \"value\" and " + quoted(other));
                return;
            }
            std::optional<double> at;
            std::optional<double> part;
            in.inside("value", [&] { at = read_parameter(in, *value, parameter_kind::duration); });
            in.inside(other, [&] { part = read_parameter(in, *share, parameter_kind::number); });
            if (at && part) {
                points.emplace_back(*at, *part);
            }
        });
    }
    if (points.size() != list.elements.size()) {
        return;
    }
    try {
        if (kind == "weighted") {
            std::vector<distribution::weighted_value> values;
            for (const auto& [at, part] : points) {
                values.push_back({at, part});
            }
            result = distribution::weighted(values);
        } else {
            std::vector<distribution::quantile_point> values;
            for (const auto& [at, part] : points) {
                values.push_back({part, at});
            }
            result = distribution::quantiles(values);
        }
    } catch (const std::invalid_argument& wrong) {
        in.report(list, std::string("points that make sense: ") + wrong.what());
    }
}

void read_distribution(reading& in, const json_value& value, distribution& result) {
    if (value.kind == json_kind::string) {
        duration constant{};
        const auto before = in.problem_count();
        duration_from(duration::zero()).read(in, value, constant);
        if (in.problem_count() == before) {
            result = distribution::constant(static_cast<double>(constant.count()));
        }
        return;
    }
    if (value.kind != json_kind::object || value.members.size() != 1) {
        in.report(value, expected_whole);
        return;
    }
    const json_member& only = value.members.front();
    in.inside(only.name, [&] {
        if (std::find(kinds.begin(), kinds.end(), only.name) == kinds.end()) {
            in.report(only.position, quoted(only.name), joined_with_or(kinds),
                      nearest_name(only.name, kinds));
        } else if (only.name == "weighted" || only.name == "quantiles") {
            read_points(in, only.name, only.value, result);
        } else {
            read_parameters(in, only.name, only.value, result);
        }
    });
}

json_value closed_object(std::vector<json_member> properties) {
    std::vector<json_value> required;
    for (const json_member& each : properties) {
        required.push_back(json_string(each.name));
    }
    return schema_of({schema_member("type", json_string("object")),
                      schema_member("properties", json_object(std::move(properties))),
                      schema_member("required", json_array(std::move(required))),
                      schema_member("additionalProperties", json_boolean(false))});
}

json_value parameter_schema(parameter_kind kind, definitions& all) {
    return kind == parameter_kind::duration ? duration_from(duration::zero()).schema(all)
                                            : number(0, 1e6).schema(all);
}

json_value points_schema(std::string_view other, definitions& all) {
    return schema_of(
        {schema_member("type", json_string("array")),
         schema_member(
             "items", closed_object(
                          {schema_member("value", parameter_schema(parameter_kind::duration, all)),
                           schema_member(other, parameter_schema(parameter_kind::number, all))}))});
}

/// Written once as a definition: it occurs in many places and is long.
json_value distribution_schema(definitions& all) {
    constexpr std::string_view name = "distribution";
    const auto reference = [&] {
        return schema_of({schema_member("$ref", json_string("#/$defs/distribution"))});
    };
    for (const json_member& each : all) {
        if (each.name == name) {
            return reference();
        }
    }
    std::vector<json_value> choices{duration_from(duration::zero()).schema(all)};
    for (const spelling& one : spellings()) {
        std::vector<json_member> properties;
        for (const parameter& each : one.parameters) {
            properties.push_back(schema_member(each.name, parameter_schema(each.kind, all)));
        }
        choices.push_back(
            closed_object({schema_member(one.kind, closed_object(std::move(properties)))}));
    }
    choices.push_back(closed_object({schema_member("weighted", points_schema("weight", all))}));
    choices.push_back(
        closed_object({schema_member("quantiles", points_schema("probability", all))}));
    all.push_back(schema_member(name, schema_any_of(std::move(choices))));
    return reference();
}

std::optional<json_value> show_distribution(const distribution& value) {
    if (value.type() != distribution::kind::constant) {
        return std::nullopt;
    }
    return json_string(duration_text(duration{static_cast<duration::rep>(value.mean())}));
}

}  // namespace

value_type<distribution> duration_distribution() {
    return {expected_whole, read_distribution, distribution_schema, show_distribution};
}

}  // namespace fleetarium::sim::detail
