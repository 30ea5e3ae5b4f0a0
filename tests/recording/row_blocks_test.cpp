#include <fleetarium/recording/row_blocks.hpp>

#include <recording/recorded_scenario.hpp>
#include <support/temporary_folder.hpp>

#include <catch2/catch.hpp>

#include <array>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>

using namespace fleetarium;
using namespace fleetarium::recording;
using kind = row_blocks::kind;

namespace {

constexpr std::int64_t many = 1'000;

struct filled_table {
    test::temporary_folder folder;
    database in{folder.path() + "/things.db", database::mode::create};
    filled_table() {
        in.execute(
            "CREATE TABLE things(id INTEGER PRIMARY KEY, name TEXT, bytes BLOB, n INTEGER);"
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 1000)"
            "INSERT INTO things SELECT x, 't' || x, CAST('b' || x AS BLOB), -x FROM c");
    }
};

}  // namespace

TEST_CASE("rows of a block are those of the table, in the order of the key",
          "[recording][row_blocks]") {
    filled_table from;
    row_blocks things(from.in, "things", "id",
                      {{"n", kind::integer},
                       {"name", kind::bytes},
                       {"bytes", kind::bytes},
                       {"id", kind::integer}});
    CHECK_FALSE(things.next());  // nothing is selected
    things.select(1, many);
    std::int64_t right = 0;
    while (things.next()) {
        const std::string number = std::to_string(right + 1);
        right += things.integer(0) == -right - 1 && as_text(things.bytes(1)) == "t" + number &&
                 as_text(things.bytes(2)) == "b" + number && things.integer(3) == right + 1;
    }
    CHECK(right == many);
    CHECK_FALSE(things.next());
}

TEST_CASE("a selection ends where it should, and another may begin before",
          "[recording][row_blocks]") {
    filled_table from;
    row_blocks things(from.in, "things", "id", {{"id", kind::integer}});
    things.select(1, many);
    REQUIRE(things.next());
    things.select(998, 5'000);
    for (const std::int64_t id : {998, 999, 1'000}) {
        REQUIRE(things.next());
        CHECK(things.integer(0) == id);
    }
    CHECK_FALSE(things.next());
    // As many as are taken at once, to the row
    things.select(1, 256);
    std::int64_t count = 0;
    while (things.next()) {
        ++count;
    }
    CHECK(count == 256);
    things.select(7, 7);
    CHECK(things.next());
    CHECK_FALSE(things.next());
    things.select(2'000, 3'000);
    CHECK_FALSE(things.next());
}

TEST_CASE("NULL, nothing and large values are told apart", "[recording][row_blocks]") {
    filled_table from;
    from.in.execute(
        "DELETE FROM things WHERE id > 3;"
        "UPDATE things SET name = NULL, bytes = NULL, n = NULL WHERE id = 1;"
        "UPDATE things SET name = '', bytes = x'', n = 0 WHERE id = 2;"
        "UPDATE things SET bytes = zeroblob(1000000) WHERE id = 3");
    row_blocks things(from.in, "things", "id",
                      {{"name", kind::bytes}, {"bytes", kind::bytes}, {"n", kind::integer}});
    things.select(1, 3);
    REQUIRE(things.next());
    CHECK((things.is_null(0) && things.is_null(1) && things.is_null(2)));
    CHECK((things.bytes(0).empty() && things.bytes(1).empty() && things.integer(2) == 0));
    REQUIRE(things.next());
    CHECK_FALSE((things.is_null(0) || things.is_null(1) || things.is_null(2)));
    CHECK((things.bytes(0).empty() && things.bytes(1).empty() && things.integer(2) == 0));
    REQUIRE(things.next());
    CHECK(things.bytes(1).size() == 1'000'000);
    CHECK(as_text(things.bytes(0)) == "t3");
}

TEST_CASE("given a tree whose rows are out of order, when they are read, then the file is damaged",
          "[recording][row_blocks][damaged]") {
    const scratch_folder folder;
    const std::string file = folder.file("damaged.flr");
    std::int64_t page = 0;
    std::int64_t page_size = 0;
    {
        database made(file, database::mode::create);
        made.execute(
            "CREATE TABLE things(id INTEGER PRIMARY KEY, n INTEGER);"
            "INSERT INTO things VALUES (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7)");
        page = made.integer("SELECT rootpage FROM sqlite_schema").value();
        page_size = made.integer("PRAGMA page_size").value();
    }
    {
        // The pointers to the cells of rows 5 and 6; those of the leaf come after its header
        std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
        std::array<char, 4> pointers{};
        const std::streamoff at = (page - 1) * page_size + 8 + 2 * 4;
        bytes.seekg(at).read(pointers.data(), pointers.size());
        std::swap(pointers[0], pointers[2]);
        std::swap(pointers[1], pointers[3]);
        bytes.seekp(at).write(pointers.data(), pointers.size());
        REQUIRE(bytes.good());
    }
    database in(file, database::mode::read);
    row_blocks things(in, "things", "id", {{"n", kind::integer}});
    things.select(1, 7);
    CHECK_THROWS_WITH(things.next(), file + ": is damaged: things.id 5 is not in its order");
}

TEST_CASE("no SQL text can have rows taken", "[recording][row_blocks]") {
    filled_table from;
    CHECK_THROWS_AS(from.in.integer("SELECT fleetarium_take_row(1, id) FROM things"),
                    recording_error);
    CHECK_THROWS_AS(from.in.integer("SELECT fleetarium_take_row() FROM things"), recording_error);
    CHECK_THROWS_AS(row_blocks(from.in, "nothing", "id", {{"id", kind::integer}}), recording_error);
}
