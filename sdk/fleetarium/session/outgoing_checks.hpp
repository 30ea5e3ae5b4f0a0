#pragma once

#include <fleetarium/codec/packets.hpp>
#include <fleetarium/core/result.hpp>

namespace fleetarium::detail {

// What a client's application may ask for in a packet, whatever the server allows: lengths, UTF-8,
// topics, ranges, combinations. The encoder writes what it is given, so nothing that these refuse
// may reach it. Members that the version does not have are not looked at: they are not encoded.
// Linear in the size of the packet, its payload excepted.

/// invalid_argument or invalid_topic_name (will).
boost::system::error_code check_outgoing(const connect& out);

/// invalid_topic_name, invalid_argument.
boost::system::error_code check_outgoing(const publish& out, protocol_version version);

/// invalid_topic_filter, invalid_argument, not_in_this_version (subscription identifier).
boost::system::error_code check_outgoing(const subscribe& out, protocol_version version);

/// invalid_topic_filter, invalid_argument.
boost::system::error_code check_outgoing(const unsubscribe& out, protocol_version version);

/// invalid_argument.
boost::system::error_code check_outgoing(const auth& out);

/// invalid_argument: also for a reason code that only a server may send, and a server reference.
boost::system::error_code check_outgoing(const disconnect& out, protocol_version version);

}  // namespace fleetarium::detail
