#pragma once

#include <fleetarium/broker/subscription.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

namespace fleetarium::broker {

/// The filters that a session is subscribed to, in the order subscribed: sixteen bytes, without a
/// heap block for one or two, which is what most devices have.
class filter_list {
public:
    filter_list() = default;
    filter_list(const filter_list&) = delete;
    filter_list& operator=(const filter_list&) = delete;
    ~filter_list() { clear(); }

    std::span<const filter_id> view() const {
        return {capacity_ == inline_capacity ? inline_ : heap_, size_};
    }
    std::size_t size() const { return size_; }

    void push_back(filter_id filter) {
        if (size_ == capacity_) {
            grow();
        }
        data()[size_++] = filter;
    }

    /// Takes out those that are among `ended`, which is sorted; in one pass.
    void erase(std::span<const filter_id> ended) {
        const filter_id* const end = std::remove_if(data(), data() + size_, [&](filter_id each) {
            return std::binary_search(ended.begin(), ended.end(), each);
        });
        size_ = static_cast<std::uint32_t>(end - data());
    }

    void clear() {
        if (capacity_ != inline_capacity) {
            delete[] heap_;
        }
        size_ = 0;
        capacity_ = inline_capacity;
    }

    std::size_t memory_bytes() const {
        return capacity_ == inline_capacity ? 0 : capacity_ * sizeof(filter_id);
    }

private:
    static constexpr std::uint32_t inline_capacity = 2;

    filter_id* data() { return capacity_ == inline_capacity ? inline_ : heap_; }

    void grow() {
        const std::uint32_t bigger = capacity_ * 2;
        auto* const made = new filter_id[bigger];
        std::copy(data(), data() + size_, made);
        if (capacity_ != inline_capacity) {
            delete[] heap_;
        }
        heap_ = made;
        capacity_ = bigger;
    }

    union {
        filter_id inline_[inline_capacity];
        filter_id* heap_;
    };
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = inline_capacity;
};

static_assert(sizeof(filter_list) == 16);

}  // namespace fleetarium::broker
