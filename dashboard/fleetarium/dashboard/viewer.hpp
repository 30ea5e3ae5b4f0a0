#pragma once

#include <fleetarium/dashboard/keyboard.hpp>
#include <fleetarium/dashboard/layout.hpp>
#include <fleetarium/dashboard/settings.hpp>
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

/// What the person at the screen looks at: shared by all views, plain values.
struct view_state {
    // Time
    std::optional<double> at{};  ///< instant that is shown; none: the present, or a recording's end
    bool playing = false;        ///< `at` moves on by itself; of recordings
    double play_speed = 1;       ///< seconds in a real one
    bool looping = false;
    std::optional<std::pair<double, double>> range{};  ///< shown by charts; none: all of it
    std::optional<std::pair<double, double>> loop{};

    // Selection
    std::string device{};  ///< name; empty: none
    std::optional<std::uint64_t> message{};
    std::string topic{};

    // Filter, of messages
    std::string topic_filter{};
    std::string client{};
    std::optional<std::uint8_t> qos{};
    std::string reason{};
};

/// What all views have in common while they draw.
class viewer_context {
public:
    explicit viewer_context(feed::source_link& of) : link(of) {}

    feed::source_link& link;
    view_state state{};
    double now = 0;  ///< steady real time of this frame, in seconds

    // Asked in every frame, whatever view is shown
    watched_question<feed::description_question> description{};
    watched_question<feed::totals_question> totals{};
    watched_question<feed::history_question> history{};
    watched_question<feed::timeline_question> timeline{};

    /// Null until it has come.
    const feed::description* about() const { return description.answer(); }
    bool is_live() const { return about() != nullptr && about()->is_live; }
    bool shows_present() const { return !state.at; }

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
};

/// A view: what it shows is computed by a model of its own, which tests read without a window.
class panel {
public:
    virtual ~panel() = default;
    virtual view described() const = 0;  ///< without `draw`
    /// Asks and draws, inside of the layout's place for views.
    virtual void draw(viewer_context& in) = 0;
};

}  // namespace fleetarium::dashboard
