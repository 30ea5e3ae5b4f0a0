#pragma once

#include <fleetarium/sim/ledger.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace fleetarium::sim::detail {

struct world_state;

/// What a world knows when its ledger asks.
class world_oracle final : public ledger::oracle {
public:
    explicit world_oracle(const world_state& world) : world_(world) {}

    bool is_silent(ledger::broker_index broker, std::uint32_t connection, host_id host) override;
    instant done_until(ledger::broker_index broker) override;
    void for_each_held(ledger::broker_index broker, broker::session_index session,
                       const std::function<void(std::uint64_t, enum qos)>& visit) override;
    std::size_t unreleased(ledger::broker_index broker, broker::session_index session) override;
    void for_each_lost(const std::function<void(std::string_view, std::uint64_t)>& visit) override;
    broker::broker_metrics metrics_of(ledger::broker_index broker) override;
    std::string name_of(host_id host) override;

private:
    const world_state& world_;
};

}  // namespace fleetarium::sim::detail
