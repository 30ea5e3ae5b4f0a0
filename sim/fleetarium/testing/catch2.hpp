#pragma once

// Waits of a message_probe as assertions of Catch2, version 2 or 3, whichever the test includes.
// Each macro fails the test, at its own line, with a text that tells
// what did arrive.
//
//     FLEETARIUM_WAIT_FOR(probe, "doors/+/state", 2s);
//     const auto state = FLEETARIUM_WAIT_FOR(
//         probe, "doors/+/state", [](const auto& m) { return m.payload == "open"; }, 2s);
//     const auto all = FLEETARIUM_WAIT_FOR_COUNT(probe, "doors/+/state", 20, 2s);
//     FLEETARIUM_EXPECT_NONE(probe, "alarms/#", 100ms);

#include <fleetarium/testing/message_probe.hpp>

#if defined(CATCH_CONFIG_PREFIX_ALL)
#define FLEETARIUM_CATCH_FAIL(text) CATCH_FAIL(text)
#define FLEETARIUM_CATCH_SUCCEED() CATCH_SUCCEED()
#else
#define FLEETARIUM_CATCH_FAIL(text) FAIL(text)
#define FLEETARIUM_CATCH_SUCCEED() SUCCEED()
#endif

// Evaluates `call`, which throws probe_error if a wait fails, and is its value.
#define FLEETARIUM_CATCH_WAIT(call)                                                                \
    [&] {                                                                                          \
        try {                                                                                      \
            FLEETARIUM_CATCH_SUCCEED();                                                            \
            return call;                                                                           \
        } catch (const ::fleetarium::testing::probe_error& failed_wait) {                          \
            FLEETARIUM_CATCH_FAIL(failed_wait.what());                                             \
            throw;                                                                                 \
        }                                                                                          \
    }()

#define FLEETARIUM_WAIT_FOR(probe, ...) FLEETARIUM_CATCH_WAIT((probe).wait_for(__VA_ARGS__))
#define FLEETARIUM_WAIT_FOR_COUNT(probe, ...)                                                      \
    FLEETARIUM_CATCH_WAIT((probe).wait_for_count(__VA_ARGS__))
#define FLEETARIUM_EXPECT_NONE(probe, ...) FLEETARIUM_CATCH_WAIT((probe).expect_none(__VA_ARGS__))
