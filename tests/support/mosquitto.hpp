#pragma once

#include <fleetarium/net/test_certificates.hpp>

#include <support/temporary_folder.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>

extern char** environ;

namespace fleetarium::test {

/// mosquitto on free ports of the loopback interface, with a configuration of its own: TCP, TLS,
/// WebSocket and a Unix socket; gone with this.
class mosquitto {
public:
    static std::optional<std::string> program() {
        for (const char* path :
             {"/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"}) {
            if (::access(path, X_OK) == 0) {
                return path;
            }
        }
        return std::nullopt;
    }

    mosquitto() : authority_(7) {
        // A port found free may be taken before it is used: then another is tried.
        for (int attempt = 0;; ++attempt) {
            for (std::uint16_t& port : ports_) {
                port = free_port();
            }
            try {
                configure();
                start();
                return;
            } catch (const std::runtime_error&) {
                stop();
                if (attempt == 3) {
                    throw;
                }
            }
        }
    }
    mosquitto(const mosquitto&) = delete;
    mosquitto& operator=(const mosquitto&) = delete;
    ~mosquitto() { stop(); }

    std::string tcp() const { return "mqtt://127.0.0.1:" + std::to_string(ports_[0]); }
    std::string tls() const { return "mqtts://127.0.0.1:" + std::to_string(ports_[1]); }
    std::string websocket() const { return "ws://127.0.0.1:" + std::to_string(ports_[2]); }
    /// Only for the user "lamp" with the password "secret".
    std::string guarded() const { return "mqtt://127.0.0.1:" + std::to_string(ports_[3]); }
    std::string unix_socket() const { return "unix://" + folder_.path() + "/socket"; }
    const net::test_certificate_authority& authority() const { return authority_; }

    void start() {
        const std::string program_path = program().value();
        std::string config = folder_.path() + "/mosquitto.conf";
        std::string name = "mosquitto";
        std::string option = "-c";
        char* arguments[] = {name.data(), option.data(), config.data(), nullptr};
        posix_spawn_file_actions_t quietly;
        ::posix_spawn_file_actions_init(&quietly);
        ::posix_spawn_file_actions_addopen(&quietly, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        const int failed =
            ::posix_spawn(&process_, program_path.c_str(), &quietly, nullptr, arguments, environ);
        ::posix_spawn_file_actions_destroy(&quietly);
        if (failed != 0) {
            process_ = 0;
            throw std::runtime_error("mosquitto cannot be started");
        }
        wait_until_it_listens();
    }

    /// In order, so that it saves its sessions.
    void stop() {
        if (process_ != 0) {
            ::kill(process_, SIGTERM);
            ::waitpid(process_, nullptr, 0);
            process_ = 0;
        }
    }

private:
    using tcp_protocol = boost::asio::ip::tcp;

    static std::uint16_t free_port() {
        boost::asio::io_context context;
        tcp_protocol::acceptor found(context,
                                     {boost::asio::ip::address_v4::loopback(), std::uint16_t{0}});
        return found.local_endpoint().port();
    }

    void configure() const {
        const std::string at = folder_.path() + '/';
        net::write_files(authority_.server(), at + "server");
        // As mosquitto_passwd makes it: PBKDF2-HMAC-SHA512 of "secret".
        std::ofstream(at + "passwords") << "lamp:secret\n";
        const std::string to_hash = "mosquitto_passwd -U '" + at + "passwords' 2>/dev/null";
        if (std::system(to_hash.c_str()) != 0) {
            throw std::runtime_error("mosquitto_passwd does not work");
        }
        std::ofstream(at + "mosquitto.conf")
            << "per_listener_settings true\n"
            << "persistence true\npersistence_location " << at << "\n"
            << "log_dest file " << at << "log\n"
            << (::geteuid() == 0 ? "user root\n" : "")  // else it gives its rights away
            << "listener " << ports_[0] << " 127.0.0.1\nallow_anonymous true\n"
            << "listener " << ports_[1] << " 127.0.0.1\nallow_anonymous true\n"
            << "certfile " << at << "server.pem\nkeyfile " << at << "server.key\n"
            << "listener " << ports_[2] << " 127.0.0.1\nprotocol websockets\nallow_anonymous true\n"
            << "listener " << ports_[3] << " 127.0.0.1\nallow_anonymous false\n"
            << "password_file " << at << "passwords\n"
            << "listener 0 " << at << "socket\nallow_anonymous true\n";
    }

    void wait_until_it_listens() const {
        for (int tries = 0; tries < 500; ++tries) {
            if (::waitpid(process_, nullptr, WNOHANG) != 0) {
                break;
            }
            bool all = true;
            for (const std::uint16_t port : ports_) {
                all = all && listens(port);
            }
            if (all) {
                return;
            }
            boost::asio::io_context context;
            boost::asio::steady_timer(context, std::chrono::milliseconds{20}).wait();
        }
        throw std::runtime_error("mosquitto does not listen");
    }

    static bool listens(std::uint16_t port) {
        boost::asio::io_context context;
        tcp_protocol::socket socket(context);
        boost::system::error_code why;
        socket.connect({boost::asio::ip::address_v4::loopback(), port}, why);
        return !why;
    }

    temporary_folder folder_;
    net::test_certificate_authority authority_;
    std::array<std::uint16_t, 4> ports_{};
    pid_t process_ = 0;
};

}  // namespace fleetarium::test
