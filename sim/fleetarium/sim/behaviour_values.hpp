#pragma once

#include <fleetarium/core/assert.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the variables of a behaviour are made of.
namespace fleetarium::sim::detail {

/// A value that is being looked at.
struct value_view {
    std::string_view text{};
    bool bare = false;  ///< a number, true, false or null; else a text
};

/// A device's variable: 16 bytes. Short values stand in it, longer ones in a pool of the fleet,
/// where equal ones stand once.
class variable_slot {
public:
    static constexpr std::size_t short_max = 14;

private:
    friend class variable_pool;
    std::array<char, short_max> text_{};
    std::uint8_t size_ = 0;
    std::uint8_t flags_ = 0;
};

static_assert(sizeof(variable_slot) == 16);

/// The long values of a fleet's variables. Memory: one copy of each value that any device has.
/// Thread rule: the fleet's.
class variable_pool {
public:
    value_view value(const variable_slot& of) const {
        const bool bare = (of.flags_ & bare_bit) != 0;
        if ((of.flags_ & pooled_bit) != 0) {
            return {*entries_[pool_index(of)].text, bare};
        }
        return {{of.text_.data(), of.size_}, bare};
    }

    /// `value` must not be a view into the pool's own memory of `slot`.
    void set(variable_slot& slot, value_view value);

private:
    static constexpr std::uint8_t bare_bit = 1;
    static constexpr std::uint8_t pooled_bit = 2;

    struct entry {
        const std::string* text = nullptr;  // the key in ids_
        std::uint32_t uses = 0;
    };

    static std::uint32_t pool_index(const variable_slot& of) {
        std::uint32_t index = 0;
        std::memcpy(&index, of.text_.data(), sizeof index);
        return index;
    }
    void release(const variable_slot& slot);

    std::map<std::string, std::uint32_t, std::less<>> ids_;
    std::vector<entry> entries_;
    std::vector<std::uint32_t> free_;
};

/// Numbers, if both sides can be numbers and one stands bare, as numbers; else texts in their
/// natural order, where runs of digits count as numbers.
std::weak_ordering compare_values(value_view left, value_view right);

/// None if the text is no number.
std::optional<double> number_of_value(value_view value);

/// The text of a JSON number, as the shortest that reads back as it.
std::string_view number_view(double number, std::array<char, 32>& room);

/// Finds a member of a JSON text without taking the whole apart: `path` is names with points
/// between, or list positions from 0. An empty path is the whole text. Strings come without
/// quotes, by means of `room` if they have escapes; objects and lists as they are written.
/// None if there is no such member, or if the text up to it is no JSON.
std::optional<value_view> find_json_member(std::string_view json, std::string_view path,
                                           std::string& room);

}  // namespace fleetarium::sim::detail
