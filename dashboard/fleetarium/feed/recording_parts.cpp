#include <fleetarium/feed/recording_parts.hpp>

#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/config/problem.hpp>

#include <algorithm>
#include <limits>
#include <numeric>

namespace fleetarium::feed {

namespace {

/// Tables of which a live recording's are read anew as a whole, with so few rows.
constexpr std::size_t small_table = 20'000;

/// Pairs of beginnings and ends.
std::vector<fault_row> periods_of(const std::vector<recorded::fault>& rows,
                                  const recording_fleets& fleets) {
    std::vector<fault_row> out;
    std::map<std::uint32_t, std::vector<std::size_t>> open;  // places in `out`, by number
    for (const recorded::fault& each : rows) {
        auto& of_number = open[each.number];
        if (each.ends && !of_number.empty()) {
            out[of_number.front()].until = in_seconds(each.at);
            of_number.erase(of_number.begin());
            continue;
        }
        fault_row made;
        made.fault = each.number;
        made.from = in_seconds(each.at);
        if (each.number < fleets.faults().size()) {
            const recording_fleets::fault_facts& facts = fleets.faults()[each.number];
            made.name = facts.name;
            made.kind = facts.kind;
            made.where = facts.where;
            made.by_hand = facts.by_hand;
        } else {
            made.name = "fault " + std::to_string(each.number);
        }
        if (each.ends) {
            made.until = made.from;  // it happened at once
        } else {
            of_number.push_back(out.size());
        }
        out.push_back(std::move(made));
    }
    return out;
}

}  // namespace

std::uint32_t fate_named(const std::string& reason) {
    if (reason == "lost") {
        return fate_lost;
    }
    std::vector<std::string_view> names;
    for (std::size_t i = 1; i < broker::drop_reason_count; ++i) {
        names.push_back(name_of(static_cast<broker::drop_reason>(i)));
        if (names.back() == reason) {
            return 1U << i;
        }
    }
    names.push_back("lost");
    const std::string near = config::nearest_name(reason, names);
    std::string all;
    for (const std::string_view each : names) {
        all += (all.empty() ? "" : ", ") + std::string(each);
    }
    refuse("reason: found \"" + reason + "\", expected one of " + all +
           (near.empty() ? "" : "; did you mean \"" + near + "\"?"));
}

bool topic_less(std::string_view a, std::string_view b) {
    const std::size_t common = std::min(a.size(), b.size());
    for (std::size_t i = 0; i < common; ++i) {
        if (a[i] != b[i]) {
            const auto rank = [](char each) {
                return each == '/' ? 0U : static_cast<unsigned char>(each);
            };
            return rank(a[i]) < rank(b[i]);
        }
    }
    return a.size() < b.size();
}

recording_parts::recording_parts(const std::string& file_path, std::size_t messages_at_once)
    : path(file_path),
      file(path),
      in(file.tables()),
      facts(recorded::read_run(in)),
      is_subscriber(facts.kind == "subscriber"),
      fleets(facts.scenario, facts.scenario.empty() ? "clients" : "other clients"),
      index(path, messages_at_once),
      view(in),
      messages(in, 1, 0),
      deliveries(in, 1, 0),
      one_message(in, 1, 0) {
    changes_ = recorded::change_count(in);
    brokers = recorded::read_brokers(in);
    connections.read(in);
    read_fast();
}

void recording_parts::read_fast() {
    facts = recorded::read_run(in);
    begin = facts.forgotten_until;
    end = std::max(facts.ended_at.value_or(recorded::newest_instant(in)), begin);
    recorded::read_clients(in, clients);
    fleets.meet(clients);
    recorded::read_topics(in, topics);
    arrange_topics();
    recorded::read_subscriptions(in, subscriptions);
    interventions = recorded::read_interventions(in);
    std::vector<std::string> by_hand;
    for (const recorded::remark& each : interventions) {
        if (each.what == "fault") {
            by_hand.push_back(each.text);
        }
    }
    fleets.set_faults_by_hand(by_hand);
    faults = recorded::read_faults(in);
    fault_periods = periods_of(faults, fleets);
    violations = recorded::read_violations(in);
    annotations = recorded::read_annotations(in);
    gaps = recorded::read_gaps(in);
    checkpoints = recorded::read_checkpoints(in);
}

void recording_parts::refresh() {
    if (!growing()) {
        return;
    }
    const std::int64_t now = recorded::change_count(in);
    if (now == changes_) {
        return;
    }
    changes_ = now;
    read_fast();
    index.follow();
    // Connections are rows that change: reading all of them once more has to be worth it.
    const std::int64_t newest = recorded::last_message(in);
    if (!growing() || connections.rows().size() < small_table ||
        newest - connections_until_ > connections_until_ / 16) {
        connections_until_ = newest;
        connections.read_more(in);
    }
}

void recording_parts::arrange_topics() {
    if (topic_order.size() == topics.size()) {
        return;
    }
    const std::size_t known = topic_order.size();
    topic_order.resize(topics.size());
    std::iota(topic_order.begin() + static_cast<std::ptrdiff_t>(known), topic_order.end(),
              static_cast<std::uint32_t>(known));
    const auto less = [this](std::uint32_t a, std::uint32_t b) {
        return topic_less(topics[a], topics[b]);
    };
    const auto middle = topic_order.begin() + static_cast<std::ptrdiff_t>(known);
    std::sort(middle, topic_order.end(), less);
    std::inplace_merge(topic_order.begin(), middle, topic_order.end(), less);
}

std::int64_t recording_parts::instant_of(const std::optional<seconds>& at) const {
    if (!at) {
        return end;
    }
    const double wanted =
        std::clamp(*at * 1e9, static_cast<double>(begin), static_cast<double>(end));
    return std::clamp(std::int64_t{std::llround(wanted)}, begin, end);
}

std::int64_t recording_parts::index_instant(std::int64_t at) const {
    return at >= end ? std::numeric_limits<std::int64_t>::max() : at;
}

background_index::access recording_parts::open_index() {
    const std::string error = index.error();
    if (!error.empty()) {
        throw feed_error(feed_error::kind::not_possible, error);
    }
    return index.open();
}

std::string recording_parts::client_name(std::int64_t row) const {
    return row > 0 && row <= static_cast<std::int64_t>(clients.size())
               ? clients[static_cast<std::size_t>(row) - 1].name
               : std::string();
}

std::string recording_parts::broker_name(std::int64_t row) const {
    return row >= 0 && row < static_cast<std::int64_t>(brokers.size())
               ? brokers[static_cast<std::size_t>(row)]
               : std::string("broker");
}

const std::string& recording_parts::topic_name(std::int64_t row) const {
    static const std::string none;
    return row > 0 && row <= static_cast<std::int64_t>(topics.size())
               ? topics[static_cast<std::size_t>(row) - 1]
               : none;
}

std::uint32_t recording_parts::client_named(std::string_view name) {
    const auto device = fleets.find(name, clients);
    return device ? fleets.client_of(*device) : 0;
}

std::optional<recording::message_row> recording_parts::read_message(std::int64_t id) {
    recording::message_row out;
    one_message.select(id, id);
    return one_message.next(out) ? std::optional(out) : std::nullopt;
}

}  // namespace fleetarium::feed
