#include "support/property.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace fleetarium::test;

// The tool that the property tests stand on.

namespace {

/// A stack that forgets its bottom when it holds more than three.
std::string broken_stack(property_steps steps) {
    std::vector<std::uint32_t> stack;
    std::vector<std::uint32_t> model;
    for (const property_step& step : steps) {
        if (step.kind == 0) {
            stack.push_back(step.a);
            model.push_back(step.a);
            if (stack.size() > 3) {
                stack.erase(stack.begin());
            }
        } else if (step.kind == 1 && !model.empty()) {
            if (stack.empty() || stack.back() != model.back()) {
                return "another top";
            }
            stack.pop_back();
            model.pop_back();
        }
    }
    return {};
}

property stack_property() {
    return {.name = "a stack returns what was pushed",
            .kinds = {{"push", 3}, {"pop", 3}, {"look", 2}},
            .broken_by = broken_stack};
}

/// Another value of an environment variable, and the former one afterwards.
class with_variable {
public:
    with_variable(const char* name, const char* value) : name_(name) {
        if (const char* const before = std::getenv(name); before != nullptr) {
            before_ = before;
        }
        setenv(name, value, 1);
    }
    ~with_variable() {
        if (before_) {
            setenv(name_, before_->c_str(), 1);
        } else {
            unsetenv(name_);
        }
    }
    with_variable(const with_variable&) = delete;
    with_variable& operator=(const with_variable&) = delete;

private:
    const char* name_;
    std::optional<std::string> before_{};
};

}  // namespace

TEST_CASE("a property that does not hold is found out and cut down to what matters", "[property]") {
    const auto found = find_counterexample(stack_property());
    REQUIRE(found);
    CHECK(found->problem == "another top");
    CHECK(found->drawn >= found->steps.size());
    // Four pushed, four popped, and nothing that had no part in it.
    REQUIRE(found->steps.size() == 8);
    for (std::size_t i = 0; i < 8; ++i) {
        CHECK(found->steps[i].kind == i / 4);
        CHECK(found->steps[i].b == 0);
        CHECK(found->steps[i].c == 0);
    }
    const std::string text = found->text(stack_property());
    CHECK(text.find("push 0 0 0") != std::string::npos);
    CHECK(text.find("FLEETARIUM_PROPERTY_SEED=" + std::to_string(found->seed)) !=
          std::string::npos);
}

TEST_CASE("the cases of a property are the same in each run, and differ among seeds",
          "[property]") {
    const auto case_of = [](std::uint64_t seed) {
        std::string out;
        for (const property_step& step : detail::draw_case(stack_property(), seed)) {
            out += std::to_string(step.kind) + " " + std::to_string(step.a) + "\n";
        }
        return out;
    };
    CHECK(case_of(1) == case_of(1));
    CHECK(case_of(1) != case_of(2));
}

TEST_CASE("a run can be told to try one case in so many, at least one", "[property]") {
    {
        const with_variable set("FLEETARIUM_ONE_CASE_IN", "5");
        CHECK(share_of(5000) == 1000);
        CHECK(share_of(6) == 2);
        CHECK(share_of(1) == 1);
    }
    {
        const with_variable set("FLEETARIUM_ONE_CASE_IN", "1");
        CHECK(share_of(5000) == 5000);
    }
    for (const char* const wrong : {"0", "-1", "few", "3x", ""}) {
        const with_variable set("FLEETARIUM_ONE_CASE_IN", wrong);
        CHECK_THROWS_AS(share_of(5000), std::invalid_argument);
    }
}
