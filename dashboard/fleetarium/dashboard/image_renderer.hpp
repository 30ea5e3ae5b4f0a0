#pragma once

#include <fleetarium/dashboard/image.hpp>

#include <imgui.h>

#include <cstdint>

namespace fleetarium::dashboard {

/// Draws what Dear ImGui made of a frame into `into`, upon `background`, without a display or a
/// GPU. All arithmetic after the rounding of vertices to 1/256 pixel is in integers, so the picture
/// is the same to the bit whatever the compiler. `into` gets the size of the frame.
///
/// Knows one texture, the atlas of fonts, of the current context. Throws std::logic_error: a
/// command uses another.
void render(const ImDrawData& frame, std::uint32_t background, image& into);

}  // namespace fleetarium::dashboard
