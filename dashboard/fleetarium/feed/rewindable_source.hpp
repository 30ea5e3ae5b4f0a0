#pragma once

#include <fleetarium/feed/source.hpp>

#include <functional>
#include <memory>

namespace fleetarium::feed {

/// A live run that is being recorded: its present is that of the run, what lies before comes from
/// the recording. Messages of the recording have numbers from `first_of_past` on.
/// Thread rule: that of what is shown.
class rewindable_source final : public source {
public:
    static constexpr std::uint64_t first_of_past = std::uint64_t{1} << 50;

    /// `open_past` makes a source of what is recorded so far; it is called when somebody looks back
    /// for the first time, and is to show later what is recorded later. `live` must outlive this.
    rewindable_source(source& live, std::function<std::unique_ptr<source>()> open_past);

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
    /// Who answers for an instant.
    source& at(const std::optional<seconds>& instant);
    source& past();

    source& live_;
    std::function<std::unique_ptr<source>()> open_past_;
    std::unique_ptr<source> past_;
};

}  // namespace fleetarium::feed
