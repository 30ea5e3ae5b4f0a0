#pragma once

#include <fleetarium/recording/database.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// Where two recordings part: their rows are read side by side, a row of each at a time, so that
/// their size does not matter.
namespace fleetarium::recording {

/// A value of one of the two rows, for people and for programs.
struct compared_value {
    std::string text{};                     ///< "12.003 s", "sensors[17]", "\"on\""; "-" is NULL
    std::optional<std::int64_t> integer{};  ///< where the column has a plain number, or an instant
    bool is_null = true;
};

struct compared_column {
    std::string name{};
    compared_value first{};
    compared_value second{};
    bool differs = false;
};

/// The first thing that happened in one recording and not, or otherwise, in the other.
struct row_difference {
    std::string table{};
    std::int64_t row = 0;  ///< its primary key
    std::int64_t at = 0;   ///< nanoseconds
    bool in_first = true;
    bool in_second = true;
    std::vector<compared_column> columns{};
};

struct table_counts {
    std::string table{};
    std::int64_t first = 0;
    std::int64_t second = 0;
};

struct recording_difference {
    std::optional<row_difference> row{};  ///< none: what both have is equal
    std::vector<table_counts> counts{};   ///< of tables with different numbers of rows
    bool interrupted = false;
};

struct difference_options {
    /// Leaves out what is not of the run itself: remarks, and the trace hash on the way.
    bool only_events = false;
    /// Is called now and then; false: stop.
    std::function<bool()> watch{};
};

/// Compares all that both recordings can know: rows that one of them gave up for space, or could
/// not write any more because it was cut short, are no difference. Streaming: memory does not
/// depend on the number of rows. Throws recording_error.
recording_difference compare_rows(database& first, database& second,
                                  const difference_options& options = {});

}  // namespace fleetarium::recording
