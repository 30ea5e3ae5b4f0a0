#pragma once

#include <fleetarium/codec/packets.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::cli::load {

/// Publishers, subscribers and what they say: one load of messages.
struct traffic {
    std::vector<std::string> topics{};                ///< one for each publisher
    std::vector<std::vector<std::string>> filters{};  ///< some for each subscriber
    enum qos qos = qos::at_most_once;
    std::size_t payload_size = 64;
    /// Messages that each publisher has under way at most: sent, and not yet with all subscribers.
    std::uint32_t window = 1;
    /// Messages a second of all publishers together, whatever comes back; 0: as the window allows.
    double rate = 0;
};

/// What the project asks of a figure.
struct goal {
    double aim = 0;       ///< in the figure's own unit; 0 is none
    double multiple = 0;  ///< the same as a multiple of mosquitto of the same run; 0 is none
    double floor = 0;     ///< in the figure's own unit; 0: half of the multiple
};

enum class kind : std::uint8_t {
    messages,  ///< deliveries a second of processor time
    latency,   ///< from when a message was due to its arrival
    storm,     ///< connections accepted, a second of processor time
    visits,    ///< connections accepted and ended, a second of processor time
    idle,      ///< resident bytes of a connection with a subscription that says nothing
};

/// One load of the suite.
struct plan {
    std::string name{};
    std::string what{};  ///< for people
    load::kind kind = kind::messages;
    load::traffic traffic{};        ///< of messages and latency
    std::uint32_t connections = 0;  ///< idle and storm: how many; visits: at a time
    goal asked{};
};

/// One publisher and one subscriber on each topic.
traffic pairs(std::uint32_t count, enum qos qos, std::size_t payload_size, std::uint32_t window);

/// One publisher, `subscribers` subscribers.
traffic fan_out(std::uint32_t subscribers, enum qos qos, std::uint32_t window);

/// `publishers` publishers, each on a topic of its own, and one subscriber to all of them.
traffic fan_in(std::uint32_t publishers, enum qos qos, std::uint32_t window);

/// A plant of lines and machines: each machine's messages go to four subscribers whose filters
/// have wildcards in different places. Each subscriber has filters besides that match nothing.
traffic wildcards(std::uint32_t window);

/// The suite, in the order in which it runs.
std::vector<plan> suite();

/// Whether `wanted` names the load: its name, or the begin of it up to a hyphen.
bool is_named(const plan& one, std::string_view wanted);

}  // namespace fleetarium::cli::load
