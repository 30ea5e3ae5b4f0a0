#include <fleetarium/codec/codec.hpp>
#include <fleetarium/recording/later_queue.hpp>
#include <fleetarium/recording/recording_csv.hpp>
#include <fleetarium/recording/recording_json_lines.hpp>
#include <fleetarium/recording/recording_pcapng.hpp>
#include <fleetarium/recording/world_recorder.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <support/case_share.hpp>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <unistd.h>
#include <algorithm>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::recording;
using namespace fleetarium::sim;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

/// A recording of its own, gone afterwards.
struct scratch_recording {
    std::string path =
        (fs::temp_directory_path() /
         ("fleetarium-export-" + std::to_string(getpid()) + "-" + std::to_string(++count) + ".flr"))
            .string();
    ~scratch_recording() {
        for (const char* const end : {"", "-wal", "-shm", "-journal"}) {
            fs::remove(path + end);
        }
    }
    static inline int count = 0;
};

/// The largest scenarios take minutes under sanitizers, to which they show nothing of their own.
bool is_left_out(const std::string& name) {
    return test::one_case_in() > 1 &&
           (name == "scenarios/power_cut.json" || name == "scenarios/broker_restart.json");
}

void record(const scenario& what, const std::string& path) {
    world w = world::from(what);
    world_recorder recorder(w, {.path = path, .epoch = 946'684'800'000'000'000});
    w.run_until(instant{what.duration});
    recorder.finish(w.report());
}

scenario read_scenario(const std::string& name, const std::vector<std::string>& overrides = {}) {
    auto read = load_scenario(std::string(FLEETARIUM_SOURCE_DIR) + "/" + name, overrides);
    if (const auto* const problems = std::get_if<std::vector<problem>>(&read)) {
        FAIL(to_string(*problems));
    }
    return std::get<scenario>(std::move(read));
}

publication_spec every(double period, enum qos qos, std::string payload) {
    return {.topic = "a/{index}",
            .period = distribution::constant(period),
            .qos = qos,
            .payload = std::move(payload)};
}

/// Sensors of 5.0 that publish in each QoS, a panel of 3.1.1, and a link that breaks.
scenario sensors_and_a_panel() {
    scenario out;
    out.duration = 60s;
    out.networks.push_back({.name = "lan",
                            .up = {.latency = distribution::constant(3e6)},
                            .down = {.latency = distribution::constant(4e6)}});
    out.networks.push_back({.name = "far",
                            .up = {.latency = distribution::constant(200e6)},
                            .down = {.latency = distribution::constant(300e6)}});
    fleet_spec sensors{.name = "sensors", .count = 10, .network = "lan", .clean_start = false};
    sensors.session_expiry = 1h;
    for (const qos each : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        sensors.publications.push_back(every(1e9, each, "say \"{seq}\", \xC3\xA9"));
    }
    out.fleets.push_back(sensors);
    fleet_spec panel{.name = "panel",
                     .network = "far",
                     .version = protocol_version::v3_1_1,
                     .clean_start = false};
    panel.subscriptions.push_back({.filter = "a/#", .qos = qos::exactly_once});
    out.fleets.push_back(panel);
    out.faults.push_back({.kind = fault_kind::cut, .at = 20s, .fleet = "panel"});
    out.faults.push_back({.kind = fault_kind::cut, .at = 40001ms, .fleet = "sensors"});
    return out;
}

std::int64_t number(recording_reader& from, const std::string& sql) {
    return from.tables().integer(sql).value_or(0);
}

/// An MQTT packet in a capture.
struct captured {
    bool up = false;
    std::uint64_t time = 0;
    std::uint64_t stream = 0;
    frame in{};
};

std::uint32_t little_32(bytes_view in, std::size_t at) {
    return in[at] | std::uint32_t{in[at + 1]} << 8 | std::uint32_t{in[at + 2]} << 16 |
           std::uint32_t{in[at + 3]} << 24;
}

std::uint64_t big(bytes_view in, std::size_t at, std::size_t count) {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < count; ++i) {
        out = out << 8 | in[at + i];
    }
    return out;
}

/// The packets of a capture, of which each is in a segment of its own.
std::vector<captured> packets_in(const std::string& file) {
    std::vector<captured> out;
    const bytes_view all = as_bytes_view(file);
    for (std::size_t at = 0; at < all.size();) {
        const std::uint32_t size = little_32(all, at + 4);
        if (little_32(all, at) == 6) {
            const bytes_view ip = all.subspan(at + 28, little_32(all, at + 20));
            bytes_view data = ip.subspan(40);
            if (!data.empty()) {
                captured made;
                made.up = big(ip, 22, 2) == 1883;
                made.time = std::uint64_t{little_32(all, at + 12)} << 32 | little_32(all, at + 16);
                const std::size_t client = made.up ? 0 : 1;
                made.stream = big(ip, 12 + 4 * client, 4) << 16 | big(ip, 20 + 2 * client, 2);
                const frame_result taken = split_frame(data, made.in);
                REQUIRE(taken.complete);
                REQUIRE(data.empty());
                out.push_back(made);
            }
        }
        at += size;
    }
    return out;
}

std::string pcapng_of(recording_reader& from, const export_selection& selection = {}) {
    std::ostringstream to;
    export_pcapng(from, selection, to);
    return to.str();
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> out;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
        out.push_back(line);
    }
    return out;
}

}  // namespace

TEST_CASE("a capture has each recorded packet, valid in the version of its connection",
          "[recording][export]") {
    const auto name =
        GENERATE(as<std::string>(), "scenarios/power_cut.json", "scenarios/worker_crash.json",
                 "scenarios/broker_restart.json", "tests/mutants/protocol_lab.json", "");
    INFO(name);
    if (is_left_out(name)) {
        return;
    }
    // given
    const scratch_recording file;
    record(name.empty() ? sensors_and_a_panel() : read_scenario(name), file.path);
    recording_reader from(file.path);
    // when
    std::ostringstream to;
    const pcapng_sums sums = export_pcapng(from, {}, to);
    const std::string capture = to.str();
    const std::vector<captured> packets = packets_in(capture);
    // then
    std::map<std::uint64_t, protocol_version> versions;
    std::map<std::pair<packet_type, bool>, std::int64_t> counts;
    std::uint64_t before = 0;
    for (const captured& each : packets) {
        CHECK(each.time >= before);
        before = each.time;
        ++counts[{each.in.type(), each.up}];
        if (each.in.type() == packet_type::connect) {
            connect read;
            REQUIRE(decode(each.in, read) == violation::none);
            versions[each.stream] = read.version;
        }
        packet read;
        REQUIRE(decode(each.in, versions.at(each.stream), read) == violation::none);
    }
    CHECK(sums.not_placed == 0);
    CHECK(sums.packets == packets.size());
    CHECK(counts[{packet_type::connect, true}] == number(from, "SELECT count(*) FROM connections"));
    CHECK(counts[{packet_type::connack, false}] ==
          number(from, "SELECT count(*) FROM connections"));
    CHECK(counts[{packet_type::subscribe, true}] ==
          number(from, "SELECT count(*) FROM subscriptions WHERE NOT ends"));
    CHECK(counts[{packet_type::publish, true}] ==
          number(from,
                 "SELECT (SELECT count(*) FROM messages WHERE publisher IS NOT NULL AND NOT will)"
                 " + (SELECT count(*) FROM resends WHERE delivery IS NULL)"));
    CHECK(counts[{packet_type::publish, false}] ==
          number(from,
                 "SELECT (SELECT count(*) FROM deliveries WHERE sent IS NOT NULL)"
                 " + (SELECT count(*) FROM resends WHERE delivery IS NOT NULL)"));
    CHECK(counts[{packet_type::puback, false}] ==
          number(from,
                 "SELECT count(*) FROM messages WHERE qos = 1 AND publisher IS NOT NULL "
                 "AND NOT will"));
    CHECK(counts[{packet_type::puback, true}] ==
          number(from, "SELECT count(*) FROM deliveries WHERE qos = 1 AND state IN (2, 4)"));
    // 0x92, packet identifier not found, is an answer as well.
    CHECK(counts[{packet_type::pubcomp, true}] ==
          number(from,
                 "SELECT count(*) FROM deliveries WHERE qos = 2 AND "
                 "(state = 2 OR state = 4 AND code = 0x92)"));
    // A publisher may learn of it when the broker has seen its connection end.
    const std::int64_t completed = number(from,
                                          "SELECT count(*) FROM acknowledgements a JOIN messages m "
                                          "ON m.id = a.message WHERE m.qos = 2 AND NOT m.will");
    CHECK(counts[{packet_type::pubcomp, false}] <= completed);
    CHECK(counts[{packet_type::pubcomp, false}] >=
          completed - number(from, "SELECT count(*) FROM connections WHERE ended NOT NULL"));
}

TEST_CASE("a packet that is sent again has its packet id, and DUP", "[recording][export]") {
    const scratch_recording file;
    record(sensors_and_a_panel(), file.path);
    recording_reader from(file.path);
    REQUIRE(number(from, "SELECT count(*) FROM resends WHERE delivery IS NOT NULL") > 0);
    const std::string capture = pcapng_of(from);
    std::map<std::uint64_t, protocol_version> versions;
    std::map<std::uint16_t, std::string> sent;  // to the panel, in flight or not
    std::int64_t again = 0;
    for (const captured& each : packets_in(capture)) {
        if (each.in.type() == packet_type::connect) {
            connect read;
            REQUIRE(decode(each.in, read) == violation::none);
            versions[each.stream] = read.version;
        }
        if (each.up || each.in.type() != packet_type::publish) {
            continue;
        }
        publish read;
        REQUIRE(decode(each.in, versions.at(each.stream), read) == violation::none);
        const std::string what = std::string(read.topic) + std::string(as_text(read.payload));
        if (read.dup) {
            ++again;
            CHECK(sent[read.packet_id] == what);
        }
        sent[read.packet_id] = what;
    }
    CHECK(again == number(from, "SELECT count(*) FROM resends WHERE delivery IS NOT NULL"));
}

TEST_CASE("a part of a recording is exported so that it can be read", "[recording][export]") {
    const scratch_recording file;
    record(sensors_and_a_panel(), file.path);
    recording_reader from(file.path);
    const auto publishes = [&](const export_selection& selection, bool up) {
        const std::string capture = pcapng_of(from, selection);
        const std::vector<captured> packets = packets_in(capture);
        return std::count_if(packets.begin(), packets.end(), [&](const captured& each) {
            return each.in.type() == packet_type::publish && each.up == up;
        });
    };
    SECTION("of a while: connections that were open begin with their CONNECT") {
        const export_selection selection{.from = 30'000'000'000, .until = 35'000'000'000};
        CHECK(publishes(selection, true) ==
              number(from,
                     "SELECT count(*) FROM messages WHERE publisher NOT NULL AND at >= 30e9 "
                     "AND at < 35e9"));
        CHECK(publishes(selection, false) ==
              number(from, "SELECT count(*) FROM deliveries WHERE sent >= 30e9 AND sent < 35e9"));
        const std::string capture = pcapng_of(from, selection);
        std::map<std::uint64_t, bool> connected;
        for (const captured& each : packets_in(capture)) {
            connected[each.stream] |= each.in.type() == packet_type::connect;
            CHECK(connected[each.stream]);
        }
        CHECK(connected.size() == 11);
    }
    SECTION("of topics") {
        const export_selection selection{.filter = "a/3"};
        CHECK(publishes(selection, true) ==
              number(from,
                     "SELECT count(*) FROM messages m JOIN topics t ON t.id = m.topic "
                     "WHERE t.name = 'a/3'"));
        std::ostringstream csv;
        const text_sums sums = export_csv(from, selection, csv);
        CHECK(sums.messages ==
              static_cast<std::uint64_t>(
                  number(from,
                         "SELECT count(*) FROM messages m JOIN topics t ON t.id = m.topic "
                         "WHERE t.name = 'a/3'")));
    }
    SECTION("of a client, by its name or its client id") {
        CHECK(publishes({.clients = {"panel[0]"}}, true) == 0);
        CHECK(publishes({.clients = {"panel[0]"}}, false) ==
              publishes({.clients = {from.tables().text(
                             "SELECT client_id FROM clients WHERE name = 'panel[0]'")}},
                        false));
        CHECK(publishes({.clients = {"panel[0]"}}, false) > 1000);
        CHECK(publishes({.clients = {"sensors[2]", "sensors[3]"}}, false) == 0);
    }
    SECTION("or is refused, with what was meant") {
        std::ostringstream to;
        CHECK_THROWS_WITH(export_pcapng(from, {.clients = {"pannel[0]"}}, to),
                          file.path + ": has no client \"pannel[0]\"; did you mean panel[0]?");
        CHECK_THROWS_WITH(export_csv(from, {.filter = "a/#/b"}, to),
                          Catch::Contains("found the topic filter \"a/#/b\""));
    }
}

TEST_CASE("rows for spreadsheets have each delivery once, and quotes as RFC 4180 has them",
          "[recording][export]") {
    const scratch_recording file;
    record(sensors_and_a_panel(), file.path);
    recording_reader from(file.path);
    std::ostringstream to;
    const text_sums sums = export_csv(from, {}, to);
    const std::vector<std::string> lines = lines_of(to.str());
    CHECK(sums.deliveries ==
          static_cast<std::uint64_t>(number(from, "SELECT count(*) FROM deliveries")));
    CHECK(sums.messages ==
          static_cast<std::uint64_t>(number(from, "SELECT count(*) FROM messages")));
    CHECK(lines.size() == 1 + sums.rows);
    CHECK(lines[0].rfind("message,publisher,receiver,topic,qos,", 0) == 0);
    CHECK(std::any_of(lines.begin(), lines.end(), [](const std::string& line) {
        return line.find(R"(,"say ""1"", )"
                         "\xC3\xA9\",text,") != std::string::npos;
    }));
}

TEST_CASE("payloads that are no text are in base64", "[recording][export]") {
    const scratch_recording file;
    {
        recording_writer writer({.path = file.path});
        traffic_note broker;
        broker.what = traffic_note::kind::broker;
        writer.add(broker, "b");
        traffic_note message;
        message.what = traffic_note::kind::message;
        message.number = 1;
        message.topic_size = 3;
        writer.add(message, std::string_view("a/b\0\1\377\n", 7));
        traffic_note routed;
        routed.what = traffic_note::kind::routed;
        routed.number = 1;
        writer.add(routed, {});
    }
    recording_reader from(file.path);
    std::ostringstream csv;
    export_csv(from, {}, csv);
    CHECK(lines_of(csv.str()).at(1) ==
          "1,,,a/b,0,0,0,0,no_delivery,no_subscriber,0,0,,,,,,,,AAH/Cg==,base64,\r");
    std::ostringstream json;
    export_json_lines(from, {}, json);
    CHECK(nlohmann::json::parse(json.str()).at("payload_base64") == "AAH/Cg==");
}

TEST_CASE("JSON lines tell what happened in the order of time", "[recording][export]") {
    const auto name = GENERATE(as<std::string>(), "scenarios/power_cut.json",
                               "tests/mutants/protocol_lab.json", "");
    INFO(name);
    if (is_left_out(name)) {
        return;
    }
    const scratch_recording file;
    record(name.empty() ? sensors_and_a_panel() : read_scenario(name), file.path);
    recording_reader from(file.path);
    std::ostringstream to;
    export_json_lines(from, {}, to);
    std::map<std::string, std::int64_t> events;
    double before = 0;
    for (const std::string& line : lines_of(to.str())) {
        const nlohmann::json read = nlohmann::json::parse(line);
        const double at = read.at("at_s");
        REQUIRE(at >= before);
        before = at;
        ++events[read.at("event")];
    }
    CHECK(events["message"] + events["message_refused"] ==
          number(from, "SELECT count(*) FROM messages"));
    CHECK(events["delivery"] == number(from, "SELECT count(*) FROM deliveries"));
    CHECK(events["connected"] == number(from, "SELECT count(*) FROM connections WHERE accepted"));
    CHECK(events["disconnected"] ==
          number(from, "SELECT count(*) FROM connections WHERE accepted AND ended NOT NULL"));
    CHECK(events["fault_began"] + events["fault_ended"] ==
          number(from, "SELECT count(*) FROM faults"));
}

TEST_CASE("what waits beyond a queue's bound comes back from its file in order",
          "[recording][export]") {
    struct entry {
        std::uint64_t at;
        std::uint64_t order;
        bool operator<(const entry& other) const {
            return at != other.at ? at < other.at : order < other.order;
        }
    };
    later_queue<entry> queue(64);
    std::vector<entry> model;
    std::uint64_t draw = 1;
    std::uint64_t now = 0;
    for (std::uint64_t i = 0; i < 40'000; ++i) {
        draw = draw * 6364136223846793005U + 1442695040888963407U;
        const entry made{now + (draw >> 33) % 5'000, i};
        queue.push(made);
        model.push_back(made);
        std::push_heap(model.begin(), model.end(),
                       [](const entry& a, const entry& b) { return b < a; });
        // More comes in than goes out for the first half.
        const unsigned takes = i % 3 == 0 || i > 20'000 ? 2 : 0;
        for (unsigned k = 0; k < takes && !model.empty(); ++k) {
            std::pop_heap(model.begin(), model.end(),
                          [](const entry& a, const entry& b) { return b < a; });
            REQUIRE_FALSE(queue.empty());
            REQUIRE(queue.top().order == model.back().order);
            now = queue.top().at;
            queue.pop();
            model.pop_back();
        }
    }
    while (!model.empty()) {
        std::pop_heap(model.begin(), model.end(),
                      [](const entry& a, const entry& b) { return b < a; });
        REQUIRE(queue.top().order == model.back().order);
        queue.pop();
        model.pop_back();
    }
    CHECK(queue.empty());
}
