#pragma once

#include <fleetarium/core/bytes.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

/// A capture file in the classic pcap format, of TCP connections that never were: what analysers
/// of network traffic read.
namespace fleetarium::test {

/// One TCP connection from 10.0.0.1 to port 1883 of 10.0.0.2 after another; checksums are 0.
class pcap_writer {
public:
    enum class direction : std::uint8_t { to_server, to_client };

    /// Begins the file. Throws if it cannot be written.
    explicit pcap_writer(const std::filesystem::path& path)
        : file_(path, std::ios::binary | std::ios::trunc) {
        if (!file_) {
            throw std::runtime_error("cannot write " + path.string());
        }
        // Magic number, version 2.4, zone, accuracy, bytes kept of a frame, Ethernet.
        for (const std::uint32_t word : {0xA1B2C3D4U, 0x00020004U, 0U, 0U, 0xFFFFU, 1U}) {
            put(word, 4);
        }
        flush();
    }

    /// Opens the next connection, from a client port of its own.
    void open() {
        ++client_port_;
        sequence_[0] = sequence_[1] = 1000;
        constexpr unsigned syn = 0x02;
        frame(direction::to_server, {}, syn);
        frame(direction::to_client, {}, syn | ack);
        ++sequence_[0];
        ++sequence_[1];
        frame(direction::to_server, {}, ack);
    }

    /// Sends `payload`, in as many segments as it takes.
    void send(direction way, bytes_view payload) {
        constexpr std::size_t segment_size_max = 1400;
        while (!payload.empty()) {
            const bytes_view part = payload.first(std::min(payload.size(), segment_size_max));
            constexpr unsigned push = 0x08;
            frame(way, part, ack | push);
            sequence_[index_of(way)] += static_cast<std::uint32_t>(part.size());
            payload = payload.subspan(part.size());
        }
        file_.flush();
    }

private:
    static constexpr unsigned ack = 0x10;
    static constexpr std::uint16_t server_port = 1883;

    static std::size_t index_of(direction way) { return way == direction::to_server ? 0 : 1; }

    void put(std::uint32_t value, unsigned size) {
        while (size != 0) {
            --size;
            pending_.push_back(static_cast<std::uint8_t>(value >> 8 * size));
        }
    }

    void flush() {
        file_.write(reinterpret_cast<const char*>(pending_.data()),
                    static_cast<std::streamsize>(pending_.size()));
        pending_.clear();
    }

    void frame(direction way, bytes_view payload, unsigned flags) {
        constexpr std::uint32_t headers_size = 14 + 20 + 20;
        const auto size = static_cast<std::uint32_t>(payload.size()) + headers_size;
        const bool to_server = way == direction::to_server;
        const std::uint32_t client = 0x0A000001;
        const std::uint32_t server = 0x0A000002;
        ++milliseconds_;
        put(milliseconds_ / 1000, 4);
        put(milliseconds_ % 1000 * 1000, 4);
        put(size, 4);
        put(size, 4);
        // Ethernet: locally administered addresses, IPv4.
        put(0x0200, 2);
        put(to_server ? server : client, 4);
        put(0x0200, 2);
        put(to_server ? client : server, 4);
        put(0x0800, 2);
        // IPv4: version and header size, total size, identification, do not fragment, TTL, TCP.
        put(0x4500, 2);
        put(size - 14, 2);
        put(0x00004000, 4);
        put(0x40060000, 4);
        put(to_server ? client : server, 4);
        put(to_server ? server : client, 4);
        // TCP: ports, numbers, header size and flags, window.
        put(to_server ? client_port_ : server_port, 2);
        put(to_server ? server_port : client_port_, 2);
        put(sequence_[index_of(way)], 4);
        put((flags & ack) != 0 ? sequence_[1 - index_of(way)] : 0, 4);
        put(0x5000U | flags, 2);
        put(0xFFFF, 2);
        put(0, 4);
        pending_.insert(pending_.end(), payload.begin(), payload.end());
        flush();
    }

    std::ofstream file_;
    std::vector<std::uint8_t> pending_;
    std::uint16_t client_port_ = 40'000;
    std::uint32_t milliseconds_ = 0;
    std::uint32_t sequence_[2] = {0, 0};  // of the client, of the server
};

}  // namespace fleetarium::test
