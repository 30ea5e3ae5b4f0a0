// What devices publish when they have connected, and on messages that they receive.

#include <fleetarium/sim/fleet_state.hpp>

#include <fleetarium/codec/topic.hpp>
#include <fleetarium/sim/json_member.hpp>

namespace fleetarium::sim::detail {

bool fleet_state::meets(const message_condition& when, const fleetarium::publish& message) {
    return (!when.payload || as_text(message.payload) == *when.payload) &&
           (!when.member || !find_json_member(as_text(message.payload), *when.member).empty()) &&
           (!when.sparkplug || sparkplug_sets(message.payload, *when.sparkplug));
}

void fleet_state::publish_on_connect(const context& at) {
    for (std::size_t which = 0; which < publications_.size(); ++which) {
        if (publications_[which].spec->on && publications_[which].spec->on->connect) {
            publish_now(at, which, publication_cause::connect);
        }
    }
}

void fleet_state::note_triggered(const context& at, const fleetarium::publish& message) {
    triggered_.clear();
    for (std::size_t which = 0; which < publications_.size(); ++which) {
        const publication& what = publications_[which];
        if (!what.on_message) {
            continue;
        }
        std::string& filter = world_.other_text;
        filter.clear();
        render(*what.on_message, at.index, filter);
        if (topic_matches(filter, message.topic) && meets(what.spec->on->when, message)) {
            triggered_.push_back(static_cast<std::uint32_t>(which));
        }
    }
}

void fleet_state::publish_triggered(const context& at) {
    for (const std::uint32_t which : triggered_) {
        publish_now(at, which, publication_cause::message);
    }
    triggered_.clear();
}

void fleet_state::publish_now(const context& at, std::size_t which, publication_cause cause) {
    if (!world_.publishes) {
        return;
    }
    publication_state& state = states(at.self)[which];
    const instant start = saturating_add(added_at_, publications_[which].spec->start);
    const instant now = own_now(at.self);
    if (now < start || !within_limits(which, now, state.made)) {
        return;
    }
    ++state.made;
    publish_one(at, which, cause);
}

void fleet_state::send_answers(const context& at) {
    for (const shadow_service::answer& each : answers_) {
        fleetarium::publish message;
        message.topic = each.topic;
        message.payload = as_bytes_view(each.payload);
        message.qos = qos::at_least_once;
        send_message(at, shadow_source_, message);
    }
    answers_.clear();
}

}  // namespace fleetarium::sim::detail
