#pragma once

#include <fleetarium/dashboard/image.hpp>

#include <algorithm>
#include <filesystem>
#include <string>

#include <cstdlib>

namespace fleetarium::test {

/// Empty if the picture is tests/dashboard/golden/NAME.png to the bit; else what differs, and where
/// the picture and a picture of the difference were written, beside the tests' programs. With
/// FLEETARIUM_NEW_GOLDENS=1 in the environment the file is written instead: look at it before you
/// commit it.
inline std::string differs_from_golden(const dashboard::image& picture, const std::string& name) {
    namespace fs = std::filesystem;
    const fs::path file =
        fs::path(FLEETARIUM_SOURCE_DIR) / "tests/dashboard/golden" / (name + ".png");
    const char* const renew = std::getenv("FLEETARIUM_NEW_GOLDENS");
    if (renew != nullptr && std::string(renew) == "1") {
        fs::create_directories(file.parent_path());
        dashboard::write_png(picture, file.string());
        return {};
    }
    const fs::path folder = fs::path(FLEETARIUM_GOLDEN_FAILURES);
    const auto actual = [&] {
        fs::create_directories(folder);
        const std::string path = (folder / (name + ".actual.png")).string();
        dashboard::write_png(picture, path);
        return path;
    };
    if (!fs::exists(file)) {
        return "there is no " + file.string() + "; drawn was " + actual();
    }
    const dashboard::image golden = dashboard::read_png(file.string());
    if (golden.width != picture.width || golden.height != picture.height) {
        return "the size is " + std::to_string(picture.width) + " x " +
               std::to_string(picture.height) + ", not " + std::to_string(golden.width) + " x " +
               std::to_string(golden.height) + "; drawn was " + actual();
    }
    std::size_t count = 0;
    std::size_t first = picture.pixels.size();
    dashboard::image difference(picture.width, picture.height);
    for (std::size_t i = 0; i < picture.pixels.size(); ++i) {
        if (picture.pixels[i] != golden.pixels[i]) {
            ++count;
            first = std::min(first, i);
            difference.pixels[i] = 0xff00'00ff;
        } else {
            // What agrees is shown faintly, to see where one is.
            difference.pixels[i] = 0xff00'0000 | (golden.pixels[i] >> 2 & 0x003f'3f3f);
        }
    }
    if (count == 0) {
        return {};
    }
    const std::string drawn = actual();
    dashboard::write_png(difference, (folder / (name + ".difference.png")).string());
    const auto width = static_cast<std::size_t>(picture.width);
    return std::to_string(count) + " pixels differ, the first at " + std::to_string(first % width) +
           ", " + std::to_string(first / width) + "; drawn was " + drawn +
           ", with a .difference.png beside it";
}

}  // namespace fleetarium::test
