#pragma once

#include <fleetarium/core/mutant.hpp>

#include <support/broker_bench.hpp>

#include <catch2/catch.hpp>

#include <string>
#include <string_view>

// Each mutant is shown to be a bug by a small script, whose outcome is one text while no mutant is
// on and another with this one. The test case carries the mutant's name as its tag.
namespace fleetarium::test {

/// Runs a script without any mutant and with this one.
template <class Script>
void check_mutant(mutant which, std::string_view clean, std::string_view mutated, Script script) {
    INFO(name_of(which));
    CHECK(script() == clean);
    switch_on(which);
    CHECK(script() == mutated);
    switch_on(mutant::none);
}

/// A client whose session outlives its connection.
inline connect_with lasting(const std::string& client_id) {
    return {.client_id = client_id, .clean_start = false, .session_expiry = 3'600};
}

/// What a peer has received and not taken: payload, QoS and flags of each PUBLISH, the first byte
/// of any other packet; "1 q1, 2 q1 dup, 62".
inline std::string received(peer& by) {
    std::string out;
    while (const auto next = by.take()) {
        out += out.empty() ? "" : ", ";
        if (next->type != packet_type::publish) {
            out += next->hex().substr(0, 2);
            continue;
        }
        const auto in = by.current_as<publish>();
        out += as_text(in.payload);
        out += in.qos == qos::at_most_once ? "" : in.qos == qos::at_least_once ? " q1" : " q2";
        out += in.dup ? " dup" : "";
        out += in.retain ? " retain" : "";
    }
    return out;
}

}  // namespace fleetarium::test
