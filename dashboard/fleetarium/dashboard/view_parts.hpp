#pragma once

#include <fleetarium/dashboard/theme.hpp>
#include <fleetarium/dashboard/viewer.hpp>
#include <fleetarium/feed/feed_types.hpp>

#include <imgui.h>

#include <string>
#include <string_view>

// What several panels draw the same way.

namespace fleetarium::dashboard {

/// How a state or an event is told: never by colour alone.
struct look {
    hue colour = hue::grey;
    const char* glyph = "";
    const char* words = "";
};

const look& look_of(feed::device_state state);
const look& look_of(feed::message_state state);
/// Of event_row::what; a name that is not known has a glyph, too.
look look_of_event(std::string_view what);

/// Ink of a hue; grey is that of faint text, which is legible on selected rows.
ImU32 ink_of(hue colour);

void text(std::string_view words);
void text_in(ImU32 colour, std::string_view words);
void faint_text(std::string_view words);
/// "● connected" in the colours of the state.
void look_text(const look& of);
/// At the right end of the column or of the room that is left.
void text_right(std::string_view words, ImU32 colour);
void text_right(std::string_view words);

/// A field for one line of text. True when it has changed. / moves the keyboard to the field that
/// is drawn with `takes_focus`.
bool edit_line(const char* id, const char* hint, std::string& value, float width,
               bool takes_focus = false);

/// A drop-down list. True when another item was chosen.
bool choose(const char* id, std::size_t& chosen, const std::vector<std::string>& items,
            float width);

/// A key of a view: not while a text is typed or something lies over the view.
bool view_key(const chord& keys, bool repeats = false);

/// Moves a chosen row by ↑, ↓, PageUp and PageDown. True when it has moved.
bool move_row(std::ptrdiff_t& row, std::ptrdiff_t count, std::ptrdiff_t page);

/// Scrolls the table that is being drawn so that a row at `y` is in its room.
void keep_in_sight(float y, float row_height, float room);

/// How often a question is asked again: now and then while the present is shown, else never.
double again_every(const viewer_context& in, double seconds);

/// Why there is no answer, or that it is on its way. In one line.
void trouble_or_wait(const std::string& error);

/// The line of keys at the end of a view; height of it by `foot_height`.
void foot(std::string_view words);
float foot_height();

/// An instant as all panels write it: milliseconds.
std::string at_words(double seconds);

}  // namespace fleetarium::dashboard
