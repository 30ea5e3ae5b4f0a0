#include <fleetarium/storage/database.hpp>

#include <support/temporary_folder.hpp>

#include <sqlite3.h>
#include <catch2/catch.hpp>

#include <filesystem>
#include <string>

using namespace fleetarium;
using storage::database;
using storage::database_error;

namespace {

database_error error_of(const auto& what) {
    try {
        what();
    } catch (const database_error& error) {
        return error;
    }
    FAIL("nothing was thrown");
    return {"", 0};
}

/// One that throws what its users catch.
class database_of_numbers : public database {
public:
    using database::database;

protected:
    void translate(const database_error& error) const override { throw error.code(); }
};

}  // namespace

TEST_CASE("a database keeps what it is told, and gives it back") {
    const test::temporary_folder folder;
    database in(folder.path() + "/things.db", database::mode::create);
    in.execute("CREATE TABLE things(id INTEGER PRIMARY KEY, name TEXT, bytes BLOB)");
    const std::string bytes("\0\1", 2);
    auto insert = in.prepare("INSERT INTO things VALUES (?1, ?2, ?3)");
    insert.bind(1, std::int64_t{7}).bind(2, "seven").bind(3, as_bytes_view(bytes)).run();
    insert.bind(1, std::int64_t{8}).bind(2, "").bind_null(3).run();
    CHECK(in.last_row() == 8);
    CHECK(in.integer("SELECT count(*) FROM things") == 2);
    CHECK(in.integer("SELECT id FROM things WHERE id > 8") == std::nullopt);

    auto rows = in.prepare("SELECT * FROM things ORDER BY id");
    REQUIRE(rows.step());
    CHECK(rows.integer(0) == 7);
    CHECK(rows.text(1) == "seven");
    CHECK(rows.blob(2).size() == 2);
    REQUIRE(rows.step());
    CHECK_FALSE(rows.is_null(1));
    CHECK(rows.is_null(2));
    CHECK_FALSE(rows.step());
}

TEST_CASE("an error of a database names the file and keeps SQLite's code") {
    const test::temporary_folder folder;
    const std::string path = folder.path() + "/none.db";
    const database_error missing = error_of([&] { database(path, database::mode::read); });
    CHECK(missing.primary_code() == SQLITE_CANTOPEN);
    CHECK_THAT(missing.what(), Catch::Matchers::StartsWith(path + ": "));

    database in(path, database::mode::create);
    in.execute("CREATE TABLE things(id INTEGER PRIMARY KEY); INSERT INTO things VALUES (1)");
    const database_error twice =
        error_of([&] { in.prepare("INSERT INTO things VALUES (1)").run(); });
    CHECK(twice.code() == SQLITE_CONSTRAINT_PRIMARYKEY);
    CHECK(twice.primary_code() == SQLITE_CONSTRAINT);
    CHECK(twice.what() == path + ": cannot be written: UNIQUE constraint failed: things.id");

    database reader(path, database::mode::read);
    CHECK(error_of([&] { reader.execute("DELETE FROM things"); }).primary_code() ==
          SQLITE_READONLY);
}

TEST_CASE("a database is opened in the file system that is named") {
    const test::temporary_folder folder;
    const std::string path = folder.path() + "/some.db";
    const std::string by_default = sqlite3_vfs_find(nullptr)->zName;
    CHECK_NOTHROW(database(path, database::mode::create, by_default));
    const database_error unknown =
        error_of([&] { database(path, database::mode::create, "no such system"); });
    CHECK(unknown.what() == path + ": no such vfs: no such system");
}

TEST_CASE("a name that means something else to SQLite is the name of a file") {
    const test::temporary_folder folder;
    const auto before = std::filesystem::current_path();
    std::filesystem::current_path(folder.path());
    for (const std::string name : {":memory:", ":other", "file:here.db?mode=memory"}) {
        INFO(name);
        database(name, database::mode::create).execute("CREATE TABLE things(id)");
        CHECK(std::filesystem::file_size("./" + name) > 0);
        CHECK(database(name, database::mode::read).integer("SELECT count(*) FROM things") == 0);
    }
    std::filesystem::current_path(before);
}

TEST_CASE("a derived database throws an error of its own, also from its statements") {
    const test::temporary_folder folder;
    database_of_numbers in(folder.path() + "/nothing.db", database::mode::create);
    CHECK_THROWS_AS(in.execute("nonsense"), int);
    CHECK_THROWS_AS(in.prepare("SELECT * FROM nothing"), int);
    auto zero = in.prepare("SELECT abs(?1)");
    zero.bind(1, INT64_MIN);
    CHECK_THROWS_AS(zero.step(), int);
}
