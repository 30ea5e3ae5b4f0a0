#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/panel_parts.hpp>
#include <fleetarium/dashboard/viewer.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

// The bars of the viewer: what is played and how, and what is connected.

namespace fleetarium::dashboard {

namespace {

/// Text in a place of fixed width: what follows does not move.
void fixed_text(const std::string& words, float width, ImU32 colour) {
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float high = ImGui::GetFrameHeight();
    ImGui::GetWindowDrawList()->AddText(
        {at.x, at.y + std::floor((high - ImGui::GetTextLineHeight()) / 2)}, colour, words.c_str());
    ImGui::Dummy({width, high});
}

void badge(const char* words, ImU32 colour, const char* hint) {
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const float high = ImGui::GetFrameHeight();
    const float wide = em(4.6F);
    ImDrawList& list = *ImGui::GetWindowDrawList();
    list.AddRect(at, {at.x + wide, at.y + high}, colour, em(0.25F), 0, std::max(1.0F, em(0.08F)));
    const ImVec2 size = ImGui::CalcTextSize(words);
    list.AddText({std::floor(at.x + (wide - size.x) / 2), std::floor(at.y + (high - size.y) / 2)},
                 colour, words);
    ImGui::Dummy({wide, high});
    name_item("badge");
    if (ImGui::IsItemHovered()) {
        ImGui::SetTooltip("%s", hint);
    }
}

}  // namespace

void viewer::draw_transport() {
    viewer_context& in = context_;
    const feed::description* const about = in.about();
    if (about == nullptr) {
        ImGui::AlignTextToFramePadding();
        faint("Waiting for the feed.");
        return;
    }
    const feed::totals* const present = in.present.answer();
    const bool has_ended = present != nullptr && present->ended;
    const palette& of = colours();
    if (!about->is_live) {
        badge("■ REC", of.ink(hue::blue), "A recording");
    } else if (!in.shows_present()) {
        badge("◐ PAST", of.ink(hue::orange), "An earlier moment of what goes on; L goes back");
    } else if (has_ended) {
        badge("○ ENDED", of.ink(hue::grey), "The run has ended");
    } else if (present != nullptr && present->paused) {
        badge("❚❚ HELD", of.ink(hue::orange), "The run is paused");
    } else {
        badge("● LIVE", of.ink(hue::green), "The present");
    }
    ImGui::SameLine();
    draw_buttons();
    ImGui::SameLine();
    const time_extent all = in.extent();
    const double instant = in.state.at.value_or(all.end);
    const double step = all.length() > 36'000 ? 1 : 0.1;
    const std::string clock = plot::time_words(instant, step);
    const feed::totals* const shown = in.totals.answer();
    const std::string wall =
        shown != nullptr && shown->wall > 0 ? "real " + plot::time_words(shown->wall, 1) : "";
    const float clock_width = ImGui::CalcTextSize("00d 00:00:00.0").x;
    const float wall_width = ImGui::CalcTextSize("real 00:00:00").x;
    const float room = ImGui::GetContentRegionAvail().x;
    const float gap = ImGui::GetStyle().ItemSpacing.x;
    const bool shows_wall = about->is_live && room > clock_width + wall_width + em(16);
    fixed_text(clock, clock_width, of.text);
    name_item("clock");
    if (ImGui::IsItemHovered()) {
        ImGui::SetTooltip("Time since the run began");
    }
    ImGui::SameLine();
    draw_scrubber(
        std::max(em(4), room - clock_width - gap - (shows_wall ? wall_width + gap : 0.0F)));
    if (shows_wall) {
        ImGui::SameLine();
        fixed_text(wall, wall_width, of.faint);
        if (ImGui::IsItemHovered()) {
            ImGui::SetTooltip("Real time that the run took until then");
        }
    }
    draw_filter();
}

void viewer::draw_buttons() {
    viewer_context& in = context_;
    const feed::description& about = *in.about();
    const auto hint = [this](const char* id, const char* words) {
        return std::string(words) + "  (" + keys_.keys_of(id) + ")";
    };
    const feed::totals* const present = in.present.answer();
    const bool plays = about.keeps_history && (!about.is_live || !in.shows_present());
    const std::string no_pace = plays ? std::string() : why_no_pace(about);
    const bool is_moving = plays ? in.state.playing : present != nullptr && !present->paused;
    // Both labels are as wide.
    const float wide = em(2.2F);
    ImGui::BeginDisabled(!no_pace.empty());
    const bool pressed = ImGui::Button(is_moving ? "❚❚##pause" : "▶##pause", {wide, 0});
    ImGui::EndDisabled();
    name_item("pause");
    if (ImGui::IsItemHovered(ImGuiHoveredFlags_AllowWhenDisabled)) {
        ImGui::SetTooltip("%s", no_pace.empty()
                                    ? hint("pause", is_moving ? "Pause" : "Go on").c_str()
                                    : no_pace.c_str());
    }
    if (pressed) {
        keys_.run("pause");
    }
    ImGui::SameLine(0, em(0.2F));
    if (button("▶❘##step", "step", no_pace, hint("step", "One step"))) {
        keys_.run("step");
    }
    ImGui::SameLine();
    if (button("−##slower", "slower", about.is_live ? why_no_pace(about) : std::string(),
               hint("slower", "Slower"))) {
        keys_.run("slower");
    }
    ImGui::SameLine(0, em(0.2F));
    const double speed = !about.is_live       ? in.state.play_speed
                         : present != nullptr ? present->speed
                                              : 0;
    const std::string words =
        speed_words(about.is_live ? std::floor(speed * 10 + 0.5) / 10 : speed);
    fixed_text(words, ImGui::CalcTextSize("100,000x").x, colours().text);
    name_item("speed");
    if (ImGui::IsItemHovered()) {
        ImGui::SetTooltip("%s", about.is_live ? "Seconds of the run in one of real time, lately"
                                              : "Seconds of the recording in one of real time");
    }
    ImGui::SameLine(0, em(0.2F));
    if (button("+##faster", "faster", about.is_live ? why_no_pace(about) : std::string(),
               hint("faster", "Faster"))) {
        keys_.run("faster");
    }
    ImGui::SameLine(0, em(0.2F));
    if (about.is_live) {
        if (button("max##speed", "max", why_no_pace(about), "As fast as the machine can")) {
            wanted_speed_.reset();
            in.command(feed::speed_command{});
        }
    } else {
        ImGui::PushStyleColor(ImGuiCol_Text,
                              in.state.looping ? colours().ink(hue::blue) : colours().text);
        if (button(in.state.looping ? "↻ on##loop" : "↻##loop", "loop", {},
                   hint("loop", "Play in a loop"))) {
            keys_.run("loop");
        }
        ImGui::PopStyleColor();
    }
    ImGui::SameLine();
    if (button("❘◀##begin", "begin", {}, hint("begin", "To the begin"))) {
        keys_.run("begin");
    }
    ImGui::SameLine(0, em(0.2F));
    if (button(
            about.is_live ? "▶▶##live" : "▶❘##end", "live",
            in.shows_present() ? (about.is_live ? "This is the present." : "This is the end.") : "",
            hint("live", about.is_live ? "To the present" : "To the end"))) {
        keys_.run("live");
    }
}

void viewer::draw_scrubber(float width) {
    viewer_context& in = context_;
    const time_extent all = in.extent();
    const ImVec2 from = ImGui::GetCursorScreenPos();
    const float high = ImGui::GetFrameHeight();
    ImGui::InvisibleButton("scrubber", {width, high});
    name_item("scrubber");
    const double length = std::max(all.length(), 1e-9);
    // A live run that has an end shows how far it is.
    const feed::description& about = *in.about();
    const double whole =
        about.is_live && about.end ? std::max(*about.end - all.begin, length) : length;
    const auto x_of = [&](double instant) {
        const double part = std::clamp((instant - all.begin) / whole, 0.0, 1.0);
        return from.x + std::floor(static_cast<float>(part) * (width - 1));
    };
    const auto time_at = [&](float x) {
        return all.begin + static_cast<double>((x - from.x) / std::max(1.0F, width - 1)) * whole;
    };
    if (ImGui::IsItemActive()) {
        seek(in.state, all, time_at(ImGui::GetIO().MousePos.x), about.is_live);
        in.state.playing = false;
    }
    const palette& of = colours();
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const float top = from.y + high * 0.3F;
    const float bottom = from.y + high * 0.7F;
    list.AddRectFilled({from.x, top}, {from.x + width, bottom}, of.control, em(0.15F));
    list.AddRectFilled({from.x, top}, {x_of(all.end) + 1, bottom}, of.touched, em(0.15F));
    for (const plot::band& each : in.over().bands) {
        const float left = x_of(each.from);
        list.AddRectFilled({left, top}, {std::max(left + 2, x_of(each.to)), bottom},
                           with_opacity(each.colour, 0.55F));
    }
    if (!in.axis.whole) {
        list.AddRect({x_of(in.axis.from), top}, {x_of(in.axis.to) + 1, bottom}, of.text);
    }
    if (in.state.looping && in.state.loop) {
        list.AddRectFilled({x_of(in.state.loop->first), bottom},
                           {x_of(in.state.loop->second) + 1, bottom + em(0.15F)},
                           of.ink(hue::blue));
    }
    for (const plot::mark& each : in.over().marks) {
        const float x = x_of(each.at);
        list.AddLine({x + 0.5F, top - em(0.15F)}, {x + 0.5F, bottom}, each.colour);
    }
    const float x = x_of(in.state.at.value_or(all.end));
    list.AddRectFilled({x - em(0.1F), from.y + em(0.1F)}, {x + em(0.1F), from.y + high - em(0.1F)},
                       in.shows_present() ? of.ink(hue::green) : of.ink(hue::orange), em(0.1F));
    if (ImGui::IsItemHovered()) {
        const double pointed = time_at(ImGui::GetIO().MousePos.x);
        std::string words = plot::time_words(pointed, whole > 600 ? 1 : 0.1);
        for (const plot::band& each : in.over().bands) {
            if (pointed >= each.from && pointed <= each.to) {
                words += "\nfault: " + std::string(each.label);
            }
        }
        for (const plot::mark& each : in.over().marks) {
            if (std::abs(x_of(each.at) - ImGui::GetIO().MousePos.x) < 3) {
                words += "\n" + std::string(each.label);
            }
        }
        ImGui::SetTooltip("%s", words.c_str());
    }
}

void viewer::draw_filter() {
    if (std::exchange(filter_wanted_, false)) {
        ImGui::OpenPopup("filter");
    }
    const ImGuiViewport& screen = *ImGui::GetMainViewport();
    ImGui::SetNextWindowPos(
        {screen.GetWorkCenter().x, screen.WorkPos.y + ImGui::GetFrameHeight() * 2},
        ImGuiCond_Always, {0.5F, 0});
    if (!ImGui::BeginPopup("filter")) {
        return;
    }
    view_state& state = context_.state;
    ImGui::TextUnformatted("Only these messages");
    const auto field = [](const char* label, const char* example, std::string& text, bool first) {
        std::array<char, 256> edited{};
        std::snprintf(edited.data(), edited.size(), "%s", text.c_str());
        if (first && ImGui::IsWindowAppearing()) {
            ImGui::SetKeyboardFocusHere();
        }
        ImGui::SetNextItemWidth(em(20));
        if (ImGui::InputTextWithHint(label, example, edited.data(), edited.size())) {
            text = edited.data();
        }
        name_item(std::string("filter.") + label);
    };
    field("Topic filter", "site/+/temperature", state.topic_filter, true);
    field("Client", "meters[3], or a client id", state.client, false);
    ImGui::AlignTextToFramePadding();
    const auto choose = [&](const char* label, std::optional<std::uint8_t> qos) {
        if (ImGui::RadioButton(label, state.qos == qos)) {
            state.qos = qos;
        }
        name_item(std::string("filter.") + label);
        ImGui::SameLine();
    };
    choose("all QoS", std::nullopt);
    choose("QoS 0", 0);
    choose("QoS 1", 1);
    choose("QoS 2", 2);
    ImGui::NewLine();
    ImGui::SetNextItemWidth(em(20));
    if (ImGui::BeginCombo("Lost because",
                          state.reason.empty() ? "(not only lost ones)" : state.reason.c_str())) {
        if (ImGui::Selectable("(not only lost ones)", state.reason.empty())) {
            state.reason.clear();
        }
        std::vector<std::string> reasons;
        if (context_.about() != nullptr) {
            reasons = context_.about()->drop_reasons;
        }
        reasons.emplace_back("lost");
        for (const std::string& each : reasons) {
            if (each != "none" && ImGui::Selectable(each.c_str(), state.reason == each)) {
                state.reason = each;
            }
        }
        ImGui::EndCombo();
    }
    if (button("Show messages", "filter.show")) {
        context_.show("messages");
        ImGui::CloseCurrentPopup();
    }
    ImGui::SameLine();
    if (button("Without a filter", "filter.clear")) {
        state.clear_filter();
    }
    if (is_pressed(key::escape) || is_pressed(key::enter)) {
        ImGui::CloseCurrentPopup();
    }
    ImGui::EndPopup();
}

void viewer::draw_status() {
    using state = feed::source_link::state;
    viewer_context& in = context_;
    const palette& of = colours();
    ImGui::AlignTextToFramePadding();
    switch (in.link.connection()) {
        case state::connected: coloured(of.ink(role::connected), "● connected"); break;
        case state::connecting: coloured(of.ink(role::connecting), "◐ connecting"); break;
        case state::lost: coloured(of.ink(role::faulted), "▲ lost"); break;
    }
    name_item("connection");
    const feed::description* const about = in.about();
    if (about == nullptr) {
        return;
    }
    const auto next = [](const std::string& words, bool is_faint = true) {
        ImGui::SameLine(0, em(1.2F));
        if (is_faint) {
            faint(words);
        } else {
            ImGui::TextUnformatted(words.c_str());
        }
    };
    next(about->kind + " " + about->title, false);
    if (about->seed) {
        next("seed " + std::to_string(*about->seed));
    }
    next(plot::count_words(about->devices) + " devices");
    const feed::totals* const present = in.present.answer();
    if (present != nullptr && !present->complete) {
        ImGui::SameLine(0, em(1.2F));
        coloured(of.ink(hue::orange), "◐ the recording is still being read");
    }
    const std::string filter = filter_words(in.state);
    if (!filter.empty()) {
        ImGui::SameLine(0, em(1.2F));
        coloured(of.ink(hue::blue), "filter: " + filter);
        name_item("filter_words");
    }
    const std::string version = "fleetarium " + about->version + "   ? lists the keys";
    const float wide = ImGui::CalcTextSize(version.c_str()).x;
    const float room = ImGui::GetWindowContentRegionMax().x - wide;
    ImGui::SameLine(0, em(1.2F));
    if (ImGui::GetCursorPosX() < room) {
        ImGui::SetCursorPosX(room);
        faint(version);
    }
}

}  // namespace fleetarium::dashboard
