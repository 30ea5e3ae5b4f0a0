#pragma once

#include <fleetarium/client/client_config.hpp>
#include <fleetarium/client/client_metrics.hpp>
#include <fleetarium/client/environment.hpp>
#include <fleetarium/client/in_flight_table.hpp>
#include <fleetarium/client/operation.hpp>
#include <fleetarium/client/publish_queue.hpp>
#include <fleetarium/client/reconnect_policy.hpp>
#include <fleetarium/client/request_options.hpp>
#include <fleetarium/client/subscription_stream.hpp>
#include <fleetarium/client/subscription_table.hpp>
#include <fleetarium/net/byte_stream.hpp>
#include <fleetarium/session/client_session.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fleetarium::detail {

class client_service;

/// The works of a `client`: a client_session driven over one stream of an environment after the
/// other.
///
/// It runs on the environment's executor and never calls the application from inside: completion
/// handlers and events are posted. It lives as long as anybody holds it, but after `shut_down` it
/// does nothing any more.
class client_core final : public std::enable_shared_from_this<client_core>,
                          private net::byte_stream::events {
public:
    /// Throws as client's constructor.
    static std::shared_ptr<client_core> make(environment& in, client_config config);
    ~client_core();

    /// The application lets go of the client: everything under way is aborted.
    void shut_down() noexcept;
    /// The execution context goes away: nothing is called any more, handlers are destroyed.
    void abandon() noexcept;

    environment& where() { return environment_; }
    const client_config& config() const { return config_; }
    const client_metrics& metrics() const { return metrics_; }
    const connection_info& connection() const { return info_; }
    bool is_connected() const { return phase_ == phase::connected; }
    bool is_started() const { return phase_ != phase::idle && phase_ != phase::stopped; }
    /// Why nothing can be asked of the client now, if it has stopped.
    boost::system::error_code stop_reason() const {
        return phase_ == phase::stopped ? stop_reason_ : boost::system::error_code();
    }
    std::size_t queued() const { return queue_.size() + session_.queued(); }
    std::size_t in_flight() const { return session_.in_flight(); }

    /// Makes an operation one of the client's: aborted with it, and limited in time. False if the
    /// client is gone; then it has been aborted.
    bool adopt(operation_base& one, duration limit);

    // client_core.cpp: connection
    void start();
    void connect(operation_ptr<connection_info> waiting);
    void run(operation_ptr<> waiting);
    void disconnect(operation_ptr<> waiting, const disconnect_options& options);
    void retry_now();
    void reauthenticate(operation_ptr<> waiting);
    void wait_until(operation_ptr<> waiting, instant due);

    // client_core_publish.cpp
    result<void> publish_now(std::string_view topic, bytes_view payload,
                             const publish_options& options);
    /// What there is to say against a message before it is queued or sent.
    boost::system::error_code check(const fleetarium::publish& message,
                                    const publish_options& options) const;
    void publish(message_ptr message, operation_ptr<reason_code> waiting);
    void flush(operation_ptr<> waiting);
    /// Its response is not waited for any more.
    void forget_request(std::uint64_t number) { requests_.erase(number); }
    result<void> reply(const received_message& request, bytes_view payload,
                       const publish_options& options);
    void request(std::string_view topic, bytes_view payload, const request_options& options,
                 operation_ptr<received_message> waiting);

    // client_core_subscribe.cpp
    result<stream_ptr> subscribe(std::vector<std::string> filters, subscribe_options options);
    void unsubscribe(const stream_ptr& stream, operation_ptr<std::vector<reason_code>> waiting);
    /// The handle of a stream is gone.
    void release(subscription_stream& stream) noexcept;

private:
    enum class phase : std::uint8_t {
        idle,        // not started yet
        waiting,     // for the next attempt
        opening,     // the transport
        connecting,  // CONNECT is sent
        connected,
        closing,  // everything is said; the transport is about to close
        stopped,  // by stop_reason_, until it is started again
    };
    struct loss {
        boost::system::error_code why{};
        std::string reason{};
        bool final = false;  // another attempt cannot mend it
    };

    client_core(environment& in, client_config config);

    // client_core.cpp
    void on_bytes(bytes_view bytes) override;
    void on_drained() override;
    void on_closed(boost::system::error_code why) override;
    bool has_session() const { return phase_ == phase::connecting || phase_ == phase::connected; }
    void begin_attempt();
    void on_opened(boost::system::error_code why, std::unique_ptr<net::byte_stream> stream);
    template <class Use>
    void with_connect(Use&& use);
    void begin_close();
    void cut(loss cause);
    void connection_ended(loss cause);
    void schedule_next(const loss& cause, bool was_connected);
    void stop(boost::system::error_code why);
    void tell_disconnected(const loss& cause, bool was_connected, std::optional<duration> next);
    void arm_timer();
    void on_timer();
    instant deadline() const;
    template <class Owned>
    void retire(std::unique_ptr<Owned> owned);
    void log(log_severity severity, const std::string& line) const;

    // client_core_input.cpp
    void process(bytes_view input);
    void handle(client_event& event);
    void handle(std::monostate&) {}
    void handle(connack& answer);
    void handle(fleetarium::publish& message);
    void handle(publish_repeated&) {}
    void handle(delivery_acknowledged& done);
    void handle(suback& answer);
    void handle(unsuback& answer);
    void handle(pingresp&);
    void handle(fleetarium::disconnect& farewell);
    void handle(auth& exchange);
    void handle(protocol_violation& broken);
    void accept(const connack& answer);
    void note_redirect(reason_code code, std::optional<std::string_view> reference);
    void lose(loss cause);
    void pause_reading();
    void resume_reading();
    void after_session();
    void flush_output();
    void schedule_flush();

    // client_core_publish.cpp
    bool may_send(enum qos qos) const;
    void enqueue(queued_publish added);
    void hand_over(queued_publish next);
    void feed();
    void settle(std::shared_ptr<publish_observer> observer, boost::system::error_code why,
                reason_code code);
    void collect_dropped();
    void fail_publishes(boost::system::error_code why);
    void complete_flushes();
    void forget(const publish_observer* whose);
    const std::string& response_topic();
    void take_response(received_message response);

    // client_core_subscribe.cpp
    void route(const fleetarium::publish& message);
    void deliver(subscription_stream& to, received_message message);
    void pump_subscriptions();
    void restore_subscriptions(bool session_present);
    void answer(subscription_entry& entry, boost::system::error_code why, reason_code code);
    std::vector<std::string> leave(subscription_stream& stream);
    void fail_streams(boost::system::error_code why);
    void note_room();

    environment& environment_;
    const client_config config_;
    net::tls_context tls_;
    std::shared_ptr<client_service> service_;
    client_options session_options_;
    client_session session_;
    reconnect_policy policy_;
    operation_list operations_;
    client_metrics metrics_;
    connection_info info_;

    // The connection
    phase phase_ = phase::idle;
    bool dead_ = false;
    bool farewell_ = false;  // the application disconnects
    bool was_accepted_ = false;
    bool clean_start_due_ = true;
    std::vector<net::url> urls_;
    net::url trying_;                   // the server of this attempt or connection
    std::optional<net::url> redirect_;  // for the next attempt alone
    std::uint32_t redirects_ = 0;       // in a row
    std::string client_id_;
    boost::system::error_code stop_reason_;
    std::optional<loss> cause_;  // of the close that is under way
    std::unique_ptr<net::connect_attempt> attempt_;
    std::uint64_t attempt_number_ = 0;
    std::unique_ptr<net::byte_stream> stream_;
    std::unique_ptr<environment::timer> timer_;
    instant armed_ = never;
    instant phase_deadline_ = never;
    std::size_t unflushed_ = 0;  // bytes in the session's output, about
    bool flush_scheduled_ = false;

    // Reading
    bool paused_ = false;
    bool resume_scheduled_ = false;
    instant paused_since_{};
    duration paused_for_{};  // since the server last answered
    std::vector<std::uint8_t> held_input_;

    // Whoever waits
    std::vector<operation_ptr<connection_info>> connecting_;
    std::vector<operation_ptr<>> running_;
    std::vector<operation_ptr<>> disconnecting_;
    std::vector<operation_ptr<>> flushing_;
    operation_ptr<> reauthenticating_;

    publish_queue queue_;
    in_flight_table in_flight_;
    subscription_table subscriptions_;
    std::vector<subscription_stream*> targets_;  // of the message being routed

    // Requests
    std::string response_topic_;
    stream_ptr responses_;
    std::uint64_t next_correlation_ = 0;
    std::map<std::uint64_t, operation_ptr<received_message>> requests_;
};

}  // namespace fleetarium::detail
