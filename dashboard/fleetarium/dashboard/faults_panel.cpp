#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/overlay_model.hpp>
#include <fleetarium/dashboard/panel_parts.hpp>
#include <fleetarium/dashboard/panels.hpp>
#include <fleetarium/dashboard/plot_frame.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <stdexcept>

namespace fleetarium::dashboard {

namespace {

constexpr float lane_ems = 1.5F;

/// Text that is edited in place.
bool edit(const char* label, const char* example, std::string& text, float ems) {
    std::array<char, 512> edited{};
    std::snprintf(edited.data(), edited.size(), "%s", text.c_str());
    ImGui::SetNextItemWidth(em(ems));
    const bool changed = ImGui::InputTextWithHint(label, example, edited.data(), edited.size());
    if (changed) {
        text = edited.data();
    }
    name_item(std::string("faults.") + label);
    return changed;
}

class faults_panel final : public panel {
public:
    view described() const override {
        return {"faults", "Faults", "faults and violations, and buttons to make trouble", {}, {}};
    }

    void draw(viewer_context& in) override {
        const feed::timeline_answer* const timeline = in.timeline.answer();
        if (timeline == nullptr || in.about() == nullptr) {
            nothing_to_show("Waiting for faults and violations.");
            return;
        }
        if (in.timeline.version() != version_) {
            version_ = in.timeline.version();
            lanes_ = lanes_of(*timeline);
        }
        draw_lanes(in);
        ImGui::Spacing();
        const bool wide = ImGui::GetContentRegionAvail().x >= em(60);
        if (!ImGui::BeginTable("below", wide ? 2 : 1, ImGuiTableFlags_SizingStretchSame)) {
            return;
        }
        ImGui::TableNextColumn();
        draw_controls(in, *in.about());
        ImGui::TableNextColumn();
        draw_active(in, *timeline);
        draw_violations(in, *timeline);
        ImGui::EndTable();
    }

private:
    void draw_lanes(viewer_context& in) const {
        plot::chart_options options;
        options.title = lanes_.empty() ? "Faults over time: none yet" : "Faults over time";
        options.height = lane_ems * static_cast<float>(std::max<std::size_t>(lanes_.size(), 2));
        plot::frame lanes("faults.lanes", options, &in.axis);
        const palette& of = colours();
        const double end = in.extent().end;
        lanes.time_lines();
        lanes.clip();
        for (std::size_t i = 0; i < lanes_.size(); ++i) {
            const float top = lanes.from.y + em(lane_ems) * static_cast<float>(i) + em(0.1F);
            const float bottom = top + em(lane_ems) - em(0.2F);
            for (const feed::fault_row& each : lanes_[i].faults) {
                const double until = each.until.value_or(end);
                if (until < in.axis.from || each.from > in.axis.to) {
                    continue;
                }
                const float left = lanes.x_of(std::max(each.from, in.axis.from));
                const float right = std::max(left + 3, lanes.x_of(std::min(until, in.axis.to)));
                list_bar(*lanes.list, {left, top}, {right, bottom},
                         each.by_hand ? of.fill(hue::orange) : of.fill(role::faulted));
            }
            lanes.list->AddText({lanes.from.x + em(0.3F), top + em(0.15F)}, of.text,
                                lanes_[i].name.c_str());
        }
        lanes.unclip();
        lanes.finish({{}, in.over().marks});
    }

    static void list_bar(ImDrawList& list, ImVec2 from, ImVec2 to, ImU32 colour) {
        list.AddRectFilled(from, to, with_opacity(colour, 0.45F), em(0.15F));
        list.AddRect(from, to, colour, em(0.15F));
    }

    void draw_controls(viewer_context& in, const feed::description& about) {
        const std::string why_not = why_no_control(about);
        ImGui::TextUnformatted("Make trouble");
        if (!why_not.empty()) {
            faint(why_not);
        }
        ImGui::BeginDisabled(!why_not.empty());
        draw_fault_form(in, about, why_not);
        ImGui::Spacing();
        ImGui::Separator();
        edit("Topic", "site/1/command", topic_, 14);
        ImGui::SameLine();
        edit("Payload", "text", payload_, 10);
        ImGui::SetNextItemWidth(em(6));
        ImGui::Combo("QoS", &qos_, "0\0001\0002\0");
        ImGui::SameLine();
        ImGui::Checkbox("retain", &retain_);
        ImGui::SameLine();
        const std::string no_topic = !why_not.empty() ? why_not
                                     : topic_.empty() ? "A message needs a topic."
                                                      : "";
        if (button("Publish", "faults.publish", no_topic)) {
            in.command(feed::publish_command{
                {}, topic_, payload_, static_cast<std::uint8_t>(qos_), retain_});
        }
        ImGui::Separator();
        edit("Client", "meters[3]", client_, 14);
        ImGui::SameLine();
        if (button("Disconnect", "faults.disconnect",
                   !why_not.empty()  ? why_not
                   : client_.empty() ? "Name a device or client id."
                                     : std::string())) {
            in.command(feed::disconnect_command{client_});
        }
        edit("Note", "what you see here", note_, 14);
        ImGui::SameLine();
        if (button("Annotate", "faults.annotate",
                   !why_not.empty() ? why_not
                   : note_.empty()  ? "Write what is to be noted."
                                    : "")) {
            in.command(feed::annotate_command{note_});
            note_.clear();
        }
        ImGui::EndDisabled();
    }

    void draw_fault_form(viewer_context& in, const feed::description& about,
                         const std::string& why_not) {
        ImGui::SetNextItemWidth(em(12));
        if (ImGui::BeginCombo("Fleet", form_.fleet.empty() ? "(all)" : form_.fleet.c_str())) {
            if (ImGui::Selectable("(all)", form_.fleet.empty())) {
                form_.fleet.clear();
            }
            for (const feed::fleet_info& each : about.fleets) {
                if (ImGui::Selectable(each.name.c_str(), form_.fleet == each.name)) {
                    form_.fleet = each.name;
                }
            }
            ImGui::EndCombo();
        }
        name_item("faults.fleet");
        ImGui::SameLine();
        float percent = static_cast<float>(form_.share * 100);
        ImGui::SetNextItemWidth(em(8));
        if (ImGui::SliderFloat("of them", &percent, 1, 100, "%.0f %%")) {
            form_.share = static_cast<double>(std::clamp(percent, 1.0F, 100.0F)) / 100;
        }
        if (about.brokers.size() > 1) {
            ImGui::SetNextItemWidth(em(12));
            if (ImGui::BeginCombo("Broker",
                                  form_.broker.empty() ? "(the first)" : form_.broker.c_str())) {
                for (const std::string& each : about.brokers) {
                    if (ImGui::Selectable(each.c_str(), form_.broker == each)) {
                        form_.broker = each;
                    }
                }
                ImGui::EndCombo();
            }
        }
        ImGui::BeginDisabled(form_.until_healed);
        edit("Lasts", "10s", form_.lasts, 6);
        ImGui::EndDisabled();
        ImGui::SameLine();
        ImGui::Checkbox("until healed", &form_.until_healed);
        name_item("faults.until_healed");
        ImGui::Checkbox("broker_crash is a power cut", &form_.power_cut);
        name_item("faults.power_cut");
        if (ImGui::IsItemHovered()) {
            ImGui::SetTooltip("The broker's machine loses power, so that its disk keeps only what "
                              "was synced.\nFor brokers with storage.");
        }
        ImGui::Spacing();
        // A button for each kind, in rows.
        const float right = ImGui::GetCursorScreenPos().x + ImGui::GetContentRegionAvail().x;
        for (std::size_t i = 0; i < about.fault_kinds.size(); ++i) {
            const feed::fault_kind_info& kind = about.fault_kinds[i];
            const float wide =
                ImGui::CalcTextSize(kind.name.c_str()).x + 2 * ImGui::GetStyle().FramePadding.x;
            if (i > 0 &&
                ImGui::GetItemRectMax().x + ImGui::GetStyle().ItemSpacing.x + wide < right) {
                ImGui::SameLine();
            }
            const std::string hint =
                std::string(kind.hits_broker ? "Hits the broker" : "Hits devices") +
                (kind.lasts ? "; lasts" : "; happens at once");
            if (button(kind.name.c_str(), "faults.kind." + kind.name, why_not, hint)) {
                begin_fault(in, kind);
            }
        }
        const fault_amount amount = amount_of(wanted_.name);
        if (!amount.member.empty()) {
            edit(amount.words.c_str(), amount.usual.c_str(), form_.amount, 6);
            ImGui::SameLine();
            if (button(("Begin " + wanted_.name).c_str(), "faults.begin", why_not)) {
                send(in, wanted_);
            }
        }
    }

    void begin_fault(viewer_context& in, const feed::fault_kind_info& kind) {
        const fault_amount amount = amount_of(kind.name);
        wanted_ = kind;
        form_.kind = kind.name;
        if (amount.member.empty()) {
            send(in, kind);
        } else {
            form_.amount = amount.usual;  // asked for below the buttons
        }
    }

    void send(viewer_context& in, const feed::fault_kind_info& kind) {
        try {
            in.command(feed::fault_command{fault_json(form_, kind)});
        } catch (const std::invalid_argument& wrong) {
            in.notify(wrong.what());
        }
    }

    static void draw_active(viewer_context& in, const feed::timeline_answer& timeline) {
        ImGui::TextUnformatted(in.shows_present() ? "Going on now" : "Going on then");
        const double instant = in.state.at.value_or(in.extent().end);
        const std::string why_not = why_no_control(*in.about());
        bool any = false;
        for (const feed::fault_row& each : timeline.faults) {
            if (each.from > instant || (each.until && *each.until <= instant)) {
                continue;
            }
            any = true;
            ImGui::PushID(static_cast<int>(each.fault));
            const std::string no_heal =
                !why_not.empty() ? why_not
                : each.until     ? "It has ended since."
                : each.by_hand   ? ""
                               : "The scenario began it, and ends it; only faults that were begun "
                                 "by hand heal by hand.";
            if (button("Heal", "faults.heal." + std::to_string(each.fault), no_heal)) {
                in.command(feed::heal_command{each.fault});
            }
            ImGui::PopID();
            ImGui::SameLine();
            ImGui::AlignTextToFramePadding();
            coloured(colours().ink(role::faulted), "▲ " + each.kind + ": " + each.where +
                                                       ", since " +
                                                       plot::time_words(each.from, 0.1));
        }
        if (!any) {
            faint("No fault is going on.");
        }
        ImGui::Spacing();
    }

    static void draw_violations(viewer_context& in, const feed::timeline_answer& timeline) {
        const std::string& command = in.about()->command;
        if (timeline.violations.empty()) {
            coloured(colours().ink(role::delivered), "✓ No invariant is violated.");
        } else {
            coloured(colours().ink(role::violation),
                     "◆ " + std::to_string(timeline.violations.size()) +
                         (timeline.violations.size() == 1 ? " violation of an invariant"
                                                          : " violations of invariants"));
        }
        if (!command.empty()) {
            if (button("Copy", "faults.copy", {}, "Copy the command to the clipboard")) {
                ImGui::SetClipboardText(command.c_str());
            }
            ImGui::SameLine();
            ImGui::AlignTextToFramePadding();
            ImGui::PushFont(mono_font());
            ImGui::TextUnformatted(command.c_str());
            ImGui::PopFont();
            if (ImGui::IsItemHovered()) {
                ImGui::SetTooltip("Repeats this run in a shell:\n%s", command.c_str());
            }
        }
        if (timeline.violations.empty()) {
            return;
        }
        constexpr ImGuiTableFlags flags =
            ImGuiTableFlags_RowBg | ImGuiTableFlags_ScrollY | ImGuiTableFlags_BordersInnerV;
        const float room = std::max(em(8), ImGui::GetContentRegionAvail().y);
        if (!ImGui::BeginTable("violations", 3, flags, {0, room})) {
            return;
        }
        ImGui::TableSetupScrollFreeze(0, 1);
        ImGui::TableSetupColumn("Time", ImGuiTableColumnFlags_WidthFixed, em(6.5F));
        ImGui::TableSetupColumn("Invariant", ImGuiTableColumnFlags_WidthFixed, em(9));
        ImGui::TableSetupColumn("What", ImGuiTableColumnFlags_WidthStretch);
        ImGui::TableHeadersRow();
        ImGuiListClipper clipper;
        clipper.Begin(static_cast<int>(timeline.violations.size()));
        while (clipper.Step()) {
            for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
                const feed::violation_row& each = timeline.violations[static_cast<std::size_t>(i)];
                ImGui::TableNextRow();
                ImGui::TableNextColumn();
                ImGui::PushID(i);
                const std::string time = plot::time_words(each.at, 0.01);
                if (ImGui::Selectable(time.c_str(), in.state.at == each.at,
                                      ImGuiSelectableFlags_SpanAllColumns)) {
                    seek(in.state, in.extent(), each.at, in.is_live());
                }
                name_item("faults.violation." + std::to_string(i));
                if (ImGui::IsItemHovered()) {
                    ImGui::SetTooltip("Go to this moment:\n%s", each.text.c_str());
                }
                ImGui::PopID();
                ImGui::TableNextColumn();
                coloured(colours().ink(role::violation), each.invariant);
                ImGui::TableNextColumn();
                ImGui::TextUnformatted(each.text.c_str());
            }
        }
        ImGui::EndTable();
    }

    std::vector<fault_lane> lanes_{};
    std::uint64_t version_ = 0;
    fault_form form_{};
    feed::fault_kind_info wanted_{};
    std::string topic_{};
    std::string payload_{};
    std::string client_{};
    std::string note_{};
    int qos_ = 0;
    bool retain_ = false;
};

}  // namespace

std::unique_ptr<panel> make_faults_panel() { return std::make_unique<faults_panel>(); }

}  // namespace fleetarium::dashboard
