#include <fleetarium/dashboard/topics_panel.hpp>

#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/plot.hpp>
#include <fleetarium/dashboard/view_parts.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace fleetarium::dashboard {

namespace {

constexpr double asked_every = 0.5;
constexpr std::uint32_t more_rows = 400;
constexpr std::uint32_t rows_max = 2'000;

/// In one line: what is no letter is a dot.
std::string one_line(const feed::topic_row& row) {
    if (row.payload_size == 0) {
        return row.is_topic ? "(empty)" : "";
    }
    if (row.payload_encoding != "text") {
        return plot::count_words(row.payload_size) + " bytes, binary";
    }
    std::string out = row.payload.substr(0, 120);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
    return out;
}

}  // namespace

view topics_panel::described() const {
    return {"topics", "Topics", "the topic tree: rates, retained values, payloads", '6', {}};
}

void topics_panel::draw(viewer_context& in) {
    ask_levels(in);
    const auto first = levels_.find({{}, true});
    const feed::topics_answer* const answer =
        first == levels_.end() ? nullptr : first->second.asked.answer();
    draw_choices(answer);
    if (answer == nullptr || !first->second.asked.error().empty()) {
        trouble_or_wait(first == levels_.end() ? std::string() : first->second.asked.error());
        return;
    }
    static const std::set<std::string, std::less<>> none;
    lines_ = topic_lines(search_.empty() ? open_ : none, [this](const topic_key& of) {
        const auto found = levels_.find(of);
        return found == levels_.end() ? nullptr : found->second.asked.answer();
    });
    const ImVec2 room = ImGui::GetContentRegionAvail();
    ImGui::BeginChild("tree", ImVec2(std::floor(room.x * 0.68F), room.y));
    draw_table(in);
    ImGui::EndChild();
    ImGui::SameLine();
    ImGui::BeginChild("chosen", ImVec2(0, room.y));
    draw_chosen(in);
    ImGui::EndChild();
}

void topics_panel::draw_choices(const feed::topics_answer* first) {
    edit_line("topics.search", "part of a name, or a filter: a/+/#   /", search_, em(19), true);
    ImGui::SameLine();
    static const std::vector<std::string> orders{"by name", "most messages", "most bytes",
                                                 "most recent"};
    auto order = static_cast<std::size_t>(order_);
    choose("topics.order", order, orders, em(9));
    if (view_key(chord('s'))) {
        order = (order + 1) % orders.size();
    }
    order_ = static_cast<feed::topic_order>(order);
    ImGui::SameLine();
    ImGui::AlignTextToFramePadding();
    if (first == nullptr) {
        text("…");
        return;
    }
    std::string words = plot::count_words(static_cast<double>(first->topics)) + " topics";
    if (!search_.empty()) {
        words = plot::count_words(first->all) + " found of " + words;
    }
    if (first->messages_beyond != 0) {
        words += "; " + plot::count_words(static_cast<double>(first->messages_beyond)) +
                 " messages in topics beyond those kept";
    }
    text(words);
    name_item("topics.count");
}

void topics_panel::ask_levels(viewer_context& in) {
    std::vector<topic_key> wanted{{{}, true}};
    if (search_.empty()) {
        for (const std::string& name : open_) {
            wanted.push_back({name, false});
        }
    }
    // Levels that are folded are forgotten; what is on its way to them goes nowhere.
    std::erase_if(levels_, [&](const auto& each) {
        return std::find(wanted.begin(), wanted.end(), each.first) == wanted.end();
    });
    for (const topic_key& key : wanted) {
        level& of = levels_[key];
        feed::topics_question question;
        question.at = in.state.at;
        question.parent = key.name;
        question.parent_is_root = key.is_root;
        question.search = search_;
        question.order = order_;
        question.limit = of.limit;
        of.asked.ask(in.link, question, in.now, again_every(in, asked_every));
        const feed::topics_answer* const answer = of.asked.answer();
        if (answer != nullptr && of.version != of.asked.version()) {
            of.version = of.asked.version();
            for (const feed::topic_row& row : answer->rows) {
                rates_.take(row.name, answer->at, row.messages);
                if (row.name == chosen_row_.name && chosen_row_.level == row.level) {
                    chosen_row_ = row;
                }
            }
        }
    }
}

void topics_panel::toggle(const topic_line& line) {
    if (line.row == nullptr || line.row->children == 0 || !search_.empty()) {
        return;
    }
    if (const auto found = open_.find(line.row->name); found != open_.end()) {
        // With all that is open below.
        const std::string below = line.row->name + "/";
        open_.erase(found);
        std::erase_if(open_, [&](const std::string& name) { return name.starts_with(below); });
    } else if (open_.size() < topic_levels_open_max) {
        open_.insert(line.row->name);
    }
}

void topics_panel::draw_table(viewer_context& in) {
    const float height = ImGui::GetContentRegionAvail().y - foot_height();
    const auto count = static_cast<std::ptrdiff_t>(lines_.size());
    const float row_height = ImGui::GetTextLineHeight() + 2 * ImGui::GetStyle().CellPadding.y;
    chosen_ = std::clamp<std::ptrdiff_t>(chosen_, 0, std::max<std::ptrdiff_t>(count - 1, 0));
    if (move_row(
            chosen_, count,
            std::max<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(height / row_height) - 2))) {
        scroll_to_chosen_ = true;
        const topic_line& line = lines_[static_cast<std::size_t>(chosen_)];
        if (line.row != nullptr) {
            in.state.topic = line.row->name;
            chosen_row_ = *line.row;
        }
    }
    if (view_key(key::enter) && count > 0) {
        toggle(lines_[static_cast<std::size_t>(chosen_)]);
    }
    if (ImGui::BeginTable(
            "topics", 6,
            ImGuiTableFlags_ScrollY | ImGuiTableFlags_RowBg | ImGuiTableFlags_BordersOuter,
            ImVec2(0, height))) {
        ImGui::TableSetupScrollFreeze(0, 1);
        struct head {
            const char* name;
            float ems;
            float from = 0;  ///< ems of width below which it is left out
        };
        static constexpr std::array<head, 6> heads{{{"Topic", 0},
                                                    {"Messages/s", 5.5F},
                                                    {"Lately", 5, 40},
                                                    {"Messages", 6},
                                                    {"Bytes", 5, 40},
                                                    {"Last payload", 0}}};
        for (const head& each : heads) {
            ImGui::TableSetupColumn(
                each.name,
                (each.ems == 0 ? ImGuiTableColumnFlags_WidthStretch
                               : ImGuiTableColumnFlags_WidthFixed) |
                    (ImGui::GetWindowWidth() < em(each.from) ? ImGuiTableColumnFlags_Disabled : 0),
                each.ems == 0 ? (&each == heads.data() ? 1.7F : 1.0F) : em(each.ems));
        }
        ImGui::TableHeadersRow();
        ImGuiListClipper clipper;
        clipper.Begin(static_cast<int>(count), row_height);
        while (clipper.Step()) {
            for (std::ptrdiff_t i = clipper.DisplayStart; i < clipper.DisplayEnd; ++i) {
                ImGui::TableNextRow(ImGuiTableRowFlags_None, row_height);
                draw_line(in, lines_[static_cast<std::size_t>(i)], i);
            }
        }
        if (scroll_to_chosen_) {
            keep_in_sight(static_cast<float>(chosen_) * row_height, row_height,
                          height - row_height);
            scroll_to_chosen_ = false;
        }
        ImGui::EndTable();
    }
    foot("↑ ↓ choose   Enter folds   / search   S order   M its messages");
}

void topics_panel::draw_line(viewer_context& in, const topic_line& line, std::ptrdiff_t place) {
    ImGui::TableSetColumnIndex(0);
    const float indent = em(1.1F) * static_cast<float>(line.depth);
    if (line.row == nullptr) {
        ImGui::SetCursorPosX(ImGui::GetCursorPosX() + indent + em(1.2F));
        draw_rest(line);
        return;
    }
    const feed::topic_row& row = *line.row;
    ImGui::PushID(static_cast<int>(place));
    const float begin = ImGui::GetCursorPosX();
    const ImVec2 at = ImGui::GetCursorScreenPos();
    const bool is_chosen = in.state.topic == row.name && !in.state.topic.empty();
    if (ImGui::Selectable(
            "##row", is_chosen || place == chosen_,
            ImGuiSelectableFlags_SpanAllColumns | ImGuiSelectableFlags_AllowItemOverlap)) {
        chosen_ = place;
        in.state.topic = row.name;
        chosen_row_ = row;
        // A click on the mark, or on what is nothing but a level, folds.
        if (ImGui::GetIO().MousePos.x < at.x + indent + em(1.2F) || !row.is_topic) {
            toggle(line);
        }
    }
    name_item("topics.row." + row.name);
    ImGui::SameLine(0, 0);
    ImGui::SetCursorPosX(begin + indent);
    if (row.children != 0 && search_.empty()) {
        text(line.open ? "▾" : "▸");
        ImGui::SameLine(0, 0);
    }
    ImGui::SetCursorPosX(begin + indent + em(1.1F));
    const std::string& name = search_.empty() ? row.level : row.name;
    text(name.empty() ? std::string("(empty level)") : name);
    if (row.children != 0) {
        ImGui::SameLine(0, em(0.5F));
        faint_text(plot::count_words(row.children));
    }
    if (row.retained) {
        ImGui::SameLine(0, em(0.5F));
        text_in(colours().ink(role::retained), std::string(glyph_of(role::retained)) + " retained");
    }
    draw_cells(line);
    ImGui::PopID();
}

void topics_panel::draw_cells(const topic_line& line) {
    const feed::topic_row& row = *line.row;
    ImGui::TableNextColumn();
    const auto rate = rates_.rate(row.name);
    text_right(rate ? plot::number_words(*rate) : std::string("–"));
    const std::vector<double> lately = rates_.line(row.name);
    if (ImGui::TableNextColumn() && lately.size() > 1) {
        plot::sparkline("lately", lately, colours().ink(hue::blue),
                        {ImGui::GetContentRegionAvail().x, ImGui::GetTextLineHeight()});
    }
    ImGui::TableNextColumn();
    text_right(plot::count_words(static_cast<double>(row.messages)));
    ImGui::TableNextColumn();
    text_right(plot::number_words(static_cast<double>(row.bytes)));
    ImGui::TableNextColumn();
    text(one_line(row));
}

void topics_panel::draw_rest(const topic_line& line) {
    if (line.waits) {
        faint_text("…");
        return;
    }
    level& of = levels_[line.parent];
    const std::string words = plot::count_words(line.left_out) + " more";
    if (of.limit >= rows_max) {
        faint_text(words + ": search for them");
        return;
    }
    ImGui::PushID(line.parent.name.c_str());
    if (ImGui::Selectable(("▾ show " + words).c_str())) {
        of.limit = std::min(rows_max, of.limit + more_rows);
    }
    ImGui::PopID();
}

void topics_panel::draw_chosen(viewer_context& in) {
    const std::string& topic = in.state.topic;
    if (topic.empty()) {
        faint_text("Choose a topic to see its newest message.");
        return;
    }
    ImGui::PushTextWrapPos(0);
    text(topic);
    ImGui::PopTextWrapPos();
    const bool is_known = chosen_row_.name == topic;
    if ((ImGui::Button("Its messages") || view_key(chord('m')))) {
        in.state.topic_filter = is_known ? filter_below(chosen_row_) : topic;
        in.show("messages");
    }
    name_item("topics.messages");
    feed::messages_question asked;
    asked.at = in.state.at;
    asked.filter = topic;
    asked.limit = 1;
    newest_.ask(in.link, asked, in.now, again_every(in, asked_every));
    const feed::messages_answer* const newest = newest_.answer();
    const bool has_message =
        newest != nullptr && !newest->rows.empty() && newest->rows.front().topic == topic;
    if (has_message) {
        message_.ask(in.link, {.message = newest->rows.front().message}, in.now, 0);
        const feed::message_row& row = newest->rows.front();
        ImGui::SameLine();
        if (ImGui::Button("Its newest message")) {
            in.open_message(row.message);
        }
        name_item("topics.message");
        faint_text("at " + at_words(row.at) + ", QoS " +
                   std::to_string(static_cast<unsigned>(row.qos)) +
                   (row.publisher.empty() ? "" : ", by " + row.publisher));
        const feed::message_answer* const message = message_.answer();
        if (message != nullptr && message->message.topic == topic) {
            payload_.draw("payload", message->message.message, topic, message->payload,
                          message->payload_before ? &*message->payload_before : nullptr);
            return;
        }
    }
    if (is_known && chosen_row_.is_topic) {
        if (!has_message) {
            faint_text("its newest message is no longer kept; this is what is known of it");
        }
        const feed::payload_view preview{chosen_row_.payload, chosen_row_.payload_encoding,
                                         chosen_row_.payload_size, chosen_row_.payload_size > 256};
        // Another payload for each message.
        const std::uint64_t key = std::hash<std::string>{}(topic) + chosen_row_.messages;
        payload_.draw("payload", key, topic, preview, nullptr);
    } else if (is_known) {
        faint_text("nothing was published to itself: it is a level of other topics");
    }
}

}  // namespace fleetarium::dashboard
