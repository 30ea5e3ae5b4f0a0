#include <fleetarium/recording/learned_scenario.hpp>

#include <fleetarium/config/quantities.hpp>
#include <fleetarium/recording/topic_pattern.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

namespace fleetarium::recording {

namespace {

using json = nlohmann::ordered_json;

/// A device has a publication for each of its topics of a kind, up to so many.
constexpr std::uint64_t topics_a_device_max = 8;
constexpr std::size_t hours_of_day = 24;

/// Four digits are enough: what comes after them is chance.
std::string rounded_text(double nanoseconds) {
    double unit = 1;
    while (nanoseconds / unit >= 10'000) {
        unit *= 10;
    }
    return config::duration_text(
        duration{static_cast<std::int64_t>(std::max(1.0, std::round(nanoseconds / unit))) *
                 static_cast<std::int64_t>(unit)});
}

double rounded(double number) {
    if (number <= 0) {
        return 0;
    }
    const double unit = std::pow(10.0, std::floor(std::log10(number)) - 3);
    return std::round(number / unit) * unit;
}

/// ":04" if numbers of a slot are written with leading zeros.
std::string width_of(const std::vector<std::string>& samples) {
    if (samples.empty()) {
        return {};
    }
    const bool same = std::all_of(samples.begin(), samples.end(), [&](const std::string& one) {
        return one.size() == samples.front().size();
    });
    const bool led = std::any_of(samples.begin(), samples.end(), [](const std::string& one) {
        return one.size() > 1 && one[0] == '0';
    });
    const bool digits = samples.front().find_first_not_of("0123456789") == std::string::npos;
    const std::size_t width = std::min<std::size_t>(samples.front().size(), 16);
    return same && width > 1 && (led || !digits) ? ":0" + std::to_string(width) : std::string();
}

/// Puts a text for each slot into a pattern.
template <class SlotText>
std::string filled(std::string_view pattern, const SlotText& text_of) {
    std::string out;
    std::size_t slot = 0;
    for (const char letter : pattern) {
        if (letter == pattern_slot) {
            out += text_of(slot++);
        } else if (letter == pattern_client_id) {
            out += "{client_id}";
        } else {
            out += letter == '{' ? std::string("{{") : std::string(1, letter);
        }
    }
    return out;
}

class scenario_writer {
public:
    scenario_writer(const traffic_profile& from, const std::string& origin, std::uint64_t seed)
        : from_(from), origin_(origin), seed_(seed) {}

    learned_scenario run();

private:
    json fleet_of(const client_kind& clients);
    void add_publications(const client_kind& clients, const kind_published& published, json& fleet);
    std::optional<json> target_of(const message_kind& kind) const;
    void add_times(const message_kind& kind, double messages, double share, bool loses,
                   json& out) const;
    void add_own_times(const kind_published& published, double messages, double share,
                       json& out) const;
    bool add_hours(const message_kind& kind, double share, json& out) const;
    static bool add_bursts(const message_kind& kind, json& out);
    std::string topic_of(const message_kind& kind, std::uint64_t clients, std::size_t within,
                         const std::string& within_text) const;
    void add_subscriptions(const client_kind& clients, json& fleet);
    std::string network_of(const client_kind& clients);
    static std::string client_id_of(const client_kind& clients);

    const traffic_profile& from_;
    const std::string& origin_;
    std::uint64_t seed_;
    learned_scenario out_;
    json networks_ = json::array();
};

bool is_even(const message_kind& kind) {
    const auto p10 = static_cast<double>(kind.between.percentile(10).count());
    const auto p90 = static_cast<double>(kind.between.percentile(90).count());
    return kind.between_variation < 0.2 || (p10 > 0 && p90 / p10 < 1.5);
}

/// The share of each hour of the day, if it tells one hour from another.
bool scenario_writer::add_hours(const message_kind& kind, double share, json& out) const {
    if (from_.span < std::chrono::hours(20) || kind.messages < 20 * hours_of_day || is_even(kind)) {
        return false;
    }
    std::vector<double> day(hours_of_day);
    for (std::size_t i = 0; i < kind.hours.size(); ++i) {
        day[i % hours_of_day] += static_cast<double>(kind.hours[i]);
    }
    const double mean = static_cast<double>(kind.messages) / hours_of_day;
    double squares = 0;
    for (const double hour : day) {
        squares += (hour - mean) * (hour - mean);
    }
    const double variation = std::sqrt(squares / hours_of_day) / mean;
    if (variation < 0.2 + 3 / std::sqrt(mean)) {
        return false;
    }
    // The last day may be a part of one.
    const double length = static_cast<double>(from_.span.count()) / 3600e9;
    json rates = json::array();
    for (std::size_t i = 0; i < hours_of_day; ++i) {
        double times = 0;
        for (auto begin = static_cast<double>(i); begin < length; begin += hours_of_day) {
            times += std::min(1.0, length - begin);
        }
        rates.push_back(times == 0 ? 0 : rounded(day[i] * share / times));
    }
    out["arrival"] = {{"diurnal", {{"per_hour", rates}}}};
    return true;
}

/// Short gaps and long ones, with few in between: bursts.
bool scenario_writer::add_bursts(const message_kind& kind, json& out) {
    const double limit = 5 * static_cast<double>(kind.between.percentile(50).count());
    if (kind.between_variation < 1.5 || limit >= kind.between_mean) {
        return false;
    }
    double short_sum = 0;
    double long_sum = 0;
    double shorts = 0;
    double longs = 0;
    kind.between.for_each_bucket([&](duration first, duration last, std::uint64_t count) {
        const double middle = static_cast<double>((first + last).count()) / 2;
        const auto times = static_cast<double>(count);
        (middle < limit ? short_sum : long_sum) += middle * times;
        (middle < limit ? shorts : longs) += times;
    });
    if (longs == 0 || shorts == 0 || short_sum == 0) {
        return false;
    }
    const double messages = std::round((shorts + longs) / longs);
    if (messages < 2) {
        return false;
    }
    out["arrival"] = {{"burst",
                       {{"messages", static_cast<std::uint64_t>(messages)},
                        {"gap", {{"exponential", {{"mean", rounded_text(short_sum / shorts)}}}}},
                        {"pause", {{"exponential", {{"mean", rounded_text(long_sum / longs)}}}}}}}};
    return true;
}

/// When a device's messages of the kind come; `messages` of them in all the time. Gaps are those of
/// the `share` of devices that have any.
void scenario_writer::add_times(const message_kind& kind, double messages, double share, bool loses,
                                json& out) const {
    const auto span = static_cast<double>(std::max<std::int64_t>(from_.span.count(), 1));
    if (add_hours(kind, messages / static_cast<double>(kind.messages), out)) {
        return;
    }
    double begin = 0;
    double end = span;
    const auto first = static_cast<double>(kind.first.count());
    const auto last = static_cast<double>(kind.last.count());
    const double gap = std::max(kind.between_mean, 0.0);
    if (first > span / 20 && first > 2 * gap) {
        begin = first;
        out["start"] = config::duration_text(kind.first);
    }
    if (span - last > span / 20 && span - last > 2 * gap) {
        end = std::min(span, last + std::max(gap / 2, 1e6));
        out["until"] = config::duration_text(duration{static_cast<std::int64_t>(end)});
    }
    const double window = std::max(end - begin, 1e6);
    const double period = std::clamp(window / messages, 1e3, 9e18);
    if (kind.between.empty()) {
        // A message a topic at most: each device's comes at any moment.
        if (messages > 0.95) {
            out["period"] = rounded_text(window);
            out["count"] = 1;
        } else {
            out["arrival"] = {{"poisson", {{"per", rounded_text(period)}}}};
        }
    } else if (is_even(kind)) {
        const auto median = static_cast<double>(kind.between.percentile(50).count()) / share;
        const bool is_whole = loses || std::abs(median / period - 1) < 0.05;
        // The histogram's buckets are 1 % wide; the mean is exact where all are alike.
        const double even = !is_whole                      ? period
                            : kind.between_variation < 0.2 ? kind.between_mean / share
                                                           : median;
        out["period"] = rounded_text(even);
        // Moving each message by up to j moves gaps by a standard deviation of j / sqrt(6).
        const double jitter = std::min(kind.between_variation, 0.3) * even * std::sqrt(6.0);
        if (jitter > even / 100) {
            out["jitter"] = rounded_text(jitter);
        }
    } else if (share == 1 && add_bursts(kind, out)) {
        return;
    } else if (kind.between_variation < 0.6) {
        out["period"] = {{"lognormal",
                          {{"mean", rounded_text(period)},
                           {"stddev", rounded_text(period * kind.between_variation)}}}};
    } else if (kind.between_variation < 1.5) {
        out["arrival"] = {{"poisson", {{"per", rounded_text(period)}}}};
    } else {
        out["period"] = {
            {"lognormal",
             {{"mean", rounded_text(period)},
              {"stddev", rounded_text(period * std::min(kind.between_variation, 10.0))}}}};
    }
}

/// When a client has a message for any of many topics.
void scenario_writer::add_own_times(const kind_published& published, double messages, double share,
                                    json& out) const {
    const auto span = static_cast<double>(std::max<std::int64_t>(from_.span.count(), 1));
    const double period = std::clamp(span / messages, 1e3, 9e18);
    const auto gaps = static_cast<double>(std::max<std::uint64_t>(published.gaps, 1));
    const double mean = published.gap_sum / gaps;
    const double variance = published.gap_squares / gaps - mean * mean;
    if (published.gaps > 1 && variance < mean * mean * 0.04) {
        out["period"] = rounded_text(mean / share);
        if (const auto& kind = from_.messages[published.kind];
            static_cast<double>(kind.first.count()) > span / 50) {
            out["start"] = config::duration_text(kind.first);
        }
    } else {
        out["arrival"] = {{"poisson", {{"per", rounded_text(period)}}}};
    }
}

/// Slots that tell devices apart are made of their numbers: the one with most names takes what the
/// others leave.
std::string scenario_writer::topic_of(const message_kind& kind, std::uint64_t clients,
                                      std::size_t within, const std::string& within_text) const {
    const std::size_t slots = kind.slot_names.size();
    std::size_t most = slots;
    for (std::size_t i = 0; i < slots; ++i) {
        if (i != within && kind.slot_names[i] > 1 &&
            (most == slots || kind.slot_names[i] >= kind.slot_names[most])) {
            most = i;
        }
    }
    std::vector<std::string> texts(slots);
    std::uint64_t parts = 1;
    const auto samples_of = [&](std::size_t slot) {
        std::vector<std::string> out;
        for (const auto& topic : kind.slots) {
            if (slot < topic.size()) {
                out.push_back(topic[slot]);
            }
        }
        return out;
    };
    for (std::size_t i = 0; i < slots; ++i) {
        const std::string width = width_of(samples_of(i));
        if (i == within) {
            texts[i] = within_text;
        } else if (kind.slot_names[i] <= 1 || clients == 1) {
            const auto samples = samples_of(i);
            texts[i] = samples.empty() ? "0" : as_template(samples.front());
        } else if (i != most) {
            const std::string divided = parts == 1 ? "" : "/" + std::to_string(parts);
            texts[i] = "{index" + divided + "%" + std::to_string(kind.slot_names[i]) + width + "}";
            parts *= kind.slot_names[i];
        }
    }
    if (most != slots && clients > 1) {
        const std::string divided = parts == 1 ? "" : "/" + std::to_string(parts);
        texts[most] = "{index" + divided + width_of(samples_of(most)) + "}";
    }
    return filled(kind.pattern, [&](std::size_t slot) {
        return slot < texts.size() ? texts[slot] : std::string("0");
    });
}

/// The devices whose client ids are a level of the topic, if there is one, as receivers.
std::optional<json> scenario_writer::target_of(const message_kind& kind) const {
    const auto levels = topic_levels(kind.pattern);
    for (const client_kind& others : from_.clients) {
        const auto level = std::find(levels.begin(), levels.end(), others.client_ids);
        if (others.clients < 2 || others.client_ids.empty() || level == levels.end()) {
            continue;
        }
        std::string topic;
        for (auto each = levels.begin(); each != levels.end(); ++each) {
            topic += each == levels.begin() ? "" : "/";
            topic += each == level ? std::string(1, pattern_client_id) : std::string(*each);
        }
        // Another slot would be one of the sender's.
        if (topic.find(pattern_slot) == std::string::npos) {
            return json{{"fleet", others.name},
                        {"topic", filled(topic, [](std::size_t) { return std::string(); })},
                        {"pick", "random"}};
        }
    }
    return std::nullopt;
}

void scenario_writer::add_publications(const client_kind& clients, const kind_published& published,
                                       json& fleet) {
    const message_kind& kind = from_.messages[published.kind];
    const auto devices = static_cast<double>(clients.clients);
    const double share = static_cast<double>(published.clients) / devices;
    const std::uint64_t topics =
        (published.topics + published.clients / 2) / std::max<std::uint64_t>(published.clients, 1);
    std::size_t within = kind.slot_names.size();
    if (topics > 1) {
        for (std::size_t i = 0; i < kind.slot_names.size(); ++i) {
            if (kind.slot_names[i] >= topics) {
                within = i;
            }
        }
    }
    const bool split = within < kind.slot_names.size() && topics <= topics_a_device_max;
    const bool folded = topics > 1 && !split;
    const auto target = folded ? target_of(kind) : std::nullopt;
    if (folded && !target) {
        out_.notes.push_back(std::to_string(topics) + " topics a device of " +
                             readable_pattern(kind.pattern) +
                             " are one topic, with as many messages");
    }
    if (published.clients < clients.clients) {
        out_.notes.push_back(std::to_string(published.clients) + " of " +
                             std::to_string(clients.clients) + " " + clients.name +
                             " published to " + readable_pattern(kind.pattern) +
                             ": here all do, that much less often");
    }
    const payload_shape shape =
        learn_payload(kind.samples, kind.bytes, "v" + std::to_string(published.kind) + "_");
    const std::uint64_t parts = split ? topics : 1;
    for (std::uint64_t i = 0; i < parts; ++i) {
        const auto& names = split ? kind.few_names[within] : std::vector<std::string>();
        const std::string text = i < names.size() ? as_template(names[i]) : std::to_string(i);
        const double messages =
            static_cast<double>(published.messages) / devices / static_cast<double>(parts);
        json made = json::object();
        if (target) {
            made["to"] = *target;
        } else {
            made["topic"] =
                topic_of(kind, clients.clients, split ? within : kind.slot_names.size(), text);
        }
        made["qos"] = kind.qos;
        if (kind.retain) {
            made["retain"] = true;
        }
        if (folded) {
            add_own_times(published, messages, share, made);
        } else {
            // What falls due offline at QoS 0 is lost: gaps tell the period, sums do not.
            add_times(kind, messages, share, kind.qos == 0 && fleet.contains("online"), made);
        }
        made["payload"] = json::parse(shape.payload);
        fleet["publications"].push_back(std::move(made));
    }
    for (json& generator : json::parse(shape.generators)) {
        fleet["generators"].push_back(std::move(generator));
    }
}

void scenario_writer::add_subscriptions(const client_kind& clients, json& fleet) {
    for (const kind_subscribed& kind : clients.subscribes) {
        const auto add = [&](const std::string& filter) {
            const bool is_there =
                fleet.contains("subscriptions") &&
                std::any_of(fleet["subscriptions"].begin(), fleet["subscriptions"].end(),
                            [&](const json& one) {
                                return one["filter"].get_ref<const std::string&>() == filter;
                            });
            if (!is_there) {
                fleet["subscriptions"].push_back({{"filter", filter}, {"qos", kind.qos}});
            }
        };
        if (kind.clients < clients.clients) {
            out_.notes.push_back(std::to_string(kind.clients) + " of " +
                                 std::to_string(clients.clients) + " " + clients.name +
                                 " subscribed to " + readable_pattern(kind.pattern) +
                                 ": here all do");
        }
        const bool has_slots = kind.pattern.find(pattern_slot) != std::string::npos;
        if (!has_slots) {
            add(filled(kind.pattern, [](std::size_t) { return std::string(); }));
        } else if (clients.clients == 1 && kind.filters == kind.some.size()) {
            for (const std::string& filter : kind.some) {
                add(as_template(filter));
            }
        } else if (kind.filters > kind.clients) {
            // More than one each: the level becomes a wildcard that covers them.
            const auto levels = topic_levels(kind.pattern);
            const auto given = topic_levels(kind.some.front());
            std::string wide;
            for (std::size_t i = 0; i < levels.size(); ++i) {
                wide += i == 0 ? "" : "/";
                const bool has_slot = levels[i].find(pattern_slot) != std::string_view::npos;
                const bool is_group = i == 1 && levels[0] == "$share";
                wide += !has_slot ? levels[i] : is_group ? given[i] : "+";
            }
            add(filled(wide, [](std::size_t) { return std::string(); }));
        } else {
            const auto samples = slots_under(kind.some.front(), kind.pattern);
            const bool same_for_all =
                std::all_of(kind.some.begin(), kind.some.end(),
                            [&](const std::string& filter) { return filter == kind.some.front(); });
            std::size_t last = 0;
            for (const char letter : kind.pattern) {
                last += letter == pattern_slot ? 1 : 0;
            }
            add(filled(kind.pattern, [&](std::size_t slot) {
                if (!same_for_all && slot + 1 == last) {
                    return "{index" + width_of({samples[slot]}) + "}";
                }
                return as_template(samples[slot]);
            }));
        }
    }
}

std::string scenario_writer::client_id_of(const client_kind& clients) {
    const auto slots =
        std::count(clients.client_ids.begin(), clients.client_ids.end(), pattern_slot);
    // Without a word of its own another fleet's could be the same.
    if (!has_words(clients.client_ids) || (clients.clients > 1 && slots != 1)) {
        return "{fleet}-{index}";
    }
    if (clients.clients == 1) {
        return as_template(clients.client_id);
    }
    const auto samples = slots_under(clients.client_id, clients.client_ids);
    return filled(clients.client_ids,
                  [&](std::size_t) { return "{index" + width_of({samples.front()}) + "}"; });
}

/// The name of the network whose latency is that of what these clients mostly publish.
std::string scenario_writer::network_of(const client_kind& clients) {
    if (clients.publishes.empty()) {
        return {};
    }
    const latency_histogram& way = from_.messages[clients.publishes.front().kind].way_up;
    const auto median = static_cast<double>(way.percentile(50).count());
    if (median < 1e3) {
        return {};
    }
    // What waits in a device that is offline is on its way for long: the shortest tell.
    const auto shortest = static_cast<double>(way.percentile(2).count());
    const bool waits = shortest > 0 && median > 20 * shortest;
    const double sigma =
        waits ? 0 : std::log(static_cast<double>(way.percentile(84).count()) / median);
    json latency = config::duration_text(
        duration{static_cast<std::int64_t>(rounded(waits ? shortest : median))});
    if (sigma > 0.05) {
        latency = {{"lognormal",
                    {{"median", latency}, {"sigma", std::round(std::min(sigma, 5.0) * 10) / 10}}}};
    }
    for (const json& known : networks_) {
        if (known.contains("latency") && known["latency"].dump() == latency.dump()) {
            return known["name"];
        }
    }
    const std::string name = "to-" + clients.name;
    networks_.push_back({{"name", name}, {"latency", latency}});
    return name;
}

json scenario_writer::fleet_of(const client_kind& clients) {
    json out{{"name", clients.name}};
    if (clients.clients > 1) {
        out["count"] = clients.clients;
    }
    out["client_id"] = client_id_of(clients);
    if (const std::string network = network_of(clients); !network.empty()) {
        out["network"] = network;
    }
    if (clients.resumed > 0) {
        out["clean_start"] = false;
        out["session_expiry"] = "1d";
    }
    if (clients.returns * 2 > clients.clients && clients.connected_for > duration{} &&
        clients.away_for > duration{}) {
        out["online"] = {
            {"up",
             {{"exponential",
               {{"mean", rounded_text(static_cast<double>(clients.connected_for.count()))}}}}},
            {"down",
             {{"exponential",
               {{"mean", rounded_text(static_cast<double>(clients.away_for.count()))}}}}},
            {"manner", clients.lost * 2 > clients.returns ? "cut" : "disconnect"}};
    }
    for (const kind_published& published : clients.publishes) {
        add_publications(clients, published, out);
    }
    add_subscriptions(clients, out);
    return out;
}

learned_scenario scenario_writer::run() {
    json fleets = json::array();
    // Where nothing is known of the way, there is none.
    networks_.push_back({{"name", "direct"}});
    bool anybody_subscribes = false;
    for (const client_kind& clients : from_.clients) {
        anybody_subscribes = anybody_subscribes || !clients.subscribes.empty();
        fleets.push_back(fleet_of(clients));
    }
    if (!anybody_subscribes) {
        out_.notes.emplace_back("no subscription is known: one client subscribes to everything");
        std::string name = "everything";
        for (int again = 2; std::any_of(from_.clients.begin(), from_.clients.end(),
                                        [&](const client_kind& one) { return one.name == name; });
             ++again) {
            name = "everything-" + std::to_string(again);
        }
        fleets.push_back(
            {{"name", name}, {"subscriptions", json::array({{{"filter", "#"}, {"qos", 2}}})}});
    }
    std::map<std::string, std::size_t> makers;
    for (const message_kind& kind : from_.messages) {
        ++makers[kind.pattern];
    }
    for (const auto& [pattern, kinds] : makers) {
        if (kinds > 1 && pattern.find(pattern_slot) != std::string::npos) {
            out_.notes.push_back("clients of several kinds, or messages of several QoS, go to " +
                                 readable_pattern(pattern) +
                                 ": each begins to count its topics anew, so some are the same");
        }
    }
    if (!from_.knows_publishers) {
        out_.notes.emplace_back(
            "publishers are not known: what topics have in common up to their last number or name "
            "is a device");
    }
    // Beyond the last message, which may be the end of what was cut short.
    const duration length =
        std::max<duration>(from_.span + std::chrono::milliseconds{2}, std::chrono::seconds{1});
    json out{{"name", "Learned from " + (from_.name.empty() ? origin_ : from_.name)},
             {"seed", seed_},
             {"duration", config::duration_text(length)},
             {"networks", networks_},
             {"fleets", fleets}};
    // A client id need not be UTF-8 in a recording that somebody has written to.
    out_.text = out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
    return std::move(out_);
}

/// Kinds that differ only in who publishes them.
struct kind_sum {
    std::uint64_t messages = 0;
    std::uint64_t topics = 0;
    latency_histogram between{};
    latency_histogram bytes{};

    void add(const message_kind& kind) {
        messages += kind.messages;
        topics += kind.topics;
        between.merge(kind.between);
        bytes.merge(kind.bytes);
    }
    compared_messages::side side() const {
        return {messages, topics, between.percentile(50),
                static_cast<std::uint64_t>(bytes.percentile(50).count()),
                static_cast<std::uint64_t>(bytes.percentile(99).count())};
    }
};

}  // namespace

learned_scenario learn_scenario(const traffic_profile& from, const std::string& origin,
                                std::uint64_t seed) {
    return scenario_writer(from, origin, seed).run();
}

std::vector<compared_messages> compare_traffic(const traffic_profile& left,
                                               const traffic_profile& right) {
    std::map<std::tuple<std::string, std::uint8_t, bool>, std::pair<kind_sum, kind_sum>> rows;
    for (const message_kind& kind : left.messages) {
        rows[{kind.pattern, kind.qos, kind.retain}].first.add(kind);
    }
    for (const message_kind& kind : right.messages) {
        rows[{kind.pattern, kind.qos, kind.retain}].second.add(kind);
    }
    std::vector<compared_messages> out;
    for (const auto& [key, sums] : rows) {
        out.push_back({readable_pattern(std::get<0>(key)), std::get<1>(key), std::get<2>(key),
                       sums.first.side(), sums.second.side()});
    }
    std::stable_sort(out.begin(), out.end(), [](const auto& one, const auto& other) {
        return one.left.messages > other.left.messages;
    });
    return out;
}

}  // namespace fleetarium::recording
