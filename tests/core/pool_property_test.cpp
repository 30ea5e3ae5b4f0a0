#include <fleetarium/core/block_pool.hpp>
#include <fleetarium/core/chunk_pool.hpp>

#include "support/property.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>

using namespace fleetarium;
using namespace fleetarium::test;

namespace {

/// Memory in use, each piece filled with a byte of its own and none inside another.
class pieces {
public:
    std::string add(void* block, std::size_t size) {
        auto* const at = static_cast<std::uint8_t*>(block);
        const auto behind = live_.lower_bound(at);
        if ((behind != live_.end() && at + size > behind->first) ||
            (behind != live_.begin() &&
             std::prev(behind)->first + std::prev(behind)->second.size > at)) {
            return "two pieces in use overlap";
        }
        const auto mark = static_cast<std::uint8_t>(++made_);
        std::memset(at, mark, size);
        live_[at] = {size, mark};
        return {};
    }
    bool empty() const { return live_.empty(); }
    std::size_t size() const { return live_.size(); }

    /// The piece number `number` is in use no longer; what is wrong with what it held.
    std::string remove(std::uint32_t number, void*& block, std::size_t& size) {
        const auto gone =
            std::next(live_.begin(), static_cast<std::ptrdiff_t>(number % live_.size()));
        block = gone->first;
        size = gone->second.size;
        const std::uint8_t mark = gone->second.mark;
        const bool is_whole = std::all_of(gone->first, gone->first + size,
                                          [&](std::uint8_t byte) { return byte == mark; });
        live_.erase(gone);
        return is_whole ? "" : "somebody wrote into a piece in use";
    }

private:
    struct piece {
        std::size_t size;
        std::uint8_t mark;
    };
    std::map<std::uint8_t*, piece> live_;
    std::uint32_t made_ = 0;
};

std::string blocks_differ(property_steps steps) {
    pieces live;
    std::string problem;
    const auto give_back = [&](std::uint32_t number, std::uint32_t another_size) {
        void* block = nullptr;
        std::size_t size = 0;
        problem = live.remove(number, block, size);
        // Any size of its class will do.
        const std::size_t whole = block_pool::class_size(size);
        const std::size_t told = another_size % 2 == 0 ? size : whole;
        block_pool::deallocate(block, told);
    };
    for (const property_step& step : steps) {
        if (step.kind == 0) {
            // Small ones, around the edges of classes, and above the largest.
            const std::size_t size = step.c % 4 == 0 ? step.a % 200'000
                                     : step.c % 4 == 1
                                         ? (std::size_t{1} << step.a % 17) + step.b % 3 - 1
                                         : step.a % 600;
            void* const block = block_pool::allocate(size);
            if (reinterpret_cast<std::uintptr_t>(block) % 16 != 0) {
                return "a block of " + std::to_string(size) + " is not aligned to 16";
            }
            if (block_pool::class_size(size) < size) {
                return "the class of " + std::to_string(size) + " is smaller";
            }
            problem = live.add(block, size);
        } else if (step.kind == 1 && !live.empty()) {
            give_back(step.a, step.b);
        } else if (step.kind == 2) {
            block_pool::trim();
        } else if (step.kind == 3) {
            block_pool::age();
        }
        if (!problem.empty()) {
            break;
        }
    }
    const std::string found = problem;
    while (!live.empty()) {
        give_back(0, 0);
        if (found.empty() && !problem.empty()) {
            return problem;
        }
    }
    return found;
}

std::string chunks_differ(property_steps steps) {
    const std::size_t size = std::size_t{64} << (steps.empty() ? 0 : steps[0].b % 6);
    chunk_pool pool(size);
    pieces live;
    std::size_t used_max = 0;
    for (const property_step& step : steps) {
        std::string problem;
        if (step.kind == 0) {
            for (std::uint32_t i = 0; problem.empty() && i <= step.a % 20; ++i) {
                void* const chunk = pool.take();
                if (reinterpret_cast<std::uintptr_t>(chunk) % size != 0) {
                    return "a chunk is not aligned to its size";
                }
                problem = live.add(chunk, size);
            }
            used_max = std::max(used_max, live.size());
        } else if (!live.empty()) {
            void* chunk = nullptr;
            std::size_t held = 0;
            problem = live.remove(step.a, chunk, held);
            pool.give_back(chunk);
        }
        if (!problem.empty()) {
            return problem;
        }
        if (pool.memory_bytes() < live.size() * size) {
            return "the pool says it holds less than is in use";
        }
    }
    // Recycled, not taken anew: bounded by what was in use at once, and a slab that is begun.
    const std::size_t bound = 2 * used_max * size + (std::size_t{4} << 20);
    return pool.memory_bytes() <= bound ? "" : "the pool does not use again what it got back";
}

}  // namespace

TEST_CASE("blocks in use never overlap and keep what is written, in any order of freeing",
          "[block_pool][property]") {
    check_property({
        .name = "block pool",
        .kinds = {{"allocate", 6}, {"free", 6}, {"trim", 1}, {"age", 2}},
        .cases = 200,
        .steps_max = 400,
        .broken_by = blocks_differ,
    });
}

TEST_CASE("chunks in use never overlap and are used again", "[chunk_pool][property]") {
    check_property({
        .name = "chunk pool",
        .kinds = {{"take", 3}, {"give back", 10}},
        .cases = 200,
        .steps_max = 400,
        .broken_by = chunks_differ,
    });
}
