#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/panel_parts.hpp>
#include <fleetarium/dashboard/panels.hpp>

#include <array>

namespace fleetarium::dashboard {

namespace {

constexpr std::uint32_t rows_max = 1000;

ImU32 ink_of(const feed::event_row& row) {
    const palette& of = colours();
    if (row.what == "connected" || row.what == "healed") {
        return of.ink(role::connected);
    }
    if (row.what == "violation") {
        return of.ink(role::violation);
    }
    if (row.what == "fault" || row.what == "refused") {
        return of.ink(role::faulted);
    }
    if (row.what == "dropped" || row.what == "lost") {
        return of.ink(role::dropped);
    }
    if (row.what == "annotation" || row.what == "command" || row.what == "gap") {
        return of.ink(hue::blue);
    }
    return of.text;
}

class log_panel final : public panel {
public:
    view described() const override {
        return {"log", "Log", "what happened, line by line", {}, {}};
    }

    void draw(viewer_context& in) override {
        ImGui::SetNextItemWidth(em(20));
        ImGui::InputTextWithHint("##search", "Search in lines", search_.data(), search_.size());
        name_item("log.search");
        ImGui::SameLine();
        ImGui::Checkbox("Connections", &connections_);
        name_item("log.connections");
        feed::log_question wanted;
        wanted.at = in.state.at;
        wanted.search = search_.data();
        wanted.connections = connections_;
        wanted.limit = rows_max;
        log_.ask(in.link, wanted, in.now, in.is_live() && in.shows_present() ? 0.5 : 0);
        const feed::log_answer* const found = log_.answer();
        if (found == nullptr) {
            nothing_to_show(log_.error().empty() ? "Waiting for the log." : log_.error());
            return;
        }
        ImGui::SameLine();
        faint("the newest " + std::to_string(found->rows.size()) + " lines that match" +
              (found->rows.size() == rows_max ? " (at most)" : "") +
              (found->forgotten > 0
                   ? "; " + plot::count_words(static_cast<double>(found->forgotten)) +
                         " older ones are forgotten"
                   : ""));
        if (found->rows.empty()) {
            nothing_to_show("No line matches.");
            return;
        }
        draw_rows(in, *found);
    }

private:
    void draw_rows(viewer_context& in, const feed::log_answer& found) {
        constexpr ImGuiTableFlags flags = ImGuiTableFlags_ScrollY | ImGuiTableFlags_RowBg |
                                          ImGuiTableFlags_Resizable | ImGuiTableFlags_BordersInnerV;
        if (!ImGui::BeginTable("lines", 4, flags)) {
            return;
        }
        ImGui::TableSetupScrollFreeze(0, 1);
        ImGui::TableSetupColumn("Time", ImGuiTableColumnFlags_WidthFixed, em(7.5F));
        ImGui::TableSetupColumn("What", ImGuiTableColumnFlags_WidthFixed, em(8));
        ImGui::TableSetupColumn("Who", ImGuiTableColumnFlags_WidthFixed, em(12));
        ImGui::TableSetupColumn("Details", ImGuiTableColumnFlags_WidthStretch);
        ImGui::TableHeadersRow();
        // The newest line stays in sight, unless somebody reads further up.
        const float scrolled = ImGui::GetScrollY();
        if (scrolled >= ImGui::GetScrollMaxY()) {
            follows_ = true;
        } else if (scrolled < scrolled_before_) {
            follows_ = false;
        }
        if (follows_) {
            ImGui::SetScrollY(ImGui::GetScrollMaxY());
        }
        scrolled_before_ = scrolled;
        ImGuiListClipper clipper;
        clipper.Begin(static_cast<int>(found.rows.size()));
        while (clipper.Step()) {
            for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
                draw_row(in, found.rows[static_cast<std::size_t>(i)], i);
            }
        }
        ImGui::EndTable();
    }

    static void draw_row(viewer_context& in, const feed::event_row& row, int place) {
        ImGui::TableNextRow();
        ImGui::TableNextColumn();
        ImGui::PushID(place);
        const std::string time = plot::time_words(row.at, 0.001);
        if (ImGui::Selectable(time.c_str(), false, ImGuiSelectableFlags_SpanAllColumns)) {
            seek(in.state, in.extent(), row.at, in.is_live());
        }
        name_item("log.row." + std::to_string(place));
        if (ImGui::IsItemHovered()) {
            ImGui::SetTooltip("Go to this moment; a double click opens the device or message");
            if (ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left)) {
                if (row.message) {
                    in.open_message(*row.message);
                } else if (!row.who.empty()) {
                    in.open_device(row.who);
                }
            }
        }
        ImGui::TableNextColumn();
        coloured(ink_of(row), row.what);
        ImGui::TableNextColumn();
        ImGui::TextUnformatted(row.who.c_str());
        ImGui::TableNextColumn();
        std::string words = row.text;
        if (!row.topic.empty()) {
            words = row.topic + (words.empty() ? "" : "  ") + words;
        }
        if (row.qos) {
            words += "  QoS " + std::to_string(*row.qos);
        }
        ImGui::TextUnformatted(words.c_str());
        ImGui::PopID();
    }

    std::array<char, 200> search_{};
    bool connections_ = true;
    watched_question<feed::log_question> log_{};
    bool follows_ = true;
    float scrolled_before_ = 0;
};

}  // namespace

std::unique_ptr<panel> make_log_panel() { return std::make_unique<log_panel>(); }

}  // namespace fleetarium::dashboard
