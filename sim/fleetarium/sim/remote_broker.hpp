#pragma once

#include <fleetarium/core/wire_buffer.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace fleetarium::sim {

namespace detail {
class remote_host;
}

/// Where messages to a broker outside of the world carry who they are.
enum class identity_place : std::uint8_t {
    user_property,  ///< MQTT 5: "fleetarium"; fleets of 3.1.1 are not audited
    payload,        ///< in the payload, which is longer by it; receivers in the world do not see it
    none,           ///< nowhere: nothing is audited
};

/// How a broker outside of the world is audited from what its clients see.
struct audit_options {
    identity_place identity = identity_place::user_property;
    /// Tells this run's messages from those that the broker keeps of earlier ones.
    std::uint32_t run = 1;
    /// A broker may drop what it has queued for a session beyond so many messages.
    std::uint32_t queue_limit = 500;
    /// How many seconds pass in the world while one passes at the broker; above 0.
    double pace = 1;
};

/// Whose link it is.
struct link_owner {
    std::string_view fleet{};
    std::uint32_t index = 0;  ///< of the device in its fleet
    std::string_view client_id{};
};

/// A broker that is not in the world but stands at the far end of links that somebody outside
/// carries: a real broker on a real network. A network's latency and bandwidth hold on the way to
/// it as to any other.
///
/// What only a broker knows (what it took on, what was due to whom, why it dropped something) is
/// not in the report then. Which message a delivery is says a tag that devices put into it (see
/// audit_options) and take out again; without, it is found out by topic and payload. Messages of
/// strangers count as the broker's own.
/// Thread rule: the world's.
class remote_broker {
public:
    using link = std::uint32_t;

    /// Who carries links; called from inside the world's run. Members of remote_broker may be
    /// called from there.
    class carrier {
    public:
        /// A device opens a link: to be answered by `opened` or `closed`, now or later.
        virtual void on_open(remote_broker& to, link opened, const link_owner& by) = 0;
        virtual void on_bytes(remote_broker& to, link from, wire_buffer bytes) = 0;
        /// The device closed the link, or it broke. Its number may be used again.
        virtual void on_closed(remote_broker& to, link closed, bool broken) = 0;

    protected:
        ~carrier() = default;
    };

    explicit remote_broker(std::unique_ptr<detail::remote_host> host);
    ~remote_broker();
    remote_broker(const remote_broker&) = delete;
    remote_broker& operator=(const remote_broker&) = delete;

    const std::string& name() const;

    // What happened at the far end, at the present instant. Nothing for links that are closed.

    void opened(link there);
    void deliver(link there, wire_buffer bytes);
    /// Also instead of `opened`. The number may be used again.
    void closed(link there);

    std::size_t open_links() const;

private:
    friend class world;
    std::unique_ptr<detail::remote_host> host_;
};

/// Carriers of brokers that are not to be in the world, by name.
using remote_brokers = std::map<std::string, remote_broker::carrier*, std::less<>>;

}  // namespace fleetarium::sim
