#pragma once

#include <fleetarium/capture/packet_log.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetarium::capture {

/// Which message: who made it, as reports call it, and its number among those this one made, from
/// 1 on, as ledger_violation has it.
struct message_name {
    std::string publisher{};
    std::uint64_t number = 0;
};

/// "meters[3]:17"; none if it is not of that form.
std::optional<message_name> parse_message_name(std::string_view text);

/// What became of a message on its way to one receiver.
struct delivery_journey {
    std::string receiver{};
    std::uint32_t sent = 0;   ///< PUBLISH packets that reached it, copies among them
    std::uint32_t first = 0;  ///< of those, such as had no DUP
    enum qos qos = qos::at_most_once;
    std::optional<instant> first_received{};
    std::string end = "under way";  ///< "delivered", "acknowledged", or "dropped: queue_full"
    std::optional<instant> ended{};
};

/// The way of one message, step by step.
struct message_story {
    message_name which{};
    std::string topic{};                         ///< empty: the message was never seen
    std::optional<instant> published{};          ///< made by its publisher
    std::optional<instant> arrived{};            ///< first at a broker
    std::vector<logged_packet> steps{};          ///< packets, and decisions of brokers, in order
    std::vector<delivery_journey> deliveries{};  ///< by receiver
};

/// As people read it; a few lines and one for each step.
std::string to_string(const message_story& of);

/// Follows one message through a world: its PUBLISH packets on any link, what acknowledges them,
/// and what brokers decide of it. As packet_tap; takes virtual_broker::on_event of all brokers.
///
///     message_journey journey(world, {"meters[3]", 17});
///     world.run_for(1h);
///     std::cout << to_string(journey.story());
class message_journey final : public packet_tap {
public:
    message_journey(sim::world& of, message_name which);
    ~message_journey() override;

    message_story story() const;

private:
    bool wants(const sim::tapped_link&) override { return true; }
    void on_packet(const seen_packet& packet) override;
    void on_change(const sim::tapped_link& which, instant at, bool up,
                   std::string_view what) override;
    void on_decision(const std::string& broker, const broker::broker_event& decision);
    bool is_it(const message_identity& identity);
    void on_publish(const seen_packet& packet, const publish& message);
    void on_acknowledgement(const seen_packet& packet, std::uint16_t id);
    void step(instant at, std::string from, std::string to, std::string what);
    delivery_journey& delivery_to(const std::string& receiver);

    message_story story_;
    std::optional<std::uint32_t> publisher_;  // host
    /// Exchanges of the message that are open: link, direction of the PUBLISH, packet id.
    std::map<std::tuple<sim::tapped_link, bool, std::uint16_t>, bool> open_;
    std::map<std::string, delivery_journey> deliveries_;
    /// Whose a session is: by the broker's name and its number of the session.
    std::map<std::pair<std::string, std::uint32_t>, std::string> receivers_;
    std::string last_speaker_;  // the client whose bytes a broker handles
};

/// The journey of a message in a scenario, which is run to its end for it.
message_story find_message(const sim::scenario& what, const message_name& which);

}  // namespace fleetarium::capture
