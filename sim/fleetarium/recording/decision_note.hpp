#pragma once

#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/codec/packets.hpp>
#include <fleetarium/recording/recording_writer.hpp>
#include <fleetarium/recording/traffic_note.hpp>

#include <string_view>

namespace fleetarium::recording {

/// A broker's decision as a note, and the text that goes behind it. Whose it is, when it was and
/// the message's number are the caller's to set. False: nothing is noted of it.
bool note_decision(const broker::broker_event& decision, traffic_note& note,
                   std::string_view& text);

/// Adds a note of a message, of which the caller has set who, when and what number it has.
void add_message(recording_writer& to, traffic_note note, const publish& message,
                 std::string_view properties);

}  // namespace fleetarium::recording
