#include <catch2/catch.hpp>

#include "load_hub.hpp"
#include "load_plan.hpp"
#include "load_process.hpp"
#include "load_wire.hpp"

#include <bench/faulty_broker.hpp>

#include <algorithm>
#include <filesystem>
#include <set>
#include <unistd.h>

// What the load generator knows of a broker's processes, and how it names them.

namespace fleetarium::cli::load {
namespace {

TEST_CASE("the process that listens on a port is found by the port") {
    const test::faulty_broker here(test::broker_fault::none);
    CHECK(find_listeners(here.port()) == std::vector<pid_t>{getpid()});
}

TEST_CASE("for a port on which nothing listens the answer says what to do") {
    CHECK_THROWS_WITH(find_listeners(free_port()),
                      Catch::Contains("nothing on this machine listens"));
}

TEST_CASE("processor time of a process grows by what it computes") {
    const process_watch here({getpid()});
    const double before = here.cpu_seconds();
    std::uint64_t sum = 0;
    while (here.cpu_seconds() - before < 0.02) {
        for (std::uint64_t i = 0; i < 10'000; ++i) {
            sum += i * sum + 1;
        }
    }
    CHECK(sum != 0);
    CHECK(here.cpu_seconds() > before);
}

TEST_CASE("resident memory of a process grows by what it touches") {
    const process_watch here({getpid()});
    const std::uint64_t before = here.resident_bytes();
    std::vector<std::uint8_t> touched(64u << 20, 1);
    CHECK(here.resident_bytes() > before + (50u << 20));
    CHECK(touched.back() == 1);
}

TEST_CASE("a process that does not exist is no broker") {
    CHECK_THROWS_WITH(process_watch({2'000'000'000}), "there is no process 2000000000");
}

TEST_CASE("a child that ends at once is reported with what it said") {
    const temporary_folder folder;
    const child_process child({"/bin/sh", "-c", "echo no such option; exit 3"}, folder);
    const auto wait_for_end = [&child] {
        for (;;) {
            child.check_alive();
            usleep(1'000);  // tidy: allow(sleep) the child's end has no other sign
        }
    };
    CHECK_THROWS_WITH(wait_for_end(),
                      Catch::Contains("/bin/sh has ended") && Catch::Contains("no such option"));
}

TEST_CASE("a child that runs ends with its object, and its folder goes") {
    std::string path;
    pid_t pid = 0;
    {
        const temporary_folder folder;
        path = folder.path();
        const child_process child({"/bin/sleep", "600"}, folder);
        pid = child.pid();
        CHECK(std::filesystem::exists(path));
        CHECK_NOTHROW(process_watch({pid}));
    }
    CHECK_THROWS_AS(process_watch({pid}), bad_request);
    CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("an address is HOST:PORT, and everything else is refused in a sentence") {
    CHECK(resolve("127.0.0.1:1883").port() == 1883);
    CHECK(resolve("[::1]:1884").port() == 1884);
    for (const char* wrong : {"", "localhost", "127.0.0.1:", ":1883", "127.0.0.1:zero"}) {
        CHECK_THROWS_AS(resolve(wrong), bad_request);
    }
    CHECK_THROWS_WITH(resolve("localhost"), Catch::Contains("127.0.0.1:1883"));
    CHECK_THROWS_WITH(resolve("127.0.0.1:0"), Catch::Contains("port 0"));
}

TEST_CASE("arguments for a broker are cut at spaces, except between quotation marks") {
    using words = std::vector<std::string>;
    CHECK(split_words("").empty());
    CHECK(split_words("  --threads 2 ") == words{"--threads", "2"});
    CHECK(split_words("--config 'my file.json' --name=\"a b\"") ==
          words{"--config", "my file.json", "--name=a b"});
    CHECK(split_words("''") == words{""});
    CHECK_THROWS_AS(split_words("--config 'my"), bad_request);
}

TEST_CASE("loads have names of their own, and a begin of a name names its group") {
    const std::vector<plan> all = suite();
    std::set<std::string> names;
    for (const plan& one : all) {
        CHECK(names.insert(one.name).second);
        CHECK(is_named(one, one.name));
    }
    const auto count = [&](const char* wanted) {
        return std::count_if(all.begin(), all.end(),
                             [&](const plan& one) { return is_named(one, wanted); });
    };
    CHECK(count("pairs") == 9);
    CHECK(count("pairs-q1") == 3);
    CHECK(count("pair") == 0);
    CHECK(count("fan") == 2);
}

}  // namespace
}  // namespace fleetarium::cli::load
