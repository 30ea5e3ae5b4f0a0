#pragma once

#include <fleetarium/feed/feed_types.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// A message's journey as a sequence diagram: who takes part, and at which height each step is.
// Heights are in lines, not in time: what is far apart in time is compressed, and marked. Nothing
// here draws.

namespace fleetarium::dashboard {

/// How an arrow is drawn.
enum class arrow_look : std::uint8_t {
    seen,
    inferred,  ///< thin and grey
    again,     ///< dashed: with DUP
    lost,      ///< ends in a ✕
};

struct sequence_line {
    enum class kind : std::uint8_t { arrow, note, gap };
    kind what = kind::arrow;
    double y = 0;          ///< in lines
    double y_end = 0;      ///< where an arrow arrives
    std::size_t from = 0;  ///< column
    std::size_t to = 0;
    arrow_look look = arrow_look::seen;
    std::string words{};                    ///< "PUBLISH", the note, or "14.3 s later"
    std::string time{};                     ///< of the beginning
    std::string took{};                     ///< from the beginning to the arrival; empty: not known
    std::optional<std::size_t> delivery{};  ///< row of the deliveries table it belongs to
    bool is_bad = false;                    ///< a loss
};

struct sequence {
    std::vector<std::string> columns{};   ///< publisher, brokers, receivers
    std::size_t brokers_from = 0;         ///< column of the first broker
    std::size_t receivers_from = 0;       ///< columns from here on are receivers
    std::vector<sequence_line> lines{};   ///< from top to bottom
    double height = 0;                    ///< in lines
    std::size_t deliveries_left_out = 0;  ///< of which there are no steps
};

/// Columns in the order publisher, broker, receivers in the order of the deliveries. A publisher
/// that is a receiver too has two columns: the journey goes from left to right.
sequence lay_out_sequence(const feed::message_answer& of);

}  // namespace fleetarium::dashboard
