#pragma once

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>

// Some tests try the same thing with thousands of seeds. What sanitizers look for shows in far
// fewer of them, and under sanitizers each takes ten times as long:
//
//     FLEETARIUM_ONE_CASE_IN=N   one in N of the cases of such a test, at least one
namespace fleetarium::test {

/// A whole number of the environment; none if there is no such variable. Throws
/// std::invalid_argument for anything else than a number.
inline std::optional<std::uint64_t> number_of_environment(const char* name) {
    const char* const text = std::getenv(name);
    if (text == nullptr) {
        return std::nullopt;
    }
    std::size_t used = 0;
    std::uint64_t number = 0;
    try {
        number = std::stoull(text, &used);
    } catch (const std::exception&) {
        used = 0;
    }
    if (used == 0 || text[used] != '\0' || text[0] == '-') {
        throw std::invalid_argument(std::string(name) + " is '" + text + "', not a whole number");
    }
    return number;
}

/// N of FLEETARIUM_ONE_CASE_IN; 1, which is all cases, if it is not set. Throws
/// std::invalid_argument if it is no whole number or 0.
inline std::uint64_t one_case_in() {
    const std::uint64_t number = number_of_environment("FLEETARIUM_ONE_CASE_IN").value_or(1);
    if (number == 0) {
        throw std::invalid_argument("FLEETARIUM_ONE_CASE_IN is 0; at least 1 is expected");
    }
    return number;
}

/// How many of so many cases a test is to try: the share that was asked for, rounded up.
template <typename Number>
Number share_of(Number cases) {
    const auto one_in = static_cast<Number>(one_case_in());
    return static_cast<Number>((cases + one_in - 1) / one_in);
}

}  // namespace fleetarium::test
