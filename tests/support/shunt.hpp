#pragma once

#include <fleetarium/sim/world.hpp>

#include <algorithm>
#include <list>
#include <string>
#include <utility>
#include <vector>

namespace fleetarium::test {

/// Carries the links of a remote broker to a broker of the same world: as far as its devices can
/// tell, that is a broker somewhere else.
class shunt final : public sim::remote_broker::carrier {
public:
    shunt() = default;
    explicit shunt(sim::world& in) : world_(&in) {}

    /// Before the first link is opened.
    void serve(sim::world& in) { world_ = &in; }

    sim::virtual_broker* behind = nullptr;  ///< none: links are refused
    std::vector<std::string> owners;
    std::size_t broken = 0;

    void cut_all() {
        for (end& each : ends_) {
            if (each.peer.has_link()) {
                each.peer.cut();
                each.far->closed(each.link);
            }
        }
    }

private:
    struct end final : sim::stream_peer::events {
        end(sim::world& in, sim::remote_broker& of, sim::remote_broker::link there)
            : peer(in.add_stream_peer("shunt")), far(&of), link(there) {
            peer.tell(this);
            peer.use_network({.name = "none"});
        }
        void on_opened() override { far->opened(link); }
        void on_bytes(wire_buffer bytes) override { far->deliver(link, std::move(bytes)); }
        void on_closed() override { far->closed(link); }
        void on_wake() override {}

        sim::stream_peer& peer;
        sim::remote_broker* far;
        sim::remote_broker::link link;
    };

    end& at(sim::remote_broker::link link) {
        return *std::find_if(ends_.rbegin(), ends_.rend(),
                             [&](const end& each) { return each.link == link; });
    }
    void on_open(sim::remote_broker& to, sim::remote_broker::link opened,
                 const sim::link_owner& by) override {
        owners.push_back(std::string(by.fleet) + std::to_string(by.index));
        if (behind == nullptr) {
            to.closed(opened);
            return;
        }
        ends_.emplace_back(*world_, to, opened).peer.open(*behind);
    }
    void on_bytes(sim::remote_broker&, sim::remote_broker::link from, wire_buffer bytes) override {
        at(from).peer.send(std::move(bytes));
    }
    void on_closed(sim::remote_broker&, sim::remote_broker::link closed, bool was_broken) override {
        broken += was_broken;
        was_broken ? at(closed).peer.cut() : at(closed).peer.close();
    }

    sim::world* world_ = nullptr;
    std::list<end> ends_;
};

}  // namespace fleetarium::test
