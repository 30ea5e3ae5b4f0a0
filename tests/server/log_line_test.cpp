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
    // In text too: CSI in one letter, next line, line separator, and what turns the text around.
    CHECK(log_line(log_level::info, 0,
                   "\xC2\x9B"
                   "2J\xC2\x85\xE2\x80\xA8\xE2\x80\xAE\xE2\x81\xA6|") ==
          "1970-01-01T00:00:00.000Z info "
          "\\xc2\\x9b2J\\xc2\\x85\\xe2\\x80\\xa8\\xe2\\x80\\xae\\xe2\\x81\\xa6|\n");
    CHECK(log_line(log_level::info, 0, "\xC2\xA0\xE2\x80\xA7\xE2\x82\xAC") ==
          "1970-01-01T00:00:00.000Z info \xC2\xA0\xE2\x80\xA7\xE2\x82\xAC\n");
}
