#include "load_wire.hpp"

#include <fleetarium/codec/codec.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace fleetarium::cli::load {

namespace {

template <class Encode>
void append_encoded(byte_queue& out, Encode&& encode_into) {
    wire_buffer encoded;
    if (!encode_into(encoded)) {
        throw load_error("a packet of the load does not fit into MQTT's 256 MiB");
    }
    encoded.for_each_part([&](bytes_view part) { out.append(part); });
}

fleetarium::frame as_frame(const raw_frame& in) { return {in.first_byte, {in.body, in.size}}; }

[[noreturn]] void refuse(const raw_frame& in, std::string_view expected) {
    throw load_error(
        fmt::format("the broker sent {} where {} was expected", name_of(in), expected));
}

}  // namespace

void byte_queue::make_room(std::size_t count) {
    const std::size_t waiting = size();
    if (waiting + count <= capacity_ / 2) {
        std::memmove(bytes_.get(), data(), waiting);
    } else {
        const std::size_t wanted = std::max<std::size_t>(64, 2 * (waiting + count));
        auto larger = std::make_unique_for_overwrite<std::uint8_t[]>(wanted);
        if (waiting != 0) {
            std::memcpy(larger.get(), data(), waiting);
        }
        bytes_ = std::move(larger);
        capacity_ = wanted;
    }
    first_ = 0;
    last_ = waiting;
}

void append_connect(byte_queue& out, protocol_version version, std::string_view client_id,
                    std::uint16_t keep_alive) {
    connect request;
    request.version = version;
    request.client_id = client_id;
    request.keep_alive = keep_alive;
    append_encoded(out, [&](wire_buffer& into) { return encode(request, into); });
}

void append_subscribe(byte_queue& out, protocol_version version, std::uint16_t packet_id,
                      std::span<const std::string> filters, enum qos qos) {
    std::vector<subscription_request> wishes;
    for (const std::string& filter : filters) {
        wishes.push_back({filter, {qos, false, false, retain_handling::send}});
    }
    subscribe request;
    request.packet_id = packet_id;
    request.requests = subscription_requests(wishes);
    append_encoded(out, [&](wire_buffer& into) { return encode(request, version, into); });
}

void append_ping(byte_queue& out) {
    append_encoded(
        out, [](wire_buffer& into) { return encode(pingreq{}, protocol_version::v3_1_1, into); });
}

void append_disconnect(byte_queue& out) {
    // In its shortest form it is the same in both versions.
    append_encoded(out, [](wire_buffer& into) {
        return encode(disconnect{}, protocol_version::v3_1_1, into);
    });
}

publish_template::publish_template(protocol_version version, std::string_view topic, enum qos qos,
                                   std::size_t payload_size) {
    if (payload_size < payload_size_min) {
        throw load_error(fmt::format("a payload of {} bytes has no room for the mark of {} bytes",
                                     payload_size, payload_size_min));
    }
    const std::vector<std::uint8_t> payload(payload_size, std::uint8_t{'x'});
    publish message;
    message.topic = topic;
    message.payload = payload;
    message.qos = qos;
    message.packet_id = qos == qos::at_most_once ? 0 : 1;
    byte_queue encoded;
    append_encoded(encoded, [&](wire_buffer& into) { return encode(message, version, into); });
    image_.assign(encoded.data(), encoded.data() + encoded.size());
    payload_at_ = image_.size() - payload_size;
    if (qos != qos::at_most_once) {
        packet_id_at_ = payload_at_ - 2 - (version == protocol_version::v5 ? 1 : 0);
    }
}

std::uint16_t read_acknowledgement(const raw_frame& in) {
    if (in.size < 2) {
        throw load_error(fmt::format("the broker sent {} without a packet id", name_of(in)));
    }
    // A third byte is the reason code of MQTT 5; 0x10 says that nobody subscribed.
    if (in.size > 2 && in.body[2] >= 0x80) {
        throw load_error(fmt::format("the broker refused a message: {} with reason code 0x{:02X}",
                                     name_of(in), in.body[2]));
    }
    return static_cast<std::uint16_t>(in.body[0] << 8 | in.body[1]);
}

accepted read_connack(const raw_frame& in, protocol_version version) {
    connack answer;
    if (in.type() != packet_type::connack ||
        decode(as_frame(in), version, answer) != violation::none) {
        refuse(in, "CONNACK");
    }
    if (answer.code != reason_code::success) {
        throw load_error(
            fmt::format("the broker refused a connection with code {}; the load connects without "
                        "a user name, so the broker has to allow that",
                        in.body[1]));
    }
    return {answer.receive_maximum.value_or(65'535)};
}

void read_suback(const raw_frame& in, protocol_version version, enum qos wanted) {
    suback answer;
    if (in.type() != packet_type::suback ||
        decode(as_frame(in), version, answer) != violation::none) {
        refuse(in, "SUBACK");
    }
    for (const reason_code code : answer.codes) {
        if (static_cast<unsigned>(code) != static_cast<unsigned>(wanted)) {
            throw load_error(
                fmt::format("the broker answered a subscription at QoS {} with 0x{:02X}",
                            static_cast<unsigned>(wanted), static_cast<unsigned>(code)));
        }
    }
}

std::string name_of(const raw_frame& in) {
    const auto type = static_cast<unsigned>(in.type());
    return type == 0 ? "a packet of type 0" : std::string(fleetarium::name_of(in.type()));
}

}  // namespace fleetarium::cli::load
