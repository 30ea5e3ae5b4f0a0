#include <fleetarium/net/der.hpp>

#include <openssl/evp.h>

#include <algorithm>

namespace fleetarium::net::der {

std::string value(std::uint8_t tag, std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (const std::string_view part : parts) {
        size += part.size();
    }
    std::string made;
    made.reserve(size + 6);
    made.push_back(static_cast<char>(tag));
    if (size < 0x80) {
        made.push_back(static_cast<char>(size));
    } else {
        int bytes = 1;
        while (bytes < 4 && (size >> (8 * bytes)) != 0) {
            ++bytes;
        }
        made.push_back(static_cast<char>(0x80 | bytes));
        for (int i = bytes - 1; i >= 0; --i) {
            made.push_back(static_cast<char>((size >> (8 * i)) & 0xff));
        }
    }
    for (const std::string_view part : parts) {
        made += part;
    }
    return made;
}

std::string unsigned_integer(bytes_view bytes) {
    while (bytes.size() > 1 && bytes[0] == 0) {
        bytes = bytes.subspan(1);
    }
    const bool looks_negative = !bytes.empty() && (bytes[0] & 0x80) != 0;
    return value(integer, {std::string_view("\0", looks_negative ? 1 : 0), as_text(bytes)});
}

std::string bits(std::string_view bytes) {
    return value(bit_string, {std::string_view("\0", 1), bytes});
}

std::string to_pem(std::string_view label, std::string_view der) {
    constexpr std::size_t bytes_per_line = 48;
    std::string made("-----BEGIN ");
    made.append(label).append("-----\n");
    while (!der.empty()) {
        const std::string_view line = der.substr(0, bytes_per_line);
        unsigned char encoded[bytes_per_line / 3 * 4 + 1];
        const int size =
            EVP_EncodeBlock(encoded, reinterpret_cast<const unsigned char*>(line.data()),
                            static_cast<int>(line.size()));
        made.append(reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(size));
        made.push_back('\n');
        der.remove_prefix(line.size());
    }
    made.append("-----END ").append(label).append("-----\n");
    return made;
}

}  // namespace fleetarium::net::der
