#include <fleetarium/core/mutant.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <support/shunt.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <variant>

// The protocol lab once more, with its broker outside of the world: what the ledger can tell of it
// from what clients see. The broker is ours, so that its bugs can be switched on.

namespace fleetarium::sim {
namespace {

using namespace std::chrono_literals;

scenario protocol_lab() {
    const auto read =
        load_scenario(std::string(FLEETARIUM_SOURCE_DIR) + "/tests/mutants/protocol_lab.json");
    const auto* const lab = std::get_if<scenario>(&read);
    REQUIRE(lab != nullptr);
    return *lab;
}

fault_spec every(fault_kind kind, duration period, double share) {
    fault_spec made;
    made.kind = kind;
    made.at = 20s;
    made.every = distribution::uniform(static_cast<double>(period.count()) / 2,
                                       static_cast<double>(period.count()) * 3 / 2);
    made.until = 9min;
    made.share = share;
    return made;
}

/// Everything that can happen to devices and their links.
void add_faults(scenario& lab) {
    lab.faults.push_back(every(fault_kind::cut, 20s, 0.2));
    lab.faults.push_back(every(fault_kind::half_open, 60s, 0.1));
    lab.faults.push_back(every(fault_kind::power_loss, 120s, 0.1));
    lab.faults.back().lasts = distribution::uniform(1e9, 40e9);
    lab.faults.push_back(every(fault_kind::partition, 50s, 0.2));
    lab.faults.back().lasts = distribution::uniform(1e9, 60e9);
    lab.faults.push_back(every(fault_kind::latency, 70s, 0.3));
    lab.faults.back().lasts = distribution::uniform(1e9, 30e9);
    lab.faults.back().added_latency = distribution::uniform(0, 3e9);
    lab.faults.push_back(every(fault_kind::cut_in_packet, 30s, 0.3));
    lab.faults.back().lasts = distribution::constant(20e9);
    lab.faults.back().packet = packet_type::publish;
    lab.faults.back().direction = link_direction::up;
}

ledger_report audited(const scenario& lab, std::uint64_t seed, identity_place identity) {
    scenario described = lab;
    described.seed = seed;
    test::shunt carrier;
    // The lab's broker keeps six messages for a session, wills among them.
    world w = world::from(described, {{described.brokers.front().name, &carrier}},
                          {.identity = identity, .queue_limit = 3});
    carrier.serve(w);
    broker_spec behind = described.brokers.front();
    behind.name = "behind";
    carrier.behind = &w.add_broker(behind);
    w.run_for(described.duration);
    w.drain(10s, 5min, [&](duration step) {
        w.run_for(step);
        return true;
    });
    return w.report().ledger;
}

std::string accusations(const ledger_report& found) {
    std::string out;
    for (const ledger_violation& each : found.violations) {
        out += to_string(each) + '\n';
    }
    return out;
}

const identity_place places[] = {identity_place::user_property, identity_place::payload};

}  // namespace

TEST_CASE("a broker outside that makes no mistake is not accused", "[outside]") {
    scenario lab = protocol_lab();
    const bool with_faults = GENERATE(false, true);
    if (with_faults) {
        add_faults(lab);
    }
    for (const identity_place identity : places) {
        for (std::uint64_t seed = 1; seed <= 15; ++seed) {
            const ledger_report found = audited(lab, seed, identity);
            INFO("seed " << seed);
            const outside_audit& audit = found.audits.at(0);
            CHECK(accusations(found) == "");
            CHECK(audit.complete);
            CHECK(audit.messages > 400);
            CHECK(audit.receptions > 400);
            CHECK((audit.devices_not_seen == 0) == (identity == identity_place::payload));
        }
    }
}

TEST_CASE("what a broker outside does wrong is named", "[outside]") {
    struct known {
        mutant bug;
        invariant named;
    };
    constexpr known table[] = {
        {mutant::resent_qos2_delivered_twice, invariant::exactly_once},
        {mutant::qos2_id_forgotten_after_pubrec, invariant::at_most_once},
        {mutant::qos2_ids_forgotten_on_disconnect, invariant::exactly_once},
        {mutant::dup_publish_discarded, invariant::conservation},
        {mutant::split_publish_acknowledged_and_lost, invariant::conservation},
        {mutant::dup_missing_on_resend, invariant::resent_as_duplicate},
        {mutant::dup_set_on_first_sending, invariant::resent_as_duplicate},
        {mutant::pubrel_never_sent, invariant::receive_maximum},
        {mutant::publish_resent_after_pubrec, invariant::exactly_once},
        {mutant::expiry_not_counted_down, invariant::expiry},
        {mutant::qos0_sent_twice, invariant::at_most_once},
        {mutant::packet_id_reused_in_flight, invariant::packet_id},
        {mutant::queue_order_lost_on_resume, invariant::order},
        {mutant::receive_maximum_ignored, invariant::receive_maximum},
        {mutant::maximum_packet_size_ignored, invariant::protocol},
        {mutant::topic_alias_maximum_ignored, invariant::protocol},
        {mutant::offline_messages_not_queued, invariant::conservation},
        {mutant::message_lost_when_window_full, invariant::conservation},
        {mutant::subscription_effective_late, invariant::conservation},
        {mutant::wildcard_matches_dollar_topics, invariant::dollar_topics},
        {mutant::no_local_ignored, invariant::no_local},
        {mutant::delivery_qos_not_capped, invariant::routing},
        {mutant::subscription_identifier_lost, invariant::subscription_identifier},
        {mutant::retain_as_published_ignored, invariant::retained},
        {mutant::retained_not_replaced, invariant::retained},
        {mutant::retained_sent_without_flag, invariant::retained},
        {mutant::will_published_after_reconnect, invariant::will},
        {mutant::will_delay_ignored, invariant::will},
        {mutant::will_published_on_clean_disconnect, invariant::will},
        {mutant::shared_sent_to_two_members, invariant::shared_once},
        {mutant::session_present_missing, invariant::session_lifetime},
        {mutant::session_expiry_in_milliseconds, invariant::session_lifetime},
        {mutant::session_kept_after_expiry, invariant::session_lifetime},
        {mutant::clean_start_keeps_session, invariant::routing},
        {mutant::take_over_leaves_old_connection, invariant::take_over},
        {mutant::keep_alive_without_grace, invariant::keep_alive},
        {mutant::keep_alive_not_enforced, invariant::keep_alive},
    };
    scenario lab = protocol_lab();
    add_faults(lab);
    for (const known& each : table) {
        INFO(name_of(each.bug));
        switch_on(each.bug);
        std::uint64_t times = 0;
        for (std::uint64_t seed = 1; times == 0 && seed <= 10; ++seed) {
            const outside_audit found = audited(lab, seed, identity_place::payload).audits.at(0);
            times = found.by_invariant[static_cast<std::size_t>(each.named)];
        }
        switch_on(mutant::none);
        CHECK(times > 0);
    }
}

}  // namespace fleetarium::sim
