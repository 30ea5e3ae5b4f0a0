#pragma once

#include <fleetarium/feed/feed_types.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What the fleet map computes before it draws: which part is shown, where its cells are, which of
// them are drawn as one. Lengths are in pixels, from the top left of the map. Nothing here draws.

namespace fleetarium::dashboard {

/// The devices that are shown: of all groups, of one, or some of one by their place in it.
struct fleet_part {
    std::string group{};
    std::uint32_t from = 0;
    std::optional<std::uint32_t> until{};

    bool is_all() const { return group.empty(); }
    friend bool operator==(const fleet_part&, const fleet_part&) = default;
};

/// Half as many devices, and the one at `place` stays where it is; of all groups, that group.
/// `devices`: how many the group has.
fleet_part zoom_in(const fleet_part& part, const std::string& group, std::uint32_t place,
                   std::uint32_t devices);
/// Twice as many; of a whole group, all groups.
fleet_part zoom_out(const fleet_part& part, std::uint32_t devices);
/// `count` devices around a place.
fleet_part around(const std::string& group, std::uint32_t place, std::uint32_t count,
                  std::uint32_t devices);

/// The least value of a level of fleet_group::cells.
std::uint64_t value_of_level(unsigned level);

/// Cells of one group: rows of `columns`, from `top` on.
struct fleet_block {
    float top = 0;
    float height = 0;
    std::size_t cells = 0;
};

struct fleet_placing {
    float cell = 1;  ///< width and height of a cell, whole pixels
    std::size_t columns = 1;
    float height = 0;  ///< of all
    std::vector<fleet_block> blocks{};
};

/// The limits of a placing.
struct fleet_room {
    float width = 100;
    float height = 100;
    float block_least = 20;  ///< height of a group: its words need it
    float gap = 4;           ///< between groups
    float cell_least = 2;
    float cell_most = 20;
};

/// The largest cells with which all groups fit into the room; the smallest, where none do.
fleet_placing place_fleet(const std::vector<std::size_t>& cells, const fleet_room& room);

struct fleet_cell {
    std::size_t group = 0;
    std::size_t cell = 0;
    friend bool operator==(const fleet_cell&, const fleet_cell&) = default;
};
std::optional<fleet_cell> cell_at(const fleet_placing& placing, float x, float y);

/// Cells of one look that are drawn as one rectangle: neighbours in a row.
struct fleet_run {
    float x = 0;
    float y = 0;
    float width = 0;
    std::uint8_t state = 0;
    std::uint8_t step = 0;  ///< 0 to fleet_steps - 1, of the measure
};
inline constexpr unsigned fleet_steps = 6;

/// From top to bottom. With `apart` each cell is a run of its own.
std::vector<fleet_run> runs_of(const feed::fleet_answer& answer, const fleet_placing& placing,
                               bool apart);
/// The largest level of an answer.
unsigned largest_level(const feed::fleet_answer& answer);
/// The step of a level, evenly from 0 to the largest.
unsigned step_of_level(unsigned level, unsigned largest);

/// How many cells a map of this size can show: cells of `side` pixels, within what may be asked.
std::uint32_t cells_to_ask(float width, float height, float side);

}  // namespace fleetarium::dashboard
