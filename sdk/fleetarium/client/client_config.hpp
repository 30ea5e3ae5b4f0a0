#pragma once

#include <fleetarium/client/authenticator.hpp>
#include <fleetarium/client/publish_options.hpp>
#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/net/tls_context.hpp>
#include <fleetarium/net/url.hpp>

#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace fleetarium {

/// How long to wait between attempts to connect. The first wait is `first`, each further one
/// `factor` times as long, up to `max`; each is shortened at random by up to the share `jitter`,
/// so that a fleet does not come back all at once. A connection that held for `stable_after`, or
/// client::retry_now, begins anew.
/// With several URLs a wait comes after all of them were tried.
class backoff {
public:
    backoff() = default;

    /// Throw std::invalid_argument for a value out of its range.
    backoff& first(duration wait);
    backoff& max(duration wait);
    backoff& factor(double by);     ///< 1 to 100
    backoff& jitter(double share);  ///< 0 to 1
    backoff& stable_after(duration held);
    /// The client stops, with the error of the last one, after so many attempts without success in
    /// a row; 0 is no bound.
    backoff& attempts(std::uint32_t max);

    duration first() const { return first_; }
    duration max() const { return max_; }
    double factor() const { return factor_; }
    double jitter() const { return jitter_; }
    duration stable_after() const { return stable_after_; }
    std::uint32_t attempts() const { return attempts_; }

private:
    duration first_ = std::chrono::milliseconds{500};
    duration max_ = std::chrono::seconds{60};
    double factor_ = 2;
    double jitter_ = 0.5;
    duration stable_after_ = std::chrono::seconds{10};
    std::uint32_t attempts_ = 0;
};

/// What happens to a message when the queue is full.
enum class queue_overflow : std::uint8_t {
    fail,         ///< the new message: queue_full
    drop_oldest,  ///< the message that waited longest, which ends with queue_full
};

/// What happens to a QoS 0 message without a connection.
enum class qos_0_offline : std::uint8_t {
    queue,  ///< it waits, as those of QoS 1 and 2 do
    fail,   ///< not_connected
    drop,   ///< nothing is said: "at most once"
};

/// Where messages wait that cannot be sent yet: without a connection, while as many are
/// unacknowledged as the server allows, or while the transport takes no more. Messages sent and
/// not yet acknowledged are not part of it; they are bounded by the server's Receive Maximum.
class publish_queue_options {
public:
    publish_queue_options() = default;

    publish_queue_options& messages(std::size_t max) {
        messages_ = max;
        return *this;
    }
    publish_queue_options& bytes(std::size_t max) {
        bytes_ = max;
        return *this;
    }
    publish_queue_options& when_full(queue_overflow what) {
        when_full_ = what;
        return *this;
    }
    publish_queue_options& qos_0(qos_0_offline what) {
        qos_0_ = what;
        return *this;
    }

    std::size_t messages() const { return messages_; }
    std::size_t bytes() const { return bytes_; }
    queue_overflow when_full() const { return when_full_; }
    qos_0_offline qos_0() const { return qos_0_; }

private:
    std::size_t messages_ = 10'000;
    std::size_t bytes_ = std::size_t{16} << 20;
    queue_overflow when_full_ = queue_overflow::fail;
    qos_0_offline qos_0_ = qos_0_offline::queue;
};

/// What the server publishes when the client is gone without a farewell.
class last_will {
public:
    last_will(std::string topic, payload_view payload, publish_options options = {})
        : topic_(std::move(topic)),
          payload_(payload.bytes().begin(), payload.bytes().end()),
          options_(std::move(options)) {}

    /// The server waits so long, and no longer than the session lives, for the client to be back
    /// (MQTT 5).
    last_will& delay(std::chrono::seconds wait) {
        delay_ = wait;
        return *this;
    }

    const std::string& topic() const { return topic_; }
    bytes_view payload() const { return payload_; }
    const publish_options& options() const { return options_; }
    std::chrono::seconds delay() const { return delay_; }

private:
    std::string topic_;
    std::vector<std::uint8_t> payload_;
    publish_options options_;
    std::chrono::seconds delay_{};
};

/// A connection that the server has accepted, and what it allows on it.
struct connection_info {
    connection_info() = default;

    net::url server{};
    bool session_present = false;  ///< the server had kept the session
    std::string client_id{};       ///< as assigned, if the server did that
    std::chrono::seconds keep_alive{};
    qos maximum_qos = qos::exactly_once;
    bool retain_available = true;
    bool wildcard_subscriptions_available = true;
    bool shared_subscriptions_available = true;
    bool subscription_identifiers_available = true;
    std::uint16_t receive_maximum = 65'535;
    std::optional<std::uint32_t> maximum_packet_size{};
    std::optional<std::chrono::seconds> session_expiry{};  ///< if not as asked for
    std::string reason{};                                  ///< Reason String
    std::string response_information{};
    user_property_list user_properties{};
};

/// A connection that ended, or an attempt that failed.
struct disconnection_info {
    disconnection_info() = default;

    net::url server{};
    /// A reason code of the server (see reason_error.hpp), an `error`, or an error of the
    /// transport; none if the application disconnected.
    boost::system::error_code why{};
    std::string reason{};        ///< in the server's or the rule's words; may be empty
    bool was_connected = false;  ///< else: an attempt failed
    /// How long the client waits before the next attempt; none if it has stopped.
    std::optional<duration> next_attempt_in{};
};

enum class log_severity : std::uint8_t { debug, info, warning, error };

/// Everything about a client that can be chosen.
///
///     client_config config("mqtts://broker.example");
///     config.id("lamp-7").keep_alive(30s).user("lamp", "secret");
///
/// Setters throw std::invalid_argument with a sentence that says what was found and what was
/// expected. What the protocol version does not have is refused by the client's constructor in the
/// same way.
class client_config {
public:
    /// `mqtt://HOST[:PORT]`, `mqtts://`, `ws://`, `wss://`, `unix:///PATH`; see net::url.
    client_config(std::string_view url);
    client_config(const char* url) : client_config(std::string_view(url)) {}
    client_config(const std::string& url) : client_config(std::string_view(url)) {}
    client_config(net::url url) : urls_{std::move(url)} {}

    // Where to

    /// One more server, tried when those before it do not answer.
    client_config& or_else(std::string_view url);
    client_config& tls(net::tls_options options) {
        tls_ = std::move(options);
        return *this;
    }
    client_config& version(protocol_version value) {
        version_ = value;
        return *this;
    }
    /// For the transport to open, its handshakes and CONNACK, together.
    client_config& connect_timeout(duration time);
    client_config& reconnect(const backoff& policy) {
        backoff_ = policy;
        return *this;
    }
    /// Whether to go where the server says "use another server" or "server moved" (MQTT 5), with
    /// the same scheme. If not, the first is a failure like others, and the second ends the client
    /// unless another URL is left.
    client_config& follow_server_reference(bool on) {
        follow_server_reference_ = on;
        return *this;
    }

    // Who

    /// Without one the server chooses (in MQTT 3.1.1 only with clean_start).
    client_config& id(std::string client_id) {
        id_ = std::move(client_id);
        return *this;
    }
    client_config& user(std::string name) {
        user_name_ = std::move(name);
        return *this;
    }
    client_config& user(std::string name, payload_view password);
    client_config& authentication(std::shared_ptr<authenticator> method) {
        authenticator_ = std::move(method);
        return *this;
    }
    client_config& user_property(std::string name, std::string value) {
        user_properties_.emplace_back(std::move(name), std::move(value));
        return *this;
    }
    client_config& will(last_will message) {
        will_ = std::move(message);
        return *this;
    }

    // Session

    /// On, the default: the client begins with a new session, and `async_disconnect` ends it; a
    /// connection that breaks meanwhile is resumed. Off: the session that an earlier run of the
    /// program left is resumed, and outlives this one for `session_expiry`: its subscriptions, and
    /// the messages that wait at the server. What this side had under way in it is forgotten.
    /// In MQTT 3.1.1 this is Clean Session, on each connection.
    client_config& clean_start(bool on) {
        clean_start_ = on;
        return *this;
    }
    /// How long the server keeps the session without a connection (MQTT 5; 3.1.1 cannot say).
    /// Whole seconds, from 0; std::chrono::seconds::max() is for ever. Five minutes by default.
    client_config& session_expiry(std::chrono::seconds time);
    /// Whole seconds up to 65,535; 0 is off. 60 by default.
    client_config& keep_alive(std::chrono::seconds interval);
    /// For the answer to a PINGREQ, before the connection counts as dead.
    client_config& response_timeout(duration time);

    // Limits (MQTT 5)

    /// QoS 1 and 2 messages that the server may have under way to this client at once.
    client_config& receive_maximum(std::uint16_t messages);
    /// The largest packet that the server may send, in bytes.
    client_config& maximum_packet_size(std::uint32_t bytes);
    /// Topic aliases that the server may use. 0 by default.
    client_config& topic_alias_maximum(std::uint16_t aliases) {
        topic_alias_maximum_ = aliases;
        return *this;
    }
    /// Whether to use topic aliases where the server allows them.
    client_config& use_topic_aliases(bool on) {
        use_topic_aliases_ = on;
        return *this;
    }

    // Messages

    client_config& queue(const publish_queue_options& options) {
        queue_ = options;
        return *this;
    }
    /// Bytes that may wait for the transport to take them, before messages wait in the queue.
    client_config& output_bytes_max(std::size_t bytes);
    /// Where answers to async_request are to be sent. By default "responses/" and the client id,
    /// or, where that is no level of a topic, a number drawn from the environment.
    client_config& response_topic(std::string topic);

    // Events; called on the environment's executor, and free to call the client, but for `log`.

    client_config& on_connected(std::function<void(const connection_info&)> call) {
        on_connected_ = std::move(call);
        return *this;
    }
    client_config& on_disconnected(std::function<void(const disconnection_info&)> call) {
        on_disconnected_ = std::move(call);
        return *this;
    }
    /// Lines for a person. Called from inside the client, which may not be called back.
    client_config& log(std::function<void(log_severity, std::string_view)> call) {
        log_ = std::move(call);
        return *this;
    }

    const std::vector<net::url>& urls() const { return urls_; }
    const net::tls_options& tls() const { return tls_; }
    protocol_version version() const { return version_; }
    duration connect_timeout() const { return connect_timeout_; }
    const backoff& reconnect() const { return backoff_; }
    bool follow_server_reference() const { return follow_server_reference_; }
    const std::string& id() const { return id_; }
    const std::optional<std::string>& user_name() const { return user_name_; }
    const std::optional<std::vector<std::uint8_t>>& password() const { return password_; }
    const std::shared_ptr<authenticator>& authentication() const { return authenticator_; }
    const user_property_list& user_properties() const { return user_properties_; }
    const std::optional<last_will>& will() const { return will_; }
    bool clean_start() const { return clean_start_; }
    std::chrono::seconds session_expiry() const {
        return session_expiry_.value_or(std::chrono::minutes{5});
    }
    std::chrono::seconds keep_alive() const { return keep_alive_; }
    duration response_timeout() const { return response_timeout_; }
    std::optional<std::uint16_t> receive_maximum() const { return receive_maximum_; }
    std::optional<std::uint32_t> maximum_packet_size() const { return maximum_packet_size_; }
    std::uint16_t topic_alias_maximum() const { return topic_alias_maximum_; }
    bool use_topic_aliases() const { return use_topic_aliases_; }
    const publish_queue_options& queue() const { return queue_; }
    std::size_t output_bytes_max() const { return output_bytes_max_; }
    const std::string& response_topic() const { return response_topic_; }
    const std::function<void(const connection_info&)>& on_connected() const {
        return on_connected_;
    }
    const std::function<void(const disconnection_info&)>& on_disconnected() const {
        return on_disconnected_;
    }
    const std::function<void(log_severity, std::string_view)>& log() const { return log_; }

    /// Throws std::invalid_argument if an option is not in the protocol version, or if options
    /// contradict each other. Called by the client's constructor.
    void check() const;

private:
    std::vector<net::url> urls_;
    net::tls_options tls_{};
    protocol_version version_ = protocol_version::v5;
    bool follow_server_reference_ = false;
    bool clean_start_ = true;
    bool use_topic_aliases_ = false;
    duration connect_timeout_ = std::chrono::seconds{20};
    duration response_timeout_ = std::chrono::seconds{10};
    backoff backoff_{};
    std::string id_{};
    std::optional<std::string> user_name_{};
    std::optional<std::vector<std::uint8_t>> password_{};
    std::shared_ptr<authenticator> authenticator_{};
    user_property_list user_properties_{};
    std::optional<last_will> will_{};
    std::optional<std::chrono::seconds> session_expiry_{};
    std::chrono::seconds keep_alive_{60};
    std::optional<std::uint16_t> receive_maximum_{};
    std::optional<std::uint32_t> maximum_packet_size_{};
    std::uint16_t topic_alias_maximum_ = 0;
    publish_queue_options queue_{};
    std::size_t output_bytes_max_ = std::size_t{1} << 20;
    std::string response_topic_{};
    std::function<void(const connection_info&)> on_connected_{};
    std::function<void(const disconnection_info&)> on_disconnected_{};
    std::function<void(log_severity, std::string_view)> log_{};
};

static_assert(!std::is_aggregate_v<client_config> && !std::is_aggregate_v<backoff> &&
              !std::is_aggregate_v<publish_queue_options> && !std::is_aggregate_v<last_will> &&
              !std::is_aggregate_v<connection_info> && !std::is_aggregate_v<disconnection_info>);

}  // namespace fleetarium
