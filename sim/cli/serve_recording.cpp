#include "serve_recording.hpp"

#include "commands.hpp"

#include <fleetarium/feed/feed_service.hpp>
#include <fleetarium/feed/recording_source.hpp>
#include <fleetarium/net/real_clock.hpp>
#include <fleetarium/server/http_server.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <csignal>
#include <functional>
#include <iostream>

namespace fleetarium::cli {

int serve_recording(const std::string& file, const std::string& address, const std::string& token) {
    constexpr auto poll_period = std::chrono::milliseconds{50};
    feed::recording_source source(file);
    feed::feed_service service([&](const auto& use) { use(source); });
    boost::asio::io_context context;
    broker::http_options options;
    options.address = address;
    options.token = token;
    broker::http_server http(context, options, service.routes(), service.websockets());
    std::cout << "listening on http://" << http.listening() << std::endl;

    std::signal(SIGPIPE, SIG_IGN);
    boost::asio::signal_set signals(context, SIGINT, SIGTERM);
    boost::asio::steady_timer timer(context);
    const std::function<void()> poll = [&] {
        service.poll(std::chrono::duration<double>(net::real_now().time_since_epoch()).count());
        timer.expires_after(poll_period);
        timer.async_wait([&](boost::system::error_code cancelled) {
            if (!cancelled) {
                poll();
            }
        });
    };
    poll();
    signals.async_wait([&](boost::system::error_code, int) { context.stop(); });
    context.run();
    return exit_success;
}

}  // namespace fleetarium::cli
