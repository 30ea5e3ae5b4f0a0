#pragma once

#include <fleetarium/net/byte_stream.hpp>
#include <fleetarium/net/connector.hpp>
#include <fleetarium/sim/world.hpp>

#include <boost/asio/io_context.hpp>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace fleetarium::sim::detail {

class virtual_link;

/// The stream peers of an environment: each serves one link after the other.
struct link_pool {
    world& in;
    boost::asio::io_context& context;
    const std::string group;
    const std::optional<network_spec> network;
    std::vector<stream_peer*> idle{};
    std::vector<virtual_link*> open{};  ///< in the order in which they were opened

    stream_peer& take();
};

/// A link of a world on its way to be a byte_stream, and then as one: what the world tells is
/// posted to the environment's context, and told from there.
class virtual_link final : public std::enable_shared_from_this<virtual_link>,
                           private stream_peer::events {
public:
    explicit virtual_link(link_pool& pool);
    ~virtual_link();
    virtual_link(const virtual_link&) = delete;
    virtual_link& operator=(const virtual_link&) = delete;

    void connect(virtual_broker& to, net::connect_handler done);
    /// `done` is not called any more. Without effect once it has been.
    void give_up_connecting() noexcept;

    // As byte_stream has them
    void start(net::byte_stream::events& to);
    void write(wire_buffer bytes);
    void pause_reading();
    void resume_reading();
    void close();
    void abort() noexcept;

    void cut();

private:
    void on_opened() override;
    void on_bytes(wire_buffer bytes) override;
    void on_closed() override;
    void on_wake() override {}

    void release() noexcept;
    void end(boost::system::error_code why);
    void tell_soon();
    void tell();
    void tell_bytes(const wire_buffer& bytes);

    link_pool& pool_;
    stream_peer* peer_;  // null once the link is given back
    net::connect_handler done_;
    net::byte_stream::events* to_ = nullptr;
    std::deque<wire_buffer> arrived_;
    std::optional<boost::system::error_code> ended_;
    bool paused_ = false;
    bool tells_soon_ = false;
};

}  // namespace fleetarium::sim::detail
