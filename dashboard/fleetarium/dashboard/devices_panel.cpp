#include <fleetarium/dashboard/devices_panel.hpp>

#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/plot_axis.hpp>
#include <fleetarium/dashboard/view_parts.hpp>

#include <algorithm>
#include <array>
#include <optional>

namespace fleetarium::dashboard {

namespace {

constexpr std::uint32_t rows_held = 400;
constexpr std::uint32_t rows_before = 100;  // of those on the screen
constexpr double asked_every = 0.5;

std::string words_of_count(std::uint64_t count) {
    return plot::count_words(static_cast<double>(count));
}

}  // namespace

view devices_panel::described() const {
    return {"devices", "Devices", "all devices: search, sort, filter", '4', {}};
}

void devices_panel::draw(viewer_context& in) {
    draw_choices(in);
    question_.at = in.state.at;
    question_.limit = rows_held;
    devices_.ask(in.link, question_, in.now, again_every(in, asked_every));
    const feed::devices_answer* const answer = devices_.answer();
    ImGui::SameLine();
    ImGui::AlignTextToFramePadding();
    text(answer == nullptr ? std::string("…") : words_of_count(answer->all) + " devices");
    name_item("devices.count");
    if (answer == nullptr || !devices_.error().empty()) {
        trouble_or_wait(devices_.error());
        return;
    }
    draw_table(in, *answer);
}

void devices_panel::draw_choices(viewer_context& in) {
    const feed::devices_question before = question_;
    edit_line("devices.search", "search name or client id  /", question_.search, em(15), true);
    ImGui::SameLine();
    std::vector<std::string> fleets{"all fleets"};
    std::size_t fleet = 0;
    if (in.about() != nullptr) {
        for (const feed::fleet_info& each : in.about()->fleets) {
            fleets.push_back(each.name);
            fleet = each.name == question_.fleet ? fleets.size() - 1 : fleet;
        }
    }
    if (choose("devices.fleet", fleet, fleets, em(9))) {
        question_.fleet = fleet == 0 ? std::string() : fleets[fleet];
    }
    ImGui::SameLine();
    std::vector<std::string> states{"all states"};
    for (unsigned i = 0; i < 5; ++i) {
        const look& of = look_of(static_cast<feed::device_state>(i));
        states.push_back(std::string(of.glyph) + " " + of.words);
    }
    std::size_t state = question_.state ? static_cast<std::size_t>(*question_.state) + 1 : 0;
    bool restated = choose("devices.state", state, states, em(9));
    if (view_key(chord('w'))) {
        state = (state + 1) % states.size();
        restated = true;
    }
    if (restated) {
        question_.state =
            state == 0 ? std::nullopt : std::optional(static_cast<feed::device_state>(state - 1));
    }
    ImGui::SameLine();
    static const std::vector<std::string> orders{"by name",      "most published", "most received",
                                                 "most backlog", "most losses",    "most connects"};
    auto order = static_cast<std::size_t>(question_.order);
    choose("devices.order", order, orders, em(9));
    if (view_key(chord('s'))) {
        order = (order + 1) % orders.size();
    }
    question_.order = static_cast<feed::device_order>(order);
    if (before != question_) {
        question_.offset = 0;
        chosen_ = 0;
        scroll_to_chosen_ = true;
    }
}

void devices_panel::draw_table(viewer_context& in, const feed::devices_answer& answer) {
    const float height = ImGui::GetContentRegionAvail().y - foot_height();
    const auto all = static_cast<std::ptrdiff_t>(answer.all);
    const float row_height = ImGui::GetTextLineHeight() + 2 * ImGui::GetStyle().CellPadding.y;
    const auto page =
        std::max<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(height / row_height) - 2);
    chosen_ = std::clamp<std::ptrdiff_t>(chosen_, 0, std::max<std::ptrdiff_t>(all - 1, 0));
    scroll_to_chosen_ |= move_row(chosen_, all, page);
    open_chosen_ = view_key(key::enter);
    if (ImGui::BeginTable(
            "devices", 8,
            ImGuiTableFlags_ScrollY | ImGuiTableFlags_RowBg | ImGuiTableFlags_BordersOuter,
            ImVec2(0, height))) {
        ImGui::TableSetupScrollFreeze(0, 1);
        draw_heads();
        std::ptrdiff_t first_shown = all;
        std::ptrdiff_t last_shown = 0;
        ImGuiListClipper clipper;
        clipper.Begin(static_cast<int>(all), row_height);
        while (clipper.Step()) {
            first_shown = std::min<std::ptrdiff_t>(first_shown, clipper.DisplayStart);
            last_shown = std::max<std::ptrdiff_t>(last_shown, clipper.DisplayEnd);
            for (std::ptrdiff_t i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
                ImGui::TableNextRow();
                const std::ptrdiff_t held =
                    i - static_cast<std::ptrdiff_t>(devices_.asked().offset);
                if (held < 0 || held >= static_cast<std::ptrdiff_t>(answer.rows.size())) {
                    ImGui::TableSetColumnIndex(1);
                    faint_text("…");
                    continue;
                }
                draw_row(in, answer.rows[static_cast<std::size_t>(held)], i);
            }
        }
        if (scroll_to_chosen_) {
            keep_in_sight(static_cast<float>(chosen_) * row_height, row_height,
                          height - row_height);
            scroll_to_chosen_ = false;
        }
        const auto offset = static_cast<std::ptrdiff_t>(question_.offset);
        if (first_shown < last_shown &&
            (first_shown < offset ||
             last_shown > offset + static_cast<std::ptrdiff_t>(rows_held))) {
            question_.offset = static_cast<std::uint32_t>(
                std::max<std::ptrdiff_t>(0, first_shown - std::ptrdiff_t{rows_before}));
        }
        ImGui::EndTable();
    }
    foot("↑ ↓ choose   Enter open   / search   W which states   S sort");
}

void devices_panel::draw_heads() {
    struct head {
        const char* name;
        float ems;  ///< 0: a share of what is left
        std::optional<feed::device_order> order;
        float from = 0;  ///< ems of width below which it is left out
    };
    using order = feed::device_order;
    static constexpr std::array<head, 8> heads{{{"State", 7, {}},
                                                {"Name", 0, order::name},
                                                {"Client id", 0, {}, 48},
                                                {"Published", 6, order::published},
                                                {"Received", 6, order::received, 48},
                                                {"Backlog", 6, order::backlog},
                                                {"Losses", 6, order::losses},
                                                {"Connects", 6, order::connects, 56}}};
    for (const head& each : heads) {
        const bool shares = each.ems == 0;
        ImGui::TableSetupColumn(
            each.name,
            (shares ? ImGuiTableColumnFlags_WidthStretch : ImGuiTableColumnFlags_WidthFixed) |
                (ImGui::GetWindowWidth() < em(each.from) ? ImGuiTableColumnFlags_Disabled : 0),
            shares ? 1 : em(each.ems));
    }
    ImGui::TableNextRow(ImGuiTableRowFlags_Headers);
    for (std::size_t i = 0; i < heads.size(); ++i) {
        ImGui::TableSetColumnIndex(static_cast<int>(i));
        const bool sorts = heads[i].order && *heads[i].order == question_.order;
        ImGui::TableHeader(
            (std::string(heads[i].name) + (sorts ? " ▾" : "") + "###" + heads[i].name).c_str());
        name_item(std::string("devices.head.") + heads[i].name);
        if (heads[i].order && ImGui::IsItemClicked()) {
            question_.order = *heads[i].order;
        }
    }
}

void devices_panel::draw_row(viewer_context& in, const feed::device_row& row,
                             std::ptrdiff_t place) {
    ImGui::TableSetColumnIndex(0);
    ImGui::PushID(static_cast<int>(place));
    const bool clicked = ImGui::Selectable(
        "##row", place == chosen_,
        ImGuiSelectableFlags_SpanAllColumns | ImGuiSelectableFlags_AllowItemOverlap);
    name_item("devices.row." + row.name);
    ImGui::PopID();
    ImGui::SameLine(0, 0);
    look_text(look_of(row.state));
    ImGui::TableNextColumn();
    text(row.name);
    ImGui::TableNextColumn();
    text(row.client_id);
    for (const std::uint64_t count :
         {row.published, row.received, row.backlog, row.losses, std::uint64_t{row.connects}}) {
        ImGui::TableNextColumn();
        text_right(words_of_count(count));
    }
    if (clicked || (open_chosen_ && place == chosen_)) {
        chosen_ = place;
        in.open_device(row.name);
    }
}

}  // namespace fleetarium::dashboard
