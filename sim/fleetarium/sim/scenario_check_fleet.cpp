#include <fleetarium/sim/scenario_check.hpp>

#include <fleetarium/broker/access_policy.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/config/quantities.hpp>
#include <fleetarium/config/value_types.hpp>
#include <fleetarium/core/limits.hpp>
#include <fleetarium/sim/arrival_fields.hpp>
#include <fleetarium/sim/behaviour_machine.hpp>
#include <fleetarium/sim/generator_check.hpp>

#include <algorithm>
#include <iterator>

namespace fleetarium::sim::detail {

using namespace config;
using namespace config::detail;

namespace {

constexpr duration keep_alive_max = std::chrono::seconds(65'535);
/// The largest of the intervals with four bytes; one more says "never".
constexpr duration interval_max = std::chrono::seconds(4'294'967'294);

/// Of a certificate (RFC 5280, appendix A.1).
constexpr std::size_t common_name_max = 64;

std::string shown(enum qos value) { return std::to_string(static_cast<int>(value)); }

}  // namespace

std::string_view scenario_checker::matching_part(std::string_view filter) {
    const auto shared = parse_shared_filter(filter);
    return shared ? shared->filter : filter;
}

bool scenario_checker::is_covered(const std::vector<std::string>& filters,
                                  std::string_view narrow) {
    return std::any_of(filters.begin(), filters.end(), [&](const std::string& filter) {
        return broker::filter_covers(matching_part(filter), narrow);
    });
}

std::span<const generator_names> scenario_checker::names_for_topics(const fleet_sample& sample) {
    return std::span(sample.generators).subspan(sample.fleet->generators.size());
}

void scenario_checker::check_fleet(fleet_sample& sample, const std::string& pointer) {
    const auto& fleet = *sample.fleet;
    check_connect(sample, pointer);
    check_version(fleet, pointer);
    if (fleet.will) {
        check_will(sample, pointer + "/will");
    }
    auto verdict = check_generators(fleet.generators, pointer + "/generators");
    std::move(verdict.problems.begin(), verdict.problems.end(), std::back_inserter(problems_));
    sample.generators = std::move(verdict.names);
    if (fleet.behaviour && !fleet.behaviour->custom) {
        for (generator_names& each : names_of(*fleet.behaviour)) {
            sample.generators.push_back(std::move(each));
        }
    }
    if (fleet.certificates && fleet.certificates->expires) {
        const std::string at = pointer + "/certificates/expires";
        const auto made = check_template(*fleet.certificates->expires, template_use::topic, at,
                                         names_for_topics(sample));
        if (made && made->is_constant() && *fleet.certificates->expires != "never" &&
            !parse_duration(*fleet.certificates->expires)) {
            report(at, quoted(*fleet.certificates->expires),
                   "a duration such as \"24h\", or \"never\"");
        }
    }
    if (fleet.online) {
        check_positive(fleet.online->up, pointer + "/online/up");
        check_positive(fleet.online->down, pointer + "/online/down");
    }
    for (std::size_t i = 0; i < fleet.subscriptions.size(); ++i) {
        check_subscription(sample, fleet.subscriptions[i],
                           pointer_to(pointer + "/subscriptions", i));
    }
    for (std::size_t i = 0; i < fleet.publications.size(); ++i) {
        check_publication(sample, fleet.publications[i], pointer_to(pointer + "/publications", i));
    }
    for (std::size_t i = 0; i < fleet.replies.size(); ++i) {
        check_reply(sample, fleet.replies[i], pointer_to(pointer + "/replies", i));
    }
    if (fleet.shadow_service) {
        check_shadow_service(sample, pointer + "/shadow_service");
    }
    if (fleet.behaviour) {
        check_behaviour(sample, pointer + "/behaviour");
    }
}

void scenario_checker::check_connect(const fleet_sample& sample, const std::string& pointer) {
    const auto& fleet = *sample.fleet;
    if (sample.client_id) {
        const auto id = example_of(*sample.client_id, sample);
        if (!id.empty() && !is_valid_string(id)) {
            report(pointer + "/client_id", quoted(id), "UTF-8 text without U+0000");
        } else if (id.size() > limits::string_size_max) {
            report(pointer + "/client_id", std::to_string(id.size()) + " bytes",
                   "at most " + std::to_string(limits::string_size_max));
        } else if (id.empty() && !fleet.clean_start && fleet.version == protocol_version::v3_1_1) {
            report(pointer + "/client_id", "an empty client id with a session to keep",
                   "a client id, or clean_start true");  // v3/MQTT-3.1.3-7
        }
        if (fleet.certificates && (id.empty() || id.size() > common_name_max)) {
            report(pointer + "/certificates",
                   id.empty() ? "certificates for an empty client id"
                              : "certificates for " + quoted(id),
                   "client ids of 1 to 64 bytes: they are the Common Names");
        }
    }
    if (fleet.user_name) {
        check_template(*fleet.user_name, template_use::client_id, pointer + "/user_name");
    }
    if (fleet.password) {
        check_template(*fleet.password, template_use::client_id, pointer + "/password");
    }
    if (fleet.password && !fleet.user_name && fleet.version == protocol_version::v3_1_1) {
        report(pointer + "/password", "a password without a user name",
               "both or neither in MQTT 3.1.1");  // v3/MQTT-3.1.2-22
    }
    check_seconds(fleet.keep_alive, keep_alive_max, pointer + "/keep_alive");
    if (fleet.session_expiry && *fleet.session_expiry != for_ever) {
        check_seconds(*fleet.session_expiry, interval_max, pointer + "/session_expiry");
    }
}

/// What only MQTT 5 has.
void scenario_checker::check_version(const fleet_spec& fleet, const std::string& pointer) {
    if (fleet.version == protocol_version::v5) {
        return;
    }
    const auto refuse = [&](bool given, const std::string& name) {
        if (given) {
            report(pointer + name, quoted(name.substr(name.rfind('/') + 1)) + " with MQTT 3.1.1",
                   "it with \"version\": \"5\" only");
        }
    };
    refuse(fleet.session_expiry.has_value(), "/session_expiry");
    refuse(fleet.receive_maximum.has_value(), "/receive_maximum");
    refuse(fleet.maximum_packet_size.has_value(), "/maximum_packet_size");
    refuse(fleet.topic_alias_maximum.has_value(), "/topic_alias_maximum");
    refuse(fleet.will && fleet.will->delay != duration::zero(), "/will/delay");
    for (std::size_t i = 0; i < fleet.publications.size(); ++i) {
        const std::string at = pointer_to("/publications", i);
        refuse(fleet.publications[i].message_expiry.has_value(), at + "/message_expiry");
        refuse(fleet.publications[i].response_topic.has_value(), at + "/response_topic");
    }
    for (std::size_t i = 0; i < fleet.subscriptions.size(); ++i) {
        const std::string at = pointer_to("/subscriptions", i);
        const auto& subscription = fleet.subscriptions[i];
        refuse(subscription.no_local, at + "/no_local");
        refuse(subscription.retain_as_published, at + "/retain_as_published");
        refuse(subscription.retain_handling != retain_handling::send, at + "/retain_handling");
        refuse(subscription.identifier.has_value(), at + "/identifier");
    }
    for (std::size_t i = 0; i < fleet.replies.size(); ++i) {
        if (!fleet.replies[i].to) {
            report(pointer_to(pointer + "/replies", i),
                   "a reply without \"to\" with MQTT 3.1.1, which has no response topics",
                   "\"to\": the topic of the reply");
        }
    }
}

void scenario_checker::check_will(const fleet_sample& sample, const std::string& pointer) {
    const auto& will = *sample.fleet->will;
    check_topic(will.topic, sample, pointer + "/topic");
    if (const auto payload =
            check_template(will.payload, template_use::topic, pointer + "/payload")) {
        const auto size = example_of(*payload, sample).size();
        if (size > limits::string_size_max) {
            report(pointer + "/payload", std::to_string(size) + " bytes",
                   "at most " + std::to_string(limits::string_size_max) + " in a will");
        }
    }
    check_seconds(will.delay, interval_max, pointer + "/delay");
    check_sparkplug_will(sample, pointer);
    check_broker_allows(sample.broker, will.qos, will.retain, pointer);
}

/// Subscriptions come first: their filters are kept for the checks of requests and replies.
void scenario_checker::check_subscription(fleet_sample& sample,
                                          const subscription_spec& subscription,
                                          const std::string& pointer) {
    const std::string at = pointer + "/filter";
    const auto filter = check_filter(subscription.filter, sample, at);
    if (subscription.identifier &&
        (*subscription.identifier == 0 || *subscription.identifier > 268'435'455)) {
        report(pointer + "/identifier", std::to_string(*subscription.identifier),
               "a whole number from 1 to 268435455");
    }
    if (subscription.until && *subscription.until <= sample.fleet->start) {
        report(pointer + "/until", duration_text(*subscription.until),
               "a time after the fleet's \"start\", " + duration_text(sample.fleet->start));
    }
    if (!filter) {
        return;
    }
    if (std::find(sample.filters.begin(), sample.filters.end(), *filter) != sample.filters.end()) {
        report(at, quoted(*filter) + " a second time",
               "each filter once: the second subscription would replace the first");
    }
    sample.filters.push_back(*filter);
    if (sample.broker == nullptr) {
        return;
    }
    const auto& options = sample.broker->options;
    const auto refuse = [&](bool asked, bool available, const std::string& where,
                            std::string_view what, std::string_view option) {
        if (asked && !available) {
            report(where, std::string(what),
                   "none: broker " + quoted(sample.broker->name) + " has " + std::string(option) +
                       " false");
        }
    };
    refuse(is_shared_filter(*filter), options.shared_subscription_available, at,
           "a shared subscription", "shared_subscription_available");
    refuse(has_wildcard(*filter), options.wildcard_subscription_available, at, "a wildcard",
           "wildcard_subscription_available");
    refuse(subscription.identifier.has_value(), options.subscription_identifier_available,
           pointer + "/identifier", "a subscription identifier",
           "subscription_identifier_available");
    // v5/MQTT-3.8.3-4
    if (subscription.no_local && is_shared_filter(*filter)) {
        report(pointer + "/no_local", "no_local for a shared subscription",
               "one or the other: MQTT does not allow both");
    }
}

void scenario_checker::check_publication(const fleet_sample& sample,
                                         const publication_spec& publication,
                                         const std::string& pointer) {
    if (publication.topic.empty() == !publication.to.has_value()) {
        report(pointer,
               publication.to ? "a publication with \"topic\" and \"to\""
                              : "a publication without \"topic\"",
               "\"topic\", or \"to\" for devices of a fleet by turns");
    } else if (publication.to) {
        check_target(sample, publication, pointer + "/to");
    } else {
        check_topic(publication.topic, sample, pointer + "/topic",
                    publication.response_topic ? std::span<const generator_names>()
                                               : names_for_topics(sample));
    }
    check_template(publication.payload, template_use::payload, pointer + "/payload",
                   sample.generators);
    check_sparkplug_publication(sample, publication, pointer);
    check_times(publication, pointer);
    check_trigger(sample, publication, pointer);
    check_request(sample, publication, pointer);
    check_broker_allows(sample.broker, publication.qos, publication.retain, pointer);
}

void scenario_checker::check_target(const fleet_sample& sample, const publication_spec& publication,
                                    const std::string& pointer) {
    const auto& to = *publication.to;
    if (find_named(scenario_.fleets, to.fleet, "fleet", pointer + "/fleet") == nullptr) {
        return;
    }
    const auto& target = *sample_of(to.fleet);
    check_topic(to.topic, target, pointer + "/topic");
    if (target.fleet->count == 0 && sample.fleet->count != 0) {
        report(pointer + "/fleet", quoted(to.fleet) + ", which has no devices",
               "a fleet with devices");
    }
    if (sample.broker != nullptr && target.broker != nullptr && sample.broker != target.broker) {
        report(pointer + "/fleet", quoted(to.fleet) + " at broker " + quoted(target.broker->name),
               "a fleet at broker " + quoted(sample.broker->name));
    }
    if (publication.response_topic && target.fleet->version == protocol_version::v3_1_1) {
        report(pointer + "/fleet", quoted(to.fleet) + ", which uses MQTT 3.1.1",
               "a fleet of version 5: only there requests carry what replies are known by");
    }
}

void scenario_checker::check_times(const publication_spec& publication,
                                   const std::string& pointer) {
    if (!publication.arrival && !publication.on && publication.period.mean() <= 0) {
        report(pointer + "/period", "a publication without \"period\"",
               "\"period\", a duration above 0, \"arrival\" or \"on\"");
    }
    auto wrong = check_arrival(publication, pointer);
    std::move(wrong.begin(), wrong.end(), std::back_inserter(problems_));
    const duration mean{static_cast<duration::rep>(publication.period.mean())};
    if (publication.jitter > mean && mean > duration::zero()) {
        report(pointer + "/jitter", duration_text(publication.jitter),
               "at most the period, " + duration_text(mean));
    }
    if (publication.until && *publication.until <= publication.start) {
        report(pointer + "/until", duration_text(*publication.until),
               "a time after \"start\", " + duration_text(publication.start));
    }
    if (publication.message_expiry) {
        check_seconds(*publication.message_expiry, interval_max, pointer + "/message_expiry");
    }
    if (publication.reply_timeout <= duration::zero()) {
        report(pointer + "/reply_timeout", "no time at all", "a duration above 0");
    }
}

void scenario_checker::check_request(const fleet_sample& sample,
                                     const publication_spec& publication,
                                     const std::string& pointer) {
    if (!publication.response_topic) {
        return;
    }
    const std::string at = pointer + "/response_topic";
    const auto topic = check_topic(*publication.response_topic, sample, at);
    if (topic && !is_covered(sample.filters, *topic)) {
        report(at, quoted(*topic) + ", to which the fleet does not subscribe",
               "a topic that one of its subscriptions matches");
    }
}

void scenario_checker::check_reply(const fleet_sample& sample, const reply_spec& reply,
                                   const std::string& pointer) {
    const std::string at = pointer + "/on";
    const auto filter = check_filter(reply.on, sample, at);
    if (filter && is_shared_filter(*filter)) {
        report(at, quoted(*filter), "the filter without $share/NAME/");
    } else if (filter && !is_covered(sample.filters, *filter)) {
        report(at, quoted(*filter) + ", to which the fleet does not subscribe",
               "a filter that one of its subscriptions covers");
    }
    if (reply.to) {
        check_topic(*reply.to, sample, pointer + "/to");
    }
    check_template(reply.payload, template_use::reply, pointer + "/payload", sample.generators);
    check_broker_allows(sample.broker, reply.qos, reply.retain, pointer);
}

void scenario_checker::check_broker_allows(const broker_spec* broker, enum qos qos, bool retain,
                                           const std::string& pointer) {
    if (broker == nullptr) {
        return;
    }
    if (qos > broker->options.maximum_qos) {
        report(pointer + "/qos", shown(qos),
               "at most " + shown(broker->options.maximum_qos) + ", the maximum_qos of broker " +
                   quoted(broker->name));
    }
    if (retain && !broker->options.retain_available) {
        report(pointer + "/retain", "true",
               "false: broker " + quoted(broker->name) + " has retain_available false");
    }
}

void scenario_checker::check_seconds(duration value, duration max, const std::string& pointer) {
    if (value > max || value < duration::zero() ||
        value % std::chrono::seconds(1) != duration::zero()) {
        report(pointer, duration_text(value), "whole seconds up to " + duration_text(max));
    }
}

void scenario_checker::check_positive(const distribution& drawn, const std::string& pointer) {
    if (drawn.mean() <= 0) {
        report(pointer, "no time at all", "a duration above 0");
    }
}

}  // namespace fleetarium::sim::detail
