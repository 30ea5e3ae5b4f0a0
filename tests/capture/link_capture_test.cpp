#include <fleetarium/capture/link_capture.hpp>
#include <fleetarium/sim/world.hpp>

#include <catch2/catch.hpp>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>

using namespace fleetarium;
using namespace fleetarium::sim;
using namespace std::chrono_literals;

namespace {

/// A file that is gone afterwards.
struct temporary_file {
    temporary_file()
        : path(std::filesystem::temp_directory_path() /
               ("link_capture_test_" + std::to_string(::getpid()) + ".pcapng")) {}
    ~temporary_file() { std::filesystem::remove(path); }
    std::filesystem::path path;
};

/// What tshark reads in the file, or nothing where there is no tshark.
std::string tshark(const std::filesystem::path& file, const std::string& arguments) {
    const std::string command = "tshark -r '" + file.string() + "' " + arguments + " 2>/dev/null";
    FILE* const output = ::popen(command.c_str(), "r");
    REQUIRE(output != nullptr);
    std::string text;
    char part[4096];
    while (const std::size_t size = std::fread(part, 1, sizeof part, output)) {
        text.append(part, size);
    }
    ::pclose(output);
    return text;
}

bool has_tshark() { return std::system("tshark --version >/dev/null 2>&1") == 0; }

/// A minute of sensors on a network that cuts chunks, with a fault that breaks links.
std::uint64_t run(std::ostream* capture_to) {
    world w({.seed = 5});
    w.add_broker();
    w.add_network({.name = "lan",
                   .up = {.latency = distribution::uniform(1e6, 9e6)},
                   .split_probability = 0.3});
    fleet_spec sensors{.name = "sensors", .count = 4};
    sensors.publications.push_back({.topic = "s/{index}",
                                    .period = distribution::constant(5e9),
                                    .qos = qos::exactly_once,
                                    .payload = "{filler:2000}"});
    w.add_fleet(sensors);
    fleet_spec panel{.name = "panel", .version = protocol_version::v3_1_1};
    panel.subscriptions.push_back({.filter = "s/+", .qos = qos::at_least_once});
    w.add_fleet(panel);
    w.add_fault({.kind = fault_kind::cut, .at = 20s, .fleet = "sensors", .last_device = 1});
    std::optional<capture::link_capture> traffic;
    if (capture_to != nullptr) {
        traffic.emplace(w, *capture_to);
    }
    w.run_for(1min);
    return w.trace_hash();
}

}  // namespace

TEST_CASE("who listens changes nothing", "[capture]") {
    std::ostringstream to;
    CHECK(run(&to) == run(nullptr));
    CHECK(to.str().size() > 50'000);
}

TEST_CASE("another decoder reads a world's traffic, and finds nothing wrong", "[capture]") {
    if (!has_tshark()) {
        WARN("this test was skipped: there is no tshark");
        return;
    }
    const temporary_file file;
    {
        std::ofstream to(file.path, std::ios::binary);
        run(&to);
    }
    std::map<std::string, int> types;
    std::istringstream lines(
        tshark(file.path, "-Y mqtt -T fields -e mqtt.msgtype -E aggregator=' '"));
    for (std::string type; lines >> type;) {
        ++types[type];
    }
    CHECK(types["1"] == 7);           // CONNECT: of five devices, two of them twice
    CHECK(types["2"] == 7);           // CONNACK
    CHECK(types["8"] == 1);           // SUBSCRIBE
    CHECK(types["3"] >= 2 * 4 * 11);  // PUBLISH, to the broker and from it
    CHECK(types["6"] >= 4 * 11);      // PUBREL
    CHECK(tshark(file.path, "-Y '_ws.malformed'") == "");
    CHECK(tshark(file.path,
                 "-o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -Y "
                 "'tcp.checksum.status == 0 || ip.checksum.status == 0 || "
                 "tcp.analysis.lost_segment || tcp.analysis.retransmission'") == "");
    CHECK(tshark(file.path, "-Y 'tcp.flags.reset == 1' -T fields -e tcp.stream | sort -u | wc -l")
              .find("2") != std::string::npos);
    const std::string names = tshark(file.path, "-N n -Y 'mqtt.msgtype == 1'");
    CHECK(names.find("sensors-0") != std::string::npos);
    CHECK(names.find("broker") != std::string::npos);
    CHECK(tshark(file.path, "-c 1 -t ud").find("2000-01-01 00:00:00") != std::string::npos);
}
