#pragma once

#include <fleetarium/config/problem.hpp>
#include <fleetarium/sim/scenario.hpp>
#include <fleetarium/sim/text_template.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fleetarium::sim::detail {

/// Checks a scenario as a whole; the work behind check_scenario. What the type of a member
/// already excludes is not looked at.
class scenario_checker {
public:
    explicit scenario_checker(const scenario& checked) : scenario_(checked) {}

    std::vector<config::problem> run();

private:
    /// A fleet with what its templates say, as far as they are valid.
    struct fleet_sample {
        const fleet_spec* fleet = nullptr;
        const broker_spec* broker = nullptr;     ///< none: not known
        std::optional<text_template> client_id{};
        std::vector<std::string> filters{};      ///< of the first device's subscriptions
        std::vector<generator_names> generators{};
    };

    void report(std::string pointer, std::string found, std::string expected,
                std::string suggestion = {});

    template <class Named>
    void check_names(const std::string& pointer, const std::vector<Named>& list);
    template <class Named>
    const Named* find_named(const std::vector<Named>& list, const std::string& name,
                            std::string_view noun, const std::string& pointer);

    void check_broker(const broker_spec& broker, const std::string& pointer);
    void check_network(const network_spec& network, const std::string& pointer);
    void check_client_ids();

    // In scenario_check_expectation.cpp.
    void check_expectation(const expectation_spec& expected, const std::string& pointer);
    void check_sampling(const expectation_spec& expected, const std::string& pointer);
    void check_healing(duration needed, const std::string& pointer);

    // In scenario_check_fault.cpp.
    void check_fault(const fault_spec& fault, const std::string& pointer);
    void check_fault_times(const fault_spec& fault, const std::string& pointer);
    void check_fault_place(const fault_spec& fault, const std::string& pointer);
    void check_fault_cohort(const fault_spec& fault, const fleet_spec* fleet,
                            const std::string& pointer);
    void check_fault_parameters(const fault_spec& fault, const std::string& pointer);

    // In scenario_check_fleet.cpp.
    void check_fleet(fleet_sample& sample, const std::string& pointer);
    void check_connect(const fleet_sample& sample, const std::string& pointer);
    void check_will(const fleet_sample& sample, const std::string& pointer);
    void check_version(const fleet_spec& fleet, const std::string& pointer);
    void check_publication(const fleet_sample& sample, const publication_spec& publication,
                           const std::string& pointer);
    void check_times(const publication_spec& publication, const std::string& pointer);
    void check_target(const fleet_sample& sample, const publication_spec& publication,
                      const std::string& pointer);
    void check_request(const fleet_sample& sample, const publication_spec& publication,
                       const std::string& pointer);
    void check_subscription(fleet_sample& sample, const subscription_spec& subscription,
                            const std::string& pointer);
    void check_reply(const fleet_sample& sample, const reply_spec& reply,
                     const std::string& pointer);
    void check_broker_allows(const broker_spec* broker, enum qos qos, bool retain,
                             const std::string& pointer);

    // In scenario_check_preset.cpp.
    void check_trigger(const fleet_sample& sample, const publication_spec& publication,
                       const std::string& pointer);
    void check_sparkplug(const fleet_sample& sample, const sparkplug_payload& payload,
                         const std::string& pointer);
    void check_sparkplug_publication(const fleet_sample& sample,
                                     const publication_spec& publication,
                                     const std::string& pointer);
    void check_sparkplug_will(const fleet_sample& sample, const std::string& pointer);
    void check_metric_value(const fleet_sample& sample, const sparkplug_metric& metric,
                            const std::string& pointer);
    void check_shadow_service(const fleet_sample& sample, const std::string& pointer);
    // In scenario_check_behaviour.cpp.
    void check_behaviour(const fleet_sample& sample, const std::string& pointer);
    void check_custom_behaviour(const behaviour_spec& spec, const std::string& pointer);
    void check_variables(const fleet_sample& sample, const std::string& pointer);
    void check_cohorts(const fleet_sample& sample, const std::string& pointer);
    void check_variable_name(const fleet_sample& sample, const std::string& name,
                             const std::string& pointer);
    void check_choices(const fleet_sample& sample, const std::vector<choice_spec>& list,
                       const std::string& pointer);
    void check_conditions(const fleet_sample& sample, const std::vector<condition_spec>& list,
                          bool in_payload, const std::string& pointer);
    void check_action(const fleet_sample& sample, const action_spec& action,
                      const std::string& pointer);
    void check_state(const fleet_sample& sample, const state_spec& state,
                     const std::string& pointer);
    void check_publication_name(const fleet_sample& sample, const std::string& name,
                                const std::string& pointer, bool asks);
    void check_transition(const fleet_sample& sample, const transition_spec& given,
                          const std::string& pointer);
    void check_expected_state(const expectation_spec& expected, const std::string& pointer);
    void check_ways(const behaviour_spec& spec, const std::string& pointer);

    // Parts of several.
    static bool is_covered(const std::vector<std::string>& filters, std::string_view narrow);
    std::optional<text_template> check_template(
        const std::string& text, template_use use, const std::string& pointer,
        std::span<const generator_names> generators = {});
    std::optional<std::string> check_topic(const std::string& topic, const fleet_sample& sample,
                                           const std::string& pointer,
                                           std::span<const generator_names> names = {});
    /// The variables of its behaviour.
    static std::span<const generator_names> names_for_topics(const fleet_sample& sample);
    static std::string_view matching_part(std::string_view filter);
    std::optional<std::string> check_filter(const std::string& filter, const fleet_sample& sample,
                                            const std::string& pointer);
    bool check_filter_text(const std::string& filter, const std::string& pointer);
    bool check_levels(const std::string& text, const std::string& pointer);
    void check_seconds(duration value, duration max, const std::string& pointer);
    void check_positive(const distribution& drawn, const std::string& pointer);
    static std::string example_of(const text_template& made, const fleet_sample& sample);
    const fleet_sample* sample_of(const std::string& fleet) const;

    const scenario& scenario_;
    const broker_spec default_broker_{};
    std::vector<fleet_sample> samples_;
    std::vector<config::problem> problems_;
};

/// The scenario with its presets expanded, by a scenario_checker.
std::vector<config::problem> check_with_presets(const scenario& checked);

}  // namespace fleetarium::sim::detail
