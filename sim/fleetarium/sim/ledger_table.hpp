#pragma once

#include <fleetarium/core/prefetch.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace fleetarium::sim::detail {

/// A map from well-mixed 64-bit keys to small values, in one block: an entry is looked up with
/// about one cache miss, and the order of a visit follows from the history of calls alone.
template <class Value>
class ledger_table {
public:
    std::size_t size() const { return size_; }
    std::size_t memory_bytes() const { return slots_.capacity() * sizeof(slot); }

    /// Pointers are valid until the next insertion or removal.
    Value* find(std::uint64_t key) {
        if (size_ == 0) {
            return nullptr;
        }
        key += key == 0;
        for (std::size_t at = key & mask_;; at = (at + 1) & mask_) {
            if (slots_[at].key == key) {
                return &slots_[at].value;
            }
            if (slots_[at].key == 0) {
                return nullptr;
            }
        }
    }

    /// Asks the processor for the place where the key is looked for first.
    void prefetch(std::uint64_t key) const {
        if (size_ != 0) {
            key += key == 0;
            fleetarium::prefetch(&slots_[key & mask_]);
        }
    }

    /// The value of the key, made now if `second`.
    std::pair<Value*, bool> insert(std::uint64_t key) {
        if ((size_ + 1) * 4 > slots_.size() * 3) {
            grow();
        }
        key += key == 0;
        for (std::size_t at = key & mask_;; at = (at + 1) & mask_) {
            if (slots_[at].key == key) {
                return {&slots_[at].value, false};
            }
            if (slots_[at].key == 0) {
                slots_[at].key = key;
                ++size_;
                return {&slots_[at].value, true};
            }
        }
    }

    bool erase(std::uint64_t key) {
        Value* const found = find(key);
        if (found == nullptr) {
            return false;
        }
        remove(found);
        return true;
    }

    /// Takes out what `find` gave.
    void remove(Value* found) {
        auto* const entry =
            reinterpret_cast<slot*>(reinterpret_cast<std::byte*>(found) - offsetof(slot, value));
        std::size_t hole = static_cast<std::size_t>(entry - slots_.data());
        // What lies behind moves up, so that no search ends too early.
        for (std::size_t at = (hole + 1) & mask_; slots_[at].key != 0; at = (at + 1) & mask_) {
            const std::size_t home = slots_[at].key & mask_;
            if (((at - home) & mask_) >= ((at - hole) & mask_)) {
                slots_[hole] = std::move(slots_[at]);
                hole = at;
            }
        }
        slots_[hole] = slot{};
        --size_;
    }

    template <class Visitor>
    void for_each(Visitor&& visit) {
        for (slot& each : slots_) {
            if (each.key != 0) {
                visit(each.key, each.value);
            }
        }
    }

private:
    struct slot {
        std::uint64_t key = 0;
        Value value{};
    };

    void grow() {
        std::vector<slot> old(slots_.empty() ? 16 : 2 * slots_.size());
        old.swap(slots_);
        mask_ = slots_.size() - 1;
        for (slot& each : old) {
            if (each.key == 0) {
                continue;
            }
            std::size_t at = each.key & mask_;
            while (slots_[at].key != 0) {
                at = (at + 1) & mask_;
            }
            slots_[at] = std::move(each);
        }
    }

    std::vector<slot> slots_;
    std::size_t size_ = 0;
    std::size_t mask_ = 0;
};

}  // namespace fleetarium::sim::detail
