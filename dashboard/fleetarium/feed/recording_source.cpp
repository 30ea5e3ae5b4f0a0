#include <fleetarium/feed/recording_source.hpp>

#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/feed/latency_buckets.hpp>
#include <fleetarium/feed/recording_parts.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <span>

namespace fleetarium::feed {

namespace {

std::uint64_t positive(std::int64_t value) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0));
}

/// What the traffic has come to.
void put_sums(feed::totals& to, const traffic_index::sums& sums) {
    const auto at = [&sums](unsigned slot) { return positive(sums[slot]); };
    for (std::size_t qos = 0; qos < 3; ++qos) {
        const auto of = [&](counter::funnel which) { return at(counter::of(qos, which)); };
        to.qos[qos] = {.published = of(counter::published),
                       .copies = of(counter::copies),
                       .routed = of(counter::routed),
                       .completed = of(counter::completed),
                       .deliveries = of(counter::deliveries),
                       .sent = of(counter::sent),
                       .resent = of(counter::resent),
                       .delivered = of(counter::delivered),
                       .acknowledged = of(counter::acknowledged),
                       .dropped = of(counter::dropped),
                       .lost = of(counter::lost)};
    }
    to.dropped.resize(broker::drop_reason_count);
    for (unsigned i = 0; i < broker::drop_reason_count; ++i) {
        to.dropped[i] = at(counter::reasons + i);
    }
    to.payload_bytes_in = at(counter::bytes_in);
    to.payload_bytes_out = at(counter::bytes_out);
    to.queued = at(counter::queued);
    to.in_flight = at(counter::in_flight);
    to.retained = at(counter::retained);
    latency_counts latency{};
    for (unsigned i = 0; i < latency_buckets::count; ++i) {
        latency[i] = at(counter::latency + i);
    }
    to.latency = latency_buckets::trimmed(latency);
}

/// For a shell.
std::string quoted(const std::string& path) {
    std::string out = "'";
    for (const char each : path) {
        out += each == '\'' ? std::string("'\\''") : std::string(1, each);
    }
    return out + '\'';
}

/// The rest.
void put_facts(feed::totals& to, recording_parts& of, std::int64_t at) {
    to.at = in_seconds(at);
    to.complete = of.index.complete();
    to.ended = of.facts.ended_at && at >= of.end;
    const connection_timeline::counts counts = of.connections.until(at);
    to.connects = counts.connects;
    to.disconnects = counts.disconnects;
    to.connects_refused = counts.refused;
    to.connected = static_cast<std::uint32_t>(counts.connects - counts.disconnects);
    const auto until = [at](const auto& rows) {
        return std::upper_bound(
            rows.begin(), rows.end(), at,
            [](std::int64_t wanted, const auto& each) { return wanted < each.at; });
    };
    to.violations = static_cast<std::uint64_t>(until(of.violations) - of.violations.begin());
    for (const fault_row& each : of.fault_periods) {
        to.faults_active += each.from <= to.at && (!each.until || *each.until > to.at);
    }
    const auto behind = until(of.checkpoints);
    to.events = to.ended                           ? of.facts.events
                : behind == of.checkpoints.begin() ? 0
                                                   : (behind - 1)->events;
}

template <class Answer, class Question>
Answer answer(recording_parts& of, Answer (*by)(recording_parts&, const Question&),
              const Question& asked) {
    try {
        of.refresh();
        return by(of, asked);
    } catch (const recording::recording_error& error) {
        throw feed_error(feed_error::kind::not_possible, error.what());
    }
}

feed::totals answer_totals(recording_parts& of, const totals_question& asked) {
    const std::int64_t at = of.instant_of(asked.at);
    feed::totals out;
    std::int64_t shown = at;
    {
        background_index::access index = of.open_index();
        put_sums(out, of.view.sums(*index, of.index_instant(at), of.growing()));
        shown = std::min(of.view.sums_at(), at);
        const std::size_t place = index->interval_of(shown) + 1;
        out.queued_max = std::max(out.queued, positive(index->queued_max_before(place)));
        out.in_flight_max = std::max(out.in_flight, positive(index->in_flight_max_before(place)));
    }
    put_facts(out, of, shown);
    return out;
}

history_answer answer_history(recording_parts& of, const history_question& asked) {
    require_range("points", asked.points, 2, 4'000);
    const std::int64_t from = asked.from ? of.instant_of(asked.from) : of.begin;
    const std::int64_t until = of.instant_of(asked.until);
    history_answer out;
    std::vector<std::int64_t> instants;
    {
        background_index::access index = of.open_index();
        // At the begins of intervals, where nothing has to be counted, and at the end.
        const auto width = static_cast<double>(index->width());
        const auto points = static_cast<double>(asked.points - 1);
        const auto step = static_cast<std::size_t>(
            std::max(1.0, std::ceil(static_cast<double>(until - from) / width / points)));
        const auto put = [&](std::size_t place, std::int64_t at) {
            feed::totals& made = out.points.emplace_back();
            put_sums(made, index->before(place));
            made.queued_max = positive(index->queued_max_before(place));
            made.in_flight_max = positive(index->in_flight_max_before(place));
            instants.push_back(at);
        };
        for (std::size_t place = index->interval_of(from);
             index->begin_of(place) < until && out.points.size() + 1 < asked.points;
             place += step) {
            if (index->begin_of(place) >= from || out.points.empty()) {
                put(place, std::max(index->begin_of(place), from));
            }
        }
        if (until >= of.end) {
            put(index->intervals(), until);
        } else {
            put(index->interval_of(until), index->begin_of(index->interval_of(until)));
            if (out.points.size() > 1 && instants.back() <= instants[instants.size() - 2]) {
                out.points.pop_back();
                instants.pop_back();
            }
        }
    }
    for (std::size_t i = 0; i < out.points.size(); ++i) {
        put_facts(out.points[i], of, instants[i]);
    }
    return out;
}

}  // namespace

recording_source::recording_source(const std::string& path) : recording_source(path, options{}) {}

recording_source::recording_source(const std::string& path, const options& how)
    : parts_(std::make_unique<recording_parts>(path, how.messages_at_once)) {}

recording_source::~recording_source() = default;

void recording_source::wait_until_complete() { parts_->index.wait_until_complete(); }

std::size_t recording_source::index_bytes() { return parts_->index.open()->memory_bytes(); }

description recording_source::describe(const description_question& asked) {
    return answer<description, description_question>(
        *parts_,
        [](recording_parts& of, const description_question&) {
            description out = description_of("recording", of.facts.program_version);
            out.title = !of.fleets.title().empty() ? of.fleets.title()
                        : !of.facts.source.empty()
                            ? of.facts.source
                            : std::filesystem::path(of.path).filename().string();
            if (of.facts.seed) {
                out.seed = static_cast<std::uint64_t>(*of.facts.seed);
            }
            out.epoch = static_cast<double>(of.facts.epoch) / 1e9;
            out.begin = in_seconds(of.begin);
            out.end = in_seconds(of.end);
            out.keeps_history = true;
            if (of.facts.kind == "virtual") {
                out.command = "fleetarium replay " + quoted(of.path);
            }
            out.devices = of.fleets.devices();
            out.fleets = of.fleets.fleets();
            out.networks = of.fleets.networks();
            out.brokers = of.brokers;
            return out;
        },
        asked);
}

feed::totals recording_source::totals(const totals_question& asked) {
    return answer(*parts_, answer_totals, asked);
}

history_answer recording_source::history(const history_question& asked) {
    return answer(*parts_, answer_history, asked);
}

timeline_answer recording_source::timeline(const timeline_question& asked) {
    return answer(*parts_, answer_timeline, asked);
}

log_answer recording_source::log(const log_question& asked) {
    return answer(*parts_, answer_log, asked);
}

topics_answer recording_source::topics(const topics_question& asked) {
    return answer(*parts_, answer_topics, asked);
}

fleet_answer recording_source::fleet(const fleet_question& asked) {
    return answer(*parts_, answer_fleet, asked);
}

device_row recording_source::cell(const cell_question& asked) {
    return answer(*parts_, answer_cell, asked);
}

devices_answer recording_source::devices(const devices_question& asked) {
    return answer(*parts_, answer_devices, asked);
}

device_answer recording_source::device(const device_question& asked) {
    return answer(*parts_, answer_device, asked);
}

messages_answer recording_source::messages(const messages_question& asked) {
    return answer(*parts_, answer_messages, asked);
}

message_answer recording_source::message(const message_question& asked) {
    return answer(*parts_, answer_message, asked);
}

report_answer recording_source::report(const report_question&) {
    if (parts_->facts.report.empty()) {
        throw feed_error(feed_error::kind::not_possible, "the recording has no report");
    }
    return {parts_->facts.report};
}

}  // namespace fleetarium::feed
