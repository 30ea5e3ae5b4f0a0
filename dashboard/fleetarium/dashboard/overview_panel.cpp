#include <fleetarium/dashboard/overview_model.hpp>
#include <fleetarium/dashboard/panel_parts.hpp>
#include <fleetarium/dashboard/panels.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace fleetarium::dashboard {

namespace {

std::string rate_words(bool is_known, double rate) {
    return is_known ? plot::number_words(rate) : "–";
}

std::string by_qos(bool is_known, const std::array<double, 3>& rates) {
    if (!is_known) {
        return "of QoS 0 · 1 · 2";
    }
    return plot::number_words(rates[0]) + " · " + plot::number_words(rates[1]) + " · " +
           plot::number_words(rates[2]);
}

std::string latency_words(double seconds) {
    return std::isnan(seconds) ? "–" : plot::duration_words(seconds);
}

class overview_panel final : public panel {
public:
    view described() const override {
        return {"overview", "Overview", "what happens: rates, queues, losses, latencies", {}, {}};
    }

    void draw(viewer_context& in) override {
        const feed::totals* const now = in.totals.answer();
        if (now == nullptr || in.about() == nullptr) {
            nothing_to_show("Waiting for the first numbers.");
            return;
        }
        before_.ask(in.link, {.at = now->at - rate_window(*now)}, in.now, 0.5);
        draw_tiles(*in.about(), *now);
        if (in.history.answer() != nullptr && in.history.version() != version_) {
            version_ = in.history.version();
            series_ = series_of(*in.history.answer(), in.about()->drop_reasons);
        }
        if (series_.times.size() < 2) {
            nothing_to_show("Curves appear with the second moment that is known.");
            return;
        }
        draw_charts(in);
    }

private:
    void draw_tiles(const feed::description& about, const feed::totals& now) {
        const feed::totals* const before = before_.answer();
        const totals_rates rates = before != nullptr ? rates_between(*before, now) : totals_rates();
        const bool known = rates.is_known();
        const palette& of = colours();
        const double devices = about.devices;
        const std::array shown{
            tile{"Connected", plot::count_words(now.connected),
                 devices > 0 ? "of " + plot::count_words(devices) + " devices" : "",
                 of.ink(role::connected)},
            tile{"Messages in /s", rate_words(known, rates.in_all()), by_qos(known, rates.in), 0},
            tile{"Delivered /s", rate_words(known, rates.out_all()), by_qos(known, rates.out), 0},
            tile{"In flight", plot::number_words(static_cast<double>(now.in_flight)),
                 "most " + plot::number_words(static_cast<double>(now.in_flight_max)), 0},
            tile{"Queued", plot::number_words(static_cast<double>(now.queued)),
                 "most " + plot::number_words(static_cast<double>(now.queued_max)),
                 now.queued > 0 ? of.ink(role::queued) : 0},
            tile{"Drops /s", rate_words(known, rates.drops),
                 plot::number_words(static_cast<double>(drops_of(now))) + " in all",
                 rates.drops > 0 ? of.ink(role::dropped) : 0},
            tile{"Sent again /s", rate_words(known, rates.resends), "with DUP", 0},
            tile{"Latency p50", known ? latency_words(rates.p50) : "–", "", 0},
            tile{"Latency p99", known ? latency_words(rates.p99) : "–",
                 known ? "p99.9 " + latency_words(rates.p999) : "", 0},
            tile{"Violations", plot::count_words(static_cast<double>(now.violations)),
                 plot::count_words(now.faults_active) +
                     (now.faults_active == 1 ? " fault active" : " faults active"),
                 now.violations > 0 ? of.ink(role::violation) : 0}};
        tiles("tile", shown.data(), shown.size());
    }

    void draw_charts(viewer_context& in) {
        const palette& of = colours();
        const std::array qos_inks{of.ink(role::qos0), of.ink(role::qos1), of.ink(role::qos2)};
        constexpr std::array<const char*, 3> qos_names{"QoS 0", "QoS 1", "QoS 2"};
        std::array<plot::series, 3> arrived;
        std::array<plot::series, 3> delivered;
        for (std::size_t i = 0; i < 3; ++i) {
            arrived[i] = {qos_names[i], qos_inks[i], series_.times, series_.in[i]};
            delivered[i] = {qos_names[i], qos_inks[i], series_.times, series_.out[i]};
        }
        const std::array connected{
            plot::series{"connected", of.ink(role::connected), series_.times, series_.connected}};
        const std::array waiting{
            plot::series{"in flight", of.ink(hue::blue), series_.times, series_.in_flight},
            plot::series{"queued", of.ink(role::queued), series_.times, series_.queued}};
        const std::array latency{
            plot::series{"p50", of.ink(hue::blue), series_.times, series_.p50},
            plot::series{"p99", of.ink(hue::orange), series_.times, series_.p99},
            plot::series{"p99.9", of.ink(hue::vermillion), series_.times, series_.p999}};
        std::vector<plot::series> drops;
        for (std::size_t i = 0; i < series_.drops.size(); ++i) {
            drops.push_back({series_.drops[i].name, of.ink(static_cast<hue>(i % 7)), series_.times,
                             series_.drops[i].values});
        }
        // Two beside each other where there is room, as high as the room allows.
        const bool wide = ImGui::GetContentRegionAvail().x >= em(56);
        const int columns = wide ? 2 : 1;
        const int rows = wide ? 3 : 6;
        const float height = std::max(
            4.5F, ImGui::GetContentRegionAvail().y / em(1) / static_cast<float>(rows) - 4.0F);
        if (!ImGui::BeginTable("charts", columns, ImGuiTableFlags_SizingStretchSame)) {
            return;
        }
        const auto options = [&](const char* title, const char* unit, plot::value_kind kind) {
            plot::chart_options out;
            out.title = title;
            out.unit = unit;
            out.kind = kind;
            if (kind == plot::value_kind::count) {
                out.most = 5;  // whole numbers for its ticks
            }
            out.height = height;
            return out;
        };
        using kind = plot::value_kind;
        ImGui::TableNextColumn();
        plot::stacked_chart("overview.in", in.axis, arrived, in.over(),
                            options("Messages in", "msg/s", kind::number));
        ImGui::TableNextColumn();
        plot::stacked_chart("overview.out", in.axis, delivered, in.over(),
                            options("Delivered", "msg/s", kind::number));
        ImGui::TableNextColumn();
        plot::chart_options filled = options("Connected", "", kind::count);
        filled.filled = true;
        plot::line_chart("overview.connected", in.axis, connected, in.over(), filled);
        ImGui::TableNextColumn();
        plot::line_chart("overview.waiting", in.axis, waiting, in.over(),
                         options("In flight and queued", "", kind::count));
        ImGui::TableNextColumn();
        plot::line_chart("overview.latency", in.axis, latency, in.over(),
                         options("Latency to delivery", "", kind::duration));
        ImGui::TableNextColumn();
        plot::stacked_chart("overview.drops", in.axis, drops, in.over(),
                            options(drops.empty() ? "Drops: none" : "Drops", "/s", kind::number));
        ImGui::EndTable();
    }

    watched_question<feed::totals_question> before_{};
    overview_series series_{};
    std::uint64_t version_ = 0;
};

}  // namespace

std::unique_ptr<panel> make_overview_panel() { return std::make_unique<overview_panel>(); }

}  // namespace fleetarium::dashboard
