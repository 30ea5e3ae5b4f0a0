#pragma once

#include <fleetarium/sim/client.hpp>
#include <fleetarium/sim/world_state.hpp>

#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

namespace fleetarium::sim::detail {

/// A CONNECT that owns what it views.
class owned_connect {
public:
    owned_connect() = default;
    explicit owned_connect(const fleetarium::connect& copied);
    fleetarium::connect& value() { return value_; }

private:
    std::string_view keep(std::string_view text);
    bytes_view keep(bytes_view bytes) { return as_bytes_view(keep(as_text(bytes))); }
    fleetarium::user_properties keep(const fleetarium::user_properties& pairs);

    fleetarium::connect value_;
    std::list<std::string> texts_;  // nodes stay where they are
    std::list<std::vector<user_property>> pairs_;
};

/// The inside of a client.
class client_host final : public peer_host {
public:
    client_host(world_state& world, std::string_view id);
    ~client_host() override;

    void handle(const event& what) override;
    bool tells_ledger() const override { return true; }

    result<void> connect(host_id broker, const fleetarium::connect& request);
    result<void> reconnect();
    result<void> disconnect(const fleetarium::disconnect& farewell);
    void close();
    void cut();
    result<std::uint64_t> publish(const fleetarium::publish& message);
    result<std::uint16_t> subscribe(const fleetarium::subscribe& request);
    result<std::uint16_t> unsubscribe(const fleetarium::unsubscribe& request);
    result<void> ping();
    result<void> authenticate(const auth& exchange);

    const client_session& session() const { return session_; }
    const client_session* own_session() const override { return &session_; }

    std::vector<received_message> messages;
    std::vector<client_note> notes;
    std::optional<connack> last_connack;
    std::vector<std::uint8_t> received_bytes;
    std::function<void(const received_message&)> on_message;
    std::function<void(const client_note&)> on_note;
    bool keeps_history = true;

private:
    /// Between opening the link and CONNACK.
    bool is_connecting() const { return has_link() && !session_.is_connected(); }
    std::uint64_t next_number(enum qos qos);
    result<std::uint64_t> publish_now(const fleetarium::publish& message, std::uint64_t number);
    void receive(const event& what);
    void handle_event(client_event& learned);
    void take_message(const fleetarium::publish& message);
    void keep_connack(const connack& answer);
    void note(client_note made);
    void note_dropped();
    void run_waiting();
    std::uint32_t broker_index() const { return path_.broker - first_broker_host; }
    void link_ended();
    void flush();
    void arm();

    client_options options_;
    client_session session_;
    std::optional<owned_connect> request_;
    std::vector<std::function<void()>> waiting_;  // for CONNACK
    segment* identities_ = nullptr;               // of PUBLISHes to come
    std::vector<std::uint8_t> connack_bytes_;
    std::uint32_t count_ = 0;
    std::uint16_t last_packet_id_ = 0;
    instant armed_ = never;
};

}  // namespace fleetarium::sim::detail
