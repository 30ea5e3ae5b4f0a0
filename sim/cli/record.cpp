#include "client_flags.hpp"
#include "commands.hpp"
#include "filter_overlap.hpp"
#include "run_recording.hpp"

#include <fleetarium/client/client.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/recording/subscriber_recorder.hpp>
#include <fleetarium/sim/report_text.hpp>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <ctime>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace fleetarium::cli {

namespace {

namespace asio = boost::asio;
using asio::awaitable;
using namespace std::chrono_literals;

constexpr std::string_view command_name = "record";

struct record_flags {
    client_flags client;
    std::string file;
    std::vector<std::string> filters;
    std::string level = "2";
    std::string share;
    bool no_retained = false;
    std::uint64_t count = 0;
    std::string time;
    std::string size_max;
    std::string last;
};

/// Copies of the recording so far, on a thread of their own: they take as long as it is large.
class copier {
public:
    explicit copier(std::string file) : file_(std::move(file)) {}
    ~copier() { wait(); }
    copier(const copier&) = delete;
    copier& operator=(const copier&) = delete;

    void copy(duration ran_for) {
        if (busy_) {
            complain(command_name, "a copy is still being written");
            return;
        }
        wait();
        busy_ = true;
        thread_ = std::thread([this, to = name(), ran_for] {
            try {
                recording::copy_recording(file_, to, ran_for);
                complain(command_name, to + ": a copy of what there is so far");
            } catch (const recording::recording_error& failed) {
                complain(command_name, failed.what());
            }
            busy_ = false;
        });
    }

    void wait() {
        if (thread_.joinable()) {
            thread_.join();
        }
    }

private:
    /// "site-20261127T081500Z.flr" for "site.flr".
    std::string name() const {
        const std::filesystem::path path(file_);
        const auto named = fmt::format("{}-{:%Y%m%dT%H%M%SZ}{}", path.stem().string(),
                                       fmt::gmtime(std::time(nullptr)), path.extension().string());
        return (path.parent_path() / named).string();
    }

    std::string file_;
    std::thread thread_;
    std::atomic<bool> busy_ = false;
};

/// One recording: subscribes, writes down what comes, and notes when nothing can come.
///
/// Everything happens on one thread. Where the disk is slower than the broker, it waits for the
/// recorder's thread, so that nothing more is read from the connection.
class broker_recording {
public:
    broker_recording(asio::io_context& context, const record_flags& flags)
        : flags_(flags),
          network_(context),
          client_(network_, configuration()),
          copies_(flags.file) {}

    awaitable<void> run() {
        auto made = client_.subscribe(filters(), options());
        if (!made) {
            throw boost::system::system_error(made.error());
        }
        stream_ = std::move(*made);
        try {
            co_await client_.async_connect();
        } catch (const boost::system::system_error&) {
            if (!failed_) {  // else `disconnected` has said why
                complain(command_name, "nothing was recorded: there was no connection");
                failed_ = true;
            }
            co_return;
        }
        begin();
        using namespace asio::experimental::awaitable_operators;
        co_await ((take_answers() && take_messages()) || watch());
        stopping_ = true;
        co_await client_.async_disconnect();
        while (const auto message = stream_.try_receive()) {
            note(*message);
        }
        finish();
    }

    /// Ends in order.
    void stop() {
        stopping_ = true;
        client_.async_disconnect([](boost::system::error_code) {});
    }

    /// Keeps what there is so far in a file of its own; the recording goes on.
    void copy() {
        if (recorder_ && !stopping_) {
            recorder_->sync();
            copies_.copy(client_.now() - begin_);
        }
    }

    int status() const { return failed_ ? exit_not_carried_out : exit_success; }

private:
    static constexpr std::size_t buffer_messages = 1000;
    static constexpr duration commit_interval = 200ms;

    client_config configuration() {
        client_config made = config_of(flags_.client, command_name);
        // For ever: a recording goes on after a gap. The first connection is another matter, see
        // `disconnected`.
        made.reconnect(backoff());
        made.on_connected([this](const connection_info& info) { connected(info); });
        made.on_disconnected([this](const disconnection_info& info) { disconnected(info); });
        return made;
    }

    std::vector<std::string> filters() const {
        std::vector<std::string> out;
        for (const std::string& each : flags_.filters) {
            out.push_back(flags_.share.empty() ? each : "$share/" + flags_.share + "/" + each);
        }
        return out;
    }

    subscribe_options options() const {
        subscribe_options out(qos_of(flags_.level));
        out.buffer(buffer_messages, overflow::pause_reading);
        if (flags_.client.version == "5") {
            out.retain_as_published();
            if (flags_.no_retained) {
                out.retained(retain_handling::do_not_send);
            }
        }
        return out;
    }

    void begin() {
        recording::recording_options made;
        made.path = flags_.file;
        made.source = net::to_string(client_.connection().server);
        made.began = wall_time();
        const auto wall = std::chrono::system_clock::now().time_since_epoch();
        if (begin_ == instant{}) {
            begin_ = client_.now();
        }
        made.epoch = std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count() -
                     (client_.now() - begin_).count();
        made.program_version = FLEETARIUM_VERSION;
        set_bounds(made, flags_.size_max, flags_.last);
        recorder_.emplace(std::move(made), begin_);
    }

    // What the connection does

    void connected(const connection_info& info) {
        if (begin_ == instant{}) {
            begin_ = client_.now();
        }
        was_connected_ = true;
        if (gap_since_ && recorder_) {
            recorder_->back(info.session_present, client_.now());
            complain(command_name, "connected again after " +
                                       sim::readable_duration(client_.now() - *gap_since_));
        }
        gap_since_.reset();
    }

    void disconnected(const disconnection_info& info) {
        if (stopping_) {
            return;
        }
        std::string why = info.why.message();
        if (!info.reason.empty() && info.reason != why) {
            why += " (" + info.reason + ")";
        }
        if (info.was_connected && recorder_ && !gap_since_) {
            gap_since_ = client_.now();
            recorder_->apart(why, *gap_since_);
        }
        const bool gives_up = !info.next_attempt_in || (!was_connected_ && !flags_.client.retry);
        if (gives_up || info.was_connected) {
            complain(command_name, net::to_string(info.server) + ": " + why);
        }
        if (gives_up) {
            failed_ = true;
            stop();
        }
    }

    // What it brings

    /// True: that was the last one asked for.
    bool note(const received_message& message) {
        if (flags_.count != 0 && recorder_->messages() >= flags_.count) {
            return true;
        }
        publish packet;
        packet.topic = message.topic();
        packet.payload = message.payload();
        packet.qos = message.qos();
        packet.retain = message.retain();
        packet.message_expiry_interval = message.message_expiry_interval();
        if (message.utf8()) {
            packet.payload_format_indicator = std::uint8_t{1};
        }
        packet.content_type = message.content_type();
        packet.response_topic = message.response_topic();
        packet.correlation_data = message.correlation_data();
        const user_property_list owned = message.user_properties();
        pairs_.assign(owned.begin(), owned.end());
        packet.user_properties = user_properties(std::span<const user_property>(pairs_));
        recorder_->heard(packet, message.received_at());
        return recorder_->messages() == flags_.count;
    }

    awaitable<void> take_answers() {
        try {
            co_await stream_.async_answer();
        } catch (const boost::system::system_error&) {
            // Each was refused, or it was stopped: the codes tell.
        }
        const std::vector<reason_code> codes = stream_.codes();
        for (std::size_t i = 0; i < codes.size(); ++i) {
            recorder_->subscribed(stream_.filters()[i], codes[i], client_.now());
        }
        if (!codes.empty() && !check_answers()) {
            const auto lowest = *std::min_element(codes.begin(), codes.end());
            if (static_cast<int>(lowest) < flags_.level.front() - '0') {
                complain(command_name, fmt::format("the broker grants QoS {} only: messages of "
                                                   "a higher one come with that",
                                                   static_cast<int>(lowest)));
            }
            complain(command_name,
                     fmt::format("recording {} in {}; Ctrl-C ends it",
                                 net::to_string(client_.connection().server), flags_.file));
        }
    }

    /// Whether a subscription was refused, now or after a connection broke.
    bool check_answers() {
        const std::vector<reason_code> codes = stream_.codes();
        for (std::size_t i = 0; i < codes.size() && !failed_; ++i) {
            if (is_failure(codes[i])) {
                failed_ = true;
                complain(command_name,
                         "the subscription to \"" + stream_.filters()[i] +
                             "\" was refused: " + make_error_code(codes[i]).message());
            }
        }
        return failed_;
    }

    awaitable<void> take_messages() {
        try {
            for (;;) {
                if (note(co_await stream_.async_receive())) {
                    co_return;
                }
                while (const auto more = stream_.try_receive()) {
                    if (note(*more)) {
                        co_return;
                    }
                }
            }
        } catch (const boost::system::system_error&) {
            // The client has stopped: it was told to, or `disconnected` has said why.
        }
    }

    /// Has what came committed, and looks whether it is to end.
    awaitable<void> watch() {
        const instant end =
            flags_.time.empty() ? never : saturating_add(begin_, duration_of(flags_.time));
        while (client_.now() < end && recorder_->error().empty() && !check_answers() &&
               !stopping_) {
            co_await client_.async_wait_until(
                std::min(end, saturating_add(client_.now(), commit_interval)));
            recorder_->flush();
        }
    }

    void finish() {
        copies_.wait();
        const std::uint64_t gaps = recorder_->gaps();
        const auto written = recorder_->finish(client_.now());
        complain(command_name,
                 fmt::format("{}: {} messages{}, {:.1f} MiB", flags_.file,
                             sim::with_thousands(written.messages),
                             gaps == 0 ? "" : fmt::format(", {} gap{}", gaps, gaps == 1 ? "" : "s"),
                             static_cast<double>(written.file_bytes) / 1048576.0));
    }

    const record_flags& flags_;
    real_environment network_;
    client client_;
    copier copies_;
    subscription stream_;
    std::optional<recording::subscriber_recorder> recorder_;
    std::vector<user_property> pairs_;
    instant begin_{};
    std::optional<instant> gap_since_;
    bool was_connected_ = false;
    bool stopping_ = false;
    bool failed_ = false;
};

/// What is wrong with what is asked for; empty if nothing is.
std::string problem_of(const record_flags& flags) {
    for (const std::string& filter : flags.filters) {
        if (is_shared_filter(filter)) {
            return "found the filter \"" + filter + "\", expected --share GROUP beside it";
        }
        if (!is_valid_topic_filter(filter)) {
            return "found the filter \"" + filter +
                   "\", expected levels apart by /, + for one whole level, # for all from here on, "
                   "last";
        }
    }
    for (std::size_t i = 0; i < flags.filters.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (filters_overlap(flags.filters[j], flags.filters[i])) {
                return "found the filters \"" + flags.filters[j] + "\" and \"" + flags.filters[i] +
                       "\", expected such as have no topic in common: brokers may send it twice";
            }
        }
    }
    if (flags.share.find_first_of("/+#") != std::string::npos || !is_valid_string(flags.share)) {
        return "found --share \"" + flags.share + "\", expected a name without / + #";
    }
    if (flags.client.version != "5" && flags.no_retained) {
        return "--no-retained is part of MQTT 5, not of 3.1.1";
    }
    std::error_code ignored;
    if (std::filesystem::exists(flags.file, ignored)) {
        return flags.file + ": there is a file already: a recording needs a new one";
    }
    return check_bounds(flags.size_max, flags.last);
}

int record(record_flags& flags) {
    if (flags.filters.empty()) {
        flags.filters.emplace_back("#");
    }
    if (const std::string problem = problem_of(flags); !problem.empty()) {
        complain(command_name, problem);
        return exit_bad_input;
    }
    std::signal(SIGXFSZ, SIG_IGN);  // a limit of file size is an error of the file then
    asio::io_context context;
    std::optional<broker_recording> made;
    try {
        made.emplace(context, flags);
    } catch (const std::exception& wrong) {
        complain(command_name, wrong.what());
        return exit_bad_input;
    }
    asio::signal_set ending(context, SIGINT, SIGTERM);
    ending.async_wait([&](boost::system::error_code why, int) {
        if (!why) {
            made->stop();
        }
    });
    asio::signal_set copying(context, SIGUSR1);
    std::function<void(boost::system::error_code, int)> copy = [&](boost::system::error_code why,
                                                                   int) {
        if (!why) {
            made->copy();
            copying.async_wait(copy);
        }
    };
    copying.async_wait(copy);
    int status = exit_success;
    asio::co_spawn(context, made->run(), [&](std::exception_ptr thrown) {
        ending.cancel();
        copying.cancel();
        try {
            if (thrown) {
                made->stop();  // its connection would go on, and so would we
                std::rethrow_exception(thrown);
            }
            status = made->status();
        } catch (const recording::recording_error& failed) {
            complain(command_name, std::string(failed.what()));
            std::error_code ignored;
            if (std::filesystem::exists(flags.file, ignored)) {
                complain(command_name, "what was committed before is kept in " + flags.file);
            }
            status = exit_not_carried_out;
        } catch (const std::exception& failed) {
            complain(command_name, failed.what());
            status = exit_not_carried_out;
        }
    });
    context.run();
    return status;
}

}  // namespace

void add_record(CLI::App& app, int& exit_status) {
    auto flags = std::make_shared<record_flags>();
    CLI::App* const command =
        app.add_subcommand("record", "Record what a subscriber gets from any broker, until Ctrl-C");
    add_client_flags(*command, flags->client, "--from");
    command->add_option("recording", flags->file, "A new file, a SQLite database")
        ->required()
        ->type_name("FILE");
    command
        ->add_option("--filter", flags->filters,
                     "Topic filter; may be given several times. Without one \"#\", to which "
                     "\"$SYS/#\" does not belong")
        ->type_name("F")
        ->allow_extra_args(false);
    command
        ->add_option("-q,--qos", flags->level,
                     "Quality of service, at most; messages of a higher one come with this")
        ->check(CLI::IsMember({"0", "1", "2"}))
        ->capture_default_str();
    command
        ->add_option("--share", flags->share,
                     "Share the messages with the other recorders of this group; there are no "
                     "retained ones then")
        ->type_name("GROUP");
    command->add_flag("--no-retained", flags->no_retained, "Not what was there before (MQTT 5)");
    command->add_option("--duration", flags->time, "End after this time")
        ->check(check_duration_flag)
        ->type_name("D");
    command->add_option("--count", flags->count, "End after so many messages")
        ->check(CLI::PositiveNumber)
        ->type_name("N");
    command
        ->add_option("--max-size", flags->size_max,
                     "Give up the oldest messages for newer ones beyond this size")
        ->type_name("SIZE");
    command->add_option("--last", flags->last, "Keep only so much of the newest")->type_name("D");
    command->footer(
        "SIGUSR1 copies what there is so far to a file of its own, FILE with the time in its name, "
        "and the recording goes on.");
    command->callback([flags, &exit_status] { exit_status = record(*flags); });
}

}  // namespace fleetarium::cli
