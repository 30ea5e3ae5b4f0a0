#pragma once

#include <fleetarium/net/byte_stream.hpp>
#include <fleetarium/net/socket_handle.hpp>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>

namespace fleetarium::net {

/// A connected socket of an io_context, slim in memory: TCP or Unix.
using stream_socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol,
                                                       boost::asio::io_context::executor_type>;

/// The stream of a connected socket. Reads into scratch memory that all streams of a thread
/// share; a write goes to the socket at once, gathered, and only what does not fit is kept and
/// waits for the socket to be writable.
/// The io_context must be run by one thread, and outlive the stream.
std::unique_ptr<byte_stream> make_socket_stream(stream_socket connected);

/// The same of a socket that Asio does not know; `peer` is what its `peer` tells.
std::unique_ptr<byte_stream> make_socket_stream(
    boost::asio::io_context& context, socket_handle connected,
    const boost::asio::generic::stream_protocol::endpoint& peer);

}  // namespace fleetarium::net
