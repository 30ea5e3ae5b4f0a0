#include <fleetarium/dashboard/image.hpp>

#include <fleetarium/core/hash.hpp>
#include <fleetarium/dashboard/replace_file.hpp>

#include <stb/stb_image.h>
#include <stb/stb_image_write.h>

#include <memory>
#include <stdexcept>

namespace fleetarium::dashboard {

image::image(int wide, int high, std::uint32_t colour)
    : width(wide),
      height(high),
      pixels(static_cast<std::size_t>(wide) * static_cast<std::size_t>(high), colour) {}

std::uint64_t hash_of(const image& picture) {
    std::string bytes;
    bytes.reserve(picture.pixels.size() * 4 + 8);
    const auto append = [&](std::uint32_t word) {
        for (int shift = 0; shift < 32; shift += 8) {
            bytes += static_cast<char>(word >> shift & 0xff);
        }
    };
    append(static_cast<std::uint32_t>(picture.width));
    append(static_cast<std::uint32_t>(picture.height));
    for (const std::uint32_t pixel : picture.pixels) {
        append(pixel);
    }
    return hash_text(bytes);
}

void write_png(const image& picture, const std::string& path) {
    std::vector<unsigned char> rgb;
    rgb.reserve(picture.pixels.size() * 3);
    for (const std::uint32_t pixel : picture.pixels) {
        rgb.push_back(static_cast<unsigned char>(pixel & 0xff));
        rgb.push_back(static_cast<unsigned char>(pixel >> 8 & 0xff));
        rgb.push_back(static_cast<unsigned char>(pixel >> 16 & 0xff));
    }
    std::string file;
    const auto append = [](void* to, void* data, int size) {
        static_cast<std::string*>(to)->append(static_cast<const char*>(data),
                                              static_cast<std::size_t>(size));
    };
    if (stbi_write_png_to_func(append, &file, picture.width, picture.height, 3, rgb.data(),
                               picture.width * 3) == 0) {
        throw std::runtime_error("no PNG of " + std::to_string(picture.width) + " x " +
                                 std::to_string(picture.height) + " pixels can be made");
    }
    replace_file(path, file);
}

image read_png(const std::string& path) {
    int width = 0;
    int height = 0;
    const std::unique_ptr<unsigned char, void (*)(void*)> rgb(
        stbi_load(path.c_str(), &width, &height, nullptr, 3), &stbi_image_free);
    if (!rgb) {
        throw std::runtime_error(path + ": " + stbi_failure_reason());
    }
    image picture(width, height);
    const unsigned char* from = rgb.get();
    for (std::uint32_t& pixel : picture.pixels) {
        pixel = 0xff00'0000 | static_cast<std::uint32_t>(from[2]) << 16 |
                static_cast<std::uint32_t>(from[1]) << 8 | from[0];
        from += 3;
    }
    return picture;
}

}  // namespace fleetarium::dashboard
