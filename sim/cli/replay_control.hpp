#pragma once

#include "replay_player.hpp"

#include <fleetarium/server/http_exchange.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::cli {

/// "0.1" to "1000", or "max"; see replay_schedule. None: it is neither.
std::optional<double> parse_speed(std::string_view text);
/// As parse_speed reads it.
std::string speed_text(double speed);
/// What parse_speed expects, for messages.
inline constexpr std::string_view speed_expected = "a number from 0.1 to 1000, or max";

/// Where a replay is: `{"state": "playing" | "paused" | "ending", "speed": 1 | "max",
/// "position_seconds": 12.5, "end_seconds": 60, "pass": 1, "published": 100, "under_way": 2,
/// "acknowledged": 50, "refused": 0, "lost": 0}`.
std::string status_json(const replay_player& player, const replay_connections& connections);

/// GET /status, POST /pause, /resume, /step (body: number of messages, 1 without) and /speed
/// (body: the speed); each answers with the status.
std::vector<broker::http_route> replay_routes(replay_player& player,
                                              replay_connections& connections);

/// The keys that steer a replay; bytes of a terminal go in.
///
/// Space: pause and go on. n, right arrow: one message. + and -: faster and slower. q: the end.
class replay_keys {
public:
    explicit replay_keys(replay_player& player) : player_(player) {}

    /// False: the user wants to end.
    bool handle(std::string_view typed);

private:
    void change_speed(int steps);

    replay_player& player_;
    std::string escape_;  // begun
};

/// Standard input as a terminal that gives each key at once, without showing it. As it was again
/// when this is gone.
class key_terminal {
public:
    /// Does nothing if standard input is no terminal, or not this process's to read.
    key_terminal();
    ~key_terminal();
    key_terminal(const key_terminal&) = delete;
    key_terminal& operator=(const key_terminal&) = delete;

    /// Of its own: whoever shares standard input does not see how it is read. -1: there is none.
    int descriptor() const { return descriptor_; }
    /// Gives it back, and takes it again, as for a stop of the process.
    void restore();
    void take();

private:
    int descriptor_ = -1;
    struct settings;
    std::unique_ptr<settings> before_;
};

}  // namespace fleetarium::cli
