#pragma once

#include <fleetarium/net/byte_stream.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace fleetarium::net {

/// The two ends of a stream in memory. What one end writes the other end reads, byte for byte, in
/// order, without a socket; each end tells its events on its own executor. Ends on different
/// threads are safe: each end follows the thread rule of byte_stream on its own executor.
/// A reader that pauses makes the writer's backlog grow, as a socket does, beyond 256 KiB.
struct pipe_ends {
    std::unique_ptr<byte_stream> first;
    std::unique_ptr<byte_stream> second;
};
pipe_ends make_pipe(const boost::asio::any_io_executor& first,
                    const boost::asio::any_io_executor& second);

}  // namespace fleetarium::net
