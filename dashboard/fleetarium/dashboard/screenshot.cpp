#include <fleetarium/dashboard/screenshot.hpp>

#include <fleetarium/dashboard/image_host.hpp>
#include <fleetarium/dashboard/viewer.hpp>
#include <fleetarium/net/real_clock.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <string_view>

namespace fleetarium::dashboard {

namespace {

constexpr int settled_frames = 4;

/// Waits for answers; woken by the link.
class arrivals {
public:
    explicit arrivals(feed::source_link& of) : link_(of) {
        link_.on_arrival([this] {
            const std::lock_guard lock(mutex_);
            any_ = true;
            woken_.notify_one();
        });
    }
    ~arrivals() { link_.on_arrival({}); }
    arrivals(const arrivals&) = delete;
    arrivals& operator=(const arrivals&) = delete;

    void wait() {
        std::unique_lock lock(mutex_);
        woken_.wait_for(lock, std::chrono::milliseconds{50}, [this] { return any_; });
        any_ = false;
    }

private:
    feed::source_link& link_;
    std::mutex mutex_;
    std::condition_variable woken_;
    bool any_ = false;
};

class photographer {
public:
    photographer(feed::source_link& link, const screenshot_options& options)
        : link_(link),
          options_(options),
          arrivals_(link),
          host_(options.width, options.height, options.looks),
          viewer_(link) {
        viewer_.context().state.at = options.at;
        viewer_.context().state.device = options.device;
        viewer_.context().state.message = options.message;
    }

    viewer& of() { return viewer_; }

    /// Frames until no answer is awaited and sizes have settled.
    void settle() {
        const instant until =
            net::real_now() + duration{static_cast<duration::rep>(options_.patience * 1e9)};
        int quiet = 0;
        while (quiet < settled_frames) {
            host_.frame([this] { viewer_.draw(1); });  // its clock stands still
            quiet = link_.awaited() == 0 ? quiet + 1 : 0;
            if (link_.awaited() != 0) {
                if (options_.pump) {
                    options_.pump();
                } else {
                    arrivals_.wait();
                }
            }
            const bool is_lost = link_.connection() == feed::source_link::state::lost;
            if (net::real_now() > until || (is_lost && viewer_.context().about() == nullptr)) {
                const std::string trouble = link_.trouble();
                throw std::runtime_error(trouble.empty() ? "the source does not answer" : trouble);
            }
        }
    }

    /// Pages of a device or a message need one.
    void choose_selection() {
        view_state& state = viewer_.context().state;
        if (state.device.empty()) {
            feed::devices_question wanted;
            wanted.at = state.at;
            wanted.order = feed::device_order::backlog;
            wanted.limit = 1;
            link_.ask<feed::devices_question>(
                wanted, [&state](const feed::outcome<feed::devices_answer>& told) {
                    if (told.answer != nullptr && !told.answer->rows.empty()) {
                        state.device = told.answer->rows.front().name;
                    }
                });
        }
        if (!state.message) {
            feed::messages_question wanted;
            wanted.at = state.at;
            wanted.limit = 500;
            link_.ask<feed::messages_question>(
                wanted, [&state](const feed::outcome<feed::messages_answer>& told) {
                    if (told.answer == nullptr || told.answer->rows.empty()) {
                        return;
                    }
                    const auto says = [](const feed::message_row& row) {
                        return std::min(row.resent, 1U) * 100 + row.qos * 10U +
                               std::min(row.deliveries, 3U);
                    };
                    const auto& rows = told.answer->rows;
                    state.message = std::max_element(rows.begin(), rows.end(),
                                                     [&](const auto& a, const auto& b) {
                                                         return says(a) < says(b);
                                                     })
                                        ->message;
                });
        }
        settle();
    }

    void write(const std::string& path) { write_png(host_.picture(), path); }

private:
    feed::source_link& link_;
    const screenshot_options& options_;
    arrivals arrivals_;
    image_host host_;
    viewer viewer_;
};

std::string path_of(const std::string& file, const std::string& view) {
    const std::string_view ending = ".png";
    const bool ends = file.size() > ending.size() && file.ends_with(ending);
    return (ends ? file.substr(0, file.size() - ending.size()) : file) + "-" + view + ".png";
}

}  // namespace

std::vector<std::string> take_screenshots(feed::source_link& link,
                                          const screenshot_options& options) {
    photographer with(link, options);
    if (!options.view.empty()) {
        with.of().show(options.view);  // before it asks anything
    }
    const std::vector<std::string>& views = with.of().views();
    with.settle();
    with.choose_selection();
    std::vector<std::string> out;
    for (const std::string& each : views) {
        if (!options.view.empty() && each != options.view) {
            continue;
        }
        with.of().show(each);
        with.settle();
        out.push_back(options.view.empty() ? path_of(options.file, each) : options.file);
        with.write(out.back());
    }
    return out;
}

}  // namespace fleetarium::dashboard
