#include <fleetarium/recording/conversation_book.hpp>

#include <fleetarium/codec/reason_code_table.hpp>

#include <array>
#include <ostream>

namespace fleetarium::recording {

namespace {

constexpr std::uint16_t mqtt_port = 1883;

/// 10.0.0.0/8, by row.
std::uint32_t client_address(std::size_t row) {
    return std::uint32_t{10} << 24 | static_cast<std::uint32_t>(row & 0xFF'FFFF);
}

/// 172.16.0.0/16, by row.
std::uint32_t broker_address(std::size_t row) {
    return std::uint32_t{172} << 24 | std::uint32_t{16} << 16 |
           static_cast<std::uint32_t>((row + 1) & 0xFFFF);
}

/// A client's connections, in turns, from the ports that are given out to clients.
std::uint16_t port_of(std::uint16_t count) {
    return static_cast<std::uint16_t>(49'152 + count % 16'384);
}

constexpr std::string_view file_comment =
    "Made of a recording, as if captured beside the broker. TCP/IP, packet identifiers and what "
    "CONNECT says beyond version and client id are made up, and there is no PINGREQ; see "
    "sim/recording.md of Fleetarium";

std::uint64_t packet_key(std::uint32_t number, conversation_book::side of, std::uint16_t id) {
    return std::uint64_t{number} << 17 | static_cast<std::uint64_t>(of) << 16 | id;
}

}  // namespace

conversation_book::conversation_book(const recorded_names& names, std::int64_t epoch,
                                     std::ostream& to)
    : names_(names), epoch_(epoch), writer_(to, file_comment) {}

conversation_book::party* conversation_book::find(std::int64_t broker, std::int64_t client,
                                                  std::uint32_t& number) {
    const auto found = numbers_.find(static_cast<std::uint64_t>(broker) << 32 |
                                     static_cast<std::uint64_t>(client));
    if (found == numbers_.end()) {
        return nullptr;
    }
    number = found->second;
    return &parties_[number];
}

std::uint32_t conversation_book::open(const recorded_connection& made, bool shown) {
    names_.broker(made.broker);
    names_.client(made.client);
    const auto [found, added] = numbers_.try_emplace(
        static_cast<std::uint64_t>(made.broker) << 32 | static_cast<std::uint64_t>(made.client),
        static_cast<std::uint32_t>(parties_.size()));
    const std::uint32_t number = found->second;
    if (added) {
        party& first = parties_.emplace_back();
        first.client = static_cast<std::uint32_t>(made.client);
        first.broker = static_cast<std::uint16_t>(made.broker);
    }
    party& of = parties_[number];
    if (!made.accepted) {
        // Beside the one that may be open.
        party refused = of;
        of.connections++;
        if (shown) {
            begin(refused, made);
        }
        return number;
    }
    if (of.connection != 0) {
        end(of, made.at);  // taken over at this instant
    }
    of.connection = made.id;
    of.ended = made.ended;
    of.version = made.version;
    of.end_code = made.code;
    of.end_lost = made.lost;
    of.end_violation = made.violation;
    of.shown = shown;
    if (shown) {
        begin(of, made);
    }
    ++of.connections;
    return number;
}

void conversation_book::begin(party& of, const recorded_connection& made) {
    const auto client_row = static_cast<std::size_t>(made.client);
    const auto broker_row = static_cast<std::size_t>(made.broker);
    const recorded_names::named_client& client = names_.client(made.client);
    name(client_address(client_row), named_clients_, client_row,
         client.name.empty() ? client.client_id : client.name);
    name(broker_address(broker_row), named_brokers_, broker_row, names_.broker(made.broker));
    ++connections_;
    const instant at = time_of(made.at);
    of.version = made.version;
    of.tcp = {{client_address(client_row), port_of(of.connections)},
              {broker_address(broker_row), mqtt_port}};
    of.tcp.open(writer_, at);
    of.tcp.accept(writer_, at);
    if (made.violation && !made.accepted) {
        of.tcp.close(writer_, at, false, "what the client sent is not recorded: it broke a rule");
        of.tcp.close(writer_, at, true);
        return;
    }
    put(of, made.at, true,
        connect{.version = made.version,
                // A session can only be present where it was not to be a new one.
                .clean_start = !made.session_present,
                .client_id = std::string_view(client.client_id).substr(0, 65'535)},
        made.version_is_known ? "" : "the version is not recorded");
    const auto code = static_cast<reason_code>(made.code);
    put(of, made.at, false,
        connack{.session_present = made.accepted && made.session_present,
                .code = made.accepted ? reason_code::success
                        : detail::may_hold(packet_type::connack, made.code)
                            ? code
                            : reason_code::unspecified_error});
    if (!made.accepted) {
        of.tcp.close(writer_, at, false);
        of.tcp.close(writer_, at, true);
    }
}

void conversation_book::close(std::uint32_t number, std::int64_t connection, std::int64_t at,
                              bool in_window) {
    party& of = parties_[number];
    if (of.connection != connection) {
        return;  // it was taken over
    }
    of.shown = of.shown && in_window;
    end(of, at);
}

void conversation_book::end(party& of, std::int64_t at) {
    of.connection = 0;
    if (!of.shown) {
        return;
    }
    const bool by_client = !of.end_violation && (of.end_lost || of.end_code < 0x80);
    if (of.ended >= 0 && !of.end_lost) {
        const auto code = static_cast<reason_code>(of.end_code);
        if (by_client) {
            put(of, at, true,
                disconnect{.code = detail::may_hold(packet_type::disconnect, of.end_code)
                                       ? code
                                       : reason_code::normal_disconnection});
        } else if (of.version == protocol_version::v5 &&
                   detail::may_hold(packet_type::disconnect, of.end_code)) {
            put(of, at, false, disconnect{.code = code});
        }
    }
    of.tcp.close(writer_, time_of(at), by_client);
    of.tcp.close(writer_, time_of(at), !by_client);
}

void conversation_book::subscribe(std::uint32_t number, std::int64_t at, std::string_view filter,
                                  std::uint8_t code, bool ends) {
    party& of = parties_[number];
    const std::uint16_t packet_id = take_packet_id(number, side::client, false);
    filter = filter.substr(0, 65'535);
    const packet_type answer = ends ? packet_type::unsuback : packet_type::suback;
    const std::array<reason_code, 1> codes{detail::may_hold(answer, code)
                                               ? static_cast<reason_code>(code)
                                               : reason_code::unspecified_error};
    if (ends) {
        const std::array<std::string_view, 1> filters{filter};
        put(of, at, true, unsubscribe{.packet_id = packet_id, .filters = topic_filters(filters)});
        put(of, at, false, unsuback{.packet_id = packet_id, .codes = codes});
        return;
    }
    const std::array<subscription_request, 1> requests{subscription_request{
        filter, {.qos = code <= 2 ? static_cast<enum qos>(code) : qos::at_most_once}}};
    put(of, at, true,
        fleetarium::subscribe{.packet_id = packet_id, .requests = subscription_requests(requests)});
    put(of, at, false, suback{.packet_id = packet_id, .codes = codes});
}

std::uint16_t conversation_book::take_packet_id(std::uint32_t number, side of, bool held) {
    std::uint16_t& last = parties_[number].next_packet_id[static_cast<std::size_t>(of)];
    // All of them are in use only where acknowledgements were not recorded: then one is used again.
    for (std::uint32_t tries = 0; tries < 0xFFFF; ++tries) {
        last = last == 0xFFFF ? std::uint16_t{1} : static_cast<std::uint16_t>(last + 1);
        const std::uint64_t key = packet_key(number, of, last);
        if (held ? packet_ids_.insert(key).second : !packet_ids_.contains(key)) {
            break;
        }
    }
    return last;
}

void conversation_book::release(std::uint32_t number, side of, std::uint16_t packet_id) {
    packet_ids_.erase(packet_key(number, of, packet_id));
}

void conversation_book::write(party& of, std::int64_t at, bool from_client, bool encoded,
                              std::string_view comment) {
    if (encoded) {
        ++packets_;
        wire_.for_each_part([&](bytes_view part) {
            of.tcp.bytes(writer_, time_of(at), from_client, part, comment);
        });
    }
    wire_.clear();
}

void conversation_book::name(std::uint32_t address, std::vector<bool>& named, std::size_t which,
                             std::string_view text) {
    if (which >= named.size()) {
        named.resize(which + 1);
    }
    if (!named[which] && !text.empty()) {
        named[which] = true;
        writer_.write_name(address, text.substr(0, 255));
    }
}

}  // namespace fleetarium::recording
