#include <fleetarium/core/assert.hpp>
#include <fleetarium/storage/database.hpp>
#include <fleetarium/storage/session_file.hpp>

#include <fuzz/drawn_bytes.hpp>
#include <support/durable_bench.hpp>

#include <unistd.h>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

// A sound session file, or the log beside it, with some of its bytes changed, or some of the values
// in its tables, or any file at all: a broker goes on from it, or a session_file_error names it.
// What says that it is damaged can be recovered, or not; a broker goes on from what was.

namespace {

using namespace fleetarium;
using storage::database;
using storage::database_error;
using storage::session_file_error;

using file_bytes = std::vector<char>;

struct place {
    std::string table;
    std::string column;
};

file_bytes read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}
void write(const std::string& path, const file_bytes& bytes) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

storage::session_file_options options_for(const std::string& path) {
    // Quick, and with a clock like that of a machine.
    constexpr std::chrono::hours years_since_1970{24 * 365 * 56};
    return {.path = path, .sync = storage::sync_mode::off, .clock_offset = years_since_1970};
}

/// A file with everything in it that a file may hold.
void make_sound(const std::string& path, const std::string& live_copy) {
    test::durable_bench durable(options_for(path));
    const auto come = [&](const test::connect_with& who) -> test::peer& {
        test::peer& made = durable.broker().connect(who);
        durable.commit();
        made.discard();
        return made;
    };
    will last;
    last.topic = "a/will";
    last.payload = as_bytes_view(std::string_view("gone"));
    last.qos = qos::at_least_once;
    last.delay_interval = 10;
    for (const char* const id : {"s", "t"}) {
        test::peer& subscriber = come({.client_id = id, .session_expiry = 3600, .will = last});
        subscriber.send_hex("82 09 00 01 00 00 03 61 2F 23 02");  // a/#
        subscriber.send_hex("82 0F 00 02 00 00 09 24 73 68 61 72 65 2F 67 2F 62 01");
        durable.commit();
        subscriber.discard();
    }
    test::peer& publisher = come({.client_id = "p", .session_expiry = 3600});
    for (std::uint16_t i = 1; i <= 12; ++i) {
        const std::string topic = i % 3 == 0 ? "b" : "a/" + std::to_string(i);
        durable.broker().publish(publisher, topic, std::string(i * 30U, 'x'),
                                 i % 2 == 0 ? qos::exactly_once : qos::at_least_once, i,
                                 i % 4 == 0);
    }
    durable.commit();
    // As a process leaves it that is killed: its log is beside it.
    std::filesystem::copy_file(path, live_copy);
    std::filesystem::copy_file(path + "-wal", live_copy + "-wal");
}

/// What all inputs begin with; made once.
struct stage {
    std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("fleetarium-fuzz-" + std::to_string(getpid()));
    std::string file = (folder / "fuzz.db").string();
    file_bytes sound;  // closed
    file_bytes live;   // with its log
    file_bytes live_log;
    std::vector<place> places;

    stage() {
        std::filesystem::create_directories(folder);
        const std::string made = (folder / "sound.db").string();
        const std::string killed = (folder / "killed.db").string();
        make_sound(made, killed);
        sound = read(made);
        live = read(killed);
        live_log = read(killed + "-wal");
        database tables(made, database::mode::write);
        storage::statement names = tables.prepare(
            "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) "
            "c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' ORDER BY 1, 2");
        while (names.step()) {
            places.push_back({std::string(names.text(0)), std::string(names.text(1))});
        }
        FLEETARIUM_ASSERT(!sound.empty() && !live_log.empty() && places.size() > 20);
        FLEETARIUM_ASSERT(sound != live);
    }
    ~stage() { std::filesystem::remove_all(folder); }

    void put(const file_bytes& bytes, const file_bytes& log = {}) const {
        for (const char* const suffix : {"-shm", "-journal", ".damaged", ".damaged-wal",
                                         ".recovered", ".recovered-wal", "-making"}) {
            std::filesystem::remove(file + suffix);
        }
        write(file, bytes);
        if (log.empty()) {
            std::filesystem::remove(file + "-wal");
        } else {
            write(file + "-wal", log);
        }
    }
};

const stage& the_stage() {
    static const stage made;
    return made;
}

void change_bytes(file_bytes& bytes, test::drawn_bytes& drawn) {
    while (!drawn.empty() && !bytes.empty()) {
        const std::size_t at = drawn.four_bytes() % bytes.size();
        const bytes_view put = drawn.take(1 + drawn.below(8));
        for (std::size_t i = 0; i < put.size() && at + i < bytes.size(); ++i) {
            bytes[at + i] = static_cast<char>(put[i]);
        }
        if (drawn.below(64) == 1) {
            bytes.resize(drawn.four_bytes() % bytes.size());
        }
    }
}

/// Values in tables, which keep the file sound for SQLite.
void change_values(const stage& of, test::drawn_bytes& drawn) {
    static constexpr std::int64_t numbers[] = {
        0, 1, -1, 2, 3, 65'535, 65'536, INT64_MAX, INT64_MIN, 4'294'967'295, 4'294'967'296};
    database tables(of.file, database::mode::write);
    tables.execute("PRAGMA synchronous = OFF");
    while (!drawn.empty()) {
        const place& at = of.places[drawn.two_bytes() % of.places.size()];
        const std::string one = " LIMIT 1 OFFSET " + std::to_string(drawn.below(16));
        const std::uint32_t kind = drawn.below(6);
        const std::string text(kind == 3 ? drawn.text() : "");
        try {
            // Tables without rowid are known by the value itself.
            const std::string where = " WHERE \"" + at.column + "\" = (SELECT \"" + at.column +
                                      "\" FROM \"" + at.table + "\"" + one + ")";
            if (kind == 5) {
                tables.execute("DELETE FROM \"" + at.table + "\"" + where);
                continue;
            }
            storage::statement change = tables.prepare("UPDATE OR IGNORE \"" + at.table +
                                                       "\" SET \"" + at.column + "\" = ?" + where);
            switch (kind) {
                case 0: change.bind(1, drawn.one_of(numbers)); break;
                case 1: change.bind(1, static_cast<std::int64_t>(drawn.four_bytes())); break;
                case 2: change.bind_null(1); break;
                case 3: change.bind(1, std::string_view(text)); break;
                default: change.bind(1, drawn.sized()); break;
            }
            change.run();
        } catch (const database_error&) {
            // The table does not take it.
        }
    }
}

/// A broker goes on from the file, serves somebody, and leaves it so that another can.
void go_on_from(const std::string& path) {
    test::durable_bench durable(options_for(path));
    test::peer& subscriber =
        durable.broker().connect({.client_id = "s", .clean_start = false, .session_expiry = 3600});
    durable.commit();
    durable.broker().advance(std::chrono::seconds{20});
    durable.commit();
    subscriber.discard();
    const auto before = durable.broker().core().session_count();
    try {
        durable.restart();
    } catch (const session_file_error& why) {
        std::fprintf(stderr, "opened once, and not again: %s\n", why.what());
        constexpr bool can_be_opened_again = false;
        FLEETARIUM_ASSERT(can_be_opened_again);
    }
    FLEETARIUM_ASSERT(durable.broker().core().session_count() == before);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const stage& of = the_stage();
    test::drawn_bytes drawn(data, size);
    switch (drawn.below(5)) {
        case 0: {
            file_bytes bytes = of.sound;
            change_bytes(bytes, drawn);
            of.put(bytes);
            break;
        }
        case 1:
            of.put(of.sound);
            change_values(of, drawn);
            break;
        case 2: {
            file_bytes log = of.live_log;
            change_bytes(log, drawn);
            of.put(of.live, log);
            break;
        }
        case 3: {
            file_bytes bytes = of.live;
            change_bytes(bytes, drawn);
            of.put(bytes, of.live_log);
            break;
        }
        default: {
            const bytes_view any = drawn.rest();
            of.put({any.begin(), any.end()});
            break;
        }
    }
    bool is_damaged = false;
    try {
        go_on_from(of.file);
    } catch (const session_file_error& why) {
        FLEETARIUM_ASSERT(std::string_view(why.what()).find("fuzz.db") != std::string_view::npos);
        is_damaged = why.is_damaged();
    }
    if (!is_damaged) {
        return 0;
    }
    try {
        storage::recover_session_file(of.file);
    } catch (const session_file_error& why) {
        FLEETARIUM_ASSERT(std::string_view(why.what()).find("fuzz.db") != std::string_view::npos);
        return 0;
    }
    go_on_from(of.file);
    return 0;
}
