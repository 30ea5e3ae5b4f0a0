#pragma once

#include <fleetarium/live/paced_run.hpp>
#include <fleetarium/live/real_clients.hpp>
#include <fleetarium/live/real_target.hpp>
#include <fleetarium/net/tls_context.hpp>
#include <fleetarium/sim/report.hpp>
#include <fleetarium/sim/report_text.hpp>
#include <fleetarium/sim/scenario.hpp>
#include <fleetarium/sim/world.hpp>

#include <boost/asio/io_context.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace fleetarium::cli {

/// How a run meets the real world, as the user said it.
struct live_flags {
    std::vector<std::string> listen;   ///< [BROKER=]URL
    std::vector<std::string> targets;  ///< [BROKER=]URL
    std::string certificate;
    std::string private_key;
    std::string authorities;
    bool insecure = false;

    // How brokers of --target are audited; empty: not said
    std::string audit;  ///< user_property, payload, none
    std::optional<std::uint32_t> queue_limit;
    std::string drain;  ///< a duration

    bool has_audit() const { return !audit.empty() || has_audit_bounds(); }
    bool has_audit_bounds() const { return queue_limit || !drain.empty(); }
    bool any() const { return !listen.empty() || !targets.empty(); }
    bool has_tls() const {
        return !certificate.empty() || !private_key.empty() || !authorities.empty() || insecure;
    }
};

/// The user asked for what cannot be.
struct usage_error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A world that runs in step with the wall clock, or with a pace of paced_run::unlimited as fast as
/// it can, with real clients, real brokers, viewers, or none of them.
class live_run {
public:
    /// Prints where it listens, when it does. Throws usage_error; std::runtime_error if it cannot
    /// be carried out: a port is taken, a broker does not answer, there are too few files.
    live_run(const sim::scenario& described, const live_flags& flags, double pace);

    sim::world& running() { return *world_; }
    sim::paced_run& paced() { return *run_; }
    boost::asio::io_context& context() { return context_; }
    double seconds_behind() const;

    /// See paced_run. Throws std::runtime_error if no device can reach its broker.
    bool run_until(instant end, const std::function<bool()>& watch);

    /// After the run, before `complete`: waits for what is under way to brokers outside, so that
    /// their audit can tell what is lost; true if there is an audit. `watch` may end it.
    bool drain(const std::function<bool()>& watch);

    /// Adds what the world cannot know.
    void complete(sim::run_report& report, sim::run_timing& timing) const;

    /// Takes leave of all who are connected; within a second or two.
    void stop();

private:
    struct place {
        std::string broker;
        net::url url;
    };
    std::vector<place> parse(const sim::scenario& described, const std::vector<std::string>& given,
                             const char* flag) const;
    void make_targets(const sim::scenario& described, const live_flags& flags);
    void check_limits(const sim::scenario& described) const;
    void check_faults(const sim::scenario& described) const;

    const bool is_paced_;  // to the wall clock
    boost::asio::io_context context_;
    sim::audit_options audit_;
    duration drain_max_{};
    std::map<std::string, std::unique_ptr<sim::real_target>> targets_;  // by broker
    std::vector<place> target_places_;
    std::unique_ptr<sim::world> world_;
    std::unique_ptr<sim::paced_run> run_;
    std::unique_ptr<sim::real_clients> clients_;
};

}  // namespace fleetarium::cli
