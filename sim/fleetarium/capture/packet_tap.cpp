#include <fleetarium/capture/packet_tap.hpp>

#include <fleetarium/codec/codec.hpp>

#include <optional>
#include <variant>

namespace fleetarium::capture {

packet_tap::packet_tap(sim::world& of) : world_(of) { world_.tap(this); }

packet_tap::~packet_tap() { world_.tap(nullptr); }

const std::string& packet_tap::name_of(std::uint32_t host) {
    auto [place, added] = names_.try_emplace(host);
    if (added) {
        place->second = world_.host_name(host);
    }
    return place->second;
}

void packet_tap::on_open(const sim::tapped_link& which, instant at) {
    if (wants(which)) {
        links_.try_emplace(which);
        on_change(which, at, true, "asks for a link");
    }
}

void packet_tap::on_accept(const sim::tapped_link&, instant) {}

void packet_tap::on_messages(const sim::tapped_link& which, bool up,
                             std::span<const message_identity> messages) {
    if (const auto found = links_.find(which); found != links_.end()) {
        half& way = up ? found->second.up : found->second.down;
        way.messages.insert(way.messages.end(), messages.begin(), messages.end());
    }
}

void packet_tap::on_bytes(const sim::tapped_link& which, instant at, bool up, bytes_view bytes) {
    const auto found = links_.find(which);
    if (found == links_.end()) {
        return;
    }
    conversation& link = found->second;
    half& way = up ? link.up : link.down;
    if (way.broken) {
        return;
    }
    way.bytes.insert(way.bytes.end(), bytes.begin(), bytes.end());
    bytes_view rest = way.bytes;
    frame in;
    while (!rest.empty()) {
        const frame_result read = split_frame(rest, in);
        packet what;
        violation broken = read.broken;
        if (broken == violation::none) {
            if (!read.complete) {
                break;
            }
            broken = decode(in, link.version, what);
        }
        if (broken != violation::none) {
            way.broken = true;
            on_packet({which, at, up, nullptr, broken, nullptr});
            return;
        }
        if (const auto* const first = std::get_if<connect>(&what)) {
            link.version = first->version;
        }
        std::optional<message_identity> identity;
        if (std::holds_alternative<publish>(what) && !way.messages.empty()) {
            identity = way.messages.front();
            way.messages.pop_front();
        }
        on_packet({which, at, up, &what, violation::none, identity ? &*identity : nullptr});
    }
    way.bytes.erase(way.bytes.begin(), way.bytes.begin() + static_cast<std::ptrdiff_t>(
                                                               way.bytes.size() - rest.size()));
}

void packet_tap::on_end(const sim::tapped_link& which, instant at, bool up, bool broken) {
    if (links_.contains(which)) {
        on_change(which, at, up, broken ? "the link is broken" : "closes the link");
        if (broken) {
            links_.erase(which);
        }
    }
}

}  // namespace fleetarium::capture
