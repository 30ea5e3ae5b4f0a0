#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fleetarium::dashboard {

/// A picture. A pixel has red in its lowest byte, then green, blue and alpha; row by row from the
/// top.
struct image {
    int width = 0;
    int height = 0;
    std::vector<std::uint32_t> pixels{};

    image() = default;
    image(int wide, int high, std::uint32_t colour = 0xff00'0000);

    std::uint32_t at(int x, int y) const {
        return pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                      static_cast<std::size_t>(x)];
    }
};

/// The same for the same picture on every machine: size and pixels.
std::uint64_t hash_of(const image& picture);

/// Writes red, green and blue as a PNG file; the file is there whole or not at all. Throws
/// std::runtime_error that names the path and what the system says.
void write_png(const image& picture, const std::string& path);

/// Throws std::runtime_error: no such file, or no PNG.
image read_png(const std::string& path);

}  // namespace fleetarium::dashboard
