#pragma once

#include <fleetarium/client/client_config.hpp>
#include <fleetarium/client/environment.hpp>
#include <fleetarium/recording/traffic_source.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fleetarium::cli {

/// What became of the messages of a replay.
struct replay_sums {
    std::array<std::uint64_t, 3> published{};   ///< given to a connection, by QoS
    std::uint64_t acknowledged = 0;             ///< QoS 1 and 2
    std::uint64_t no_matching_subscribers = 0;  ///< of these, as the target said
    std::uint64_t unacknowledged = 0;           ///< QoS 1 and 2, when the replay ended
    std::uint64_t lost = 0;                     ///< QoS 0, not sent: there was no connection
    std::uint64_t unconfirmed = 0;  ///< QoS 0, sent on a connection that broke before the target
                                    ///< had answered anything that was sent later
    std::uint64_t held = 0;         ///< QoS 1 and 2, which waited for a new connection
    std::uint64_t without_properties = 0;  ///< of messages that had some: MQTT 3.1.1 has none
    std::map<std::string, std::uint64_t> refused{};  ///< by reason
    std::uint64_t connections_lost = 0;

    std::uint64_t total() const { return published[0] + published[1] + published[2]; }
    std::uint64_t refused_total() const;
    /// Whether all that was to be published is known to be, as far as its QoS tells.
    bool is_whole() const {
        return unacknowledged == 0 && lost == 0 && unconfirmed == 0 && refused_total() == 0;
    }
};

/// The connections of a replay: one for all messages, or one for each recorded client.
///
/// What is given to them and not yet done is bounded: see `has_room`. When a connection breaks its
/// client comes back by its back-off; QoS 1 and 2 messages wait meanwhile, those of QoS 0 are lost
/// and counted.
/// Thread rule: the environment's executor.
class replay_connections {
public:
    static constexpr std::size_t messages_max = 65'535;
    static constexpr std::size_t bytes_max = std::size_t{64} << 20;
    static constexpr std::size_t attempts_max = 64;  ///< connections being made at once

    struct member {
        std::vector<std::int64_t> publishers;  ///< rows of `clients`
        std::string client_id;
    };

    /// `base` has all but the client id and the callbacks. Messages of whom no member publishes go
    /// on a connection with the client id of `base`; it is there if `for_others`. Throws what
    /// `client` throws.
    replay_connections(environment& in, const client_config& base, std::vector<member> members,
                       bool for_others, bool retry);
    ~replay_connections();

    /// Calls `done` when all are connected, or with a sentence that says why one cannot be.
    void connect(std::function<void(const std::string& why)> done);
    /// Whether a message of so many bytes may be published now; if not, `on_room` tells when.
    bool has_room(std::size_t bytes) const;
    void on_room(std::function<void()> call);
    /// What made the last client stop for good; empty while there is one that has not.
    const std::string& failure() const { return failure_; }
    void on_failure(std::function<void()> call);

    void publish(const recording::traffic_message& message);

    /// Waits for what is under way, as long as something happens within each `patience`, and takes
    /// leave; then calls `done`.
    void finish(duration patience, std::function<void()> done);
    /// Another patience for the finish that is under way.
    void hurry(duration patience);

    std::size_t count() const { return connections_.size(); }
    std::size_t under_way() const { return under_way_; }
    const replay_sums& sums() const { return sums_; }

private:
    struct connection;

    void make(const client_config& base, const std::string& id);
    void start_next();
    void connected(connection& which);
    void disconnected(connection& which, const disconnection_info& info);
    void settle(connection& on, enum qos level, std::size_t bytes, std::uint64_t epoch,
                std::uint64_t qos_0_before, boost::system::error_code why, reason_code code);
    void look_for_end();
    void take_leave();

    environment& environment_;
    const bool retry_;
    std::vector<std::unique_ptr<connection>> connections_;
    std::map<std::int64_t, connection*> by_publisher_;
    connection* for_others_ = nullptr;
    std::size_t started_ = 0;
    std::size_t open_ = 0;     // connected for the first time
    std::size_t stopped_ = 0;  // for good
    std::function<void(const std::string&)> connect_done_;
    std::function<void()> room_;
    std::function<void()> failed_;
    std::string failure_;
    std::size_t under_way_ = 0;
    std::size_t bytes_under_way_ = 0;
    std::uint64_t settled_ = 0;
    bool finishing_ = false;
    bool leaving_ = false;
    std::uint64_t settled_before_ = 0;
    duration patience_{};
    instant last_progress_{};
    std::size_t left_ = 0;
    std::function<void()> finish_done_;
    std::unique_ptr<environment::timer> timer_;
    replay_sums sums_;
};

}  // namespace fleetarium::cli
