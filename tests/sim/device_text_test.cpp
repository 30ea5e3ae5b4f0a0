#include <fleetarium/sim/device_text.hpp>

#include <catch2/catch.hpp>

#include <stdexcept>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace fleetarium::sim::detail;

TEST_CASE("a device's text is what its template renders", "[device_text]") {
    const std::string source = GENERATE(
        as<std::string>{}, "", "plain", "{index}", "a/{index}/b", "{index:03}/{index}", "{index:9}",
        "{fleet}/{index:07}/{client_id}", "{{{index}", "{\"v\":{index},\"w\":{index:02}}",
        "x{index%7}", "{index/10:04}", "{client_id}", "{fleet}", "{index}{index}{index:05}");
    const std::string client_id = GENERATE(as<std::string>{}, "{fleet}-{index}", "d{index:05}",
                                           "{{{index}");
    const std::string fleet = GENERATE(as<std::string>{}, "meters", "odd{name");
    const auto parsed = text_template::parse(source, template_use::topic);
    if (std::holds_alternative<template_fault>(parsed)) {
        CHECK_THROWS_AS(device_text(source, template_use::topic, fleet, client_id),
                        std::invalid_argument);
        return;
    }
    const device_text text(source, template_use::topic, fleet, client_id);
    const text_template plain(source, template_use::topic);
    const text_template ids(client_id, template_use::client_id);
    for (const std::uint64_t index : {0ull, 1ull, 9ull, 10ull, 99ull, 12'345ull, 9'999'999ull}) {
        template_values values;
        values.fleet = fleet;
        values.index = index;
        std::string id;
        ids.render(values, id);
        values.client_id = id;
        std::string expected = "before ";
        plain.render(values, expected);
        std::string rendered = "before ";
        text.render(values, rendered);
        INFO(source << " with " << client_id << " in " << fleet);
        CHECK(rendered == expected);
        if (text.is_constant()) {
            CHECK("before " + text.constant() == expected);
        }
    }
}

TEST_CASE("what differs from message to message is left to the template", "[device_text]") {
    const device_text text("{seq}/{index}", template_use::payload, "f", "{index}");
    CHECK_FALSE(text.is_constant());
    template_values values;
    values.sequence = 7;
    values.index = 3;
    std::string out;
    text.render(values, out);
    CHECK(out == "7/3");
    CHECK(device_text("{filler:10}", template_use::payload, "f", "{index}").is_constant());
}
