#include "replay_control.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace fleetarium::cli {

namespace {

using schedule = recording::replay_schedule;

constexpr std::array<double, 14> speeds{
    0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, schedule::as_fast_as_possible};

template <class Number>
std::optional<Number> parse_whole(std::string_view text) {
    Number value{};
    const auto [end, why] = std::from_chars(text.data(), text.data() + text.size(), value);
    return why == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                  : std::nullopt;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

double seconds(duration time) { return static_cast<double>(time.count()) / 1e9; }

broker::http_response bad_request(std::string_view found, std::string_view expected) {
    return {400, broker::http_response{}.content_type,
            fmt::format("found \"{}\" as the body, expected {}\n", found.substr(0, 100), expected)};
}

}  // namespace

std::optional<double> parse_speed(std::string_view text) {
    if (text == "max") {
        return schedule::as_fast_as_possible;
    }
    const auto value = parse_whole<double>(text);
    return value && *value >= schedule::speed_min && *value <= schedule::speed_max ? value
                                                                                   : std::nullopt;
}

std::string speed_text(double speed) {
    return speed == schedule::as_fast_as_possible ? "max" : fmt::format("{}", speed);
}

std::string status_json(const replay_player& player, const replay_connections& connections) {
    const replay_sums& sums = connections.sums();
    const std::string speed = speed_text(player.speed());
    return fmt::format(
        R"({{"state": "{}", "speed": {}, "position_seconds": {}, "end_seconds": {}, "pass": {}, )"
        R"("published": {}, "under_way": {}, "acknowledged": {}, "refused": {}, "lost": {}}})"
        "\n",
        player.is_over()     ? "ending"
        : player.is_paused() ? "paused"
                             : "playing",
        speed == "max" ? "\"max\"" : speed, seconds(player.position()), seconds(player.end()),
        player.passes(), sums.total(), connections.under_way(), sums.acknowledged,
        sums.refused_total(), sums.lost + sums.unconfirmed);
}

std::vector<broker::http_route> replay_routes(replay_player& player,
                                              replay_connections& connections) {
    using broker::http_request;
    using broker::http_response;
    const auto status = [&player, &connections] {
        return http_response{200, "application/json", status_json(player, connections)};
    };
    return {
        {"GET", "/status", "where the replay is", [=](const http_request&) { return status(); }},
        {"POST", "/pause", "hold it",
         [=, &player](const http_request&) {
             player.pause();
             return status();
         }},
        {"POST", "/resume", "go on",
         [=, &player](const http_request&) {
             player.resume();
             return status();
         }},
        {"POST", "/step", "while paused, publish one message, or as many as the body says",
         [=, &player](const http_request& request) {
             const std::string_view body = trimmed(request.body);
             const auto messages =
                 body.empty() ? std::optional<std::uint64_t>(1) : parse_whole<std::uint64_t>(body);
             if (!messages || *messages == 0 || *messages > 1'000'000'000) {
                 return bad_request(body, "a number of messages from 1 to 1000000000, or nothing");
             }
             if (!player.is_paused()) {
                 return http_response{409, http_response{}.content_type,
                                      "The replay is not paused: POST /pause first.\n"};
             }
             player.step(*messages);
             return status();
         }},
        {"POST", "/speed", "another speed: the body",
         [=, &player](const http_request& request) {
             const auto speed = parse_speed(trimmed(request.body));
             if (!speed) {
                 return bad_request(trimmed(request.body), speed_expected);
             }
             player.set_speed(*speed);
             return status();
         }},
    };
}

bool replay_keys::handle(std::string_view typed) {
    for (const char key : typed) {
        if (!escape_.empty()) {
            // ESC [ C or ESC O C is the right arrow; what is none of them is let go.
            escape_ += key;
            if (escape_.size() == 2 && (key == '[' || key == 'O')) {
                continue;
            }
            if (escape_.size() == 3 && key == 'C') {
                player_.step();
            }
            escape_.clear();
            continue;
        }
        switch (key) {
            case '\x1b': escape_ = key; break;
            case ' ': player_.is_paused() ? player_.resume() : player_.pause(); break;
            case 'n': player_.step(); break;
            case '+':
            case '=': change_speed(1); break;
            case '-': change_speed(-1); break;
            case 'q': return false;
            default: break;
        }
    }
    return true;
}

void replay_keys::change_speed(int steps) {
    // The nearest of the list, and from there.
    const double now = player_.speed();
    std::size_t place = speeds.size() - 1;
    if (now != schedule::as_fast_as_possible) {
        for (std::size_t i = 0; i + 1 < speeds.size(); ++i) {
            place = std::abs(speeds[i] - now) < std::abs(speeds[place] - now) || i == 0 ? i : place;
        }
    }
    const auto next = std::clamp<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(place) + steps, 0,
                                                 std::ssize(speeds) - 1);
    player_.set_speed(speeds[static_cast<std::size_t>(next)]);
}

struct key_terminal::settings {
    termios value{};
};

key_terminal::key_terminal() {
    // A background job that touches its terminal is stopped.
    if (isatty(STDIN_FILENO) == 0 || tcgetpgrp(STDIN_FILENO) != getpgrp()) {
        return;
    }
    auto before = std::make_unique<settings>();
    if (tcgetattr(STDIN_FILENO, &before->value) != 0) {
        return;
    }
    // Opened anew: that this one does not block is not seen by others who have the terminal open.
    descriptor_ = open("/dev/stdin", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor_ >= 0) {
        before_ = std::move(before);
        take();
    }
}

key_terminal::~key_terminal() {
    restore();
    if (descriptor_ >= 0) {
        close(descriptor_);
    }
}

void key_terminal::take() {
    if (before_) {
        termios keys = before_->value;
        keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        keys.c_cc[VMIN] = 1;
        keys.c_cc[VTIME] = 0;
        tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
}

void key_terminal::restore() {
    if (before_) {
        tcsetattr(STDIN_FILENO, TCSANOW, &before_->value);
    }
}

}  // namespace fleetarium::cli
