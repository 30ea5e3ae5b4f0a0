#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/result.hpp>
#include <fleetarium/session/client_session.hpp>
#include <fleetarium/sim/scenario.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetarium::sim {

class virtual_broker;

namespace detail {
class client_host;
struct event;
struct world_state;
}  // namespace detail

/// A message as a hand-written client received it: a copy that owns what it holds.
struct received_message {
    std::string topic{};
    std::string payload{};
    enum qos qos = qos::at_most_once;
    bool retain = false;
    bool dup = false;
    std::uint16_t packet_id = 0;
    std::optional<std::uint8_t> payload_format_indicator{};
    std::optional<std::uint32_t> message_expiry_interval{};
    std::optional<std::string> content_type{};
    std::optional<std::string> response_topic{};
    std::optional<std::string> correlation_data{};
    std::vector<std::uint32_t> subscription_identifiers{};
    std::vector<std::pair<std::string, std::string>> user_properties{};
    instant published_at{};  ///< when its publisher made it
    instant received_at{};
};

/// Something that a hand-written client learned, other than a message.
struct client_note {
    enum class kind : std::uint8_t {
        opened,           ///< the link is open; CONNECT goes out
        connected,        ///< CONNACK with success; `flag`: session present
        refused,          ///< CONNACK with the failure `code`
        subscribed,       ///< SUBACK of `packet_id`; `codes`
        unsubscribed,     ///< UNSUBACK of `packet_id`; `codes`
        acknowledged,     ///< a QoS 1 or 2 message is done with `code`; `number`
        repeated,         ///< a QoS 2 PUBLISH that repeats one not completed; `packet_id`
        pingresp,
        authentication,   ///< AUTH with `code`; `text` is the data
        disconnected,     ///< DISCONNECT from the broker with `code`
        violation,        ///< the broker broke the rule `broken`
        dropped,          ///< a message given up: `number`, `why`
        failed,           ///< a call made before CONNACK turned out wrong: `error`
        closed,           ///< the link is gone
    };

    kind what = kind::opened;
    instant at{};
    reason_code code = reason_code::success;
    std::vector<reason_code> codes{};
    std::uint16_t packet_id = 0;
    std::uint64_t number = 0;  ///< the message's, as `publish` returned it
    bool flag = false;
    violation broken = violation::none;
    delivery_dropped::reason why = delivery_dropped::reason::expired;
    boost::system::error_code error{};
    std::string text{};
};

/// A client written by hand, one call after the other: the probe of a test, or a part of an
/// application under test. It lives in a world as a device does, with a session of its own.
///
/// Calls take effect at the world's present instant; what comes of them is seen once the world
/// has run on. What is asked for between `connect` and CONNACK (subscribe, unsubscribe, publish
/// with QoS 0) waits for CONNACK; without a connection these fail with not_connected.
///
///     auto& probe = w.add_client("probe");
///     probe.connect(b);
///     probe.subscribe("doors/#", qos::at_least_once);
///     w.run_for(2h);
///     CHECK(probe.messages().size() == 240);
///
/// Thread rule: the world's. Callbacks run inside the world's run and may call the client, not
/// the world.
class client {
public:
    explicit client(std::unique_ptr<detail::client_host> host);
    ~client();
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    const std::string& id() const;

    // Connection

    /// Opens a link to `to` and sends CONNECT with the client's id, MQTT 5, clean start and
    /// keep alive off. Errors: already_connected.
    result<void> connect(virtual_broker& to);

    /// The same with a CONNECT of one's own, which is copied; an empty client id stays empty.
    /// Errors: already_connected; those of client_session::connect come as a note `failed`.
    result<void> connect(virtual_broker& to, const fleetarium::connect& request);

    /// Connects as the last time, but without clean start. Errors: already_connected,
    /// not_connected if there was no last time, invalid_argument (see client_session::connect).
    result<void> reconnect();

    /// Sends DISCONNECT and closes the link. Errors: not_connected.
    result<void> disconnect(const fleetarium::disconnect& farewell = {});

    /// Closes the link in order, without DISCONNECT. Nothing happens without a link.
    void close();

    /// Breaks the link: whatever is under way in either direction is lost, and both sides learn
    /// of it.
    void cut();

    /// The network of links opened from now on.
    void use_network(const network_spec& spec);

    // Verbs; see client_session

    /// Returns the number of the message, which its notes repeat.
    result<std::uint64_t> publish(const fleetarium::publish& message);
    result<std::uint64_t> publish(std::string_view topic, std::string_view payload,
                                  enum qos qos = qos::at_most_once, bool retain = false);

    /// Returns the packet id, or 0 where the call waits for CONNACK.
    result<std::uint16_t> subscribe(const fleetarium::subscribe& request);
    result<std::uint16_t> subscribe(std::string_view filter, enum qos qos = qos::at_most_once);
    result<std::uint16_t> subscribe(std::string_view filter, const subscription_options& options,
                                    std::optional<std::uint32_t> identifier = {});
    result<std::uint16_t> unsubscribe(std::string_view filter);

    result<void> ping();
    result<void> authenticate(const auth& exchange);

    // What came of it

    bool is_connected() const;
    /// A link is open or being opened.
    bool has_link() const;
    const client_session& session() const;

    /// Messages received, first to last.
    const std::vector<received_message>& messages() const;
    /// The same, and forgets them.
    std::vector<received_message> take_messages();

    const std::vector<client_note>& notes() const;
    std::size_t count_notes(client_note::kind what) const;
    /// The last note of a kind, or null.
    const client_note* last_note(client_note::kind what) const;

    /// The last CONNACK; its views are valid until the next one.
    const std::optional<connack>& last_connack() const;

    /// Bytes received on the last link, as they came.
    const std::vector<std::uint8_t>& received_bytes() const;

    /// Called for each message; the list is kept all the same.
    void on_message(std::function<void(const received_message&)> call);
    void on_note(std::function<void(const client_note&)> call);

    /// Whether to keep messages and bytes in lists; on by default, off for long runs.
    void keep_history(bool keep);

private:
    friend class world;
    friend struct detail::world_state;
    std::unique_ptr<detail::client_host> host_;
};

}  // namespace fleetarium::sim
