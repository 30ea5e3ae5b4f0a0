#pragma once

#include <fleetarium/recording/recording_writer.hpp>
#include <fleetarium/sim/world.hpp>
#include <fleetarium/sim/world_observer.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace fleetarium::recording {

/// Records what happens in a world, from its making to `finish`.
///
///     world_recorder recorder(w, {.path = "run.flr"});
///     w.run_for(1h);
///     recorder.finish(w.report());
///
/// The world must outlive it; one a world. Thread rule: the world's.
class world_recorder final : private sim::world_observer {
public:
    /// Throws recording_error.
    world_recorder(sim::world& of, const recording_options& options);
    ~world_recorder() override;
    world_recorder(const world_recorder&) = delete;
    world_recorder& operator=(const world_recorder&) = delete;

    /// See recording_writer.
    std::string error() const { return writer_.error(); }
    void flush() { writer_.flush(); }
    /// Waits until all of it is committed.
    void sync() { writer_.sync(); }
    void annotate(std::string_view text);
    /// What somebody did by hand, as sim::interventions has it: a replay does it again.
    void add_intervention(std::string_view what, std::string_view json);

    /// Keeps the trace hash so far: when the world has run until an instant, with all its events.
    /// Linear in the number of hosts.
    void checkpoint();

    /// Whether all events of the run's last instant were handled.
    enum class last_instant : std::uint8_t { whole, broken_off };

    /// With the world's report, as values and as JSON. Throws recording_error.
    recording_writer::sums finish(const sim::run_report& report,
                                  const std::string& report_json = {},
                                  last_instant end = last_instant::whole);

private:
    void on_message(std::uint32_t broker, std::uint32_t publisher, const publish& message,
                    const message_identity& identity, instant now) override;
    void on_decision(std::uint32_t broker, std::uint32_t client,
                     const broker::broker_event& decision) override;
    void on_received(std::uint32_t client, const message_identity& message, bool repeated,
                     instant now) override;
    void on_acknowledged(std::uint32_t publisher, std::uint64_t number, instant now) override;
    void on_lost(std::uint32_t client, std::uint64_t number, instant now) override;
    void on_fault(std::uint32_t which, bool ends, instant now) override;

    void tell_client(std::uint32_t client, std::string_view client_id, instant now);

    sim::world& world_;
    recording_writer writer_;
    std::vector<bool> told_;  // clients, by host
    std::string properties_;
};

/// Of a message, as JSON; empty: it has none that a recording keeps.
void write_properties(const publish& message, std::string& out);

}  // namespace fleetarium::recording
