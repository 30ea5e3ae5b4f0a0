#include <fleetarium/config/quantities.hpp>

#include <catch2/catch.hpp>

#include <string_view>

using namespace fleetarium;
using namespace fleetarium::config;
using namespace std::chrono_literals;

TEST_CASE("durations are numbers with units, largest unit first", "[config][quantities]") {
    CHECK(parse_duration("250ms") == 250ms);
    CHECK(parse_duration("1.5h") == 90min);
    CHECK(parse_duration("1h30m") == 90min);
    CHECK(parse_duration("1d2h3m4s5ms6us7ns") == 26h + 3min + 4s + 5ms + 6us + 7ns);
    CHECK(parse_duration("0s") == 0s);
    CHECK(parse_duration("0.000000001s") == 1ns);
    CHECK(parse_duration("100000d") == 2'400'000h);
    for (const std::string_view wrong :
         {"", "5", "s", "5 s", "-5s", "+5s", "1m1h", "1s1s", "1.s", ".5s", "0.5ns", "1e3s", "5S",
          "5min", "200000d", "99999999999999999999s", "never"}) {
        INFO(wrong);
        CHECK_FALSE(parse_duration(wrong));
    }
}

TEST_CASE("a duration's text reads back as the same duration", "[config][quantities]") {
    for (const duration value : {duration(0ns), duration(1ns), duration(1500ms), duration(90min),
                                 duration(24h), duration(25h + 1ns), duration(365 * 24h)}) {
        CHECK(parse_duration(duration_text(value)) == value);
    }
    CHECK(duration_text(90s) == "1m30s");
    CHECK(duration_text(0s) == "0s");
    CHECK(duration_text(-90s) == "-1m30s");
}

TEST_CASE("rates and sizes have decimal and binary prefixes", "[config][quantities]") {
    CHECK(parse_bandwidth("256kbit/s") == 32'000);
    CHECK(parse_bandwidth("1.5Mbit/s") == 187'500);
    CHECK(parse_bandwidth("10kB/s") == 10'000);
    CHECK(parse_bandwidth("1MiB/s") == 1'048'576);
    CHECK(parse_bandwidth("8bit/s") == 1);
    CHECK(parse_size("64kB") == 64'000);
    CHECK(parse_size("1MiB") == 1'048'576);
    CHECK(parse_size("0B") == 0);
    for (const std::string_view wrong : {"", "7bit/s", "0bit/s", "kbit/s", "1kbps", "1 kbit/s",
                                         "1Kbit/s", "-1B/s", "99999999999GB/s"}) {
        INFO(wrong);
        CHECK_FALSE(parse_bandwidth(wrong));
    }
    for (const std::string_view wrong : {"", "64", "64k", "B", "0.5B", "1KB", "64kB/s"}) {
        INFO(wrong);
        CHECK_FALSE(parse_size(wrong));
    }
}
