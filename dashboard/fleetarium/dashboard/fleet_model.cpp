#include <fleetarium/dashboard/fleet_model.hpp>

#include <algorithm>
#include <cmath>

namespace fleetarium::dashboard {

namespace {

constexpr std::uint32_t shown_least = 16;

std::uint32_t length_of(const fleet_part& part, std::uint32_t devices) {
    return std::min(part.until.value_or(devices), devices) - std::min(part.from, devices);
}

fleet_part part_from(const std::string& group, std::uint64_t from, std::uint32_t count,
                     std::uint32_t devices) {
    if (count >= devices) {
        return {group, 0, std::nullopt};
    }
    const auto begin =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(from, std::uint64_t{devices} - count));
    return {group, begin, begin + count};
}

}  // namespace

fleet_part zoom_in(const fleet_part& part, const std::string& group, std::uint32_t place,
                   std::uint32_t devices) {
    if (part.is_all()) {
        return {group, 0, std::nullopt};
    }
    const std::uint32_t length = length_of(part, devices);
    const std::uint32_t shorter = std::min(length, std::max(shown_least, (length + 1) / 2));
    if (length == 0 || shorter == length) {
        return part;
    }
    const std::uint64_t before = place > part.from ? place - part.from : 0;
    return part_from(part.group, part.from + before - before * shorter / length, shorter, devices);
}

fleet_part zoom_out(const fleet_part& part, std::uint32_t devices) {
    if (part.is_all() || !part.until || length_of(part, devices) >= devices) {
        return {};
    }
    const std::uint32_t length = length_of(part, devices);
    const auto longer =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(std::uint64_t{length} * 2, devices));
    const std::uint32_t before = std::min(part.from, (longer - length) / 2);
    return part_from(part.group, part.from - before, longer, devices);
}

fleet_part around(const std::string& group, std::uint32_t place, std::uint32_t count,
                  std::uint32_t devices) {
    return part_from(group, place > count / 2 ? place - count / 2 : 0, count, devices);
}

std::uint64_t value_of_level(unsigned level) {
    if (level < 2) {
        return level;
    }
    return level % 2 == 0 ? std::uint64_t{1} << level / 2 : std::uint64_t{3} << (level / 2 - 1);
}

fleet_placing place_fleet(const std::vector<std::size_t>& cells, const fleet_room& room) {
    fleet_placing out;
    const float least = std::max(1.0F, std::floor(room.cell_least));
    for (float side = std::max(least, std::floor(room.cell_most));; side -= 1) {
        out.cell = side;
        out.columns =
            std::max<std::size_t>(1, static_cast<std::size_t>(std::max(0.0F, room.width / side)));
        out.blocks.clear();
        float top = 0;
        for (const std::size_t count : cells) {
            const std::size_t rows = (count + out.columns - 1) / out.columns;
            const float high = std::max(room.block_least, static_cast<float>(rows) * side);
            out.blocks.push_back({top, high, count});
            top += high + room.gap;
        }
        out.height = cells.empty() ? 0 : top - room.gap;
        if (out.height <= room.height || side <= least) {
            return out;
        }
    }
}

std::optional<fleet_cell> cell_at(const fleet_placing& placing, float x, float y) {
    if (x < 0 || y < 0) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < placing.blocks.size(); ++i) {
        const fleet_block& block = placing.blocks[i];
        if (y < block.top || y >= block.top + block.height) {
            continue;
        }
        const auto column = static_cast<std::size_t>(x / placing.cell);
        const auto row = static_cast<std::size_t>((y - block.top) / placing.cell);
        const std::size_t place = row * placing.columns + column;
        if (column < placing.columns && place < block.cells) {
            return fleet_cell{i, place};
        }
    }
    return std::nullopt;
}

unsigned largest_level(const feed::fleet_answer& answer) {
    unsigned most = 0;
    for (const feed::fleet_group& group : answer.groups) {
        for (const std::uint8_t cell : group.cells) {
            most = std::max(most, static_cast<unsigned>(cell) >> 3);
        }
    }
    return most;
}

unsigned step_of_level(unsigned level, unsigned largest) {
    return largest == 0 ? 0 : std::min(level, largest) * (fleet_steps - 1) / largest;
}

std::vector<fleet_run> runs_of(const feed::fleet_answer& answer, const fleet_placing& placing,
                               bool apart) {
    const unsigned largest = largest_level(answer);
    std::vector<fleet_run> out;
    for (std::size_t i = 0; i < std::min(answer.groups.size(), placing.blocks.size()); ++i) {
        const std::vector<std::uint8_t>& cells = answer.groups[i].cells;
        const std::size_t count = std::min(cells.size(), placing.blocks[i].cells);
        for (std::size_t begin = 0; begin < count; begin += placing.columns) {
            const std::size_t end = std::min(begin + placing.columns, count);
            const float y =
                placing.blocks[i].top + static_cast<float>(begin / placing.columns) * placing.cell;
            fleet_run* last = nullptr;
            for (std::size_t cell = begin; cell < end; ++cell) {
                const auto state = static_cast<std::uint8_t>(cells[cell] & 7U);
                const auto step = static_cast<std::uint8_t>(
                    step_of_level(static_cast<unsigned>(cells[cell]) >> 3, largest));
                if (!apart && last != nullptr && last->state == state && last->step == step) {
                    last->width += placing.cell;
                    continue;
                }
                last = &out.emplace_back();
                *last = {static_cast<float>(cell - begin) * placing.cell, y, placing.cell, state,
                         step};
            }
        }
    }
    return out;
}

std::uint32_t cells_to_ask(float width, float height, float side) {
    const float columns = std::floor(std::max(0.0F, width) / std::max(1.0F, side));
    const float rows = std::floor(std::max(0.0F, height) / std::max(1.0F, side));
    return static_cast<std::uint32_t>(std::clamp(columns * rows, 100.0F, 1'000'000.0F));
}

}  // namespace fleetarium::dashboard
