#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/client/environment.hpp>
#include <fleetarium/server/server_options.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::broker {

/// A client as `server::clients` lists it.
struct client_description {
    std::string client_id{};
    std::string user_name{};
    std::string address{};  ///< "127.0.0.1:51234", "pipe"; empty if it is not connected
    bool connected = false;
    std::size_t subscriptions = 0;
    std::size_t queued = 0;
    std::size_t in_flight = 0;
};

/// A broker in this process: a broker core, listeners and pipes around it, and threads that drive
/// them.
///
///     broker::server server;                          // no port
///     server.start();
///     auto& lamp = ... client(server.pipe_environment(context)) ...
///
///     broker::server server(broker::listen_on("mqtt://127.0.0.1:0"));
///     server.start();                                 // accepts now
///     connect_somebody(server.port());
///
/// The destructor stops it.
/// Thread rule: any thread. Hooks are called on the server's threads, one call at a time.
class server {
public:
    /// Takes the options as they are; nothing is opened. Throws std::invalid_argument if an option
    /// is out of its range. The hooks must outlive the server; they decide together with the
    /// password and access files: both have to agree.
    explicit server(server_options options = {}, broker_hooks* hooks = nullptr);
    ~server();
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// Reads the files, binds the listeners, starts the threads; when it returns, connections are
    /// accepted. Throws std::runtime_error with a sentence that says what to do; then nothing is
    /// open. May be called again after `stop`: with the same sessions and retained messages; but
    /// not where a session file was refused, which takes a new server.
    void start();

    /// Says "server shutting down" to every client, waits for it to be written but no longer than
    /// the options say, closes all, joins the threads. Idempotent.
    void stop();

    /// Reads certificates, the password file and the access file again. They hold for connections
    /// and packets from now on. Returns what is wrong, and leaves that part as it was; empty if
    /// nothing is.
    std::vector<std::string> reload();

    const server_options& options() const;

    /// URLs as bound, in the order of the options.
    std::vector<net::url> listening() const;
    /// Port of the first listener that has one; 0 without.
    std::uint16_t port() const;
    /// HOST:PORT of the HTTP server as bound; empty without.
    std::string http_listening() const;

    // In-process clients

    /// A stream to this broker: the same bytes as on a network, no socket. Its events come on
    /// `executor`. Throws std::logic_error if the server is not started.
    std::unique_ptr<net::byte_stream> open_pipe(const boost::asio::any_io_executor& executor);

    /// Where a client whose every connection is a pipe to this broker lives; URLs are not looked
    /// at. `context` runs the client; it and the server must outlive the environment.
    std::unique_ptr<environment> pipe_environment(boost::asio::io_context& context);

    // Verbs and getters of the core, each at once and consistent in itself

    /// See broker_core. With a session file, error::not_connected before the first `start`.
    result<void> publish(const fleetarium::publish& message);
    result<void> publish(std::string_view topic, std::string_view payload,
                         enum qos qos = qos::at_most_once, bool retain = false);
    result<void> disconnect(std::string_view client_id,
                            reason_code code = reason_code::administrative_action);
    std::vector<client_description> clients() const;
    broker_metrics metrics() const;

    /// Sessions with their subscriptions, queued and in-flight messages, and retained topics, all
    /// of one instant, as JSON. Format: broker/README.md. Linear in all of it.
    std::string snapshot_json() const;

    /// Calls `look(core)` while nothing else happens in it.
    void inspect(const std::function<void(const broker_core&)>& look) const;

private:
    class implementation;
    std::unique_ptr<implementation> implementation_;
};

/// Options with one listener and all else as it is by default. Throws std::invalid_argument for
/// what is no URL.
server_options listen_on(std::string_view url);

}  // namespace fleetarium::broker
