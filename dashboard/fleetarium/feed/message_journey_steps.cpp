#include <fleetarium/feed/message_journey_steps.hpp>

#include <algorithm>

namespace fleetarium::feed {

namespace {

constexpr std::size_t deliveries_shown = 20;

message_step arrow(seconds at, std::optional<seconds> arrived, const std::string& from,
                   const std::string& to, const char* packet) {
    message_step out;
    out.at = at;
    out.arrived = arrived;
    out.from = from;
    out.to = to;
    out.packet = packet;
    return out;
}

/// An arrow of which only one end is known, by what came before or after it.
message_step inferred(seconds at, const std::string& from, const std::string& to,
                      const char* packet) {
    message_step out = arrow(at, at, from, to, packet);
    out.inferred = true;
    return out;
}

void add_way_in(std::vector<message_step>& steps, const publishing& way) {
    if (way.publisher.empty()) {
        message_step note;
        note.at = way.at;
        note.from = note.to = way.broker;
        note.text = "published by the broker";
        steps.push_back(note);
        return;
    }
    message_step first =
        arrow(way.published.value_or(way.at), way.at, way.publisher, way.broker, "PUBLISH");
    first.inferred = !way.published;
    steps.push_back(first);
    for (const seconds each : way.copies) {
        message_step again = inferred(each, way.publisher, way.broker, "PUBLISH");
        again.dup = true;
        steps.push_back(again);
    }
    const seconds had = way.copies.empty() ? way.at : way.copies.back();
    if (way.qos == 1) {
        message_step answer = arrow(had, way.completed, way.broker, way.publisher, "PUBACK");
        answer.inferred = !way.completed;
        steps.push_back(answer);
    } else if (way.qos == 2) {
        steps.push_back(inferred(had, way.broker, way.publisher, "PUBREC"));
        if (way.completed) {
            steps.push_back(
                inferred(had + (*way.completed - had) / 2, way.publisher, way.broker, "PUBREL"));
            message_step last = arrow(had + (*way.completed - had) / 2, way.completed, way.broker,
                                      way.publisher, "PUBCOMP");
            steps.push_back(last);
        }
    }
    if (!way.reason.empty()) {
        message_step note;
        note.at = way.at;
        note.from = note.to = way.broker;
        note.text = way.refused ? "refused: " + way.reason : way.reason;
        note.lost = true;
        steps.push_back(note);
    }
}

void add_delivery(std::vector<message_step>& steps, const std::string& broker,
                  const delivery_row& delivery, const std::vector<seconds>& resends) {
    const std::string& to = delivery.receiver;
    if (!delivery.sent) {
        message_step note;
        note.at = delivery.ended.value_or(delivery.made);
        note.from = note.to = broker;
        note.lost = delivery.state == "dropped";
        note.text = delivery.state == "dropped" ? "dropped for " + to + ": " + delivery.reason
                                                : "waits for " + to;
        steps.push_back(note);
        return;
    }
    if (delivery.made < *delivery.sent) {
        message_step note;
        note.at = delivery.made;
        note.from = note.to = broker;
        note.text = "queued for " + to;
        steps.push_back(note);
    }
    // Which of the PUBLISHes it was that came first is known where there was but one.
    const bool had_one = resends.empty();
    message_step first =
        arrow(*delivery.sent, had_one ? delivery.received : std::nullopt, broker, to, "PUBLISH");
    first.lost = delivery.state == "lost" ||
                 (!had_one && (!delivery.received || *delivery.received >= resends.front()));
    if (!had_one && !first.lost) {
        first.arrived = delivery.received;
    }
    steps.push_back(first);
    for (std::size_t i = 0; i < resends.size(); ++i) {
        message_step again = arrow(resends[i], std::nullopt, broker, to, "PUBLISH");
        again.dup = true;
        const bool is_last = i + 1 == resends.size();
        if (first.lost && delivery.received && *delivery.received >= resends[i] &&
            (is_last || *delivery.received < resends[i + 1])) {
            again.arrived = delivery.received;
        }
        again.lost = !again.arrived && (!is_last || !delivery.ended);
        steps.push_back(again);
    }
    if (delivery.qos == 0 || !delivery.ended) {
        if (delivery.state == "dropped" && delivery.ended) {
            message_step note;
            note.at = *delivery.ended;
            note.from = note.to = broker;
            note.lost = true;
            note.text = "given up for " + to + ": " + delivery.reason;
            steps.push_back(note);
        }
        return;
    }
    if (delivery.state == "dropped") {
        message_step note;
        note.at = *delivery.ended;
        note.from = note.to = broker;
        note.lost = true;
        note.text = "given up for " + to + ": " + delivery.reason;
        steps.push_back(note);
        return;
    }
    const seconds had = delivery.received.value_or(*delivery.ended);
    if (delivery.qos == 1) {
        steps.push_back(arrow(had, delivery.ended, to, broker, "PUBACK"));
        steps.back().inferred = !delivery.received;
        return;
    }
    // PUBREC, PUBREL and PUBCOMP share the time between reception and the end.
    const seconds third = (*delivery.ended - had) / 3;
    steps.push_back(inferred(had, to, broker, "PUBREC"));
    steps.back().arrived = had + third;
    steps.push_back(inferred(had + third, broker, to, "PUBREL"));
    steps.back().arrived = had + 2 * third;
    steps.push_back(arrow(had + 2 * third, delivery.ended, to, broker, "PUBCOMP"));
}

}  // namespace

std::vector<message_step> journey_steps(const publishing& way_in,
                                        const std::vector<delivery_row>& deliveries,
                                        const std::vector<std::vector<seconds>>& resends) {
    static const std::vector<seconds> none;
    std::vector<message_step> steps;
    add_way_in(steps, way_in);
    for (std::size_t i = 0; i < std::min(deliveries.size(), deliveries_shown); ++i) {
        add_delivery(steps, way_in.broker, deliveries[i], i < resends.size() ? resends[i] : none);
    }
    std::stable_sort(steps.begin(), steps.end(),
                     [](const message_step& a, const message_step& b) { return a.at < b.at; });
    return steps;
}

}  // namespace fleetarium::feed
