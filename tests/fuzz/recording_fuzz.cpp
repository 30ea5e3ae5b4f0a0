#include <fleetarium/core/assert.hpp>
#include <fleetarium/recording/database.hpp>
#include <fleetarium/recording/execution_replay.hpp>
#include <fleetarium/recording/learned_scenario.hpp>
#include <fleetarium/recording/recorded_rows.hpp>
#include <fleetarium/recording/recording_csv.hpp>
#include <fleetarium/recording/recording_error.hpp>
#include <fleetarium/recording/recording_json_lines.hpp>
#include <fleetarium/recording/recording_pcapng.hpp>
#include <fleetarium/recording/recording_reader.hpp>
#include <fleetarium/recording/traffic_profile.hpp>
#include <fleetarium/recording/traffic_source.hpp>
#include <fleetarium/recording/world_recorder.hpp>
#include <fleetarium/sim/report_json.hpp>
#include <fleetarium/sim/scenario_loader.hpp>
#include <fleetarium/sim/world.hpp>

#include <fuzz/drawn_bytes.hpp>

#include <unistd.h>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

// A sound recording with some of its bytes changed, or some of the values in its tables, or any
// file at all: whoever reads it gets what it says, or a recording_error that names the file.

namespace {

using namespace fleetarium;
using namespace fleetarium::recording;

constexpr std::string_view scenario_text = R"({
    "name": "sensors", "seed": 7, "duration": "3s",
    "networks": [{"name": "lan", "latency": "10ms"}],
    "fleets": [
        {"name": "sensors", "count": 3, "publications": [
            {"topic": "s/{index}", "period": "1s", "qos": 1, "retain": true, "payload": "{seq}"},
            {"topic": "s/{index}/sure", "period": "1s", "qos": 2, "payload": "{\"a\": {seq}}"}]},
        {"name": "panel", "subscriptions": [{"filter": "s/#", "qos": 2}]}],
    "faults": [{"name": "outage", "kind": "power_loss", "fleet": "sensors", "at": "1s",
                "for": "1s"}]})";

struct place {
    std::string table;
    std::string column;
};

/// What all inputs begin with; made once.
struct stage {
    std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("fleetarium-fuzz-" + std::to_string(getpid()));
    std::string file = (folder / "fuzz.flr").string();
    std::vector<char> sound;
    std::vector<place> places;

    stage() {
        std::filesystem::create_directories(folder);
        const std::string made = (folder / "sound.flr").string();
        {
            const auto read = sim::parse_scenario(scenario_text, "sensors.json");
            const auto& what = std::get<sim::scenario>(read);
            sim::world running = sim::world::from(what);
            recording_options options;
            options.path = made;
            options.scenario = scenario_text;
            options.scenario_file = "sensors.json";
            options.seed = what.seed;
            options.program_version = "1.2.3";
            world_recorder recorder(running, options);
            running.run_until(instant{what.duration});
            recorder.checkpoint();
            recorder.finish(running.report());
        }
        std::ifstream in(made, std::ios::binary);
        sound.assign(std::istreambuf_iterator<char>(in), {});
        database tables(made, database::mode::read);
        statement names = tables.prepare(
            "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) "
            "c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY 1, 2");
        while (names.step()) {
            places.push_back({std::string(names.text(0)), std::string(names.text(1))});
        }
        FLEETARIUM_ASSERT(!sound.empty() && !places.empty());
    }
    ~stage() { std::filesystem::remove_all(folder); }

    void write(const std::vector<char>& bytes) const {
        std::filesystem::remove(file + "-wal");
        std::filesystem::remove(file + "-shm");
        std::filesystem::remove(file + "-journal");
        std::ofstream out(file, std::ios::binary | std::ios::trunc);
        out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
};

const stage& the_stage() {
    static const stage made;
    return made;
}

/// Takes all that is written, and counts it.
class counting_buffer final : public std::streambuf {
public:
    std::streamsize count = 0;

private:
    int_type overflow(int_type) override {
        ++count;
        return 0;
    }
    std::streamsize xsputn(const char*, std::streamsize size) override {
        count += size;
        return size;
    }
};

void change_bytes(std::vector<char>& bytes, test::drawn_bytes& drawn) {
    while (!drawn.empty()) {
        const std::size_t at = drawn.four_bytes() % bytes.size();
        const bytes_view put = drawn.take(1 + drawn.below(8));
        for (std::size_t i = 0; i < put.size() && at + i < bytes.size(); ++i) {
            bytes[at + i] = static_cast<char>(put[i]);
        }
        if (drawn.below(64) == 1) {
            bytes.resize(1 + drawn.four_bytes() % bytes.size());
        }
    }
}

/// Values in tables, which keep the file sound for SQLite.
void change_values(const stage& of, test::drawn_bytes& drawn) {
    database tables(of.file, database::mode::write);
    static constexpr std::int64_t numbers[] = {
        0, 1, -1, 2, 255, 256, 1 << 30, INT64_MAX, INT64_MIN, 3'000'000'000, -3'000'000'000};
    while (!drawn.empty()) {
        const place& at = of.places[drawn.two_bytes() % of.places.size()];
        const std::uint32_t row = drawn.below(16);
        const std::uint32_t kind = drawn.below(6);
        const std::string where = " WHERE rowid = (SELECT rowid FROM \"" + at.table +
                                  "\" LIMIT 1 OFFSET " + std::to_string(row) + ")";
        try {
            if (kind == 5) {
                tables.execute("DELETE FROM \"" + at.table + "\"" + where);
                continue;
            }
            statement change = tables.prepare("UPDATE OR IGNORE \"" + at.table + "\" SET \"" +
                                              at.column + "\" = ?" + where);
            std::string text;
            switch (kind) {
                case 0: change.bind(1, drawn.one_of(numbers)); break;
                case 1: change.bind(1, static_cast<std::int64_t>(drawn.four_bytes())); break;
                case 2: change.bind_null(1); break;
                case 3:
                    text = drawn.text();
                    change.bind(1, std::string_view(text));
                    break;
                default: change.bind(1, drawn.sized()); break;
            }
            change.run();
        } catch (const recording_error&) {
            // The table does not take it.
        }
    }
}

template <class Use>
void attempt(Use&& use) {
    try {
        use();
    } catch (const recording_error& failed) {
        FLEETARIUM_ASSERT(std::string_view(failed.what()).size() > 10);
    }
}

void read_all(const std::string& file) {
    recording_reader reader(file);
    attempt([&] { reader.summary(); });
    attempt([&] {
        message_rows messages(reader.tables(), 1, message_id_max);
        message_row row;
        for (std::int64_t before = 0; messages.next(row); before = row.id) {
            FLEETARIUM_ASSERT(row.id > before);
        }
    });
    attempt([&] {
        delivery_rows deliveries(reader.tables(), 0, message_id_max);
        delivery_row row;
        while (deliveries.next(row)) {
        }
    });
    counting_buffer sink;
    std::ostream out(&sink);
    attempt([&] { export_csv(reader, {}, out); });
    attempt([&] { export_json_lines(reader, {}, out); });
    attempt([&] { export_pcapng(reader, {}, out); });
    attempt([&] {
        const traffic_profile profile = profile_traffic(reader);
        const learned_scenario learned = learn_scenario(profile, "fuzz", 1);
        FLEETARIUM_ASSERT(!learned.text.empty());
    });
    attempt([&] {
        traffic_source source(reader.tables(), {});
        source.publishers();
        while (source.next() != nullptr) {
        }
        source.end();
    });
    attempt([&] { read_execution(reader); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const stage& of = the_stage();
    test::drawn_bytes drawn(data, size);
    switch (drawn.below(3)) {
        case 0: {
            std::vector<char> bytes = of.sound;
            change_bytes(bytes, drawn);
            of.write(bytes);
            break;
        }
        case 1:
            of.write(of.sound);
            change_values(of, drawn);
            break;
        default: {
            const bytes_view any = drawn.rest();
            of.write({any.begin(), any.end()});
            break;
        }
    }
    attempt([&] { read_all(of.file); });
    return 0;
}
