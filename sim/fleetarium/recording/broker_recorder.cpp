#include <fleetarium/recording/broker_recorder.hpp>

#include <fleetarium/recording/decision_note.hpp>
#include <fleetarium/recording/world_recorder.hpp>

#include <algorithm>
#include <utility>

namespace fleetarium::recording {

namespace {

static_assert(broker::client_numbers::nobody == traffic_note::nobody);

using kind = traffic_note::kind;
using broker::broker_event;

recording_options of_broker(recording_options options) {
    options.kind = "broker";
    return options;
}

}  // namespace

broker_recorder::broker_recorder(recording_options options, instant begin)
    : writer_(of_broker(std::move(options))), begin_(begin) {
    writer_.add(note_of(kind::broker, begin), "broker");
}

void broker_recorder::flush() {
    const std::lock_guard lock(mutex_);
    writer_.flush();
}

std::string broker_recorder::error() const { return writer_.error(); }

recording_writer::sums broker_recorder::finish(instant at) {
    const std::lock_guard lock(mutex_);
    newest_ = std::max(newest_, (at - begin_).count());
    return writer_.finish({.ended_at = instant{duration{newest_}}});
}

traffic_note broker_recorder::note_of(kind what, instant at) {
    newest_ = std::max(newest_, (at - begin_).count());
    traffic_note out;
    out.what = what;
    out.at = newest_;
    return out;
}

message_identity broker_recorder::identify(broker::connection_id publisher,
                                           std::uint64_t next_number, const publish& message,
                                           instant now) {
    const std::lock_guard lock(mutex_);
    properties_.clear();
    write_properties(message, properties_);
    traffic_note note = note_of(kind::message, now);
    note.number = next_number;
    note.extra = traffic_note::not_known;
    note.client = numbers_.of(publisher);
    if (message.qos == qos::exactly_once && publisher != broker::no_connection) {
        note.session = message.packet_id;
    }
    add_message(writer_, note, message, properties_);
    return {next_number, now};
}

void broker_recorder::on_event(const broker_event& event) {
    const std::lock_guard lock(mutex_);
    if (event.what == broker_event::kind::connected || event.what == broker_event::kind::refused) {
        know_client(event);
    }
    traffic_note note = note_of(kind::message, event.at);
    std::string_view text;
    if (!note_decision(event, note, text)) {
        return;
    }
    note.client = numbers_.of(event);
    note.number = event.identity.number;
    writer_.add(note, text);
    if (event.what == broker_event::kind::session_ended) {
        numbers_.forget_session(event.session);
    }
}

void broker_recorder::know_client(const broker_event& event) {
    if (event.client_id.empty()) {
        numbers_.meet(event, traffic_note::nobody);
        return;
    }
    const auto [place, added] = clients_.try_emplace(std::string(event.client_id),
                                                     static_cast<std::uint32_t>(clients_.size()));
    if (added) {
        traffic_note note = note_of(kind::client, event.at);
        note.client = place->second;
        note.topic_size = static_cast<std::uint16_t>(event.client_id.size());
        writer_.add(note, place->first + place->first);  // no other name is known
    }
    numbers_.meet(event, place->second);
}

}  // namespace fleetarium::recording
