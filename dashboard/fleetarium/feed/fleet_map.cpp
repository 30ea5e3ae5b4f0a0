#include <fleetarium/feed/fleet_map.hpp>

#include <fleetarium/feed/source.hpp>

#include <algorithm>
#include <array>
#include <bit>

namespace fleetarium::feed {

namespace {

/// How grave a state is, by device_state: of several devices in one cell the gravest shows.
constexpr std::array<std::uint8_t, 5> gravity{1, 0, 2, 3, 4};

const device_group& group_of(const std::string& name, const std::vector<device_group>& groups) {
    const auto found = std::find_if(groups.begin(), groups.end(),
                                    [&](const device_group& each) { return each.name == name; });
    if (found == groups.end()) {
        throw feed_error(feed_error::kind::bad_question,
                         "group: there is none called \"" + name + "\"");
    }
    return *found;
}

}  // namespace

std::uint8_t level_of(std::uint64_t measure) {
    // Two steps to each power of two: 1, 2, 3, 4, 6, 8, 12, ...
    if (measure < 2) {
        return static_cast<std::uint8_t>(measure);
    }
    const auto power = static_cast<unsigned>(std::bit_width(measure)) - 1;
    const auto half = static_cast<unsigned>(measure >> (power - 1) & 1);
    return static_cast<std::uint8_t>(std::min(31U, 2 * power + half));
}

fleet_answer map_fleet(const fleet_question& asked, const std::vector<device_group>& groups,
                       const std::function<device_look(std::uint32_t device)>& look) {
    if (asked.cells < 100 || asked.cells > 1'000'000) {
        throw feed_error(feed_error::kind::bad_question, "cells: expected 100 to 1,000,000");
    }
    struct part {
        const device_group* of;
        std::size_t from;
        std::size_t until;
    };
    std::vector<part> parts;
    if (asked.group.empty()) {
        for (const device_group& each : groups) {
            parts.push_back({&each, 0, each.devices.size()});
        }
    } else {
        const device_group& of = group_of(asked.group, groups);
        const std::size_t until =
            std::min<std::size_t>(asked.until.value_or(0xFFFF'FFFF), of.devices.size());
        if (asked.from > until) {
            throw feed_error(feed_error::kind::bad_question,
                             "from: the group has " + std::to_string(of.devices.size()) +
                                 " devices, and until may not lie before it");
        }
        parts.push_back({&of, asked.from, until});
    }
    std::size_t shown = 0;
    for (const part& each : parts) {
        shown += each.until - each.from;
    }
    fleet_answer out;
    const std::size_t per_cell = std::max<std::size_t>(1, (shown + asked.cells - 1) / asked.cells);
    out.devices_per_cell = static_cast<std::uint32_t>(per_cell);
    for (const part& each : parts) {
        fleet_group& made = out.groups.emplace_back();
        made.name = each.of->name;
        made.devices = static_cast<std::uint32_t>(each.of->devices.size());
        made.cells.reserve((each.until - each.from + per_cell - 1) / per_cell);
        for (std::size_t begin = each.from; begin < each.until; begin += per_cell) {
            device_state worst = device_state::connected;
            std::uint64_t most = 0;
            const std::size_t end = std::min(begin + per_cell, each.until);
            for (std::size_t i = begin; i < end; ++i) {
                const device_look seen = look(each.of->devices[i]);
                made.connected += seen.state == device_state::connected;
                made.faulted += seen.state == device_state::faulted;
                if (gravity[static_cast<std::size_t>(seen.state)] >
                    gravity[static_cast<std::size_t>(worst)]) {
                    worst = seen.state;
                }
                most = std::max(most, seen.measure);
            }
            made.cells.push_back(static_cast<std::uint8_t>(static_cast<unsigned>(worst) |
                                                           unsigned{level_of(most)} << 3));
        }
    }
    return out;
}

std::uint32_t device_at(const cell_question& asked, const std::vector<device_group>& groups) {
    const device_group& of = group_of(asked.group, groups);
    if (asked.place >= of.devices.size()) {
        throw feed_error(feed_error::kind::bad_question,
                         "place: the group has " + std::to_string(of.devices.size()) + " devices");
    }
    return of.devices[asked.place];
}

}  // namespace fleetarium::feed
