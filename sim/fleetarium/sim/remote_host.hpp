#pragma once

#include <fleetarium/sim/client_ledger.hpp>
#include <fleetarium/sim/delivery_matcher.hpp>
#include <fleetarium/sim/remote_broker.hpp>
#include <fleetarium/sim/world_state.hpp>

#include <memory>
#include <string>
#include <vector>

namespace fleetarium::sim::detail {

/// The inside of a remote_broker: the broker's ends of all links, as a broker_host has them.
class remote_host final : public peer_host {
public:
    remote_host(world_state& world, const std::string& name, remote_broker::carrier& by);

    void handle(const event& what) override;

    void opened(std::uint32_t connection);
    void deliver(std::uint32_t connection, wire_buffer bytes);
    void closed(std::uint32_t connection);
    std::size_t open_links() const { return open_links_; }

    delivery_matcher& matcher() { return matcher_; }
    /// Null: the broker is not audited, and messages carry no tags.
    client_ledger* audit() { return audit_.get(); }
    const client_ledger* audit() const { return audit_.get(); }
    /// Where tags are, if there are any.
    identity_place place() const { return place_; }
    /// Whether messages of clients that speak the version carry tags.
    bool tags(protocol_version version) const {
        return place_ == identity_place::payload ||
               (place_ == identity_place::user_property && version == protocol_version::v5);
    }

    remote_broker* handle_of = nullptr;

private:
    struct link {
        const network* by = nullptr;
        link_progress down;
        host_id peer = 0;
        std::uint32_t generation = 0;  // the client's
        bool open = false;
    };

    bool is_void(const event& what) const {
        return what.link >= links_.size() || !links_[what.link].open ||
               links_[what.link].peer != what.origin;
    }
    void open(const event& what);
    void receive(const event& what);
    void forget(std::uint32_t connection);
    random_key key_for(const link& of) const;
    void post_down(const link& of, instant at, event_kind kind, std::uint64_t payload);
    void send_down(link& of, event_kind kind, std::uint64_t payload);

    remote_broker::carrier& carrier_;
    delivery_matcher matcher_;
    std::unique_ptr<client_ledger> audit_;
    identity_place place_ = identity_place::none;
    std::vector<link> links_;
    std::vector<std::uint32_t> free_;  // numbers
    std::size_t open_links_ = 0;
};

}  // namespace fleetarium::sim::detail
