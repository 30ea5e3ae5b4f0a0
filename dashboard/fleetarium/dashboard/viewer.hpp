#pragma once

#include <fleetarium/dashboard/keyboard.hpp>
#include <fleetarium/dashboard/layout.hpp>
#include <fleetarium/dashboard/overlay_model.hpp>
#include <fleetarium/dashboard/playback_model.hpp>
#include <fleetarium/dashboard/plot.hpp>
#include <fleetarium/dashboard/settings.hpp>
#include <fleetarium/dashboard/view_state.hpp>
#include <fleetarium/dashboard/watched_question.hpp>
#include <fleetarium/feed/source_link.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetarium::dashboard {

/// What all views have in common while they draw.
class viewer_context {
public:
    explicit viewer_context(feed::source_link& of) : link(of) {}

    feed::source_link& link;
    view_state state{};
    double now = 0;  ///< steady real time of this frame, in seconds

    /// Time as the charts of all views share it.
    plot::time_axis axis{};

    // Asked in every frame, whatever view is shown
    watched_question<feed::description_question> description{};
    watched_question<feed::totals_question> totals{};
    watched_question<feed::totals_question> present{};     ///< the same without an instant
    watched_question<feed::history_question> history{};    ///< of what charts show
    watched_question<feed::timeline_question> timeline{};  ///< all of it

    /// Null until it has come.
    const feed::description* about() const { return description.answer(); }
    bool is_live() const { return about() != nullptr && about()->is_live; }
    bool shows_present() const { return !state.at; }
    /// What is shown may be more at the next look, without anybody asking for something else.
    bool goes_on() const {
        return about() == nullptr || about()->is_live || present.answer() == nullptr ||
               !present.answer()->complete;
    }
    /// What there is to be shown.
    time_extent extent() const {
        return about() == nullptr ? time_extent() : extent_of(*about(), present.answer());
    }
    /// Faults, violations and annotations, as they lie over charts; made anew for each frame.
    const plot::overlay& over() const { return overlay_; }

    /// Shows another view, by its id; set by the viewer.
    std::function<void(std::string_view view)> show{};
    /// A sentence for the person.
    std::function<void(std::string words)> notify{};

    void open_device(const std::string& name) {
        state.device = name;
        show("device");
    }
    void open_message(std::uint64_t number) {
        state.message = number;
        show("message");
    }
    /// Asks for something to be done; what is wrong with it is a notice.
    template <class Command>
    void command(const Command& wanted) {
        link.ask<Command>(wanted, [this](const feed::outcome<feed::command_answer>& told) {
            if (told.answer == nullptr) {
                notify(told.error);
            }
        });
    }

private:
    friend class viewer;

    overlay_rows overlay_rows_{};
    std::uint64_t overlay_version_ = 0;
    std::vector<plot::band> bands_{};
    std::vector<plot::mark> marks_{};
    plot::overlay overlay_{};
};

/// A view: what it shows is computed by a model of its own, which tests read without a window.
class panel {
public:
    virtual ~panel() = default;
    virtual view described() const = 0;  ///< without `draw`
    /// Asks and draws, inside of the layout's place for views.
    virtual void draw(viewer_context& in) = 0;
};

/// The whole dashboard of one source: bars, views, keys, and the questions that all views need.
/// Thread rule: that of the window.
class viewer {
public:
    /// `settings_path` as settings has it. The link must outlive this.
    explicit viewer(feed::source_link& link, const std::string& settings_path = {});
    ~viewer();
    viewer(const viewer&) = delete;
    viewer& operator=(const viewer&) = delete;

    /// One frame; `now` is steady real time in seconds.
    void draw(double now);
    /// In how many seconds there is something new to draw, if nothing comes before that.
    double redraw_within() const;
    viewer_context& context() { return context_; }
    layout& frame() { return frame_; }
    key_table& keys() { return keys_; }
    /// Ids of the views in the order of the list.
    const std::vector<std::string>& views() const { return view_ids_; }
    /// Shows a view. Throws std::invalid_argument, which names those that there are: no such view.
    void show(const std::string& id);

private:
    void add_views();
    void add_keys();
    void ask();
    void tell_errors();
    void lay_over_charts();
    void pause_or_play();
    void change_speed(int by);
    void scrub(double part);
    void draw_transport();
    void draw_buttons();
    void draw_scrubber(float width);
    void draw_status();
    void draw_filter();
    void draw_banner();

    viewer_context context_;
    key_table keys_{};
    settings settings_;
    layout frame_;
    std::vector<std::unique_ptr<panel>> panels_;
    std::vector<std::string> view_ids_{};
    std::vector<std::string> errors_told_{};
    std::optional<double> wanted_speed_{};  ///< of a run, as set from here
    bool has_begun_ = false;
    bool filter_wanted_ = false;
    bool moved_at_ = false;
};

}  // namespace fleetarium::dashboard
