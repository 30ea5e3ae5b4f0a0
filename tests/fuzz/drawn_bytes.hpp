#pragma once

#include <fleetarium/core/bytes.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fleetarium::test {

/// Decisions that a fuzzer's bytes make, read from the front; zeros once they are used up.
class drawn_bytes {
public:
    drawn_bytes(const std::uint8_t* data, std::size_t size) : left_(data, size) {}
    explicit drawn_bytes(bytes_view all) : left_(all) {}

    bool empty() const { return left_.empty(); }

    std::uint8_t byte() {
        if (left_.empty()) {
            return 0;
        }
        const std::uint8_t taken = left_.front();
        left_ = left_.subspan(1);
        return taken;
    }
    std::uint16_t two_bytes() {
        const std::uint8_t high = byte();
        return static_cast<std::uint16_t>(high << 8 | byte());
    }
    std::uint32_t four_bytes() {
        const std::uint16_t high = two_bytes();
        return std::uint32_t{high} << 16 | two_bytes();
    }
    bool coin() { return (byte() & 1) != 0; }

    /// Below `bound`, which is 1 to 256; takes one byte.
    std::uint32_t below(std::uint32_t bound) { return byte() % bound; }

    /// One of a table; takes one byte.
    template <class Table>
    const auto& one_of(const Table& table) {
        return table[below(static_cast<std::uint32_t>(std::size(table)))];
    }

    /// Up to `count` bytes, as many as there are.
    bytes_view take(std::size_t count) {
        const bytes_view taken = left_.first(std::min(count, left_.size()));
        left_ = left_.subspan(taken.size());
        return taken;
    }
    /// As many bytes as the next one says.
    bytes_view sized() { return take(byte()); }
    std::string_view text() { return as_text(sized()); }
    bytes_view rest() { return take(left_.size()); }

private:
    bytes_view left_;
};

}  // namespace fleetarium::test
