#include <fleetarium/dashboard/view_parts.hpp>

#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/plot_axis.hpp>

#include <algorithm>
#include <array>

namespace fleetarium::dashboard {

namespace {

struct event_look {
    std::string_view what;
    look looks;
};

constexpr std::array<event_look, 25> events{{
    {"connected", {hue::green, "●", "connected"}},
    {"refused", {hue::purple, "✕", "refused"}},
    {"disconnected", {hue::grey, "○", "disconnected"}},
    {"subscribed", {hue::blue, "+", "subscribed"}},
    {"unsubscribed", {hue::grey, "−", "unsubscribed"}},
    {"session_ended", {hue::grey, "■", "session ended"}},
    {"published", {hue::blue, "→", "published"}},
    {"copy", {hue::orange, "⇉", "came once more"}},
    {"routed", {hue::blue, "⇒", "routed"}},
    {"retained", {hue::yellow, "★", "retained"}},
    {"queued", {hue::orange, "■", "queued"}},
    {"sent", {hue::blue, "▷", "sent"}},
    {"resent", {hue::orange, "↻", "sent again"}},
    {"received", {hue::green, "✓", "received"}},
    {"acknowledged", {hue::purple, "↩", "acknowledged"}},
    {"completed", {hue::green, "✓", "completed"}},
    {"dropped", {hue::vermillion, "✕", "dropped"}},
    {"lost", {hue::vermillion, "✕", "lost"}},
    {"will", {hue::purple, "†", "will"}},
    {"fault", {hue::vermillion, "▲", "fault"}},
    {"healed", {hue::green, "△", "healed"}},
    {"violation", {hue::purple, "◆", "violation"}},
    {"annotation", {hue::blue, "¶", "annotation"}},
    {"command", {hue::blue, "»", "command"}},
    {"gap", {hue::grey, "…", "gap"}},
}};

int fit_text(ImGuiInputTextCallbackData* data) {
    if (data->EventFlag == ImGuiInputTextFlags_CallbackResize) {
        auto* const value = static_cast<std::string*>(data->UserData);
        value->resize(static_cast<std::size_t>(data->BufTextLen));
        data->Buf = value->data();
    }
    return 0;
}

}  // namespace

const look& look_of(feed::device_state state) {
    static constexpr std::array<look, 5> looks{{{hue::grey, "·", "never seen"},
                                                {hue::green, "●", "connected"},
                                                {hue::grey, "○", "offline"},
                                                {hue::purple, "✕", "refused"},
                                                {hue::vermillion, "▲", "faulted"}}};
    return looks[std::min<std::size_t>(static_cast<std::size_t>(state), looks.size() - 1)];
}

const look& look_of(feed::message_state state) {
    static constexpr std::array<look, 5> looks{{{hue::blue, "◐", "under way"},
                                                {hue::green, "✓", "complete"},
                                                {hue::grey, "○", "unheard"},
                                                {hue::vermillion, "✕", "dropped"},
                                                {hue::purple, "■", "refused"}}};
    return looks[std::min<std::size_t>(static_cast<std::size_t>(state), looks.size() - 1)];
}

look look_of_event(std::string_view what) {
    const auto found = std::find_if(events.begin(), events.end(),
                                    [&](const event_look& each) { return each.what == what; });
    return found == events.end() ? look{hue::grey, "?", "other"} : found->looks;
}

ImU32 ink_of(hue colour) { return colour == hue::grey ? colours().faint : colours().ink(colour); }

void text(std::string_view words) {
    ImGui::TextUnformatted(words.data(), words.data() + words.size());
}

void text_in(ImU32 colour, std::string_view words) {
    ImGui::PushStyleColor(ImGuiCol_Text, colour);
    text(words);
    ImGui::PopStyleColor();
}

void faint_text(std::string_view words) { text_in(colours().faint, words); }

void look_text(const look& of) {
    text_in(ink_of(of.colour), of.glyph);
    ImGui::SameLine(0, em(0.35F));
    text(of.words);
}

void text_right(std::string_view words, ImU32 colour) {
    const float wide = ImGui::CalcTextSize(words.data(), words.data() + words.size()).x;
    const float room = ImGui::GetContentRegionAvail().x;
    if (room > wide) {
        ImGui::SetCursorPosX(ImGui::GetCursorPosX() + room - wide);
    }
    text_in(colour, words);
}
void text_right(std::string_view words) { text_right(words, colours().text); }

bool edit_line(const char* id, const char* hint, std::string& value, float width,
               bool takes_focus) {
    ImGui::SetNextItemWidth(width);
    if (takes_focus && view_key(chord('/'))) {
        ImGui::SetKeyboardFocusHere();
        // The '/' itself is not part of the text.
        ImGui::GetIO().InputQueueCharacters.resize(0);
    }
    const bool changed = ImGui::InputTextWithHint(
        ("##" + std::string(id)).c_str(), hint, value.data(), value.capacity() + 1,
        ImGuiInputTextFlags_CallbackResize, fit_text, &value);
    name_item(id);
    return changed;
}

bool choose(const char* id, std::size_t& chosen, const std::vector<std::string>& items,
            float width) {
    bool changed = false;
    // Narrower rather than cut at the edge.
    ImGui::SetNextItemWidth(
        std::clamp(ImGui::GetContentRegionAvail().x, std::min(em(4), width), width));
    const char* const shown = chosen < items.size() ? items[chosen].c_str() : "";
    if (ImGui::BeginCombo(("##" + std::string(id)).c_str(), shown)) {
        for (std::size_t i = 0; i < items.size(); ++i) {
            ImGui::PushID(static_cast<int>(i));
            if (ImGui::Selectable(items[i].c_str(), i == chosen)) {
                changed = i != chosen;
                chosen = i;
            }
            name_item(std::string(id) + "." + std::to_string(i));
            ImGui::PopID();
        }
        ImGui::EndCombo();
    }
    name_item(id);
    return changed;
}

bool view_key(const chord& keys, bool repeats) {
    return !ImGui::GetIO().WantTextInput &&
           !ImGui::IsPopupOpen("", ImGuiPopupFlags_AnyPopupId | ImGuiPopupFlags_AnyPopupLevel) &&
           is_pressed(keys, repeats);
}

bool move_row(std::ptrdiff_t& row, std::ptrdiff_t count, std::ptrdiff_t page) {
    if (count <= 0) {
        return false;
    }
    std::ptrdiff_t to = row;
    to += view_key(key::down, true) ? 1 : 0;
    to -= view_key(key::up, true) ? 1 : 0;
    to += view_key(key::page_down, true) ? page : 0;
    to -= view_key(key::page_up, true) ? page : 0;
    if (to == row) {
        return false;
    }
    row = std::clamp<std::ptrdiff_t>(to, 0, count - 1);
    return true;
}

void keep_in_sight(float y, float row_height, float room) {
    if (y < ImGui::GetScrollY()) {
        ImGui::SetScrollY(y);
    } else if (y + row_height > ImGui::GetScrollY() + room) {
        ImGui::SetScrollY(y + row_height - room);
    }
}

double again_every(const viewer_context& in, double seconds) {
    return in.shows_present() && in.is_live() ? seconds : 0;
}

void trouble_or_wait(const std::string& error) {
    if (error.empty()) {
        faint_text("waiting for the answer…");
    } else {
        text_in(colours().ink(hue::orange), "⚠");
        ImGui::SameLine();
        ImGui::PushTextWrapPos(0);
        text(error);
        ImGui::PopTextWrapPos();
    }
}

float foot_height() { return ImGui::GetTextLineHeightWithSpacing(); }

void foot(std::string_view words) { faint_text(words); }

std::string at_words(double seconds) { return plot::time_words(seconds, 0.001); }

}  // namespace fleetarium::dashboard
