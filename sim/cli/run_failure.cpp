#include "run_failure.hpp"

#include "run_live.hpp"

#include <fleetarium/capture/packet_log.hpp>
#include <fleetarium/config/problem.hpp>

#include <algorithm>
#include <charconv>
#include <iostream>

namespace fleetarium::cli {

std::string shell_word(std::string_view text) {
    const auto is_plain = [](char each) {
        return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z') ||
               (each >= '0' && each <= '9') ||
               std::string_view("_-./:=,+@%").find(each) != std::string_view::npos;
    };
    if (!text.empty() && std::all_of(text.begin(), text.end(), is_plain)) {
        return std::string(text);
    }
    std::string out = "'";
    for (const char each : text) {
        out += each == '\'' ? std::string("'\\''") : std::string(1, each);
    }
    return out + '\'';
}

std::string replay_command(std::string_view scenario_file, std::uint64_t seed,
                           std::string_view duration, std::span<const std::string> overrides) {
    std::string out =
        "fleetarium run " + shell_word(scenario_file) + " --seed " + std::to_string(seed);
    if (!duration.empty()) {
        out += " --duration " + std::string(duration);
    }
    for (const std::string& each : overrides) {
        out += " --set " + shell_word(each);
    }
    return out;
}

capture::message_name message_to_follow(const std::string& text, const sim::scenario& scenario) {
    const auto named = capture::parse_message_name(text);
    const std::size_t bracket = named ? named->publisher.find('[') : std::string::npos;
    std::uint32_t index = 0;
    if (bracket != std::string::npos) {
        const char* const begin = named->publisher.data() + bracket + 1;
        const char* const end = named->publisher.data() + named->publisher.size();
        const auto read = std::from_chars(begin, end, index);
        if (read.ec == std::errc() && read.ptr + 1 == end && *read.ptr == ']') {
            const std::string fleet = named->publisher.substr(0, bracket);
            std::vector<std::string_view> names;
            for (const sim::fleet_spec& each : scenario.fleets) {
                if (each.name != fleet) {
                    names.push_back(each.name);
                } else if (index < each.count) {
                    return *named;
                } else {
                    throw usage_error("--message " + text + ": \"" + fleet + "\" has " +
                                      std::to_string(each.count) + " devices, from 0 on");
                }
            }
            const std::string nearest(config::nearest_name(fleet, names));
            throw usage_error("--message " + text + ": there is no fleet \"" + fleet + "\"" +
                              (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
        }
    }
    throw usage_error("--message " + text +
                      ": expected FLEET[INDEX]:NUMBER, such as meters[3]:17, the 17th message of "
                      "the fourth device");
}

namespace {

void tell_violation(const sim::scenario& scenario, const sim::ledger_violation& first,
                    const std::string& replay) {
    std::cerr << "fleetarium: an invariant does not hold: " << sim::to_string(first) << '\n';
    if (replay.empty()) {
        return;
    }
    const auto packets = capture::packets_around(scenario, first);
    if (!packets.empty()) {
        std::cerr << "the packets around it:\n";
    }
    for (const capture::logged_packet& each : packets) {
        std::cerr << (each.at > first.at ? "   then  " : "         ") << capture::to_string(each)
                  << '\n';
    }
    if (first.message != 0 && first.publisher.ends_with(']')) {
        std::cerr << "all of its way: " << replay << " --message "
                  << shell_word(first.publisher + ':' + std::to_string(first.message)) << '\n';
    }
}

}  // namespace

void tell_failure(const sim::scenario& scenario, const sim::run_report& report,
                  std::span<const sim::expectation_result> results, const std::string& replay) {
    const auto missed = std::find_if(results.begin(), results.end(),
                                     [](const auto& each) { return each.observable && !each.met; });
    if (!report.ledger.violations.empty()) {
        tell_violation(scenario, report.ledger.violations.front(), replay);
    } else if (missed != results.end()) {
        std::cerr << "fleetarium: an expectation is not met: " << sim::to_string(*missed) << '\n';
    } else {
        return;
    }
    if (!replay.empty()) {
        std::cerr << "to see it again: " << replay << '\n';
    }
}

}  // namespace fleetarium::cli
