#pragma once

#include <fleetarium/broker/access_policy.hpp>
#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/server/log_limiter.hpp>
#include <fleetarium/server/password_file.hpp>
#include <fleetarium/server/server_log.hpp>
#include <fleetarium/server/server_options.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace fleetarium::broker {

/// Who gets in and what they may do: the password file, the access file and the embedder's hooks
/// together; all have to agree. Also writes the log of connections.
/// Thread rule: as broker_hooks, with the core's turn; `reload` takes its own.
class server_gate final : public broker_hooks {
public:
    /// What the first bytes of a connection are where they should have been MQTT.
    enum class foreign_protocol : std::uint8_t { none, tls, http };

    /// Of the connection, from the server: what the gate has to know beside CONNECT.
    struct connection_facts {
        bool allow_anonymous = true;
        /// Whether the password of CONNECT was found right, outside the core's turn.
        bool password_is_right = false;
        /// It was not looked at: too many others are.
        bool is_too_busy = false;
        foreign_protocol speaks = foreign_protocol::none;
    };
    using facts_of = std::function<connection_facts(connection_id)>;
    using address_of = std::function<std::string(connection_id)>;

    /// The options, the log and the embedder, which may be null, must outlive the gate.
    server_gate(const server_options& options, const server_log& log, broker_hooks* embedder,
                facts_of facts, address_of address);

    /// Reads both files, and takes the turn only to put them in force. Returns what is wrong with
    /// them; of a file with a mistake nothing is used and what was read before stays.
    std::vector<std::string> load(std::mutex& turn);

    bool has_passwords() const { return !options_.password_file.empty(); }
    /// The password file; its `check` is slow by design: not within the core's turn. Any thread.
    password_file& passwords() { return passwords_; }

    reason_code authenticate(const client_info& client, const connect& request) override;
    authentication_step authenticate_enhanced(const client_info& client, std::string_view method,
                                              bytes_view data) override;
    bool wants_authorization() const override;
    bool authorize_publish(const client_info& client, const publish& message) override;
    bool authorize_subscribe(const client_info& client, std::string_view filter,
                             const subscription_options& options) override;
    bool wants_events() const override;
    bool wants_message_events() const override;
    message_identity identify(connection_id publisher, std::uint64_t next_number,
                              const publish& message, instant now) override;
    std::uint64_t number_client_id(std::uint64_t count) override;
    void on_event(const broker_event& event) override;

private:
    /// Of a CONNECT that `authenticate` said no to, until the event that follows.
    struct refusal {
        connection_id connection = no_connection;
        std::string detail;
    };

    reason_code check(const client_info& client, const connect& request);
    void tell(const broker_event& event);
    std::string why_refused(const broker_event& event) const;

    const server_options& options_;
    const server_log& log_;
    broker_hooks& embedder_;
    facts_of facts_;
    address_of address_;
    access_policy access_;
    password_file passwords_;
    refusal refused_;
    log_limiter refusals_;
    log_limiter faults_;
};

}  // namespace fleetarium::broker
