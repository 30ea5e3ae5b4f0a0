#include <fleetarium/dashboard/plot_frame.hpp>

#include <fleetarium/dashboard/item_names.hpp>

#include <imgui_internal.h>

#include <algorithm>
#include <cmath>

namespace fleetarium::dashboard::plot {

namespace {

constexpr double zoom_by_notch = 0.8;

float wide(std::string_view words) {
    return ImGui::CalcTextSize(words.data(), words.data() + words.size()).x;
}

void text(ImDrawList& list, ImVec2 at, ImU32 colour, std::string_view words) {
    list.AddText({std::floor(at.x), std::floor(at.y)}, colour, words.data(),
                 words.data() + words.size());
}

/// Whole pixels: lines of a hair's width are sharp, and the same in every frame.
float sharp(float at) { return std::floor(at) + 0.5F; }

}  // namespace

float gutter() { return em(3.6F); }

frame::frame(const char* id, const chart_options& options, time_axis* axis)
    : options_(options), axis_(axis) {
    list = ImGui::GetWindowDrawList();
    top_left_ = ImGui::GetCursorScreenPos();
    const float room = std::max(em(8), ImGui::GetContentRegionAvail().x);
    right_ = top_left_.x + room;
    const float line = ImGui::GetTextLineHeight();
    const float title = line + em(0.25F);
    const float below = options.shows_time ? line + em(0.2F) : em(0.2F);
    from = {std::floor(top_left_.x + gutter()), std::floor(top_left_.y + title)};
    to = {std::floor(right_), std::floor(from.y + em(std::max(1.0F, options.height)))};

    ImGui::PushID(id);
    ImGui::Dummy({room, title + height() + below});
    const ImVec2 after = ImGui::GetCursorScreenPos();
    ImGui::SetCursorScreenPos(from);
    ImGui::InvisibleButton("plot", {width(), height()},
                           ImGuiButtonFlags_MouseButtonLeft | ImGuiButtonFlags_MouseButtonRight);
    hovered = ImGui::IsItemHovered();
    if (axis_ != nullptr) {
        react();
    }
    name_area(id, from, to);
    ImGui::SetCursorScreenPos(after);
    ImGui::PopID();

    list->AddRectFilled(from, to, colours().panel);
    if (!options.title.empty() || !options.unit.empty()) {
        text(*list, top_left_, colours().text, options.title);
        if (!options.unit.empty()) {
            const float after_title = options.title.empty() ? 0 : wide(options.title) + em(0.5F);
            text(*list, {top_left_.x + after_title, top_left_.y}, colours().faint, options.unit);
        }
    }
}

float frame::x_of(double seconds) const {
    const double share = (seconds - axis_->from) / axis_->length();
    // Far outside is as good as just outside, and a float can say it.
    return from.x + static_cast<float>(std::clamp(share, -10.0, 10.0)) * width();
}

double frame::time_of(float x) const {
    return axis_->from + static_cast<double>((x - from.x) / width()) * axis_->length();
}

void frame::react() {
    time_axis& axis = *axis_;
    const ImGuiIO& io = ImGui::GetIO();
    const int now = ImGui::GetFrameCount();
    // Whoever drew the cursor last is gone, or the pointer has left the charts.
    if (axis.cursor_frame < now - 1) {
        axis.cursor = nothing;
    }
    const bool held = ImGui::IsItemActive();
    if (hovered || held) {
        axis.cursor = std::clamp(time_of(io.MousePos.x), axis.from, axis.to);
        axis.cursor_frame = now;
    }
    if (hovered) {
        ImGui::SetItemUsingMouseWheel();  // the page does not scroll meanwhile
        if (io.MouseWheel != 0) {
            zoom(axis, axis.cursor, std::pow(zoom_by_notch, static_cast<double>(io.MouseWheel)));
        }
        if (io.MouseWheelH != 0) {
            pan(axis, -static_cast<double>(io.MouseWheelH) * axis.length() / 10);
        }
        if (ImGui::IsMouseDoubleClicked(ImGuiMouseButton_Left)) {
            show_whole(axis);
        }
    }
    if (ImGui::IsItemActivated()) {
        const bool selects = io.KeyShift || ImGui::IsMouseDown(ImGuiMouseButton_Right);
        axis.drag_from = selects ? axis.cursor : nothing;
    }
    const bool right = ImGui::IsMouseDown(ImGuiMouseButton_Right);
    const bool dragged =
        ImGui::IsMouseDragging(right ? ImGuiMouseButton_Right : ImGuiMouseButton_Left);
    if (held && dragged) {
        if (std::isnan(axis.drag_from)) {
            pan(axis, -static_cast<double>(io.MouseDelta.x / width()) * axis.length());
        } else {
            axis.select_from = std::min(axis.drag_from, axis.cursor);
            axis.select_to = std::max(axis.drag_from, axis.cursor);
        }
    }
    if (ImGui::IsItemDeactivated()) {
        const bool was_drag =
            io.MouseDragMaxDistanceSqr[0] > io.MouseDragThreshold * io.MouseDragThreshold ||
            io.MouseDragMaxDistanceSqr[1] > io.MouseDragThreshold * io.MouseDragThreshold;
        const bool left_up = ImGui::IsMouseReleased(ImGuiMouseButton_Left);
        if (!std::isnan(axis.drag_from) && !(axis.select_from < axis.select_to && was_drag)) {
            clear_selection(axis);
        } else if (std::isnan(axis.drag_from) && left_up && !was_drag && hovered) {
            axis.clicked = axis.cursor;
        }
        axis.drag_from = nothing;
    }
}

void frame::tick_left(float y, const std::string& words, bool line) const {
    const float at = std::clamp(y - ImGui::GetTextLineHeight() / 2, from.y - em(0.1F),
                                to.y - ImGui::GetTextLineHeight() + em(0.2F));
    text(*list, {from.x - em(0.35F) - wide(words), at}, colours().faint, words);
    if (line) {
        list->AddLine({from.x, sharp(y)}, {to.x, sharp(y)}, with_opacity(colours().line, 0.6F));
    }
}

void frame::set_values(double least, double most, value_kind kind) {
    if (!std::isfinite(least) || !std::isfinite(most)) {
        least = 0;
        most = 1;
    }
    if (!(least < most)) {
        // One value all the time: it is in the middle, or at the bottom if it is 0.
        const double around = least == 0 ? 1 : std::fabs(least) / 2;
        most += around;
        least -= least == 0 ? 0 : around;
    }
    const int count = std::max(2, static_cast<int>(height() / (ImGui::GetTextLineHeight() * 1.6F)));
    std::vector<double> ticks = number_ticks(least, most, count);
    if (ticks.size() >= 2) {
        // The highest line is above the highest value: a peak has a number beside it.
        const double step = step_of(ticks);
        most = std::max(most, std::ceil(most / step - 1e-9) * step);
        least = std::min(least, std::floor(least / step + 1e-9) * step);
        ticks = number_ticks(least, most, count + 2);
    }
    least_ = least;
    most_ = most;
    for (const double tick : ticks) {
        tick_left(y_of(tick), value_words(kind, tick), true);
    }
}

float frame::y_of(double value) const {
    const double share = (value - least_) / (most_ - least_);
    return to.y - static_cast<float>(std::clamp(share, -10.0, 10.0)) * height();
}

void frame::set_powers(double least, double most, value_kind kind) {
    least_ = std::log10(least);
    most_ = std::log10(most);
    const int count = std::max(2, static_cast<int>(height() / (ImGui::GetTextLineHeight() * 1.6F)));
    for (const double tick : power_ticks(least, most, count)) {
        tick_left(y_of_power(tick), value_words(kind, tick), false);
    }
}

float frame::y_of_power(double value) const { return y_of(std::log10(value)); }

void frame::legend(const std::vector<legend_entry>& entries) const {
    const float gap = em(0.35F);
    const float swatch = em(0.7F);
    const float value = em(4.2F);
    float left = top_left_.x + wide(options_.title) + wide(options_.unit) + em(1.2F);
    const float line = ImGui::GetTextLineHeight();
    // From the right, in fixed places: a number that changes moves nothing.
    float all = 0;
    for (const legend_entry& each : entries) {
        all += swatch + gap + wide(each.name) + gap + (each.value.empty() ? gap : value);
    }
    left = std::max(left, right_ - all);
    list->PushClipRect({top_left_.x, top_left_.y}, {right_, top_left_.y + line + 2}, true);
    for (const legend_entry& each : entries) {
        const float middle = std::floor(top_left_.y + line / 2);
        list->AddRectFilled({left, middle - em(0.2F)}, {left + swatch, middle + em(0.2F)},
                            each.colour);
        left += swatch + gap;
        text(*list, {left, top_left_.y}, colours().text, each.name);
        left += wide(each.name) + gap;
        text(*list, {left, top_left_.y}, colours().faint, each.value);
        left += each.value.empty() ? gap : value;
    }
    list->PopClipRect();
}

void frame::time_lines() const {
    const double length = axis_->length();
    const float label = wide(time_words(axis_->to, length / 8)) + em(1.5F);
    const int count = std::max(1, static_cast<int>(width() / label));
    const std::vector<double> ticks = time_ticks(axis_->from, axis_->to, count);
    const double step = step_of(ticks);
    for (const double tick : ticks) {
        const float x = x_of(tick);
        list->AddLine({sharp(x), from.y}, {sharp(x), to.y}, with_opacity(colours().line, 0.6F));
        if (options_.shows_time) {
            const std::string words = time_words(tick, step);
            const float size = wide(words);
            // Whole on the screen, also at the ends.
            text(
                *list,
                {std::clamp(x - size / 2, from.x, std::max(from.x, to.x - size)), to.y + em(0.15F)},
                colours().faint, words);
        }
    }
}

void frame::bands(const overlay& over) const {
    clip();
    for (const band& each : over.bands) {
        if (each.to < axis_->from || each.from > axis_->to) {
            continue;
        }
        // What is shorter than a pixel still shows.
        const float left = x_of(each.from);
        const float right = std::max(left + 1, x_of(each.to));
        list->AddRectFilled({left, from.y}, {right, to.y}, with_opacity(each.colour, 0.16F));
        list->AddLine({sharp(left), from.y}, {sharp(left), to.y}, with_opacity(each.colour, 0.8F));
        list->AddRectFilled({left, from.y}, {right, from.y + em(0.15F)}, each.colour);
    }
    unclip();
}

void frame::finish(const overlay& over) {
    clip();
    // Labels have rows: a band's is beside its begin, and where two would meet the later is lower.
    float taken = -1;
    int row = 0;
    const float moment = std::isnan(axis_->playhead) ? -1 : sharp(x_of(axis_->playhead));
    const auto label = [&](float x, ImU32 colour, std::string_view words) {
        if (words.empty()) {
            return;
        }
        const float last = std::max(from.x, to.x - wide(words) - em(0.25F));
        float at = std::clamp(x + em(0.25F), from.x + em(0.25F), last);
        if (moment > at - em(0.4F) && moment < at + wide(words) + em(0.4F)) {
            // The line of the moment that is shown passes beside it.
            const bool fits = moment + em(0.5F) <= last;
            at = fits ? moment + em(0.5F) : std::max(from.x, moment - wide(words) - em(0.5F));
        }
        const float line = ImGui::GetTextLineHeight();
        const int rows = std::max(1, static_cast<int>(height() / line) - 1);
        row = at < taken ? (row + 1) % std::min(3, rows) : 0;
        taken = std::max(taken, at + wide(words) + em(0.5F));
        const ImVec2 place(at, from.y + em(0.2F) + line * static_cast<float>(row));
        list->AddRectFilled({place.x - em(0.15F), place.y},
                            {place.x + wide(words) + em(0.15F), place.y + line},
                            with_opacity(colours().panel, 0.75F));
        text(*list, place, colour, words);
    };
    for (const band& each : over.bands) {
        if (each.to >= axis_->from && each.from <= axis_->to) {
            label(x_of(each.from), each.colour, each.label);
        }
    }
    for (const mark& each : over.marks) {
        if (each.at < axis_->from || each.at > axis_->to) {
            continue;
        }
        const float x = sharp(x_of(each.at));
        list->AddLine({x, from.y}, {x, to.y}, each.colour);
        list->AddTriangleFilled({x - em(0.3F), to.y}, {x, to.y - em(0.5F)}, {x + em(0.3F), to.y},
                                each.colour);
        label(x, each.colour, each.label);
    }
    if (axis_->has_selection()) {
        const float left = x_of(axis_->select_from);
        const float right = x_of(axis_->select_to);
        const ImU32 colour = colours().ink(hue::blue);
        list->AddRectFilled({left, from.y}, {right, to.y}, with_opacity(colour, 0.15F));
        list->AddRect({sharp(left), from.y}, {sharp(right), to.y}, with_opacity(colour, 0.9F));
    }
    if (!std::isnan(axis_->playhead)) {
        const float x = sharp(x_of(axis_->playhead));
        list->AddLine({x, from.y}, {x, to.y}, colours().text, 2);
    }
    if (!std::isnan(axis_->cursor)) {
        const float x = sharp(x_of(axis_->cursor));
        list->AddLine({x, from.y}, {x, to.y}, with_opacity(colours().text, 0.7F));
        if (hovered) {
            const std::string words = time_words(axis_->cursor, axis_->length() / width());
            const float size = wide(words);
            const ImVec2 at(
                std::clamp(x + em(0.4F), from.x, std::max(from.x, to.x - size - em(0.3F))),
                to.y - ImGui::GetTextLineHeight() - em(0.2F));
            list->AddRectFilled({at.x - em(0.2F), at.y},
                                {at.x + size + em(0.2F), at.y + ImGui::GetTextLineHeight()},
                                colours().control);
            text(*list, at, colours().text, words);
        }
    }
    unclip();
}

}  // namespace fleetarium::dashboard::plot
