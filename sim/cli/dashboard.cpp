#include "commands.hpp"
#include "dashboard_window.hpp"
#include "feed_server.hpp"
#include "run_live.hpp"
#include "token_file.hpp"

#include <fleetarium/feed/feed_service.hpp>
#include <fleetarium/feed/recording_source.hpp>
#include <fleetarium/feed/remote_link.hpp>
#include <fleetarium/recording/recording_error.hpp>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace fleetarium::cli {

namespace {

volatile std::sig_atomic_t interrupted = 0;

void note_interrupt(int) { interrupted = 1; }

struct dashboard_options {
    std::string connect;
    std::string token_file;
    std::string open;
    std::string http;
    std::string http_token_file;
    window_flags window;

    /// What is wrong with them, as a sentence; empty: nothing.
    std::string check() const;
};

std::string dashboard_options::check() const {
    if (connect.empty() == open.empty()) {
        return "expected one of --connect URL and --open FILE";
    }
    if (!token_file.empty() && connect.empty()) {
        return "--token-file goes with --connect";
    }
    if (!http.empty() && open.empty()) {
        return "--http goes with --open: what --connect connects to has its own";
    }
    if (!http_token_file.empty() && http.empty()) {
        return "--http-token-file goes with --http";
    }
    if (!http.empty() && !window.screenshot.empty()) {
        return "found --http and --screenshot, expected one of them";
    }
    if (!http.empty() && window.frames != 0) {
        return "found --http and --frames, expected one of them";
    }
    return window.check();
}

/// A recording with its source on a thread of its own.
class opened_recording {
public:
    /// Throws recording_error. `whole`: nothing is answered before all of it has been read.
    opened_recording(const std::string& file, bool whole) {
        std::promise<void> opened;
        auto is_open = opened.get_future();
        link_.on_question([this] { wake(); });
        thread_ = std::thread([this, file, whole, told = std::move(opened)]() mutable {
            std::unique_ptr<feed::recording_source> source;
            try {
                source = std::make_unique<feed::recording_source>(file);
            } catch (...) {
                told.set_exception(std::current_exception());
                return;
            }
            told.set_value();
            try {
                if (whole) {
                    source->wait_until_complete();
                }
                serve(*source);
            } catch (const std::exception& error) {
                link_.close(error.what());
            }
        });
        try {
            is_open.get();
        } catch (...) {
            thread_.join();
            throw;
        }
    }
    ~opened_recording() {
        {
            const std::lock_guard lock(mutex_);
            is_over_ = true;
        }
        wake();
        thread_.join();
    }
    opened_recording(const opened_recording&) = delete;
    opened_recording& operator=(const opened_recording&) = delete;

    feed::source_link& link() { return link_; }

private:
    void wake() {
        {
            const std::lock_guard lock(mutex_);
            is_asked_ = true;
        }
        asked_.notify_one();
    }

    void serve(feed::recording_source& source) {
        std::unique_lock lock(mutex_);
        while (!is_over_) {
            asked_.wait(lock, [this] { return is_asked_; });
            is_asked_ = false;
            lock.unlock();
            while (link_.serve(source) != 0) {
            }
            lock.lock();
        }
    }

    feed::thread_link link_;
    std::mutex mutex_;
    std::condition_variable asked_;
    bool is_asked_ = false;
    bool is_over_ = false;
    std::thread thread_;
};

/// The web page of a recording, until Ctrl-C.
void serve_page(const dashboard_options& options) {
    feed::recording_source source(options.open);
    feed::feed_service feed([&source](const auto& use) { use(source); });
    boost::asio::io_context context;
    const auto server =
        open_feed_server(context, options.http, read_token(options.http_token_file), feed);
    const auto began = std::chrono::steady_clock::now();
    while (interrupted == 0) {
        context.run_one_for(std::chrono::milliseconds{50});
        feed.poll(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    }
}

int look(feed::source_link& link, const dashboard_options& options) {
    if (!options.window.screenshot.empty()) {
        write_screenshots(link, options.window);
        return exit_success;
    }
    const auto goes_on = [] { return interrupted == 0; };
    dashboard_window window(options.window);
    if (options.window.frames != 0) {
        return window.measure(link, goes_on) ? exit_success : exit_expectation_failed;
    }
    window.show(link, goes_on);
    return exit_success;
}

int run(const dashboard_options& options) {
    const std::string wrong = options.check();
    if (!wrong.empty()) {
        std::cerr << "fleetarium: " << wrong << '\n';
        return exit_bad_input;
    }
    std::signal(SIGINT, note_interrupt);
    std::signal(SIGTERM, note_interrupt);
    std::signal(SIGPIPE, SIG_IGN);
    try {
        if (!options.http.empty()) {
            serve_page(options);
        } else if (!options.open.empty()) {
            opened_recording opened(options.open, !options.window.screenshot.empty());
            return look(opened.link(), options);
        } else {
            feed::remote_link link(feed::parse_feed_address(options.connect),
                                   read_token(options.token_file));
            return look(link, options);
        }
    } catch (const usage_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_bad_input;
    } catch (const recording::recording_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_bad_input;
    } catch (const std::invalid_argument& error) {
        std::cerr << "fleetarium: --connect: " << error.what() << '\n';
        return exit_bad_input;
    } catch (const std::runtime_error& error) {
        std::cerr << "fleetarium: " << error.what() << '\n';
        return exit_not_carried_out;
    }
    return exit_success;
}

}  // namespace

void add_dashboard(CLI::App& app, int& exit_status) {
    auto options = std::make_shared<dashboard_options>();
    CLI::App* const command = app.add_subcommand(
        "dashboard",
        "Look at a run, a broker or a recording in a window, and act on it; ? lists its keys");
    command
        ->add_option("--connect", options->connect,
                     "What run --http or broker --http serves: http://HOST:PORT")
        ->type_name("URL");
    command
        ->add_option("--token-file", options->token_file,
                     "The token that it wants, in a first line")
        ->type_name("FILE");
    command->add_option("--open", options->open, "A recording, at any moment of it")
        ->type_name("FILE");
    command
        ->add_option(
            "--http", options->http,
            "With --open: no window, but the web page of the recording, until Ctrl-C; port "
            "0 is a free one")
        ->type_name("HOST:PORT");
    command
        ->add_option("--http-token-file", options->http_token_file,
                     "What viewers have to show; needed where others can reach the address")
        ->type_name("FILE");
    options->window.add_to(*command);
    command->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace fleetarium::cli
