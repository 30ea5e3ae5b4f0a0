#include <fleetarium/feed/source.hpp>

#include <fleetarium/broker/hooks.hpp>
#include <fleetarium/feed/latency_buckets.hpp>

#include <utility>

namespace fleetarium::feed {

namespace {

[[noreturn]] void refuse(const char* what) {
    throw feed_error(feed_error::kind::not_possible, what);
}

}  // namespace

description description_of(std::string kind, std::string version) {
    description out;
    out.kind = std::move(kind);
    out.version = std::move(version);
    for (std::size_t i = 0; i < broker::drop_reason_count; ++i) {
        out.drop_reasons.emplace_back(name_of(static_cast<broker::drop_reason>(i)));
    }
    out.latency_bounds = latency_buckets::bounds();
    return out;
}

command_answer source::pause(const pause_command&) { refuse("this cannot be paused"); }
command_answer source::step(const step_command&) { refuse("this has no steps"); }
command_answer source::speed(const speed_command&) { refuse("this has a speed of its own"); }
command_answer source::end(const end_command&) { refuse("this cannot be ended from here"); }
command_answer source::fault(const fault_command&) { refuse("faults are for worlds that run"); }
command_answer source::heal(const heal_command&) { refuse("faults are for worlds that run"); }
command_answer source::publish(const publish_command&) { refuse("there is no broker that runs"); }
command_answer source::disconnect(const disconnect_command&) {
    refuse("there is no broker that runs");
}
command_answer source::annotate(const annotate_command&) {
    refuse("remarks are for runs that are recorded");
}
report_answer source::report(const report_question&) { refuse("there is no report of this"); }

}  // namespace fleetarium::feed
