#include <fleetarium/dashboard/funnel_model.hpp>
#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/panel_parts.hpp>
#include <fleetarium/dashboard/panels.hpp>

#include <array>

namespace fleetarium::dashboard {

namespace {

class funnel_panel final : public panel {
public:
    view described() const override {
        return {"funnel", "QoS funnel", "where messages stand, and where they are lost", {}, {}};
    }

    void draw(viewer_context& in) override {
        const feed::totals* const now = in.totals.answer();
        if (now == nullptr || in.about() == nullptr) {
            nothing_to_show("Waiting for the first numbers.");
            return;
        }
        const std::vector<std::string>& reasons = in.about()->drop_reasons;
        const std::vector<lost_part> losses = losses_of(*now, reasons);
        const bool wide = ImGui::GetContentRegionAvail().x >= em(64);
        if (!ImGui::BeginTable("funnels", wide ? 2 : 1, ImGuiTableFlags_SizingStretchSame)) {
            return;
        }
        for (std::uint8_t qos = 0; qos < 3; ++qos) {
            ImGui::TableNextColumn();
            coloured(inks()[qos], "■");
            ImGui::SameLine();
            ImGui::Text("QoS %d", qos);
            draw_funnel(in, funnel_of(*now, qos), qos, losses);
            ImGui::Spacing();
        }
        ImGui::TableNextColumn();
        const std::vector<funnel_step_row> publishers = publisher_funnel(*now);
        if (!publishers.empty()) {
            ImGui::TextUnformatted("Before a broker has them, all QoS");
            draw_funnel(in, publishers, std::nullopt, losses);
            ImGui::Spacing();
        }
        draw_losses(in, losses);
        ImGui::EndTable();
    }

private:
    static std::array<ImU32, 3> inks() {
        return {colours().ink(role::qos0), colours().ink(role::qos1), colours().ink(role::qos2)};
    }

    void draw_funnel(viewer_context& in, const std::vector<funnel_step_row>& rows,
                     std::optional<std::uint8_t> qos, const std::vector<lost_part>& losses) {
        std::vector<std::vector<plot::funnel_loss>> lost(rows.size());
        std::vector<plot::funnel_stage> stages(rows.size());
        constexpr std::array fills{role::qos0, role::qos1, role::qos2};
        for (std::size_t i = 0; i < rows.size(); ++i) {
            for (const lost_part& each : rows[i].losses) {
                lost[i].push_back({each.words, static_cast<double>(each.count)});
            }
            stages[i] = {rows[i].name, static_cast<double>(rows[i].count),
                         qos ? colours().fill(fills[*qos]) : colours().fill(hue::grey), lost[i]};
        }
        const std::string id = qos ? "funnel.qos" + std::to_string(*qos) : "funnel.publishers";
        const plot::funnel_click clicked = plot::funnel(id.c_str(), stages);
        if (clicked.stage == plot::none) {
            return;
        }
        std::string reason;
        if (clicked.loss != plot::none) {
            const lost_part& part = rows[clicked.stage].losses[clicked.loss];
            if (part.reason.empty()) {
                in.notify("No list of messages has these: \"" + part.words + "\".");
                return;
            }
            reason = part.reason == "dropped" ? most_of(losses) : part.reason;
        }
        show_messages(in, qos, reason);
    }

    /// The reason of most drops, where a broker's are not told apart by QoS.
    static std::string most_of(const std::vector<lost_part>& losses) {
        for (const lost_part& each : losses) {
            if (each.reason != "lost") {
                return each.reason;
            }
        }
        return {};
    }

    static void show_messages(viewer_context& in, std::optional<std::uint8_t> qos,
                              const std::string& reason) {
        in.state.clear_filter();
        in.state.qos = qos;
        in.state.reason = reason;
        in.show("messages");
    }

    static void draw_losses(viewer_context& in, const std::vector<lost_part>& losses) {
        ImGui::TextUnformatted("Lost at brokers, all QoS, by reason");
        if (losses.empty()) {
            coloured(colours().ink(role::delivered), "✓ Nothing was lost.");
            return;
        }
        for (const lost_part& each : losses) {
            const std::string label = "✕  " + plot::count_words(static_cast<double>(each.count)) +
                                      "  " + each.words + "##" + each.reason;
            ImGui::PushStyleColor(ImGuiCol_Text, colours().ink(role::dropped));
            if (ImGui::Selectable(label.c_str())) {
                show_messages(in, std::nullopt, each.reason);
            }
            ImGui::PopStyleColor();
            name_item("funnel.loss." + each.reason);
            if (ImGui::IsItemHovered()) {
                ImGui::SetTooltip("Show these messages");
            }
        }
    }
};

}  // namespace

std::unique_ptr<panel> make_funnel_panel() { return std::make_unique<funnel_panel>(); }

}  // namespace fleetarium::dashboard
