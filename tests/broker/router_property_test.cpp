#include "support/twin_brokers.hpp"

#include <catch2/catch.hpp>

using namespace fleetarium::test;

TEST_CASE(
    "who receives what, at which QoS, with which RETAIN, DUP and identifiers, is what a model "
    "of the rules says, for clients of both versions that come and go",
    "[router][property]") {
    check_property(twin_brokers::routing_property());
}
