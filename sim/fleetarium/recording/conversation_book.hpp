#pragma once

#include <fleetarium/capture/tcp_conversation.hpp>
#include <fleetarium/codec/codec.hpp>
#include <fleetarium/core/wire_buffer.hpp>
#include <fleetarium/recording/export_selection.hpp>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <cstdint>
#include <iosfwd>
#include <string_view>
#include <type_traits>
#include <vector>

namespace fleetarium::recording {

/// A row of `connections`.
struct recorded_connection {
    std::int64_t id = 0;
    std::int64_t broker = 0;
    std::int64_t client = 0;  ///< 0: NULL
    std::int64_t at = 0;
    std::int64_t ended = -1;  ///< -1: NULL
    std::uint8_t code = 0;
    bool accepted = false;
    bool session_present = false;
    bool lost = false;
    bool violation = false;
    bool version_is_known = false;
    protocol_version version = protocol_version::v5;
};

/// The TCP connections that an export tells of: who speaks with whom in which, under which
/// addresses and packet ids. Instants are those of the recording.
class conversation_book {
public:
    /// A client at a broker.
    struct party {
        capture::tcp_conversation tcp;
        std::int64_t connection = 0;  // row of the one that is open; 0: none
        std::int64_t ended = -1;      // its end, if that is known
        std::uint32_t client = 0;
        std::uint16_t broker = 0;
        std::uint16_t connections = 0;
        std::uint16_t next_packet_id[2] = {0, 0};  // by side
        protocol_version version = protocol_version::v5;
        std::uint8_t end_code = 0;
        bool end_lost = false;
        bool end_violation = false;
        bool shown = false;
    };
    enum class side : std::uint8_t { client, broker };

    conversation_book(const recorded_names& names, std::int64_t epoch, std::ostream& to);

    /// Null: it never connected. `number` is for `at`.
    party* find(std::int64_t broker, std::int64_t client, std::uint32_t& number);
    party& at(std::uint32_t number) { return parties_[number]; }

    /// Writes handshake, CONNECT and CONNACK, and the end of a connection that was refused.
    std::uint32_t open(const recorded_connection& made, bool shown);
    /// Ends the party's connection, if it is still that one.
    void close(std::uint32_t number, std::int64_t connection, std::int64_t at, bool in_window);
    /// Writes SUBSCRIBE or UNSUBSCRIBE, and its answer.
    void subscribe(std::uint32_t number, std::int64_t at, std::string_view filter,
                   std::uint8_t code, bool ends);

    /// The next packet id of a side that is not in use; `held`: in use until it is released.
    std::uint16_t take_packet_id(std::uint32_t number, side of, bool held);
    void release(std::uint32_t number, side of, std::uint16_t packet_id);

    /// Writes an MQTT packet, if its client's version has it.
    template <class Packet>
    void put(party& of, std::int64_t at, bool from_client, const Packet& packet,
             std::string_view comment = {}) {
        if constexpr (std::is_same_v<Packet, connect>) {
            write(of, at, from_client, encode(packet, wire_), comment);
        } else {
            write(of, at, from_client, encode(packet, of.version, wire_), comment);
        }
    }

    std::uint64_t connections() const { return connections_; }
    std::uint64_t packets() const { return packets_; }

private:
    instant time_of(std::int64_t at) const { return instant{duration{epoch_ + at}}; }
    void write(party& of, std::int64_t at, bool from_client, bool encoded,
               std::string_view comment);
    void name(std::uint32_t address, std::vector<bool>& named, std::size_t which,
              std::string_view text);
    void begin(party& of, const recorded_connection& made);
    void end(party& of, std::int64_t at);

    const recorded_names& names_;
    const std::int64_t epoch_;
    capture::pcapng_writer writer_;
    wire_buffer wire_;
    std::vector<party> parties_;
    boost::unordered_flat_map<std::uint64_t, std::uint32_t> numbers_;  // by broker and client
    boost::unordered_flat_set<std::uint64_t> packet_ids_;              // by party and side
    std::vector<bool> named_clients_;
    std::vector<bool> named_brokers_;
    std::uint64_t connections_ = 0;
    std::uint64_t packets_ = 0;
};

}  // namespace fleetarium::recording
