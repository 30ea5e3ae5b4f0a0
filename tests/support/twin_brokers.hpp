#pragma once

#include "support/broker_bench.hpp"
#include "support/property.hpp"
#include "support/routing_model.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// A whole broker among a few clients, against the model of who has to receive what.
namespace fleetarium::test {

/// The broker and the model through the same steps.
class twin_brokers {
public:
    enum kind : std::size_t {
        connect,
        subscribe,
        subscribe_again,
        unsubscribe,
        publish,
        cut,
        leave,
        time_passes,
    };

    static std::string run(property_steps steps) {
        twin_brokers both(options_of(steps.empty() ? property_step{} : steps.front()));
        for (const property_step& step : steps) {
            std::string problem = both.take(step);
            for (std::size_t who = 0; problem.empty() && who < routing_model::clients; ++who) {
                problem = both.compare(who);
            }
            if (!problem.empty()) {
                return problem;
            }
        }
        return {};
    }

    static property routing_property() {
        return {.name = "routing",
                .kinds = {{"connect", 5},
                          {"subscribe", 6},
                          {"subscribe again", 2},
                          {"unsubscribe", 2},
                          {"publish", 14},
                          {"cut", 3},
                          {"leave", 1},
                          {"time passes", 1}},
                .cases = 400,
                .steps_max = 400,
                .broken_by = run,
                .describe = describe};
    }

private:
    static constexpr std::size_t clients = routing_model::clients;
    static constexpr std::uint32_t queue_few = 3;

    explicit twin_brokers(const broker::broker_options& options)
        : bench_(options), model_(options) {}

    // What the numbers of a step mean

    static broker::broker_options options_of(const property_step& first) {
        broker::broker_options options;
        if (first.c % 3 == 1) {
            options.overlapping_subscriptions =
                broker::overlapping_subscriptions::copy_per_subscription;
        }
        options.queue_qos_0_offline = first.c % 4 == 1;
        // Which of several copies of a message finds no room any more is not said.
        const bool copies = options.overlapping_subscriptions ==
                            broker::overlapping_subscriptions::copy_per_subscription;
        if (first.c % 5 == 1 && !copies) {
            options.queue_messages_max = queue_few;
            options.queue_policy = first.c % 2 == 0 ? broker::queue_policy::drop_new
                                                    : broker::queue_policy::drop_oldest;
        }
        return options;
    }
    static std::size_t who_of(const property_step& step) { return step.a % clients; }
    static protocol_version version_of(const property_step& step) {
        return step.a / clients % 3 == 0 ? protocol_version::v3_1_1 : protocol_version::v5;
    }
    static bool is_clean(const property_step& step) { return step.b % 4 == 1; }
    static std::uint32_t expiry_of(const property_step& step) {
        constexpr std::uint32_t choice[] = {routing_model::expiry_never, 0, 10, 30};
        return version_of(step) == protocol_version::v5 ? choice[step.b / 4 % 4]
               : is_clean(step)                         ? 0
                                                        : routing_model::expiry_never;
    }
    static bool is_lazy(const property_step& step) { return step.b / 16 % 4 == 1; }
    static bool has_will(const property_step& step) { return step.b / 64 % 3 == 1; }
    static std::uint32_t will_delay_of(const property_step& step) {
        return version_of(step) == protocol_version::v5 && step.b / 192 % 2 == 1 ? 6 : 0;
    }
    // Some filters and topics are rare, some meet all the time: shared groups want members.
    static std::string filter_of(const property_step& step) {
        constexpr std::string_view groups[] = {"$share/g/a", "$share/g/#", "$share/h/#",
                                               "$share/g/a/+", "$share/h/+"};
        return step.b / 512 % 3 == 1 ? std::string(groups[step.b % 5])
                                     : topic_filter_of(step.b % 512);
    }
    static std::string topic_of(std::uint32_t number) {
        constexpr std::string_view few[] = {"a", "b", "a/b", "$x"};
        return number / 256 % 3 == 1 ? std::string(few[number % 4]) : topic_name_of(number % 256);
    }
    static subscription_options subscription_of(const property_step& step, protocol_version version,
                                                bool shared) {
        subscription_options options;
        options.qos = static_cast<enum qos>(step.c % 3);
        if (version == protocol_version::v5) {
            options.no_local = !shared && step.c / 3 % 4 == 1;  // v5/MQTT-3.8.3-4
            options.retain_as_published = step.c / 12 % 2 == 1;
            options.retain_handling = static_cast<enum retain_handling>(step.c / 24 % 3);
        }
        return options;
    }
    static std::uint32_t identifier_of(const property_step& step, protocol_version version) {
        return version == protocol_version::v5 ? step.c / 72 % 8 : 0;
    }
    static routing_model::posting posting_of(const property_step& step, std::uint64_t number,
                                             std::size_t publisher) {
        return {step.c % 16 == 15 ? 0 : number, topic_of(step.b), static_cast<enum qos>(step.c % 3),
                step.c / 16 % 3 == 1, publisher};
    }

    static std::string describe(const property_step& step) {
        const std::string who = "c" + std::to_string(who_of(step));
        const auto posted = [&](const routing_model::posting& what) {
            return what.topic + (what.number == 0 ? " empty" : "") + " q" +
                   std::to_string(static_cast<int>(what.qos)) + (what.retain ? " retain" : "");
        };
        switch (step.kind) {
            case connect:
                return "connect " + who +
                       (version_of(step) == protocol_version::v5 ? " 5.0" : " 3.1.1") +
                       (is_clean(step) ? " clean" : "") + " expiry " +
                       std::to_string(expiry_of(step)) + (is_lazy(step) ? " lazy" : "") +
                       (has_will(step) ? " will " + posted(posting_of(will_step(step), 1, 0)) +
                                             " after " + std::to_string(will_delay_of(step)) + " s"
                                       : "") +
                       " (options " + std::to_string(step.c % 60) + ")";
            case subscribe: {
                const auto options = subscription_of(step, protocol_version::v5, false);
                return "subscribe " + who + " " + filter_of(step) + " q" +
                       std::to_string(static_cast<int>(options.qos)) +
                       (options.no_local ? " no_local" : "") +
                       (options.retain_as_published ? " as_published" : "") + " retain_handling " +
                       std::to_string(static_cast<int>(options.retain_handling)) + " id " +
                       std::to_string(identifier_of(step, protocol_version::v5));
            }
            case publish: return "publish " + who + " " + posted(posting_of(step, 1, 0));
            case cut: return "cut " + who;
            case leave: return "leave " + who;
            case time_passes: return "time passes: " + std::to_string(step.a % 4 * 4) + " s";
            default:
                return (step.kind == unsubscribe ? "unsubscribe " : "subscribe again ") + who +
                       " " + std::to_string(step.b);
        }
    }
    static property_step will_step(const property_step& step) {
        return {publish, step.a, step.c, step.b / 384};
    }

    // Steps

    std::string take(const property_step& step) {
        const std::size_t who = who_of(step);
        if (step.kind == connect) {
            return connect_client(step, who);
        }
        if (step.kind == time_passes) {
            const auto by = std::chrono::seconds(step.a % 4 * 4);
            std::array<broker::session_index, clients> order{};
            for (std::size_t i = 0; i < clients; ++i) {
                const auto known = bench_.core().find_session(id_of(i));
                order[i] = known ? known->index : 0;
            }
            model_.advance(by, [&](std::size_t i) { return order[i]; });
            bench_.advance(by);
            return {};
        }
        if (!model_.is_connected(who)) {
            return {};
        }
        peer& by = *peers_[who];
        switch (step.kind) {
            case subscribe: return subscribe_client(step, who, filter_of(step));
            case subscribe_again: {
                const std::string filter = model_.some_filter(who, step.b);
                return filter.empty() ? filter : subscribe_client(step, who, filter);
            }
            case unsubscribe: {
                const std::string filter = model_.some_filter(who, step.b);
                return filter.empty() || is_unsettled(who, filter)
                           ? std::string()
                           : unsubscribe_client(who, filter);
            }
            case publish: return publish_by(step, who);
            case cut:
                model_.disconnect(who, true);
                by.cut();
                return {};
            default:
                model_.disconnect(who, false);
                by.send(fleetarium::disconnect{});
                return by.closed() ? "" : "DISCONNECT did not end the connection";
        }
    }

    /// To which group a message belongs that a member holds while it joins and leaves groups is not
    /// said anywhere.
    bool is_unsettled(std::size_t who, const std::string& filter) const {
        return filter.starts_with("$share/") && model_.holds_shared(who);
    }

    static std::string id_of(std::size_t who) { return "c" + std::to_string(who); }

    std::string connect_client(const property_step& step, std::size_t who) {
        const protocol_version version = version_of(step);
        connect_with how;
        how.client_id = id_of(who);
        how.version = version;
        how.clean_start = is_clean(step);
        if (version == protocol_version::v5) {
            how.session_expiry = expiry_of(step);
        }
        std::optional<routing_model::will> will;
        std::string payload;
        if (has_will(step)) {
            const auto what = posting_of(will_step(step), ++number_, who);
            const std::uint32_t delay = will_delay_of(step);
            will = {what, std::chrono::seconds(delay)};
            payload = what.number == 0 ? "" : std::to_string(what.number);
            how.will.emplace();
            how.will->topic = will->what.topic;
            how.will->payload = as_bytes_view(payload);
            how.will->qos = what.qos;
            how.will->retain = what.retain;
            if (delay != 0) {
                how.will->delay_interval = delay;
            }
        }
        peer* const before = peers_[who];
        const bool taken_over = model_.is_connected(who);
        peers_[who] = &bench_.connect(how);
        if (taken_over && !before->closed()) {
            return "the older connection of " + how.client_id + " was not ended";
        }
        lazy_[who] = is_lazy(step);
        const auto answer = peers_[who]->take_as<connack>();
        const bool present =
            model_.connect(who, version, how.clean_start, expiry_of(step), lazy_[who], will);
        if (answer.code != reason_code::success) {
            return how.client_id + " was refused";
        }
        return answer.session_present == present
                   ? ""
                   : "session present is " + std::to_string(answer.session_present);
    }

    std::string subscribe_client(const property_step& step, std::size_t who,
                                 const std::string& filter) {
        peer& by = *peers_[who];
        const bool shared = filter.starts_with("$share/");
        const bool several = shared && model_.shared_filters(who, filter) != 0;
        if (is_unsettled(who, filter) ||
            (several && bench_.core().options().queue_messages_max == queue_few)) {
            return {};
        }
        const auto options = subscription_of(step, by.version(), shared);
        const std::uint32_t identifier = identifier_of(step, by.version());
        const subscription_request one{filter, options};
        fleetarium::subscribe request;
        request.packet_id = ++packet_id_;
        request.requests = subscription_requests({&one, 1});
        if (identifier != 0) {
            request.subscription_identifier = identifier;
        }
        by.send(request);
        const auto answer = by.take_as<suback>();
        model_.subscribe(who, filter, options, identifier);
        return answer.codes.size() == 1 && answer.codes[0] == static_cast<reason_code>(options.qos)
                   ? ""
                   : "another SUBACK";
    }

    std::string unsubscribe_client(std::size_t who, const std::string& filter) {
        peer& by = *peers_[who];
        const std::string_view one = filter;
        fleetarium::unsubscribe request;
        request.packet_id = ++packet_id_;
        request.filters = topic_filters({&one, 1});
        by.send(request);
        by.take_as<unsuback>();
        return model_.unsubscribe(who, filter) ? "" : "nobody had subscribed";
    }

    std::string publish_by(const property_step& step, std::size_t who) {
        peer& by = *peers_[who];
        const auto what = posting_of(step, ++number_, who);
        const std::string payload = what.number == 0 ? "" : std::to_string(what.number);
        fleetarium::publish message;
        message.topic = what.topic;
        message.payload = as_bytes_view(payload);
        message.qos = what.qos;
        message.packet_id = what.qos == qos::at_most_once ? std::uint16_t{0} : ++packet_id_;
        message.retain = what.retain;
        answers_.clear();
        by.send(message);
        read(who);  // deliveries to itself may come before the acknowledgement
        const std::size_t given = model_.publish(what);
        const bool v5 = by.version() == protocol_version::v5;
        const reason_code wanted =
            v5 && given == 0 ? reason_code::no_matching_subscribers : reason_code::success;
        if (what.qos == qos::at_most_once) {
            return answers_.empty() ? "" : "QoS 0 was acknowledged";
        }
        if (answers_ != std::vector{wanted}) {
            return "the publisher's answer is not the one wanted: given to " +
                   std::to_string(given);
        }
        return {};
    }

    /// Takes what a client has received, and acknowledges it, unless the client is lazy.
    void read(std::size_t who) {
        peer& by = *peers_[who];
        while (const auto next = by.take()) {
            switch (next->type) {
                case packet_type::publish: {
                    const auto in = by.current_as<fleetarium::publish>();
                    routed_publish made{
                        in.payload.empty() ? 0 : std::stoull(std::string(as_text(in.payload))),
                        std::string(in.topic),
                        in.qos,
                        in.retain,
                        in.dup,
                        {}};
                    in.subscription_identifiers.for_each(
                        [&](std::uint32_t identifier) { made.identifiers.insert(identifier); });
                    if (in.topic.empty()) {
                        made.topic = "(no topic)";
                    }
                    received_[who].push_back(made);
                    if (!lazy_[who] && in.qos == qos::at_least_once) {
                        by.send(puback{in.packet_id});
                    } else if (!lazy_[who] && in.qos == qos::exactly_once) {
                        by.send(pubrec{in.packet_id});
                    }
                    break;
                }
                case packet_type::puback: answers_.push_back(by.current_as<puback>().code); break;
                case packet_type::pubrec: {
                    const auto in = by.current_as<pubrec>();
                    answers_.push_back(in.code);
                    by.send(pubrel{in.packet_id});
                    break;
                }
                case packet_type::pubrel:
                    by.send(pubcomp{by.current_as<pubrel>().packet_id});
                    break;
                default: break;
            }
        }
    }

    /// Copies of one message to one client may come in any order.
    static std::vector<routed_publish> in_order(std::vector<routed_publish> all) {
        // And so may the retained messages of a new subscription, now and when they are resent.
        std::erase_if(all, [](const routed_publish& one) { return one.retain; });
        for (auto first = all.begin(); first != all.end();) {
            const auto end = std::find_if(first, all.end(), [&](const routed_publish& one) {
                return one.number != first->number;
            });
            std::sort(first, end);
            first = end;
        }
        return all;
    }
    static std::vector<routed_publish> sorted(std::vector<routed_publish> all) {
        std::sort(all.begin(), all.end());
        return all;
    }

    std::string compare(std::size_t who) {
        if (peers_[who] != nullptr) {
            read(who);
        }
        const std::vector<routed_publish> found = std::exchange(received_[who], {});
        const std::vector<routed_publish> wanted = model_.take(who);
        if (sorted(found) != sorted(wanted) || in_order(found) != in_order(wanted)) {
            const auto text = [](const std::vector<routed_publish>& all) {
                std::string out;
                for (const routed_publish& each : all) {
                    out += (out.empty() ? "" : ", ") + each.text();
                }
                return out.empty() ? "nothing" : out;
            };
            return id_of(who) + " should receive " + text(wanted) + "; it received " + text(found);
        }
        const auto known = bench_.core().find_session(id_of(who));
        if (known.has_value() != model_.is_kept(who)) {
            return "the session of " + id_of(who) + (known ? " is kept" : " is gone");
        }
        return {};
    }

    broker_bench bench_;
    routing_model model_;
    std::array<peer*, clients> peers_{};
    std::array<bool, clients> lazy_{};
    std::array<std::vector<routed_publish>, clients> received_{};
    std::vector<reason_code> answers_;
    std::uint64_t number_ = 0;
    std::uint16_t packet_id_ = 0;
};

}  // namespace fleetarium::test
