#pragma once

#include <fleetarium/server/server_implementation.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fleetarium::broker {

/// One client's transport and its number in the core. Lives on its io_thread, in that thread's
/// list, until its stream has told that it is closed.
class server::implementation::connection final : public net::byte_stream::events {
public:
    connection(io_thread& on, std::unique_ptr<net::byte_stream> carrier, listening_socket* by)
        : thread(on), stream(std::move(carrier)), came_by(by) {}

    void on_bytes(bytes_view bytes) override { thread.owner.take_bytes(*this, bytes); }
    void on_drained() override { thread.owner.note_drained(*this); }
    void on_closed(boost::system::error_code why) override { thread.owner.forget(*this, why); }

    /// CONNECT while its password is looked at, outside the core's turn.
    struct candidate {
        connection* of = nullptr;
        std::vector<std::uint8_t> bytes;
        bool complete = false;
    };

    /// Why nothing is read; several may hold at once.
    enum pause_reason : std::uint8_t { for_password = 1, for_output = 2, for_disk = 4 };
    void pause(pause_reason why) {
        if (std::exchange(paused, static_cast<std::uint8_t>(paused | why)) == 0) {
            stream->pause_reading();
        }
    }
    void resume(pause_reason why) {
        const std::uint8_t before = std::exchange(paused, static_cast<std::uint8_t>(paused & ~why));
        if (before != 0 && paused == 0) {
            stream->resume_reading();
        }
    }

    io_thread& thread;
    std::unique_ptr<net::byte_stream> stream;
    listening_socket* came_by;  // null for a pipe
    connection* previous = nullptr;
    connection* next = nullptr;
    std::shared_ptr<candidate> waiting;
    std::string address;
    connection_id id = no_connection;
    bool congested = false;
    std::uint8_t paused = 0;  // pause_reasons
    bool has_spoken = false;  // its first bytes have come
    bool is_counted = false;  // by the listener's limiter
    bool is_refused = false;  // it is told no as soon as it says what it is
    std::optional<address_key> from;
    std::size_t backlog_counted = 0;  // of the stream, in output_waiting_
    // With the core's turn: the gate asks for them, on whichever thread.
    bool password_is_right = false;
    bool is_too_busy = false;
    server_gate::foreign_protocol speaks = server_gate::foreign_protocol::none;
};

}  // namespace fleetarium::broker
