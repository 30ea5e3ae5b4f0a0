#include <fleetarium/dashboard/device_panel.hpp>

#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/view_parts.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace fleetarium::dashboard {

namespace {

constexpr std::uint32_t events_asked = 1'000;
constexpr double asked_every = 0.5;
constexpr float lane_ems = 1.35F;

void fact(const char* name, const std::string& value) {
    faint_text(name);
    ImGui::SameLine(em(8));
    text(value);
}

std::string count_of(std::uint64_t count) { return plot::count_words(static_cast<double>(count)); }

}  // namespace

view device_panel::described() const {
    return {"device", "Device", "one device: session, counters, events over time", '5', {}};
}

void device_panel::draw(viewer_context& in) {
    if (in.state.device.empty()) {
        faint_text("No device is chosen. Choose one in the fleet map or in the list of devices.");
        if (ImGui::Button("Devices")) {
            in.show("devices");
        }
        return;
    }
    if (device_ != in.state.device) {
        device_ = in.state.device;
        show_whole(axis_);
        chosen_ = 0;
    }
    feed::device_question asked;
    asked.at = in.state.at;
    asked.name = device_;
    asked.events = events_asked;
    device_question_.ask(in.link, asked, in.now, again_every(in, asked_every));
    const feed::device_answer* const answer = device_question_.answer();
    if (answer == nullptr || !device_question_.error().empty() ||
        (answer->device.name != device_ && answer->device.client_id != device_)) {
        text(device_);
        trouble_or_wait(device_question_.error());
        return;
    }
    if (laid_out_version_ != device_question_.version()) {
        laid_out_version_ = device_question_.version();
        lanes_ = lanes_of(*answer);
        plot::set_extent(axis_, lanes_.from, lanes_.until);
    }
    draw_facts(in, *answer);
    draw_lanes(in, *answer);
    draw_events(in, *answer);
}

void device_panel::draw_facts(viewer_context& in, const feed::device_answer& of) const {
    ImGui::PushFont(text_font());
    text(of.device.name);
    ImGui::SameLine(0, em(1));
    look_text(look_of(of.device.state));
    ImGui::SameLine(0, em(1));
    faint_text("client id " + of.device.client_id);
    ImGui::SameLine(0, em(1));
    if (ImGui::SmallButton("Its messages") || view_key(chord('m'))) {
        in.state.client = of.device.name;
        in.show("messages");
    }
    name_item("device.messages");
    ImGui::PopFont();
    const float height = 5 * ImGui::GetTextLineHeightWithSpacing();
    const auto column = [&](const char* id, float ems, const auto& content) {
        ImGui::BeginChild(id, ImVec2(ems == 0 ? 0 : em(ems), height));
        content();
        ImGui::EndChild();
    };
    column("where", 18, [&] {
        fact("fleet", of.fleet.empty() ? std::string("–") : of.fleet);
        fact("network", of.network.empty() ? std::string("–") : of.network);
        fact("broker", of.broker.empty() ? std::string("–") : of.broker);
        fact("protocol", !of.protocol        ? std::string("–")
                         : *of.protocol == 5 ? std::string("MQTT 5.0")
                         : *of.protocol == 4 ? std::string("MQTT 3.1.1")
                                             : std::to_string(static_cast<int>(*of.protocol)));
        fact("connected", of.connected_since ? "since " + at_words(*of.connected_since)
                          : of.device.state == feed::device_state::connected ? std::string("yes")
                                                                             : std::string("no"));
    });
    ImGui::SameLine();
    column("counts", 16, [&] {
        fact("published", count_of(of.device.published));
        fact("received", count_of(of.device.received));
        fact("losses", count_of(of.device.losses));
        fact("connects", count_of(of.device.connects));
    });
    ImGui::SameLine();
    column("waits", 17, [&] {
        fact("waits for it", count_of(of.device.backlog) + " at the broker");
        fact("waits in it", of.waiting ? count_of(*of.waiting) : std::string("–"));
        fact("memory", of.memory_bytes ? count_of(*of.memory_bytes) + " bytes" : std::string("–"));
    });
    ImGui::SameLine();
    column("subscriptions", 0, [&] { draw_subscriptions(of); });
}

void device_panel::draw_subscriptions(const feed::device_answer& of) const {
    faint_text(of.subscriptions.empty() ? std::string("no subscription")
                                        : count_of(of.subscriptions.size()) + " subscriptions");
    for (const feed::subscription_row& each : of.subscriptions) {
        text(each.filter);
        ImGui::SameLine(0, em(0.6F));
        faint_text("QoS " + std::to_string(static_cast<unsigned>(each.qos)));
    }
}

void device_panel::draw_lanes(viewer_context& in, const feed::device_answer& of) {
    const float names = em(4);
    ImGui::SetCursorPosX(ImGui::GetCursorPosX() + names);
    plot::chart_options options;
    options.title = "What happened";
    options.height = lane_ems * static_cast<float>(device_lane_count);
    plot::frame area("device.lanes", options, &axis_);
    const float high = area.height() / static_cast<float>(device_lane_count);
    ImDrawList& list = *area.list;
    for (std::size_t i = 0; i < device_lane_count; ++i) {
        const float y = area.from.y + high * static_cast<float>(i);
        const auto words = words_of(static_cast<device_lane>(i));
        const float wide = ImGui::CalcTextSize(words.data(), words.data() + words.size()).x;
        list.AddText({std::floor(area.from.x - wide - em(0.5F)),
                      std::floor(y + (high - ImGui::GetTextLineHeight()) / 2)},
                     colours().faint, words.data(), words.data() + words.size());
        if (i > 0) {
            list.AddLine({area.from.x, std::floor(y) + 0.5F}, {area.to.x, std::floor(y) + 0.5F},
                         with_opacity(colours().line, 0.6F));
        }
    }
    area.time_lines();
    area.clip();
    draw_connection(area, area.from.y, high);
    for (std::size_t i = 0; i < device_lane_count; ++i) {
        draw_marks(area, of, i, area.from.y + high * static_cast<float>(i), high);
    }
    area.unclip();
    area.finish({});
    react(in, area, of, high);
}

void device_panel::draw_connection(const plot::frame& in, float y, float high) const {
    for (const connection_span& span : lanes_.connection) {
        const float left = in.x_of(span.from);
        const float right = std::max(in.x_of(span.until), left + 1);
        const ImVec2 from(left, y + high * 0.3F);
        const ImVec2 to(right, y + high * 0.7F);
        if (!span.known) {
            in.list->AddRect(from, to, colours().line);
        } else if (span.connected) {
            in.list->AddRectFilled(from, to, colours().fill(role::connected));
        } else {
            in.list->AddLine({left, (from.y + to.y) / 2}, {right, (from.y + to.y) / 2},
                             colours().faint, std::max(1.0F, em(0.1F)));
        }
    }
}

void device_panel::draw_marks(const plot::frame& in, const feed::device_answer& of,
                              std::size_t lane, float y, float high) const {
    const bool is_connection = lane == static_cast<std::size_t>(device_lane::connection);
    float last = -1e9F;
    for (const device_mark& mark : lanes_.marks[lane]) {
        const feed::event_row& event = of.events[mark.event];
        const float x = std::floor(in.x_of(mark.at));
        if (x < in.from.x - em(1) || x > in.to.x + em(1)) {
            continue;
        }
        const look of_event = look_of_event(event.what);
        const ImU32 ink = ink_of(of_event.colour);
        // A glyph where there is room for one, else a line.
        const ImVec2 size = ImGui::CalcTextSize(of_event.glyph);
        if (is_connection && event.what != "refused") {
            in.list->AddLine({x + 0.5F, y + high * 0.1F}, {x + 0.5F, y + high * 0.9F}, ink);
        } else if (x - last >= size.x) {
            in.list->AddText({std::floor(x - size.x / 2), std::floor(y + (high - size.y) / 2)}, ink,
                             of_event.glyph);
            last = x;
        } else {
            in.list->AddLine({x + 0.5F, y + high * 0.25F}, {x + 0.5F, y + high * 0.75F}, ink);
        }
    }
}

void device_panel::react(viewer_context& in, const plot::frame& area, const feed::device_answer& of,
                         float lane_height) {
    const bool clicked = !std::isnan(axis_.clicked);
    const double at = clicked ? axis_.clicked : axis_.cursor;
    axis_.clicked = plot::nothing;
    if (!area.hovered || std::isnan(at)) {
        return;
    }
    const auto lane =
        static_cast<std::size_t>(std::clamp((ImGui::GetIO().MousePos.y - area.from.y) / lane_height,
                                            0.0F, static_cast<float>(device_lane_count - 1)));
    const double reach = axis_.length() * static_cast<double>(em(0.6F) / area.width());
    const auto found = nearest_event(lanes_.marks[lane], at, reach);
    if (!found) {
        return;
    }
    const feed::event_row& event = of.events[*found];
    const look of_event = look_of_event(event.what);
    ImGui::BeginTooltip();
    look_text(of_event);
    faint_text(at_words(event.at));
    if (!event.topic.empty()) {
        text(event.topic);
    }
    if (!event.text.empty()) {
        text(event.text);
    }
    if (event.message) {
        faint_text("click: the message");
    }
    ImGui::EndTooltip();
    if (clicked) {
        chosen_ = static_cast<std::ptrdiff_t>(of.events.size() - 1 - *found);
        scroll_to_chosen_ = true;
        if (event.message) {
            in.open_message(*event.message);
        }
    }
}

void device_panel::draw_events(viewer_context& in, const feed::device_answer& of) {
    faint_text(completeness_words(of, events_asked));
    name_item("device.complete");
    const float height = std::max(em(6), ImGui::GetContentRegionAvail().y - foot_height());
    const auto count = static_cast<std::ptrdiff_t>(of.events.size());
    const float row_height = ImGui::GetTextLineHeight() + 2 * ImGui::GetStyle().CellPadding.y;
    chosen_ = std::clamp<std::ptrdiff_t>(chosen_, 0, std::max<std::ptrdiff_t>(count - 1, 0));
    scroll_to_chosen_ |=
        move_row(chosen_, count,
                 std::max<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(height / row_height) - 2));
    std::ptrdiff_t opened = view_key(key::enter) ? chosen_ : -1;
    if (ImGui::BeginTable(
            "events", 5,
            ImGuiTableFlags_ScrollY | ImGuiTableFlags_RowBg | ImGuiTableFlags_BordersOuter,
            ImVec2(0, height))) {
        ImGui::TableSetupScrollFreeze(0, 1);
        struct head {
            const char* name;
            float ems;
        };
        static constexpr std::array<head, 5> heads{
            {{"At", 7}, {"What", 9}, {"QoS", 3}, {"Topic", 0}, {"More", 0}}};
        for (const head& each : heads) {
            ImGui::TableSetupColumn(each.name,
                                    each.ems == 0 ? ImGuiTableColumnFlags_WidthStretch
                                                  : ImGuiTableColumnFlags_WidthFixed,
                                    each.ems == 0 ? 1 : em(each.ems));
        }
        ImGui::TableHeadersRow();
        ImGuiListClipper clipper;
        clipper.Begin(static_cast<int>(count), row_height);
        while (clipper.Step()) {
            for (std::ptrdiff_t i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
                const feed::event_row& event = of.events[static_cast<std::size_t>(count - 1 - i)];
                ImGui::TableNextRow();
                ImGui::TableNextColumn();
                ImGui::PushID(static_cast<int>(i));
                if (ImGui::Selectable("##event", i == chosen_,
                                      ImGuiSelectableFlags_SpanAllColumns)) {
                    chosen_ = i;
                    opened = i;
                }
                name_item("device.event." + std::to_string(i));
                ImGui::PopID();
                ImGui::SameLine(0, 0);
                text(at_words(event.at));
                ImGui::TableNextColumn();
                look_text(look_of_event(event.what));
                ImGui::TableNextColumn();
                text(event.qos ? std::to_string(static_cast<unsigned>(*event.qos)) : std::string());
                ImGui::TableNextColumn();
                text(event.topic);
                ImGui::TableNextColumn();
                text(event.text);
            }
        }
        if (scroll_to_chosen_) {
            keep_in_sight(static_cast<float>(chosen_) * row_height, row_height,
                          height - row_height);
            scroll_to_chosen_ = false;
        }
        ImGui::EndTable();
    }
    foot("↑ ↓ choose   Enter the message   M its messages   wheel zooms the lanes");
    if (opened >= 0 && opened < count) {
        const feed::event_row& event = of.events[static_cast<std::size_t>(count - 1 - opened)];
        if (event.message) {
            in.open_message(*event.message);
        }
    }
}

}  // namespace fleetarium::dashboard
