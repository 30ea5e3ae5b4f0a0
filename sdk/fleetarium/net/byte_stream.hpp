#pragma once

#include <fleetarium/core/bytes.hpp>
#include <fleetarium/core/clock.hpp>
#include <fleetarium/core/wire_buffer.hpp>

#include <boost/system/error_code.hpp>

#include <cstddef>
#include <string>

namespace fleetarium::net {

/// How long a stream that is being closed waits for its peer to take the rest and to close too.
inline constexpr duration close_timeout = std::chrono::seconds{5};

/// What a stream knows of its other end. TLS facts are there once the first bytes have come.
struct peer_facts {
    std::string address{};              ///< "127.0.0.1:51234", "unix", "pipe"
    std::string certificate_subject{};  ///< Common Name of the verified certificate; empty: none
};

/// A reliable byte stream to a peer, whatever carries it: TCP, a Unix socket, TLS or WebSocket on
/// top of another stream, a pipe in memory, a link of a world.
///
/// Bytes are pushed: after `start` the stream reads by itself and tells its events, so an idle
/// stream owns no buffer. Handshakes (TLS, WebSocket) happen inside: what is written before they
/// are done is kept and goes out after.
///
/// Events are told from the thread of the stream's executor, never from inside a call of a
/// member. From inside an event every member may be called; the stream may be destroyed from
/// inside on_closed only.
/// Thread rule: all calls from the executor's thread.
class byte_stream {
public:
    class events {
    public:
        /// The view is valid during the call.
        virtual void on_bytes(bytes_view bytes) = 0;
        /// The backlog that an earlier `write` left is written.
        virtual void on_drained() = 0;
        /// The stream is at its end: by the peer (no error, or eof), by an error, or by `close`.
        /// Told once, as the last event, and not after `abort`.
        virtual void on_closed(boost::system::error_code why) = 0;

    protected:
        ~events() = default;
    };

    virtual ~byte_stream() = default;
    byte_stream(const byte_stream&) = delete;
    byte_stream& operator=(const byte_stream&) = delete;

    /// Begins to read; once. `to` must outlive the stream or its `abort`.
    virtual void start(events& to) = 0;

    /// Writes as much as the transport takes at once and keeps the rest, see `backlog`. What is
    /// written after `close` is lost.
    virtual void write(wire_buffer bytes) = 0;

    /// Bytes kept because the transport takes no more for now; on_drained tells when it is 0.
    virtual std::size_t backlog() const = 0;

    /// Reads no more, so that the peer is slowed down, until `resume_reading`.
    virtual void pause_reading() = 0;
    virtual void resume_reading() = 0;

    /// Ends the stream in order: writes what is kept, says farewell as the transport has it, and
    /// tells on_closed; a peer that does not take it is cut off after `close_timeout`.
    virtual void close() = 0;

    /// As `close`, for a peer that has said farewell and waits for nothing more: the end is not
    /// waited for where the transport can do without.
    virtual void hang_up() { close(); }

    /// Ends the stream at once; no event is told any more. Idempotent.
    virtual void abort() noexcept = 0;

    virtual peer_facts peer() const = 0;

protected:
    byte_stream() = default;
};

}  // namespace fleetarium::net
