#pragma once

#include <fleetarium/feed/feed_types.hpp>
#include <fleetarium/feed/fleet_map.hpp>
#include <fleetarium/feed/recording_tables.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fleetarium::feed {

/// The devices of a recording: those of its scenario, met or not, and the other clients behind
/// them.
class recording_fleets {
public:
    /// A fault of the scenario.
    struct fault_facts {
        std::string name{};
        std::string kind{};
        std::string where{};
        bool by_hand = false;
        /// The devices that it certainly hits, [first, last); equal: it hits a share of them that
        /// is drawn, or none.
        std::vector<std::pair<std::uint32_t, std::uint32_t>> devices{};
    };

    /// `scenario` is JSON; empty, or of no known shape: all clients are one fleet.
    recording_fleets(const std::string& scenario, std::string_view other_clients);

    /// Numbers the faults that were begun by hand, behind those of the scenario: all of them, JSON.
    void set_faults_by_hand(const std::vector<std::string>& faults);

    /// Finds the devices of clients beyond those before.
    void meet(const std::vector<recorded::client>& clients);

    const std::vector<fleet_info>& fleets() const { return fleets_; }
    const std::vector<std::string>& networks() const { return networks_; }
    const std::vector<fault_facts>& faults() const { return faults_; }
    const std::string& title() const { return title_; }
    std::uint32_t devices() const { return static_cast<std::uint32_t>(clients_.size()); }

    /// Row of the device's client; 0: it never connected.
    std::uint32_t client_of(std::uint32_t device) const { return clients_[device]; }
    /// Of a client's row.
    std::uint32_t device_of(std::uint32_t client) const { return devices_[client - 1]; }
    const fleet_info& fleet_of(std::uint32_t device) const;
    std::string name_of(std::uint32_t device, const std::vector<recorded::client>& clients) const;
    /// By name or client id.
    std::optional<std::uint32_t> find(std::string_view name,
                                      const std::vector<recorded::client>& clients) const;

    /// For the fleet map.
    std::vector<device_group> groups(grouping by) const;

private:
    /// Devices that belong to a cohort by their index; of others it is not recorded.
    struct cohort {
        std::uint32_t fleet = 0;
        std::string name{};
        std::uint32_t first = 0;  // device
        std::uint32_t last = 0;   // behind
    };
    void read(const std::string& scenario);

    std::string title_;
    std::vector<fleet_info> fleets_;  // the last: other clients, once there is one
    std::string other_clients_;
    bool has_others_ = false;
    std::vector<std::string> networks_;
    std::vector<fault_facts> faults_;
    std::size_t faults_of_scenario_ = 0;
    std::string first_broker_ = "broker";
    std::vector<cohort> cohorts_;
    std::vector<std::uint32_t> clients_;  // by device
    std::vector<std::uint32_t> devices_;  // by client
};

}  // namespace fleetarium::feed
