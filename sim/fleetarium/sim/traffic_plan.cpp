#include <fleetarium/sim/traffic_plan.hpp>

#include <fleetarium/broker/topic_tree.hpp>
#include <fleetarium/codec/topic.hpp>
#include <fleetarium/sim/arrival.hpp>
#include <fleetarium/sim/behaviour_machine.hpp>
#include <fleetarium/sim/generator_set.hpp>
#include <fleetarium/sim/text_template.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

namespace fleetarium::sim {

namespace {

constexpr std::uint32_t devices_looked_at = 200;
constexpr std::uint32_t payloads_rendered = 24;
constexpr std::int64_t stretches = 500;
/// A device at rest with its session; `fleetarium bench memory` measures it.
constexpr std::uint64_t bytes_of_device = 1'024;

/// A device of the whole scenario.
struct device_place {
    std::uint32_t fleet;
    std::uint32_t index;
};

double packets_of(enum qos level) {
    return level == qos::at_most_once ? 1 : level == qos::at_least_once ? 2 : 4;
}

std::uint32_t index_of_sample(std::uint32_t which, std::uint32_t looked_at, std::uint32_t count) {
    return static_cast<std::uint32_t>(std::uint64_t{which} * count / looked_at);
}

class planner {
public:
    explicit planner(const scenario& what) : scenario_(what) {
        out_.scenario = what.name;
        out_.run = what.duration;
        stretch_ = std::max<duration>(std::chrono::seconds{1}, what.duration / stretches);
        per_stretch_.resize(static_cast<std::size_t>(what.duration / stretch_) + 1);
    }

    traffic_plan run() {
        plan_connects();
        for (const fleet_spec& each : scenario_.fleets) {
            client_ids_.emplace_back(each.client_id, template_use::client_id);
        }
        for (std::uint32_t i = 0; i < scenario_.fleets.size(); ++i) {
            first_.push_back(static_cast<std::uint32_t>(out_.devices));
            out_.devices += scenario_.fleets[i].count;
            subscribe(i);
        }
        for (std::uint32_t i = 0; i < scenario_.fleets.size(); ++i) {
            for (const publication_spec& each : scenario_.fleets[i].publications) {
                plan_publication(i, each);
            }
        }
        for (const planned_messages& each : out_.rows) {
            out_.messages += each.messages;
            out_.deliveries += each.deliveries;
            out_.packets += each.packets;
            out_.payload_bytes += (each.messages + each.deliveries) * each.payload_bytes;
        }
        const double busiest = *std::max_element(per_stretch_.begin(), per_stretch_.end());
        out_.messages_per_second_max = busiest / seconds_of(stretch_) + at_one_instant_;
        out_.memory_bytes = out_.devices * bytes_of_device;
        return std::move(out_);
    }

private:
    /// What a topic's messages come to, added up over several topics.
    struct reach {
        double topics = 0;
        double deliveries = 0;
        double packets = 0;                                                 // from the broker
        std::map<std::pair<std::uint32_t, std::size_t>, double> replies{};  // by fleet and reply
        double reply_deliveries = 0;
    };

    static double seconds_of(duration value) {
        return std::chrono::duration<double>(value).count();
    }

    void plan_connects() {
        for (const fleet_spec& each : scenario_.fleets) {
            out_.connected_after = std::max(out_.connected_after, each.start + each.ramp_up);
            const double seconds = std::max(1.0, seconds_of(each.ramp_up));
            out_.connects_per_second_max =
                std::max(out_.connects_per_second_max, each.count / seconds);
        }
    }

    const std::string& broker_of(const fleet_spec& fleet) const {
        static const std::string standard = broker_spec{}.name;
        return !fleet.broker.empty()       ? fleet.broker
               : scenario_.brokers.empty() ? standard
                                           : scenario_.brokers.front().name;
    }

    broker::topic_tree& tree_of(const fleet_spec& fleet) {
        auto& found = trees_[broker_of(fleet)];
        if (found == nullptr) {
            found = std::make_unique<broker::topic_tree>();
        }
        return *found;
    }

    /// What topics of a fleet may name: the variables of its behaviour.
    std::vector<generator_names> names_for_topics(std::uint32_t fleet) const {
        const auto& behaviour = scenario_.fleets[fleet].behaviour;
        return behaviour ? detail::names_of(*behaviour) : std::vector<generator_names>();
    }

    /// The value that a behaviour's name has at the beginning; `which` is its place in names_of.
    generator_value first_value(std::uint32_t fleet, std::size_t which) const {
        const behaviour_spec& behaviour = *scenario_.fleets[fleet].behaviour;
        const std::size_t own = detail::names_of(behaviour).size() - behaviour.variables.size();
        generator_value out{.form = field_form::name};
        if (which >= own) {
            out.text = behaviour.variables[which - own].value.text;
            out.bare = behaviour.variables[which - own].value.bare;
        }
        return out;
    }

    text_template topic_template(const std::string& text, std::uint32_t fleet) const {
        return text_template(text, template_use::topic, names_for_topics(fleet));
    }

    std::string render(const text_template& what, std::uint32_t fleet, std::uint32_t index) const {
        std::string id;
        client_ids_[fleet].render({.fleet = scenario_.fleets[fleet].name, .index = index}, id);
        std::vector<generator_value> values;
        for (const generator_use& each : what.generator_uses()) {
            values.push_back(first_value(fleet, each.generator));
        }
        std::string text;
        what.render({.fleet = scenario_.fleets[fleet].name,
                     .index = index,
                     .client_id = id,
                     .generated = values},
                    text);
        return text;
    }

    void subscribe(std::uint32_t which) {
        const fleet_spec& fleet = scenario_.fleets[which];
        broker::topic_tree& tree = tree_of(fleet);
        for (const subscription_spec& each : fleet.subscriptions) {
            const text_template filter = topic_template(each.filter, which);
            for (std::uint32_t index = 0; index < fleet.count; ++index) {
                const std::string text = render(filter, which, index);
                broker::subscription added;
                added.session = first_[which] + index;
                added.options.qos = each.qos;
                added.options.no_local = each.no_local;
                if (const auto shared = parse_shared_filter(text)) {
                    tree.insert_shared(shared->share_name, shared->filter, added);
                } else {
                    tree.insert(text, added);
                }
                ++out_.subscriptions;
            }
        }
    }

    device_place place_of(std::uint32_t session) const {
        const auto behind = std::upper_bound(first_.begin(), first_.end(), session);
        const auto fleet = static_cast<std::uint32_t>(behind - first_.begin() - 1);
        return {fleet, session - first_[fleet]};
    }

    /// Who gets a message, each once, and at which QoS; of a shared subscription the next in turn.
    std::map<std::uint32_t, enum qos> receivers_of(const fleet_spec& by, const std::string& topic,
                                                   enum qos level, std::uint32_t publisher) {
        std::map<std::uint32_t, enum qos> found;
        const auto add = [&](const broker::subscription& each) {
            if (!each.options.no_local || each.session != publisher) {
                enum qos& known = found.try_emplace(each.session, qos::at_most_once).first->second;
                known = std::max(known, std::min(level, each.options.qos));
            }
        };
        tree_of(by).match(topic, matches_);
        for (const auto& each : matches_.plain) {
            std::for_each(each.begin(), each.end(), add);
        }
        for (broker::shared_group* const each : matches_.shared) {
            const auto members = each->members();
            add(members[shared_turn_++ % members.size()]);
        }
        return found;
    }

    void look_at(const fleet_spec& by, const std::string& topic, const publication_spec& what,
                 std::uint32_t publisher, const std::optional<std::string>& response_topic,
                 reach& sum) {
        sum.topics += 1;
        for (const auto& [session, level] : receivers_of(by, topic, what.qos, publisher)) {
            sum.deliveries += 1;
            sum.packets += packets_of(level);
            const device_place at = place_of(session);
            const fleet_spec& fleet = scenario_.fleets[at.fleet];
            for (std::size_t i = 0; i < fleet.replies.size(); ++i) {
                const reply_spec& reply = fleet.replies[i];
                const text_template on = topic_template(reply.on, at.fleet);
                if ((reply.to || response_topic) &&
                    topic_matches(render(on, at.fleet, at.index), topic)) {
                    sum.replies[{at.fleet, i}] += 1;
                }
            }
        }
    }

    void plan_publication(std::uint32_t which, const publication_spec& what) {
        const fleet_spec& fleet = scenario_.fleets[which];
        planned_messages row;
        row.fleet = fleet.name;
        row.topic = what.to ? what.to->topic : what.topic;
        row.qos = what.qos;
        row.devices = fleet.count;
        row.messages = expected_messages(what, scenario_.duration) * fleet.count;
        row.per_second_max = spread_over_time(what, fleet.count);
        row.payload_bytes = payload_size(which, what.payload);

        std::uint32_t target = which;
        for (std::uint32_t i = 0; what.to && i < scenario_.fleets.size(); ++i) {
            target = scenario_.fleets[i].name == what.to->fleet ? i : target;
        }
        const text_template topic = topic_template(row.topic, target);
        const std::uint32_t topics = scenario_.fleets[target].count;
        const std::uint32_t looked_at = std::min(topics, devices_looked_at);
        std::optional<text_template> response;
        if (what.response_topic) {
            response = topic_template(*what.response_topic, which);
        }
        reach sum;
        for (std::uint32_t i = 0; i < looked_at && fleet.count != 0; ++i) {
            const std::uint32_t index = index_of_sample(i, looked_at, topics);
            // With a target, any of the fleet may be the one that speaks.
            const std::uint32_t speaker = what.to ? i % fleet.count : index;
            look_at(fleet, render(topic, target, index), what, first_[which] + speaker,
                    response ? std::optional(render(*response, which, speaker)) : std::nullopt,
                    sum);
        }
        if (sum.topics > 0) {
            row.fan_out = sum.deliveries / sum.topics;
            row.packets = row.messages * (packets_of(what.qos) + sum.packets / sum.topics);
        }
        row.deliveries = row.messages * row.fan_out;
        const double messages = row.messages;
        const double busiest = row.per_second_max;
        out_.rows.push_back(std::move(row));
        for (const auto& [reply, count] : sum.replies) {
            plan_replies(which, what, reply.first, reply.second, messages * count / sum.topics,
                         busiest * count / sum.topics);
        }
    }

    void plan_replies(std::uint32_t asking, const publication_spec& what, std::uint32_t answering,
                      std::size_t which, double messages, double busiest) {
        const fleet_spec& fleet = scenario_.fleets[answering];
        const reply_spec& reply = fleet.replies[which];
        planned_messages row;
        row.fleet = fleet.name;
        row.topic = "replies to " + reply.on;
        row.qos = reply.qos;
        row.devices = fleet.count;
        row.messages = messages;
        row.per_second_max = busiest;
        row.payload_bytes = payload_size(answering, reply.payload);
        // The topic is of the one that answers, or else of the one that asked.
        const std::uint32_t of = reply.to ? answering : asking;
        const text_template topic =
            topic_template(reply.to ? *reply.to : *what.response_topic, of);
        const std::uint32_t topics = scenario_.fleets[of].count;
        const std::uint32_t looked_at = std::min(topics, devices_looked_at);
        double deliveries = 0;
        double packets = 0;
        for (std::uint32_t i = 0; i < looked_at; ++i) {
            const std::uint32_t index = index_of_sample(i, looked_at, topics);
            const std::uint32_t speaker = reply.to ? index : i % std::max(fleet.count, 1U);
            for (const auto& [session, level] : receivers_of(
                     fleet, render(topic, of, index), reply.qos, first_[answering] + speaker)) {
                deliveries += 1;
                packets += packets_of(level);
            }
        }
        if (looked_at != 0) {
            row.fan_out = deliveries / looked_at;
            row.packets = messages * (packets_of(reply.qos) + packets / looked_at);
        }
        row.deliveries = messages * row.fan_out;
        at_one_instant_ += busiest;  // they may all come as quickly as they were asked for
        out_.rows.push_back(std::move(row));
    }

    /// Adds the messages to the stretches of the run, and gives those a second in the busiest.
    double spread_over_time(const publication_spec& what, std::uint32_t devices) {
        double before = 0;
        double most = 0;
        for (std::size_t i = 0; i < per_stretch_.size(); ++i) {
            const duration end =
                std::min(scenario_.duration, stretch_ * static_cast<std::int64_t>(i + 1));
            const double now = expected_messages(what, end);
            per_stretch_[i] += (now - before) * devices;
            most = std::max(most, (now - before) * devices);
            before = now;
        }
        const double per_second = most / seconds_of(stretch_);
        // With a phase of their own all devices speak at one instant, or within the jitter.
        const double together =
            what.phase && most > 0 ? devices / std::max(1.0, seconds_of(what.jitter)) : 0;
        if (together > per_second) {
            at_one_instant_ += together - per_second;
        }
        return std::max(per_second, together);
    }

    /// The mean over some devices and messages.
    double payload_size(std::uint32_t which, const std::string& payload) const {
        const fleet_spec& fleet = scenario_.fleets[which];
        if (fleet.count == 0) {
            return 0;
        }
        detail::generator_set generators(fleet.generators);
        std::vector<generator_names> names(generators.names().begin(), generators.names().end());
        const std::size_t own = names.size();
        if (fleet.behaviour) {
            const auto more = detail::names_of(*fleet.behaviour);
            names.insert(names.end(), more.begin(), more.end());
        }
        const text_template what(payload, template_use::reply, names);
        std::vector<generator_use> generated;
        for (const generator_use& each : what.generator_uses()) {
            if (each.generator < own) {
                generated.push_back(each);
            }
        }
        const auto wanted = generators.plan_for(generated);
        std::vector<std::uint32_t> walks(what.walk_count());
        std::vector<double> state(generators.state_size());
        std::uint64_t bytes = 0;
        std::uint32_t rendered = 0;
        for (std::uint32_t i = 0; i < payloads_rendered; ++i) {
            const std::uint32_t index = index_of_sample(i, payloads_rendered, fleet.count);
            const instant now = instant{} + scenario_.duration / payloads_rendered * i;
            const random_key key = make_random_key(scenario_.seed, index, "plan");
            std::string id;
            client_ids_[which].render({.fleet = fleet.name, .index = index}, id);
            std::fill(walks.begin(), walks.end(), 0U);
            std::fill(state.begin(), state.end(), 0.0);
            const auto values =
                generators.evaluate(wanted, {now, instant{}, key, i}, std::span(state));
            if (values.size() < wanted.uses.size()) {
                continue;  // a message that is not sent
            }
            std::vector<generator_value> all;
            auto next = values.begin();
            for (const generator_use& each : what.generator_uses()) {
                all.push_back(each.generator < own ? *next++
                                                   : first_value(which, each.generator - own));
            }
            std::string text;
            what.render({.fleet = fleet.name,
                         .index = index,
                         .client_id = id,
                         .sequence = std::uint64_t{i} + 1,
                         .now = now,
                         .random = key,
                         .walks = walks,
                         .generated = all},
                        text);
            bytes += text.size();
            ++rendered;
        }
        return rendered == 0 ? 0 : static_cast<double>(bytes) / rendered;
    }

    const scenario& scenario_;
    traffic_plan out_;
    duration stretch_{};
    std::vector<double> per_stretch_;  // messages of publications
    double at_one_instant_ = 0;
    std::vector<text_template> client_ids_;
    std::vector<std::uint32_t> first_;  // number of each fleet's first device
    std::map<std::string, std::unique_ptr<broker::topic_tree>> trees_;
    broker::match_result matches_;
    std::size_t shared_turn_ = 0;
};

}  // namespace

traffic_plan plan_traffic(const scenario& what) { return planner(what).run(); }

}  // namespace fleetarium::sim
