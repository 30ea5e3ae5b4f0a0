#include <fleetarium/dashboard/viewer.hpp>

#include <fleetarium/config/problem.hpp>
#include <fleetarium/dashboard/item_names.hpp>
#include <fleetarium/dashboard/panel_parts.hpp>
#include <fleetarium/dashboard/panels.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace fleetarium::dashboard {

namespace {

constexpr double totals_every = 0.1;
constexpr double history_every = 0.5;
constexpr double description_every = 5;  // clients of a broker become more
constexpr std::uint32_t history_points = 600;
constexpr std::size_t errors_told_max = 50;

}  // namespace

viewer::viewer(feed::source_link& link, const std::string& settings_path)
    : context_(link), settings_(settings_path), frame_(keys_, settings_), panels_(make_panels()) {
    context_.notify = [this](std::string words) { frame_.notify(std::move(words)); };
    context_.show = [this](std::string_view id) {
        if (std::find(view_ids_.begin(), view_ids_.end(), id) != view_ids_.end()) {
            frame_.show(id);
        }
    };
    frame_.set_transport([this] { draw_transport(); });
    frame_.set_status([this] { draw_status(); });
    add_views();
    add_keys();
}

viewer::~viewer() = default;

void viewer::add_views() {
    constexpr std::string_view digits = "1234567890";
    for (const std::unique_ptr<panel>& each : panels_) {
        view made = each->described();
        made.keys = view_ids_.size() < digits.size() ? chord(digits[view_ids_.size()]) : chord();
        made.draw = [this, of = each.get()] { of->draw(context_); };
        view_ids_.push_back(made.id);
        frame_.add(std::move(made));
    }
}

void viewer::add_keys() {
    const auto add = [this](std::string id, const char* group, std::string words,
                            std::vector<chord> with, std::function<void()> run,
                            bool repeats = false) {
        keys_.add(
            {std::move(id), group, std::move(words), std::move(with), std::move(run), repeats});
    };
    constexpr const char* time = "time";
    add("pause", time, "pause and go on", {key::space}, [this] { pause_or_play(); });
    add("step", time, "one event of a paused run, one moment of a recording", {'.'}, [this] {
        if (context_.is_live() && context_.shows_present() && context_.about()->can_pace) {
            context_.command(feed::step_command{.events = 1});
        } else {
            scrub(1.0 / history_points);
        }
    });
    add("faster", time, "faster", {'+'}, [this] { change_speed(1); });
    add("slower", time, "slower", {'-'}, [this] { change_speed(-1); });
    add(
        "earlier", time, "earlier", {key::left}, [this] { scrub(-0.01); }, true);
    add(
        "later", time, "later", {key::right}, [this] { scrub(0.01); }, true);
    add(
        "little_earlier", time, "a little earlier", {shift(key::left)}, [this] { scrub(-0.001); },
        true);
    add(
        "little_later", time, "a little later", {shift(key::right)}, [this] { scrub(0.001); },
        true);
    add("begin", time, "to the begin", {key::home}, [this] {
        seek(context_.state, context_.extent(), context_.extent().begin, context_.is_live());
    });
    add("live", time, "to the present, or a recording's end", {'l', key::end}, [this] {
        context_.state.at.reset();
        context_.state.playing = false;
        plot::show(context_.axis, context_.axis.most - context_.axis.length(), context_.axis.most);
    });
    constexpr const char* loops = "loop and zoom";
    const auto moment = [this] { return context_.state.at.value_or(context_.extent().end); };
    add("loop_begin", loops, "loop from this moment", {'b'}, [this, moment] {
        const double from = moment();
        auto& loop = context_.state.loop;
        loop = {from, std::max(from, loop ? loop->second : context_.extent().end)};
        context_.state.looping = true;
    });
    add("loop_end", loops, "loop to this moment", {'e'}, [this, moment] {
        const double until = moment();
        auto& loop = context_.state.loop;
        loop = {std::min(until, loop ? loop->first : context_.extent().begin), until};
        context_.state.looping = true;
    });
    add("loop", loops, "play in a loop: what is selected, or everything", {'o'}, [this] {
        view_state& state = context_.state;
        state.looping = !state.looping;
        state.loop.reset();
        if (state.looping && context_.axis.has_selection()) {
            state.loop = {context_.axis.select_from, context_.axis.select_to};
        }
    });
    add("zoom_in", loops, "charts show less time", {']'},
        [this] { zoom(context_.axis, context_.state.at.value_or(context_.axis.to), 0.5); });
    add("zoom_out", loops, "charts show more time", {'['},
        [this] { zoom(context_.axis, context_.state.at.value_or(context_.axis.to), 2); });
    add("zoom", loops, "charts show what is selected, or everything", {'z'}, [this] {
        plot::time_axis& axis = context_.axis;
        if (axis.has_selection()) {
            plot::show(axis, axis.select_from, axis.select_to);
            clear_selection(axis);
        } else {
            show_whole(axis);
        }
    });
    add("filter", "messages", "filter by topic, client, QoS, reason", {'f', ctrl(key::f)},
        [this] { filter_wanted_ = true; });
    add("no_filter", "messages", "without a filter", {'x'},
        [this] { context_.state.clear_filter(); });
    // Views answer these themselves; here they are listed.
    const auto listed = [&](std::string id, std::string words, std::vector<chord> with) {
        add(std::move(id), "within a view", std::move(words), std::move(with), [] {});
    };
    listed("view_row", "the row above, below", {key::up, key::down});
    listed("view_page", "a page up, down", {key::page_up, key::page_down});
    listed("view_open", "open, unfold, zoom into the fleet", {key::enter});
    listed("view_out", "zoom out of the fleet", {key::backspace});
    listed("view_search", "search", {'/'});
    listed("view_sort", "topics, devices: order", {'s'});
    listed("view_states", "devices, messages: states", {'w'});
    listed("view_qos", "messages: QoS", {'q'});
    listed("view_pages", "messages: newer, older", {'p', 'n'});
    listed("view_group", "fleet: grouping", {'g'});
    listed("view_m", "fleet: measure; else: its messages", {'m'});
    listed("view_payload", "payload: form, difference", {'v', 'd'});
}

void viewer::pause_or_play() {
    const feed::description* const about = context_.about();
    if (about == nullptr) {
        return;
    }
    if (about->keeps_history && (!about->is_live || !context_.shows_present())) {
        toggle_play(context_.state, context_.extent());
        return;
    }
    if (!about->can_pace) {
        context_.notify(why_no_pace(*about));
        return;
    }
    const feed::totals* const now = context_.present.answer();
    context_.command(feed::pause_command{.paused = now == nullptr || !now->paused});
}

void viewer::change_speed(int by) {
    const feed::description* const about = context_.about();
    if (about == nullptr) {
        return;
    }
    if (!about->is_live) {
        context_.state.play_speed = next_speed(context_.state.play_speed, by);
        return;
    }
    if (!about->can_pace) {
        context_.notify(why_no_pace(*about));
        return;
    }
    const feed::totals* const now = context_.present.answer();
    const double from = wanted_speed_.value_or(now == nullptr ? 1 : now->speed);
    wanted_speed_ = next_speed(from, by);
    context_.command(feed::speed_command{.speed = wanted_speed_});
}

void viewer::scrub(double part) {
    const time_extent all = context_.extent();
    const double from = context_.state.at.value_or(all.end);
    seek(context_.state, all, from + part * context_.axis.length(), context_.is_live());
}

void viewer::ask() {
    viewer_context& in = context_;
    const bool goes_on = in.goes_on();
    in.description.ask(in.link, {}, in.now, goes_on ? description_every : 0);
    in.present.ask(in.link, {}, in.now, goes_on ? totals_every : 0);
    in.totals.ask(in.link, {.at = in.state.at}, in.now,
                  goes_on && (in.shows_present() || !in.is_live()) ? totals_every : 0);
    feed::history_question history;
    history.points = history_points;
    if (!in.axis.whole) {
        history.from = in.axis.from;
        history.until = in.axis.to;
    }
    in.history.ask(in.link, history, in.now, goes_on ? history_every : 0);
    in.timeline.ask(in.link, {}, in.now, goes_on ? history_every : 0);
}

void viewer::tell_errors() {
    if (context_.link.connection() != feed::source_link::state::connected) {
        return;  // the banner says it
    }
    for (const std::string* each : {&context_.description.error(), &context_.totals.error(),
                                    &context_.history.error(), &context_.timeline.error()}) {
        const bool is_told =
            std::find(errors_told_.begin(), errors_told_.end(), *each) != errors_told_.end();
        if (!each->empty() && !is_told && errors_told_.size() < errors_told_max) {
            errors_told_.push_back(*each);
            frame_.notify(*each);
        }
    }
}

void viewer::lay_over_charts() {
    viewer_context& in = context_;
    if (in.timeline.answer() != nullptr) {
        const double end = in.extent().end;
        const bool is_new = in.timeline.version() != in.overlay_version_;
        if (is_new) {
            in.overlay_version_ = in.timeline.version();
            in.overlay_rows_ = overlay_of(*in.timeline.answer(), end);
        }
        for (overlay_band& each : in.overlay_rows_.bands) {
            if (each.goes_on) {
                each.until = std::max(each.from, end);
            }
        }
    }
    const palette& of = colours();
    in.bands_.clear();
    for (const overlay_band& each : in.overlay_rows_.bands) {
        in.bands_.push_back({each.from, each.until, of.fill(role::faulted), each.label});
    }
    in.marks_.clear();
    for (const overlay_mark& each : in.overlay_rows_.marks) {
        const ImU32 colour = each.kind == mark_kind::violation ? of.ink(role::violation)
                             : each.kind == mark_kind::gap     ? of.ink(hue::orange)
                                                               : of.ink(hue::blue);
        in.marks_.push_back({each.at, colour, each.label});
    }
    in.overlay_ = {in.bands_, in.marks_};
}

void viewer::draw(double now) {
    viewer_context& in = context_;
    const double passed = has_begun_ ? now - in.now : 0;
    has_begun_ = true;
    in.now = now;
    in.link.receive();
    if (in.about() != nullptr) {
        const time_extent all = in.extent();
        if (in.state.at && !in.is_live() && in.about()->end && *in.state.at > all.end) {
            in.state.at = all.end;
        }
        advance(in.state, all, passed);
        set_extent(in.axis, all.begin, all.end);
    }
    in.state.range =
        in.axis.whole ? std::nullopt : std::optional(std::pair(in.axis.from, in.axis.to));
    in.axis.playhead = in.state.at.value_or(plot::nothing);
    ask();
    tell_errors();
    lay_over_charts();
    const std::optional<double> before = in.state.at;
    frame_.draw();
    draw_banner();
    if (!std::isnan(in.axis.clicked)) {
        seek(in.state, in.extent(), in.axis.clicked, in.is_live());
        in.state.playing = false;
        in.axis.clicked = plot::nothing;
    }
    moved_at_ = before != in.state.at;
}

double viewer::redraw_within() const {
    if (context_.state.playing || moved_at_) {
        return 1.0 / 60;
    }
    // Answers wake the window; questions have to be asked.
    return context_.goes_on() ? totals_every : 1;
}

void viewer::show(const std::string& id) {
    if (std::find(view_ids_.begin(), view_ids_.end(), id) == view_ids_.end()) {
        const std::vector<std::string_view> known(view_ids_.begin(), view_ids_.end());
        const std::string nearest = config::nearest_name(id, known);
        std::string all;
        for (const std::string& each : view_ids_) {
            all += (all.empty() ? "" : ", ") + each;
        }
        throw std::invalid_argument("found no view \"" + id + "\", expected one of " + all +
                                    (nearest.empty() ? "" : "; did you mean " + nearest + "?"));
    }
    frame_.show(id);
}

void viewer::draw_banner() {
    using state = feed::source_link::state;
    const state connection = context_.link.connection();
    if (connection == state::connected) {
        return;
    }
    std::string words = connection == state::lost ? "The feed is lost" : "Connecting";
    const std::string trouble = context_.link.trouble();
    words += trouble.empty() ? "." : ": " + trouble;
    const feed::totals* const last = context_.present.answer();
    if (last != nullptr) {
        words += "  What is shown is as of " + plot::time_words(last->at, 0.1) + ".";
    }
    const ImGuiViewport& screen = *ImGui::GetMainViewport();
    const float row = ImGui::GetFrameHeight() + 2 * ImGui::GetStyle().ItemSpacing.y;
    const float wide = std::min(em(44), screen.WorkSize.x - em(2));
    ImGui::SetNextWindowPos({screen.GetWorkCenter().x, screen.WorkPos.y + row + em(0.5F)},
                            ImGuiCond_Always, {0.5F, 0});
    ImGui::SetNextWindowSize({wide, 0});
    ImGui::PushStyleColor(ImGuiCol_WindowBg, colours().panel);
    ImGui::PushStyleColor(ImGuiCol_Border, colours().ink(hue::vermillion));
    ImGui::PushStyleVar(ImGuiStyleVar_WindowBorderSize,
                        2 * std::max(1.0F, ImGui::GetStyle().PopupBorderSize));
    ImGui::Begin("banner", nullptr,
                 ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove |
                     ImGuiWindowFlags_NoSavedSettings | ImGuiWindowFlags_AlwaysAutoResize |
                     ImGuiWindowFlags_NoFocusOnAppearing | ImGuiWindowFlags_NoInputs);
    coloured(colours().ink(hue::vermillion), "▲");
    ImGui::SameLine();
    ImGui::PushTextWrapPos(wide - ImGui::GetStyle().WindowPadding.x);
    ImGui::TextUnformatted(words.c_str());
    ImGui::PopTextWrapPos();
    name_item("banner");
    ImGui::End();
    ImGui::PopStyleVar();
    ImGui::PopStyleColor(2);
}

}  // namespace fleetarium::dashboard
