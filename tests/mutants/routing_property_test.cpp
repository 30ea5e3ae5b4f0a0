#include "support/case_share.hpp"
#include "support/twin_brokers.hpp"
#include "with_mutant.hpp"

#include <catch2/catch.hpp>

using namespace fleetarium;
using namespace fleetarium::test;

// The property of routing is worth what it finds: each of these bugs, and none where there is none.

TEST_CASE("generated cases against a model of routing find what brokers do wrong",
          "[mutants][property]") {
    const auto which =
        GENERATE(mutant::dup_missing_on_resend, mutant::dup_set_on_first_sending,
                 mutant::publish_not_resent, mutant::qos0_sent_twice, mutant::qos1_done_when_sent,
                 mutant::queue_order_lost_on_resume, mutant::offline_messages_not_queued,
                 mutant::unsubscribe_without_effect, mutant::wildcard_matches_dollar_topics,
                 mutant::no_local_ignored, mutant::delivery_qos_not_capped,
                 mutant::overlap_delivers_lower_qos, mutant::subscription_identifier_lost,
                 mutant::retain_as_published_ignored, mutant::retained_dropped_above_qos0,
                 mutant::retained_not_replaced, mutant::retained_not_cleared,
                 mutant::retained_sent_without_flag, mutant::retain_handling_ignored,
                 mutant::will_published_after_reconnect, mutant::will_published_on_clean_disconnect,
                 mutant::will_lost_on_take_over, mutant::will_lost_when_session_ends,
                 mutant::will_not_retained, mutant::shared_sent_to_two_members,
                 mutant::shared_given_to_absent_member, mutant::shared_lost_with_its_member);
    INFO(name_of(which));
    switch_on(which);
    auto property = twin_brokers::routing_property();
    property.cases *= one_case_in();  // all of them, wherever the first is that finds something
    const auto found = find_counterexample(property);
    switch_on(mutant::none);
    CHECK(found);
}
