#pragma once

#include <fleetarium/recording/export_selection.hpp>
#include <fleetarium/recording/recording_reader.hpp>

#include <cstdint>
#include <iosfwd>

namespace fleetarium::recording {

/// What an export as text has written.
struct text_sums {
    std::uint64_t messages = 0;
    std::uint64_t deliveries = 0;
    std::uint64_t rows = 0;  ///< lines, without a header
};

/// Writes deliveries with their messages as comma-separated values (RFC 4180, UTF-8, lines that
/// end with CR LF, a header): what spreadsheets and pandas read. A message without deliveries has a
/// row of its own. See sim/recording.md for the columns.
///
/// Of a selection: messages that a broker had in [from, until), with all their deliveries; of the
/// wanted topics; to or from the wanted clients.
/// Memory: names. Throws recording_error; errors of the stream are the caller's.
text_sums export_csv(recording_reader& from, const export_selection& selection, std::ostream& to);

}  // namespace fleetarium::recording
