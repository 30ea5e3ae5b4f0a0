#include <fleetarium/sim/report_junit.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace fleetarium::sim {

namespace {

constexpr std::size_t violations_shown = 10;

/// As an attribute's value or as text.
std::string escaped(std::string_view text) {
    constexpr std::string_view replacement = "\xEF\xBF\xBD";
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char each = text[i];
        switch (each) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\n': out += "&#10;"; break;
            case '\r': out += "&#13;"; break;
            case '\t': out += "&#9;"; break;
            default:
                if (static_cast<unsigned char>(each) < 0x20) {
                    out += replacement;
                } else if (text.substr(i, 2) == "\xEF\xBF" && i + 2 < text.size() &&
                           static_cast<unsigned char>(text[i + 2]) >= 0xBE) {
                    out += replacement;  // U+FFFE and U+FFFF
                    i += 2;
                } else {
                    out += each;
                }
        }
    }
    return out;
}

enum class outcome { passed, failed, skipped };

struct test_case {
    std::string name{};
    outcome what = outcome::passed;
    std::string message{};  // one line
    std::string details{};
};

std::string case_text(const test_case& one, std::string_view class_name) {
    const std::string head = fmt::format("    <testcase classname=\"{}\" name=\"{}\" time=\"0\"",
                                         escaped(class_name), escaped(one.name));
    switch (one.what) {
        case outcome::passed: return head + "/>\n";
        case outcome::skipped:
            return fmt::format("{}>\n      <skipped message=\"{}\"/>\n    </testcase>\n", head,
                               escaped(one.message));
        case outcome::failed:
            return fmt::format(
                "{}>\n      <failure message=\"{}\" type=\"{}\">{}</failure>\n    </testcase>\n",
                head, escaped(one.message), escaped(class_name), escaped(one.details));
    }
    return {};
}

std::uint64_t count_of(const std::vector<test_case>& cases, outcome what) {
    return static_cast<std::uint64_t>(std::count_if(
        cases.begin(), cases.end(), [&](const test_case& each) { return each.what == what; }));
}

std::string suite_text(const std::string& scenario, std::string_view name,
                       const std::vector<test_case>& cases, double seconds) {
    std::string out = fmt::format(
        "  <testsuite name=\"{}: {}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" "
        "time=\"{:.3f}\">\n",
        escaped(scenario), name, cases.size(), count_of(cases, outcome::failed),
        count_of(cases, outcome::skipped), seconds);
    for (const test_case& each : cases) {
        out += case_text(each, fmt::format("fleetarium.{}", name));
    }
    return out + "  </testsuite>\n";
}

std::string with_replay(std::string details, std::string_view replay) {
    return replay.empty() ? details : details + "\nto see it again: " + std::string(replay);
}

std::vector<test_case> expectation_cases(std::span<const expectation_result> expectations,
                                         std::string_view replay) {
    std::vector<test_case> cases;
    for (const expectation_result& each : expectations) {
        test_case& made = cases.emplace_back();
        made.name = each.name;
        if (!each.observable) {
            made.what = outcome::skipped;
            made.message = to_string(each);
        } else if (!each.met) {
            made.what = outcome::failed;
            made.message = to_string(each);
            made.details = with_replay(made.message, replay);
        }
    }
    return cases;
}

std::vector<test_case> invariant_cases(const ledger_report& ledger, std::string_view replay) {
    std::vector<test_case> cases;
    const bool is_all_outside = ledger.messages == 0 && !ledger.audits.empty();
    for (std::size_t i = 0; i < invariant_count; ++i) {
        const auto which = static_cast<invariant>(i);
        test_case& made = cases.emplace_back();
        made.name = name_of(which);
        if (is_all_outside && judged_outside(which).how == judgement::none) {
            made.what = outcome::skipped;
            made.message = judged_outside(which).note;
            continue;
        }
        if (ledger.by_invariant[i] == 0) {
            continue;
        }
        made.what = outcome::failed;
        std::size_t shown = 0;
        for (const ledger_violation& each : ledger.violations) {
            if (each.broken == which && shown < violations_shown) {
                made.details += (shown == 0 ? "" : "\n") + to_string(each);
                made.message = shown == 0 ? to_string(each) : made.message;
                ++shown;
            }
        }
        if (shown == 0) {
            made.message = "violated; earlier violations fill the list that is kept";
        }
        made.details += fmt::format("\n{} in all; statements: {}",
                                    with_thousands(ledger.by_invariant[i]), statements_of(which));
        made.details = with_replay(std::move(made.details), replay);
    }
    return cases;
}

}  // namespace

std::string report_junit(const run_report& report, std::span<const expectation_result> expectations,
                         const run_timing& timing, std::string_view replay) {
    const auto expected = expectation_cases(expectations, replay);
    const auto invariants =
        report.ledger.enabled ? invariant_cases(report.ledger, replay) : std::vector<test_case>();
    std::string out = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuites name=\"{}, seed {}\" tests=\"{}\" failures=\"{}\" errors=\"0\" "
        "time=\"{:.3f}\">\n",
        escaped(report.scenario), report.seed, expected.size() + invariants.size(),
        count_of(expected, outcome::failed) + count_of(invariants, outcome::failed),
        timing.wall_seconds);
    out += suite_text(report.scenario, "expectations", expected, timing.wall_seconds);
    if (report.ledger.enabled) {
        out += suite_text(report.scenario, "ledger", invariants, 0);
    }
    return out + "</testsuites>\n";
}

}  // namespace fleetarium::sim
