#include <fleetarium/recording/row_batch.hpp>

#include <support/temporary_folder.hpp>

#include <catch2/catch.hpp>

#include <cstdint>
#include <string>
#include <vector>

using namespace fleetarium;
using namespace fleetarium::recording;
using column = row_batch::column;

namespace {

struct table_of_things {
    test::temporary_folder folder;
    database in{folder.path() + "/things.db", database::mode::create};
    table_of_things() {
        in.execute("CREATE TABLE things(id INTEGER PRIMARY KEY, name TEXT, bytes BLOB, n INTEGER)");
    }
    std::string all() {
        return in.text(
            "SELECT group_concat(id || ':' || ifnull(name, '-') || ':' || "
            "ifnull(hex(bytes), '-') || ':' || ifnull(n, '-'), ' ') FROM things");
    }
};

const std::vector<column> things_columns{column::integer, column::text, column::blob,
                                         column::integer};

}  // namespace

TEST_CASE("rows of a batch are in their table once it is written, and not before",
          "[recording][row_batch]") {
    table_of_things to;
    row_batch things(to.in, "things", "INSERT INTO things", things_columns);
    things.add(1).add_text("a").add_blob(as_bytes_view("\x01\x7f")).add(-5).end_row();
    things.add(2).add_null().add_null().add_null().end_row();
    things.add(3).add_text("").add_blob({}).add(INT64_MAX).end_row();
    CHECK(to.all().empty());
    things.write();
    CHECK(to.all() == "1:a:017F:-5 2:-::- 3:::9223372036854775807");
    CHECK(to.in.text("SELECT group_concat(typeof(name) || typeof(bytes)) FROM things") ==
          "textblob,nullnull,textblob");
    things.write();
    things.add(4).add_text("later").add_null().add(0).end_row();
    things.write();
    CHECK(*to.in.integer("SELECT count(*) FROM things") == 4);
}

TEST_CASE("a batch goes in by the order of keys, and of one key the first that came",
          "[recording][row_batch]") {
    table_of_things to;
    row_batch things(to.in, "things", "INSERT OR IGNORE INTO things", things_columns);
    int n = 0;
    for (const int id : {7, 3, 5, 3, 7, 1}) {
        things.add(id).add_text("t" + std::to_string(id)).add_null().add(++n).end_row();
    }
    // In the order in which it is put in
    to.in.execute(
        "CREATE TEMP TABLE came(id, n);"
        "CREATE TEMP TRIGGER comes AFTER INSERT ON things BEGIN "
        "INSERT INTO came VALUES(new.id, new.n); END");
    things.write();
    CHECK(to.in.text("SELECT group_concat(id || '/' || n, ' ') FROM came") == "1/6 3/2 5/3 7/1");
}

TEST_CASE("a batch writes by itself when it has thousands of rows, or a megabyte",
          "[recording][row_batch]") {
    table_of_things to;
    row_batch things(to.in, "things", "INSERT INTO things", things_columns);
    constexpr std::int64_t many = 10'000;
    for (std::int64_t id = 1; id <= many; ++id) {
        things.add(id).add_text(std::to_string(id)).add_null().add(id).end_row();
    }
    CHECK(*to.in.integer("SELECT count(*) FROM things") > many / 2);
    things.write();
    CHECK(*to.in.integer("SELECT count(*) FROM things WHERE name = id AND n = id") == many);
    const std::string large(std::size_t{3} << 20, 'x');
    things.add(many + 1).add_text("large").add_blob(as_bytes_view(large)).add(0).end_row();
    CHECK(*to.in.integer("SELECT length(bytes) FROM things WHERE name = 'large'") == 3 << 20);
}

TEST_CASE("a batch that cannot be written says so, and leaves nothing of itself in the file",
          "[recording][row_batch]") {
    table_of_things to;
    {
        row_batch things(to.in, "things", "INSERT INTO things", things_columns);
        things.add(1).add_null().add_null().add_null().end_row();
        things.write();
        things.add(1).add_null().add_null().add_null().end_row();
        CHECK_THROWS_AS(things.write(), recording_error);
        CHECK_THROWS_AS(row_batch(to.in, "nothing", "INSERT INTO nothing", things_columns),
                        recording_error);
        CHECK(to.in.text("SELECT group_concat(name) FROM sqlite_master") == "things");
    }
    CHECK_THROWS_AS(to.in.text("SELECT count(*) FROM waiting_things"), recording_error);
}
