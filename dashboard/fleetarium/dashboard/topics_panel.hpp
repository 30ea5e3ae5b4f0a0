#pragma once

#include <fleetarium/dashboard/answered_question.hpp>
#include <fleetarium/dashboard/payload_widget.hpp>
#include <fleetarium/dashboard/topic_tree.hpp>
#include <fleetarium/dashboard/viewer.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace fleetarium::dashboard {

/// The topic tree, a level at a time, with rates; or the topics that a search finds. The payload of
/// the newest message of the chosen topic stands beside it.
class topics_panel final : public panel {
public:
    view described() const override;
    void draw(viewer_context& in) override;

    const std::set<std::string, std::less<>>& open() const { return open_; }
    const topic_rates& rates() const { return rates_; }

private:
    struct level {
        answered_question<feed::topics_question> asked{};
        std::uint64_t version = 0;
        std::uint32_t limit = 200;
    };

    void draw_choices(const feed::topics_answer* first);
    void ask_levels(viewer_context& in);
    void draw_table(viewer_context& in);
    void draw_line(viewer_context& in, const topic_line& line, std::ptrdiff_t place);
    void draw_cells(const topic_line& line);
    void draw_rest(const topic_line& line);
    void draw_chosen(viewer_context& in);
    void toggle(const topic_line& line);

    std::string search_{};
    feed::topic_order order_ = feed::topic_order::name;
    std::set<std::string, std::less<>> open_{};
    std::map<topic_key, level> levels_{};
    std::vector<topic_line> lines_{};
    topic_rates rates_{};
    std::ptrdiff_t chosen_ = 0;
    bool scroll_to_chosen_ = false;
    feed::topic_row chosen_row_{};  ///< a copy: it stays when its level is folded
    watched_question<feed::messages_question> newest_{};
    watched_question<feed::message_question> message_{};
    payload_widget payload_{};
};

}  // namespace fleetarium::dashboard
