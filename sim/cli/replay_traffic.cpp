#include "replay_traffic.hpp"

#include "commands.hpp"
#include "replay_connections.hpp"
#include "replay_control.hpp"
#include "replay_player.hpp"
#include "replay_report.hpp"
#include "token_file.hpp"

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/recording/name_rewriting.hpp>
#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/server/http_server.hpp>
#include <fleetarium/sim/report_text.hpp>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/format.h>

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace fleetarium::cli {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// How long nothing may happen before what is under way is given up: at the end, and after Ctrl-C.
constexpr duration patience_at_end = 30s;
constexpr duration patience_when_interrupted = 2s;
constexpr duration status_interval = 200ms;

/// Throws std::invalid_argument.
std::optional<std::uint64_t> passes_of(const std::string& text) {
    // What the parser of options makes of --loop alone.
    if (text.empty() || text == "true" || text == "{}") {
        return std::nullopt;
    }
    const bool is_number =
        text.size() <= 18 && text.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number || std::stoull(text) == 0) {
        throw std::invalid_argument("found --loop " + text +
                                    ", expected a number of times from 1, or --loop alone, behind "
                                    "FILE, for ever");
    }
    return std::stoull(text);
}

/// The flags' texts as values. Throws std::invalid_argument.
struct replay_plan {
    recording::traffic_selection selection;
    recording::client_rewriting clients;
    replay_player_options player;
    std::string http_token;

    explicit replay_plan(const traffic_flags& flags) {
        const auto time = [](const std::string& text) {
            return text.empty() ? std::optional<duration>() : duration_of(text);
        };
        selection.from = time(flags.from);
        selection.until = time(flags.until);
        if (selection.from && selection.until && *selection.from >= *selection.until) {
            throw std::invalid_argument("found --from " + flags.from + " and --until " +
                                        flags.until + ", expected the second to be later");
        }
        for (const std::string& each : flags.filters) {
            if (!is_valid_topic_filter(each)) {
                throw std::invalid_argument("found the filter \"" + each +
                                            "\", expected a topic filter such as plant/+/state or "
                                            "plant/#");
            }
        }
        selection.filters = flags.filters;
        for (const std::string& each : flags.topic_rewrites) {
            selection.topics.add(each);
        }
        for (const std::string& each : flags.client_rewrites) {
            clients.add(each);
        }
        player.speed = parse_speed(flags.speed).value();
        player.from = selection.from;
        player.paused = flags.paused;
        if (flags.loop_option != nullptr && flags.loop_option->count() > 0) {
            player.passes = passes_of(flags.loop);
        }
        http_token = read_token(flags.http_token_file);
    }
};

/// A connection for each client id: two recorded clients of one id would throw each other out.
std::vector<replay_connections::member> members_of(
    const std::vector<recording::traffic_source::client>& clients,
    const recording::client_rewriting& rewriting) {
    std::vector<replay_connections::member> out;
    std::map<std::string, std::size_t> places;
    for (const auto& each : clients) {
        const std::string id = rewriting.apply(each.client_id);
        const auto [place, is_new] = places.try_emplace(id, out.size());
        if (is_new || id.empty()) {
            out.push_back({{each.row}, id});
        } else {
            out[place->second].publishers.push_back(each.row);
        }
    }
    return out;
}

/// Throws std::runtime_error if so many connections cannot be open at once.
void allow_files(std::size_t connections) {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return;
    }
    const rlim_t needed = connections + 64;
    if (files.rlim_cur < needed) {
        files.rlim_cur = std::min(needed, files.rlim_max);
        setrlimit(RLIMIT_NOFILE, &files);
        if (files.rlim_cur < needed) {
            throw std::runtime_error(fmt::format(
                "{} clients need {} open files, and {} may be open; `ulimit -Hn` sets more, and "
                "--filter takes fewer clients",
                connections, needed, files.rlim_max));
        }
    }
}

/// One replay, from its first connection to its farewell.
class traffic_replay {
public:
    traffic_replay(const std::string& file, const traffic_flags& flags, const replay_plan& plan)
        : flags_(flags),
          network_(context_),
          reader_(file),
          source_(reader_.tables(), plan.selection),
          signals_(context_, SIGINT, SIGTERM) {
        signals_.add(SIGHUP);
        signals_.add(SIGQUIT);
        report_.recording = file;
        report_.to = flags.target.url;
        report_.as_clients = flags.as_clients;
        client_flags target = flags.target;
        std::vector<replay_connections::member> members;
        bool has_others = true;
        if (flags.as_clients) {
            members = members_of(source_.publishers(), plan.clients);
            const std::string kind = reader_.tables().text("SELECT kind FROM runs");
            if (kind == "subscriber") {
                throw std::invalid_argument(
                    file +
                    ": was recorded by a subscriber, who does not learn who publishes; "
                    "expected no --as-clients");
            }
            has_others = kind == "broker" || members.empty();
            if (target.keep_session) {
                throw std::invalid_argument(
                    "found --keep-session with --as-clients, expected one of them");
            }
        }
        allow_files(members.size());
        connections_.emplace(network_, config_of(target, "replay"), std::move(members), has_others,
                             target.retry);
        player_.emplace(network_, source_, *connections_, plan.player);
        report_.connections = connections_->count();
        if (!flags.http.empty()) {
            http_.emplace(context_,
                          broker::http_options{.address = flags.http, .token = plan.http_token},
                          replay_routes(*player_, *connections_));
            std::cout << "listening on http://" << http_->listening() << std::endl;
        }
    }

    replay_report run() {
        wait_for_signal();
        const instant begin = network_.now();
        connections_->connect([this](const std::string& why) {
            if (why.empty()) {
                play();
            } else {
                fail(flags_.target.url + ": " + why);
            }
        });
        context_.run();
        clear_status();
        terminal_.reset();
        report_.wall_seconds = static_cast<double>((network_.now() - begin).count()) / 1e9;
        report_.sums = connections_->sums();
        report_.sums.unacknowledged += connections_->under_way();
        report_.left_out = source_.skipped();
        report_.timing_error = player_->timing_error();
        report_.passes = player_->passes();
        report_.speed = speed_text(player_->speed());
        return report_;
    }

private:
    void fail(const std::string& why) {
        if (report_.failure.empty()) {
            report_.failure = why;
        }
        end();
    }

    void end() {
        asio::post(context_, [this] { context_.stop(); });
    }

    void play() {
        connections_->on_failure([this] {
            report_.failure = flags_.target.url + ": " + connections_->failure();
            player_->stop();
        });
        read_keys();
        show_status();
        player_->start([this] {
            if (report_.failure.empty()) {
                report_.failure = player_->failure();
            }
            connections_->finish(report_.interrupted ? patience_when_interrupted : patience_at_end,
                                 [this] { end(); });
        });
    }

    void interrupt() {
        report_.interrupted = true;
        terminal_.reset();
        if (player_->is_over()) {
            connections_->hurry(patience_when_interrupted);
        } else if (player_->passes() > 0) {
            player_->stop();
        } else {
            end();  // not even connected
        }
    }

    void wait_for_signal() {
        signals_.async_wait([this](boost::system::error_code why, int) {
            if (!why) {
                boost::system::error_code ignored;
                signals_.clear(ignored);  // a second one ends the process at once
                interrupt();
            }
        });
    }

    void read_keys() {
        terminal_ = std::make_unique<key_terminal>();
        if (terminal_->descriptor() < 0) {
            return;
        }
        keys_.emplace(*player_);
        input_.emplace(context_, ::dup(terminal_->descriptor()));  // which it closes
        suspensions_.emplace(context_, SIGTSTP);
        wait_for_suspension();
        fmt::print(stderr, "space: pause, n or right arrow: one message, + and -: speed, q: end\n");
        read_more_keys();
    }

    void read_more_keys() {
        input_->async_wait(
            asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code why) {
                std::array<char, 64> typed{};
                const ssize_t count =
                    why || !terminal_ ? 0
                                      : ::read(terminal_->descriptor(), typed.data(), typed.size());
                if (count <= 0) {
                    return;
                }
                if (!keys_->handle({typed.data(), static_cast<std::size_t>(count)})) {
                    interrupt();
                    return;
                }
                draw_status();
                read_more_keys();
            });
    }

    /// Ctrl-Z: the shell gets its terminal as it was.
    void wait_for_suspension() {
        suspensions_->async_wait([this](boost::system::error_code why, int) {
            if (why || !terminal_) {
                return;
            }
            terminal_->restore();
            std::raise(SIGSTOP);
            terminal_->take();
            wait_for_suspension();
        });
    }

    void show_status() {
        if (isatty(STDERR_FILENO) == 0) {
            return;
        }
        draw_status();
        if (!status_timer_) {
            status_timer_ = network_.make_timer();
        }
        status_timer_->start(network_.now() + status_interval, [this] { show_status(); });
    }

    void draw_status() {
        if (isatty(STDERR_FILENO) != 0) {
            status_drawn_ = true;
            fmt::print(stderr, "\r\x1b[K{} of {}, {} messages, speed {}{}",
                       sim::readable_duration(player_->position()),
                       sim::readable_duration(player_->end()),
                       sim::with_thousands(connections_->sums().total()),
                       speed_text(player_->speed()), player_->is_paused() ? ", paused" : "");
        }
    }

    void clear_status() {
        if (std::exchange(status_drawn_, false)) {
            fmt::print(stderr, "\r\x1b[K");
        }
    }

    const traffic_flags& flags_;
    asio::io_context context_{1};
    real_environment network_;
    recording::recording_reader reader_;
    recording::traffic_source source_;
    std::optional<replay_connections> connections_;
    std::optional<replay_player> player_;
    std::optional<broker::http_server> http_;
    asio::signal_set signals_;
    std::unique_ptr<key_terminal> terminal_;
    std::optional<replay_keys> keys_;
    std::optional<asio::posix::stream_descriptor> input_;
    std::optional<asio::signal_set> suspensions_;
    std::unique_ptr<environment::timer> status_timer_;
    bool status_drawn_ = false;
    replay_report report_;
};

}  // namespace

void traffic_flags::add_to(CLI::App& command) {
    const std::vector<CLI::Option*> before = command.get_options();
    add_client_flags(command, target);
    command.remove_option(command.get_option("url"));
    CLI::Option* const to =
        command
            .add_option("--to", target.url,
                        "Publish the messages again to this broker: mqtt://HOST[:PORT], mqtts://, "
                        "ws://HOST[:PORT][/PATH], wss:// or unix:///PATH")
            ->type_name("URL");
    command.add_option("--speed", speed, "0.1 to 1000 times as fast, or max")
        ->check([](const std::string& text) {
            return parse_speed(text)
                       ? std::string()
                       : "found \"" + text + "\", expected " + std::string(speed_expected);
        })
        ->type_name("N")
        ->capture_default_str();
    command.add_option("--from", from, "Only messages from this time of the run on")
        ->check(check_duration_flag)
        ->type_name("TIME");
    command.add_option("--until", until, "Only messages before this time of the run")
        ->check(check_duration_flag)
        ->type_name("TIME");
    loop_option = command.add_option("--loop", loop, "So many times, or for ever")
                      ->expected(0, 1)
                      ->type_name("[N]");
    command.add_option("--filter", filters, "Only topics that match; may be given several times")
        ->type_name("FILTER")
        ->allow_extra_args(false);
    command
        .add_option("--topic-rewrite", topic_rewrites,
                    "Other topics: site/+/temp/#=lab/+/#; may be given several times, the first "
                    "that matches counts")
        ->type_name("FROM=TO")
        ->allow_extra_args(false);
    CLI::Option* const clients = command.add_flag(
        "--as-clients", as_clients, "A connection for each recorded client, with its client id");
    clients->excludes("--id");
    command
        .add_option("--client-rewrite", client_rewrites,
                    "Other client ids: sensor-*=replayed-*; may be given several times")
        ->type_name("FROM=TO")
        ->allow_extra_args(false)
        ->needs(clients);
    command.add_flag("--pause", paused, "Begin paused");
    CLI::Option* const web =
        command.add_option("--http", http, "Serve /status, /pause, /resume, /step, /speed there")
            ->type_name("HOST:PORT");
    command
        .add_option("--http-token-file", http_token_file,
                    "Its first line is what Authorization: Bearer has to say; without it only this "
                    "machine is served")
        ->type_name("FILE")
        ->needs(web);
    for (CLI::Option* const each : command.get_options()) {
        if (each != to && std::find(before.begin(), before.end(), each) == before.end()) {
            each->needs(to);
        }
    }
}

int replay_traffic(const std::string& file, const traffic_flags& flags,
                   const std::string& report_file) {
    std::signal(SIGPIPE, SIG_IGN);  // whoever reads our output may leave
    std::optional<traffic_replay> replay;
    try {
        const replay_plan plan(flags);
        replay.emplace(file, flags, plan);
    } catch (const recording::recording_error& wrong) {
        std::cerr << "fleetarium: " << wrong.what() << '\n';
        return exit_bad_input;
    } catch (const std::exception& wrong) {
        complain("replay", wrong.what());
        return exit_bad_input;
    }
    const replay_report report = replay->run();
    replay.reset();  // the terminal is as it was
    if (!report.failure.empty()) {
        complain("replay", report.failure);
    }
    std::cout << replay_report_text(report) << std::flush;
    if (!report_file.empty()) {
        std::ofstream out(report_file);
        out << replay_report_json(report) << std::flush;
        if (!out) {
            complain("replay", "the report cannot be written to \"" + report_file + "\"");
            return exit_not_carried_out;
        }
    }
    // Ended by its user, it may leave something unanswered.
    replay_sums judged = report.sums;
    judged.unacknowledged = report.interrupted ? 0 : judged.unacknowledged;
    return report.failure.empty() && judged.is_whole() ? exit_success : exit_not_carried_out;
}

}  // namespace fleetarium::cli
