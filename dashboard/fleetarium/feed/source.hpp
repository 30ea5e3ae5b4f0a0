#pragma once

#include <fleetarium/feed/feed_types.hpp>

#include <stdexcept>
#include <string>

namespace fleetarium::feed {

/// A question that cannot be answered, or a command that cannot be carried out: a sentence for the
/// person who asked.
class feed_error : public std::runtime_error {
public:
    enum class kind : std::uint8_t {
        bad_question,  ///< a parameter is out of range, or names nothing that there is
        not_possible,  ///< not with what is shown: a recording takes no commands
    };

    feed_error(enum kind why, const std::string& what) : std::runtime_error(what), kind_(why) {}
    enum kind kind() const { return kind_; }

private:
    enum kind kind_;
};

/// A description with what all have in common.
description description_of(std::string kind, std::string version);

/// What can be seen, and done: a run, a broker or a recording. Everything that a viewer shows is an
/// answer of it.
///
/// A question costs what its answer shows, or one pass over devices or topics at most; never one
/// over messages. All members throw feed_error. Thread rule: one thread, that of what is shown.
class source {
public:
    virtual ~source() = default;

    virtual description describe(const description_question& asked) = 0;
    virtual feed::totals totals(const totals_question& asked) = 0;
    virtual history_answer history(const history_question& asked) = 0;
    virtual timeline_answer timeline(const timeline_question& asked) = 0;
    virtual log_answer log(const log_question& asked) = 0;
    virtual topics_answer topics(const topics_question& asked) = 0;
    virtual fleet_answer fleet(const fleet_question& asked) = 0;
    virtual device_row cell(const cell_question& asked) = 0;
    virtual devices_answer devices(const devices_question& asked) = 0;
    virtual device_answer device(const device_question& asked) = 0;
    virtual messages_answer messages(const messages_question& asked) = 0;
    virtual message_answer message(const message_question& asked) = 0;

    // Commands; by default not possible

    virtual command_answer pause(const pause_command& wanted);
    virtual command_answer step(const step_command& wanted);
    virtual command_answer speed(const speed_command& wanted);
    virtual command_answer end(const end_command& wanted);
    virtual command_answer fault(const fault_command& wanted);
    virtual command_answer heal(const heal_command& wanted);
    virtual command_answer publish(const publish_command& wanted);
    virtual command_answer disconnect(const disconnect_command& wanted);
    virtual command_answer annotate(const annotate_command& wanted);
    virtual report_answer report(const report_question& asked);
};

}  // namespace fleetarium::feed
