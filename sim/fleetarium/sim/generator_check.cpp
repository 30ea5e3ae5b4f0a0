#include <fleetarium/sim/generator_check.hpp>

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/config/value_types.hpp>
#include <fleetarium/sim/generator_kinds.hpp>
#include <fleetarium/sim/generator_series.hpp>

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>

namespace fleetarium::sim::detail {

using namespace config;
using namespace config::detail;

namespace {

constexpr std::array<std::string_view, 12> kind_names{
    "constant", "counter", "walk",    "ornstein_uhlenbeck",
    "sine",     "states",  "battery", "thermal",
    "route",    "csv",     "sum",     "custom"};

std::vector<std::string_view> kinds_of(const generator_spec& spec) {
    const std::array<bool, kind_names.size()> has{
        spec.constant.has_value(), spec.counter.has_value(),
        spec.walk.has_value(),     spec.ornstein_uhlenbeck.has_value(),
        spec.sine.has_value(),     spec.states.has_value(),
        spec.battery.has_value(),  spec.thermal.has_value(),
        spec.route.has_value(),    spec.csv.has_value(),
        spec.sum.has_value(),      spec.custom.has_value()};
    std::vector<std::string_view> kinds;
    for (std::size_t i = 0; i < has.size(); ++i) {
        if (has[i]) {
            kinds.push_back(kind_names[i]);
        }
    }
    return kinds;
}

class checker {
public:
    checker(std::span<const generator_spec> specs, const std::string& pointer)
        : specs_(specs), pointer_(pointer) {}

    generator_verdict run() {
        for (std::size_t i = 0; i < specs_.size(); ++i) {
            at_ = pointer_to(pointer_, i);
            const std::size_t before = verdict_.problems.size();
            check_name(specs_[i]);
            check_kind(specs_[i]);
            check_sensor(specs_[i]);
            generator_names names{.name = specs_[i].name};
            if (verdict_.problems.size() == before) {
                note_fields(specs_[i], names);
            }
            types_.resize(i + 1);
            verdict_.names.push_back(std::move(names));
        }
        return std::move(verdict_);
    }

private:
    void report(const std::string& where, std::string found, std::string expected,
                std::string suggestion = {}) {
        verdict_.problems.push_back(
            {{}, 0, 0, at_ + where, std::move(found), std::move(expected), std::move(suggestion)});
    }

    void require(bool fine, const std::string& where, double found, std::string expected) {
        if (!fine) {
            report(where, number_text(found), std::move(expected));
        }
    }

    void require(bool fine, const std::string& where, duration found, std::string expected) {
        if (!fine) {
            report(where, duration_text(found), std::move(expected));
        }
    }

    void check_name(const generator_spec& spec) {
        if (!is_generator_name(spec.name)) {
            report("/name", quoted(spec.name), "letters, digits and \"_\", no digit first");
        } else if (text_template::is_placeholder_name(spec.name)) {
            report("/name", quoted(spec.name) + ", which templates have a placeholder for",
                   "another name");
        } else if (!known_.insert(spec.name).second) {
            report("/name", quoted(spec.name) + " a second time", "a name of its own");
        }
    }

    void check_kind(const generator_spec& spec) {
        const auto kinds = kinds_of(spec);
        if (kinds.size() != 1) {
            std::vector<std::string_view> all(kind_names.begin(), kind_names.end());
            std::string found = "a generator without its kind";
            for (std::size_t i = 0; i < kinds.size(); ++i) {
                found = (i == 0 ? "a generator with " : found + " and ") + quoted(kinds[i]);
            }
            report("", std::move(found), "exactly one of " + joined_with_or(all));
            return;
        }
        at_ += "/" + std::string(kinds.front());
        if (spec.constant) {
            require(spec.constant->spread >= 0, "/spread", spec.constant->spread, "0 or more");
        } else if (spec.counter) {
            check(*spec.counter);
        } else if (spec.walk) {
            check(*spec.walk);
        } else if (spec.ornstein_uhlenbeck) {
            check(*spec.ornstein_uhlenbeck);
        } else if (spec.sine) {
            check(*spec.sine);
        } else if (spec.states) {
            check(*spec.states);
        } else if (spec.battery) {
            check(*spec.battery);
        } else if (spec.thermal) {
            check(*spec.thermal);
        } else if (spec.route) {
            check(*spec.route);
        } else if (spec.csv) {
            check(*spec.csv);
        } else if (spec.sum) {
            check(*spec.sum);
        } else {
            check(*spec.custom);
        }
        at_.resize(at_.rfind('/'));
    }

    void check(const counter_generator& spec) {
        if (spec.every) {
            require(*spec.every > duration::zero(), "/every", *spec.every, "a duration above 0");
        }
        if (spec.wrap) {
            require(*spec.wrap >= 1, "/wrap", *spec.wrap, "1 step or more");
        }
    }

    void check(const walk_generator& spec) {
        require(spec.min < spec.max, "/min", spec.min,
                "a number below \"max\", " + number_text(spec.max));
        require(spec.step > 0, "/step", spec.step, "a number above 0");
        require(spec.every > duration::zero(), "/every", spec.every, "a duration above 0");
        if (spec.start) {
            require(*spec.start >= spec.min && *spec.start <= spec.max, "/start", *spec.start,
                    "a number from \"min\" to \"max\"");
        }
    }

    void check(const ornstein_uhlenbeck_generator& spec) {
        require(spec.deviation > 0, "/deviation", spec.deviation, "a number above 0");
        require(spec.time_constant > duration::zero(), "/time_constant", spec.time_constant,
                "a duration above 0");
    }

    void check(const sine_generator& spec) {
        require(spec.period > duration::zero(), "/period", spec.period, "a duration above 0");
        require(spec.spread >= duration::zero(), "/spread", spec.spread, "0s or more");
        if (spec.season) {
            require(spec.season->period > duration::zero(), "/season/period", spec.season->period,
                    "a duration above 0");
        }
    }

    void check(const states_generator& spec) {
        if (spec.states.empty()) {
            report("/states", "no states", "one state or more");
        }
        std::vector<std::string_view> names;
        for (std::size_t i = 0; i < spec.states.size(); ++i) {
            const std::string& name = spec.states[i].name;
            const std::string where = pointer_to("/states", i) + "/name";
            if (name.empty()) {
                report(where, quoted(name), "a name");
            } else if (std::find(names.begin(), names.end(), name) != names.end()) {
                report(where, quoted(name) + " a second time", "a name of its own");
            }
            names.push_back(name);
        }
        const auto require_state = [&](const std::string& where, const std::string& name) {
            if (std::find(names.begin(), names.end(), name) == names.end()) {
                report(where, quoted(name), "the name of a state: " + joined_with_or(names),
                       nearest_name(name, names));
            }
        };
        if (!spec.start.empty()) {
            require_state("/start", spec.start);
        }
        for (std::size_t i = 0; i < spec.states.size(); ++i) {
            const generator_state& state = spec.states[i];
            const std::string where = pointer_to("/states", i);
            double total = 0;
            for (std::size_t j = 0; j < state.next.size(); ++j) {
                const std::string there = pointer_to(where + "/next", j);
                require_state(there + "/to", state.next[j].to);
                require(state.next[j].weight >= 0, there + "/weight", state.next[j].weight,
                        "0 or more");
                total += state.next[j].weight;
            }
            if (!state.next.empty() && !(total > 0)) {
                report(where + "/next", "weights of 0", "one above 0");
            }
            if (!state.next.empty() && state.stay.mean() <= 0) {
                report(where, "a state without \"stay\" that others follow",
                       "\"stay\": how long it lasts");
            }
        }
    }

    void check(const battery_generator& spec) {
        require(spec.capacity > 0, "/capacity", spec.capacity, "a number above 0");
        check_input(spec.drain, "/drain");
        require(!spec.drain.from.empty() || spec.drain.value >= 0, "/drain", spec.drain.value,
                "0 or more");
        require(spec.drain_per_message >= 0, "/drain_per_message", spec.drain_per_message,
                "0 or more");
        require(spec.charge >= 0, "/charge", spec.charge, "0 or more");
        for (const auto& [name, percent] :
             {std::pair("/charge_below", spec.charge_below),
              std::pair("/charge_until", spec.charge_until), std::pair("/start", spec.start),
              std::pair("/spread", spec.spread)}) {
            require(percent >= 0 && percent <= 100, name, percent, "a number of percent, 0 to 100");
        }
        if (spec.charge > 0) {
            require(spec.charge_below < spec.charge_until, "/charge_below", spec.charge_below,
                    "less than \"charge_until\", " + number_text(spec.charge_until));
            const double hours =
                spec.capacity * (spec.charge_until - spec.charge_below) / 100 / spec.charge;
            require(hours >= 1.0 / 3600 || spec.charge_below >= spec.charge_until, "/charge",
                    spec.charge, "so little that charging takes a second or more");
        }
    }

    void check(const thermal_generator& spec) {
        check_input(spec.ambient, "/ambient");
        require(spec.time_constant > duration::zero(), "/time_constant", spec.time_constant,
                "a duration above 0");
        require(spec.heater >= 0, "/heater", spec.heater, "0 degrees or more");
        require(spec.hysteresis > 0, "/hysteresis", spec.hysteresis, "a number above 0");
        // What the thermostat would do more than once a second is not worth its time.
        if (spec.heater > 0 && spec.hysteresis > 0) {
            const double seconds = seconds_of(spec.time_constant) * spec.hysteresis / spec.heater;
            require(seconds >= 1 || spec.time_constant <= duration::zero(), "/hysteresis",
                    spec.hysteresis, "so much that the heater is on for a second or more");
        }
    }

    void check(const route_generator& spec) {
        check_input(spec.speed, "/speed");
        require(!spec.speed.from.empty() || spec.speed.value > 0, "/speed", spec.speed.value,
                "metres a second above 0, or the name of a generator");
        bool moves = false;
        for (std::size_t i = 0; i < spec.points.size(); ++i) {
            const route_point& point = spec.points[i];
            const std::string where = pointer_to("/points", i);
            require(point.lat >= -90 && point.lat <= 90, where + "/lat", point.lat,
                    "degrees from -90 to 90");
            require(point.lon >= -180 && point.lon <= 180, where + "/lon", point.lon,
                    "degrees from -180 to 180");
            moves = moves || point.lat != spec.points[0].lat || point.lon != spec.points[0].lon;
        }
        if (!moves) {
            report("/points", "a route that leads nowhere", "two points or more that differ");
        }
    }

    void check(const series_generator& spec) {
        if (spec.file.empty() || spec.column.empty()) {
            report("", "a series without its file or column", "\"file\" and \"column\"");
            return;
        }
        require(spec.period >= duration::zero(), "/period", spec.period, "0s or more");
        require(spec.spread >= duration::zero(), "/spread", spec.spread, "0s or more");
        if (spec.time.empty() && spec.period <= duration::zero()) {
            report("", "a series without times",
                   "\"time\", a column, or \"period\", from row to row");
            return;
        }
        if (spec.values == nullptr) {
            auto read = read_series(spec, "");
            if (auto* const wrong = std::get_if<problem>(&read)) {
                wrong->pointer = at_;
                verdict_.problems.push_back(std::move(*wrong));
            }
        }
    }

    void check(const sum_generator& spec) {
        if (spec.terms.empty()) {
            report("/terms", "a sum of nothing", "one term or more");
        }
        for (std::size_t i = 0; i < spec.terms.size(); ++i) {
            const std::string where = pointer_to("/terms", i) + "/of";
            if (spec.terms[i].of.empty()) {
                report(where, quoted(""), "the name of a generator");
            } else {
                check_input({.from = spec.terms[i].of}, where);
            }
        }
    }

    void check(const custom_generator& spec) {
        const auto known = registered_generators();
        if (std::find(known.begin(), known.end(), spec.type) == known.end()) {
            report("/type", quoted(spec.type),
                   "a type of generator that this program registers" +
                       (known.empty() ? ", of which there is none" : ": " + joined_with_or(known)),
                   nearest_name(spec.type, known));
            return;
        }
        try {
            const auto made = make_custom_generator(spec);
            for (const generator_input& each : made->inputs()) {
                check_input(each, "/parameters");
            }
        } catch (const std::invalid_argument& wrong) {
            report("/parameters", "parameters that " + quoted(spec.type) + " does not take",
                   wrong.what());
        }
    }

    void check_input(const generator_input& input, const std::string& where) {
        if (input.from.empty()) {
            return;
        }
        const auto point = std::min(input.from.find('.'), input.from.size());
        const std::string_view name = std::string_view(input.from).substr(0, point);
        std::vector<std::string_view> above;
        for (const generator_names& each : verdict_.names) {
            above.push_back(each.name);
        }
        const auto found = std::find(above.begin(), above.end(), name);
        if (found == above.end()) {
            const bool below =
                std::any_of(specs_.begin(), specs_.end(),
                            [&](const generator_spec& each) { return each.name == name; });
            report(where, quoted(name) + (below ? ", which is not further up in the list" : ""),
                   "the name of a generator further up in the list" +
                       (above.empty() ? ", of which there is none" : ": " + joined_with_or(above)),
                   nearest_name(name, above));
            return;
        }
        const auto which = static_cast<std::size_t>(found - above.begin());
        if (verdict_.names[which].fields.empty()) {
            return;  // its own mistake comes first
        }
        const auto use = find_input(input.from, verdict_.names);
        const auto numeric = numeric_fields(which);
        if (!use || types_[which]->fields()[use->field].form == field_form::name) {
            const std::string_view field =
                point < input.from.size() ? std::string_view(input.from).substr(point + 1) : "";
            const std::string nearest = nearest_name(field, numeric);
            report(where, quoted(input.from),
                   "a number of " + quoted(name) + ": " + quoted(std::string(name) + ".FIELD") +
                       " with the field " + joined_with_or(numeric),
                   nearest.empty() ? nearest : std::string(name) + "." + nearest);
        }
    }

    std::vector<std::string_view> numeric_fields(std::size_t which) const {
        std::vector<std::string_view> names;
        for (const generator_field& each : types_[which]->fields()) {
            if (each.form != field_form::name) {
                names.push_back(each.name);
            }
        }
        return names;
    }

    void check_sensor(const generator_spec& spec) {
        require(spec.noise >= 0, "/noise", spec.noise, "0 or more");
        require(spec.decimals.value_or(0) <= 9, "/decimals", spec.decimals.value_or(0),
                "0 to 9 decimals");
        if (spec.min && spec.max) {
            require(*spec.min < *spec.max, "/min", *spec.min,
                    "a number below \"max\", " + number_text(*spec.max));
        }
        if (spec.spikes) {
            check_probability(spec.spikes->probability, "/spikes/probability");
            require(spec.spikes->min <= spec.spikes->max, "/spikes/min", spec.spikes->min,
                    "at most \"max\", " + number_text(spec.spikes->max));
        }
        if (spec.stuck) {
            check_stretches(*spec.stuck, "/stuck");
        }
        if (spec.missing) {
            check_probability(spec.missing->probability, "/missing/probability");
            if (spec.missing->gaps) {
                check_stretches(*spec.missing->gaps, "/missing/gaps");
            } else if (spec.missing->probability == 0) {
                report("/missing", "values that are never missing",
                       "\"probability\" above 0, \"gaps\", or both");
            }
        }
    }

    void check_probability(double probability, const std::string& where) {
        require(probability >= 0 && probability <= 1, where, probability, "a number from 0 to 1");
    }

    void check_stretches(const stuck_spec& spec, const std::string& where) {
        for (const auto& [name, length] :
             {std::pair("/every", &spec.every), std::pair("/lasts", &spec.lasts)}) {
            if (length->mean() <= 0) {
                report(where + name, "no time at all", "a duration above 0");
            }
        }
    }

    /// Of a spec without mistakes.
    void note_fields(const generator_spec& spec, generator_names& names) {
        auto type = make_generator(spec);
        names.has_main_field = type->has_main_field();
        for (const generator_field& each : type->fields()) {
            names.fields.emplace_back(each.name);
        }
        types_.resize(verdict_.names.size());
        types_.push_back(std::move(type));
    }

    std::span<const generator_spec> specs_;
    const std::string& pointer_;
    std::string at_;
    std::set<std::string_view> known_;
    generator_verdict verdict_;
    std::vector<std::unique_ptr<const generator_type>> types_;  // null: has a mistake
};

}  // namespace

bool is_generator_name(std::string_view text) {
    const auto letter = [](char each) {
        return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') || each == '_';
    };
    return !text.empty() && letter(text[0]) &&
           std::all_of(text.begin(), text.end(),
                       [&](char each) { return letter(each) || (each >= '0' && each <= '9'); });
}

generator_verdict check_generators(std::span<const generator_spec> specs,
                                   const std::string& pointer) {
    return checker(specs, pointer).run();
}

std::optional<generator_use> find_input(std::string_view text,
                                        std::span<const generator_names> among) {
    const auto point = std::min(text.find('.'), text.size());
    const std::string_view name = text.substr(0, point);
    for (std::uint32_t i = 0; i < among.size(); ++i) {
        if (among[i].name != name) {
            continue;
        }
        if (point == text.size()) {
            return among[i].has_main_field ? std::optional(generator_use{i, 0}) : std::nullopt;
        }
        const auto& fields = among[i].fields;
        const auto found = std::find(fields.begin(), fields.end(), text.substr(point + 1));
        if (found != fields.end()) {
            return generator_use{i, static_cast<std::uint32_t>(found - fields.begin())};
        }
    }
    return std::nullopt;
}

std::vector<problem> load_series(std::span<generator_spec> specs, const std::string& pointer,
                                 const std::string& folder, scenario_inputs* inputs) {
    std::vector<problem> problems;
    for (std::size_t i = 0; i < specs.size(); ++i) {
        auto& series = specs[i].csv;
        if (!series || series->values != nullptr || series->file.empty() ||
            series->column.empty() || (series->time.empty() && series->period <= duration{})) {
            continue;  // nothing to read, or check_generators has something to say
        }
        auto read = read_series(*series, folder, inputs);
        if (auto* const wrong = std::get_if<problem>(&read)) {
            wrong->pointer = pointer_to(pointer, i) + "/csv";
            problems.push_back(std::move(*wrong));
            // So that nobody looks for the file again.
            read = std::make_shared<const value_series>(std::vector{value_series::point{}},
                                                        duration(1), std::uint8_t{0});
        }
        series->values = std::get<std::shared_ptr<const value_series>>(std::move(read));
    }
    return problems;
}

}  // namespace fleetarium::sim::detail
