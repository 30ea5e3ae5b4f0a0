#include <fleetarium/sim/disk_contents.hpp>

#include <fleetarium/core/assert.hpp>
#include <fleetarium/core/hash.hpp>

#include <algorithm>
#include <set>

namespace fleetarium::sim {

/// Cuts are of several kinds, so that the rare ones, in which all or nothing survives, come often.
class disk_contents::survival {
public:
    survival(std::uint64_t first, std::uint64_t last, random_stream& random) : random_(random) {
        what_ = static_cast<kind>(random.below(kinds));
        // What had reached the medium when the power went.
        until_ = first + random.below(last - first + 1);
    }

    bool takes_all() const { return what_ == kind::all; }

    /// How many of the changes with these numbers, which rise, survive: between `min` and `max`.
    std::size_t choose(std::span<const std::uint64_t> numbers, std::size_t min, std::size_t max) {
        switch (what_) {
            case kind::nothing: return min;
            case kind::all: return max;
            case kind::in_order: {
                const auto end = std::upper_bound(numbers.begin(), numbers.end(), until_);
                auto count = static_cast<std::size_t>(end - numbers.begin());
                // The change in which it went reached some of its sectors.
                if (end != numbers.end() && *end == until_ + 1 && random_.below(2) == 0) {
                    ++count;
                }
                return std::clamp(count, min, max);
            }
            case kind::any_order: break;
        }
        return min + static_cast<std::size_t>(random_.below(max - min + 1));
    }

    bool takes(std::uint64_t number) { return choose({&number, 1}, 0, 1) == 1; }

private:
    enum class kind : std::uint8_t { nothing, all, in_order, any_order };
    static constexpr std::uint64_t kinds = 4;

    random_stream& random_;
    kind what_{};
    std::uint64_t until_ = 0;
};

std::optional<disk_contents::file_number> disk_contents::find(std::string_view name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? std::nullopt : std::optional(found->second);
}

disk_contents::file_number disk_contents::create(std::string_view name) {
    const file_number made = ++last_file_;
    files_[made].holders = 1;
    if (!name.empty()) {
        FLEETARIUM_ASSERT(names_.find(name) == names_.end());
        names_.emplace(name, made);
        unsynced_names_.push_back({++last_change_, std::string(name), made});
    }
    return made;
}

void disk_contents::release_all() {
    for (auto& [number, each] : files_) {
        each.holders = 0;
    }
    forget_unreachable();
}

bool disk_contents::remove(std::string_view name) {
    const auto found = names_.find(name);
    if (found == names_.end()) {
        return false;
    }
    names_.erase(found);
    unsynced_names_.push_back({++last_change_, std::string(name), std::nullopt});
    return true;
}

void disk_contents::rename(std::string_view from, std::string_view to) {
    const auto found = names_.find(from);
    FLEETARIUM_ASSERT(found != names_.end() && from != to);
    const file_number file = found->second;
    names_.erase(found);
    names_.insert_or_assign(std::string(to), file);
    unsynced_names_.push_back({++last_change_, std::string(to), file, std::string(from)});
}

void disk_contents::hold(file_number file) { ++files_.at(file).holders; }

void disk_contents::release(file_number file) {
    FLEETARIUM_ASSERT(files_.at(file).holders != 0);
    if (--files_.at(file).holders == 0) {
        forget_unreachable();
    }
}

bool disk_contents::has(file_number file) const { return files_.contains(file); }

std::uint64_t disk_contents::size(file_number file) const { return files_.at(file).cached.size(); }

std::uint64_t disk_contents::bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [number, each] : files_) {
        sum += each.cached.size();
    }
    return sum;
}

std::size_t disk_contents::read(file_number file, std::uint64_t offset,
                                std::span<std::uint8_t> to) const {
    const std::vector<std::uint8_t>& from = files_.at(file).cached;
    if (offset >= from.size()) {
        return 0;
    }
    const std::size_t count = std::min<std::size_t>(to.size(), from.size() - offset);
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(offset), count, to.begin());
    return count;
}

void disk_contents::write(file_number file, std::uint64_t offset, bytes_view bytes) {
    auto& to = files_.at(file);
    const std::uint64_t before = to.cached.size();
    change made{.number = ++last_change_,
                .offset = offset,
                .size_before = before,
                .size_after = std::max<std::uint64_t>(before, offset + bytes.size()),
                .bytes = {bytes.begin(), bytes.end()},
                .truncates = false};
    apply(made, to.cached);
    to.unsynced.push_back(std::move(made));
    to.unsynced_bytes += bytes.size();
    if (to.unsynced_bytes > unsynced_max) {
        write_back(to, to.unsynced.size() / 2);
    }
}

/// The oldest changes reach the medium.
void disk_contents::write_back(stored_file& which, std::size_t count) {
    const auto end = which.unsynced.begin() + static_cast<std::ptrdiff_t>(count);
    for (auto each = which.unsynced.begin(); each != end; ++each) {
        apply(*each, which.durable);
        which.unsynced_bytes -= each->bytes.size();
    }
    which.unsynced.erase(which.unsynced.begin(), end);
}

void disk_contents::truncate(file_number file, std::uint64_t size) {
    auto& to = files_.at(file);
    const std::uint64_t before = to.cached.size();
    if (size >= before) {
        return;
    }
    change made{.number = ++last_change_,
                .offset = size,
                .size_before = before,
                .size_after = size,
                .bytes = {},
                .truncates = true};
    apply(made, to.cached);
    to.unsynced.push_back(std::move(made));
}

void disk_contents::sync(file_number file) {
    auto& which = files_.at(file);
    write_back(which, which.unsynced.size());
}

void disk_contents::sync_directory() {
    durable_names_ = names_;
    unsynced_names_.clear();
    forget_unreachable();
}

std::size_t disk_contents::unsynced() const {
    std::size_t sum = unsynced_names_.size();
    for (const auto& [number, each] : files_) {
        sum += each.unsynced.size();
    }
    return sum;
}

void disk_contents::power_cut(const medium& of, random_stream& random) {
    std::uint64_t first = last_change_;
    if (!unsynced_names_.empty()) {
        first = std::min(first, unsynced_names_.front().number);
    }
    for (const auto& [number, each] : files_) {
        FLEETARIUM_ASSERT(each.holders == 0);
        if (!each.unsynced.empty()) {
            first = std::min(first, each.unsynced.front().number);
        }
    }
    survival choice(first == 0 ? 0 : first - 1, last_change_, random);
    for (const name_change& each : unsynced_names_) {
        if (!choice.takes(each.number)) {
            continue;
        }
        if (each.file) {
            durable_names_.insert_or_assign(each.name, *each.file);
            if (!each.former_name.empty()) {
                durable_names_.erase(each.former_name);
            }
        } else {
            durable_names_.erase(each.name);
        }
    }
    unsynced_names_.clear();
    names_ = durable_names_;
    forget_unreachable();
    for (auto& [number, each] : files_) {
        if (!each.unsynced.empty()) {
            cut(each, of, choice, random);
        }
    }
}

std::uint64_t disk_contents::hash() const {
    std::uint64_t sum = 0;
    for (const auto& [name, number] : names_) {
        sum = combine(hash_text(name, sum), hash_bytes(files_.at(number).cached));
    }
    return sum;
}

void disk_contents::apply(const change& what, std::vector<std::uint8_t>& to) {
    if (what.truncates) {
        to.resize(std::min<std::size_t>(to.size(), what.offset));
        return;
    }
    to.resize(std::max<std::size_t>(to.size(), what.offset + what.bytes.size()));
    std::copy(what.bytes.begin(), what.bytes.end(),
              to.begin() + static_cast<std::ptrdiff_t>(what.offset));
}

void disk_contents::cut(stored_file& which, const medium& of, survival& choice,
                        random_stream& random) {
    const std::vector<change>& changes = which.unsynced;
    std::vector<std::uint64_t> numbers;
    std::map<std::uint64_t, std::vector<std::size_t>> by_sector;
    std::uint64_t most = which.durable.size();
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const change& each = changes[i];
        numbers.push_back(each.number);
        most = std::max(most, each.size_after);
        const std::uint64_t end =
            each.truncates ? each.size_before : each.offset + each.bytes.size();
        for (std::uint64_t sector = each.offset / of.sector_size; sector * of.sector_size < end;
             ++sector) {
            by_sector[sector].push_back(i);
        }
    }
    // So many of the changes have come to the file's size.
    const std::size_t sized = choice.choose(numbers, 0, changes.size());
    const std::uint64_t size = sized == 0 ? which.durable.size() : changes[sized - 1].size_after;

    std::vector<std::uint8_t> out = which.durable;
    out.resize(most);
    for (const auto& [sector, touching] : by_sector) {
        // What stands before a truncation that took place is gone; what comes after one that did
        // not is nowhere.
        std::size_t min = 0;
        std::size_t max = touching.size();
        bool written = false;
        numbers.clear();
        for (std::size_t i = 0; i < touching.size(); ++i) {
            numbers.push_back(changes[touching[i]].number);
            if (!changes[touching[i]].truncates) {
                written = true;
                continue;
            }
            if (touching[i] < sized) {
                min = i + 1;
            } else {
                max = std::min(max, i);
            }
        }
        const std::size_t count = choice.choose(numbers, min, max);
        const std::uint64_t begin = sector * of.sector_size;
        const std::uint64_t end = std::min<std::uint64_t>(begin + of.sector_size, most);
        const auto place = [&](std::uint64_t at) {
            return out.begin() + static_cast<std::ptrdiff_t>(at);
        };
        for (std::size_t i = 0; i < count; ++i) {
            const change& each = changes[touching[i]];
            const std::uint64_t from = std::max(begin, each.offset);
            if (each.truncates) {
                std::fill(place(from), place(end), std::uint8_t{0});
                continue;
            }
            const std::uint64_t to = std::min<std::uint64_t>(end, each.offset + each.bytes.size());
            std::copy(each.bytes.begin() + static_cast<std::ptrdiff_t>(from - each.offset),
                      each.bytes.begin() + static_cast<std::ptrdiff_t>(to - each.offset),
                      place(from));
        }
        if (written && !of.atomic_sectors && !choice.takes_all() && random.below(4) == 0) {
            // The power went while it was written: up to here it is new, from there on garbage.
            const std::uint64_t good = begin + random.below(end - begin + 1);
            const std::uint64_t bad = good + random.below(end - good + 1);
            std::for_each(place(good), place(bad), [&](std::uint8_t& each) {
                each = static_cast<std::uint8_t>(random.next_u64());
            });
        }
    }
    out.resize(size);
    which.cached = out;
    which.durable = std::move(out);
    which.unsynced.clear();
    which.unsynced_bytes = 0;
}

/// A file that was deleted comes back, if the directory was not synced.
void disk_contents::forget_unreachable() {
    std::set<file_number> reachable;
    for (const directory* each : {&names_, &durable_names_}) {
        for (const auto& [name, number] : *each) {
            reachable.insert(number);
        }
    }
    for (const name_change& each : unsynced_names_) {
        if (each.file) {
            reachable.insert(*each.file);
        }
    }
    std::erase_if(files_, [&](const auto& each) {
        return each.second.holders == 0 && !reachable.contains(each.first);
    });
}

}  // namespace fleetarium::sim
