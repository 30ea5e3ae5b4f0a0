#pragma once

#include <fleetarium/broker/broker_core.hpp>
#include <fleetarium/broker/client_numbers.hpp>
#include <fleetarium/feed/fleet_map.hpp>
#include <fleetarium/feed/live_source.hpp>
#include <fleetarium/server/server.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::feed {

/// A broker on real networks, for viewers. Its devices are the clients that it has met, by their
/// client ids; its fleets, those whose ids are the same up to their first digit.
///
///     broker_source source({.title = "broker"}, &recorder);
///     broker::server server(options, &source);
///     source.attach(server);
///
/// Instants are since its making. When more than `clients_max` have come, those whose sessions have
/// ended are forgotten, the longest ended first.
/// Thread rule: hooks as broker_hooks has it; everything else one thread at a time, which is none
/// of the server's while it is in a hook.
class broker_source final : public live_source, public broker::broker_hooks {
public:
    static constexpr std::size_t clients_max = 1'000'000;

    struct facts {
        std::string title{};
        std::string version{};
        double epoch = 0;  ///< instant 0 as seconds since 1970
    };

    /// `begin`: instant 0 by the server's clock. `next` is told all that this is told, and may be
    /// null.
    broker_source(facts about, instant begin, broker::broker_hooks* next);

    void attach(broker::server& to) { server_ = &to; }
    /// As live_source has it, with the core at rest.
    void tick_at_rest(double wall);

    description describe(const description_question& asked) override;
    feed::totals totals(const totals_question& asked) override;
    history_answer history(const history_question& asked) override;
    timeline_answer timeline(const timeline_question& asked) override;
    log_answer log(const log_question& asked) override;
    topics_answer topics(const topics_question& asked) override;
    fleet_answer fleet(const fleet_question& asked) override;
    device_row cell(const cell_question& asked) override;
    devices_answer devices(const devices_question& asked) override;
    device_answer device(const device_question& asked) override;
    messages_answer messages(const messages_question& asked) override;
    message_answer message(const message_question& asked) override;

    command_answer publish(const publish_command& wanted) override;
    command_answer disconnect(const disconnect_command& wanted) override;

    // broker_hooks
    bool wants_authorization() const override { return false; }
    bool wants_events() const override { return true; }
    message_identity identify(broker::connection_id publisher, std::uint64_t next_number,
                              const fleetarium::publish& message, instant now) override;
    void on_event(const broker::broker_event& event) override;

private:
    struct client {
        std::string id{};
        client_cell cell{};
        bool has_session = false;
        bool is_listed = false;  ///< in ended_
    };

    instant present() const override { return newest_; }
    std::string name_of(std::uint32_t which) const override;
    std::string broker_name(std::uint32_t) const override { return "broker"; }
    std::optional<std::uint32_t> find_client(std::string_view name_or_id) const override;
    void for_each_client(
        const std::function<bool(std::uint32_t, const client_cell&)>& visit) const override;
    client_cell& cell_of(std::uint32_t which) override { return clients_[which].cell; }
    void complete(feed::totals& to) override;
    void complete(device_row& to, std::uint32_t which) const override;
    void complete(device_answer& to, std::uint32_t which) override;
    std::string_view fleet_of(std::uint32_t which) const override;

    /// Asks while nothing else happens in the core.
    template <class Ask>
    auto at_rest(Ask&& ask);
    instant since_begin(instant at);
    std::uint32_t know_client(const broker::broker_event& event);
    const std::vector<device_group>& groups(grouping by);

    const facts about_;
    const instant begin_;
    broker::broker_hooks* const next_;
    broker::server* server_ = nullptr;
    const broker::broker_core* core_ = nullptr;  // while at rest
    instant newest_{};
    std::deque<client> clients_;
    std::deque<std::uint32_t> ended_;  // clients without a session, the longest ended first
    boost::unordered_flat_map<std::string, std::uint32_t> by_id_;
    broker::client_numbers numbers_;
    std::vector<device_group> groups_;
    std::size_t grouped_ = 0;
    grouping grouped_by_ = grouping::none;
};

}  // namespace fleetarium::feed
