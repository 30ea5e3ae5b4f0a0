#include <fleetarium/recording/payload_shape.hpp>

#include <fleetarium/codec/utf8.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <optional>
#include <utility>

namespace fleetarium::recording {

namespace {

using json = nlohmann::ordered_json;

/// The values that one place in the payloads had: a list for each series.
struct place {
    struct value {
        duration at{};
        const json* held = nullptr;
    };
    struct series {
        std::string_view client_id{};
        std::vector<value> values{};
    };
    std::vector<series> all{};
};

constexpr std::size_t words_max = 8;

std::size_t decimals_of(const json& number) {
    if (!number.is_number_float()) {
        return 0;
    }
    const std::string text = number.dump();
    if (text.find('e') != std::string::npos) {
        return 6;
    }
    const std::size_t point = text.find('.');
    std::string_view behind =
        point == std::string::npos ? std::string_view() : std::string_view(text).substr(point + 1);
    return behind == "0" ? 0 : std::min<std::size_t>(behind.size(), 6);
}

std::string fixed(double value, std::size_t decimals) {
    char digits[400];  // 1.8e308 has 309 before the point
    const int size =
        std::snprintf(digits, sizeof digits, "%.*f", static_cast<int>(decimals), value);
    return std::string(digits, static_cast<std::size_t>(std::max(size, 0)));
}

/// Words, each as often in ten as it occurred.
std::string choice_of(const std::map<std::string, std::size_t>& words, std::size_t all) {
    std::string out;
    for (const auto& [word, times] : words) {
        const auto tenths =
            std::max<std::size_t>(1, words.size() == 1 ? 1 : (times * 10 + all / 2) / all);
        for (std::size_t i = 0; i < tenths; ++i) {
            out += out.empty() ? "{choice:" : ",";
            out += word;
        }
    }
    return out + "}";
}

std::string filler_of(std::size_t shortest, std::size_t longest) {
    return "{filler:" + std::to_string(shortest) +
           (shortest == longest ? "" : ".." + std::to_string(longest)) + "}";
}

bool can_be_choice(std::string_view word) {
    return word.find_first_of(",{}") == std::string_view::npos;
}

struct numbers {
    std::vector<std::vector<std::pair<double, duration>>> series{};
    std::size_t count = 0;
    std::size_t decimals = 0;
    double min = 0;
    double max = 0;
};

numbers numbers_of(const place& from) {
    numbers out;
    for (const place::series& series : from.all) {
        out.series.emplace_back();
        for (const place::value& value : series.values) {
            if (!value.held->is_number()) {
                continue;
            }
            const double number = value.held->get<double>();
            out.min = out.count == 0 ? number : std::min(out.min, number);
            out.max = out.count == 0 ? number : std::max(out.max, number);
            out.decimals = std::max(out.decimals, decimals_of(*value.held));
            out.series.back().emplace_back(number, value.at);
            ++out.count;
        }
    }
    return out;
}

/// The steps from value to value.
struct steps {
    std::size_t count = 0;
    std::size_t rising = 0;
    std::size_t still = 0;
    double mean = 0;
    double mean_square = 0;
    double min = 0;
    double max = 0;
    double correlation = 0;  ///< of a value with its next
};

steps steps_of(const numbers& in) {
    steps out;
    double sum = 0;
    for (const auto& series : in.series) {
        for (const auto& value : series) {
            sum += value.first;
        }
    }
    const double mean = in.count == 0 ? 0 : sum / static_cast<double>(in.count);
    double variance = 0;
    double together = 0;
    for (const auto& series : in.series) {
        for (std::size_t i = 0; i < series.size(); ++i) {
            const double away = series[i].first - mean;
            variance += away * away;
            if (i == 0) {
                continue;
            }
            const double step = series[i].first - series[i - 1].first;
            together += away * (series[i - 1].first - mean);
            out.min = out.count == 0 ? step : std::min(out.min, step);
            out.max = out.count == 0 ? step : std::max(out.max, step);
            out.rising += step > 0 ? 1 : 0;
            out.still += step == 0 ? 1 : 0;
            out.mean += step;
            out.mean_square += step * step;
            ++out.count;
        }
    }
    if (out.count > 0) {
        out.mean /= static_cast<double>(out.count);
        out.mean_square /= static_cast<double>(out.count);
    }
    if (variance > 0 && out.count > 0 && in.count > 0) {
        out.correlation = (together / static_cast<double>(out.count)) /
                          (variance / static_cast<double>(in.count));
    }
    return out;
}

/// Milliseconds or seconds of a clock: values go as fast as time, and look like a date.
std::optional<std::string> clock_of(const numbers& in, const steps& between) {
    if (in.decimals > 0 || between.count == 0 || in.min < 1e9) {
        return std::nullopt;
    }
    for (const double unit : {1e6, 1e9}) {
        bool all = true;
        for (const auto& series : in.series) {
            for (const auto& [value, at] : series) {
                const double expected = static_cast<double>(at.count()) / unit;
                all = all && std::abs(value - expected) < 86'400e9 * 366 * 100 / unit;
            }
            for (std::size_t i = 1; all && i < series.size(); ++i) {
                const double passed =
                    static_cast<double>((series[i].second - series[i - 1].second).count()) / unit;
                const double step = series[i].first - series[i - 1].first;
                all = std::abs(step - passed) <= 2 + passed * 0.05;
            }
        }
        if (all) {
            return unit == 1e6 ? "{time}" : "{time:s}";
        }
    }
    return std::nullopt;
}

class learner {
public:
    explicit learner(std::string_view prefix) : prefix_(prefix) {}

    /// The JSON value with templates in place of what differs.
    json value_of(const place& from, const std::string& name) {
        const json& first = first_of(from);
        if (first.is_object()) {
            json out = json::object();
            for (const auto& [key, member] : first.items()) {
                out[as_template(key)] = value_of(member_of(from, key), key);
            }
            return out;
        }
        if (first.is_array()) {
            json out = json::array();
            for (std::size_t i = 0; i < first.size(); ++i) {
                out.push_back(value_of(element_of(from, i), name + std::to_string(i)));
            }
            return out;
        }
        const std::string made = leaf_of(from, name);
        return !first.is_string() && made.find('{') == std::string::npos
                   ? json::parse(made, nullptr, false)
                   : json(made);
    }

    std::string leaf_of(const place& from, const std::string& name);

    json generators() const { return generators_; }

private:
    static const json& first_of(const place& from) {
        for (const place::series& series : from.all) {
            if (!series.values.empty()) {
                return *series.values.front().held;
            }
        }
        static const json nothing;
        return nothing;
    }
    template <class Key>
    static place part_of(const place& from, const Key& key) {
        place out = from;
        for (place::series& series : out.all) {
            for (place::value& value : series.values) {
                value.held = &value.held->at(key);
            }
        }
        return out;
    }
    static place member_of(const place& from, const std::string& key) { return part_of(from, key); }
    static place element_of(const place& from, std::size_t which) { return part_of(from, which); }

    std::string number_of(const place& from, const std::string& name);
    std::string string_of(const place& from);
    std::string add_generator(const std::string& name, json spec);

    std::string prefix_;
    json generators_ = json::array();
};

std::string learner::leaf_of(const place& from, const std::string& name) {
    std::size_t is_true = 0;
    std::size_t is_false = 0;
    std::size_t are_numbers = 0;
    std::size_t are_strings = 0;
    for (const place::series& series : from.all) {
        for (const place::value& value : series.values) {
            are_numbers += value.held->is_number() ? 1 : 0;
            are_strings += value.held->is_string() ? 1 : 0;
            if (value.held->is_boolean()) {
                (value.held->get<bool>() ? is_true : is_false) += 1;
            }
        }
    }
    if (are_strings > 0) {
        return string_of(from);
    }
    if (are_numbers > 0) {
        return number_of(from, name);
    }
    if (is_true + is_false == 0) {
        return "null";
    }
    if (is_true == 0 || is_false == 0) {
        return is_true > 0 ? "true" : "false";
    }
    return choice_of({{"true", is_true}, {"false", is_false}}, is_true + is_false);
}

std::string learner::add_generator(const std::string& name, json spec) {
    std::string clean = prefix_;
    for (const char letter : name) {
        const bool good = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                          (letter >= '0' && letter <= '9');
        clean += good ? letter : '_';
    }
    const std::string base = clean;
    for (int again = 2; std::any_of(
             generators_.begin(), generators_.end(),
             [&](const json& one) { return one["name"].get_ref<const std::string&>() == clean; });
         ++again) {
        clean = base + "_" + std::to_string(again);
    }
    json made{{"name", clean}};
    made.update(spec);
    generators_.push_back(std::move(made));
    return "{" + clean + "}";
}

std::string learner::number_of(const place& from, const std::string& name) {
    const numbers in = numbers_of(from);
    const steps between = steps_of(in);
    if (in.min == in.max) {
        return fixed(in.min, in.decimals);
    }
    if (auto clock = clock_of(in, between)) {
        return *clock;
    }
    // The same in all of a device's messages, another with another device.
    if (between.count > 0 && between.still == between.count) {
        return add_generator(
            name, {{"decimals", in.decimals},
                   {"constant",
                    {{"value", in.min / 2 + in.max / 2}, {"spread", in.max / 2 - in.min / 2}}}});
    }
    // More than a template's fifteen digits: numbers of devices, instants in nanoseconds.
    const double largest = std::max(std::abs(in.min), std::abs(in.max));
    if (largest * std::pow(10.0, static_cast<double>(in.decimals)) >= 1e15) {
        return add_generator(
            name, {{"decimals", 0},
                   {"constant",
                    {{"value", in.min / 2 + in.max / 2}, {"spread", in.max / 2 - in.min / 2}}}});
    }
    const bool never_falls = between.count >= 3 && between.min >= 0;
    if (never_falls && in.decimals == 0 && between.min == 1 && between.max == 1) {
        return "{seq}";
    }
    if (never_falls && between.mean > 0) {
        double start = 0;
        std::size_t begun = 0;
        for (const auto& series : in.series) {
            if (!series.empty()) {
                start += series.front().first;
                ++begun;
            }
        }
        const double unit = std::pow(10.0, static_cast<double>(in.decimals));
        const auto rounded = [&](double value) {
            return std::round(value * unit * 10) / unit / 10;
        };
        return add_generator(
            name,
            {{"decimals", in.decimals},
             {"counter",
              {{"start", rounded(start / static_cast<double>(std::max<std::size_t>(begun, 1)))},
               {"step", std::max(rounded(between.mean), 0.1 / unit)}}}});
    }
    const std::string bounds = fixed(in.min, in.decimals) + ".." + fixed(in.max, in.decimals);
    const std::string form = in.decimals == 0 ? "" : ":" + std::to_string(in.decimals);
    const double unit = std::pow(10.0, -static_cast<double>(in.decimals));
    constexpr double walk_units_max = 4e9;
    if (between.count >= 8 && between.correlation > 0.6 &&
        (in.max - in.min) / unit < walk_units_max) {
        // Evenly within +-step has a standard deviation of step / sqrt(3).
        const double step = std::max(unit, std::sqrt(3 * between.mean_square));
        return "{walk:" + bounds + ":" + fixed(step, in.decimals) + form + "}";
    }
    std::map<std::string, std::size_t> words;
    for (const auto& series : in.series) {
        for (const auto& value : series) {
            if (words.size() <= words_max) {
                ++words[fixed(value.first, in.decimals)];
            }
        }
    }
    if (words.size() <= words_max && in.count >= 4 * words.size()) {
        return choice_of(words, in.count);
    }
    return "{random:" + bounds + form + "}";
}

bool is_date(std::string_view text) {
    return text.size() >= 19 && text[4] == '-' && text[7] == '-' &&
           (text[10] == 'T' || text[10] == ' ') && text[13] == ':';
}

std::string learner::string_of(const place& from) {
    std::map<std::string, std::size_t> words;
    std::size_t all = 0;
    std::size_t shortest = SIZE_MAX;
    std::size_t longest = 0;
    bool are_dates = true;
    bool are_client_ids = true;
    bool are_hex = true;
    bool can_choose = true;
    bool same_in_series = true;
    for (const place::series& series : from.all) {
        const std::string* first = nullptr;
        for (const place::value& value : series.values) {
            if (!value.held->is_string()) {
                continue;
            }
            const auto& text = value.held->get_ref<const std::string&>();
            ++all;
            ++words[text];
            shortest = std::min(shortest, text.size());
            longest = std::max(longest, text.size());
            are_dates = are_dates && is_date(text);
            are_client_ids = are_client_ids && !text.empty() && text == series.client_id;
            are_hex = are_hex && !text.empty() &&
                      text.find_first_not_of("0123456789abcdef") == std::string::npos;
            can_choose = can_choose && can_be_choice(text);
            first = first == nullptr ? &text : first;
            same_in_series = same_in_series && *first == text;
        }
    }
    if (are_client_ids) {
        return "{client_id}";
    }
    if (words.size() == 1) {
        return as_template(words.begin()->first);
    }
    if (are_dates) {
        return "{time:iso}";
    }
    // Names of the devices themselves.
    if (same_in_series && from.all.size() > words_max && words.size() * 2 > from.all.size()) {
        return "{client_id}";
    }
    if (can_choose && words.size() <= words_max && all >= 2 * words.size()) {
        const bool bare = std::all_of(words.begin(), words.end(), [](const auto& word) {
            const json value = json::parse(word.first, nullptr, false);
            return value.is_number() || value.is_boolean() || value.is_null();
        });
        // Beside something else, if it is nothing, a number stays in its quotes.
        return choice_of(words, all) + (bare ? "{filler:0..0}" : "");
    }
    constexpr std::size_t hex_digits_max = 1024;
    if (are_hex && shortest == longest && longest <= hex_digits_max) {
        return "{hex:" + std::to_string(longest) + "}";
    }
    if (longest == 0) {
        return "";
    }
    return filler_of(shortest, longest);
}

/// What of a JSON text has to be the same for its leaves to be compared.
void append_structure(const json& value, std::string& out) {
    if (value.is_object()) {
        out += '{';
        for (const auto& [key, member] : value.items()) {
            out += json(key).dump();
            out += ':';
            append_structure(member, out);
        }
        out += '}';
    } else if (value.is_array()) {
        out += '[';
        for (const json& element : value) {
            append_structure(element, out);
            out += ',';
        }
        out += ']';
    } else {
        out += value.is_string() ? 's' : value.is_boolean() ? 'b' : 'n';
    }
}

/// Samples that are JSON of the structure that most of them have; nothing: few are JSON.
std::optional<place> common_structure(const payload_samples& from, std::vector<json>& held) {
    std::map<std::string, std::size_t> structures;
    std::size_t all = 0;
    for (const auto& series : from.all) {
        for (const auto& sample : series.samples) {
            held.push_back(json::parse(sample.payload, nullptr, false));
            std::string structure = "none";
            if (!held.back().is_discarded()) {
                structure.clear();
                append_structure(held.back(), structure);
            }
            ++structures[structure];
            ++all;
        }
    }
    const auto most = std::max_element(
        structures.begin(), structures.end(),
        [](const auto& left, const auto& right) { return left.second < right.second; });
    if (all == 0 || most->first == "none" || most->second * 2 < all) {
        return std::nullopt;
    }
    place out;
    std::size_t which = 0;
    for (const auto& series : from.all) {
        place::series kept{series.client_id, {}};
        for (const auto& sample : series.samples) {
            const json& value = held[which++];
            std::string structure;
            if (!value.is_discarded()) {
                append_structure(value, structure);
            }
            if (!value.is_discarded() && structure == most->first) {
                kept.values.push_back({sample.at, &value});
            }
        }
        if (!kept.values.empty()) {
            out.all.push_back(std::move(kept));
        }
    }
    return out;
}

bool is_text(std::string_view payload) { return detail::check_string(payload) == violation::none; }

}  // namespace

std::string as_template(std::string_view text) {
    std::string out;
    for (const char letter : text) {
        out += letter;
        if (letter == '{') {
            out += letter;
        }
    }
    return out;
}

void payload_samples::add(std::int64_t topic, std::string_view client_id, duration at,
                          bytes_view payload) {
    if (payload.size() > payload_bytes_max) {
        return;
    }
    auto found =
        std::find_if(all.begin(), all.end(), [&](const series& one) { return one.topic == topic; });
    if (found == all.end()) {
        if (all.size() == series_max) {
            return;
        }
        found = all.insert(all.end(), {topic, std::string(client_id), {}});
    }
    if (found->samples.size() < samples_max) {
        found->samples.push_back({at, std::string(as_text(payload))});
    }
}

payload_shape learn_payload(const payload_samples& from, const latency_histogram& bytes,
                            std::string_view prefix) {
    std::vector<json> held;
    learner learns(prefix);
    if (const auto common = common_structure(from, held)) {
        json value = learns.value_of(*common, "value");
        if (!value.is_string() && !value.is_object() && !value.is_array()) {
            value = value.dump();
        }
        return {value.dump(), learns.generators().dump(), "JSON"};
    }
    // Words, if they are few.
    held.clear();
    place words;
    bool all_text = true;
    std::size_t count = 0;
    for (const auto& series : from.all) {
        count += series.samples.size();
    }
    held.reserve(count);
    for (const auto& series : from.all) {
        place::series kept{series.client_id, {}};
        for (const auto& sample : series.samples) {
            all_text = all_text && is_text(sample.payload);
            held.emplace_back(all_text ? sample.payload : std::string());
            kept.values.push_back({sample.at, &held.back()});
        }
        words.all.push_back(std::move(kept));
    }
    const auto shortest = static_cast<std::size_t>(bytes.percentile(1).count());
    const auto longest = static_cast<std::size_t>(bytes.percentile(99).count());
    if (all_text && count > 0) {
        const json made = learns.value_of(words, "text");
        if (!made.get_ref<const std::string&>().starts_with("{filler")) {
            return {made.dump(), "[]", "text"};
        }
    }
    return {json(longest == 0 ? "" : filler_of(shortest, longest)).dump(), "[]",
            all_text ? "text" : "bytes"};
}

}  // namespace fleetarium::recording
