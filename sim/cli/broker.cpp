#include "commands.hpp"
#include "log_output.hpp"
#include "run_live.hpp"
#include "run_recording.hpp"
#include "token_file.hpp"

#include <fleetarium/config/json_document.hpp>
#include <fleetarium/feed/broker_source.hpp>
#include <fleetarium/feed/feed_service.hpp>
#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/net/tls_context.hpp>
#include <fleetarium/recording/broker_recorder.hpp>
#include <fleetarium/server/access_file.hpp>
#include <fleetarium/server/password_file.hpp>
#include <fleetarium/server/server.hpp>
#include <fleetarium/server/server_config.hpp>
#include <fleetarium/storage/session_file.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <variant>
#include <vector>

namespace fleetarium::cli {

namespace {

using namespace std::chrono_literals;
using broker::log_level;

/// An option that takes a value, as it was given.
using maybe_text = std::optional<std::string>;

struct broker_flags {
    std::string config_file;
    std::vector<std::string> listen;
    maybe_text certificate;
    maybe_text private_key;
    maybe_text authorities;
    bool require_client_certificate = false;
    bool subject_as_user_name = false;
    bool allow_anonymous = false;
    bool no_anonymous = false;
    maybe_text passwords;
    maybe_text access;
    maybe_text threads;
    maybe_text persist;
    maybe_text sync;
    bool recover = false;
    maybe_text http;
    maybe_text http_token_file;
    maybe_text key_log;
    maybe_text log_level;
    std::vector<std::string> overrides;
    recording_flags recording;
    bool print_config = false;
};

/// The flags as settings; each problem of one names it.
broker::server_settings settings_of(const broker_flags& flags) {
    broker::server_settings made;
    made.listen = flags.listen;
    made.listen_otherwise = "mqtt://127.0.0.1:1883";
    using list = std::vector<broker::config_setting>;
    const auto text = [](list& to, std::string_view path, std::string_view flag,
                         const maybe_text& value) {
        if (value) {
            to.push_back({std::string(path) + '=' + config::json_quoted(*value),
                          std::string(flag) + ' ' + *value});
        }
    };
    const auto truth = [](list& to, std::string_view assignment, std::string_view flag,
                          bool given) {
        if (given) {
            to.push_back({std::string(assignment), std::string(flag)});
        }
    };
    list& tls = made.listeners_with_tls;
    text(tls, "tls/certificate", "--cert", flags.certificate);
    text(tls, "tls/private_key", "--key", flags.private_key);
    text(tls, "tls/authorities", "--ca", flags.authorities);
    text(tls, "tls/key_log_file", "--key-log", flags.key_log);
    truth(tls, "tls/require_client_certificate=true", "--require-client-cert",
          flags.require_client_certificate);
    truth(tls, "subject_as_user_name=true", "--subject-as-user-name", flags.subject_as_user_name);
    text(made.others, "password_file", "--passwords", flags.passwords);
    text(made.others, "access_file", "--access", flags.access);
    text(made.others, "persist_file", "--persist", flags.persist);
    text(made.others, "persist_sync", "--sync", flags.sync);
    text(made.others, "http_address", "--http", flags.http);
    text(made.others, "http_token_file", "--http-token-file", flags.http_token_file);
    text(made.others, "log_level", "--log-level", flags.log_level);
    truth(made.others, "allow_anonymous=true", "--allow-anonymous", flags.allow_anonymous);
    truth(made.others, "allow_anonymous=false", "--no-anonymous", flags.no_anonymous);
    if (flags.threads) {
        made.others.push_back({"threads=" + *flags.threads, "--threads " + *flags.threads});
    }
    for (const std::string& each : flags.overrides) {
        made.others.push_back({each, "--set " + each});
    }
    return made;
}

/// What is wrong with the files that the configuration names. The server reads them again; here
/// they are told apart from what the machine refuses.
std::string bad_files(const broker::server_options& options) {
    std::string text;
    for (const broker::listener_options& each : options.listeners) {
        try {
            if (each.url.is_tls()) {
                const net::tls_context context(net::tls_role::server, each.tls);
            }
        } catch (const std::runtime_error& error) {
            text += to_string(each.url) + ": " + error.what() + '\n';
        }
    }
    if (!options.password_file.empty()) {
        text += config::to_string(broker::password_file().load(options.password_file));
    }
    if (!options.access_file.empty()) {
        const auto read = broker::load_access_file(options.access_file);
        if (const auto* problems = std::get_if<std::vector<config::problem>>(&read)) {
            text += config::to_string(*problems);
        }
    }
    return text;
}

/// Raises the number of files that may be open as far as it goes, and says how far that is.
std::string raise_file_limit(const broker::server_options& options) {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return "the limit of open files is not known";
    }
    const rlim_t before = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
        files.rlim_cur = before;
    }
    if (files.rlim_cur == RLIM_INFINITY) {
        return "as many files may be open as there is memory for";
    }
    // Not for clients: HTTP, files, and what each thread waits on.
    const rlim_t others = 128 + options.listeners.size() + 4 * options.threads;
    return fmt::format(
        "{} files may be open: room for about {} connections (ulimit -Hn, or LimitNOFILE of "
        "systemd, sets more)",
        files.rlim_cur, files.rlim_cur - std::min(files.rlim_cur, others));
}

/// The signals that the main thread waits for; all threads started from here on leave them to it.
class awaited_signals {
public:
    awaited_signals() {
        sigemptyset(&set_);
        for (const int each : {SIGINT, SIGTERM, SIGHUP}) {
            sigaddset(&set_, each);
        }
        pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    }

    /// The signal that came, or 0 if none did in that time.
    int wait(std::chrono::nanoseconds time) const {
        const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
        timespec left{};
        left.tv_sec = static_cast<time_t>(seconds.count());
        left.tv_nsec = static_cast<long>((time - seconds).count());
        return std::max(sigtimedwait(&set_, nullptr, &left), 0);
    }

    /// From here on they do what they do to any process.
    void let_go() const {
        std::signal(SIGINT, SIG_DFL);
        std::signal(SIGTERM, SIG_DFL);
        pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
    }

private:
    sigset_t set_{};
};

std::unique_ptr<recording::broker_recorder> recorder_of(const recording_flags& flags) {
    if (flags.file.empty()) {
        return nullptr;
    }
    recording::recording_options options;
    options.path = flags.file;
    options.began = wall_time();
    options.program_version = FLEETARIUM_VERSION;
    options.epoch = std::chrono::duration_cast<std::chrono::nanoseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count();
    set_bounds(options, flags.size_max, flags.last);
    return std::make_unique<recording::broker_recorder>(std::move(options), net::real_now());
}

/// Closes the recording, if there is one, and says what is in it; the exit status.
int end_recording(recording::broker_recorder* recorder, const std::string& file) {
    if (recorder == nullptr) {
        return exit_success;
    }
    try {
        const auto written = recorder->finish(net::real_now());
        fmt::print(stderr, "fleetarium: {}: {} messages, {} deliveries, {:.1f} MiB\n", file,
                   written.messages, written.deliveries,
                   static_cast<double>(written.file_bytes) / 1048576.0);
        return exit_success;
    } catch (const recording::recording_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_not_carried_out;
    }
}

/// The feed of a broker for its HTTP server.
struct broker_feed {
    explicit broker_feed(broker::broker_hooks* next)
        : begin(net::real_now()),
          source({.title = "broker", .version = FLEETARIUM_VERSION, .epoch = seconds_since_1970()},
                 begin, next),
          service([this](const auto& use) { use(source); }) {}

    static double seconds_since_1970() {
        return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    }
    double wall() const { return std::chrono::duration<double>(net::real_now() - begin).count(); }

    void add_to(broker::server_options& options) {
        options.http_more.routes = service.routes();
        options.http_more.websockets = service.websockets();
        options.http_more.poll = [this] {
            if (polls++ % 2 == 0) {
                source.tick_at_rest(wall());
            }
            service.poll(wall());
        };
    }

    instant begin;
    feed::broker_source source;
    feed::feed_service service;
    unsigned polls = 0;
};

/// Serves until it is told to stop.
int serve(const broker::server_config& config, const recording_flags& recording, log_output& log) {
    constexpr auto commit_interval = std::chrono::milliseconds{200};
    const awaited_signals signals;
    std::signal(SIGPIPE, SIG_IGN);  // whoever reads our output may leave
    std::signal(SIGXFSZ, SIG_IGN);  // a limit of file size is an error of the file then
    broker::server_options options = config.server;
    if (!config.http_token_file.empty()) {
        options.http_token = read_token(config.http_token_file);
    }
    auto recorder = recorder_of(recording);

    options.log = log.sink();
    log.write(log_level::info, raise_file_limit(options));
    std::unique_ptr<broker_feed> viewers;
    if (!options.http_address.empty()) {
        viewers = std::make_unique<broker_feed>(recorder.get());
        viewers->add_to(options);
    }
    std::unique_ptr<broker::server> server;
    try {
        broker::broker_hooks* const hooks =
            viewers != nullptr ? static_cast<broker::broker_hooks*>(&viewers->source)
                               : recorder.get();
        server = std::make_unique<broker::server>(options, hooks);
        if (viewers != nullptr) {
            viewers->source.attach(*server);
        }
        server->start();
    } catch (...) {
        // Nothing has happened; the file would stand in the way of the next start.
        server.reset();
        if (recorder != nullptr) {
            recorder.reset();
            std::filesystem::remove(recording.file);
        }
        throw;
    }
    for (const net::url& each : server->listening()) {
        std::cout << "listening on " << to_string(each) << '\n';
    }
    if (!server->http_listening().empty()) {
        std::cout << "listening on http://" << server->http_listening() << '\n';
    }
    std::cout << std::flush;

    bool lost_recording = false;
    for (;;) {
        const int signal = signals.wait(recorder ? std::chrono::nanoseconds{commit_interval} : 1h);
        if (recorder && !lost_recording) {
            recorder->flush();
            if (const std::string wrong = recorder->error(); !wrong.empty()) {
                lost_recording = true;  // clients are not to suffer from it
                log.write(log_level::error, "nothing more is recorded: " + wrong);
            }
        }
        if (signal == 0) {
            continue;
        }
        if (signal != SIGHUP) {
            break;
        }
        if (const std::string wrong = log.reopen(); !wrong.empty()) {
            log.write(log_level::error, wrong);
        }
        if (server->reload().empty()) {  // which logs what is wrong
            log.write(log_level::info, "certificates, passwords and access rules are read again");
        }
    }
    log.write(log_level::info, "stopping");
    signals.let_go();  // a second one ends the process at once
    server->stop();
    return end_recording(recorder.get(), recording.file);
}

int recover(const std::string& file) {
    try {
        const auto done = storage::recover_session_file(file);
        fmt::print("{}: saved {} sessions, {} subscriptions, {} deliveries of {} messages, {} "
                   "retained; {} rows could not be read or stood alone\n"
                   "{}: the damaged file, as it was\n",
                   file, done.saved.sessions, done.saved.subscriptions, done.saved.deliveries,
                   done.saved.messages, done.saved.retained, done.unreadable_rows,
                   done.damaged_path);
        return exit_success;
    } catch (const storage::session_file_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_not_carried_out;
    }
}

int run_broker(const broker_flags& flags) {
    if (const std::string wrong = flags.recording.check(); !wrong.empty()) {
        std::cerr << "fleetarium: " << wrong << '\n';
        return exit_bad_input;
    }
    for (const std::string& each : flags.overrides) {
        if (each.find("http_token=") <= 1) {  // "/http_token=" is the same
            std::cerr << "fleetarium: found the token in the command line, where others can see it "
                         "in ps; expected --http-token-file FILE\n";
            return exit_bad_input;
        }
    }
    broker::server_config defaults;
    // As people know it of brokers that run by themselves; an embedded one has none by default.
    defaults.server.broker.sys_interval = std::chrono::seconds{10};
    defaults.server.threads = std::clamp(std::thread::hardware_concurrency(), 1U, 256U);
    const auto read = broker::load_server_config(flags.config_file, settings_of(flags), defaults);
    if (const auto* problems = std::get_if<std::vector<config::problem>>(&read)) {
        std::cerr << config::to_string(*problems);
        return exit_bad_input;
    }
    const auto& config = std::get<broker::server_config>(read);
    if (flags.print_config) {
        std::cout << broker::server_config_text(config) << std::flush;
        return std::cout ? exit_success : exit_not_carried_out;
    }
    if (config.server.persistence.file.empty() &&
        (flags.persist || flags.sync || flags.recover)) {
        std::cerr << "fleetarium: "
                  << (flags.persist ? "--persist" : flags.sync ? "--sync" : "--recover")
                  << ": no file is named; --persist FILE or persist_file of the configuration "
                     "names it\n";
        return exit_bad_input;
    }
    if (flags.recover) {
        return recover(config.server.persistence.file);
    }
    if (const std::string wrong = bad_files(config.server); !wrong.empty()) {
        std::cerr << wrong;
        return exit_bad_input;
    }
    log_output log(config.log_level, config.log_file);
    if (const std::string wrong = log.reopen(); !wrong.empty()) {
        std::cerr << "fleetarium: " << wrong << '\n';
        return exit_not_carried_out;
    }
    try {
        return serve(config, flags.recording, log);
    } catch (const usage_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_bad_input;
    } catch (const std::invalid_argument& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_bad_input;
    }
    // What the machine refuses is a std::runtime_error, which main() reports.
}

}  // namespace

void add_broker(CLI::App& app, int& exit_status) {
    auto flags = std::make_shared<broker_flags>();
    CLI::App* const command =
        app.add_subcommand("broker", "Be an MQTT broker until Ctrl-C; flags override the file");
    command
        ->add_option(
            "--listen", flags->listen,
            "mqtt://HOST:PORT, mqtts://, ws://HOST:PORT/PATH, wss:// or unix:///PATH; port "
            "0 is a free one. Instead of the file's listeners; without either, "
            "mqtt://127.0.0.1:1883")
        ->type_name("URL")
        ->allow_extra_args(false);
    command->add_option("--config", flags->config_file, "A configuration, as --print-config shows")
        ->type_name("FILE.json");
    command->add_option("--cert", flags->certificate, "Certificate with its chain, PEM")
        ->type_name("FILE");
    command->add_option("--key", flags->private_key, "Key of the certificate, PEM")
        ->type_name("FILE");
    command->add_option("--ca", flags->authorities, "Whose certificates clients may show, PEM")
        ->type_name("FILE");
    command->add_flag("--require-client-cert", flags->require_client_certificate,
                      "Let nobody in without a certificate");
    command->add_flag("--subject-as-user-name", flags->subject_as_user_name,
                      "A certificate's Common Name is the user name, and proof enough");
    auto* const allow = command->add_flag("--allow-anonymous", flags->allow_anonymous,
                                          "Let clients without a user name in; so it is without "
                                          "--passwords");
    command
        ->add_flag("--no-anonymous", flags->no_anonymous,
                   "Keep clients without a user name out; so it is with --passwords")
        ->excludes(allow);
    command
        ->add_option("--passwords", flags->passwords,
                     "Users and passwords, as fleetarium passwd writes them")
        ->type_name("FILE");
    command
        ->add_option("--access", flags->access,
                     "Who may do what: lines such as \"user ann\" and \"topic readwrite home/#\"")
        ->type_name("FILE");
    command
        ->add_option("--persist", flags->persist,
                     "Keep sessions and retained messages there: nothing acknowledged is lost, "
                     "whenever the process dies")
        ->type_name("FILE");
    command
        ->add_option("--sync", flags->sync,
                     "What an acknowledgement waits for. full: until the disk has what it "
                     "promises. normal: until the operating system has it; a power cut may lose "
                     "the last moments, kill -9 nothing. off: as normal, but a power cut may "
                     "damage the file. Without it, full")
        ->type_name("MODE");
    command->add_flag("--recover", flags->recover,
                      "Save what can be read of a damaged FILE of --persist, say what, and exit; "
                      "the damaged one stays beside it");
    command->add_option("--threads", flags->threads, "Without it, one for each core")
        ->type_name("N");
    command
        ->add_option("--http", flags->http,
                     "Serve a web page, the API of dashboard/feed.md, /metrics and /health "
                     "there")
        ->type_name("HOST:PORT");
    command
        ->add_option("--http-token-file", flags->http_token_file,
                     "What HTTP clients have to show, in a first line; needed where others can "
                     "reach HOST")
        ->type_name("FILE");
    command->add_option("--key-log", flags->key_log, "Append the secrets of TLS, for Wireshark")
        ->type_name("FILE");
    command->add_option("--log-level", flags->log_level, "debug, info, warning or error")
        ->type_name("LEVEL");
    command
        ->add_option("--set", flags->overrides,
                     "Any value of the configuration: queue_messages_max=100 or "
                     "listeners.0.connections_max=10")
        ->type_name("PATH=VALUE")
        ->allow_extra_args(false);
    flags->recording.add_to(*command, recording_flags::of::broker);
    command->add_flag("--print-config", flags->print_config,
                      "Print the configuration that would be used, whole, and exit");
    command->footer(
        "SIGINT and SIGTERM stop it, SIGHUP reads certificates, passwords and access "
        "rules again.\nfleetarium schema --broker describes the configuration.");
    command->callback([flags, &exit_status] { exit_status = run_broker(*flags); });
}

}  // namespace fleetarium::cli
