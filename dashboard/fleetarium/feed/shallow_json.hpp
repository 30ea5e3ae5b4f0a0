#pragma once

#include <fleetarium/feed/question_table.hpp>

#include <nlohmann/json_fwd.hpp>

#include <string_view>

namespace fleetarium::feed {

/// What the other side of a feed sent. Discarded if it is none, or nested deeper than 32: that
/// would be read, copied and written by recursion, and take more stack than there is.
nlohmann::json read_shallow(std::string_view bytes, answer_form form);

}  // namespace fleetarium::feed
