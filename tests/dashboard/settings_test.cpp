#include <fleetarium/dashboard/settings.hpp>

#include "support/temporary_folder.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>

#include <cstdlib>

using namespace fleetarium;
using namespace fleetarium::dashboard;

namespace {

void write(const std::string& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
}

std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

TEST_CASE("settings are as they were left at the next start", "[settings]") {
    const test::temporary_folder folder;
    const std::string path = folder.path() + "/made/on/the/way/dashboard.ini";
    {
        settings kept(path);
        CHECK(kept.notice().empty());
        kept.set("view", "topics");
        kept.set("zoom", 1.25);
        kept.set("follow", true);
        kept.set_imgui_notes("[Window][Topics]\nPos=1,2\n");
        CHECK(kept.save());
    }
    const settings again(path);
    CHECK(again.notice().empty());
    CHECK(again.text("view") == "topics");
    CHECK(again.number("zoom", 0) == 1.25);
    CHECK(again.flag("follow", false));
    CHECK(again.imgui_notes() == "[Window][Topics]\nPos=1,2\n");
    CHECK_FALSE(again.changed());
    // Only this file is there: no half of another.
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path() + "/made/on/the/way"),
                        {}) == 1);
}

TEST_CASE("a setting that is missing or of another kind has its first value", "[settings]") {
    settings kept;
    kept.set("zoom", "large");
    CHECK(kept.number("zoom", 1) == 1);
    CHECK(kept.flag("zoom", true));
    CHECK(kept.text("view", "overview") == "overview");
    CHECK_THROWS_AS(kept.set("two words", "x"), std::logic_error);
    CHECK_THROWS_AS(kept.set("view", "two\nlines"), std::logic_error);
}

TEST_CASE("a file that is not understood is put aside, and the user is told", "[settings]") {
    const test::temporary_folder folder;
    const std::string path = folder.path() + "/dashboard.ini";
    const std::string first = "# Fleetarium dashboard, settings 1\n";
    const auto [content, what] = GENERATE_COPY(table<std::string, std::string>({
        {"", "it is empty"},
        {"# Fleetarium dashboard, settings 99\nview=x\n",
         "line 1 is not \"# Fleetarium dashboard, settings 1\""},
        {first + "view=topics\nwhat is this\n", "line 3 is not NAME=VALUE"},
        {first + "=\n", "line 2 is not NAME=VALUE"},
        {first + std::string("view=\0\n", 7), "not a text"},
        {first + "view=" + std::string(settings::bytes_max, 'x'), "more than 1048576 bytes"},
    }));
    write(path, content);
    settings kept(path);
    CHECK(kept.notice() == "the settings in " + path + " are not understood (" + what +
                               "); those of a first start are used, the file is now " + path +
                               ".broken");
    CHECK(kept.text("view", "overview") == "overview");
    CHECK(read(path + ".broken") == content);
    kept.set("view", "topics");
    CHECK(kept.save());
    CHECK(settings(path).text("view") == "topics");
}

TEST_CASE("where settings cannot be written the user is told", "[settings]") {
    const test::temporary_folder folder;
    write(folder.path() + "/file", "");
    settings kept(folder.path() + "/file/dashboard.ini");
    kept.set("view", "topics");
    CHECK_FALSE(kept.save());
    CHECK(kept.notice().find("settings are not kept: ") == 0);
    CHECK(kept.save());  // nothing changed since
}

TEST_CASE("a folder in the place of the file is left alone", "[settings]") {
    const test::temporary_folder folder;
    const std::string path = folder.path() + "/dashboard.ini";
    std::filesystem::create_directory(path);
    const settings kept(path);
    CHECK(kept.notice().find("cannot be read") != std::string::npos);
    CHECK(std::filesystem::is_directory(path));
}

TEST_CASE("settings are where freedesktop.org has them", "[settings]") {
    const char* const home = std::getenv("HOME");
    const std::string home_before = home == nullptr ? "" : home;
    const char* const xdg = std::getenv("XDG_CONFIG_HOME");
    const std::string xdg_before = xdg == nullptr ? "" : xdg;
    ::setenv("HOME", "/home/ann", 1);
    ::setenv("XDG_CONFIG_HOME", "/etc/ann", 1);
    CHECK(settings::default_path() == "/etc/ann/fleetarium/dashboard.ini");
    ::setenv("XDG_CONFIG_HOME", "not/absolute", 1);
    CHECK(settings::default_path() == "/home/ann/.config/fleetarium/dashboard.ini");
    ::unsetenv("XDG_CONFIG_HOME");
    ::unsetenv("HOME");
    CHECK(settings::default_path().empty());
    ::setenv("HOME", home_before.c_str(), 1);
    if (xdg != nullptr) {
        ::setenv("XDG_CONFIG_HOME", xdg_before.c_str(), 1);
    }
}
