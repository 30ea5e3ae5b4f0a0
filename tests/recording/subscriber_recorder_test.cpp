#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/recording/subscriber_recorder.hpp>

#include <catch2/catch.hpp>

#include <unistd.h>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>

using namespace fleetarium;
using namespace fleetarium::recording;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A file name of its own, and nothing left there afterwards.
struct scratch_file {
    std::string path =
        (fs::temp_directory_path() /
         ("fleetarium-heard-" + std::to_string(getpid()) + "-" + std::to_string(++count) + ".flr"))
            .string();
    ~scratch_file() {
        for (const char* const end : {"", "-wal", "-shm", "-journal"}) {
            fs::remove(path + end);
        }
    }
    static inline int count = 0;
};

constexpr instant begin{1000s};  // of a clock that has run for a while

recording_options options_of(const scratch_file& file) {
    return {.path = file.path,
            .began = "2026-01-01T00:00:00Z",
            .epoch = 7,
            .source = "mqtt://broker:1883"};
}

publish text_on(std::string_view topic, std::string_view payload, enum qos qos = {}) {
    publish out;
    out.topic = topic;
    out.payload = as_bytes_view(payload);
    out.qos = qos;
    return out;
}

std::int64_t number(recording_reader& from, const std::string& sql) {
    return from.tables().integer(sql).value_or(-1);
}

/// What `work` does in a process of its own, which a signal may end; its wait status.
template <class Work>
int in_a_process(Work&& work) {
    const pid_t child = fork();
    if (child == 0) {
        work();
        _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return status;
}

}  // namespace

TEST_CASE("what a subscriber gets is recorded with all that it has", "[recording]") {
    const scratch_file file;
    subscriber_recorder recorder(options_of(file), begin);
    recorder.subscribed("#", reason_code::granted_qos_2, begin + 1ms);
    publish full = text_on("rooms/1", std::string_view("\0\xff", 2), qos::exactly_once);
    full.retain = true;
    full.content_type = "text/plain";
    const std::array<user_property, 1> pairs{{{"a", "b"}}};
    full.user_properties = user_properties(std::span<const user_property>(pairs));
    recorder.heard(full, begin + 2ms);
    recorder.heard(text_on("rooms/2", "", qos::at_least_once), begin + 1500ms);
    recorder.finish(begin + 2s);

    recording_reader made(file.path);
    statement all(made.tables(),
                  "SELECT m.at, t.name, m.qos, m.retain, hex(m.payload), m.properties "
                  "FROM messages m JOIN topics t ON t.id = m.topic ORDER BY m.id");
    REQUIRE(all.step());
    CHECK(all.integer(0) == 2'000'000);
    CHECK(all.text(1) == "rooms/1");
    CHECK(all.integer(2) == 2);
    CHECK(all.integer(3) == 1);
    CHECK(all.text(4) == "00FF");
    CHECK(all.text(5) == R"({"content_type":"text/plain","user_properties":[["a","b"]]})");
    REQUIRE(all.step());
    CHECK(all.integer(0) == 1'500'000'000);
    CHECK(all.integer(2) == 1);
    CHECK(all.text(4).empty());
    CHECK(all.is_null(5));
    CHECK_FALSE(all.step());
    CHECK(made.tables().text("SELECT filter || code FROM subscriptions") == "#2");
    CHECK(number(made, "SELECT epoch FROM runs") == 7);
    const recording_summary summary = made.summary();
    CHECK(summary.kind == "subscriber");
    CHECK(summary.source == "mqtt://broker:1883");
    CHECK(summary.filters == std::vector<std::string>{"#"});
    CHECK(summary.ran_for == 2s);
    CHECK(summary.messages == 2);
}

TEST_CASE("what a subscriber cannot know is absent from its recording", "[recording]") {
    const scratch_file file;
    subscriber_recorder recorder(options_of(file), begin);
    recorder.heard(text_on("a", "x"), begin);
    recorder.finish(begin + 1s);
    recording_reader made(file.path);
    CHECK(number(made,
                 "SELECT count(*) FROM messages WHERE published IS NULL AND publisher IS NULL "
                 "AND deliveries IS NULL") == 1);
    for (const char* const table : {"clients", "connections", "deliveries", "gauges"}) {
        CHECK(number(made, "SELECT count(*) FROM " + std::string(table)) == 0);
    }
    CHECK(number(made,
                 "SELECT count(*) FROM metrics WHERE published = 1 AND delivered IS NULL AND "
                 "dropped IS NULL") == 1);
    CHECK(number(made, "SELECT events IS NULL AND trace_hash IS NULL FROM runs") == 1);
    CHECK(made.tables().text("SELECT group_concat(step || ' ' || client) FROM journeys") ==
          "received from mqtt://broker:1883");
    CHECK(number(made, "SELECT count(*) FROM latency_per_qos") == 0);
    CHECK(number(made, "SELECT count(*) FROM drops_per_reason") == 0);
    CHECK(number(made, "SELECT messages FROM messages_per_topic") == 1);
}

TEST_CASE("times without a connection are gaps", "[recording]") {
    const scratch_file file;
    subscriber_recorder recorder(options_of(file), begin);
    recorder.apart("connection reset", begin + 10s);
    recorder.back(true, begin + 13s);
    recorder.apart("server shutting down", begin + 20s);
    recorder.finish(begin + 30s);
    recording_reader made(file.path);
    const recording_summary summary = made.summary();
    CHECK(summary.gaps == 2);
    CHECK(summary.gap_time == 3s);
    CHECK(made.tables().text("SELECT group_concat(at || '-' || coalesce(ended, 'open') || ' ' || "
                             "coalesce(session_present, 'open') || ' ' || reason, '; ') "
                             "FROM gaps") ==
          "10000000000-13000000000 1 connection reset; 20000000000-open open server shutting down");
}

TEST_CASE("instants of a recording never fall, though those that are told may", "[recording]") {
    const scratch_file file;
    subscriber_recorder recorder(options_of(file), begin);
    recorder.heard(text_on("a", "1"), begin - 1s);
    recorder.heard(text_on("a", "2"), begin + 5s);
    recorder.heard(text_on("a", "3"), begin + 4s);
    recorder.finish(begin);
    recording_reader made(file.path);
    CHECK(made.tables().text("SELECT group_concat(at / 1000000000) FROM messages") == "0,5,5");
    CHECK(number(made, "SELECT ended_at / 1000000000 FROM runs") == 5);
}

TEST_CASE("a recorder that is killed leaves what was committed", "[recording]") {
    const scratch_file file;
    const int status = in_a_process([&] {
        subscriber_recorder recorder(options_of(file), begin);
        const std::string payload(100, 'x');
        for (int i = 0; i < 50'000; ++i) {
            recorder.heard(text_on("a/" + std::to_string(i % 10), payload), begin);
        }
        recorder.sync();
        for (int i = 0; i < 50'000; ++i) {  // under load
            recorder.heard(text_on("b", payload), begin);
        }
        kill(getpid(), SIGKILL);
    });
    REQUIRE(WIFSIGNALED(status));
    recording_reader made(file.path);
    CHECK(number(made, "SELECT count(*) FROM messages WHERE id <= 50000") == 50'000);
    CHECK(made.tables().text("PRAGMA integrity_check") == "ok");
    CHECK_FALSE(made.summary().ran_for);
}

TEST_CASE("a disk that fills up ends a recording with a reason, and what was committed stays",
          "[recording]") {
    const scratch_file file;
    const int status = in_a_process([&] {
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit small{rlim_t{8} << 20, rlim_t{8} << 20};
        setrlimit(RLIMIT_FSIZE, &small);
        subscriber_recorder recorder(options_of(file), begin);
        recorder.heard(text_on("a", "first"), begin);
        recorder.sync();
        const std::string payload(1000, 'x');
        for (int i = 0; i < 100'000; ++i) {
            recorder.heard(text_on("a", payload), begin);
        }
        recorder.sync();
        const bool told = recorder.error().find("cannot be written") != std::string::npos;
        try {
            recorder.finish(begin);
        } catch (const recording_error&) {
            _exit(told ? 3 : 4);
        }
    });
    REQUIRE(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 3);
    recording_reader made(file.path);
    CHECK(number(made, "SELECT payload = CAST('first' AS BLOB) FROM messages WHERE id = 1") == 1);
    CHECK(made.tables().text("PRAGMA integrity_check") == "ok");
}

TEST_CASE("a copy of a recording that goes on is whole", "[recording]") {
    const scratch_file file;
    const scratch_file copy;
    subscriber_recorder recorder(options_of(file), begin);
    recorder.heard(text_on("a", "1"), begin);
    recorder.sync();
    copy_recording(file.path, copy.path, 5s);
    CHECK_THROWS_AS(copy_recording(file.path, copy.path, 5s), recording_error);
    recorder.heard(text_on("a", "2"), begin);
    recorder.finish(begin + 9s);
    CHECK(recording_reader(file.path).summary().messages == 2);
    recording_reader made(copy.path);
    CHECK(made.summary().messages == 1);
    CHECK(made.summary().ran_for == 5s);
}
