#pragma once

#include <fleetarium/recording/export_selection.hpp>
#include <fleetarium/recording/recording_csv.hpp>
#include <fleetarium/recording/recording_reader.hpp>

#include <iosfwd>

namespace fleetarium::recording {

/// Writes what happened as JSON lines, an object each, in the order of time: connections with their
/// ends, subscriptions, messages, deliveries (at the instant at which they were made), faults,
/// violations and annotations. See sim/recording.md for the members.
///
/// Of a selection: what happened in [from, until); messages of the wanted topics, and their
/// deliveries; what the wanted clients did or had, and what is nobody's.
/// Memory: names, and 24 bytes a delivery of a retained message that is yet to be made, or an open
/// connection, up to 32 MiB. Throws recording_error; errors of the stream are the caller's.
text_sums export_json_lines(recording_reader& from, const export_selection& selection,
                            std::ostream& to);

}  // namespace fleetarium::recording
