#include "dashboard_window.hpp"

#include "frame_meter.hpp"
#include "run_live.hpp"

#include <fleetarium/config/quantities.hpp>
#ifdef FLEETARIUM_WITH_DASHBOARD
#include <fleetarium/dashboard/screenshot.hpp>
#include <fleetarium/dashboard/viewer.hpp>
#include <fleetarium/dashboard/window_host.hpp>
#endif

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

namespace fleetarium::cli {

namespace {

std::optional<std::pair<int, int>> size_of(const std::string& text) {
    int width = 0;
    int height = 0;
    int used = 0;
    if (std::sscanf(text.c_str(), "%5dx%5d%n", &width, &height, &used) != 2 ||
        static_cast<std::size_t>(used) != text.size() || width < 320 || height < 200 ||
        width > 8192 || height > 8192) {
        return std::nullopt;
    }
    return std::pair(width, height);
}

}  // namespace

void window_flags::add_to(CLI::App& command) {
    command.add_option("--view", view, "The view to begin with: overview, funnel, latency, ...")
        ->type_name("NAME");
    command.add_option("--at", at, "The moment to show, since the beginning: 90s, 1h")
        ->type_name("T");
    command.add_option("--size", size, "Of the window or the pictures, in pixels; 1280x800")
        ->type_name("WxH");
    command.add_option("--theme", theme, "dark or light; what was chosen last, at first dark")
        ->type_name("dark|light");
    command.add_option("--scale", scale, "Everything so many times as large, 0.5 to 3; 1")
        ->type_name("N");
    command
        .add_option("--screenshot", screenshot,
                    "Open no window, but write a picture of each view: OUT-overview.png and so "
                    "on; with --view only that one, into OUT.png")
        ->type_name("OUT.png");
    command
        .add_option("--frames", frames,
                    "Draw so many frames of each view, or of --view, print how long they take "
                    "beside 30 frames a second, and end; exit status 1 if they take longer")
        ->check(CLI::Range(10u, 100'000u))
        ->type_name("N");
}

std::string window_flags::check() const {
    if (!size_of(size)) {
        return "--size: found \"" + size + "\", expected WIDTHxHEIGHT from 320x200 to 8192x8192";
    }
    if (!theme.empty() && theme != "dark" && theme != "light") {
        return "--theme: found \"" + theme + "\", expected dark or light";
    }
    if (!(scale >= 0.5 && scale <= 3)) {
        return "--scale: found " + std::to_string(scale) + ", expected 0.5 to 3";
    }
    if (frames != 0 && !screenshot.empty()) {
        return "found --frames and --screenshot, expected one of them";
    }
    if (!at.empty() && !config::parse_duration(at)) {
        return "--at: found \"" + at + "\", expected a duration such as 90s, 1h";
    }
    return {};
}

#ifdef FLEETARIUM_WITH_DASHBOARD

namespace {

using dashboard::theme_kind;

std::optional<double> instant_of(const window_flags& flags) {
    if (flags.at.empty()) {
        return std::nullopt;
    }
    return std::chrono::duration<double>(*config::parse_duration(flags.at)).count();
}

double steady_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

dashboard::window_options options_of(const window_flags& flags) {
    dashboard::window_options out;
    std::tie(out.width, out.height) = *size_of(flags.size);
    return out;
}

}  // namespace

class dashboard_window::implementation {
public:
    explicit implementation(window_flags flags)
        : flags_(std::move(flags)), window_(options_of(flags_)) {}

    void show(feed::source_link& link, const std::function<bool()>& goes_on) {
        dashboard::viewer viewer(link, dashboard::settings::default_path());
        prepare(viewer);
        const quiet_at_end quiet{link};
        link.on_arrival([this] { window_.wake(); });
        window_.run([&] {
            viewer.draw(steady_seconds());
            window_.set_theme(viewer.frame().theme());
            window_.set_zoom(viewer.frame().zoom() * static_cast<float>(flags_.scale));
            window_.redraw_within(viewer.redraw_within());
            if (!goes_on()) {
                window_.close();
            }
        });
    }

    bool measure(feed::source_link& link, const std::function<bool()>& goes_on) {
        dashboard::viewer viewer(link);  // as it is at first: not as somebody left it
        prepare(viewer);
        const quiet_at_end quiet{link};
        choose_newest(link, viewer.context().state);
        std::vector<std::string> views;
        if (flags_.view.empty()) {
            views = viewer.views();
        } else {
            views.push_back(flags_.view);
        }
        frame_meter meter;
        std::size_t next = 0;
        double begun = 0;    // the view
        double counted = 0;  // processor time until the frame before
        bool counts = false;
        window_.run([&] {
            const double now = steady_seconds();
            const double processor = own_seconds();
            if (counts) {
                meter.add(window_.times().last, processor - counted);
            }
            counted = processor;
            if (next == 0 || meter.frames() >= flags_.frames) {
                if (next == views.size()) {
                    window_.close();
                    return;
                }
                viewer.show(views[next]);
                meter.begin(views[next++]);
                begun = now;
            }
            // Its answers come, and tables find their widths.
            counts = now - begun > settling_seconds;
            viewer.draw(now);
            window_.set_theme(viewer.frame().theme());
            window_.set_zoom(static_cast<float>(flags_.scale));
            window_.redraw_within(0);
            if (!goes_on()) {
                window_.close();
            }
        });
        std::cout << flags_.size << ", drawn by " << window_.renderer()
                  << (window_.drawn_by() == dashboard::drawing::in_memory ? ", in memory" : "")
                  << "; milliseconds a frame\n"
                  << meter.table();
        return meter.is_within_limit();
    }

private:
    static constexpr double settling_seconds = 1.5;

    struct quiet_at_end {
        feed::source_link& of;
        ~quiet_at_end() { of.on_arrival({}); }
    };

    void prepare(dashboard::viewer& viewer) const {
        if (!flags_.view.empty()) {
            viewer.show(flags_.view);
        }
        if (!flags_.theme.empty()) {
            viewer.frame().choose_theme(flags_.theme == "light" ? theme_kind::light
                                                                : theme_kind::dark);
        }
        viewer.context().state.at = instant_of(flags_);
    }

    /// A device and a message, for the pages of one.
    static void choose_newest(feed::source_link& link, dashboard::view_state& to) {
        feed::devices_question devices;
        devices.limit = 1;
        link.ask<feed::devices_question>(
            devices, [&to](const feed::outcome<feed::devices_answer>& told) {
                if (told.answer != nullptr && !told.answer->rows.empty()) {
                    to.device = told.answer->rows.front().name;
                }
            });
        feed::messages_question messages;
        messages.limit = 1;
        link.ask<feed::messages_question>(
            messages, [&to](const feed::outcome<feed::messages_answer>& told) {
                if (told.answer != nullptr && !told.answer->rows.empty()) {
                    to.message = told.answer->rows.front().message;
                }
            });
    }

    const window_flags flags_;
    dashboard::window_host window_;
};

dashboard_window::dashboard_window(const window_flags& flags)
    : implementation_(std::make_unique<implementation>(flags)) {}

void dashboard_window::show(feed::source_link& link, const std::function<bool()>& goes_on) {
    try {
        implementation_->show(link, goes_on);
    } catch (const std::invalid_argument& error) {
        throw usage_error(std::string("--view: ") + error.what());
    }
}

bool dashboard_window::measure(feed::source_link& link, const std::function<bool()>& goes_on) {
    try {
        return implementation_->measure(link, goes_on);
    } catch (const std::invalid_argument& error) {
        throw usage_error(std::string("--view: ") + error.what());
    }
}

void write_screenshots(feed::source_link& link, const window_flags& flags) {
    dashboard::screenshot_options options;
    options.file = flags.screenshot;
    options.view = flags.view;
    std::tie(options.width, options.height) = *size_of(flags.size);
    options.looks.theme = flags.theme == "light" ? theme_kind::light : theme_kind::dark;
    options.looks.scale = static_cast<float>(flags.scale);
    options.at = instant_of(flags);
    try {
        for (const std::string& each : dashboard::take_screenshots(link, options)) {
            std::cout << each << '\n';
        }
    } catch (const std::invalid_argument& error) {
        throw usage_error(std::string("--view: ") + error.what());
    }
}

#else

namespace {

[[noreturn]] void not_built() {
    throw std::runtime_error(
        "this program was built without the dashboard (FLEETARIUM_DASHBOARD=OFF); the web page of "
        "--http HOST:PORT shows the same");
}

}  // namespace

class dashboard_window::implementation {};

dashboard_window::dashboard_window(const window_flags&) { not_built(); }
void dashboard_window::show(feed::source_link&, const std::function<bool()>&) {}
bool dashboard_window::measure(feed::source_link&, const std::function<bool()>&) { return false; }
void write_screenshots(feed::source_link&, const window_flags&) { not_built(); }

#endif

dashboard_window::~dashboard_window() = default;

}  // namespace fleetarium::cli
