#include <fleetarium/sim/disk_contents.hpp>

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>
#include <string>

using namespace fleetarium;
using sim::disk_contents;

namespace {

constexpr disk_contents::medium sectors_of_512{.sector_size = 512};

std::vector<std::uint8_t> sectors_of(std::uint8_t value, std::size_t count = 1) {
    return std::vector<std::uint8_t>(count * 512, value);
}

std::string shape_of(const disk_contents& in, std::string_view name) {
    const auto file = in.find(name);
    if (!file) {
        return "none";
    }
    std::vector<std::uint8_t> bytes(in.size(*file));
    in.read(*file, 0, bytes);
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += 512) {
        const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
        const auto end = begin + 512;
        const bool is_one = std::all_of(begin, end, [&](auto each) { return each == *begin; });
        out += is_one ? std::to_string(*begin) : "?";
    }
    return out;
}

/// What is there after many power cuts of the same disk, each once.
std::set<std::string> outcomes(const disk_contents& of, std::string_view name,
                               disk_contents::medium medium = sectors_of_512) {
    std::set<std::string> out;
    random_stream random(7, 0, "cuts");
    for (int i = 0; i < 2'000; ++i) {
        disk_contents copy = of;
        copy.power_cut(medium, random);
        CHECK(copy.unsynced() == 0);
        out.insert(shape_of(copy, name));
    }
    return out;
}

using texts = std::set<std::string>;

/// A file of two sectors of 1, synced with its name.
disk_contents::file_number add_file(disk_contents& to, std::string_view name) {
    const auto file = to.create(name);
    to.write(file, 0, sectors_of(1, 2));
    to.sync(file);
    to.sync_directory();
    to.release(file);
    return file;
}

}  // namespace

TEST_CASE("what is synced survives a power cut, whatever comes of the rest") {
    disk_contents disk;
    const auto file = add_file(disk, "a");
    CHECK(disk.unsynced() == 0);
    CHECK(outcomes(disk, "a") == texts{"11"});

    disk.write(file, 0, sectors_of(2, 2));
    CHECK(shape_of(disk, "a") == "22");
    disk.sync(file);
    CHECK(outcomes(disk, "a") == texts{"22"});
}

TEST_CASE("sectors that were not synced survive each for itself, as they were at some time") {
    disk_contents disk;
    const auto file = add_file(disk, "a");
    disk.write(file, 0, sectors_of(2, 2));
    disk.write(file, 512, sectors_of(3));
    CHECK(outcomes(disk, "a") == texts{"11", "21", "12", "22", "13", "23"});
}

TEST_CASE("a sector is not cut where writing it is atomic, and may hold anything where not") {
    disk_contents disk;
    const auto file = add_file(disk, "a");
    disk.write(file, 512, sectors_of(2));
    CHECK(outcomes(disk, "a") == texts{"11", "12"});
    CHECK(outcomes(disk, "a", {.sector_size = 512, .atomic_sectors = false}) ==
          texts{"11", "12", "1?"});
}

TEST_CASE("a file that grew may have its new size without its new bytes") {
    disk_contents disk;
    const auto file = add_file(disk, "a");
    disk.write(file, 1024, sectors_of(2));
    CHECK(outcomes(disk, "a") == texts{"11", "110", "112"});
}

TEST_CASE("what a truncation cut off comes back as it was, or not at all") {
    disk_contents disk;
    const auto file = add_file(disk, "a");
    disk.truncate(file, 512);
    CHECK(shape_of(disk, "a") == "1");
    CHECK(outcomes(disk, "a") == texts{"1", "11"});
    disk.write(file, 512, sectors_of(3));
    CHECK(outcomes(disk, "a") == texts{"1", "11", "10", "13"});
}

TEST_CASE("a name is in its directory when that is synced, or by luck") {
    disk_contents disk;
    const auto file = disk.create("a");
    disk.write(file, 0, sectors_of(1));
    disk.sync(file);
    disk.release(file);
    CHECK(outcomes(disk, "a") == texts{"none", "1"});
    disk.sync_directory();
    CHECK(outcomes(disk, "a") == texts{"1"});

    disk.remove("a");
    CHECK(shape_of(disk, "a") == "none");
    CHECK(outcomes(disk, "a") == texts{"none", "1"});
    const auto second = disk.create("a");
    disk.write(second, 0, sectors_of(2));
    disk.sync(second);
    disk.release(second);
    CHECK(outcomes(disk, "a") == texts{"none", "1", "2"});
    disk.sync_directory();
    CHECK(outcomes(disk, "a") == texts{"2"});
    CHECK_FALSE(disk.has(file));
}

TEST_CASE("a renamed file has the old name or the new one, and takes the place of another") {
    disk_contents disk;
    add_file(disk, "a");
    const auto names = [&] {
        std::set<std::string> out;
        random_stream random(7, 0, "cuts");
        for (int i = 0; i < 2'000; ++i) {
            disk_contents copy = disk;
            copy.power_cut(sectors_of_512, random);
            out.insert(shape_of(copy, "a") + " " + shape_of(copy, "b"));
        }
        return out;
    };
    disk.rename("a", "b");
    CHECK(shape_of(disk, "a") == "none");
    CHECK(shape_of(disk, "b") == "11");
    CHECK(names() == texts{"11 none", "none 11"});
    disk.sync_directory();
    CHECK(names() == texts{"none 11"});

    const auto other = disk.create("a");
    disk.write(other, 0, sectors_of(2));
    disk.sync(other);
    disk.release(other);
    disk.sync_directory();
    disk.rename("a", "b");
    CHECK(names() == texts{"2 11", "none 2"});
    disk.sync_directory();
    CHECK(names() == texts{"none 2"});
}

TEST_CASE("a deleted file stays for those who hold it") {
    disk_contents disk;
    const auto file = add_file(disk, "a");
    disk.hold(file);
    disk.remove("a");
    disk.sync_directory();
    CHECK(disk.size(file) == 1024);
    disk.release(file);
    CHECK_FALSE(disk.has(file));
    CHECK(disk.bytes() == 0);
}

TEST_CASE("the same draws make the same power cut") {
    disk_contents disk;
    const auto file = add_file(disk, "a");
    for (std::uint8_t i = 0; i < 40; ++i) {
        disk.write(file, 100U * i, sectors_of(i, 2));
    }
    std::set<std::uint64_t> different;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
        disk_contents first = disk;
        disk_contents second = disk;
        random_stream one(seed, 0, "cut");
        random_stream other(seed, 0, "cut");
        const disk_contents::medium garbled{.sector_size = 512, .atomic_sectors = false};
        first.power_cut(garbled, one);
        second.power_cut(garbled, other);
        CHECK(first.hash() == second.hash());
        different.insert(first.hash());
    }
    CHECK(different.size() > 40);
}
