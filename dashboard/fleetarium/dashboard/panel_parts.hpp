#pragma once

#include <fleetarium/dashboard/theme.hpp>

#include <imgui.h>

#include <string>
#include <string_view>

// Small things that several views and bars are made of.

namespace fleetarium::dashboard {

void coloured(ImU32 colour, std::string_view words);
/// A line of less weight.
void faint(std::string_view words);

/// A button; one that cannot be pressed is grey and says why under the pointer. An empty `why_not`:
/// it can. `hint` is what it does, with its key.
bool button(const char* label, std::string_view name, std::string_view why_not = {},
            std::string_view hint = {});

/// What a view says where it has nothing to show: in its middle.
void nothing_to_show(std::string_view words);

/// A number with a title, in a frame of its own; `below` is a line of less weight.
struct tile {
    std::string_view title{};
    std::string value{};
    std::string below{};
    ImU32 colour = 0;  ///< of the value; 0: as text
};

/// Tiles beside each other, as wide as there is room, in as many rows as they need.
void tiles(const char* id, const tile* begin, std::size_t count);

}  // namespace fleetarium::dashboard
