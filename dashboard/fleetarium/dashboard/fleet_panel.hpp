#pragma once

#include <fleetarium/dashboard/answered_question.hpp>
#include <fleetarium/dashboard/fleet_model.hpp>
#include <fleetarium/dashboard/viewer.hpp>

#include <vector>

namespace fleetarium::dashboard {

/// The fleet map: every device a cell, coloured by its state.
///
/// The wheel, Enter and Backspace zoom; a click opens a device or, where a cell stands for several,
/// the part in which each has its own. G and M choose grouping and measure.
class fleet_panel final : public panel {
public:
    view described() const override;
    void draw(viewer_context& in) override;

    // For tests
    const fleet_part& part() const { return part_; }
    feed::grouping by() const { return by_; }
    feed::measure show() const { return show_; }
    const fleet_placing& placing() const { return placing_; }
    std::size_t rectangles() const { return runs_.size(); }

private:
    void draw_choices();
    void draw_breadcrumb(const feed::fleet_answer* answer);
    void draw_legend(const feed::fleet_answer* answer);
    void draw_map(viewer_context& in, const feed::fleet_answer& answer);
    void draw_cells(ImVec2 origin, float from, float until) const;
    void draw_labels(const feed::fleet_answer& answer, ImVec2 origin, float width) const;
    void react(viewer_context& in, const feed::fleet_answer& answer, ImVec2 origin);
    void touch(viewer_context& in, const feed::fleet_answer& answer, const fleet_cell& cell);
    void open(viewer_context& in, const feed::fleet_answer& answer, const fleet_cell& cell);
    void place(const feed::fleet_answer& answer, const fleet_room& room);

    feed::grouping by_ = feed::grouping::fleet;
    feed::measure show_ = feed::measure::none;
    fleet_part part_{};
    fleet_part answered_part_{};
    answered_question<feed::fleet_question> fleet_{};
    watched_question<feed::cell_question> hovered_{};
    feed::cell_question hovered_question_{};
    std::uint32_t cells_ = 20'000;

    // Made anew only when the answer or the room has changed
    fleet_placing placing_{};
    std::vector<fleet_run> runs_{};
    std::uint64_t placed_version_ = 0;
    float placed_width_ = 0;
    float placed_height_ = 0;
};

}  // namespace fleetarium::dashboard
