#include <fleetarium/dashboard/latency_model.hpp>
#include <fleetarium/dashboard/panel_parts.hpp>
#include <fleetarium/dashboard/panels.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace fleetarium::dashboard {

namespace {

class latency_panel final : public panel {
public:
    view described() const override {
        return {"latency", "Latency", "how long messages take, over time and in all", {}, {}};
    }

    void draw(viewer_context& in) override {
        if (in.history.answer() == nullptr || in.about() == nullptr) {
            nothing_to_show("Waiting for the first numbers.");
            return;
        }
        const feed::history_answer& history = *in.history.answer();
        if (in.history.version() != version_) {
            version_ = in.history.version();
            heat_ = heat_of(history);
        }
        if (heat_.is_empty()) {
            nothing_to_show(
                "Nothing was delivered in what charts show, or nobody tells when: the latency is "
                "the time from publishing to delivery.");
            return;
        }
        const bool selected = in.axis.has_selection();
        const double from = selected ? in.axis.select_from : in.axis.from;
        const double until = selected ? in.axis.select_to : in.axis.to;
        const latency_summary whole = summary_of(history, from, until);
        const bool has_cursor = !std::isnan(in.axis.cursor);
        const double instant = has_cursor ? in.axis.cursor : in.state.at.value_or(in.axis.most);
        const latency_summary then = summary_at(history, instant);
        draw_words(selected ? "Selected time" : "Time shown", whole,
                   has_cursor ? "Under the pointer" : "At the moment shown", then);
        const float room = ImGui::GetContentRegionAvail().y / em(1);
        plot::chart_options options;
        options.title = "Deliveries by latency over time";
        options.kind = plot::value_kind::duration;
        options.height = std::max(6.0F, room * 0.5F - 4);
        plot::heat_map("latency.heat", in.axis, {heat_.times, heat_.bounds, heat_.counts},
                       in.over(), options);
        draw_histogram(whole, std::max(6.0F, room * 0.5F - 4.2F));
    }

private:
    static void draw_words(const char* name, const latency_summary& whole, const char* then_name,
                           const latency_summary& then) {
        constexpr ImGuiTableFlags flags = ImGuiTableFlags_SizingStretchProp;
        if (!ImGui::BeginTable("percentiles", 7, flags)) {
            return;
        }
        for (const char* each : {"", "deliveries", "p50", "p90", "p99", "p99.9", "all below"}) {
            ImGui::TableNextColumn();
            faint(each);
        }
        const auto row = [](const char* title, const latency_summary& of) {
            ImGui::TableNextColumn();
            ImGui::TextUnformatted(title);
            ImGui::TableNextColumn();
            ImGui::TextUnformatted(plot::count_words(static_cast<double>(of.count)).c_str());
            for (const double each : {of.p50, of.p90, of.p99, of.p999, of.most}) {
                ImGui::TableNextColumn();
                ImGui::TextUnformatted(of.count == 0 ? "–" : plot::duration_words(each).c_str());
            }
        };
        row(name, whole);
        row(then_name, then);
        ImGui::EndTable();
    }

    static void draw_histogram(const latency_summary& of, float height) {
        std::vector<plot::bucket> buckets;
        const auto first = std::find_if(of.counts.begin(), of.counts.end(),
                                        [](std::uint64_t each) { return each > 0; });
        for (auto i = static_cast<std::size_t>(first - of.counts.begin()); i < of.counts.size();
             ++i) {
            buckets.push_back(
                {lower_bound_of(i), lower_bound_of(i + 1), static_cast<double>(of.counts[i])});
        }
        const palette& ink = colours();
        const std::array marks{plot::value_mark{of.p50, "p50", ink.ink(hue::green)},
                               plot::value_mark{of.p99, "p99", ink.ink(hue::orange)},
                               plot::value_mark{of.p999, "p99.9", ink.ink(hue::vermillion)}};
        plot::chart_options options;
        options.title = "Deliveries by latency";
        options.kind = plot::value_kind::duration;
        options.height = height;
        plot::histogram("latency.histogram", buckets,
                        std::span(marks.data(), buckets.empty() ? 0 : marks.size()), options);
    }

    latency_heat heat_{};
    std::uint64_t version_ = 0;
};

}  // namespace

std::unique_ptr<panel> make_latency_panel() { return std::make_unique<latency_panel>(); }

}  // namespace fleetarium::dashboard
