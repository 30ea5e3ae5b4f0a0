#include <fleetarium/server/log_line.hpp>

#include <catch2/catch.hpp>

using namespace fleetarium::broker;

TEST_CASE("a line of the log has its time in UTC, its level and one line of text",
          "[server][log]") {
    CHECK(log_line(log_level::info, 0, "begin") == "1970-01-01T00:00:00.000Z info begin\n");
    CHECK(log_line(log_level::error, 951'782'400'007, "leap") ==
          "2000-02-29T00:00:00.007Z error leap\n");
    CHECK(log_line(log_level::warning, 1'767'323'045'678, "\xC3\xA4") ==
          "2026-01-02T03:04:05.678Z warning \xC3\xA4\n");
    CHECK(log_line(log_level::debug, -1, "before") == "1969-12-31T23:59:59.999Z debug before\n");
}

TEST_CASE("a client id can neither begin a line of its own nor move a terminal's cursor",
          "[server][log][threat/log_forging]") {
    CHECK(log_line(log_level::info, 0, "a\nb\r\x1B[2J\x7F") ==
          "1970-01-01T00:00:00.000Z info a\\x0ab\\x0d\\x1b[2J\\x7f\n");
    CHECK(log_line(log_level::info, 0, "\xFF\xC3\xA4") ==
          "1970-01-01T00:00:00.000Z info \\xff\\xc3\\xa4\n");
}
