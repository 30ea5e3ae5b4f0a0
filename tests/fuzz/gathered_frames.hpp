#pragma once

#include <fleetarium/codec/codec.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fleetarium::test {

/// Packets out of the bytes of a peer that may say anything, as a judge reads them: with the codec
/// alone, not with the reader under test.
class gathered_frames {
public:
    /// Calls `take(const frame&)` for each packet that is whole now. Returns false where the bytes
    /// are no packets or `take` has returned false: nothing more can be read then.
    template <class Take>
    bool add(bytes_view raw, Take&& take) {
        bytes_.insert(bytes_.end(), raw.begin(), raw.end());
        bytes_view rest = bytes_;
        frame in;
        for (;;) {
            const frame_result result = split_frame(rest, in);
            if (result.broken != violation::none) {
                return false;
            }
            if (!result.complete) {
                break;
            }
            if (!take(in)) {
                return false;
            }
        }
        bytes_.erase(bytes_.begin(), bytes_.end() - static_cast<std::ptrdiff_t>(rest.size()));
        return true;
    }

private:
    std::vector<std::uint8_t> bytes_;  // not whole packets yet
};

}  // namespace fleetarium::test
