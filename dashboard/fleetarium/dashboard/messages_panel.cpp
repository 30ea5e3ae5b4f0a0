#include <fleetarium/dashboard/messages_panel.hpp>

#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/plot_axis.hpp>
#include <fleetarium/dashboard/view_parts.hpp>

#include <algorithm>
#include <array>

namespace fleetarium::dashboard {

namespace {

constexpr std::uint32_t rows_of_page = 200;
constexpr std::size_t pages_back_max = 10'000;
constexpr double asked_every = 0.5;

}  // namespace

view messages_panel::described() const {
    return {"messages", "Messages", "the newest messages: filter, and open one", '7', {}};
}

void messages_panel::draw(viewer_context& in) {
    draw_filter(in);
    feed::messages_question question;
    question.at = in.state.at;
    question.filter = in.state.topic_filter;
    question.client = in.state.client;
    question.qos = in.state.qos;
    question.reason = in.state.reason;
    question.state = question_.state;
    question.limit = rows_of_page;
    question.before = question_.before;
    feed::messages_question unpaged = question_;
    unpaged.before = question.before;
    if (unpaged != question) {  // other messages: from the newest on
        question.before.reset();
        newer_.clear();
        chosen_ = 0;
    }
    question_ = question;
    messages_.ask(in.link, question_, in.now, question_.before ? 0 : again_every(in, asked_every));
    const feed::messages_answer* const answer = messages_.answer();
    if (answer == nullptr || !messages_.error().empty()) {
        trouble_or_wait(messages_.error());
        return;
    }
    draw_pages(*answer);
    draw_table(in, *answer);
}

void messages_panel::draw_filter(viewer_context& in) {
    edit_line("messages.filter", "topic filter: a/+/#   /", in.state.topic_filter, em(15), true);
    ImGui::SameLine();
    edit_line("messages.client", "publisher or receiver", in.state.client, em(11));
    ImGui::SameLine();
    static const std::vector<std::string> all_qos{"any QoS", "QoS 0", "QoS 1", "QoS 2"};
    std::size_t qos = in.state.qos ? std::size_t{*in.state.qos} + 1 : 0;
    choose("messages.qos", qos, all_qos, em(6.5F));
    if (view_key(chord('q'))) {
        qos = (qos + 1) % all_qos.size();
    }
    in.state.qos = qos == 0 ? std::nullopt : std::optional(static_cast<std::uint8_t>(qos - 1));
    ImGui::SameLine();
    std::vector<std::string> states{"any state"};
    for (unsigned i = 0; i < 5; ++i) {
        const look& of = look_of(static_cast<feed::message_state>(i));
        states.push_back(std::string(of.glyph) + " " + of.words);
    }
    std::size_t state = question_.state ? static_cast<std::size_t>(*question_.state) + 1 : 0;
    choose("messages.state", state, states, em(8));
    if (view_key(chord('w'))) {
        state = (state + 1) % states.size();
    }
    const auto wanted =
        state == 0 ? std::nullopt : std::optional(static_cast<feed::message_state>(state - 1));
    if (wanted != question_.state) {
        question_.state = wanted;
        question_.before.reset();
        newer_.clear();
        chosen_ = 0;
    }
    ImGui::SameLine();
    std::vector<std::string> reasons{"any reason", "lost"};
    std::size_t reason = in.state.reason == "lost" ? 1 : 0;
    if (in.about() != nullptr) {
        for (const std::string& each : in.about()->drop_reasons) {
            if (each == "none") {
                continue;
            }
            reasons.push_back(each);
            reason = each == in.state.reason ? reasons.size() - 1 : reason;
        }
    }
    if (choose("messages.reason", reason, reasons, em(10))) {
        in.state.reason = reason == 0 ? std::string() : reasons[reason];
    }
}

void messages_panel::draw_pages(const feed::messages_answer& answer) {
    const bool has_newer = question_.before.has_value();
    const bool has_older = answer.rows.size() >= rows_of_page;
    const auto button = [](const char* label, const char* name, bool possible) {
        ImGui::PushStyleColor(ImGuiCol_Text, possible ? colours().text : colours().line);
        const bool pressed = ImGui::Button(label) && possible;
        ImGui::PopStyleColor();
        name_item(name);
        ImGui::SameLine();
        return pressed;
    };
    if ((button("◂ Newer", "messages.newer", has_newer) || view_key(chord('p'))) && has_newer) {
        question_.before = newer_.empty() ? std::nullopt : newer_.back();
        if (!newer_.empty()) {
            newer_.pop_back();
        }
        chosen_ = 0;
    }
    if ((button("Older ▸", "messages.older", has_older) || view_key(chord('n'))) && has_older &&
        newer_.size() < pages_back_max) {
        newer_.push_back(question_.before);
        question_.before = answer.rows.back().message;
        chosen_ = 0;
    }
    ImGui::AlignTextToFramePadding();
    std::string words = plot::count_words(static_cast<double>(answer.rows.size())) + " messages";
    if (!answer.rows.empty()) {
        words += ", " + at_words(answer.rows.back().at) + " to " + at_words(answer.rows.front().at);
    }
    text(words);
    name_item("messages.count");
    ImGui::SameLine(0, em(1.2F));
    std::string kept = answer.one_in > 1
                           ? "of all messages one in " + plot::count_words(answer.one_in) +
                                 " is kept, losses first"
                           : std::string("every message is kept");
    kept += answer.kept_from > 0 ? ", from " + at_words(answer.kept_from) + " on" : "";
    faint_text(kept);
}

void messages_panel::draw_table(viewer_context& in, const feed::messages_answer& answer) {
    const float height = ImGui::GetContentRegionAvail().y - foot_height();
    const auto count = static_cast<std::ptrdiff_t>(answer.rows.size());
    const float row_height = ImGui::GetTextLineHeight() + 2 * ImGui::GetStyle().CellPadding.y;
    chosen_ = std::clamp<std::ptrdiff_t>(chosen_, 0, std::max<std::ptrdiff_t>(count - 1, 0));
    scroll_to_chosen_ |=
        move_row(chosen_, count,
                 std::max<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(height / row_height) - 2));
    open_chosen_ = view_key(key::enter);
    struct head {
        const char* name;
        float ems;
        float from = 0;  ///< ems of width below which it is left out
    };
    static constexpr std::array<head, 9> heads{{{"At", 6.5F},
                                                {"State", 11},
                                                {"QoS", 3},
                                                {"Publisher", 0},
                                                {"Topic", 0},
                                                {"Bytes", 4.5F, 60},
                                                {"Delivered", 5.5F, 48},
                                                {"Again", 3.5F, 60},
                                                {"Number", 6.5F, 60}}};
    if (ImGui::BeginTable(
            "messages", static_cast<int>(heads.size()),
            ImGuiTableFlags_ScrollY | ImGuiTableFlags_RowBg | ImGuiTableFlags_BordersOuter,
            ImVec2(0, height))) {
        ImGui::TableSetupScrollFreeze(0, 1);
        for (const head& each : heads) {
            const bool is_topic = std::string_view(each.name) == "Topic";
            ImGui::TableSetupColumn(
                each.name,
                (each.ems == 0 ? ImGuiTableColumnFlags_WidthStretch
                               : ImGuiTableColumnFlags_WidthFixed) |
                    (ImGui::GetWindowWidth() < em(each.from) ? ImGuiTableColumnFlags_Disabled : 0),
                each.ems == 0 ? (is_topic ? 2.0F : 1.0F) : em(each.ems));
        }
        ImGui::TableHeadersRow();
        ImGuiListClipper clipper;
        clipper.Begin(static_cast<int>(count), row_height);
        while (clipper.Step()) {
            for (std::ptrdiff_t i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
                ImGui::TableNextRow();
                draw_row(in, answer.rows[static_cast<std::size_t>(i)], i);
            }
        }
        if (scroll_to_chosen_) {
            keep_in_sight(static_cast<float>(chosen_) * row_height, row_height,
                          height - row_height);
            scroll_to_chosen_ = false;
        }
        if (open_chosen_ && chosen_ < count) {
            in.open_message(answer.rows[static_cast<std::size_t>(chosen_)].message);
        }
        ImGui::EndTable();
    }
    foot("↑ ↓ choose   Enter open   / topic filter   Q QoS   W which states   P newer   N older");
}

void messages_panel::draw_row(viewer_context& in, const feed::message_row& row,
                              std::ptrdiff_t place) {
    ImGui::TableSetColumnIndex(0);
    ImGui::PushID(static_cast<int>(place));
    if (ImGui::Selectable(
            "##row", place == chosen_,
            ImGuiSelectableFlags_SpanAllColumns | ImGuiSelectableFlags_AllowItemOverlap)) {
        chosen_ = place;
        in.open_message(row.message);
    }
    name_item("messages.row." + std::to_string(place));
    ImGui::PopID();
    ImGui::SameLine(0, 0);
    text(at_words(row.at));
    ImGui::TableNextColumn();
    look_text(look_of(row.state));
    if (!row.reason.empty()) {
        ImGui::SameLine(0, em(0.4F));
        faint_text(row.reason);
    }
    ImGui::TableNextColumn();
    text(std::to_string(static_cast<unsigned>(row.qos)));
    if (row.retain) {
        ImGui::SameLine(0, em(0.3F));
        text_in(colours().ink(role::retained), glyph_of(role::retained));
        if (ImGui::IsItemHovered()) {
            ImGui::SetTooltip("retained");
        }
    }
    ImGui::TableNextColumn();
    text(row.publisher.empty() ? std::string("the broker") : row.publisher);
    ImGui::TableNextColumn();
    text(row.topic);
    ImGui::TableNextColumn();
    text_right(plot::count_words(row.size));
    ImGui::TableNextColumn();
    text_right(plot::count_words(row.delivered) + " / " + plot::count_words(row.deliveries));
    ImGui::TableNextColumn();
    text_right(plot::count_words(row.resent));
    ImGui::TableNextColumn();
    text_right(std::to_string(row.message), colours().faint);
}

}  // namespace fleetarium::dashboard
