#pragma once

#include <cstdint>
#include <limits>
#include <span>

namespace fleetarium::recording {

/// Things in the order of time, one at a time.
class timed_stream {
public:
    static constexpr std::int64_t at_end = std::numeric_limits<std::int64_t>::max();

    timed_stream() = default;
    virtual ~timed_stream() = default;
    timed_stream(const timed_stream&) = delete;
    timed_stream& operator=(const timed_stream&) = delete;

    /// When the next is; at_end: there is none.
    virtual std::int64_t at() const = 0;
    /// Takes the next.
    virtual void take() = 0;
};

/// Takes what is in the streams in the order of time, until an instant; at the same one, those of
/// the streams further to the front come first.
inline void merge(std::span<timed_stream* const> streams, std::int64_t until) {
    for (;;) {
        timed_stream* first = nullptr;
        std::int64_t first_at = timed_stream::at_end;
        for (timed_stream* const each : streams) {
            const std::int64_t at = each->at();
            if (at < first_at) {
                first_at = at;
                first = each;
            }
        }
        if (first == nullptr || first_at >= until) {
            return;
        }
        first->take();
    }
}

}  // namespace fleetarium::recording
