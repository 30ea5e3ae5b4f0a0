#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// WebSocket as bytes, written and read by hand: a judge that knows nothing of Beast.
namespace fleetarium::test {

enum class opcode : std::uint8_t {
    continuation = 0,
    text = 1,
    binary = 2,
    close = 8,
    ping = 9,
    pong = 10
};

struct websocket_frame {
    bool fin = true;
    opcode op = opcode::binary;
    bool masked = false;
    std::string payload;
};

enum class masking : std::uint8_t { none, masked };

/// The header of a frame that says `size`, whatever follows.
inline std::string frame_header(opcode op, std::uint64_t size, masking mask, bool fin = true) {
    std::string made;
    made += static_cast<char>((fin ? 0x80 : 0) | static_cast<int>(op));
    const int mask_bit = mask == masking::masked ? 0x80 : 0;
    if (size < 126) {
        made += static_cast<char>(mask_bit | static_cast<int>(size));
    } else {
        const int width = size < 65536 ? 2 : 8;
        made += static_cast<char>(mask_bit | (width == 2 ? 126 : 127));
        for (int shift = 8 * (width - 1); shift >= 0; shift -= 8) {
            made += static_cast<char>((size >> shift) & 0xff);
        }
    }
    return made;
}

inline constexpr char mask_key[4] = {0x12, 0x34, 0x56, 0x78};

inline std::string masked(std::string text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        text[i] = static_cast<char>(text[i] ^ mask_key[i % 4]);
    }
    return text;
}

/// A frame of a client, which is masked.
inline std::string client_frame(opcode op, const std::string& payload, bool fin = true) {
    return frame_header(op, payload.size(), masking::masked, fin) + std::string(mask_key, 4) +
           masked(payload);
}

/// A frame of a server, which is not.
inline std::string server_frame(opcode op, const std::string& payload, bool fin = true) {
    return frame_header(op, payload.size(), masking::none, fin) + payload;
}

/// The whole frames at the start of `stream`, unmasked.
inline std::vector<websocket_frame> parse_frames(const std::string& stream) {
    std::vector<websocket_frame> frames;
    std::size_t at = 0;
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(stream.at(i)); };
    while (at + 2 <= stream.size()) {
        websocket_frame one;
        one.fin = (byte(at) & 0x80) != 0;
        one.op = static_cast<opcode>(byte(at) & 0x7f);  // with the reserved bits, which are 0
        one.masked = (byte(at + 1) & 0x80) != 0;
        std::uint64_t size = byte(at + 1) & 0x7f;
        at += 2;
        const std::size_t extended = size == 126 ? 2 : size == 127 ? 8 : 0;
        if (extended != 0) {
            size = 0;
            for (std::size_t i = 0; i < extended; ++i) {
                size = size << 8 | byte(at + i);
            }
            at += extended;
        }
        std::string key = one.masked ? stream.substr(at, 4) : std::string(4, '\0');
        at += one.masked ? 4 : 0;
        if (at + size > stream.size()) {
            break;
        }
        one.payload = stream.substr(at, size);
        at += size;
        for (std::size_t i = 0; i < one.payload.size(); ++i) {
            one.payload[i] = static_cast<char>(one.payload[i] ^ key[i % 4]);
        }
        frames.push_back(std::move(one));
    }
    return frames;
}

/// The status code of a close frame; 0: none in it.
inline int close_code(const websocket_frame& frame) {
    return frame.payload.size() < 2 ? 0
                                    : static_cast<std::uint8_t>(frame.payload[0]) << 8 |
                                          static_cast<std::uint8_t>(frame.payload[1]);
}

inline std::string close_payload(int code) {
    return {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
}

/// A request for a WebSocket, with RFC 6455's example key.
inline std::string upgrade_request(const std::string& path = "/mqtt",
                                   const std::string& protocols = "mqtt") {
    return "GET " + path +
           " HTTP/1.1\r\nHost: broker.example\r\nUpgrade: websocket\r\n"
           "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
           "Sec-WebSocket-Version: 13\r\n" +
           (protocols.empty() ? "" : "Sec-WebSocket-Protocol: " + protocols + "\r\n") + "\r\n";
}

inline constexpr const char* example_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

}  // namespace fleetarium::test
