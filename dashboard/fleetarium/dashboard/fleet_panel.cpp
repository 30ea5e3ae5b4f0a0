#include <fleetarium/dashboard/fleet_panel.hpp>

#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/plot_axis.hpp>
#include <fleetarium/dashboard/view_parts.hpp>

#include <imgui_internal.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace fleetarium::dashboard {

namespace {

constexpr float label_ems = 13;
constexpr double asked_every = 0.5;
constexpr std::size_t rectangles_at_once = 8'000;  // 4 corners each, below what 16 bits index

const std::vector<std::string>& groupings() {
    static const std::vector<std::string> names{"by fleet", "by network", "by broker", "by cohort",
                                                "all in one"};
    return names;
}

const std::vector<std::string>& measures() {
    static const std::vector<std::string> names{"state alone", "messages", "backlog", "losses"};
    return names;
}

/// The colour of a cell: the state's, and the less of the measure, the nearer to the ground.
ImU32 colour_of(std::uint8_t state, std::uint8_t step, bool measured) {
    const auto of = static_cast<feed::device_state>(state);
    const palette& from = colours();
    const ImU32 full =
        of == feed::device_state::unseen ? from.control : from.fill(look_of(of).colour);
    if (!measured) {
        return full;
    }
    const float share =
        0.3F + 0.7F * static_cast<float>(step) / static_cast<float>(fleet_steps - 1);
    const ImVec4 top = ImGui::ColorConvertU32ToFloat4(full);
    const ImVec4 ground = ImGui::ColorConvertU32ToFloat4(from.window);
    return ImGui::ColorConvertFloat4ToU32({ground.x + (top.x - ground.x) * share,
                                           ground.y + (top.y - ground.y) * share,
                                           ground.z + (top.z - ground.z) * share, 1});
}

std::string range_words(std::uint32_t from, std::uint32_t until) {
    return plot::count_words(from) + " to " + plot::count_words(until - 1);
}

}  // namespace

view fleet_panel::described() const {
    return {"fleet", "Fleet", "every device a cell, by state", '3', {}};
}

void fleet_panel::draw(viewer_context& in) {
    draw_choices();
    feed::fleet_question question;
    question.at = in.state.at;
    question.by = by_;
    question.show = show_;
    question.cells = cells_;
    question.group = part_.group;
    question.from = part_.from;
    question.until = part_.until;
    fleet_.ask(in.link, question, in.now, again_every(in, asked_every));
    const feed::fleet_answer* const answer = fleet_.answer();
    answered_part_ = {fleet_.asked().group, fleet_.asked().from, fleet_.asked().until};
    draw_breadcrumb(answer);
    draw_legend(answer);
    if (answer == nullptr || !fleet_.error().empty()) {
        trouble_or_wait(fleet_.error());
        if (!fleet_.error().empty() && !fleet_.is_under_way()) {
            // A group of another grouping, or of a fleet that is no longer there.
            if (ImGui::Button("Show all")) {
                part_ = {};
            }
        }
        return;
    }
    draw_map(in, *answer);
}

void fleet_panel::draw_choices() {
    auto by = static_cast<std::size_t>(by_);
    auto show = static_cast<std::size_t>(show_);
    bool regrouped = choose("fleet.by", by, groupings(), em(9));
    ImGui::SameLine();
    choose("fleet.show", show, measures(), em(9));
    if (view_key(chord('g'))) {
        by = (by + 1) % groupings().size();
        regrouped = true;
    }
    if (view_key(chord('m'))) {
        show = (show + 1) % measures().size();
    }
    by_ = static_cast<feed::grouping>(by);
    show_ = static_cast<feed::measure>(show);
    if (regrouped) {
        part_ = {};
    }
    ImGui::SameLine();
    faint_text("G grouping   M measure   wheel, Enter and Backspace zoom   click opens");
}

void fleet_panel::draw_breadcrumb(const feed::fleet_answer* answer) {
    if (ImGui::Button("All devices")) {
        part_ = {};
    }
    name_item("fleet.all");
    if (!part_.is_all()) {
        ImGui::SameLine();
        faint_text("›");
        ImGui::SameLine();
        if (ImGui::Button((part_.group + "##group").c_str())) {
            part_ = {part_.group, 0, std::nullopt};
        }
        name_item("fleet.group");
        if (part_.until) {
            ImGui::SameLine();
            faint_text("›");
            ImGui::SameLine();
            text(range_words(part_.from, *part_.until));
        }
    }
    if (answer == nullptr) {
        return;
    }
    std::uint64_t all = 0;
    std::uint64_t connected = 0;
    std::uint64_t faulted = 0;
    for (const feed::fleet_group& group : answer->groups) {
        all += group.devices;
        connected += group.connected;
        faulted += group.faulted;
    }
    const bool in_part = answered_part_.until.has_value();
    std::string words = in_part ? std::string("in this part ")
                                : plot::count_words(static_cast<double>(all)) + " devices, ";
    words += plot::count_words(static_cast<double>(connected)) + " connected, " +
             plot::count_words(static_cast<double>(faulted)) + " faulted";
    if (answer->devices_per_cell > 1) {
        words += "; a cell stands for " + plot::count_words(answer->devices_per_cell) +
                 " and shows the gravest state";
    }
    ImGui::SameLine();
    ImGui::AlignTextToFramePadding();
    text(words);
    name_item("fleet.counts");
}

void fleet_panel::draw_legend(const feed::fleet_answer* answer) {
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const float side = em(0.8F);
    const auto swatch = [&](ImU32 colour) {
        const ImVec2 at = ImGui::GetCursorScreenPos();
        const float y = at.y + (ImGui::GetTextLineHeight() - side) / 2;
        list.AddRectFilled({at.x, y}, {at.x + side, y + side}, colour);
        list.AddRect({at.x, y}, {at.x + side, y + side}, colours().line);
        ImGui::Dummy({side, ImGui::GetTextLineHeight()});
        ImGui::SameLine(0, em(0.35F));
    };
    for (unsigned i = 0; i < 5; ++i) {
        const look& of = look_of(static_cast<feed::device_state>(i));
        swatch(colour_of(static_cast<std::uint8_t>(i), fleet_steps - 1, false));
        text_in(ink_of(of.colour), of.glyph);
        ImGui::SameLine(0, em(0.25F));
        text(of.words);
        ImGui::SameLine(0, em(1.2F));
    }
    if (show_ == feed::measure::none) {
        ImGui::NewLine();
        return;
    }
    const unsigned largest = answer == nullptr ? 0 : largest_level(*answer);
    text(measures()[static_cast<std::size_t>(show_)] + ": 0");
    ImGui::SameLine(0, em(0.35F));
    for (unsigned i = 0; i < fleet_steps; ++i) {
        swatch(colour_of(1, static_cast<std::uint8_t>(i), true));
        ImGui::SameLine(0, 0);
    }
    ImGui::SameLine(0, em(0.35F));
    text(plot::count_words(static_cast<double>(value_of_level(largest))) +
         (largest == 31 ? " and more" : ""));
}

void fleet_panel::place(const feed::fleet_answer& answer, const fleet_room& room) {
    if (placed_version_ == fleet_.version() && placed_width_ == room.width &&
        placed_height_ == room.height) {
        return;
    }
    placed_version_ = fleet_.version();
    placed_width_ = room.width;
    placed_height_ = room.height;
    std::vector<std::size_t> cells;
    cells.reserve(answer.groups.size());
    for (const feed::fleet_group& group : answer.groups) {
        cells.push_back(group.cells.size());
    }
    placing_ = place_fleet(cells, room);
    runs_ = runs_of(answer, placing_, placing_.cell >= em(0.4F));
}

void fleet_panel::draw_map(viewer_context& in, const feed::fleet_answer& answer) {
    ImGui::BeginChild("map", ImVec2(0, 0), false, ImGuiWindowFlags_NoScrollWithMouse);
    const ImVec2 window = ImGui::GetWindowSize();
    const float labels = em(label_ems);
    fleet_room room;
    room.width = std::floor(std::max(em(4), window.x - labels - em(1)));
    room.height = std::floor(window.y);
    room.block_least = std::ceil(2.3F * ImGui::GetTextLineHeight());
    room.gap = std::ceil(em(0.4F));
    room.cell_least = std::max(2.0F, std::floor(em(0.2F)));
    room.cell_most = part_.is_all() ? em(1.2F) : em(2.4F);
    // What a part leaves of its group's last row, and the rows that groups leave, need a little.
    cells_ = cells_to_ask(room.width, room.height * 0.94F, room.cell_least);
    place(answer, room);

    const ImVec2 origin = ImGui::GetCursorScreenPos();
    const ImVec2 cells_at(std::floor(origin.x + labels), std::floor(origin.y));
    ImGui::Dummy({window.x - em(1), std::max(1.0F, placing_.height)});
    const float scrolled = ImGui::GetScrollY();
    draw_cells(cells_at, scrolled, scrolled + window.y);
    draw_labels(answer, origin, labels);
    name_area(
        "fleet.map", cells_at,
        {cells_at.x + room.width, cells_at.y + std::min(placing_.height, room.height + scrolled)});
    react(in, answer, cells_at);
    ImGui::EndChild();
}

void fleet_panel::draw_cells(ImVec2 origin, float from, float until) const {
    std::array<std::array<ImU32, fleet_steps>, 8> fills{};
    for (unsigned state = 0; state < fills.size(); ++state) {
        for (unsigned step = 0; step < fleet_steps; ++step) {
            fills[state][step] =
                colour_of(static_cast<std::uint8_t>(std::min(state, 4U)),
                          static_cast<std::uint8_t>(step), show_ != feed::measure::none);
        }
    }
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const float side = placing_.cell;
    const float gap = side >= em(0.25F) ? std::max(1.0F, std::floor(side * 0.12F)) : 0;
    const auto above = [&](float y) {
        return std::lower_bound(runs_.begin(), runs_.end(), y,
                                [](const fleet_run& run, float edge) { return run.y < edge; });
    };
    const auto begin = above(from - side);
    const auto end = above(until);
    const auto count = static_cast<std::size_t>(end - begin);
    for (std::size_t done = 0; done < count; done += rectangles_at_once) {
        const std::size_t now = std::min(rectangles_at_once, count - done);
        list.PrimReserve(static_cast<int>(now) * 6, static_cast<int>(now) * 4);
        for (std::size_t i = done; i < done + now; ++i) {
            const fleet_run& run = begin[static_cast<std::ptrdiff_t>(i)];
            const ImVec2 at(origin.x + run.x, origin.y + run.y);
            list.PrimRect(at, {at.x + run.width - gap, at.y + side - gap},
                          fills[run.state][run.step]);
        }
    }
    if (side < em(0.4F)) {
        return;
    }
    // Marks inside of cells that are large enough: the states are known without their colours.
    const palette& from_theme = colours();
    for (auto run = begin; run != end; ++run) {
        const auto state = static_cast<feed::device_state>(run->state);
        if (state == feed::device_state::connected) {
            continue;
        }
        const ImVec2 at(origin.x + run->x, origin.y + run->y);
        const float full = side - gap;
        if (side >= em(1.1F)) {
            const char* const glyph = look_of(state).glyph;
            const ImVec2 size = ImGui::CalcTextSize(glyph);
            list.AddText(
                {std::floor(at.x + (full - size.x) / 2), std::floor(at.y + (full - size.y) / 2)},
                from_theme.window, glyph);
        } else if (state == feed::device_state::faulted) {
            list.AddTriangleFilled({at.x + full * 0.5F, at.y + full * 0.2F},
                                   {at.x + full * 0.2F, at.y + full * 0.8F},
                                   {at.x + full * 0.8F, at.y + full * 0.8F}, from_theme.window);
        } else if (state == feed::device_state::offline) {
            list.AddRectFilled({at.x + full * 0.3F, at.y + full * 0.3F},
                               {at.x + full * 0.7F, at.y + full * 0.7F}, from_theme.window);
        } else if (state == feed::device_state::refused) {
            list.AddRectFilled({at.x + full * 0.15F, at.y + full * 0.4F},
                               {at.x + full * 0.85F, at.y + full * 0.6F}, from_theme.window);
        }
    }
}

void fleet_panel::draw_labels(const feed::fleet_answer& answer, ImVec2 origin, float width) const {
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const float line = ImGui::GetTextLineHeight();
    for (std::size_t i = 0; i < std::min(answer.groups.size(), placing_.blocks.size()); ++i) {
        const feed::fleet_group& group = answer.groups[i];
        const float y = std::floor(origin.y + placing_.blocks[i].top);
        const float right = origin.x + width - em(0.6F);
        list.PushClipRect({origin.x, y}, {right, y + 2.3F * line}, true);
        const std::string& name = group.name.empty() ? std::string("devices") : group.name;
        list.AddText({std::floor(origin.x), y}, colours().text, name.c_str());
        std::string words =
            plot::count_words(group.connected) + " / " +
            plot::count_words(answered_part_.until ? *answered_part_.until - answered_part_.from
                                                   : group.devices);
        list.AddText({std::floor(origin.x), y + line}, colours().faint, words.c_str());
        if (group.faulted != 0) {
            const float after = ImGui::CalcTextSize(words.c_str()).x + em(0.5F);
            words = std::string(look_of(feed::device_state::faulted).glyph) + " " +
                    plot::count_words(group.faulted);
            list.AddText({std::floor(origin.x + after), y + line}, colours().ink(role::faulted),
                         words.c_str());
        }
        list.PopClipRect();
    }
}

void fleet_panel::react(viewer_context& in, const feed::fleet_answer& answer, ImVec2 origin) {
    const ImGuiIO& io = ImGui::GetIO();
    const ImVec2 window = ImGui::GetWindowPos();
    const ImVec2 size = ImGui::GetWindowSize();
    const bool inside = ImGui::IsWindowHovered();
    const auto at = inside ? cell_at(placing_, io.MousePos.x - origin.x, io.MousePos.y - origin.y)
                           : std::nullopt;
    int notches = 0;
    if (inside && io.MouseWheel != 0) {
        notches = io.MouseWheel > 0 ? 1 : -1;
    }
    notches += view_key(key::enter) ? 1 : 0;
    notches -= !part_.is_all() && view_key(key::backspace) ? 1 : 0;
    const bool settled = answered_part_ == part_ && fleet_.asked().by == by_;
    if (answer.groups.empty() || !settled) {
        return;
    }
    // Without the pointer, keys zoom into the middle of the first group.
    const fleet_cell target = at.value_or(fleet_cell{0, answer.groups.front().cells.size() / 2});
    const feed::fleet_group& group = answer.groups[target.group];
    const auto place_of = [&](const fleet_cell& cell) {
        return part_.from + static_cast<std::uint32_t>(cell.cell) * answer.devices_per_cell;
    };
    if (notches > 0) {
        part_ = zoom_in(part_, group.name, place_of(target), group.devices);
        return;
    }
    if (notches < 0) {
        if (part_.is_all() && io.MouseWheel != 0) {
            ImGui::SetScrollY(ImGui::GetScrollY() + em(3));
        }
        part_ = zoom_out(part_, group.devices);
        return;
    }
    if (part_.is_all()) {  // the rest of a map that is taller than its room
        const float step = em(3);
        ImGui::SetScrollY(ImGui::GetScrollY() + (view_key(key::down, true) ? step : 0.0F) -
                          (view_key(key::up, true) ? step : 0.0F) +
                          (view_key(key::page_down, true) ? size.y : 0.0F) -
                          (view_key(key::page_up, true) ? size.y : 0.0F));
    }
    if (!at) {
        return;
    }
    touch(in, answer, *at);
    if (ImGui::IsMouseClicked(ImGuiMouseButton_Left) && io.MousePos.x < window.x + size.x) {
        open(in, answer, *at);
    }
    const fleet_block& block = placing_.blocks[at->group];
    const auto column = static_cast<float>(at->cell % placing_.columns);
    const auto row = static_cast<float>(at->cell / placing_.columns);
    const ImVec2 corner(origin.x + column * placing_.cell,
                        origin.y + block.top + row * placing_.cell);
    ImGui::GetWindowDrawList()->AddRect({corner.x - 1, corner.y - 1},
                                        {corner.x + placing_.cell, corner.y + placing_.cell},
                                        colours().text, 0, 0, std::max(1.0F, std::floor(em(0.1F))));
}

void fleet_panel::touch(viewer_context& in, const feed::fleet_answer& answer,
                        const fleet_cell& cell) {
    const feed::fleet_group& group = answer.groups[cell.group];
    const std::uint32_t from =
        part_.from + static_cast<std::uint32_t>(cell.cell) * answer.devices_per_cell;
    const std::uint32_t until = std::min(
        {from + answer.devices_per_cell, group.devices, part_.until.value_or(group.devices)});
    hovered_question_ = {.by = by_, .group = group.name, .place = from};
    hovered_.ask(in.link, hovered_question_, in.now, 0);

    ImGui::BeginTooltip();
    const bool several = until - from > 1;
    const std::uint8_t byte = group.cells[cell.cell];
    const feed::device_row* const row = hovered_.is_under_way() ? nullptr : hovered_.answer();
    if (several) {
        text(plot::count_words(until - from) + " devices of " + group.name + ": " +
             range_words(from, until));
        faint_text(row == nullptr ? std::string("from …") : "from " + row->name + " on");
    } else {
        text(row == nullptr ? group.name + " " + plot::count_words(from) : row->name);
        faint_text(row == nullptr ? std::string("…") : "client id " + row->client_id);
    }
    look_text(look_of(static_cast<feed::device_state>(byte & 7U)));
    if (several) {
        ImGui::SameLine();
        faint_text("the gravest of them");
    }
    if (show_ != feed::measure::none) {
        const unsigned level = static_cast<unsigned>(byte) >> 3;
        const bool exact = level < 5;
        text(measures()[static_cast<std::size_t>(show_)] + (several ? ", the most: " : ": ") +
             (exact ? "" : "about ") +
             plot::count_words(static_cast<double>(value_of_level(level))));
    }
    ImGui::EndTooltip();
}

void fleet_panel::open(viewer_context& in, const feed::fleet_answer& answer,
                       const fleet_cell& cell) {
    const feed::fleet_group& group = answer.groups[cell.group];
    const std::uint32_t place =
        part_.from + static_cast<std::uint32_t>(cell.cell) * answer.devices_per_cell;
    if (answer.devices_per_cell > 1) {
        part_ = around(group.name, place, cells_ / 2, group.devices);
        return;
    }
    const feed::cell_question asked{.by = by_, .group = group.name, .place = place};
    in.link.ask<feed::cell_question>(asked, [&in](const feed::outcome<feed::device_row>& told) {
        if (told.answer != nullptr) {
            in.open_device(told.answer->name);
        } else if (in.notify) {
            in.notify(told.error);
        }
    });
}

}  // namespace fleetarium::dashboard
