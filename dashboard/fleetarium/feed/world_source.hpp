#pragma once

#include <fleetarium/feed/fleet_map.hpp>
#include <fleetarium/feed/live_source.hpp>
#include <fleetarium/sim/intervention.hpp>
#include <fleetarium/sim/message_tally.hpp>
#include <fleetarium/sim/world.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::feed {

/// What the run around a world can do for its viewers. What is empty is not possible.
struct run_controls {
    std::function<void(bool paused)> pause{};
    std::function<void(std::uint64_t events)> step_events{};
    std::function<void(duration by)> step_time{};
    std::function<void(std::optional<double> speed)> set_speed{};
    std::function<void()> end{};
    std::function<std::string()> report_json{};
    /// Before something is done by hand, with all events of the instant handled.
    std::function<void()> before_hand{};
    /// What was done by hand, so that it is recorded; see sim::interventions.
    std::function<void(std::string_view what, const std::string& json)> by_hand{};
    std::function<void(std::string_view text)> annotate{};
};

/// A run that is under way: its world, for viewers.
/// Thread rule: the world's. The world must outlive it.
class world_source final : public live_source, private sim::tallying_observer {
public:
    struct facts {
        std::string title{};
        std::string version{};
        std::string command{};
        std::uint64_t seed = 0;
        double epoch = 0;  ///< instant 0 as seconds since 1970
        std::optional<duration> length{};
    };

    world_source(sim::world& of, facts about, run_controls controls);
    ~world_source() override;
    world_source(const world_source&) = delete;
    world_source& operator=(const world_source&) = delete;

    description describe(const description_question& asked) override;
    fleet_answer fleet(const fleet_question& asked) override;
    device_row cell(const cell_question& asked) override;

    command_answer pause(const pause_command& wanted) override;
    command_answer step(const step_command& wanted) override;
    command_answer speed(const speed_command& wanted) override;
    command_answer end(const end_command& wanted) override;
    command_answer fault(const fault_command& wanted) override;
    command_answer heal(const heal_command& wanted) override;
    command_answer publish(const publish_command& wanted) override;
    command_answer disconnect(const disconnect_command& wanted) override;
    command_answer annotate(const annotate_command& wanted) override;
    report_answer report(const report_question& asked) override;

private:
    // live_source
    instant present() const override { return world_.now(); }
    std::string name_of(std::uint32_t client) const override;
    std::string broker_name(std::uint32_t broker) const override;
    std::optional<std::uint32_t> find_client(std::string_view name_or_id) const override;
    void for_each_client(
        const std::function<bool(std::uint32_t, const client_cell&)>& visit) const override;
    client_cell& cell_of(std::uint32_t client) override;
    void prefetch_cell(std::uint32_t client) const override;
    bool tells_what_it_receives(std::uint32_t client) override;
    void complete(feed::totals& to) override;
    void complete(device_row& to, std::uint32_t client) const override;
    void complete(device_answer& to, std::uint32_t client) override;
    device_state state_of(std::uint32_t client, const client_cell& cell) const override;
    std::string_view fleet_of(std::uint32_t client) const override;
    std::vector<violation_row> violations() override;

    // tallying_observer
    sim::message_tally& tally() override { return tally_of_messages(); }
    void on_message(std::uint32_t broker, std::uint32_t publisher,
                    const fleetarium::publish& message, const message_identity& identity,
                    instant now) override;
    void on_decision(std::uint32_t broker, std::uint32_t client,
                     const broker::broker_event& decision) override;
    void on_received(std::uint32_t client, const message_identity& message, bool repeated,
                     instant now) override;
    void on_acknowledged(std::uint32_t publisher, std::uint64_t number, instant now) override;
    void on_lost(std::uint32_t client, std::uint64_t number, instant now) override;
    void on_fault(std::uint32_t which, bool ends, instant now) override;

    const std::vector<device_group>& groups(grouping by);
    const sim::fleet* fleet_at(std::uint32_t client) const;
    const sim::virtual_broker* broker_with(std::string_view client_id) const;
    command_answer by_hand(std::string_view what, const std::string& json);
    void require_running() const;
    command_answer done() const;

    sim::world& world_;
    const facts about_;
    const run_controls controls_;
    std::vector<sim::fleet*> fleets_;
    std::vector<sim::virtual_broker*> brokers_;
    std::vector<client_cell> devices_;  // by host
    std::vector<client_cell> peers_;    // by host, from the first that is no device
    std::vector<device_group> groups_;
    grouping groups_by_ = grouping::none;
    bool has_groups_ = false;
    sim::interventions hand_;
};

}  // namespace fleetarium::feed
