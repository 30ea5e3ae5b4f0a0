#pragma once

#include <fleetarium/dashboard/answered_question.hpp>
#include <fleetarium/dashboard/viewer.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace fleetarium::dashboard {

/// The newest messages, filtered by what the viewer's state says; a page at a time.
class messages_panel final : public panel {
public:
    view described() const override;
    void draw(viewer_context& in) override;

    const feed::messages_question& question() const { return question_; }

private:
    void draw_filter(viewer_context& in);
    void draw_pages(const feed::messages_answer& answer);
    void draw_table(viewer_context& in, const feed::messages_answer& answer);
    void draw_row(viewer_context& in, const feed::message_row& row, std::ptrdiff_t place);

    feed::messages_question question_{};
    answered_question<feed::messages_question> messages_{};
    std::vector<std::optional<std::uint64_t>> newer_{};  ///< `before` of the pages before this one
    std::ptrdiff_t chosen_ = 0;
    bool open_chosen_ = false;
    bool scroll_to_chosen_ = false;
};

}  // namespace fleetarium::dashboard
