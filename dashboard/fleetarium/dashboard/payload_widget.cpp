#include <fleetarium/dashboard/payload_widget.hpp>

#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/plot_axis.hpp>
#include <fleetarium/dashboard/view_parts.hpp>

#include <algorithm>

namespace fleetarium::dashboard {

namespace {

constexpr std::size_t open_at_first = 200;  ///< nodes; of larger trees only the first level is open
constexpr std::size_t hex_lines_max = 16'384;
constexpr std::size_t text_shown_max = 64 * 1024;

const char* glyph_of_change(payload_change::kind what) {
    switch (what) {
        case payload_change::kind::changed: return "~";
        case payload_change::kind::added: return "+";
        case payload_change::kind::removed: return "−";
        default: return " ";
    }
}

ImU32 ink_of_change(payload_change::kind what) {
    switch (what) {
        case payload_change::kind::changed: return colours().ink(hue::orange);
        case payload_change::kind::added: return colours().ink(hue::green);
        case payload_change::kind::removed: return colours().ink(hue::vermillion);
        default: return colours().faint;
    }
}

ImU32 ink_of_kind(const std::string& kind) {
    if (kind.starts_with("text") || kind == "String" || kind == "Text") {
        return colours().ink(hue::green);
    }
    if (kind.starts_with("boolean") || kind == "Boolean" || kind.starts_with("null")) {
        return colours().ink(hue::purple);
    }
    return colours().ink(hue::blue);
}

}  // namespace

void payload_widget::take(std::uint64_t key, const std::string& topic,
                          const feed::payload_view& payload, const feed::payload_view* before) {
    if (key_ == key) {
        return;
    }
    key_ = key;
    bytes_ = bytes_of(payload);
    before_ = before != nullptr ? bytes_of(*before) : std::string();
    likely_ = likely_format(payload, topic);
    remake();
}

void payload_widget::remake() {
    format_ = chosen_.value_or(likely_);
    tree_ = tree_of(format_, bytes_);
    hex_ = format_ == payload_format::hex ? hex_lines(bytes_, hex_lines_max)
                                          : std::vector<std::string>();
    changes_ = differs_ ? difference(format_, before_, bytes_) : std::vector<payload_change>();
    closed_.clear();
    if (tree_ && tree_->nodes.size() > open_at_first) {
        for (std::size_t i = 0; i < tree_->nodes.size(); ++i) {
            if (tree_->nodes[i].below != 0 && tree_->nodes[i].depth != 0) {
                closed_.insert(i);
            }
        }
    }
}

void payload_widget::draw(const char* id, std::uint64_t key, const std::string& topic,
                          const feed::payload_view& payload, const feed::payload_view* before) {
    take(key, topic, payload, before);
    draw_choice(id, before != nullptr);
    std::string words = plot::count_words(payload.size) + (payload.size == 1 ? " byte" : " bytes");
    if (payload.cut) {
        words += ", the first " + plot::count_words(static_cast<double>(bytes_.size())) + " shown";
    }
    faint_text(words);
    ImGui::BeginChild(id, ImVec2(0, 0), true, ImGuiWindowFlags_HorizontalScrollbar);
    if (payload.size == 0) {
        faint_text("the payload is empty");
    } else if (differs_ && before != nullptr) {
        draw_difference();
    } else if (format_ == payload_format::hex) {
        draw_hex();
    } else if (format_ == payload_format::text) {
        draw_text();
    } else if (tree_) {
        draw_tree();
    } else {
        faint_text("this is not " + std::string(words_of(format_)) +
                   (payload.cut ? ", as far as it is here" : ""));
    }
    ImGui::EndChild();
}

void payload_widget::draw_choice(const char* id, bool has_before) {
    std::vector<std::string> names{"as " + std::string(words_of(likely_)) + " (likely)"};
    for (std::size_t i = 0; i < payload_format_count; ++i) {
        names.push_back("as " + std::string(words_of(static_cast<payload_format>(i))));
    }
    std::size_t chosen = chosen_ ? static_cast<std::size_t>(*chosen_) + 1 : 0;
    bool changed = choose((std::string(id) + ".format").c_str(), chosen, names, em(14));
    if (ImGui::IsItemHovered()) {
        ImGui::SetTooltip("%s", "how the payload is read  (V)");
    }
    if (view_key(chord('v'))) {
        chosen = (chosen + 1) % names.size();
        changed = true;
    }
    ImGui::SameLine();
    bool differs = differs_ && has_before;
    if (has_before) {
        changed |= ImGui::Checkbox("difference", &differs);
        name_item(std::string(id) + ".difference");
        if (ImGui::IsItemHovered()) {
            ImGui::SetTooltip("%s", "to the message before in the same topic  (D)");
        }
        if (view_key(chord('d'))) {
            differs = !differs;
            changed = true;
        }
    } else {
        ImGui::AlignTextToFramePadding();
        faint_text("none before it");
    }
    if (changed) {
        chosen_ =
            chosen == 0 ? std::nullopt : std::optional(static_cast<payload_format>(chosen - 1));
        if (has_before) {
            differs_ = differs;
        }
        remake();
    }
}

void payload_widget::draw_text() const {
    ImGui::PushFont(mono_font());
    ImGui::PushTextWrapPos(0);
    // What is no text is shown as far as it is.
    text(std::string_view(bytes_).substr(0, text_shown_max));
    ImGui::PopTextWrapPos();
    ImGui::PopFont();
    if (bytes_.size() > text_shown_max) {
        faint_text("… " + plot::count_words(static_cast<double>(bytes_.size() - text_shown_max)) +
                   " bytes more; Hex shows them");
    }
}

void payload_widget::draw_hex() const {
    ImGui::PushFont(mono_font());
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(hex_.size()));
    while (clipper.Step()) {
        for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
            text(hex_[static_cast<std::size_t>(i)]);
        }
    }
    ImGui::PopFont();
}

void payload_widget::draw_tree() {
    std::vector<std::size_t> shown;
    for (std::size_t i = 0; i < tree_->nodes.size(); ++i) {
        shown.push_back(i);
        if (closed_.contains(i)) {
            i += tree_->nodes[i].below;
        }
    }
    std::optional<std::size_t> toggled;
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(shown.size()), ImGui::GetTextLineHeightWithSpacing());
    while (clipper.Step()) {
        for (int line = clipper.DisplayStart; line < clipper.DisplayEnd; ++line) {
            const std::size_t i = shown[static_cast<std::size_t>(line)];
            const payload_node& node = tree_->nodes[i];
            const float indent = em(1.1F) * static_cast<float>(node.depth);
            ImGui::SetCursorPosX(ImGui::GetStyle().WindowPadding.x + indent);
            if (node.below != 0) {
                ImGui::PushID(line);
                const ImVec2 at = ImGui::GetCursorPos();
                if (ImGui::InvisibleButton("fold", {em(1.1F), ImGui::GetTextLineHeight()})) {
                    toggled = i;
                }
                ImGui::SetCursorPos(at);
                text(closed_.contains(i) ? "▸" : "▾");
                ImGui::PopID();
            } else {
                ImGui::Dummy({em(0.7F), ImGui::GetTextLineHeight()});
            }
            ImGui::SameLine(ImGui::GetStyle().WindowPadding.x + indent + em(1.1F));
            if (!node.name.empty()) {
                text(node.name);
                ImGui::SameLine(0, em(0.5F));
            }
            const bool is_count = node.kind == "object" || node.kind == "array" ||
                                  node.kind == "map" || node.kind == "list";
            text_in(is_count ? colours().faint : ink_of_kind(node.kind),
                    std::string_view(node.value).substr(0, 2'000));
            const bool is_plain = node.kind == "number" || node.kind == "text" ||
                                  node.kind == "boolean" || node.kind == "null";
            if (!is_count && !is_plain) {
                ImGui::SameLine(0, em(0.6F));
                faint_text(node.kind);
            }
        }
    }
    if (tree_->cut) {
        faint_text("only the beginning of a large tree");
    }
    if (toggled) {
        if (closed_.erase(*toggled) == 0) {
            closed_.insert(*toggled);
        }
    }
}

void payload_widget::draw_difference() const {
    const auto differing = std::count_if(changes_.begin(), changes_.end(), [](const auto& each) {
        return each.what != payload_change::kind::same;
    });
    if (differing == 0) {
        faint_text("the same as the one before");
    }
    ImGuiListClipper clipper;
    clipper.Begin(static_cast<int>(changes_.size()), ImGui::GetTextLineHeightWithSpacing());
    while (clipper.Step()) {
        for (int i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
            const payload_change& change = changes_[static_cast<std::size_t>(i)];
            const ImU32 ink = ink_of_change(change.what);
            text_in(ink, glyph_of_change(change.what));
            ImGui::SameLine(em(1.8F));
            if (!change.name.empty()) {
                text(change.name);
                ImGui::SameLine(0, em(0.6F));
            }
            switch (change.what) {
                case payload_change::kind::changed:
                    faint_text(change.before);
                    ImGui::SameLine(0, em(0.4F));
                    faint_text("→");
                    ImGui::SameLine(0, em(0.4F));
                    text_in(ink, change.now);
                    break;
                case payload_change::kind::removed: text_in(ink, change.before); break;
                default: text_in(ink, change.now); break;
            }
        }
    }
}

}  // namespace fleetarium::dashboard
