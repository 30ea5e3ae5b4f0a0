#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/plot_frame.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace fleetarium::dashboard::plot {

namespace {

float wide(std::string_view words) {
    return ImGui::CalcTextSize(words.data(), words.data() + words.size()).x;
}

void text(ImDrawList& list, ImVec2 at, ImU32 colour, std::string_view words) {
    list.AddText({std::floor(at.x), std::floor(at.y)}, colour, words.data(),
                 words.data() + words.size());
}

std::string share_words(double part, double whole) {
    if (!(whole > 0)) {
        return {};
    }
    const double percent = part / whole * 100;
    // Neither all nor nothing by rounding.
    if (part < whole && percent > 99.9) {
        return "> 99.9 %";
    }
    if (part > 0 && percent < 0.1) {
        return "< 0.1 %";
    }
    return number_words(std::floor(percent * 10 + 0.5) / 10) + " %";
}

}  // namespace

std::size_t histogram(const char* id, std::span<const bucket> buckets,
                      std::span<const value_mark> marks, const chart_options& options) {
    frame in(id, options, nullptr);
    double least = std::numeric_limits<double>::infinity();
    double greatest = 0;
    double most = 1;
    for (const bucket& each : buckets) {
        if (!(each.least > 0) || !(each.most > each.least)) {
            throw std::invalid_argument(
                "a bucket of a histogram is above 0, its axis is "
                "logarithmic, and not empty");
        }
        least = std::min(least, each.least);
        greatest = std::max(greatest, each.most);
        most = std::max(most, each.count);
    }
    in.set_values(0, most, value_kind::number);
    if (buckets.empty()) {
        return none;
    }
    const double low = std::log10(least);
    const double high = std::log10(greatest);
    const auto x_of = [&](double value) {
        return in.from.x +
               static_cast<float>((std::log10(value) - low) / (high - low)) * in.width();
    };
    std::size_t under = none;
    const float pointer = ImGui::GetIO().MousePos.x;
    in.clip();
    for (std::size_t i = 0; i < buckets.size(); ++i) {
        const bucket& each = buckets[i];
        const float left = std::floor(x_of(each.least) + 0.5F);
        const float right = std::max(left + 1, std::floor(x_of(each.most) + 0.5F));
        const bool here = in.hovered && pointer >= left && pointer < right;
        if (here) {
            under = i;
            in.list->AddRectFilled({left, in.from.y}, {right, in.to.y}, colours().selected);
        }
        if (each.count > 0) {
            // A hair between bars, if they are wide enough; a single one among a million shows.
            const float gap = right - left > 4 ? 1.0F : 0.0F;
            const float top = std::min(in.to.y - 1, std::floor(in.y_of(each.count) + 0.5F));
            in.list->AddRectFilled({left, top}, {right - gap, in.to.y},
                                   here ? colours().fill(hue::orange) : colours().fill(hue::blue));
        }
    }
    const float line = ImGui::GetTextLineHeight();
    float taken = in.from.x;
    int row = 0;
    const auto is_shown = [&](const value_mark& each) {
        return each.at >= least && each.at <= greatest;
    };
    const auto line_of = [&](const value_mark& each) { return std::floor(x_of(each.at)) + 0.5F; };
    for (const value_mark& each : marks) {
        if (is_shown(each)) {
            const float x = line_of(each);
            in.list->AddLine({x, in.from.y}, {x, in.to.y}, each.colour);
        }
    }
    for (const value_mark& each : marks) {
        if (!is_shown(each)) {
            continue;
        }
        const float x = line_of(each);
        const std::string words =
            std::string(each.label) + " " + value_words(options.kind, each.at);
        const float at =
            std::clamp(x + em(0.25F), in.from.x, std::max(in.from.x, in.to.x - wide(words)));
        row = at < taken ? row + 1 : 0;
        taken = std::max(taken, at + wide(words) + em(0.5F));
        const float y = in.from.y + em(0.1F) + static_cast<float>(row) * line;
        in.list->AddRectFilled({at - em(0.1F), y}, {at + wide(words) + em(0.1F), y + line},
                               with_opacity(colours().panel, 0.9F));  // above all lines
        text(*in.list, {at, y}, each.colour, words);
    }
    in.unclip();
    if (options.shows_time) {
        const std::string sample = value_words(options.kind, 123e-6);
        const int count = std::max(1, static_cast<int>(in.width() / (wide(sample) + em(1.5F))));
        for (const double tick : power_ticks(least, greatest, count)) {
            const std::string words = value_words(options.kind, tick);
            const float x = x_of(tick);
            in.list->AddLine({std::floor(x) + 0.5F, in.to.y},
                             {std::floor(x) + 0.5F, in.to.y + em(0.2F)}, colours().faint);
            text(*in.list,
                 {std::clamp(x - wide(words) / 2, in.from.x,
                             std::max(in.from.x, in.to.x - wide(words))),
                  in.to.y + em(0.15F)},
                 colours().faint, words);
        }
    }
    if (under != none) {
        const bucket& each = buckets[under];
        ImGui::SetTooltip("%s – %s: %s", value_words(options.kind, each.least).c_str(),
                          value_words(options.kind, each.most).c_str(),
                          count_words(each.count).c_str());
    }
    return under;
}

void sparkline(const char* id, std::span<const double> values, ImU32 colour, ImVec2 size) {
    const ImVec2 at = ImGui::GetCursorScreenPos();
    ImGui::PushID(id);
    ImGui::Dummy(size);
    name_item(id);
    ImGui::PopID();
    const auto columns = static_cast<std::size_t>(std::max(1.0F, size.x));
    double least = std::numeric_limits<double>::infinity();
    double most = -least;
    for (const double value : values) {
        if (std::isfinite(value)) {
            least = std::min(least, value);
            most = std::max(most, value);
        }
    }
    if (!(least <= most)) {
        return;
    }
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const float inset = std::max(1.0F, em(0.1F));
    const auto y_of = [&](double value) {
        // One value all the time is a line in the middle.
        const double share = most > least ? (value - least) / (most - least) : 0.5;
        return at.y + size.y - inset - static_cast<float>(share) * (size.y - 2 * inset);
    };
    std::vector<ImVec2> points;
    const auto stroke = [&] {
        if (points.size() > 1) {
            list.AddPolyline(points.data(), static_cast<int>(points.size()), colour, 0,
                             std::max(1.0F, em(0.08F)));
        } else if (points.size() == 1) {
            list.AddCircleFilled(points[0], inset, colour, 8);
        }
        points.clear();
    };
    const std::size_t shown = std::min(columns, values.size());
    for (std::size_t i = 0; i < shown; ++i) {
        const std::size_t from = i * values.size() / shown;
        const std::size_t to = (i + 1) * values.size() / shown;
        double low = std::numeric_limits<double>::infinity();
        double high = -low;
        for (std::size_t j = from; j < to; ++j) {
            if (std::isfinite(values[j])) {
                low = std::min(low, values[j]);
                high = std::max(high, values[j]);
            }
        }
        if (!(low <= high)) {
            stroke();
            continue;
        }
        const float x =
            at.x + (shown > 1 ? static_cast<float>(i) * (size.x - 1) / static_cast<float>(shown - 1)
                              : 0.0F);
        points.push_back({x, y_of(low)});
        if (high > low) {
            points.push_back({x, y_of(high)});
        }
    }
    stroke();
}

funnel_click funnel(const char* id, std::span<const funnel_stage> stages) {
    funnel_click clicked;
    double whole = 0;
    float names = 0;
    for (const funnel_stage& each : stages) {
        whole = std::max(whole, each.count);
        names = std::max(names, wide(each.name));
    }
    ImDrawList& list = *ImGui::GetWindowDrawList();
    const float line = ImGui::GetTextLineHeight();
    const float high = line + em(0.4F);
    const float numbers = wide("1,234,567,890") + wide("> 99.9 %") + em(1.6F);
    ImGui::PushID(id);
    ImGui::PushStyleVar(ImGuiStyleVar_ItemSpacing, ImVec2(0, em(0.2F)));
    for (std::size_t i = 0; i < stages.size(); ++i) {
        const funnel_stage& each = stages[i];
        ImGui::PushID(static_cast<int>(i));
        const std::string name = std::string(id) + "." + std::string(each.name);
        for (std::size_t j = 0; j < each.losses.size(); ++j) {
            const funnel_loss& loss = each.losses[j];
            ImGui::PushID(static_cast<int>(j));
            const ImVec2 at = ImGui::GetCursorScreenPos();
            const float room = std::max(em(10), ImGui::GetContentRegionAvail().x);
            if (ImGui::InvisibleButton("loss", {room, line + em(0.1F)})) {
                clicked = {i, j};
            }
            name_item(name + "." + std::string(loss.reason));
            if (ImGui::IsItemHovered()) {
                list.AddRectFilled(at, {at.x + room, at.y + line + em(0.1F)}, colours().selected);
            }
            const ImU32 ink = colours().ink(loss.count > 0 ? hue::vermillion : hue::grey);
            const std::string count = count_words(loss.count);
            const float end = at.x + names + em(0.8F) + wide("1,234,567,890");
            text(list, {end - wide(count), at.y}, ink, count);
            text(list, {end + em(0.5F), at.y}, ink, loss.count > 0 ? "✕" : "·");
            text(list, {end + em(1.6F), at.y}, ink, loss.reason);
            ImGui::PopID();
        }
        const ImVec2 at = ImGui::GetCursorScreenPos();
        const float room = std::max(em(10), ImGui::GetContentRegionAvail().x);
        if (ImGui::InvisibleButton("stage", {room, high})) {
            clicked = {i, none};
        }
        name_item(name);
        if (ImGui::IsItemHovered()) {
            list.AddRectFilled(at, {at.x + room, at.y + high}, colours().selected);
        }
        const float middle = at.y + (high - line) / 2;
        text(list, {at.x + em(0.2F), middle}, colours().text, each.name);
        const float end = at.x + names + em(0.8F) + wide("1,234,567,890");
        const std::string count = count_words(each.count);
        text(list, {end - wide(count), middle}, colours().text, count);
        const std::string share = share_words(each.count, whole);
        const float share_end = at.x + names + numbers;
        text(list, {share_end - wide(share), middle}, colours().faint, share);
        const float left = std::floor(share_end + em(0.8F));
        const float right = at.x + room;
        if (right > left) {
            const auto full = static_cast<double>(right - left);
            const auto length = static_cast<float>(whole > 0 ? each.count / whole * full : 0);
            list.AddRectFilled({left, at.y + em(0.1F)}, {right, at.y + high - em(0.1F)},
                               colours().panel);
            if (each.count > 0) {
                list.AddRectFilled(
                    {left, at.y + em(0.1F)},
                    {left + std::max(1.0F, std::floor(length + 0.5F)), at.y + high - em(0.1F)},
                    each.colour);
            }
        }
        ImGui::PopID();
    }
    ImGui::PopStyleVar();
    ImGui::PopID();
    return clicked;
}

}  // namespace fleetarium::dashboard::plot
