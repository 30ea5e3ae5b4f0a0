#pragma once

#include "load_wire.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace fleetarium::cli::load {

/// An address of a broker on this machine.
struct endpoint {
    std::string text;  ///< as it was given
    sockaddr_storage address{};
    socklen_t size = 0;
    std::uint16_t port() const;
};

/// Reads "HOST:PORT" or "[::1]:PORT". Throws bad_request with a sentence if it is none.
endpoint resolve(const std::string& host_and_port);

/// Nanoseconds of the monotonic clock.
std::int64_t now_ns();

using peer_index = std::uint32_t;

/// Hears what the sockets of a hub bring.
class hub_handler {
public:
    virtual ~hub_handler() = default;

    /// Bytes that came, from the first not yet taken on. Returns how many of them are taken: whole
    /// packets. What it appends to the output of this peer is sent when it returns.
    virtual std::size_t handle_bytes(peer_index from, const std::uint8_t* data,
                                     std::size_t size) = 0;

    /// The broker has closed the connection, or it broke; it is closed here already.
    virtual void handle_closed(peer_index peer) = 0;
};

/// Many sockets to one broker, on one thread: reads go through one scratch shared by all, writes
/// are gathered per socket and tried at once.
/// Thread rule: one thread.
class hub {
public:
    explicit hub(endpoint to);
    ~hub();
    hub(const hub&) = delete;
    hub& operator=(const hub&) = delete;

    /// Opens a socket as `peer`, which is closed or new. Blocks until the system has connected it,
    /// for at most ten seconds. Throws load_error.
    void open(peer_index peer);

    /// What waits to be sent to the broker; `flush` sends it.
    byte_queue& output(peer_index peer) { return peers_[peer].out; }
    void flush(peer_index peer);

    /// Closes at once, with a reset: no port is left waiting for late segments.
    void close(peer_index peer);

    bool is_open(peer_index peer) const { return peer < peers_.size() && peers_[peer].fd >= 0; }
    std::size_t open_count() const { return open_count_; }

    /// Waits up to `timeout_ms` for anything to happen and handles it. True if something did.
    bool poll(int timeout_ms, hub_handler& handler);

private:
    struct link {
        int fd = -1;
        bool watched_for_writing = false;
        byte_queue out;
        std::vector<std::uint8_t> rest;  ///< the begin of a packet that is not whole yet
    };

    void read(peer_index from, hub_handler& handler);
    void watch(peer_index which, bool for_writing);

    endpoint to_;
    int epoll_ = -1;
    std::vector<link> peers_;
    std::size_t open_count_ = 0;
    std::vector<std::uint8_t> scratch_;
};

/// Lets this process and its children have as many files open as the system allows, at least
/// `wanted`. Throws load_error if that is too few.
void raise_open_files_limit(std::size_t wanted);

}  // namespace fleetarium::cli::load
