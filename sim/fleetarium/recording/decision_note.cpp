#include <fleetarium/recording/decision_note.hpp>

#include <cstring>

namespace fleetarium::recording {

bool note_decision(const broker::broker_event& decision, traffic_note& note,
                   std::string_view& text) {
    using event = broker::broker_event::kind;
    using kind = traffic_note::kind;
    note.session = decision.session;
    note.qos = static_cast<std::uint8_t>(decision.qos);
    note.code = static_cast<std::uint8_t>(decision.code);
    note.why = static_cast<std::uint8_t>(decision.why);
    note.flag = decision.flag;
    note.known = decision.known;
    switch (decision.what) {
        case event::received: return false;  // the note of the message has told of it
        case event::repeated:
            note.what = kind::repeated;
            note.extra = decision.count;
            break;
        case event::connected:
        case event::refused:
        case event::disconnected:
            note.what = decision.what == event::connected ? kind::connected
                        : decision.what == event::refused ? kind::refused
                                                          : kind::disconnected;
            note.why = static_cast<std::uint8_t>(decision.broken);
            // What did not come as far as a client id has told no version that could be read.
            note.extra = decision.client_id.empty() ? 0 : decision.count;
            break;
        case event::session_ended: note.what = kind::session_ended; break;
        case event::subscribed:
        case event::unsubscribed:
            note.what = decision.what == event::subscribed ? kind::subscribed : kind::unsubscribed;
            text = decision.topic;
            break;
        case event::routed:
            note.what = kind::routed;
            note.extra = decision.count;
            break;
        case event::retained: note.what = kind::retained; break;
        case event::retained_removed:
            note.what = kind::retained_removed;
            text = decision.topic;
            break;
        case event::will_published: note.what = kind::will_published; break;
        case event::queued: note.what = kind::queued; break;
        case event::sent: note.what = kind::sent; break;
        case event::acknowledged: note.what = kind::acknowledged; break;
        case event::dropped:
            note.what = kind::dropped;
            if (decision.identity.number == 0) {
                text = decision.topic;
            }
            break;
    }
    return true;
}

void add_message(recording_writer& to, traffic_note note, const publish& message,
                 std::string_view properties) {
    note.qos = static_cast<std::uint8_t>(message.qos);
    note.flag = message.retain;
    note.topic_size = static_cast<std::uint16_t>(message.topic.size());
    note.properties_size = static_cast<std::uint32_t>(properties.size());
    note.size = static_cast<std::uint32_t>(message.topic.size() + properties.size() +
                                           message.payload.size());
    char* at = to.add(note);
    const auto put = [&at](const void* from, std::size_t size) {
        if (size != 0) {
            std::memcpy(at, from, size);
            at += size;
        }
    };
    put(message.topic.data(), message.topic.size());
    put(properties.data(), properties.size());
    put(message.payload.data(), message.payload.size());
}

}  // namespace fleetarium::recording
