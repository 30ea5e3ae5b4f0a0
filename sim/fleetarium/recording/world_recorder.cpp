#include <fleetarium/recording/world_recorder.hpp>

#include <fleetarium/recording/decision_note.hpp>

#include <nlohmann/json.hpp>

namespace fleetarium::recording {

namespace {

using kind = traffic_note::kind;

std::int64_t nanoseconds(instant at) { return at.time_since_epoch().count(); }

traffic_note note_of(kind what, instant at) {
    traffic_note out;
    out.what = what;
    out.at = nanoseconds(at);
    return out;
}

}  // namespace

world_recorder::world_recorder(sim::world& of, const recording_options& options)
    : world_(of), writer_(options) {
    std::uint16_t count = 0;
    world_.for_each_broker([&](sim::virtual_broker& each) {
        traffic_note note = note_of(kind::broker, world_.now());
        note.broker = count++;
        writer_.add(note, each.name());
    });
    world_.observe(*this);
}

world_recorder::~world_recorder() { world_.stop_observing(*this); }

void world_recorder::annotate(std::string_view text) {
    writer_.add(note_of(kind::annotation, world_.now()), text);
}

void world_recorder::add_intervention(std::string_view what, std::string_view json) {
    traffic_note note = note_of(kind::intervention, world_.now());
    note.topic_size = static_cast<std::uint16_t>(what.size());
    writer_.add(note, std::string(what) + std::string(json));
}

void world_recorder::checkpoint() {
    traffic_note note = note_of(kind::checkpoint, world_.now());
    note.number = world_.trace_hash();
    note.extra = static_cast<std::int64_t>(world_.events_handled());
    writer_.add(note);
}

recording_writer::sums world_recorder::finish(const sim::run_report& report,
                                              const std::string& report_json, last_instant end) {
    world_.stop_observing(*this);
    for (const sim::ledger_violation& each : report.ledger.violations) {
        traffic_note note = note_of(kind::violation, each.at);
        const std::string_view rule = name_of(each.broken);
        note.topic_size = static_cast<std::uint16_t>(rule.size());
        writer_.add(note, std::string(rule) + to_string(each));
    }
    return writer_.finish({.ended_at = world_.now(),
                           .ended_within = end == last_instant::broken_off,
                           .events = report.events,
                           .trace_hash = report.trace_hash_text,
                           .report = report_json});
}

void world_recorder::tell_client(std::uint32_t client, std::string_view client_id, instant now) {
    if (client < told_.size() && told_[client]) {
        return;
    }
    if (client >= told_.size()) {
        told_.resize(client + std::size_t{1});
    }
    told_[client] = true;
    traffic_note note = note_of(kind::client, now);
    note.client = client;
    note.tells = world_.tells_what_it_receives(client);
    note.topic_size = static_cast<std::uint16_t>(client_id.size());
    writer_.add(note, std::string(client_id) + world_.host_name(client));
}

void world_recorder::on_message(std::uint32_t broker, std::uint32_t publisher,
                                const publish& message, const message_identity& identity,
                                instant now) {
    properties_.clear();
    write_properties(message, properties_);
    traffic_note note = note_of(kind::message, now);
    note.number = base_number(identity.number);
    note.extra = nanoseconds(identity.published_at);
    note.client = publisher;
    note.broker = static_cast<std::uint16_t>(broker);
    note.copy = is_copy(identity.number);
    add_message(writer_, note, message, properties_);
}

void world_recorder::on_decision(std::uint32_t broker, std::uint32_t client,
                                 const broker::broker_event& decision) {
    using event = broker::broker_event::kind;
    if (decision.what == event::connected || decision.what == event::refused) {
        tell_client(client, decision.client_id, decision.at);
    }
    traffic_note note = note_of(kind::message, decision.at);
    std::string_view text;
    if (!note_decision(decision, note, text)) {
        return;
    }
    note.client = client;
    note.broker = static_cast<std::uint16_t>(broker);
    note.number = base_number(decision.identity.number);
    writer_.add(note, text);
}

void world_recorder::on_received(std::uint32_t client, const message_identity& message,
                                 bool repeated, instant now) {
    traffic_note note = note_of(kind::received, now);
    note.client = client;
    note.number = base_number(message.number);
    note.flag = repeated;
    writer_.add(note);
}

void world_recorder::on_acknowledged(std::uint32_t publisher, std::uint64_t number, instant now) {
    traffic_note note = note_of(kind::complete, now);
    note.client = publisher;
    note.number = base_number(number);
    writer_.add(note);
}

void world_recorder::on_lost(std::uint32_t client, std::uint64_t number, instant now) {
    traffic_note note = note_of(kind::lost, now);
    note.client = client;
    note.number = base_number(number);
    writer_.add(note);
}

void world_recorder::on_fault(std::uint32_t which, bool ends, instant now) {
    traffic_note note = note_of(kind::fault, now);
    note.extra = which;
    note.flag = ends;
    writer_.add(note);
}

void write_properties(const publish& message, std::string& out) {
    if (!message.payload_format_indicator && !message.message_expiry_interval &&
        !message.content_type && !message.response_topic && !message.correlation_data &&
        message.user_properties.empty()) {
        return;
    }
    nlohmann::ordered_json made;
    if (message.payload_format_indicator) {
        made["payload_format_indicator"] = *message.payload_format_indicator;
    }
    if (message.message_expiry_interval) {
        made["message_expiry_interval"] = *message.message_expiry_interval;
    }
    if (message.content_type) {
        made["content_type"] = *message.content_type;
    }
    if (message.response_topic) {
        made["response_topic"] = *message.response_topic;
    }
    if (message.correlation_data) {
        constexpr std::string_view digits = "0123456789abcdef";
        std::string hex;
        for (const std::uint8_t each : *message.correlation_data) {
            hex += digits[each >> 4];
            hex += digits[each & 15];
        }
        made["correlation_data"] = hex;
    }
    message.user_properties.for_each([&](const user_property& each) {
        made["user_properties"].push_back({each.first, each.second});
    });
    out = made.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace fleetarium::recording
