#pragma once

#include <fleetarium/dashboard/answered_question.hpp>
#include <fleetarium/dashboard/viewer.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace fleetarium::dashboard {

/// All devices in a table: searched, filtered and sorted by the source; only the rows around those
/// on the screen are held.
class devices_panel final : public panel {
public:
    view described() const override;
    void draw(viewer_context& in) override;

    const feed::devices_question& question() const { return question_; }
    std::ptrdiff_t chosen() const { return chosen_; }

private:
    void draw_choices(viewer_context& in);
    void draw_heads();
    void draw_table(viewer_context& in, const feed::devices_answer& answer);
    void draw_row(viewer_context& in, const feed::device_row& row, std::ptrdiff_t place);

    feed::devices_question question_{};
    answered_question<feed::devices_question> devices_{};
    std::ptrdiff_t chosen_ = 0;
    bool scroll_to_chosen_ = false;
    bool open_chosen_ = false;
};

}  // namespace fleetarium::dashboard
