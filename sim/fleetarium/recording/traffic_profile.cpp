#include <fleetarium/recording/traffic_profile.hpp>

#include <fleetarium/recording/recorded_rows.hpp>
#include <fleetarium/recording/topic_pattern.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>

namespace fleetarium::recording {

namespace {

constexpr std::int64_t nobody = -1;
constexpr std::int64_t nanoseconds_per_hour = 3'600'000'000'000;
constexpr std::size_t few_names_max = 8;

/// What is kept of each (topic, publisher, QoS, RETAIN).
struct topic_series {
    std::size_t kind = 0;
    std::size_t client = 0;  // in profiler::clients_
    std::int64_t last = -1;
    std::uint64_t messages = 0;
};

struct kind_sums {
    std::uint64_t gaps = 0;
    double sum = 0;
    double squares = 0;
    std::set<std::int64_t> topics{};
    std::vector<std::set<std::string>> names{};  // of each slot
};

/// A client, or, where publishers are not known, what topics have in common up to their last slot.
struct seen_client {
    std::string client_id{};
    std::string family{};  // what makes it alike with others
    std::map<std::size_t, kind_published> publishes{};
    std::map<std::size_t, std::int64_t> published_at{};  // the last of each kind
    std::map<std::string, kind_subscribed> subscribes{};
    std::uint64_t connections = 0;
    std::uint64_t resumed = 0;
    std::uint64_t lost = 0;
    std::uint64_t ended = 0;
    std::uint64_t returns = 0;
    double connected_for = 0;
    double away_for = 0;
    std::int64_t last_end = -1;
};

/// A topic up to the level of its last slot: all that one device says, if topics are made as
/// usual. Without a slot, all but its last level.
std::string device_part(std::string_view topic, std::string_view pattern) {
    const auto levels = topic_levels(topic);
    const auto slots = topic_levels(pattern);
    std::size_t end = levels.size() > 1 ? levels.size() - 1 : 1;
    for (std::size_t i = slots.size(); i-- > 0;) {
        if (slots[i].find(pattern_slot) != std::string_view::npos) {
            end = i + 1;
            break;
        }
    }
    std::string out;
    for (std::size_t i = 0; i < end && i < levels.size(); ++i) {
        out += i == 0 ? "" : "/";
        out += levels[i];
    }
    return out;
}

class profiler {
public:
    explicit profiler(recording_reader& from) : from_(from.tables()) {}

    traffic_profile run() {
        read_run();
        read_clients();
        read_patterns();
        read_messages();
        read_subscriptions();
        read_connections();
        finish_kinds();
        group_clients();
        return std::move(out_);
    }

private:
    void read_run();
    void read_clients();
    void read_patterns();
    void read_messages();
    void read_subscriptions();
    void read_connections();
    void finish_kinds();
    void group_clients();

    std::size_t client_of(std::int64_t publisher, std::int64_t topic, const std::string& pattern);
    std::size_t kind_of(const std::string& pattern, std::uint8_t qos, bool retain,
                        const std::string& family);
    topic_series& series_of(std::int64_t topic, std::int64_t publisher, std::uint8_t qos,
                            bool retain);
    void note_topic(std::size_t kind, std::int64_t topic);
    static void note_gap(seen_client& client, std::size_t kind, std::int64_t at);
    /// Throws recording_error for one that there is not.
    const std::string& topic_name(std::int64_t row) const;
    const std::string& pattern_for(std::int64_t topic, std::int64_t publisher);

    database& from_;
    traffic_profile out_;
    std::int64_t epoch_ = 0;
    std::vector<seen_client> clients_;
    std::unordered_map<std::int64_t, std::size_t> client_rows_;
    std::unordered_map<std::string, std::size_t> client_parts_;
    std::unordered_map<std::int64_t, std::string> topics_;
    std::map<std::pair<std::int64_t, std::int64_t>, std::string> patterns_;  // topic, publisher
    pattern_merger merger_;
    std::map<std::tuple<std::string, std::uint8_t, bool, std::string>, std::size_t> kinds_;
    std::vector<kind_sums> sums_;
    std::map<std::tuple<std::int64_t, std::int64_t, std::uint8_t, bool>, topic_series> series_;
};

void profiler::read_run() {
    statement run(from_, "SELECT 0, ended_at, json_extract(scenario, '$.name') FROM runs");
    if (run.step()) {
        epoch_ = epoch_of(from_);
        out_.span = duration{
            run.is_null(1) ? 0 : checked_instant(from_, "ended_at in runs", 1, run.integer(1))};
        out_.name = run.is_null(2) ? "" : std::string(run.text(2));
    }
    run.reset();
    out_.span =
        std::max(out_.span, duration{from_.integer("SELECT max(at) FROM messages").value_or(0)});
    out_.knows_publishers =
        from_.integer("SELECT 1 FROM messages WHERE publisher IS NOT NULL LIMIT 1").has_value();
}

void profiler::read_clients() {
    statement rows(from_, "SELECT id, client_id FROM clients ORDER BY id");
    while (rows.step()) {
        client_rows_.emplace(rows.integer(0), clients_.size());
        clients_.push_back({.client_id = std::string(rows.text(1))});
        clients_.back().family = pattern_of(rows.text(1)).pattern;
    }
}

/// Which topic is published by whom has to be known before patterns are: what is a client id in a
/// topic is the publisher's.
void profiler::read_patterns() {
    statement topics(from_, "SELECT id, name FROM topics");
    while (topics.step()) {
        topics_.emplace(topics.integer(0), topics.text(1));
    }
    statement pairs(from_, "SELECT DISTINCT topic, publisher FROM messages");
    while (pairs.step()) {
        const std::int64_t topic = pairs.integer(0);
        const std::int64_t publisher = pairs.is_null(1) ? nobody : pairs.integer(1);
        const auto client = client_rows_.find(publisher);
        std::string pattern =
            pattern_of(topic_name(topic), client == client_rows_.end()
                                              ? std::string_view()
                                              : clients_[client->second].client_id)
                .pattern;
        merger_.add(pattern);
        patterns_.emplace(std::pair(topic, publisher), std::move(pattern));
    }
    merger_.merge();
    for (auto& entry : patterns_) {
        entry.second = merger_.merged(entry.second);
    }
}

const std::string& profiler::topic_name(std::int64_t row) const {
    const auto found = topics_.find(row);
    if (found == topics_.end()) {
        throw recording_error(from_.path() + ": is damaged: it has no topic " +
                              std::to_string(row));
    }
    return found->second;
}

std::size_t profiler::client_of(std::int64_t publisher, std::int64_t topic,
                                const std::string& pattern) {
    if (const auto known = client_rows_.find(publisher); known != client_rows_.end()) {
        return known->second;
    }
    const std::string part = device_part(topic_name(topic), pattern);
    const auto [found, is_new] = client_parts_.try_emplace(part, clients_.size());
    if (is_new) {
        seen_client one;
        one.family = "\n" + device_part(pattern, pattern);
        clients_.push_back(std::move(one));
    }
    return found->second;
}

std::size_t profiler::kind_of(const std::string& pattern, std::uint8_t qos, bool retain,
                              const std::string& family) {
    const auto [found, is_new] =
        kinds_.try_emplace({pattern, qos, retain, family}, out_.messages.size());
    if (is_new) {
        message_kind kind;
        kind.pattern = pattern;
        kind.qos = qos;
        kind.retain = retain;
        out_.messages.push_back(std::move(kind));
        sums_.emplace_back();
    }
    return found->second;
}

void profiler::note_topic(std::size_t kind, std::int64_t topic) {
    message_kind& of = out_.messages[kind];
    kind_sums& sums = sums_[kind];
    if (!sums.topics.insert(topic).second) {
        return;  // another publishes there, too
    }
    ++of.topics;
    auto slots = slots_under(topic_name(topic), of.pattern);
    sums.names.resize(std::max(sums.names.size(), slots.size()));
    for (std::size_t i = 0; i < slots.size(); ++i) {
        sums.names[i].insert(slots[i]);
    }
    if (of.slots.size() < message_kind::slots_kept) {
        of.slots.push_back(std::move(slots));
    }
}

topic_series& profiler::series_of(std::int64_t topic, std::int64_t publisher, std::uint8_t qos,
                                  bool retain) {
    const auto [found, is_new] = series_.try_emplace({topic, publisher, qos, retain});
    if (is_new) {
        const std::string& pattern = patterns_.at({topic, publisher});
        topic_series& made = found->second;
        made.client = client_of(publisher, topic, pattern);
        made.kind = kind_of(pattern, qos, retain, clients_[made.client].family);
        note_topic(made.kind, topic);
        kind_published& published = clients_[made.client].publishes[made.kind];
        published.kind = made.kind;
        published.clients = 1;
        ++published.topics;
    }
    return found->second;
}

void profiler::note_gap(seen_client& client, std::size_t kind, std::int64_t at) {
    kind_published& published = client.publishes[kind];
    ++published.messages;
    const auto [last, is_first] = client.published_at.try_emplace(kind, at);
    if (!is_first) {
        const auto gap = static_cast<double>(at - last->second);
        ++published.gaps;
        published.gap_sum += gap;
        published.gap_squares += gap * gap;
        last->second = at;
    }
}

void profiler::read_messages() {
    statement rows(from_,
                   "SELECT at, coalesce(published, at), publisher, topic, qos, retain, payload, id "
                   "FROM messages "
                   "WHERE NOT copy AND payload IS NOT NULL ORDER BY id");
    std::int64_t newest = 0;
    while (rows.step()) {
        const std::int64_t topic = rows.integer(3);
        if (topic_name(topic).starts_with('$') &&
            (rows.is_null(2) || topic_name(topic).starts_with("$SYS"))) {
            ++out_.left_out;
            continue;
        }
        const std::int64_t at =
            checked_instant(from_, "at in messages", rows.integer(7), rows.integer(0));
        const std::int64_t published =
            checked_instant(from_, "published in messages", rows.integer(7), rows.integer(1));
        if (at < newest) {
            throw recording_error(from_.path() + ": is damaged: message " +
                                  std::to_string(rows.integer(7)) +
                                  " is older than the one before");
        }
        newest = at;
        topic_series& series =
            series_of(topic, rows.is_null(2) ? nobody : rows.integer(2),
                      static_cast<std::uint8_t>(rows.integer(4)), rows.integer(5) != 0);
        message_kind& kind = out_.messages[series.kind];
        kind_sums& sums = sums_[series.kind];
        seen_client& client = clients_[series.client];
        const bytes_view payload = rows.blob(6);
        kind.first = kind.messages == 0 ? duration{at} : kind.first;
        kind.last = duration{at};
        ++kind.messages;
        ++series.messages;
        note_gap(client, series.kind, at);
        if (series.last >= 0) {
            const auto gap = static_cast<double>(at - series.last);
            kind.between.record(duration{at - series.last});
            ++sums.gaps;
            sums.sum += gap;
            sums.squares += gap * gap;
        }
        series.last = at;
        kind.bytes.record(duration{static_cast<std::int64_t>(payload.size())});
        if (published < at) {
            kind.way_up.record(duration{at - published});
        }
        const auto hour =
            static_cast<std::size_t>(std::max<std::int64_t>(at, 0) / nanoseconds_per_hour);
        kind.hours.resize(std::max(kind.hours.size(), hour + 1));
        ++kind.hours[hour];
        kind.samples.add(topic, client.client_id, duration{epoch_ + published}, payload);
    }
}

void profiler::read_subscriptions() {
    std::map<std::pair<std::size_t, std::string>, bool> seen;
    statement rows(from_,
                   "SELECT client, filter, code FROM subscriptions WHERE NOT ends ORDER BY id");
    while (rows.step()) {
        const auto client = client_rows_.find(rows.is_null(0) ? nobody : rows.integer(0));
        if (client == client_rows_.end() || rows.integer(2) > 2) {
            continue;
        }
        const std::string filter(rows.text(1));
        if (!seen.try_emplace({client->second, filter}, true).second) {
            continue;
        }
        seen_client& of = clients_[client->second];
        const std::string pattern = pattern_of(filter, of.client_id).pattern;
        kind_subscribed& kind = of.subscribes[pattern];
        kind.pattern = pattern;
        kind.qos = std::max(kind.qos, static_cast<std::uint8_t>(rows.integer(2)));
        kind.clients = 1;
        ++kind.filters;
        if (kind.some.size() < few_names_max) {
            kind.some.push_back(filter);
        }
    }
}

void profiler::read_connections() {
    statement rows(from_,
                   "SELECT client, at, ended, session_present, lost, id FROM connections "
                   "WHERE accepted ORDER BY id");
    while (rows.step()) {
        const auto client = client_rows_.find(rows.is_null(0) ? nobody : rows.integer(0));
        if (client == client_rows_.end()) {
            continue;
        }
        seen_client& of = clients_[client->second];
        const std::int64_t at =
            checked_instant(from_, "at in connections", rows.integer(5), rows.integer(1));
        ++of.connections;
        of.resumed += rows.integer(3) != 0 ? 1U : 0U;
        if (of.last_end >= 0 && at >= of.last_end) {
            of.away_for += static_cast<double>(at - of.last_end);
            ++of.returns;
        }
        of.last_end = -1;
        if (!rows.is_null(2)) {
            of.last_end =
                checked_instant(from_, "ended in connections", rows.integer(5), rows.integer(2));
            of.connected_for += static_cast<double>(of.last_end - at);
            ++of.ended;
            of.lost += !rows.is_null(4) && rows.integer(4) != 0 ? 1U : 0U;
        }
    }
}

void profiler::finish_kinds() {
    for (std::size_t i = 0; i < out_.messages.size(); ++i) {
        message_kind& kind = out_.messages[i];
        const kind_sums& sums = sums_[i];
        if (sums.gaps > 0) {
            const auto gaps = static_cast<double>(sums.gaps);
            kind.between_mean = sums.sum / gaps;
            const double variance =
                std::max(0.0, sums.squares / gaps - kind.between_mean * kind.between_mean);
            kind.between_variation =
                kind.between_mean > 0 ? std::sqrt(variance) / kind.between_mean : 0;
        }
        for (const auto& names : sums.names) {
            kind.slot_names.push_back(names.size());
            kind.few_names.emplace_back();
            if (names.size() <= few_names_max) {
                kind.few_names.back().assign(names.begin(), names.end());
            }
        }
    }
}

/// A name for clients of a family: what stands in it between the slots.
std::string name_from(std::string_view family) {
    std::string out;
    for (const char letter : family) {
        const bool good = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                          (letter >= '0' && letter <= '9') || letter == '_';
        if (good) {
            out += letter;
        } else if (!out.empty() && out.back() != '-') {
            out += '-';
        }
    }
    while (!out.empty() && out.back() == '-') {
        out.pop_back();
    }
    return out.empty() ? "devices" : out;
}

/// Clients without a name of their own are told apart by what they mostly do.
std::string kind_key(const seen_client& client, const std::vector<message_kind>& messages) {
    if (has_words(client.family)) {
        return client.family;
    }
    std::string key = client.family + "\n";
    const kind_published* most = nullptr;
    for (const auto& entry : client.publishes) {
        most = most == nullptr || entry.second.messages > most->messages ? &entry.second : most;
    }
    if (most != nullptr) {
        key += messages[most->kind].pattern;
    } else if (!client.subscribes.empty()) {
        key += client.subscribes.begin()->first;
    }
    return key;
}

void profiler::group_clients() {
    std::map<std::string, std::vector<const seen_client*>> groups;
    for (const seen_client& client : clients_) {
        if (!client.publishes.empty() || !client.subscribes.empty() || client.connections > 0) {
            groups[kind_key(client, out_.messages)].push_back(&client);
        }
    }
    std::set<std::string> taken;
    for (const auto& [key, members] : groups) {
        client_kind made;
        const std::string base =
            name_from(key.substr(std::min(key.find_first_not_of('\n'), key.size())));
        made.name = base;
        for (int again = 2; !taken.insert(made.name).second; ++again) {
            made.name = base + "-" + std::to_string(again);
        }
        made.client_ids = key.starts_with("\n") ? "" : members.front()->family;
        made.client_id = members.front()->client_id;
        made.clients = members.size();
        std::map<std::size_t, kind_published> publishes;
        std::map<std::string, kind_subscribed> subscribes;
        double connected_for = 0;
        double away_for = 0;
        std::uint64_t ended = 0;
        for (const seen_client* const member : members) {
            for (const auto& [kind, published] : member->publishes) {
                kind_published& sum = publishes[kind];
                sum.kind = kind;
                sum.messages += published.messages;
                sum.topics += published.topics;
                sum.clients += published.clients;
                sum.gaps += published.gaps;
                sum.gap_sum += published.gap_sum;
                sum.gap_squares += published.gap_squares;
            }
            for (const auto& [pattern, subscribed] : member->subscribes) {
                kind_subscribed& sum = subscribes[pattern];
                sum.pattern = pattern;
                sum.qos = std::max(sum.qos, subscribed.qos);
                sum.filters += subscribed.filters;
                sum.clients += subscribed.clients;
                for (const std::string& filter : subscribed.some) {
                    if (sum.some.size() < few_names_max) {
                        sum.some.push_back(filter);
                    }
                }
            }
            made.connections += member->connections;
            made.resumed += member->resumed;
            made.lost += member->lost;
            made.returns += member->returns;
            ended += member->ended;
            connected_for += member->connected_for;
            away_for += member->away_for;
        }
        if (ended > 0) {
            made.connected_for =
                duration{static_cast<std::int64_t>(connected_for / static_cast<double>(ended))};
        }
        if (made.returns > 0) {
            made.away_for =
                duration{static_cast<std::int64_t>(away_for / static_cast<double>(made.returns))};
        }
        for (auto& entry : publishes) {
            made.publishes.push_back(entry.second);
        }
        std::stable_sort(made.publishes.begin(), made.publishes.end(),
                         [](const kind_published& left, const kind_published& right) {
                             return left.messages > right.messages;
                         });
        for (auto& entry : subscribes) {
            made.subscribes.push_back(std::move(entry.second));
        }
        out_.clients.push_back(std::move(made));
    }
}

}  // namespace

traffic_profile profile_traffic(recording_reader& from) { return profiler(from).run(); }

}  // namespace fleetarium::recording
