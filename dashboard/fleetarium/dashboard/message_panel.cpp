#include <fleetarium/dashboard/message_panel.hpp>

#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/plot_axis.hpp>
#include <fleetarium/dashboard/view_parts.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace fleetarium::dashboard {

namespace {

constexpr float column_ems = 11;
constexpr float margin_ems = 6.5F;  ///< left of the first column: the times
constexpr double asked_every = 0.5;

void dashed(ImDrawList& list, ImVec2 from, ImVec2 to, ImU32 colour, float thick) {
    const float length = std::hypot(to.x - from.x, to.y - from.y);
    const float step = em(0.5F);
    for (float at = 0; at < length; at += step) {
        const float end = std::min(at + step * 0.6F, length);
        list.AddLine(
            {from.x + (to.x - from.x) * at / length, from.y + (to.y - from.y) * at / length},
            {from.x + (to.x - from.x) * end / length, from.y + (to.y - from.y) * end / length},
            colour, thick);
    }
}

void head_of_arrow(ImDrawList& list, ImVec2 from, ImVec2 to, ImU32 colour) {
    const float length = std::max(1.0F, std::hypot(to.x - from.x, to.y - from.y));
    const ImVec2 along((to.x - from.x) / length * em(0.55F), (to.y - from.y) / length * em(0.55F));
    list.AddTriangleFilled(to, {to.x - along.x - along.y * 0.5F, to.y - along.y + along.x * 0.5F},
                           {to.x - along.x + along.y * 0.5F, to.y - along.y - along.x * 0.5F},
                           colour);
}

std::string optional_time(const std::optional<feed::seconds>& at) {
    return at ? at_words(*at) : std::string("–");
}

look look_of_delivery(const std::string& state) {
    if (state == "delivered" || state == "acknowledged" || state == "complete") {
        return {hue::green, "✓", ""};
    }
    if (state == "dropped" || state == "lost") {
        return {hue::vermillion, "✕", ""};
    }
    return state == "queued" ? look{hue::orange, "■", ""} : look{hue::blue, "◐", ""};
}

}  // namespace

view message_panel::described() const {
    return {"message", "Message", "one message to its last acknowledgement", '8', {}};
}

void message_panel::draw(viewer_context& in) {
    if (!in.state.message) {
        faint_text("No message is chosen. Choose one in the list of messages, or at a device.");
        if (ImGui::Button("Messages")) {
            in.show("messages");
        }
        return;
    }
    message_.ask(in.link, {.message = *in.state.message}, in.now, again_every(in, asked_every));
    const feed::message_answer* const answer = message_.answer();
    if (answer == nullptr || !message_.error().empty() ||
        answer->message.message != *in.state.message) {
        text("Message " + std::to_string(*in.state.message));
        trouble_or_wait(message_.error());
        return;
    }
    if (laid_out_version_ != message_.version()) {
        laid_out_version_ = message_.version();
        sequence_ = lay_out_sequence(*answer);
    }
    lit_ = lit_next_;
    lit_next_.reset();
    draw_head(in, *answer);
    const ImVec2 room = ImGui::GetContentRegionAvail();
    const float left = std::floor(room.x * 0.64F);
    const float table = std::floor(std::clamp(
        static_cast<float>(answer->deliveries.size() + 2) * ImGui::GetTextLineHeightWithSpacing(),
        em(7), room.y * 0.35F));
    ImGui::BeginChild("journey", ImVec2(left, room.y));
    ImGui::BeginChild("diagram", ImVec2(0, room.y - table - ImGui::GetStyle().ItemSpacing.y), true,
                      ImGuiWindowFlags_HorizontalScrollbar);
    draw_diagram();
    ImGui::EndChild();
    draw_deliveries(in, *answer);
    ImGui::EndChild();
    ImGui::SameLine();
    ImGui::BeginChild("content", ImVec2(0, room.y));
    draw_properties(*answer);
    payload_.draw("payload", answer->message.message, answer->message.topic, answer->payload,
                  answer->payload_before ? &*answer->payload_before : nullptr);
    ImGui::EndChild();
}

void message_panel::draw_head(viewer_context& in, const feed::message_answer& of) const {
    const feed::message_row& row = of.message;
    look_text(look_of(row.state));
    if (!row.reason.empty()) {
        ImGui::SameLine(0, em(0.4F));
        faint_text(row.reason);
    }
    ImGui::SameLine(0, em(1.2F));
    text("message " + std::to_string(row.message));
    ImGui::SameLine(0, em(1.2F));
    text("QoS " + std::to_string(static_cast<unsigned>(row.qos)));
    if (row.retain) {
        ImGui::SameLine(0, em(1.2F));
        text_in(colours().ink(role::retained), glyph_of(role::retained));
        ImGui::SameLine(0, em(0.3F));
        text("retained");
    }
    ImGui::SameLine(0, em(1.2F));
    faint_text("at " + at_words(row.at));
    ImGui::SameLine(0, em(1.2F));
    text(row.topic);
    if (!row.publisher.empty()) {
        ImGui::SameLine(0, em(1.2F));
        if (ImGui::SmallButton(row.publisher.c_str())) {
            in.open_device(row.publisher);
        }
        name_item("message.publisher");
    }
}

float message_panel::x_of(std::size_t column) const {
    return em(margin_ems) + (static_cast<float>(column) + 0.5F) * column_width_;
}

void message_panel::draw_diagram() {
    const auto columns = static_cast<float>(std::max<std::size_t>(1, sequence_.columns.size()));
    column_width_ =
        std::floor(std::clamp((ImGui::GetContentRegionAvail().x - em(margin_ems)) / columns,
                              em(column_ems * 0.75F), em(column_ems * 1.4F)));
    const float width = em(margin_ems) + column_width_ * columns;
    const float line = ImGui::GetTextLineHeight();
    const float head = 1.6F * line;
    const float height = head + static_cast<float>(sequence_.height) * line;
    const ImVec2 origin = ImGui::GetCursorScreenPos();
    const float words = sequence_.deliveries_left_out != 0 ? 1.5F * line : 0;
    ImGui::Dummy({width, height + words});
    const ImVec2 below(origin.x, origin.y + head);
    draw_columns(origin, width, height);
    // Words lie above all lines.
    ImGui::GetWindowDrawList()->ChannelsSplit(2);
    for (const sequence_line& each : sequence_.lines) {
        draw_line(each, below);
    }
    ImGui::GetWindowDrawList()->ChannelsMerge();
    if (sequence_.deliveries_left_out != 0) {
        const std::string more =
            "and " + plot::count_words(static_cast<double>(sequence_.deliveries_left_out)) +
            " more deliveries, which are not drawn";
        ImGui::GetWindowDrawList()->AddText({origin.x, origin.y + height}, colours().faint,
                                            more.c_str());
    }
    // Names stay in sight while the journey scrolls.
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const float top = ImGui::GetWindowPos().y + ImGui::GetStyle().WindowPadding.y;
    const float y = std::max(origin.y, top);
    list.AddRectFilled({origin.x, ImGui::GetWindowPos().y + 1}, {origin.x + width, y + 1.3F * line},
                       colours().window);
    for (std::size_t i = 0; i < sequence_.columns.size(); ++i) {
        const std::string& name = sequence_.columns[i];
        const float x = origin.x + x_of(i);
        const float half = column_width_ / 2 - em(0.3F);
        const float wide = std::min(ImGui::CalcTextSize(name.c_str()).x, 2 * half);
        list.PushClipRect({x - half, y - line}, {x + half, y + 2 * line}, true);
        list.AddText({std::floor(x - wide / 2), y}, colours().text, name.c_str());
        list.PopClipRect();
    }
}

void message_panel::draw_columns(ImVec2 origin, float width, float height) const {
    ImDrawList& list = *ImGui::GetWindowDrawList();
    name_area("message.diagram", origin, {origin.x + width, origin.y + height});
    for (std::size_t i = 0; i < sequence_.columns.size(); ++i) {
        const float x = std::floor(origin.x + x_of(i)) + 0.5F;
        const bool is_broker = i >= sequence_.brokers_from && i < sequence_.receivers_from;
        list.AddLine({x, origin.y}, {x, origin.y + height}, colours().line,
                     is_broker ? std::max(2.0F, em(0.15F)) : std::max(1.0F, em(0.07F)));
    }
}

void message_panel::draw_line(const sequence_line& line, ImVec2 origin) {
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const float high = ImGui::GetTextLineHeight();
    const float y = origin.y + static_cast<float>(line.y) * high;
    if (line.what == sequence_line::kind::gap) {
        const float left = origin.x + x_of(0) - em(1);
        const float right = origin.x + x_of(sequence_.columns.size() - 1) + em(1);
        dashed(list, {left, std::floor(y) + 0.5F}, {right, std::floor(y) + 0.5F}, colours().faint,
               std::max(1.0F, em(0.07F)));
        const std::string words = "⋮ " + line.words;
        list.AddText({origin.x, std::floor(y - high / 2)}, colours().ink(hue::orange),
                     words.c_str());
        return;
    }
    list.AddText({origin.x, std::floor(y - high / 2)}, colours().faint, line.time.c_str());
    if (line.what == sequence_line::kind::note) {
        draw_note(line, origin);
    } else {
        draw_arrow(line, origin);
    }
}

void message_panel::draw_note(const sequence_line& line, ImVec2 origin) {
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const float high = ImGui::GetTextLineHeight();
    const float x = origin.x + x_of(line.from);
    const float y = std::floor(origin.y + static_cast<float>(line.y) * high);
    const std::string words = (line.is_bad ? "✕ " : "") + line.words;
    const ImVec2 size = ImGui::CalcTextSize(words.c_str());
    const ImVec2 from(std::floor(x + em(0.6F)), y - high * 0.6F);
    const ImVec2 to(from.x + size.x + em(0.8F), y + high * 0.6F);
    const bool is_lit = line.delivery && lit_ == line.delivery;
    list.AddRectFilled(from, to, is_lit ? colours().selected : colours().panel, em(0.25F));
    list.AddRect(from, to, line.is_bad ? colours().ink(role::dropped) : colours().line, em(0.25F));
    list.AddCircleFilled({x, y}, em(0.25F),
                         line.is_bad ? colours().ink(role::dropped) : colours().faint);
    list.AddText({from.x + em(0.4F), std::floor(y - high / 2)}, colours().text, words.c_str());
    if (line.delivery && ImGui::IsWindowHovered() && ImGui::IsMouseHoveringRect(from, to)) {
        lit_next_ = line.delivery;
    }
}

void message_panel::draw_arrow(const sequence_line& line, ImVec2 origin) {
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const palette& from_theme = colours();
    const float high = ImGui::GetTextLineHeight();
    const ImVec2 from(origin.x + x_of(line.from), origin.y + static_cast<float>(line.y) * high);
    ImVec2 to(origin.x + x_of(line.to), origin.y + static_cast<float>(line.y_end) * high);
    const bool is_lit = line.delivery && lit_ == line.delivery;
    ImU32 ink = from_theme.ink(hue::blue);
    switch (line.look) {
        case arrow_look::lost: ink = from_theme.ink(role::dropped); break;
        case arrow_look::again: ink = from_theme.ink(hue::orange); break;
        case arrow_look::inferred: ink = from_theme.faint; break;
        default: break;
    }
    const bool is_lost = line.look == arrow_look::lost;
    if (is_lost) {
        to = {from.x + (to.x - from.x) * 0.75F, from.y + (to.y - from.y) * 0.75F};
    }
    const float thin = std::max(1.0F, em(line.look == arrow_look::inferred ? 0.07F : 0.13F));
    const float thick = is_lit ? thin * 2 : thin;
    const std::string words =
        line.words + (line.took.empty() ? "" : "  " + line.took) + (is_lost ? "  lost" : "");
    const ImVec2 size = ImGui::CalcTextSize(words.c_str());
    // The words stand above the middle: where an arrow ends, the next one begins.
    const ImVec2 words_at(std::floor((from.x + to.x - size.x) / 2),
                          std::floor((from.y + to.y) / 2 - high * 1.05F));
    list.ChannelsSetCurrent(1);
    list.AddRectFilled(
        {words_at.x - em(0.2F), words_at.y}, {words_at.x + size.x + em(0.2F), words_at.y + high},
        is_lit ? from_theme.selected : with_opacity(from_theme.window, 0.8F), em(0.2F));
    list.AddText(words_at, line.look == arrow_look::inferred ? from_theme.faint : from_theme.text,
                 words.c_str());
    list.ChannelsSetCurrent(0);
    if (line.look == arrow_look::again || (is_lost && line.words.ends_with("DUP"))) {
        dashed(list, from, to, ink, thick);
    } else {
        list.AddLine(from, to, ink, thick);
    }
    if (is_lost) {
        const ImVec2 cross = ImGui::CalcTextSize("✕");
        list.AddText({std::floor(to.x - cross.x / 2), std::floor(to.y - cross.y / 2)}, ink, "✕");
    } else {
        head_of_arrow(list, from, to, ink);
    }
    const ImVec2 box_from(std::min(from.x, to.x), std::min({words_at.y, from.y, to.y}));
    const ImVec2 box_to(std::max(from.x, to.x), std::max(from.y, to.y) + em(0.2F));
    if (ImGui::IsWindowHovered() && ImGui::IsMouseHoveringRect(box_from, box_to)) {
        if (line.delivery) {
            lit_next_ = line.delivery;
        }
        ImGui::BeginTooltip();
        text(line.words + "  " + sequence_.columns[line.from] + " → " + sequence_.columns[line.to]);
        faint_text("at " + line.time + (line.took.empty() ? "" : ", took " + line.took));
        if (line.look == arrow_look::inferred) {
            faint_text("not seen itself: known because of what followed");
        }
        ImGui::EndTooltip();
    }
    if (line.delivery && line.words.starts_with("PUBLISH")) {
        name_area("message.arrow." + std::to_string(*line.delivery), box_from, box_to);
    }
}

void message_panel::draw_deliveries(viewer_context& in, const feed::message_answer& of) {
    if (!ImGui::BeginTable(
            "deliveries", 7,
            ImGuiTableFlags_ScrollY | ImGuiTableFlags_RowBg | ImGuiTableFlags_BordersOuter,
            ImVec2(0, ImGui::GetContentRegionAvail().y))) {
        return;
    }
    struct head {
        const char* name;
        float ems;
        float from = 0;  ///< ems of width below which it is left out
    };
    static constexpr std::array<head, 7> heads{{{"Delivery to", 0},
                                                {"QoS", 2.6F, 40},
                                                {"State", 9},
                                                {"Sent", 6, 40},
                                                {"Received", 6, 30},
                                                {"Ended", 6},
                                                {"Again", 3.2F, 40}}};
    ImGui::TableSetupScrollFreeze(0, 1);
    for (const head& each : heads) {
        ImGui::TableSetupColumn(
            each.name,
            (each.ems == 0 ? ImGuiTableColumnFlags_WidthStretch
                           : ImGuiTableColumnFlags_WidthFixed) |
                (ImGui::GetWindowWidth() < em(each.from) ? ImGuiTableColumnFlags_Disabled : 0),
            each.ems == 0 ? 1 : em(each.ems));
    }
    ImGui::TableHeadersRow();
    for (std::size_t i = 0; i < of.deliveries.size(); ++i) {
        const feed::delivery_row& row = of.deliveries[i];
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        ImGui::PushID(static_cast<int>(i));
        if (ImGui::Selectable(
                "##delivery", lit_ == i,
                ImGuiSelectableFlags_SpanAllColumns | ImGuiSelectableFlags_AllowItemOverlap)) {
            in.open_device(row.receiver);
        }
        name_item("message.delivery." + std::to_string(i));
        if (ImGui::IsItemHovered()) {
            lit_next_ = i;
        }
        ImGui::PopID();
        ImGui::SameLine(0, 0);
        text(row.receiver);
        ImGui::TableNextColumn();
        text(std::to_string(static_cast<unsigned>(row.qos)));
        ImGui::TableNextColumn();
        const look of_state = look_of_delivery(row.state);
        text_in(ink_of(of_state.colour), of_state.glyph);
        ImGui::SameLine(0, em(0.3F));
        text(row.state + (row.reason.empty() ? "" : ": " + row.reason));
        for (const std::string& at :
             {optional_time(row.sent), optional_time(row.received), optional_time(row.ended)}) {
            ImGui::TableNextColumn();
            text(at);
        }
        ImGui::TableNextColumn();
        text_right(std::to_string(row.resent));
        if (row.copies > 1 && ImGui::IsItemHovered()) {
            ImGui::SetTooltip("came %u times", row.copies);
        }
    }
    if (of.deliveries.empty()) {
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        faint_text("no delivery");
    }
    ImGui::EndTable();
}

void message_panel::draw_properties(const feed::message_answer& of) const {
    const float line = ImGui::GetTextLineHeightWithSpacing();
    // As high for one property as for none: the payload below keeps its place.
    const float height =
        line * (1.3F + static_cast<float>(std::clamp<std::size_t>(of.properties.size(), 1, 5)));
    ImGui::BeginChild("properties", ImVec2(0, height));
    faint_text("Properties");
    for (const feed::property_row& each : of.properties) {
        text(each.name);
        ImGui::SameLine(em(12));
        ImGui::PushTextWrapPos(0);
        text_in(colours().ink(hue::blue), each.value);
        ImGui::PopTextWrapPos();
    }
    if (of.properties.empty()) {
        text("none");
    }
    ImGui::EndChild();
}

}  // namespace fleetarium::dashboard
