#include <fleetarium/capture/link_capture.hpp>

namespace fleetarium::capture {

namespace {

constexpr std::uint16_t mqtt_port = 1883;

/// 2000-01-01, from 1970-01-01.
constexpr std::chrono::hours begin_of_virtual_time{24 * 10'957};

/// A host's number, of 24 bits, in 10.0.0.0/8.
std::uint32_t address_of(std::uint32_t host) { return std::uint32_t{10} << 24 | host; }

/// A client's links, in turns, from the ports that are given out to clients; rivals' links, whose
/// numbers begin anew at half of all, have a half of their own.
std::uint16_t port_of(std::uint32_t number) {
    constexpr std::uint32_t ports = 8'192;
    return static_cast<std::uint16_t>(49'152 + number % ports + (number >> 23) * ports);
}

}  // namespace

link_capture::link_capture(sim::world& of, std::ostream& to) : world_(of), writer_(to) {
    world_.tap(this);
}

link_capture::~link_capture() { world_.tap(nullptr); }

void link_capture::name(std::uint32_t host) {
    if (named_.try_emplace(host, true).second) {
        writer_.write_name(address_of(host), world_.host_name(host));
    }
}

tcp_conversation& link_capture::conversation(const sim::tapped_link& which) {
    name(which.client);
    name(which.broker);
    return links_
        .try_emplace(which, tcp_end{address_of(which.client), port_of(which.number)},
                     tcp_end{address_of(which.broker), mqtt_port})
        .first->second;
}

void link_capture::on_open(const sim::tapped_link& which, instant at) {
    conversation(which).open(writer_, at + begin_of_virtual_time);
}

void link_capture::on_accept(const sim::tapped_link& which, instant at) {
    conversation(which).accept(writer_, at + begin_of_virtual_time);
}

void link_capture::on_bytes(const sim::tapped_link& which, instant at, bool up, bytes_view bytes) {
    conversation(which).bytes(writer_, at + begin_of_virtual_time, up, bytes);
}

void link_capture::on_end(const sim::tapped_link& which, instant at, bool up, bool broken) {
    tcp_conversation& ending = conversation(which);
    if (broken) {
        ending.reset(writer_, at + begin_of_virtual_time, up);
        links_.erase(which);
    } else {
        ending.close(writer_, at + begin_of_virtual_time, up);
    }
}

}  // namespace fleetarium::capture
