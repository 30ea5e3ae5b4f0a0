#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/codec/codec.hpp>

#include <support/hex.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cstdint>
#include <map>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace fleetarium::test {

/// What a broker does wrong once, when it has sent some packets rightly.
enum class broker_fault {
    none,
    loses,       ///< a PUBLISH to a subscriber
    swaps,       ///< a PUBLISH and the next one to the same subscriber
    repeats,     ///< a PUBLISH
    alters,      ///< the topic of a PUBLISH
    misdirects,  ///< a PUBLISH to the client that connected last
    acks_twice,  ///< a PUBACK to a publisher
    cuts,        ///< the connection of a subscriber
};

/// A real broker core on a port of 127.0.0.1, on a thread of its own, that does one thing wrong.
class faulty_broker {
public:
    /// `ballast` bytes of memory are held for each connection.
    explicit faulty_broker(broker_fault fault, std::size_t ballast = 0)
        : fault_(fault), ballast_(ballast), core_(make_options()) {
        listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        auto* const any = reinterpret_cast<sockaddr*>(&address);
        if (bind(listener_, any, size) != 0 || listen(listener_, 1024) != 0 ||
            getsockname(listener_, any, &size) != 0 || pipe(stop_) != 0) {
            throw std::runtime_error("no port for the broker of a test");
        }
        address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }

    ~faulty_broker() {
        ::close(stop_[1]);
        thread_.join();
        for (const auto& [socket, connection] : connections_) {
            ::close(socket);
        }
        ::close(stop_[0]);
        ::close(listener_);
    }
    faulty_broker(const faulty_broker&) = delete;
    faulty_broker& operator=(const faulty_broker&) = delete;

    const std::string& address() const { return address_; }
    std::uint16_t port() const { return port_; }

private:
    static broker::broker_options make_options() {
        broker::broker_options out;
        out.queue_messages_max = 1'000'000;
        return out;
    }

    void serve() {
        for (;;) {
            std::vector<pollfd> watched{{stop_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
            for (const auto& [socket, connection] : connections_) {
                watched.push_back({socket, POLLIN, 0});
            }
            poll(watched.data(), watched.size(), -1);
            if (watched[0].revents != 0) {
                return;
            }
            for (std::size_t i = 2; i < watched.size(); ++i) {
                if (watched[i].revents != 0) {
                    read(watched[i].fd);
                }
            }
            if (watched[1].revents != 0) {
                accept_one();
            }
        }
    }

    void accept_one() {
        const int made = accept(listener_, nullptr, nullptr);
        const int on = 1;
        setsockopt(made, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        last_ = core_.handle_open(now_);
        connections_[made] = last_;
        sockets_[last_] = made;
        ballasts_[last_] = std::vector<char>(ballast_, 'x');
    }

    void read(int socket) {
        const auto found = connections_.find(socket);
        if (found == connections_.end()) {
            return;  // closed by what another one sent
        }
        std::uint8_t input[65'536];
        const ssize_t got = recv(socket, input, sizeof(input), 0);
        if (got <= 0) {
            end(found->second);
        } else {
            core_.handle_bytes(found->second, {input, static_cast<std::size_t>(got)}, now_);
        }
        while (auto output = core_.poll_output()) {
            write(output->connection, to_bytes(output->bytes));
            if (output->close) {
                end(output->connection);
            }
        }
    }

    void end(broker::connection_id gone) {
        const auto found = sockets_.find(gone);
        if (found != sockets_.end()) {
            ::close(found->second);
            connections_.erase(found->second);
            sockets_.erase(found);
            ballasts_.erase(gone);
            core_.handle_closed(gone, now_);
        }
    }

    void write(broker::connection_id to, const bytes& all) {
        bytes out;
        bytes_view rest = all;
        const std::uint8_t* begin = all.data();
        for (frame each; split_frame(rest, each).complete;) {
            const std::uint8_t* const end = all.data() + (all.size() - rest.size());
            bytes packet(begin, end);
            begin = end;
            if (each.type() == packet_type::publish && ++publishes_ == 100) {
                fault_in_publish(to, packet);
            } else if (each.type() == packet_type::puback && ++pubacks_ == 100 &&
                       fault_ == broker_fault::acks_twice) {
                const bytes once = packet;
                packet.insert(packet.end(), once.begin(), once.end());
            } else if (held_to_ == to && each.type() == packet_type::publish) {
                packet.insert(packet.end(), held_.begin(), held_.end());
                held_to_ = broker::no_connection;
            }
            out.insert(out.end(), packet.begin(), packet.end());
        }
        send_all(to, out);
    }

    void fault_in_publish(broker::connection_id to, bytes& packet) {
        switch (fault_) {
            case broker_fault::loses: packet.clear(); return;
            case broker_fault::repeats: {
                const bytes once = packet;
                packet.insert(packet.end(), once.begin(), once.end());
                return;
            }
            case broker_fault::alters: ++packet[4]; return;  // the first character of the topic
            case broker_fault::swaps:
                held_ = std::exchange(packet, {});
                held_to_ = to;
                return;
            case broker_fault::misdirects: send_all(last_, packet); return;
            case broker_fault::cuts: shutdown(sockets_.at(to), SHUT_RDWR); return;
            case broker_fault::acks_twice:
            case broker_fault::none: return;
        }
    }

    void send_all(broker::connection_id to, const bytes& out) {
        const auto found = sockets_.find(to);
        for (std::size_t sent = 0; found != sockets_.end() && sent < out.size();) {
            const ssize_t count =
                send(found->second, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
            if (count <= 0) {
                return;
            }
            sent += static_cast<std::size_t>(count);
        }
    }

    broker_fault fault_;
    std::size_t ballast_;
    broker::broker_core core_;
    instant now_{};
    int listener_ = -1;
    int stop_[2]{};
    std::string address_;
    std::uint16_t port_ = 0;
    std::map<int, broker::connection_id> connections_;  // by socket
    std::map<broker::connection_id, int> sockets_;
    std::map<broker::connection_id, std::vector<char>> ballasts_;
    broker::connection_id last_ = broker::no_connection;
    unsigned publishes_ = 0;
    unsigned pubacks_ = 0;
    bytes held_;
    broker::connection_id held_to_ = broker::no_connection;
    std::thread thread_;
};

}  // namespace fleetarium::test
