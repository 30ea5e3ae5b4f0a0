#include "run_viewers.hpp"

#include "feed_server.hpp"
#include "token_file.hpp"

#include <fleetarium/feed/feed_service.hpp>
#include <fleetarium/feed/recording_source.hpp>
#include <fleetarium/feed/rewindable_source.hpp>
#include <fleetarium/feed/world_source.hpp>
#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/server/http_server.hpp>

#include <CLI/CLI.hpp>
#include <boost/asio/steady_timer.hpp>

#include <utility>

namespace fleetarium::cli {

namespace {

constexpr duration poll_period = std::chrono::milliseconds{50};
constexpr duration tick_period = std::chrono::milliseconds{100};
/// How much of a run's time answers to the window may take.
constexpr double window_share = 0.02;

double in_seconds(duration span) { return std::chrono::duration<double>(span).count(); }

}  // namespace

void viewer_flags::add_to(CLI::App& command) {
    command
        .add_option("--http", http,
                    "Let people look at the run and act on it: a web page, and the API of "
                    "dashboard/feed.md; port 0 is a free one")
        ->type_name("HOST:PORT");
    command
        .add_option("--http-token-file", token_file,
                    "What viewers have to show; needed where others can reach the address")
        ->type_name("FILE");
    command.add_flag("--stay", stay,
                     "With --http: do not end with the run, but with Ctrl-C or POST /api/end");
    command.add_flag("--paused", paused,
                     "With --http or --dashboard: begin with a pause, for viewers to end");
    command.add_flag("--dashboard", dashboard,
                     "Show the run in a window, which stays when the run has ended; if the window "
                     "is closed before, the run goes on without");
}

std::string viewer_flags::check() const {
    if (http.empty() && (!token_file.empty() || stay)) {
        return "--http-token-file and --stay go with --http";
    }
    if (!any() && paused) {
        return "--paused goes with --http or --dashboard";
    }
    return {};
}

class run_viewers::implementation {
public:
    implementation(const viewer_flags& flags, const sim::scenario& described, live_run& of,
                   run_recording& recorded, facts about)
        : run_(of),
          about_(std::move(about)),
          source_(of.running(), facts_of(described), controls(recorded)),
          rewindable_(source_,
                      [file = recorded.file(), &recorded]() -> std::unique_ptr<feed::source> {
                          recorded.keep_up();
                          return std::make_unique<feed::recording_source>(file);
                      }),
          shown_(recorded.file().empty() ? static_cast<feed::source&>(source_) : rewindable_),
          feed_([this](const auto& use) { use(shown_); }),
          window_(flags.window),
          timer_(of.context()),
          began_(net::real_now()) {
        if (!flags.http.empty()) {
            http_ = open_feed_server(of.context(), flags.http, read_token(flags.token_file), feed_);
        }
        if (flags.paused) {
            run_.paced().set_paused(true);
        }
        poll();
    }

    void note_end() {
        source_.note_end();
        source_.tick(wall(), false);
    }

    void serve(const std::function<bool()>& watch) {
        while (watch()) {
            run_.context().run_one_for(tick_period);
        }
    }

private:
    feed::world_source::facts facts_of(const sim::scenario& described) const {
        feed::world_source::facts out;
        out.title = described.name;
        out.version = FLEETARIUM_VERSION;
        out.command = about_.command;
        out.seed = about_.seed;
        out.length = described.duration;
        out.epoch = in_seconds(duration{epoch_of(about_.is_virtual, run_.running().now())});
        return out;
    }

    feed::run_controls controls(run_recording& recorded) {
        feed::run_controls out;
        out.end = about_.end;
        out.report_json = about_.report_json;
        // A checkpoint that is due here is of what was before.
        out.before_hand = [this, &recorded] { recorded.reach(run_.running().now()); };
        out.by_hand = [&recorded](std::string_view what, const std::string& json) {
            recorded.add_intervention(what, json);
        };
        out.annotate = [&recorded](std::string_view text) { recorded.annotate(text); };
        if (about_.can_pace) {
            sim::paced_run& paced = run_.paced();
            out.pause = [&paced](bool paused) { paced.set_paused(paused); };
            out.step_events = [&paced](std::uint64_t events) {
                paced.set_paused(true);
                paced.step_events(events);
            };
            out.step_time = [&paced](duration by) {
                paced.set_paused(true);
                paced.step_time(by);
            };
            out.set_speed = [&paced](std::optional<double> speed) {
                paced.set_pace(speed.value_or(sim::paced_run::unlimited));
            };
        }
        return out;
    }

    double wall() const { return in_seconds(net::real_now() - began_); }

    void poll() {
        const instant now = net::real_now();
        if (now - ticked_ >= tick_period) {
            ticked_ = now;
            source_.tick(wall(), run_.paced().is_paused());
        }
        feed_.poll(wall());
        if (window_ != nullptr) {
            window_->serve(shown_, 64, run_.paced().is_paused() ? 1 : window_share);
        }
        timer_.expires_after(poll_period);
        timer_.async_wait(
            [this, alive = std::weak_ptr<const bool>(alive_)](boost::system::error_code cancelled) {
                if (!cancelled && !alive.expired()) {
                    poll();
                }
            });
    }

    live_run& run_;
    const facts about_;
    feed::world_source source_;
    feed::rewindable_source rewindable_;
    feed::source& shown_;
    feed::feed_service feed_;
    std::unique_ptr<broker::http_server> http_;
    feed::thread_link* const window_;
    boost::asio::steady_timer timer_;
    instant began_;
    instant ticked_{};
    const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

run_viewers::run_viewers(const viewer_flags& flags, const sim::scenario& described, live_run& of,
                         run_recording& recorded, facts about)
    : implementation_(
          std::make_unique<implementation>(flags, described, of, recorded, std::move(about))) {}
run_viewers::~run_viewers() = default;

void run_viewers::note_end() { implementation_->note_end(); }
void run_viewers::serve(const std::function<bool()>& watch) { implementation_->serve(watch); }

}  // namespace fleetarium::cli
