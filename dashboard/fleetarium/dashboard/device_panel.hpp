#pragma once

#include <fleetarium/dashboard/device_model.hpp>
#include <fleetarium/dashboard/plot_frame.hpp>
#include <fleetarium/dashboard/viewer.hpp>

#include <cstddef>
#include <optional>
#include <string>

namespace fleetarium::dashboard {

/// One device: its session, its counters, its events as lanes over time and as a list.
class device_panel final : public panel {
public:
    view described() const override;
    void draw(viewer_context& in) override;

    const plot::time_axis& axis() const { return axis_; }

private:
    void draw_facts(viewer_context& in, const feed::device_answer& of) const;
    void draw_subscriptions(const feed::device_answer& of) const;
    void draw_lanes(viewer_context& in, const feed::device_answer& of);
    void draw_connection(const plot::frame& in, float y, float high) const;
    void draw_marks(const plot::frame& in, const feed::device_answer& of, std::size_t lane, float y,
                    float high) const;
    void react(viewer_context& in, const plot::frame& area, const feed::device_answer& of,
               float lane_height);
    void draw_events(viewer_context& in, const feed::device_answer& of);

    std::string device_{};
    watched_question<feed::device_question> device_question_{};
    std::uint64_t laid_out_version_ = 0;
    device_lanes lanes_{};
    plot::time_axis axis_{};
    std::ptrdiff_t chosen_ = 0;  ///< event, counted from the newest
    bool scroll_to_chosen_ = false;
};

}  // namespace fleetarium::dashboard
