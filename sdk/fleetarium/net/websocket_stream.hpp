#pragma once

#include <fleetarium/net/byte_stream.hpp>
#include <fleetarium/net/websocket_errors.hpp>
#include <fleetarium/net/websocket_origin.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace fleetarium::net {

/// WebSocket (RFC 6455, by Boost.Beast) on top of `carrier`, which it owns: subprotocol `mqtt`,
/// binary frames, in which packets are split and joined in any way
/// [v5/MQTT-6.0.0-1, v5/MQTT-6.0.0-2, v5/MQTT-6.0.0-3, v5/MQTT-6.0.0-4].
///
/// A client that offers another subprotocol or another path gets an HTTP error; a frame that is
/// not binary ends the stream. A message's bytes are told as they come: a frame's size costs no
/// memory. Each packet that is written is a message of its own; those of a `write` go out at once.
///
/// `executor` is the carrier's. The peer's farewell is told as eof; other reasons of the end are
/// of `websocket_error_category`, or Beast's for faults of framing.
std::unique_ptr<byte_stream> make_websocket_server_stream(
    std::unique_ptr<byte_stream> carrier, const boost::asio::any_io_executor& executor,
    const std::string& path, const origin_check& may_ask = {});

/// `host` is for the Host header: with its port if that is not the default.
std::unique_ptr<byte_stream> make_websocket_client_stream(
    std::unique_ptr<byte_stream> carrier, const boost::asio::any_io_executor& executor,
    const std::string& host, const std::string& path);

}  // namespace fleetarium::net
