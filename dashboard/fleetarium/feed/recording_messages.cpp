#include <fleetarium/codec/topic.hpp>
#include <fleetarium/feed/message_journey_steps.hpp>
#include <fleetarium/feed/payload_text.hpp>
#include <fleetarium/feed/recording_parts.hpp>

#include <boost/unordered/unordered_flat_set.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace fleetarium::feed {

namespace {

using recording::no_instant;
using recording::recorded_state;

/// Rows that are looked through for an answer: at most so many once something was found, and before
/// that ten times as many.
constexpr std::int64_t rows_budget = 60'000;
/// Read at once, backwards.
constexpr std::int64_t rows_a_chunk = 500;
/// Deliveries of one message that are looked at for its row.
constexpr std::int64_t deliveries_looked_at = 20'000;

constexpr std::size_t deliveries_shown = 200;
constexpr std::size_t resends_looked_at = 100'000;
constexpr std::int64_t copies_within = 20'000;  // messages behind

/// A message as it stood at an instant.
struct message_then {
    message_row row{};
    std::uint32_t fates = 0;
    std::int64_t deliveries_read = 0;
};

void put_loss(message_then& to, std::uint32_t fate, std::string_view reason) {
    to.fates |= fate;
    if (to.row.reason.empty()) {
        to.row.reason = reason;
    }
}

message_then stand(recording_parts& of, const recording::message_row& message, std::int64_t at) {
    message_then out;
    message_row& row = out.row;
    row.message = static_cast<std::uint64_t>(message.id);
    row.at = in_seconds(message.at);
    row.publisher = of.client_name(message.publisher);
    row.topic = of.topic_name(message.topic);
    row.qos = message.qos;
    row.retain = message.retain;
    row.size = static_cast<std::uint32_t>(message.payload.size());
    if (message.reason != 0) {
        put_loss(out, 1U << message.reason,
                 name_of(static_cast<broker::drop_reason>(message.reason)));
    }
    if (message.deliveries == recording::not_known) {
        row.state = message_state::complete;  // the recorder has it
        return out;
    }
    std::int64_t made = 0;
    std::int64_t ended = 0;
    recording::delivery_row each;
    of.deliveries.select(message.id, message.id);
    while (out.deliveries_read < deliveries_looked_at && of.deliveries.next(each)) {
        ++out.deliveries_read;
        if (each.made > at) {
            continue;
        }
        ++made;
        row.resent += static_cast<std::uint32_t>(each.resent);
        const bool has_ended = each.ended != no_instant && each.ended <= at;
        ended += has_ended;
        const bool answered = each.state == recorded_state::delivered ||
                              each.state == recorded_state::rejected ||
                              each.state == recorded_state::sent;
        row.delivered += (each.received != no_instant && each.received <= at) ||
                         (each.received == no_instant && answered && has_ended);
        if (has_ended && each.state == recorded_state::dropped) {
            put_loss(out, 1U << each.reason,
                     name_of(static_cast<broker::drop_reason>(each.reason)));
        } else if (has_ended && each.state == recorded_state::lost) {
            put_loss(out, fate_lost, "lost");
        }
    }
    of.deliveries.select(1, 0);
    made = std::max(made, message.deliveries);
    if (out.deliveries_read == deliveries_looked_at) {
        ended = made;  // of so many, the others are taken to be like them
    }
    row.deliveries = static_cast<std::uint32_t>(made);
    row.state = message.refused  ? message_state::refused
                : out.fates != 0 ? made == 0 ? message_state::unheard : message_state::dropped
                : ended < made   ? message_state::under_way
                                 : message_state::complete;
    return out;
}

/// What is looked for, in rows and in intervals that can be left out.
class message_search {
public:
    message_search(recording_parts& of, const messages_question& asked) : of_(of), asked_(asked) {
        if (!asked.filter.empty() && !is_valid_topic_filter(asked.filter)) {
            refuse("filter: found \"" + asked.filter + "\", expected a topic filter");
        }
        if (asked.qos && *asked.qos > 2) {
            refuse("qos: found " + std::to_string(*asked.qos) + ", expected 0, 1 or 2");
        }
        if (!asked.reason.empty()) {
            fate_ = fate_named(asked.reason);
        }
        if (!asked.client.empty()) {
            if (!of.fleets.find(asked.client, of.clients)) {
                refuse("client: found \"" + asked.client +
                       "\", expected the name or client id of a device");
            }
            client_ = of.client_named(asked.client);
        }
        topics_.resize(of.topics.size() + 1);
    }

    bool finds_nothing() const { return !asked_.client.empty() && client_ == 0; }

    /// Whether a row of the interval may match.
    bool may_be_in(traffic_index& index, std::size_t place) {
        const std::uint32_t fates = index.fates_of(place);
        constexpr std::uint32_t any_reason = (1U << broker::drop_reason_count) - 1;
        if ((fate_ != 0 && (fates & fate_) == 0) ||
            (asked_.state == message_state::refused && (fates & fate_refused) == 0) ||
            ((asked_.state == message_state::dropped || asked_.state == message_state::unheard) &&
             (fates & (any_reason | fate_lost | fate_under_way)) == 0)) {
            return false;
        }
        // Refused messages and copies are in no list of topics and clients.
        const bool listed = (fates & fate_refused) == 0 && !has_copies(index, place);
        return !listed ||
               ((asked_.filter.empty() ||
                 index.any_topic(place, [this](std::uint32_t row) { return has_topic(row); })) &&
                (client_ == 0 ||
                 index.any_client(place, [this](std::uint32_t row) { return row == client_; })));
    }

    bool has_topic(std::int64_t row) {
        if (asked_.filter.empty()) {
            return true;
        }
        if (row <= 0 || row >= static_cast<std::int64_t>(topics_.size())) {
            return false;
        }
        char& known = topics_[static_cast<std::size_t>(row)];
        if (known == 0) {
            known = topic_matches(asked_.filter, of_.topic_name(row)) ? 1 : 2;
        }
        return known == 1;
    }

    /// Before the rows of the ids [first, last] are asked about.
    void begin_chunk(std::int64_t first, std::int64_t last) {
        received_.clear();
        if (client_ != 0) {
            for (const auto& each : recorded::delivered_to(of_.in, client_, first, last)) {
                received_.insert(each.message);
            }
        }
    }

    bool may_match(const recording::message_row& row) {
        return (!asked_.qos || row.qos == *asked_.qos) && has_topic(row.topic) &&
               (client_ == 0 || row.publisher == client_ || received_.contains(row.id));
    }

    bool matches(const message_then& found) const {
        return (!asked_.state || found.row.state == *asked_.state) &&
               (fate_ == 0 || (found.fates & fate_) != 0);
    }

private:
    static bool has_copies(traffic_index& index, std::size_t place) {
        for (std::size_t qos = 0; qos < 3; ++qos) {
            const unsigned slot = counter::of(qos, counter::copies);
            if (index.before(place + 1)[slot] != index.before(place)[slot]) {
                return true;
            }
        }
        return false;
    }

    recording_parts& of_;
    const messages_question& asked_;
    std::uint32_t fate_ = 0;
    std::uint32_t client_ = 0;
    std::vector<char> topics_;  // by row: 1 matches, 2 does not
    boost::unordered_flat_set<std::int64_t> received_;
};

/// Goes backwards through messages.
class message_scan {
public:
    message_scan(recording_parts& of, const messages_question& asked, std::int64_t at,
                 messages_answer& to)
        : of_(of), asked_(asked), search_(of, asked), at_(at), to_(to) {}

    message_search& search() { return search_; }

    /// Looks through the ids [first, last]; false: it is enough.
    bool look_through(std::int64_t first, std::int64_t last) {
        while (last >= first) {
            const std::int64_t begin = std::max(first, last - rows_a_chunk + 1);
            found_.clear();
            search_.begin_chunk(begin, last);
            of_.messages.select(begin, last);
            recording::message_row row;
            std::int64_t earliest = 0;
            while (of_.messages.next(row)) {
                earliest = earliest == 0 ? row.at : earliest;
                if (search_.may_match(row)) {
                    found_.push_back(row);
                }
                ++looked_at_;
            }
            for (auto each = found_.rbegin(); each != found_.rend(); ++each) {
                message_then then = stand(of_, *each, at_);
                looked_at_ += then.deliveries_read;
                if (!search_.matches(then)) {
                    continue;
                }
                to_.rows.push_back(std::move(then.row));
                if (to_.rows.size() == asked_.limit) {
                    to_.kept_from = to_.rows.back().at;
                    return false;
                }
            }
            if (earliest != 0) {
                to_.kept_from = in_seconds(earliest);
            }
            if (looked_at_ > (to_.rows.empty() ? 10 * rows_budget : rows_budget)) {
                return false;
            }
            last = begin - 1;
        }
        return true;
    }

private:
    recording_parts& of_;
    const messages_question& asked_;
    message_search search_;
    std::int64_t at_;
    messages_answer& to_;
    std::vector<recording::message_row> found_;  // of their payloads the sizes are there yet
    std::int64_t looked_at_ = 0;
};

std::vector<property_row> properties_of(std::string_view text) {
    std::vector<property_row> out;
    const auto all = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!all.is_object()) {
        return out;
    }
    const auto as_text = [](const nlohmann::json& value) {
        return value.is_string() ? value.get<std::string>() : value.dump();
    };
    for (const auto& [name, value] : all.items()) {
        if (!value.is_array()) {
            out.push_back({name, as_text(value)});
            continue;
        }
        for (const auto& each : value) {
            out.push_back({name, each.is_array() && each.size() == 2
                                     ? as_text(each[0]) + ": " + as_text(each[1])
                                     : as_text(each)});
        }
    }
    return out;
}

delivery_row row_of(const recording_parts& of, const recording::delivery_row& what) {
    delivery_row out;
    out.receiver = of.client_name(what.receiver);
    out.qos = what.qos;
    out.state = recording::name_of(what.state);
    if (what.reason != 0) {
        out.reason = name_of(static_cast<broker::drop_reason>(what.reason));
    }
    out.made = in_seconds(what.made);
    out.sent = maybe_seconds(what.sent);
    out.received = maybe_seconds(what.received);
    out.ended = maybe_seconds(what.ended);
    out.resent = static_cast<std::uint32_t>(what.resent);
    out.copies = static_cast<std::uint32_t>(what.copies);
    return out;
}

/// The newest message of the topic before one; 0: there is none.
std::int64_t message_before(recording_parts& of, const recording::message_row& message) {
    const auto topic = static_cast<std::uint32_t>(message.topic);
    background_index::access index = of.open_index();
    std::size_t place = std::min(index->interval_of(message.at) + 1, index->intervals());
    while (place-- > 0) {
        const traffic_index::message_range range = index->messages_of(place);
        const std::int64_t last = std::min(range.last, message.id - 1);
        if (range.first <= last &&
            index->any_topic(place, [topic](std::uint32_t each) { return each == topic; })) {
            const std::int64_t found =
                recorded::newest_of_topic(of.in, message.topic, range.first, last);
            if (found != 0) {
                return found;
            }
        }
    }
    return 0;
}

}  // namespace

messages_answer answer_messages(recording_parts& of, const messages_question& asked) {
    require_range("limit", asked.limit, 1, 1'000);
    const std::int64_t at = of.instant_of(asked.at);
    const std::int64_t from = asked.from ? of.instant_of(asked.from) : of.begin;
    messages_answer out;
    out.at = in_seconds(at);
    out.kept_from = in_seconds(from);
    message_scan scan(of, asked, at, out);
    if (scan.search().finds_nothing()) {
        return out;
    }
    std::int64_t last = recording::first_message_from(of.in, at + 1) - 1;
    if (asked.before) {
        last = std::min(last, static_cast<std::int64_t>(std::min<std::uint64_t>(
                                  *asked.before, recording::message_id_max)) -
                                  1);
    }
    const std::int64_t first = std::max(asked.from ? recording::first_message_from(of.in, from) : 0,
                                        recorded::first_message(of.in));
    if (first == 0 || last < first) {
        return out;
    }
    background_index::access index = of.open_index();
    // What has not been counted yet is looked through as it is.
    if (!scan.look_through(std::max(first, index->newest_message() + 1), last)) {
        return out;
    }
    std::size_t place = index->intervals();
    while (place-- > 0) {
        const traffic_index::message_range range = index->messages_of(place);
        if (range.first > range.last || range.first > last) {
            continue;
        }
        if (range.last < first) {
            break;
        }
        if (scan.search().may_be_in(*index, place) &&
            !scan.look_through(std::max(range.first, first), std::min(range.last, last))) {
            return out;
        }
    }
    out.kept_from = in_seconds(from);
    return out;
}

message_answer answer_message(recording_parts& of, const message_question& asked) {
    const auto id = static_cast<std::int64_t>(
        std::min<std::uint64_t>(asked.message, recording::message_id_max));
    auto found = of.read_message(id);
    if (!found) {
        const std::int64_t first = recorded::first_message(of.in);
        refuse("message: found " + std::to_string(asked.message) +
               (first == 0 ? std::string(", but the recording has no messages")
                           : ", expected a number from " + std::to_string(first) + " to " +
                                 std::to_string(recorded::last_message(of.in))));
    }
    const recording::message_row& message = *found;
    message_answer out;
    out.message = stand(of, message, of.end).row;
    out.published = maybe_seconds(message.published);
    out.payload = make_payload_view(message.payload, payload_bytes_max);
    out.properties = properties_of(message.properties);

    publishing way_in;
    way_in.publisher = out.message.publisher;
    way_in.broker = of.broker_name(message.broker);
    way_in.qos = message.qos;
    way_in.published = out.published;
    way_in.at = out.message.at;
    way_in.completed = maybe_seconds(message.acknowledged);
    way_in.refused = message.refused;
    way_in.reason = out.message.deliveries == 0 ? out.message.reason : std::string();

    std::vector<std::int64_t> ids;
    bool resent = message.qos == 2;
    std::int64_t last_instant = std::max(message.at, message.acknowledged);
    recording::delivery_row each;
    of.deliveries.select(id, id);
    while (out.deliveries.size() < deliveries_shown && of.deliveries.next(each)) {
        out.deliveries.push_back(row_of(of, each));
        ids.push_back(each.id);
        resent = resent || each.resent != 0;
        last_instant = std::max(last_instant, each.ended == no_instant ? of.end : each.ended);
    }
    of.deliveries.select(1, 0);
    std::vector<std::vector<seconds>> resends(out.deliveries.size());
    if (resent) {
        std::size_t looked_at = 0;
        recorded::for_each_resend(
            of.in, recorded::resends_before(of.in, message.at), [&](const recorded::resend& row) {
                if (row.message == id && row.delivery == 0) {
                    way_in.copies.push_back(in_seconds(row.at));
                } else if (row.message == id) {
                    const auto place = std::find(ids.begin(), ids.end(), row.delivery);
                    if (place != ids.end()) {
                        resends[static_cast<std::size_t>(place - ids.begin())].push_back(
                            in_seconds(row.at));
                    }
                }
                return row.at <= last_instant && ++looked_at < resends_looked_at;
            });
    }
    const std::int64_t topic_row = message.topic;
    if (message.qos == 1 && !message.copy && !message.refused && !of.is_subscriber) {
        const std::int64_t number = recorded::message_number(of.in, id);
        for (const std::int64_t copy :
             recorded::copies_of(of.in, number, id + 1, id + copies_within)) {
            if (const auto again = of.read_message(copy)) {
                way_in.copies.push_back(in_seconds(again->at));
            }
        }
        found = of.read_message(id);  // its views went with the others'
    }
    if (of.is_subscriber) {
        message_step arrival;
        arrival.at = out.message.at;
        arrival.arrived = arrival.at;
        arrival.from = way_in.broker;
        arrival.to = "recorder";
        arrival.packet = "PUBLISH";
        out.steps.push_back(arrival);
    } else {
        out.steps = journey_steps(way_in, out.deliveries, resends);
    }
    if (found && topic_row > 0) {
        const std::int64_t before = message_before(of, *found);
        if (const auto row = before == 0 ? std::nullopt : of.read_message(before)) {
            out.payload_before = make_payload_view(row->payload, payload_bytes_max);
        }
    }
    return out;
}

}  // namespace fleetarium::feed
